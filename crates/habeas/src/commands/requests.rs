//! `habeas requests ...`

mod answer;
mod evidence;
mod import;
mod package;
mod plan;

use std::collections::BTreeMap;

use habeas_domain::{IdentifierType, RequestId};
use serde_json::{Map, Value, json};

use super::with_client;
use crate::cli::{Global, NewRequest, RequestList, RequestsCommand, Waiting};
use crate::client::{Call, Client};
use crate::ending::{Ending, Usage};
use crate::output::{self, Table, text};
use crate::progress;

pub(super) async fn run(global: &Global, command: RequestsCommand) -> anyhow::Result<Ending> {
    use RequestsCommand as R;
    let command = match command {
        R::Import(arguments) => return import::run(global, arguments).await,
        other => other,
    };
    // Before anything is opened: a command line that cannot be used must leave no trace.
    let body = match &command {
        R::Create(new) => Some(body(new)?),
        _ => None,
    };
    with_client(global, body.is_some(), async |client| {
        let moves = Moves { global, client };
        match command {
            R::Create(new) => {
                let call = Call::post(&["requests"]).body(body.unwrap_or_default());
                moves.carry_out(call, new.waiting).await
            }
            // Above: it reads its file before anything is opened.
            R::Import(_) => Ok(Ending::Done),
            R::List(wanted) => list(global, client, wanted).await,
            R::Show { id, waiting } => match waiting.seconds() {
                Some(limit) => progress::wait(global, client, &id.to_string(), limit).await,
                None => show(global, client, id).await,
            },
            R::Plan { id, wait } => plan::show(global, client, id, wait).await,
            R::Runs { id } => runs(global, client, &id.to_string()).await,
            R::Start { id, policy, right, relationship, waiting } => {
                let body = object([
                    ("policy", policy.map(Value::from)),
                    ("right", right.map(|right| json!(right))),
                    ("relationship", relationship.map(|relationship| json!(relationship))),
                ]);
                moves.request(id, "start", body, waiting).await
            }
            R::Records { id } => records(global, client, id).await,
            R::Process { id, acknowledge, waiting } => {
                let body = match acknowledge.is_empty() {
                    true => json!({}),
                    false => json!({"acknowledge": acknowledge}),
                };
                moves.request(id, "process", body, waiting).await
            }
            R::Deny { id, reason, text } => {
                let body = object([("reason_code", Some(json!(reason))), ("text", text.map(Value::from))]);
                moves.request(id, "deny", body, Waiting::NOT).await
            }
            R::Hold { id, reason, note } => {
                let body = object([("reason", Some(json!(reason))), ("note", note.map(Value::from))]);
                moves.request(id, "hold", body, Waiting::NOT).await
            }
            R::Resume { id } => moves.request(id, "resume", json!({}), Waiting::NOT).await,
            R::Withdraw { id } => moves.request(id, "withdraw", json!({}), Waiting::NOT).await,
            R::Retry { id, run, waiting } => {
                moves.run(id, &run.to_string(), "retry", json!({}), waiting).await
            }
            R::Skip { id, run, reason } => {
                moves.run(id, &run.to_string(), "skip", json!({"reason": reason}), Waiting::NOT).await
            }
            R::Stop { id, run, reason } => {
                moves.run(id, &run.to_string(), "stop", json!({"reason": reason}), Waiting::NOT).await
            }
            R::Answer(given) => {
                let call = answer::call(&given)?;
                moves.run_call(given.id, call, false, given.waiting).await
            }
            R::HandOver { id, run, email } => {
                let body = json!({"email": email});
                moves.run(id, &run.to_string(), "hand-over", body, Waiting::NOT).await
            }
            R::Verify { id, note } => moves.request(id, "verify", json!({"note": note}), Waiting::NOT).await,
            R::SendLink { id } => moves.request(id, "send-link", json!({}), Waiting::NOT).await,
            R::Mails { id } => evidence::mails(global, client, id).await,
            R::RetryMail { id, mail } => {
                let call = Call::post(&["requests", &id.to_string(), "mails", &mail.to_string(), "retry"]);
                let retried = client.json(call.body(json!({}))).await?;
                output::line(&format!("{} is {}", text(&retried, "/id"), text(&retried, "/state")))?;
                Ok(Ending::Done)
            }
            R::Certificate { id, out } => evidence::certificate(global, client, id, out).await,
            R::Package { id, out } => package::fetch(global, client, id, &out).await,
        }
    })
    .await
}

