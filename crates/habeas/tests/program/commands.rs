//! What commands print for people and for programs.

use serde_json::Value;

use crate::support::{Place, finish, program};

#[test]
fn a_key_is_shown_once() {
    let place = Place::new();
    let made =
        place.json(["keys", "create", "--name", "robot", "--role", "request_agent", "--role", "auditor"]);
    let key = made["key"].as_str().unwrap();
    assert!(key.starts_with("habeas_"));
    assert_eq!(made["roles"].as_array().unwrap().len(), 2);
    let list = place.json(["keys", "list"]);
    assert_eq!((&list["items"][0]["id"], &list["next_cursor"]), (&made["id"], &Value::Null));
    assert!(!list.to_string().contains(key));
    let revoked = place.json(["keys", "revoke", made["id"].as_str().unwrap()]);
    assert!(revoked["revoked_at"].is_string());

    let said = place.run(["keys", "create", "--name", "person", "--role", "super_admin"]).expect(0).stdout;
    assert!(said.contains("key: habeas_") && said.contains("only time"), "{said}");
    let table = place.run(["keys", "list"]).expect(0).stdout;
    assert!(table.starts_with("ID") && table.contains("request_agent, auditor"), "{table}");
}

#[test]
fn the_database_is_brought_up_to_date_without_a_key() {
    let place = Place::new();
    let first = place.json(["migrate"]);
    assert_eq!(first["from"], 0);
    assert!(first["to"].as_i64().unwrap() >= 1);
    assert!(!place.data().join("master.key").exists());
    assert_eq!(place.json(["migrate"])["from"], first["to"]);
    // The first start with a key finds a fresh database all the same.
    place.run(["keys", "list"]).expect(0);
    assert!(place.data().join("master.key").exists());
}

#[test]
fn the_audit_log_is_listed_verified_and_sealed() {
    let place = Place::new();
    place.run(["audit", "verify"]).expect(0);
    place.run(["audit", "seal"]).expect(1).complaining(&["nothing has happened yet"]);
    for number in 0..3 {
        place.run(["keys", "create", "--role", "auditor", "--name", &format!("key {number}")]).expect(0);
    }
    assert_eq!(place.json(["audit", "list"])["items"].as_array().unwrap().len(), 3);
    let page = place.json(["audit", "list", "--limit", "2"]);
    assert_eq!(page["items"].as_array().unwrap().len(), 2);
    let rest = place.json(["audit", "list", "--cursor", page["next_cursor"].as_str().unwrap()]);
    assert_eq!(rest["items"].as_array().unwrap().len(), 1);

    let verdict = place.json(["audit", "verify"]);
    assert_eq!(
        (&verdict["events"], &verdict["valid"], &verdict["first_bad"]),
        (&3.into(), &true.into(), &Value::Null)
    );
    let seal = place.json(["audit", "seal"]);
    assert_eq!(seal["last_position"], 3);
    let anchor = place.beside("anchor.json");
    std::fs::write(&anchor, seal.to_string()).unwrap();
    let anchor = anchor.to_str().unwrap();
    place.run(["audit", "verify", "--anchor", anchor]).expect(0);

    // A log that does not have what the anchor proves was rolled back.
    let other = Place::new();
    other.run(["keys", "create", "--role", "auditor", "--name", "only"]).expect(0);
    let verdict = other.run(["--json", "audit", "verify", "--anchor", anchor]).expect(1).json();
    assert_eq!(verdict["valid"], false);
    let said = other.run(["audit", "verify", "--anchor", anchor]).expect(1).stdout;
    assert!(said.contains("NOT whole") && said.contains("rewritten"), "{said}");
    std::fs::write(place.beside("nothing.json"), "{}").unwrap();
    place.run(["audit", "verify", "--anchor", "nothing.json"]).expect(1).complaining(&["holds no seal"]);
    place.run(["audit", "verify", "--anchor", "nowhere.json"]).expect(1).complaining(&["cannot be read"]);
}

#[test]
fn the_openapi_document_needs_no_installation() {
    let document = finish(program().arg("openapi")).expect(0).json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3."));
    assert!(document["paths"]["/api/v1/requests"]["post"].is_object());
}

#[test]
fn an_integration_explains_how_to_set_it_up() {
    let place = Place::new();
    let said = place.run(["integrations", "show", "readycloud"]).expect(0).stdout;
    assert!(
        said.starts_with("ReadyCloud (readycloud)\n") && said.contains("How to set it up\n  1. "),
        "{said}"
    );
    assert!(place.run(["integrations"]).expect(0).stdout.contains("readycloud"));
    assert_eq!(place.json(["integrations", "list"])["items"][0]["name"], "readycloud");
}

#[test]
fn help_names_every_command_and_the_exit_codes() {
    let help = finish(program().arg("--help")).expect(0).stdout;
    for command in [
        "serve",
        "worker",
        "migrate",
        "keys",
        "integrations",
        "connections",
        "requests",
        "audit",
        "sandbox",
        "openapi",
    ] {
        assert!(help.contains(&format!("\n  {command} ")), "{command} is not in {help}");
    }
    assert!(help.contains("3 a person is needed"));
}

/// `habeas ... | head` is no failure.
#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let mut child = program().arg("openapi").stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}
