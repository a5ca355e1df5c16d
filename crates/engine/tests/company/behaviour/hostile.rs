//! Vendors that answer with too much, for ever, or with the way to somebody else: bounded and refused.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::TcpListener;

use habeas_domain::Right;
use habeas_sandbox::faults::{Fault, Rule};
use habeas_testing::{TestDatabase, block_on};
use rstest::rstest;

use super::stage::{Shown, Stage};
use crate::support::System;

of_everything_served![hostile_answers_are_bounded_and_nothing_goes_to_a_foreign_host];

/// More calls than any one of these requests may cost.
const BOUND: u64 = 150;

#[rstest]
fn hostile_answers_are_bounded_on_postgresql(
    #[values(System::SegmentConfig, System::SegmentPublic)] system: System,
) {
    block_on(async {
        let stage = Stage::of(TestDatabase::postgres().await, system).await;
        meet_all(&stage, Right::Deletion).await;
    });
}

fn hostile_answers_are_bounded_and_nothing_goes_to_a_foreign_host(system: System, right: Right) {
    block_on(async { meet_all(&Stage::on_sqlite(system).await, right).await });
}

/// Somebody else, who waits for a credential.
struct Stranger(TcpListener);

impl Stranger {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    fn address(&self) -> String {
        format!("http://{}", self.0.local_addr().unwrap())
    }

    fn was_called(&self) -> bool {
        match self.0.accept() {
            Ok(_) => true,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                false
            }
        }
    }
}

/// What is hostile, and whether it goes on for ever.
fn answers(stranger: &Stranger) -> Vec<(&'static str, Fault, bool)> {
    const TOO_MUCH: u64 = 33 << 20;
    vec![
        ("33 MiB, announced", Fault::Oversized { bytes: TOO_MUCH, announced: true }, false),
        ("33 MiB", Fault::Oversized { bytes: TOO_MUCH, announced: false }, false),
        ("endless pages", Fault::EndlessNext {}, true),
        ("next page elsewhere", Fault::ForeignNext { base: stranger.address() }, true),
        ("redirect", Fault::Redirect { location: format!("{}/?next", stranger.address()) }, false),
        ("deep JSON", Fault::DeepJson { depth: 100_000 }, false),
        ("wrong type", Fault::WrongContentType { content_type: "text/html".to_owned() }, false),
        ("truncated", Fault::Truncated {}, false),
    ]
}

async fn meet_all(stage: &Stage, right: Right) {
    let company = &stage.company;
    let stranger = Stranger::new();
    let mut wrong = Vec::new();
    let mut met = BTreeSet::new();
    for (number, (route, _)) in (0..).zip(stage.calls_of_one_request(right).await) {
        if !met.insert(route.clone()) {
            continue;
        }
        for (name, fault, lasts) in answers(&stranger) {
            let person = stage.somebody();
            company.sandbox.calls().reset();
            let rule = Rule::new(stage.system.vendor(), fault).skip(number);
            company.fault(if lasts { rule } else { rule.times(1) });
            let process = company.another_process().await;
            let id = company.ask(right, &person.email).await;
            let shown = stage.work_until_it_is_stuck(&process, id).await;
            let calls = company.all_calls();
            let words = if let Shown::Attention(_) = shown { stage.wrong_words(id).await } else { None };
            let has_struck = stage.has_met_a_fault();
            company.sandbox.faults().clear();
            stage.help(&process, id).await;
            let end = stage.wrong_end(right, id, &person).await;
            let trouble = [
                (!has_struck).then(|| "never met".to_owned()),
                (calls > BOUND).then(|| format!("{calls} calls")),
                stranger.was_called().then(|| "somebody else was called".to_owned()),
                words.map(|text| format!("says \"{text}\"")),
                end,
            ];
            wrong.extend(trouble.into_iter().flatten().map(|one| format!("{name}, {route}: {one}")));
            stage.forget(&person);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
