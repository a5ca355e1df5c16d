//! One address with different names may be two people: then nothing goes on without a person.

use std::collections::BTreeSet;

use habeas_integrations::{FoundRecord, Residual};

const WHAT: &str = "different names";

/// What to say of a run whose records name different people; `None` if they do not.
pub(crate) fn flag<'r>(records: impl IntoIterator<Item = &'r FoundRecord>) -> Option<Residual> {
    let names: BTreeSet<String> =
        records.into_iter().filter_map(|record| record.person.as_deref()).map(comparable).collect();
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

/// Case and spacing do not make another person.
fn comparable(name: &str) -> String {
    name.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(person: Option<&str>) -> FoundRecord {
        FoundRecord {
            kind: "contact".to_owned(),
            vendor_id: "1".to_owned(),
            title: "a contact".to_owned(),
            person: person.map(str::to_owned),
            fields: serde_json::Map::new(),
            file: None,
        }
    }

    #[test]
    fn names_that_differ_are_flagged_without_being_repeated() {
        let records = [record(Some("Ana Silva")), record(Some("Rui Costa")), record(None)];
        let flag = flag(&records).unwrap();
        assert!(is_flagged(&serde_json::json!([flag])));
        assert!(!flag.why.contains("Ana") && flag.why.contains("2 different names"));
    }

    #[test]
    fn one_name_written_in_two_ways_is_one_person() {
        assert_eq!(flag(&[record(Some("Ana Silva")), record(Some(" ANA  silva")), record(None)]), None);
        assert!(!is_flagged(&serde_json::json!([])));
    }
}
