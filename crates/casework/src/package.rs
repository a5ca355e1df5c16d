//! What an access request delivers: made from what the review left selected, sealed with the content key.
//!
//! A small package is made in the unit that ends the review. A large one, or one with files in the storage, is due work
//! and goes to the storage piece by piece.

mod large;
mod source;

use std::collections::{BTreeSet, HashMap};

use habeas_documents::package::{Answer, Contents, NotIncluded, System};
use habeas_domain::policy::Policy;
use habeas_domain::reason::DenialReason;
use habeas_domain::{DueWorkId, Phase, RequestId, RunId, RunStatus};
use habeas_integrations::Residual;
use habeas_store::due_work::{DueWorkKind, NewDueWork};
use habeas_store::packages::{self, Package, PackagePlace};
use habeas_store::requests::Request;
use habeas_store::runs::Run;
use habeas_store::{DataKey, KeyPurpose, Place, StoreError, Unit, connections, data_keys, records};
use jiff::Timestamp;
use serde_json::json;

use crate::Rules;
use crate::changes::Changes;
use crate::error::CaseworkError;
use crate::files::KeptRecord;
use crate::phases::by_request;
use source::InMemory;

/// Where a small package is sealed.
pub(crate) const COLUMN: &str = "packages.content";
/// The lane of packages that are too large to be made at once.
pub const PACKAGE_LANE: &str = "packages";
/// Bytes of records of a package that is made at once.
const LARGEST_AT_ONCE: u64 = 256 << 10;

/// Whether the subject is told that the package lies ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    Yes,
    No,
}

/// Makes the packages of requests that enter `delivering`, or has them made.
pub(crate) async fn build(
    changes: &mut Changes,
    unit: &mut Unit,
    requests: &[RequestId],
    offer: Offer,
) -> Result<(), CaseworkError> {
    let weights = packages::weigh(unit.connection(), requests.iter().copied()).await?;
    let is_large = |id: &&RequestId| {
        weights.get(id).is_some_and(|(records, objects)| *records > LARGEST_AT_ONCE || *objects > 0)
    };
    for id in requests.iter().filter(is_large) {
        changes.packages.push(Package {
            request: *id,
            created_at: changes.now,
            place: PackagePlace::Object(None),
            bytes: None,
            sha256: None,
            problem: None,
            handed: 0,
            delivered_at: None,
        });
        let due_at = changes.due_at(*id)?;
        changes.work.push(NewDueWork {
            id: DueWorkId::new(unit.environment().unique()),
            kind: DueWorkKind::Package,
            object: id.to_string(),
            lane: PACKAGE_LANE.to_owned(),
            due_at,
            next_at: changes.now,
        });
    }
    let small: Vec<RequestId> = requests.iter().filter(|id| !is_large(id)).copied().collect();
    build_at_once(changes, unit, &small, offer).await
}

async fn build_at_once(
    changes: &mut Changes,
    unit: &mut Unit,
    requests: &[RequestId],
    offer: Offer,
) -> Result<(), CaseworkError> {
    if requests.is_empty() {
        return Ok(());
    }
    let keyring = unit.keyring();
    let keys = data_keys::load(unit.connection(), &keyring, requests, KeyPurpose::Content).await?;
    let found = records::of_requests(unit.connection(), requests.iter().copied()).await?;
    let mut found = by_request(found, |record| record.request);
    let names = Names::load(unit, changes, requests).await?;
    let left_out = LeftOut::load(unit, requests.iter().copied()).await?;
    for id in requests {
        let key = keys.get(&id.to_string()).ok_or(StoreError::Forgotten("the content of this request"))?;
        let request = changes.requests.get(id).ok_or_else(|| CaseworkError::not_found("request", id))?;
        let records = found.remove(id).unwrap_or_default();
        let runs: Vec<&Run> = collecting(changes, *id).collect();
        let contents = contents(&changes.rules, request, changes.now, &runs, &names, &left_out)?;
        let mut source = InMemory::open(key, &runs, records)?;
        let mut bytes = Vec::new();
        let written = habeas_documents::package::write(&contents, &mut source, &mut bytes)
            .map_err(|_| StoreError::Corrupt("records.content"))?;
        let sealed = seal(unit, key, *id, &bytes)?;
        changes.packages.push(Package {
            request: *id,
            created_at: changes.now,
            place: PackagePlace::Row(sealed),
            bytes: Some(written.bytes),
            sha256: Some(written.sha256.to_vec()),
            problem: None,
            handed: 0,
            delivered_at: None,
        });
        if offer == Offer::Yes {
            changes.offer_download(unit, *id)?;
        }
    }
    Ok(())
}

