//! The kept count, and what counts as more than it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context as _;
use serde_json::{Value, json};

use super::groups::Counts;
use crate::process::root;

/// What a total may grow by before it is a change, in per cent. Runs of one build differ by up to 1.6 on a busy machine: SQLite
/// works on a thread of its own, and which units share a commit depends on when it answers.
const TOLERANCE: u64 = 3;
/// What one group may grow by, in per cent of the total: what one part loses may not hide in what others gain.
const TOLERANCE_OF_A_GROUP: u64 = 2;

/// Counts of instructions for one request, and what they were made with.
#[derive(Debug)]
pub(super) struct Record {
    compiler: String,
    architecture: String,
    /// Settings of the release profile that the environment overrode.
    overridden: String,
    pub(super) rights: BTreeMap<String, Counts>,
}

/// What a comparison says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Same,
    Fewer,
    More(Vec<String>),
    Incomparable(String),
}

/// Where the kept count lies.
pub(super) fn path() -> PathBuf {
    root().join("xtask/instructions.json")
}

impl Record {
    /// An empty one for what is built here and now.
    pub(super) fn here() -> anyhow::Result<Self> {
        let compiler = Command::new("rustc").arg("--version").output().context("rustc does not start")?;
        let mut overridden: Vec<String> = std::env::vars()
            .filter(|(name, _)| name.starts_with("CARGO_PROFILE_RELEASE_") || name == "RUSTFLAGS")
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        overridden.sort();
        Ok(Self {
            compiler: String::from_utf8_lossy(&compiler.stdout).trim().to_owned(),
            architecture: std::env::consts::ARCH.to_owned(),
            overridden: overridden.join(" "),
            rights: BTreeMap::new(),
        })
    }

    /// The kept one, if there is one.
    pub(super) fn kept() -> anyhow::Result<Option<Self>> {
        match std::fs::read_to_string(path()) {
            Ok(text) => {
                Ok(Some(Self::parse(&text).with_context(|| format!("{} is damaged", path().display()))?))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("{} cannot be read", path().display())),
        }
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let value: Value = serde_json::from_str(text)?;
        let word = |name: &str| Some(value[name].as_str()?.to_owned());
        let mut rights = BTreeMap::new();
        for (right, groups) in value["instructions_per_request"].as_object().context("no counts")? {
            let counts = groups.as_object().context("no groups")?.iter().map(|(group, count)| {
                Ok((group.clone(), count.as_u64().with_context(|| format!("no count of `{group}`"))?))
            });
            rights.insert(right.clone(), Counts(counts.collect::<anyhow::Result<_>>()?));
        }
        Ok(Self {
            compiler: word("compiler").context("no compiler")?,
            architecture: word("architecture").context("no architecture")?,
            overridden: word("overridden").context("no settings")?,
            rights,
        })
    }

    fn text(&self) -> anyhow::Result<String> {
        let rights: BTreeMap<_, _> = self.rights.iter().map(|(right, counts)| (right, &counts.0)).collect();
        let value = json!({
            "compiler": self.compiler,
            "architecture": self.architecture,
            "overridden": self.overridden,
            "instructions_per_request": rights,
        });
        Ok(serde_json::to_string_pretty(&value)? + "\n")
    }

    pub(super) fn keep(&self) -> anyhow::Result<()> {
        std::fs::write(path(), self.text()?)
            .with_context(|| format!("{} cannot be written", path().display()))
    }

