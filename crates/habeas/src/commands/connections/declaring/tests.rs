//! Files as people write them, with what is wrong in each.

use rstest::rstest;
use serde_json::json;

use super::*;

fn declared(text: &str) -> Declared {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("connections.yaml");
    std::fs::write(&file, text).unwrap();
    std::fs::write(place.path().join("q.secret"), "from the file\r\n").unwrap();
    Declared::read(&file).unwrap()
}

/// The lines of the refusal, without the first, which names the file.
fn refusal(declared: Declared) -> Vec<String> {
    let text = declared.refusal().to_string();
    text.lines().skip(1).map(|line| line.trim_start_matches("  - ").to_owned()).collect()
}

#[test]
fn a_file_is_what_the_api_takes() {
    let read = declared(
        "# yaml-language-server: $schema=connections.schema.json
connections:
  - name: Surveys
    integration: qualtrics
    settings: {datacenter_id: fra1, client_id: \"4711\", client_secret: file:q.secret}
    deletion_completion: on_submit
    capabilities: {access: off, system_detection: off}
    contact: &owner {email: owner@example.test, deadline_days: 14, on_expiry: hold}
  - name: Archive
    integration: direct_contact
    settings:
      processor_email: archive@example.test
    capabilities:
    contact:
      <<: *owner
      on_expiry: skip
",
    );
    assert!(!read.is_faulty());
    assert_eq!(
        read.connections(),
        [
            json!({
                "name": "Surveys", "integration": "qualtrics",
                "settings": {"datacenter_id": "fra1", "client_id": "4711", "client_secret": "from the file"},
                "deletion_completion": "on_submit",
                "capabilities": {"access": "off", "system_detection": "off"},
                "contact": {"email": "owner@example.test", "deadline_days": 14, "on_expiry": "hold"},
            }),
            json!({
                "name": "Archive", "integration": "direct_contact",
                "settings": {"processor_email": "archive@example.test"},
                "contact": {"email": "owner@example.test", "deadline_days": 14, "on_expiry": "skip"},
            }),
        ]
    );
    assert_eq!(read.warnings(), Vec::<String>::new());
}

#[test]
fn a_secret_in_clear_is_warned_of_and_not_repeated() {
    let read = declared(
        "connections:
  - name: Shop
    integration: readycloud
    settings: {access_token: hunter2}
  - {name: Ads, integration: segment_config, settings: {workspace_name: plain, api_token: hunter2}}
  - {name: Else, integration: atlantis, settings: {api_token: hunter2}}
",
    );
    assert!(!read.is_faulty());
    let warnings = read.warnings();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].contains("line 4, Shop: access_token"), "{warnings:?}");
    assert!(warnings[1].contains("line 5, Ads: api_token"), "{warnings:?}");
    assert!(!warnings.concat().contains("hunter2"), "{warnings:?}");
}

#[rstest]
#[case::empty("", &["it declares nothing; begin it with `connections:`"])]
#[case::comments_only("# nothing\n", &["it declares nothing"])]
#[case::a_list("- name: Shop\n", &["line 1: must be a mapping"])]
#[case::no_list("connections:\n", &["line 1, connections: has no list"])]
#[case::another_kind("connections: shop\n", &["line 1, connections: must be a list"])]
#[case::another_member("conections: []\n", &["line 1, conections: is not known here; known are: connections"])]
#[case::no_yaml("connections:\n  - name: a: hunter2\n", &["line 2: is not YAML: mapping values are not allowed"])]
#[case::two_documents("connections: []\n---\nconnections: []\n", &["line 3: is not YAML: only single YAML document"])]
#[case::an_open_quote("connections: \"hunter2\n", &["line 1: is not YAML: unclosed quote"])]
#[case::no_anchor("connections: *hunter2\n", &["line 1: is not YAML: reference to unknown value"])]
#[case::a_wrong_tag("connections: !!int hunter2\n", &["line 1: is not YAML: invalid u64"])]
#[case::no_mapping("connections:\n  - Shop\n", &["line 2, connection 1: must be a mapping",
    "line 2, connection 1, name: is missing", "line 2, connection 1, integration: is missing"])]
#[case::no_name("connections:\n  - integration: direct_contact\n", &["line 2, connection 1, name: is missing"])]
#[case::nothing_as_a_name("connections:\n  - integration: direct_contact\n    name:\n",
    &["line 3, connection 1, name: is missing"])]
#[case::a_number_as_a_name("connections:\n  - {name: 12, integration: direct_contact}\n",
    &["line 2, connection 1, name: must be text; put it in quotes"])]
