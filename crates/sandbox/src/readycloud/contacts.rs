//! Organisations, contacts and their addresses.

use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::input::Draft;
use super::paging::{Window, expands};
use super::routes::{Call, not_found};
use super::state::{Contact, Moment, State, Token};
use super::views;
use crate::answers::{json as json_answer, set_header};

pub(super) fn list_orgs(state: &State, token: &Token, call: &Call<'_>) -> Response {
    let visible: Vec<_> = state.orgs.iter().filter(|org| token.sees(org)).collect();
    let window = Window::of(call.parts, &call.knobs);
    let results = window.of_slice(&visible).iter().map(|org| views::org(org)).collect();
    json_answer(StatusCode::OK, &window.page(call.parts, visible.len(), results))
}

pub(super) fn get_org(state: &State, call: &Call<'_>) -> Response {
    state.org(&call.keys.org).map_or_else(not_found, |org| json_answer(StatusCode::OK, &views::org(org)))
}

pub(super) fn patch_org(state: &mut State, call: &Call<'_>) -> Response {
    if let Some(refusal) = unsupported(call) {
        return refusal;
    }
    let Some(org) = state.org_mut(&call.keys.org) else { return not_found() };
    let body: Value = serde_json::from_slice(call.body).unwrap_or_default();
    match body.get("name") {
        None => {}
        Some(Value::String(name)) if !name.trim().is_empty() => {
            org.name = name.trim().to_owned();
            call.handle.took_effect();
        }
        Some(_) => return json_answer(StatusCode::BAD_REQUEST, &json!({"name": ["Not a valid string."]})),
    }
    json_answer(StatusCode::OK, &views::org(org))
}

pub(super) fn list(state: &State, call: &Call<'_>) -> Response {
    let Some(org) = state.org(&call.keys.org) else { return not_found() };
    let window = Window::of(call.parts, &call.knobs);
    let expand = expands(call.parts, "notes");
    let ids = window.of_slice(&org.contacts).iter();
    let results =
        ids.filter_map(|id| state.contact(*id)).map(|contact| views::contact(contact, expand)).collect();
    json_answer(StatusCode::OK, &window.page(call.parts, org.contacts.len(), results))
}

pub(super) fn create(state: &mut State, call: &Call<'_>) -> Response {
    if let Some(refusal) = unsupported(call) {
        return refusal;
    }
    let draft = match Draft::read(call.body, false) {
        Ok(draft) => draft,
        Err(errors) => return json_answer(StatusCode::BAD_REQUEST, &errors),
    };
    let now = Moment::from_ms(call.now_ms);
    let org = call.keys.org.clone().into();
    let mut contact = Contact { org, created_at: now, updated_at: now, ..Contact::default() };
    draft.apply(&mut contact);
    let key = state.insert_contact(contact);
    call.handle.took_effect();
    let Some(contact) = state.contact_by_key(&key) else { return not_found() };
    let mut response = json_answer(StatusCode::CREATED, &views::contact(contact, true));
    set_header(&mut response, LOCATION, &format!("/api/v2/orgs/{}/contacts/{key}/", call.keys.org));
    response
}

pub(super) fn get(state: &State, call: &Call<'_>) -> Response {
    let Some(contact) = find(state, call) else { return not_found() };
    json_answer(StatusCode::OK, &views::contact(contact, expands(call.parts, "notes")))
}

pub(super) fn patch(state: &mut State, call: &Call<'_>) -> Response {
    if find(state, call).is_none() {
        return not_found();
    }
    if let Some(refusal) = unsupported(call) {
        return refusal;
    }
    let draft = match Draft::read(call.body, true) {
        Ok(draft) => draft,
        Err(errors) => return json_answer(StatusCode::BAD_REQUEST, &errors),
    };
    state.change_contact(&call.keys.contact, call.now_ms, |contact| draft.apply(contact));
    call.handle.took_effect();
    get(state, call)
}

pub(super) fn delete(state: &mut State, call: &Call<'_>) -> Response {
    if find(state, call).is_none() || !state.remove_contact(&call.keys.contact) {
        return not_found();
    }
    call.handle.took_effect();
    StatusCode::NO_CONTENT.into_response()
}

pub(super) fn list_addresses(state: &State, call: &Call<'_>) -> Response {
    let Some(contact) = find(state, call) else { return not_found() };
    let window = Window::of(call.parts, &call.knobs);
    let addresses = window.of_slice(&contact.addresses).iter();
    let results = addresses.map(|address| views::address(contact, address)).collect();
    json_answer(StatusCode::OK, &window.page(call.parts, contact.addresses.len(), results))
}

pub(super) fn get_address(state: &State, call: &Call<'_>) -> Response {
    let Some(contact) = find(state, call) else { return not_found() };
    let address = contact.addresses.iter().find(|address| address.key.to_string() == call.keys.address);
    address.map_or_else(not_found, |address| json_answer(StatusCode::OK, &views::address(contact, address)))
}

/// The contact a path names, in the organisation it names.
pub(super) fn find<'s>(state: &'s State, call: &Call<'_>) -> Option<&'s Contact> {
    state.contact_by_key(&call.keys.contact).filter(|contact| contact.org == call.keys.org)
}

/// Own choice: bodies must be JSON; without a content type they are taken for it.
fn unsupported(call: &Call<'_>) -> Option<Response> {
    let content_type = call.parts.headers.get(CONTENT_TYPE)?.to_str().unwrap_or_default();
    if content_type.to_ascii_lowercase().starts_with("application/json") {
        return None;
    }
    let detail = format!("Unsupported media type \"{content_type}\" in request.");
    Some(json_answer(StatusCode::UNSUPPORTED_MEDIA_TYPE, &json!({ "detail": detail })))
}
