//! Lists of requests that cost what they show, with a million requests behind them.
//!
//! A planner that has to serve every filter by one condition reads every request. So a page is put together from pieces,
//! one for each state and right that the filter lets through, each of which an index gives in the order of the list and
//! none longer than the page. Only what is on the page is read as a whole.

use std::fmt;
use std::str::FromStr;

use habeas_domain::lifecycle::RequestState;
use habeas_domain::{RequestId, Right};
use jiff::civil::Date;

use super::Request;
use crate::connection::{Batch, Connection};
use crate::dialect::{Sql, sql};
use crate::error::StoreError;

/// Which requests to list.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only those in this state.
    pub state: Option<RequestState>,
    /// Only those of this right.
    pub right: Option<Right>,
    /// Only open ones due before this date, the nearest date first.
    pub due_before: Option<Date>,
    /// Only those filed under one of these keyed hashes; not together with `due_before`.
    pub lookups: Option<Vec<Vec<u8>>>,
    /// Only those after this place.
    pub after: Option<Position>,
}

/// A request's place in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Its due date as the list showed it, where that is what the list is ordered by.
    pub due_on: Option<Date>,
    /// Its id.
    pub id: RequestId,
}

impl From<RequestId> for Position {
    fn from(id: RequestId) -> Self {
        Self { due_on: None, id }
    }
}

/// `req_...`, or `2026-07-01.req_...`.
impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.due_on {
            Some(due_on) => write!(formatter, "{due_on}.{}", self.id),
            None => self.id.fmt(formatter),
        }
    }
}

/// Text that is no place in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a place in a list of requests")]
pub struct InvalidPosition;

impl FromStr for Position {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        let (date, id) = text.split_once('.').map_or((None, text), |(date, id)| (Some(date), id));
        // jiff also reads other spellings of dates.
        let date = date.map(|date| if date.len() == 10 { date.parse().ok() } else { None });
        let due_on = match date {
            Some(date) => Some(date.ok_or(InvalidPosition)?),
            None => None,
        };
        Ok(Self { due_on, id: id.parse().map_err(|_| InvalidPosition)? })
    }
}

/// The piece of one state and right, each a word in quotes or a placeholder.
macro_rules! piece {
    ($state:literal, $right:literal, $columns:literal, $after:literal, $order:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM (SELECT ",
            $columns,
            " FROM requests WHERE state = ",
            $state,
            " AND right_name = ",
            $right,
            " AND ",
            $after,
            " ORDER BY ",
            $order,
            ") AS piece"
        )
    };
}

/// The pieces of a state, one per right there is.
macro_rules! of_state {
    ($state:literal, $columns:literal, $after:literal, $order:literal) => {
        concat!(
            piece!($state, "'access'", $columns, $after, $order),
            " UNION ALL ",
            piece!($state, "'access_categories'", $columns, $after, $order),
            " UNION ALL ",
            piece!($state, "'deletion'", $columns, $after, $order)
        )
    };
}

/// What `$piece` gives for every state but `closed`.
macro_rules! open_states {
    ($piece:ident, $($more:literal),+) => {
        concat!(
            $piece!("'verifying'", $($more),+),
            " UNION ALL ",
            $piece!("'triage'", $($more),+),
            " UNION ALL ",
            $piece!("'collecting'", $($more),+),
            " UNION ALL ",
            $piece!("'review'", $($more),+),
            " UNION ALL ",
            $piece!("'erasing'", $($more),+),
            " UNION ALL ",
            $piece!("'delivering'", $($more),+)
        )
    };
}

/// The requests of the page that pieces make.
macro_rules! page {
    ($pieces:expr, $order:literal, $limit:literal) => {
        sql!(concat!(
            "SELECT ",
            columns!(),
            " FROM requests WHERE id IN (SELECT id FROM (",
            $pieces,
            ") AS pieces ORDER BY ",
            $order,
            " LIMIT ",
            $limit,
            ") ORDER BY ",
            $order
        ))
    };
}

/// Requests in the order in which they were taken in; with `due_before` the nearest due date first.
///
/// # Errors
/// If the database fails.
pub async fn list(
    connection: &mut Connection,
    filter: &Filter,
    limit: i64,
) -> Result<Vec<Request>, StoreError> {
    let mut query = match filter {
        Filter { lookups: Some(lookups), .. } => {
            return of_a_person(connection, filter, lookups, limit).await;
        }
        Filter { due_before: Some(_), .. } => connection.sql(by_due_date(filter)),
        _ => connection.sql(by_id(filter)),
    };
    for word in
        [filter.state.map(RequestState::as_str), filter.right.map(Right::as_str)].into_iter().flatten()
    {
        query = query.text(word);
    }
    if let Some(before) = filter.due_before {
        let after = filter.after.and_then(|place| place.due_on);
        query = query.text(before).text(after.map_or_else(String::new, |on| on.to_string()));
    }
    let rows = query.text(after_id(filter)).integer(limit).rows().await?;
    rows.iter().map(Request::read).collect()
}

