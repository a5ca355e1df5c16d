//! `habeas connections ...`

mod applying;
mod declaring;
mod guided;
mod planning;
mod schema;
mod values;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::bail;
use serde_json::{Value, json};

use super::with_client;
use crate::cli::{ConnectionDetails, ConnectionsCommand, Global};
use crate::client::{Call, Client};
use crate::ending::{Ending, Usage};
use crate::output::{self, Table, text};
pub(super) use guided::ask;

pub(super) async fn run(global: &Global, command: ConnectionsCommand) -> anyhow::Result<Ending> {
    match command {
        ConnectionsCommand::Add(new) => {
            // Settings that cannot be read are complained of before anything is opened.
            let mut body = body(&new.details)?;
            body["integration"] = json!(new.integration);
            if let Some(name) = &new.name {
                body["name"] = json!(name);
            }
            with_client(global, true, async |client| {
                show(global, &guided::add(global, client, body).await?).map(|()| Ending::Done)
            })
            .await
        }
        ConnectionsCommand::Edit(change) => {
            let mut body = body(&change.details)?;
            if let Some(name) = &change.name {
                body["name"] = json!(name);
            }
            with_client(global, false, async |client| {
                let call = Call::patch(&["connections", &change.connection]).body(body);
                show(global, &client.json(call).await?).map(|()| Ending::Done)
            })
            .await
        }
        ConnectionsCommand::List => {
            with_client(global, false, async |client| list(global, client).await).await
        }
        ConnectionsCommand::Show { connection } => {
            with_client(global, false, async |client| {
                show(global, &client.json(Call::get(&["connections", &connection])).await?)
                    .map(|()| Ending::Done)
            })
            .await
        }
        ConnectionsCommand::Check { connection } => {
            with_client(global, false, async |client| check(global, client, connection).await).await
        }
        ConnectionsCommand::Remove { connection, force } => {
            with_client(global, false, async |client| remove(global, client, &connection, force).await).await
        }
        ConnectionsCommand::Plan { file } => planning::plan(global, &file).await,
        ConnectionsCommand::Apply { file, prune, yes } => applying::apply(global, &file, prune, yes).await,
        ConnectionsCommand::Schema => {
            output::line(&serde_json::to_string_pretty(&schema::schema())?)?;
            Ok(Ending::Done)
        }
    }
}

fn body(details: &ConnectionDetails) -> anyhow::Result<Value> {
    let mut settings = BTreeMap::new();
    for (key, value) in &details.settings {
        let resolved = values::resolve(value, Path::new(""))
            .map_err(|reason| Usage::new(format!("--set {key}={value:?}: {reason}")))?;
        if settings.insert(key.as_str(), resolved).is_some() {
            bail!(Usage::new(format!("--set {key}=... was given twice")));
        }
    }
    let mut body = json!({"settings": settings});
    if let Some(completion) = details.deletion_completion {
        body["deletion_completion"] = json!(completion);
    }
    if !details.capabilities.is_empty() {
        let chosen: BTreeMap<_, _> = details.capabilities.iter().copied().collect();
        body["capabilities"] = json!(chosen);
    }
    let contact = [
        ("email", details.contact_email.as_ref().map(|email| json!(email))),
        ("deadline_days", details.contact_deadline_days.map(|days| json!(days))),
        ("on_expiry", details.contact_on_expiry.as_ref().map(|choice| json!(choice))),
    ];
    let contact: serde_json::Map<String, Value> =
        contact.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect();
    if !contact.is_empty() {
        body["contact"] = Value::Object(contact);
    }
    Ok(body)
}

async fn list(global: &Global, client: &Client) -> anyhow::Result<Ending> {
    let list = client.list(Call::get(&["connections"]), None, None).await?;
    if global.json {
        output::json(&list)?;
    } else {
        print_list(&list)?;
    }
    Ok(Ending::Done)
}

async fn remove(global: &Global, client: &Client, connection: &str, force: bool) -> anyhow::Result<Ending> {
    // The API answers with nothing, and so does --json.
    client.call(Call::delete(&["connections", connection]).query("force", force.then_some(true))).await?;
    if !global.json {
        output::line(&format!("{connection} was removed and its credentials were destroyed"))?;
    }
    Ok(Ending::Done)
}

async fn check(global: &Global, client: &Client, connection: Option<String>) -> anyhow::Result<Ending> {
    let checked = match connection {
        Some(named) => {
            let one = client.json(Call::post(&["connections", &named, "check"])).await?;
            show(global, &one)?;
            vec![one]
        }
        None => {
            let list = client.list(Call::get(&["connections"]), None, None).await?;
            let mut checked = Vec::new();
            for one in list["items"].as_array().into_iter().flatten() {
                checked.push(client.json(Call::post(&["connections", &text(one, "/id"), "check"])).await?);
            }
            let list = json!({"items": checked, "next_cursor": null});
            if global.json {
                output::json(&list)?;
            } else {
                print_list(&list)?;
            }
            checked
        }
    };
    let broken = checked.iter().any(|one| !one["error"].is_null());
    Ok(if broken { Ending::Failed } else { Ending::Done })
}

fn print_list(list: &Value) -> anyhow::Result<()> {
    let mut table = Table::new(&["id", "name", "integration", "status", "checked", "warnings"]);
    for one in list["items"].as_array().into_iter().flatten() {
        table.row(one, &["/id", "/name", "/integration", "/status", "/checked_at", "/warnings"]);
    }
    table.print("There are no connections; add one with `habeas connections add`.")
}

fn show(global: &Global, one: &Value) -> anyhow::Result<()> {
    if global.json {
        return output::json(one);
    }
    output::line(&format!("{}  {}: {}", text(one, "/id"), text(one, "/name"), text(one, "/status")))?;
    let capabilities: Vec<String> = one["capabilities"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(capability, handling)| format!("{capability}={}", text(handling, "")))
        .collect();
    output::pairs(&[
        ("integration", text(one, "/integration")),
        ("capabilities", capabilities.join(", ")),
        ("deletion completes", text(one, "/deletion_completion")),
        ("contact", contact(one)),
        ("this month", quota(one)),
        ("callbacks go to", text(one, "/callback_url")),
        ("checked", text(one, "/checked_at")),
        ("failing since", text(one, "/failing_since")),
        ("error", text(one, "/error/message")),
        ("what to do", text(one, "/error/remedy")),
    ])?;
    for permission in one["permissions"].as_array().into_iter().flatten() {
        output::line(&format!(
            "  permission {}: {} ({})",
            text(permission, "/permission"),
            text(permission, "/state").replace('_', " "),
            text(permission, "/needed_for")
        ))?;
    }
    for warning in one["warnings"].as_array().into_iter().flatten() {
        output::line(&format!("  warning: {}", text(warning, "")))?;
    }
    Ok(())
}

/// Who answers for the system, if anybody was asked to.
fn contact(one: &Value) -> String {
    if one["contact"].is_null() {
        return String::new();
    }
    let email = text(one, "/contact/email");
    let who = if email.is_empty() { "answers are entered by hand".to_owned() } else { email };
    format!("{who}, {} days, then {}", text(one, "/contact/deadline_days"), text(one, "/contact/on_expiry"))
}

fn quota(one: &Value) -> String {
    if one["quota"].is_null() {
        return String::new();
    }
    format!("{} of {} {}", text(one, "/quota/used"), text(one, "/quota/limit"), text(one, "/quota/what"))
}
