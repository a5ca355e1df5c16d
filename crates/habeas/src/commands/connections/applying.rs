//! `habeas connections apply`: one call of the API for each connection that is not as declared. What one of them cannot
//! have is no reason to leave out the others.

use std::io::{self, IsTerminal as _};
use std::path::Path;

use anyhow::{anyhow, bail};
use serde_json::{Map, Value, json};

use super::guided::{ask, tell};
use super::planning::{Plan, as_declared, changes_in_words, kept, with_plan};
use crate::cli::Global;
use crate::client::problem::Problem;
use crate::client::{Call, Client};
use crate::ending::{Ending, Usage};
use crate::output::{self, text};

/// What came of a connection.
enum Outcome {
    /// Nothing was to be done.
    Unchanged,
    /// It is not declared and stays.
    Kept,
    /// As the API shows it now.
    Created(Value),
    Edited(Value),
    Removed,
    Failed {
        /// What was tried (`created`).
        what: &'static str,
        error: anyhow::Error,
    },
}

/// Makes the connections as the file declares them; `prune` removes the others, which a person must agree to, on the
/// terminal or with `yes`.
pub(super) async fn apply(global: &Global, file: &Path, prune: bool, yes: bool) -> anyhow::Result<Ending> {
    with_plan(global, file, true, async |client, Plan { declared, items }| {
        let undeclared = items.iter().filter(|item| item["action"] == "undeclared");
        let undeclared: Vec<_> = undeclared.map(|item| text(item, "/name")).collect();
        if prune && !undeclared.is_empty() && !yes && !is_agreed(global, &undeclared)? {
            tell("nothing was changed")?;
            return Ok(Ending::Failed);
        }
        let (mut shown, mut changes, mut failed) = (Vec::new(), 0, 0);
        // Nobody may listen any more; what was begun is finished all the same.
        let mut heard = Ok(());
        for (at, item) in items.iter().enumerate() {
            let nothing = Value::Null;
            let outcome =
                carry_out(client, item, declared.connections().get(at).unwrap_or(&nothing), prune).await;
            changes += usize::from(outcome.is_change());
            failed += usize::from(matches!(outcome, Outcome::Failed { .. }));
            if global.json {
                shown.push(outcome.document(item));
            } else {
                // At once: a vendor may take its time with the next one.
                heard = heard.and(output::line(&outcome.line(item)));
            }
        }
        heard = heard.and(if global.json {
            output::json(&json!({"items": shown, "changes": changes, "failed": failed}))
        } else {
            output::line(&format!("{changes} changed, {failed} failed"))
        });
        if failed > 0 { Ok(Ending::Failed) } else { heard.map(|()| Ending::Done) }
    })
    .await
}

/// Whether somebody at the terminal agrees to the removals.
fn is_agreed(global: &Global, names: &[String]) -> anyhow::Result<bool> {
    let names = names.join(", ");
    if global.json || !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        bail!(Usage::new(format!(
            "--prune would remove {names}, and nobody can be asked here; add --yes if that is meant. Nothing was \
             changed"
        )));
    }
    tell(&format!("Not declared, so to be removed with their credentials: {names}"))?;
    Ok(ask("Type `yes` to go on")? == "yes")
}

async fn carry_out(client: &Client, item: &Value, declared: &Value, prune: bool) -> Outcome {
    let id = text(item, "/id");
    let done = |what, result: anyhow::Result<Outcome>| {
        result.unwrap_or_else(|error| Outcome::Failed { what, error })
    };
    match item["action"].as_str().unwrap_or_default() {
        "none" => Outcome::Unchanged,
        "create" => {
            let call = Call::post(&["connections"]).body(declared.clone());
            done("created", client.json(call).await.map(Outcome::Created))
        }
        "edit" => {
            let call = Call::patch(&["connections", &id]).body(change(item, declared));
            done("changed", client.json(call).await.map(Outcome::Edited))
        }
        "undeclared" if !prune => Outcome::Kept,
        "undeclared" => {
            let removed = client.call(Call::delete(&["connections", &id])).await;
            done("removed", removed.map(|_| Outcome::Removed))
        }
        _ => Outcome::Failed { what: "changed", error: anyhow!("{}", text(item, "/problem")) },
    }
}

