//! What can be set differently: limits, page sizes, and every point the vendor reference leaves open.

use serde::{Deserialize, Deserializer, Serialize};

/// In which shape refusals of credentials are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorDialect {
    /// `{"error": "...", "error_description": "..."}`, as the vendor's published OAuth library writes it.
    Oauth2app,
    /// `{"detail": "..."}`, as its web framework would.
    Drf,
}

/// What happens on the authorize page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Consent {
    /// The user presses "Allow Access" at once.
    Allow,
    /// The user presses "Deny" at once.
    Deny,
    /// A page with both links is shown.
    Ask,
}

/// What answers a write whose path lacks the slash at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlashlessWrite {
    /// 500 with a page.
    ServerError,
    /// 404 with a page: easily taken for "already deleted".
    NotFound,
    /// 301 to the path with the slash.
    Redirect,
}

/// How the simulator behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Knobs {
    /// GET calls per client in any 60 seconds; `None` is no limit.
    pub get_per_minute: Option<u32>,
    /// All other calls per client in any 60 seconds; `None` is no limit.
    pub other_per_minute: Option<u32>,
    /// Whether 429 says in `Retry-After` how long to wait.
    pub retry_after: bool,
    /// Shape of 401 and 403.
    pub error_dialect: ErrorDialect,
    /// Page size when the call names none.
    pub page_size: usize,
    /// The largest page size; a call that asks for more gets this.
    pub page_cap: usize,
    /// The user's answer on the authorize page.
    pub consent: Consent,
    /// The answer to a write without the slash at the end.
    pub slashless_write: SlashlessWrite,
    /// Whether a contact's orders can be read with a contact scope alone.
    pub contact_scope_reads_orders: bool,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            get_per_minute: Some(30),
            other_per_minute: Some(30),
            retry_after: true,
            // Own choice: what the vendor has published comes before what is inferred.
            error_dialect: ErrorDialect::Oauth2app,
            page_size: 20,
            page_cap: 100,
            consent: Consent::Allow,
            // Own choice: the loudest of the three, so that the mistake is not taken for an answer.
            slashless_write: SlashlessWrite::ServerError,
            contact_scope_reads_orders: false,
        }
    }
}

/// A change of some knobs: what is left out stays. For the limits `null` means no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KnobsPatch {
    /// See [`Knobs::get_per_minute`].
    #[serde(deserialize_with = "present")]
    pub get_per_minute: Option<Option<u32>>,
    /// See [`Knobs::other_per_minute`].
    #[serde(deserialize_with = "present")]
    pub other_per_minute: Option<Option<u32>>,
    /// See [`Knobs::retry_after`].
    pub retry_after: Option<bool>,
    /// See [`Knobs::error_dialect`].
    pub error_dialect: Option<ErrorDialect>,
    /// See [`Knobs::page_size`]; at least 1.
    pub page_size: Option<usize>,
    /// See [`Knobs::page_cap`]; at least 1.
    pub page_cap: Option<usize>,
    /// See [`Knobs::consent`].
    pub consent: Option<Consent>,
    /// See [`Knobs::slashless_write`].
    pub slashless_write: Option<SlashlessWrite>,
    /// See [`Knobs::contact_scope_reads_orders`].
    pub contact_scope_reads_orders: Option<bool>,
}

/// Tells `null` (no limit) from a field that is left out (no change).
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<u32>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl Knobs {
    pub(super) fn apply(&mut self, patch: KnobsPatch) {
        fn set<T>(knob: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *knob = value;
            }
        }
        set(&mut self.get_per_minute, patch.get_per_minute);
        set(&mut self.other_per_minute, patch.other_per_minute);
        set(&mut self.retry_after, patch.retry_after);
        set(&mut self.error_dialect, patch.error_dialect);
        set(&mut self.page_size, patch.page_size.map(|size| size.max(1)));
        set(&mut self.page_cap, patch.page_cap.map(|cap| cap.max(1)));
        set(&mut self.consent, patch.consent);
        set(&mut self.slashless_write, patch.slashless_write);
        set(&mut self.contact_scope_reads_orders, patch.contact_scope_reads_orders);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_and_absent_differ() {
        let mut knobs = Knobs::default();
        knobs.apply(serde_json::from_str(r#"{"get_per_minute": null, "page_size": 0}"#).unwrap());
        assert_eq!(knobs, Knobs { get_per_minute: None, page_size: 1, ..Knobs::default() });
    }
}
