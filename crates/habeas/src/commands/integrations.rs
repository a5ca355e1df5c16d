//! `habeas integrations ...`

use anyhow::bail;
use habeas_integrations::Catalogue;
use serde_json::{Value, json};

use super::with_client;
use crate::cli::{Global, IntegrationsCommand};
use crate::client::Call;
use crate::ending::{Ending, Usage};
use crate::output::{self, Table, text};

pub(super) async fn run(global: &Global, command: Option<IntegrationsCommand>) -> anyhow::Result<Ending> {
    if let Some(IntegrationsCommand::Authorize { name, app_id }) = &command {
        let url = authorize(name, app_id)?;
        if global.json {
            output::json(&json!({"url": url}))?;
        } else {
            output::line(&url)?;
        }
        return Ok(Ending::Done);
    }
    with_client(global, false, async |client| {
        match command.unwrap_or(IntegrationsCommand::List) {
            IntegrationsCommand::List => {
                let list = client.list(Call::get(&["integrations"]), None, None).await?;
                if global.json {
                    output::json(&list)?;
                } else {
                    print_list(&list)?;
                }
            }
            IntegrationsCommand::Authorize { .. } => {}
            IntegrationsCommand::Show { name } => {
                let one = client.json(Call::get(&["integrations", &name])).await?;
                if global.json {
                    output::json(&one)?;
                } else {
                    print(&one)?;
                }
            }
        }
        Ok(Ending::Done)
    })
    .await
}

/// The vendor's page on which access is allowed. The catalogue is part of the program, so nobody is asked.
pub(super) fn authorize(name: &str, app_id: &str) -> anyhow::Result<String> {
    let catalogue = Catalogue::default();
    let Some(integration) = catalogue.find(name) else {
        let known: Vec<_> = catalogue.iter().map(|one| one.manifest().name).collect();
        bail!(Usage::new(format!("there is no integration `{name}`; known are: {}", known.join(", "))));
    };
    let manifest = integration.manifest();
    if manifest.authorize_url.is_none() {
        bail!(Usage::new(format!(
            "{} has no such page; `habeas integrations show {name}` says how its credentials are made",
            manifest.title
        )));
    }
    manifest.authorize_page(app_id).ok_or_else(|| {
        Usage::new("that is no App ID: it has letters, digits and `-_.~` only; copy it alone, without the App Secret").into()
    })
}

fn print_list(list: &Value) -> anyhow::Result<()> {
    let mut table = Table::new(&["name", "title", "access", "deletion", "identifiers"]);
    let pointers = [
        "/name",
        "/title",
        "/capabilities/access/type",
        "/capabilities/deletion/method",
        "/capabilities/identifiers",
    ];
    for one in list["items"].as_array().into_iter().flatten() {
        table.row(one, &pointers);
    }
    table.print("There are no integrations.")
}

fn print(one: &Value) -> anyhow::Result<()> {
    output::line(&format!("{} ({})", text(one, "/title"), text(one, "/name")))?;
    output::line(&text(one, "/summary"))?;
    let deletion = [text(one, "/capabilities/deletion/timing"), text(one, "/capabilities/deletion/method")];
    output::pairs(&[
        ("access", text(one, "/capabilities/access/type")),
        ("deletion", deletion.join(" ").trim().to_owned()),
        ("identifiers", text(one, "/capabilities/identifiers")),
        ("address", text(one, "/base_url")),
        ("API", text(one, "/api_version")),
        ("role at the vendor", text(one, "/vendor_role")),
        ("account at the vendor", text(one, "/account_type")),
    ])?;
    let items = |name: &str| one[name].as_array().cloned().unwrap_or_default();
    output::line("\nSettings")?;
    for setting in items("settings") {
        let optional = if setting["optional"] == true { " (optional)" } else { "" };
        output::line(&format!("  {}{optional}: {}", text(&setting, "/key"), text(&setting, "/help")))?;
        output::line(&format!("      found at: {}", text(&setting, "/found_at")))?;
    }
    output::line("\nPermissions")?;
    for permission in items("permissions") {
        let optional = if permission["optional"] == true { " (optional)" } else { "" };
        output::line(&format!(
            "  {}{optional}: {}",
            text(&permission, "/permission"),
            text(&permission, "/needed_for")
        ))?;
    }
    output::line("\nHow to set it up")?;
    for (number, step) in items("guide").iter().enumerate() {
        output::line(&format!("  {}. {}", number + 1, text(step, "")))?;
    }
    output::line("\nIf it does not connect")?;
    for trouble in items("troubleshooting") {
        output::line(&format!("  {}: {}", text(&trouble, "/code"), text(&trouble, "/meaning")))?;
        output::line(&format!("      {}", text(&trouble, "/remedy")))?;
    }
    Ok(())
}
