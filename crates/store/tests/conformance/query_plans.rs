//! How the databases carry out what is asked for with a million requests behind it: by an index, in its order.

use habeas_domain::lifecycle::RequestState;
use habeas_domain::{Right, RunId};
use habeas_store::connection::Plan;
use habeas_store::requests::{self, Filter, Forgetting, Position};
use habeas_store::{Connection, bulk_answers, counts, due_work, idempotency, mails, runs};
use habeas_testing::{TestDatabase, on_both_databases};
use jiff::civil::date;

use crate::common::Fixture;

on_both_databases![
    lists_read_what_they_show,
    figures_count_nothing,
    due_work_is_found_by_index,
    forgetting_is_by_index
];

/// Tables that grow with the requests. What is read of others is little.
const LARGE: [&str; 9] = [
    "requests",
    "request_identifiers",
    "runs",
    "due_work",
    "mails",
    "data_keys",
    "audit_events",
    "bulk_answers",
    "idempotency_keys",
];

/// A database that is forbidden what it does with few rows only. PostgreSQL then shows whether an index could serve.
async fn fixture(database: TestDatabase) -> Fixture {
    if !database.is_sqlite() {
        let mut raw = database.raw().await;
        let name = raw.texts("SELECT CAST(current_database() AS text)").await.remove(0);
        for setting in ["enable_seqscan", "enable_sort", "enable_bitmapscan"] {
            raw.run(format!("ALTER DATABASE {name} SET {setting} = off")).await;
        }
    }
    Fixture::on(database).await
}

/// The large table that a step reads from, with what is said of how.
fn read_by(step: &str) -> Option<(&'static str, &str)> {
    let words = step.trim_start().trim_start_matches("->").trim_start();
    // SQLite says `SCAN requests`, PostgreSQL `Seq Scan on requests`.
    let table = LARGE.iter().find(|table| {
        ["SCAN ", "SEARCH ", " on "].iter().any(|before| {
            words.split_once(before).is_some_and(|(_, rest)| rest.split([' ', '(']).next() == Some(table))
        })
    })?;
    Some((table, words))
}

/// Fails if a large table is read as a whole, or sorted: what an index has cut to a page before may be.
#[track_caller]
fn assert_by_index(plans: &[Plan], may_sort: bool) {
    assert!(!plans.is_empty(), "no statement was watched");
    for Plan { statement, steps } in plans {
        let whole = steps.iter().filter_map(|step| read_by(step)).find(|(_, words)| {
            words.contains("Seq Scan") || (words.starts_with("SCAN ") && !words.contains("INDEX"))
        });
        let sorted = steps.iter().enumerate().find(|(at, step)| {
            let words = step.trim_start().trim_start_matches("->").trim_start();
            // SQLite names the sort behind what is sorted, PostgreSQL before it and its key.
            let below = match words {
                "USE TEMP B-TREE FOR ORDER BY" => at.checked_sub(1).and_then(|at| steps.get(at)),
                sort if sort.starts_with("Sort  (") => steps.get(at + 2),
                _ => None,
            };
            below.is_some_and(|below| read_by(below).is_some())
        });
        let fault = whole.is_some() || (!may_sort && sorted.is_some());
        assert!(!fault, "{whole:?} {sorted:?}\n{statement}\n{}", steps.join("\n"));
    }
}

#[test]
fn a_plan_that_reads_or_sorts_everything_is_recognised() {
    let plan = |steps: &[&str]| {
        [Plan { statement: "", steps: steps.iter().map(|step| (*step).to_owned()).collect() }]
    };
    let by_index = ["SEARCH requests USING INDEX requests_by_state (state=? AND right_name=? AND id>?)"];
    assert_by_index(&plan(&by_index), false);
    for bad in [
        &["SCAN requests"][..],
        &["SEARCH requests USING INDEX requests_by_state (state=?)", "USE TEMP B-TREE FOR ORDER BY"],
        &["Limit  (cost=1)", "  ->  Seq Scan on due_work  (cost=1)"],
        &[
            "Sort  (cost=1)",
            "  Sort Key: id",
            "  ->  Index Scan using requests_by_state on requests  (cost=1)",
        ],
    ] {
        assert!(std::panic::catch_unwind(|| assert_by_index(&plan(bad), false)).is_err(), "{bad:?}");
    }
}

async fn watched(reader: &mut Connection, filter: Filter) -> Vec<Plan> {
    reader.watch_plans();
    requests::list(reader, &filter, 101).await.unwrap();
    reader.take_plans()
}

async fn lists_read_what_they_show(database: TestDatabase) {
    let fixture = fixture(database).await;
    let id = fixture.request_id();
    let mut reader = fixture.reader().await;
    for state in [None, Some(RequestState::Collecting), Some(RequestState::Closed)] {
        for right in [None, Some(Right::Deletion)] {
            for due_before in [None, Some(date(2026, 7, 1))] {
                for after in [None, Some(Position { due_on: due_before, id })] {
                    let filter = Filter { state, right, due_before, after, lookups: None };
                    assert_by_index(&watched(&mut reader, filter).await, false);
                }
            }
        }
    }
    // A person has few requests: they may be sorted.
    let lookups = Some(vec![vec![1], vec![2]]);
    let of_a_person = Filter { lookups, state: Some(RequestState::Review), ..Filter::default() };
    assert_by_index(&watched(&mut reader, of_a_person).await, true);
    // What is shown beside each.
    reader.watch_plans();
    runs::count_attention(&mut reader, [id]).await.unwrap();
    mails::count_failed(&mut reader, [id]).await.unwrap();
    requests::open_with(&mut reader, [(Right::Deletion, vec![1])]).await.unwrap();
    runs::of_requests(&mut reader, [id]).await.unwrap();
    runs::by_ids(&mut reader, [RunId::new(fixture.environment.unique())]).await.unwrap();
    assert_by_index(&reader.take_plans(), true);
}

async fn figures_count_nothing(database: TestDatabase) {
    let fixture = fixture(database).await;
    let mut reader = fixture.reader().await;
    reader.watch_plans();
    counts::read(&mut reader).await.unwrap();
    due_work::lag(&mut reader, fixture.now()).await.unwrap();
    assert_by_index(&reader.take_plans(), true);
}

async fn due_work_is_found_by_index(database: TestDatabase) {
    let fixture = fixture(database).await;
    let mut reader = fixture.reader().await;
    reader.watch_plans();
    due_work::lanes(&mut reader, fixture.store.shared_now()).await.unwrap();
    due_work::next(&mut reader, fixture.now()).await.unwrap();
    due_work::lag(&mut reader, fixture.now()).await.unwrap();
    due_work::next_of(&mut reader, "op_1").await.unwrap();
    assert_by_index(&reader.take_plans(), false);
    let now = fixture.store.shared_now();
    let plans = keep!(fixture, |unit| {
        unit.connection().watch_plans();
        due_work::claim(unit.connection(), "lane", now, 1_000, 20).await?;
        Ok(unit.connection().take_plans())
    });
    assert_by_index(&plans, false);
}

async fn forgetting_is_by_index(database: TestDatabase) {
    let fixture = fixture(database).await;
    let now = fixture.now();
    let plans = keep!(fixture, |unit| {
        unit.connection().watch_plans();
        idempotency::forget(unit.connection(), now).await?;
        bulk_answers::forget(unit.connection(), now).await?;
        bulk_answers::find(unit.connection(), b"key").await?;
        for what in [Forgetting::Content, Forgetting::Case] {
            requests::to_forget(unit.connection(), what, now, 10).await?;
        }
        Ok(unit.connection().take_plans())
    });
    assert_by_index(&plans, false);
}
