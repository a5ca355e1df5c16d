//! Regulations: by which people are deleted, suppressed, and let in again.

use serde::Deserialize;
use serde_json::{Value, json};

use super::envelope::Failure;
use super::limits::Budget;
use super::paging::Page;
use super::query::Query;
use super::routes::{Answer, Call, Outcome};
use super::workspaces::find_source;
use super::{views, words};
use crate::segment_config::account::Source;
use crate::segment_config::catalogue;
use crate::segment_config::regulation::{Attribute, INITIALIZED, Regulation, RegulationType};
use crate::segment_config::state::{State, Wanted};

/// Own choice: fields nobody knows are ignored.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    regulation_type: String,
    subject_type: String,
    subject_ids: Vec<String>,
    collection: Option<String>,
}

/// Where a regulation applies, by the path it is sent to.
#[derive(Clone, Copy, Debug)]
enum Scope<'s> {
    Workspace,
    Source(&'s Source),
    CloudSource(&'s Source),
}

pub(super) fn create(state: &mut State, call: &Call<'_>) -> Outcome {
    let wanted = wanted(call, Scope::Workspace)?;
    regulate(state, call, wanted)
}

pub(super) fn create_in_source(state: &mut State, call: &Call<'_>) -> Outcome {
    let wanted = wanted(call, Scope::Source(find_source(call.workspace(state)?, call)?))?;
    regulate(state, call, wanted)
}

/// Own choice: a source that has no objects is as good as none.
pub(super) fn create_in_cloud_source(state: &mut State, call: &Call<'_>) -> Outcome {
    let source = find_source(call.workspace(state)?, call)?;
    if !catalogue::find_source(&source.catalogue).is_some_and(|entry| entry.is_cloud) {
        return Err(Failure::not_found());
    }
    let wanted = wanted(call, Scope::CloudSource(source))?;
    regulate(state, call, wanted)
}

/// Own choices: the body is checked only once everything in the path is; its size comes first, then its form, its
/// types, its ids, and the monthly quota last.
fn wanted(call: &Call<'_>, scope: Scope<'_>) -> Result<Wanted, Failure> {
    if call.body.len() > call.knobs.max_body_bytes {
        return Err(Failure::too_large());
    }
    let body: Body = serde_json::from_slice(call.body).map_err(|error| Failure::unreadable(&error))?;
    let archive_only = call.public.archive_only && matches!(scope, Scope::Source(_));
    let kind = words::kind(&body.regulation_type)
        .filter(|kind| *kind != RegulationType::DeleteArchiveOnly || archive_only)
        .ok_or_else(|| Failure::invalid("regulationType", "is not valid here"))?;
    let attribute = words::subject_type(&body.subject_type)
        .filter(|attribute| scope.takes(*attribute, kind))
        .ok_or_else(|| Failure::invalid("subjectType", "is not valid here"))?;
    let ids = body.subject_ids;
    if ids.is_empty() || ids.iter().any(String::is_empty) {
        return Err(Failure::invalid("subjectIds", "must not be empty, nor may any of them"));
    }
    let most = call.knobs.max_values;
    if ids.len() > most {
        return Err(Failure::invalid("subjectIds", format!("must not have more than {most} entries")));
    }
    let collection = match scope {
        Scope::CloudSource(_) => Some(
            body.collection
                .filter(|name| !name.is_empty())
                .ok_or_else(|| Failure::invalid("collection", "is required"))?,
        ),
        Scope::Workspace | Scope::Source(_) => None,
    };
    let source = match scope {
        Scope::Workspace => None,
        Scope::Source(source) | Scope::CloudSource(source) => Some(source.slug.clone()),
    };
    let workspace = call.token.workspace.clone();
    Ok(Wanted { workspace, source, kind, attribute, values: ids, collection })
}

impl Scope<'_> {
    fn takes(self, attribute: Attribute, kind: RegulationType) -> bool {
        match (self, attribute) {
            (Self::Workspace | Self::CloudSource(_), Attribute::ObjectId)
            | (Self::Workspace | Self::Source(_), Attribute::UserId) => true,
            (Self::Source(_), Attribute::AnonymousId) => kind == RegulationType::DeleteArchiveOnly,
            _ => false,
        }
    }
}

