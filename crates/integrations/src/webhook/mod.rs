//! Webhook: a system of the company's own, connected by signed messages.
//!
//! The protocol is ours and stands in `docs/webhook-protocol.md`; its signatures are those of Standard Webhooks. The system
//! answers at once, when it is asked, or by a call of its own (`callback`).

mod api;
mod callback;
mod connector;
mod errors;
mod manifest;
mod settings;
mod signature;
#[cfg(test)]
mod tests;
mod wire;

use jiff::Timestamp;
use secrecy::SecretString;

use crate::client::VendorClient;
use crate::connector::{
    Callback, CallbackHead, CallbackRefused, Connector, Integration, SettingError, Settings,
};
use crate::error::VendorError;
use crate::manifest::Manifest;
use signature::SigningKey;

/// The catalogue's entry.
#[derive(Clone, Copy, Debug)]
pub struct Webhook;

impl Integration for Webhook {
    fn manifest(&self) -> &'static Manifest {
        &manifest::MANIFEST
    }

    fn normalise(&self, settings: Settings, _: Timestamp) -> Result<Settings, Vec<SettingError>> {
        settings::normalise(&settings)
    }

    fn account(&self, settings: &Settings) -> SecretString {
        SecretString::from(settings.text(settings::ENDPOINT_URL))
    }

    fn callback(
        &self,
        settings: &Settings,
        head: CallbackHead<'_>,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Callback, CallbackRefused> {
        callback::read(settings, head, body, now)
    }

    fn connect(&self, settings: &Settings, client: VendorClient) -> Result<Box<dyn Connector>, VendorError> {
        let key = SigningKey::read(settings.text(settings::SIGNING_SECRET))
            .map_err(|_| errors::unusable_settings(settings::SIGNING_SECRET))?;
        Ok(Box::new(connector::WebhookConnector::new(api::Api::new(client, key))))
    }
}
