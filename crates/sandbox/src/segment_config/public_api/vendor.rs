//! How faults and the call log speak this API's language.

use axum::Router;
use axum::extract::MatchedPath;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde_json::Value;

use super::envelope::Failure;
use super::routes::Endpoint;
use super::{SegmentPublic, control, paging, routes};
use crate::segment_config::account::Api;
use crate::segment_config::api::credential;
use crate::vendors::Vendor;

/// How long a call is to wait that a fault refuses without a `Retry-After`. Own choice: short.
const FAULT_WAIT_MS: u64 = 1_000;

impl Vendor for SegmentPublic {
    fn name(&self) -> &'static str {
        "segment_public"
    }

    fn api(&self) -> Router {
        routes::router(self.clone())
    }

    fn control(&self) -> Router {
        control::router(self.clone())
    }

    fn class(&self, call: &Parts) -> Option<&'static str> {
        let template = call.extensions.get::<MatchedPath>()?;
        Endpoint::find(&call.method, template.as_str()).map(|endpoint| endpoint.class.name())
    }

    fn account(&self, call: &Parts) -> Option<String> {
        credential(call).filter(|token| self.0.segment.state().token(token, Api::Public).is_some())
    }

    /// The id of a regulation that is to be taken back. Deletions of people are POSTs: the evidence for them is with
    /// [`SegmentConfig`](crate::SegmentConfig), whose state this is.
    fn deletion_target(&self, call: &Parts) -> Option<String> {
        let id = call.uri.path().strip_prefix("/regulations/").filter(|_| call.method == Method::DELETE)?;
        (!id.contains('/')).then(|| id.to_owned())
    }

    fn error_body(&self, status: StatusCode) -> Value {
        Failure::of(status).body(&self.knobs())
    }

    /// With a `Retry-After` it is the token that is limited, else the endpoint.
    fn rate_limited(&self, retry_after: Option<u64>) -> Response {
        let failure = match retry_after {
            Some(_) => Failure::token_limited(retry_after),
            None => Failure::points_used_up(1, 0, FAULT_WAIT_MS),
        };
        failure.answer(&self.knobs())
    }

    fn token_expired(&self) -> Response {
        Failure::bad_token().answer(&self.knobs())
    }

    fn scope_missing(&self, _: &str) -> Response {
        let knobs = self.knobs();
        Failure::no_permission(&knobs).answer(&knobs)
    }

    fn next_pointer(&self) -> &'static str {
        "/data/pagination/next"
    }

    fn next_link(&self, call: &Parts) -> String {
        paging::cursor_behind(call, &self.knobs())
    }
}
