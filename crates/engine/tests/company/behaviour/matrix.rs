//! Every fault at every call that matters, of every system, for every right that it serves.

use habeas_domain::Right;
use habeas_testing::{TestDatabase, block_on};
use rstest::rstest;

use super::SERVED;
use super::stage::{Shown, Stage, manifest, served};
use super::table::{self, Call, Kind, Point, Row};
use crate::support::System;

/// How long a fault lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lasts {
    Once,
    Always,
}

of_everything_served![
    every_fault_at_every_call_is_shown_and_passes,
    every_fault_that_lasts_ends_at_a_person_who_retries,
];

fn every_fault_at_every_call_is_shown_and_passes(system: System, right: Right) {
    block_on(all_of(Stage::on_sqlite(system), right, Lasts::Once, &table::rows()));
}

fn every_fault_that_lasts_ends_at_a_person_who_retries(system: System, right: Right) {
    block_on(all_of(Stage::on_sqlite(system), right, Lasts::Always, &table::rows()));
}

/// How many cases there are, for whoever reads the suite's output: `cargo nextest run how_many_cases --no-capture`.
#[test]
fn how_many_cases_there_are() {
    let rows = table::rows();
    let mut all = 0;
    for (system, right) in SERVED {
        let calls = table::calls(system, right);
        let points: Vec<String> = calls.iter().map(|(point, _)| format!("{point:?}")).collect();
        let cases = calls.len() * (rows.len() * 2 - 1);
        all += cases;
        println!(
            "{system:?} {right}: {} faults, once and (all but one) always, at {} = {cases}",
            rows.len(),
            points.join(", ")
        );
    }
    println!("{all} cases");
    let names: std::collections::BTreeSet<&str> = rows.iter().map(|row| row.name).collect();
    assert_eq!(names.len(), rows.len(), "every row has a name of its own");
}

/// What a vendor accepted is looked at until its deadline, also when it cannot be asked; then a person decides.
#[rstest]
fn a_vendor_that_stays_away_until_the_deadline_of_its_job_is_a_persons_case(
    #[values(System::Qualtrics, System::SegmentConfig, System::SegmentPublic)] system: System,
    #[values("503", "too often", "malformed")] fault: &str,
) {
    block_on(async {
        let stage = Stage::on_sqlite(system).await;
        let company = &stage.company;
        let calls = table::calls(system, Right::Deletion);
        let (_, call) = calls.into_iter().find(|(point, _)| *point == Point::Follow).unwrap();
        let row = table::rows().into_iter().find(|row| row.name == fault).unwrap();
        company.fault(row.at(system, call));
        let person = stage.somebody();
        let id = company.ask(Right::Deletion, &person.email).await;
        let shown = stage.work_until_it_is_stuck(company, id).await;
        assert!(matches!(shown, Shown::Retrying(_)), "{shown}");
        let began = company.time.now();
        company.time.advance(manifest(system).polling.unwrap().deadline);
        company.vendor_catches_up_since(began);
        let shown = stage.work_until_it_is_stuck(company, id).await;
        assert_eq!(shown, Shown::Attention("job_overdue".to_owned()));
        assert_eq!(stage.wrong_words(id).await, None);
        company.sandbox.faults().clear();
        stage.help(company, id).await;
        assert_eq!(stage.wrong_end(Right::Deletion, id, &person).await, None);
    });
}

async fn all_of(stage: impl Future<Output = Stage>, right: Right, lasts: Lasts, rows: &[Row]) {
    let stage = stage.await;
    let mut wrong = Vec::new();
    let mut cases = 0;
    for (point, call) in table::calls(stage.system, right) {
        let skip = if call.is_proof { calls_before_the_proof(&stage, right, call).await } else { 0 };
        // What is read to its bound costs seconds if it lasts, and ends as what is announced.
        let is_worth_it = |row: &&Row| lasts == Lasts::Once || row.name != "too large, silently";
        for row in rows.iter().filter(is_worth_it) {
            cases += 1;
            if let Err(reason) = one(&stage, right, (point, call), skip, row, lasts).await {
                wrong.push(format!("{point:?} {}: {reason}", row.name));
            }
        }
    }
    assert!(stage.company.audit_is_whole().await);
    assert!(wrong.is_empty(), "{} of {cases} cases:\n{}", wrong.len(), wrong.join("\n"));
}

/// How many such calls come before anything is deleted.
async fn calls_before_the_proof(stage: &Stage, right: Right, call: Call) -> u64 {
    let calls = stage.calls_of_one_request(right).await;
    calls.iter().take_while(|(_, effect)| !effect).filter(|(route, _)| route == call.route).count() as u64
}

async fn one(
    stage: &Stage,
    right: Right,
    (point, call): (Point, Call),
    skip: u64,
    row: &Row,
    lasts: Lasts,
) -> Result<(), String> {
    let company = &stage.company;
    let person = stage.somebody();
    let rule = row.at(stage.system, call).skip(skip + call.before);
    company.fault(match lasts {
        Lasts::Once => rule.times(1),
        Lasts::Always => rule,
    });
    // A process that has a token asks for none.
    let fresh = if call.kind == Kind::Token { Some(company.another_process().await) } else { None };
    let process = fresh.as_ref().unwrap_or(company);
    let id = company.ask(right, &person.email).await;
    let (once, always) = table::expected(stage.system, right, (point, call), row);
    let (expected, shown) = match lasts {
        Lasts::Once => {
            while !stage.has_met_a_fault() {
                process.engine.work_until_idle().await;
                if !stage.has_met_a_fault() && !company.let_wait_pass_everywhere().await {
                    return Err("no such call was made".to_owned());
                }
            }
            (once, stage.shown(id).await)
        }
        Lasts::Always => (always, stage.work_until_it_is_stuck(process, id).await),
    };
    let struck = stage.has_met_a_fault();
    company.sandbox.faults().clear();
    let words = stage.wrong_words(id).await;
    stage.help(process, id).await;
    let end = stage.wrong_end(right, id, &person).await;
    stage.forget(&person);
    if !struck {
        return Err("no such call was made".to_owned());
    }
    let mut wrong = Vec::new();
    if shown != expected {
        wrong.push(format!("{shown} instead of {expected}"));
    }
    wrong.extend(words.map(|text| format!("says \"{text}\"")));
    wrong.extend(end);
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
}

/// On the other database one fault that is reconciled or retried, and one that asks a person.
#[rstest]
fn representative_faults_pass_on_postgresql(
    #[values(System::ReadyCloud, System::Qualtrics, System::SegmentConfig, System::SegmentPublic)]
    system: System,
) {
    for (lasts, name) in [(Lasts::Once, "answer lost"), (Lasts::Always, "405")] {
        let rows: Vec<Row> = table::rows().into_iter().filter(|row| row.name == name).collect();
        for right in served(system) {
            block_on(async {
                let stage = async { Stage::of(TestDatabase::postgres().await, system).await };
                all_of(stage, right, lasts, &rows).await;
            });
        }
    }
}
