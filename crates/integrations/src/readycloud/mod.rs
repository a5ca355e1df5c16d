//! ReadyCloud (API V2): contacts of the organisations that an access token opens.
//!
//! The vendor cannot search for a person: an e-mail address lives only in a contact's addresses, and no
//! filter on it is documented. So access is a pass over all contacts with a local comparison, and a
//! deletion asks for each contact again just before it deletes it. What the vendor documents and what is
//! only assumed is told apart in `docs/integrations/readycloud.md`.

mod api;
mod check;
mod connector;
mod detection;
mod errors;
mod manifest;
mod scan;
mod settings;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use crate::client::VendorClient;
use crate::connector::{Connector, Integration, Residual, SettingError, Settings};
use crate::error::{ErrorKind, Retry, VendorError};
use crate::manifest::Manifest;

/// The catalogue's entry.
#[derive(Clone, Copy, Debug)]
pub struct ReadyCloud;

impl Integration for ReadyCloud {
    fn manifest(&self) -> &'static Manifest {
        &manifest::MANIFEST
    }

    fn normalise(&self, settings: Settings, now: Timestamp) -> Result<Settings, Vec<SettingError>> {
        settings::normalise(&settings, now)
    }

    /// The vendor counts per API client, and a token belongs to one: the token is all that is known of it.
    fn account(&self, settings: &Settings) -> SecretString {
        SecretString::from(settings.text(settings::ACCESS_TOKEN))
    }

    fn residuals_of_deletion(&self) -> Vec<Residual> {
        connector::residuals_of_deletion()
    }

    fn connect(&self, settings: &Settings, client: VendorClient) -> Result<Box<dyn Connector>, VendorError> {
        let token = settings.get(settings::ACCESS_TOKEN).filter(|token| !token.expose_secret().is_empty());
        let Some(token) = token else {
            return Err(VendorError::new(
                ErrorKind::Configuration,
                Retry::Never,
                "the connection has no access token",
                "edit the connection and enter an access token",
            ));
        };
        let token_expires_at = settings::token_expires_at(settings);
        Ok(Box::new(connector::ReadyCloudConnector::new(client, token.clone(), token_expires_at)))
    }
}
