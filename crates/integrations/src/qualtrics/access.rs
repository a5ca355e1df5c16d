//! Everything about one person: the files of the customer-data job, then contacts with their history, then users.

use std::collections::{BTreeSet, HashSet};

use serde_json::Value;

use super::api::{self, Api};
use super::customer_data::{self, Content, Report};
use super::errors;
use super::people::{self, Searched};
use super::values::{self, Fields, Standing};
use crate::client::VendorAnswer;
use crate::connector::{Collected, Export, FoundFile, FoundRecord, Job, Residual, Subject};
use crate::error::{ErrorKind, VendorError};

/// More files of one job are not fetched.
const MOST_FILES: usize = 20;
/// More bytes of files of one job are not kept: they are in memory at once.
const MOST_BYTES: usize = 64 << 20;
/// More records of one person, and more bytes of them, are not kept either.
const MOST_RECORDS: usize = 50_000;
const MOST_RECORD_BYTES: usize = 64 << 20;

/// One step of the job.
pub(super) async fn export(api: &Api, subject: &Subject, job: Option<&Job>) -> Result<Export, VendorError> {
    let emails = api::emails_of([subject]);
    if emails.is_empty() {
        return Err(errors::no_email());
    }
    let report = match job {
        None => customer_data::begin(api, &emails).await?,
        Some(job) => customer_data::look(api, job).await?,
    };
    let job = job.or(report.job.as_ref()).cloned();
    match (report.standing, job) {
        (Standing::Failed, _) => Err(errors::data_job_failed(&report.answer)),
        (Standing::Pending, Some(job)) => Ok(Export::Pending(job)),
        (Standing::Complete, job) if job.is_some() || report.files.is_empty() => {
            let mut found = Found { asked: emails.clone(), ..Found::default() };
            found.files(api, job.as_ref(), &report).await?;
            found.contacts(api, subject, &emails).await?;
            found.users(api, subject).await?;
            Ok(Export::Collected(found.collected()))
        }
        _ => Err(errors::data_job_not_understood(&report.answer)),
    }
}

/// What was found so far.
#[derive(Default)]
struct Found {
    /// The addresses that were asked for.
    asked: Vec<String>,
    records: Vec<FoundRecord>,
    residuals: BTreeSet<Residual>,
    ids: HashSet<String>,
    bytes: usize,
}

impl Found {
    fn collected(self) -> Collected {
        Collected { records: self.records, residuals: self.residuals.into_iter().collect() }
    }

    async fn files(&mut self, api: &Api, job: Option<&Job>, report: &Report) -> Result<(), VendorError> {
        if !report.speaks_of_files {
            self.residual(
                "survey responses",
                "the customer-data job ended without naming a file, which usually means that there is nothing; if the \
                 person has answered surveys, export their data in Qualtrics by hand (Admin, tab Data Privacy)",
            );
        }
        let Some(job) = job else { return Ok(()) };
        if report.files.len() > MOST_FILES {
            self.residual(
                "further customer-data files",
                "the job has more files than are fetched of one job (20); download the others in Qualtrics by hand",
            );
        }
        let mut bytes = 0;
        for (index, file) in report.files.iter().take(MOST_FILES).enumerate() {
            let number = index + 1;
            let answer = match customer_data::fetch(api, job, file).await {
                Ok(answer) => answer,
                Err(error) if error.kind == ErrorKind::TooLarge => {
                    self.too_large(number);
                    continue;
                }
                Err(error) => return Err(error),
            };
            bytes += answer.body.len();
            if bytes > MOST_BYTES {
                self.too_large(number);
                bytes -= answer.body.len();
                continue;
            }
            self.file(number, &answer)?;
        }
        Ok(())
    }

    fn file(&mut self, number: usize, answer: &VendorAnswer) -> Result<(), VendorError> {
        match customer_data::content(answer)? {
            Content::Read { elements, rest } => {
                for (index, element) in elements.into_iter().enumerate() {
                    self.response(number, index + 1, object(element));
                }
                if let Some(rest) = rest.filter(|rest| !customer_data::only_repeats(rest, &self.asked)) {
                    let id = format!("customer-data/{number}");
                    self.add(
                        "customer_data",
                        id,
                        format!("Customer data, file {number}"),
                        None,
                        object(rest),
                    );
                }
            }
            Content::File { .. } if self.is_full() => self.too_large(number),
            Content::File { extension, media_type } => {
                let name = format!("qualtrics-customer-data-{number}.{extension}");
                let title = format!("Customer data, file {number} ({extension})");
                self.add("file", format!("customer-data/file/{number}"), title, None, Fields::new());
                if let Some(record) = self.records.last_mut() {
                    record.file = Some(FoundFile::new(&name, media_type, answer.body.to_vec()));
                }
            }
        }
        Ok(())
    }

    fn response(&mut self, file: usize, number: usize, fields: Fields) {
        let keys = ["responseId", "ResponseId", "ResponseID", "_recordId", "recordId", "id"];
        let own = values::first_text(&fields, &keys).filter(|id| values::is_id(id));
        let id = own.clone().unwrap_or_else(|| format!("{file}-{number}"));
        let title =
            own.map_or_else(|| format!("Survey response {number}"), |id| format!("Survey response {id}"));
        self.add("response", format!("customer-data/response/{id}"), title, None, fields);
    }

