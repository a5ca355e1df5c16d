//! Review: records, runs, processing.

use serde_json::{Value, json};

use crate::world::{ANA, World, contacts};

#[tokio::test]
async fn runs_and_records_look_as_the_contract_says() {
    let world = World::with_shop().await;
    let id = world.in_review(2).await;
    let runs = world.get(&format!("/requests/{id}/runs")).await.good();
    let run = &runs["items"][0];
    let shop = world.get("/connections/shop").await.good();
    assert_eq!(
        *run,
        json!({
            "id": run["id"], "phase": "collect", "status": "complete", "detail": "2 records found",
            "detail_code": "records_found",
            "connection": {"id": shop["id"], "name": "shop", "integration": "stub"},
            "selected": true, "records_found": 2, "records_selected": 2, "deleted": null, "expected": null,
            "difference": null, "attempts": 0,
            "next_at": null, "vendor_job": null, "error": null, "residuals": [], "note": null,
            "answer": null, "created_at": "2026-06-01T09:00:00Z", "settled_at": "2026-06-01T09:00:00Z",
        })
    );
    let before = world.events().await;
    let records = world.get(&format!("/requests/{id}/records?limit=1")).await.good();
    assert_eq!(world.events().await, before + 1, "reading is an event");
    let record = &records["items"][0];
    assert_eq!(
        *record,
        json!({
            "id": record["id"], "run": run["id"], "kind": "contact", "vendor_id": record["vendor_id"],
            "title": record["title"], "fields": record["fields"], "file": null, "selected": true, "exception": null,
            "deletion": null,
        })
    );
    assert_eq!(record["fields"]["email"], ANA);
    let cursor = records["next_cursor"].as_str().unwrap();
    let rest = world.get(&format!("/requests/{id}/records?cursor={cursor}")).await.good();
    assert_eq!(rest["items"].as_array().unwrap().len(), 1);
    assert_ne!(rest["items"][0]["id"], record["id"]);
}

