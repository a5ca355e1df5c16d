//! The messages, signed.

use http::Method;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::errors;
use super::manifest::MESSAGES;
use super::signature::SigningKey;
use super::wire::{Able, About, AboutJob, Found, Message, Named, Standing};
use crate::client::{Reply, VendorClient};
use crate::connector::{Job, Subject};
use crate::error::VendorError;

pub(super) const ID: &str = "webhook-id";
pub(super) const TIMESTAMP: &str = "webhook-timestamp";
pub(super) const SIGNATURE: &str = "webhook-signature";

/// The system's endpoint.
#[derive(Debug)]
pub(super) struct Api {
    client: VendorClient,
    key: SigningKey,
}

impl Api {
    pub(super) fn new(client: VendorClient, key: SigningKey) -> Self {
        Self { client, key }
    }

    /// `connection.check`: what the system can do.
    pub(super) async fn check(&self) -> Result<Able, VendorError> {
        self.send("connection.check", json!({}), false).await
    }

    /// `access.requested`.
    pub(super) async fn request_access(&self, subject: &Subject) -> Result<Standing, VendorError> {
        self.send("access.requested", about(subject, None)?, false).await
    }

    /// `deletion.requested`.
    pub(super) async fn request_deletion(&self, subject: &Subject) -> Result<Named, VendorError> {
        self.send("deletion.requested", about(subject, None)?, true).await
    }

    /// `deletion.find`.
    pub(super) async fn find_deletion(
        &self,
        subject: &Subject,
        since: Timestamp,
    ) -> Result<Found, VendorError> {
        // It is compared with the time in a header, which has whole seconds: a fraction more would hide the deletion.
        let since = Timestamp::from_second(since.as_second()).unwrap_or(since);
        self.send("deletion.find", about(subject, Some(since))?, false).await
    }

    /// `job.status`.
    pub(super) async fn status(&self, job: &Job) -> Result<Standing, VendorError> {
        self.send("job.status", AboutJob { job: job.as_str() }, false).await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        kind: &'static str,
        data: impl Serialize + Send,
        is_effect: bool,
    ) -> Result<T, VendorError> {
        let environment = self.client.environment();
        let (id, now) = (format!("msg_{}", environment.unique().simple()), environment.now());
        let body = serde_json::to_vec(&Message { kind, timestamp: now, data })
            .map_err(|_| errors::unusable_settings("message"))?;
        let seconds = now.as_second();
        let signature = self.key.sign(&id, seconds, &body);
        let call = self
            .client
            .call(MESSAGES, Method::POST)
            .header(ID, &id)
            .header(TIMESTAMP, &seconds.to_string())
            .header(SIGNATURE, &signature)
            .json_bytes(body);
        let call = if is_effect { call.effect() } else { call };
        match call.send_json().await? {
            Reply::Value(value) => Ok(value),
            Reply::Refused(answer) => Err(errors::refused(&answer, kind)),
        }
    }
}

fn about(subject: &Subject, since: Option<Timestamp>) -> Result<About<'_>, VendorError> {
    let about = About::of(subject, since);
    if about.is_nobody() { Err(errors::nobody()) } else { Ok(about) }
}
