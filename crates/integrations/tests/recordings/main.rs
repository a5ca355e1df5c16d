//! What each connector says to its vendor, and what it makes of the answers, played back from files
//! (`fixtures/INTEGRATION/ABOUT.json`). `HABEAS_UPDATE_FIXTURES=1 cargo nextest run -p habeas-integrations
//! recordings_are_played_back` records them anew from the sandbox, with credentials that are planted to be looked for in
//! the files.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed step is a failed test")]

mod secrets;
mod vendors;
mod work;

use std::path::PathBuf;

use habeas_environment::{Environment, TestClock};
use habeas_integrations::client::recording::{BASE, Exchange, Playback, Recorder, Recording, Redaction};
use habeas_integrations::{Catalogue, ClientOptions, Connector, Integration, Transport, VendorClient};
use serde_json::Value;
use url::Url;

use vendors::Vendor;

/// Every recording that there is. Segment's API reads nothing about anybody, so there is no access.
const RECORDINGS: [(&str, &str); 19] = [
    ("readycloud", "check"),
    ("readycloud", "missing"),
    ("readycloud", "access"),
    ("readycloud", "deletion"),
    ("readycloud", "following"),
    ("qualtrics", "check"),
    ("qualtrics", "missing"),
    ("qualtrics", "access"),
    ("qualtrics", "deletion"),
    ("qualtrics", "following"),
    ("qualtrics", "failing"),
    ("qualtrics", "reconciling"),
    ("segment_config", "check"),
    ("segment_config", "missing"),
    ("segment_config", "deletion"),
    ("segment_config", "following"),
    ("segment_config", "exceptions"),
    ("segment_config", "failing"),
    ("segment_config", "reconciling"),
];

fn file_of(integration: &str, about: &str) -> PathBuf {
    let fixtures = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    fixtures.join(integration).join(format!("{about}.json"))
}

/// A recording as it stands in its file.
fn written(recording: &Recording) -> String {
    serde_json::to_string_pretty(recording).unwrap() + "\n"
}

fn connector(recording: &Recording, base: &str, transport: Transport) -> Box<dyn Connector> {
    let catalogue = Catalogue::default();
    let integration: &dyn Integration = catalogue.find(&recording.integration).unwrap();
    let environment = Environment::for_test(&TestClock::at(&recording.now.to_string()), 1);
    let base: Url = base.parse().unwrap();
    let overridden = base.scheme() == "http";
    let options = ClientOptions { overridden, ..ClientOptions::new("test", base, environment) };
    let settings = integration.normalise(recording.settings(), recording.now).unwrap();
    integration.connect(&settings, VendorClient::new(options, transport).unwrap()).unwrap()
}

/// What was recorded at the sandbox: as it was, and as it is written down.
struct Recorded {
    exchanges: Vec<Exchange>,
    results: Vec<Value>,
    recording: Recording,
}

/// Does a piece of work at the sandbox and writes down what may be kept of it.
async fn record(integration: &str, about: &str) -> Recorded {
    let vendor = Vendor::start(integration).await;
    vendor.plan(about);
    let plain = vendor.asked_for(about);
    let recorder = Recorder::default();
    let transport = recorder.around(&VendorClient::transport().unwrap()).unwrap();
    let base = vendor.base();
    let talk = connector(&plain, &base, transport);
    let results = work::done(&*talk, &plain, || vendor.wait()).await;
    let exchanges = recorder.exchanges();

    let secrets: Vec<&str> = vendors::PLANTED.to_vec();
    let people = plain.subjects.iter().flatten().map(|(_, value)| value.as_str());
    let hidden: Vec<&str> = secrets.into_iter().chain(people).collect();
    let mut redaction = Redaction::new(vendor.structure(), &base.parse().unwrap(), &hidden);
    let mut recording = plain.clone();
    for (_, value) in recording.subjects.iter_mut().flatten() {
        *value = redaction.replace(value);
    }
    for value in recording.settings.values_mut().filter(|value| vendors::PLANTED.contains(&value.as_str())) {
        *value = redaction.replace(value);
    }
    recording.turns = exchanges.iter().map(|exchange| redaction.turn(exchange)).collect();
    recording.results = played_back(&recording).await;
    Recorded { exchanges, results, recording }
}

