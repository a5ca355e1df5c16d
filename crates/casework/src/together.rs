//! What many callers ask for at the same moment is done together, in one unit.

use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use habeas_store::StoreError;
use tokio::sync::oneshot;

use crate::Casework;
use crate::error::CaseworkError;

/// Callers that are served by one unit.
const MOST: usize = 128;

type Answer = oneshot::Sender<Result<(), CaseworkError>>;

/// How several pieces are done in one unit: all of them or none.
pub(crate) type Carry<T> = fn(Casework, Vec<T>) -> BoxFuture<'static, Result<(), CaseworkError>>;

/// Gathers pieces while others are being done. Whoever comes alone does not wait.
pub(crate) struct Together<T> {
    queue: Arc<Mutex<Queue<T>>>,
    carry: Carry<T>,
}

struct Queue<T> {
    waiting: Vec<(T, Answer)>,
    under_way: bool,
}

impl<T> std::fmt::Debug for Together<T> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Together")
    }
}

impl<T: Clone + Send + 'static> Together<T> {
    pub(crate) fn new(carry: Carry<T>) -> Self {
        let queue = Queue { waiting: Vec::new(), under_way: false };
        Self { queue: Arc::new(Mutex::new(queue)), carry }
    }

    /// Does one piece, together with whatever else waits. It is done also if the caller goes away.
    ///
    /// # Errors
    /// Its own, or the store's; nothing of it was kept then.
    pub(crate) async fn submit(&self, casework: &Casework, piece: T) -> Result<(), CaseworkError> {
        let (answer, answered) = oneshot::channel();
        let is_first = {
            let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            queue.waiting.push((piece, answer));
            !std::mem::replace(&mut queue.under_way, true)
        };
        if is_first {
            tokio::spawn(carry_all(Arc::clone(&self.queue), self.carry, casework.clone()));
        }
        answered.await.map_err(|_| StoreError::UnitBroken)?
    }
}

async fn carry_all<T: Clone + Send + 'static>(
    queue: Arc<Mutex<Queue<T>>>,
    carry: Carry<T>,
    casework: Casework,
) {
    loop {
        let mut group = {
            let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
            if queue.waiting.is_empty() {
                queue.under_way = false;
                return;
            }
            let count = queue.waiting.len().min(MOST);
            queue.waiting.drain(..count).collect::<Vec<_>>()
        };
        let pieces = group.iter().map(|(piece, _)| piece.clone()).collect();
        let outcome = attempt(carry(casework.clone(), pieces)).await;
        if outcome.is_err() && group.len() > 1 {
            // One of them may be at fault: each for itself.
            for (piece, answer) in group.drain(..) {
                let _ = answer.send(attempt(carry(casework.clone(), vec![piece])).await);
            }
        }
        for (_, answer) in group {
            let _ = answer.send(outcome.clone());
        }
    }
}

/// On a task of its own: whatever breaks, the others go on.
async fn attempt(work: BoxFuture<'static, Result<(), CaseworkError>>) -> Result<(), CaseworkError> {
    tokio::spawn(work).await.unwrap_or_else(|_| Err(StoreError::UnitBroken.into()))
}
