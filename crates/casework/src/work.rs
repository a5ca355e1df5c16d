//! What workers do: take work under a lease, and write what came of it.
//!
//! Every write names the lease's fence first; a worker that lost its lease changes nothing.

pub(crate) mod assign;
pub(crate) mod follow;
mod page;
mod sealer;
pub(crate) mod settle;
mod shared;

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use habeas_domain::{Actor, DueWorkId, OperationId, RecordId, RequestId, RunId};
use habeas_integrations::{Collected, Deleted, Erased, FoundRecord, Job, Residual, Subject};
use habeas_store::due_work::{self, DueWorkKind, Lease, Renewal};
use habeas_store::operations::Operation;
use habeas_store::records;
use jiff::Timestamp;

use crate::Casework;
use crate::changes::Changes;
use crate::details::RunFailure;
use crate::error::CaseworkError;
use crate::files::LARGEST_IN_A_RECORD;
use crate::mails::{self, OutgoingMail};

pub(crate) use sealer::Sealer;
pub use settle::failed_jobs;
pub(crate) use settle::is_still_held;

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
    /// What a person acknowledged before anything is deleted.
    pub acknowledged: BTreeSet<String>,
}

/// A record to be deleted.
#[derive(Clone, Debug)]
pub struct Target {
    /// Our record.
    pub record: RecordId,
    /// The vendor's id of it.
    pub vendor_id: String,
}

/// A deletion that the vendor has accepted.
#[derive(Clone, Debug)]
pub struct FollowedJob {
    /// The operation.
    pub operation: OperationId,
    /// The vendor's job.
    pub job: Job,
    /// When it was accepted.
    pub accepted_at: Timestamp,
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
    /// What to look at, for [`habeas_domain::operation::OperationKind::Follow`].
    pub jobs: Vec<FollowedJob>,
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
    /// Reminders and deadlines of contacts.
    pub contacts: Vec<Lease>,
    /// Reminders and ends of links.
    pub links: Vec<Lease>,
    /// Packages to be made.
    pub packages: Vec<Lease>,
    /// Mails that may leave from now on.
    pub mails: Vec<(Lease, OutgoingMail)>,
    /// From when the leases count, on the clock that never jumps: before the claim was asked for.
    pub claimed_at: Duration,
}

impl Claimed {
    /// Whether nothing was due.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.assignments.is_empty()
            && self.checks.is_empty()
            && self.contacts.is_empty()
            && self.links.is_empty()
            && self.packages.is_empty()
            && self.mails.is_empty()
    }
}

/// What came of an operation.
#[derive(Clone, Debug)]
pub enum Finding {
    /// The subject's records were collected.
    Collected(Collected),
    /// The vendor collects them in a job.
    Pending {
        /// The job.
        job: Job,
        /// When to look at it again.
        at: Timestamp,
    },
    /// The vendor accepted the deletion and works on it.
    Accepted {
        /// The job.
        job: Job,
        /// When to look at it first.
        look_at: Timestamp,
        /// What stays behind.
        residuals: Vec<Residual>,
    },
    /// Nothing was accepted, because of something in the call: back to the queue in smaller pieces.
    Divided,
    /// A search found nothing any more.
    VerifiedGone {
        /// Where it could not look.
        unsearched: Vec<Residual>,
    },
    /// A search still found something, which may be its index lagging behind.
    NotYetGone {
        /// When to search again.
        at: Timestamp,
    },
    /// A search still found something although its index had time.
    StillHeld,
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

/// What came of one claimed operation.
#[derive(Clone, Debug)]
pub struct Report {
    /// What was claimed.
    pub assignment: Assignment,
    /// What came of it, for which of its runs. Parts behind the first go on as operations of their own.
    pub parts: Vec<Part>,
}

/// What came of an operation for some of its runs.
#[derive(Clone, Debug)]
pub struct Part {
    /// The runs.
    pub runs: Vec<RunId>,
    /// What came of it.
    pub finding: Finding,
}

impl Report {
    /// What came of an operation for everyone whom it serves.
    #[must_use]
    pub fn whole(assignment: Assignment, finding: Finding) -> Self {
        let runs = assignment.members.iter().map(|member| member.run).collect();
        Self { assignment, parts: vec![Part { runs, finding }] }
    }

    /// Whether it brings files that lie in the storage and not in the database.
    #[must_use]
    pub fn has_large_files(&self) -> bool {
        self.files().any(|bytes| bytes > LARGEST_IN_A_RECORD)
    }

    /// The bytes of the files that it brings.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.files().sum()
    }

    fn files(&self) -> impl Iterator<Item = usize> {
        self.parts
            .iter()
            .filter_map(|part| match &part.finding {
                Finding::Collected(found) => Some(&found.records),
                _ => None,
            })
            .flatten()
            .filter_map(|record| record.file.as_ref())
            .map(|file| file.bytes.len())
    }
}

