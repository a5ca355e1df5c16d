//! Moving an installation to PostgreSQL and back, and everything that may happen on the way.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use habeas_testing::{TestDatabase, block_on, unpack};
use rstest::rstest;
use serde_json::Value;

use crate::support::{Finished, Place, Sandbox, is_there, program, words};

const ANA: &str = "ana.silva@example.test";
/// Longer than what lies in a record: it goes into the storage.
const LONG_FILE: usize = 700_000;

/// Runs a test with a PostgreSQL database that nothing has been written to.
fn with_database(test: impl FnOnce(&TestDatabase)) {
    block_on(async {
        let database = TestDatabase::postgres().await.without_schema().await;
        test(&database);
    });
}

/// A place whose key is known elsewhere too.
fn place() -> Place {
    Place::new()
        .with("HABEAS_WORKERS__POLL_INTERVAL_MS", "20")
        .with("HABEAS_ENCRYPTION__KEY", "ab".repeat(32))
}

fn migrate(place: &Place, from: &str, to: &str) -> Finished {
    place.run(["migrate", "--from", from, "--to", to])
}

fn create(place: &Place, more: &str) -> String {
    let made = place.json(words(&format!("requests create --policy eu-gdpr {more}")));
    made["id"].as_str().unwrap().to_owned()
}

