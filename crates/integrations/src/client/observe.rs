//! What a call leaves behind for operators: two metrics and one log line. None of them can carry a person's
//! data: the words are the integration's and the endpoint class's, never an address, a header or a body.

use std::time::Duration;

use http::Method;
use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};

use crate::error::{ErrorKind, Retry, VendorError};
use crate::manifest::EndpointClass;

const CALLS: &str = "habeas_vendor_calls_total";
const SECONDS: &str = "habeas_vendor_call_seconds";

pub(super) fn describe() {
    describe_counter!(CALLS, "Calls to vendors by integration, endpoint class and outcome");
    describe_histogram!(SECONDS, Unit::Seconds, "How long vendors took to answer");
}

/// How a call ended, in the words of the metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Answered(u16),
    Failed { kind: ErrorKind, unknown: bool },
}

impl Outcome {
    pub(super) fn of_error(error: &VendorError) -> Self {
        Self::Failed { kind: error.kind, unknown: error.retry == Retry::UnknownOutcome }
    }

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Answered(404) => "not_found",
            Self::Answered(400..) => "rejected",
            Self::Answered(_) => "ok",
            Self::Failed { unknown: true, .. } => "unknown",
            Self::Failed { kind: ErrorKind::RateLimited, .. } => "rate_limited",
            Self::Failed { kind: ErrorKind::Unavailable, .. } => "unavailable",
            Self::Failed { kind: ErrorKind::Paced, .. } => "paced",
            Self::Failed { kind: ErrorKind::BadAnswer | ErrorKind::TooLarge, .. } => "bad_answer",
            Self::Failed { .. } => "rejected",
        }
    }
}

/// One call that is over. `took` is `None` where nothing was sent.
#[derive(Debug)]
pub(super) struct Observation<'a> {
    pub(super) integration: &'static str,
    pub(super) class: EndpointClass,
    pub(super) method: &'a Method,
    pub(super) status: Option<u16>,
    pub(super) outcome: Outcome,
    pub(super) took: Option<Duration>,
}

pub(super) fn record(observation: &Observation<'_>) {
    let Observation { integration, class, method, status, outcome, took } = *observation;
    counter!(CALLS, "integration" => integration, "class" => class.0, "outcome" => outcome.word())
        .increment(1);
    if let Some(took) = took {
        histogram!(SECONDS, "integration" => integration, "class" => class.0).record(took.as_secs_f64());
    }
    tracing::debug!(
        integration,
        class = class.0,
        method = method.as_str(),
        status,
        outcome = outcome.word(),
        milliseconds = took.map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
        "vendor call"
    );
}
