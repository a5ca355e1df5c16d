//! What manifests claim, held against what connectors do.

use std::collections::BTreeSet;

use habeas_casework::contacts::{Answer, AnsweredRecord, ContactAnswer};
use habeas_domain::capability::{AccessType, DeletionMethod, DeletionTiming};
use habeas_domain::run::RunDetail;
use habeas_domain::{
    Identifier, IdentifierSource, IdentifierType, Outcome, Phase, RequestState, Right, RunStatus,
};
use habeas_integrations::{AccessMethod, Catalogue, ErrorKind, Job, Subject, VendorError, Verification};
use habeas_sandbox::calls::Call;
use habeas_sandbox::faults::Rule;
use habeas_sandbox::segment_config::EventSpec;
use habeas_sandbox::webhook::PersonSpec;
use habeas_testing::{TestDatabase, block_on};
use rstest::rstest;

use super::stage::{Stage, manifest, served};
use super::{ALL, SERVED, table};
use crate::support::{ANA, Company, Setup, System, asking, operator, status};

of_everything_served![
    a_right_is_served_in_the_way_that_is_declared,
    every_declared_identifier_finds_the_person,
];

#[test]
fn every_integration_of_the_catalogue_is_in_the_suite() {
    let catalogue = Catalogue::default();
    let known: BTreeSet<&str> = catalogue.iter().map(|one| one.manifest().name).collect();
    let tested: BTreeSet<&str> = ALL.iter().map(|system| system.integration()).collect();
    assert_eq!(known, tested);
    let declared: Vec<_> = ALL
        .into_iter()
        .flat_map(|system| served(system).into_iter().map(move |right| (system, right)))
        .collect();
    assert_eq!(declared, SERVED);
    // Every call that follows from the manifest is known, or this panics.
    for (system, right) in SERVED {
        assert!(!table::calls(system, right).is_empty());
    }
}

/// Whether a method is not offered, as the contract's own answer for it says.
fn offers<T>(answer: &Result<T, VendorError>) -> bool {
    !matches!(answer, Err(error) if error.kind == ErrorKind::Configuration && error.message.contains("does not offer"))
}

#[rstest]
fn what_is_declared_is_offered_and_nothing_else(
    #[values(
        System::ReadyCloud,
        System::Qualtrics,
        System::SegmentConfig,
        System::SegmentPublic,
        System::Webhook,
        System::DirectContact
    )]
    system: System,
) {
    block_on(async {
        let stage = Stage::on_sqlite(system).await;
        let person = stage.somebody();
        let subject = Subject::new(vec![identifier(&person.email)]);
        let subjects = [subject.clone()];
        let job = [Job::new("none-such").unwrap()];
        let connector = stage.company.connector().await;
        let declared = manifest(system).capabilities;
        let access = declared.access.map(|access| access.method);
        let deletion = declared.deletion;
        let verification = deletion.map(|deletion| deletion.verification);
        let deletes = |timing, method| {
            deletion.is_some_and(|deletion| deletion.timing == timing && deletion.method == method)
        };
        let is_job = deletion.is_some_and(|deletion| deletion.timing == DeletionTiming::Asynchronous);
        let deletes_person = deletes(DeletionTiming::Synchronous, DeletionMethod::WholeRecord);
        let searches = matches!(verification, Some(Verification::Search { .. }));
        let now = stage.company.time.now();
        for (method, offered, declared) in [
            (
                "scan",
                offers(&connector.scan(None, &subjects).await),
                access == Some(AccessMethod::Scan) || verification == Some(Verification::Scan),
            ),
            ("lookup", offers(&connector.lookup(&subject).await), access == Some(AccessMethod::Lookup)),
            ("export", offers(&connector.export(&subject, None).await), access == Some(AccessMethod::Job)),
            (
                "delete_record",
                offers(&connector.delete_record(&subject, "no/such").await),
                deletes(DeletionTiming::Synchronous, DeletionMethod::Standard),
            ),
            ("presence", offers(&connector.presence(&subject).await), searches || deletes_person),
            ("delete_subject", offers(&connector.delete_subject(&subject).await), deletes_person),
            ("find_erasures", offers(&connector.find_erasures(&subjects, now).await), is_job),
            ("follow", offers(&connector.follow(&job).await), is_job),
            ("erase", offers(&connector.erase(&subjects).await), is_job),
            ("detect", offers(&connector.detect().await), declared.detects_systems),
        ] {
            assert_eq!(offered, declared, "{method}");
        }
        assert_eq!(manifest(system).polling.is_some(), is_job || access == Some(AccessMethod::Job));
    });
}

