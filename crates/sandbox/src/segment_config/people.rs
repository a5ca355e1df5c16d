//! Whose data the vendor holds, and whose it refuses to take.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

/// What is known under one user id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Profile {
    /// The id under which the data came in.
    pub user_id: String,
    /// The `email` trait, where one was sent.
    pub email: Option<String>,
    /// Slugs of the sources that sent data.
    pub sources: BTreeSet<String>,
}

/// Profiles by user id. Own choice: user ids are compared exactly; `+`, case and spaces matter.
#[derive(Debug, Default)]
pub(super) struct People(BTreeMap<String, Profile>);

impl People {
    /// Data of this user id came in from a source.
    pub(super) fn record(&mut self, user_id: &str, email: Option<&str>, source: &str) {
        let profile = self.0.entry(user_id.to_owned()).or_insert_with(|| Profile {
            user_id: user_id.to_owned(),
            email: None,
            sources: BTreeSet::new(),
        });
        profile.sources.insert(source.to_owned());
        if let Some(email) = email {
            profile.email = Some(email.to_owned());
        }
    }

    /// Forgets what one source sent; the profile goes with its last source.
    pub(super) fn erase(&mut self, user_id: &str, source: &str) {
        if let Some(profile) = self.0.get_mut(user_id) {
            profile.sources.remove(source);
            if profile.sources.is_empty() {
                self.0.remove(user_id);
            }
        }
    }

    pub(super) fn get(&self, user_id: &str) -> Option<&Profile> {
        self.0.get(user_id)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Profile> {
        self.0.values()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// User ids whose data carries this email, ignoring case and outer white space.
    pub(super) fn with_email(&self, email: &str) -> Vec<String> {
        let same = |other: &str| other.trim().eq_ignore_ascii_case(email.trim());
        let found = self.0.values().filter(|profile| profile.email.as_deref().is_some_and(same));
        found.map(|profile| profile.user_id.clone()).collect()
    }
}

/// Who is suppressed: for the whole workspace, or for single sources.
#[derive(Debug, Default)]
pub(super) struct Suppressions {
    workspace: BTreeSet<String>,
    sources: BTreeMap<String, BTreeSet<String>>,
}

impl Suppressions {
    /// `source` is `None` for the whole workspace.
    pub(super) fn add(&mut self, source: Option<&str>, user_id: &str) {
        self.set(source).insert(user_id.to_owned());
    }

    /// False when a suppression of the whole workspace stands against lifting it for one source.
    pub(super) fn lift(&mut self, source: Option<&str>, user_id: &str) -> bool {
        if source.is_some() && self.workspace.contains(user_id) {
            return false;
        }
        self.set(source).remove(user_id);
        true
    }

    /// Whether data of this user id from this source is thrown away.
    pub(super) fn covers(&self, source: &str, user_id: &str) -> bool {
        self.workspace.contains(user_id) || self.sources.get(source).is_some_and(|all| all.contains(user_id))
    }

    /// Those suppressed for the whole workspace.
    pub(super) fn in_workspace(&self) -> &BTreeSet<String> {
        &self.workspace
    }

    fn set(&mut self, source: Option<&str>) -> &mut BTreeSet<String> {
        match source {
            None => &mut self.workspace,
            Some(source) => self.sources.entry(source.to_owned()).or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_goes_with_its_last_source() {
        let mut people = People::default();
        people.record("u-1", Some("A@example.test"), "web");
        people.record("u-1", None, "ios");
        assert_eq!(people.with_email(" a@example.test"), ["u-1"]);
        people.erase("u-1", "web");
        assert!(people.get("u-1").is_some());
        people.erase("u-1", "ios");
        assert_eq!((people.len(), people.get("u-1")), (0, None));
    }

    #[test]
    fn the_workspace_wins_over_a_source() {
        let mut suppressions = Suppressions::default();
        suppressions.add(Some("web"), "u-1");
        assert!(suppressions.covers("web", "u-1") && !suppressions.covers("ios", "u-1"));
        suppressions.add(None, "u-1");
        assert!(suppressions.covers("ios", "u-1"));
        assert!(!suppressions.lift(Some("web"), "u-1"));
        assert!(suppressions.lift(None, "u-1"));
        assert!(suppressions.covers("web", "u-1"), "the source has its own");
        assert!(suppressions.lift(Some("web"), "u-1"));
        assert!(!suppressions.covers("web", "u-1"));
    }
}
