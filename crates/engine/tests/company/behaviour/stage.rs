//! A company with one connected system, played the same whichever system it is.

use std::cell::Cell;
use std::fmt;

use habeas_domain::run::RunDetail;
use habeas_domain::{Outcome, RequestId, RequestState, Right, RunStatus};
use habeas_integrations::{AccessMethod, Catalogue, Manifest, Verification};
use habeas_sandbox::{qualtrics, segment_config, webhook};
use habeas_testing::TestDatabase;

use crate::support::{Company, Process, Setup, System, TOKEN, operator};

/// Longer than any passing trouble takes, shorter than any deadline of a job.
const ROUNDS: usize = 18;

/// What a run shows to people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// No trouble.
    Nothing,
    /// It is tried again, because of this code.
    Retrying(String),
    /// The vendor is asked what it has, because of this code.
    Reconciling(String),
    /// A person must act, because of this code.
    Attention(String),
}

impl fmt::Display for Shown {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => formatter.write_str("no trouble"),
            Self::Retrying(code) => write!(formatter, "retrying ({code})"),
            Self::Reconciling(code) => write!(formatter, "reconciling ({code})"),
            Self::Attention(code) => write!(formatter, "attention ({code})"),
        }
    }
}

/// Somebody whom the system knows.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) email: String,
    /// The vendor's key of their contact, where the vendor counts deletions by it.
    key: String,
}

/// A company and the people that its system knows.
pub(super) struct Stage {
    pub(super) company: Company,
    pub(super) system: System,
    people: Cell<usize>,
}

/// What the catalogue says of a system.
pub(super) fn manifest(system: System) -> &'static Manifest {
    Catalogue::default().find(system.integration()).expect("it is in the catalogue").manifest()
}

/// Every right that a system serves over its API, as its manifest declares.
pub(super) fn served(system: System) -> Vec<Right> {
    let declared = manifest(system).capabilities;
    let access = declared.access.is_some_and(|access| access.method != AccessMethod::Contact);
    let deletion = declared
        .deletion
        .is_some_and(|deletion| deletion.timing != habeas_domain::capability::DeletionTiming::DirectContact);
    [access.then_some(Right::Access), deletion.then_some(Right::Deletion)].into_iter().flatten().collect()
}

impl Stage {
    pub(super) async fn of(database: TestDatabase, system: System) -> Self {
        let company = Company::with(database, Setup::at(system)).await;
        Self { company, system, people: Cell::new(0) }
    }

    pub(super) async fn on_sqlite(system: System) -> Self {
        Self::of(TestDatabase::sqlite(), system).await
    }

    /// Somebody whom nobody asked about before.
    pub(super) fn somebody(&self) -> Person {
        let number = self.people.replace(self.people.get() + 1);
        let email = format!("somebody.{number}@example.test");
        let sandbox = &self.company.sandbox;
        let key = match self.system {
            System::ReadyCloud => self.company.add_contact(&email),
            System::Qualtrics => {
                let contact = qualtrics::ContactSpec {
                    email: Some(email.clone()),
                    responses: 1,
                    mails: 1,
                    ..qualtrics::ContactSpec::default()
                };
                sandbox.qualtrics().add_contact(contact).unwrap()
            }
            System::SegmentConfig | System::SegmentPublic => {
                let event = segment_config::EventSpec {
                    user_id: email.clone(),
                    email: Some(email.clone()),
                    ..segment_config::EventSpec::default()
                };
                assert!(sandbox.segment_config().receive(&event).unwrap());
                String::new()
            }
            System::Webhook => {
                let user_id = format!("u-somebody-{number}");
                let spec = webhook::PersonSpec {
                    user_id: user_id.clone(),
                    email: Some(email.clone()),
                    orders: 1,
                    ..webhook::PersonSpec::default()
                };
                sandbox.webhook().add_person(spec).unwrap();
                user_id
            }
            System::DirectContact => String::new(),
        };
        Person { email, key }
    }

    /// Whether the vendor still has anything about them.
    pub(super) fn knows(&self, person: &Person) -> bool {
        let (sandbox, email) = (&self.company.sandbox, &person.email);
        match self.system {
            System::ReadyCloud => !sandbox.readycloud().contacts_with_email(email).is_empty(),
            System::Qualtrics => !sandbox.qualtrics().contacts_with_email(email).is_empty(),
            System::SegmentConfig | System::SegmentPublic => {
                let segment = sandbox.segment_config();
                !segment.user_ids_with_email(segment_config::fixtures::WORKSPACE, email).is_empty()
            }
            System::Webhook => !sandbox.webhook().people_with(email).is_empty(),
            System::DirectContact => false,
        }
    }

    /// How often the vendor carried out, or accepted, the deletion of a person: its own evidence.
    pub(super) fn deletions_of(&self, person: &Person) -> u64 {
        let sandbox = &self.company.sandbox;
        match self.system {
            System::ReadyCloud => self.company.deletions_of(&person.key).1,
            System::Qualtrics => sandbox.qualtrics().erasures_accepted(&person.email),
            System::SegmentConfig | System::SegmentPublic => {
                sandbox.segment_config().accepted_for_deletion(&person.email)
            }
            System::Webhook => sandbox.webhook().accepted_for_deletion(&person.email),
            System::DirectContact => 0,
        }
    }

