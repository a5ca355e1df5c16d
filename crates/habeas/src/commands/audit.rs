//! `habeas audit ...`

use anyhow::Context as _;
use habeas_store::audit::Anchor;
use serde_json::{Value, json};

use super::with_client;
use crate::cli::{AuditCommand, Global};
use crate::client::Call;
use crate::ending::Ending;
use crate::output::{self, Table, text};

pub(super) async fn run(global: &Global, command: AuditCommand) -> anyhow::Result<Ending> {
    let mut question = Call::post(&["audit", "verify"]);
    if let AuditCommand::Verify { anchor: Some(path) } = &command {
        let content = std::fs::read_to_string(path)
            .with_context(|| format!("the anchor file {} cannot be read", path.display()))?;
        let Anchor(seal) =
            Anchor::parse(&content).with_context(|| format!("{} cannot be used", path.display()))?;
        question = question.body(json!(seal));
    }
    with_client(global, false, async |client| match command {
        AuditCommand::List { limit, cursor } => {
            let list = client.list(Call::get(&["audit"]), cursor, limit).await?;
            if global.json {
                output::json(&list)?;
            } else {
                print_list(&list)?;
            }
            Ok(Ending::Done)
        }
        AuditCommand::Verify { .. } => {
            let verdict = client.json(question).await?;
            if global.json {
                output::json(&verdict)?;
            } else {
                print_verdict(&verdict)?;
            }
            Ok(if verdict["valid"] == true { Ending::Done } else { Ending::Failed })
        }
        AuditCommand::Seal => {
            let seal = client.json(Call::get(&["audit", "seal"])).await?;
            // Nobody reads a seal; it is kept, and given to `audit verify --anchor` one day.
            output::json(&seal)?;
            Ok(Ending::Done)
        }
    })
    .await
}

fn print_list(list: &Value) -> anyhow::Result<()> {
    let mut table = Table::new(&["at", "actor", "kind", "object", "data"]);
    for event in list["items"].as_array().into_iter().flatten() {
        table.row(event, &["/at", "/actor", "/kind", "/object_id", "/data"]);
    }
    table.print("The audit log is empty.")
}

fn print_verdict(verdict: &Value) -> anyhow::Result<()> {
    let events = text(verdict, "/events");
    if verdict["valid"] == true {
        let seal = match text(verdict, "/seal/number") {
            number if number.is_empty() => String::new(),
            number => format!("; the newest seal is number {number} (keep it elsewhere: habeas audit seal)"),
        };
        return output::line(&format!("The audit log is whole: {events} events{seal}"));
    }
    let position = match text(verdict, "/first_bad/position") {
        position if position.is_empty() => String::new(),
        position => format!(" at position {position}"),
    };
    output::line(&format!(
        "The audit log is NOT whole: {} {}{position}",
        text(verdict, "/first_bad/object"),
        text(verdict, "/first_bad/problem")
    ))
}
