//! The processes that carry out work: their signs of life, and what each has under way.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use habeas_domain::{Actor, ConnectionId, Permission, WorkerId};
use habeas_store::connections;
use habeas_store::workers::{self, Standing, Worker};
use jiff::Timestamp;

use crate::Casework;
use crate::error::CaseworkError;
use crate::lanes::Lane;

/// How often a process gives a sign of life.
pub const BETWEEN_SIGNS: Duration = Duration::from_secs(10);
/// How long a process is silent before the others do without it. Its leases are another matter: they run out.
pub const SILENCE: Duration = Duration::from_secs(30);
/// How long a process that is gone is still shown.
const REMEMBERED: Duration = Duration::from_secs(24 * 3600);

/// How a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkerState {
    /// It takes up work.
    Working,
    /// It finishes what it has.
    Stopping,
    /// It gave no sign of life for a while: gone, frozen, or cut off from the database.
    Silent,
}

impl WorkerState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Working, Self::Stopping, Self::Silent];

    /// As it is shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Working => "working",
            Self::Stopping => "stopping",
            Self::Silent => "silent",
        }
    }
}

/// What a process has under way of one sort.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnderWay {
    /// Which sort of work.
    pub work: &'static str,
    /// At which connection's vendor.
    pub connection: Option<(ConnectionId, String)>,
    /// How much.
    pub count: u64,
}

/// A process as it is shown.
#[derive(Clone, Debug)]
pub struct WorkerCase {
    /// As it described itself.
    pub worker: Worker,
    /// How it is.
    pub state: WorkerState,
    /// What it has under way; of one that is silent, what it had.
    pub under_way: Vec<UnderWay>,
}

impl Casework {
    /// Gives a sign of life of this process; how it stands among the others.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn give_sign_of_life(&self, worker: Worker) -> Result<Standing, CaseworkError> {
        let now = self.store.shared_now();
        self.store
            .write(move |unit| {
                Box::pin(async move {
                    let standing =
                        workers::beat(unit.connection(), &worker, now, milliseconds(SILENCE)).await?;
                    if standing.leads {
                        workers::forget(unit.connection(), now, milliseconds(REMEMBERED)).await?;
                    }
                    Ok(standing)
                })
            })
            .await
    }

    /// Takes this process off the list: it has finished.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn worker_left(&self, id: WorkerId) -> Result<(), CaseworkError> {
        self.store
            .write(move |unit| Box::pin(async move { Ok(workers::leave(unit.connection(), id).await?) }))
            .await
    }

    /// The processes that carry out work, the oldest first.
    ///
    /// # Errors
    /// If the actor may not see them, or the store fails.
    pub async fn workers(&self, actor: &Actor) -> Result<Vec<WorkerCase>, CaseworkError> {
        actor.require(Permission::ReadWorkers)?;
        self.all_workers().await
    }

    /// The same for whoever watches the installation: nobody is asked who wants to know.
    pub(crate) async fn all_workers(&self) -> Result<Vec<WorkerCase>, CaseworkError> {
        let found = workers::list(&mut self.store.reader().await?, self.store.shared_now()).await?;
        let connections: BTreeSet<ConnectionId> = found
            .iter()
            .flat_map(|(worker, _)| worker.under_way.keys())
            .filter_map(|lane| lane.parse::<Lane>().ok()?.connection())
            .collect();
        let names = connections::names(&mut self.store.reader().await?, connections).await?;
        let names = names.into_iter().map(|(id, name, _)| (id, name)).collect();
        Ok(found.into_iter().map(|(worker, silent_for)| case(worker, silent_for, &names)).collect())
    }
}

fn case(worker: Worker, silent_for: u64, names: &BTreeMap<ConnectionId, String>) -> WorkerCase {
    let state = match (worker.stopping, Duration::from_millis(silent_for) >= SILENCE) {
        (_, true) => WorkerState::Silent,
        (true, false) => WorkerState::Stopping,
        (false, false) => WorkerState::Working,
    };
    let under_way = worker
        .under_way
        .iter()
        .filter_map(|(lane, count)| {
            let lane: Lane = lane.parse().ok()?;
            let connection =
                lane.connection().map(|id| (id, names.get(&id).cloned().unwrap_or_else(|| id.to_string())));
            Some(UnderWay { work: lane.word(), connection, count: *count })
        })
        .collect();
    WorkerCase { worker, state, under_way }
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// A worker that has just started.
#[must_use]
pub fn started(id: WorkerId, name: String, places: u64, now: Timestamp) -> Worker {
    Worker {
        id,
        name,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        places,
        stopping: false,
        under_way: BTreeMap::new(),
        done: 0,
        started_at: now,
        seen_at: now,
    }
}
