//! Faults on demand: rules that make a vendor slow, broken or hostile for some of the calls.
//!
//! Rules know nothing about vendors. They are looked at in the order they were added; a call may match
//! several: delays add up, and of the other faults the first one wins. A rule that stands behind the
//! winner does not see the call, so its `skip` and `times` are not used up by it.
//!
//! As JSON a rule looks like this; everything but `vendor` and `fault` may be left out:
//!
//! ```
//! let rule: habeas_sandbox::faults::Rule = serde_json::from_str(r#"{
//!     "vendor": "readycloud", "method": "DELETE", "path_contains": "/contacts/",
//!     "skip": 2, "times": 1, "probability": 0.5, "when": "after",
//!     "fault": {"kind": "status", "code": 504}
//! }"#).unwrap();
//! # let _ = rule;
//! ```

mod apply;
mod bodies;
mod plane;

use axum::http::{Method, StatusCode};
use serde::{Deserialize, Serialize};

pub(crate) use apply::around;
pub use plane::{ActiveRule, FaultPlane, InvalidRule};

/// A port nothing listens on: where redirects and foreign links lead unless told otherwise.
pub const NOWHERE: &str = "http://127.0.0.1:9";

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// The call takes longer; combines with normal processing and with another fault.
    Latency {
        /// Milliseconds of real time.
        ms: u64,
    },
    /// This status instead of the answer.
    Status {
        /// 200 to 599.
        code: u16,
        /// A string is sent as it is (plain text), anything else as JSON. Left out: the vendor's own error.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        body: Option<serde_json::Value>,
        /// Seconds for a `Retry-After` header.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<u64>,
    },
    /// "Too many requests" in the vendor's own words.
    RateLimited {
        /// Seconds for a `Retry-After` header; left out, there is no such header.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<u64>,
    },
    /// The call is processed and takes effect, then the connection closes without an answer.
    AnswerLost {},
    /// The connection closes before the call is processed.
    ///
    /// Also accepted as `connection_refused`: by the time a rule can match, the call was already read, so a
    /// refusal in the sense of TCP is not possible for single calls; to a client it is the same class.
    #[serde(alias = "connection_refused")]
    DroppedBefore {},
    /// Status 200 with JSON that breaks off in the middle of a value.
    Malformed {},
    /// The right answer with the right `Content-Length`, but only half of the body; then the connection closes.
    Truncated {},
    /// Status 200 and a JSON document of this many bytes, made while it is sent.
    Oversized {
        /// Size of the body.
        bytes: u64,
        /// Whether `Content-Length` announces it. Without, a client must count for itself.
        #[serde(default)]
        announced: bool,
    },
    /// A page for people instead of JSON.
    Html {
        /// 200 to 599.
        code: u16,
    },
    /// "This credential has expired" in the vendor's own words.
    TokenExpired {},
    /// "This credential may not do that" in the vendor's own words.
    ScopeMissing {
        /// The scope said to be missing.
        scope: String,
    },
    /// 302 to another place.
    Redirect {
        /// Where to.
        #[serde(default = "nowhere")]
        location: String,
    },
    /// The right answer under the wrong `Content-Type`.
    WrongContentType {
        /// The type to claim.
        #[serde(default = "text_plain")]
        content_type: String,
    },
    /// Status 200 with arrays nested this deep.
    DeepJson {
        /// How deep.
        depth: u64,
    },
    /// The link to the next page leads to another host, also when there is no next page.
    ForeignNext {
        /// Scheme, host and port of the link.
        #[serde(default = "nowhere")]
        base: String,
    },
    /// There is always a next page.
    EndlessNext {},
}

/// On which side of processing a fault lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// The vendor does nothing: no effect takes place.
    Before,
    /// The vendor has done everything: only the answer suffers.
    After,
}

/// Which calls meet which fault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The vendor's name, for example `readycloud`.
    pub vendor: String,
    /// Only calls with this method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Only calls whose path with query contains this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_contains: Option<String>,
    /// How many matching calls pass first.
    #[serde(default)]
    pub skip: u64,
    /// How often it strikes; left out, for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// How likely it strikes at a matching call; the dice follow the sandbox's seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// Before or after processing. Left out, the fault's [natural side](Fault::natural_side).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<When>,
    /// What goes wrong.
    pub fault: Fault,
}

impl Rule {
    /// A rule for every call to a vendor.
    #[must_use]
    pub fn new(vendor: impl Into<String>, fault: Fault) -> Self {
        let vendor = vendor.into();
        Self {
            vendor,
            method: None,
            path_contains: None,
            skip: 0,
            times: None,
            probability: None,
            when: None,
            fault,
        }
    }

