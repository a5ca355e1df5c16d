//! Connections from the command line: changed, refused, removed while requests need them.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use crate::support::{Place, Sandbox, words};

#[test]
fn a_connection_is_edited_and_removed_by_force() {
    let sandbox = Sandbox::start();
    let place =
        Place::new().with_sandbox(&sandbox).with("TOKEN", "rc-demo-token").with("OLD", "rc-expired-token");
    place.json(words("connections add readycloud --name shop --set access_token=env:TOKEN"));

    place
        .run(words("connections edit shop --set access_token=env:NOWHERE"))
        .expect(2)
        .complaining(&["NOWHERE"]);
    let refused = place.run(words("connections edit shop --set access_token=env:OLD")).expect(1);
    refused.complaining(&["rejected"]);
    let edited = place.json(words("connections edit shop --name outlet --capability access=direct_contact"));
    assert_eq!(
        (&edited["name"], &edited["capabilities"]["access"]),
        (&"outlet".into(), &"direct_contact".into())
    );
    let shown =
        place.run(words("connections edit outlet --contact-email owner@example.test")).expect(0).stdout;
    assert!(shown.contains("owner@example.test"), "{shown}");

    let create = "requests create --right access --email ana.silva@example.test --policy eu-gdpr";
    let created = place.json(words(create));
    let id = created["id"].as_str().unwrap();
    let refused = place.run(words("connections remove outlet")).expect(1);
    refused.complaining(&["1 unfinished runs", "forced removal"]);
    place.run(words("connections remove outlet --force")).expect(0);
    let runs = place.json(["requests", "runs", id]);
    assert_eq!(runs["items"][0]["status"], "skipped");
    assert_eq!(place.json(words("connections list"))["items"].as_array().unwrap().len(), 0);
}

#[test]
fn connections_show_which_systems_are_behind_them() {
    let sandbox = Sandbox::start();
    let place = Place::new()
        .with_sandbox(&sandbox)
        .with("TOKEN", "rc-demo-token")
        .with("SEGMENT", "sc-readonly-token");
    place.json(words("connections add readycloud --name shop --set access_token=env:TOKEN"));
    place.json(words(
        "connections add segment_config --name events --set api_token=env:SEGMENT --set workspace_name=acme-shop \
         --capability deletion=direct_contact",
    ));
    place.json(words(
        "connections add direct_contact --name archive --set processor_email=archive@example.test",
    ));

    let one = place.json(words("systems detect events"));
    let names: Vec<_> =
        one["items"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"Amplitude") && names.contains(&"Salesforce"), "{names:?}");
    assert!(!one.to_string().contains("wk-example") && !one.to_string().contains("config-secret"));
    assert_eq!(one["unseen"][0]["what"], "warehouses");

    let shown = place.run(words("systems detect")).expect(0).stdout;
    for part in
        ["shop (readycloud) shows:", "events (segment_config) shows:", "Amplitude", "shops and carriers"]
    {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    place.run(words("systems detect archive")).expect(1).complaining(&["no other systems", "by hand"]);
    place.json(words("connections edit shop --capability system_detection=off"));
    place.run(words("systems detect shop")).expect(1).complaining(&["system_detection", "set it to `api`"]);
}

/// Types answers on a terminal of its own, each after the question that it answers; what the terminal showed.
pub(crate) fn converse(command: &mut Command, answers: &[(&str, &str)]) -> (bool, String) {
    let words: Vec<String> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| format!("'{}'", word.to_str().unwrap()))
        .collect();
    // `script` (util-linux) gives the program a terminal; it does not echo, so all that is shown comes from the program.
    let mut terminal = Command::new("script");
    terminal.args(["--quiet", "--return", "--echo", "never", "--command", &words.join(" "), "/dev/null"]);
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => terminal.env(name, value),
            None => terminal.env_remove(name),
        };
    }
    if let Some(directory) = command.get_current_dir() {
        terminal.current_dir(directory);
    }
    let mut child = terminal.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let (mut shown, mut seen) = (Vec::new(), 0);
    for (question, answer) in answers {
        loop {
            let text = String::from_utf8_lossy(&shown[seen..]).into_owned();
            if let Some(at) = text.find(question) {
                seen += at + question.len();
                break;
            }
            let mut piece = [0; 4096];
            let read = output.read(&mut piece).unwrap();
            assert!(read > 0, "`{question}` was not asked:\n{}", String::from_utf8_lossy(&shown));
            shown.extend_from_slice(&piece[..read]);
        }
        writeln!(input, "{answer}").unwrap();
    }
    output.read_to_end(&mut shown).unwrap();
    (child.wait().unwrap().success(), String::from_utf8(shown).unwrap())
}

#[test]
fn somebody_at_a_terminal_is_led_to_a_connection_that_works() {
    let sandbox = Sandbox::start();
    let place = Place::new().with_sandbox(&sandbox);
    let (made, shown) = converse(
        &mut place.command(["connections", "add", "readycloud"]),
        &[
            ("App ID, for", "not an id"),
            ("that is no App ID", "my-app.1"),
            ("Access token (what you type is not shown)", "rc-expired-token"),
            ("Name of the connection [readycloud]", "shop"),
            ("Press Enter to try again", ""),
            (
                "Access token (what you type is not shown)",
                "https://www.readycloud.com/api/v1/oauth2/auth_code#access_token=rc-demo-token&expires_in=31536000",
            ),
        ],
    );
    assert!(made, "{shown}");
    for said in [
        "Role at the vendor: Admin",
        "Permission contact: Manage contacts",
        "Open Settings, then Clients.",
        "client_id=my-app.1",
        "credentials_rejected",
        "What to do: Open the address with your App ID again",
        "shop: connected",
    ] {
        assert!(shown.contains(said), "`{said}` was not said:\n{shown}");
    }
    assert!(!shown.contains("rc-expired-token") && !shown.contains("rc-demo-token"), "{shown}");
    assert_eq!(place.json(words("connections list"))["items"].as_array().unwrap().len(), 1);

    let (made, shown) = converse(
        &mut place.command(words("connections add readycloud --name shop --set access_token=rc-demo-token")),
        &[("Press Enter to try again", "quit")],
    );
    assert!(!made && shown.contains("name_taken"), "{shown}");
    // Without a terminal nobody is asked.
    place.run(words("connections add readycloud")).expect(2).complaining(&["--name is missing"]);
}
