//! Somebody with the database's password changes the audit log: verification says so.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use habeas_store::audit::seal::{self, Seal};
use habeas_store::audit::verify::verify;
use habeas_store::audit::{Anchor, Stream, Verification};
use habeas_testing::{RawConnection, TestDatabase, on_both_databases};

use crate::common::{Fixture, note};

on_both_databases![
    every_altered_column_of_an_event_shows,
    every_altered_column_of_a_head_shows,
    every_altered_column_of_a_seal_shows,
    a_wrong_count_shows,
    deleted_events_show,
    reordered_events_show,
    forged_events_show,
    removed_and_forged_seals_show,
    events_after_the_newest_seal_are_protected_too,
    rewriting_what_a_seal_covers_shows,
    rolling_back_everything_shows_by_an_anchor,
    taking_away_the_newest_seal_shows_by_an_anchor,
];

const TABLES: [&str; 4] = ["audit_events", "audit_streams", "audit_seals", "audit_log"];
const EVENTS: i64 = 12;

/// A log of twelve events in three streams under three seals, and a copy to go back to.
struct Log {
    fixture: Fixture,
    raw: RawConnection,
    request: Stream,
    seals: Vec<Seal>,
}

impl Log {
    async fn on(database: TestDatabase) -> Self {
        let fixture = Fixture::on(database).await;
        let request = Stream::Request(fixture.request_id());
        let raw = fixture.database.raw().await;
        let mut log = Self { fixture, raw, request, seals: Vec::new() };
        for _ in 0..3 {
            log.write().await;
            log.seal().await;
        }
        log.keep("kept").await;
        log.is_valid(None).await;
        log
    }

    /// Four events: the request's, a connection's, the system's, the request's.
    async fn write(&self) {
        let (request, connection) = (self.request, Stream::Connection(self.fixture.connection_id()));
        keep!(self.fixture, |unit| {
            for (number, stream) in [request, connection, Stream::System, request].into_iter().enumerate() {
                note(unit, stream, number);
            }
            Ok(())
        });
    }

    async fn seal(&mut self) {
        self.fixture.pass(1);
        self.seals.push(keep!(self.fixture, |unit| seal::seal(unit).await).expect("events to seal"));
    }

    /// Copies the whole log aside.
    async fn keep(&mut self, name: &str) {
        for table in TABLES {
            self.raw.run(format!("CREATE TABLE {name}_{table} AS SELECT * FROM {table}")).await;
        }
    }

    /// Puts some tables back to a copy.
    async fn put_back(&mut self, name: &str, tables: &[&str]) {
        for table in tables {
            self.raw.run(format!("DELETE FROM {table}")).await;
            self.raw.run(format!("INSERT INTO {table} SELECT * FROM {name}_{table}")).await;
        }
    }

    async fn verdict(&self, anchor: Option<&Seal>) -> Verification {
        let anchor = anchor.cloned().map(Anchor);
        let mut reader = self.fixture.reader().await;
        verify(&mut reader, self.fixture.store.keyring(), anchor.as_ref()).await.expect("a verdict")
    }

    async fn is_valid(&self, anchor: Option<&Seal>) {
        let found = self.verdict(anchor).await;
        assert!(found.valid && found.first_bad.is_none(), "{found:?}");
    }

    /// Tampers, expects it to show, and undoes it.
    async fn shows(&mut self, statements: &str) -> Verification {
        assert!(self.raw.run(statements).await > 0, "{statements}: changes something");
        let found = self.verdict(None).await;
        assert!(!found.valid && found.first_bad.is_some(), "{statements}: not noticed");
        self.put_back("kept", &TABLES).await;
        self.is_valid(None).await;
        found
    }
}

