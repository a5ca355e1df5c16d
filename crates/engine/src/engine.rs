//! The loop that keeps workers busy.
//!
//! One task claims work lane by lane and starts it; finished operations meet in one place, where everything that
//! ended in the same few milliseconds is written in one unit. A third task renews leases.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::{join_all, select, select_all};
use futures::{FutureExt as _, StreamExt as _};
use habeas_casework::lanes::Lane;
use habeas_casework::mails::{MailOutcome, MailProblem, OutgoingMail};
use habeas_casework::work::{Assignment, Claimed, Finding, Report};
use habeas_casework::{Casework, CaseworkError};
use habeas_domain::moment::after;
use habeas_domain::{Actor, ConnectionId};
use habeas_environment::Environment;
use habeas_integrations::Manifest;
use habeas_store::due_work::{self, Lease};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::backoff::Backoff;
use crate::lease::{HeldLease, Leases};
use crate::mailer::{Handed, Mailer, next_attempt};
use crate::room::{Room, Wanted};
use crate::standing::Standing;
use crate::vendors::Vendors;

/// How the engine works.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// What people call this process; two may have the same name.
    pub name: String,
    /// How much is worked on at once in this process; 0 = nothing.
    pub workers: usize,
    /// How long work is leased, at least 2 seconds. A worker that dies keeps its work this long.
    pub lease: Duration,
    /// How often due work is looked for when nobody hints at any.
    pub poll_interval: Duration,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            name: "worker".to_owned(),
            workers: 2,
            lease: Duration::from_secs(60),
            poll_interval: Duration::from_millis(500),
        }
    }
}

/// What one worker has under way, mails apart.
const PER_WORKER: usize = 64;
/// Checks of connections at once.
const CHECKS_AT_ONCE: usize = 4;
/// Reminders and deadlines of contacts at once.
const CONTACTS_AT_ONCE: usize = 8;
/// Reminders and ends of links at once.
const LINKS_AT_ONCE: usize = 8;
/// Packages that are made at once: each has a thread of its own.
const PACKAGES_AT_ONCE: usize = 2;
/// Mails that are handed over together; what came of them is written in one unit.
const MAILS_AT_ONCE: usize = 256;
/// Connections to the mail server that they share.
const MAILS_SIDE_BY_SIDE: usize = 4;
/// Reports written in one unit.
const REPORTS_PER_UNIT: usize = 256;
/// Files in the reports of one unit, in bytes: what is gathered is held in memory until it is written.
const HEAVIEST_UNIT: usize = 16 << 20;
/// Waits after a package could not be made: a full disk is looked at again soon, and not too often.
const PACKAGE_BACKOFF: Backoff = Backoff { min: Duration::from_secs(2), max: Duration::from_secs(300) };
/// How long the first report waits for others, while there are others to wait for.
const GATHERING: Duration = Duration::from_millis(3);

/// Carries out what is due.
#[derive(Clone, Debug)]
pub struct Engine {
    pub(crate) casework: Casework,
    pub(crate) vendors: Arc<Vendors>,
    pub(crate) mailer: Arc<dyn Mailer>,
    pub(crate) options: EngineOptions,
    pub(crate) leases: Arc<Leases>,
    manifests: Arc<Mutex<HashMap<ConnectionId, &'static Manifest>>>,
    stopping: Arc<AtomicBool>,
    pub(crate) room: Arc<Room>,
    pub(crate) standing: Arc<Standing>,
}

impl Engine {
    /// An engine over casework, with what calls go out through.
    #[must_use]
    pub fn new(
        casework: Casework,
        vendors: Arc<Vendors>,
        mailer: Arc<dyn Mailer>,
        options: EngineOptions,
    ) -> Self {
        let options = EngineOptions { lease: options.lease.max(Duration::from_secs(2)), ..options };
        let standing = Standing::new(casework.store().environment(), &options, PER_WORKER);
        Self {
            casework,
            vendors,
            mailer,
            options,
            leases: Arc::default(),
            manifests: Arc::default(),
            stopping: Arc::default(),
            room: Arc::default(),
            standing: Arc::new(standing),
        }
    }

