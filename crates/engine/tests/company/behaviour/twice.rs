//! Every step twice: what is written a second time, or by a worker that lost its lease, changes nothing.

use habeas_casework::work::{Assignment, Finding, FollowReport, JobEnd, PageReport, Report};
use habeas_domain::operation::OperationKind;
use habeas_domain::{OperationId, RecordId, Right};
use habeas_integrations::{Connector, Deleted, Erased, Export, Presence, Progress, Subject};
use habeas_store::due_work::Lease;
use habeas_testing::{TestDatabase, block_on};
use rstest::rstest;

use super::stage::Stage;
use crate::crashes::{copy, read_page};
use crate::support::{Company, LEASE, LEASE_MS, System};

of_everything_served![
    whatever_is_written_twice_changes_nothing_the_second_time,
    what_two_processes_carry_out_is_done_once,
];

#[rstest]
fn whatever_is_written_twice_on_postgresql(
    #[values(System::Qualtrics, System::SegmentPublic)] system: System,
) {
    block_on(async {
        write_twice(&Stage::of(TestDatabase::postgres().await, system).await, Right::Deletion).await
    });
}

#[rstest]
fn what_two_processes_carry_out_on_postgresql(
    #[values(System::Qualtrics, System::SegmentPublic)] system: System,
) {
    block_on(async {
        carry_out_twice(&Stage::of(TestDatabase::postgres().await, system).await, Right::Deletion).await
    });
}

fn whatever_is_written_twice_changes_nothing_the_second_time(system: System, right: Right) {
    block_on(async { write_twice(&Stage::on_sqlite(system).await, right).await });
}

fn what_two_processes_carry_out_is_done_once(system: System, right: Right) {
    block_on(async { carry_out_twice(&Stage::on_sqlite(system).await, right).await });
}

/// Something that a worker writes.
enum Write {
    Page(Box<PageReport>),
    Deletion(Lease, RecordId, Deleted),
    Report(Box<Report>),
    Follow { assignment: Box<Assignment>, done: Vec<OperationId> },
}

impl Write {
    async fn apply(&self, company: &Company) {
        let casework = &company.casework;
        match self {
            Self::Page(page) => drop(casework.report_page(copy(page)).await.unwrap()),
            Self::Deletion(lease, record, deleted) => {
                casework.note_deletion(lease, *record, *deleted, LEASE_MS).await.unwrap();
            }
            Self::Report(report) => casework.settle(vec![Report::clone(report)]).await.unwrap(),
            Self::Follow { assignment, done } => {
                let later = company.time.now() + jiff::SignedDuration::from_mins(10);
                let report = FollowReport {
                    lease: assignment.lease.clone(),
                    operation: assignment.operation.clone(),
                    ended: done.iter().map(|id| (*id, JobEnd::Done(Erased::default()))).collect(),
                    looked_at: assignment.jobs.iter().map(|job| job.operation).collect(),
                    next_at: later,
                    soonest: later,
                };
                casework.report_follow(report).await.unwrap();
            }
        }
    }
}

