//! What workers do: take work under a lease, and write what came of it.
//!
//! Every write names the lease's fence first; a worker that lost its lease changes nothing.

mod assign;
mod page;
mod sealer;
mod settle;

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use habeas_domain::{Actor, DueWorkId, RecordId, RequestId, RunId};
use habeas_integrations::{Deleted, FoundRecord, Residual, Subject};
use habeas_store::due_work::{self, DueWorkKind, Lease};
use habeas_store::operations::Operation;
use habeas_store::records;
use jiff::Timestamp;

use crate::Casework;
use crate::changes::Changes;
use crate::details::RunFailure;
use crate::error::CaseworkError;

/// A run that an operation serves, with its subject.
#[derive(Clone, Debug)]
pub struct Member {
    /// The run.
    pub run: RunId,
    /// Its request.
    pub request: RequestId,
    /// During which pass it joined.
    pub joined_pass: u64,
    /// Before which page it joined.
    pub joined_page: u64,
    /// Who it is about.
    pub subject: Subject,
}

/// A record to be deleted.
#[derive(Clone, Debug)]
pub struct Target {
    /// Our record.
    pub record: RecordId,
    /// The vendor's id of it.
    pub vendor_id: String,
}

/// A claimed operation with everything that is needed to do it.
#[derive(Clone, Debug)]
pub struct Assignment {
    /// The lease.
    pub lease: Lease,
    /// The operation. Its status is what was written with the claim: `sent` for effects (the intent is on record),
    /// `unknown` if an earlier worker may have sent it.
    pub operation: Operation,
    /// The runs it serves.
    pub members: Vec<Member>,
    /// What to delete, for [`habeas_domain::operation::OperationKind::DeleteRecords`].
    pub targets: Vec<Target>,
    /// From when the lease counts, on the clock that never jumps: before the claim was asked for.
    pub claimed_at: Duration,
}

/// What was claimed.
#[derive(Clone, Debug, Default)]
pub struct Claimed {
    /// Operations.
    pub assignments: Vec<Assignment>,
    /// Checks of connections.
    pub checks: Vec<Lease>,
}

/// What came of an operation.
#[derive(Clone, Debug)]
pub enum Finding {
    /// The subject's records were collected.
    Collected(Vec<FoundRecord>),
    /// Everything that was to be deleted is deleted, on the vendor's word.
    Deleted {
        /// Whether a pass over the vendor's data has to prove it.
        prove: bool,
        /// What stays behind.
        residuals: Vec<Residual>,
    },
    /// A passing failure.
    Retry {
        /// What happened.
        failure: RunFailure,
        /// When to try again.
        at: Timestamp,
        /// Whether an effect may have taken place.
        unknown: bool,
    },
    /// A person must decide.
    Failed(RunFailure),
    /// Nothing was sent, and it is nobody's fault: pacing, or the worker stops.
    Released {
        /// When it may be sent.
        at: Timestamp,
    },
}

/// What came of one claimed operation that serves one run.
#[derive(Clone, Debug)]
pub struct Report {
    /// What was claimed.
    pub assignment: Assignment,
    /// What came of it.
    pub finding: Finding,
}

/// What one page of a pass showed.
#[derive(Debug)]
pub struct PageReport {
    /// The lease, with the attempts that failed before this page was read.
    pub lease: Lease,
    /// The operation, standing where the pass goes on.
    pub operation: Operation,
    /// What was found, and for whom.
    pub matches: Vec<(RunId, FoundRecord)>,
    /// What could not be read.
    pub residuals: Vec<Residual>,
    /// Runs that have now seen everything.
    pub finished: Vec<RunId>,
    /// How long the lease is to last from now, milliseconds.
    pub lease_milliseconds: i64,
}

/// How a pass goes on.
#[derive(Debug)]
pub enum PassContinues {
    /// The lease was lost: stop.
    LeaseLost,
    /// Nobody waits any more: the pass is over.
    Over,
    /// Read the next page, for these newcomers as well.
    With {
        /// Runs that joined meanwhile, taken up before the next page.
        newcomers: Vec<Member>,
        /// Everyone who waits now; whoever is missing left meanwhile (stopped, on hold, closed).
        waiting: HashSet<RunId>,
    },
}

