//! Putting things into the state, checked.

use serde_json::{Value, json};

use super::account::{Destination, Setting, Source, Token, Workspace};
use super::catalogue::{self, DestinationEntry};
use super::fixtures;
use super::ids;
use super::specs::{DestinationSpec, EventSpec, SourceSpec, SpecRefused, TokenSpec};
use super::state::State;

impl State {
    pub(super) fn add_token(&mut self, spec: TokenSpec) -> Result<(), SpecRefused> {
        if self.workspace(&spec.workspace).is_none() {
            return Err(SpecRefused::UnknownWorkspace(spec.workspace));
        }
        self.tokens.insert(spec.token, Token { workspace: spec.workspace, access: spec.access });
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
            write_keys,
            created_ms: now_ms,
            destinations: Vec::new(),
        });
        Ok(())
    }

    pub(super) fn add_destination(&mut self, spec: DestinationSpec, now_ms: u64) -> Result<(), SpecRefused> {
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
            display_name: entry.display_name.to_owned(),
            enabled: spec.enabled,
            connection_mode: spec.connection_mode,
            settings: settings(entry, &spec.slug),
            slug: spec.slug,
            created_ms: now_ms,
        });
        Ok(())
    }

    /// Takes data in; false when it is thrown away because the person is suppressed.
    pub(super) fn receive(&mut self, event: &EventSpec) -> Result<bool, SpecRefused> {
        let workspace = self.known_workspace_mut(event.workspace.as_deref())?;
        let source = event.source.as_deref().unwrap_or(fixtures::WEB_PROD);
        if workspace.source(source).is_none() {
            return Err(SpecRefused::UnknownSource(source.to_owned()));
        }
        if workspace.suppressions.covers(source, &event.user_id) {
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
fn settings(entry: &DestinationEntry, slug: &str) -> Vec<Setting> {
    let secret = |name: &str| Value::from(format!("{}{slug}-{name}", fixtures::CONFIG_SECRET_PREFIX));
    let settings = entry.settings.iter();
    settings
        .map(|it| Setting {
            name: it.name.to_owned(),
            display_name: it.display_name.to_owned(),
            kind: if it.kind == "MIXED" { "mixed" } else { "string" }.to_owned(),
            value: match it.kind {
                "MIXED" => json!([{"hook": "https://hooks.example.test/in", "token": secret(it.name)}]),
                _ => secret(it.name),
            },
        })
        .collect()
}
