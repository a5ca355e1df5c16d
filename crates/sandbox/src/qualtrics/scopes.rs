//! OAuth scopes: which exist, and which cover which.

use std::collections::BTreeSet;

/// What scopes are about; each exists with `manage:`, `read:` and `write:` (own choice: the reference says
/// "most of these").
const SUBJECTS: [&str; 23] = [
    "activity_logs",
    "all",
    "contact_frequency_rules",
    "contact_transactions",
    "customer_data_requests",
    "directories",
    "directory_contacts",
    "distributions",
    "divisions",
    "erasure_requests",
    "groups",
    "libraries",
    "mailing_list_contacts",
    "mailing_lists",
    "organizations",
    "participants",
    "samples",
    "subscriptions",
    "survey_responses",
    "survey_sessions",
    "surveys",
    "tickets",
    "users",
];

pub(super) fn exists(scope: &str) -> bool {
    match scope.split_once(':') {
        Some(("manage" | "read" | "write", subject)) => SUBJECTS.contains(&subject),
        _ => matches!(scope, "openid" | "profile"),
    }
}

/// Own choice: `manage:` covers reading and writing the same, and `manage:all` covers everything.
pub(super) fn cover(granted: &BTreeSet<String>, needed: &str) -> bool {
    let subject = needed.split_once(':').map_or(needed, |(_, subject)| subject);
    granted.contains(needed)
        || granted.contains("manage:all")
        || granted.contains(&format!("manage:{subject}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn existing_and_covering() {
        for scope in ["read:users", "manage:all", "write:surveys", "openid"] {
            assert!(exists(scope), "{scope}");
        }
        for scope in ["users", "delete:users", "read:nothing", "", "read:openid"] {
            assert!(!exists(scope), "{scope}");
        }
        let granted = |scope: &str| BTreeSet::from([scope.to_owned()]);
        assert!(cover(&granted("manage:directory_contacts"), "read:directory_contacts"));
        assert!(cover(&granted("manage:all"), "read:users"));
        assert!(!cover(&granted("read:directory_contacts"), "manage:directory_contacts"));
        assert!(!cover(&granted("read:directories"), "read:directory_contacts"));
    }
}
