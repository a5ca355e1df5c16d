//! SQLite's one writer: units that arrive together are committed together.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Either, select};
use habeas_environment::Clock;
use tokio::sync::{Notify, mpsc, oneshot};

use crate::error::StoreError;
use crate::unit::{Unit, Work};

/// Units in one commit at most.
const MOST_UNITS: usize = 128;
/// A commit is not held back longer than this for units that arrive meanwhile.
const LONGEST_GATHERING: Duration = Duration::from_millis(2);
/// Units that may wait before callers have to.
const QUEUE: usize = 1_024;

type Answer = Box<dyn Any + Send>;
/// Runs a unit; `true` if it wants to be kept. The answer stays inside until the commit is known.
type Job = Box<dyn for<'u> FnOnce(&'u mut Unit) -> BoxFuture<'u, bool> + Send>;

struct Entry {
    job: Job,
    committed: oneshot::Sender<Result<(), StoreError>>,
}

/// A unit of a group that is not yet committed.
struct Member {
    committed: oneshot::Sender<Result<(), StoreError>>,
    /// It wanted to be kept, but a statement of it had failed.
    broken: bool,
}

/// Makes a unit a member of its group before it runs: whatever breaks, its caller hears of it.
fn joined(members: &mut Vec<Member>, entry: Entry) -> Job {
    members.push(Member { committed: entry.committed, broken: false });
    entry.job
}

/// Handle to the writer.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    queue: mpsc::Sender<Entry>,
    stop: Arc<Notify>,
    stopped: Arc<tokio::sync::Semaphore>,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Entry")
    }
}

impl Writer {
    /// Starts the writer on its own task; it ends when it is closed or the last handle is gone.
    pub(crate) fn start(unit: Unit, clock: &Arc<dyn Clock>) -> Self {
        let (queue, entries) = mpsc::channel(QUEUE);
        let stopped = Arc::new(tokio::sync::Semaphore::new(0));
        let stop = Arc::new(Notify::new());
        let (clock, asked, done) = (Arc::clone(clock), Arc::clone(&stop), Arc::clone(&stopped));
        tokio::spawn(async move {
            run(unit, entries, &asked, clock).await;
            done.close();
        });
        Self { queue, stop, stopped }
    }

    pub(crate) async fn write<T, E>(&self, work: Work<T, E>) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (answer, received) = oneshot::channel::<Answer>();
        let (committed, outcome) = oneshot::channel();
        let job: Job = Box::new(move |unit| {
            Box::pin(async move {
                let result: Result<T, E> = work(unit).await;
                let keep = result.is_ok();
                // The receiver is gone only if the caller is; the unit is kept all the same.
                let _ = answer.send(Box::new(result));
                keep
            })
        });
        self.queue.send(Entry { job, committed }).await.map_err(|_| StoreError::Closed)?;
        outcome.await.map_err(|_| StoreError::Closed)??;
        let answer = received.await.map_err(|_| StoreError::UnitBroken)?;
        match answer.downcast::<Result<T, E>>() {
            Ok(result) => *result,
            Err(_) => Err(StoreError::UnitBroken.into()),
        }
    }

    /// What was handed in before is written; what comes later is told that the store is closed.
    pub(crate) async fn close(self) {
        self.stop.notify_one();
        // Resolves with an error when the writer closes it.
        let _ = self.stopped.acquire().await;
    }
}

async fn run(mut unit: Unit, mut entries: mpsc::Receiver<Entry>, stop: &Notify, clock: Arc<dyn Clock>) {
    loop {
        let next = match select(Box::pin(entries.recv()), Box::pin(stop.notified())).await {
            Either::Left((next, _)) => Some(next),
            Either::Right(_) => None,
        };
        let first = match next {
            Some(Some(first)) => first,
            Some(None) => return unit.close().await,
            None => {
                entries.close();
                continue;
            }
        };
        let mut members = Vec::new();
        let outcome = group(&mut unit, first, &mut entries, &clock, &mut members).await;
        match outcome {
            Ok(()) => {
                for Member { committed, broken } in members {
                    let _ = committed.send(if broken { Err(StoreError::UnitBroken) } else { Ok(()) });
                }
            }
            Err(error) => {
                tracing::error!(%error, "a group of units could not be committed; nothing of it was kept");
                // The connection may stand inside a transaction or not; either way it must start afresh.
                let _ = unit.connection().run("ROLLBACK").await;
                unit.forget_everything();
                let reason = error.to_string();
                for Member { committed, .. } in members {
                    let _ = committed.send(Err(StoreError::NotWritten(reason.clone())));
                }
            }
        }
    }
}

/// Runs one group, each unit in a savepoint of its own.
async fn group(
    unit: &mut Unit,
    first: Entry,
    entries: &mut mpsc::Receiver<Entry>,
    clock: &Arc<dyn Clock>,
    members: &mut Vec<Member>,
) -> Result<(), StoreError> {
    let started = clock.monotonic();
    let mut next = Some(joined(members, first));
    unit.connection().run("BEGIN IMMEDIATE").await?;
    while let Some(job) = next.take() {
        let mark = unit.mark();
        unit.connection().run("SAVEPOINT unit").await?;
        // What failed before, failed with another group.
        unit.connection().take_failed();
        let keep = AssertUnwindSafe(job(unit)).catch_unwind().await;
        let failed = unit.connection().take_failed();
        if failed || !matches!(keep, Ok(true)) {
            unit.connection().run("ROLLBACK TO unit").await?;
            unit.go_back_to(mark);
        }
        unit.connection().run("RELEASE unit").await?;
        // A unit that gave an error of its own hears that one.
        if let Some(member) = members.last_mut() {
            member.broken = failed && matches!(keep, Ok(true));
        }
        if members.len() < MOST_UNITS && clock.monotonic().saturating_sub(started) < LONGEST_GATHERING {
            next = entries.try_recv().ok().map(|entry| joined(members, entry));
        }
    }
    unit.append_events().await?;
    unit.connection().run("COMMIT").await?;
    unit.connection().counters().commits.fetch_add(1, Ordering::Relaxed);
    Ok(())
}
