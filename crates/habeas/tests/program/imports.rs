//! `habeas requests import`: what it says of a file, what it takes in, and that a killed one goes on where it was.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use habeas_testing::{TestDatabase, block_on};
use serde_json::Value;

use crate::support::{Finished, Place, Running, Sandbox, words};

/// A place with ReadyCloud connected, where nobody works.
fn connected(sandbox: &Sandbox) -> Place {
    with_shop(Place::new().with_sandbox(sandbox))
}

fn with_shop(place: Place) -> Place {
    place.run(words("connections add readycloud --name shop --set access_token=rc-demo-token")).expect(0);
    place
}

/// Puts a file beside the data directory.
fn file(place: &Place, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
    let path = place.beside(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn import(place: &Place, file: &str, more: &str) -> Finished {
    place.run(words(&format!("requests import {file} {more}")))
}

/// Of how many people there are requests, each of whom has one.
fn people(place: &Place) -> usize {
    let list = place.json(words("requests list"));
    let emails: Vec<&str> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["subject"]["email"].as_str().unwrap())
        .collect();
    let different: BTreeSet<_> = emails.iter().collect();
    assert_eq!(different.len(), emails.len(), "somebody was taken in twice");
    emails.len()
}

fn rows(count: usize) -> String {
    let mut text = "right,email,user_id\n".to_owned();
    for number in 0..count {
        writeln!(text, "deletion,person{number}@example.test,U-{number}").unwrap();
    }
    text
}

#[test]
fn what_is_refused_is_mended_and_imported() {
    let sandbox = Sandbox::start();
    let place = connected(&sandbox);
    let text = "\u{FEFF}right,policy,email,identifier:phone_number,review,note\r\n";
    file(&place, "people.csv", text);
    import(&place, "people.csv", "")
        .expect(2)
        .complaining(&["the column `note` is not known", "identifier:TYPE"]);
    let text = "\u{FEFF}Right,policy,email,identifier:phone_number,review\r\n\
                access,eu-gdpr,\"ana@example.test\",+351 555 010,\r\n\
                \r\n\
                access,eu-gdpr,\"nobody, \"\"at all\"\"\",,true\r\n\
                fly,eu-gdpr,zoe@example.test,,true\r\n\
                access,eu-gdpr,yan@example.test,,maybe\r\n\
                access,eu-gdpr,xan@example.test\r\n\
                access,eu-gdpr,wim@example.test,,,,,\r\n\
                access,eu-gdpr,v\"im@exa\"mple.test,,\r\n\
                deletion,eu-gdpr,uma@example.test,,false\r\n";
    let path = file(&place, "people.csv", text);

    // Nobody can be asked here, so nothing is imported.
    let checked = import(&place, "people.csv", "--json").expect(3).complaining(&["--yes"]).json();
    assert_eq!(
        (&checked["rows"], &checked["accepted"], &checked["refused"]),
        (&8.into(), &2.into(), &6.into())
    );
    assert_eq!(checked["dry_run"], true);
    assert_eq!(people(&place), 0);

    let done = import(&place, "people.csv", "--yes --json").expect(3);
    assert!(!done.stderr.contains("example.test"), "no personal data in what is said:\n{}", done.stderr);
    let done = done.json();
    assert_eq!((&done["accepted"], &done["refused"]), (&2.into(), &6.into()));
    assert_eq!(done["codes"]["csv_cells"], 2);
    let errors = place.beside("people.errors.csv");
    assert_eq!(std::fs::metadata(&errors).unwrap().permissions().mode() & 0o777, 0o600);
    let refused = std::fs::read_to_string(&errors).unwrap();
    let (head, refused) = refused.split_once('\n').unwrap();
    assert_eq!(head, "line,code,problem,Right,policy,email,identifier:phone_number,review");
    for (line, code, row) in [
        (4, "validation", "access,eu-gdpr,\"nobody, \"\"at all\"\"\",,true"),
        (5, "validation", "fly,eu-gdpr,zoe@example.test,,true"),
        (6, "validation", "access,eu-gdpr,yan@example.test,,maybe"),
        (7, "csv_cells", "access,eu-gdpr,xan@example.test"),
        (8, "csv_cells", "access,eu-gdpr,wim@example.test,,,,,"),
        (9, "csv_quoting", "access,eu-gdpr,v\"im@exa\"mple.test,,"),
    ] {
        let found =
            refused.lines().any(|one| one.starts_with(&format!("{line},{code},\"")) && one.ends_with(row));
        assert!(found, "{line} {code} is not in\n{refused}");
    }

    // Once more is once.
    import(&place, "people.csv", "--yes").expect(3).complaining(&["imported before; nothing was done"]);
    assert_eq!(people(&place), 2);
    let again = import(&place, "people.csv", "--yes --again --json").expect(3).json();
    assert_eq!((&again["accepted"], &again["codes"]["duplicate_request"]), (&0.into(), &2.into()));

    // The error file is imported as it is, once it is mended.
    std::fs::write(
        &errors,
        format!("{head}\n{}\n", refused.lines().nth(1).unwrap().replace("fly", "access")),
    )
    .unwrap();
    import(&place, "people.errors.csv", "--yes").expect(0);
    assert_eq!(people(&place), 3);
    assert!(!place.beside("people.errors.errors.csv").exists());
    let kept = std::fs::read_to_string(place.beside("people.import.json")).unwrap();
    assert!(!kept.contains("example.test"), "{kept}");
    assert_eq!(std::fs::read_to_string(path).unwrap(), text, "the file itself is not touched");
}

#[test]
fn defaults_fill_what_the_file_does_not_say() {
    let sandbox = Sandbox::start();
    let place = connected(&sandbox);
    file(&place, "people.csv", "email,delivery,right\nana@example.test,,\nzoe@example.test,mail,deletion\n");
    import(&place, "people.csv", "--yes").expect(3).complaining(&[]);
    file(&place, "more.csv", "email,right\nxan@example.test,\nyan@example.test,deletion\n");
    let flags = "--right access --policy eu-gdpr --delivery api --no-review --yes";
    import(&place, "more.csv", flags).expect(0);
    let list = place.json(words("requests list"));
    // What came in one millisecond is listed in any order.
    let made: std::collections::BTreeSet<_> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            (one["right"].as_str().unwrap(), one["review"].as_bool().unwrap(), one["state"].as_str().unwrap())
        })
        .collect();
    assert_eq!(made, [("access", false, "collecting"), ("deletion", false, "collecting")].into());
    let access = list["items"].as_array().unwrap().iter().find(|one| one["right"] == "access").unwrap();
    assert_eq!(access["delivery"], "api");
}