/// A JSON object of what is there.
fn object<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    let members = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(members.collect::<Map<_, _>>())
}

fn body(new: &NewRequest) -> anyhow::Result<Value> {
    let mut identifiers: BTreeMap<&str, &str> = BTreeMap::new();
    for (kind, value) in &new.identifiers {
        if *kind == IdentifierType::Email {
            return Err(Usage::new("--identifier email=... : give the e-mail address with --email").into());
        }
        if identifiers.insert(kind.as_str(), value).is_some() {
            return Err(Usage::new(format!("--identifier {kind}=... was given twice")).into());
        }
    }
    let mut subject = json!({"email": new.email});
    if new.unverified {
        identifiers.insert("email", &new.email);
        let one = |(kind, value)| json!({"type": kind, "value": value, "verified": false});
        subject = json!({"identifiers": identifiers.into_iter().map(one).collect::<Vec<_>>()});
    } else if !identifiers.is_empty() {
        subject["identifiers"] = json!(identifiers);
    }
    Ok(object([
        ("right", Some(json!(new.right))),
        ("subject", Some(subject)),
        ("policy", new.policy.clone().map(Value::from)),
        ("review", new.no_review.then_some(json!(false))),
        ("delivery", new.delivery.map(|delivery| json!(delivery.as_str()))),
        ("force", new.force.then_some(json!(true))),
    ]))
}

/// Calls that move a request, and what is shown of it afterwards.
struct Moves<'c> {
    global: &'c Global,
    client: &'c Client,
}

impl Moves<'_> {
    async fn request(
        &self,
        id: RequestId,
        action: &str,
        body: Value,
        waiting: Waiting,
    ) -> anyhow::Result<Ending> {
        let call = Call::post(&["requests", &id.to_string(), action]).body(body);
        self.carry_out(call, waiting).await
    }

    /// Moves a run; what is shown is the run, or the request if somebody waits for it.
    async fn run(
        &self,
        id: RequestId,
        run: &str,
        action: &str,
        body: Value,
        waiting: Waiting,
    ) -> anyhow::Result<Ending> {
        let call = Call::post(&["requests", &id.to_string(), "runs", run, action]).body(body);
        self.run_call(id, call, action == "retry", waiting).await
    }

    async fn run_call(
        &self,
        id: RequestId,
        call: Call,
        leaves_work: bool,
        waiting: Waiting,
    ) -> anyhow::Result<Ending> {
        let moved = self.client.json(call).await?;
        if let Some(limit) = waiting.seconds() {
            return progress::wait(self.global, self.client, &id.to_string(), limit).await;
        }
        if self.global.json {
            output::json(&moved)?;
        } else {
            output::line(&progress::run_line(&moved))?;
        }
        self.hint(leaves_work);
        Ok(Ending::Done)
    }

    async fn carry_out(&self, call: Call, waiting: Waiting) -> anyhow::Result<Ending> {
        let request = self.client.json(call).await?;
        if let Some(limit) = waiting.seconds() {
            return progress::wait(self.global, self.client, &text(&request, "/id"), limit).await;
        }
        if self.global.json {
            output::json(&request)?;
        } else {
            output::line(&progress::request_line(&request))?;
            self.hint(matches!(request["state"].as_str(), Some("collecting" | "erasing")));
        }
        Ok(Ending::Done)
    }

    /// Says so if there is work that nobody does.
    fn hint(&self, leaves_work: bool) {
        if leaves_work && !self.client.leaves_work_to_others() && !self.global.json {
            output::complain(
                "No server runs here: start `habeas serve`, or use --wait, to have the systems asked.",
            );
        }
    }
}

