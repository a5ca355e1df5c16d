//! What can be set differently: limits, delays, and every point the vendor reference leaves open.

use serde::{Deserialize, Deserializer, Serialize};

use super::regulation::Family;

/// How a token that is not known (any more) is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BadToken {
    /// 401 with code 16, as the vendor's table of errors says.
    Unauthenticated,
    /// 403 with code 7, as a client of the vendor's own expects too.
    PermissionDenied,
}

/// How a list says that it has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndOfList {
    /// `"next_page_token": ""`.
    Empty,
    /// There is no `next_page_token`. The `endless_next` fault then has nothing to rewrite.
    Absent,
}

/// How the `name` of a workspace is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkspaceName {
    /// `workspaces/acme-shop`.
    Prefixed,
    /// `acme-shop`.
    Bare,
}

/// Under which key a source shows its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LibraryConfig {
    /// `library_config`.
    LibraryConfig,
    /// `library_source_config`.
    LibrarySourceConfig,
}

/// How the end of a regulation that has not ended is written when one is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnsetTime {
    /// `0001-01-01T00:00:00Z`.
    Zero,
    /// Not at all.
    Absent,
}

/// What too many values, or too many bytes, are answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Oversize {
    /// 400 with code 3.
    InvalidArgument,
    /// 429 with code 8.
    ResourceExhausted,
}

/// What becomes of enabled destinations that take no forwarded deletions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unsupported {
    /// They are `failed`, and with them the regulation as a whole.
    Failed,
    /// They are `not_supported`, which the regulation as a whole does not mind.
    NotSupported,
    /// They are not listed.
    LeftOut,
}

/// What the monthly quota is a number of, about which the vendor's documents do not agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuotaCounts {
    /// Users named in regulations.
    Users,
    /// Regulations.
    Regulations,
}

/// How the simulator behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Knobs {
    /// Calls per token in any 60 seconds; `None` is no limit.
    pub requests_per_minute: Option<u32>,
    /// Whether 429 says in `Retry-After` how long to wait, which is not documented.
    pub retry_after: bool,
    /// The answer to a token that is not known.
    pub bad_token: BadToken,
    /// Page size when the call names none.
    pub page_size: usize,
    /// The largest page size; a call that asks for more gets this.
    pub page_cap: usize,
    /// The end of a list.
    pub end_of_list: EndOfList,
    /// The `name` of workspaces.
    pub workspace_name: WorkspaceName,
    /// The key of a source's settings.
    pub library_config: LibraryConfig,
    /// Whether sources show `slug`, `display_name` and `labels`.
    pub source_details: bool,
    /// Whether a single regulation shows `regulate_id`, `parent`, `regulation_type` and `attributes`.
    pub regulation_details: bool,
    /// The end of a regulation that has not ended.
    pub unset_finished_at: UnsetTime,
    /// Whether regulation types may be written in any case.
    pub any_case_types: bool,
    /// Values per regulation.
    pub max_values: usize,
    /// Bytes per body.
    pub max_body_bytes: usize,
    /// The answer to more than those.
    pub oversize: Oversize,
    /// Users per workspace and calendar month in regulations that are forwarded; `None` is no quota.
    pub monthly_users: Option<u64>,
    /// Users per workspace and calendar month in regulations that stay inside Segment; `None` is no quota.
    pub monthly_users_segment_only: Option<u64>,
    /// What these two count.
    pub quota_counts: QuotaCounts,
    /// Seconds in which a regulation created from now on is `initialized`.
    pub initialized_seconds: u64,
    /// Seconds in which it then is `running`.
    pub running_seconds: u64,
    /// Days after its creation when a regulation is forgotten; `None` is never.
    pub remembered_days: Option<u64>,
    /// Destinations that take no forwarded deletions, in regulations created from now on.
    pub unsupported_destinations: Unsupported,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            requests_per_minute: Some(200),
            retry_after: false,
            bad_token: BadToken::Unauthenticated,
            // Own choice between "generally 10 or 100": the one that makes a client turn pages.
            page_size: 10,
            page_cap: 100,
            end_of_list: EndOfList::Empty,
            workspace_name: WorkspaceName::Prefixed,
            library_config: LibraryConfig::LibraryConfig,
            source_details: false,
            // As in the sample, against the prose.
            regulation_details: false,
            unset_finished_at: UnsetTime::Zero,
            // Own choice: the strict one, so that a client which writes them differently is caught.
            any_case_types: false,
            max_values: 5_000,
            // Own choice: megabytes of a million bytes, the strict reading of "4 MB".
            max_body_bytes: 4_000_000,
            oversize: Oversize::InvalidArgument,
            monthly_users: Some(110_000),
            monthly_users_segment_only: Some(110_000),
            quota_counts: QuotaCounts::Users,
            // Own choice: the vendor takes days, which nobody who tries things out would wait for.
            initialized_seconds: 60,
            running_seconds: 240,
            remembered_days: Some(90),
            unsupported_destinations: Unsupported::Failed,
        }
    }
}

