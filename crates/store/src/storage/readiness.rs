//! Whether the storage can be used at all, asked often and looked at seldom.

use std::sync::Arc;
use std::time::Duration;

use habeas_environment::Environment;
use object_store::path::Path;
use tokio::sync::Mutex;

use super::place::Place;
use super::{MAGIC, StorageError};

/// How long what was seen is believed.
const BELIEVED: Duration = Duration::from_secs(5);

/// The name of a small object that stays there, for looking at.
const PROBE: &str = "probe";

/// Looks at the storage: reads a small object, and writes it only at the start, when it is gone, and after something
/// failed. Cheap to clone.
#[derive(Clone)]
pub(super) struct Readiness {
    /// Gives up sooner than the work does, because whoever asks does not wait long.
    place: Place,
    seen: Arc<Mutex<Option<Seen>>>,
}

/// What a look showed, and when.
struct Seen {
    at: Duration,
    outcome: Result<(), StorageError>,
}

impl Readiness {
    pub(super) fn new(place: Place) -> Self {
        Self { place, seen: Arc::default() }
    }

    pub(super) async fn ask(&self, environment: &Environment) -> Result<(), StorageError> {
        // Whoever asks meanwhile waits for the same look.
        let mut seen = self.seen.lock().await;
        let now = environment.clock().monotonic();
        if let Some(Seen { at, outcome }) = &*seen
            && now.saturating_sub(*at) < BELIEVED
            // Work that failed, or went well again, knows better.
            && outcome.is_err() == self.place.health().is_in_trouble()
        {
            return outcome.clone();
        }
        let outcome = self.look(seen.is_none()).await;
        *seen = Some(Seen { at: now, outcome: outcome.clone() });
        outcome
    }

    async fn look(&self, is_first: bool) -> Result<(), StorageError> {
        let probe = Path::from(PROBE);
        let must_write = is_first || self.place.health().is_in_trouble();
        if !must_write {
            match self.place.get(&probe, 0..MAGIC.len() as u64).await {
                Err(StorageError::Missing | StorageError::Altered) => {}
                outcome => return outcome.map(drop),
            }
        }
        self.place.put(&probe, MAGIC.as_slice().into()).await
    }
}
