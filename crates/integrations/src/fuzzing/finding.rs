//! What a connector may come to.

use std::collections::HashSet;

use super::assert_says_nothing;
use crate::{
    CheckReport, Collected, Detection, FoundRecord, Manifest, Presence, Progress, Residual, ScanPage,
    VendorError,
};

/// Found is never more than a vendor said, times this: a record may repeat a name, and numbers grow when they are
/// written anew.
const MOST_TIMES: usize = 32;
/// What comes besides, of each record and in all.
const BESIDES: usize = 4096;
/// More exceptions are not named one by one, and none of their texts is longer.
const MOST_EXCEPTIONS: usize = 1000;

/// How much there can be.
pub(super) struct Bound {
    /// How many bytes the vendor can have answered.
    pub(super) answered: usize,
    /// How many people were asked for.
    pub(super) people: usize,
}

impl Bound {
    pub(super) fn page(&self, page: &ScanPage) {
        assert!(page.matches.iter().all(|found| found.subject < self.people), "a match belongs to nobody");
        self.records(page.matches.iter().map(|found| &found.record));
        residuals(&page.residuals);
        if let Some(cursor) = &page.next {
            let written = cursor.0.to_string();
            assert_says_nothing(&written);
            assert!(written.len() <= BESIDES + MOST_TIMES * self.answered, "a cursor grows beyond bounds");
        }
    }

    pub(super) fn collected(&self, found: &Collected) {
        let mut ids = HashSet::new();
        assert!(found.records.iter().all(|one| ids.insert(&one.vendor_id)), "two records have one id");
        self.records(found.records.iter());
        residuals(&found.residuals);
    }

    fn records<'a>(&self, records: impl Iterator<Item = &'a FoundRecord>) {
        let (mut bytes, mut count) = (0, 0);
        for record in records {
            count += 1;
            bytes += serde_json::to_vec(record).map_or(0, |written| written.len());
            assert!(!record.kind.is_empty() && !record.vendor_id.is_empty() && !record.title.is_empty());
            assert_says_nothing(&format!("{record:?} {:?}", record.file));
        }
        assert!(count <= self.answered * self.people, "more is found than there was");
        assert!(
            bytes <= BESIDES * (1 + count) + MOST_TIMES * self.answered * self.people,
            "found grows beyond bounds"
        );
    }
}

pub(super) fn report(report: &CheckReport, manifest: &Manifest) {
    let named: Vec<&str> = report.permissions.iter().map(|one| one.permission.as_str()).collect();
    let needed: Vec<&str> = manifest.permissions.iter().map(|one| one.permission).collect();
    assert_eq!(named, needed, "a check reports on every permission");
    report.warnings.iter().for_each(|warning| assert_says_nothing(warning));
}

/// What is shown of other systems is bounded and harmless.
pub(super) fn detection(found: &Detection) {
    assert_says_nothing(&format!("{found:?}"));
    let mut keys = HashSet::new();
    for system in &found.systems {
        assert!(keys.insert(&system.key), "two systems have one key");
        assert!(
            !system.name.is_empty() && !system.evidence.is_empty(),
            "a system without a name or evidence"
        );
        assert!(!system.name.contains(['@', '<', '\n']), "a name that is not harmless");
    }
    residuals(&found.unseen);
}

pub(super) fn presence(presence: &Presence) {
    if let Presence::Gone { unsearched } = presence {
        residuals(unsearched);
    }
}

pub(super) fn progress(progress: &Progress, explained: impl Fn(&VendorError)) {
    match progress {
        Progress::Failed(error) => explained(error),
        Progress::Done(erased) => {
            assert!(erased.exceptions.len() <= MOST_EXCEPTIONS, "more is named than anybody reads");
            let is_short = |text: &str| text.chars().count() <= MOST_EXCEPTIONS;
            assert!(erased.exceptions.iter().all(|one| is_short(&one.system) && is_short(&one.vendor_text)));
        }
        Progress::Pending | Progress::Forgotten => {}
    }
}

fn residuals(residuals: &[Residual]) {
    for residual in residuals {
        assert!(!residual.what.is_empty() && !residual.why.is_empty());
        assert_says_nothing(&format!("{} {}", residual.what, residual.why));
    }
}
