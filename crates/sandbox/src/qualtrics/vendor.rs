//! How faults and the call log speak this vendor's language.

use axum::Router;
use axum::extract::MatchedPath;
use axum::http::header::RETRY_AFTER;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::Response;
use serde_json::Value;

use super::envelope::Failure;
use super::fixtures::BRAND;
use super::routes::Endpoint;
use super::{Qualtrics, auth, control, limits, paging, routes};
use crate::vendors::Vendor;

impl Vendor for Qualtrics {
    fn name(&self) -> &'static str {
        "qualtrics"
    }

    fn api(&self) -> Router {
        routes::router(self.clone())
    }

    fn control(&self) -> Router {
        control::router(self.clone())
    }

    /// Every endpoint is a class of its own, named by its method and template below `/API/v3`.
    fn class(&self, call: &Parts) -> Option<&'static str> {
        let template = call.extensions.get::<MatchedPath>()?;
        Endpoint::find(&call.method, template.as_str()).map(|endpoint| endpoint.name)
    }

    /// Limits are the brand's.
    fn account(&self, call: &Parts) -> Option<String> {
        let credential = auth::credential(call)?;
        self.state().tokens.contains_key(&credential.token).then(|| BRAND.to_owned())
    }

    /// A contact's id; on a mailing list the list's id, a slash and the contact's.
    fn deletion_target(&self, call: &Parts) -> Option<String> {
        if call.method != Method::DELETE {
            return None;
        }
        let rest = call.uri.path().strip_prefix("/API/v3/directories/")?;
        match rest.split('/').collect::<Vec<_>>()[..] {
            [_, "contacts", contact] => Some(contact.to_owned()),
            [_, "mailinglists", list, "contacts", contact] => Some(format!("{list}/{contact}")),
            _ => None,
        }
    }

    fn rate_limited(&self, retry_after: Option<u64>) -> Response {
        let mut response = limits::too_many(&self.state().meta());
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }

    fn token_expired(&self) -> Response {
        auth::invalid_client().answer(&self.state().meta())
    }

    fn scope_missing(&self, scope: &str) -> Response {
        let mut state = self.state();
        let meta = state.meta();
        auth::missing_scope(scope, &state.knobs).answer(&meta)
    }

    fn error_body(&self, status: StatusCode) -> Value {
        let message = status.canonical_reason().unwrap_or("Error");
        Failure::without_code(status, message).body(&self.state().meta())
    }

    /// Of the three styles of pages the only one with links.
    fn next_pointer(&self) -> &'static str {
        "/result/nextPage"
    }

    fn next_link(&self, call: &Parts) -> String {
        let knobs = self.knobs();
        let path = call.uri.path();
        let by_token = path.contains("/directories") && !path.ends_with("/history");
        if by_token {
            paging::link_beyond(call, knobs.page_size, knobs.page_cap)
        } else {
            paging::link_behind(call, knobs.offset_page_size, knobs.page_cap)
        }
    }
}
