//! SQLite's one writer: units that arrive together are committed together.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use habeas_environment::Clock;
use tokio::sync::{mpsc, oneshot};

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

/// Handle to the writer.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    queue: mpsc::Sender<Entry>,
    stopped: Arc<tokio::sync::Semaphore>,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Entry")
    }
}

impl Writer {
    /// Starts the writer on its own task; it ends when the last handle is gone.
    pub(crate) fn start(unit: Unit, clock: &Arc<dyn Clock>) -> Self {
        let (queue, entries) = mpsc::channel(QUEUE);
        let stopped = Arc::new(tokio::sync::Semaphore::new(0));
        let (clock, done) = (Arc::clone(clock), Arc::clone(&stopped));
        tokio::spawn(async move {
            run(unit, entries, clock).await;
            done.close();
        });
        Self { queue, stopped }
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

    pub(crate) fn is_alive(&self) -> Result<(), StoreError> {
        if self.queue.is_closed() { Err(StoreError::Closed) } else { Ok(()) }
    }

    pub(crate) async fn close(self) {
        drop(self.queue);
        // Resolves with an error when the writer closes it.
        let _ = self.stopped.acquire().await;
    }
}

async fn run(mut unit: Unit, mut entries: mpsc::Receiver<Entry>, clock: Arc<dyn Clock>) {
    while let Some(first) = entries.recv().await {
        let mut answers = Vec::new();
        let outcome = group(&mut unit, first, &mut entries, &clock, &mut answers).await;
        match outcome {
            Ok(()) => {
                for committed in answers {
                    let _ = committed.send(Ok(()));
                }
            }
            Err(error) => {
                tracing::error!(%error, "a group of units could not be committed; nothing of it was kept");
                // The connection may stand inside a transaction or not; either way it must start afresh.
                let _ = unit.connection().run("ROLLBACK").await;
                unit.forget_events_after(0);
                for committed in answers {
                    let _ = committed.send(Err(StoreError::UnitBroken));
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
    answers: &mut Vec<oneshot::Sender<Result<(), StoreError>>>,
) -> Result<(), StoreError> {
    let started = clock.monotonic();
    let mut next = Some(first);
    unit.connection().run("BEGIN IMMEDIATE").await?;
    while let Some(Entry { job, committed }) = next.take() {
        let kept_events = unit.recorded();
        unit.connection().run("SAVEPOINT unit").await?;
        let keep = AssertUnwindSafe(job(unit)).catch_unwind().await;
        if !matches!(keep, Ok(true)) {
            unit.connection().run("ROLLBACK TO unit").await?;
            unit.forget_events_after(kept_events);
        }
        unit.connection().run("RELEASE unit").await?;
        answers.push(committed);
        if answers.len() < MOST_UNITS && clock.monotonic().saturating_sub(started) < LONGEST_GATHERING {
            next = entries.try_recv().ok();
        }
    }
    unit.append_events().await?;
    unit.connection().run("COMMIT").await?;
    unit.connection().counters().commits.fetch_add(1, Ordering::Relaxed);
    Ok(())
}