    pub(crate) fn environment(&self) -> &Environment {
        self.casework.store().environment()
    }

    pub(crate) fn lease_milliseconds(&self) -> i64 {
        i64::try_from(self.options.lease.as_millis()).unwrap_or(i64::MAX)
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Works until `stop`, then finishes what is under way and gives back the rest.
    pub async fn run(&self, stop: CancellationToken) {
        // Reconcilers outlive the workers: the last seal covers what was settled at the very end.
        let settled = CancellationToken::new();
        let reconcilers = tokio::spawn(self.clone().reconcile(settled.clone()));
        if let Err(error) = self.casework.take_over_from_former_process(self.lease_milliseconds()).await {
            tracing::error!(%error, "what a former process held could not be looked at; its leases run out by themselves");
        }
        if self.options.workers > 0 {
            let (reports, received) = mpsc::channel(REPORTS_PER_UNIT * 4);
            let beating = CancellationToken::new();
            let heart = tokio::spawn(self.clone().renew_leases(beating.clone()));
            let settling = tokio::spawn(self.clone().settle_reports(received));
            let calls = TaskTracker::new();
            self.claim_until(&stop, &calls, reports).await;
            self.stopping.store(true, Ordering::SeqCst);
            self.give_sign_of_life().await;
            calls.close();
            // Every call is bounded by its timeout, so this ends within a lease.
            calls.wait().await;
            let _ = settling.await;
            beating.cancel();
            let _ = heart.await;
        }
        stop.cancelled().await;
        settled.cancel();
        let _ = reconcilers.await;
    }

    /// Claims work and starts it, lane by lane, until told to stop.
    async fn claim_until(
        &self,
        stop: &CancellationToken,
        calls: &TaskTracker,
        reports: mpsc::Sender<Report>,
    ) {
        let clock = Arc::clone(self.environment().clock());
        let mut it_is_time = true;
        while !stop.is_cancelled() {
            match self.claim_all(it_is_time).await {
                Ok(claimed) => {
                    let found = !claimed.is_empty();
                    for (lane, claimed) in claimed {
                        self.start(lane, claimed, calls, &reports);
                    }
                    if found {
                        continue;
                    }
                }
                Err(error) => tracing::error!(%error, "due work could not be claimed; trying again"),
            }
            let hints: Vec<futures::future::BoxFuture<'_, ()>> = vec![
                clock.sleep(self.until_next_look().await),
                stop.cancelled().boxed(),
                self.casework.work_arrived().boxed(),
                self.room.freed().boxed(),
            ];
            let ((), first, _) = select_all(hints).await;
            it_is_time = first == 0;
        }
    }

    /// Until the next row is due, if that is sooner than the next regular look.
    async fn until_next_look(&self) -> Duration {
        let now = self.environment().now();
        let next = async {
            let mut reader = self.casework.store().reader().await.ok()?;
            due_work::next(&mut reader, now).await.ok()?
        };
        let due = next.await.and_then(|next| Duration::try_from(next.duration_since(now)).ok());
        let monotonic = self.environment().clock().monotonic();
        let resumed = self.room.next_end_of_pause(monotonic).map(|end| end.saturating_sub(monotonic));
        [due, resumed].into_iter().flatten().fold(self.options.poll_interval, Duration::min)
    }