/// A change of some knobs: what is left out stays. Where a knob can be off, `null` turns it off.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KnobsPatch {
    /// See [`Knobs::requests_per_minute`].
    #[serde(deserialize_with = "present")]
    pub requests_per_minute: Option<Option<u32>>,
    /// See [`Knobs::retry_after`].
    pub retry_after: Option<bool>,
    /// See [`Knobs::bad_token`].
    pub bad_token: Option<BadToken>,
    /// See [`Knobs::page_size`]; at least 1.
    pub page_size: Option<usize>,
    /// See [`Knobs::page_cap`]; at least 1.
    pub page_cap: Option<usize>,
    /// See [`Knobs::end_of_list`].
    pub end_of_list: Option<EndOfList>,
    /// See [`Knobs::workspace_name`].
    pub workspace_name: Option<WorkspaceName>,
    /// See [`Knobs::library_config`].
    pub library_config: Option<LibraryConfig>,
    /// See [`Knobs::source_details`].
    pub source_details: Option<bool>,
    /// See [`Knobs::regulation_details`].
    pub regulation_details: Option<bool>,
    /// See [`Knobs::unset_finished_at`].
    pub unset_finished_at: Option<UnsetTime>,
    /// See [`Knobs::any_case_types`].
    pub any_case_types: Option<bool>,
    /// See [`Knobs::max_values`].
    pub max_values: Option<usize>,
    /// See [`Knobs::max_body_bytes`].
    pub max_body_bytes: Option<usize>,
    /// See [`Knobs::oversize`].
    pub oversize: Option<Oversize>,
    /// See [`Knobs::monthly_users`].
    #[serde(deserialize_with = "present")]
    pub monthly_users: Option<Option<u64>>,
    /// See [`Knobs::monthly_users_segment_only`].
    #[serde(deserialize_with = "present")]
    pub monthly_users_segment_only: Option<Option<u64>>,
    /// See [`Knobs::quota_counts`].
    pub quota_counts: Option<QuotaCounts>,
    /// See [`Knobs::initialized_seconds`].
    pub initialized_seconds: Option<u64>,
    /// See [`Knobs::running_seconds`].
    pub running_seconds: Option<u64>,
    /// See [`Knobs::remembered_days`].
    #[serde(deserialize_with = "present")]
    pub remembered_days: Option<Option<u64>>,
    /// See [`Knobs::unsupported_destinations`].
    pub unsupported_destinations: Option<Unsupported>,
}

/// Tells `null` (off) from a field that is left out (no change).
pub(super) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Turns a knob, unless it is left out.
pub(super) fn set<T>(knob: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *knob = value;
    }
}

impl Knobs {
    /// What a workspace may use up per calendar month; `None` is no quota.
    pub(super) fn monthly_quota(&self, family: Family) -> Option<u64> {
        match family {
            Family::SegmentOnly => self.monthly_users_segment_only,
            Family::SegmentAndDestination => self.monthly_users,
        }
    }

    pub(super) fn apply(&mut self, patch: KnobsPatch) {
        set(&mut self.requests_per_minute, patch.requests_per_minute);
        set(&mut self.retry_after, patch.retry_after);
        set(&mut self.bad_token, patch.bad_token);
        set(&mut self.page_size, patch.page_size.map(|size| size.max(1)));
        set(&mut self.page_cap, patch.page_cap.map(|cap| cap.max(1)));
        set(&mut self.end_of_list, patch.end_of_list);
        set(&mut self.workspace_name, patch.workspace_name);
        set(&mut self.library_config, patch.library_config);
        set(&mut self.source_details, patch.source_details);
        set(&mut self.regulation_details, patch.regulation_details);
        set(&mut self.unset_finished_at, patch.unset_finished_at);
        set(&mut self.any_case_types, patch.any_case_types);
        set(&mut self.max_values, patch.max_values);
        set(&mut self.max_body_bytes, patch.max_body_bytes);
        set(&mut self.oversize, patch.oversize);
        set(&mut self.monthly_users, patch.monthly_users);
        set(&mut self.monthly_users_segment_only, patch.monthly_users_segment_only);
        set(&mut self.quota_counts, patch.quota_counts);
        set(&mut self.initialized_seconds, patch.initialized_seconds);
        set(&mut self.running_seconds, patch.running_seconds);
        set(&mut self.remembered_days, patch.remembered_days);
        set(&mut self.unsupported_destinations, patch.unsupported_destinations);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_and_absent_differ() {
        let mut knobs = Knobs::default();
        knobs.apply(serde_json::from_str(r#"{"monthly_users": null, "page_size": 0}"#).unwrap());
        assert_eq!(knobs, Knobs { monthly_users: None, page_size: 1, ..Knobs::default() });
    }
}
