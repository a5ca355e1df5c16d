//! Objects as the API shows them.

use serde_json::{Value, json};

use crate::segment_config::account::{Destination, Member, Source, Warehouse, Workspace};
use crate::segment_config::catalogue::{DestinationEntry, SourceEntry};
use crate::segment_config::knobs::{Knobs, LibraryConfig, UnsetTime, WorkspaceName};
use crate::segment_config::regulation::{Attribute, PartReport, Regulation, StreamReport};
use crate::segment_config::times;

pub(super) fn workspace(workspace: &Workspace, knobs: &Knobs) -> Value {
    let name = match knobs.workspace_name {
        WorkspaceName::Prefixed => format!("workspaces/{}", workspace.slug),
        WorkspaceName::Bare => workspace.slug.clone(),
    };
    json!({
        "name": name,
        "display_name": workspace.display_name,
        "id": workspace.id,
        "create_time": times::to_millisecond(workspace.created_ms),
    })
}

/// Own choice, the whole shape: the reference only says that the list holds members of the workspace.
pub(super) fn member(member: &Member) -> Value {
    json!({"name": member.name, "email": member.email})
}

fn source_name(workspace: &Workspace, source: &Source) -> String {
    format!("workspaces/{}/sources/{}", workspace.slug, source.slug)
}

pub(super) fn source(workspace: &Workspace, source: &Source, knobs: &Knobs) -> Value {
    let mut view = json!({
        "name": source_name(workspace, source),
        "parent": format!("workspaces/{}", workspace.slug),
        "catalog_name": format!("catalog/sources/{}", source.catalogue),
        "write_keys": source.write_keys,
        "create_time": times::to_second(source.created_ms),
    });
    let key = match knobs.library_config {
        LibraryConfig::LibraryConfig => "library_config",
        LibraryConfig::LibrarySourceConfig => "library_source_config",
    };
    view[key] = json!({"metrics_enabled": false, "retry_queue": false, "cross_domain_id_enabled": false, "api_host": ""});
    if knobs.source_details {
        view["slug"] = json!(source.slug);
        view["display_name"] = json!(source.display_name);
        view["labels"] = json!({"environment": "prod"});
    }
    view
}

/// Own choice: `update_time` is the time of creation, because nothing here changes a destination.
pub(super) fn destination(workspace: &Workspace, source: &Source, destination: &Destination) -> Value {
    let parent = source_name(workspace, source);
    let name = format!("{parent}/destinations/{}", destination.slug);
    let settings = destination.settings.iter().map(|setting| {
        json!({
            "name": format!("{name}/config/{}", setting.name),
            "display_name": setting.display_name,
            "value": setting.value,
            "type": setting.kind,
        })
    });
    json!({
        "name": name,
        "parent": parent,
        "display_name": destination.display_name,
        "enabled": destination.enabled,
        "connection_mode": destination.connection_mode,
        "config": settings.collect::<Vec<_>>(),
        "create_time": times::to_second(destination.created_ms),
        "update_time": times::to_second(destination.created_ms),
    })
}

/// In the snapshot alone: the API is blind to warehouses.
pub(super) fn warehouse(warehouse: &Warehouse) -> Value {
    json!({
        "id": warehouse.id,
        "name": warehouse.name,
        "catalogue": warehouse.catalogue,
        "enabled": warehouse.enabled,
        "sources": warehouse.sources,
    })
}

fn logos(slug: &str) -> Value {
    let address = |kind| format!("https://cdn.example.test/{kind}/{slug}.svg");
    json!({"logo": address("logos"), "mark": address("marks")})
}

pub(super) fn catalogue_source(entry: &SourceEntry) -> Value {
    let what = if entry.is_cloud { "objects" } else { "events" };
    json!({
        "name": format!("catalog/sources/{}", entry.slug),
        "display_name": entry.display_name,
        "description": format!("Collects {what} from {}.", entry.display_name),
        "categories": entry.categories,
        "logos": logos(entry.slug),
    })
}

