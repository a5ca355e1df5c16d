//! Segment: deletions ("regulations") in one workspace, and the systems connected to it.
//!
//! One regulation deletes everything that Segment holds about many people and hands the deletion on to the
//! destinations that accept it. Segment works on it for days; what it says afterwards is told apart here into
//! "Segment deleted" and "a destination behind it did not". Access is answered by a person: this API reads
//! nothing about anybody. What the vendor documents and what is only assumed is told apart in
//! `docs/integrations/segment_config.md`.
//!
//! Segment has two APIs, and a token opens one of them: `config` is the older Config API (v1beta), `public` the newer
//! Public API. Only these folders know how the two spell things; everything else speaks through the trait in `api` and works
//! on the values of `regulation`. Which of them a token opens is found out by asking, at every check.

mod api;
mod check;
mod config;
mod connector;
mod detection;
mod errors;
mod follow;
mod lenient;
mod manifest;
mod outcome;
mod public;
mod reconcile;
mod regulation;
mod settings;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use secrecy::SecretString;

use crate::client::VendorClient;
use crate::connector::{Connector, Integration, Residual, SettingError, Settings};
use crate::error::VendorError;
use crate::manifest::Manifest;

/// The catalogue's entry.
#[derive(Clone, Copy, Debug)]
pub struct SegmentConfig;

impl Integration for SegmentConfig {
    fn manifest(&self) -> &'static Manifest {
        &manifest::MANIFEST
    }

    fn normalise(&self, settings: Settings, _: Timestamp) -> Result<Settings, Vec<SettingError>> {
        settings::normalise(&settings)
    }

    /// Whether the vendor counts per token, per workspace or per address is not documented; what two tokens have in
    /// common for sure, the monthly quota included, is the workspace.
    fn account(&self, settings: &Settings) -> SecretString {
        SecretString::from(settings.text(settings::WORKSPACE_NAME))
    }

    fn residuals_of_deletion(&self) -> Vec<Residual> {
        connector::residuals_of_deletion()
    }

    fn connect(&self, settings: &Settings, client: VendorClient) -> Result<Box<dyn Connector>, VendorError> {
        let kept = settings::normalise(settings).map_err(|wrong| errors::unusable_settings(&wrong))?;
        let (token, workspace) = (kept.text(settings::API_TOKEN), kept.text(settings::WORKSPACE_NAME));
        let newer = client.newer_api().map(|client| public::PublicApi::new(client, token, workspace));
        let mut apis: Vec<Box<dyn api::Api>> =
            vec![Box::new(config::ConfigApi::new(client, token, workspace))];
        if let Some(newer) = newer {
            apis.push(Box::new(newer));
        }
        // The one that worked last comes first.
        let known = kept.text(settings::API);
        apis.sort_by_key(|api| api.which().word() != known);
        Ok(Box::new(connector::SegmentConnector::new(apis, kept.text(settings::REGION) == settings::EU)))
    }
}
