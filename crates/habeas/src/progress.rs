//! `--wait`: shows what happens to a request until it needs nobody, or somebody.

use std::collections::HashMap;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use anyhow::bail;
use habeas_environment::Environment;
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::cli::Global;
use crate::client::{Call, Client};
use crate::ending::Ending;
use crate::output::{self, text};
use crate::serve;

/// How long one question to the API may stay unanswered: the time in which a change of a run is shown.
const PATIENCE: Duration = Duration::from_secs(1);

/// Waits until the request is closed, delivered or needs a person; `limit` in seconds.
pub(crate) async fn wait(
    global: &Global,
    client: &Client,
    id: &str,
    limit: Option<u32>,
) -> anyhow::Result<Ending> {
    let interrupted = serve::stop_on_signals()?;
    client.start_working();
    tokio::select! {
        outcome = watch(global, client, id, limit) => outcome,
        () = interrupted.cancelled() => bail!("interrupted; {id} goes on as soon as a server runs"),
    }
}

async fn watch(global: &Global, client: &Client, id: &str, limit: Option<u32>) -> anyhow::Result<Ending> {
    let environment = Environment::system();
    let clock = environment.clock();
    let limit = limit.map(|seconds| clock.monotonic() + Duration::from_secs(seconds.into()));
    let mut display = Display::choose(global);
    let mut patience = 0;
    loop {
        let call =
            Call::get(&["requests", id]).query("wait", Some(patience).filter(|patience| *patience > 0));
        let request = client.json(call).await?;
        let runs = match display {
            Display::Silent => Value::Null,
            _ => client.list(Call::get(&["requests", id, "runs"]), None, None).await?,
        };
        display.show(&environment, &request, &runs)?;
        let is_late = limit.is_some_and(|limit| clock.monotonic() >= limit);
        let ending = ending(&request).or(is_late.then_some(Ending::Failed));
        if let Some(ending) = ending {
            if global.json {
                output::json(&request)?;
            } else {
                conclude(&request, &runs, ending)?;
            }
            return Ok(ending);
        }
        let left = limit.map_or(PATIENCE, |limit| limit.saturating_sub(clock.monotonic()));
        // The API counts in whole seconds.
        patience = left.min(PATIENCE).as_secs_f64().ceil() as u64;
    }
}

/// How the waiting ends, if it does.
fn ending(request: &Value) -> Option<Ending> {
    let state = request["state"].as_str().unwrap_or_default();
    let held = !request["hold"].is_null();
    let attention = request["attention"].as_u64().is_some_and(|runs| runs > 0);
    match state {
        "closed" | "delivering" => Some(Ending::Done),
        "review" | "triage" | "verifying" => Some(Ending::PersonNeeded),
        _ if held || attention => Some(Ending::PersonNeeded),
        _ => None,
    }
}

/// The last words: where the request stands and what can be done.
fn conclude(request: &Value, runs: &Value, ending: Ending) -> anyhow::Result<()> {
    let id = text(request, "/id");
    let state = text(request, "/state");
    let said = match state.as_str() {
        _ if ending == Ending::Failed => format!("The time is up; {id} is still {state}."),
        "closed" => format!("{id} is closed: {}.", text(request, "/outcome")),
        _ if !request["hold"].is_null() => {
            format!("{id} is on hold; lift it with: habeas requests resume {id}")
        }
        "delivering" => {
            format!("{id} is ready; fetch its package with: habeas requests package {id} --out FILE")
        }
        "review" => format!(
            "{id} needs a review: see what was found with: habeas requests records {id}; then: habeas requests \
             process {id}"
        ),
        "triage" => format!("{id} needs a person to confirm it: habeas requests start {id}"),
        "verifying" => format!("{id} waits for the person to prove who they are."),
        _ => {
            for trouble in troubles(runs) {
                output::line(&trouble)?;
            }
            format!("{id} needs a person: habeas requests retry|skip|stop {id} RUN")
        }
    };
    output::line(&said)
}

/// What is wrong with the runs that need a person, and what can be done about it.
pub(crate) fn troubles(runs: &Value) -> Vec<String> {
    let items = runs["items"].as_array().into_iter().flatten();
    items
        .filter(|run| run["status"] == "attention")
        .map(|run| {
            let vendor_id = match text(run, "/error/vendor_request_id") {
                id if id.is_empty() => id,
                id => format!(" (the vendor's id of the call: {id})"),
            };
            format!(
                "{} of {}: {}{vendor_id}. {}",
                text(run, "/id"),
                text(run, "/connection/name"),
                text(run, "/error/message"),
                capitalised(&text(run, "/error/remedy"))
            )
        })
        .collect()
}

