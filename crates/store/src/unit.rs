//! A unit of work: what it changes and the events that say so are committed together or not at all.

use futures::future::BoxFuture;
use habeas_domain::{Actor, EventId};
use habeas_environment::Environment;
use jiff::Timestamp;

use crate::audit::{self, NewEvent, Stream};
use crate::connection::Connection;
use crate::counts::{Counted, Tally};
use crate::error::StoreError;
use crate::keyring::Keyring;
use std::sync::Arc;

/// A transaction under way. Decisions are made on what is read here, not on what was read before.
#[derive(Debug)]
pub struct Unit {
    connection: Connection,
    environment: Environment,
    keyring: Arc<Keyring>,
    events: Vec<NewEvent>,
    tally: Tally,
}

/// How far a unit has come: what it gathers after this can be taken back.
#[derive(Debug)]
pub(crate) struct Mark {
    events: usize,
    tally: Tally,
}

impl Unit {
    pub(crate) fn new(connection: Connection, environment: Environment, keyring: Arc<Keyring>) -> Self {
        Self { connection, environment, keyring, events: Vec::new(), tally: Tally::default() }
    }

    /// The connection, for reading and writing.
    pub fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// Clock and randomness.
    #[must_use]
    pub const fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The keys.
    #[must_use]
    pub fn keyring(&self) -> Arc<Keyring> {
        Arc::clone(&self.keyring)
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.environment.now()
    }

    /// Writes an event into the audit log when the unit is committed. `data` must hold no personal data: it is
    /// kept for ever.
    pub fn record(
        &mut self,
        stream: Stream,
        actor: &Actor,
        kind: &'static str,
        object_id: impl ToString,
        data: serde_json::Value,
    ) {
        self.events.push(NewEvent {
            id: EventId::new(self.environment.unique()),
            stream,
            at: self.environment.now(),
            actor: actor.name.clone(),
            kind,
            object_id: object_id.to_string(),
            data: data.to_string(),
        });
    }

    /// Counts what the unit moves: from where it was counted, if it was, to where it is counted from now on.
    pub fn count(&mut self, from: Option<Counted>, to: Counted) {
        if let Some(from) = from {
            self.tally.add(from, -1);
        }
        self.tally.add(to, 1);
    }

    /// Closes the connection properly: the last one to a SQLite file takes the write-ahead log with it.
    pub(crate) async fn close(self) {
        self.connection.close().await;
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark { events: self.events.len(), tally: self.tally.clone() }
    }

    pub(crate) fn go_back_to(&mut self, mark: Mark) {
        self.events.truncate(mark.events);
        self.tally = mark.tally;
    }

    pub(crate) fn forget_everything(&mut self) {
        self.events.clear();
        self.tally = Tally::default();
    }

    /// Writes the recorded events and what they changed of the counts; the last thing before commit, because it holds the
    /// log until then.
    pub(crate) async fn append_events(&mut self) -> Result<(), StoreError> {
        let events = std::mem::take(&mut self.events);
        audit::append(&mut self.connection, &self.keyring, events).await?;
        std::mem::take(&mut self.tally).write(&mut self.connection).await
    }
}

/// What a unit does, boxed so that it can travel to the writer.
pub(crate) type Work<T, E> = Box<dyn for<'u> FnOnce(&'u mut Unit) -> BoxFuture<'u, Result<T, E>> + Send>;
