//! The brand's users, and who the caller is.

use serde_json::json;

use super::envelope::Failure;
use super::paging::Offset;
use super::routes::{Answer, Call, Outcome};
use super::state::State;
use super::views;

/// Own choice: the data centre is the one the credential belongs to.
pub(super) fn whoami(state: &mut State, call: &Call<'_>) -> Outcome {
    let id = &call.caller.user;
    let user = state.user(id).ok_or_else(|| Failure::not_found(id))?;
    let datacenter = call.caller.proxied_for.as_ref().unwrap_or(&state.knobs.datacenter);
    Ok(Answer::Result(views::whoami(user, datacenter)))
}

/// Own choice: no filter at all; a parameter nobody knows is ignored.
pub(super) fn list(state: &mut State, call: &Call<'_>) -> Outcome {
    let window = Offset::of(call.parts, state.knobs.offset_page_size, state.knobs.page_cap)?;
    let shown = state.users.iter().skip(window.offset).take(window.size);
    let elements: Vec<_> = shown.map(views::user).collect();
    let next = window.next_page(call.parts, state.users.len());
    Ok(Answer::Result(json!({"elements": elements, "nextPage": next})))
}

pub(super) fn get(state: &mut State, call: &Call<'_>) -> Outcome {
    let id = &call.keys.user;
    let user = state.user(id).ok_or_else(|| Failure::not_found(id))?;
    Ok(Answer::Result(views::user(user)))
}
