//! Every method of a connector against a vendor that answers what the input says, and is gone when that is used up.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use habeas_domain::{Identifier, IdentifierSource, IdentifierType};
use habeas_environment::{Environment, TestClock};
use jiff::Timestamp;

use super::finding::{self, Bound};
use super::input::Input;
use super::{EMAIL, NOW, SECRET, USER_ID, assert_says_nothing, run};
use crate::client::in_memory::{Answer, Loss};
use crate::client::recording::BASE;
use crate::{
    Catalogue, ClientOptions, Connector, Cursor, ErrorKind, Export, Integration, Job, Manifest, Preview,
    Progress, Setting, Settings, Subject, Transport, VendorClient, VendorError,
};

/// How often the vendor gives all its answers anew.
const MOST_ROUNDS: usize = 4;
/// How often a vendor that is gone may be called before it is given up.
const MOST_IN_VAIN: usize = 64;

/// How secrets begin that messages are signed with; they must be keys.
const SIGNING: &str = "whsec_";
/// Among the options: whether the vendor's newer API is spoken, where it has one.
const NEWER: u8 = 0b1000_0000;
/// How often jobs are looked at.
const MOST_LOOKS: usize = 8;

/// What is done with a connector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    Check,
    Scan,
    ScanFromCursor,
    Lookup,
    Export,
    LookAtExport,
    DeleteRecord,
    DeleteSubject,
    Erase,
    FindErasures,
    Follow,
    Presence,
    Detect,
    Preview,
    Normalise,
}

impl Work {
    const ALL: [Self; 15] = [
        Self::Check,
        Self::Scan,
        Self::ScanFromCursor,
        Self::Lookup,
        Self::Export,
        Self::LookAtExport,
        Self::DeleteRecord,
        Self::DeleteSubject,
        Self::Erase,
        Self::FindErasures,
        Self::Follow,
        Self::Presence,
        Self::Normalise,
        Self::Detect,
        Self::Preview,
    ];

    pub(super) fn chosen(choice: u8) -> Self {
        Self::ALL[usize::from(choice) % Self::ALL.len()]
    }

    /// The byte that chooses it.
    pub(super) fn choice(self) -> u8 {
        let at = Self::ALL.iter().position(|work| *work == self);
        at.and_then(|at| u8::try_from(at).ok()).unwrap_or_default()
    }

    /// Whether other work comes before it.
    pub(super) fn is_begun(self) -> bool {
        let begins = [Self::Check, Self::Scan, Self::Lookup, Self::Export, Self::Erase, Self::Normalise];
        !begins.contains(&self)
    }

    /// What a recording's answers are good for.
    pub(super) fn of(about: &str) -> &'static [Self] {
        match about {
            "check" | "missing" => &[Self::Check, Self::Normalise],
            "access" => &[Self::Scan, Self::Export, Self::LookAtExport, Self::Lookup],
            "deletion" => &[Self::DeleteRecord, Self::Erase, Self::DeleteSubject, Self::ScanFromCursor],
            "following" | "exceptions" | "failing" => {
                &[Self::Follow, Self::Erase, Self::Presence, Self::Scan]
            }
            _ => &[Self::FindErasures],
        }
    }
}

/// Does with the integration's connector what `data` says, against the answers that it holds.
///
/// # Panics
/// If a connector panics, does not give up a vendor that is gone, tells what it may not tell, or finds more than there
/// was.
pub fn vendor(integration: &str, data: &[u8]) {
    let catalogue = Catalogue::default();
    let found = catalogue.find(integration);
    tried(found.unwrap_or_else(|| panic!("there is no integration {integration}")), data);
}

pub(super) fn tried(integration: &dyn Integration, data: &[u8]) {
    let input = Input::read(data);
    if input.work == Work::Normalise {
        return normalise(integration, &input);
    }
    let in_vain = Arc::<AtomicUsize>::default();
    match connected(integration, &input, Arc::clone(&in_vain)) {
        Ok(connector) => {
            let people = people();
            let bound = Bound { answered: input.answered * MOST_ROUNDS, people: people.len() };
            run(Trial { connector: &*connector, in_vain: &in_vain, people, bound }
                .take_place(integration.manifest(), &input));
        }
        Err(error) => assert_explained(&error),
    }
}