#[case::one_name_twice(
    "connections:\n  - {name: Shop, integration: stub}\n  - integration: stub\n    name: \" Shop\"\n",
    &["line 4, connection 2, name: is given to another connection in line 2"])]
#[case::unknown_fields("connections:\n  - name: Shop\n    integration: stub\n    colour: hunter2\n    contact:\n      phone: 1\n",
    &["line 4, Shop, colour: is not known here; known are: name, integration, settings",
      "line 6, Shop, contact.phone: is not known here; known are: email, deadline_days, on_expiry"])]
#[case::a_field_twice("connections:\n  - name: Shop\n    integration: stub\n    name: hunter2\n",
    &["line 4, connection 1, name: is given twice, first in line 2"])]
#[case::a_secret_as_a_name("connections:\n  - {name: Shop, integration: stub, settings: {\"hunter2!\": x}}\n",
    &["line 2, Shop, settings.(unreadable name): is no name of a field"])]
#[case::settings_of_the_wrong_kind("connections:\n  - {name: Shop, integration: stub, settings: [hunter2]}\n",
    &["line 2, Shop, settings: must be a mapping"])]
#[case::values_of_the_wrong_kind(
    "connections:\n  - name: Shop\n    integration: stub\n    settings:\n      a: 4711\n      b: true\n      c: [hunter2]\n      d: 1e5\n      e: 99999999999999999999\n      f: .nan\n",
    &["line 5, Shop, settings.a: must be text; put it in quotes", "line 6, Shop, settings.b: must be text; put it in",
      "line 7, Shop, settings.c: must be text", "line 8, Shop, settings.d: must be text; put it in quotes",
      "line 9, Shop, settings.e: must be text; put it in quotes", "line 10, Shop, settings.f: must be text; put it in"])]
#[case::references_that_lead_nowhere(
    "connections:\n  - name: Shop\n    integration: stub\n    settings:\n      a: env:HABEAS_NOWHERE\n      b: file:nowhere.secret\n",
    &["line 5, Shop, settings.a: there is no environment variable HABEAS_NOWHERE",
      "line 6, Shop, settings.b: the file "])]
#[case::words(
    "connections:\n  - name: Shop\n    integration: stub\n    deletion_completion: hunter2\n    capabilities: {access: hunter2, teleport: api}\n    contact: {on_expiry: forget, deadline_days: soon}\n",
    &["line 4, Shop, deletion_completion: must be one of: on_submit, on_completion",
      "line 5, Shop, capabilities.teleport: is not known here; known are: access, deletion, system_detection",
      "line 5, Shop, capabilities.access: must be one of: api, direct_contact, off",
      "line 6, Shop, contact.deadline_days: must be a whole number of days",
      "line 6, Shop, contact.on_expiry: must be one of: skip, hold"])]
fn every_fault_has_its_line(#[case] text: &str, #[case] expected: &[&str]) {
    let faults = refusal(declared(text));
    assert_eq!(faults.len(), expected.len(), "{faults:#?}");
    for (fault, expected) in faults.iter().zip(expected) {
        assert!(fault.starts_with(expected), "{faults:#?}");
        assert!(!fault.contains("hunter2"), "{faults:#?}");
    }
}

#[test]
fn what_the_server_finds_stands_beside_what_was_found_here() {
    let mut read = declared(
        "connections:
  - name: Shop
    integration: stub
    settings:
      token: env:HABEAS_NOWHERE
    capabilities: {access: api}
",
    );
    for field in ["connections.0.settings.token", "connections.0.settings", "connections.0.settings.token.x"]
    {
        read.blame(field, "is known already");
    }
    read.blame("connections.0.settings.other", "is missing");
    read.blame("connections.0.capabilities.access", "is impossible");
    read.blame("connections.0.deletion_completion", "has no meaning");
    read.blame("elsewhere", "is strange");
    let faults = refusal(read);
    assert_eq!(
        faults,
        [
            "line 2, Shop, deletion_completion: has no meaning",
            "line 4, Shop, settings.other: is missing",
            "line 5, Shop, settings.token: there is no environment variable HABEAS_NOWHERE",
            "line 6, Shop, capabilities.access: is impossible",
            "elsewhere: is strange",
        ]
    );
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let refused = Declared::read(Path::new("/nowhere/connections.yaml")).err().unwrap().to_string();
    assert!(refused.contains("/nowhere/connections.yaml cannot be read"), "{refused}");
}