    /// How this one compares with an older one.
    pub(super) fn against(&self, kept: &Self) -> Verdict {
        for (what, here, there) in [
            ("the compiler", &self.compiler, &kept.compiler),
            ("the architecture", &self.architecture, &kept.architecture),
            ("the settings of the release profile", &self.overridden, &kept.overridden),
        ] {
            if here != there {
                return Verdict::Incomparable(format!("{what} was `{there}` and is `{here}`"));
            }
        }
        let (mut more, mut fewer) = (Vec::new(), false);
        let none = Counts::default();
        for (right, counts) in &self.rights {
            let before = kept.rights.get(right).unwrap_or(&none);
            let (total, total_before) = (counts.total(), before.total());
            if total * 100 > total_before * (100 + TOLERANCE) {
                more.push(format!("{right}: {total} in place of {total_before}"));
            }
            fewer |= total * (100 + TOLERANCE) < total_before * 100;
            for (group, count) in &counts.0 {
                let grown = count.saturating_sub(before.0.get(group).copied().unwrap_or(0));
                if grown * 100 > total_before * TOLERANCE_OF_A_GROUP {
                    more.push(format!("{right}: {grown} more in {group}"));
                }
            }
        }
        match (more.is_empty(), fewer) {
            (false, _) => Verdict::More(more),
            (true, true) => Verdict::Fewer,
            (true, false) => Verdict::Same,
        }
    }
}

/// Counts for people, the largest first, beside the kept ones.
pub(super) fn table(counted: &Record, kept: Option<&Record>) -> String {
    let mut text = String::new();
    let mut line = |words: std::fmt::Arguments<'_>| {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{words}");
    };
    for (right, counts) in &counted.rights {
        let before = kept.and_then(|kept| kept.rights.get(right));
        line(format_args!("\n{right}, thousands of instructions for each request"));
        let mut groups: Vec<_> = counts.0.iter().filter(|(_, count)| **count >= 500).collect();
        groups.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let was = |group: &str| before.and_then(|before| before.0.get(group).copied());
        for (group, count) in groups {
            line(format_args!("  {group:<24} {:>8}{}", thousands(*count), compared(*count, was(group))));
        }
        let total = counts.total();
        line(format_args!(
            "  {:<24} {:>8}{}",
            "all",
            thousands(total),
            compared(total, before.map(Counts::total))
        ));
    }
    text
}

fn thousands(count: u64) -> String {
    format!("{}.{}", count / 1_000, count % 1_000 / 100)
}

#[expect(clippy::cast_precision_loss, reason = "per cent for people")]
fn compared(count: u64, before: Option<u64>) -> String {
    let Some(before) = before.filter(|before| *before > 0) else { return String::new() };
    format!("  {:>+6.1} %", (count as f64 / before as f64 - 1.0) * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(store: u64, json: u64) -> Record {
        let counts = BTreeMap::from([("habeas_store".to_owned(), store), ("JSON".to_owned(), json)]);
        Record {
            compiler: "rustc 1".to_owned(),
            architecture: "x86_64".to_owned(),
            overridden: String::new(),
            rights: BTreeMap::from([("access".to_owned(), Counts(counts))]),
        }
    }

    #[test]
    fn a_few_per_cent_are_a_change() {
        let kept = record(60_000, 40_000);
        assert_eq!(record(61_900, 41_000).against(&kept), Verdict::Same);
        assert_eq!(record(58_000, 38_000).against(&kept), Verdict::Fewer);
        assert!(matches!(record(61_900, 41_900).against(&kept), Verdict::More(what) if what.len() == 1));
        // The total is the same, but one part lost what another gained.
        let Verdict::More(what) = record(57_000, 43_000).against(&kept) else { panic!("it is more") };
        assert_eq!(what, ["access: 3000 more in JSON"]);
    }

    #[test]
    fn other_compilers_count_differently() {
        let newer = Record { compiler: "rustc 2".to_owned(), ..record(1, 1) };
        assert!(
            matches!(newer.against(&record(1, 1)), Verdict::Incomparable(why) if why.contains("rustc 2"))
        );
    }

    #[test]
    fn what_is_kept_is_read_again() {
        let kept = Record::parse(&record(60_000, 40_000).text().unwrap()).unwrap();
        assert_eq!(kept.against(&record(60_000, 40_000)), Verdict::Same);
        assert!(Record::parse("{}").is_err());
        let shown = table(&record(66_000, 40_000), Some(&kept));
        assert!(shown.contains("habeas_store") && shown.contains("+10.0 %"), "{shown}");
    }
}
