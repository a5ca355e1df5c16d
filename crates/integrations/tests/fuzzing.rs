//! What fuzzing runs (`fuzz/`), over the recorded answers and over a few hundred changes of them that are the same every
//! time: so a connector that breaks on what it is likely to meet shows it here.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::path::Path;

use habeas_integrations::client::recording::Recording;
use habeas_integrations::fuzzing::{TARGETS, dictionary, seeds, target};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngSeed, TestRunner};

fn seeds_of(name: &str) -> Vec<Vec<u8>> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    seeds(name, &Recording::all(&fixtures).unwrap())
}

/// A change of the kind that a fuzzer makes, or a vendor.
#[derive(Clone, Debug)]
enum Change {
    Replace(Index, u8),
    Insert(Index, Vec<u8>),
    Cut(Index, usize),
    Double(Index, usize),
    End(Index),
}

impl Change {
    fn any() -> impl Strategy<Value = Self> {
        let at = any::<Index>;
        let interesting =
            || prop_oneof![any::<u8>(), Just(0), Just(0x1e), Just(b'"'), Just(b'{'), Just(b'-'), Just(b'9')];
        prop_oneof![
            (at(), interesting()).prop_map(|(at, byte)| Self::Replace(at, byte)),
            (at(), vec(interesting(), 1..8)).prop_map(|(at, bytes)| Self::Insert(at, bytes)),
            (at(), 1_usize..200).prop_map(|(at, length)| Self::Cut(at, length)),
            (at(), 1_usize..200).prop_map(|(at, length)| Self::Double(at, length)),
            at().prop_map(Self::End),
        ]
    }

    fn make(&self, data: &mut Vec<u8>) {
        let (Self::Replace(at, _)
        | Self::Insert(at, _)
        | Self::Cut(at, _)
        | Self::Double(at, _)
        | Self::End(at)) = self;
        let at = at.index(data.len() + 1);
        let until = |length: usize| (at + length).min(data.len());
        match self {
            Self::Replace(_, byte) if at < data.len() => data[at] = *byte,
            Self::Replace(_, byte) => data.push(*byte),
            Self::Insert(_, bytes) => drop(data.splice(at..at, bytes.iter().copied())),
            Self::Cut(_, length) => drop(data.drain(at..until(*length))),
            Self::Double(_, length) => {
                let part = data[at..until(*length)].to_vec();
                data.splice(at..at, part);
            }
            Self::End(_) => data.truncate(at),
        }
    }
}

#[test]
fn what_was_recorded_is_survived() {
    for name in TARGETS {
        let seeds = seeds_of(name);
        assert!(seeds.len() >= 8, "{name} begins with {} inputs", seeds.len());
        seeds.iter().for_each(|seed| target(name, seed));
    }
}

#[test]
fn what_changed_is_survived() {
    for name in TARGETS {
        let seeds = seeds_of(name);
        let config = Config {
            cases: 300,
            rng_seed: RngSeed::Fixed(1),
            failure_persistence: None,
            ..Config::default()
        };
        let inputs = (any::<Index>(), 0..255_u8, vec(Change::any(), 1..12));
        let tried = TestRunner::new(config).run(&inputs, |(seed, options, changes)| {
            let mut data = seed.get(&seeds).clone();
            if let Some(choice) = data.get_mut(1) {
                *choice = options;
            }
            changes.iter().for_each(|change| change.make(&mut data));
            target(name, &data);
            Ok(())
        });
        tried.unwrap_or_else(|failure| panic!("{name}: {failure}"));
    }
}

#[test]
fn dictionaries_are_in_libfuzzers_form() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let recordings = Recording::all(&fixtures).unwrap();
    for name in TARGETS {
        let dictionary = dictionary(name, &recordings);
        assert!(dictionary.lines().count() > 10, "{name}");
        for line in dictionary.lines() {
            let word = line.strip_prefix('"').and_then(|line| line.strip_suffix('"')).unwrap();
            assert!(
                !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"'),
                "{line}"
            );
        }
    }
}
