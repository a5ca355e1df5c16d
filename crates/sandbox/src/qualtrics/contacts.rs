//! Directories and their contacts.

use serde_json::json;

use super::envelope::Failure;
use super::input::Draft;
use super::paging::{Offset, Tokens, flag, page_size, parameter, search_offset, search_token};
use super::routes::{Answer, Call, Outcome};
use super::search::Filters;
use super::state::{Contact, Directory, State};
use super::views;

pub(super) fn list_directories(state: &mut State, call: &Call<'_>) -> Outcome {
    let size = state.knobs.directory_page_size;
    let tokens = Tokens::of(call.parts, size, size)?;
    let positions = positions(state.directories.len());
    let (page, next) = tokens.page(call.parts, &positions);
    let count = flag(call.parts, "includeCount");
    let shown = page.iter().filter_map(|position| state.directories.get(*position as usize - 1));
    let elements: Vec<_> = shown.map(|directory| views::directory(directory, count)).collect();
    Ok(Answer::Result(json!({"elements": elements, "nextPage": next})))
}

/// The directory a path names.
pub(super) fn directory<'s>(state: &'s State, call: &Call<'_>) -> Result<&'s Directory, Failure> {
    let id = &call.keys.directory;
    state.directory(id).ok_or_else(|| Failure::not_found(id))
}

/// The directory a path names, unless it is an "XMD Lite" one.
fn full_directory<'s>(state: &'s State, call: &Call<'_>) -> Result<&'s Directory, Failure> {
    let directory = directory(state, call)?;
    if directory.lite {
        let status = state.knobs.lite_directory.status();
        return Err(Failure::without_code(status, "This operation is not available for XMD Lite."));
    }
    Ok(directory)
}

/// The contact a path names, in the directory it names.
fn find<'s>(state: &'s State, call: &Call<'_>) -> Result<&'s Contact, Failure> {
    let home = directory(state, call)?;
    let id = &call.keys.contact;
    let contact = state.contact_by_id(id).filter(|contact| contact.directory == home.id);
    contact.ok_or_else(|| Failure::not_found(id))
}

pub(super) fn list(state: &mut State, call: &Call<'_>) -> Outcome {
    let tokens = Tokens::of(call.parts, state.knobs.page_size, state.knobs.page_cap)?;
    let (page, next) = tokens.page(call.parts, &full_directory(state, call)?.contacts);
    let elements: Vec<_> =
        page.iter().filter_map(|number| state.contact(*number)).map(views::listed).collect();
    Ok(Answer::Result(json!({"elements": elements, "nextPage": next})))
}

/// Own choice: the lag of the index delays new and deleted contacts, but not changes.
pub(super) fn search(state: &mut State, call: &Call<'_>) -> Outcome {
    let filters = Filters::read(&call.json()?).map_err(Failure::bad_request)?;
    let offset = search_offset(call.parts)?;
    let size = page_size(call.parts, state.knobs.page_size, state.knobs.page_cap)?;
    if offset >= state.knobs.search_depth {
        let message = format!("A search shows its first {} results only.", state.knobs.search_depth);
        return Err(Failure::bad_request(message));
    }
    let home = full_directory(state, call)?;
    let lag = state.knobs.index_lag_ms;
    let is_here = |contact: &&Contact| contact.directory == home.id;
    let is_indexed = |contact: &&Contact| contact.created_ms.saturating_add(lag) <= call.now_ms;
    let lingering = state.ghosts.iter().filter(|ghost| {
        ghost.deleted_ms.saturating_add(lag) > call.now_ms
            && ghost.contact.created_ms.saturating_add(lag) <= ghost.deleted_ms
    });
    let mut found: Vec<&Contact> = match filters.email() {
        Some(email) => state.contacts_with_email(email).filter(is_here).collect(),
        None => home.contacts.iter().filter_map(|number| state.contact(*number)).collect(),
    };
    found.retain(is_indexed);
    found.extend(lingering.map(|ghost| &ghost.contact).filter(is_here));
    found.retain(|contact| filters.admit(state, contact));

    let (embedded, segments) = (flag(call.parts, "includeEmbedded"), flag(call.parts, "includeSegments"));
    let page = found.iter().skip(offset).take(size);
    let elements: Vec<_> = page.map(|contact| views::hit(state, contact, embedded, segments)).collect();
    // A full page carries a token even when it is the last one.
    let token = (elements.len() == size).then(|| search_token(offset.saturating_add(size)));
    let mut result = json!({ "elements": elements });
    if let Some(token) = token {
        result["skipToken"] = token.into();
    }
    Ok(Answer::Result(result))
}

pub(super) fn get(state: &mut State, call: &Call<'_>) -> Outcome {
    Ok(Answer::Result(views::contact(state, find(state, call)?)))
}

pub(super) fn history(state: &mut State, call: &Call<'_>) -> Outcome {
    let kind = parameter(call.parts, "type").ok_or_else(|| Failure::bad_request("type is missing."))?;
    let window = Offset::of(call.parts, state.knobs.offset_page_size, state.knobs.page_cap)?;
    let contact = find(state, call)?;
    let times = state.knobs.history_times;
    let all: Vec<_> = match kind.as_str() {
        "response" => {
            state.responses_of(contact.number).map(|past| views::past_response(past, times)).collect()
        }
        "email" => contact.mails.iter().map(|past| views::past_mail(past, times)).collect(),
        other => return Err(Failure::bad_request(format!("Unknown type {other}."))),
    };
    let next = window.next_page(call.parts, all.len());
    let elements: Vec<_> = all.into_iter().skip(window.offset).take(window.size).collect();
    Ok(Answer::Result(json!({"elements": elements, "nextPage": next})))
}

pub(super) fn create(state: &mut State, call: &Call<'_>) -> Outcome {
    let draft = Draft::read(&call.json()?).map_err(Failure::bad_request)?;
    let directory = directory(state, call)?.id.clone();
    let mut contact =
        Contact { directory, created_ms: call.now_ms, modified_ms: call.now_ms, ..Contact::default() };
    draft.apply(&mut contact, call.now_ms);
    let number = state.insert_contact(contact);
    call.handle.took_effect();
    let id = state.contact(number).map(|contact| contact.id.as_str());
    Ok(Answer::Result(json!({ "id": id })))
}

pub(super) fn update(state: &mut State, call: &Call<'_>) -> Outcome {
    let draft = Draft::read(&call.json()?).map_err(Failure::bad_request)?;
    let id = find(state, call)?.id.clone();
    state.change_contact(&id, call.now_ms, |contact| draft.apply(contact, call.now_ms));
    call.handle.took_effect();
    Ok(Answer::MetaOnly)
}

/// Leaves the contact's responses where they are.
pub(super) fn delete(state: &mut State, call: &Call<'_>) -> Outcome {
    let id = find(state, call)?.id.clone();
    state.remove_contact(&id, call.now_ms);
    call.handle.took_effect();
    Ok(Answer::MetaOnly)
}

/// Numbers for what has none of its own, in rising order from 1.
pub(super) fn positions(count: usize) -> Vec<u32> {
    (1..=u32::try_from(count).unwrap_or(u32::MAX)).collect()
}