fn regulate(state: &mut State, call: &Call<'_>, wanted: Wanted) -> Outcome {
    let family = wanted.kind.family();
    let id = state.regulate(wanted, call.now_ms);
    let budget = Budget::of_quota(call.workspace(state)?, family, &call.knobs, call.now_ms);
    let id = id.ok_or_else(|| budget.used_up(call.now_ms))?;
    call.handle.took_effect();
    Ok(Answer::Regulated(json!({ "regulateId": id }), budget))
}

pub(super) fn get(state: &mut State, call: &Call<'_>) -> Outcome {
    let workspace = call.workspace(state)?;
    let regulation = find(state, call)?;
    let view = views::regulation(regulation, workspace, &call.public, call.now_ms);
    Ok(Answer::Data(json!({ "regulation": view })))
}

/// Of the whole workspace: those for single sources too (own choice).
pub(super) fn list_all(state: &mut State, call: &Call<'_>) -> Outcome {
    call.workspace(state)?;
    list(state, call, |_| true)
}

/// Own choice: those for the whole workspace are not among them.
pub(super) fn list_of_source(state: &mut State, call: &Call<'_>) -> Outcome {
    let slug = &find_source(call.workspace(state)?, call)?.slug;
    list(state, call, |regulation| regulation.source.as_ref() == Some(slug))
}

/// Newest first. Own choice: a filter nobody knows is 422.
fn list(state: &State, call: &Call<'_>, is_meant: impl Fn(&Regulation) -> bool) -> Outcome {
    let query = Query::of(call.parts);
    let status = match query.value("status") {
        None => None,
        Some(word) => Some(words::status(word).ok_or_else(|| Failure::bad_input("status", "is not valid"))?),
    };
    let types = query.list("regulationTypes").into_iter().map(words::kind).collect::<Option<Vec<_>>>();
    let types = types.ok_or_else(|| Failure::bad_input("regulationTypes", "is not valid"))?;
    let found = state
        .regulations_of(&call.token.workspace, call.now_ms)
        .filter(|it| is_meant(it))
        .filter(|it| types.is_empty() || types.contains(&it.kind))
        .filter(|it| status.is_none_or(|word| it.report(call.now_ms).status == word));
    let (page, pagination) = Page::of(&query, &call.public)?.of_regulations(found);
    let view = |regulation| views::regulation_entry(regulation, &call.public, call.now_ms);
    let page: Vec<Value> = page.into_iter().map(view).collect();
    Ok(Answer::Data(json!({"regulations": page, "pagination": pagination})))
}

/// Own choice: one that has started is 422.
pub(super) fn delete(state: &mut State, call: &Call<'_>) -> Outcome {
    if find(state, call)?.report(call.now_ms).status != INITIALIZED {
        return Err(Failure::invalid("regulateId", "only an initialized regulation can be deleted"));
    }
    state.delete_regulation(&call.keys.regulation);
    call.handle.took_effect();
    Ok(Answer::Data(json!({"status": "SUCCESS"})))
}

/// Own choice: those suppressed for the whole workspace.
pub(super) fn suppressions(state: &mut State, call: &Call<'_>) -> Outcome {
    let user_ids = call.workspace(state)?.suppressions.in_workspace().iter();
    let (page, pagination) = Page::of(&Query::of(call.parts), &call.public)?.of_items(user_ids);
    let suppressed = views::suppressed(&page, &call.public);
    Ok(Answer::Data(json!({"suppressed": suppressed, "pagination": pagination})))
}

fn find<'s>(state: &'s State, call: &Call<'_>) -> Result<&'s Regulation, Failure> {
    let found = state.regulation_of(&call.token.workspace, &call.keys.regulation, call.now_ms);
    found.ok_or_else(Failure::not_found)
}
