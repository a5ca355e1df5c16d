//! `habeas connections ...`

mod guided;

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::with_client;
use crate::cli::{ConnectionDetails, ConnectionsCommand, Global, SettingValue};
use crate::client::{Call, Client};
use crate::ending::{Ending, Usage};
use crate::output::{self, Table, text};

pub(super) async fn run(global: &Global, command: ConnectionsCommand) -> anyhow::Result<Ending> {
    // Settings that cannot be read are complained of before anything is opened.
    let body = match &command {
        ConnectionsCommand::Add(new) => {
            let mut body = body(&new.details)?;
            body["integration"] = json!(new.integration);
            if let Some(name) = &new.name {
                body["name"] = json!(name);
            }
            body
        }
        ConnectionsCommand::Edit(change) => {
            let mut body = body(&change.details)?;
            if let Some(name) = &change.name {
                body["name"] = json!(name);
            }
            body
        }
        _ => Value::Null,
    };
    let adds = matches!(command, ConnectionsCommand::Add(_));
    with_client(global, adds, async |client| match command {
        ConnectionsCommand::Add(_) => {
            let added = guided::add(global, client, body).await?;
            show(global, &added)?;
            Ok(Ending::Done)
        }
        ConnectionsCommand::Edit(change) => {
            let call = Call::patch(&["connections", &change.connection]).body(body);
            show(global, &client.json(call).await?)?;
            Ok(Ending::Done)
        }
        ConnectionsCommand::List => {
            let list = client.list(Call::get(&["connections"]), None, None).await?;
            if global.json {
                output::json(&list)?;
            } else {
                print_list(&list)?;
            }
            Ok(Ending::Done)
        }
        ConnectionsCommand::Show { connection } => {
            show(global, &client.json(Call::get(&["connections", &connection])).await?)?;
            Ok(Ending::Done)
        }
        ConnectionsCommand::Check { connection } => check(global, client, connection).await,
        ConnectionsCommand::Remove { connection, force } => {
            // The API answers with nothing, and so does --json.
            let call = Call::delete(&["connections", &connection]).query("force", force.then_some(true));
            client.call(call).await?;
            if !global.json {
                output::line(&format!("{connection} was removed and its credentials were destroyed"))?;
            }
            Ok(Ending::Done)
        }
    })
    .await
}

fn body(details: &ConnectionDetails) -> anyhow::Result<Value> {
    let mut settings = BTreeMap::new();
    for (key, value) in &details.settings {
        if settings.insert(key.as_str(), resolve(key, value)?).is_some() {
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

/// The value of a setting, from wherever it is.
fn resolve(key: &str, value: &SettingValue) -> anyhow::Result<String> {
    match value {
        SettingValue::Given(value) => Ok(value.clone()),
        SettingValue::Environment(name) => std::env::var(name).map_err(|_| {
            Usage::new(format!("--set {key}=env:{name}: there is no environment variable {name}")).into()
        }),
        SettingValue::File(path) => {
            let text = std::fs::read_to_string(path).with_context(|| {
                format!("--set {key}=file:{path}: the file cannot be read", path = path.display())
            })?;
            // Editors end the last line of a file.
            Ok(text.trim_end_matches(['\r', '\n']).to_owned())
        }
    }
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
