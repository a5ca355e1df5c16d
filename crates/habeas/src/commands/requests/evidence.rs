//! `habeas requests certificate` and `habeas requests mails`: what is kept of a request.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use habeas_domain::RequestId;

use crate::cli::Global;
use crate::client::{Call, Client};
use crate::ending::Ending;
use crate::output::{self, Table, text};

pub(super) async fn certificate(
    global: &Global,
    client: &Client,
    id: RequestId,
    out: Option<PathBuf>,
) -> anyhow::Result<Ending> {
    let call = Call::get(&["requests", &id.to_string(), "certificate"]);
    if let Some(out) = out {
        let is_page = out.extension().is_some_and(|ending| ending == "html");
        let call = if is_page { call.accept("text/html") } else { call };
        let written = client.call(call).await?;
        write(&out, written.bytes())?;
        output::line(&format!("{} was written; keep it apart from the data", out.display()))?;
        return Ok(Ending::Done);
    }
    let certificate = client.json(call).await?;
    if global.json {
        output::json(&certificate)?;
        return Ok(Ending::Done);
    }
    output::line(&text(&certificate, "/outcome_meaning"))?;
    output::pairs(&[
        ("law", format!("{}, {}", text(&certificate, "/policy_name"), text(&certificate, "/law"))),
        ("received", text(&certificate, "/received_on")),
        ("due", text(&certificate, "/due_on")),
        ("closed", text(&certificate, "/closed_at")),
        ("refused because", text(&certificate, "/denial/reason")),
        ("package", text(&certificate, "/package/sha256")),
        ("content destroyed", text(&certificate, "/content_destroyed_at")),
        ("events", text(&certificate, "/events/count")),
        ("newest seal", text(&certificate, "/seal/hash")),
    ])?;
    let mut table = Table::new(&["system", "phase", "status", "detail", "settled"]);
    for system in certificate["systems"].as_array().into_iter().flatten() {
        table.row(system, &["/connection", "/phase", "/status", "/detail", "/settled_at"]);
    }
    table.print("No system had a part.")?;
    for exception in certificate["exceptions"].as_array().into_iter().flatten() {
        let what = [text(exception, "/system"), text(exception, "/records")].join(" ");
        output::line(&format!("left out: {} {}", what.trim(), text(exception, "/reason")))?;
    }
    Ok(Ending::Done)
}

fn write(out: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    std::fs::write(out, bytes).with_context(|| format!("cannot write {}", out.display()))
}

pub(super) async fn mails(global: &Global, client: &Client, id: RequestId) -> anyhow::Result<Ending> {
    let list = client.json(Call::get(&["requests", &id.to_string(), "mails"])).await?;
    if global.json {
        output::json(&list)?;
        return Ok(Ending::Done);
    }
    let mut table = Table::new(&["mail", "says", "to", "state", "attempts", "next", "problem"]);
    for mail in list["items"].as_array().into_iter().flatten() {
        table.row(mail, &["/id", "/kind", "/to", "/state", "/attempts", "/next_at", "/problem/message"]);
    }
    table.print("Nobody was written to.")?;
    if let Some(banner) = list["banner"].as_str() {
        output::complain(banner);
    }
    Ok(Ending::Done)
}
