//! How a server starts, is reached, and stops.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Place, Running, Server, is_there, words};

fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.address().strip_prefix("http://").unwrap()).unwrap()
}

/// A call as its bytes; what came back.
fn get(server: &Server, path: &str) -> String {
    let mut stream = connect(server);
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_server_says_once_that_it_is_ready_and_stops_when_told() {
    let place = Place::new();
    let server = place.serve();
    assert!(server.address().starts_with("http://127.0.0.1:"));
    assert!(get(&server, "/healthz").starts_with("HTTP/1.1 200"));
    assert!(get(&server, "/readyz").contains("\"ready\""));
    assert!(get(&server, "/metrics").contains("habeas_requests"));
    // From the network nothing goes without a key.
    assert!(get(&server, "/api/v1/api-keys").starts_with("HTTP/1.1 401"));

    let mode = |name: &str| std::fs::metadata(place.data().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(
        (mode(""), mode("habeas.sock"), mode("habeas.db"), mode("master.key")),
        (0o700, 0o600, 0o600, 0o600)
    );

    let end = server.stop().expect(0);
    assert_eq!(end.stdout, "", "one line is all it prints");
    assert!(!is_there(&place.data().join("habeas.sock")));
    for line in end.stderr.lines() {
        let entry: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(entry["level"].is_string() && entry["timestamp"].is_string(), "{line}");
    }
}

#[test]
fn an_idle_connection_does_not_hold_up_the_end() {
    let place = Place::new();
    let server = place.serve();
    let idle = connect(&server);
    let mut used = idle.try_clone().unwrap();
    write!(used, "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut first = [0; 12];
    used.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    server.stop().expect(0);
}

#[test]
fn ctrl_c_stops_as_well() {
    let place = Place::new();
    let mut process = Running::start(&mut place.command(["serve", "--listen", "127.0.0.1:0"]));
    process.line();
    process.signal(Signal::INT);
    process.finish().expect(0);
}

#[test]
fn the_address_may_come_from_the_environment_and_the_argument_goes_before_it() {
    let place = Place::new().with("HABEAS_SERVER__LISTEN", "127.0.0.1:0");
    let server = Server::start(&mut place.command(["serve", "--workers", "0"]));
    assert!(get(&server, "/readyz").starts_with("HTTP/1.1 200"));
    server.stop().expect(0);
    let refused = place.run(["serve", "--listen", "nonsense"]).expect(1);
    refused.complaining(&["cannot listen on nonsense"]);
}

#[test]
fn settings_without_effect_are_named_at_the_start() {
    let place = Place::new().with("HABEAS_OIDC__CLIENT_SECRET", "hush");
    let end = place.serve().stop().expect(0);
    assert!(
        end.stderr.contains(
            "`oidc.client_secret` in the environment variable HABEAS_OIDC__CLIENT_SECRET has no effect"
        ),
        "{}",
        end.stderr
    );
    assert!(!end.stderr.contains("hush"));
}

#[test]
fn a_deep_data_directory_has_a_usable_socket() {
    let place = Place::new();
    let data = place.beside(&"d".repeat(150));
    let run = |arguments: &[&str]| {
        let mut command = crate::support::program();
        command.arg("--data").arg(&data).args(arguments);
        command
    };
    let server = Server::start(&mut run(&["serve", "--listen", "127.0.0.1:0"]));
    assert!(is_there(&data.join("habeas.sock")));
    crate::support::finish(&mut run(&["keys", "list"])).expect(0);
    server.stop().expect(0);
    assert!(!is_there(&data.join("habeas.sock")));
}

#[test]
fn what_was_written_is_there_after_a_restart() {
    let place = Place::new();
    let server = place.serve();
    let made = place.json(["keys", "create", "--name", "first", "--role", "auditor"]);
    server.stop().expect(0);
    let server = place.serve();
    assert_eq!(place.json(["keys", "list"])["items"][0]["id"], made["id"]);
    server.stop().expect(0);
}

/// The first signal waits for what is under way, the second does not.
#[test]
fn a_second_signal_ends_at_once() {
    let place = Place::new();
    let server = place.serve();
    let key = place.json(words("keys create --name slow --role super_admin"));
    let mut slow = connect(&server);
    let head = format!(
        "POST /api/v1/api-keys HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: 100\r\nexpect: 100-continue\r\n\r\n",
        key["key"].as_str().unwrap()
    );
    slow.write_all(head.as_bytes()).unwrap();
    // The server says this when it begins to wait for the body, which never comes.
    let mut asked = [0; 12];
    slow.read_exact(&mut asked).unwrap();
    assert_eq!(&asked, b"HTTP/1.1 100");
    server.process().signal(Signal::TERM);
    let address = server.address().strip_prefix("http://").unwrap().to_owned();
    while TcpStream::connect(&address).is_ok() {
        std::thread::yield_now();
    }
    assert_eq!(server.stop().code, Some(128 + 15));
}
