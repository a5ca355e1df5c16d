//! How this process stands among the others: who is there, and who does what only one needs to do.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use habeas_casework::workers::{self, BETWEEN_SIGNS};
use habeas_domain::WorkerId;
use habeas_environment::Environment;
use habeas_store::workers::Worker;

use crate::engine::{Engine, EngineOptions};

/// What is known of the others since the last sign of life.
#[derive(Debug)]
pub(crate) struct Standing {
    this: Mutex<Worker>,
    working: AtomicU64,
    leads: AtomicBool,
    warned: AtomicBool,
}

impl Standing {
    pub(crate) fn new(environment: &Environment, options: &EngineOptions, per_worker: usize) -> Self {
        let id = WorkerId::new(environment.unique());
        let places = (options.workers * per_worker) as u64;
        let this = workers::started(id, options.name.clone(), places, environment.now());
        Self {
            this: Mutex::new(this),
            working: AtomicU64::new(1),
            // Whoever knows nothing of others acts as if there were none: what a leader does is safe to do twice.
            leads: AtomicBool::new(true),
            warned: AtomicBool::new(false),
        }
    }

    /// Processes that carry out work, at least this one.
    pub(crate) fn working(&self) -> usize {
        usize::try_from(self.working.load(Ordering::SeqCst)).unwrap_or(usize::MAX).max(1)
    }

    /// Whether this process does what only one needs to do: sealing, forgetting, sweeping.
    pub(crate) fn leads(&self) -> bool {
        self.leads.load(Ordering::SeqCst)
    }

    fn this(&self) -> std::sync::MutexGuard<'_, Worker> {
        self.this.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// How many rounds of the reconciler lie between two signs of life.
    pub(crate) const fn rounds_between_signs(round: std::time::Duration) -> u64 {
        BETWEEN_SIGNS.as_secs() / round.as_secs()
    }

    /// Tells the others that this process is alive and what it has under way, and learns of them.
    pub(crate) async fn give_sign_of_life(&self) {
        let worker = {
            let mut this = self.standing.this();
            this.stopping = self.is_stopping();
            (this.under_way, this.done) = self.room.under_way();
            this.clone()
        };
        let name = worker.name.clone();
        match self.casework.give_sign_of_life(worker).await {
            Ok(found) => {
                self.standing.working.store(found.working, Ordering::SeqCst);
                self.standing.leads.store(found.leads, Ordering::SeqCst);
                if found.namesakes > 0 && !self.standing.warned.swap(true, Ordering::SeqCst) {
                    tracing::warn!(
                        name,
                        "another process has the same name; both work, but nobody can tell them apart: set `workers.name`"
                    );
                }
            }
            Err(error) => {
                // Whoever cannot be heard of does not lead.
                self.standing.leads.store(false, Ordering::SeqCst);
                tracing::error!(%error, "no sign of life could be given; the others will do without this process");
            }
        }
    }

    /// Takes this process off the list.
    pub(crate) async fn leave(&self) {
        let id = self.standing.this().id;
        if let Err(error) = self.casework.worker_left(id).await {
            tracing::warn!(%error, "this process stays on the list of workers until it is forgotten there");
        }
    }
}
