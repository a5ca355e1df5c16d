//! The connector: what the engine calls.

use std::time::Duration;

use async_trait::async_trait;
use http::StatusCode;
use jiff::Timestamp;
use secrecy::SecretString;

use super::api::{self, Api};
use super::errors::{self, Asked};
use super::{check, detection, scan};
use crate::client::{Reply, VendorClient};
use crate::connector::{CheckReport, Connector, Cursor, Deleted, Detection, Residual, ScanPage, Subject};
use crate::error::VendorError;
use habeas_domain::IdentifierType;

/// How long a deletion waits for leave after the contact was asked for: longer, and it would have to be
/// asked for again, because it may have become somebody else's meanwhile.
const DELETION_PATIENCE: Duration = Duration::from_secs(5);

pub(super) struct ReadyCloudConnector {
    api: Api,
    token_expires_at: Option<Timestamp>,
}

impl ReadyCloudConnector {
    pub(super) fn new(
        client: VendorClient,
        token: SecretString,
        token_expires_at: Option<Timestamp>,
    ) -> Self {
        Self { api: Api::new(client, token), token_expires_at }
    }
}

#[async_trait]
impl Connector for ReadyCloudConnector {
    async fn check(&self, now: Timestamp) -> Result<CheckReport, VendorError> {
        let mut report = check::permissions(&self.api).await?;
        report.expires_at = self.token_expires_at;
        report.warnings.extend(check::expiry_warning(self.token_expires_at, now));
        Ok(report)
    }

    async fn detect(&self) -> Result<Detection, VendorError> {
        detection::detect(&self.api).await
    }

    async fn scan(&self, cursor: Option<&Cursor>, subjects: &[Subject]) -> Result<ScanPage, VendorError> {
        scan::page(&self.api, cursor, subjects).await
    }

    async fn delete_record(&self, subject: &Subject, vendor_id: &str) -> Result<Deleted, VendorError> {
        let (organisation, contact) = match RecordId::read(vendor_id)? {
            RecordId::Contact(organisation, contact) => (organisation, contact),
            RecordId::Order => return Err(errors::orders_cannot_be_deleted()),
        };
        let held = match self.api.contact(organisation, contact).await? {
            Reply::Value(held) => held,
            Reply::Refused(answer) if answer.status == StatusCode::NOT_FOUND => {
                return Ok(Deleted::AlreadyGone);
            }
            Reply::Refused(answer) => return Err(errors::refused(&answer, Asked::Contact)),
        };
        // What decides is the contact as it is now, not as it was when somebody reviewed it.
        if !held.is_expanded() {
            return Err(errors::addresses_not_expanded());
        }
        if !held.emails().any(|email| subject.has(IdentifierType::Email, &email)) {
            return Ok(Deleted::NotTheirs);
        }
        let call = self.api.delete_contact(organisation, contact).effect().patient(DELETION_PATIENCE);
        let answer = call.send().await?;
        match answer.status {
            status if status.is_success() => Ok(Deleted::Deleted),
            StatusCode::NOT_FOUND => Ok(Deleted::AlreadyGone),
            _ => Err(errors::refused(&answer, Asked::Deletion)),
        }
    }
}

/// What stays after a deletion.
pub(super) fn residuals_of_deletion() -> Vec<Residual> {
    let residual = |what: &str, why: &str| Residual { what: what.to_owned(), why: why.to_owned() };
    vec![
        residual(
            "orders",
            "each order keeps its own copy of name, e-mail address, telephone number and postal address, and the \
             permissions of this integration do not reach orders; remove them in ReadyCloud by hand if they must go",
        ),
        residual(
            "store synchronisation",
            "a shop that is connected to ReadyCloud may create the contact again from its own data; delete the \
             person there as well",
        ),
    ]
}

/// A record's id, as the scan gave it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum RecordId<'a> {
    Contact(&'a str, &'a str),
    Order,
}

impl<'a> RecordId<'a> {
    pub(super) fn read(vendor_id: &'a str) -> Result<Self, VendorError> {
        let parts: Vec<&str> = vendor_id.split('/').collect();
        if !parts.iter().all(|part| api::is_key(part)) {
            return Err(errors::not_a_contact());
        }
        match parts.as_slice() {
            [organisation, contact] => Ok(Self::Contact(organisation, contact)),
            [_, "orders", _] => Ok(Self::Order),
            _ => Err(errors::not_a_contact()),
        }
    }

    pub(super) fn of_contact(organisation: &str, contact: &str) -> String {
        format!("{organisation}/{contact}")
    }

    pub(super) fn of_order(organisation: &str, order: &str) -> String {
        format!("{organisation}/orders/{order}")
    }
}
