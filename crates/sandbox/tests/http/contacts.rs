//! Organisations, contacts, addresses and orders.

use habeas_sandbox::readycloud::fixtures::*;
use habeas_sandbox::readycloud::{KnobsPatch, SlashlessWrite};
use serde_json::{Value, json};

use crate::support::{World, contact, contacts, key, send};

#[tokio::test]
async fn a_contact_has_the_documented_shape() {
    let world = World::new().await;
    let body = world.call(&contact("GET", ANA_FIRST)).await.json();
    assert_eq!(
        body["notes"].as_array().unwrap().iter().filter(|note| note.is_string()).count(),
        2,
        "notes are links unless expanded"
    );
    let address = &body["addresses"][0];
    assert_eq!(address["email"], ANA_EMAIL);
    assert!(address["url"].as_str().unwrap().starts_with("/api/v2/orgs/H6j/contacts/3mrRD/addresses/"));
    let mut fixed = body.clone();
    for varying in ["notes", "addresses"] {
        fixed.as_object_mut().unwrap().remove(varying);
    }
    assert_eq!(
        fixed,
        json!({
            "url": "/api/v2/orgs/H6j/contacts/3mrRD/", "first_name": "Ana", "last_name": "Silva",
            "is_company": false, "occupation": "Architect", "description": null, "website": null,
            "profile_image": null, "custom_fields": {}, "orders": "/api/v2/orgs/H6j/contacts/3mrRD/orders/",
            "source": {"retrieved_at": "2025-03-30T00:00:16+00:00"},
            "created_at": "2025-03-30T00:00:16.159000Z", "updated_at": "2025-03-30T00:00:16.159000Z",
        })
    );
}

#[tokio::test]
async fn notes_are_expanded_on_request() {
    let world = World::new().await;
    for query in ["?expand=notes", "?expand=other,notes"] {
        let one = world.call(&format!("{}{query}", contact("GET", ANA_FIRST))).await.json();
        assert_eq!(one["notes"][0]["text"], "Prefers parcels left at the porch.", "{query}");
        let list = world.call(&contacts(query)).await.json();
        let ana = list["results"].as_array().unwrap().iter().find(|one| key(one) == ANA_FIRST).unwrap();
        assert_eq!(ana["notes"], one["notes"], "{query}");
    }
}

#[tokio::test]
async fn addresses_and_orders_have_routes_of_their_own() {
    let world = World::new().await;
    let addresses = world.call(&format!("{}addresses/", contact("GET", ANA_SECOND))).await.json();
    assert_eq!(addresses["count"], 2);
    let second = &addresses["results"][1];
    assert_eq!(second["email"], "ANA.SILVA@EXAMPLE.TEST");
    let one = world.call(&format!("GET {}", second["url"].as_str().unwrap())).await;
    assert_eq!(&one.json(), second);
    assert_eq!(world.call(&format!("{}addresses/999999/", contact("GET", ANA_SECOND))).await.status, 404);

    let orders = format!("{}orders/", contact("GET", ANA_SECOND));
    let orders = world.call_as(ORDERS_TOKEN, &orders).await.json();
    assert_eq!(orders["count"], 1);
    assert_eq!(orders["results"][0]["shipping"]["ship_to"]["email"], "ANA.SILVA@EXAMPLE.TEST");
    let knob = KnobsPatch { contact_scope_reads_orders: Some(true), ..KnobsPatch::default() };
    world.readycloud().turn(knob);
    assert_eq!(world.call(&format!("{}orders/", contact("GET", ANA_SECOND))).await.status, 200);
}