/// The run of a request at a connection, in a phase.
fn run_at(place: &Place, request: &str, connection: &str, phase: &str) -> String {
    let runs = place.json(["requests", "runs", request]);
    let found = runs["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|run| (&run["connection"]["name"], &run["phase"]) == (&connection.into(), &phase.into()));
    found.unwrap()["id"].as_str().unwrap().to_owned()
}

#[test]
fn open_requests_go_to_their_end_on_the_new_database() {
    with_database(|database| {
        let sandbox = Sandbox::start();
        let place = place().with_sandbox(&sandbox);
        let file = place.beside("harbour.bin");
        std::fs::write(&file, [7; LONG_FILE]).unwrap();
        let server = place.serve();
        place.run(words("connections add readycloud --name shop --set access_token=rc-demo-token")).expect(0);
        let archive =
            "connections add direct_contact --name archive --set processor_email=archive@example.test";
        place.run(words(archive)).expect(0);
        let access = format!("--right access --delivery api --email {ANA}");
        // One is ready to be fetched, one waits for a reviewer, one for a contact.
        let ready = create(&place, &format!("{access} --no-review"));
        let run = run_at(&place, &ready, "archive", "collect");
        let answer =
            ["requests", "answer", &ready, &run, "--answer", "data", "--file", file.to_str().unwrap()];
        place.run(answer).expect(0);
        place.run(["requests", "show", &ready, "--wait", "60"]).expect(0);
        let in_review = create(&place, &access.replace(ANA, "bo.lindqvist@example.test"));
        let run = run_at(&place, &in_review, "archive", "collect");
        place.run(["requests", "answer", &in_review, &run, "--answer", "nothing_held"]).expect(0);
        let waiting = create(&place, &format!("--right deletion --no-review --email {ANA}"));
        place.run(["requests", "show", &waiting, "--wait", "2"]);
        let anchor = place.beside("anchor.json");
        std::fs::write(&anchor, place.run(["audit", "seal"]).expect(0).stdout).unwrap();
        let before = place.json(words("requests list"));
        let mails = place.json(["requests", "mails", &waiting]);

        // Nobody moves what is being worked on, wherever the command is run.
        let (from, to) = ("sqlite://habeas.db", database.url());
        migrate(&place, from, to).expect(1).complaining(&["is in use by process", "nothing was changed"]);
        let elsewhere = self::place();
        let file = format!("sqlite://{}", place.data().join("habeas.db").display());
        migrate(&elsewhere, &file, to).expect(1).complaining(&["--from is in use", "nothing was changed"]);
        place.run(["keys", "list"]).expect(0);
        server.stop().expect(0);

        let moved = place.run(["--json", "migrate", "--from", from, "--to", to]).expect(0);
        assert_eq!(moved.stderr, "", "a program is told the result alone");
        let moved = moved.json();
        assert_eq!(moved["from"], file);
        assert!(moved["rows"].as_u64() > Some(20) && moved["events"].as_u64() > Some(10), "{moved}");
        let old = place.run(["serve", "--listen=127.0.0.1:0"]).expect(1);
        old.complaining(&["was moved to postgres://127.0.0.1", "docs/moving.md", "nothing was changed"]);

        let place = place.with("HABEAS_DATABASE__URL", to);
        let server = place.serve();
        assert_eq!(place.json(words("requests list")), before);
        assert_eq!(
            place.json(["requests", "mails", &waiting])["items"].as_array().map(Vec::len),
            mails["items"].as_array().map(Vec::len)
        );
        let anchored = ["audit", "verify", "--anchor", anchor.to_str().unwrap()];
        assert_eq!(place.json(anchored)["valid"], true);

        let package = place.beside("package.zip");
        let out = package.to_str().unwrap();
        place.run(["requests", "package", &ready, "--out", out]).expect(0);
        let files = unpack(&std::fs::read(&package).unwrap());
        assert!(files.values().any(|content| content.len() == LONG_FILE), "{:?}", files.keys());
        assert_eq!(place.json(["requests", "show", &ready])["outcome"], "downloaded");

        place.run(["requests", "process", &in_review, "--wait"]);
        let shown = place.json(["requests", "show", &in_review]);
        assert!(["delivering", "closed"].contains(&shown["state"].as_str().unwrap()), "{shown}");

        place.run(["requests", "show", &waiting, "--wait", "5"]);
        let run = run_at(&place, &waiting, "archive", "erase");
        place.run(["requests", "answer", &waiting, &run, "--answer", "deleted"]).expect(0);
        let closed = place.run(["--json", "requests", "show", &waiting, "--wait", "60"]).expect(0).json();
        assert_eq!((&closed["state"], &closed["outcome"]), (&"closed".into(), &"erased".into()));
        let log = server.stop().expect(0);
        assert!(!log.stderr.contains("ana.silva"), "no personal data in logs");

        // And home again, into a new file.
        let said = migrate(&place, to, "sqlite://home.db").expect(0);
        assert!(
            said.stdout.contains("audit_events") && said.stdout.contains("Both sides are equal"),
            "{}",
            said.stdout
        );
        assert!(
            said.stderr.contains("comparing") && said.stderr.contains("the new database is open"),
            "{}",
            said.stderr
        );
        let place = place.with("HABEAS_DATABASE__URL", "sqlite://home.db");
        assert_eq!(place.json(anchored)["valid"], true);
        assert_eq!(place.json(["requests", "show", &waiting])["outcome"], "erased");
        let events = place.json(words("audit list --limit 200"));
        let moves = |event: &&Value| event["kind"] == "installation.moved";
        assert_eq!(events["items"].as_array().unwrap().iter().filter(moves).count(), 2);
    });
}

/// `kill -9` after the first line, after the fourth, and so on, until a run lives long enough.
#[test]
fn a_killed_move_is_gone_on_with() {
    with_database(|to| {
        block_in_place(async {
            let from = TestDatabase::sqlite();
            let place = place();
            let old = place.with("HABEAS_DATABASE__URL", from.url());
            old.run(words("keys create --name first --role auditor")).expect(0);
            from.raw()
                .await
                .run(
                    "INSERT INTO pace (account, class, next_slot, blocked_until)
                     WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 40000)
                     SELECT 'account ' || n, 'class', n, n FROM numbers",
                )
                .await;
            let mut kills = 0;
            for lines in (1..).step_by(4) {
                let mut command = old.command(["migrate", "--from", from.url(), "--to", to.url()]);
                let mut process =
                    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts");
                let stderr = BufReader::new(process.stderr.take().unwrap());
                let read = stderr.lines().take(lines).map(Result::unwrap).collect::<Vec<_>>();
                if read.len() < lines {
                    let status = process.wait().unwrap();
                    assert!(status.success(), "{status}: {read:?}");
                    break;
                }
                process.kill().unwrap();
                process.wait().unwrap();
                kills += 1;
                if kills == 2 {
                    assert!(read[0].starts_with("going on with the move"), "{read:?}");
                    let early = self::place().with("HABEAS_DATABASE__URL", to.url());
                    early
                        .run(["keys", "list"])
                        .expect(1)
                        .complaining(&["is not wholly in this database yet"]);
                }
            }
            assert!(kills > 3, "{kills} kills");
            assert_eq!(to.raw().await.number("SELECT count(*) FROM pace").await, 40_000);
            let new = self::place().with("HABEAS_DATABASE__URL", to.url());
            assert_eq!(new.json(["audit", "verify"])["valid"], true);
            assert_eq!(new.json(["keys", "list"])["items"][0]["name"], "first");
            old.run(["keys", "list"]).expect(1).complaining(&["was moved to"]);
        });
    });
}

