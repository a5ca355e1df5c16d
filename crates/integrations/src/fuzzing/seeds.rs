//! What fuzzing begins with: the recordings, and texts as they really come.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{OUTSIDE_TEXTS, SECRET, input, outside};
use crate::client::recording::{Body, Recording};

/// The target that has no recordings.
const WEBHOOK: &str = "webhook";
/// Words of the webhook protocol.
const PROTOCOL: [&str; 18] = [
    "\"job\":",
    "\"status\":",
    "completed",
    "pending",
    "failed",
    "unknown",
    "\"records\":",
    "\"files\":",
    "\"id\":",
    "\"kind\":",
    "\"title\":",
    "\"fields\":",
    "\"name\":",
    "\"content\":",
    "\"nothing_held\":",
    "\"exceptions\":",
    "\"capabilities\":",
    "\"system\":",
];

/// Longer texts are no words but ids.
const LONGEST_WORD: usize = 36;

/// The inputs that a target begins with.
#[must_use]
pub fn seeds(target: &str, recordings: &[Recording]) -> Vec<Vec<u8>> {
    if target == OUTSIDE_TEXTS {
        return outside::SEEDS.iter().map(|texts| texts.join("\x1e").into_bytes()).collect();
    }
    if target == WEBHOOK {
        return input::protocol();
    }
    recordings.iter().filter(|one| one.integration == target).flat_map(input::seeds).collect()
}

/// Words that mean something to a target, in libFuzzer's form of a dictionary.
#[must_use]
pub fn dictionary(target: &str, recordings: &[Recording]) -> String {
    let mut words = BTreeSet::from(["\x1e".to_owned(), SECRET.to_owned(), "sgp_".to_owned()]);
    for recording in recordings.iter().filter(|one| one.integration == target) {
        for turn in &recording.turns {
            if let Body::Json(value) = &turn.replied.body {
                collect(value, &mut words);
            }
        }
    }
    // There is no recording of a system of somebody's own: its words are those of our page on the protocol.
    words.extend(PROTOCOL.iter().filter(|_| target == WEBHOOK).map(|word| (*word).to_owned()));
    for seed in outside::SEEDS.iter().filter(|_| target == OUTSIDE_TEXTS) {
        words.extend(seed.iter().map(|text| (*text).to_owned()));
    }
    words
        .iter()
        .filter(|word| (1..=LONGEST_WORD).contains(&word.len()))
        .map(|word| format!("\"{}\"\n", word.bytes().map(escaped).collect::<String>()))
        .collect()
}

fn collect(value: &Value, words: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => drop(words.insert(value_or_text(text))),
        Value::Array(list) => list.iter().for_each(|one| collect(one, words)),
        Value::Object(fields) => {
            for (key, value) in fields {
                words.insert(format!("\"{key}\":"));
                collect(value, words);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Stand-ins differ in their number only; one is enough.
fn value_or_text(text: &str) -> String {
    if text.starts_with("text-") { "\"text-1\"".to_owned() } else { format!("\"{text}\"") }
}

fn escaped(byte: u8) -> String {
    if byte.is_ascii_graphic() && !b"\"\\".contains(&byte) {
        char::from(byte).to_string()
    } else {
        format!("\\x{byte:02X}")
    }
}
