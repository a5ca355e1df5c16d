//! Moving an installation from one database to another.
//!
//! The rows travel as they are: sealed values, wrapped keys, authenticated events and signed seals are neither opened nor
//! made anew, because the same master key opens them. What makes a move safe:
//!
//! - Both databases belong to the moving process alone (`opening.rs`), so what was copied cannot change.
//! - How far it has come is written into the target with the rows themselves.
//! - Marks (`marks.rs`) on both sides carry one token. Whoever opens the source for work takes its mark away, so a copy
//!   that was begun before is known to be stale and is begun afresh. Whoever opens the target is refused.
//! - Only when everything was compared, first the source is closed (`left`), then the target is opened (`arrived`). Between
//!   the two nobody can work on either; so there is no moment at which somebody could work on both.

mod digest;
mod end;
mod error;
mod marks;
mod rows;
mod starting;
mod tables;
mod verifying;

use std::ops::ControlFlow;

use habeas_domain::{Actor, EventId};
use habeas_environment::Environment;
use serde::Serialize;

use self::end::{End, Role};
use self::marks::State;
use self::rows::Reader;
use self::tables::Carried;
use crate::audit::{self, NewEvent, Seal, Stream};
use crate::connection::Connection;
use crate::error::StoreError;
use crate::keyring::Keyring;

pub use error::MoveError;
pub(crate) use marks::{admit, give_up, refusal};

/// From where to where.
#[derive(Clone, Copy, Debug)]
pub struct Route<'r> {
    /// The database that holds the installation, as [`crate::Database::open`] takes it.
    pub from: &'r str,
    /// The empty one.
    pub to: &'r str,
}

/// What is on disk now. Whoever is told may stop the move; it can be gone on with later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'s> {
    /// Both sides are marked.
    Begun {
        /// Whether an earlier run is gone on with.
        resumed: bool,
        /// Rows of all tables together.
        rows: u64,
        /// How many of them an earlier run has carried.
        there: u64,
    },
    /// Rows of one table were written.
    Carried {
        /// Which table.
        table: &'s str,
        /// How many of its rows are there now.
        rows: u64,
        /// How many rows of all tables are there now.
        there: u64,
    },
    /// One table was read again on the target and is the same.
    Compared {
        /// Which table.
        table: &'s str,
        /// How many rows it has.
        rows: u64,
    },
    /// The audit log verifies on the target.
    Verified,
    /// The source is closed.
    Left,
    /// The target is open.
    Arrived,
}

/// Who is told of each step.
pub type Watch<'w> = dyn FnMut(Step<'_>) -> ControlFlow<()> + Send + 'w;

/// What was moved.
#[derive(Clone, Debug, Serialize)]
pub struct Moved {
    /// Where it was, without user and password.
    pub from: String,
    /// Where it is, without user and password.
    pub to: String,
    /// Every table.
    pub tables: Vec<MovedTable>,
    /// Rows of all tables together.
    pub rows: u64,
    /// Events that the audit log had, all of them verified on the target.
    pub events: u64,
    /// The newest seal, against which the audit log was verified.
    pub seal: Option<Seal>,
    /// Whether an earlier run was gone on with.
    pub resumed: bool,
}

/// One table that was moved.
#[derive(Clone, Debug, Serialize)]
pub struct MovedTable {
    /// Its name.
    pub name: String,
    /// How many rows it has, on both sides.
    pub rows: u64,
    /// What they hold, hexadecimal: the same on both sides.
    pub digest: String,
}

/// Moves an installation, or goes on with its move. It can be killed at any moment and run again.
///
/// # Errors
/// What stands in the way; then nobody can work on the target, and on the source as before, unless the error says
/// otherwise.
pub async fn move_installation(
    route: Route<'_>,
    keyring: &Keyring,
    environment: &Environment,
    watch: &mut Watch<'_>,
) -> Result<Moved, MoveError> {
    let mut source = End::open(route.from, Role::Source, None).await?;
    let outcome = async {
        if let Some(place) = starting::look_at_source(&mut source, keyring).await?
            && !end::exists(route.to)
        {
            return Err(MoveError::HasLeft { place });
        }
        let mut target = End::open(route.to, Role::Target, Some(&source)).await?;
        let outcome = Move { keyring, environment, watch }.carry_out(&mut source, &mut target).await;
        target.close().await;
        outcome
    };
    let outcome = outcome.await;
    source.close().await;
    outcome
}

