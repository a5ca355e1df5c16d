//! The catalogue as this API shows it: metadata, which also comes with everything that is connected.
//!
//! Own choices: what an entry supports follows from its components, the vendor owns all of them, and nothing has
//! actions, presets or former names.

use serde_json::{Value, json};

use super::envelope::Failure;
use super::routes::{Answer, Call, Outcome};
use crate::segment_config::catalogue::{
    DESTINATIONS, DestinationEntry, SOURCES, SettingEntry, SourceEntry, WAREHOUSE_SETTINGS, WAREHOUSES,
    WarehouseEntry,
};
use crate::segment_config::state::State;

pub(super) fn sources(_: &mut State, call: &Call<'_>) -> Outcome {
    call.list("sourcesCatalog", SOURCES.iter(), source_metadata)
}

pub(super) fn source(_: &mut State, call: &Call<'_>) -> Outcome {
    one("sourceMetadata", SOURCES, |entry| entry.id == call.keys.metadata, source_metadata)
}

pub(super) fn destinations(_: &mut State, call: &Call<'_>) -> Outcome {
    call.list("destinationsCatalog", DESTINATIONS.iter(), destination_metadata)
}

pub(super) fn destination(_: &mut State, call: &Call<'_>) -> Outcome {
    one("destinationMetadata", DESTINATIONS, |entry| entry.id == call.keys.metadata, destination_metadata)
}

pub(super) fn warehouses(_: &mut State, call: &Call<'_>) -> Outcome {
    call.list("warehousesCatalog", WAREHOUSES.iter(), warehouse_metadata)
}

pub(super) fn warehouse(_: &mut State, call: &Call<'_>) -> Outcome {
    one("warehouseMetadata", WAREHOUSES, |entry| entry.id == call.keys.metadata, warehouse_metadata)
}

fn one<T>(key: &str, entries: &[T], is_meant: impl Fn(&T) -> bool, view: impl Fn(&T) -> Value) -> Outcome {
    let entry = entries.iter().find(|entry| is_meant(entry)).ok_or_else(Failure::not_found)?;
    Ok(Answer::Data(json!({ key: view(entry) })))
}

pub(super) fn source_metadata(entry: &SourceEntry) -> Value {
    let what = if entry.is_cloud { "objects" } else { "events" };
    json!({
        "id": entry.id,
        "name": entry.display_name,
        "slug": entry.slug,
        "description": format!("Collects {what} from {}.", entry.display_name),
        "logos": logos(entry.slug),
        "options": [],
        "categories": entry.categories,
        "isCloudEventSource": entry.is_event_cloud,
        "status": "PUBLIC",
        "partnerOwned": false,
    })
}

pub(super) fn destination_metadata(entry: &DestinationEntry) -> Value {
    let runs_on = |component: &str| entry.components.contains(&component);
    let components = entry.components.iter().map(|component| {
        let kind = match *component {
            "CLOUD" => "SERVER",
            "WEB" => "BROWSER",
            other => other,
        };
        json!({"type": kind, "code": format!("https://code.example.test/{}", entry.slug), "owner": "SEGMENT"})
    });
    let instances = |component: &str| if runs_on(component) { "SINGLE" } else { "NONE" };
    json!({
        "id": entry.id,
        "name": entry.display_name,
        "slug": entry.slug,
        "description": format!("Sends data to {}.", entry.display_name),
        "logos": logos(entry.slug),
        "options": options(entry.settings),
        "status": entry.status,
        "previousNames": [],
        "categories": [entry.category],
        "website": entry.website,
        "components": components.collect::<Vec<_>>(),
        "supportedFeatures": {
            "cloudModeInstances": instances("CLOUD"),
            "deviceModeInstances": instances("WEB"),
            "replay": true,
            "browserUnbundling": runs_on("WEB"),
            "browserUnbundlingPublic": runs_on("WEB"),
        },
        "supportedMethods":
            {"pageview": true, "identify": true, "alias": true, "track": true, "group": true},
        "supportedPlatforms": {
            "browser": runs_on("WEB"),
            "server": runs_on("CLOUD"),
            "mobile": runs_on("IOS") || runs_on("ANDROID"),
            "warehouse": false,
        },
        "actions": [],
        "presets": [],
        "contacts": [],
        "partnerOwned": false,
        "supportedRegions": ["us-west-2", "eu-west-1"],
        "regionEndpoints": ["US", "EU"],
    })
}

pub(super) fn warehouse_metadata(entry: &WarehouseEntry) -> Value {
    json!({
        "id": entry.id,
        "name": entry.display_name,
        "slug": entry.slug,
        "description": format!("Copies data into {}.", entry.display_name),
        "logos": logos(entry.slug),
        "options": options(WAREHOUSE_SETTINGS),
    })
}

fn logos(slug: &str) -> Value {
    let address = |kind| format!("https://cdn.example.test/{kind}/{slug}.svg");
    json!({"default": address("logos"), "mark": address("marks"), "alt": null})
}

fn options(settings: &[SettingEntry]) -> Value {
    let option = |setting: &SettingEntry| {
        json!({
            "name": setting.name,
            "type": setting.kind.to_ascii_lowercase(),
            "required": setting.required,
            "description": format!("The {} of the account.", setting.display_name),
            "label": setting.display_name,
        })
    };
    settings.iter().map(option).collect()
}