async fn every_altered_column_of_an_event_shows(database: TestDatabase) {
    let mut log = Log::on(database).await;
    let bytes = log.raw.bytes(&[7; 32]);
    let columns = [
        ("position", "position + 1000".to_owned()),
        ("id", "id || 'x'".to_owned()),
        ("stream", "'system2'".to_owned()),
        ("stream_position", "stream_position + 1000".to_owned()),
        ("at", "at + 1".to_owned()),
        ("actor", "'somebody-else'".to_owned()),
        ("kind", "kind || 'x'".to_owned()),
        ("object_id", "object_id || 'x'".to_owned()),
        ("data", "data || ' '".to_owned()),
        ("key_id", "'00000000'".to_owned()),
        ("previous_hash", bytes.clone()),
        ("hash", bytes),
    ];
    let all = log.columns("audit_events").await;
    assert_eq!(columns.iter().map(|(name, _)| *name).collect::<Vec<_>>(), all, "every column");
    for position in [1, 6, EVENTS] {
        for (column, value) in &columns {
            let statement = format!("UPDATE audit_events SET {column} = {value} WHERE position = {position}");
            let found = log.shows(&statement).await;
            assert_eq!(found.first_bad.unwrap().position, Some(position), "{statement}");
        }
    }
}

async fn every_altered_column_of_a_head_shows(database: TestDatabase) {
    let mut log = Log::on(database).await;
    let bytes = log.raw.bytes(&[7; 32]);
    let columns = [
        ("stream", "'system2'".to_owned()),
        ("events", "events - 1".to_owned()),
        ("head", bytes.clone()),
        ("key_id", "'00000000'".to_owned()),
        ("mac", bytes),
    ];
    let all = log.columns("audit_streams").await;
    assert_eq!(columns.iter().map(|(name, _)| *name).collect::<Vec<_>>(), all, "every column");
    for (column, value) in &columns {
        log.shows(&format!("UPDATE audit_streams SET {column} = {value} WHERE stream = 'system'")).await;
    }
    log.shows("UPDATE audit_streams SET events = events + 1 WHERE stream = 'system'").await;
    log.shows("DELETE FROM audit_streams WHERE stream = 'system'").await;
    log.shows(
        "INSERT INTO audit_streams SELECT 'system2', events, head, key_id, mac FROM audit_streams
               WHERE stream = 'system'",
    )
    .await;
}

async fn every_altered_column_of_a_seal_shows(database: TestDatabase) {
    let mut log = Log::on(database).await;
    let (hash, signature) = (log.raw.bytes(&[7; 32]), log.raw.bytes(&[7; 64]));
    let columns = [
        ("number", "number + 1000".to_owned()),
        ("first_position", "first_position + 1".to_owned()),
        ("last_position", "last_position - 1".to_owned()),
        ("at", "at - 1".to_owned()),
        ("root", hash.clone()),
        ("previous_hash", hash.clone()),
        ("hash", hash.clone()),
        ("public_key", hash),
        ("signature", signature),
    ];
    let all = log.columns("audit_seals").await;
    assert_eq!(columns.iter().map(|(name, _)| *name).collect::<Vec<_>>(), all, "every column");
    for number in 1..=3 {
        for (column, value) in &columns {
            log.shows(&format!("UPDATE audit_seals SET {column} = {value} WHERE number = {number}")).await;
        }
    }
}

async fn a_wrong_count_shows(database: TestDatabase) {
    let mut log = Log::on(database).await;
    log.shows("UPDATE audit_log SET events = events + 1").await;
    log.shows("UPDATE audit_log SET events = events - 1").await;
    log.shows("UPDATE audit_log SET events = 0").await;
    log.shows("DELETE FROM audit_log").await;
}

async fn deleted_events_show(database: TestDatabase) {
    let mut log = Log::on(database).await;
    let request = log.request.to_string();
    for position in [1, 4, 5, 8, 11, EVENTS] {
        let found = log.shows(&format!("DELETE FROM audit_events WHERE position = {position}")).await;
        assert_eq!(found.first_bad.unwrap().position, Some(position));
        // Closing the gap does not help.
        log.shows(&format!(
            "DELETE FROM audit_events WHERE position = {position};
             UPDATE audit_log SET events = events - 1;
             UPDATE audit_events SET position = position + 1000 WHERE position > {position};
             UPDATE audit_events SET position = position - 1001 WHERE position > 1000"
        ))
        .await;
    }
    log.shows(&format!("DELETE FROM audit_events WHERE stream = '{request}'")).await;
    log.shows(&format!(
        "DELETE FROM audit_events WHERE stream = '{request}';
         DELETE FROM audit_streams WHERE stream = '{request}'"
    ))
    .await;
    // The last unit's events: with and without their counts.
    log.shows("DELETE FROM audit_events WHERE position > 8").await;
    log.shows("DELETE FROM audit_events WHERE position > 8; UPDATE audit_log SET events = 8").await;
    log.shows("DELETE FROM audit_events").await;
    log.shows("DELETE FROM audit_events; DELETE FROM audit_streams; UPDATE audit_log SET events = 0").await;
}

