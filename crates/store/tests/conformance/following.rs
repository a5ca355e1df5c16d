//! The operation that follows a connection's jobs, with two units interleaved by hand on PostgreSQL: whatever the order,
//! the next look is planned, and nobody waits for ever.

use habeas_domain::operation::{OperationKind, OperationStatus};
use habeas_domain::{ConnectionId, OperationId};
use habeas_store::due_work::{self, Lease, NewDueWork, Postponement};
use habeas_store::operations::{self, Operation};
use habeas_store::{StoreError, Unit};
use habeas_testing::{TestDatabase, block_on};
use jiff::Timestamp;
use rstest::rstest;
use tokio::sync::oneshot;

use crate::common::Fixture;

const LANE: &str = "lane";
const LEASE: i64 = 30_000;

async fn on_postgres() -> Fixture {
    Fixture::on(TestDatabase::postgres().await).await
}

/// A connection whose follower was claimed.
struct Followed {
    at: ConnectionId,
    follower: OperationId,
    lease: Lease,
}

async fn followed(fixture: &Fixture) -> Followed {
    let (at, new, now) = (fixture.connection_id(), fixture.operation_id(), fixture.now());
    let work = fixture.work(LANE, &new.to_string(), 60);
    let shared_now = fixture.store.shared_now();
    let lease = keep!(fixture, |unit| {
        assert_eq!(operations::following(unit.connection(), new, at, now).await?, new);
        due_work::insert(unit.connection(), &[work]).await?;
        Ok(due_work::claim(unit.connection(), LANE, shared_now, LEASE, 1).await?.remove(0))
    });
    Followed { at, follower: new, lease }
}

/// A job that was just accepted, and the look that is planned for it.
struct Accepted {
    job: Operation,
    unused: OperationId,
    work: NewDueWork,
}

fn accepted(fixture: &Fixture, followed: &Followed, look_in: i64) -> Accepted {
    let mut job = fixture.operation(followed.at, OperationKind::Erase);
    job.status = OperationStatus::Accepted;
    job.job = Some("job-1".to_owned());
    let mut work = fixture.work(LANE, &followed.follower.to_string(), 60);
    work.next_at = fixture.later(look_in);
    Accepted { job, unused: fixture.operation_id(), work }
}

/// What a unit does whose deletion was accepted.
async fn plan_look(unit: &mut Unit, accepted: Accepted) -> Result<(), StoreError> {
    let Accepted { job, unused, work } = accepted;
    operations::insert(unit.connection(), std::slice::from_ref(&job)).await?;
    let now = unit.now();
    let follower = operations::following(unit.connection(), unused, job.connection, now).await?;
    assert_eq!(follower.to_string(), work.object);
    due_work::insert(unit.connection(), &[work]).await
}

/// What a follower does after its look: it ends its row if no job is left, else looks again at `next_at`.
async fn finish_look(
    unit: &mut Unit,
    (at, lease): (ConnectionId, Lease),
    next_at: Timestamp,
) -> Result<usize, StoreError> {
    let key = (lease.id, lease.fence);
    assert_eq!(due_work::held(unit.connection(), [key]).await?, [lease.id]);
    let left = operations::accepted(unit.connection(), at).await?.len();
    if left == 0 {
        assert_eq!(due_work::finish(unit.connection(), [key]).await?, [lease.id]);
    } else {
        let later = Postponement { id: lease.id, fence: lease.fence, next_at, attempts: 0 };
        assert_eq!(due_work::postpone(unit.connection(), [later]).await?, [lease.id]);
    }
    Ok(left)
}

/// When the follower looks next; there must be one row, free for whoever claims it then.
async fn next_look(fixture: &Fixture, follower: OperationId) -> i64 {
    let mut raw = fixture.database.raw().await;
    let rows = raw.texts("SELECT object_id FROM due_work").await;
    assert_eq!(rows, [follower.to_string()], "the look is planned");
    assert_eq!(raw.number("SELECT lease_until FROM due_work").await, 0, "and free");
    raw.number("SELECT next_at FROM due_work").await
}

#[rstest]
#[case::that_is_kept(true)]
#[case::that_is_not_kept(false)]
fn a_look_planned_while_the_follower_ends_its_row_is_there_afterwards(#[case] kept: bool) {
    block_on(async {
        let fixture = on_postgres().await;
        let followed = followed(&fixture).await;
        let (key, follower) = ((followed.at, followed.lease.clone()), followed.follower);
        let accepted = accepted(&fixture, &followed, -10);
        let look_at = accepted.work.next_at.as_millisecond();
        let next_at = fixture.later(600);
        let looking = leave_open!(fixture, |unit| finish_look(unit, key, next_at).await);
        let planning = begin!(fixture, |unit| plan_look(unit, accepted).await);
        fixture.is_waiting(&planning).await;
        if kept {
            assert_eq!(looking.commit().await, 0, "the follower saw no job");
            planning.await.unwrap().unwrap();
            assert_eq!(next_look(&fixture, follower).await, look_at);
            return;
        }
        // Its lease runs out; then somebody looks.
        looking.roll_back().await;
        planning.await.unwrap().unwrap();
        fixture.pass(31);
        let now = fixture.store.shared_now();
        let leases = keep!(fixture, |unit| due_work::claim(unit.connection(), LANE, now, LEASE, 9).await);
        assert_eq!(leases.len(), 1);
        assert_eq!((leases[0].id, leases[0].fence), (followed.lease.id, followed.lease.fence + 1));
    });
}

