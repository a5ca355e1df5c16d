//! What can be set differently: limits, page sizes, and every point the vendor reference leaves open.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use super::fixtures;
use super::template::CustomerDataTemplate;

/// When a job of the vendor ends. A job keeps the plan it was accepted under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Completion {
    /// After this many answers that showed it as pending: list answers for an erasure, progress answers for a
    /// customer data request. With 0 it ends as soon as it is accepted.
    Polls(u32),
    /// This many milliseconds of the sandbox's clock after it was accepted.
    Ms(u64),
    /// Only when the control plane ends it.
    Manual,
}

/// In which shape the token endpoint refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenErrors {
    /// `{"error": "...", "error_description": "..."}`, RFC 6749.
    Plain,
    /// The API's envelope with `meta.error`; the error's name is its message.
    Envelope,
}

/// What a token covers when the client asked for no scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OmittedScope {
    /// All scopes of the client.
    All,
    /// Nothing at all, although the token is issued.
    Nothing,
}

/// What happens to a scope that was asked for and that the client does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExcessScope {
    /// No token: 400 `invalid_scope`.
    Refused,
    /// The token covers the rest and its answer says so.
    Dropped,
}

/// Whose calls pass where Brand Administrators alone may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BrandAdministrators {
    /// Those whose user is one.
    ByUser,
    /// Nobody's.
    Nobody,
    /// Everybody's.
    Everybody,
}

/// What an `X-API-TOKEN` of another data centre meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForeignApiToken {
    /// The call is carried out and `meta.notice` names the better host.
    Proxied,
    /// 401 `DCD_7`.
    Refused,
}

/// How 429 says when to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RateLimitHeaders {
    /// Not at all.
    None,
    /// `Retry-After` in seconds.
    RetryAfterSeconds,
    /// `Retry-After` as an HTTP date, by the sandbox's clock.
    RetryAfterDate,
    /// `X-RateLimit-Limit`, `-Remaining` and `-Reset` (seconds since the epoch).
    XRateLimit,
    /// `RateLimit-Limit`, `-Remaining` and `-Reset` (seconds from now).
    RateLimit,
}

/// What stands in `meta.requestId`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestId {
    /// A UUID.
    Uuid,
    /// `null`.
    Null,
    /// `""`.
    Empty,
    /// There is no such field.
    Absent,
}

/// How the list of erasures writes the fields whose types the sources disagree about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErasureShape {
    /// `searchOnly` a string, `numEmailsRequested` a number, `emailsNotFound` an array.
    Documented,
    /// `searchOnly` a boolean, `numEmailsRequested` a string, `emailsNotFound` one string (`null` for none).
    Loose,
}

/// How times in a contact's history are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HistoryTimes {
    /// `2026-03-01 10:15:00`.
    Spaced,
    /// `2026-03-01T10:15:00Z`.
    Rfc3339,
}

/// A status of which the reference knows that there is one, but not which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// 400.
    BadRequest,
    /// 401.
    Unauthorized,
    /// 403.
    Forbidden,
    /// 404.
    NotFound,
}

