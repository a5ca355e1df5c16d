//! `habeas systems ...`

use serde_json::{Value, json};

use super::with_client;
use crate::cli::{Global, SystemsCommand};
use crate::client::{Call, Client};
use crate::ending::Ending;
use crate::output::{self, Table, text};

pub(super) async fn run(global: &Global, command: SystemsCommand) -> anyhow::Result<Ending> {
    with_client(global, false, async |client| match command {
        SystemsCommand::Detect { connection: Some(connection) } => {
            let detection = detect(client, &connection).await?;
            show(global, &[detection])?;
            Ok(Ending::Done)
        }
        SystemsCommand::Detect { connection: None } => detect_all(global, client).await,
    })
    .await
}

async fn detect(client: &Client, connection: &str) -> anyhow::Result<Value> {
    client.json(Call::post(&["connections", connection, "detect"])).await
}

/// Every connection that can; one that fails does not keep the others from being asked.
async fn detect_all(global: &Global, client: &Client) -> anyhow::Result<Ending> {
    let list = client.list(Call::get(&["connections"]), None, None).await?;
    let able = list["items"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|connection| connection["capabilities"]["system_detection"] == "api");
    let mut found = Vec::new();
    let mut has_failed = false;
    for connection in able {
        match detect(client, &text(connection, "/id")).await {
            Ok(detection) => found.push(detection),
            Err(error) => {
                has_failed = true;
                output::complain(&format!("{}: {error:#}", text(connection, "/name")));
            }
        }
    }
    if found.is_empty() && !has_failed && !global.json {
        output::line("no connection has the capability system_detection; see `habeas integrations`")?;
        return Ok(Ending::Done);
    }
    show(global, &found)?;
    Ok(if has_failed { Ending::Failed } else { Ending::Done })
}

fn show(global: &Global, detections: &[Value]) -> anyhow::Result<()> {
    if global.json {
        return match detections {
            [one] => output::json(one),
            several => output::json(&json!({"items": several, "next_cursor": null})),
        };
    }
    for detection in detections {
        output::line(&format!(
            "{} ({}) shows:",
            text(detection, "/connection/name"),
            text(detection, "/connection/integration")
        ))?;
        let mut table = Table::new(&["system", "kind", "confidence", "categories", "seen as"]);
        for system in detection["items"].as_array().into_iter().flatten() {
            let evidence = system["evidence"].as_array().into_iter().flatten().map(seen);
            table.cells(vec![
                text(system, "/name"),
                text(system, "/kind").replace('_', " "),
                text(system, "/confidence"),
                text(system, "/categories"),
                evidence.collect::<Vec<_>>().join("; "),
            ]);
        }
        for line in table.lines() {
            output::line(&format!("  {line}"))?;
        }
        for unseen in detection["unseen"].as_array().into_iter().flatten() {
            output::line(&format!("  not seen: {}: {}", text(unseen, "/what"), text(unseen, "/why")))?;
        }
    }
    Ok(())
}

fn seen(evidence: &Value) -> String {
    let behind = match text(evidence, "/source") {
        source if source.is_empty() => String::new(),
        source => format!(" behind {source}"),
    };
    let off = if evidence["is_enabled"] == false { ", switched off" } else { "" };
    format!("{} {}{behind}{off}", text(evidence, "/role"), text(evidence, "/name"))
}