fn now() -> Timestamp {
    NOW.parse().unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The vendor: its answers in order, as often as the input says, and then nothing any more.
fn answering(input: &Input, in_vain: Arc<AtomicUsize>) -> Transport {
    let answers: Arc<[Result<Answer, Loss>]> = input.answers.as_slice().into();
    let most = answers.len() * (1 + usize::from(input.options) % MOST_ROUNDS);
    let calls = AtomicUsize::new(0);
    Transport::in_memory(move |_| {
        let call = calls.fetch_add(1, Ordering::Relaxed);
        if call < most {
            return answers[call % answers.len()].clone();
        }
        let is_too_often = in_vain.fetch_add(1, Ordering::Relaxed) >= MOST_IN_VAIN;
        assert!(!is_too_often, "a vendor that is gone is called again and again");
        Err(Loss::NotConnected)
    })
}

fn connected(
    integration: &dyn Integration,
    input: &Input,
    in_vain: Arc<AtomicUsize>,
) -> Result<Box<dyn Connector>, VendorError> {
    let environment = Environment::for_test(&TestClock::at(NOW), 1);
    let base: url::Url = BASE.parse().unwrap_or_else(|error| panic!("{BASE}: {error}"));
    let spoken = integration.manifest().newer_api.filter(|_| input.options & NEWER != 0);
    let newer_api = spoken.map(|_| base.clone());
    let options =
        ClientOptions { newer_api, ..ClientOptions::new(integration.manifest().name, base, environment) };
    let client = VendorClient::new(options, answering(input, in_vain))?;
    let mut entered = settings(integration.manifest(), input);
    if let Some(newer) = spoken {
        // As an earlier check would have left it.
        entered.set(newer.learned.0, newer.learned.1);
    }
    let settings = integration.normalise(entered, now());
    integration.connect(&settings.unwrap_or_else(|wrong| panic!("the settings are wrong: {wrong:?}")), client)
}

/// Settings that every integration takes; those that may be left out are there or not, and one or the other.
fn settings(manifest: &Manifest, input: &Input) -> Settings {
    let value = |setting: &Setting| {
        if manifest.endpoint_setting == Some(setting.key) {
            return Some(BASE.to_owned());
        }
        if setting.pattern.is_some_and(|pattern| pattern.starts_with(SIGNING)) {
            return Some(format!("{SIGNING}{}", STANDARD.encode([b'k'; 32])));
        }
        if setting.secret {
            return Some(format!("{}{SECRET}", input.secrets_begin));
        }
        // Some patterns are lists of words, the others fit a plain one.
        let words = setting.pattern.map(|pattern| pattern.split('|').collect::<Vec<_>>());
        let is_word = |word: &&str| word.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let choices = words.filter(|words| words.iter().all(is_word)).unwrap_or_else(|| vec!["plain1"]);
        let left_out = usize::from(setting.optional);
        let choice = usize::from(input.options >> 2) % (choices.len() + left_out);
        choices.get(choice).map(|choice| (*choice).to_owned())
    };
    manifest.settings.iter().filter_map(|setting| Some((setting.key, value(setting)?))).collect()
}

/// Two people, the second one with another address only.
fn people() -> Vec<Subject> {
    let identifier = |(kind, value): (IdentifierType, &str)| Identifier {
        kind,
        value: value.to_owned(),
        source: IdentifierSource::Request,
        verified: true,
        attested_by: None,
    };
    let first = [(IdentifierType::Email, EMAIL), (IdentifierType::UserId, USER_ID)];
    let second = [(IdentifierType::Email, "person-2@example.test")];
    let subject = |identifiers: &[(IdentifierType, &str)]| {
        Subject::new(identifiers.iter().copied().map(identifier).collect())
    };
    vec![subject(&first), subject(&second)]
}

fn jobs(text: &str) -> Vec<Job> {
    let jobs: Vec<Job> = text.split(' ').filter_map(Job::new).take(8).collect();
    if jobs.is_empty() { Job::new("job-1").into_iter().collect() } else { jobs }
}

/// A connector being tried.
struct Trial<'a> {
    connector: &'a dyn Connector,
    /// How often a vendor that is gone was called since the connector was last asked for something.
    in_vain: &'a AtomicUsize,
    people: Vec<Subject>,
    bound: Bound,
}