#[rstest]
fn a_check_reports_on_every_permission_that_is_declared(
    #[values(
        System::ReadyCloud,
        System::Qualtrics,
        System::SegmentConfig,
        System::SegmentPublic,
        System::Webhook,
        System::DirectContact
    )]
    system: System,
) {
    block_on(async {
        let stage = Stage::on_sqlite(system).await;
        let sandbox = &stage.company.sandbox;
        let held = || {
            let (one, other) = (sandbox.readycloud().snapshot(), sandbox.qualtrics().snapshot());
            (one, other, sandbox.segment_config().snapshot())
        };
        let before = held();
        let report = stage.company.connector().await.check(stage.company.time.now()).await.unwrap();
        let reported: BTreeSet<&str> = report.permissions.iter().map(|one| one.permission.as_str()).collect();
        let declared: BTreeSet<&str> =
            manifest(system).permissions.iter().map(|one| one.permission).collect();
        assert_eq!(reported, declared);
        assert_eq!(held(), before, "it proves without changing anything");
    });
}

#[rstest]
fn a_full_batch_is_accepted_in_one_call(
    #[values(System::Qualtrics, System::SegmentConfig, System::SegmentPublic)] system: System,
) {
    block_on(async {
        let stage = Stage::on_sqlite(system).await;
        let batch = manifest(system).capabilities.deletion.unwrap().batch;
        // As long as the declared bytes allow.
        let length = (batch.bytes / batch.identifiers).min(60) - "\"\",".len();
        let subjects: Vec<Subject> = (0..batch.identifiers)
            .map(|number| {
                let domain = "@example.test";
                let email = format!("{number:0>width$}{domain}", width = length - domain.len());
                Subject::new(vec![identifier(&email)])
            })
            .collect();
        stage.company.connector().await.erase(&subjects).await.unwrap();
        let calls = stage.company.sandbox.calls().recent(usize::MAX);
        let (_, send) = table::calls(system, Right::Deletion)
            .into_iter()
            .find(|(_, call)| call.kind == table::Kind::Effect)
            .unwrap();
        assert_eq!(calls.iter().filter(|call| call.route == send.route).count(), 1);
    });
}

fn identifier(email: &str) -> Identifier {
    Identifier {
        kind: IdentifierType::Email,
        value: email.to_owned(),
        source: IdentifierSource::Request,
        verified: true,
        attested_by: None,
    }
}

/// Synchronous is over when the call returns, asynchronous has a job of the vendor's; what is declared of proof and
/// batches is kept.
fn a_right_is_served_in_the_way_that_is_declared(system: System, right: Right) {
    block_on(async {
        let stage = Stage::on_sqlite(system).await;
        let people: Vec<_> = (0..3).map(|_| stage.somebody()).collect();
        let emails: Vec<String> = people.iter().map(|person| person.email.clone()).collect();
        let ids = stage.company.ask_for_all(right, &emails).await;
        stage.company.engine.work_until_idle().await;
        let declared = manifest(system).capabilities;
        let is_job = match right {
            Right::Access => declared.access.unwrap().kind == AccessType::Asynchronous,
            _ => declared.deletion.unwrap().timing == DeletionTiming::Asynchronous,
        };
        for (id, person) in ids.iter().zip(&people) {
            let run = stage.company.last_run(*id).await.run;
            if is_job {
                assert!(run.vendor_job.is_some() && !run.status.is_settled(), "{:?}", run.detail);
            } else {
                assert!(run.vendor_job.is_none());
                assert_eq!(stage.wrong_end(right, *id, person).await, None);
            }
        }
        stage.company.work_with_the_vendor(&stage.company).await;
        for (id, person) in ids.iter().zip(&people) {
            assert_eq!(stage.wrong_end(right, *id, person).await, None);
        }
        if right == Right::Deletion {
            let calls = stage.company.sandbox.calls().recent(usize::MAX);
            let send =
                table::calls(system, right).into_iter().find(|(_, call)| call.kind == table::Kind::Effect);
            // Where one address takes everything, what changes something tells them apart.
            let is_sent = |call: &&Call| {
                call.route == send.unwrap().1.route && (call.effect || system != System::Webhook)
            };
            let sent = calls.iter().filter(is_sent).count();
            let single = declared.deletion.unwrap().batch.identifiers == 1;
            assert_eq!(sent, if single { 3 } else { 1 }, "as the declared batch says");
        }
    });
}

