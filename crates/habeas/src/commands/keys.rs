//! `habeas keys ...`

use serde_json::{Value, json};

use super::with_client;
use crate::cli::{Global, KeysCommand};
use crate::client::Call;
use crate::ending::Ending;
use crate::output::{self, Table, text};

pub(super) async fn run(global: &Global, command: KeysCommand) -> anyhow::Result<Ending> {
    let creates = matches!(command, KeysCommand::Create { .. });
    with_client(global, creates, async |client| {
        match command {
            KeysCommand::Create { name, roles } => {
                let call = Call::post(&["api-keys"]).body(json!({"name": name, "roles": roles}));
                let made = client.json(call).await?;
                if global.json {
                    output::json(&made)?;
                } else {
                    output::line(&format!(
                        "{}  {} ({})",
                        text(&made, "/id"),
                        text(&made, "/name"),
                        text(&made, "/roles")
                    ))?;
                    output::line(&format!("key: {}", text(&made, "/key")))?;
                    output::line("This is the only time the key is shown.")?;
                }
            }
            KeysCommand::List => {
                let list = client.list(Call::get(&["api-keys"]), None, None).await?;
                if global.json {
                    output::json(&list)?;
                } else {
                    print(&list)?;
                }
            }
            KeysCommand::Revoke { id } => {
                let revoked = client.json(Call::post(&["api-keys", &id.to_string(), "revoke"])).await?;
                if global.json {
                    output::json(&revoked)?;
                } else {
                    output::line(&format!("{id} ({}) opens nothing any more", text(&revoked, "/name")))?;
                }
            }
        }
        Ok(Ending::Done)
    })
    .await
}

fn print(list: &Value) -> anyhow::Result<()> {
    let mut table = Table::new(&["id", "name", "roles", "created", "by", "revoked"]);
    for key in list["items"].as_array().into_iter().flatten() {
        table.row(key, &["/id", "/name", "/roles", "/created_at", "/created_by", "/revoked_at"]);
    }
    table.print("There are no API keys; make one with `habeas keys create`.")
}