/// Makes the calls of a claimed operation, as a worker does, and says what is to be written, in order.
async fn carry_out(company: &Company, mut assignment: Assignment) -> Vec<Write> {
    let connector = company.connector().await;
    let connector = connector.as_ref();
    let subject = assignment.members.first().map(|member| member.subject.clone());
    let later = company.time.now() + jiff::SignedDuration::from_mins(10);
    let finding = match (assignment.operation.kind, subject) {
        (OperationKind::Scan, _) => return read_all(connector, assignment).await,
        (OperationKind::Follow, _) => {
            let jobs: Vec<_> = assignment.jobs.iter().map(|job| job.job.clone()).collect();
            let progress = connector.follow(&jobs).await.unwrap();
            let ended = assignment.jobs.iter().zip(progress);
            let done = ended
                .filter(|(_, progress)| matches!(progress, Progress::Done(_)))
                .map(|(job, _)| job.operation);
            let done = done.collect();
            return vec![Write::Follow { assignment: Box::new(assignment), done }];
        }
        (OperationKind::DeleteRecords, Some(subject)) => {
            let mut writes = Vec::new();
            for target in std::mem::take(&mut assignment.targets) {
                let deleted = connector.delete_record(&subject, &target.vendor_id).await.unwrap();
                writes.push(Write::Deletion(assignment.lease.clone(), target.record, deleted));
            }
            let finding = Finding::Deleted { prove: true, residuals: Vec::new() };
            writes.push(Write::Report(Box::new(Report::whole(assignment, finding))));
            return writes;
        }
        (OperationKind::Export, Some(subject)) => {
            let job = assignment.operation.job.clone().and_then(habeas_integrations::Job::new);
            match connector.export(&subject, job.as_ref()).await.unwrap() {
                Export::Pending(job) => Finding::Pending { job, at: later },
                Export::Collected(found) => Finding::Collected(found),
            }
        }
        (OperationKind::Erase, Some(_)) => {
            let subjects: Vec<Subject> =
                assignment.members.iter().map(|member| member.subject.clone()).collect();
            let job = connector.erase(&subjects).await.unwrap();
            Finding::Accepted { job, look_at: later, residuals: Vec::new() }
        }
        (OperationKind::Verify, Some(subject)) => {
            assert_eq!(connector.presence(&subject).await.unwrap(), Presence::GONE);
            Finding::VerifiedGone { unsearched: Vec::new() }
        }
        (kind, _) => panic!("say here how {kind} is carried out"),
    };
    vec![Write::Report(Box::new(Report::whole(assignment, finding)))]
}

async fn read_all(connector: &dyn Connector, mut assignment: Assignment) -> Vec<Write> {
    let mut writes = Vec::new();
    let mut cursor = None;
    loop {
        let page = read_page(connector, &mut assignment, &mut cursor).await;
        let is_last = !page.finished.is_empty();
        writes.push(Write::Page(Box::new(page)));
        if is_last {
            return writes;
        }
    }
}

/// The next claimed operation, when time has come for it; `None` if nothing is left to do.
async fn claim(company: &Company) -> Option<Assignment> {
    loop {
        let mut claimed = company.claim().await.assignments;
        assert!(claimed.len() <= 1, "one request, one connection");
        if let Some(assignment) = claimed.pop() {
            return Some(assignment);
        }
        if !company.let_wait_pass_everywhere().await {
            return None;
        }
    }
}

async fn write_twice(stage: &Stage, right: Right) {
    let company = &stage.company;
    let person = stage.somebody();
    let id = company.ask(right, &person.email).await;
    let mut kinds = Vec::new();
    while let Some(assignment) = claim(company).await {
        kinds.push(assignment.operation.kind);
        for write in carry_out(company, assignment).await {
            write.apply(company).await;
            let before = company.dump().await;
            write.apply(company).await;
            if !matches!(write, Write::Deletion(..)) {
                assert_eq!(company.dump().await, before, "{kinds:?}");
            }
        }
    }
    assert_eq!(stage.wrong_end(right, id, &person).await, None, "{kinds:?}");
    assert!(company.audit_is_whole().await);
}

/// At each step in turn: one process makes the calls and loses its lease, another does the same and everything after
/// it; then the first one wants to write.
async fn carry_out_twice(stage: &Stage, right: Right) {
    let company = &stage.company;
    for step in 0.. {
        let person = stage.somebody();
        let id = company.ask(right, &person.email).await;
        for _ in 0..step {
            let assignment = claim(company).await.expect("the step before was reached");
            for write in carry_out(company, assignment).await {
                write.apply(company).await;
            }
        }
        let Some(slow) = claim(company).await else {
            assert_eq!(stage.wrong_end(right, id, &person).await, None);
            assert!(step > 0, "there was something to do");
            break;
        };
        let kind = slow.operation.kind;
        let late = carry_out(company, slow).await;
        let before = company.time.now();
        company.time.advance(LEASE);
        company.vendor_catches_up_since(before);
        company.work_with_the_vendor(&company.another_process().await).await;
        assert_eq!(stage.wrong_end(right, id, &person).await, None, "{kind} by two");
        let before = company.dump().await;
        for write in &late {
            write.apply(company).await;
        }
        assert_eq!(company.dump().await, before, "{kind}, written too late");
        stage.forget(&person);
    }
    assert!(company.audit_is_whole().await);
}
