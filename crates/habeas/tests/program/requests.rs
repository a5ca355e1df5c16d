//! Requests from the command line to their end, against the simulated vendor.

use serde_json::Value;

use crate::support::{Place, Sandbox, words};

const TOKEN: &str = "rc-demo-token";
const EXPIRED_TOKEN: &str = "rc-expired-token";
const READ_ONLY_TOKEN: &str = "rc-readonly-token";
const ANA: &str = "ana.silva@example.test";

/// A place with ReadyCloud connected.
fn connected(sandbox: &Sandbox) -> Place {
    let place = Place::new().with_sandbox(sandbox).with("READYCLOUD_TOKEN", TOKEN);
    let add = words("connections add readycloud --set access_token=env:READYCLOUD_TOKEN");
    let added = place.json(add.into_iter().chain(["--name", "web shop"].map(str::to_owned)));
    assert_eq!((text(&added, "name"), text(&added, "integration")), ("web shop", "readycloud"));
    place
}

/// `requests create` for Ana.
fn create(more: &str) -> Vec<String> {
    words(&format!("requests create --email {ANA} {more}"))
}

fn text<'v>(value: &'v Value, member: &str) -> &'v str {
    value[member].as_str().unwrap_or_else(|| panic!("no {member} in {value}"))
}

#[test]
fn an_access_and_a_deletion_go_to_their_end_over_a_server() {
    let sandbox = Sandbox::start();
    let place = connected(&sandbox);
    let server = place.serve();

    let access = "--json --right access --policy eu-gdpr --no-review --delivery api --wait 60";
    let access = place.run(create(access)).expect(0).json();
    assert_eq!((text(&access, "state"), text(&access, "right")), ("delivering", "access"));
    let id = text(&access, "id");
    let records = place.json(["requests", "records", id]);
    assert_eq!(records["items"].as_array().unwrap().len(), 2);
    let out = place.beside("package");
    place.run(["requests", "package", id, "--out", out.to_str().unwrap()]).expect(0);
    assert!(std::fs::metadata(&out).unwrap().len() > 100);
    let closed = place.json(["requests", "show", id]);
    assert_eq!((text(&closed, "state"), text(&closed, "outcome")), ("closed", "downloaded"));

    let deletion = "--right deletion --policy eu-gdpr --no-review --wait";
    let said = place.run(create(deletion)).expect(0).stdout;
    assert!(said.contains("run web shop (erase): complete - 2 records deleted; verified gone"), "{said}");
    assert!(said.trim_end().ends_with("is closed: erased."), "{said}");
    assert_eq!(place.json(["audit", "verify"])["valid"], true);
    let end = server.stop().expect(0);
    assert!(!end.stderr.contains("ana.silva"), "no personal data in logs");
}

#[test]
fn without_a_server_waiting_does_the_work() {
    let sandbox = Sandbox::start();
    let place = connected(&sandbox);
    let said = place.run(create("--right access --policy eu-gdpr --wait")).expect(3).stdout;
    assert!(
        said.contains(" collecting\n") && said.contains("(collect): complete - 2 records found"),
        "{said}"
    );
    assert!(said.contains("needs a review") && said.contains("habeas requests process req_"), "{said}");
    let id = text(&place.json(["requests", "list", "--state", "review"])["items"][0], "id").to_owned();
    place.run(["requests", "process", &id, "--wait"]).expect(0);
    assert_eq!(text(&place.json(["requests", "show", &id]), "state"), "delivering");
    let shown = place.run(["requests", "show", &id]).expect(0).stdout;
    assert!(
        shown.contains("email ana.silva@example.test (verified)") && shown.contains("web shop"),
        "{shown}"
    );
    let list = place.run(["requests", "list"]).expect(0).stdout;
    assert!(list.contains("delivering") && list.contains(ANA), "{list}");
}

#[test]
fn work_that_nobody_does_is_said_and_done_later() {
    let sandbox = Sandbox::start();
    let place = connected(&sandbox);
    let deletion = "--right deletion --policy us-ca --no-review";
    let made = place.run(create(deletion)).expect(0).complaining(&["No server runs here", "--wait"]);
    let id = made.stdout.split_whitespace().next().unwrap().to_owned();
    place.run(create(deletion)).expect(1).complaining(&["(duplicate_request)", &id]);
    place
        .run(["requests", "retry", &id, "run_01920000000070008000000000000001"])
        .expect(1)
        .complaining(&["(not_found)"]);
    let server = place.serve();
    let closed = place.run(["--json", "requests", "show", &id, "--wait", "60"]).expect(0).json();
    assert_eq!((text(&closed, "state"), text(&closed, "outcome")), ("closed", "erased"));
    server.stop().expect(0);
}

