//! `habeas integrations ...`

use serde_json::Value;

use super::with_client;
use crate::cli::{Global, IntegrationsCommand};
use crate::client::Call;
use crate::ending::Ending;
use crate::output::{self, Table, text};

pub(super) async fn run(global: &Global, command: Option<IntegrationsCommand>) -> anyhow::Result<Ending> {
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
    ])?;
    let items = |name: &str| one[name].as_array().cloned().unwrap_or_default();
    output::line("\nSettings")?;
    for setting in items("settings") {
        let optional = if setting["optional"] == true { " (optional)" } else { "" };
        output::line(&format!("  {}{optional}: {}", text(&setting, "/key"), text(&setting, "/help")))?;
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
    Ok(())
}
