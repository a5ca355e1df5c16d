//! Several processes on one PostgreSQL database.

use habeas_testing::{TestDatabase, block_on};

use crate::support::{Place, Running, Sandbox, words};

/// Runs a test with a database that nothing has been written to.
fn with_database(test: impl FnOnce(&str)) {
    block_on(async {
        let database = TestDatabase::postgres().await.without_schema().await;
        test(database.url());
    });
}

fn on(database: &str) -> Place {
    Place::new()
        .with("HABEAS_DATABASE__URL", database)
        .with("HABEAS_WORKERS__POLL_INTERVAL_MS", "20")
        .with("HABEAS_ENCRYPTION__KEY", "ab".repeat(32))
}

#[test]
fn servers_and_workers_share_a_database() {
    with_database(|database| {
        let sandbox = Sandbox::start();
        let first = on(database).with_sandbox(&sandbox);
        let second = on(database).with_sandbox(&sandbox);
        let server = first.serve_with(["--workers", "0"]);
        let other = second.serve_with(["--workers", "0"]);
        first.run(words("connections add readycloud --name shop --set access_token=rc-demo-token")).expect(0);
        let create =
            "requests create --right deletion --email ana.silva@example.test --policy us-ca --no-review";
        let made = first.json(words(create));
        let id = made["id"].as_str().unwrap();
        assert_eq!(second.json(["requests", "show", id])["id"], made["id"]);

        let worker = Running::start(&mut first.command(["worker", "--workers", "1"]));
        let closed = second.run(["--json", "requests", "show", id, "--wait", "60"]).expect(0).json();
        assert_eq!(closed["outcome"], "erased");
        worker.signal(rustix::process::Signal::TERM);
        worker.finish().expect(0);
        assert_eq!(second.json(["audit", "verify"])["valid"], true);
        server.stop().expect(0);
        other.stop().expect(0);
    });
}

#[test]
fn a_worker_makes_no_key() {
    with_database(|database| {
        let place = Place::new().with("HABEAS_DATABASE__URL", database);
        place.run(["worker"]).expect(1).complaining(&["there is no master key file", "start that first"]);
        assert!(!place.data().exists());
        place.run(["worker", "--workers", "0"]).expect(2);
        place.serve().stop().expect(0);
        // The key is there now, but a second installation has another one.
        let stranger = Place::new().with("HABEAS_DATABASE__URL", database);
        stranger
            .run(["serve", "--listen=127.0.0.1:0"])
            .expect(1)
            .complaining(&["is missing", "put the file back"]);
        assert!(!stranger.data().join("master.key").exists());
    });
}

#[test]
fn a_database_that_does_not_answer_is_told_without_its_password() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let place = on(&format!("postgres://user:hush@{free}/habeas"));
    let refused = place.run(["serve", "--listen=127.0.0.1:0"]).expect(1);
    let refused = refused.complaining(&["cannot reach the database of `database.url`"]);
    assert!(!refused.stderr.contains("hush"), "{}", refused.stderr);
}