#[rstest::rstest]
#[case::empty("", "is empty")]
#[case::blank("\n \n", "is empty")]
#[case::headless("deletion,ana@example.test\n", "it must be a header")]
#[case::semicolons("right;email\ndeletion;a@example.test\n", "separated by semicolons")]
#[case::tabs("right\temail\n", "separated by tabs")]
#[case::utf_16("\u{0}r", "it must be a header")]
#[case::twice("email,email\n", "stands there twice")]
#[case::twice_by_another_name("user_id,identifier:user_id\n", "stands there twice")]
#[case::nobody("right,policy\n", "whom a request is about")]
#[case::nothing_asked("email\na@example.test\n", "what is asked")]
#[case::unknown_kind("right,identifier:shoe\n", "`identifier:shoe` is not known")]
#[case::a_person("right,email,ana@example.test\n", "column 3 of the first line")]
fn a_file_that_cannot_be_used_is_refused_before_anything_is_opened(#[case] text: &str, #[case] said: &str) {
    let place = Place::new();
    file(&place, "people.csv", text);
    let refused = import(&place, "people.csv", "--yes").expect(2).complaining(&[said]);
    assert!(!refused.stderr.contains("example.test"), "{}", refused.stderr);
    assert!(!place.data().exists() && !place.beside("people.errors.csv").exists());
}

#[test]
fn what_is_no_file_is_refused() {
    let place = Place::new();
    import(&place, ".", "").expect(2).complaining(&["is no file"]);
    import(&place, "missing.csv", "").expect(2).complaining(&["cannot be opened"]);
    file(&place, "people.csv", rows(1));
    import(&place, "people.csv", "--errors people.csv").expect(2).complaining(&["--errors"]);
    import(&place, "people.csv", "--yes --dry-run").expect(2);
}

#[test]
fn broken_files_are_refused_as_a_whole_with_their_line() {
    let sandbox = Sandbox::start();
    let place = connected(&sandbox);
    let good = rows(3);
    for (broken, said) in [
        (
            format!("{good}deletion,\"open@example.test,\nx\n"),
            "line 5: the file ends within the quotation marks",
        ),
        (format!("{good}deletion,{},x\n", "a".repeat(10_000_000)), "line 5: this row is longer than 1 MiB"),
    ] {
        file(&place, "people.csv", broken);
        let refused = import(&place, "people.csv", "--yes").expect(1).complaining(&[said]);
        assert!(!refused.stderr.contains("open@"), "{}", refused.stderr);
    }
    assert_eq!(people(&place), 0, "the check comes before the first row");
    // A row that is not UTF-8 stands for itself.
    let mut bytes = good.into_bytes();
    bytes.extend_from_slice(b"deletion,m\xFCller@example.test,U-9\n");
    file(&place, "people.csv", &bytes);
    let done = import(&place, "people.csv", "--yes --json").expect(3).json();
    assert_eq!((&done["accepted"], &done["codes"]["csv_encoding"]), (&3.into(), &1.into()));
    let errors = std::fs::read(place.beside("people.errors.csv")).unwrap();
    assert!(errors.windows(8).any(|part| part == b"m\xFCller@e"), "exactly as it came");
}

