//! This API's part of the control plane, below `/segment_public`.

use axum::Router;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;

use super::SegmentPublic;
use crate::answers::json as json_answer;
use crate::control::{Refused, read};

pub(super) fn router(public: SegmentPublic) -> Router {
    Router::new().route("/", get(knobs).patch(turn)).with_state(public)
}

async fn knobs(Shared(public): Shared<SegmentPublic>) -> Response {
    json_answer(StatusCode::OK, &public.knobs())
}

async fn turn(Shared(public): Shared<SegmentPublic>, body: Bytes) -> Result<Response, Refused> {
    public.turn(read(&body)?);
    Ok(knobs(Shared(public)).await)
}
