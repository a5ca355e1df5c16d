//! Health and metrics.

use habeas_server::{ServerOptions, ServerState, router};
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::json;

use crate::world::{World, request};

#[tokio::test]
async fn a_server_that_works_says_so_without_a_key() {
    let world = World::empty().await;
    for (path, status) in [("/healthz", "alive"), ("/readyz", "ready")] {
        let answer = World::send(&world.network, request("GET", path, None, None)).await;
        assert_eq!(answer.good(), json!({"status": status}));
    }
}

#[tokio::test]
async fn a_server_whose_database_is_not_its_own_lives_but_is_not_ready() {
    let world = World::empty().await;
    world.database.raw().await.run("UPDATE installation SET key_check = x'00'").await;
    World::send(&world.network, request("GET", "/healthz", None, None)).await.good();
    let answer = World::send(&world.network, request("GET", "/readyz", None, None)).await;
    let problem = answer.refused(503, "not_ready");
    assert!(problem["detail"].as_str().unwrap().contains("master key"), "{problem}");
}

#[tokio::test]
async fn without_its_database_the_server_lives_and_names_no_files() {
    let world = World::with_shop().await;
    world.database.raw().await.run("DROP TABLE request_identifiers").await;
    world.database.raw().await.run("DROP TABLE installation").await;
    World::send(&world.network, request("GET", "/healthz", None, None)).await.good();
    let answer = World::send(&world.network, request("GET", "/readyz", None, None)).await;
    answer.refused(503, "not_ready");
    let answer = world.post("/requests/search", &json!({"user_id": "U-1"})).await;
    answer.refused(503, "store_unavailable");
    assert!(!answer.text.contains("no such table"), "{}", answer.text);
}

#[tokio::test]
async fn metrics_are_counted_when_asked_for() {
    let metrics = PrometheusBuilder::new().install_recorder().unwrap();
    let world = World::with_shop().await;
    world.request(json!({})).await;
    let options = ServerOptions { metrics: Some(metrics), ..ServerOptions::default() };
    let router = router(ServerState::new(world.casework.clone(), options));
    let answer = World::send(&router, request("GET", "/metrics", None, None)).await;
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").starts_with("text/plain"));
    for line in [
        "habeas_requests{state=\"collecting\"} 1",
        "habeas_requests{state=\"closed\"} 0",
        "habeas_runs{status=\"processing\"} 1",
        "habeas_due_work_lag_seconds 0",
        "habeas_storage_works 1",
        "habeas_store_commits_total ",
        "habeas_store_statements_total ",
        "habeas_http_requests_total{method=\"POST\",route=\"/api/v1/requests\",status=\"201\"} 1",
    ] {
        assert!(answer.text.contains(line), "{line} is not in\n{}", answer.text);
    }
}

#[tokio::test]
async fn metrics_that_are_off_are_not_found() {
    let world = World::empty().await;
    World::send(&world.network, request("GET", "/metrics", None, None)).await.refused(404, "not_found");
}
