//! Whether a move may begin, and whether it begins afresh or goes on. Nothing is changed before everything was looked at.

use aws_lc_rs::digest::{SHA256, digest};
use habeas_environment::Environment;

use super::end::{End, Role};
use super::error::MoveError;
use super::marks::{self, Mark, State};
use super::tables::{self, Carried};
use super::{Moved, rows, transaction};
use crate::audit::seal;
use crate::connection::Connection;
use crate::dialect::sql;
use crate::error::StoreError;
use crate::keyring::Keyring;
use crate::{installation, migrate, schema};

/// A move that may carry rows.
pub(super) struct Begun {
    pub(super) tables: Vec<Carried>,
    pub(super) token: String,
    pub(super) resumed: bool,
}

/// Looks whether the source holds an installation that these keys belong to and that may be moved; where it is, if it
/// has left: then only that move can be gone on with.
pub(super) async fn look_at_source(source: &mut End, keyring: &Keyring) -> Result<Option<String>, MoveError> {
    let failed = |error| Role::Source.failed(error);
    let source = &mut source.connection;
    if !schema::has_table(source, "installation").await.map_err(failed)? {
        return Err(MoveError::NothingThere);
    }
    is_known_version(source).await.map_err(failed)?;
    if !installation::check(source, keyring).await.map_err(failed)? {
        return Err(MoveError::NothingThere);
    }
    match marks::find(source).await.map_err(failed)? {
        Some(Mark { state: State::Arriving, place, .. }) => Err(MoveError::SourceUnfinished { place }),
        Some(Mark { state: State::Left, place, .. }) => Ok(Some(place)),
        _ => Ok(None),
    }
}

/// What an earlier run has moved, if it came to its end and only could not say so any more.
pub(super) async fn moved_before(source: &mut End, target: &mut End) -> Result<Option<Moved>, MoveError> {
    let (from, to) = (|error| Role::Source.failed(error), |error| Role::Target.failed(error));
    let left = marks::find(&mut source.connection).await.map_err(from)?;
    let arrived = marks::find(&mut target.connection).await.map_err(to)?;
    let (Some(left), Some(arrived)) = (left, arrived) else { return Ok(None) };
    if (left.state, arrived.state) != (State::Left, State::Arrived) || left.token != arrived.token {
        return Ok(None);
    }
    let tables = rows::noted(&mut target.connection).await.map_err(to)?;
    let count = |name: &str| tables.iter().find(|table| table.name == name).map_or(0, |table| table.rows);
    Ok(Some(Moved {
        from: source.place.clone(),
        to: target.place.clone(),
        rows: tables.iter().map(|table| table.rows).sum(),
        events: count("audit_events"),
        seal: seal::newest(&mut source.connection).await.map_err(from)?,
        resumed: true,
        tables,
    }))
}

/// Decides whether an earlier run is gone on with, and marks both sides if not.
pub(super) async fn begin(
    source: &mut End,
    target: &mut End,
    keyring: &Keyring,
    environment: &Environment,
) -> Result<Begun, MoveError> {
    let (from, to) = (|error| Role::Source.failed(error), |error| Role::Target.failed(error));
    let installation = identity(&mut source.connection).await.map_err(from)?;
    let leaving = marks::find(&mut source.connection).await.map_err(from)?;
    let arriving = look_at_target(target, &installation).await?;
    let same_move = leaving
        .as_ref()
        .zip(arriving.as_ref())
        .filter(|(leaving, arriving)| leaving.token == arriving.token)
        .map(|(_, arriving)| (arriving.token.clone(), arriving.version));
    if let Some(Mark { state: State::Left, place, .. }) = leaving
        && same_move.is_none()
    {
        return Err(MoveError::HasLeft { place });
    }

    // The schema of a source that has been left is what the newest program of then made it; a later one may know more.
    for (end, role) in [(&mut *source, Role::Source), (&mut *target, Role::Target)] {
        let keyring = (role == Role::Source).then_some(keyring);
        migrate::migrate(&mut end.connection, environment, keyring, migrate::NEWEST)
            .await
            .map_err(|error| role.failed(error))?;
    }
    let tables = tables::carried(&mut source.connection, &mut target.connection).await?;
    let token = match same_move {
        Some((token, version)) if version == migrate::NEWEST => {
            return Ok(Begun { tables, token, resumed: true });
        }
        // Rows of an older schema are carried again. The token stays, or a source that was left could not be gone on with
        // if this run is killed between the two marks.
        Some((token, _)) => token,
        None => hex::encode(environment.random::<16>()),
    };
    let mark = |state, place: &str| Mark {
        state,
        token: token.clone(),
        installation: installation.clone(),
        place: place.to_owned(),
        version: migrate::NEWEST,
        at: environment.now(),
    };
    let (arriving, leaving) = (mark(State::Arriving, &source.place), mark(State::Leaving, &target.place));
    transaction(&mut target.connection, async |target| {
        // Of an earlier run, and the row of the audit log's count that every new database has.
        for carried in &tables {
            target.sql(carried.clear).execute().await?;
        }
        target.sql(sql!("DELETE FROM moved_tables")).execute().await?;
        marks::set(target, &arriving).await
    })
    .await
    .map_err(to)?;
    marks::set(&mut source.connection, &leaving).await.map_err(from)?;
    Ok(Begun { tables, token, resumed: false })
}

/// The target's mark, if it holds a part of this installation; `None` if it is empty.
async fn look_at_target(target: &mut End, installation: &str) -> Result<Option<Mark>, MoveError> {
    let failed = |error| Role::Target.failed(error);
    let target = &mut target.connection;
    let found = tables::of(target, Role::Target).await?;
    if found.is_empty() {
        return Ok(None);
    }
    if !schema::has_table(target, "schema_versions").await.map_err(failed)? {
        let what = format!("tables that are not of this program, for example {}", found[0].name);
        return Err(MoveError::NotEmpty { what });
    }
    is_known_version(target).await.map_err(failed)?;
    match marks::find(target).await.map_err(failed)? {
        Some(mark) if mark.state == State::Arriving && mark.installation == installation => {
            return Ok(Some(mark));
        }
        Some(Mark { state: State::Arriving, place, .. }) => return Err(MoveError::AnotherMove { place }),
        _ => {}
    }
    for table in &found {
        let row = target.sql(tables::counting(table)?).first().await.map_err(failed)?;
        let rows = row.map_or(Ok(0), |row| row.integer(0)).map_err(failed)?;
        // Every new database has the one row that counts the events.
        let none = i64::from(table.name == "audit_log");
        if rows > none {
            let what = match table.name.as_str() {
                "installation" => "an installation".to_owned(),
                other => format!("rows in {other}"),
            };
            return Err(MoveError::NotEmpty { what });
        }
    }
    Ok(None)
}

/// Refuses what a newer program wrote.
async fn is_known_version(connection: &mut Connection) -> Result<(), StoreError> {
    let found = migrate::version(connection).await?.unwrap_or(0);
    if found > migrate::NEWEST {
        return Err(StoreError::NewerSchema { found, known: migrate::NEWEST });
    }
    Ok(())
}

/// What tells an installation from every other one: its key check holds randomness and never changes.
async fn identity(connection: &mut Connection) -> Result<String, StoreError> {
    let row = connection.sql(sql!("SELECT key_check FROM installation WHERE id = 1")).first().await?;
    let check = row.ok_or(StoreError::Corrupt("installation"))?.bytes(0)?;
    Ok(hex::encode(digest(&SHA256, &check)))
}
