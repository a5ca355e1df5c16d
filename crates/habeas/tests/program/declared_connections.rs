//! Connections as a file declares them: planned, applied, found to be different, and refused with all that is wrong.

use std::path::Path;

use serde_json::{Value, json};

use crate::connections::converse;
use crate::support::{Place, Sandbox, finish, is_there, program, words};

/// Set to write the schema instead of comparing it.
const UPDATE: &str = "HABEAS_UPDATE_SCHEMA";
const TOKEN: &str = "rc-demo-token";
const SECRET: &str = "qx-demo-secret";

/// The example of the documentation.
fn example() -> String {
    let page = document("connections-as-code.md");
    page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap().to_owned()
}

fn document(name: &str) -> String {
    std::fs::read_to_string(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs")).join(name))
        .unwrap_or_default()
}

/// A place whose vendors are the sandbox's, with everything that the example refers to.
fn place(sandbox: &Sandbox) -> Place {
    let place = Place::new()
        .with_sandbox(sandbox)
        .with("HABEAS_INTEGRATIONS__QUALTRICS__BASE_URL", sandbox.address("qualtrics"))
        .with("READYCLOUD_TOKEN", TOKEN)
        .with("Q_ID", "qx-demo-client");
    std::fs::create_dir(place.beside("declared")).unwrap();
    std::fs::write(place.beside("declared/q.secret"), format!("{SECRET}\n")).unwrap();
    write(&place, &example());
    place
}

fn write(place: &Place, text: &str) {
    std::fs::write(place.beside("declared/connections.yaml"), text).unwrap();
}

fn plan(place: &Place) -> Value {
    place.json(words("connections plan declared/connections.yaml"))
}

fn actions(answer: &Value, member: &str) -> Vec<String> {
    let items = answer["items"].as_array().unwrap();
    items
        .iter()
        .map(|item| format!("{} {}", item["name"].as_str().unwrap(), item[member].as_str().unwrap()))
        .collect()
}

fn events(place: &Place) -> usize {
    place.json(words("audit list"))["items"].as_array().unwrap().len()
}

#[test]
fn what_is_declared_is_made_and_made_once() {
    let sandbox = Sandbox::start();
    let place = place(&sandbox);
    let planned = place.run(words("connections plan declared/connections.yaml")).expect(0).stdout;
    assert!(planned.starts_with("+ Shop (readycloud): would be created\n+ Surveys"), "{planned}");
    let applied = place.run(words("connections apply declared/connections.yaml")).expect(0);
    assert_eq!(
        applied.stdout,
        "+ Shop (readycloud): created, connected\n+ Surveys (qualtrics): created, connected\n2 changed, 0 failed\n"
    );
    assert!(!applied.stderr.contains("warning"), "{}", applied.stderr);
    let shop = place.json(words("connections show Shop"));
    assert_eq!(
        shop["contact"],
        json!({"email": "privacy-owner@example.test", "deadline_days": 14, "on_expiry": "hold"})
    );
    assert_eq!(place.json(words("connections show Surveys"))["deletion_completion"], "on_submit");

    let before = events(&place);
    let again = place.json(words("connections apply declared/connections.yaml"));
    assert_eq!(actions(&again, "result"), ["Shop unchanged", "Surveys unchanged"]);
    assert_eq!((&again["changes"], &again["failed"]), (&json!(0), &json!(0)));
    let planned = place.run(words("connections plan declared/connections.yaml")).expect(0).stdout;
    assert_eq!(planned, "= Shop: as declared\n= Surveys: as declared\nEverything is as declared.\n");
    assert_eq!(events(&place), before, "nothing was different, so nothing is written");
}

#[test]
fn what_somebody_changed_by_hand_is_found_and_brought_back() {
    let sandbox = Sandbox::start();
    let place = place(&sandbox).with("OTHER", "rc-orders-token");
    place.run(words("connections apply declared/connections.yaml")).expect(0);
    // The server compares, not the program that reads the file.
    let server = place.serve();
    place.run(words("connections edit Shop --set access_token=env:OTHER --capability access=off")).expect(0);
    place
        .run(words("connections edit Surveys --deletion-completion on_completion --contact-deadline-days 3"))
        .expect(0);
    let planned = place.run(words("connections plan declared/connections.yaml")).expect(0);
    assert_eq!(
        planned.stdout,
        "~ Shop: access_token differs; access off -> api\n\
         ~ Surveys: deletion_completion on_completion -> on_submit; contact deadline_days 3 -> (not set)\n\
         2 connections differ; `habeas connections apply declared/connections.yaml` changes that.\n"
    );
    let answer = plan(&place);
    assert_eq!(answer["changes"], 2);
    assert_eq!(answer["items"][0]["changes"][0], json!({"field": "settings.access_token"}));
    assert!(!answer.to_string().contains(TOKEN) && !answer.to_string().contains("rc-orders-token"));

    let applied = place.run(words("connections apply declared/connections.yaml")).expect(0).stdout;
    assert!(
        applied.starts_with("~ Shop: access_token replaced; access off -> api, connected\n"),
        "{applied}"
    );
    assert_eq!(actions(&plan(&place), "action"), ["Shop none", "Surveys none"]);
    server.stop().expect(0);
}

#[test]
fn what_a_vendor_refuses_does_not_keep_the_others() {
    let sandbox = Sandbox::start();
    let place = place(&sandbox);
    place
        .run(words("connections add direct_contact --name Shop --set processor_email=a@example.test"))
        .expect(0);
    std::fs::write(place.beside("declared/q.secret"), "not the secret").unwrap();
    let more = "  - {name: Archive, integration: direct_contact, settings: {processor_email: archive@example.test}}\n";
    write(&place, &(example() + more));
    let planned = place.run(words("connections plan declared/connections.yaml")).expect(0).stdout;
    assert!(planned.starts_with("! Shop: is a connection of Direct Contact"), "{planned}");

    let applied = place.run(words("connections apply declared/connections.yaml")).expect(1).stdout;
    for said in [
        "! Shop: was not changed: is a connection of Direct Contact",
        "remove it first",
        "! Surveys: was not created: The vendor does not accept the credentials (credentials_rejected)",
        "+ Archive (direct_contact): created, connected",
        "1 changed, 2 failed",
    ] {
        assert!(applied.contains(said), "`{said}` was not said:\n{applied}");
    }
    assert!(!applied.contains("not the secret"));
    let again = finish(place.command(words("connections apply declared/connections.yaml")).arg("--json"))
        .expect(1)
        .json();
    assert_eq!(actions(&again, "result"), ["Shop failed", "Surveys failed", "Archive unchanged"]);
    assert_eq!(again["items"][1]["error"]["code"], "credentials_rejected");
    assert_eq!(place.json(words("connections list"))["items"].as_array().unwrap().len(), 2);
}

#[test]
fn what_is_not_declared_goes_only_if_somebody_says_so() {
    let sandbox = Sandbox::start();
    let place = place(&sandbox);
    let add = |name: &str| {
        let add =
            format!("connections add direct_contact --name {name} --set processor_email=a@example.test");
        place.run(words(&add)).expect(0);
    };
    add("Old");
    add("Busy");
    let create = "requests create --right access --email ana.silva@example.test --policy eu-gdpr";
    let request = place.json(words(create))["id"].as_str().unwrap().to_owned();
    add("Older");

    let kept = place.run(words("connections apply declared/connections.yaml")).expect(0).stdout;
    assert!(kept.contains("- Old: not declared (kept; --prune removes it)"), "{kept}");
    assert_eq!(plan(&place)["changes"], 0, "what is not declared is no difference of what is");
    let before = events(&place);
    place.run(words("connections apply declared/connections.yaml --prune")).expect(2).complaining(&[
        "Old, Busy, Older",
        "add --yes",
        "Nothing was changed",
    ]);
    let prune = words("connections apply declared/connections.yaml --prune");
    let (done, shown) = converse(&mut place.command(&prune), &[("Type `yes` to go on", "no")]);
    assert!(!done && shown.contains("nothing was changed"), "{shown}");
    assert_eq!(events(&place), before);

    // Both take part in the request, and their contacts have not answered.
    let refused =
        place.run(words("connections apply declared/connections.yaml --prune --yes")).expect(1).stdout;
    for said in [
        "! Old: was not removed",
        "! Busy: was not removed",
        "(connection_in_use)",
        &request,
        "- Older: removed",
    ] {
        assert!(refused.contains(said), "`{said}` was not said:\n{refused}");
    }
    place.run(["requests", "withdraw", &request]).expect(0);
    let (done, shown) = converse(&mut place.command(&prune), &[("Type `yes` to go on", "yes")]);
    assert!(done && shown.contains("- Busy: removed, and its credentials were destroyed"), "{shown}");
    let applied = place.json(words("connections apply declared/connections.yaml --prune"));
    assert_eq!(actions(&applied, "result"), ["Shop unchanged", "Surveys unchanged"]);
}

#[test]
fn everything_that_is_wrong_with_a_file_is_told_at_once() {
    let sandbox = Sandbox::start();
    let place = place(&sandbox);
    let crooked = "connections:
  - name: Shop
    integration: readycloud
    settings: {access_token: env:HABEAS_NOWHERE, colour: hunter2}
    capabilities: {system_detection: direct_contact}
  - name: Surveys
    integration: qualtrics
    settings: {datacenter_id: FRA1, client_id: 4711, client_secret: file:nowhere.secret}
    deletion_completoin: on_submit
  - {name: Shop, integration: atlantis}
  - {name: Archive, integration: direct_contact, contact: {email: hunter2}}
";
    let expected = [
        "line 4, Shop, settings.access_token: there is no environment variable HABEAS_NOWHERE",
        "line 4, Shop, settings.colour: is not a setting of ReadyCloud; known are: access_token",
        "line 5, Shop, capabilities.system_detection: is nothing that a contact could do; use ",
        "line 8, Surveys, settings.client_id: must be text; put it in quotes",
        "line 8, Surveys, settings.client_secret: the file ",
        "line 8, Surveys, settings.datacenter_id: contains capital letters",
        "line 9, Surveys, deletion_completoin: is not known here; known are: name, ",
        "line 10, connection 3, name: is given to another connection in line 2",
        "line 10, connection 3, integration: is not in the catalogue; known are: readycloud, ",
        "line 11, Archive, contact.email: ",
        "line 11, Archive, settings.processor_email: is missing",
    ];
    write(&place, crooked);
    // Nothing is set up for a file that cannot be used.
    place.run(words("connections apply declared/connections.yaml")).expect(2).complaining(&expected[..1]);
    assert!(!is_there(&place.data()));

    place.run(words("keys list")).expect(0);
    let before = events(&place);
    for command in ["plan", "apply", "apply --prune --yes"] {
        let refused = place.run(words(&format!("connections {command} declared/connections.yaml"))).expect(2);
        let faults: Vec<_> = refused.stderr.lines().filter_map(|line| line.strip_prefix("  - ")).collect();
        assert!(refused.stderr.contains("declared/connections.yaml cannot be used; nothing was changed"));
        for expected in expected {
            let found = faults.iter().filter(|fault| fault.starts_with(expected)).count();
            assert_eq!(found, 1, "`{expected}`:\n{}", refused.stderr);
        }
        assert_eq!(faults.len(), expected.len(), "{}", refused.stderr);
        assert!(!refused.stderr.contains("hunter2"), "{}", refused.stderr);
    }
    assert_eq!(events(&place), before);
    for (text, said) in [("", "declares nothing"), ("connections: [", "line 1: is not YAML")] {
        write(&place, text);
        place
            .run(words("connections apply declared/connections.yaml --prune --yes"))
            .expect(2)
            .complaining(&[said]);
    }
    place.run(words("connections plan nowhere.yaml")).expect(2).complaining(&["nowhere.yaml cannot be read"]);
}

#[test]
fn a_secret_in_clear_is_taken_with_a_warning() {
    let sandbox = Sandbox::start();
    let place = place(&sandbox);
    write(
        &place,
        &format!(
            "connections:\n  - {{name: Shop, integration: readycloud, settings: {{access_token: {TOKEN}}}}}\n"
        ),
    );
    let applied = place.run(words("connections apply declared/connections.yaml")).expect(0);
    let applied = applied.complaining(&["warning: ", "line 2, Shop: access_token", "env:NAME or file:PATH"]);
    assert!(!applied.stderr.contains(TOKEN) && !applied.stdout.contains(TOKEN), "{applied:?}");
}

#[test]
fn the_schema_is_the_one_that_is_checked_in() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/connections.schema.json");
    let now = finish(program().args(["connections", "schema"])).expect(0).stdout;
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(file, &now).unwrap();
    }
    let kept = document("connections.schema.json");
    assert!(
        kept == now,
        "the manifests changed; if that is meant, run the tests with {UPDATE}=1 and look at the difference"
    );
}