async fn list(global: &Global, client: &Client, wanted: RequestList) -> anyhow::Result<Ending> {
    let call = Call::get(&["requests"])
        .query("state", wanted.state)
        .query("right", wanted.right)
        .query("due_before", wanted.due_before);
    let list = client.list(call, wanted.cursor, wanted.limit).await?;
    if global.json {
        output::json(&list)?;
        return Ok(Ending::Done);
    }
    let mut table = Table::new(&["id", "right", "state", "due", "attention", "person"]);
    for request in list["items"].as_array().into_iter().flatten() {
        let outcome = text(request, "/outcome");
        let state = text(request, "/state");
        table.cells(vec![
            text(request, "/id"),
            text(request, "/right"),
            if outcome.is_empty() { state } else { format!("{state}: {outcome}") },
            text(request, "/due_on"),
            if request["attention"] == 0 { String::new() } else { text(request, "/attention") },
            text(request, "/subject/email"),
        ]);
    }
    table.print("There are no such requests.")?;
    if let Some(cursor) = list["next_cursor"].as_str() {
        output::line(&format!("There are more: --cursor {}", output::printable(cursor)))?;
    }
    Ok(Ending::Done)
}

async fn show(global: &Global, client: &Client, id: RequestId) -> anyhow::Result<Ending> {
    let id = id.to_string();
    let request = client.json(Call::get(&["requests", &id])).await?;
    if global.json {
        output::json(&request)?;
        return Ok(Ending::Done);
    }
    output::line(&progress::request_line(&request))?;
    let identifiers: Vec<String> = request["identifiers"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| {
            let verified = if one["verified"] == true { "verified" } else { "not verified" };
            format!("{} {} ({verified})", text(one, "/type"), text(one, "/value"))
        })
        .collect();
    output::pairs(&[
        ("policy", text(&request, "/policy")),
        ("received", text(&request, "/received_at")),
        ("due", text(&request, "/due_on")),
        ("acknowledge by", text(&request, "/acknowledge_due_on")),
        ("closed", text(&request, "/closed_at")),
        ("hold", [text(&request, "/hold"), text(&request, "/hold_note")].join(" ").trim().to_owned()),
        ("identifiers", identifiers.join("; ")),
        ("review", text(&request, "/review")),
        ("delivery", text(&request, "/delivery")),
    ])?;
    runs(global, client, &id).await
}

async fn runs(global: &Global, client: &Client, id: &str) -> anyhow::Result<Ending> {
    let runs = client.list(Call::get(&["requests", id, "runs"]), None, None).await?;
    if global.json {
        output::json(&runs)?;
        return Ok(Ending::Done);
    }
    let mut table = Table::new(&["run", "connection", "phase", "status", "detail", "vendor job"]);
    for run in runs["items"].as_array().into_iter().flatten() {
        table.row(run, &["/id", "/connection/name", "/phase", "/status", "/detail", "/vendor_job"]);
    }
    table.print("No system has been asked yet.")?;
    for trouble in progress::troubles(&runs) {
        output::line(&trouble)?;
    }
    // What is noted before a deletion is often noted after it again.
    let mut notes = Vec::new();
    for run in runs["items"].as_array().into_iter().flatten() {
        for residual in run["residuals"].as_array().into_iter().flatten() {
            let system = text(run, "/connection/name");
            let note = format!("note of {system}: {}: {}", text(residual, "/what"), text(residual, "/why"));
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
    }
    for note in &notes {
        output::line(note)?;
    }
    Ok(Ending::Done)
}

async fn records(global: &Global, client: &Client, id: RequestId) -> anyhow::Result<Ending> {
    let list = client.list(Call::get(&["requests", &id.to_string(), "records"]), None, None).await?;
    if global.json {
        output::json(&list)?;
        return Ok(Ending::Done);
    }
    let mut table = Table::new(&["id", "kind", "title", "selected", "run"]);
    for record in list["items"].as_array().into_iter().flatten() {
        table.row(record, &["/id", "/kind", "/title", "/selected", "/run"]);
    }
    table.print("Nothing was found.")?;
    Ok(Ending::Done)
}
