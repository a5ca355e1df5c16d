//! Deletions that gather, with two units interleaved by hand on PostgreSQL: whatever the order, whoever joins is sent
//! once and whoever leaves is not sent.

use habeas_domain::operation::{OperationKind, OperationStatus};
use habeas_domain::{ConnectionId, OperationId, RunId};
use habeas_store::due_work::{self, NewDueWork};
use habeas_store::operations::{self, Operation, Which};
use habeas_store::{StoreError, Unit, requests, runs};
use habeas_testing::{TestDatabase, block_on};
use rstest::rstest;

use crate::common::Fixture;

const LANE: &str = "lane";
const LEASE: i64 = 30_000;

async fn on_postgres() -> Fixture {
    Fixture::on(TestDatabase::postgres().await).await
}

/// A run of a request of its own.
async fn planned(fixture: &Fixture, at: ConnectionId) -> RunId {
    let request = fixture.request();
    let run = fixture.run(request.id, at);
    let id = run.id;
    keep!(fixture, |unit| {
        requests::insert(unit.connection(), &[request]).await?;
        runs::save(unit.connection(), [&run]).await
    });
    id
}

/// A deletion to be joined, with its due work.
struct Opening {
    operation: Operation,
    work: NewDueWork,
}

fn opening(fixture: &Fixture, at: ConnectionId) -> Opening {
    let operation = fixture.operation(at, OperationKind::Erase);
    let work = fixture.work(LANE, &operation.id.to_string(), 60);
    Opening { operation, work }
}

/// What a unit does that has something to delete: joins what gathers, or opens `new`.
async fn gather(unit: &mut Unit, new: Opening, run: RunId) -> Result<OperationId, StoreError> {
    let gathering = operations::gathering(unit.connection(), new.operation.connection).await?;
    let id = match gathering {
        Some(id) => id,
        None => {
            operations::insert(unit.connection(), std::slice::from_ref(&new.operation)).await?;
            due_work::insert(unit.connection(), &[new.work]).await?;
            new.operation.id
        }
    };
    operations::join(unit.connection(), [(id, run)]).await?;
    Ok(id)
}

/// What a worker does that takes deletions up: whom it sends them for.
async fn take_up(unit: &mut Unit, now: Option<i64>) -> Result<Vec<(OperationId, RunId)>, StoreError> {
    let leases = due_work::claim(unit.connection(), LANE, now, LEASE, 10).await?;
    let ids: Vec<OperationId> = leases.iter().map(|lease| lease.object.parse().unwrap()).collect();
    let mut claimed = operations::lock(unit.connection(), ids.iter().copied()).await?;
    let members = operations::members(unit.connection(), ids, Which::All).await?;
    for operation in &mut claimed {
        operation.status = OperationStatus::Sent;
    }
    operations::save(unit.connection(), &claimed).await?;
    Ok(members.into_iter().map(|member| (member.operation, member.run)).collect())
}

async fn work_left(fixture: &Fixture) -> i64 {
    fixture.database.raw().await.number("SELECT count(*) FROM due_work").await
}

#[test]
fn two_units_that_gather_at_once_where_nothing_gathers_are_both_served() {
    block_on(async {
        let fixture = on_postgres().await;
        let at = fixture.connection_id();
        let runs = [planned(&fixture, at).await, planned(&fixture, at).await, planned(&fixture, at).await];
        let new = [opening(&fixture, at), opening(&fixture, at), opening(&fixture, at)];
        let ids = new.each_ref().map(|one| one.operation.id);
        let [first, second, third] = new;
        let one = leave_open!(fixture, |unit| gather(unit, first, runs[0]).await);
        // Neither sees the other's, and neither waits: each opens one of its own.
        let other = leave_open!(fixture, |unit| gather(unit, second, runs[1]).await);
        assert_eq!(other.commit().await, ids[1]);
        assert_eq!(one.commit().await, ids[0]);
        let joined = keep!(fixture, |unit| gather(unit, third, runs[2]).await);
        assert_eq!(joined, ids[0], "whoever comes next joins the older");
        let now = fixture.store.shared_now();
        let sent = keep!(fixture, |unit| take_up(unit, now).await);
        assert_eq!(sent, [(ids[0], runs[0]), (ids[0], runs[2]), (ids[1], runs[1])]);
    });
}

#[rstest]
#[case::that_is_kept(true)]
#[case::that_is_not_kept(false)]
fn a_unit_that_gathers_waits_for_another_one(#[case] kept: bool) {
    block_on(async {
        let fixture = on_postgres().await;
        let at = fixture.connection_id();
        let runs = [planned(&fixture, at).await, planned(&fixture, at).await, planned(&fixture, at).await];
        let [opened, second, third] = [opening(&fixture, at), opening(&fixture, at), opening(&fixture, at)];
        let gathering = opened.operation.id;
        keep!(fixture, |unit| gather(unit, opened, runs[0]).await);
        let one = leave_open!(fixture, |unit| gather(unit, second, runs[1]).await);
        let other = begin!(fixture, |unit| gather(unit, third, runs[2]).await);
        fixture.is_waiting(&other).await;
        if kept {
            assert_eq!(one.commit().await, gathering);
        } else {
            one.roll_back().await;
        }
        assert_eq!(other.await.unwrap().unwrap(), gathering);
        let now = fixture.store.shared_now();
        let sent = keep!(fixture, |unit| take_up(unit, now).await);
        let served = if kept { vec![runs[0], runs[1], runs[2]] } else { vec![runs[0], runs[2]] };
        assert_eq!(sent, served.into_iter().map(|run| (gathering, run)).collect::<Vec<_>>());
        assert_eq!(work_left(&fixture).await, 1);
    });
}