#[tokio::test]
async fn a_record_is_left_out_with_a_reason_and_taken_back() {
    let world = World::with_shop().await;
    let id = world.in_review(2).await;
    let records = world.get(&format!("/requests/{id}/records")).await.good();
    let record = records["items"][0]["id"].as_str().unwrap();
    let path = format!("/requests/{id}/records/{record}");
    let patch = async |body: Value| world.operate("PATCH", &path, Some(&body)).await;

    let left_out = patch(json!({"exception": {"code": "legal_claims"}})).await.good();
    assert_eq!((&left_out["id"], &left_out["selected"]), (&json!(record), &json!(false)));
    assert_eq!(left_out["exception"], json!({"code": "legal_claims"}));
    let runs = world.get(&format!("/requests/{id}/runs")).await.good();
    assert_eq!(runs["items"][0]["records_selected"], 1);
    let back = patch(json!({"selected": true})).await.good();
    assert_eq!((&back["selected"], &back["exception"]), (&json!(true), &Value::Null));

    let before = world.events().await;
    for (body, field) in [
        (json!({}), "selected"),
        (json!({"selected": "no"}), "selected"),
        (json!({"fields": {"email": "x"}}), "fields"),
        (json!({"selected": true, "exception": {"code": "other"}}), "exception"),
        (json!({"selected": false, "exception": {"code": "bad_mood"}}), "exception.code"),
        (json!({"selected": false, "exception": {}}), "exception.code"),
    ] {
        let problem = patch(body).await.refused(422, "validation");
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
    let other = format!("/requests/{id}/records/rec_{}", "0".repeat(32));
    world.operate("PATCH", &other, Some(&json!({"selected": true}))).await.refused(404, "not_found");
    assert_eq!(world.events().await, before);
}

#[tokio::test]
async fn a_record_of_another_request_is_not_found() {
    let world = World::with_shop().await;
    let (first, second) = (world.in_review(1).await, world.in_review(1).await);
    let records = world.get(&format!("/requests/{first}/records")).await.good();
    let record = records["items"][0]["id"].as_str().unwrap();
    let run = world.run_of(&first).await;
    let body = json!({"selected": false});
    for path in [format!("/requests/{second}/records/{record}"), format!("/requests/{second}/runs/{run}")] {
        world.operate("PATCH", &path, Some(&body)).await.refused(404, "not_found");
    }
}

#[tokio::test]
async fn a_deletion_is_reviewed_and_processed() {
    let world = World::with_shop().await;
    let id = world.in_review_of("deletion", 1).await;
    world
        .post(&format!("/requests/{id}/process"), &json!({"acknowledge": ["x"]}))
        .await
        .refused(422, "validation");
    world.post(&format!("/requests/{id}/process"), &json!({"at": "later"})).await.refused(422, "validation");
    let body = json!({"acknowledge": ["brand_user", "future_data_blocked"]});
    let processed = world.post(&format!("/requests/{id}/process"), &body).await.good();
    assert_eq!(processed["state"], "erasing");
    world.work(&[]).await;
    let closed = world.get(&format!("/requests/{id}")).await.good();
    assert_eq!(closed["state"], "closed");
    // What was found is gone for good.
    world.get(&format!("/requests/{id}/records")).await.refused(410, "forgotten");
    let problem = world.operate("POST", &format!("/requests/{id}/process"), None).await;
    assert_eq!(problem.refused(409, "illegal_move")["allowed"], json!([]));
}

#[tokio::test]
async fn a_deselected_connection_is_an_exception() {
    let world = World::with_shop().await;
    let id = world.in_review_of("deletion", 1).await;
    let run = world.run_of(&id).await;
    let path = format!("/requests/{id}/runs/{run}");
    let deselected = world.operate("PATCH", &path, Some(&json!({"selected": false}))).await.good();
    assert_eq!((&deselected["id"], &deselected["selected"]), (&json!(run), &json!(false)));
    world.operate("PATCH", &path, Some(&json!({}))).await.refused(422, "validation");
    let closed = world.operate("POST", &format!("/requests/{id}/process"), None).await.good();
    assert_eq!(closed["outcome"], "erased_with_exceptions");
}

#[tokio::test]
async fn a_run_is_skipped_stopped_or_tried_again_with_a_reason() {
    let world = World::with_shop().await;
    for (how, status) in [("skip", "skipped"), ("stop", "stopped")] {
        let id = world.request(json!({"force": true})).await;
        let run = world.run_of(&id).await;
        let path = format!("/requests/{id}/runs/{run}");
        let tried = world.operate("POST", &format!("{path}/retry"), None).await.good();
        assert_eq!(tried["status"], "processing");
        world.post(&format!("{path}/{how}"), &json!({"reason": "  "})).await.refused(422, "validation");
        world.post(&format!("{path}/{how}"), &json!({})).await.refused(422, "validation");
        let settled = world.post(&format!("{path}/{how}"), &json!({"reason": "it is broken"})).await.good();
        assert_eq!((&settled["status"], &settled["note"]), (&json!(status), &json!("it is broken")));
        let before = world.events().await;
        let problem =
            world.operate("POST", &format!("{path}/retry"), None).await.refused(409, "illegal_move");
        assert_eq!((&problem["status_of_run"], &problem["allowed"]), (&json!(status), &json!([])));
        assert_eq!(world.events().await, before);
    }
}

#[tokio::test]
async fn records_are_read_while_systems_are_still_asked() {
    let world = World::with_shop().await;
    let id = world.request(json!({})).await;
    assert_eq!(world.get(&format!("/requests/{id}/records")).await.good()["items"], json!([]));
    world.work(&contacts(1)).await;
    assert_eq!(
        world.get(&format!("/requests/{id}/records")).await.good()["items"].as_array().unwrap().len(),
        1
    );
}
