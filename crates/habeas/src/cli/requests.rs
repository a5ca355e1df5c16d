//! `habeas requests ...`

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use habeas_domain::lifecycle::RequestState;
use habeas_domain::reason::{Acknowledgement, DenialReason, HoldReason, Relationship};
use habeas_domain::{IdentifierType, MailId, RequestId, Right, RunId};
use jiff::civil::Date;

use super::connections::identifier;
use super::import::Import;

#[derive(Debug, Subcommand)]
pub(crate) enum RequestsCommand {
    /// Take a request in
    Create(NewRequest),
    /// Take many requests in from a CSV file: checked as a whole first, resumable
    Import(Import),
    /// List requests, oldest first; with --due-before the nearest due date first
    List(RequestList),
    /// Show a request with its runs
    Show {
        id: RequestId,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Show what each system would do, with counts, touching nothing; once something was done, what was expected beside it
    Plan {
        id: RequestId,
        /// How long the systems may take to answer
        #[arg(long, value_name = "SECONDS", default_value_t = 60)]
        wait: u64,
    },
    /// List a request's runs: each system's part, with the ids that other commands take
    Runs { id: RequestId },
    /// End triage: confirm what is asked and ask the systems
    Start {
        id: RequestId,
        /// Another policy than the one it came with
        #[arg(long)]
        policy: Option<String>,
        /// Another right than the one it came with
        #[arg(long)]
        right: Option<Right>,
        /// In which role the company holds the data
        #[arg(long, value_name = "controller|processor")]
        relationship: Option<Relationship>,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// List what was found about the person (the reading is written into the audit log)
    Records { id: RequestId },
    /// End the review: deliver, or delete what was left selected
    Process {
        id: RequestId,
        /// What you have understood: brand_user where a run waits for it, future_data_blocked where you like; may be repeated
        #[arg(long, value_name = "WHAT")]
        acknowledge: Vec<Acknowledgement>,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Refuse, with a reason from the law
    Deny {
        id: RequestId,
        /// Why
        #[arg(long, value_name = "CODE")]
        reason: DenialReason,
        /// In your own words
        #[arg(long)]
        text: Option<String>,
    },
    /// Let nothing be sent for now
    Hold {
        id: RequestId,
        /// Why
        #[arg(long)]
        reason: HoldReason,
        /// In your own words
        #[arg(long)]
        note: Option<String>,
    },
    /// Lift the hold
    Resume { id: RequestId },
    /// The person takes the request back
    Withdraw { id: RequestId },
    /// Try a run again
    Retry {
        id: RequestId,
        /// The run (run_...)
        run: RunId,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Go on without a run's system
    Skip {
        id: RequestId,
        /// The run (run_...)
        run: RunId,
        /// Why: part of the evidence
        #[arg(long)]
        reason: String,
    },
    /// Break a run's work off
    Stop {
        id: RequestId,
        /// The run (run_...)
        run: RunId,
        /// Why: part of the evidence
        #[arg(long)]
        reason: String,
    },
    /// Enter what a system's contact answered
    Answer(Answer),
    /// Ask a person at the system's owner in the vendor's place
    HandOver {
        id: RequestId,
        /// The run (run_...)
        run: RunId,
        /// Their e-mail address
        #[arg(long)]
        email: String,
    },
    /// Say that you made sure who is asking (it is logged and cannot be taken back)
    Verify {
        id: RequestId,
        /// How: part of the evidence
        #[arg(long)]
        note: String,
    },
    /// Send the person a new download link
    SendLink { id: RequestId },
    /// List the mails about a request, and what became of them
    Mails { id: RequestId },
    /// Hand a mail over now that failed or waits
    RetryMail {
        id: RequestId,
        /// The mail (mai_...)
        mail: MailId,
    },
    /// Show the certificate of a closed request
    Certificate {
        id: RequestId,
        /// Write it to a file: JSON, which is an anchor for `audit verify`, or a page to print if it ends in .html
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Fetch the package of an access request
    Package {
        id: RequestId,
        /// Where to write the package (a ZIP); - is stdout
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Answer {
    pub(crate) id: RequestId,
    /// The run (run_...)
    pub(crate) run: RunId,
    /// What they say: data (with files or records), nothing_held, or, to a deletion, deleted
    #[arg(long, value_name = "data|nothing_held|deleted")]
    pub(crate) answer: String,
    /// Who says so
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// What they add
    #[arg(long)]
    pub(crate) note: Option<String>,
    /// What the system holds; may be repeated
    #[arg(long = "file", value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// What the system holds, as a JSON list of {"kind", "title", "fields"}
    #[arg(long, value_name = "FILE.json")]
    pub(crate) records: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) waiting: Waiting,
}

#[derive(Debug, Args)]
pub(crate) struct NewRequest {
    /// What is asked: access or deletion
    #[arg(long)]
    pub(crate) right: Right,
    /// The person's e-mail address
    #[arg(long)]
    pub(crate) email: String,
    /// Another value that finds the person, for example user_id=4711; may be repeated
    #[arg(long = "identifier", value_name = "TYPE=VALUE", value_parser = identifier)]
    pub(crate) identifiers: Vec<(IdentifierType, String)>,
    /// Under which law [default: policies.default of the server's configuration]
    #[arg(long)]
    pub(crate) policy: Option<String>,
    /// Deliver or delete without a person looking first
    #[arg(long)]
    pub(crate) no_review: bool,
    /// How an access ends: a mailed link, or the first complete download over the API
    #[arg(long)]
    pub(crate) delivery: Option<Delivery>,
    /// Nobody made sure that the address is theirs: where `intake.require_verification` is on, they confirm it by a
    /// mailed link first; else a person decides before anything is deleted
    #[arg(long)]
    pub(crate) unverified: bool,
    /// Also if the person has an open request of the same kind
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) waiting: Waiting,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Delivery {
    Mail,
    Api,
}

impl Delivery {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Api => "api",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct RequestList {
    /// Only those in this state
    #[arg(long)]
    pub(crate) state: Option<RequestState>,
    /// Only those of this right
    #[arg(long)]
    pub(crate) right: Option<Right>,
    /// Only open ones due before this date
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub(crate) due_before: Option<Date>,
    /// At most this many
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
    /// Go on after the page that gave this cursor
    #[arg(long)]
    pub(crate) cursor: Option<String>,
}

#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Waiting {
    /// Show the progress until the request is closed, delivered or needs a person (exit code 3); with SECONDS, at
    /// most so long (exit code 1 when the time is up)
    #[arg(long = "wait", value_name = "SECONDS", num_args = 0..=1, value_parser = seconds)]
    #[expect(clippy::option_option, reason = "absent, present, present with a number")]
    wait: Option<Option<u32>>,
}

impl Waiting {
    /// For commands that have nothing to wait for.
    pub(crate) const NOT: Self = Self { wait: None };

    /// Whether to wait, and for how many seconds at most.
    pub(crate) const fn seconds(self) -> Option<Option<u32>> {
        self.wait
    }
}

fn seconds(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| "expected a number of seconds; write --wait behind the ids".to_owned())
}
