//! Due work: leases and fences, one worker after the other.

use habeas_domain::DueWorkId;
use habeas_environment::Environment;
use habeas_store::due_work::{self, DueWorkKind, Lease, NewDueWork, Postponement};
use habeas_store::{Database, StoreError};
use habeas_testing::{TestDatabase, on_both_databases};
use jiff::Timestamp;

use crate::common::Fixture;

on_both_databases![
    a_leased_row_is_nobody_elses_until_the_lease_ends,
    an_old_fence_changes_nothing,
    the_nearest_legal_date_comes_first,
    only_what_is_due_is_claimed,
    a_lease_says_what_it_is_for_and_by_when,
    work_may_wait_until_the_end_of_time,
    lanes_are_claimed_apart,
    an_object_has_one_row,
    a_batch_may_name_an_object_twice,
    extending_keeps_a_lease,
    renewing_keeps_the_leases_that_are_still_held,
    postponing_gives_a_lease_back,
    finished_and_removed_work_is_gone,
    next_and_lag_say_when,
    without_a_time_the_database_uses_its_own,
];

const LEASE: i64 = 30_000;

async fn insert(fixture: &Fixture, work: Vec<NewDueWork>) -> Vec<DueWorkId> {
    let ids = work.iter().map(|one| one.id).collect();
    keep!(fixture, |unit| due_work::insert(unit.connection(), &work).await);
    ids
}

async fn claim(fixture: &Fixture, lane: &'static str, limit: i64) -> Vec<Lease> {
    let now = fixture.store.shared_now();
    keep!(fixture, |unit| due_work::claim(unit.connection(), lane, now, LEASE, limit).await)
}

async fn extend(fixture: &Fixture, lease: (DueWorkId, i64)) -> bool {
    let now = fixture.store.shared_now();
    keep!(fixture, |unit| due_work::extend(unit.connection(), lease, now, LEASE).await)
}

async fn finish(fixture: &Fixture, leases: Vec<(DueWorkId, i64)>) -> Vec<DueWorkId> {
    keep!(fixture, |unit| due_work::finish(unit.connection(), leases).await)
}

async fn postpone(fixture: &Fixture, id: DueWorkId, fence: i64, seconds: i64) -> Vec<DueWorkId> {
    let one = Postponement { id, fence, next_at: fixture.later(seconds), attempts: 4 };
    keep!(fixture, |unit| due_work::postpone(unit.connection(), [one]).await)
}

async fn held(fixture: &Fixture, leases: Vec<(DueWorkId, i64)>) -> Vec<DueWorkId> {
    keep!(fixture, |unit| due_work::held(unit.connection(), leases).await)
}

fn objects(leases: &[Lease]) -> Vec<&str> {
    leases.iter().map(|lease| lease.object.as_str()).collect()
}

async fn a_leased_row_is_nobody_elses_until_the_lease_ends(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let work = fixture.work("lane", "op_1", 60);
    let due_at = work.due_at;
    let id = insert(&fixture, vec![work]).await[0];
    let first = claim(&fixture, "lane", 10).await;
    let expected =
        Lease { id, kind: DueWorkKind::Operation, object: "op_1".to_owned(), fence: 1, attempts: 0, due_at };
    assert_eq!(first, [expected]);
    assert!(claim(&fixture, "lane", 10).await.is_empty(), "leased");
    fixture.clock.advance(std::time::Duration::from_millis(29_999));
    assert!(claim(&fixture, "lane", 10).await.is_empty(), "still leased");
    fixture.clock.advance(std::time::Duration::from_millis(1));
    let second = claim(&fixture, "lane", 10).await;
    assert_eq!(second.len(), 1);
    assert!(second[0].fence > first[0].fence);
}

async fn an_old_fence_changes_nothing(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let id = insert(&fixture, vec![fixture.work("lane", "op_1", 60)]).await[0];
    let old = claim(&fixture, "lane", 1).await[0].fence;
    fixture.pass(31);
    let new = claim(&fixture, "lane", 1).await[0].fence;
    assert!(!extend(&fixture, (id, old)).await);
    assert!(postpone(&fixture, id, old, 60).await.is_empty());
    assert!(finish(&fixture, vec![(id, old)]).await.is_empty());
    assert!(held(&fixture, vec![(id, old)]).await.is_empty());
    // What the old holder tried left the new one's lease as it was.
    assert_eq!(held(&fixture, vec![(id, old), (id, new)]).await, [id]);
    fixture.pass(29);
    assert!(claim(&fixture, "lane", 1).await.is_empty());
    assert_eq!(finish(&fixture, vec![(id, new)]).await, [id]);
    assert!(finish(&fixture, vec![(id, new)]).await.is_empty(), "it is gone");
}

