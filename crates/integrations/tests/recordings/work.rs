//! The pieces of work, as the engine does them, and what came of each step as a value that can be written down.

use habeas_domain::IdentifierType;
use habeas_integrations::client::recording::Recording;
use habeas_integrations::{
    AccessMethod, Capabilities, Catalogue, CheckReport, Collected, Connector, Deleted, Export, Job, Presence,
    Progress, Subject, VendorError, Verification,
};
use serde_json::{Value, json};

/// Most steps of one kind: a recording that needs more does not end.
const MOST_STEPS: usize = 40;

/// Does what the recording is about; lets `wait` pass between looks.
pub(crate) async fn done(connector: &dyn Connector, recording: &Recording, wait: impl Fn()) -> Vec<Value> {
    let catalogue = Catalogue::default();
    let integration = catalogue.find(&recording.integration).unwrap();
    let work = Work { connector, capabilities: &integration.manifest().capabilities, wait: &wait };
    let (people, now) = (recording.subjects(), recording.now);
    let mut results = Vec::new();
    match recording.about.as_str() {
        "check" | "missing" => results.push(told(connector.check(now).await, report)),
        "access" => work.access(&people, &mut results).await,
        "deletion" => drop(work.deletion(&people, &mut results).await),
        "following" | "exceptions" | "failing" => {
            let jobs = work.deletion(&people, &mut results).await;
            work.following(&people, &jobs, &mut results).await;
        }
        "reconciling" => {
            work.deletion(&people, &mut results).await;
            let jobs = |jobs: Vec<Option<Job>>| json!({"found": jobs});
            results.push(told(connector.find_erasures(&people, now).await, jobs));
        }
        other => panic!("nobody knows how to do {other}"),
    }
    results
}

struct Work<'a> {
    connector: &'a dyn Connector,
    capabilities: &'a Capabilities,
    wait: &'a dyn Fn(),
}

impl Work<'_> {
    fn is_scanned(&self) -> bool {
        self.capabilities.access.is_some_and(|access| access.method == AccessMethod::Scan)
    }

    async fn access(&self, people: &[Subject], results: &mut Vec<Value>) {
        if self.is_scanned() {
            self.pass(people, results).await;
            return;
        }
        for person in people {
            let mut job = None;
            for _ in 0..MOST_STEPS {
                match self.connector.export(person, job.as_ref()).await {
                    Ok(Export::Pending(begun)) => {
                        results.push(json!({"pending": begun}));
                        job = Some(begun);
                    }
                    other => {
                        results.push(told(other, export));
                        break;
                    }
                }
                (self.wait)();
            }
        }
    }

    /// A pass over everything; gives the ids of what is each person's.
    async fn pass(&self, people: &[Subject], results: &mut Vec<Value>) -> Vec<(usize, String)> {
        let (mut cursor, mut found) = (None, Vec::new());
        for _ in 0..MOST_STEPS {
            match self.connector.scan(cursor.as_ref(), people).await {
                Ok(page) => {
                    let matches = page.matches.iter();
                    found.extend(matches.clone().map(|one| (one.subject, one.record.vendor_id.clone())));
                    let matches: Vec<Value> =
                        matches.map(|one| json!({"subject": one.subject, "record": one.record})).collect();
                    results.push(
                        json!({"matches": matches, "residuals": page.residuals, "is_last": page.next.is_none()}),
                    );
                    cursor = page.next;
                }
                Err(error) => {
                    results.push(failure(&error));
                    break;
                }
            }
            if cursor.is_none() {
                break;
            }
        }
        found.sort();
        found.dedup();
        found
    }

    /// Deletes everybody; gives the jobs that this takes.
    async fn deletion(&self, people: &[Subject], results: &mut Vec<Value>) -> Vec<Job> {
        if self.is_scanned() {
            for (person, id) in self.pass(people, results).await {
                // Once more, as after an answer that got lost.
                for _ in 0..2 {
                    let deleted = self.connector.delete_record(&people[person], &id).await;
                    results.push(told(deleted, |deleted: Deleted| json!({"deletion": deleted, "of": id})));
                }
            }
            return Vec::new();
        }
        let cautions = self.connector.cautions(people).await;
        results.push(told(cautions, |cautions| {
            let codes: Vec<_> = cautions.iter().map(|one| one.as_ref().map(|one| one.code)).collect();
            json!({"cautions": codes})
        }));
        let job = self.connector.erase(people).await;
        results.push(told(job.clone(), |job| json!({"accepted": job})));
        job.into_iter().collect()
    }

    /// Follows the jobs to their end and proves it, where it is proven by a search or a pass.
    async fn following(&self, people: &[Subject], jobs: &[Job], results: &mut Vec<Value>) {
        if self.is_scanned() {
            self.pass(people, results).await;
            return;
        }
        for _ in 0..MOST_STEPS {
            let progress = self.connector.follow(jobs).await;
            let is_pending = matches!(progress.as_deref(), Ok([Progress::Pending, ..]));
            results.push(told(progress, |progress| {
                progress.iter().map(|one| told_progress(one, people)).collect::<Value>()
            }));
            if !is_pending {
                break;
            }
            (self.wait)();
        }
        let verification = self.capabilities.deletion.map(|deletion| deletion.verification);
        if matches!(verification, Some(Verification::Search { .. })) {
            for person in people {
                results.push(told(self.connector.presence(person).await, presence));
            }
        }
    }
}

fn told<T>(result: Result<T, VendorError>, tell: impl FnOnce(T) -> Value) -> Value {
    result.map_or_else(|error| failure(&error), tell)
}

fn failure(error: &VendorError) -> Value {
    json!({"error": error.kind.code(), "explanation": error.explanation()})
}

fn report(report: CheckReport) -> Value {
    json!({"permissions": report.permissions, "warnings": report.warnings})
}

fn export(export: Export) -> Value {
    match export {
        Export::Pending(job) => json!({"pending": job}),
        Export::Collected(Collected { records, residuals }) => {
            json!({"records": records, "residuals": residuals})
        }
    }
}

fn told_progress(progress: &Progress, people: &[Subject]) -> Value {
    match progress {
        Progress::Pending => json!("pending"),
        Progress::Forgotten => json!("forgotten"),
        Progress::Failed(error) => failure(error),
        Progress::Done(erased) => {
            let kinds = [IdentifierType::Email];
            let held: Vec<bool> =
                people.iter().map(|person| !erased.nothing_held_for.covers(person, &kinds)).collect();
            let exceptions: Vec<Value> = erased
                .exceptions
                .iter()
                .map(|one| json!({"system": one.system, "status": one.status, "text": one.vendor_text}))
                .collect();
            json!({"held": held, "exceptions": exceptions})
        }
    }
}

fn presence(presence: Presence) -> Value {
    match presence {
        Presence::Held => json!("held"),
        Presence::Gone { unsearched } => json!({"gone_but_for": unsearched}),
    }
}