    /// Only calls with this method.
    #[must_use]
    pub fn method(self, method: impl Into<String>) -> Self {
        Self { method: Some(method.into()), ..self }
    }

    /// Only calls whose path with query contains this.
    #[must_use]
    pub fn path_contains(self, part: impl Into<String>) -> Self {
        Self { path_contains: Some(part.into()), ..self }
    }

    /// Lets this many matching calls pass first.
    #[must_use]
    pub fn skip(self, skip: u64) -> Self {
        Self { skip, ..self }
    }

    /// Strikes at most this often.
    #[must_use]
    pub fn times(self, times: u64) -> Self {
        Self { times: Some(times), ..self }
    }

    /// Strikes with this probability.
    #[must_use]
    pub fn probability(self, probability: f64) -> Self {
        Self { probability: Some(probability), ..self }
    }

    /// Strikes on this side of processing.
    #[must_use]
    pub fn when(self, when: When) -> Self {
        Self { when: Some(when), ..self }
    }

    pub(crate) fn side(&self) -> When {
        self.when.unwrap_or(self.fault.natural_side())
    }

    fn matches(&self, vendor: &str, method: &Method, path_and_query: &str) -> bool {
        self.vendor == vendor
            && self.method.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method.as_str()))
            && self.path_contains.as_deref().is_none_or(|part| path_and_query.contains(part))
    }

    fn check(&self, vendors: &[&'static str]) -> Result<(), String> {
        if !vendors.contains(&self.vendor.as_str()) {
            return Err(format!("there is no vendor `{}`; known: {}", self.vendor, vendors.join(", ")));
        }
        if let Some(method) = &self.method
            && Method::from_bytes(method.as_bytes()).is_err()
        {
            return Err(format!("`{method}` is not an HTTP method"));
        }
        if self.probability.is_some_and(|probability| !(0.0..=1.0).contains(&probability)) {
            return Err("`probability` must lie between 0 and 1".to_owned());
        }
        if let Fault::Status { code, .. } | Fault::Html { code } = self.fault
            && (!(200..600).contains(&code) || StatusCode::from_u16(code).is_err())
        {
            return Err(format!("`code` must lie between 200 and 599, not {code}"));
        }
        if let Some(when) = self.when
            && when != self.fault.natural_side()
            && self.fault.side_is_fixed()
        {
            let name = self.fault.name();
            return Err(format!("`{name}` cannot be moved to the other side of processing with `when`"));
        }
        Ok(())
    }
}

impl Fault {
    /// The fault's name, as in JSON.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Latency { .. } => "latency",
            Self::Status { .. } => "status",
            Self::RateLimited { .. } => "rate_limited",
            Self::AnswerLost {} => "answer_lost",
            Self::DroppedBefore {} => "dropped_before",
            Self::Malformed {} => "malformed",
            Self::Truncated {} => "truncated",
            Self::Oversized { .. } => "oversized",
            Self::Html { .. } => "html",
            Self::TokenExpired {} => "token_expired",
            Self::ScopeMissing { .. } => "scope_missing",
            Self::Redirect { .. } => "redirect",
            Self::WrongContentType { .. } => "wrong_content_type",
            Self::DeepJson { .. } => "deep_json",
            Self::ForeignNext { .. } => "foreign_next",
            Self::EndlessNext {} => "endless_next",
        }
    }

    /// Where the fault strikes unless a rule says otherwise: a refusal before processing, a spoilt answer
    /// after it (the vendor did its work, so a deletion *has* happened).
    #[must_use]
    pub fn natural_side(&self) -> When {
        match self {
            Self::Latency { .. }
            | Self::Status { .. }
            | Self::RateLimited { .. }
            | Self::DroppedBefore {}
            | Self::Html { .. }
            | Self::TokenExpired {}
            | Self::ScopeMissing { .. }
            | Self::Redirect { .. } => When::Before,
            Self::AnswerLost {}
            | Self::Malformed {}
            | Self::Truncated {}
            | Self::Oversized { .. }
            | Self::WrongContentType { .. }
            | Self::DeepJson { .. }
            | Self::ForeignNext { .. }
            | Self::EndlessNext {} => When::After,
        }
    }

    /// These are defined by their side, or need the real answer to spoil it.
    fn side_is_fixed(&self) -> bool {
        matches!(
            self,
            Self::AnswerLost {}
                | Self::DroppedBefore {}
                | Self::Truncated {}
                | Self::WrongContentType { .. }
                | Self::ForeignNext { .. }
                | Self::EndlessNext {}
        )
    }
}

fn nowhere() -> String {
    format!("{NOWHERE}/")
}

fn text_plain() -> String {
    "text/plain".to_owned()
}