#[test]
fn a_killed_import_goes_on_and_takes_everybody_in_once_on_sqlite() {
    let sandbox = Sandbox::start();
    survive(connected(&sandbox));
}

#[test]
fn a_killed_import_goes_on_and_takes_everybody_in_once_on_postgresql() {
    let sandbox = Sandbox::start();
    block_on(async {
        let database = TestDatabase::postgres().await.without_schema().await;
        let place = Place::new().with_sandbox(&sandbox).with("HABEAS_DATABASE__URL", database.url());
        tokio::task::spawn_blocking(move || survive(with_shop(place))).await.unwrap();
    });
}

/// Kills the command after each batch, and the server as well.
fn survive(place: Place) {
    const ROWS: usize = 4_500;
    let mut text = rows(ROWS);
    text.push_str("deletion,person7@example.test,U-again\n");
    file(&place, "people.csv", text);
    let mut server = place.serve_with(["--workers", "0"]);
    let command = words("requests import people.csv --policy eu-gdpr --no-review --yes --json");
    let journal = place.beside("people.import.json");
    for kill in 1_u64..=3 {
        let running = Running::start(&mut place.command(&command));
        // What is under way when it is killed has no answer in its journal.
        while imported(&journal) < kill * 1_000 {
            std::thread::yield_now();
        }
        if kill == 2 {
            server.kill();
            running.kill();
            server = place.serve_with(["--workers", "0"]);
        } else {
            running.kill();
        }
    }
    let done = place.run(&command).expect(3);
    let done = done.json();
    assert_eq!((&done["rows"], &done["accepted"]), (&(ROWS + 1).into(), &ROWS.into()), "{done}");
    assert_eq!(done["codes"]["duplicate_request"], 1);
    let errors = std::fs::read_to_string(place.beside("people.errors.csv")).unwrap();
    assert_eq!(errors.lines().count(), 2, "{errors}");
    assert_eq!(people(&place), ROWS);
    assert_eq!(place.json(["audit", "verify"])["valid"], true);

    // Also without its journal: the server remembers the batches.
    std::fs::remove_file(&journal).unwrap();
    let checked =
        place.run(words("requests import people.csv --policy eu-gdpr --no-review --dry-run --json"));
    let checked = checked.expect(3).json();
    assert_eq!((&checked["known"], &checked["accepted"]), (&ROWS.into(), &0.into()), "{checked}");
    let again = place.run(&command).expect(3).json();
    assert_eq!(again["accepted"], ROWS);
    assert_eq!(people(&place), ROWS);
    let log = server.stop().expect(0);
    assert!(!log.stderr.contains("example.test"), "no personal data in logs");
}

fn imported(journal: &std::path::Path) -> u64 {
    let Ok(text) = std::fs::read(journal) else { return 0 };
    let journal: Value = serde_json::from_slice(&text).unwrap();
    journal["tally"]["rows"].as_u64().unwrap()
}

#[test]
fn a_file_that_is_written_into_meanwhile_is_not_imported_on() {
    let sandbox = Sandbox::start();
    let place = connected(&sandbox);
    let path = file(&place, "people.csv", rows(6_000));
    let _server = place.serve_with(["--workers", "0"]);
    let command = words("requests import people.csv --policy eu-gdpr --yes");
    let running = Running::start(&mut place.command(&command));
    while imported(&place.beside("people.import.json")) < 1_000 {
        std::thread::yield_now();
    }
    let mut more = std::fs::OpenOptions::new().append(true).open(path).unwrap();
    std::io::Write::write_all(&mut more, b"deletion,late@example.test,U-late\n").unwrap();
    running.finish().expect(1).complaining(&["was changed while it was read"]);
    // What was imported is found again; the rest, and the new row, come now.
    let done = place.run(words("requests import people.csv --policy eu-gdpr --yes --json")).expect(3).json();
    let before = done["codes"]["duplicate_request"].as_u64().unwrap();
    assert!(before >= 1_000 && done["accepted"] == 6_001 - before, "{done}");
    assert_eq!(people(&place), 6_001);
}
