//! The certificate of a closed request: written from its events and its run rows, so that it says the same as the log and
//! names nobody.

use std::collections::HashMap;

use habeas_documents::certificate::{
    Certificate, Decision, Delivered, Denial, Events, Exception, LeftOut, MailLine, System, Verified,
};
use habeas_domain::legal_clock::LEGAL_CLOCKS;
use habeas_domain::lifecycle::{Outcome, RequestState};
use habeas_domain::policy::Policy;
use habeas_domain::reason::DenialReason;
use habeas_domain::{Actor, Permission, Phase, RequestId, RunId};
use habeas_integrations::Residual;
use habeas_store::audit::{self, Event, seal};
use habeas_store::requests::Request;
use habeas_store::runs::{self, Run};
use habeas_store::{Connection, StoreError, connections, mails};
use jiff::Timestamp;
use serde_json::Value;

use crate::Casework;
use crate::error::CaseworkError;

/// Events read at a time.
const PER_READING: i64 = 500;

impl Casework {
    /// The certificate of a closed request, with the newest seal of the audit log.
    ///
    /// # Errors
    /// If there is no such request, it is still open, or the actor may not read requests.
    pub async fn certificate(&self, actor: &Actor, id: RequestId) -> Result<Certificate, CaseworkError> {
        actor.require(Permission::ReadRequests)?;
        let request = self.stored_request(id).await?;
        if request.state != RequestState::Closed {
            return Err(CaseworkError::StillOpen { state: request.state });
        }
        // The seal must cover what the certificate says.
        self.seal_audit().await?;
        let mut reader = self.store.reader().await?;
        let events = events(&mut reader, id).await?;
        let found = runs::of_requests(&mut reader, [id]).await?;
        let names: HashMap<_, _> = connections::names(&mut reader, found.iter().map(|run| run.connection))
            .await?
            .into_iter()
            .map(|(id, name, integration)| (id, (name, integration)))
            .collect();
        let mails = mails::of_request(&mut reader, id).await?;
        let seal = seal::newest(&mut reader).await?;
        drop(reader);
        let policy = Policy::find(&request.policy)
            .map_err(|unknown| CaseworkError::field("policy", unknown.to_string()))?;
        let systems = found
            .iter()
            .map(|run| {
                let (connection, integration) = names.get(&run.connection).cloned().unwrap_or_default();
                let title = self.rules.catalogue.find(&integration).map(|it| it.manifest().title);
                system(run, connection, title.map_or(integration, str::to_owned), &events)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let outcome = request.outcome.ok_or(StoreError::Corrupt("requests.outcome"))?;
        Ok(Certificate {
            request_id: request.id,
            right: request.right,
            policy: policy.key.to_owned(),
            policy_name: policy.name.to_owned(),
            law: law_of(&request),
            received_on: request.received_on,
            due_on: request.due_on,
            extended: request.extended,
            verified: verified(&events),
            decided: decided(&events),
            closed_at: request.closed_at.ok_or(StoreError::Corrupt("requests.closed_at"))?,
            outcome,
            outcome_meaning: meaning(outcome).to_owned(),
            exceptions: exceptions(&events, &systems),
            denial: denial(&events),
            systems,
            package: delivered(&events),
            mails: mails
                .into_iter()
                .map(|mail| MailLine {
                    kind: mail.kind,
                    state: mail.state,
                    at: mail.sent_at.unwrap_or(mail.created_at),
                })
                .collect(),
            content_destroyed_at: at_of(&events, "request.content_destroyed"),
            case_destroyed_at: at_of(&events, "request.case_destroyed"),
            events: Events {
                count: events.len() as u64,
                first_position: events.first().map_or(0, |event| event.position),
                last_position: events.last().map_or(0, |event| event.position),
                last_hash: events.last().map(|event| hex::encode(&event.hash)).unwrap_or_default(),
            },
            seal: seal
                .map(serde_json::to_value)
                .transpose()
                .map_err(|_| StoreError::Corrupt("audit_seals"))?,
        })
    }
}

async fn events(reader: &mut Connection, id: RequestId) -> Result<Vec<Event>, StoreError> {
    let (stream, mut all) = (id.to_string(), Vec::<Event>::new());
    loop {
        let after = all.last().map_or(0, |event| event.position);
        let page = audit::list(reader, Some(&stream), after, PER_READING).await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

fn law_of(request: &Request) -> String {
    let clock = LEGAL_CLOCKS
        .iter()
        .find(|clock| clock.key == request.clock_key && i64::from(clock.version) == request.clock_version);
    clock.map_or_else(|| request.clock_key.clone(), |clock| clock.law.to_owned())
}

fn at(event: &Event) -> Timestamp {
    Timestamp::from_millisecond(event.at).unwrap_or_default()
}

fn data(event: &Event) -> Value {
    serde_json::from_str(&event.data).unwrap_or_default()
}

fn at_of(events: &[Event], kind: &str) -> Option<Timestamp> {
    events.iter().rev().find(|event| event.kind == kind).map(at)
}

fn moves(events: &[Event]) -> impl Iterator<Item = (&Event, String, Value)> {
    events.iter().filter(|event| matches!(event.kind.as_str(), "request.moved" | "request.closed")).map(
        |event| {
            let data = data(event);
            (event, data["action"].as_str().unwrap_or_default().to_owned(), data)
        },
    )
}

fn verified(events: &[Event]) -> Option<Verified> {
    moves(events).filter(|(_, action, _)| action == "verify").last().map(|(event, _, data)| Verified {
        at: at(event),
        how: match data["how"].as_str() {
            Some("link") => "the person confirmed it through a link that only they were sent".to_owned(),
            _ => "by hand".to_owned(),
        },
    })
}

/// What people decided; what timers and workers did follows from it.
fn decided(events: &[Event]) -> Vec<Decision> {
    let what = |action: &str| match action {
        "start" => Some("started"),
        "deliver" => Some("approved for delivery"),
        "erase" => Some("approved for deletion"),
        "deny" => Some("refused"),
        "withdraw" => Some("withdrawn"),
        "hold" => Some("put on hold"),
        "resume" => Some("hold lifted"),
        "verify" => Some("identity confirmed"),
        "send_again" => Some("a new download link sent"),
        "mark_spam" => Some("marked as spam"),
        "mark_nonresponsive" => Some("marked as not answering"),
        "forward_to_controller" => Some("forwarded to the controller"),
        "collect_again" => Some("collected again"),
        _ => None,
    };
    let taken = events.iter().filter(|event| event.kind == "request.created").map(|event| Decision {
        at: at(event),
        actor: event.actor.clone(),
        what: "taken in".to_owned(),
    });
    let moved = moves(events).filter_map(|(event, action, _)| {
        Some(Decision { at: at(event), actor: event.actor.clone(), what: what(&action)?.to_owned() })
    });
    let mut all: Vec<Decision> = taken.chain(moved).collect();
    all.sort_by_key(|decision| decision.at);
    all
}

fn denial(events: &[Event]) -> Option<Denial> {
    let (_, _, data) = moves(events).filter(|(_, action, _)| action == "deny").last()?;
    let code: DenialReason = data["reason_code"].as_str()?.parse().ok()?;
    Some(Denial { reason_code: code.as_str().to_owned(), reason: code.in_words().to_owned() })
}

/// What a reviewer left out: the last decision about each record counts.
fn exceptions(events: &[Event], systems: &[System]) -> Vec<Exception> {
    let mut decisions: HashMap<&str, Value> = HashMap::new();
    for event in events.iter().filter(|event| event.kind == "record.selected") {
        decisions.insert(&event.object_id, data(event));
    }
    let mut records: HashMap<Option<DenialReason>, u64> = HashMap::new();
    for decision in decisions.values().filter(|decision| decision["selected"] == false) {
        let reason = decision["exception"].as_str().and_then(|reason| reason.parse().ok());
        *records.entry(reason).or_default() += 1;
    }
    let mut all: Vec<Exception> = records
        .into_iter()
        .map(|(reason, records)| Exception {
            system: None,
            reason: reason.map_or("left out after a review", DenialReason::in_words).to_owned(),
            records: Some(records),
        })
        .collect();
    all.sort_by(|one, other| one.reason.cmp(&other.reason));
    all.extend(systems.iter().filter(|system| !system.selected && system.phase == Phase::Collect).map(
        |system| Exception {
            system: Some(system.connection.clone()),
            reason: "the whole system was left out after a review".to_owned(),
            records: None,
        },
    ));
    all
}

/// What was handed over, as the log keeps it: the package itself goes with the content.
fn delivered(events: &[Event]) -> Option<Delivered> {
    let built = events.iter().rev().map(data).find(|data| data["sha256"].is_string())?;
    let downloaded = moves(events).filter(|(_, action, _)| action == "download").last();
    Some(Delivered {
        bytes: built["bytes"].as_u64()?,
        sha256: built["sha256"].as_str()?.to_owned(),
        delivered_at: downloaded.map(|(event, ..)| at(event)),
    })
}

fn system(
    run: &Run,
    connection: String,
    integration: String,
    events: &[Event],
) -> Result<System, CaseworkError> {
    let residuals: Vec<Residual> =
        serde_json::from_value(run.residuals.clone()).map_err(|_| StoreError::Corrupt("runs.residuals"))?;
    Ok(System {
        connection,
        integration,
        phase: run.phase,
        status: run.status,
        detail: run.detail.sentence(),
        selected: run.selected,
        records_found: run.records_found,
        deleted: run.deleted,
        vendor_jobs: vendor_jobs(run.id, run.vendor_job.as_deref(), events),
        started_at: run.created_at,
        settled_at: run.settled_at,
        left_out: residuals
            .into_iter()
            .filter(|residual| !crate::names::is_the_flag(residual))
            .map(|residual| LeftOut { what: residual.what, why: residual.why })
            .collect(),
    })
}

/// The vendor's own ids of the jobs that served a run, in the order in which they were accepted.
fn vendor_jobs(run: RunId, last: Option<&str>, events: &[Event]) -> Vec<String> {
    let run = run.to_string();
    let mut jobs: Vec<String> = Vec::new();
    let accepted = events
        .iter()
        .filter(|event| event.object_id == run)
        .filter_map(|event| data(event)["vendor_job"].as_str().map(str::to_owned));
    for job in accepted.chain(last.map(str::to_owned)) {
        if !jobs.contains(&job) {
            jobs.push(job);
        }
    }
    jobs
}

const fn meaning(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Downloaded => "The person fetched their data.",
        Outcome::NotDownloaded => "The data lay ready, and the person did not fetch it in time.",
        Outcome::Erased => "Everything that was asked for was deleted.",
        Outcome::ErasedWithExceptions => "The data was deleted, but for what is named below.",
        Outcome::NothingFound => "No system holds anything about the person.",
        Outcome::ForwardedToController => "The company processes the data for another, who was told.",
        Outcome::Unverified => "Nobody confirmed that the request came from the person.",
        Outcome::Denied => "The request was refused, for the reason named below.",
        Outcome::Spam => "This was not a request by a person.",
        Outcome::Nonresponsive => "The person did not answer what they were asked.",
        Outcome::Withdrawn => "The request was taken back.",
    }
}