async fn reordered_events_show(database: TestDatabase) {
    let mut log = Log::on(database).await;
    // Of one stream (5 and 8 are the request's third and fourth), and of two streams.
    for (one, other) in [(5, 8), (1, 4), (6, 7), (11, 12)] {
        let swap = format!(
            "UPDATE audit_events SET position = -1 WHERE position = {one};
             UPDATE audit_events SET position = {one} WHERE position = {other};
             UPDATE audit_events SET position = {other} WHERE position = -1"
        );
        let found = log.shows(&swap).await;
        assert_eq!(found.first_bad.unwrap().position, Some(one));
    }
    log.shows(
        "UPDATE audit_events SET stream_position = -1 WHERE position = 5;
         UPDATE audit_events SET stream_position = 3 WHERE position = 8;
         UPDATE audit_events SET stream_position = 4 WHERE position = 5",
    )
    .await;
}

async fn forged_events_show(database: TestDatabase) {
    let mut log = Log::on(database).await;
    let bytes = log.raw.bytes(&[7; 32]);
    let rest =
        "at, actor, kind, object_id, data, key_id, previous_hash, hash FROM audit_events WHERE position =";
    let count = "UPDATE audit_log SET events = 13";
    let found = log
        .shows(&format!("INSERT INTO audit_events SELECT 13, 'evt_x', stream, 7, {rest} 12; {count}"))
        .await;
    assert_eq!(found.first_bad.unwrap().position, Some(13));
    // An old event played again, exactly as it was but for its place.
    log.shows(&format!("INSERT INTO audit_events SELECT 13, id, stream, 7, {rest} 12; {count}")).await;
    // A forged stream with a forged head.
    log.shows(&format!(
        "INSERT INTO audit_events SELECT 13, 'evt_x', 'forged', 1, {rest} 1; {count};
         INSERT INTO audit_streams SELECT 'forged', 1, {bytes}, key_id, {bytes} FROM audit_streams
         WHERE stream = 'system'"
    ))
    .await;
    // Before the beginning.
    log.shows(&format!("INSERT INTO audit_events SELECT 0, 'evt_x', 'forged', 1, {rest} 1; {count}")).await;
    log.shows(&format!("INSERT INTO audit_events SELECT 0, 'evt_x', 'forged', 1, {rest} 1")).await;
}

async fn removed_and_forged_seals_show(database: TestDatabase) {
    let mut log = Log::on(database).await;
    for number in [1, 2] {
        log.shows(&format!("DELETE FROM audit_seals WHERE number = {number}")).await;
    }
    log.shows("DELETE FROM audit_seals WHERE number < 3").await;
    log.shows("DELETE FROM audit_seals WHERE number = 1; UPDATE audit_seals SET number = number - 1").await;

    // Another key signs what our key signed: valid as a signature, but not ours.
    let stranger = Ed25519KeyPair::from_seed_unchecked(&[9; 32]).unwrap();
    for seal in log.seals.clone() {
        let signature = log.raw.bytes(stranger.sign(&seal.hash).as_ref());
        let public = log.raw.bytes(stranger.public_key().as_ref());
        let number = seal.number;
        log.shows(&format!("UPDATE audit_seals SET signature = {signature} WHERE number = {number}")).await;
        log.shows(&format!(
            "UPDATE audit_seals SET signature = {signature}, public_key = {public} WHERE number = {number}"
        ))
        .await;
    }
    // A seal over events that are not there.
    log.shows(
        "INSERT INTO audit_seals SELECT 4, 13, 14, at, root, hash, hash, public_key, signature FROM audit_seals
         WHERE number = 3",
    )
    .await;
}