/// A move under way.
struct Move<'m, 'w> {
    keyring: &'m Keyring,
    environment: &'m Environment,
    watch: &'m mut Watch<'w>,
}

impl Move<'_, '_> {
    async fn carry_out(&mut self, source: &mut End, target: &mut End) -> Result<Moved, MoveError> {
        if let Some(moved) = starting::moved_before(source, target).await? {
            return Ok(moved);
        }
        let begun = starting::begin(source, target, self.keyring, self.environment).await?;
        let (mut rows, mut there) = (0, 0);
        for carried in &begun.tables {
            rows += carried.count(&mut source.connection, Role::Source).await?;
            let position = rows::position(&mut target.connection, carried.name()).await;
            there += position.map_err(|error| Role::Target.failed(error))?.rows;
        }
        self.tell(Step::Begun { resumed: begun.resumed, rows, there })?;
        for carried in &begun.tables {
            self.carry(source, target, carried, &mut there).await?;
        }
        let mut tables = Vec::with_capacity(begun.tables.len());
        for carried in &begun.tables {
            let table = verifying::compare(source, target, carried).await?;
            self.tell(Step::Compared { table: carried.name(), rows: table.rows })?;
            tables.push(table);
        }
        let (events, seal) = verifying::verify_log(source, target, self.keyring).await?;
        self.tell(Step::Verified)?;
        self.hand_over(source, target, &begun.token, rows).await?;
        Ok(Moved {
            from: source.place.clone(),
            to: target.place.clone(),
            tables,
            rows,
            events,
            seal,
            resumed: begun.resumed,
        })
    }

    /// Carries what is missing of one table. The next rows are read while the last ones are written.
    async fn carry(
        &mut self,
        source: &mut End,
        target: &mut End,
        carried: &Carried,
        there: &mut u64,
    ) -> Result<(), MoveError> {
        let failed = |error| Role::Target.failed(error);
        let mut position = rows::position(&mut target.connection, carried.name()).await.map_err(failed)?;
        if position.complete {
            return Ok(());
        }
        let dialect = target.connection.dialect();
        let mut reader =
            Reader::begin(&mut source.connection, carried, Role::Source, dialect, position.clone())?;
        let mut next = reader.load().await?;
        while let Some(load) = next.take() {
            *there += load.position.rows - position.rows;
            position = load.position.clone();
            let writing =
                transaction(&mut target.connection, async |target| rows::write(target, carried, load).await);
            let (written, read) = futures::join!(writing, reader.load());
            written.map_err(failed)?;
            self.tell(Step::Carried { table: carried.name(), rows: position.rows, there: *there })?;
            next = read?;
        }
        position.complete = true;
        rows::note(&mut target.connection, carried.name(), &position).await.map_err(failed)
    }

    /// Closes the source, then opens the target.
    async fn hand_over(
        &mut self,
        source: &mut End,
        target: &mut End,
        token: &str,
        rows: u64,
    ) -> Result<(), MoveError> {
        let now = self.environment.now();
        marks::advance(&mut source.connection, token, State::Left, now)
            .await
            .map_err(|error| Role::Source.failed(error))?;
        self.tell(Step::Left)?;
        let event = NewEvent {
            id: EventId::new(self.environment.unique()),
            stream: Stream::System,
            at: now,
            actor: Actor::local_operator().name,
            kind: "installation.moved",
            object_id: "installation".to_owned(),
            data: serde_json::json!({
                "from": source.connection.dialect().as_str(),
                "to": target.connection.dialect().as_str(),
                "rows": rows,
            })
            .to_string(),
        };
        let keyring = self.keyring;
        transaction(&mut target.connection, async |target| {
            marks::advance(target, token, State::Arrived, now).await?;
            audit::append(target, keyring, vec![event]).await
        })
        .await
        .map_err(MoveError::Arrival)?;
        self.tell(Step::Arrived)
    }

    fn tell(&mut self, step: Step<'_>) -> Result<(), MoveError> {
        match (self.watch)(step) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(MoveError::Stopped),
        }
    }
}

/// All of `work` or nothing.
async fn transaction<W>(connection: &mut Connection, work: W) -> Result<(), StoreError>
where
    W: AsyncFnOnce(&mut Connection) -> Result<(), StoreError>,
{
    connection.run("BEGIN").await?;
    let outcome = work(connection).await;
    match outcome {
        Ok(()) => connection.run("COMMIT").await,
        Err(error) => {
            // What is lost with the connection is rolled back as well.
            drop(connection.run("ROLLBACK").await);
            Err(error)
        }
    }
}
