//! The program with its large contents in a bucket: one that is there, one that goes away, one that cannot be entered.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use habeas_testing::S3Server;

use crate::support::{Place, Server, words};

fn with_bucket(s3: &S3Server) -> Place {
    Place::new()
        .with("HABEAS_STORAGE__URL", format!("s3://{}/privacy", S3Server::BUCKET))
        .with("HABEAS_STORAGE__ENDPOINT", s3.endpoint())
        .with("HABEAS_STORAGE__ACCESS_KEY_ID", S3Server::ACCESS_KEY_ID)
        .with("HABEAS_STORAGE__SECRET_ACCESS_KEY", S3Server::SECRET_ACCESS_KEY)
}

/// Status line and body of `GET /readyz`.
fn readiness(server: &Server) -> String {
    let mut stream = TcpStream::connect(server.address().strip_prefix("http://").unwrap()).unwrap();
    write!(stream, "GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_large_package_lies_in_the_bucket_and_an_outage_is_said_and_survived() {
    let s3 = S3Server::start();
    let place = with_bucket(&s3).with("RUST_LOG", "trace");
    let server = place.serve();
    assert!(readiness(&server).starts_with("HTTP/1.1 200"));
    place.json(words(
        "connections add direct_contact --name archive --set processor_email=archive@example.test",
    ));
    let create =
        "requests create --right access --email ana.silva@example.test --policy eu-gdpr --delivery api";
    let id = place.json(words(create))["id"].as_str().unwrap().to_owned();
    let run = place.json(["requests", "runs", &id])["items"][0]["id"].as_str().unwrap().to_owned();
    let scan = place.beside("scan.pdf");
    std::fs::write(&scan, vec![b'%'; 1_000_000]).unwrap();
    let scan = scan.to_str().unwrap();
    let answer = ["requests", "answer", &id, &run, "--answer", "data", "--file", scan];

    s3.leave();
    place.run(answer).expect(1).complaining(&["cannot be reached (there is no connection to it)"]);
    let red = readiness(&server);
    assert!(red.starts_with("HTTP/1.1 503") && red.contains("\"not_ready\""), "{red}");
    assert!(red.contains("the storage for packages and files cannot be reached"), "{red}");
    assert!(
        !red.contains(S3Server::BUCKET) && !red.contains("127.0.0.1"),
        "nobody is told where it is: {red}"
    );
    s3.come_back();
    place.run(answer).expect(0);
    assert!(readiness(&server).starts_with("HTTP/1.1 200"));
    place.json(["requests", "process", &id]);
    let out = place.beside("package.zip");
    // It is made in the background.
    while place.run(["requests", "package", &id, "--out", out.to_str().unwrap()]).code != Some(0) {}
    assert!(std::fs::metadata(&out).unwrap().len() > 1_000);
    assert!(s3.objects().iter().filter(|name| name.starts_with("privacy/obj_")).count() >= 2);
    assert!(!place.data().join("packages").exists(), "nothing lies on this machine");

    let log = server.stop().expect(0).stderr;
    assert_eq!(log.matches("the storage does not work").count(), 1, "it goes once");
    assert_eq!(
        log.matches("the storage for packages and files works again").count(),
        1,
        "and comes back once"
    );
    assert!(log.contains("TRACE") && !log.contains(S3Server::SECRET_ACCESS_KEY) && !log.contains("scan.pdf"));
}

#[test]
fn a_bucket_that_is_away_at_the_start_is_waited_for() {
    let s3 = S3Server::start();
    s3.leave();
    let place = with_bucket(&s3);
    let server = place.serve();
    let red = readiness(&server);
    assert!(red.starts_with("HTTP/1.1 503"), "{red}");
    place.json(["keys", "create", "--name", "first", "--role", "auditor"]);
    s3.come_back();
    let end = server.stop().expect(0);
    assert!(end.stderr.contains("the storage does not work"), "{}", end.stderr);
}

#[test]
fn a_bucket_that_cannot_be_entered_is_refused_at_the_start() {
    let s3 = S3Server::start();
    let place = with_bucket(&s3).with("HABEAS_STORAGE__SECRET_ACCESS_KEY", "not-the-secret");
    let end = place.run(["serve", "--listen", "127.0.0.1:0"]).expect(1);
    assert!(!end.stderr.contains("not-the-secret"), "{}", end.stderr);
    end.complaining(&["`[storage]` cannot be used", "`storage.secret_access_key`"]);
    let place = with_bucket(&s3).with("HABEAS_STORAGE__URL", "s3://nobody-has-this");
    let end = place.run(["serve", "--listen", "127.0.0.1:0"]).expect(1);
    end.complaining(&["`[storage]` cannot be used", "there is no such bucket"]);
}