/// One line per knob: `name: Type = default;`.
macro_rules! knobs {
    ($($(#[$doc:meta])+ $name:ident: $kind:ty = $default:expr;)+) => {
        /// How the simulator behaves.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        pub struct Knobs {
            $($(#[$doc])+ pub $name: $kind,)+
        }

        impl Default for Knobs {
            fn default() -> Self {
                Self { $($name: $default,)+ }
            }
        }

        /// A change of some knobs: what is left out stays. Where a knob may be nothing, `null` makes it so.
        #[derive(Clone, Debug, Default, PartialEq, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct KnobsPatch {
            $(
                #[doc = concat!("See [`Knobs::", stringify!($name), "`].")]
                #[serde(deserialize_with = "present")]
                pub $name: Option<$kind>,
            )+
        }

        impl Knobs {
            pub(super) fn apply(&mut self, patch: KnobsPatch) {
                $(
                    if let Some(value) = patch.$name {
                        self.$name = value;
                    }
                )+
                // A page of nothing would make every reader go round in circles.
                for size in [
                    &mut self.page_size,
                    &mut self.page_cap,
                    &mut self.directory_page_size,
                    &mut self.offset_page_size,
                ] {
                    *size = (*size).max(1);
                }
            }
        }
    };
}

knobs! {
    /// The data centre this simulator is (own choice: on loopback no host name can tell). Tokens belong to the
    /// one that issued them, so changing it makes foreigners of all tokens there are.
    datacenter: String = fixtures::DATACENTER.to_owned();

    /// Whether rates are limited at all.
    limits_enforced: bool = true;
    /// Calls per minute over all endpoints; `None` is no limit.
    brand_per_minute: Option<u32> = Some(3000);
    /// Calls per minute of single endpoints, instead of the vendor's numbers, by method and route template, for
    /// example `POST /op-erase-personal-data`; `None` is no limit. A change replaces all of them.
    endpoint_limits: BTreeMap<String, Option<u32>> = BTreeMap::new();
    /// How 429 says when to come back.
    rate_limit_headers: RateLimitHeaders = RateLimitHeaders::RetryAfterSeconds;

    /// Shape of the token endpoint's refusals.
    token_errors: TokenErrors = TokenErrors::Plain;
    /// Whether the token endpoint also takes the client's id and secret from the form.
    form_credentials: bool = false;
    /// What a token covers when no scope was asked for.
    omitted_scope: OmittedScope = OmittedScope::All;
    /// What becomes of scopes the client does not have.
    excess_scope: ExcessScope = ExcessScope::Refused;
    /// Seconds a token lives.
    token_seconds: u64 = 3599;
    /// `token_type` in the token answer.
    token_type: String = "Bearer".to_owned();

    /// The answer to a valid token without the scope.
    missing_scope: Refusal = Refusal::Forbidden;
    /// The scope `GET /whoami` needs; `None` for none. Own choice: the one the reference finds likely.
    whoami_scope: Option<String> = Some("read:users".to_owned());
    /// Who counts as a Brand Administrator.
    brand_administrators: BrandAdministrators = BrandAdministrators::ByUser;
    /// What an `X-API-TOKEN` of another data centre meets.
    foreign_api_token: ForeignApiToken = ForeignApiToken::Proxied;

    /// What stands in `meta.requestId`.
    request_id: RequestId = RequestId::Uuid;
    /// `meta.httpStatus` of every answer, whatever its real status; `None` is the truth.
    http_status: Option<String> = None;
    /// `meta.notice` of answers that succeed.
    notice: Option<String> = None;

    /// Page size of contacts and lists when the call names none.
    page_size: usize = 100;
    /// The largest page size; a call that asks for more gets this (own choice).
    page_cap: usize = 500;
    /// Page size of directories, and the most one can ask for there.
    directory_page_size: usize = 5;
    /// Page size where pages go by `offset`: erasures, users, history.
    offset_page_size: usize = 100;
    /// How far into its results a search can be read.
    search_depth: usize = 10_000;
    /// Milliseconds of the sandbox's clock until a search knows of a new contact, or forgets a deleted one.
    index_lag_ms: u64 = 0;
    /// What list and search say for an "XMD Lite" directory.
    lite_directory: Refusal = Refusal::Forbidden;
    /// How times in a contact's history are written.
    history_times: HistoryTimes = HistoryTimes::Spaced;

    /// When erasures end.
    erasure_completion: Completion = Completion::Polls(2);
    /// Erasures accepted while this is set end as failed, with this reason, and erase nothing.
    erasure_failure: Option<String> = None;
    /// Status word of an erasure that has not ended.
    erasure_pending_word: String = "InProgress".to_owned();
    /// Status word of an erasure that has ended well.
    erasure_completed_word: String = "Completed".to_owned();
    /// Status word of an erasure that has failed.
    erasure_failed_word: String = "Failed".to_owned();
    /// What `GET` by id says before the erasure has ended.
    erasure_running: Refusal = Refusal::NotFound;
    /// How the list of erasures writes doubtful fields.
    erasure_shape: ErasureShape = ErasureShape::Documented;
    /// The most emails one erasure or customer data request takes. Own choice: what the vendor's pages for
    /// people take.
    emails_per_request: usize = 500;
    /// Emails for which an erasure is refused with 400, whoever else it is for (own choice: what the vendor
    /// refuses is not documented).
    refused_emails: Vec<String> = Vec::new();
    /// Whether an erasure also deletes users of the brand.
    erasure_deletes_users: bool = true;

    /// When customer data requests end.
    customer_data_completion: Completion = Completion::Polls(2);
    /// Customer data requests accepted while this is set end as failed, with this reason.
    customer_data_failure: Option<String> = None;
    /// The shapes of customer data requests, answers and files.
    customer_data: CustomerDataTemplate = CustomerDataTemplate::guess();
    /// Milliseconds a finished file can be downloaded; `None` is for ever.
    file_lifetime_ms: Option<u64> = None;
}

/// Tells `null` from a field that is left out (no change).
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_and_absent_differ() {
        let mut knobs = Knobs::default();
        let patch = r#"{"brand_per_minute": null, "page_size": 0, "erasure_completion": {"ms": 5}}"#;
        knobs.apply(serde_json::from_str(patch).unwrap());
        let expected = Knobs {
            brand_per_minute: None,
            page_size: 1,
            erasure_completion: Completion::Ms(5),
            ..Knobs::default()
        };
        assert_eq!(knobs, expected);
        assert!(serde_json::from_str::<KnobsPatch>(r#"{"page_size": null}"#).is_err());
        assert!(serde_json::from_str::<KnobsPatch>(r#"{"pagesize": 1}"#).is_err());
    }
}