#[tokio::test]
async fn orders_survive_the_contact_and_can_be_searched_and_deleted() {
    let world = World::new().await;
    let search = format!("GET /api/v2/orgs/{MAIN_ORG}/orders/?q=ANA.silva");
    assert_eq!(world.call_as(ORDERS_TOKEN, &search).await.json()["count"], 3);
    assert_eq!(world.call(&contact("DELETE", ANA_FIRST)).await.status, 204);
    let left = world.call_as(ORDERS_TOKEN, &search).await;
    assert_eq!(left.json()["count"], 3, "orders carry their own copy of the person");

    let token = habeas_sandbox::readycloud::TokenSpec::new("orders", &["order"]);
    world.readycloud().add_token(token).unwrap();
    let order = left.json()["results"][0]["url"].as_str().unwrap().to_owned();
    assert_eq!(world.call_as(ORDERS_TOKEN, &format!("DELETE {order}")).await.status, 403);
    assert_eq!(world.call_as("orders", &format!("DELETE {order}")).await.status, 204);
    assert_eq!(world.call_as("orders", &format!("GET {order}")).await.status, 404);
    assert_eq!(world.call_as("orders", &search).await.json()["count"], 2);
}

#[tokio::test]
async fn deleting_takes_effect_once() {
    let world = World::new().await;
    let before = world.readycloud().contact_count();
    let first = world.call(&contact("DELETE", ANA_SECOND)).await;
    assert_eq!((first.status, first.text.as_str()), (204, ""));
    let second = world.call(&contact("DELETE", ANA_SECOND)).await;
    assert_eq!((second.status, second.json()), (404, json!({"detail": "Not found."})));
    assert_eq!(world.readycloud().contact_count(), before - 1);
    assert_eq!(world.readycloud().contacts_with_email(ANA_EMAIL), [ANA_FIRST]);
    let counts = world.sandbox.calls().deletions_of("readycloud", ANA_SECOND);
    assert_eq!((counts.arrived, counts.effects), (2, 1));
}

#[tokio::test]
async fn keys_are_case_sensitive_belong_to_an_organisation_and_may_be_escaped() {
    let world = World::new().await;
    let escaped = "DELETE /api/v2/orgs/9%7Ed/contacts/p%7Erk3/".to_owned();
    let table = [
        (contact("GET", "3MRRD"), 404),
        (format!("GET /api/v2/orgs/{SECOND_ORG}/contacts/{ANA_FIRST}/"), 404),
        (format!("GET /api/v2/orgs/h6J/contacts/{ANA_FIRST}/"), 404),
        (contact("GET", SHARED_FIRST), 200),
        (contact("GET", "Q.a%7E-_z"), 200),
        (escaped, 204),
    ];
    for (call, status) in table {
        assert_eq!(world.call(&call).await.status, status, "{call}");
    }
    assert_eq!(world.sandbox.calls().deletions_of("readycloud", PARKED).effects, 1);
}

#[tokio::test]
async fn contacts_are_created_and_changed() {
    let world = World::new().await;
    let list = format!("POST /api/v2/orgs/{MAIN_ORG}/contacts/");
    let body = json!({"first_name": "Lou", "nonsense": 1, "addresses": [{"email": "Lou@example.test"}]});
    let created = world.call_with(&list, &body).await;
    assert_eq!(created.status, 201);
    let made = key(&created.json());
    assert_eq!(created.header("location"), format!("/api/v2/orgs/{MAIN_ORG}/contacts/{made}/"));
    assert_eq!(world.readycloud().contacts_with_email("lou@EXAMPLE.test "), [made.as_str()]);

    let patch = json!({"last_name": "Reed", "addresses": [{"email": "l@example.test"}, {"email": null}]});
    let changed = world.call_with(&contact("PATCH", &made), &patch).await;
    assert_eq!(
        (changed.status, &changed.json()["first_name"], &changed.json()["last_name"]),
        (200, &json!("Lou"), &json!("Reed"))
    );
    assert_eq!(world.readycloud().contacts_with_email("lou@example.test"), [""; 0]);
    assert_eq!(world.readycloud().contacts_with_email("l@example.test"), [made.as_str()]);
    let addresses: Vec<_> = changed.json()["addresses"].as_array().unwrap().iter().map(key).collect();
    assert_ne!(addresses[0], addresses[1]);

    let table = [
        (list.clone(), json!({}), 400, json!({"first_name": ["This field is required."]})),
        (list, json!([]), 400, json!({"non_field_errors": ["Invalid data. Expected a dictionary."]})),
        (
            contact("PATCH", &made),
            json!({"is_company": 1}),
            400,
            json!({"is_company": ["Must be a valid boolean."]}),
        ),
        (contact("PATCH", "none"), json!({}), 404, json!({"detail": "Not found."})),
    ];
    for (call, body, status, expected) in table {
        let answer = world.call_with(&call, &body).await;
        assert_eq!((answer.status, answer.json()), (status, expected), "{call} {body}");
    }
    let effects = |route| world.sandbox.calls().route("readycloud", route).effects;
    assert_eq!(effects("POST /api/v2/orgs/{org}/contacts/"), 1);
    assert_eq!(effects("PATCH /api/v2/orgs/{org}/contacts/{contact}/"), 1);
}

