//! What everything rests on goes away and comes back: readiness says so, and the work goes on.

use std::ffi::OsString;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use habeas_sandbox::faults::{Fault, Rule};
use habeas_sandbox::readycloud::ContactSpec;
use habeas_sandbox::{Sandbox, SandboxOptions};
use habeas_testing::{TestDatabase, block_on};
use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};
use serde_json::{Value, json};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::support::{Place, Running, Server, words};

const REQUESTS: usize = 60;
const DELETE: &str = "DELETE /api/v2/orgs/{org}/contacts/{contact}/";

#[test]
fn a_database_that_goes_away_and_comes_back_costs_nothing() {
    block_on(async {
        let database = TestDatabase::postgres().await.without_schema().await;
        let gate = Gate::before(database.url()).await;
        let sandbox = Sandbox::start(SandboxOptions::default()).await.unwrap();
        sandbox.readycloud().set_limits(None, None);
        let contacts: Vec<String> = (0..REQUESTS)
            .map(|number| {
                let contact = ContactSpec { email: Some(email(number)), ..ContactSpec::default() };
                sandbox.readycloud().add_contact(contact).unwrap()
            })
            .collect();
        let place = Place::new()
            .with("HABEAS_DATABASE__URL", &gate.url)
            .with("HABEAS_WORKERS__LEASE_SECONDS", "4")
            .with("HABEAS_WORKERS__POLL_INTERVAL_MS", "50")
            .with("HABEAS_INTEGRATIONS__READYCLOUD__BASE_URL", &sandbox.addresses().readycloud)
            .with("HABEAS_INTEGRATIONS__READYCLOUD__BUDGET", "10000");
        let server = place.serve();
        place.run(words("connections add readycloud --name shop --set access_token=rc-demo-token")).expect(0);
        let caller = Caller::new(&server, &place);
        sandbox.calls().reset();
        sandbox.faults().add(Rule::new("readycloud", Fault::Latency { ms: 20 })).unwrap();
        let ids = caller.take_in(0..REQUESTS).await;
        sandbox.calls().wait_until(|calls| calls.count("readycloud", DELETE) >= 5).await;

        gate.close();
        caller.until_ready_is(503).await;
        let refused = caller.create(REQUESTS).await;
        assert_eq!((refused.0, &refused.1["code"]), (503, &json!("store_unavailable")), "{}", refused.1);
        gate.open();
        caller.until_ready_is(200).await;

        for id in &ids {
            let closed = caller.get(&format!("/api/v1/requests/{id}?wait=100")).await.1;
            assert_eq!(
                (&closed["state"], &closed["outcome"]),
                (&json!("closed"), &json!("erased")),
                "{closed}"
            );
        }
        for contact in &contacts {
            assert_eq!(sandbox.calls().deletions_of("readycloud", contact).effects, 1);
        }
        let answers = sandbox.calls().route("readycloud", DELETE);
        assert_eq!(answers.statuses.get(&404), None, "none was sent again after its effect: {answers:?}");
        assert_eq!(place.json(["audit", "verify"])["valid"], true);
        let log = server.stop().expect(0).complaining(&["not ready"]);
        assert!(!log.stderr.contains("@outage.example.test"), "no personal data in logs");
    });
}

#[test]
fn a_full_disk_refuses_and_loses_nothing() {
    block_on(async {
        let place = Place::new();
        let mut command = limited_to_blocks(3_000, &place);
        let server = Server::start(&mut command);
        place
            .run(words(
                "connections add direct_contact --name archive --set processor_email=a@archive.example.test",
            ))
            .expect(0);
        let caller = Caller::new(&server, &place);
        let mut kept = Vec::new();
        let refused = loop {
            let (status, answer) = caller.create(kept.len()).await;
            if status != 201 {
                break (status, answer);
            }
            kept.push(answer["id"].as_str().unwrap().to_owned());
            assert!(kept.len() < 10_000, "the disk is never full");
        };
        assert_eq!((refused.0, &refused.1["code"]), (503, &json!("store_unavailable")), "{}", refused.1);
        caller.until_ready_is(503).await;
        // Reading goes on.
        let first = caller.get(&format!("/api/v1/requests/{}", kept[0])).await;
        assert_eq!(first.0, 200);

        let id = Pid::from_raw(i32::try_from(server.process().id()).unwrap()).unwrap();
        prlimit(Some(id), Resource::Fsize, Rlimit { current: None, maximum: None }).unwrap();
        caller.until_ready_is(200).await;
        let (status, answer) = caller.create(kept.len()).await;
        assert_eq!(status, 201, "{answer}");
        kept.push(answer["id"].as_str().unwrap().to_owned());
        for id in &kept {
            assert_eq!(caller.get(&format!("/api/v1/requests/{id}")).await.0, 200, "{id}");
        }
        assert_eq!(place.json(["audit", "verify"])["valid"], true);
        server.stop().expect(0);
    });
}

