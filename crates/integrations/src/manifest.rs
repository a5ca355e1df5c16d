//! What an integration is and can do, as data: the catalogue, the guide, the plan and the behaviour suite all
//! read this and nothing else.

use std::time::Duration;

use habeas_domain::IdentifierType;
use habeas_domain::capability::{AccessType, Capability, DeletionMethod, DeletionTiming};
use serde::Serialize;

use crate::connector::Settings;

/// A catalogue entry.
#[derive(Debug, Serialize)]
pub struct Manifest {
    /// How the integration is named in the API, the CLI and the configuration (`readycloud`).
    pub name: &'static str,
    /// How people read it (`ReadyCloud`).
    pub title: &'static str,
    /// One sentence: what the system holds.
    pub summary: &'static str,
    /// The vendor's address in production, with `{setting}` where a setting of the connection stands in the host
    /// name; `None` where no vendor is called. Only the server's operator can override it.
    pub base_url: Option<&'static str>,
    /// The setting that holds the whole address, where every company has its own; `base_url` is `None` then.
    pub endpoint_setting: Option<&'static str>,
    /// Whether the system tells by itself that it is done, by a signed call to us.
    pub calls_back: bool,
    /// The vendor's second, newer API, which some credentials open instead of the first.
    pub newer_api: Option<NewerApi>,
    /// The vendor's API and its version, as the vendor writes it; `None` where no vendor is called.
    pub api_version: Option<&'static str>,
    /// The vendor's page on which a person allows access to an app of theirs, with `{app_id}` in place of its id; `None`
    /// where credentials come another way.
    pub authorize_url: Option<&'static str>,
    /// The role at the vendor of whoever makes the credentials; `None` where there is no vendor.
    pub vendor_role: Option<&'static str>,
    /// What the account at the vendor must be, where not every account will do.
    pub account_type: Option<&'static str>,
    /// What it can do.
    pub capabilities: Capabilities,
    /// The fields of a connection.
    pub settings: &'static [Setting],
    /// Permissions at the vendor and what each is used for.
    pub permissions: &'static [NeededPermission],
    /// Where to click at the vendor, step by step.
    pub guide: &'static [&'static str],
    /// What goes wrong when connecting, and what to do then.
    pub troubleshooting: &'static [Trouble],
    /// Limits per endpoint class.
    pub rate_limits: &'static [RateLimit],
    /// First wait after a passing failure, and the longest.
    #[serde(serialize_with = "milliseconds")]
    pub retry_min: Duration,
    /// The longest wait between two attempts.
    #[serde(serialize_with = "milliseconds")]
    pub retry_max: Duration,
    /// How the vendor's jobs are followed; `None` where it has none.
    pub polling: Option<Polling>,
    /// A quota that the vendor counts by the calendar month.
    pub quota: Option<MonthlyQuota>,
}

impl Manifest {
    /// The vendor's address in production for a connection; `None` where no vendor is called.
    ///
    /// # Errors
    /// The setting that cannot be part of a host name.
    pub fn address(&self, settings: &Settings) -> Result<Option<String>, &'static str> {
        if let Some(setting) = self.endpoint_setting {
            return Ok(Some(settings.text(setting).to_owned()));
        }
        let Some(template) = self.base_url else { return Ok(None) };
        let mut address = template.to_owned();
        for setting in self.settings {
            let placeholder = format!("{{{}}}", setting.key);
            if address.contains(&placeholder) {
                let value = settings.text(setting.key);
                if !is_host_label(value) {
                    return Err(setting.key);
                }
                address = address.replace(&placeholder, value);
            }
        }
        Ok(Some(address))
    }

    /// The address of the vendor's newer API for a connection; `None` if the vendor has none.
    #[must_use]
    pub fn newer_address(&self, settings: &Settings) -> Option<&'static str> {
        let api = self.newer_api?;
        let chosen = settings.text(api.region_setting);
        let of_region = api.hosts.iter().find(|(region, _)| *region == chosen);
        of_region.or(api.hosts.first()).map(|(_, address)| *address)
    }

    /// The page on which a person allows access to their app; `None` if the integration has none, or that is no id of an
    /// app.
    #[must_use]
    pub fn authorize_page(&self, app_id: &str) -> Option<String> {
        let app_id = app_id.trim();
        // Unreserved characters only (RFC 3986 § 2.3): an id that brings parameters of its own is none.
        let fits = (1..=128).contains(&app_id.len())
            && app_id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte));
        self.authorize_url.filter(|_| fits).map(|template| template.replace("{app_id}", app_id))
    }
}

/// Whether `text` is one plain label of a host name: lower-case letters, digits and inner hyphens (RFC 1123 § 2.1).
/// A setting that becomes part of an address must be one, or it could lead a credential to another host.
#[must_use]
pub fn is_host_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// What an integration can do. An untrue claim turns the behaviour suite red.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Capabilities {
    /// How access works; `None` where the vendor's API has none.
    pub access: Option<Access>,
    /// How deletion works.
    pub deletion: Option<Deletion>,
    /// Whether other systems can be learnt from it.
    pub detects_systems: bool,
    /// Identifiers that find a person there; any one is enough.
    pub identifiers: &'static [IdentifierType],
}

