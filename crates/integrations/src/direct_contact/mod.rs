//! Direct contact: a system without an API that the product knows. A person at its owner answers.

mod manifest;
#[cfg(test)]
mod tests;

use async_trait::async_trait;
use habeas_domain::IdentifierType;
use jiff::Timestamp;
use secrecy::SecretString;

use crate::client::VendorClient;
use crate::connector::{CheckReport, Connector, Integration, SettingError, Settings};
use crate::error::VendorError;
use crate::manifest::Manifest;

/// The catalogue's entry.
#[derive(Clone, Copy, Debug)]
pub struct DirectContact;

impl Integration for DirectContact {
    fn manifest(&self) -> &'static Manifest {
        &manifest::MANIFEST
    }

    fn normalise(&self, settings: Settings, _: Timestamp) -> Result<Settings, Vec<SettingError>> {
        let email =
            IdentifierType::Email.accept(settings.text(manifest::PROCESSOR_EMAIL)).map_err(|invalid| {
                vec![SettingError { key: manifest::PROCESSOR_EMAIL.to_owned(), message: invalid.to_string() }]
            })?;
        Ok(Settings::from_iter([(manifest::PROCESSOR_EMAIL, email)]))
    }

    fn account(&self, settings: &Settings) -> SecretString {
        SecretString::from(settings.text(manifest::PROCESSOR_EMAIL))
    }

    fn contact(&self, settings: &Settings) -> Option<String> {
        Some(settings.text(manifest::PROCESSOR_EMAIL).to_owned())
    }

    fn connect(&self, _: &Settings, _: VendorClient) -> Result<Box<dyn Connector>, VendorError> {
        Ok(Box::new(Nobody))
    }
}

/// There is nothing to call, so nothing to prove.
struct Nobody;

#[async_trait]
impl Connector for Nobody {
    async fn check(&self, _: Timestamp) -> Result<CheckReport, VendorError> {
        Ok(CheckReport::default())
    }
}
