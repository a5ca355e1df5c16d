//! A system of a company's own that speaks the webhook protocol: it knows customers with orders, tickets and a file,
//! takes signed messages at one endpoint, and works them off as jobs.
//!
//! Written from `docs/webhook-protocol.md` alone. Where that page leaves something open, the choice made here is
//! marked "own choice" at the place that makes it, and is a [knob](Knobs) if a client could care.
//!
//! How far a message came is seen in [`messages`](Webhook::messages), not in the call log: to that, every message is a
//! `POST /habeas`, because the type stands in the body.

mod answers;
mod callbacks;
mod calling;
mod control;
mod endpoint;
pub mod fixtures;
mod jobs;
mod knobs;
mod messages;
mod people;
mod protocol;
mod seed;
mod signature;
mod specs;
mod state;
mod system;
mod vendor;

use std::collections::BTreeMap;
use std::sync::{Arc, MutexGuard};

use tokio::task::JoinSet;

use crate::vendors::Environment;

pub use callbacks::{Delivery, Forgery};
pub use calling::{CallbackAddress, InvalidAddress};
pub use jobs::{JobKind, JobRecord, JobState};
pub use knobs::{
    AccessAnswer, Capability, EmptyLists, Exception, FindAnswer, JobNames, Knobs, KnobsPatch, StatusAnswer,
};
pub use messages::{MessageCounts, MessageRecord, Repeated};
pub use people::{File, Person, Record};
pub use protocol::{Identifier, MessageType};
pub use signature::{InvalidSecret, Rejection, Secret, SignedMessage, sign, verify};
pub use specs::{CallbackNotSent, PersonSpec, SpecRefused};

use state::State;
use system::System;

/// The simulator, seen from within the process. Clones are the same simulator.
#[derive(Clone, Debug)]
pub struct Webhook(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    system: Arc<System>,
    /// The task that calls back. It belongs to the simulator, not to the system it works in, and so ends with it.
    _caller: JoinSet<()>,
}

impl Webhook {
    pub(crate) fn new(environment: &Environment) -> Self {
        let system = Arc::new(System::new(environment));
        let mut caller = JoinSet::new();
        caller.spawn(calling::call_back(Arc::clone(&system)));
        Self(Arc::new(Inner { system, _caller: caller }))
    }

    /// How the simulator behaves.
    #[must_use]
    pub fn knobs(&self) -> Knobs {
        self.state().knobs.clone()
    }

    /// Changes some of the knobs.
    pub fn turn(&self, patch: KnobsPatch) {
        self.state().knobs.apply(patch);
        self.0.system.changed();
    }

    /// Adds a person.
    ///
    /// # Errors
    /// When the user id is empty or taken.
    pub fn add_person(&self, spec: PersonSpec) -> Result<(), SpecRefused> {
        self.state().add_person(spec)
    }

    /// Removes a person behind the client's back; false when there is none. Not an effect of any message.
    pub fn remove_person(&self, user_id: &str) -> bool {
        self.state().people.remove(user_id)
    }

    /// What is held about a person; `None` when there is nothing (any more).
    #[must_use]
    pub fn person(&self, user_id: &str) -> Option<Person> {
        self.state().people.get(user_id).cloned()
    }

    /// User ids of the people of whom one identifier, of whatever type, has this value.
    #[must_use]
    pub fn people_with(&self, value: &str) -> Vec<String> {
        self.state().people.with_value(value)
    }

    /// How many people are known.
    #[must_use]
    pub fn person_count(&self) -> usize {
        self.state().people.len()
    }

    /// Every job that was ever accepted, oldest first, forgotten ones too.
    #[must_use]
    pub fn jobs(&self) -> Vec<JobRecord> {
        self.state().job_records()
    }

    /// One of them.
    #[must_use]
    pub fn job(&self, job: &str) -> Option<JobRecord> {
        self.state().job_record(job)
    }

    /// Ends a pending job now, with its effect, or with a message as failed and without any. False when no pending job
    /// has this name.
    pub fn finish_job(&self, job: &str, failure: Option<&str>) -> bool {
        let now_ms = self.0.system.clock.now_ms();
        let ended = self.state().finish(job, failure, now_ms);
        self.0.system.changed();
        ended
    }

    /// Forgets a job: from now on it is unknown, and nothing is called back. False when there is no such job.
    pub fn forget_job(&self, job: &str) -> bool {
        self.state().forget(job)
    }

    /// The newest messages, oldest of them first: everything that was posted to the endpoint, forged ones included.
    #[must_use]
    pub fn messages(&self) -> Vec<MessageRecord> {
        self.state().messages.recent()
    }

    /// How many messages of a type arrived, and what became of them.
    #[must_use]
    pub fn message_counts(&self, kind: MessageType) -> MessageCounts {
        self.state().messages.counts(kind)
    }

    /// In how many accepted deletions this value was named as an identifier, exactly as it was sent. A repeated message
    /// does not count again.
    #[must_use]
    pub fn accepted_for_deletion(&self, value: &str) -> u64 {
        self.state().acceptances.get(value).copied().unwrap_or(0)
    }

    /// The same for every value that was accepted at least once.
    #[must_use]
    pub fn acceptances(&self) -> BTreeMap<String, u64> {
        self.state().acceptances.clone()
    }

    /// The callback of a job that has ended, signed for now. Each call signs the same message anew. `None` when no job
    /// of this name has ended, or it is forgotten.
    #[must_use]
    pub fn callback(&self, job: &str) -> Option<SignedMessage> {
        let now_ms = self.0.system.clock.now_ms();
        self.state().callback(job, None, now_ms)
    }

    /// The same with something wrong.
    #[must_use]
    pub fn forge(&self, job: &str, forgery: Forgery) -> Option<SignedMessage> {
        let now_ms = self.0.system.clock.now_ms();
        self.state().callback(job, Some(forgery), now_ms)
    }

    /// Sends the callback of a job that has ended, once, to an address given. What came of it does not change what is
    /// called back [by itself](Knobs::callback_to).
    ///
    /// # Errors
    /// When no job of this name has ended, or the address is none. That nobody answers is not an error here but a
    /// delivery without a status.
    pub async fn send_callback(
        &self,
        job: &str,
        to: &str,
        forgery: Option<Forgery>,
    ) -> Result<Delivery, CallbackNotSent> {
        self.0.system.send(job, to, forgery).await
    }

    /// Every callback that was sent, oldest first, with what it was answered.
    #[must_use]
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.state().deliveries.clone()
    }

    /// Waits until at least this many callbacks were sent and answered.
    pub async fn wait_for_deliveries(&self, count: usize) {
        self.0.system.wait_for_deliveries(count).await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.system.settled()
    }
}