async fn the_nearest_legal_date_comes_first(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let mut work: Vec<NewDueWork> =
        [50, 10, 40, 20, 30].map(|due_in| fixture.work("lane", &format!("op_{due_in}"), due_in)).into();
    // Waiting longest is no merit.
    work[0].next_at = fixture.later(-1_000);
    insert(&fixture, work).await;
    assert_eq!(objects(&claim(&fixture, "lane", 2).await), ["op_10", "op_20"]);
    assert_eq!(objects(&claim(&fixture, "lane", 2).await), ["op_30", "op_40"]);
    assert_eq!(objects(&claim(&fixture, "lane", 2).await), ["op_50"]);
}

async fn only_what_is_due_is_claimed(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let mut work = vec![fixture.work("lane", "op_1", 1), fixture.work("lane", "op_2", 2)];
    work[0].next_at = fixture.later(5);
    work[1].kind = DueWorkKind::Check;
    insert(&fixture, work).await;
    let claimed = claim(&fixture, "lane", 10).await;
    assert_eq!(objects(&claimed), ["op_2"]);
    assert_eq!(claimed[0].kind, DueWorkKind::Check);
    fixture.clock.advance(std::time::Duration::from_millis(4_999));
    assert!(claim(&fixture, "lane", 10).await.is_empty());
    fixture.clock.advance(std::time::Duration::from_millis(1));
    assert_eq!(objects(&claim(&fixture, "lane", 10).await), ["op_1"]);
}

async fn a_lease_says_what_it_is_for_and_by_when(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let kinds = [DueWorkKind::Operation, DueWorkKind::Check, DueWorkKind::Contact];
    let work: Vec<NewDueWork> = (0_i64..)
        .zip(kinds)
        .map(|(at, kind)| NewDueWork { kind, ..fixture.work("lane", &format!("op_{at}"), 60 + at) })
        .collect();
    let expected: Vec<_> =
        work.iter().map(|one| (one.id, one.kind, one.object.clone(), one.due_at)).collect();
    insert(&fixture, work).await;
    let claimed = claim(&fixture, "lane", 10).await;
    let claimed: Vec<_> =
        claimed.into_iter().map(|lease| (lease.id, lease.kind, lease.object, lease.due_at)).collect();
    assert_eq!(claimed, expected);
    // Whoever comes later may be in more of a hurry; the row and its kind stay.
    let mut sooner = fixture.work("lane", "op_2", 30);
    sooner.due_at = fixture.later(-5);
    let due_at = sooner.due_at;
    insert(&fixture, vec![sooner]).await;
    fixture.pass(31);
    let first = claim(&fixture, "lane", 1).await.remove(0);
    assert_eq!((first.id, first.kind, first.due_at), (expected[2].0, DueWorkKind::Contact, due_at));
}

async fn work_may_wait_until_the_end_of_time(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let end = Timestamp::MAX;
    // No legal date is behind the first; the second is never due, until something happens.
    let dateless = NewDueWork { due_at: end, ..fixture.work("lane", "op_1", 0) };
    let parked = NewDueWork { next_at: end, ..fixture.work("lane", "op_2", 0) };
    insert(&fixture, vec![dateless, parked.clone()]).await;
    let mut reader = fixture.reader().await;
    assert_eq!(due_work::next(&mut reader, fixture.now()).await.unwrap(), Some(end));
    assert_eq!(due_work::next(&mut reader, end).await.unwrap(), None, "nothing is after the end");
    let lease = claim(&fixture, "lane", 10).await.remove(0);
    assert_eq!((lease.object.as_str(), lease.due_at), ("op_1", end));
    let later = Postponement { id: lease.id, fence: lease.fence, next_at: end, attempts: i64::MAX };
    keep!(fixture, |unit| due_work::postpone(unit.connection(), [later]).await);
    fixture.pass(1_000_000_000);
    assert!(claim(&fixture, "lane", 10).await.is_empty());
    assert_eq!(due_work::lag(&mut reader, fixture.now()).await.unwrap(), 0);
    // Something happened to both; a later wish to wait again does not count.
    let due = ["op_1", "op_2"].map(|object| fixture.work("lane", object, 7));
    insert(&fixture, due.to_vec()).await;
    insert(&fixture, vec![NewDueWork { due_at: end, next_at: end, ..parked }]).await;
    let claimed = claim(&fixture, "lane", 10).await;
    // The second kept its nearer legal date.
    assert_eq!(objects(&claimed), ["op_2", "op_1"]);
    assert_eq!((claimed[1].due_at, claimed[1].attempts), (fixture.later(7), i64::MAX));
}

