//! The three ways to the API answer alike.

use std::process::Command;

use serde_json::Value;

use crate::support::{Finished, Place, Server, finish, program};

/// A command over the network.
fn remote(server: &Server, key: &str, arguments: &[&str]) -> Finished {
    finish(network(server, arguments).env("HABEAS_KEY", key))
}

fn network(server: &Server, arguments: &[&str]) -> Command {
    let mut command = program();
    command.args(["--server", server.address()]).args(arguments);
    command
}

#[test]
fn socket_network_and_data_directory_answer_alike() {
    let place = Place::new();
    let made = place.json(["keys", "create", "--name", "all", "--role", "super_admin"]);
    let key = made["key"].as_str().unwrap();
    let request = place.json(["requests", "create", "--right", "access", "--email", "ana@example.test"]);
    let id = request["id"].as_str().unwrap();
    let questions: [&[&str]; 6] = [
        &["keys", "list", "--json"],
        &["integrations", "--json"],
        &["integrations", "show", "readycloud", "--json"],
        &["requests", "list", "--json"],
        &["requests", "show", id, "--json"],
        &["requests", "show", id],
    ];
    let direct: Vec<String> = questions.iter().map(|one| place.run(*one).expect(0).stdout).collect();
    let server = place.serve();
    for (question, direct) in questions.iter().zip(&direct) {
        assert_eq!(&place.run(*question).expect(0).stdout, direct, "{question:?} over the socket");
        assert_eq!(&remote(&server, key, question).expect(0).stdout, direct, "{question:?} over the network");
    }
    let refusals: [&[&str]; 3] = [
        &["requests", "show", "req_01920000000070008000000000000001"],
        &["requests", "process", id],
        &["integrations", "show", "nothing"],
    ];
    for refusal in refusals {
        let over_socket = place.run(refusal).expect(1);
        assert!(over_socket.stderr.starts_with("error: "), "{}", over_socket.stderr);
        assert_eq!(over_socket.stderr, remote(&server, key, refusal).expect(1).stderr);
    }
    server.stop().expect(0);
}

#[test]
fn the_audit_log_knows_who_came_which_way() {
    let place = Place::new();
    let made = place.json(["keys", "create", "--name", "all", "--role", "super_admin"]);
    let server = place.serve();
    place.run(["keys", "create", "--name", "over the socket", "--role", "auditor"]).expect(0);
    let key = made["key"].as_str().unwrap();
    remote(&server, key, &["keys", "create", "--name", "over the network", "--role", "auditor"]).expect(0);
    let log = place.json(["audit", "list"]);
    let actors: Vec<&Value> = log["items"].as_array().unwrap().iter().map(|event| &event["actor"]).collect();
    assert_eq!(actors, ["local-operator", "local-operator", made["id"].as_str().unwrap()]);
    server.stop().expect(0);
}

#[test]
fn a_key_opens_what_its_roles_allow() {
    let place = Place::new();
    let auditor = place.json(["keys", "create", "--name", "auditor", "--role", "auditor"]);
    let server = place.serve();
    let key = auditor["key"].as_str().unwrap();
    remote(&server, key, &["audit", "verify"]).expect(0);
    let create = ["requests", "create", "--right", "access", "--email", "ana@example.test"];
    remote(&server, key, &create).expect(1).complaining(&["(role_missing)", "request_agent"]);
    remote(&server, "habeas_wrong", &["keys", "list"])
        .expect(1)
        .complaining(&["(key_invalid)", "habeas keys create"]);
    place.run(["keys", "revoke", auditor["id"].as_str().unwrap()]).expect(0);
    remote(&server, key, &["audit", "verify"]).expect(1).complaining(&["(key_invalid)", "revoked"]);
    server.stop().expect(0);
}

#[test]
fn the_network_needs_a_key_and_a_safe_address() {
    let place = Place::new();
    let server = place.serve();
    finish(&mut network(&server, &["keys", "list"]))
        .expect(2)
        .complaining(&["HABEAS_KEY", "habeas keys create"]);
    server.stop().expect(0);
    let far =
        |url: &str| finish(program().args(["--server", url, "keys", "list"]).env("HABEAS_KEY", "habeas_x"));
    far("http://privacy.example.test").expect(2).complaining(&["https", "in clear"]);
    // A port that was free a moment ago: nobody answers there.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    far(&format!("http://{free}")).expect(1).complaining(&["cannot be reached"]);
}

/// A redirect would take the key to somebody else.
#[test]
fn a_redirect_is_not_followed() {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 1024];
        let length = stream.read(&mut request).unwrap();
        stream
            .write_all(b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            .unwrap();
        String::from_utf8_lossy(&request[..length]).into_owned()
    });
    let refused =
        finish(program().args(["--server", &url, "keys", "list"]).env("HABEAS_KEY", "habeas_x")).expect(1);
    refused.complaining(&["redirects elsewhere"]);
    let request = answering.join().unwrap();
    assert!(request.to_lowercase().contains("authorization: bearer habeas_x"), "{request}");
}
