//! The vendor's list of erasures: the one place where they are followed. An erasure that is asked for by its id is an
//! error until it is over, and 20 calls a minute are all there is, so one reading of the list serves all.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use habeas_domain::IdentifierType;
use jiff::Timestamp;
use serde_json::Value;

use super::api::Api;
use super::errors;
use super::values::{self, Fields, Standing};
use crate::client::VendorAnswer;
use crate::connector::{Erased, Job, NotHeld, Progress, Subject};
use crate::error::{Retry, VendorError};

/// How far the vendor's clock may be behind ours.
const CLOCK_DIFFERENCE: Duration = Duration::from_secs(10 * 60);

/// The id in the answer to a new erasure. The list spells it `requestid`.
const IDS: [&str; 3] = ["requestId", "requestid", "id"];

/// The job of an accepted erasure.
pub(super) fn accepted(answer: &VendorAnswer) -> Result<Job, VendorError> {
    // A success whose result cannot be read may have been accepted all the same.
    let fields: Fields =
        values::result(answer).map_err(|error| VendorError { retry: Retry::UnknownOutcome, ..error })?;
    values::first_text(&fields, &IDS).and_then(Job::new).ok_or_else(|| errors::erasure_not_understood(answer))
}

/// One entry of the list.
struct Entry(Fields);

impl Entry {
    fn job(&self) -> Option<Job> {
        values::first_text(&self.0, &IDS).and_then(Job::new)
    }

    fn standing(&self) -> Standing {
        let has_reason = match self.0.get("failureReason") {
            None | Some(Value::Null | Value::Bool(false)) => false,
            Some(Value::String(text)) => !matches!(text.trim(), "" | "null"),
            Some(Value::Array(list)) => !list.is_empty(),
            Some(Value::Object(fields)) => !fields.is_empty(),
            Some(_) => true,
        };
        if has_reason {
            return Standing::Failed;
        }
        values::first_text(&self.0, &["status"]).map_or(Standing::Pending, |word| Standing::of_word(&word))
    }

    fn emails(&self) -> HashSet<String> {
        let emails = self.0.get("emailList").or_else(|| self.0.get("emails")).map(values::emails);
        emails.unwrap_or_default().iter().map(|email| IdentifierType::Email.comparable(email)).collect()
    }

    /// Addresses for which the vendor held nothing: named, or counted. A count means something only if it is all.
    fn not_held(&self) -> Vec<String> {
        let Some(value) = self.0.get("emailsNotFound") else { return Vec::new() };
        let count = values::text(value).and_then(|text| text.parse::<usize>().ok());
        match count {
            None => values::emails(value),
            Some(count) => {
                let all = self.emails();
                if count == all.len() { all.into_iter().collect() } else { Vec::new() }
            }
        }
    }

    /// Whether it was made at `since` or later. One that does not say when is not believed: an old erasure taken for
    /// this one would leave the person there, a second one harms nobody.
    fn is_since(&self, since: Timestamp) -> bool {
        let earliest = since.checked_sub(CLOCK_DIFFERENCE).unwrap_or(since);
        self.0.get("created").and_then(values::moment).is_some_and(|created| created >= earliest)
    }

    fn is_for_good(&self) -> bool {
        !values::is_true(self.0.get("searchOnly"))
    }
}

/// Where `jobs` stand. What is not in the list yet is pending.
pub(super) async fn follow(api: &Api, jobs: &[Job]) -> Result<Vec<Progress>, VendorError> {
    let mut wanted: HashMap<&str, Option<Known>> = jobs.iter().map(|job| (job.as_str(), None)).collect();
    let mut left = wanted.len();
    let mut pages = api.erasures();
    while left > 0 {
        let page = match pages.next().await {
            Ok(Some(page)) => page,
            Ok(None) => break,
            // What was learnt is told; the others are looked at next time, and the failure shows again then.
            Err(_) if left < wanted.len() => break,
            Err(error) => return Err(error),
        };
        for entry in page.elements.into_iter().map(Entry) {
            let Some(known) = entry.job().and_then(|job| wanted.get_mut(job.as_str())) else { continue };
            left -= usize::from(known.is_none());
            *known = Some(match entry.standing() {
                Standing::Pending => Known::Pending,
                Standing::Complete => Known::Done(entry.not_held()),
                Standing::Failed => Known::Failed(page.vendor_request_id.clone()),
            });
        }
    }
    Ok(jobs
        .iter()
        .map(|job| {
            wanted.get(job.as_str()).and_then(Option::as_ref).map_or(Progress::Pending, Known::progress)
        })
        .collect())
}

/// What the list says of a job.
enum Known {
    Pending,
    Done(Vec<String>),
    Failed(Option<String>),
}

impl Known {
    fn progress(&self) -> Progress {
        match self {
            Self::Pending => Progress::Pending,
            Self::Done(not_held) => {
                let mut nothing_held_for = NotHeld::default();
                not_held.iter().for_each(|email| nothing_held_for.add(IdentifierType::Email, email));
                Progress::Done(Erased { nothing_held_for, exceptions: Vec::new() })
            }
            Self::Failed(vendor_request_id) => {
                Progress::Failed(errors::erasure_failed(vendor_request_id.clone()))
            }
        }
    }
}

/// The erasure of each subject that was made at `since` or later. The list's order is not documented, so it is read to
/// its end unless everything is found before.
pub(super) async fn find(
    api: &Api,
    subjects: &[Subject],
    since: Timestamp,
) -> Result<Vec<Option<Job>>, VendorError> {
    let wanted: Vec<Vec<String>> = subjects
        .iter()
        .map(|subject| {
            subject
                .values(IdentifierType::Email)
                .map(|email| IdentifierType::Email.comparable(email))
                .filter(|email| !email.is_empty())
                .collect()
        })
        .collect();
    let mut found: Vec<Option<Job>> = vec![None; subjects.len()];
    let mut left = wanted.iter().filter(|emails| !emails.is_empty()).count();
    let mut pages = api.erasures();
    while left > 0 {
        let Some(page) = pages.next().await? else { break };
        for entry in page.elements.into_iter().map(Entry) {
            if !entry.is_for_good() || !entry.is_since(since) || entry.standing() == Standing::Failed {
                continue;
            }
            let Some(job) = entry.job() else { continue };
            let emails = entry.emails();
            for (wanted, found) in wanted.iter().zip(&mut found) {
                // Half of a person erased is not the person erased.
                let is_covered = !wanted.is_empty() && wanted.iter().all(|email| emails.contains(email));
                if is_covered && found.is_none() {
                    *found = Some(job.clone());
                    left -= 1;
                }
            }
        }
    }
    Ok(found)
}