async fn lanes_are_claimed_apart(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    assert!(
        due_work::lanes(&mut fixture.reader().await, fixture.store.shared_now()).await.unwrap().is_empty()
    );
    let mut work: Vec<NewDueWork> =
        (0..9).map(|number| fixture.work(["a", "b", "c"][number % 3], &format!("op_{number}"), 9)).collect();
    work[2].next_at = fixture.later(60);
    insert(&fixture, work).await;
    let lanes = due_work::lanes(&mut fixture.reader().await, fixture.store.shared_now()).await.unwrap();
    assert_eq!(lanes, ["a", "b", "c"]);
    assert_eq!(claim(&fixture, "a", 10).await.len(), 3);
    assert_eq!(claim(&fixture, "c", 10).await.len(), 2, "one waits");
    assert_eq!(claim(&fixture, "b", 10).await.len(), 3);
    assert!(claim(&fixture, "d", 10).await.is_empty());
}

async fn an_object_has_one_row(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let mut first = fixture.work("lane", "op_1", 60);
    first.next_at = fixture.later(100);
    let id = insert(&fixture, vec![first]).await[0];
    // Sooner and more urgent: both count.
    let mut sooner = fixture.work("lane", "op_1", 30);
    sooner.next_at = fixture.later(50);
    // Later and less urgent: neither does.
    let mut later = fixture.work("lane", "op_1", 90);
    later.next_at = fixture.later(500);
    insert(&fixture, vec![sooner]).await;
    insert(&fixture, vec![later]).await;
    insert(&fixture, Vec::new()).await;
    let between = {
        let mut work = fixture.work("lane", "op_2", 40);
        work.next_at = fixture.later(50);
        work
    };
    insert(&fixture, vec![between]).await;
    fixture.pass(50);
    let claimed = claim(&fixture, "lane", 10).await;
    assert_eq!(objects(&claimed), ["op_1", "op_2"]);
    assert_eq!(claimed[0].id, id);
}

async fn a_batch_may_name_an_object_twice(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let mut work = vec![fixture.work("lane", "op_1", 60), fixture.work("lane", "op_1", 30)];
    work[1].next_at = fixture.later(5);
    insert(&fixture, work).await;
    assert_eq!(claim(&fixture, "lane", 10).await.len(), 1);
}

async fn extending_keeps_a_lease(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let id = insert(&fixture, vec![fixture.work("lane", "op_1", 60)]).await[0];
    let fence = claim(&fixture, "lane", 1).await[0].fence;
    for _ in 0..3 {
        fixture.pass(20);
        assert!(extend(&fixture, (id, fence)).await);
    }
    fixture.pass(29);
    assert!(claim(&fixture, "lane", 1).await.is_empty());
    fixture.pass(1);
    assert_eq!(claim(&fixture, "lane", 1).await.len(), 1);
    assert_eq!(finish(&fixture, vec![(id, fence + 1)]).await, [id]);
    assert!(!extend(&fixture, (id, fence + 1)).await, "it is gone");
}

async fn renewing_keeps_the_leases_that_are_still_held(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let work = [("op_1", 10), ("op_2", 20), ("op_3", 30)];
    let work = work.map(|(object, due_in)| fixture.work("lane", object, due_in));
    let due = work[1].next_at;
    insert(&fixture, work.into()).await;
    let leases: Vec<_> =
        claim(&fixture, "lane", 3).await.iter().map(|lease| (lease.id, lease.fence)).collect();
    finish(&fixture, vec![leases[0]]).await;
    let asked = [leases[0], leases[1], (leases[2].0, leases[2].1 - 1)];
    fixture.pass(20);
    let now = fixture.store.shared_now();
    let renewal = keep!(fixture, |unit| due_work::renew(unit.connection(), asked, now, LEASE).await);
    assert_eq!(renewal.held, [leases[1].0].into());
    assert_eq!(renewal.renewed, [leases[1].0].into());
    // The one that was not renewed runs out, the other does not.
    fixture.pass(11);
    assert_eq!(objects(&claim(&fixture, "lane", 3).await), ["op_3"]);
    let next_at = due_work::next_of(&mut fixture.reader().await, "op_2").await.unwrap();
    assert_eq!(next_at, Some(due), "a lease leaves alone when the work is due");
    assert_eq!(due_work::next_of(&mut fixture.reader().await, "op_1").await.unwrap(), None);
}

