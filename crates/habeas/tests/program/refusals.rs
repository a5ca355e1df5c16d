//! Everything that cannot be used at the start: told with the right exit code, and nothing is changed.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use habeas_testing::{RawConnection, TestDatabase, block_on};
use rstest::rstest;

use crate::support::{Place, Server, finish, is_there, program};

/// Sets an installation up, spoils it and runs commands that must fail: nothing of the database may change.
fn refused(spoil: impl AsyncFnOnce(&Path, &mut RawConnection), commands: &[&[&str]], said: &[&str]) {
    block_on(async {
        // Its file is called as the product calls it, so its directory serves as a data directory.
        let database = TestDatabase::sqlite();
        let data = database.directory().unwrap();
        let habeas = |arguments: &[&str]| finish(program().arg("--data").arg(data).args(arguments));
        habeas(&["keys", "create", "--name", "first", "--role", "super_admin"]).expect(0);
        let mut raw = database.raw().await;
        spoil(data, &mut raw).await;
        let before = raw.dump().await;
        let key = std::fs::read(data.join("master.key")).ok();
        for command in commands {
            habeas(command).expect(1).complaining(said);
        }
        assert!(raw.dump().await == before, "the database was changed");
        assert_eq!(std::fs::read(data.join("master.key")).ok(), key);
    });
}

const SERVE: &[&str] = &["serve", "--listen=127.0.0.1:0"];

#[test]
fn a_missing_master_key_is_never_made_again() {
    refused(
        async |data, _| std::fs::remove_file(data.join("master.key")).unwrap(),
        &[SERVE, &["keys", "list"]],
        &["master.key is missing", "put the file back", "nothing was changed"],
    );
}

#[test]
fn another_master_key_opens_nothing() {
    refused(
        async |data, _| std::fs::write(data.join("master.key"), "ab".repeat(32)).unwrap(),
        &[SERVE, &["keys", "list"]],
        &["the master key does not belong to this database", "nothing was changed"],
    );
}

#[test]
fn a_database_of_a_newer_version_is_left_alone() {
    refused(
        async |_, raw| {
            raw.run("INSERT INTO schema_versions (version, applied_at) VALUES (4711, 0)").await;
        },
        &[SERVE, &["migrate"], &["keys", "list"]],
        &["is at version 4711", "install the newer program", "nothing was changed"],
    );
}

#[test]
fn a_key_file_that_others_can_read_is_refused() {
    let place = Place::new();
    place.run(["keys", "list"]).expect(0);
    let key = place.data().join("master.key");
    std::fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    place.run(["keys", "list"]).expect(1).complaining(&[&format!("chmod 600 {}", key.display())]);
    std::fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    place.run(["keys", "list"]).expect(0);
}

#[rstest]
#[case::not_a_key("this is no key")]
#[case::empty("")]
fn a_broken_key_file_is_refused_before_the_database_is_made(#[case] content: &str) {
    let place = Place::new();
    place.write("master.key", content);
    std::fs::set_permissions(place.data().join("master.key"), Permissions::from_mode(0o600)).unwrap();
    let refusal = place.run(["serve", "--listen=127.0.0.1:0"]).expect(1);
    refusal.complaining(&["master.key cannot be used", "64 hexadecimal digits"]);
    assert!(!is_there(&place.data().join("habeas.db")));
}

#[test]
fn a_key_from_the_environment_needs_no_file() {
    let place = Place::new().with("HABEAS_ENCRYPTION__KEY", "cd".repeat(32));
    place.run(["keys", "list"]).expect(0);
    assert!(!is_there(&place.data().join("master.key")));
    place
        .with("HABEAS_ENCRYPTION__KEY", "ef".repeat(32))
        .run(["keys", "list"])
        .expect(1)
        .complaining(&["does not belong to this database"]);
}

#[test]
fn a_data_directory_is_for_one_process() {
    let place = Place::new();
    let server = place.serve();
    let said = format!("is in use by process {}", server.process().id());
    place.run(["serve", "--listen=127.0.0.1:0"]).expect(1).complaining(&[&said, "nothing was changed"]);
    place.run(["migrate"]).expect(1).complaining(&[&said]);
    // The server does not notice.
    place.run(["keys", "list"]).expect(0);
    server.stop().expect(0);
    place.run(["migrate"]).expect(0);
}

#[test]
fn a_port_in_use_is_named() {
    let place = Place::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    place
        .run(["serve", "--listen", &address])
        .expect(1)
        .complaining(&[&format!("another program listens on {address}"), "--listen"]);
    assert!(!is_there(&place.data().join("habeas.db")) && !is_there(&place.data().join("master.key")));
}

#[rstest]
#[case::unknown_key("[server]\nlissten = \"127.0.0.1:0\"", &["`server.lissten` in", "habeas.toml is not a known setting"])]
#[case::wrong_kind("[workers]\ncount = \"all\"", &["`workers.count` in", "expected a whole number from 0 to 1024"])]
#[case::both("[workers]\ncount = -1\n[nowhere]\nx = 1", &["`workers.count`", "`nowhere.x`"])]
#[case::no_toml("[server", &["habeas.toml is not TOML: line 1"])]
fn an_unusable_file_is_told_and_nothing_is_made(#[case] file: &str, #[case] said: &[&str]) {
    let place = Place::new();
    place.write("habeas.toml", file);
    let before = place.files();
    for command in [&["serve"][..], &["migrate"], &["requests", "list"]] {
        place.run(command).expect(1).complaining(said);
    }
    assert_eq!(place.files(), before);
}