#[tokio::test]
async fn other_methods_media_and_organisations() {
    let world = World::new().await;
    let put = world.call(&contact("PUT", JO)).await;
    assert_eq!((put.status, put.json()), (405, json!({"detail": "Method \"PUT\" not allowed."})));
    assert_eq!(put.header("allow"), "GET, PATCH, DELETE");
    assert_eq!(world.call("DELETE /api/v2/orgs/").await.status, 403, "the scope comes first");

    let xml = world.request(&format!("POST /api/v2/orgs/{MAIN_ORG}/contacts/"));
    let xml = send(xml.bearer_auth(TOKEN).header("content-type", "application/xml").body("<x/>")).await;
    assert_eq!(xml.status, 415);
    assert_eq!(xml.json()["detail"], "Unsupported media type \"application/xml\" in request.");

    let token = habeas_sandbox::readycloud::TokenSpec::new("company", &["company"]);
    world.readycloud().add_token(token).unwrap();
    let org = format!("{}/api/v2/orgs/{MAIN_ORG}/", world.sandbox.addresses().readycloud);
    let renamed = send(world.http.patch(&org).bearer_auth("company").json(&json!({"name": "New"}))).await;
    assert_eq!((renamed.status, &renamed.json()["name"]), (200, &json!("New")));
    assert_eq!(world.call(&format!("GET /api/v2/orgs/{MAIN_ORG}/")).await.json()["name"], "New");
}

#[tokio::test]
async fn the_slash_at_the_end() {
    let world = World::new().await;
    let reads = world.call("GET /api/v2/orgs/H6j/contacts?limit=1").await;
    assert_eq!((reads.status, reads.header("location")), (301, "/api/v2/orgs/H6j/contacts/?limit=1"));
    let table = [
        (SlashlessWrite::ServerError, 500),
        (SlashlessWrite::NotFound, 404),
        (SlashlessWrite::Redirect, 301),
    ];
    for (knob, status) in table {
        world.readycloud().turn(KnobsPatch { slashless_write: Some(knob), ..KnobsPatch::default() });
        let answer = world.call(contact("DELETE", JO).trim_end_matches('/')).await;
        assert_eq!(answer.status, status, "{knob:?}");
        assert!(serde_json::from_str::<Value>(&answer.text).is_err());
    }
    assert!(world.readycloud().contact(JO).is_some());
    let counts = world.sandbox.calls().deletions_of("readycloud", JO);
    assert_eq!((counts.arrived, counts.effects), (3, 0));
    for path in ["/", "/api/v2/", "/api/v2/nothing", "/api/v2/nothing/", "/api/v2/orgs//contacts/"] {
        assert_eq!(world.call(&format!("GET {path}")).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn head_is_a_get_without_body() {
    let world = World::new().await;
    let answer = world.call("HEAD /api/v2/orgs/").await;
    assert_eq!((answer.status, answer.text.as_str()), (200, ""));
}