pub(super) fn catalogue_destination(entry: &DestinationEntry) -> Value {
    let runs_on = |component: &str| entry.components.contains(&component);
    let settings = entry.settings.iter().map(|setting| {
        json!({
            "name": setting.name,
            "display_name": setting.display_name,
            "type": setting.kind,
            "deprecated": false,
            "required": setting.required,
            "string_validators": {"regexp": ""},
            "description": format!("The {} of the account.", setting.display_name),
            "settings": [],
        })
    });
    json!({
        "name": format!("catalog/destinations/{}", entry.slug),
        "display_name": entry.display_name,
        "description": format!("Sends data to {}.", entry.display_name),
        "type": "STREAMING",
        "website": entry.website,
        "status": entry.status,
        "logos": logos(entry.slug),
        "categories": {"primary": entry.category, "secondary": "", "additional": []},
        "components": entry.components.iter().map(|kind| json!({"type": kind})).collect::<Vec<_>>(),
        "platforms": {
            "browser": runs_on("WEB"),
            "server": runs_on("CLOUD"),
            "mobile": runs_on("IOS") || runs_on("ANDROID"),
        },
        "methods": {"alias": true, "group": true, "identify": true, "page_view": true, "track": true},
        "browserUnbundlingSupported": runs_on("WEB"),
        "browserUnbundlingPublic": runs_on("WEB"),
        "settings": settings.collect::<Vec<_>>(),
    })
}

fn attributes(regulation: &Regulation) -> Value {
    json!({"name": regulation.attribute, "values": regulation.values})
}

/// As an item of a list.
pub(super) fn regulation_entry(regulation: &Regulation, now_ms: u64) -> Value {
    let report = regulation.report(now_ms);
    let mut view = json!({
        "regulate_id": regulation.id,
        "attributes": attributes(regulation),
        "status": report.status,
        "created_at": times::to_second(regulation.created_ms()),
    });
    if let Some(finished_ms) = report.finished_ms {
        view["finished_at"] = json!(times::to_second(finished_ms));
    }
    view
}

/// On its own.
pub(super) fn regulation(
    regulation: &Regulation,
    workspace: &Workspace,
    knobs: &Knobs,
    now_ms: u64,
) -> Value {
    let report = regulation.report(now_ms);
    let mut view = json!({
        "workspace_id": workspace.id,
        "overall_status": report.status,
        "stream_status": report.streams.iter().map(stream).collect::<Vec<_>>(),
        "created_at": times::to_second(regulation.created_ms()),
    });
    match (report.finished_ms, knobs.unset_finished_at) {
        (Some(ms), _) => view["finished_at"] = json!(times::to_second(ms)),
        (None, UnsetTime::Zero) => view["finished_at"] = json!(times::ZERO),
        (None, UnsetTime::Absent) => {}
    }
    if knobs.regulation_details {
        view["regulate_id"] = json!(regulation.id);
        view["parent"] = json!(match &regulation.source {
            None => format!("workspaces/{}", workspace.slug),
            Some(source) => format!("workspaces/{}/sources/{source}", workspace.slug),
        });
        view["regulation_type"] = json!(regulation.kind);
        view["attributes"] = attributes(regulation);
        if regulation.attribute == Attribute::ObjectId {
            view["collection"] = json!(regulation.collection);
        }
    }
    view
}

fn stream(stream: &StreamReport) -> Value {
    let parts: Vec<_> = stream.parts.iter().map(part).collect();
    json!({"id": stream.source_id, "destination_status": parts})
}

fn part(part: &PartReport) -> Value {
    json!({
        "name": part.name,
        "id": part.name,
        "status": part.status,
        "err_string": part.err_string,
        "finished_at": part.finished_ms.map_or_else(|| times::ZERO.to_owned(), times::to_second),
    })
}
