//! Pages, in every spelling.

use serde_json::{Value, json};

use super::{Segment, each, kind};

const FIRST: [&str; 2] = ["web-prod", "ios-app"];

async fn slugs(segment: &Segment, query: &str) -> (Vec<String>, Value) {
    let mut page = segment.data(&format!("/sources?{query}")).await;
    let slugs = each(&page["sources"], "slug").into_iter().map(str::to_owned).collect();
    (slugs, page["pagination"].take())
}

#[tokio::test]
async fn every_spelling_of_a_page() {
    let segment = Segment::new().await;
    for (first, second) in [
        ("pagination.count=2", "pagination.count=2&pagination.cursor=Mg%3D%3D"),
        ("pagination[count]=2", "pagination[count]=2&pagination[cursor]=Mg%3D%3D"),
        ("pagination%5Bcount%5D=2", "pagination%5Bcursor%5D=Mg%3D%3D&pagination%5Bcount%5D=2"),
        (
            "pagination=%7B%22count%22%3A+2%7D",
            "pagination=%7B%22count%22%3A+2%2C+%22cursor%22%3A+%22Mg%3D%3D%22%7D",
        ),
        ("pagination={\"count\":2}", "pagination={\"count\":2,\"cursor\":\"Mg==\"}"),
    ] {
        let (found, pagination) = slugs(&segment, first).await;
        assert_eq!(found, FIRST, "{first}");
        let expected = json!({"current": "MA==", "next": "Mg==", "previous": null, "totalEntries": 3});
        assert_eq!(pagination, expected, "{first}");
        let (found, pagination) = slugs(&segment, second).await;
        assert_eq!(found, ["salesforce"], "{second}");
        let expected = json!({"current": "Mg==", "next": null, "previous": "MA==", "totalEntries": 3});
        assert_eq!(pagination, expected, "{second}");
    }
}

#[tokio::test]
async fn every_list_has_pages() {
    let segment = Segment::new().await;
    let web = segment.source_id("web-prod").await;
    let warehouse = segment.data("/warehouses").await["warehouses"][0]["id"].as_str().unwrap().to_owned();
    for number in 0..3 {
        segment.regulate("SUPPRESS_ONLY", &[&format!("x-{number}")]).await;
        segment.post(&format!("/regulations/sources/{web}"), &super::people("SUPPRESS_ONLY", &["y"])).await;
    }
    segment.advance(300);
    for (path, key, total) in [
        ("/sources".to_owned(), "sources", 3),
        ("/destinations".to_owned(), "destinations", 7),
        ("/warehouses".to_owned(), "warehouses", 2),
        (format!("/sources/{web}/connected-destinations"), "destinations", 4),
        (format!("/sources/{web}/connected-warehouses"), "warehouses", 1),
        (format!("/warehouses/{warehouse}/connected-sources"), "sources", 2),
        ("/catalog/sources".to_owned(), "sourcesCatalog", 14),
        ("/catalog/destinations".to_owned(), "destinationsCatalog", 14),
        ("/catalog/warehouses".to_owned(), "warehousesCatalog", 7),
        ("/regulations".to_owned(), "regulations", 6),
        (format!("/regulations/sources/{web}"), "regulations", 3),
    ] {
        let whole = segment.data(&path).await;
        assert_eq!(whole[key].as_array().unwrap().len(), total, "{path}");
        assert_eq!(whole["pagination"]["totalEntries"], total, "{path}");
        let (mut found, mut query) = (Vec::new(), "pagination.count=2".to_owned());
        loop {
            let mut page = segment.data(&format!("{path}?{query}")).await;
            let items = page[key].take();
            assert!(items.as_array().unwrap().len() <= 2, "{path}");
            found.extend(items.as_array().unwrap().iter().cloned());
            let Some(next) = page["pagination"]["next"].as_str() else { break };
            query = format!("pagination.count=2&pagination.cursor={next}");
        }
        assert_eq!(Value::from(found), whole[key], "{path}");
    }
    let first = segment.data("/suppressions?pagination.count=2").await;
    assert_eq!(first["suppressed"], json!([{"subjectType": "USER_ID", "subjectIds": ["x-0", "x-1"]}]));
    let second = segment.data("/suppressions?pagination.count=2&pagination.cursor=Mg==").await;
    assert_eq!(second["suppressed"][0]["subjectIds"], json!(["x-2"]));
    assert_eq!(segment.data("/suppressions?pagination.cursor=OTk=").await["suppressed"], json!([]));
}

#[tokio::test]
async fn counts_have_bounds_and_a_default() {
    let segment = Segment::new().await;
    for count in ["1", "200", "1000"] {
        let path = format!("GET /sources?pagination.count={count}");
        assert_eq!(segment.call(&path).await.status, 200, "{count}");
    }
    segment.turn(json!({"highest_count": 200}));
    for query in [
        "pagination.count=0",
        "pagination.count=201",
        "pagination[count]=1000",
        "pagination.count=ten",
        "pagination=%7B%22count%22%3A0%7D",
        "pagination=3",
        "pagination.cursor=http%3A%2F%2Fevil.test",
        "pagination.cursor=2",
    ] {
        let answer = segment.call(&format!("GET /sources?{query}")).await;
        assert_eq!((answer.status, kind(&answer)), (422, "input-validation".to_owned()), "{query}");
    }
    segment.turn(json!({"default_count": 2}));
    assert_eq!(slugs(&segment, "").await.0, FIRST);
    segment.turn(json!({"default_count": null}));
    let answer = segment.call("GET /sources").await;
    assert_eq!((answer.status, &answer.json()["errors"][0]["field"]), (422, &json!("pagination")));
    assert_eq!(slugs(&segment, "pagination.count=2").await.0, FIRST);
    assert_eq!(segment.call("GET /").await.status, 200, "which has no pages");
}

#[tokio::test]
async fn what_the_last_page_leaves_out() {
    let segment = Segment::new().await;
    segment.turn(json!({"last_page": "absent", "total_entries": false}));
    let (_, pagination) = slugs(&segment, "pagination.count=2").await;
    assert_eq!(pagination, json!({"current": "MA==", "next": "Mg=="}));
    let (_, pagination) = slugs(&segment, "pagination.count=2&pagination.cursor=Mg==").await;
    assert_eq!(pagination, json!({"current": "Mg==", "previous": "MA=="}));
}

#[tokio::test]
async fn new_regulations_do_not_disturb_a_reader() {
    let segment = Segment::new().await;
    let first = segment.regulate("DELETE_ONLY", &["x-1"]).await;
    let second = segment.regulate("DELETE_ONLY", &["x-2"]).await;
    let page = segment.data("/regulations?pagination.count=1").await;
    assert_eq!(page["regulations"][0]["id"], second);
    let next = page["pagination"]["next"].as_str().unwrap();
    segment.regulate("DELETE_ONLY", &["x-3"]).await;
    let page = segment.data(&format!("/regulations?pagination.count=1&pagination.cursor={next}")).await;
    assert_eq!((&page["regulations"][0]["id"], &page["pagination"]["next"]), (&json!(first), &Value::Null));
}
