//! A system of the company's own, in a private network, over real HTTP in both directions.

use habeas_testing::block_on;
use serde_json::{Value, json};

use crate::support::{Place, Sandbox, words};

const SECRET: &str = "whsec_aGFiZWFzLXNhbmRib3gtd2ViaG9vay1maXJzdC1rZXk=";

#[expect(clippy::disallowed_methods, reason = "the test calls the product, as a system would")]
fn http() -> reqwest::Client {
    reqwest::Client::new()
}

async fn control(sandbox: &Sandbox, method: &str, path: &str, body: Option<Value>) -> Value {
    let address = format!("{}{path}", sandbox.address("control"));
    let call = http().request(method.parse().unwrap(), address);
    let call = match body {
        Some(body) => call.json(&body),
        None => call,
    };
    call.send().await.unwrap().error_for_status().unwrap().json().await.unwrap()
}

#[test]
fn a_system_in_the_private_network_is_reached_once_the_operator_allows_it_and_calls_back() {
    let sandbox = Sandbox::start();
    let endpoint = format!("{}/habeas", sandbox.address("webhook"));
    let add = format!(
        "connections add webhook --name crm --set endpoint_url={endpoint} --set signing_secret=env:SECRET"
    );
    let place = Place::new().with_sandbox(&sandbox).with("SECRET", SECRET);
    place.run(words(&add)).expect(1).complaining(&["connection_misconfigured"]);

    let host = endpoint.trim_start_matches("http://").trim_end_matches("/habeas");
    let place = place.with("HABEAS_INTEGRATIONS__WEBHOOK__PRIVATE_HOSTS", host);
    let wrong = place.run(words(&add.replace("env:SECRET", "whsec_c3RyYW5nZXJzLWtleS1zdHJhbmdlcnMh")));
    wrong.expect(1).complaining(&["credentials_rejected", "signature"]);
    place.run(words(&add.replace("env:SECRET", "hush"))).expect(1).complaining(&["signing_secret", "whsec_"]);

    let server = place.serve();
    // The port is not known before: the address that the connection shows begins with `server.public_url`.
    let added = place.json(words(&add));
    let id = added["id"].as_str().unwrap();
    assert!(added["callback_url"].as_str().unwrap().ends_with(&format!("/connections/{id}/callback")));
    let callback = format!("{}/api/v1/connections/{id}/callback", server.address());
    block_on(async {
        let patch = json!({"callback_to": callback, "job_seconds": 1, "status": "always_pending"});
        control(&sandbox, "PATCH", "/webhook", Some(patch)).await;
    });
    let create = "--json requests create --right deletion --email ana.silva@example.test --policy eu-gdpr \
                  --no-review --wait 60";
    let closed = place.run(words(create)).expect(0).json();
    assert_eq!(closed["outcome"], "erased", "{closed}");
    block_on(async {
        let sent = control(&sandbox, "GET", "/webhook/callbacks", None).await;
        let answers: Vec<&Value> =
            sent["callbacks"].as_array().unwrap().iter().map(|one| &one["status"]).collect();
        assert_eq!(answers, [&json!(202)]);
        let forged = http().post(&callback).body("{}").send().await.unwrap();
        assert_eq!(forged.status(), 401);
        let problem: Value = forged.json().await.unwrap();
        assert_eq!(problem["code"], "callback_forged");
    });
    let audit = place.run(words("audit verify")).expect(0).stdout;
    assert!(audit.contains("whole"), "{audit}");
    server.stop();
}
