//! The loop that keeps workers busy.
//!
//! One task claims work lane by lane and starts it; finished operations meet in one place, where everything that
//! ended in the same few milliseconds is written in one unit. A third task renews leases.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{join_all, select, select_all};
use habeas_casework::connections::CHECK_LANE;
use habeas_casework::contacts::CONTACT_LANE;
use habeas_casework::work::{Assignment, Claimed, Report};
use habeas_casework::{Casework, CaseworkError};
use habeas_domain::{Actor, ConnectionId};
use habeas_environment::Environment;
use habeas_integrations::Manifest;
use habeas_store::due_work::{self, Lease};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::lease::Leases;
use crate::vendors::Vendors;

/// How the engine works.
#[derive(Clone, Copy, Debug)]
pub struct EngineOptions {
    /// How much is worked on at once in this process; 0 = nothing.
    pub workers: usize,
    /// How long work is leased, at least 2 seconds. A worker that dies keeps its work this long.
    pub lease: Duration,
    /// How often due work is looked for when nobody hints at any.
    pub poll_interval: Duration,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self { workers: 2, lease: Duration::from_secs(60), poll_interval: Duration::from_millis(500) }
    }
}

/// Operations that one worker has under way.
const PER_WORKER: usize = 64;
/// Checks of connections at once.
const CHECKS_AT_ONCE: usize = 4;
/// Reminders and deadlines of contacts at once.
const CONTACTS_AT_ONCE: usize = 8;
/// Reports written in one unit.
const REPORTS_PER_UNIT: usize = 256;
/// Files in the reports of one unit, in bytes: what is gathered is held in memory until it is written.
const HEAVIEST_UNIT: usize = 16 << 20;
/// How long the first report waits for others, while there are others to wait for.
const GATHERING: Duration = Duration::from_millis(3);

/// Carries out what is due.
#[derive(Clone, Debug)]
pub struct Engine {
    pub(crate) casework: Casework,
    pub(crate) vendors: Arc<Vendors>,
    pub(crate) options: EngineOptions,
    pub(crate) leases: Arc<Leases>,
    manifests: Arc<Mutex<HashMap<ConnectionId, &'static Manifest>>>,
    stopping: Arc<AtomicBool>,
    under_way: Arc<Lanes>,
}

/// What is under way, lane by lane.
#[derive(Debug, Default)]
struct Lanes {
    lanes: Mutex<BTreeMap<String, Arc<AtomicUsize>>>,
    total: AtomicUsize,
    freed: Notify,
}

impl Lanes {
    fn lane(&self, name: &str) -> Arc<AtomicUsize> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(lanes.entry(name.to_owned()).or_default())
    }

    fn begin(self: &Arc<Self>, lane: &Arc<AtomicUsize>) -> Occupied {
        lane.fetch_add(1, Ordering::SeqCst);
        self.total.fetch_add(1, Ordering::SeqCst);
        Occupied { lane: Arc::clone(lane), lanes: Arc::clone(self) }
    }
}

/// A place in a lane, free again when dropped, also by a panic.
struct Occupied {
    lane: Arc<AtomicUsize>,
    lanes: Arc<Lanes>,
}

impl Drop for Occupied {
    fn drop(&mut self) {
        self.lane.fetch_sub(1, Ordering::SeqCst);
        self.lanes.total.fetch_sub(1, Ordering::SeqCst);
        self.lanes.freed.notify_one();
    }
}