/// What a look at a connection's deletion jobs showed.
#[derive(Debug)]
pub struct FollowReport {
    /// The lease, with the attempts that failed before this look.
    pub lease: Lease,
    /// The operation that follows.
    pub operation: Operation,
    /// The jobs that are over, and those that a person must look at.
    pub ended: Vec<(OperationId, JobEnd)>,
    /// Every job that was looked at.
    pub looked_at: BTreeSet<OperationId>,
    /// When to look again, if anything is left.
    pub next_at: Timestamp,
    /// When to look at a job that was accepted meanwhile.
    pub soonest: Timestamp,
}

/// How a deletion job ended.
#[derive(Debug)]
pub enum JobEnd {
    /// It is done.
    Done(Erased),
    /// The vendor says that it failed, or no longer knows it: whoever tries again asks for a new one.
    Failed(RunFailure),
    /// It takes too long: whoever tries again gives it more time.
    Overdue(RunFailure),
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
        let rules = Arc::clone(&self.rules);
        let claimed_at = self.store.environment().clock().monotonic();
        self.store
            .write(move |unit| {
                Box::pin(async move {
                    let leases =
                        due_work::claim(unit.connection(), &lane, now, lease_milliseconds, limit).await?;
                    let mut claimed = Claimed { claimed_at, ..Claimed::default() };
                    let (mut operations, mut mails) = (Vec::new(), Vec::new());
                    for lease in leases {
                        match lease.kind {
                            DueWorkKind::Operation => operations.push(lease),
                            DueWorkKind::Check => claimed.checks.push(lease),
                            DueWorkKind::Contact => claimed.contacts.push(lease),
                            DueWorkKind::Link => claimed.links.push(lease),
                            DueWorkKind::Package => claimed.packages.push(lease),
                            DueWorkKind::Mail => mails.push(lease),
                        }
                    }
                    claimed.mails = mails::take_up(unit, mails).await?;
                    claimed.assignments = assign::assign(unit, &rules, operations, claimed_at).await?;
                    Ok(claimed)
                })
            })
            .await
    }

    /// Extends leases of work that takes longer.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn extend_leases(
        &self,
        leases: Vec<(DueWorkId, i64)>,
        lease_milliseconds: i64,
    ) -> Result<Renewal, CaseworkError> {
        let now = self.store.shared_now();
        self.store
            .write(move |unit| {
                Box::pin(async move {
                    Ok(due_work::renew(unit.connection(), leases, now, lease_milliseconds).await?)
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
                    let held = due_work::extend(unit.connection(), key, now, lease_milliseconds).await?;
                    if held {
                        let noted = [(record, deletion_word(deleted))];
                        records::note_deletions(unit.connection(), noted).await?;
                    }
                    Ok(held)
                })
            })
            .await
    }

    /// Writes what came of operations, and moves on the requests whose phase is over.
    ///
    /// # Errors
    /// If the store fails; the leases then run out and the work is taken up again.
    pub async fn settle(&self, reports: Vec<Report>) -> Result<(), CaseworkError> {
        let rules = Arc::clone(&self.rules);
        let large = self.store_large_files(&reports).await?;
        self.store
            .write(move |unit| {
                Box::pin(async move {
                    let mut changes = Changes::new(unit, &Actor::system(), &rules);
                    let requests: BTreeSet<RequestId> = reports
                        .iter()
                        .flat_map(|report| &report.assignment.members)
                        .map(|member| member.request)
                        .collect();
                    changes.lock(unit, requests).await?;
                    let reports = settle::whose_lease_is_held(unit, reports).await?;
                    settle::settle(unit, &mut changes, reports, large).await?;
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
        let (rules, now) = (Arc::clone(&self.rules), self.store.shared_now());
        let continues = self
            .store
            .write(move |unit| {
                Box::pin(async move {
                    let mut changes = Changes::new(unit, &Actor::system(), &rules);
                    page::report_page(unit, &mut changes, page, now).await
                })
            })
            .await?;
        self.announce_work();
        Ok(continues)
    }

    /// Writes what a look at a connection's deletion jobs showed, and moves on the requests whose phase is over.
    ///
    /// # Errors
    /// If the store fails; the lease then runs out and the jobs are looked at again.
    pub async fn report_follow(&self, report: FollowReport) -> Result<(), CaseworkError> {
        let rules = Arc::clone(&self.rules);
        self.store
            .write(move |unit| {
                Box::pin(async move {
                    let mut changes = Changes::new(unit, &Actor::system(), &rules);
                    follow::report(unit, &mut changes, report).await?;
                    changes.finish(unit).await
                })
            })
            .await?;
        self.announce_work();
        Ok(())
    }

    /// A pass or the following of jobs failed for now, or needs a person: every run that waits for it says so.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn report_shared_failure(
        &self,
        lease: Lease,
        operation: Operation,
        finding: Finding,
    ) -> Result<(), CaseworkError> {
        let rules = Arc::clone(&self.rules);
        self.store
            .write(move |unit| {
                Box::pin(async move {
                    let mut changes = Changes::new(unit, &Actor::system(), &rules);
                    shared::fail(unit, &mut changes, &lease, operation, finding).await?;
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
