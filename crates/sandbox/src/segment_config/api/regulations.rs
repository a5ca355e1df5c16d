//! Regulations: by which people are deleted, suppressed, and let in again.

use serde::Deserialize;
use serde_json::{Value, json};

use super::errors::Failure;
use super::paging::{Page, list, parameter, parameters};
use super::{Call, views};
use crate::segment_config::account::Workspace;
use crate::segment_config::catalogue;
use crate::segment_config::regulation::{
    Attribute, FAILED, FINISHED, INITIALIZED, INVALID, NOT_SUPPORTED, PARTIAL_SUCCESS, RUNNING,
    RegulationType,
};
use crate::segment_config::state::{State, Wanted};

/// What this API knows. Own choice: two types that came after it was frozen are not among them.
const TYPES: [(&str, RegulationType); 5] = [
    ("Suppress_With_Delete", RegulationType::SuppressWithDelete),
    ("Delete", RegulationType::Delete),
    ("Suppress", RegulationType::Suppress),
    ("Unsuppress", RegulationType::Unsuppress),
    ("Delete_Internal", RegulationType::DeleteInternal),
];

const STATUSES: [&str; 7] = [INITIALIZED, RUNNING, FINISHED, FAILED, INVALID, NOT_SUPPORTED, PARTIAL_SUCCESS];

/// Own choice: fields nobody knows are ignored, `userAgent` among them.
#[derive(Deserialize)]
struct Body {
    regulation_type: String,
    attributes: Attributes,
    collection: Option<String>,
}

#[derive(Deserialize)]
struct Attributes {
    name: String,
    values: Vec<String>,
}

/// For the whole workspace, or for the source in the path.
///
/// Own choices: the body is checked only once everything in the path is; its size comes first, then its
/// form, its type, its values, and the monthly quota last.
pub(super) fn create(state: &mut State, call: &Call<'_>) -> Result<Value, Failure> {
    let knobs = call.knobs;
    let workspace = state.workspace(&call.keys.workspace).ok_or(Failure::NotFound)?;
    let source = Some(&call.keys.source).filter(|slug| !slug.is_empty());
    if source.is_some_and(|slug| workspace.source(slug).is_none()) {
        return Err(Failure::NotFound);
    }
    if call.body.len() > knobs.max_body_bytes {
        return Err(Failure::Oversize(knobs.oversize, "the payload is too large".to_owned()));
    }
    let body: Body =
        serde_json::from_slice(call.body).map_err(|error| Failure::invalid(error.to_string()))?;
    let kind = regulation_type(&body.regulation_type, knobs.any_case_types);
    let values = body.attributes.values;
    if values.is_empty() || values.iter().any(String::is_empty) {
        return Err(Failure::invalid("attributes.values must not be empty, nor may any of them"));
    }
    if values.len() > knobs.max_values {
        let message = format!("attributes.values must not have more than {} entries", knobs.max_values);
        return Err(Failure::Oversize(knobs.oversize, message));
    }
    let wanted = match body.attributes.name.as_str() {
        "userId" => Wanted {
            workspace: workspace.slug.clone(),
            source: source.cloned(),
            kind: kind.ok_or_else(unknown_type)?,
            attribute: Attribute::UserId,
            values,
            collection: None,
        },
        "objectId" => {
            // The vendor's own sample writes this one type in lower case.
            let kind = kind.or((body.regulation_type == "delete").then_some(RegulationType::Delete));
            let collection = body.collection.unwrap_or_default();
            let owner = cloud_source(workspace, source, &collection)?;
            if kind.ok_or_else(unknown_type)? != RegulationType::Delete {
                return Err(Failure::invalid("objects can only be deleted"));
            }
            Wanted {
                workspace: workspace.slug.clone(),
                source: Some(owner),
                kind: RegulationType::Delete,
                attribute: Attribute::ObjectId,
                values,
                collection: Some(collection),
            }
        }
        _ => return Err(Failure::invalid("attributes.name must be userId or objectId")),
    };
    let id = state.regulate(wanted, call.now_ms).ok_or(Failure::QuotaUsedUp)?;
    call.handle.took_effect();
    Ok(json!({ "regulate_id": id }))
}

pub(super) fn get(state: &State, workspace: &Workspace, call: &Call<'_>) -> Result<Value, Failure> {
    let regulation =
        state.regulation_of(&workspace.slug, &call.keys.regulation, call.now_ms).ok_or(Failure::NotFound)?;
    Ok(views::regulation(regulation, workspace, &call.knobs, call.now_ms))
}

/// Newest first. Own choice: a filter nobody knows is 400.
pub(super) fn list_all(state: &State, workspace: &Workspace, call: &Call<'_>) -> Result<Value, Failure> {
    let status = parameter(call.parts, "status");
    if status.as_deref().is_some_and(|word| !STATUSES.contains(&word)) {
        return Err(Failure::invalid("status is not valid"));
    }
    let types = parameters(call.parts, "regulation_types");
    let types = types
        .iter()
        .filter(|text| !text.is_empty())
        .map(|text| regulation_type(text, call.knobs.any_case_types).ok_or_else(unknown_type));
    let types = types.collect::<Result<Vec<_>, _>>()?;
    let found = state
        .regulations_of(&workspace.slug, call.now_ms)
        .filter(|it| types.is_empty() || types.contains(&it.kind))
        .filter(|it| status.as_ref().is_none_or(|word| it.report(call.now_ms).status == *word));
    let (page, next) = Page::of(call.parts, &call.knobs)?.of_regulations(found)?;
    let entries: Vec<_> = page.into_iter().map(|it| views::regulation_entry(it, call.now_ms)).collect();
    Ok(list("entries", entries, next, &call.knobs))
}

/// Own choices: the answer is an empty object; one that has started is 400.
pub(super) fn delete(state: &mut State, call: &Call<'_>) -> Result<Value, Failure> {
    let id = &call.keys.regulation;
    let regulation = state.regulation_of(&call.keys.workspace, id, call.now_ms).ok_or(Failure::NotFound)?;
    if regulation.report(call.now_ms).status != INITIALIZED {
        return Err(Failure::invalid("only an initialized regulation can be deleted"));
    }
    state.delete_regulation(id);
    call.handle.took_effect();
    Ok(json!({}))
}

fn regulation_type(text: &str, any_case: bool) -> Option<RegulationType> {
    let is_meant = |name: &str| if any_case { name.eq_ignore_ascii_case(text) } else { name == text };
    TYPES.into_iter().find(|(name, _)| is_meant(name)).map(|(_, kind)| kind)
}

fn unknown_type() -> Failure {
    Failure::invalid("regulation_type is not valid")
}

/// The source a collection of objects belongs to, which must be a cloud source, and that in the path if one is.
fn cloud_source(workspace: &Workspace, source: Option<&String>, collection: &str) -> Result<String, Failure> {
    let mut steps = collection.split('/');
    let owner = match (steps.next(), steps.next(), steps.next(), steps.next(), steps.next(), steps.next()) {
        (Some("workspaces"), Some(slug), Some("sources"), Some(owner), Some(_), None)
            if slug == workspace.slug =>
        {
            workspace.source(owner)
        }
        _ => None,
    };
    let is_cloud = |catalogue: &str| catalogue::find_source(catalogue).is_some_and(|entry| entry.is_cloud);
    owner
        .filter(|owner| is_cloud(&owner.catalogue) && source.is_none_or(|slug| *slug == owner.slug))
        .map(|owner| owner.slug.clone())
        .ok_or_else(|| Failure::invalid("collection does not name a collection of a cloud source"))
}