    /// Takes a person out whom an access request leaves there: lists would grow from case to case.
    pub(super) fn forget(&self, person: &Person) {
        let sandbox = &self.company.sandbox;
        match self.system {
            System::ReadyCloud => drop(sandbox.readycloud().remove_contact(&person.key)),
            System::Qualtrics => drop(sandbox.qualtrics().remove_contact(&person.key)),
            System::Webhook => drop(sandbox.webhook().remove_person(&person.key)),
            System::SegmentConfig | System::SegmentPublic | System::DirectContact => {}
        }
    }

    /// The calls that a request costs a process that was just started, in order: the route, and whether it changed
    /// something.
    pub(super) async fn calls_of_one_request(&self, right: Right) -> Vec<(String, bool)> {
        let person = self.somebody();
        self.company.sandbox.calls().reset();
        let id = self.company.ask(right, &person.email).await;
        self.company.work_with_the_vendor(&self.company.another_process().await).await;
        assert_eq!(self.wrong_end(right, id, &person).await, None);
        self.forget(&person);
        let calls = self.company.sandbox.calls().recent(usize::MAX);
        calls.into_iter().map(|call| (call.route, call.effect)).collect()
    }

    /// Whether a fault in force has struck.
    pub(super) fn has_met_a_fault(&self) -> bool {
        self.company.sandbox.faults().rules().iter().any(|rule| rule.struck > 0)
    }

    /// What the run under way shows.
    pub(super) async fn shown(&self, id: RequestId) -> Shown {
        let run = self.company.last_run(id).await;
        let code = run.failure.map(|failure| failure.code).unwrap_or_default();
        match (run.run.status, &run.run.detail) {
            (RunStatus::Attention, _) => Shown::Attention(code),
            (_, RunDetail::Retrying { at, .. }) if run.run.next_at == Some(*at) => Shown::Retrying(code),
            (_, RunDetail::Reconciling { at }) if run.run.next_at == Some(*at) => Shown::Reconciling(code),
            _ => Shown::Nothing,
        }
    }

    /// Lets a process work until a person is asked, the request has ended, or it has waited often; the last trouble
    /// that was shown.
    pub(super) async fn work_until_it_is_stuck(&self, process: &Process, id: RequestId) -> Shown {
        for _ in 0..ROUNDS {
            process.engine.work_until_idle().await;
            if let attention @ Shown::Attention(_) = self.shown(id).await {
                return attention;
            }
            if !self.company.let_wait_pass_everywhere().await {
                return Shown::Nothing;
            }
        }
        self.shown(id).await
    }

    /// Has a run that needs a person tried again, if it does; then lets everything end.
    pub(super) async fn help(&self, process: &Process, id: RequestId) {
        if matches!(self.shown(id).await, Shown::Attention(_)) {
            let run = self.company.last_run(id).await.run.id;
            self.company.casework.retry_run(&operator(), id, run).await.unwrap();
        }
        self.company.work_with_the_vendor(process).await;
    }

    /// What is wrong with the end of a request, if anything is: a package that waits, or a person who is gone, deleted
    /// once and proven where the manifest promises a proof.
    pub(super) async fn wrong_end(&self, right: Right, id: RequestId, person: &Person) -> Option<String> {
        let request = self.company.request(id).await.request;
        let run = self.company.last_run(id).await;
        let deletions = self.deletions_of(person);
        let is_proven = matches!(
            run.run.detail,
            RunDetail::VerifiedGone { .. } | RunDetail::PersonDeleted { verified: true }
        );
        let is_right = match right {
            Right::Deletion => {
                let verification = manifest(self.system).capabilities.deletion.unwrap().verification;
                request.outcome == Some(Outcome::Erased)
                    && deletions == 1
                    && !self.knows(person)
                    && is_proven == (verification != Verification::Answer)
            }
            _ => {
                request.state == RequestState::Delivering
                    && deletions == 0
                    && run.run.records_found.is_some_and(|records| records > 0)
            }
        };
        let is_over = request.state == RequestState::Delivering || request.state == RequestState::Closed;
        (!is_right || run.failure.is_some() || !is_over).then(|| {
            format!(
                "ended {:?} {:?}, \"{}\", {:?}, {deletions} deletions, known: {}",
                request.state,
                request.outcome,
                run.run.detail.sentence(),
                run.failure.map(|failure| (failure.code, failure.message)),
                self.knows(person),
            )
        })
    }

    /// What is wrong with the words for a run that needs a person: they say what happened and what to do, and name
    /// neither a person nor a secret.
    pub(super) async fn wrong_words(&self, id: RequestId) -> Option<String> {
        let failure = self.company.last_run(id).await.failure?;
        let secrets =
            [TOKEN, "qx-demo-client", "qx-demo-secret", "sc-demo-token", "sgp_Owner", "@", "Bearer", "Basic"];
        [failure.message, failure.remedy]
            .into_iter()
            .find(|text| text.len() <= 15 || secrets.iter().any(|secret| text.contains(secret)))
    }
}
