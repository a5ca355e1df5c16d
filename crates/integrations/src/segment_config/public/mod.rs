//! The Public API: opaque ids, camel case, everything in an envelope.

mod api;
mod systems;
mod wire;

pub(super) use api::PublicApi;
