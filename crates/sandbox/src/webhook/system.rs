//! What those who answer messages and the one who calls back have in common: the state, the time, and each other's notice.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, OnceCell, watch};

use super::callbacks::Delivery;
use super::state::State;
use super::{fixtures, seed};
use crate::clock::Clock;
use crate::random::Random;
use crate::vendors::Environment;

#[derive(Debug)]
pub(super) struct System {
    pub(super) clock: Clock,
    state: Mutex<State>,
    changed: Notify,
    /// How many callbacks were sent and answered.
    delivered: watch::Sender<usize>,
    pub(super) client: OnceCell<reqwest::Client>,
}

impl System {
    pub(super) fn new(environment: &Environment) -> Self {
        let mut state = State::new(Random::for_purpose(environment.seed, "webhook.ids"));
        fixtures::plant(&mut state);
        seed::populate(&mut state, environment.people, environment.seed);
        Self {
            clock: environment.clock.clone(),
            state: Mutex::new(state),
            changed: Notify::new(),
            delivered: watch::Sender::new(0),
            client: OnceCell::new(),
        }
    }

    /// The state after every job that is due by the clock has ended.
    pub(super) fn settled(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.settle(self.clock.now_ms());
        state
    }

    /// There may be something to call back now, or at another time than before.
    pub(super) fn changed(&self) {
        self.changed.notify_one();
    }

    /// Waits for such a change. One that came while nobody waited is not missed.
    pub(super) async fn change(&self) {
        self.changed.notified().await;
    }

    pub(super) fn delivered(&self, delivery: Delivery) {
        let answered_ms = delivery.answered_ms;
        self.settled().delivered(delivery, answered_ms);
        self.delivered.send_modify(|count| *count += 1);
    }

    pub(super) async fn wait_for_deliveries(&self, count: usize) {
        // Ends early only with the sender, which `self` holds.
        let _ = self.delivered.subscribe().wait_for(|delivered| *delivered >= count).await;
    }
}
