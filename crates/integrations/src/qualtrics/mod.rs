//! Qualtrics (API v3): survey responses, contacts and users of a brand.
//!
//! Access begins a customer-data job at the vendor, follows it and fetches its files; contacts with their history and
//! users are then looked up directly. Deletion is the vendor's own erasure of everything about an e-mail address,
//! followed by reading the vendor's list of erasures. What the vendor documents and what is only assumed is told
//! apart in `docs/integrations/qualtrics.md`; what is assumed of customer data
//! is all in the module `customer_data`.

mod access;
mod api;
mod check;
mod connector;
mod customer_data;
mod erasure;
mod errors;
mod manifest;
mod paging;
mod people;
mod settings;
#[cfg(test)]
mod tests;
mod token;
mod values;

use std::sync::Arc;

use jiff::Timestamp;
use secrecy::SecretString;

use crate::client::VendorClient;
use crate::connector::{Connector, Integration, Residual, SettingError, Settings};
use crate::error::VendorError;
use crate::manifest::{Manifest, is_host_label};

/// The catalogue's entry. Connectors made by one value share its access tokens.
#[derive(Debug, Default)]
pub struct Qualtrics {
    tokens: token::TokenStore,
}

impl Integration for Qualtrics {
    fn manifest(&self) -> &'static Manifest {
        &manifest::MANIFEST
    }

    fn normalise(&self, settings: Settings, _: Timestamp) -> Result<Settings, Vec<SettingError>> {
        settings::normalise(&settings)
    }

    /// The vendor counts per brand; the client is all that is known of it, and it stays the same when its secret is
    /// replaced.
    fn account(&self, settings: &Settings) -> SecretString {
        let (datacenter_id, client_id) =
            (settings.text(settings::DATACENTER_ID), settings.text(settings::CLIENT_ID));
        SecretString::from(format!("{datacenter_id}\n{client_id}"))
    }

    fn residuals_of_deletion(&self) -> Vec<Residual> {
        connector::residuals_of_deletion()
    }

    fn connect(&self, settings: &Settings, client: VendorClient) -> Result<Box<dyn Connector>, VendorError> {
        let datacenter_id = settings.text(settings::DATACENTER_ID);
        let credentials = settings::Credentials::read(settings).filter(|_| is_host_label(datacenter_id));
        let Some(credentials) = credentials else { return Err(errors::settings_missing()) };
        let account = self.tokens.account(&client, &credentials);
        let session = token::Session::new(client.clone(), credentials, Arc::clone(&account));
        let api = api::Api::new(client, session);
        Ok(Box::new(connector::QualtricsConnector::new(api, datacenter_id.to_owned())))
    }
}
