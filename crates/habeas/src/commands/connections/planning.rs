//! `habeas connections plan`, and what `apply` has in common with it.

use std::path::Path;

use anyhow::bail;
use serde_json::{Value, json};

use super::declaring::Declared;
use crate::cli::Global;
use crate::client::problem::Problem;
use crate::client::{Call, Client, data_directory};
use crate::commands::with_client;
use crate::ending::Ending;
use crate::output::{self, text};

/// What a file declares, and what is to be done about it.
pub(super) struct Plan {
    pub(super) declared: Declared,
    /// As the API answered: the declared connections in their order, then the others.
    pub(super) items: Vec<Value>,
}

/// Shows what `apply` would do.
pub(super) async fn plan(global: &Global, file: &Path) -> anyhow::Result<Ending> {
    with_plan(global, file, false, async |_, plan| {
        let differing = plan.items.iter().filter(|item| differs(item)).count();
        if global.json {
            output::json(&json!({"items": plan.items, "changes": differing}))?;
            return Ok(Ending::Done);
        }
        plan.items.iter().try_for_each(|item| output::line(&planned_line(item)))?;
        let file = file.display();
        output::line(&match differing {
            0 => "Everything is as declared.".to_owned(),
            1 => format!("1 connection differs; `habeas connections apply {file}` changes that."),
            more => format!("{more} connections differ; `habeas connections apply {file}` changes that."),
        })?;
        Ok(Ending::Done)
    })
    .await
}

/// Reads the file, asks the server what is to be done and runs `work` with the answer. If anything in the file cannot be
/// used, everything that is wrong is told and nothing is done.
pub(super) async fn with_plan<W>(
    global: &Global,
    file: &Path,
    creates: bool,
    work: W,
) -> anyhow::Result<Ending>
where
    W: AsyncFnOnce(&Client, Plan) -> anyhow::Result<Ending>,
{
    let mut declared = Declared::read(file)?;
    if declared.is_faulty() {
        // Nothing is set up for a file that cannot be used.
        if global.server.is_some() || data_directory(global).exists() {
            // The server knows what else is wrong; if it cannot be asked, this is what is known.
            drop(
                with_client(global, false, async |client| {
                    ask(client, &mut declared).await.map(|_| Ending::Done)
                })
                .await,
            );
        }
        bail!(declared.refusal());
    }
    with_client(global, creates, async |client| {
        let items = ask(client, &mut declared).await?;
        if declared.is_faulty() {
            bail!(declared.refusal());
        }
        for warning in declared.warnings() {
            output::complain(&format!("warning: {warning}"));
        }
        work(client, Plan { declared, items }).await
    })
    .await
}

/// What the server would do. What it cannot use is blamed on the file's fields.
async fn ask(client: &Client, declared: &mut Declared) -> anyhow::Result<Vec<Value>> {
    let body = json!({"connections": declared.connections()});
    let error = match client.json(Call::post(&["connections", "plan"]).body(body)).await {
        Ok(mut answer) => match answer["items"].take() {
            Value::Array(items) => return Ok(items),
            _ => bail!("the server answered with something that is not a plan"),
        },
        Err(error) => error,
    };
    let Some(problem) = error.downcast_ref::<Problem>().filter(|problem| problem.code() == "validation")
    else {
        return Err(error);
    };
    problem.errors().for_each(|(field, message)| declared.blame(field, message));
    Ok(Vec::new())
}

/// Whether it is declared and not as declared.
fn differs(item: &Value) -> bool {
    matches!(item["action"].as_str(), Some("create" | "edit" | "replace"))
}

/// What would be done about a connection, in one line.
fn planned_line(item: &Value) -> String {
    let name = text(item, "/name");
    match text(item, "/action").as_str() {
        "create" => format!("+ {name} ({}): would be created", text(item, "/integration")),
        "edit" => format!("~ {name}: {}", changes_in_words(item, "differs")),
        "none" => as_declared(&name),
        "undeclared" => kept(&name),
        _ => format!("! {name}: {}", text(item, "/problem")),
    }
}

pub(super) fn as_declared(name: &str) -> String {
    format!("= {name}: as declared")
}

pub(super) fn kept(name: &str) -> String {
    format!("- {name}: not declared (kept; --prune removes it)")
}

/// What differs, in words. Of a secret there is only `word` to say.
pub(super) fn changes_in_words(item: &Value, word: &str) -> String {
    let changes = item["changes"].as_array().into_iter().flatten().map(|change| {
        let field = text(change, "/field");
        let field =
            field.strip_prefix("settings.").or_else(|| field.strip_prefix("capabilities.")).unwrap_or(&field);
        let field = field.replacen("contact.", "contact ", 1);
        let value = |pointer| match text(change, pointer) {
            empty if empty.is_empty() => "(not set)".to_owned(),
            given => given,
        };
        if change.get("to").is_some() {
            format!("{field} {} -> {}", value("/from"), value("/to"))
        } else {
            format!("{field} {word}")
        }
    });
    changes.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case::create(json!({"action": "create", "integration": "readycloud"}), "+ shop (readycloud): would be created")]
    #[case::edit(
        json!({"action": "edit", "changes": [
            {"field": "deletion_completion", "from": "on_completion", "to": "on_submit"},
            {"field": "settings.client_secret"},
            {"field": "settings.region", "from": "eu", "to": null},
            {"field": "capabilities.access", "from": "api", "to": "off"},
            {"field": "contact.deadline_days", "from": null, "to": 3},
            {"field": "contact.email"}]}),
        "~ shop: deletion_completion on_completion -> on_submit; client_secret differs; region eu -> (not set); \
         access api -> off; contact deadline_days (not set) -> 3; contact email differs")]
    #[case::none(json!({"action": "none"}), "= shop: as declared")]
    #[case::undeclared(json!({"action": "undeclared"}), "- shop: not declared (kept; --prune removes it)")]
    #[case::replace(json!({"action": "replace", "problem": "is something else"}), "! shop: is something else")]
    fn a_plan_reads_as_lines(#[case] mut item: Value, #[case] expected: &str) {
        item["name"] = json!("shop");
        assert_eq!(planned_line(&item), expected);
    }
}
