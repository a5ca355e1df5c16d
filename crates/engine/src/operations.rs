//! Doing one claimed operation: the calls, and what they mean for the run it serves.

use std::sync::Arc;

use habeas_casework::work::{Assignment, Finding, Report};
use habeas_casework::{CaseworkError, RunFailure};
use habeas_domain::moment::after;
use habeas_domain::operation::{OperationKind, OperationStatus};
use habeas_integrations::{Deleted, ErrorKind, Presence, Retry, Subject, VendorError, Verification};

use crate::backoff::{self, Backoff};
use crate::engine::Engine;
use crate::lease::HeldLease;
use crate::vendors::Reached;

impl Engine {
    /// Does a claimed operation. `None` if everything about it is written already, or the lease was lost.
    pub(crate) async fn carry_out(&self, mut assignment: Assignment) -> Option<Report> {
        let clock = self.environment().clock();
        let held = self.leases.hold(&assignment.lease, clock, assignment.claimed_at, self.options.lease);
        let connection = assignment.operation.connection;
        let reached = match self.vendors.for_work(&self.casework, connection, Arc::clone(&held)).await {
            Ok(reached) => reached,
            Err(error) => {
                let finding = self.unreachable(&error);
                return self.report_unreached(assignment, finding).await;
            }
        };
        let connector = reached.connector.as_ref();
        match assignment.operation.kind {
            OperationKind::Scan => {
                self.carry_out_pass(connector, reached.backoff, assignment, &held).await;
                return None;
            }
            OperationKind::Follow => {
                self.follow(&reached, assignment).await;
                return None;
            }
            OperationKind::Erase => {
                let parts = self.erase(&reached, &assignment).await;
                return Some(Report { assignment, parts });
            }
            _ => {}
        }
        let subject = assignment.members.first().map(|member| member.subject.clone())?;
        let done = match assignment.operation.kind {
            OperationKind::Lookup => connector.lookup(&subject).await.map(Finding::Collected),
            OperationKind::Export => self.export(&reached, &assignment, &subject).await,
            OperationKind::Verify => self.verify(&reached, &assignment, &subject).await,
            OperationKind::DeleteSubject => delete_subject(&reached, &assignment, &subject).await,
            _ => match self.delete_records(&reached, &mut assignment, &subject, &held).await {
                Ok(Some(finding)) => Ok(finding),
                Ok(None) => return None,
                Err(error) => Err(error),
            },
        };
        let attempts = assignment.lease.attempts;
        let finding = done.unwrap_or_else(|error| self.finding(&error, reached.backoff, attempts));
        Some(Report::whole(assignment, finding))
    }

    pub(crate) fn finding(&self, error: &VendorError, backoff: Backoff, attempts: i64) -> Finding {
        let finding = backoff::finding(error, backoff, self.environment(), attempts);
        if error.kind != ErrorKind::Paced {
            tracing::warn!(
                code = error.kind.code(),
                status = error.status,
                vendor_request_id = error.vendor_request_id.as_deref(),
                attempts,
                "a vendor call failed"
            );
        }
        finding
    }

    /// The vendor was not even asked: settings that do not open, or a connection that was removed.
    fn unreachable(&self, error: &CaseworkError) -> Finding {
        tracing::error!(%error, "a connection cannot be used");
        let failure = match error {
            CaseworkError::Vendor(error) => RunFailure::from(error),
            CaseworkError::Store(_) => {
                // The database will be back; the work is not lost.
                return Finding::Released { at: after(self.environment().now(), self.options.poll_interval) };
            }
            other => RunFailure {
                code: ErrorKind::Configuration.code().to_owned(),
                message: format!("the connection cannot be used: {other}"),
                vendor_request_id: None,
                remedy: "check the connection, or skip this system with a reason".to_owned(),
            },
        };
        Finding::Failed(failure)
    }

    async fn report_unreached(&self, assignment: Assignment, finding: Finding) -> Option<Report> {
        if !matches!(assignment.operation.kind, OperationKind::Scan | OperationKind::Follow) {
            return Some(Report::whole(assignment, finding));
        }
        self.fail_shared(assignment.lease, assignment.operation, finding).await;
        None
    }

    /// Deletes record by record, each noted before the next. Asking for a record before deleting it is part of every
    /// deletion, so taking up the work of a worker that died needs no step of its own.
    async fn delete_records(
        &self,
        reached: &Reached,
        assignment: &mut Assignment,
        subject: &Subject,
        held: &HeldLease,
    ) -> Result<Option<Finding>, VendorError> {
        let connector = reached.connector.as_ref();
        let mut refused = None;
        for target in &assignment.targets {
            // Between two records nothing is outstanding, so the rest can be left to whoever comes next.
            if self.is_stopping() {
                return Ok(Some(Finding::Released { at: self.environment().now() }));
            }
            let deleted = match connector.delete_record(subject, &target.vendor_id).await {
                Ok(deleted) => deleted,
                // This record is not to be deleted over the API; the others have nothing to do with that.
                Err(error) if error.kind == ErrorKind::NotAllowed && error.retry == Retry::Never => {
                    refused.get_or_insert(error);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let asked_at = self.environment().clock().monotonic();
            let noted = self
                .casework
                .note_deletion(&assignment.lease, target.record, deleted, self.lease_milliseconds())
                .await;
            match noted {
                Ok(true) => {
                    held.renew(asked_at, self.options.lease);
                    assignment.lease.attempts = 0;
                }
                Ok(false) => return Ok(None),
                Err(error) => {
                    tracing::error!(%error, "a deletion could not be noted; the lease runs out");
                    return Ok(None);
                }
            }
        }
        if let Some(error) = refused {
            return Err(error);
        }
        let verification = reached.manifest.capabilities.deletion.map(|deletion| deletion.verification);
        let prove = verification == Some(Verification::Scan);
        Ok(Some(Finding::Deleted { prove, residuals: reached.residuals_of_deletion.clone() }))
    }
}

/// Deletes everything about a subject in one call. Where an earlier call may have taken effect the vendor is asked
/// first.
async fn delete_subject(
    reached: &Reached,
    assignment: &Assignment,
    subject: &Subject,
) -> Result<Finding, VendorError> {
    let (connector, residuals) = (reached.connector.as_ref(), reached.residuals_of_deletion.clone());
    let asked_first = assignment.operation.status == OperationStatus::Unknown;
    if asked_first && connector.presence(subject).await? == Presence::GONE {
        return Ok(Finding::Deleted { prove: false, residuals });
    }
    match connector.delete_subject(subject).await? {
        Deleted::Deleted | Deleted::AlreadyGone => Ok(Finding::Deleted { prove: false, residuals }),
        Deleted::NotTheirs => Err(VendorError::new(
            ErrorKind::NotAllowed,
            Retry::Never,
            "the system says that the person's data is not theirs to delete",
            "look at the person in the system, then retry, or skip with a reason",
        )),
    }
}
