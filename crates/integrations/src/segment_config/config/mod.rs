//! The Config API (v1beta): slugs, snake case, bare objects.

mod api;
mod systems;
pub(super) mod wire;

pub(super) use api::ConfigApi;