/// A sentence of its own; the API gives remedies as clauses.
fn capitalised(clause: &str) -> String {
    let mut rest = clause.chars();
    let first = rest.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    first + rest.as_str()
}

/// A request in one line.
pub(crate) fn request_line(request: &Value) -> String {
    let (outcome, due_on) = (text(request, "/outcome"), text(request, "/due_on"));
    let more = if outcome.is_empty() { format!(", due {due_on}") } else { format!(": {outcome}") };
    format!("{}  {}: {}{more}", text(request, "/id"), text(request, "/right"), text(request, "/state"))
}

/// A run in one line.
pub(crate) fn run_line(run: &Value) -> String {
    let detail = text(run, "/detail");
    let dash = if detail.is_empty() { "" } else { " - " };
    format!(
        "run {} ({}): {}{dash}{detail}",
        text(run, "/connection/name"),
        text(run, "/phase"),
        text(run, "/status").replace('_', " ")
    )
}

/// How progress is shown.
enum Display {
    /// Not at all: a program wants the result.
    Silent,
    /// A line for everything that changed.
    Lines { said: HashMap<String, String> },
    /// A block on a terminal, redrawn in place.
    Block { drawn: usize },
}

impl Display {
    fn choose(global: &Global) -> Self {
        if global.json {
            Self::Silent
        } else if io::stdout().is_terminal() && std::env::var_os("TERM").is_some_and(|kind| kind != "dumb") {
            Self::Block { drawn: 0 }
        } else {
            Self::Lines { said: HashMap::new() }
        }
    }

    fn show(&mut self, environment: &Environment, request: &Value, runs: &Value) -> anyhow::Result<()> {
        let outcome = match text(request, "/outcome") {
            outcome if outcome.is_empty() => outcome,
            outcome => format!(": {outcome}"),
        };
        let head = format!("request {} {}{outcome}", text(request, "/id"), text(request, "/state"));
        let lines =
            runs["items"].as_array().into_iter().flatten().map(|run| (text(run, "/id"), run_line(run)));
        let lines = std::iter::once((text(request, "/id"), head)).chain(lines);
        match self {
            Self::Silent => Ok(()),
            Self::Lines { said } => {
                let time = environment.now().to_zoned(TimeZone::system()).strftime("%H:%M:%S").to_string();
                for (about, line) in lines {
                    if said.get(&about) != Some(&line) {
                        output::line(&format!("{time} {line}"))?;
                        said.insert(about, line);
                    }
                }
                Ok(())
            }
            Self::Block { drawn } => {
                let columns = terminal_columns();
                let mut block = String::new();
                if *drawn > 0 {
                    // Up to the first line of the block, and everything from there away.
                    block.push_str(&format!("\u{1b}[{drawn}A\u{1b}[J"));
                }
                *drawn = 0;
                for (_, line) in lines {
                    // A line that the terminal breaks would be counted wrongly.
                    block.extend(line.chars().take(columns.saturating_sub(1)));
                    block.push('\n');
                    *drawn += 1;
                }
                let mut stdout = io::stdout().lock();
                stdout.write_all(block.as_bytes())?;
                Ok(stdout.flush()?)
            }
        }
    }
}

fn terminal_columns() -> usize {
    // Terminals that do not know their width say 0.
    let known = rustix::termios::tcgetwinsize(io::stdout()).ok().map(|size| usize::from(size.ws_col));
    known.filter(|columns| *columns > 0).unwrap_or(80)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[rstest::rstest]
    #[case::closed(json!({"state": "closed", "hold": null, "attention": 0}), Some(Ending::Done))]
    #[case::delivering(json!({"state": "delivering", "hold": null, "attention": 0}), Some(Ending::Done))]
    #[case::review(json!({"state": "review", "hold": null, "attention": 0}), Some(Ending::PersonNeeded))]
    #[case::triage(json!({"state": "triage", "hold": null, "attention": 0}), Some(Ending::PersonNeeded))]
    #[case::held(json!({"state": "collecting", "hold": "other", "attention": 0}), Some(Ending::PersonNeeded))]
    #[case::attention(json!({"state": "erasing", "hold": null, "attention": 1}), Some(Ending::PersonNeeded))]
    #[case::under_way(json!({"state": "collecting", "hold": null, "attention": 0}), None)]
    fn waiting_ends_when_nobody_or_somebody_is_needed(
        #[case] request: Value,
        #[case] expected: Option<Ending>,
    ) {
        assert_eq!(ending(&request), expected);
    }

    #[test]
    fn a_run_reads_as_one_line() {
        let run = json!({"connection": {"name": "shop"}, "phase": "collect", "status": "not_started", "detail": "queued"});
        assert_eq!(run_line(&run), "run shop (collect): not started - queued");
    }
}
