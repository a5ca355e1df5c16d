//! Putting things into the state, checked.

use serde_json::{Value, json};

use super::account::{Destination, Setting, Source, Token, Warehouse, Workspace};
use super::catalogue::{self, SettingEntry};
use super::fixtures;
use super::ids;
use super::specs::{DestinationSpec, EventSpec, SourceSpec, SpecRefused, TokenSpec, WarehouseSpec};
use super::state::State;

impl State {
    pub(super) fn add_token(&mut self, spec: TokenSpec) -> Result<(), SpecRefused> {
        if self.workspace(&spec.workspace).is_none() {
            return Err(SpecRefused::UnknownWorkspace(spec.workspace));
        }
        let token = Token { workspace: spec.workspace, access: spec.access, api: spec.api };
        self.tokens.insert(spec.token, token);
        Ok(())
    }

    pub(super) fn add_source(&mut self, spec: SourceSpec, now_ms: u64) -> Result<(), SpecRefused> {
        let id = ids::source(&mut self.random);
        let entry = catalogue::find_source(&spec.catalogue)
            .ok_or_else(|| SpecRefused::NotInCatalogue(spec.catalogue.clone()))?;
        let workspace = self.known_workspace_mut(spec.workspace.as_deref())?;
        if spec.slug.is_empty() || spec.slug.contains('/') {
            return Err(SpecRefused::IllegalSlug(spec.slug));
        }
        if workspace.source(&spec.slug).is_some() {
            return Err(SpecRefused::SlugTaken(spec.slug));
        }
        let write_keys = match spec.write_keys.is_empty() {
            true => vec![format!("wk-example-{}", spec.slug)],
            false => spec.write_keys,
        };
        workspace.sources.push(Source {
            display_name: spec.display_name.unwrap_or_else(|| entry.display_name.to_owned()),
            slug: spec.slug,
            id,
            catalogue: spec.catalogue,
            enabled: spec.enabled.unwrap_or(true),
            write_keys,
            created_ms: now_ms,
            destinations: Vec::new(),
        });
        Ok(())
    }

    pub(super) fn add_destination(&mut self, spec: DestinationSpec, now_ms: u64) -> Result<(), SpecRefused> {
        let id = ids::destination(&mut self.random);
        let entry = catalogue::find_destination(&spec.slug)
            .ok_or_else(|| SpecRefused::NotInCatalogue(spec.slug.clone()))?;
        let workspace = self.known_workspace_mut(spec.workspace.as_deref())?;
        let Some(source) = workspace.source_mut(&spec.source) else {
            return Err(SpecRefused::UnknownSource(spec.source));
        };
        if source.destination(&spec.slug).is_some() {
            return Err(SpecRefused::SlugTaken(spec.slug));
        }
        source.destinations.push(Destination {
            id,
            display_name: entry.display_name.to_owned(),
            enabled: spec.enabled,
            connection_mode: spec.connection_mode,
            settings: settings(entry.settings, &spec.slug),
            slug: spec.slug,
            created_ms: now_ms,
        });
        Ok(())
    }

    /// Adds a warehouse and answers its id.
    pub(super) fn add_warehouse(&mut self, spec: WarehouseSpec) -> Result<String, SpecRefused> {
        let id = ids::warehouse(&mut self.random);
        let entry = catalogue::find_warehouse(&spec.catalogue)
            .ok_or_else(|| SpecRefused::NotInCatalogue(spec.catalogue.clone()))?;
        let workspace = self.known_workspace_mut(spec.workspace.as_deref())?;
        if let Some(unknown) = spec.sources.iter().find(|slug| workspace.source(slug).is_none()) {
            return Err(SpecRefused::UnknownSource(unknown.clone()));
        }
        workspace.warehouses.push(Warehouse {
            id: id.clone(),
            name: spec.name.unwrap_or_else(|| entry.display_name.to_owned()),
            settings: settings(catalogue::WAREHOUSE_SETTINGS, &spec.catalogue),
            catalogue: spec.catalogue,
            enabled: spec.enabled,
            sources: spec.sources,
        });
        Ok(id)
    }

    /// Takes data in; false when it is thrown away, because the person is suppressed or the source not enabled.
    pub(super) fn receive(&mut self, event: &EventSpec) -> Result<bool, SpecRefused> {
        let workspace = self.known_workspace_mut(event.workspace.as_deref())?;
        let source = event.source.as_deref().unwrap_or(fixtures::WEB_PROD);
        let Some(found) = workspace.source(source) else {
            return Err(SpecRefused::UnknownSource(source.to_owned()));
        };
        if !found.enabled || workspace.suppressions.covers(source, &event.user_id) {
            return Ok(false);
        }
        workspace.people.record(&event.user_id, event.email.as_deref(), source);
        Ok(true)
    }

    fn known_workspace_mut(&mut self, slug: Option<&str>) -> Result<&mut Workspace, SpecRefused> {
        let slug = slug.unwrap_or(fixtures::WORKSPACE);
        self.workspace_mut(slug).ok_or_else(|| SpecRefused::UnknownWorkspace(slug.to_owned()))
    }
}

/// A value for everything that can be configured; all that name a key or a secret begin with
/// [`fixtures::CONFIG_SECRET_PREFIX`].
fn settings(entries: &[SettingEntry], slug: &str) -> Vec<Setting> {
    let secret = |name: &str| Value::from(format!("{}{slug}-{name}", fixtures::CONFIG_SECRET_PREFIX));
    entries
        .iter()
        .map(|it| Setting {
            name: it.name.to_owned(),
            display_name: it.display_name.to_owned(),
            kind: if it.kind == "MIXED" { "mixed" } else { "string" }.to_owned(),
            value: match it.kind {
                "MIXED" => json!([{"hook": "https://hooks.example.test/in", "token": secret(it.name)}]),
                _ => secret(it.name),
            },
            secret: it.secret,
        })
        .collect()
}