    async fn contacts(&mut self, api: &Api, subject: &Subject, emails: &[String]) -> Result<(), VendorError> {
        for directory in people::directories(api).await? {
            let searched = people::search(api, &directory, subject, emails).await?;
            self.residuals.extend(searched.residual(&directory));
            let Searched::Found { contacts, .. } = searched else { continue };
            for contact in contacts {
                let id = format!("{directory}/{}", contact.id);
                let person = people::name(&contact.fields);
                let title = person.clone().unwrap_or_else(|| format!("Contact {}", contact.id));
                self.add("contact", id, title, person, contact.fields);
                self.history(api, &directory, &contact.id, Kind::Responses).await?;
                self.history(api, &directory, &contact.id, Kind::Emails).await?;
            }
        }
        Ok(())
    }

    async fn history(
        &mut self,
        api: &Api,
        directory: &str,
        contact: &str,
        kind: Kind,
    ) -> Result<(), VendorError> {
        let mut pages = api.history(directory, contact, kind.asked());
        let mut number = 0;
        loop {
            if pages.is_too_long() || self.is_full() {
                self.residual(
                    "further history of a contact",
                    "a contact has more history than is read; look the rest up in Qualtrics by hand",
                );
                return Ok(());
            }
            let page = match pages.next().await {
                Ok(Some(page)) => page,
                Ok(None) => return Ok(()),
                Err(error) if error.status == Some(404) => {
                    self.residual(
                        "history of a contact",
                        "Qualtrics said that there is none to read (HTTP 404), for example because the contact was \
                         deleted meanwhile; look it up in Qualtrics by hand",
                    );
                    return Ok(());
                }
                Err(error) => return Err(error),
            };
            for fields in page.elements {
                number += 1;
                let own = values::first_text(&fields, kind.ids()).filter(|id| values::is_id(id));
                let own = own.unwrap_or_else(|| number.to_string());
                let id = format!("{directory}/{contact}/{}/{own}", kind.record());
                self.add(kind.record(), id, format!("{} {own}", kind.title()), None, fields);
            }
        }
    }

    async fn users(&mut self, api: &Api, subject: &Subject) -> Result<(), VendorError> {
        let mut pages = api.users();
        loop {
            if pages.is_too_long() || self.is_full() {
                self.residual(
                    "further users",
                    "the brand has more users than are read; look for the person among them by hand",
                );
                return Ok(());
            }
            let Some(page) = pages.next().await? else { return Ok(()) };
            for user in page.elements.into_iter().filter(|user| people::has_email_of(user, subject)) {
                let own = values::first_text(&user, &["id", "userId"]).filter(|id| values::is_id(id));
                let own = own.unwrap_or_else(|| "without-id".to_owned());
                let person = people::name(&user);
                let title = person.clone().unwrap_or_else(|| format!("User {own}"));
                self.add("user", format!("users/{own}"), title, person, user);
            }
        }
    }

    fn too_large(&mut self, number: usize) {
        self.residual(
            &format!("customer-data file {number}"),
            "the file is larger than is kept; download it in Qualtrics by hand (Admin, tab Data Privacy)",
        );
    }

    fn residual(&mut self, what: &str, why: &str) {
        self.residuals.insert(Residual { what: what.to_owned(), why: why.to_owned() });
    }

    fn is_full(&self) -> bool {
        self.records.len() >= MOST_RECORDS || self.bytes >= MOST_RECORD_BYTES
    }

    /// Adds a record under an id that no other record of the person has.
    fn add(&mut self, kind: &str, id: String, title: String, person: Option<String>, fields: Fields) {
        if self.is_full() {
            return self.residual(
                "further records",
                "the person has more data than is read; look the rest up in Qualtrics by hand",
            );
        }
        self.bytes += serde_json::to_vec(&fields).map_or(0, |written| written.len());
        let mut vendor_id = id.clone();
        let mut occurrence = 1;
        while !self.ids.insert(vendor_id.clone()) {
            occurrence += 1;
            vendor_id = format!("{id}~{occurrence}");
        }
        self.records.push(FoundRecord {
            kind: kind.to_owned(),
            vendor_id,
            title,
            person,
            fields,
            file: None,
        });
    }
}

/// The two histories of a contact.
#[derive(Clone, Copy)]
enum Kind {
    Responses,
    Emails,
}

impl Kind {
    const fn asked(self) -> &'static str {
        match self {
            Self::Responses => "response",
            Self::Emails => "email",
        }
    }

    const fn record(self) -> &'static str {
        match self {
            Self::Responses => "survey_history",
            Self::Emails => "email_history",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Responses => "Survey history",
            Self::Emails => "E-mail history",
        }
    }

    /// `responseId` may be null.
    const fn ids(self) -> &'static [&'static str] {
        match self {
            Self::Responses => &["responseId", "distributionId"],
            Self::Emails => &["distributionId"],
        }
    }
}

fn object(value: Value) -> Fields {
    match value {
        Value::Object(fields) => fields,
        other => Fields::from_iter([("value".to_owned(), other)]),
    }
}
