//! Segment (Config API v1beta): deletions ("regulations") in one workspace.
//!
//! One regulation deletes everything that Segment holds about many people and hands the deletion on to the
//! destinations that accept it. Segment works on it for days; what it says afterwards is told apart here into
//! "Segment deleted" and "a destination behind it did not". Access is answered by a person: this API reads
//! nothing about anybody. What the vendor documents and what is only assumed is told apart in
//! `docs/integrations/segment_config.md`.
//!
//! Only `api` and `wire` know how this API spells things. Everything else works on the values of
//! `regulation`, so that Segment's newer API can take their place.

mod api;
mod check;
mod connector;
mod errors;
mod follow;
mod manifest;
mod outcome;
mod reconcile;
mod regulation;
mod settings;
#[cfg(test)]
mod tests;
mod wire;

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
        let api = api::Api::new(client, kept.text(settings::API_TOKEN), kept.text(settings::WORKSPACE_NAME));
        Ok(Box::new(connector::SegmentConnector::new(api, kept.text(settings::REGION) == settings::EU)))
    }
}