fn every_declared_identifier_finds_the_person(system: System, right: Right) {
    block_on(async {
        let stage = Stage::on_sqlite(system).await;
        for kind in manifest(system).capabilities.identifiers {
            let mut person = stage.somebody();
            let mut request = asking(right, &person.email, false);
            if system == System::Webhook {
                let user_id = format!("u-of-{}", kind.as_str());
                let mut spec = PersonSpec { user_id: user_id.clone(), orders: 1, ..PersonSpec::default() };
                person.email = match kind {
                    IdentifierType::UserId => user_id,
                    IdentifierType::PhoneNumber => "+49 30 5550177".to_owned(),
                    IdentifierType::Email => "by.email@example.test".to_owned(),
                };
                spec.email = (*kind == IdentifierType::Email).then(|| person.email.clone());
                spec.phone_number = (*kind == IdentifierType::PhoneNumber).then(|| person.email.clone());
                stage.company.sandbox.webhook().add_person(spec).unwrap();
            } else if *kind == IdentifierType::UserId {
                person.email = format!("u-{}", person.email.replace('@', "-at-"));
                let event = EventSpec { user_id: person.email.clone(), ..EventSpec::default() };
                assert_eq!(
                    system.integration(),
                    "segment_config",
                    "say here how others know people by user id"
                );
                assert!(stage.company.sandbox.segment_config().receive(&event).unwrap());
            } else {
                assert_eq!(*kind, IdentifierType::Email, "say here how to know people by it");
            }
            request.identifiers[0].kind = *kind;
            request.identifiers[0].value.clone_from(&person.email);
            let id = stage.company.casework.create_request(&operator(), request, None).await.unwrap();
            stage.company.work_with_the_vendor(&stage.company).await;
            assert_eq!(stage.wrong_end(right, id, &person).await, None, "{kind}");
        }
    });
}

#[rstest]
#[case(System::SegmentConfig, Right::Access)]
#[case(System::SegmentPublic, Right::Access)]
#[case(System::DirectContact, Right::Access)]
#[case(System::DirectContact, Right::Deletion)]
fn where_a_person_is_declared_nobody_is_called_and_the_answer_ends_it(
    #[case] system: System,
    #[case] right: Right,
) {
    block_on(async {
        assert!(!served(system).contains(&right));
        let company = Company::with(TestDatabase::sqlite(), Setup::at(system)).await;
        let id = company.ask(right, "somebody@example.test").await;
        company.engine.work_until_idle().await;
        let run = company.last_run(id).await.run;
        assert!(
            matches!(run.detail, RunDetail::WaitingForContact { .. } | RunDetail::WaitingForAnswer { .. }),
            "{:?}",
            run.detail
        );
        let is_access = right == Right::Access;
        let record = AnsweredRecord {
            kind: "invoice".to_owned(),
            title: "Invoice 1".to_owned(),
            fields: serde_json::Map::from_iter([("total".to_owned(), 12.into())]),
        };
        let answer = ContactAnswer {
            answer: if is_access { Answer::Data } else { Answer::Deleted },
            name: Some("Olive Owner".to_owned()),
            note: None,
            records: if is_access { vec![record] } else { Vec::new() },
            files: Vec::new(),
        };
        company.casework.answer_run(&operator(), id, run.id, answer.clone()).await.unwrap();
        let twice = company.casework.answer_run(&operator(), id, run.id, answer).await;
        assert!(twice.is_err(), "an answer is taken once");
        company.engine.work_until_idle().await;
        if is_access {
            assert_eq!(company.state(id).await, RequestState::Delivering);
            assert_eq!(company.records(id).await.len(), 1);
        } else {
            assert_eq!(company.outcome(id).await, Some(Outcome::Erased));
        }
        assert_eq!(company.all_calls(), 0);
        assert!(company.audit_is_whole().await);
    });
}

#[rstest]
#[case(System::ReadyCloud, System::Qualtrics)]
#[case(System::Qualtrics, System::ReadyCloud)]
fn a_system_in_trouble_holds_up_no_other(#[case] well: System, #[case] ill: System) {
    block_on(async {
        let company = Company::with(TestDatabase::sqlite(), Setup::at(well)).await;
        company.connect_to(ill, "other").await;
        company.fault(Rule::new(ill.vendor(), status(405)));
        let id = company.ask(Right::Access, ANA).await;
        company.work_with_the_vendor(&company).await;
        assert_eq!(company.request(id).await.attention, 1);
        assert_eq!(company.run_at(id, "shop", Phase::Collect).await.run.status, RunStatus::Complete);
        company.sandbox.faults().clear();
        let failed = company.run_at(id, "other", Phase::Collect).await.run;
        assert_eq!(failed.status, RunStatus::Attention);
        company.casework.retry_run(&operator(), id, failed.id).await.unwrap();
        company.work_with_the_vendor(&company).await;
        assert_eq!(company.state(id).await, RequestState::Delivering);
    });
}