/// The edit that makes the connection as declared: what differs, with what is declared of it. What is not declared is
/// taken away.
fn change(item: &Value, declared: &Value) -> Value {
    let mut parts: Map<String, Value> = Map::new();
    for differing in item["changes"].as_array().into_iter().flatten() {
        let field = differing["field"].as_str().unwrap_or_default();
        let Some((part, member)) = field.split_once('.') else {
            parts.insert(field.to_owned(), differing["to"].clone());
            continue;
        };
        let value = match part {
            // The usual way has a word of its own.
            "capabilities" => differing["to"].clone(),
            "settings" => declared[part].get(member).cloned().unwrap_or_else(|| json!("")),
            _ => declared[part].get(member).cloned().unwrap_or(Value::Null),
        };
        if let Some(members) = parts.entry(part).or_insert_with(|| json!({})).as_object_mut() {
            members.insert(member.to_owned(), value);
        }
    }
    Value::Object(parts)
}

impl Outcome {
    const fn is_change(&self) -> bool {
        matches!(self, Self::Created(_) | Self::Edited(_) | Self::Removed)
    }

    const fn word(&self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Kept => "kept",
            Self::Created(_) => "created",
            Self::Edited(_) => "edited",
            Self::Removed => "removed",
            Self::Failed { .. } => "failed",
        }
    }

    /// For people; a failure has several lines.
    fn line(&self, item: &Value) -> String {
        let name = text(item, "/name");
        match self {
            Self::Unchanged => as_declared(&name),
            Self::Kept => kept(&name),
            Self::Created(made) => {
                format!("+ {name} ({}): created, {}", text(item, "/integration"), text(made, "/status"))
            }
            Self::Edited(edited) => {
                format!("~ {name}: {}, {}", changes_in_words(item, "replaced"), text(edited, "/status"))
            }
            Self::Removed => format!("- {name}: removed, and its credentials were destroyed"),
            Self::Failed { what, error } => {
                let why = format!("{error:#}").replace('\n', "\n  ");
                let why = output::printable(why.strip_prefix("error: ").unwrap_or(&why));
                format!("! {name}: was not {what}: {why}")
            }
        }
    }

    /// For programs: the planned item, and what came of it.
    fn document(&self, item: &Value) -> Value {
        let mut document = item.clone();
        if let Self::Created(made) = self {
            document["id"] = made["id"].clone();
        }
        document["result"] = json!(self.word());
        document["error"] = match self {
            Self::Failed { error, .. } => match error.downcast_ref::<Problem>() {
                Some(problem) => problem.document(),
                None => json!({"code": null, "detail": format!("{error:#}")}),
            },
            _ => Value::Null,
        };
        document
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_gives_what_is_declared_and_takes_away_what_is_not() {
        let declared = json!({
            "settings": {"client_secret": "secret", "client_id": "id"},
            "contact": {"email": "dpo@example.test"},
        });
        let item = json!({"changes": [
            {"field": "settings.client_secret"},
            {"field": "settings.region", "from": "eu", "to": null},
            {"field": "deletion_completion", "from": "on_submit", "to": "on_completion"},
            {"field": "capabilities.access", "from": "off", "to": "api"},
            {"field": "contact.email"},
            {"field": "contact.deadline_days", "from": 3, "to": null},
        ]});
        assert_eq!(
            change(&item, &declared),
            json!({
                "settings": {"client_secret": "secret", "region": ""},
                "deletion_completion": "on_completion",
                "capabilities": {"access": "api"},
                "contact": {"email": "dpo@example.test", "deadline_days": null},
            })
        );
    }
}
