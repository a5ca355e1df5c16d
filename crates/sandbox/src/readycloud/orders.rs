//! Orders: of a contact, and of an organisation.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::contacts;
use super::paging::{Window, parameter};
use super::routes::{Call, not_found};
use super::state::{Order, State};
use super::views;
use crate::answers::json as json_answer;

/// A text search never finds more than this.
const MOST_SEARCH_RESULTS: usize = 70;

pub(super) fn list_of_contact(state: &State, call: &Call<'_>) -> Response {
    let Some(contact) = contacts::find(state, call) else { return not_found() };
    page(state, call, state.orders_of(contact.id))
}

/// Of the documented filters only `q` works; the others are ignored like any unknown parameter (own choice:
/// nothing within the usual grant can reach this route).
pub(super) fn list(state: &State, call: &Call<'_>) -> Response {
    let Some(org) = state.org(&call.keys.org) else { return not_found() };
    let Some(text) = parameter(call.parts, "q") else { return page(state, call, &org.orders) };
    let text = text.to_lowercase();
    let found = org.orders.iter().filter_map(|id| state.order(*id).map(|order| (id, order)));
    let found = found.filter(|(_, order)| mentions(order, &text)).map(|(id, _)| *id);
    page(state, call, &found.take(MOST_SEARCH_RESULTS).collect::<Vec<_>>())
}

pub(super) fn get(state: &State, call: &Call<'_>) -> Response {
    find(state, call).map_or_else(not_found, |order| json_answer(StatusCode::OK, &views::order(order)))
}

pub(super) fn delete(state: &mut State, call: &Call<'_>) -> Response {
    if find(state, call).is_none() || !state.remove_order(&call.keys.order) {
        return not_found();
    }
    call.handle.took_effect();
    StatusCode::NO_CONTENT.into_response()
}

fn find<'s>(state: &'s State, call: &Call<'_>) -> Option<&'s Order> {
    state.order_by_key(&call.keys.order).filter(|order| order.org == call.keys.org)
}

fn page(state: &State, call: &Call<'_>, ids: &[u32]) -> Response {
    let window = Window::of(call.parts, &call.knobs);
    let results = window.of_slice(ids).iter().filter_map(|id| state.order(*id)).map(views::order).collect();
    json_answer(StatusCode::OK, &window.page(call.parts, ids.len(), results))
}

fn mentions(order: &Order, text: &str) -> bool {
    let to = &order.ship_to;
    let fields =
        [order.number.as_str(), &to.first_name, &to.last_name, to.email.as_deref().unwrap_or_default()];
    fields.iter().any(|field| field.to_lowercase().contains(text))
}