#[test]
fn two_workers_with_one_name_both_work_and_are_told() {
    block_on(async {
        let database = TestDatabase::postgres().await.without_schema().await;
        let place = Place::new()
            .with("HABEAS_DATABASE__URL", database.url())
            .with("HABEAS_ENCRYPTION__KEY", "ab".repeat(32))
            .with("HABEAS_WORKERS__NAME", "twin");
        let server = place.serve_with(["--workers", "0"]);
        let caller = Caller::new(&server, &place);
        let workers: Vec<_> = (0..2).map(|_| Running::start(&mut place.command(["worker"]))).collect();
        let listed =
            caller.until("/api/v1/workers", |list| list["items"].as_array().unwrap().len() == 3).await;
        let ids: std::collections::BTreeSet<_> =
            listed["items"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), 3);
        for one in listed["items"].as_array().unwrap() {
            assert_eq!((&one["name"], &one["state"]), (&json!("twin"), &json!("working")));
        }
        let metrics = caller.text("/metrics").await;
        assert!(metrics.contains("habeas_workers{state=\"working\"} 3"), "{metrics}");
        let mut told = 0;
        for worker in workers {
            worker.signal(Signal::TERM);
            told +=
                usize::from(worker.finish().expect(0).stderr.contains("another process has the same name"));
        }
        assert!(told >= 1);
        let left = caller.get("/api/v1/workers").await.1;
        assert_eq!(left["items"].as_array().unwrap().len(), 1, "who has finished is off the list");
        server.stop().expect(0);
    });
}

/// A server that may not write files of more than so many blocks of 512 bytes, as if the disk were full then.
fn limited_to_blocks(blocks: u32, place: &Place) -> Command {
    let inner = place.command(["serve", "--listen", "127.0.0.1:0"]);
    let script = format!("trap '' XFSZ; ulimit -S -f {blocks}; exec \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &script, "sh"]).arg(inner.get_program()).args(inner.get_args());
    command.env_clear().envs(std::env::vars_os().filter(|(name, _)| !is_ours(name)));
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command
}

fn is_ours(name: &OsString) -> bool {
    name.to_str().is_some_and(|name| name.starts_with("HABEAS_"))
}

fn email(number: usize) -> String {
    format!("person.{number}@outage.example.test")
}

/// Stands before a database and can be closed: connections break, new ones are refused.
struct Gate {
    url: String,
    is_open: Arc<watch::Sender<bool>>,
}

impl Gate {
    async fn before(url: &str) -> Self {
        let mut address = url::Url::parse(url).unwrap();
        let target = format!("{}:{}", address.host_str().unwrap(), address.port().unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        address.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
        let is_open = Arc::new(watch::Sender::new(true));
        let watched = Arc::clone(&is_open);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut open = watched.subscribe();
                let target = target.clone();
                tokio::spawn(async move {
                    if !*open.borrow() {
                        return;
                    }
                    let mut server = TcpStream::connect(target).await.unwrap();
                    tokio::select! {
                        _ = copy_bidirectional(&mut client, &mut server) => {}
                        _ = open.wait_for(|open| !open) => {}
                    }
                });
            }
        });
        Self { url: address.to_string(), is_open }
    }

    fn close(&self) {
        self.is_open.send_replace(false);
    }

    fn open(&self) {
        self.is_open.send_replace(true);
    }
}

struct Caller {
    http: reqwest::Client,
    address: String,
    key: String,
}

impl Caller {
    #[expect(clippy::disallowed_methods, reason = "the test's own client, not a vendor's")]
    fn new(server: &Server, place: &Place) -> Self {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(120)).build().unwrap();
        let key = place.json(words("keys create --name test --role super_admin"));
        Self { http, address: server.address().to_owned(), key: key["key"].as_str().unwrap().to_owned() }
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        let call = self.http.get(format!("{}{path}", self.address)).bearer_auth(&self.key);
        let answer = call.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn text(&self, path: &str) -> String {
        self.http.get(format!("{}{path}", self.address)).send().await.unwrap().text().await.unwrap()
    }

    async fn until(&self, path: &str, enough: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..20_000 {
            let (_, found) = self.get(path).await;
            if enough(&found) {
                return found;
            }
        }
        panic!("{path} never shows it");
    }

    async fn until_ready_is(&self, status: u16) {
        for _ in 0..20_000 {
            if self.get("/readyz").await.0 == status {
                return;
            }
        }
        panic!("readiness never is {status}");
    }

    async fn create(&self, number: usize) -> (u16, Value) {
        let call = self.http.post(format!("{}/api/v1/requests", self.address)).bearer_auth(&self.key);
        let answer = call.json(&deletion(number)).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn take_in(&self, numbers: std::ops::Range<usize>) -> Vec<String> {
        let all: Vec<Value> = numbers.map(deletion).collect();
        let call = self.http.post(format!("{}/api/v1/requests/bulk", self.address)).bearer_auth(&self.key);
        let answer: Value = call.json(&all).send().await.unwrap().json().await.unwrap();
        answer["items"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    }
}

fn deletion(number: usize) -> Value {
    json!({"right": "deletion", "policy": "eu-gdpr", "review": false, "subject": {"email": email(number)}})
}