#[test]
fn an_unknown_variable_is_told_by_its_name() {
    let place = Place::new().with("HABEAS_SERVER__PORT", "7070");
    place
        .run(["serve"])
        .expect(1)
        .complaining(&["environment variable HABEAS_SERVER__PORT is not a known setting"]);
    assert!(!is_there(&place.data()));
}

#[test]
fn a_configuration_file_that_was_named_must_be_there() {
    let place = Place::new();
    place.run(["--config", "nowhere.toml", "serve"]).expect(1).complaining(&["nowhere.toml cannot be read"]);
    assert!(!is_there(&place.data()));
}

#[test]
fn an_unknown_database_is_refused() {
    let place = Place::new().with("HABEAS_DATABASE__URL", "mysql://user:hush@host/x");
    let refusal =
        place.run(["serve"]).expect(1).complaining(&["`database.url`", "expected \"sqlite://FILE\""]);
    assert!(!refusal.stderr.contains("hush"), "{}", refusal.stderr);
}

#[test]
fn workers_of_their_own_need_postgresql() {
    let place = Place::new();
    place.run(["worker"]).expect(1).complaining(&["use PostgreSQL", "--workers"]);
    assert!(!is_there(&place.data()));
}

#[rstest]
#[case::unknown_command(&["conquer"], "unrecognized subcommand 'conquer'")]
#[case::nothing(&[], "Usage: habeas")]
#[case::bad_role(&["keys", "create", "--name", "x", "--role", "emperor"], "`emperor` is not a known role; known are: super_admin")]
#[case::no_role(&["keys", "create", "--name", "x"], "--role <ROLE>")]
#[case::bad_id(&["requests", "show", "4711"], "not a request id")]
#[case::bad_right(&["requests", "create", "--right", "forget", "--email", "a@example.test"], "is not a known right")]
#[case::no_email(&["requests", "create", "--right", "access"], "--email <EMAIL>")]
#[case::email_twice(&["requests", "create", "--right", "access", "--email", "a@example.test", "--identifier", "email=b@example.test"], "with --email")]
#[case::bad_identifier(&["requests", "create", "--right", "access", "--email", "a@example.test", "--identifier", "4711"], "expected something like user_id=4711")]
#[case::bad_state(&["requests", "list", "--state", "asleep"], "is not a known request state")]
#[case::bad_date(&["requests", "list", "--due-before", "tomorrow"], "--due-before")]
#[case::bad_wait(&["requests", "process", "--wait", "req_01920000000070008000000000000001"], "write --wait behind the ids")]
#[case::bad_setting(&["connections", "add", "readycloud", "--name", "shop", "--set", "token"], "expected something like access_token=")]
#[case::setting_twice(&["connections", "add", "readycloud", "--name", "shop", "--set", "a=1", "--set", "a=2"], "was given twice")]
#[case::missing_variable(&["connections", "add", "readycloud", "--name", "shop", "--set", "access_token=env:NOT_THERE"], "no environment variable NOT_THERE")]
#[case::bad_capability(&["connections", "add", "readycloud", "--name", "shop", "--capability", "flying=api"], "is not a known capability")]
#[case::too_many_workers(&["serve", "--workers", "100000"], "--workers")]
#[case::serve_elsewhere(&["--server", "https://privacy.example.test", "serve"], "--server")]
fn a_command_line_that_cannot_be_used_ends_with_2(#[case] arguments: &[&str], #[case] said: &str) {
    let place = Place::new();
    let refusal = place.run(arguments).expect(2).complaining(&[said]);
    assert_eq!(refusal.stdout, "");
    assert!(!place.data().join("habeas.db").exists(), "nothing was made");
}

#[test]
fn nothing_is_set_up_by_looking_around() {
    let place = Place::new();
    let elsewhere = |arguments: &[&str]| finish(program().args(arguments).current_dir(place.beside("")));
    elsewhere(&["requests", "list"])
        .expect(1)
        .complaining(&["there is no installation in ./habeas-data", "--data"]);
    assert!(!is_there(&place.beside("habeas-data")));
    elsewhere(&["keys", "create", "--name", "first", "--role", "auditor"]).expect(0);
    assert!(is_there(&place.beside("habeas-data/habeas.db")));
}

/// A socket that a killed server left behind stands in nobody's way.
#[test]
fn a_stale_socket_is_no_obstacle() {
    let place = Place::new();
    place.serve().kill();
    assert!(is_there(&place.data().join("habeas.sock")));
    place.run(["keys", "list"]).expect(0);
    let server: Server = place.serve();
    place.run(["keys", "list"]).expect(0);
    server.stop().expect(0);
    assert!(!is_there(&place.data().join("habeas.sock")));
}
