//! Mailing lists of a directory and the contacts on them.

use axum::http::StatusCode;
use serde_json::json;

use super::contacts::{directory, positions};
use super::envelope::Failure;
use super::paging::{Tokens, flag, parameter};
use super::routes::{Answer, Call, Outcome};
use super::state::{Contact, MailingList, Member, State};
use super::views;

pub(super) fn list(state: &mut State, call: &Call<'_>) -> Outcome {
    let tokens = Tokens::of(call.parts, state.knobs.page_size, state.knobs.page_cap)?;
    let owner = parameter(call.parts, "ownerId");
    let lists = directory(state, call)?.lists.iter();
    let lists: Vec<_> =
        lists.filter(|list| owner.as_ref().is_none_or(|owner| list.owner == *owner)).collect();
    let positions = positions(lists.len());
    let (page, next) = tokens.page(call.parts, &positions);
    let count = flag(call.parts, "includeCount");
    let shown = page.iter().filter_map(|position| lists.get(*position as usize - 1));
    let elements: Vec<_> = shown.map(|list| views::mailing_list(list, count)).collect();
    Ok(Answer::Result(json!({"elements": elements, "nextPage": next})))
}

/// The list a path names, in the directory it names.
fn find<'s>(state: &'s State, call: &Call<'_>) -> Result<&'s MailingList, Failure> {
    let list = directory(state, call)?.lists.iter().find(|list| list.id == call.keys.list);
    list.ok_or_else(|| Failure::new(StatusCode::NOT_FOUND, "PACC_6", "Mailing List not found"))
}

/// The contact a path names, on the list it names.
fn find_member<'s>(state: &'s State, call: &Call<'_>) -> Result<(&'s Contact, &'s Member), Failure> {
    let list = find(state, call)?;
    let id = &call.keys.contact;
    let contact = state.contact_by_id(id);
    let found = contact.and_then(|contact| Some((contact, list.members.get(&contact.number)?)));
    found.ok_or_else(|| Failure::not_found(id))
}

pub(super) fn list_contacts(state: &mut State, call: &Call<'_>) -> Outcome {
    let tokens = Tokens::of(call.parts, state.knobs.page_size, state.knobs.page_cap)?;
    let list = find(state, call)?;
    let numbers: Vec<u32> = list.members.keys().copied().collect();
    let (page, next) = tokens.page(call.parts, &numbers);
    let shown = page.iter().filter_map(|number| Some((state.contact(*number)?, list.members.get(number)?)));
    let elements: Vec<_> =
        shown.map(|(contact, member)| views::member(state, contact, member, false)).collect();
    Ok(Answer::Result(json!({"elements": elements, "nextPage": next})))
}

pub(super) fn get_contact(state: &mut State, call: &Call<'_>) -> Outcome {
    let (contact, member) = find_member(state, call)?;
    Ok(Answer::Result(views::member(state, contact, member, true)))
}

/// Own choice: takes the contact from the list and leaves it in its directory.
pub(super) fn delete_contact(state: &mut State, call: &Call<'_>) -> Outcome {
    let number = find_member(state, call)?.0.number;
    if let Some((_, list)) = state.list_mut(&call.keys.list) {
        list.members.remove(&number);
    }
    call.handle.took_effect();
    Ok(Answer::MetaOnly)
}
