//! `habeas requests plan`

use habeas_domain::RequestId;
use serde_json::Value;

use crate::cli::Global;
use crate::client::{Call, Client};
use crate::ending::Ending;
use crate::output::{self, Table, text};

pub(super) async fn show(
    global: &Global,
    client: &Client,
    id: RequestId,
    wait: u64,
) -> anyhow::Result<Ending> {
    let call = Call::get(&["requests", &id.to_string(), "plan"]).query("wait", Some(wait));
    let plan = client.json(call).await?;
    if global.json {
        output::json(&plan)?;
        return Ok(Ending::Done);
    }
    output::line(&format!(
        "{} request {} is in {}",
        text(&plan, "/right"),
        text(&plan, "/request_id"),
        text(&plan, "/state")
    ))?;
    let items: Vec<&Value> = plan["items"].as_array().into_iter().flatten().collect();
    let mut table = Table::new(&["system", "would", "found", "would delete", "done"]);
    for item in &items {
        table.cells(vec![
            text(item, "/connection/name"),
            text(item, "/would").replace('_', " "),
            found(item),
            text(item, "/would_delete"),
            done(item),
        ]);
    }
    for line in table.lines() {
        output::line(&line)?;
    }
    for item in items {
        let name = text(item, "/connection/name");
        if !item["difference"].is_null() {
            output::line(&format!("{name}: differs: {}", text(item, "/difference")))?;
        }
        for (member, word) in [("unknown", "not known"), ("residuals", "besides")] {
            for one in item[member].as_array().into_iter().flatten() {
                output::line(&format!("{name}: {word}: {}: {}", text(one, "/what"), text(one, "/why")))?;
            }
        }
    }
    Ok(Ending::Done)
}

fn found(item: &Value) -> String {
    let kinds: Vec<String> = item["by_kind"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    match (&item["found"], &item["held"]) {
        (Value::Null, Value::Bool(true)) => "held".to_owned(),
        (Value::Null, Value::Bool(false)) => "not held".to_owned(),
        (Value::Null, _) => "?".to_owned(),
        (count, _) if kinds.is_empty() => count.to_string(),
        (count, _) => format!("{count} ({})", kinds.join(", ")),
    }
}

fn done(item: &Value) -> String {
    if item["done"].is_null() {
        return String::new();
    }
    let status = text(item, "/done/status").replace('_', " ");
    match &item["done"]["deleted"] {
        Value::Null => status,
        deleted => format!("{status}, {deleted} deleted"),
    }
}
