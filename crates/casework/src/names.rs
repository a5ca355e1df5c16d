//! One address with different names may be two people: then nothing goes on without a person.

use std::collections::BTreeSet;

use habeas_integrations::Residual;

const WHAT: &str = "different names";

/// What to say of a run whose records name these people; `None` if they are one.
pub(crate) fn flag<'r>(people: impl IntoIterator<Item = Option<&'r str>>) -> Option<Residual> {
    let names: BTreeSet<String> = people.into_iter().flatten().map(comparable).collect();
    (names.len() > 1).then(|| Residual {
        what: WHAT.to_owned(),
        why: format!(
            "the records found under this person's address carry {} different names and may belong to different \
             people; look at each and leave only this person's selected",
            names.len()
        ),
    })
}

/// Whether a run was flagged.
pub(crate) fn is_flagged(residuals: &serde_json::Value) -> bool {
    residuals.as_array().into_iter().flatten().any(|residual| residual["what"] == WHAT)
}

/// Whether this says so: a note for reviewers, not for the person.
pub(crate) fn is_the_flag(residual: &Residual) -> bool {
    residual.what == WHAT
}

/// Case and spacing do not make another person.
fn comparable(name: &str) -> String {
    name.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_are_flagged_without_being_repeated() {
        let flag = flag([Some("Ana Silva"), Some("Rui Costa"), None]).unwrap();
        assert!(is_flagged(&serde_json::json!([flag])));
        assert!(!flag.why.contains("Ana") && flag.why.contains("2 different names"));
    }

    #[test]
    fn one_name_written_in_two_ways_is_one_person() {
        assert_eq!(flag([Some("Ana Silva"), Some(" ANA  silva"), None]), None);
        assert!(!is_flagged(&serde_json::json!([])));
    }
}