/// What the connector comes to with a recording in the vendor's place, having asked exactly what the recording says.
async fn played_back(recording: &Recording) -> Vec<Value> {
    let playback = Playback::of(recording);
    let talk = connector(recording, BASE, playback.transport());
    let results = work::done(&*talk, recording, || ()).await;
    assert_eq!(playback.problems(), [""; 0], "{} {}", recording.integration, recording.about);
    results
}

/// A value without its texts, which are other ones in a recording.
fn shape(value: &Value) -> Value {
    match value {
        Value::String(text) if text.is_empty() => Value::String(String::new()),
        Value::String(_) => Value::String("text".to_owned()),
        Value::Array(list) => list.iter().map(shape).collect(),
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), shape(value))).collect(),
        other => other.clone(),
    }
}

#[tokio::test]
async fn recordings_are_played_back() {
    let is_updated = std::env::var_os("HABEAS_UPDATE_FIXTURES").is_some();
    for (integration, about) in RECORDINGS {
        let file = file_of(integration, about);
        if is_updated {
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, written(&record(integration, about).await.recording)).unwrap();
        }
        let text = std::fs::read_to_string(&file).expect("a recording; HABEAS_UPDATE_FIXTURES=1 makes it");
        let recording: Recording = serde_json::from_str(&text).unwrap();
        assert_eq!((recording.integration.as_str(), recording.about.as_str()), (integration, about));
        assert_eq!(played_back(&recording).await, recording.results, "{}", file.display());
    }
}

/// Otherwise a recording would show something else than what happened.
#[tokio::test]
async fn what_is_written_down_leads_to_the_same_results() {
    for (integration, about) in RECORDINGS {
        let Recorded { results, recording, .. } = record(integration, about).await;
        let shapes = |results: &[Value]| results.iter().map(shape).collect::<Vec<_>>();
        assert_eq!(shapes(&results), shapes(&recording.results), "{integration} {about}");
    }
}

/// A connector that asks for something else is noticed, and so is one that asks for less.
#[tokio::test]
async fn a_recording_that_differs_is_not_played_back() {
    let text = std::fs::read_to_string(file_of("readycloud", "check")).unwrap();
    let recording: Recording = serde_json::from_str(&text).unwrap();
    let problems = async |change: fn(&mut Recording)| {
        let mut changed = recording.clone();
        change(&mut changed);
        let playback = Playback::of(&changed);
        work::done(&*connector(&changed, BASE, playback.transport()), &changed, || ()).await;
        playback.problems().first().cloned().unwrap_or_default()
    };
    assert_eq!(problems(|_| ()).await, "");
    for (change, says) in [
        (|one| one.turns[2].requested.method = "POST".to_owned(), "the method is GET, recorded is POST"),
        (|one| one.turns[2].requested.path.push('x'), "the path is /api/v2/orgs/"),
        (|one| one.turns[2].requested.query.clear(), "the query is expand&limit, recorded is "),
        (|one| one.turns[2].requested.accept = None, "the accepted type is application/json"),
        (
            |one| one.turns[2].requested.body = serde_json::from_str(r#"{"json": {}}"#).unwrap(),
            "another shape",
        ),
        (|one| drop(one.turns.pop()), "asked for more: "),
        (|one| one.turns.extend(one.turns.clone()), "not asked: GET /api/v2/orgs/"),
    ] as [(fn(&mut Recording), &str); 7]
    {
        let problem = problems(change).await;
        assert!(problem.contains(says), "{problem:?} does not say {says:?}");
    }
}
