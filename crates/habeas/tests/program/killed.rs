//! `kill -9` at ten moments while calls to three vendors are under way: nothing is lost, and nothing is deleted twice
//! where the vendor can be asked.

use std::time::Duration;

use habeas_sandbox::faults::{Fault, Rule};
use habeas_sandbox::readycloud::ContactSpec;
use habeas_sandbox::{Sandbox, SandboxOptions, qualtrics, segment_config};
use habeas_testing::{TestDatabase, block_on};
use serde_json::{Value, json};

use crate::support::{Place, Server, words};

/// Requests in flight, half of each right.
const REQUESTS: usize = 200;
/// Times that the server is killed.
const KILLS: u64 = 10;
/// How long a vendor call takes, so that there are always some under way.
const LATENCY_MS: u64 = 10;
const DELETE: &str = "DELETE /api/v2/orgs/{org}/contacts/{contact}/";

#[test]
fn nothing_is_lost_or_done_twice_on_sqlite() {
    block_on(async { survive(Place::new()).await });
}

#[test]
fn nothing_is_lost_or_done_twice_on_postgresql() {
    block_on(async {
        let database = TestDatabase::postgres().await.without_schema().await;
        survive(Place::new().with("HABEAS_DATABASE__URL", database.url())).await;
    });
}

async fn survive(place: Place) {
    let sandbox = Sandbox::start(SandboxOptions::default()).await.unwrap();
    sandbox.readycloud().set_limits(None, None);
    sandbox.qualtrics().lift_limits();
    // Small batches, so that there is more than one moment at which a deletion is under way.
    let small = qualtrics::KnobsPatch { emails_per_request: Some(4), ..qualtrics::KnobsPatch::default() };
    sandbox.qualtrics().turn(small).unwrap();
    sandbox.segment_config().set_limit(None);
    // Nobody waits for minutes here.
    let quick = segment_config::KnobsPatch {
        initialized_seconds: Some(0),
        running_seconds: Some(1),
        ..segment_config::KnobsPatch::default()
    };
    sandbox.segment_config().turn(quick);
    let deleted = add_people(&sandbox);
    let addresses = sandbox.addresses();
    let mut place = place;
    for (integration, address) in [
        ("READYCLOUD", &addresses.readycloud),
        ("QUALTRICS", &addresses.qualtrics),
        ("SEGMENT_CONFIG", &addresses.segment_config),
    ] {
        for (key, value) in [
            ("BASE_URL", address.as_str()),
            ("BUDGET", "10000"),
            ("RETRY_MIN_MS", "10"),
            ("RETRY_MAX_MS", "100"),
            ("POLL_MIN_MS", "50"),
            ("POLL_MAX_MS", "300"),
        ] {
            place = place.with(&format!("HABEAS_INTEGRATIONS__{integration}__{key}"), value);
        }
    }
    let place =
        place.with("HABEAS_WORKERS__LEASE_SECONDS", "2").with("HABEAS_WORKERS__POLL_INTERVAL_MS", "50");
    let mut server = place.serve();
    for connection in [
        "readycloud --name shop --set access_token=rc-demo-token",
        "qualtrics --name surveys --set datacenter_id=fra1 --set client_id=qx-demo-client \
         --set client_secret=qx-demo-secret",
        "segment_config --name events --set api_token=sc-demo-token --set workspace_name=acme-shop \
         --capability access=off",
    ] {
        place.run(words(&format!("connections add {connection}"))).expect(0);
    }
    let key =
        place.json(words("keys create --name test --role super_admin"))["key"].as_str().unwrap().to_owned();
    // Connecting proves the write permission by deleting what cannot exist.
    sandbox.calls().reset();
    for vendor in ["readycloud", "qualtrics", "segment_config"] {
        sandbox.faults().add(Rule::new(vendor, Fault::Latency { ms: LATENCY_MS })).unwrap();
    }
    let ids = Client::new(&server, &key).take_in().await;

    for kill in 0..KILLS {
        let moment = sandbox.calls().summary().total + moment(kill);
        sandbox.calls().wait_until(|calls| calls.summary().total >= moment).await;
        server.kill();
        server = place.serve();
    }

    let client = Client::new(&server, &key);
    for (number, id) in ids.iter().enumerate() {
        client.carry_to_its_end(id, is_access(number)).await;
    }
    for contact in &deleted {
        assert!(sandbox.readycloud().contact(contact).is_none(), "{contact} is still there");
        assert_eq!(sandbox.calls().deletions_of("readycloud", contact).effects, 1, "{contact}");
    }
    assert!(sandbox.qualtrics().erasures().len() > 20, "many deletions, not one");
    for number in (0..REQUESTS).filter(|number| !is_access(*number)) {
        let email = email(number);
        assert!(
            sandbox.qualtrics().contacts_with_email(&email).is_empty(),
            "a survey contact is still there"
        );
        assert_eq!(sandbox.qualtrics().erasures_accepted(&email), 1, "Qualtrics, person {number}");
        assert_eq!(sandbox.segment_config().accepted_for_deletion(&email), 1, "Segment, person {number}");
    }
    // A DELETE of what is gone already is answered 404: none was sent again after it had taken effect.
    let deletions = sandbox.calls().route("readycloud", DELETE);
    assert_eq!(deletions.statuses.get(&404), None, "{deletions:?}");
    assert_eq!(place.json(["audit", "verify"])["valid"], true);
    let log = server.stop().expect(0);
    assert!(!log.stderr.contains("@killed.example.test"), "no personal data in logs");
}