#[test]
fn the_schema_accepts_what_the_program_accepts() {
    let schema: Value = serde_json::from_str(&document("connections.schema.json")).unwrap();
    jsonschema::draft202012::meta::validate(&schema).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let fits = |connection: &str| {
        let options = serde_saphyr::options! { strict_booleans: true };
        let text = format!("connections:\n  - {connection}\n");
        validator.is_valid(&serde_saphyr::from_str_with_options(&text, options).unwrap())
    };
    let whole: Value = serde_saphyr::from_str(&example()).unwrap();
    assert!(
        validator.is_valid(&whole),
        "{:?}",
        validator.iter_errors(&whole).map(|one| one.to_string()).collect::<Vec<_>>()
    );
    for good in [
        "{name: A, integration: direct_contact, settings: {processor_email: env:ADDRESS}}",
        "{name: A, integration: readycloud, settings: {access_token: t}, capabilities: {access: off}}",
        "{name: A, integration: segment_config, settings: {api_token: t, workspace_name: w, region: eu}}",
    ] {
        assert!(fits(good), "{good}");
    }
    for bad in [
        "{name: A, integration: direct_contact, settings: {processor_email: a@example.test}, colour: red}",
        "{name: A, integration: readycloud, settings: {access_token: t, colour: red}}",
        "{name: A, integration: readycloud}",
        "{name: A, integration: readycloud, settings: {}}",
        "{name: A, integration: readycloud, settings: {access_token: t}, deletion_completion: on_submit}",
        "{name: A, integration: readycloud, settings: {access_token: 1}}",
        "{name: A, integration: atlantis, settings: {}}",
        "{integration: direct_contact, settings: {processor_email: a@example.test}}",
        "{name: A, integration: segment_config, settings: {api_token: t, workspace_name: w, region: moon}}",
        "{name: A, integration: segment_config, settings: {api_token: t, workspace_name: w}, capabilities: {access: api}}",
        "{name: A, integration: direct_contact, settings: {processor_email: a@b}, contact: {deadline_days: 400}}",
    ] {
        assert!(!fits(bad), "{bad}");
    }
    let secret = &schema["$defs"]["qualtrics"]["properties"]["settings"]["properties"]["client_secret"];
    assert_eq!(secret["writeOnly"], true);
}
