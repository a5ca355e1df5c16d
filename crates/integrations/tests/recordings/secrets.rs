//! No recording holds a secret or a person, in whatever form.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{Exchange, RECORDINGS, Recorded, file_of, record, vendors::PLANTED, written};

/// What must not be found: the planted credentials as they are, as Basic credentials and in an address, and the people
/// of the sandbox whom the recordings are about or meet.
fn forbidden() -> Vec<String> {
    let basic = STANDARD.encode(format!("{}:{}", PLANTED[1], PLANTED[2]));
    let people = [
        "ana.silva",
        "jo+shop",
        "jo%2Bshop",
        "kim.lund",
        "shared@",
        "privacy.bot",
        "owner.user",
        "u-1001",
        "u-1002",
        "silva",
        "\"ana",
        "olive",
        "5550100",
        "555010203",
        "porto",
        "friendly",
    ];
    let planted = PLANTED.iter().flat_map(|secret| [(*secret).to_owned(), secret.replace('-', "%2D")]);
    planted
        .chain([basic, "pl4nted".to_owned(), "authorization".to_owned()])
        .chain(people.map(str::to_owned))
        .map(|one| one.to_lowercase())
        .collect()
}

fn search(text: &str, place: &str) {
    let text = text.to_lowercase();
    for forbidden in forbidden() {
        assert!(!text.contains(&forbidden), "{forbidden:?} stands in {place}");
    }
    // Whoever is not known above is found by the form of an address.
    for (at, _) in text.match_indices("@") {
        let before = text[..at].rsplit(|character: char| "\"/ =,".contains(character)).next().unwrap();
        assert!(
            before.starts_with("person-"),
            "an address that is nobody's stand-in stands in {place}: {before}@"
        );
    }
}

/// Every text under a key that may hold a credential.
fn credentials<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Array(list) => list.iter().for_each(|one| credentials(one, found)),
        Value::Object(fields) => {
            for (key, value) in fields {
                let key = key.to_lowercase();
                let is_one = ["token", "secret", "password", "key"].iter().any(|word| key.contains(word))
                    && !["token_type", "next_page_token", "skiptoken"].contains(&key.as_str());
                found.extend(value.as_str().filter(|text| is_one && !text.is_empty()));
                credentials(value, found);
            }
        }
        _ => {}
    }
}

/// What the wire carried: the control of the search, which would else find nothing because nothing was there.
fn wire(exchanges: &[Exchange]) -> String {
    let mut all = String::new();
    for Exchange { sent, answer } in exchanges {
        let headers = sent.headers.iter().chain(&answer.headers);
        for value in headers.filter_map(|(_, value)| value.to_str().ok()) {
            all = all + value + "\n";
        }
        for body in [&sent.body, &answer.body] {
            all += &String::from_utf8_lossy(body);
        }
    }
    all
}

#[tokio::test]
async fn a_planted_secret_reaches_no_recording() {
    for (integration, about) in RECORDINGS {
        let Recorded { exchanges, recording, .. } = record(integration, about).await;
        let wire = wire(&exchanges);
        let basic = STANDARD.encode(format!("{}:{}", PLANTED[1], PLANTED[2]));
        assert!(wire.contains(PLANTED[0]) || wire.contains(&basic), "{integration} {about}");
        assert!(
            ["check", "missing"].contains(&about) || wire.contains("ana.silva@example.test"),
            "{integration} {about}"
        );
        let text = written(&recording);
        search(&text, &format!("the recording of {integration}, {about}"));
        // Tokens that the vendor made are secrets too, and nobody knows them in advance.
        let bodies: Vec<Value> =
            exchanges.iter().filter_map(|one| serde_json::from_slice(&one.answer.body).ok()).collect();
        let mut minted = Vec::new();
        bodies.iter().for_each(|body| credentials(body, &mut minted));
        assert_eq!(minted.is_empty(), integration != "qualtrics", "{integration} {about}");
        for token in minted {
            assert!(!text.contains(token), "a token of the vendor's stands in {integration}, {about}");
        }
    }
}

#[test]
fn no_file_holds_a_secret() {
    let mut files = Vec::new();
    for folder in std::fs::read_dir(file_of("", "").parent().unwrap()).unwrap() {
        for file in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            files.push(file.unwrap().path());
        }
    }
    assert_eq!(files.len(), RECORDINGS.len(), "files that nobody plays back: {files:?}");
    for file in files {
        judge(&file);
    }
}

fn judge(file: &Path) {
    let text = std::fs::read_to_string(file).unwrap();
    search(&text, &file.display().to_string());
    let value: Value = serde_json::from_str(&text).unwrap();
    let mut found = Vec::new();
    credentials(&value, &mut found);
    for text in found {
        assert!(text.starts_with("text-"), "{} holds a credential that was not replaced", file.display());
    }
}
