//! What can be set differently in this API alone.

use serde::{Deserialize, Serialize};

use crate::segment_config::knobs::{UnsetTime, present, set};

/// How a token that may not do something is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// 401, as the vendor says.
    Unauthorized,
    /// 403, as others report.
    Forbidden,
}

/// How a list says that it has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LastPage {
    /// `"next": null`.
    Null,
    /// There is no `next`. The `endless_next` fault then has nothing to rewrite.
    Absent,
}

/// How the end of a part of a regulation that has not ended is written. It is a string in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartTime {
    /// `0001-01-01T00:00:00Z`.
    Zero,
    /// `""`.
    Empty,
}

/// How a list says what the subjects of its entries are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubjectTypes {
    /// `USER_ID` for user ids.
    Right,
    /// As in the vendor's samples: `OBJECT_ID` in lists of regulations, `userId` in that of suppressions.
    AsInSamples,
}

/// Under which names the creation of a regulation tells what is left of the quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuotaHeaders {
    /// `X-RateLimit-Consumed`, `-Remaining` and `-Reset`, like every other answer.
    RateLimit,
    /// `X-Regulation-RateLimit-Remaining` and `X-Regulation-Quota-Reset`, as for a while in 2025.
    Regulation,
}

/// How the Public API behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PublicKnobs {
    /// The answer to a token that may not do something.
    pub missing_permission: Permission,
    /// Calls that create regulations, per token in any 60 seconds; `None` is no limit.
    pub regulation_creates_per_minute: Option<u32>,
    /// All other calls, likewise.
    pub reads_per_minute: Option<u32>,
    /// All calls together, likewise.
    pub calls_per_minute: Option<u32>,
    /// Whether 429 says in `Retry-After` how long to wait when it is for all calls of the token.
    pub retry_after: bool,
    /// The headers of a created regulation.
    pub quota_headers: QuotaHeaders,
    /// Items on a page when the call names no `count`; `None` makes `pagination` required.
    pub default_count: Option<usize>,
    /// The highest `count`; more is refused.
    pub highest_count: usize,
    /// The end of a list.
    pub last_page: LastPage,
    /// Whether lists tell `totalEntries`.
    pub total_entries: bool,
    /// Whether sources and destinations have a `name`.
    pub names: bool,
    /// The end of a regulation that has not ended.
    pub unset_finished_at: UnsetTime,
    /// The end of a part of a regulation that has not ended.
    pub unset_part_finished_at: PartTime,
    /// What the subjects in lists are said to be.
    pub subject_types: SubjectTypes,
    /// Whether errors say no more than their `type`.
    pub bare_errors: bool,
    /// Whether there is a call that deletes regulations.
    pub delete_regulations: bool,
    /// Whether the workspaces are among those that may delete in the archive alone.
    pub archive_only: bool,
}

impl Default for PublicKnobs {
    fn default() -> Self {
        Self {
            missing_permission: Permission::Unauthorized,
            regulation_creates_per_minute: Some(600),
            // Not published.
            reads_per_minute: None,
            calls_per_minute: None,
            retry_after: true,
            quota_headers: QuotaHeaders::RateLimit,
            default_count: Some(200),
            highest_count: 1000,
            // Own choice: the one that is there to be read.
            last_page: LastPage::Null,
            total_entries: true,
            names: true,
            unset_finished_at: UnsetTime::Absent,
            // Own choice, as in the Config API: the parts have no other way to say it.
            unset_part_finished_at: PartTime::Zero,
            subject_types: SubjectTypes::Right,
            bare_errors: false,
            // The specification has no such call any more.
            delete_regulations: false,
            // "Limited workspaces".
            archive_only: false,
        }
    }
}

/// A change of some knobs: what is left out stays. Where a knob can be off, `null` turns it off.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PublicKnobsPatch {
    /// See [`PublicKnobs::missing_permission`].
    pub missing_permission: Option<Permission>,
    /// See [`PublicKnobs::regulation_creates_per_minute`].
    #[serde(deserialize_with = "present")]
    pub regulation_creates_per_minute: Option<Option<u32>>,
    /// See [`PublicKnobs::reads_per_minute`].
    #[serde(deserialize_with = "present")]
    pub reads_per_minute: Option<Option<u32>>,
    /// See [`PublicKnobs::calls_per_minute`].
    #[serde(deserialize_with = "present")]
    pub calls_per_minute: Option<Option<u32>>,
    /// See [`PublicKnobs::retry_after`].
    pub retry_after: Option<bool>,
    /// See [`PublicKnobs::quota_headers`].
    pub quota_headers: Option<QuotaHeaders>,
    /// See [`PublicKnobs::default_count`]; at least 1.
    #[serde(deserialize_with = "present")]
    pub default_count: Option<Option<usize>>,
    /// See [`PublicKnobs::highest_count`]; at least 1.
    pub highest_count: Option<usize>,
    /// See [`PublicKnobs::last_page`].
    pub last_page: Option<LastPage>,
    /// See [`PublicKnobs::total_entries`].
    pub total_entries: Option<bool>,
    /// See [`PublicKnobs::names`].
    pub names: Option<bool>,
    /// See [`PublicKnobs::unset_finished_at`].
    pub unset_finished_at: Option<UnsetTime>,
    /// See [`PublicKnobs::unset_part_finished_at`].
    pub unset_part_finished_at: Option<PartTime>,
    /// See [`PublicKnobs::subject_types`].
    pub subject_types: Option<SubjectTypes>,
    /// See [`PublicKnobs::bare_errors`].
    pub bare_errors: Option<bool>,
    /// See [`PublicKnobs::delete_regulations`].
    pub delete_regulations: Option<bool>,
    /// See [`PublicKnobs::archive_only`].
    pub archive_only: Option<bool>,
}

impl PublicKnobs {
    pub(super) fn apply(&mut self, patch: PublicKnobsPatch) {
        let at_least_one = |count: usize| count.max(1);
        set(&mut self.missing_permission, patch.missing_permission);
        set(&mut self.regulation_creates_per_minute, patch.regulation_creates_per_minute);
        set(&mut self.reads_per_minute, patch.reads_per_minute);
        set(&mut self.calls_per_minute, patch.calls_per_minute);
        set(&mut self.retry_after, patch.retry_after);
        set(&mut self.quota_headers, patch.quota_headers);
        set(&mut self.default_count, patch.default_count.map(|count| count.map(at_least_one)));
        set(&mut self.highest_count, patch.highest_count.map(at_least_one));
        set(&mut self.last_page, patch.last_page);
        set(&mut self.total_entries, patch.total_entries);
        set(&mut self.names, patch.names);
        set(&mut self.unset_finished_at, patch.unset_finished_at);
        set(&mut self.unset_part_finished_at, patch.unset_part_finished_at);
        set(&mut self.subject_types, patch.subject_types);
        set(&mut self.bare_errors, patch.bare_errors);
        set(&mut self.delete_regulations, patch.delete_regulations);
        set(&mut self.archive_only, patch.archive_only);
    }
}
