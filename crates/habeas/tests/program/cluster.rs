//! Four worker processes on one PostgreSQL database, of which one is killed and one is frozen for longer than its lease.

use std::collections::BTreeSet;
use std::time::Duration;

use habeas_sandbox::readycloud::ContactSpec;
use habeas_sandbox::{Sandbox, SandboxOptions};
use habeas_testing::{TestDatabase, block_on};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Place, Running, words};

/// How many requests, half of each right; `HABEAS_TEST_CLUSTER_REQUESTS` asks for another number.
const REQUESTS: usize = 400;
/// What the vendor allows in a minute, of each class; `HABEAS_TEST_CLUSTER_LIMIT` asks for another number.
const LIMIT: u32 = 1_500;
/// The product's share of it.
const SHARE: f64 = 0.8;
const WORKERS: usize = 4;
const CONTACT: &str = "GET /api/v2/orgs/{org}/contacts/{contact}/";
const DELETE: &str = "DELETE /api/v2/orgs/{org}/contacts/{contact}/";

fn asked_for<T: std::str::FromStr>(name: &str, usual: T) -> T {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

#[test]
fn nothing_is_lost_or_done_twice_and_the_budget_is_used_and_kept() {
    block_on(async {
        let database = TestDatabase::postgres().await.without_schema().await;
        work_together(database.url()).await;
    });
}

async fn work_together(database: &str) {
    let requests = asked_for("HABEAS_TEST_CLUSTER_REQUESTS", REQUESTS);
    let limit = asked_for("HABEAS_TEST_CLUSTER_LIMIT", LIMIT);
    let sandbox = Sandbox::start(SandboxOptions::default()).await.unwrap();
    sandbox.readycloud().set_limits(Some(limit), Some(limit));
    let contacts: Vec<String> = (0..requests)
        .map(|number| {
            let contact = ContactSpec { email: Some(email(number)), ..ContactSpec::default() };
            sandbox.readycloud().add_contact(contact).unwrap()
        })
        .collect();
    let place = Place::new()
        .with("HABEAS_DATABASE__URL", database)
        .with("HABEAS_ENCRYPTION__KEY", "ab".repeat(32))
        .with("HABEAS_WORKERS__LEASE_SECONDS", "4")
        .with("HABEAS_WORKERS__POLL_INTERVAL_MS", "50")
        .with("HABEAS_INTEGRATIONS__READYCLOUD__BASE_URL", &sandbox.addresses().readycloud)
        .with("HABEAS_INTEGRATIONS__READYCLOUD__RETRY_MIN_MS", "100");
    // The manifest knows the vendor's usual limit; the sandbox has another one, so the share is of that.
    let share = SHARE * f64::from(limit) / 30.0;
    let place = place.with("HABEAS_INTEGRATIONS__READYCLOUD__BUDGET", share.to_string());
    let server = place.serve_with(["--workers", "0"]);
    place.run(words("connections add readycloud --name shop --set access_token=rc-demo-token")).expect(0);
    let key =
        place.json(words("keys create --name test --role super_admin"))["key"].as_str().unwrap().to_owned();
    let api = Api::new(server.address(), &key);

    let mut workers: Vec<Running> = (0..WORKERS)
        .map(|number| {
            let mut command = place.command(["worker", "--workers", "1"]);
            Running::start(command.env("HABEAS_WORKERS__NAME", format!("worker-{number}")))
        })
        .collect();
    let listed = api.until("/workers", |list| working(list).len() == WORKERS).await;
    assert_eq!(working(&listed), (0..WORKERS).map(|number| format!("worker-{number}")).collect());
    sandbox.calls().reset();
    let ids = api.take_in(requests).await;

    // Every deletion asks for the contact, then deletes it: the calls that the budget is spent on.
    let deletions = requests / 2;
    let after = |part: usize| (deletions * part / 100) as u64;
    sandbox.calls().wait_until(|calls| calls.count("readycloud", DELETE) >= after(30)).await;
    workers.remove(0).kill();
    sandbox.calls().wait_until(|calls| calls.count("readycloud", DELETE) >= after(40)).await;
    let frozen = workers.remove(0);
    frozen.signal(Signal::STOP);
    // What it held is taken over by the others before it wakes up.
    sandbox.calls().wait_until(|calls| calls.count("readycloud", DELETE) >= after(100)).await;
    for id in ids.iter().skip(1).step_by(2) {
        let closed = api.get(&format!("/requests/{id}?wait=120")).await;
        assert_eq!((&closed["state"], &closed["outcome"]), (&json!("closed"), &json!("erased")), "{closed}");
    }
    frozen.signal(Signal::CONT);
    for id in ids.iter().step_by(2) {
        let waiting = api.get(&format!("/requests/{id}?wait=120")).await;
        assert_eq!(waiting["state"], "delivering", "{waiting}");
        api.fetch_package(id).await;
        assert_eq!(api.get(&format!("/requests/{id}")).await["outcome"], "downloaded");
    }

    for contact in contacts.iter().skip(1).step_by(2) {
        let counts = sandbox.calls().deletions_of("readycloud", contact);
        assert_eq!(counts.effects, 1, "{contact}: {counts:?}");
    }
    let answers = sandbox.calls().route("readycloud", DELETE);
    assert_eq!(
        answers.statuses.get(&404),
        None,
        "none was sent again after it had taken effect: {answers:?}"
    );
    let peaks = &sandbox.calls().peaks()["readycloud"].accounts["rc-demo-client"];
    assert!(peaks.values().all(|most| *most <= limit as usize), "{peaks:?}");
    for (route, counts) in &sandbox.calls().summary().vendors["readycloud"].routes {
        assert!(!counts.statuses.contains_key(&429), "{route}: {counts:?}");
    }
    let used = used(&sandbox, f64::from(limit) * SHARE);
    eprintln!(
        "{requests} requests, limit {limit}: peaks {peaks:?}, {:.1} % of the budget used",
        used * 100.0
    );
    // What the killed and the frozen one had booked is lost, which shows among few requests.
    let least = if requests >= 2_000 { 0.95 } else { 0.8 };
    assert!(used >= least, "{used} of the budget");
    assert_eq!(place.json(["audit", "verify"])["valid"], true);
    workers.push(frozen);
    for worker in workers {
        worker.signal(Signal::TERM);
        let log = worker.finish().expect(0);
        assert!(!log.stderr.contains("@cluster.example.test"), "no personal data in logs");
    }
    server.stop().expect(0);
}

/// Which part of a minute's budget the deletions used, from the first tenth of them to the last.
fn used(sandbox: &Sandbox, budget: f64) -> f64 {
    let mut times: Vec<u64> = sandbox
        .calls()
        .recent(usize::MAX)
        .into_iter()
        .filter(|call| call.route == CONTACT)
        .map(|call| call.arrived_ms)
        .collect();
    times.sort_unstable();
    let (from, to) = (times.len() / 10, times.len() * 9 / 10);
    let minutes = (times[to] - times[from]) as f64 / 60_000.0;
    (to - from) as f64 / minutes / budget
}

fn working(list: &Value) -> BTreeSet<String> {
    let items = list["items"].as_array().unwrap();
    let at_work = items.iter().filter(|one| one["state"] == "working" && one["places"] != 0);
    at_work.map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

fn email(number: usize) -> String {
    format!("person.{number}@cluster.example.test")
}

struct Api {
    http: reqwest::Client,
    address: String,
    key: String,
}

impl Api {
    #[expect(clippy::disallowed_methods, reason = "the test's own client, not a vendor's")]
    fn new(address: &str, key: &str) -> Self {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(180)).build().unwrap();
        Self { http, address: format!("{address}/api/v1"), key: key.to_owned() }
    }

    async fn call(&self, path: &str) -> reqwest::Response {
        let url = format!("{}{path}", self.address);
        self.http.get(url).bearer_auth(&self.key).send().await.unwrap().error_for_status().unwrap()
    }

    async fn get(&self, path: &str) -> Value {
        self.call(path).await.json().await.unwrap()
    }

    async fn until(&self, path: &str, enough: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..10_000 {
            let found = self.get(path).await;
            if enough(&found) {
                return found;
            }
        }
        panic!("{path} never shows it");
    }

    async fn fetch_package(&self, id: &str) {
        self.call(&format!("/requests/{id}/package")).await.bytes().await.unwrap();
    }

    /// Odd ones are deletions.
    async fn take_in(&self, requests: usize) -> Vec<String> {
        let all: Vec<Value> = (0..requests)
            .map(|number| {
                let subject = json!({"email": email(number)});
                if number % 2 == 1 {
                    json!({"right": "deletion", "policy": "eu-gdpr", "review": false, "subject": subject})
                } else {
                    json!({"right": "access", "policy": "eu-gdpr", "review": false, "delivery": "api", "subject": subject})
                }
            })
            .collect();
        let url = format!("{}/requests/bulk", self.address);
        let answer = self.http.post(url).bearer_auth(&self.key).json(&all).send().await.unwrap();
        let answer: Value = answer.error_for_status().unwrap().json().await.unwrap();
        answer["items"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    }
}
