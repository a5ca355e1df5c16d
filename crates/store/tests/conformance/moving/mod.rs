//! Moving an installation between databases: from either kind to either kind.

mod arriving;
mod refusing;
mod stopping;

use std::ops::ControlFlow;

use habeas_store::audit::{Stream, seal};
use habeas_store::moving::{MoveError, Moved, Route, Step, move_installation};
use habeas_testing::{RawConnection, TestDatabase, keyring};

use crate::common::{Fixture, note};

/// What belongs to a database and is not moved.
const OWN: [&str; 3] = ["schema_versions", "moves", "moved_tables"];
/// What the move itself writes to, or what only the program can write correctly.
const SPECIAL: [&str; 5] = ["installation", "audit_log", "audit_events", "audit_streams", "audit_seals"];
/// Rows of a table that is carried in several loads.
const MANY: i64 = 12_001;

/// Every kind of database to move into.
async fn targets() -> [TestDatabase; 2] {
    [TestDatabase::sqlite(), TestDatabase::postgres().await]
}

/// Moves without a break.
async fn carry(from: &TestDatabase, to: &TestDatabase) -> Result<Moved, MoveError> {
    carry_until(from, to, |_| false).await
}

/// Moves until a step that `ends` picks.
async fn carry_until(
    from: &TestDatabase,
    to: &TestDatabase,
    mut ends: impl FnMut(Step<'_>) -> bool + Send,
) -> Result<Moved, MoveError> {
    let (_, environment) = habeas_testing::environment();
    let route = Route { from: from.url(), to: to.url() };
    let mut watch =
        |step: Step<'_>| if ends(step) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    move_installation(route, &keyring(), &environment, &mut watch).await
}

/// An installation with three rows of every kind of value in every table, an audit log of some events under a seal and
/// some under none. Nobody has it open.
async fn installation(database: TestDatabase) -> TestDatabase {
    let fixture = Fixture::on(database).await;
    for sealed in [true, false] {
        let request = Stream::Request(fixture.request_id());
        keep!(fixture, |unit| {
            for number in 0..4 {
                note(unit, if number % 2 == 0 { request } else { Stream::System }, number);
            }
            Ok(())
        });
        if sealed {
            keep!(fixture, |unit| seal::seal(unit).await).expect("events to seal");
        }
    }
    let Fixture { database, store, .. } = fixture;
    store.close().await;
    let mut raw = database.raw().await;
    for table in raw.tables().await {
        if !OWN.contains(&table.as_str()) && !SPECIAL.contains(&table.as_str()) {
            for number in 1..=3 {
                fill(&mut raw, &table, number).await;
            }
        }
    }
    drop(raw);
    database
}

/// More rows than one load carries, of one table; and values that no batch takes, of another.
async fn add_much(database: &TestDatabase) {
    let mut raw = database.raw().await;
    raw.run(format!(
        "INSERT INTO pace (account, class, next_slot, blocked_until)
         WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {MANY})
         SELECT 'account ' || n, 'class', n, -n FROM numbers"
    ))
    .await;
    for number in 0..4_u8 {
        let content: Vec<u8> = (0..300_000_u32).map(|at| (at % 251) as u8 ^ number).collect();
        let content = raw.bytes(&content);
        raw.run(format!(
            "INSERT INTO packages (request_id, content, created_at) VALUES ('large {number}', {content}, {number})"
        ))
        .await;
    }
}

/// Inserts a row with a value of its own in every column; every second row leaves out what may be left out.
async fn fill(raw: &mut RawConnection, table: &str, number: u8) {
    let columns = raw.columns(table).await;
    let mut values = Vec::new();
    for column in &columns {
        let value = match column_of(raw, table, column).await {
            (_, true) if number == 2 => "NULL".to_owned(),
            ("BIGINT", _) => (9_007_199_254_740_992 + i64::from(number)).to_string(),
            ("TEXT", _) => format!("'{column} {number} ''quoted'' \"\\ \u{1F600} \u{1}\t{{batch}}'"),
            _ => raw.bytes(&[&[number, 0, 39, 255][..], column.as_bytes()].concat()),
        };
        values.push(value);
    }
    let columns = columns.iter().map(|column| format!("\"{column}\"")).collect::<Vec<_>>().join(", ");
    let values = values.join(", ");
    assert_eq!(raw.run(format!("INSERT INTO {table} ({columns}) VALUES ({values})")).await, 1);
}

/// A column's type, and whether it may be empty.
async fn column_of(raw: &mut RawConnection, table: &str, column: &str) -> (&'static str, bool) {
    let query = match raw {
        RawConnection::Sqlite(_) => format!(
            "SELECT type || ' ' || CASE WHEN \"notnull\" = 0 AND pk = 0 THEN 1 ELSE 0 END
             FROM pragma_table_info('{table}') WHERE name = '{column}'"
        ),
        RawConnection::Postgres(_) => format!(
            "SELECT upper(CAST(data_type AS text)) || ' ' || CASE is_nullable WHEN 'YES' THEN 1 ELSE 0 END
             FROM information_schema.columns WHERE table_schema = 'public' AND table_name = '{table}'
               AND column_name = '{column}'"
        ),
    };
    let found = raw.texts(query).await.remove(0);
    let (kind, may_be_empty) = found.rsplit_once(' ').unwrap();
    let kind = ["BIGINT", "TEXT"].into_iter().find(|known| *known == kind).unwrap_or("bytes");
    (kind, may_be_empty == "1")
}

/// The rows of every table that a move carries and does not write to, as text of this kind of database.
async fn carried_rows(database: &TestDatabase) -> Vec<(String, Vec<String>)> {
    let mut raw = database.raw().await;
    let mut tables = Vec::new();
    for table in raw.tables().await {
        if !OWN.contains(&table.as_str()) && !SPECIAL[1..].contains(&table.as_str()) {
            let columns = raw.columns(&table).await;
            let rows = raw.rows(&table, &columns).await;
            tables.push((table, rows));
        }
    }
    tables
}
