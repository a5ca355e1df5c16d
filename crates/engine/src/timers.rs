//! Reconcilers: they take no input, look at what the store says is due, and do it.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};
use jiff::SignedDuration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::engine::Engine;

/// The log is sealed at most this often.
const BETWEEN_SEALS: Duration = Duration::from_secs(1);
/// How often the write-ahead log is copied back, in seals.
const SEALS_PER_CHECKPOINT: u64 = 20;
/// How often what is to be forgotten is looked for, in seals.
const SEALS_PER_FORGETTING: u64 = 60;

/// What two readings of a clock may differ by.
const UNNOTICED: SignedDuration = SignedDuration::from_millis(250);
/// From here on a difference is a jump, and not the clock being adjusted.
const JUMP: SignedDuration = SignedDuration::from_secs(2);

impl Engine {
    /// Seals the audit log, forgets what is due, and keeps the write-ahead log short, until told to stop; then seals
    /// once more.
    pub(crate) async fn reconcile(self, stop: CancellationToken) {
        let clock = Arc::clone(self.environment().clock());
        // Beside the seals: a storage that is slow or gone must not hold them up. What a stop breaks off is swept later.
        let mut forgetting = JoinSet::new();
        for round in 1_u64.. {
            if round % Self::rounds_between_signs(BETWEEN_SEALS) == 1 {
                self.give_sign_of_life().await;
            }
            let pause = Box::pin(clock.sleep(BETWEEN_SEALS));
            let stopped = matches!(select(Box::pin(stop.cancelled()), pause).await, Either::Left(_));
            self.keep_time().await;
            // At the end everybody seals: what was settled last is to be covered.
            if (stopped || self.standing.leads())
                && let Err(error) = self.casework.seal_audit().await
            {
                tracing::error!(%error, "the audit log could not be sealed; trying again");
            }
            if stopped {
                return self.leave().await;
            }
            if round % SEALS_PER_CHECKPOINT == 0 {
                self.copy_back().await;
            }
            drop(forgetting.try_join_next());
            if round % SEALS_PER_FORGETTING == 0 && forgetting.is_empty() {
                let engine = self.clone();
                forgetting.spawn(async move { engine.forget().await });
            }
        }
    }

    /// Follows the clock that counts. A jump is said and made harmless before anything is judged by the new time.
    pub async fn keep_time(&self) {
        let clock = self.environment().clock();
        let Ok(reference) = self.casework.store().reference_time().await else { return };
        let before = clock.now();
        let off = reference.duration_since(before);
        if off.abs() < UNNOTICED {
            return;
        }
        if off.abs() >= JUMP {
            tracing::warn!(
                seconds = off.as_secs_f64(),
                "the clock jumped; waits, leases and permits go with it"
            );
            if let Err(error) = self.casework.clock_jumped(before, off).await {
                tracing::error!(%error, "the jump could not be written; trying again");
                return;
            }
        }
        clock.set(reference);
    }

    /// Copies the write-ahead log back; if keys were destroyed since, nothing of them may stay in it.
    async fn copy_back(&self) {
        let store = self.casework.store();
        let copied = if self.casework.has_forgotten() {
            match store.forget_traces().await {
                Ok(true) => Ok(()),
                Ok(false) => {
                    // Somebody read just then.
                    self.casework.remember_to_forget();
                    store.checkpoint().await
                }
                Err(error) => {
                    self.casework.remember_to_forget();
                    Err(error)
                }
            }
        } else {
            store.checkpoint().await
        };
        if let Err(error) = copied {
            tracing::warn!(%error, "the write-ahead log could not be copied back; trying again");
        }
    }

    /// Forgets what is due, in the database, in the storage and in the outbox.
    pub async fn forget(&self) {
        if self.standing.leads() {
            self.forget_for_all().await;
        }
        // Copies lie beside each process.
        match self.forget_copies_of_mails().await {
            Ok(0) => {}
            Ok(mails) => tracing::info!(mails, "copies of forgotten mails were removed from the outbox"),
            Err(error) => tracing::warn!(%error, "the outbox could not be swept; trying again"),
        }
    }

    async fn forget_for_all(&self) {
        match self.casework.forget_what_is_due().await {
            Ok(0) => {}
            Ok(requests) => tracing::info!(requests, "keys were destroyed at the end of their retention"),
            Err(error) => tracing::error!(%error, "what is due to be forgotten could not be; trying again"),
        }
        match self.casework.sweep_storage().await {
            Ok(0) => {}
            Ok(objects) => tracing::info!(objects, "what nobody needs was removed from the storage"),
            Err(error) => tracing::warn!(%error, "the storage could not be swept; trying again"),
        }
    }

    async fn forget_copies_of_mails(&self) -> Result<usize, Box<dyn Error + Send + Sync>> {
        let copies = self.mailer.copies().await?;
        if copies.is_empty() {
            return Ok(0);
        }
        let forgotten = self.casework.forgotten_mails(copies).await?;
        let count = forgotten.len();
        self.mailer.remove_copies(forgotten).await?;
        Ok(count)
    }
}