/// What the log keeps of a package: it outlives the package itself.
pub(crate) fn evidence(package: Option<&Package>) -> serde_json::Value {
    match package {
        Some(Package { bytes: Some(bytes), sha256: Some(sha256), .. }) => {
            json!({"bytes": bytes, "sha256": hex::encode(sha256)})
        }
        // It is still being made; that it was is an event of its own.
        _ => json!({}),
    }
}

fn seal(unit: &Unit, key: &DataKey, id: RequestId, bytes: &[u8]) -> Result<habeas_store::Sealed, StoreError> {
    key.seal(unit.environment(), Place { column: COLUMN, row: &id.to_string() }, bytes)
}

fn collecting(changes: &Changes, request: RequestId) -> impl Iterator<Item = &Run> {
    changes.runs.values().filter(move |run| run.request == request && run.phase == Phase::Collect)
}

/// What a reviewer left out of each run: how many records, and why.
#[derive(Default)]
pub(crate) struct LeftOut(HashMap<RunId, (u64, BTreeSet<DenialReason>)>);

impl LeftOut {
    pub(crate) async fn load(
        unit: &mut Unit,
        requests: impl IntoIterator<Item = RequestId>,
    ) -> Result<Self, StoreError> {
        let mut left_out = Self::default();
        for (_, run, reason, records) in records::count_left_out(unit.connection(), requests).await? {
            let (count, reasons) = left_out.0.entry(run).or_default();
            *count += records;
            reasons.extend(reason.and_then(|reason| reason.parse::<DenialReason>().ok()));
        }
        Ok(left_out)
    }

    pub(crate) fn of(&self, run: RunId) -> (u64, BTreeSet<DenialReason>) {
        self.0.get(&run).cloned().unwrap_or_default()
    }
}

/// How connections are called.
struct Names(HashMap<habeas_domain::ConnectionId, (String, String)>);

impl Names {
    async fn load(unit: &mut Unit, changes: &Changes, requests: &[RequestId]) -> Result<Self, StoreError> {
        let in_use: BTreeSet<_> =
            requests.iter().flat_map(|id| collecting(changes, *id)).map(|run| run.connection).collect();
        let names = connections::names(unit.connection(), in_use).await?;
        Ok(Self(names.into_iter().map(|(id, name, integration)| (id, (name, integration))).collect()))
    }
}

/// Everything about the package but its records.
fn contents<'r>(
    rules: &'r Rules,
    request: &Request,
    created_at: Timestamp,
    runs: &[&Run],
    names: &Names,
    left_out: &LeftOut,
) -> Result<Contents<'r>, CaseworkError> {
    let policy = Policy::find(&request.policy)
        .map_err(|unknown| CaseworkError::field("policy", unknown.to_string()))?;
    let systems = runs
        .iter()
        .map(|run| {
            let (connection, integration) = names.0.get(&run.connection).cloned().unwrap_or_default();
            let title = rules.catalogue.find(&integration).map(|found| found.manifest().title);
            let (dropped, reasons) = left_out.of(run.id);
            let residuals: Vec<Residual> = serde_json::from_value(run.residuals.clone())
                .map_err(|_| StoreError::Corrupt("runs.residuals"))?;
            Ok(System {
                connection,
                integration: title.map_or(integration, str::to_owned),
                answer: answer(run, dropped),
                left_out: dropped,
                exceptions: reasons.iter().map(|reason| reason.in_words().to_owned()).collect(),
                not_included: residuals
                    .into_iter()
                    .filter(|residual| !crate::names::is_the_flag(residual))
                    .map(|residual| NotIncluded { what: residual.what, why: residual.why })
                    .collect(),
            })
        })
        .collect::<Result<Vec<_>, CaseworkError>>()?;
    Ok(Contents {
        request: request.id,
        right: request.right,
        policy,
        received_on: request.received_on,
        created_at,
        time_zone: rules.settings.time_zone.clone(),
        company: &rules.settings.company,
        systems,
    })
}

fn answer(run: &Run, left_out: u64) -> Answer {
    match run.status {
        _ if !run.selected => Answer::LeftOut,
        RunStatus::Complete => match run.records_found.unwrap_or(0) {
            0 => Answer::NothingHeld,
            found => Answer::Records(found.saturating_sub(left_out)),
        },
        _ => Answer::NotAnswered,
    }
}

/// A record as the package shows it.
fn shown(id: habeas_domain::RecordId, record: KeptRecord) -> habeas_documents::package::Record {
    let file = record.file.as_ref().map(|file| habeas_documents::package::RecordFile {
        name: file.name().to_owned(),
        media_type: file.media_type().to_owned(),
        bytes: file.size(),
    });
    habeas_documents::package::Record {
        id,
        kind: record.kind,
        title: record.title,
        fields: record.fields,
        file,
    }
}