    fn start(&self, lane: Lane, claimed: Claimed, calls: &TaskTracker, reports: &mpsc::Sender<Report>) {
        for assignment in claimed.assignments {
            let (engine, reports, place) = (self.clone(), reports.clone(), self.room.occupy(lane, 1));
            calls.spawn(async move {
                let lease = assignment.lease.id;
                match engine.carry_out_traced(lane, assignment).await {
                    // A storage that is slow or gone holds up only what it is to take.
                    Some(report) if report.has_large_files() => engine.settle(vec![report]).await,
                    // The settler lets the lease go once it is written.
                    Some(report) => {
                        let _ = reports.send(report).await;
                    }
                    None => engine.leases.let_go(lease),
                }
                drop(place);
            });
        }
        for check in claimed.checks {
            let (engine, place) = (self.clone(), self.room.occupy(lane, 1));
            calls.spawn(async move {
                engine.check(&check).await;
                drop(place);
            });
        }
        for contact in claimed.contacts {
            let (engine, place) = (self.clone(), self.room.occupy(lane, 1));
            calls.spawn(async move {
                engine.wait_for_contact(&contact).await;
                drop(place);
            });
        }
        for link in claimed.links {
            let (engine, place) = (self.clone(), self.room.occupy(lane, 1));
            calls.spawn(async move {
                engine.look_after_link(&link).await;
                drop(place);
            });
        }
        for package in claimed.packages {
            let (engine, place) = (self.clone(), self.room.occupy(lane, 1));
            let asked_at = claimed.claimed_at;
            calls.spawn(async move {
                engine.make_package(&package, asked_at).await;
                drop(place);
            });
        }
        if !claimed.mails.is_empty() {
            let places = self.room.occupy(lane, claimed.mails.len());
            let (engine, asked_at) = (self.clone(), claimed.claimed_at);
            calls.spawn(async move {
                engine.send_mails(claimed.mails, asked_at).await;
                drop(places);
            });
        }
    }

    async fn look_after_link(&self, lease: &Lease) {
        if let Err(error) = self.casework.link_due(lease).await {
            tracing::error!(%error, link = lease.object, "a link could not be looked after; the lease runs out");
        }
    }

    /// Makes a package under a lease that is renewed while it takes.
    async fn make_package(&self, lease: &Lease, asked_at: Duration) {
        let clock = self.environment().clock();
        let _held = self.leases.hold(lease, clock, asked_at, self.options.lease);
        if let Err(error) = self.casework.build_package(lease).await {
            tracing::error!(%error, request = lease.object, "a package could not be made; trying again");
            let wait = PACKAGE_BACKOFF.wait(self.environment(), lease.attempts, None);
            let next_at = after(self.environment().now(), wait);
            if let Err(error) = self.casework.package_failed(lease, &error, next_at).await {
                tracing::error!(%error, request = lease.object, "that was not written; the lease runs out");
            }
        }
        self.leases.let_go(lease.id);
    }

    async fn send_mails(&self, mails: Vec<(Lease, OutgoingMail)>, asked_at: Duration) {
        let clock = self.environment().clock();
        let leases: Vec<_> = mails.iter().map(|(lease, _)| lease.id).collect();
        let handing_over: Vec<_> = mails
            .into_iter()
            .map(|(lease, mail)| {
                let held = self.leases.hold(&lease, clock, asked_at, self.options.lease);
                self.send_mail(lease, mail, held)
            })
            .collect();
        let reports = futures::stream::iter(handing_over)
            .buffer_unordered(MAILS_SIDE_BY_SIDE)
            .filter_map(std::future::ready)
            .collect()
            .await;
        if let Err(error) = self.casework.report_mails(reports).await {
            tracing::error!(%error, "what came of mails was not written; their leases run out and they are handed over again");
        }
        for lease in leases {
            self.leases.let_go(lease);
        }
    }

    /// What came of a mail; `None` if somebody else may have it by now.
    async fn send_mail(
        &self,
        lease: Lease,
        mail: OutgoingMail,
        held: Arc<HeldLease>,
    ) -> Option<(Lease, MailOutcome)> {
        // No handing over takes longer than half a lease.
        if held.left() < self.options.lease / 2 {
            return None;
        }
        let (outcome, word) = match self.mailer.send(&mail).await {
            Ok(Handed::Sent) => (MailOutcome::Sent, "sent"),
            Ok(Handed::Written) => (MailOutcome::Written, "written"),
            Err(failure) => {
                tracing::warn!(mail = %mail.id, code = failure.code, "a mail did not leave");
                let attempts = u32::try_from(lease.attempts + 1).unwrap_or(u32::MAX);
                let again = next_attempt(attempts, mail.created_at, self.environment());
                let problem = MailProblem { code: failure.code.to_owned(), message: failure.message };
                match again.filter(|_| !failure.lasting) {
                    Some(at) => (MailOutcome::Retry { problem, at }, "retried"),
                    None => (MailOutcome::Failed { problem }, "failed"),
                }
            }
        };
        metrics::counter!("habeas_mails_total", "outcome" => word).increment(1);
        Some((lease, outcome))
    }

