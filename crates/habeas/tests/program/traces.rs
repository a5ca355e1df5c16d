//! What a running installation leaves on the disk and in its logs: nothing that names anybody.

use std::path::Path;

use serde_json::Value;

use crate::support::{Place, Sandbox, words};

const ANA: &str = "ana.silva@example.test";
/// What a contact says about her.
const NOTE: &str = "she prefers the harbour branch";

/// Whether a file under `directory` holds one of the values. The outbox stands in for the mail server, so it is another's.
fn holding(directory: &Path, values: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if kind.is_dir() && entry.file_name() != "outbox" {
            found.extend(holding(&path, values));
        } else if kind.is_file() {
            let content = std::fs::read(&path).unwrap();
            let holds = |value: &&String| content.windows(value.len()).any(|part| part == value.as_bytes());
            found.extend(values.iter().filter(holds).map(|value| format!("{value} in {}", path.display())));
        }
    }
    found
}

#[test]
fn neither_files_nor_the_most_talkative_log_name_anybody() {
    let sandbox = Sandbox::start();
    let place = Place::new().with_sandbox(&sandbox).with("RUST_LOG", "trace").with("TOKEN", "rc-demo-token");
    let server = place.serve();
    place.json(words("connections add readycloud --name shop --set access_token=env:TOKEN"));
    let contact = "connections add direct_contact --name archive --set processor_email=archive@example.test";
    place.json(words(contact));

    let create = format!("requests create --right access --email {ANA} --policy eu-gdpr --delivery api");
    let created = place.json(words(&create));
    let id = created["id"].as_str().unwrap();
    let runs = place.json(["requests", "runs", id]);
    let of_archive = |run: &&Value| run["connection"]["name"] == "archive";
    let run = runs["items"].as_array().unwrap().iter().find(of_archive).unwrap()["id"].clone();
    let run = run.as_str().unwrap();
    place.json(["requests", "answer", id, run, "--answer", "nothing_held", "--note", NOTE]);
    place.run(["requests", "show", id, "--wait", "60"]).expect(3);

    // What was found is what must not be found elsewhere.
    let records = place.json(["requests", "records", id])["items"].clone();
    let mut values = vec![ANA.to_owned(), NOTE.to_owned(), "rc-demo-token".to_owned()];
    for record in records.as_array().unwrap() {
        let fields = record["fields"].as_object().unwrap().values();
        values.extend(
            fields.filter_map(|value| value.as_str()).filter(|text| text.len() > 7).map(str::to_owned),
        );
    }
    assert!(values.len() > 4, "the person is known: {values:?}");
    assert_eq!(
        holding(&place.data(), &values),
        Vec::<String>::new(),
        "while the request waits for its review"
    );

    place.json(["requests", "process", id, "--wait"]);
    let out = place.beside("package.zip");
    place.run(["requests", "package", id, "--out", out.to_str().unwrap()]).expect(0);
    let deletion = format!("requests create --right deletion --email {ANA} --policy eu-gdpr --no-review");
    place.json(words(&deletion));
    assert_eq!(holding(&place.data(), &values), Vec::<String>::new(), "after the package was fetched");

    let log = server.stop().expect(0).stderr;
    assert!(log.contains("TRACE"), "the log says everything");
    for value in &values {
        let line = log.lines().find(|line| line.contains(value.as_str()));
        assert_eq!(line, None, "{value} is in the log");
    }
}