/// After how many further calls the server is killed: repeatable, and different every time.
const fn moment(kill: u64) -> u64 {
    3 + (kill * 7_919 + 13) % 37
}

const fn is_access(number: usize) -> bool {
    number.is_multiple_of(2)
}

fn email(number: usize) -> String {
    format!("person.{number}@killed.example.test")
}

/// A contact for everyone and a second one for some; the keys of those to be deleted.
fn add_people(sandbox: &Sandbox) -> Vec<String> {
    let mut to_delete = Vec::new();
    for number in 0..REQUESTS {
        let contacts = if number % 5 == 1 { 2 } else { 1 };
        for _ in 0..contacts {
            let contact = ContactSpec { email: Some(email(number)), ..ContactSpec::default() };
            let key = sandbox.readycloud().add_contact(contact).unwrap();
            let contact = qualtrics::ContactSpec { email: Some(email(number)), ..Default::default() };
            sandbox.qualtrics().add_contact(contact).unwrap();
            if !is_access(number) {
                to_delete.push(key);
            }
        }
    }
    to_delete
}

struct Client {
    http: reqwest::Client,
    api: String,
    key: String,
}

impl Client {
    #[expect(clippy::disallowed_methods, reason = "the test's own client, not a vendor's")]
    fn new(server: &Server, key: &str) -> Self {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(120)).build().unwrap();
        Self { http, api: format!("{}/api/v1/requests", server.address()), key: key.to_owned() }
    }

    async fn take_in(&self) -> Vec<String> {
        let requests: Vec<Value> = (0..REQUESTS)
            .map(|number| {
                let mut request = json!({"right": "deletion", "policy": "eu-gdpr", "review": false,
                                         "subject": {"email": email(number)}});
                if is_access(number) {
                    request["right"] = json!("access");
                    request["delivery"] = json!("api");
                }
                request
            })
            .collect();
        let url = format!("{}/bulk", self.api);
        let answer = self.http.post(url).bearer_auth(&self.key).json(&requests).send().await.unwrap();
        let answer: Value = answer.error_for_status().unwrap().json().await.unwrap();
        answer["items"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    }

    async fn get(&self, path: &str) -> reqwest::Response {
        let url = format!("{}/{path}", self.api);
        self.http.get(url).bearer_auth(&self.key).send().await.unwrap().error_for_status().unwrap()
    }

    async fn carry_to_its_end(&self, id: &str, access: bool) {
        let mut request: Value = self.get(&format!("{id}?wait=100")).await.json().await.unwrap();
        if access {
            assert_eq!(request["state"], "delivering", "{request}");
            self.get(&format!("{id}/package")).await.bytes().await.unwrap();
            request = self.get(id).await.json().await.unwrap();
        }
        let outcome = if access { "downloaded" } else { "erased" };
        assert_eq!(
            (&request["state"], &request["outcome"]),
            (&json!("closed"), &json!(outcome)),
            "{request}"
        );
    }
}