/// How access works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Access {
    /// What people see.
    #[serde(rename = "type")]
    pub kind: AccessType,
    /// How the engine asks.
    pub method: AccessMethod,
}

/// How the engine asks for a subject's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessMethod {
    /// The vendor cannot search: one pass over everything it holds serves every waiting subject.
    Scan,
    /// One call (or a few) per subject.
    Lookup,
    /// A job per subject: submit, poll, fetch.
    Job,
    /// Nobody is called: a person at the system's owner answers.
    Contact,
}

/// How deletion works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Deletion {
    /// Whether it is done when the call returns.
    pub timing: DeletionTiming,
    /// By record, or everything about the subject.
    pub method: DeletionMethod,
    /// How it is proven afterwards.
    pub verification: Verification,
    /// How much one asynchronous deletion carries at most.
    pub batch: Batch,
}

/// How much one call carries at most. What waits together is sent together, up to this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Batch {
    /// Identifiers.
    pub identifiers: usize,
    /// Bytes of all identifiers, written as a JSON list.
    pub bytes: usize,
}

impl Batch {
    /// One subject at a time.
    pub const SINGLE: Self = Self { identifiers: 1, bytes: 0 };
}

/// How the jobs of a vendor are followed. The wait before the next look is a quarter of the age of the youngest job,
/// within these bounds: a quick one is noticed soon, a slow one costs few calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Polling {
    /// The shortest wait between two looks.
    #[serde(serialize_with = "milliseconds")]
    pub min: Duration,
    /// The longest wait between two looks.
    #[serde(serialize_with = "milliseconds")]
    pub max: Duration,
    /// After this a person is asked.
    #[serde(serialize_with = "milliseconds")]
    pub deadline: Duration,
}

/// A second API of a vendor, on another host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct NewerApi {
    /// Its version, as the vendor writes it.
    pub version: &'static str,
    /// The setting that says in which region the account is.
    pub region_setting: &'static str,
    /// What a check learns of a connection whose credentials open this API: a setting that nobody enters, and its value.
    #[serde(skip)]
    pub learned: (&'static str, &'static str),
    /// Its address by region; the first is the one of an account that names none.
    pub hosts: &'static [(&'static str, &'static str)],
}

/// A quota that the vendor counts by the calendar month (UTC).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct MonthlyQuota {
    /// What is counted (`identifiers deleted and suppressed`).
    pub what: &'static str,
    /// How many a month.
    pub limit: u64,
}

/// How a deletion is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verification {
    /// The vendor's answer is all there is.
    Answer,
    /// A pass over everything after the deletion finds none of the deleted records.
    Scan,
    /// The person is searched for after the deletion. What the vendor's index still shows counts only after `lag`.
    Search {
        /// How far the index may lag behind.
        #[serde(serialize_with = "milliseconds")]
        lag: Duration,
    },
}

/// A field of a connection.
#[derive(Debug, Serialize)]
pub struct Setting {
    /// Name in the API (`access_token`).
    pub key: &'static str,
    /// Label on the form.
    pub label: &'static str,
    /// What to enter.
    pub help: &'static str,
    /// Where it is found at the vendor.
    pub found_at: &'static str,
    /// What it looks like, as a regular expression over the whole text (HTML `pattern`); only a hint for forms: what
    /// is accepted is decided by [`crate::Integration::normalise`].
    pub pattern: Option<&'static str>,
    /// Whether it is a secret: sealed, never shown again.
    pub secret: bool,
    /// Whether it may be left out.
    pub optional: bool,
}

/// Something that goes wrong when connecting.
#[derive(Debug, Serialize)]
pub struct Trouble {
    /// The code of the problem that is shown (`credentials_rejected`).
    pub code: &'static str,
    /// What it means at this vendor.
    pub meaning: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

/// A permission at the vendor.
#[derive(Debug, Serialize)]
pub struct NeededPermission {
    /// As the vendor spells it (`contact`).
    pub permission: &'static str,
    /// What it would be used for, in a person's words.
    pub needed_for: &'static str,
    /// The capability that does not work without it; `None` if nothing works without it.
    pub capability: Option<Capability>,
    /// Whether a connection without it is still made (with a warning).
    pub optional: bool,
}

/// A group of endpoints that share one limit at the vendor (`read`, `write`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct EndpointClass(pub &'static str);

/// A vendor's limit for one endpoint class, counted per account over any 60 seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RateLimit {
    /// Which endpoints.
    pub class: EndpointClass,
    /// Calls that the vendor allows in 60 seconds.
    pub per_minute: u32,
}

fn milliseconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("fra1", true)]
    #[case("a-b", true)]
    #[case("", false)]
    #[case("-a", false)]
    #[case("a.b", false)]
    #[case("FRA1", false)]
    #[case("evil.test/", false)]
    #[case("a@b", false)]
    #[case("fra1\n", false)]
    fn only_a_plain_label_becomes_part_of_a_host(#[case] text: &str, #[case] accepted: bool) {
        assert_eq!(is_host_label(text), accepted);
    }
}