async fn postponing_gives_a_lease_back(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let id = insert(&fixture, vec![fixture.work("lane", "op_1", 60)]).await[0];
    let fence = claim(&fixture, "lane", 1).await[0].fence;
    assert_eq!(postpone(&fixture, id, fence, 10).await, [id]);
    assert!(claim(&fixture, "lane", 1).await.is_empty(), "not before its time");
    fixture.pass(10);
    let again = claim(&fixture, "lane", 1).await;
    assert_eq!(again[0].attempts, 4);
    assert!(again[0].fence > fence);
}

async fn finished_and_removed_work_is_gone(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let work = (0..5).map(|number| fixture.work("lane", &format!("op_{number}"), number)).collect();
    insert(&fixture, work).await;
    let leases = claim(&fixture, "lane", 3).await;
    let mut pairs: Vec<_> = leases.iter().map(|lease| (lease.id, lease.fence)).collect();
    pairs[2].1 += 1;
    let mut finished = finish(&fixture, pairs.clone()).await;
    finished.sort();
    let mut expected = vec![leases[0].id, leases[1].id];
    expected.sort();
    assert_eq!(finished, expected, "the third was named with a wrong fence");
    assert!(finish(&fixture, Vec::new()).await.is_empty());

    keep!(fixture, |unit| {
        due_work::remove(unit.connection(), ["op_2", "op_4", "op_9"]).await?;
        due_work::remove(unit.connection(), [] as [&str; 0]).await
    });
    let third = (leases[2].id, leases[2].fence);
    assert!(finish(&fixture, vec![third]).await.is_empty(), "removed from under its holder");
    fixture.pass(60);
    assert_eq!(objects(&claim(&fixture, "lane", 10).await), ["op_3"]);
}

async fn next_and_lag_say_when(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let mut reader = fixture.reader().await;
    assert_eq!(due_work::next(&mut reader, fixture.now()).await.unwrap(), None);
    assert_eq!(due_work::lag(&mut reader, fixture.now()).await.unwrap(), 0);
    let mut work = vec![fixture.work("lane", "op_1", 60), fixture.work("lane", "op_2", 60)];
    work[0].next_at = fixture.later(10);
    work[1].next_at = fixture.later(20);
    let (first, second) = (work[0].next_at, work[1].next_at);
    insert(&fixture, work).await;
    assert_eq!(due_work::next(&mut reader, fixture.now()).await.unwrap(), Some(first));
    assert_eq!(due_work::lag(&mut reader, fixture.now()).await.unwrap(), 0);
    fixture.pass(12);
    assert_eq!(due_work::lag(&mut reader, fixture.now()).await.unwrap(), 2_000);
    claim(&fixture, "lane", 10).await;
    assert_eq!(due_work::lag(&mut reader, fixture.now()).await.unwrap(), 0, "being worked on is not late");
    assert_eq!(
        due_work::next(&mut reader, fixture.now()).await.unwrap(),
        Some(second),
        "the first is due already"
    );
    fixture.pass(60);
    assert_eq!(due_work::lag(&mut reader, fixture.now()).await.unwrap(), 62_000);
}

async fn without_a_time_the_database_uses_its_own(database: TestDatabase) {
    // Judged by the machine's time, on which nothing here depends but its direction.
    let environment = Environment::system();
    let opened = Database::open(database.url(), &environment).await.unwrap();
    let store = opened.into_store(habeas_testing::keyring()).await.unwrap();
    assert_eq!(store.shared_now().is_none(), !database.is_sqlite());
    drop(store);

    let fixture = Fixture::on(database).await;
    fixture.clock.advance_to(environment.clock().now());
    let mut work = vec![fixture.work("lane", "past", 60), fixture.work("lane", "future", 60)];
    work[0].next_at = fixture.later(-3_600);
    work[1].next_at = fixture.later(3_600);
    insert(&fixture, work).await;
    let claimed = keep!(fixture, |unit| {
        let connection = unit.connection();
        let claimed = due_work::claim(connection, "lane", None, LEASE, 10).await?;
        assert!(due_work::claim(connection, "lane", None, LEASE, 10).await?.is_empty());
        let lease = (claimed[0].id, claimed[0].fence);
        assert!(due_work::extend(connection, lease, None, 2 * LEASE).await?);
        Ok::<_, StoreError>(claimed)
    });
    assert_eq!(objects(&claimed), ["past"]);
    let until = fixture.database.raw().await.number("SELECT lease_until FROM due_work WHERE fence = 1").await;
    let lease = until - fixture.now().as_millisecond();
    assert!((LEASE..=2 * LEASE + 60_000).contains(&lease), "{lease} ms");
}
