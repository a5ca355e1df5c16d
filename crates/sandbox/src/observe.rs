//! The outermost layer: reads the call's body, writes it into the call log, and notes how it ended.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};

use crate::answers::HangUp;
use crate::calls::{Arrival, CallHandle, CallLog, Outcome};
use crate::vendors::Vendor;

/// The largest request body that is read at all. It lies well above every limit of a vendor's own, so that a
/// client which oversteps one is told so in the vendor's words.
const MAX_BODY: usize = 16 * 1024 * 1024;

#[derive(Clone)]
struct Observer {
    calls: CallLog,
    vendor: Arc<dyn Vendor>,
}

pub(crate) fn around(api: Router, calls: &CallLog, vendor: &Arc<dyn Vendor>) -> Router {
    let observer = Observer { calls: calls.clone(), vendor: Arc::clone(vendor) };
    api.layer(from_fn_with_state(observer, observe))
}

async fn observe(State(observer): State<Observer>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let vendor = &observer.vendor;
    let matched = parts.extensions.get::<MatchedPath>().map(MatchedPath::as_str);
    let template = vendor.route(&parts).or(matched).unwrap_or("(no route)");
    let call = observer.calls.arrived(Arrival {
        vendor: vendor.name(),
        route: format!("{} {template}", known_method(&parts.method)),
        path: parts.uri.path().to_owned(),
        account: vendor.account(&parts),
        class: vendor.class(&parts),
        deletion_target: vendor.deletion_target(&parts),
    });
    // From here on this function may be dropped at any await: hyper does that when the client leaves.
    let unfinished = Unfinished(Some(call.clone()));
    // The whole body is read first: only then does hyper watch the connection for a client that leaves.
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        unfinished.finish(Outcome::Answered, Some(StatusCode::PAYLOAD_TOO_LARGE.as_u16()));
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    parts.extensions.insert(call);
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    if response.extensions().get::<HangUp>().is_some() {
        unfinished.finish(Outcome::Dropped, None);
    } else {
        unfinished.finish(Outcome::Answered, Some(response.status().as_u16()));
    }
    response
}

/// Notes the call as abandoned unless it was finished.
struct Unfinished(Option<CallHandle>);

impl Unfinished {
    fn finish(mut self, outcome: Outcome, status: Option<u16>) {
        if let Some(call) = self.0.take() {
            call.finish(outcome, status);
        }
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(call) = self.0.take() {
            call.finish(Outcome::Abandoned, None);
        }
    }
}

/// Invented methods share one entry, so that nobody can make the log grow with them.
fn known_method(method: &Method) -> &str {
    match method.as_str() {
        known @ ("GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS") => known,
        _ => "OTHER",
    }
}
