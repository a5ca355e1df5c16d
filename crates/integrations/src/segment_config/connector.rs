//! The connector: what the engine calls.

use std::collections::HashSet;

use async_trait::async_trait;
use habeas_domain::IdentifierType;
use jiff::Timestamp;

use super::api::Api;
use super::errors::Which;
use super::{check, detection, errors, follow, reconcile};
use crate::connector::{CheckReport, Connector, Detection, FUTURE_DATA, Job, Progress, Residual, Subject};
use crate::error::VendorError;

pub(super) struct SegmentConnector {
    /// At least one; the first is the one that is used for work.
    apis: Vec<Box<dyn Api>>,
    is_in_eu: bool,
}

impl SegmentConnector {
    pub(super) fn new(apis: Vec<Box<dyn Api>>, is_in_eu: bool) -> Self {
        Self { apis, is_in_eu }
    }

    fn api(&self) -> Result<&dyn Api, VendorError> {
        self.apis.first().map(AsRef::as_ref).ok_or_else(|| errors::unusable_settings(&[]))
    }
}

#[async_trait]
impl Connector for SegmentConnector {
    async fn check(&self, _: Timestamp) -> Result<CheckReport, VendorError> {
        let (mut report, which) = check::permissions(&self.apis).await?;
        if which == Which::Config {
            report.warnings.extend(check::region_warning(self.is_in_eu));
        }
        Ok(report)
    }

    async fn detect(&self) -> Result<Detection, VendorError> {
        let api = self.api()?;
        Ok(detection::systems(api.systems().await?, api.which() == Which::Public))
    }

    async fn erase(&self, subjects: &[Subject]) -> Result<Job, VendorError> {
        let mut sent = HashSet::new();
        let mut all = Vec::new();
        for subject in subjects {
            let own = values(subject);
            // One job answers for everybody in it, so nobody may be left out of it silently.
            if own.is_empty() {
                return Err(errors::nobody_to_delete());
            }
            all.extend(own.into_iter().filter(|value| sent.insert(*value)));
        }
        if all.is_empty() {
            return Err(errors::nobody_to_delete());
        }
        self.api()?.create(&all).await
    }

    async fn find_erasures(
        &self,
        subjects: &[Subject],
        since: Timestamp,
    ) -> Result<Vec<Option<Job>>, VendorError> {
        reconcile::find(self.api()?, subjects, since).await
    }

    async fn follow(&self, jobs: &[Job]) -> Result<Vec<Progress>, VendorError> {
        follow::progress(self.api()?, jobs).await
    }
}

/// What stays after a deletion.
pub(super) fn residuals_of_deletion() -> Vec<Residual> {
    let residual = |what: &str, why: &str| Residual { what: what.to_owned(), why: why.to_owned() };
    vec![
        residual(
            FUTURE_DATA,
            "the deletion also suppresses the person: Segment blocks all data about them that arrives later, until \
             somebody lifts the suppression in Segment; data that devices send straight to a destination is not blocked",
        ),
        residual(
            "destinations that do not accept forwarded deletions",
            "Segment hands the deletion on only to destinations that accept it; delete the person in every other \
             destination as well",
        ),
        residual(
            "raw data copies",
            "copies of raw events outside Segment's own stores (exports, archives, files) are not reached; delete \
             the person there as well",
        ),
        residual(
            "warehouses",
            "a deletion does not reach every warehouse that is connected; check the person's rows in each of them",
        ),
    ]
}

/// Everything that finds the person at Segment, once each: both are values of the same attribute there. As written:
/// Segment tells upper and lower case apart.
pub(super) fn values(subject: &Subject) -> Vec<&str> {
    let mut seen = HashSet::new();
    [IdentifierType::Email, IdentifierType::UserId]
        .into_iter()
        .flat_map(|kind| subject.values(kind))
        .filter(|value| !value.trim().is_empty() && seen.insert(*value))
        .collect()
}