impl Trial<'_> {
    /// The connector, to be asked for one thing.
    fn asked(&self) -> &dyn Connector {
        self.in_vain.store(0, Ordering::Relaxed);
        self.connector
    }

    async fn take_place(&self, manifest: &Manifest, input: &Input) {
        let (people, person) = (self.people.as_slice(), &self.people[0]);
        match input.work {
            Work::Check => {
                judge(self.asked().check(now()).await, |report| finding::report(&report, manifest))
            }
            Work::Scan => self.pass(None).await,
            Work::ScanFromCursor => {
                self.pass(Some(Cursor(serde_json::from_str(&input.text).unwrap_or_default()))).await;
            }
            Work::Lookup => judge(self.asked().lookup(person).await, |found| self.bound.collected(&found)),
            Work::Export => self.export(None).await,
            Work::LookAtExport => {
                for job in jobs(&input.text) {
                    self.export(Some(job)).await;
                }
            }
            Work::DeleteRecord => {
                for id in input.text.split(' ') {
                    judge(self.asked().delete_record(person, id).await, drop);
                }
            }
            Work::DeleteSubject => judge(self.asked().delete_subject(person).await, drop),
            Work::Erase => {
                let cautions = self.asked().cautions(people).await;
                judge(cautions, |cautions| assert_eq!(cautions.len(), people.len()));
                match self.asked().erase(people).await {
                    Ok(job) => self.follow(&[job]).await,
                    Err(error) => assert_explained(&error),
                }
            }
            Work::FindErasures => {
                let found = self.asked().find_erasures(people, now()).await;
                judge(found, |jobs| assert_eq!(jobs.len(), people.len()));
            }
            Work::Follow => self.follow(&jobs(&input.text)).await,
            Work::Presence => {
                judge(self.asked().presence(person).await, |presence| finding::presence(&presence));
            }
            Work::Detect => judge(self.asked().detect().await, |found| finding::detection(&found)),
            Work::Preview => self.preview().await,
            Work::Normalise => {}
        }
    }

    async fn preview(&self) {
        let mut job = None;
        for _ in 0..MOST_LOOKS {
            match self.asked().preview(&self.people[0], job.as_ref()).await {
                Ok(Preview::Pending(pending)) => job = Some(pending),
                Ok(shown) => return assert_says_nothing(&format!("{shown:?}")),
                Err(error) => return assert_explained(&error),
            }
        }
    }

    async fn pass(&self, mut cursor: Option<Cursor>) {
        loop {
            let page = match self.asked().scan(cursor.as_ref(), &self.people).await {
                Ok(page) => page,
                Err(error) => return assert_explained(&error),
            };
            self.bound.page(&page);
            for found in page.matches {
                // What was found can be found again: its id is one that a deletion understands.
                let person = &self.people[found.subject];
                if let Err(error) = self.asked().delete_record(person, &found.record.vendor_id).await {
                    assert_ne!((error.kind, error.status), (ErrorKind::BadRequest, None), "{error:?}");
                    assert_explained(&error);
                }
            }
            let Some(next) = page.next else { return };
            cursor = Some(next);
        }
    }

    async fn export(&self, mut job: Option<Job>) {
        loop {
            match self.asked().export(&self.people[0], job.as_ref()).await {
                Ok(Export::Pending(begun)) => job = Some(begun),
                Ok(Export::Collected(found)) => return self.bound.collected(&found),
                Err(error) => return assert_explained(&error),
            }
        }
    }

    /// Looks at the jobs until nothing is under way any more, or nobody would wait longer.
    async fn follow(&self, jobs: &[Job]) {
        for _ in 0..MOST_LOOKS {
            let progress = match self.asked().follow(jobs).await {
                Ok(progress) => progress,
                Err(error) => return assert_explained(&error),
            };
            assert_eq!(progress.len(), jobs.len());
            progress.iter().for_each(|one| finding::progress(one, assert_explained));
            if !progress.iter().any(|one| matches!(one, Progress::Pending)) {
                return;
            }
        }
    }
}

fn judge<T>(result: Result<T, VendorError>, found: impl FnOnce(T)) {
    match result {
        Ok(value) => found(value),
        Err(error) => assert_explained(&error),
    }
}

/// An error tells what happened and what to do, and nothing that is nobody's business.
fn assert_explained(error: &VendorError) {
    assert!(!error.message.is_empty() && !error.remedy.is_empty(), "an error explains nothing: {error:?}");
    assert_says_nothing(&error.explanation());
    assert_says_nothing(&format!("{error:?}"));
    assert!(error.explanation().len() < 2_000, "an error is as long as what a vendor wrote");
}

/// Settings as a person may enter them: what is kept stays as it is when it is entered again, and what is refused is
/// not repeated.
fn normalise(integration: &dyn Integration, input: &Input) {
    let mut entered = Settings::default();
    for (at, setting) in integration.manifest().settings.iter().enumerate() {
        let own = if input.options >> (at % 8) & 1 == 0 { &input.text } else { "plain1" };
        entered.set(setting.key, if setting.secret { format!("{own}{SECRET}") } else { own.to_owned() });
    }
    if input.options & 0b1000_0000 != 0 {
        entered.set("unknown", SECRET);
    }
    assert_says_nothing(&format!("{entered:?}"));
    match integration.normalise(entered, now()) {
        // A credential that itself looks like what credentials are taken out of, an address or a field of a form, is none
        // that a vendor makes.
        Ok(kept) if kept.keys().any(|key| ["://", "="].iter().any(|sign| kept.text(key).contains(sign))) => {}
        Ok(kept) => {
            let again = integration.normalise(kept.clone(), now());
            let again = again.unwrap_or_else(|wrong| panic!("what was kept is refused: {wrong:?}"));
            assert_eq!(*kept.to_sealable(), *again.to_sealable(), "what was kept is changed");
        }
        Err(wrong) => {
            assert!(!wrong.is_empty(), "settings are refused without a reason");
            assert_says_nothing(&format!("{wrong:?}"));
        }
    }
}