#[test]
fn a_vendor_that_does_not_answer_is_shown_and_can_be_skipped() {
    let sandbox = Sandbox::start();
    // Waits long enough that a second is not enough for the last attempt.
    let place = connected(&sandbox)
        .with("HABEAS_INTEGRATIONS__READYCLOUD__RETRY_MIN_MS", "500")
        .with("HABEAS_INTEGRATIONS__READYCLOUD__RETRY_MAX_MS", "60000");
    drop(sandbox);
    let late = place.run(create("--right access --policy us-ca --wait 1")).expect(1).stdout;
    assert!(late.contains("(collect): processing - retrying, attempt "), "{late}");
    assert!(late.trim_end().ends_with("is still collecting."), "{late}");
    let id = text(&place.json(["requests", "list"])["items"][0], "id").to_owned();
    let shown = place.run(["requests", "show", &id]).expect(0).stdout;
    let run = shown.split_whitespace().find(|word| word.starts_with("run_")).unwrap();
    place.run(["requests", "skip", &id, run]).expect(2).complaining(&["--reason"]);
    let skipped = place.json(["requests", "skip", &id, run, "--reason", "the shop is closed"]);
    assert_eq!((text(&skipped, "id"), text(&skipped, "status")), (run, "skipped"));
    place.run(["requests", "retry", &id, run]).expect(1).complaining(&["(illegal_move)"]);
}

#[test]
fn a_request_without_a_policy_is_confirmed_by_a_person() {
    let sandbox = Sandbox::start();
    let place = connected(&sandbox);
    let waiting = place.run(create("--right access --wait")).expect(3);
    assert!(waiting.stdout.contains("habeas requests start req_"), "{}", waiting.stdout);
    let list = place.json(["requests", "list"]);
    let id = text(&list["items"][0], "id");
    place.run(["requests", "hold", id, "--reason", "legal_hold", "--note", "ask the lawyers"]).expect(0);
    place.run(["requests", "start", id]).expect(1).complaining(&["(illegal_move)", "resume"]);
    let held = place.run(["requests", "show", id]).expect(0).stdout;
    assert!(held.contains("legal_hold ask the lawyers"), "{held}");
    place.run(["requests", "resume", id]).expect(0);
    let start = words(&format!("--json requests start {id} --relationship controller --wait 60"));
    assert_eq!(text(&place.run(start).expect(3).json(), "state"), "review");
    let denied =
        place.json(words(&format!("requests deny {id} --reason excessive_or_repetitive --text again")));
    assert_eq!((text(&denied, "state"), text(&denied, "outcome")), ("closed", "denied"));
    place.run(["requests", "withdraw", id]).expect(1).complaining(&["(illegal_move)"]);
    place.run(["requests", "package", id, "--out", "package"]).expect(1);
    let rest: Vec<_> =
        std::fs::read_dir(place.beside("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(rest, ["data"], "half a package was left behind");
}

#[test]
fn connections_are_proven_before_they_are_saved() {
    let sandbox = Sandbox::start();
    let place = Place::new().with_sandbox(&sandbox);
    let add = |token: &str| {
        std::fs::write(place.beside("token"), format!("{token}\n")).unwrap();
        place.run(words("connections add readycloud --name shop --set access_token=file:token"))
    };
    let refused = add(EXPIRED_TOKEN).expect(1).complaining(&["(credentials_rejected)"]);
    assert!(!refused.stderr.contains(EXPIRED_TOKEN));
    add(READ_ONLY_TOKEN).expect(1).complaining(&["(permissions_missing)", "contact"]);
    let bare = |integration: &str| place.run(["connections", "add", integration, "--name", "shop"]).expect(1);
    bare("readycloud").complaining(&["settings.access_token"]);
    bare("nothing").complaining(&["integration", "readycloud"]);
    assert_eq!(place.json(["connections", "list"])["items"], Value::Array(Vec::new()));

    add(TOKEN).expect(0);
    add(TOKEN).expect(1).complaining(&["(name_taken)"]);
    let list = place.run(["connections", "list"]).expect(0).stdout;
    assert!(list.contains("shop") && list.contains("readycloud"), "{list}");
    assert!(!place.run(["connections", "show", "shop"]).expect(0).stdout.contains(TOKEN));
    place.run(["connections", "check"]).expect(0);
    assert_eq!(text(&place.json(["connections", "check", "shop"]), "name"), "shop");
    place.run(["connections", "check", "nobody"]).expect(1).complaining(&["(not_found)"]);

    drop(sandbox);
    let failing = place.run(["connections", "check", "shop"]).expect(1).stdout;
    assert!(failing.contains("no connection to the vendor could be made"), "{failing}");
    place.run(["connections", "remove", "shop"]).expect(0);
    place.run(["connections", "show", "shop"]).expect(1).complaining(&["(not_found)"]);
}

#[test]
fn a_plan_says_what_would_be_done_and_what_was() {
    let sandbox = Sandbox::start();
    let place = Place::new().with_sandbox(&sandbox).with("TOKEN", "rc-demo-token");
    place.json(words("connections add readycloud --name shop --set access_token=env:TOKEN"));
    let create = "requests create --right deletion --email ana.silva@example.test --policy eu-gdpr";
    let created = place.json(words(create));
    let id = created["id"].as_str().unwrap();
    let plan = place.json(["requests", "plan", id]);
    let item = &plan["items"][0];
    assert_eq!((&item["would"], &item["source"]), (&"delete_records".into(), &"looked".into()));
    assert!(item["would_delete"].as_u64().unwrap() >= 2, "{item}");
    let shown = place.run(["requests", "plan", id, "--wait", "5"]).expect(0).stdout;
    for part in ["SYSTEM", "shop", "delete records", "contact)"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    place
        .run(["requests", "plan", "req_0192a0000000700080000000000000ab"])
        .expect(1)
        .complaining(&["not_found"]);
}