    async fn wait_for_contact(&self, lease: &Lease) {
        if let Err(error) = self.casework.contact_due(lease).await {
            tracing::error!(%error, operation = lease.object, "a contact could not be reminded; the lease runs out");
        }
    }

    async fn check(&self, lease: &Lease) {
        if let Err(error) = self.casework.check_due(lease).await {
            tracing::error!(%error, connection = lease.object, "a check could not be carried out; the lease runs out");
        }
    }

    async fn carry_out_traced(&self, lane: Lane, assignment: Assignment) -> Option<Report> {
        let operation = &assignment.operation;
        // A shared operation names no single run.
        let only = (assignment.members.len() == 1).then(|| assignment.members.first()).flatten();
        let span = tracing::info_span!(
            "operation",
            operation = %operation.id,
            kind = %operation.kind,
            connection = %operation.connection,
            request = only.map(|member| tracing::field::display(member.request)),
            run = only.map(|member| tracing::field::display(member.run)),
        );
        let kind = operation.kind;
        let report = self.carry_out(assignment).instrument(span).await;
        metrics::counter!("habeas_operations_total", "kind" => kind.as_str()).increment(1);
        if let Some(until) = report.as_ref().and_then(given_back) {
            let wait = Duration::try_from(until.duration_since(self.environment().now())).unwrap_or_default();
            self.room.pause(lane, self.environment().clock().monotonic() + wait);
        }
        report
    }

    /// Claims from every lane that has room; nothing if nothing is due anywhere.
    async fn claim_all(&self, it_is_time: bool) -> Result<Vec<(Lane, Claimed)>, CaseworkError> {
        let places = self.options.workers * PER_WORKER;
        if !it_is_time && self.room.is_full(places) {
            return Ok(Vec::new());
        }
        let store = self.casework.store();
        let lanes = due_work::lanes(&mut store.reader().await?, store.shared_now()).await?;
        let mut wanted = Vec::new();
        // A lane that this program does not know belongs to a newer one, which is at work as well.
        for lane in lanes.iter().filter_map(|lane| lane.parse().ok()) {
            wanted.push(Wanted { lane, width: self.width(lane).await });
        }
        let now = self.environment().clock().monotonic();
        let shares = self.room.shares(places, &wanted, now, it_is_time);
        let claims = shares.into_iter().map(|(lane, most)| async move {
            let limit = i64::try_from(most).unwrap_or(i64::MAX);
            let claimed = self.casework.claim(&lane.to_string(), self.lease_milliseconds(), limit).await;
            (lane, claimed)
        });
        let mut claimed = Vec::new();
        for (lane, one) in join_all(claims).await {
            match one {
                Ok(one) if one.is_empty() => {}
                Ok(one) => claimed.push((lane, one)),
                // What the other lanes claimed is on record as sent: it must not be dropped.
                Err(error) => tracing::error!(%error, %lane, "due work could not be claimed; trying again"),
            }
        }
        Ok(claimed)
    }

    async fn width(&self, lane: Lane) -> usize {
        match lane {
            Lane::Checks => CHECKS_AT_ONCE,
            Lane::Contacts => CONTACTS_AT_ONCE,
            Lane::Mails { .. } => MAILS_AT_ONCE,
            Lane::Links => LINKS_AT_ONCE,
            Lane::Packages => PACKAGES_AT_ONCE,
            Lane::Operations { connection, .. } => match self.manifest_of(connection).await {
                Some(manifest) => self.vendors.width(manifest.name, self.standing.working()),
                None => 1,
            },
        }
    }

