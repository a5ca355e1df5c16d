//! The certificate of a closed request: what was asked, what each system answered, who decided, and how to prove it.
//!
//! It is written from events and run rows and names nobody: it can be kept, and shown to an authority, for ever.

use askama::Template;
use habeas_domain::{Outcome, Phase, RequestId, Right, RunStatus};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::company::Company;
use crate::style::STYLE;
use crate::words;

/// The certificate. Its JSON is an anchor: `habeas audit verify --anchor` finds the seal in it.
#[derive(Clone, Debug, Serialize)]
pub struct Certificate {
    /// The request.
    pub request_id: RequestId,
    /// What was asked.
    pub right: Right,
    /// Under which policy.
    pub policy: String,
    /// How people read it.
    pub policy_name: String,
    /// The provision that sets the time, as people cite it.
    pub law: String,
    /// The day on which the clock started.
    pub received_on: Date,
    /// The last day to answer.
    pub due_on: Date,
    /// Whether the time was extended.
    pub extended: bool,
    /// How it was made sure who is asking, if it had to be.
    pub verified: Option<Verified>,
    /// What people decided, in order.
    pub decided: Vec<Decision>,
    /// When it was closed.
    pub closed_at: Timestamp,
    /// How.
    pub outcome: Outcome,
    /// What that means.
    pub outcome_meaning: String,
    /// Each system's part, in each phase.
    pub systems: Vec<System>,
    /// Why it was refused, if it was.
    pub denial: Option<Denial>,
    /// What was left out, and why.
    pub exceptions: Vec<Exception>,
    /// What was delivered.
    pub package: Option<Delivered>,
    /// Mails that were sent about it.
    pub mails: Vec<MailLine>,
    /// When records and package were destroyed.
    pub content_destroyed_at: Option<Timestamp>,
    /// When everything that names the person was destroyed.
    pub case_destroyed_at: Option<Timestamp>,
    /// Which events of the audit log this was written from.
    pub events: Events,
    /// The newest seal of the audit log.
    pub seal: Option<serde_json::Value>,
}

/// How it was made sure who is asking.
#[derive(Clone, Debug, Serialize)]
pub struct Verified {
    /// When.
    pub at: Timestamp,
    /// How.
    pub how: String,
}

/// What somebody decided.
#[derive(Clone, Debug, Serialize)]
pub struct Decision {
    /// When.
    pub at: Timestamp,
    /// Who, as the audit log names them.
    pub actor: String,
    /// What.
    pub what: String,
}

/// Why a request was refused.
#[derive(Clone, Debug, Serialize)]
pub struct Denial {
    /// From the law's catalogue.
    pub reason_code: String,
    /// In words.
    pub reason: String,
}

/// What was left out.
#[derive(Clone, Debug, Serialize)]
pub struct Exception {
    /// The whole system, if it was one.
    pub system: Option<String>,
    /// Why.
    pub reason: String,
    /// How many records.
    pub records: Option<u64>,
}

/// What was delivered.
#[derive(Clone, Debug, Serialize)]
pub struct Delivered {
    /// Bytes of the package.
    pub bytes: u64,
    /// SHA-256 of them.
    pub sha256: String,
    /// When the last byte was handed over.
    pub delivered_at: Option<Timestamp>,
}

/// A mail.
#[derive(Clone, Debug, Serialize)]
pub struct MailLine {
    /// What it says.
    pub kind: String,
    /// What became of it.
    pub state: String,
    /// When it left, or was written.
    pub at: Timestamp,
}

/// Which events a certificate was written from.
#[derive(Clone, Debug, Serialize)]
pub struct Events {
    /// How many.
    pub count: u64,
    /// Position of the first in the log.
    pub first_position: i64,
    /// Position of the last.
    pub last_position: i64,
    /// Hash of the last, in hexadecimal digits.
    pub last_hash: String,
}

/// What stayed out of reach or stays behind.
#[derive(Clone, Debug, Serialize)]
pub struct LeftOut {
    /// What.
    pub what: String,
    /// Why.
    pub why: String,
}

/// A system's part in one phase.
#[derive(Clone, Debug, Serialize)]
pub struct System {
    /// What the company calls it.
    pub connection: String,
    /// What it is.
    pub integration: String,
    /// Asking or deleting.
    pub phase: Phase,
    /// How it ended.
    pub status: RunStatus,
    /// In words.
    pub detail: String,
    /// Whether a reviewer left it in.
    pub selected: bool,
    /// Records that it holds.
    pub records_found: Option<u64>,
    /// What it deleted.
    pub deleted: Option<u64>,
    /// Its own ids of the jobs.
    pub vendor_jobs: Vec<String>,
    /// When it was asked.
    pub started_at: Timestamp,
    /// When it was done.
    pub settled_at: Option<Timestamp>,
    /// What stayed out of reach or stays behind.
    pub left_out: Vec<LeftOut>,
}

#[derive(Template)]
#[template(path = "certificate.html")]
struct Page<'p> {
    style: &'static str,
    company: &'p str,
    it: &'p Certificate,
    zone: &'p TimeZone,
    seal: Vec<(&'static str, String)>,
}

impl Page<'_> {
    fn moment(&self, at: &Timestamp) -> String {
        words::moment(*at, self.zone)
    }

    fn date(&self, date: &Date) -> String {
        words::date(*date)
    }

    fn asked(&self) -> &'static str {
        if self.it.right.delivers() {
            "a copy of the data held about a person"
        } else {
            "the deletion of the data held about a person"
        }
    }

    fn in_time(&self) -> bool {
        self.it.closed_at.to_zoned(self.zone.clone()).date() <= self.it.due_on
    }

    fn phase(&self, phase: &Phase) -> &'static str {
        match phase {
            Phase::Collect => "asked",
            Phase::Erase => "deletion",
        }
    }

    fn label(&self, word: &str) -> String {
        words::label(word)
    }

    fn size(&self, bytes: &u64) -> String {
        words::size(*bytes)
    }
}

/// The certificate as a page that can be printed.
#[must_use]
pub fn html(certificate: &Certificate, company: &Company, zone: &TimeZone) -> String {
    let names = [
        "number",
        "first_position",
        "last_position",
        "at",
        "root",
        "previous_hash",
        "hash",
        "public_key",
        "signature",
    ];
    let seal = certificate.seal.as_ref().map(|seal| {
        names
            .into_iter()
            .map(|name| {
                let text = match &seal[name] {
                    serde_json::Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                (name, text)
            })
            .collect()
    });
    let page =
        Page { style: STYLE, company: &company.name, it: certificate, zone, seal: seal.unwrap_or_default() };
    page.render().unwrap_or_default()
}

#[cfg(test)]
mod tests;
