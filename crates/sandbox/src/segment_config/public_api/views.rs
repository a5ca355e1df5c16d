//! Objects as this API shows them.

use serde_json::{Map, Value, json};

use super::catalogue::{destination_metadata, source_metadata, warehouse_metadata};
use super::knobs::{PartTime, PublicKnobs, SubjectTypes};
use super::words;
use crate::segment_config::account::{Destination, Setting, Source, Warehouse, Workspace};
use crate::segment_config::catalogue;
use crate::segment_config::knobs::UnsetTime;
use crate::segment_config::regulation::{Attribute, PartReport, Regulation, StreamReport};
use crate::segment_config::times;

/// What is shown instead of a secret. Own choice: as many bullets whatever its length.
const MASK: &str = "••••••••••••••••";

pub(super) fn workspace(workspace: &Workspace) -> Value {
    json!({"id": workspace.id, "slug": workspace.slug, "name": workspace.display_name})
}

/// `write_keys` only for those who administrate the source.
pub(super) fn source(workspace: &Workspace, source: &Source, write_keys: bool, knobs: &PublicKnobs) -> Value {
    let mut view = json!({
        "id": source.id,
        "slug": source.slug,
        "metadata": catalogue::find_source(&source.catalogue).map(source_metadata),
        "workspaceId": workspace.id,
        "enabled": source.enabled,
        "writeKeys": if write_keys { source.write_keys.as_slice() } else { &[] },
        "settings": {},
        "labels": [{"key": "environment", "value": "prod"}],
    });
    if knobs.names {
        view["name"] = json!(source.display_name);
    }
    view
}

pub(super) fn destination(source: &Source, destination: &Destination, knobs: &PublicKnobs) -> Value {
    let mut view = json!({
        "id": destination.id,
        "enabled": destination.enabled,
        "metadata": catalogue::find_destination(&destination.slug).map(destination_metadata),
        "sourceId": source.id,
        "settings": settings(&destination.settings),
    });
    if knobs.names {
        view["name"] = json!(destination.display_name);
    }
    view
}

/// Own choice: the name of a warehouse is among its settings.
pub(super) fn warehouse(workspace: &Workspace, warehouse: &Warehouse) -> Value {
    let mut settings = settings(&warehouse.settings);
    settings.insert("name".to_owned(), json!(warehouse.name));
    json!({
        "id": warehouse.id,
        "metadata": catalogue::find_warehouse(&warehouse.catalogue).map(warehouse_metadata),
        "workspaceId": workspace.id,
        "enabled": warehouse.enabled,
        "settings": settings,
    })
}

/// Own choice: only what the vendor knows to be a secret is masked, so others may lie in the open.
fn settings(settings: &[Setting]) -> Map<String, Value> {
    let shown = settings.iter().map(|setting| {
        let value = if setting.secret { Value::from(MASK) } else { setting.value.clone() };
        (setting.name.clone(), value)
    });
    shown.collect()
}

fn subject_type(attribute: Attribute, knobs: &PublicKnobs, sample: &'static str) -> &'static str {
    match (attribute, knobs.subject_types) {
        (Attribute::UserId, SubjectTypes::AsInSamples) => sample,
        _ => words::of_subject_type(attribute),
    }
}

/// As an item of a list.
pub(super) fn regulation_entry(regulation: &Regulation, knobs: &PublicKnobs, now_ms: u64) -> Value {
    let report = regulation.report(now_ms);
    let mut view = json!({
        "id": regulation.id,
        "subjectType": subject_type(regulation.attribute, knobs, "OBJECT_ID"),
        "subjects": regulation.values,
        "status": words::of_status(&report.status),
        "createdAt": times::to_microsecond(regulation.created_us),
        "regulationType": words::of_kind(regulation.kind),
    });
    if let Some(finished_ms) = report.finished_ms {
        view["finishedAt"] = json!(time(finished_ms));
    }
    view
}

/// On its own.
pub(super) fn regulation(
    regulation: &Regulation,
    workspace: &Workspace,
    knobs: &PublicKnobs,
    now_ms: u64,
) -> Value {
    let report = regulation.report(now_ms);
    let mut view = json!({
        "id": regulation.id,
        "workspaceId": workspace.id,
        "overallStatus": words::of_status(&report.status),
        "createdAt": times::to_microsecond(regulation.created_us),
        "streamStatus": report.streams.iter().map(|it| stream(it, knobs)).collect::<Vec<_>>(),
    });
    match (report.finished_ms, knobs.unset_finished_at) {
        (Some(ms), _) => view["finishedAt"] = json!(time(ms)),
        (None, UnsetTime::Zero) => view["finishedAt"] = json!(times::ZERO),
        (None, UnsetTime::Absent) => {}
    }
    view
}

fn stream(stream: &StreamReport, knobs: &PublicKnobs) -> Value {
    let parts: Vec<_> = stream.parts.iter().map(|it| part(it, knobs)).collect();
    json!({"id": stream.source_id, "destinationStatus": parts})
}

/// All five are always there and always strings.
fn part(part: &PartReport, knobs: &PublicKnobs) -> Value {
    let finished_at = match (part.finished_ms, knobs.unset_part_finished_at) {
        (Some(ms), _) => time(ms),
        (None, PartTime::Zero) => times::ZERO.to_owned(),
        (None, PartTime::Empty) => String::new(),
    };
    json!({
        "name": part.name,
        "id": part.name,
        "status": words::of_status(&part.status),
        "errString": part.err_string,
        "finishedAt": finished_at,
    })
}

/// Own choice: one entry for all on a page, none for an empty one.
pub(super) fn suppressed(user_ids: &[&String], knobs: &PublicKnobs) -> Value {
    match user_ids {
        [] => json!([]),
        _ => json!([{
            "subjectType": subject_type(Attribute::UserId, knobs, "userId"),
            "subjectIds": user_ids,
        }]),
    }
}

/// The vendor counts in microseconds, the simulator's clock in milliseconds.
fn time(ms: u64) -> String {
    times::to_microsecond(i64::try_from(ms).unwrap_or(i64::MAX).saturating_mul(1000))
}