async fn events_after_the_newest_seal_are_protected_too(database: TestDatabase) {
    let mut log = Log::on(database).await;
    log.write().await;
    log.keep("unsealed").await;
    for statements in [
        "UPDATE audit_events SET actor = 'x' WHERE position = 16",
        "DELETE FROM audit_events WHERE position = 16",
        "DELETE FROM audit_events WHERE position = 16; UPDATE audit_log SET events = 15",
        "DELETE FROM audit_events WHERE position > 12; UPDATE audit_log SET events = 12",
    ] {
        log.raw.run(statements).await;
        assert!(!log.verdict(None).await.valid, "{statements}");
        log.put_back("unsealed", &TABLES).await;
        log.is_valid(None).await;
    }
}

async fn rewriting_what_a_seal_covers_shows(database: TestDatabase) {
    // Somebody kept an old copy of everything but the seals: heads and counts are true of it, only the seals are not.
    let mut log = Log::on(database).await;
    log.write().await;
    log.seal().await;
    log.put_back("kept", &["audit_events", "audit_streams", "audit_log"]).await;
    let found = log.verdict(None).await;
    assert!(!found.valid);
    assert!(found.first_bad.unwrap().problem.contains("missing at the end"));
    // Somebody with an old copy lets the product write a different history on top of it.
    log.put_back("kept", &TABLES).await;
    let (old, rewritten) = (log.seals[3].clone(), log.seals[2].clone());
    log.write().await;
    log.seal().await;
    log.is_valid(None).await;
    log.is_valid(Some(&rewritten)).await;
    let found = log.verdict(Some(&old)).await;
    assert!(found.first_bad.unwrap().problem.contains("rewritten"));
}

async fn rolling_back_everything_shows_by_an_anchor(database: TestDatabase) {
    let mut log = Log::on(database).await;
    log.write().await;
    log.seal().await;
    let (older, newest) = (log.seals[2].clone(), log.seals[3].clone());
    log.is_valid(Some(&older)).await;
    log.is_valid(Some(&newest)).await;

    log.put_back("kept", &TABLES).await;
    log.is_valid(None).await;
    log.is_valid(Some(&older)).await;
    let found = log.verdict(Some(&newest)).await;
    assert!(found.first_bad.unwrap().problem.contains("rolled back"));

    for table in TABLES {
        log.raw.run(format!("DELETE FROM {table}")).await;
    }
    log.raw.run("INSERT INTO audit_log (id, events) VALUES (1, 0)").await;
    log.is_valid(None).await;
    assert!(!log.verdict(Some(&older)).await.valid, "truncated");
}

async fn taking_away_the_newest_seal_shows_by_an_anchor(database: TestDatabase) {
    // A log whose last events are not sealed yet looks the same, so only the anchor can tell.
    let mut log = Log::on(database).await;
    let newest = log.seals[2].clone();
    log.raw.run("DELETE FROM audit_seals WHERE number = 3").await;
    log.is_valid(None).await;
    let found = log.verdict(Some(&newest)).await;
    assert!(found.first_bad.unwrap().problem.contains("rolled back"));
    log.raw.run("DELETE FROM audit_seals").await;
    log.is_valid(None).await;
    assert!(!log.verdict(Some(&newest)).await.valid);
}

impl Log {
    /// The columns of a table, so that a new one cannot be forgotten here.
    async fn columns(&mut self, table: &str) -> Vec<String> {
        let query = if self.fixture.database.is_sqlite() {
            format!("SELECT name FROM pragma_table_info('{table}') ORDER BY cid")
        } else {
            format!(
                "SELECT CAST(column_name AS text) FROM information_schema.columns
                 WHERE table_name = '{table}' ORDER BY ordinal_position"
            )
        };
        self.raw.texts(query).await
    }
}