impl Engine {
    /// An engine over casework.
    #[must_use]
    pub fn new(casework: Casework, vendors: Arc<Vendors>, options: EngineOptions) -> Self {
        let options = EngineOptions { lease: options.lease.max(Duration::from_secs(2)), ..options };
        Self {
            casework,
            vendors,
            options,
            leases: Arc::default(),
            manifests: Arc::default(),
            stopping: Arc::default(),
            under_way: Arc::default(),
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
        if self.options.workers > 0 {
            let (reports, received) = mpsc::channel(REPORTS_PER_UNIT * 4);
            let beating = CancellationToken::new();
            let heart = tokio::spawn(self.clone().renew_leases(beating.clone()));
            let settling = tokio::spawn(self.clone().settle_reports(received));
            let calls = TaskTracker::new();
            self.claim_until(&stop, &calls, reports).await;
            self.stopping.store(true, Ordering::SeqCst);
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
        while !stop.is_cancelled() {
            match self.claim_all().await {
                Ok(claimed) => {
                    let found = !claimed.is_empty();
                    for (lane, claimed) in claimed {
                        self.start(&lane, claimed, calls, &reports);
                    }
                    if found {
                        continue;
                    }
                }
                Err(error) => tracing::error!(%error, "due work could not be claimed; trying again"),
            }
            let hints: Vec<futures::future::BoxFuture<'_, ()>> = vec![
                stop.cancelled().boxed(),
                self.casework.work_arrived().boxed(),
                self.under_way.freed.notified().boxed(),
                clock.sleep(self.until_next_look().await),
            ];
            select_all(hints).await;
        }
    }

    /// Until the next row is due, if that is sooner than the next regular look.
    async fn until_next_look(&self) -> Duration {
        let now = self.environment().now();
        let next = async {
            let mut reader = self.casework.store().reader().await.ok()?;
            due_work::next(&mut reader, now).await.ok()?
        };
        let wait = next.await.and_then(|next| Duration::try_from(next.duration_since(now)).ok());
        wait.map_or(self.options.poll_interval, |wait| wait.min(self.options.poll_interval))
    }

    fn start(&self, lane: &str, claimed: Claimed, calls: &TaskTracker, reports: &mpsc::Sender<Report>) {
        let lane = self.under_way.lane(lane);
        for assignment in claimed.assignments {
            let (engine, reports, place) = (self.clone(), reports.clone(), self.under_way.begin(&lane));
            calls.spawn(async move {
                let lease = assignment.lease.id;
                match engine.carry_out_traced(assignment).await {
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
            let (engine, place) = (self.clone(), self.under_way.begin(&lane));
            calls.spawn(async move {
                engine.check(&check).await;
                drop(place);
            });
        }
        for contact in claimed.contacts {
            let (engine, place) = (self.clone(), self.under_way.begin(&lane));
            calls.spawn(async move {
                engine.wait_for_contact(&contact).await;
                drop(place);
            });
        }
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

    async fn carry_out_traced(&self, assignment: Assignment) -> Option<Report> {
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
        report
    }

    /// Claims from every lane that has room; nothing if nothing is due anywhere.
    async fn claim_all(&self) -> Result<Vec<(String, Claimed)>, CaseworkError> {
        let room =
            (self.options.workers * PER_WORKER).saturating_sub(self.under_way.total.load(Ordering::SeqCst));
        // Looking costs a statement: a full house waits until several places are free.
        if room * 8 < self.options.workers * PER_WORKER {
            return Ok(Vec::new());
        }
        let lanes = due_work::lanes(&mut self.casework.store().reader().await?).await?;
        let mut wanted = Vec::new();
        for lane in lanes {
            let width = self.width(&lane).await;
            let busy = self.under_way.lane(&lane).load(Ordering::SeqCst);
            let free = width.saturating_sub(busy);
            // A claim costs the same for one as for many: a wide lane waits until it has room for several.
            if free > 0 && (free * 4 >= width || width <= 8) {
                wanted.push((lane, free));
            }
        }
        // Equal turns: no lane takes more than its part of the room while others have work.
        let share = room.div_ceil(wanted.len().max(1));
        let claims = wanted.into_iter().map(|(lane, free)| async move {
            let limit = i64::try_from(free.min(share)).unwrap_or(i64::MAX);
            let claimed = self.casework.claim(&lane, self.lease_milliseconds(), limit).await;
            (lane, claimed)
        });
        let mut claimed = Vec::new();
        for (lane, one) in join_all(claims).await {
            match one {
                Ok(one) if one.is_empty() => {}
                Ok(one) => claimed.push((lane, one)),
                // What the other lanes claimed is on record as sent: it must not be dropped.
                Err(error) => tracing::error!(%error, lane, "due work could not be claimed; trying again"),
            }
        }
        Ok(claimed)
    }

    async fn width(&self, lane: &str) -> usize {
        if lane == CHECK_LANE {
            return CHECKS_AT_ONCE;
        }
        if lane == CONTACT_LANE {
            return CONTACTS_AT_ONCE;
        }
        let Ok(connection) = lane.parse() else { return 1 };
        match self.manifest_of(connection).await {
            Some(manifest) => self.vendors.width(manifest.name),
            None => 1,
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
                if self.under_way.total.load(Ordering::SeqCst) == 0 {
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
            let claimed = match self.claim_all().await {
                Ok(claimed) if !claimed.is_empty() => claimed,
                Ok(_) => return,
                Err(error) => {
                    tracing::error!(%error, "due work could not be claimed");
                    return;
                }
            };
            let mut assignments = Vec::new();
            for (_, Claimed { assignments: found, checks, contacts }) in claimed {
                assignments.extend(found);
                for check in checks {
                    self.check(&check).await;
                }
                for contact in contacts {
                    self.wait_for_contact(&contact).await;
                }
            }
            let reports = join_all(assignments.into_iter().map(|one| self.carry_out_traced(one))).await;
            let reports: Vec<Report> = reports.into_iter().flatten().collect();
            if !reports.is_empty() {
                self.settle(reports).await;
            }
        }
    }
}
