//! The marks that a move leaves on both sides, and what they mean for whoever wants to work there.

use jiff::Timestamp;

use crate::connection::Connection;
use crate::dialect::sql;
use crate::error::StoreError;
use crate::schema;

/// Where a side of a move stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The source, as long as nothing has worked on it since its move began.
    Leaving,
    /// The source, once everything of it is on the other side.
    Left,
    /// The target, until everything is there.
    Arriving,
    /// The target afterwards: an installation like any other.
    Arrived,
}

impl State {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Leaving => "leaving",
            Self::Left => "left",
            Self::Arriving => "arriving",
            Self::Arrived => "arrived",
        }
    }

    fn parse(word: &str) -> Result<Self, StoreError> {
        [Self::Leaving, Self::Left, Self::Arriving, Self::Arrived]
            .into_iter()
            .find(|state| state.as_str() == word)
            .ok_or(StoreError::Corrupt("moves.state"))
    }
}

/// The mark on one side.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    pub(super) state: State,
    /// The same on both sides of one move.
    pub(super) token: String,
    /// Which installation it is.
    pub(super) installation: String,
    /// The other side.
    pub(super) place: String,
    /// The version of the schema in which rows are carried.
    pub(super) version: i64,
    pub(super) at: Timestamp,
}

/// The mark of a database, which may be older than marks.
pub(super) async fn find(connection: &mut Connection) -> Result<Option<Mark>, StoreError> {
    if !schema::has_table(connection, "moves").await? {
        return Ok(None);
    }
    let row = connection
        .sql(sql!("SELECT state, token, installation, place, version, at FROM moves"))
        .first()
        .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Mark {
        state: State::parse(&row.text(0)?)?,
        token: row.text(1)?,
        installation: row.text(2)?,
        place: row.text(3)?,
        version: row.integer(4)?,
        at: row.time(5)?,
    }))
}

/// Sets the mark, whatever was there.
pub(super) async fn set(connection: &mut Connection, mark: &Mark) -> Result<(), StoreError> {
    connection
        .sql(sql!(
            "INSERT INTO moves (id, state, token, installation, place, version, at)
             VALUES (1, $1, $2, $3, $4, $5, $6)
             ON CONFLICT (id) DO UPDATE SET state = excluded.state, token = excluded.token,
               installation = excluded.installation, place = excluded.place, version = excluded.version,
               at = excluded.at"
        ))
        .text(mark.state.as_str())
        .text(&mark.token)
        .text(&mark.installation)
        .text(&mark.place)
        .integer(mark.version)
        .time(mark.at)
        .execute()
        .await?;
    Ok(())
}

/// Moves the mark of one move on; fails if it is not there any more.
pub(super) async fn advance(
    connection: &mut Connection,
    token: &str,
    state: State,
    at: Timestamp,
) -> Result<(), StoreError> {
    let changed = connection
        .sql(sql!("UPDATE moves SET state = $1, at = $2 WHERE token = $3"))
        .text(state.as_str())
        .time(at)
        .text(token)
        .execute()
        .await?;
    if changed == 1 { Ok(()) } else { Err(StoreError::Corrupt("moves")) }
}

/// Refuses work on a database whose installation has left or has not wholly arrived.
pub(crate) async fn admit(connection: &mut Connection) -> Result<(), StoreError> {
    match find(connection).await? {
        Some(mark) => refusal(mark.state.as_str(), mark.place, mark.at.as_millisecond()),
        None => Ok(()),
    }
}

/// The same for the columns of a mark as they are stored.
pub(crate) fn refusal(state: &str, place: String, at: i64) -> Result<(), StoreError> {
    match State::parse(state)? {
        State::Left => {
            let at = Timestamp::from_millisecond(at).map_err(|_| StoreError::Corrupt("moves.at"))?;
            Err(StoreError::Moved { place, at })
        }
        State::Arriving => Err(StoreError::MoveUnfinished { place }),
        State::Leaving | State::Arrived => Ok(()),
    }
}

/// Takes the mark off a source whose move was not finished, because now it is worked on: a later run must begin afresh.
pub(crate) async fn give_up(connection: &mut Connection) -> Result<(), StoreError> {
    let given_up = connection.sql(sql!("DELETE FROM moves WHERE state = 'leaving'")).execute().await?;
    if given_up > 0 {
        tracing::warn!(
            "this database was about to be moved; it is worked on again, so `habeas migrate --from ... --to ...` will begin \
             afresh"
        );
    }
    Ok(())
}
