//! `habeas bench`: what it prints is read by programs.

use habeas_testing::{TestDatabase, block_on};
use serde_json::Value;

use crate::support::{finish, program, words};

/// What other programs rely on, whatever the database.
const CONTRACT: [&str; 12] = [
    "requests",
    "right",
    "database",
    "seconds",
    "requests_per_second",
    "latency_ms",
    "cpu_ms_per_request",
    "peak_rss_mib",
    "rss_mib",
    "vendor_calls",
    "statements_per_request",
    "commits",
];

fn bench(arguments: &str) -> Value {
    finish(program().arg("bench").args(words(arguments))).expect(0).json()
}

fn is_positive(result: &Value, name: &str) -> bool {
    result[name].as_f64().is_some_and(|value| value > 0.0)
}

#[test]
fn it_measures_requests_carried_to_their_end() {
    for right in ["access", "deletion"] {
        let result =
            bench(&format!("--requests 40 --warmup 5 --vendor-latency-ms 1 --workers 1 --right {right}"));
        for name in CONTRACT {
            assert!(!result[name].is_null(), "{name} is missing in {result}");
        }
        assert_eq!((&result["right"], &result["database"]), (&right.into(), &"sqlite".into()));
        assert_eq!((&result["requests"], &result["vendor_calls"]), (&40.into(), &40.into()));
        for name in ["requests_per_second", "commits", "database_bytes", "rss_mib"] {
            assert!(is_positive(&result, name), "{name} in {result}");
        }
        for name in ["database_cpu_ms_per_request", "wal_bytes_per_request", "fsyncs_per_request"] {
            assert_eq!(result[name], Value::Null, "SQLite has no {name}");
        }
        let latency = &result["latency_ms"];
        assert!(latency["p50"].as_u64() <= latency["p95"].as_u64(), "{result}");
    }
}

#[test]
fn it_measures_a_server_together_with_the_product() {
    block_on(async {
        let database = TestDatabase::postgres().await.without_schema().await;
        let arguments =
            format!("--requests 40 --warmup 0 --vendor-latency-ms 1 --database {}", database.url());
        let result = bench(&arguments);
        assert_eq!((&result["database"], &result["vendor_calls"]), (&"postgres".into(), &40.into()));
        assert!(is_positive(&result, "wal_bytes_per_request"), "{result}");
        assert!(result["database_cpu_ms_per_request"].is_f64(), "{result}");
        assert_eq!(result["processes"], 1);
        // Whose database it is now cannot be told; nothing in it is touched.
        finish(program().arg("bench").args(words(&arguments)))
            .expect(1)
            .complaining(&["empty database", "nothing was changed"]);
    });
}

#[test]
fn several_processes_share_the_work() {
    block_on(async {
        let database = TestDatabase::postgres().await.without_schema().await;
        let result = bench(&format!(
            "--requests 60 --warmup 10 --vendor-latency-ms 1 --right deletion --processes 2 --database {}",
            database.url()
        ));
        assert_eq!((&result["processes"], &result["vendor_calls"]), (&2.into(), &60.into()));
    });
}

#[test]
fn requests_arrive_at_a_rate() {
    let result = bench("--requests 20 --warmup 0 --vendor-latency-ms 1 --rate 40");
    assert_eq!((&result["rate"], &result["vendor_calls"]), (&40.0.into(), &20.into()));
    // The last one arrives after 19 fortieths of a second.
    assert!(result["seconds"].as_f64().is_some_and(|seconds| seconds >= 0.47), "{result}");
    assert!(result["intake_ms"]["p99"].is_u64() && result["latency_ms"]["p99"].is_u64(), "{result}");
}

#[test]
fn requests_stay_open() {
    for (waiting, calls) in [("contact", 0), ("review", 30)] {
        let result = bench(&format!("--open 30 --vendor-latency-ms 1 --waiting-for {waiting}"));
        assert_eq!((&result["open"], &result["waiting_for"]), (&30.into(), &waiting.into()));
        assert_eq!(result["vendor_calls"], calls);
        assert!(is_positive(&result, "rss_mib") && is_positive(&result, "database_bytes"), "{result}");
    }
}

#[test]
fn what_cannot_be_measured_is_refused() {
    for (arguments, said) in [
        ("--requests 0", "at least 1"),
        ("--workers 0", "at least 1"),
        ("--open 0", "at least 1"),
        ("--rate 0", "above 0"),
        ("--rate fast", "above 0"),
        ("--open 5 --rate 5", "cannot be used with"),
        ("--waiting-for review", "--open"),
        ("--right rectification", "access, deletion"),
    ] {
        finish(program().arg("bench").args(words(arguments))).expect(2).complaining(&[said]);
    }
    finish(program().args(words("bench --processes 2")))
        .expect(1)
        .complaining(&["SQLite belongs to one process", "--database"]);
    finish(program().args(words("bench --database mysql://127.0.0.1/habeas"))).expect(1).complaining(&[
        "mysql",
        "sqlite://",
        "postgres://",
    ]);
}