fn block_in_place(test: impl Future<Output = ()>) {
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(test));
}

#[rstest]
#[case::from_alone(&["--from", "sqlite://habeas.db"], "--to <URL>")]
#[case::to_alone(&["--to", "sqlite://other.db"], "--from <URL>")]
#[case::unknown(&["--from", "mysql://user:hush@host/x", "--to", "sqlite://other.db"], "--from is no database")]
#[case::in_memory(&["--from", "sqlite://habeas.db", "--to", "sqlite://:memory:"], "--to is no database")]
#[case::elsewhere(&["--server", "https://privacy.example.test", "--from", "sqlite://a.db", "--to", "sqlite://b.db"], "--server")]
fn a_move_that_is_not_wholly_named_ends_with_2(#[case] arguments: &[&str], #[case] said: &str) {
    let place = place();
    let refused = place.run([&["migrate"], arguments].concat()).expect(2).complaining(&[said]);
    assert!(!refused.stderr.contains("hush"), "{}", refused.stderr);
    assert!(!is_there(&place.data()));
}

#[test]
fn what_cannot_be_moved_is_refused_and_stays_as_it_is() {
    let place = place();
    let (from, to) = ("sqlite://habeas.db", "sqlite://other.db");
    migrate(&place, from, to).expect(1).complaining(&["the database of --from"]);
    assert!(!is_there(&place.data()), "nothing was made");
    place.serve().stop().expect(0);
    let before = place.files();

    migrate(&place, from, from).expect(1).complaining(&["name the same database"]);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let silent = format!("postgres://user:hush@{free}/habeas");
    let refused = migrate(&place, from, &silent).expect(1).complaining(&["the database of --to"]);
    assert!(!refused.stderr.contains("hush"), "{}", refused.stderr);
    let mut stranger = place.command(["migrate", "--from", from, "--to", to]);
    let stranger = crate::support::finish(stranger.env("HABEAS_ENCRYPTION__KEY", "cd".repeat(32)));
    stranger.expect(1).complaining(&["does not belong to this database", "nothing was changed"]);
    let mut keyless = place.command(["migrate", "--from", from, "--to", to]);
    let keyless = crate::support::finish(keyless.env_remove("HABEAS_ENCRYPTION__KEY"));
    keyless.expect(1).complaining(&["master.key is missing", "nothing was changed"]);
    assert_eq!(place.files(), before);

    migrate(&place, from, to).expect(0);
    migrate(&place, from, to).expect(0);
    migrate(&place, from, "sqlite://third.db")
        .expect(1)
        .complaining(&["was moved to sqlite://", "other.db before"]);
    assert!(!is_there(&place.data().join("third.db")), "nothing was made");
    let said = crate::support::finish(program().args(["migrate", "--help"])).expect(0).stdout;
    assert!(said.contains("nobody may use it meanwhile"), "{said}");
}
