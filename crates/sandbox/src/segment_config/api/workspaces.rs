//! Workspaces, sources, destinations, the catalogue.

use serde_json::{Value, json};

use super::errors::Failure;
use super::paging::{Page, list};
use super::{Call, views};
use crate::segment_config::account::{Source, Workspace};
use crate::segment_config::catalogue::{self, DESTINATIONS, SOURCES};
use crate::segment_config::state::State;

/// The one workspace the token is bound to.
pub(super) fn list_all(state: &State, call: &Call<'_>) -> Result<Value, Failure> {
    let visible = state.workspaces.iter().filter(|workspace| workspace.slug == call.token.workspace);
    page("workspaces", call, visible.map(|workspace| views::workspace(workspace, &call.knobs)))
}

pub(super) fn get(workspace: &Workspace, call: &Call<'_>) -> Value {
    views::workspace(workspace, &call.knobs)
}

pub(super) fn users(workspace: &Workspace, call: &Call<'_>) -> Result<Value, Failure> {
    page("users", call, workspace.members.iter().map(views::member))
}

pub(super) fn sources(workspace: &Workspace, call: &Call<'_>) -> Result<Value, Failure> {
    let sources = workspace.sources.iter();
    page("sources", call, sources.map(|source| views::source(workspace, source, &call.knobs)))
}

pub(super) fn source(workspace: &Workspace, call: &Call<'_>) -> Result<Value, Failure> {
    Ok(views::source(workspace, find_source(workspace, call)?, &call.knobs))
}

pub(super) fn destinations(workspace: &Workspace, call: &Call<'_>) -> Result<Value, Failure> {
    let source = find_source(workspace, call)?;
    let destinations = source.destinations.iter();
    page("destinations", call, destinations.map(|it| views::destination(workspace, source, it)))
}

pub(super) fn destination(workspace: &Workspace, call: &Call<'_>) -> Result<Value, Failure> {
    let source = find_source(workspace, call)?;
    let destination = source.destination(&call.keys.destination).ok_or(Failure::NotFound)?;
    Ok(views::destination(workspace, source, destination))
}

/// Own choice, as the reference infers the shape only: those suppressed for the whole workspace.
pub(super) fn suppressed(workspace: &Workspace, call: &Call<'_>) -> Result<Value, Failure> {
    let (values, next) =
        Page::of(call.parts, &call.knobs)?.of_items(workspace.suppressions.in_workspace().iter())?;
    Ok(list("attributes", json!({"name": "userId", "values": values}), next, &call.knobs))
}

pub(super) fn catalogue_sources(call: &Call<'_>) -> Result<Value, Failure> {
    page("sources", call, SOURCES.iter().map(views::catalogue_source))
}

pub(super) fn catalogue_source(call: &Call<'_>) -> Result<Value, Failure> {
    catalogue::find_source(&call.keys.entry).map(views::catalogue_source).ok_or(Failure::NotFound)
}

pub(super) fn catalogue_destinations(call: &Call<'_>) -> Result<Value, Failure> {
    page("destinations", call, DESTINATIONS.iter().map(views::catalogue_destination))
}

pub(super) fn catalogue_destination(call: &Call<'_>) -> Result<Value, Failure> {
    catalogue::find_destination(&call.keys.entry).map(views::catalogue_destination).ok_or(Failure::NotFound)
}

fn find_source<'w>(workspace: &'w Workspace, call: &Call<'_>) -> Result<&'w Source, Failure> {
    workspace.source(&call.keys.source).ok_or(Failure::NotFound)
}

fn page(key: &str, call: &Call<'_>, items: impl Iterator<Item = Value>) -> Result<Value, Failure> {
    let (items, next) = Page::of(call.parts, &call.knobs)?.of_items(items)?;
    Ok(list(key, items, next, &call.knobs))
}