fn after_id(filter: &Filter) -> String {
    filter.after.map_or_else(String::new, |place| place.id.to_string())
}

fn by_id(filter: &Filter) -> &'static Sql {
    match (filter.state, filter.right) {
        (None, None) => {
            sql!(concat!("SELECT ", columns!(), " FROM requests WHERE id > $1 ORDER BY id LIMIT $2"))
        }
        (Some(_), None) => page!(of_state!("$1", "id", "id > $2", "id LIMIT $3"), "id", "$3"),
        (None, Some(_)) => page!(
            concat!(
                open_states!(piece, "$1", "id", "id > $2", "id LIMIT $3"),
                " UNION ALL ",
                piece!("'closed'", "$1", "id", "id > $2", "id LIMIT $3")
            ),
            "id",
            "$3"
        ),
        (Some(_), Some(_)) => page!(piece!("$1", "$2", "id", "id > $3", "id LIMIT $4"), "id", "$4"),
    }
}

/// The index holds open requests only, and is used where the statement says so.
fn by_due_date(filter: &Filter) -> &'static Sql {
    match (filter.state, filter.right) {
        (None, None) => page!(
            open_states!(
                of_state,
                "due_on, id",
                "state <> 'closed' AND due_on < $1 AND (due_on, id) > ($2, $3)",
                "due_on, id LIMIT $4"
            ),
            "due_on, id",
            "$4"
        ),
        (Some(_), None) => page!(
            of_state!(
                "$1",
                "due_on, id",
                "state <> 'closed' AND due_on < $2 AND (due_on, id) > ($3, $4)",
                "due_on, id LIMIT $5"
            ),
            "due_on, id",
            "$5"
        ),
        (None, Some(_)) => page!(
            open_states!(
                piece,
                "$1",
                "due_on, id",
                "state <> 'closed' AND due_on < $2 AND (due_on, id) > ($3, $4)",
                "due_on, id LIMIT $5"
            ),
            "due_on, id",
            "$5"
        ),
        (Some(_), Some(_)) => page!(
            piece!(
                "$1",
                "$2",
                "due_on, id",
                "state <> 'closed' AND due_on < $3 AND (due_on, id) > ($4, $5)",
                "due_on, id LIMIT $6"
            ),
            "due_on, id",
            "$6"
        ),
    }
}

/// A person has few requests: they are looked at one by one.
async fn of_a_person(
    connection: &mut Connection,
    filter: &Filter,
    lookups: &[Vec<u8>],
    limit: i64,
) -> Result<Vec<Request>, StoreError> {
    let mut rows = Batch::default();
    for lookup in lookups {
        rows.row().bytes(lookup);
    }
    connection
        .sql(sql!(concat!(
            "SELECT ",
            columns!(),
            " FROM requests
             WHERE id IN (SELECT request_id FROM request_identifiers
                          WHERE lookup IN (SELECT unhex(value->>0) FROM {batch}))
               AND (CAST($2 AS TEXT) IS NULL OR state = $2)
               AND (CAST($3 AS TEXT) IS NULL OR right_name = $3) AND id > $4
             ORDER BY id LIMIT $5"
        )))
        .batch(&rows)
        .optional_text(filter.state)
        .optional_text(filter.right)
        .text(after_id(filter))
        .integer(limit)
        .rows()
        .await?
        .iter()
        .map(Request::read)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "req_01920000000070008000000000000001";

    #[rstest::rstest]
    #[case::by_id(ID)]
    #[case::by_due_date("2026-07-01.req_01920000000070008000000000000001")]
    fn a_place_survives_printing_and_reading(#[case] text: &str) {
        assert_eq!(text.parse::<Position>().unwrap().to_string(), text);
    }

    #[rstest::rstest]
    #[case::empty("")]
    #[case::no_date(".req_01920000000070008000000000000001")]
    #[case::no_id("2026-07-01.")]
    #[case::a_time("2026-07-01T00:00:00.req_01920000000070008000000000000001")]
    fn anything_else_is_refused(#[case] text: &str) {
        assert_eq!(text.parse::<Position>(), Err(InvalidPosition));
    }
}