impl Casework {
    /// Claims due work of one lane. Effects are on record as `sent` when this returns.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn claim(
        &self,
        lane: &str,
        lease_milliseconds: i64,
        limit: i64,
    ) -> Result<Claimed, CaseworkError> {
        let (lane, now) = (lane.to_owned(), self.store.shared_now());
        let claimed_at = self.store.environment().clock().monotonic();
        self.store
            .write(move |unit| {
                Box::pin(async move {
                    let leases =
                        due_work::claim(unit.connection(), &lane, now, lease_milliseconds, limit).await?;
                    let (checks, leases): (Vec<_>, Vec<_>) =
                        leases.into_iter().partition(|lease| lease.kind == DueWorkKind::Check);
                    Ok(Claimed { assignments: assign::assign(unit, leases, claimed_at).await?, checks })
                })
            })
            .await
    }

    /// Extends leases of work that takes longer; those still held.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn extend_leases(
        &self,
        leases: Vec<(DueWorkId, i64)>,
        lease_milliseconds: i64,
    ) -> Result<Vec<DueWorkId>, CaseworkError> {
        let now = self.store.shared_now();
        self.store
            .write(move |unit| {
                Box::pin(async move {
                    Ok(due_work::extend(unit.connection(), leases, now, lease_milliseconds).await?)
                })
            })
            .await
    }

    /// Notes what the deletion of one record did and extends the lease; whether it is still held.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn note_deletion(
        &self,
        lease: &Lease,
        record: RecordId,
        deleted: Deleted,
        lease_milliseconds: i64,
    ) -> Result<bool, CaseworkError> {
        let (key, now) = ((lease.id, lease.fence), self.store.shared_now());
        self.store
            .write(move |unit| {
                Box::pin(async move {
                    let held = due_work::extend(unit.connection(), [key], now, lease_milliseconds).await?;
                    if !held.is_empty() {
                        let noted = [(record, deletion_word(deleted))];
                        records::note_deletions(unit.connection(), noted).await?;
                    }
                    Ok(!held.is_empty())
                })
            })
            .await
    }

    /// Writes what came of operations that serve one run each, and moves on the requests whose phase is over.
    ///
    /// # Errors
    /// If the store fails; the leases then run out and the work is taken up again.
    pub async fn settle(&self, reports: Vec<Report>) -> Result<(), CaseworkError> {
        let catalogue = self.catalogue_arc();
        self.store
            .write(move |unit| {
                Box::pin(async move {
                    let mut changes = Changes::new(unit, &Actor::system(), &catalogue);
                    let requests: BTreeSet<RequestId> = reports
                        .iter()
                        .flat_map(|report| &report.assignment.members)
                        .map(|member| member.request)
                        .collect();
                    changes.lock(unit, requests).await?;
                    let reports = settle::still_held(unit, reports).await?;
                    settle::settle(unit, &mut changes, reports).await?;
                    changes.finish(unit).await
                })
            })
            .await?;
        self.announce_work();
        Ok(())
    }

    /// Writes what a page of a pass showed: found records, runs that have seen everything, where the pass stands.
    ///
    /// # Errors
    /// If the store fails; the page is then read again.
    pub async fn report_page(&self, page: PageReport) -> Result<PassContinues, CaseworkError> {
        let (catalogue, now) = (self.catalogue_arc(), self.store.shared_now());
        let continues = self
            .store
            .write(move |unit| {
                Box::pin(async move {
                    let mut changes = Changes::new(unit, &Actor::system(), &catalogue);
                    page::report_page(unit, &mut changes, page, now).await
                })
            })
            .await?;
        self.announce_work();
        Ok(continues)
    }

    /// A pass failed for now, or needs a person: every run that waits for it says so.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn report_failed_pass(
        &self,
        lease: Lease,
        operation: Operation,
        finding: Finding,
    ) -> Result<(), CaseworkError> {
        let catalogue = self.catalogue_arc();
        self.store
            .write(move |unit| {
                Box::pin(async move {
                    let mut changes = Changes::new(unit, &Actor::system(), &catalogue);
                    page::fail_pass(unit, &mut changes, &lease, operation, finding).await?;
                    changes.finish(unit).await
                })
            })
            .await?;
        self.announce_change();
        Ok(())
    }
}

const fn deletion_word(deleted: Deleted) -> &'static str {
    match deleted {
        Deleted::Deleted => "deleted",
        Deleted::AlreadyGone => "already_gone",
        Deleted::NotTheirs => "not_theirs",
    }
}