    /// A connection never changes its integration, so what was learnt once stays true.
    pub(crate) async fn manifest_of(&self, connection: ConnectionId) -> Option<&'static Manifest> {
        let known = |manifests: &Mutex<HashMap<ConnectionId, &'static Manifest>>| {
            manifests.lock().unwrap_or_else(PoisonError::into_inner).get(&connection).copied()
        };
        if let Some(manifest) = known(&self.manifests) {
            return Some(manifest);
        }
        let found = self.casework.connection(&Actor::system(), connection).await.ok()?.manifest;
        self.manifests.lock().unwrap_or_else(PoisonError::into_inner).insert(connection, found);
        Some(found)
    }

    /// Writes reports, as many at once as have come in.
    async fn settle_reports(self, mut received: mpsc::Receiver<Report>) {
        let clock = Arc::clone(self.environment().clock());
        while let Some(first) = received.recv().await {
            let mut weight = first.weight();
            let mut reports = vec![first];
            let mut time_is_up = clock.sleep(GATHERING).fuse();
            while reports.len() < REPORTS_PER_UNIT && weight < HEAVIEST_UNIT {
                if let Ok(next) = received.try_recv() {
                    weight += next.weight();
                    reports.push(next);
                    continue;
                }
                if self.room.is_empty() {
                    break;
                }
                let next = Box::pin(received.recv());
                match select(next, &mut time_is_up).await {
                    futures::future::Either::Left((Some(next), _)) => {
                        weight += next.weight();
                        reports.push(next);
                    }
                    _ => break,
                }
            }
            self.settle(reports).await;
        }
    }

    async fn settle(&self, reports: Vec<Report>) {
        let leases: Vec<_> = reports.iter().map(|report| report.assignment.lease.id).collect();
        if let Err(error) = self.casework.settle(reports).await {
            tracing::error!(%error, "results could not be written; their leases run out and the work is done again");
        }
        for lease in leases {
            self.leases.let_go(lease);
        }
    }

    async fn renew_leases(self, stop: CancellationToken) {
        let clock = Arc::clone(self.environment().clock());
        loop {
            // Half a lease must be left for the longest call, at any moment.
            let pause = Box::pin(clock.sleep(self.options.lease / 4));
            if let futures::future::Either::Left(_) = select(Box::pin(stop.cancelled()), pause).await {
                return;
            }
            self.renew_all().await;
        }
    }

    async fn renew_all(&self) {
        let held = self.leases.all();
        if held.is_empty() {
            return;
        }
        let asked_at = self.environment().clock().monotonic();
        match self.casework.extend_leases(held.clone(), self.lease_milliseconds()).await {
            Ok(renewal) => self.leases.renewed(&held, &renewal, asked_at, self.options.lease),
            Err(error) => {
                tracing::error!(%error, "leases could not be renewed; what outlasts them is not sent")
            }
        }
    }

    /// Works in the caller's task until nothing is due at this moment, in the order in which it comes. For tests and
    /// for whoever wants to know when it is over.
    pub async fn work_until_idle(&self) {
        loop {
            let claimed = match self.claim_all(true).await {
                Ok(claimed) if !claimed.is_empty() => claimed,
                Ok(_) => return,
                Err(error) => {
                    tracing::error!(%error, "due work could not be claimed");
                    return;
                }
            };
            let mut assignments = Vec::new();
            for (lane, claimed) in claimed {
                assignments.extend(claimed.assignments.into_iter().map(|one| (lane, one)));
                for check in claimed.checks {
                    self.check(&check).await;
                }
                for contact in claimed.contacts {
                    self.wait_for_contact(&contact).await;
                }
                for link in claimed.links {
                    self.look_after_link(&link).await;
                }
                for package in claimed.packages {
                    self.make_package(&package, claimed.claimed_at).await;
                }
                if !claimed.mails.is_empty() {
                    self.send_mails(claimed.mails, claimed.claimed_at).await;
                }
            }
            let reports =
                join_all(assignments.into_iter().map(|(lane, one)| self.carry_out_traced(lane, one))).await;
            let reports: Vec<Report> = reports.into_iter().flatten().collect();
            if !reports.is_empty() {
                self.settle(reports).await;
            }
        }
    }
}

/// Until when an operation was given back because its vendor gives no leave.
fn given_back(report: &Report) -> Option<jiff::Timestamp> {
    report.parts.iter().find_map(|part| match part.finding {
        Finding::Released { at } => Some(at),
        _ => None,
    })
}
