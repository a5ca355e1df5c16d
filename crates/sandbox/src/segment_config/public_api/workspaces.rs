//! The workspace, and what is connected in it.

use serde_json::json;

use super::envelope::Failure;
use super::routes::{Answer, Call, Outcome};
use super::views;
use crate::segment_config::account::{Access, Destination, Source, Warehouse, Workspace};
use crate::segment_config::state::State;

pub(super) fn get(state: &mut State, call: &Call<'_>) -> Outcome {
    Ok(Answer::Data(json!({"workspace": views::workspace(call.workspace(state)?)})))
}

pub(super) fn sources(state: &mut State, call: &Call<'_>) -> Outcome {
    let workspace = call.workspace(state)?;
    list_sources(call, workspace, workspace.sources.iter())
}

/// Own choice: no source has a tracking plan, and beside a single one it says so, as a client of the vendor's expects.
pub(super) fn source(state: &mut State, call: &Call<'_>) -> Outcome {
    let workspace = call.workspace(state)?;
    let view = view(call, workspace, find_source(workspace, call)?);
    Ok(Answer::Data(json!({"source": view, "trackingPlanId": null})))
}

/// Of the whole workspace.
pub(super) fn destinations(state: &mut State, call: &Call<'_>) -> Outcome {
    list_destinations(call, call.workspace(state)?.destinations())
}

pub(super) fn destination(state: &mut State, call: &Call<'_>) -> Outcome {
    let mut destinations = call.workspace(state)?.destinations();
    let (source, destination) =
        destinations.find(|(_, it)| it.id == call.keys.destination).ok_or_else(Failure::not_found)?;
    Ok(Answer::Data(json!({"destination": views::destination(source, destination, &call.public)})))
}

pub(super) fn warehouses(state: &mut State, call: &Call<'_>) -> Outcome {
    let workspace = call.workspace(state)?;
    list_warehouses(call, workspace, workspace.warehouses.iter())
}

pub(super) fn warehouse(state: &mut State, call: &Call<'_>) -> Outcome {
    let workspace = call.workspace(state)?;
    Ok(Answer::Data(json!({"warehouse": views::warehouse(workspace, find_warehouse(workspace, call)?)})))
}

pub(super) fn destinations_of_source(state: &mut State, call: &Call<'_>) -> Outcome {
    let source = find_source(call.workspace(state)?, call)?;
    list_destinations(call, source.destinations.iter().map(|destination| (source, destination)))
}

pub(super) fn warehouses_of_source(state: &mut State, call: &Call<'_>) -> Outcome {
    let workspace = call.workspace(state)?;
    let source = find_source(workspace, call)?;
    let connected = workspace.warehouses.iter().filter(|it| it.sources.contains(&source.slug));
    list_warehouses(call, workspace, connected)
}

pub(super) fn sources_of_warehouse(state: &mut State, call: &Call<'_>) -> Outcome {
    let workspace = call.workspace(state)?;
    let warehouse = find_warehouse(workspace, call)?;
    let connected = workspace.sources.iter().filter(|it| warehouse.sources.contains(&it.slug));
    list_sources(call, workspace, connected)
}

fn list_sources<'w>(
    call: &Call<'_>,
    workspace: &Workspace,
    sources: impl Iterator<Item = &'w Source>,
) -> Outcome {
    call.list("sources", sources, |source| view(call, workspace, source))
}

fn list_destinations<'w>(
    call: &Call<'_>,
    destinations: impl Iterator<Item = (&'w Source, &'w Destination)>,
) -> Outcome {
    let view = |(source, destination)| views::destination(source, destination, &call.public);
    call.list("destinations", destinations, view)
}

fn list_warehouses<'w>(
    call: &Call<'_>,
    workspace: &Workspace,
    warehouses: impl Iterator<Item = &'w Warehouse>,
) -> Outcome {
    call.list("warehouses", warehouses, |warehouse| views::warehouse(workspace, warehouse))
}

/// Own choice: an owner of the workspace administrates every source, nobody else any.
fn view(call: &Call<'_>, workspace: &Workspace, source: &Source) -> serde_json::Value {
    views::source(workspace, source, call.token.access == Access::Owner, &call.public)
}

pub(super) fn find_source<'w>(workspace: &'w Workspace, call: &Call<'_>) -> Result<&'w Source, Failure> {
    workspace.source_with_id(&call.keys.source).ok_or_else(Failure::not_found)
}

fn find_warehouse<'w>(workspace: &'w Workspace, call: &Call<'_>) -> Result<&'w Warehouse, Failure> {
    workspace.warehouse_with_id(&call.keys.warehouse).ok_or_else(Failure::not_found)
}
