//! What fuzzing runs: every method of a connector against whatever a vendor may answer, and every other piece of text
//! that comes from outside. Only with the feature `testing`; `fuzz/` and the tests call it with bytes.
//!
//! A run fails by a panic: one of the code that is tried, or one of the assertions here. They hold for every vendor and
//! know none.

mod finding;
mod input;
mod outside;
mod seeds;
#[cfg(test)]
mod tests;
mod vendor;

use std::future::Future;

pub use outside::outside_texts;
pub use seeds::{dictionary, seeds};
pub use vendor::vendor;

/// The target that takes texts apart which come from elsewhere than a vendor's answers.
pub const OUTSIDE_TEXTS: &str = "outside_texts";
/// Every target: one for each vendor, by the integration's name, and one for everything else.
pub const TARGETS: [&str; 5] = ["readycloud", "qualtrics", "segment_config", "webhook", OUTSIDE_TEXTS];

/// One run of a target.
///
/// # Panics
/// If what is tried is not as it has to be.
pub fn target(name: &str, data: &[u8]) {
    if name == OUTSIDE_TEXTS { outside_texts(data) } else { vendor(name, data) }
}

/// When every run takes place.
const NOW: &str = "2026-03-01T12:00:00Z";
/// The credential of every run; no host name can hold it, and a host name is all that an error may repeat of what a
/// vendor says.
const SECRET: &str = "planted|s3cret";
/// The person of every run.
const EMAIL: &str = "person-1@example.test";
/// The same person.
const USER_ID: &str = "planted|person";

/// Runs a piece of work to its end, on this thread.
fn run(work: impl Future<Output = ()>) {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime = {
            let made = tokio::runtime::Builder::new_current_thread().build();
            made.unwrap_or_else(|error| panic!("no runtime can be made: {error}"))
        };
    }
    RUNTIME.with(|runtime| runtime.block_on(work));
}

/// Whatever is shown, logged or stored in clear holds neither the credential nor the person.
fn assert_says_nothing(text: &str) {
    for planted in [SECRET, EMAIL, USER_ID] {
        assert!(!text.contains(planted), "a planted value is told: {text}");
    }
}