#[rstest]
#[case::sooner(10, 10)]
#[case::not_later(900, 600)]
fn a_look_planned_while_the_follower_postpones_comes(#[case] look_in: i64, #[case] comes_in: i64) {
    block_on(async {
        let fixture = on_postgres().await;
        let followed = followed(&fixture).await;
        let (key, follower) = ((followed.at, followed.lease.clone()), followed.follower);
        let older = Operation {
            status: OperationStatus::Accepted,
            ..fixture.operation(followed.at, OperationKind::Erase)
        };
        keep!(fixture, |unit| operations::insert(unit.connection(), &[older]).await);
        let accepted = accepted(&fixture, &followed, look_in);
        let (next_at, comes_at) = (fixture.later(600), fixture.later(comes_in));
        let looking = leave_open!(fixture, |unit| finish_look(unit, key, next_at).await);
        let planning = begin!(fixture, |unit| plan_look(unit, accepted).await);
        fixture.is_waiting(&planning).await;
        assert_eq!(looking.commit().await, 1);
        planning.await.unwrap().unwrap();
        assert_eq!(next_look(&fixture, follower).await, comes_at.as_millisecond());
    });
}

#[test]
fn a_follower_that_ends_its_look_while_one_is_planned_sees_the_new_job() {
    block_on(async {
        let fixture = on_postgres().await;
        let followed = followed(&fixture).await;
        let (key, follower) = ((followed.at, followed.lease.clone()), followed.follower);
        let accepted = accepted(&fixture, &followed, 10);
        let next_at = fixture.later(600);
        let planning = leave_open!(fixture, |unit| plan_look(unit, accepted).await);
        let looking = begin!(fixture, |unit| finish_look(unit, key, next_at).await);
        fixture.is_waiting(&looking).await;
        planning.commit().await;
        assert_eq!(looking.await.unwrap().unwrap(), 1, "what was committed meanwhile is left to look at");
        assert_eq!(next_look(&fixture, follower).await, next_at.as_millisecond());
    });
}

/// What a unit does whose deletion is the first to be accepted at a connection.
async fn follow(unit: &mut Unit, new: Operation, work: NewDueWork) -> Result<OperationId, StoreError> {
    let follower = operations::following(unit.connection(), new.id, new.connection, new.created_at).await?;
    let work = NewDueWork { object: follower.to_string(), ..work };
    due_work::insert(unit.connection(), &[work]).await?;
    Ok(follower)
}

#[rstest]
#[case::that_is_kept(true)]
#[case::that_is_not_kept(false)]
fn two_units_that_make_the_same_follower_at_once_plan_one_look(#[case] kept: bool) {
    block_on(async {
        let fixture = on_postgres().await;
        let at = fixture.connection_id();
        let news = [(); 2].map(|()| fixture.operation(at, OperationKind::Follow));
        let ids = news.each_ref().map(|new| new.id);
        let [first_new, second_new] = news;
        let [first, second] = [20, 10]
            .map(|look_in| NewDueWork { next_at: fixture.later(look_in), ..fixture.work(LANE, "", 60) });
        let soonest = second.next_at.as_millisecond();
        let one = leave_open!(fixture, |unit| follow(unit, first_new, first).await);
        let other = begin!(fixture, |unit| follow(unit, second_new, second).await);
        fixture.is_waiting(&other).await;
        let expected = if kept {
            assert_eq!(one.commit().await, ids[0]);
            ids[0]
        } else {
            one.roll_back().await;
            ids[1]
        };
        assert_eq!(other.await.unwrap().unwrap(), expected);
        assert_eq!(next_look(&fixture, expected).await, soonest);
        let rows = fixture.database.raw().await.number("SELECT count(*) FROM operations").await;
        assert_eq!(rows, 1);
    });
}

#[test]
fn leases_are_renewed_beside_a_unit_that_settles_one_and_plans_a_look_at_the_other() {
    block_on(async {
        let fixture = on_postgres().await;
        let followed = followed(&fixture).await;
        let accepted = accepted(&fixture, &followed, 10);
        let (work, now) = (fixture.work(LANE, "op_1", 60), fixture.store.shared_now());
        let own = keep!(fixture, |unit| {
            due_work::insert(unit.connection(), &[work]).await?;
            Ok(due_work::claim(unit.connection(), LANE, now, LEASE, 9).await?.remove(0))
        });
        let [own, look] = [&own, &followed.lease].map(|lease| (lease.id, lease.fence));
        let (finished, wait_finished) = oneshot::channel();
        let (go_on, wait_go_on) = oneshot::channel::<()>();
        let settling = begin!(fixture, |unit| {
            let finished_now = due_work::finish(unit.connection(), [own]).await?;
            finished.send(finished_now).unwrap();
            wait_go_on.await.unwrap();
            plan_look(unit, accepted).await
        });
        assert_eq!(wait_finished.await.unwrap(), [own.0]);
        let renew =
            async |lease| keep!(fixture, |unit| due_work::extend(unit.connection(), lease, now, LEASE).await);
        assert!(renew(look).await);
        let renewing = begin!(fixture, |unit| due_work::extend(unit.connection(), own, now, LEASE).await);
        fixture.is_waiting(&renewing).await;
        // Nobody holds what it needs now.
        go_on.send(()).unwrap();
        settling.await.unwrap().expect("a unit that waits for nobody who waits for it");
        assert!(!renewing.await.unwrap().unwrap(), "what was settled is not held any more");
        assert!(renew(look).await);
    });
}