#[test]
fn whoever_joins_before_a_deletion_is_taken_up_is_sent_with_it() {
    block_on(async {
        let fixture = on_postgres().await;
        let at = fixture.connection_id();
        let runs = [planned(&fixture, at).await, planned(&fixture, at).await];
        let (opened, second) = (opening(&fixture, at), opening(&fixture, at));
        let gathering = opened.operation.id;
        keep!(fixture, |unit| gather(unit, opened, runs[0]).await);
        let joining = leave_open!(fixture, |unit| gather(unit, second, runs[1]).await);
        let now = fixture.store.shared_now();
        let worker = begin!(fixture, |unit| take_up(unit, now).await);
        fixture.is_waiting(&worker).await;
        joining.commit().await;
        assert_eq!(worker.await.unwrap().unwrap(), [(gathering, runs[0]), (gathering, runs[1])]);
    });
}

#[rstest]
#[case::kept_and_nothing_else_gathers(true, false)]
#[case::kept_and_a_younger_one_gathers(true, true)]
#[case::not_kept(false, true)]
fn whoever_comes_while_a_deletion_is_taken_up_never_joins_what_is_sent(
    #[case] kept: bool,
    #[case] younger: bool,
) {
    block_on(async {
        let fixture = on_postgres().await;
        let at = fixture.connection_id();
        let runs = [planned(&fixture, at).await, planned(&fixture, at).await];
        let (opened, own) = (opening(&fixture, at), opening(&fixture, at));
        let (gathering, own_id) = (opened.operation.id, own.operation.id);
        keep!(fixture, |unit| gather(unit, opened, runs[0]).await);
        let now = fixture.store.shared_now();
        let worker = leave_open!(fixture, |unit| take_up(unit, now).await);
        let next = fixture.operation(at, OperationKind::Erase);
        let next_id = next.id;
        if younger {
            keep!(fixture, |unit| operations::insert(unit.connection(), &[next]).await);
        }
        let joining = begin!(fixture, |unit| gather(unit, own, runs[1]).await);
        fixture.is_waiting(&joining).await;
        let expected = if kept {
            assert_eq!(worker.commit().await, [(gathering, runs[0])]);
            if younger { next_id } else { own_id }
        } else {
            worker.roll_back().await;
            gathering
        };
        assert_eq!(joining.await.unwrap().unwrap(), expected);
        let members = operations::members(&mut fixture.reader().await, [expected], Which::All).await.unwrap();
        assert!(members.iter().any(|member| member.run == runs[1]));
    });
}

/// What a worker does when more gathered than one call carries: the rest goes out by itself.
async fn cut(
    unit: &mut Unit,
    from: OperationId,
    rest: Operation,
    runs: Vec<RunId>,
) -> Result<(), StoreError> {
    operations::lock(unit.connection(), [from]).await?;
    operations::transfer(unit.connection(), from, rest.id, runs).await?;
    operations::insert(unit.connection(), &[rest]).await
}

/// What a unit does that stops a run.
async fn detach(unit: &mut Unit, run: RunId) -> Result<(), StoreError> {
    let serving = operations::serving(unit.connection(), [run]).await?;
    assert_eq!(serving.len(), 1, "in one operation before or after, never in two");
    operations::leave_all(unit.connection(), [run]).await
}

#[rstest]
#[case::is_stopped_meanwhile(true)]
#[case::was_just_stopped(false)]
fn a_run_that_goes_out_with_the_rest_and(#[case] cut_first: bool) {
    block_on(async {
        let fixture = on_postgres().await;
        let at = fixture.connection_id();
        let runs = [planned(&fixture, at).await, planned(&fixture, at).await, planned(&fixture, at).await];
        let operation = fixture.operation(at, OperationKind::Erase);
        let rest = fixture.operation(at, OperationKind::Erase);
        let (from, to) = (operation.id, rest.id);
        keep!(fixture, |unit| {
            operations::insert(unit.connection(), &[operation]).await?;
            operations::join(unit.connection(), runs.map(|run| (from, run))).await
        });
        let going = vec![runs[1], runs[2]];
        let stopped = runs[2];
        if cut_first {
            let cutting = leave_open!(fixture, |unit| cut(unit, from, rest, going).await);
            let stopping = begin!(fixture, |unit| detach(unit, stopped).await);
            fixture.is_waiting(&stopping).await;
            cutting.commit().await;
            stopping.await.unwrap().unwrap();
        } else {
            let stopping = leave_open!(fixture, |unit| detach(unit, stopped).await);
            let cutting = begin!(fixture, |unit| cut(unit, from, rest, going).await);
            fixture.is_waiting(&cutting).await;
            stopping.commit().await;
            cutting.await.unwrap().unwrap();
        }
        let members = operations::members(&mut fixture.reader().await, [from, to], Which::All).await.unwrap();
        let left: Vec<_> = members.iter().map(|member| (member.operation, member.run)).collect();
        assert_eq!(left, [(from, runs[0]), (to, runs[1])], "nothing is sent for the one that was stopped");
    });
}
