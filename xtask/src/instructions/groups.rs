//! Which part of the program a function belongs to.

use std::collections::BTreeMap;

/// Instructions by group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts(pub(super) BTreeMap<String, u64>);

impl Counts {
    pub(super) fn of(functions: BTreeMap<(String, String), u64>) -> Self {
        let mut counts = BTreeMap::new();
        for ((object, function), count) in functions {
            *counts.entry(group(&object, &function).to_owned()).or_default() += count;
        }
        Self(counts)
    }

    pub(super) fn less(mut self, other: &Self) -> Self {
        for (group, count) in &mut self.0 {
            *count = count.saturating_sub(other.0.get(group).copied().unwrap_or(0));
        }
        self
    }

    pub(super) fn each(mut self, requests: u64) -> Self {
        self.0.values_mut().for_each(|count| *count /= requests);
        self
    }

    pub(super) fn total(&self) -> u64 {
        self.0.values().sum()
    }
}

/// Libraries that are worth telling apart, by the beginning of their names. Our own crates are groups of their own.
const LIBRARIES: &[(&str, &[&str])] = &[
    ("sealing", &["chacha20", "poly1305", "aead", "cipher", "universal_hash", "zeroize", "inout"]),
    ("JSON", &["serde", "itoa", "ryu", "zmij"]),
    ("sqlx", &["sqlx"]),
    ("tasks", &["tokio", "futures", "flume", "parking", "event_listener", "async_", "crossbeam"]),
    ("ZIP", &["zip", "zlib", "flate2", "crc32", "miniz"]),
    ("templates", &["askama", "textwrap", "unicode"]),
    ("time", &["jiff"]),
    ("tracing and metrics", &["tracing", "metrics"]),
    ("standard library", &["core", "alloc", "std", "hashbrown", "memchr"]),
];

fn group<'f>(object: &str, function: &'f str) -> &'f str {
    let object = object.rsplit('/').next().unwrap_or_default();
    if ["libc.so", "libc-", "libm.so", "ld-linux", "libgcc", "libpthread"]
        .iter()
        .any(|one| object.starts_with(one))
    {
        return "C library (memory)";
    }
    let Some(krate) = krate(function) else {
        // What is not Rust is one of two libraries in C; one prefixes everything.
        let is_cryptography =
            function.contains("aws_lc") || function.starts_with("bn_") || function.starts_with("fiat_");
        return if is_cryptography { "hashes and signatures" } else { "SQLite" };
    };
    if krate.starts_with("aws_lc") {
        return "hashes and signatures";
    }
    if krate.starts_with("habeas") {
        return krate;
    }
    let library = LIBRARIES.iter().find(|(_, names)| names.iter().any(|name| krate.starts_with(name)));
    library.map_or("other", |(group, _)| group)
}

/// The crate in a name such as `<alloc::vec::Vec<T> as core::ops::Drop>::drop`.
fn krate(function: &str) -> Option<&str> {
    // callgrind names the second and later levels of a recursion `name'2`.
    let start = function.find(|first: char| first.is_alphanumeric() || first == '_')?;
    let rest = &function[start..];
    let rest =
        ["mut ", "dyn ", "const "].iter().fold(rest, |rest, word| rest.strip_prefix(word).unwrap_or(rest));
    rest.contains("::").then(|| rest.split("::").next()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_find_their_group() {
        for (object, function, expected) in [
            ("/t/hot_path", "habeas_store::audit::append::{closure#0}", "habeas_store"),
            ("/t/hot_path", "<habeas_casework::work::Report>::whole", "habeas_casework"),
            ("/t/hot_path", "<alloc::vec::Vec<u8> as core::ops::drop::Drop>::drop", "standard library"),
            ("/t/hot_path", "<&mut serde_json::ser::Serializer<W> as serde::Serializer>::x", "JSON"),
            ("/t/hot_path", "sqlite3VdbeExec", "SQLite"),
            ("/t/hot_path", "balance_nonroot'2", "SQLite"),
            ("/t/hot_path", "aws_lc_0_37_0_sha256_block_data_order_avx", "hashes and signatures"),
            ("/lib/x86_64-linux-gnu/libc.so.6", "__memcpy_avx_unaligned_erms", "C library (memory)"),
            ("/t/hot_path", "brotli::enc::x", "other"),
        ] {
            assert_eq!(group(object, function), expected, "{function}");
        }
    }

    #[test]
    fn what_starting_costs_is_taken_off() {
        let counts = |store: u64, json: u64| {
            Counts(BTreeMap::from([("habeas_store".to_owned(), store), ("JSON".to_owned(), json)]))
        };
        let each = counts(1_100, 90).less(&counts(100, 90)).each(10);
        assert_eq!((each.total(), each), (100, counts(100, 0)));
    }
}
