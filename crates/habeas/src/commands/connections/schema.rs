//! The JSON Schema (draft 2020-12) of files that declare connections, for editors. Made from the manifests.

use habeas_casework::connections::{MOST_DEADLINE_DAYS, possible_handlings, usual_handling};
use habeas_casework::contacts::OnExpiry;
use habeas_domain::capability::{Capability, DeletionCompletion, DeletionTiming, Handling};
use habeas_integrations::{Catalogue, Integration, Manifest, Setting};
use serde_json::{Map, Value, json};

/// What a reference to another place looks like.
const REFERENCE: &str = "^(env|file):.";

pub(super) fn schema() -> Value {
    let catalogue = Catalogue::default();
    let manifests: Vec<&Manifest> = catalogue.iter().map(Integration::manifest).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Connections of Habeas",
        "description": "The systems that Habeas is connected to, for `habeas connections plan` and `apply`",
        "type": "object",
        "required": ["connections"],
        "additionalProperties": false,
        "properties": {
            "connections": {
                "description": "Every connection that there should be",
                "type": "array",
                "items": connection(&manifests),
            },
        },
        "$defs": definitions(&manifests),
    })
}

/// A connection: what holds for each, and what holds for its integration.
fn connection(manifests: &[&Manifest]) -> Value {
    let names: Vec<_> = manifests.iter().map(|manifest| manifest.name).collect();
    let titles: Vec<_> = manifests.iter().map(|one| format!("{}: {}", one.name, one.summary)).collect();
    let of_each = |manifest: &&Manifest| {
        let is_this =
            json!({"properties": {"integration": {"const": manifest.name}}, "required": ["integration"]});
        json!({"if": is_this, "then": {"$ref": format!("#/$defs/{}", manifest.name)}})
    };
    json!({
        "type": "object",
        "required": ["name", "integration"],
        "additionalProperties": false,
        "properties": {
            "name": {
                "description": "How people tell this connection from others; unique",
                "type": "string",
                "minLength": 1,
                "maxLength": 80,
            },
            "integration": {
                "description": format!("Which system. {}", titles.join(" ")),
                "enum": names,
            },
            "settings": {
                "description": "Credentials and the like. env:NAME takes a value from an environment variable, \
                                file:PATH from a file (relative to this one)",
                "type": "object",
            },
            "deletion_completion": {
                "description": "When an asynchronous deletion counts as complete: when the vendor has accepted it, or \
                                when the vendor says that it is done",
                "enum": words(DeletionCompletion::ALL, DeletionCompletion::as_str),
                "default": DeletionCompletion::OnCompletion,
            },
            "capabilities": {
                "description": "Who serves each capability, where it differs from the integration's own way",
                "type": "object",
                "additionalProperties": false,
                "properties": Capability::ALL
                    .iter()
                    .map(|one| (one.to_string(), json!({"enum": words(Handling::ALL, Handling::as_str)})))
                    .collect::<Map<_, _>>(),
            },
            "contact": contact(),
        },
        "allOf": manifests.iter().map(of_each).collect::<Vec<_>>(),
    })
}

fn contact() -> Value {
    json!({
        "description": "Who answers for what is handed to a direct contact",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "email": {
                "description": "Their e-mail address; without one, answers are entered by hand",
                "type": "string",
            },
            "deadline_days": {
                "description": "How many days they have; the installation's usual time if left out",
                "type": "integer",
                "minimum": 1,
                "maximum": MOST_DEADLINE_DAYS,
            },
            "on_expiry": {
                "description": "What happens when they do not answer: the run is skipped, or a person decides",
                "enum": words(&[OnExpiry::Skip, OnExpiry::Hold], OnExpiry::as_str),
                "default": OnExpiry::Hold,
            },
        },
    })
}

/// What holds for the connections of each integration.
fn definitions(manifests: &[&Manifest]) -> Map<String, Value> {
    let of_each = |manifest: &&Manifest| {
        let timing = manifest.capabilities.deletion.map(|deletion| deletion.timing);
        // A schema that nothing fits: the integration deletes at once.
        let completion = json!(timing == Some(DeletionTiming::Asynchronous));
        let handlings = Capability::ALL.iter().map(|capability| {
            let possible = possible_handlings(manifest, *capability);
            let usual = usual_handling(manifest, *capability);
            (capability.to_string(), json!({"enum": possible, "default": usual}))
        });
        let needed: Vec<_> =
            manifest.settings.iter().filter(|setting| !setting.optional).map(|setting| setting.key).collect();
        let definition = json!({
            "title": manifest.title,
            "description": manifest.summary,
            "required": if needed.is_empty() { json!([]) } else { json!(["settings"]) },
            "properties": {
                "settings": {
                    "required": needed,
                    "additionalProperties": false,
                    "properties": manifest
                        .settings
                        .iter()
                        .map(|one| (one.key.to_owned(), setting(manifest, one)))
                        .collect::<Map<_, _>>(),
                },
                "deletion_completion": completion,
                "capabilities": {"properties": handlings.collect::<Map<_, _>>()},
            },
        });
        (manifest.name.to_owned(), definition)
    };
    manifests.iter().map(of_each).collect()
}

fn setting(manifest: &Manifest, setting: &Setting) -> Value {
    let mut schema = json!({
        "title": setting.label,
        "description": format!("{}. Found at: {}", setting.help, setting.found_at),
        "type": "string",
    });
    if !setting.optional {
        schema["minLength"] = json!(1);
    }
    if let Some(pattern) = setting.pattern {
        schema["anyOf"] = json!([{"pattern": REFERENCE}, {"pattern": format!("^(?:{pattern})$")}]);
    }
    if setting.secret {
        schema["writeOnly"] = json!(true);
        let variable = format!("{}_{}", manifest.name, setting.key).to_uppercase();
        schema["examples"] =
            json!([format!("env:{variable}"), format!("file:/run/secrets/{}", manifest.name)]);
    }
    schema
}

fn words<T: Copy>(all: &[T], spelling: impl Fn(T) -> &'static str) -> Vec<&'static str> {
    all.iter().map(|word| spelling(*word)).collect()
}
