//! Creating, listing and deleting regulations.

use habeas_sandbox::segment_config::fixtures::*;
use habeas_sandbox::segment_config::{Attribute, RegulationPlan, RegulationType};
use serde_json::{Value, json};

use super::{Segment, each, kind, people};
use crate::support::send;

#[tokio::test]
async fn a_regulation_is_taken_in() {
    let segment = Segment::new().await;
    let answer = segment.post("/regulations", &people("SUPPRESS_WITH_DELETE", &[ANA, ANA_EMAIL, ANA])).await;
    assert_eq!(answer.status, 200, "and not 201");
    let body = answer.json();
    let id = body["data"]["regulateId"].as_str().unwrap();
    assert_eq!((body.clone(), id.len()), (json!({"data": {"regulateId": id}}), 27));
    let record = segment.record(id);
    assert_eq!((record.kind, record.attribute), (RegulationType::SuppressWithDelete, Attribute::UserId));
    assert_eq!(
        (record.values, record.source),
        (vec![ANA.to_owned(), ANA_EMAIL.to_owned(), ANA.to_owned()], None)
    );
    assert_eq!(segment.vendor().accepted_for_deletion(ANA), 1, "equal ids count once");
    let again = segment.regulate("SUPPRESS_WITH_DELETE", &[ANA]).await;
    assert_ne!(again, id, "a repeat is a second regulation");
    let create = segment.sandbox.calls().route("segment_public", "POST /regulations");
    assert_eq!((create.arrived, create.effects), (2, 2));
}

#[tokio::test]
async fn what_each_type_does() {
    for (kind, erased, suppressed, forwarded) in [
        ("DELETE_INTERNAL", true, false, false),
        ("DELETE_ONLY", true, false, true),
        ("SUPPRESS_ONLY", false, true, false),
        ("SUPPRESS_WITH_DELETE", true, true, true),
        ("SUPPRESS_WITH_DELETE_INTERNAL", true, true, false),
        ("UNSUPPRESS", false, false, false),
    ] {
        let segment = Segment::new().await;
        let id = segment.regulate(kind, &[KIM]).await;
        segment.advance(300);
        assert_eq!(segment.status(&id).await, "FINISHED", "{kind}");
        assert_eq!(!segment.has_data(KIM), erased, "{kind}");
        assert_eq!(segment.vendor().suppressed(WORKSPACE).contains(KIM), suppressed, "{kind}");
        let destinations = segment.record(&id).destinations;
        assert_eq!(destinations.contains_key("ios-app/braze"), forwarded, "{kind}");
        assert_eq!(segment.vendor().accepted_for_deletion(KIM), u64::from(erased), "{kind}");
    }
}

#[tokio::test]
async fn bodies_that_are_refused() {
    let segment = Segment::new().await;
    let subjects = |subject_type: &str, ids: Value| json!({"regulationType": "DELETE_ONLY", "subjectType": subject_type, "subjectIds": ids});
    let table = [
        (json!({}), Value::Null),
        (json!([]), Value::Null),
        (json!({"regulationType": "DELETE_ONLY", "subjectType": "USER_ID"}), Value::Null),
        (json!({"regulationType": "DELETE_ONLY", "subjectIds": [JO]}), Value::Null),
        (json!({"subjectType": "USER_ID", "subjectIds": [JO]}), Value::Null),
        (subjects("USER_ID", json!(JO)), Value::Null),
        (subjects("USER_ID", json!([1])), Value::Null),
        (subjects("USER_ID", json!([])), json!("subjectIds")),
        (subjects("USER_ID", json!([JO, ""])), json!("subjectIds")),
        (subjects("userId", json!([JO])), json!("subjectType")),
        (subjects("ANONYMOUS_ID", json!([JO])), json!("subjectType")),
        (people("Suppress_With_Delete", &[JO]), json!("regulationType")),
        (people("delete_only", &[JO]), json!("regulationType")),
        (people("BULK_DELETE_ONLY", &[JO]), json!("regulationType")),
        (people("DELETE_ARCHIVE_ONLY", &[JO]), json!("regulationType")),
    ];
    for (body, field) in table {
        let answer = segment.post("/regulations", &body).await;
        assert_eq!((answer.status, kind(&answer)), (422, "ValidationFailure".to_owned()), "{body}");
        assert_eq!(answer.json()["errors"][0]["field"], field, "{body}");
    }
    for body in ["", "{", "null", "not json"] {
        let request = segment.request("POST /regulations").bearer_auth(PUBLIC_TOKEN).body(body);
        assert_eq!(send(request).await.status, 422, "{body}");
    }
    assert!(segment.vendor().regulations().is_empty());
    let create = segment.sandbox.calls().route("segment_public", "POST /regulations");
    assert_eq!((create.arrived, create.effects), (19, 0));
}

#[tokio::test]
async fn for_one_source() {
    let segment = Segment::new().await;
    let path = format!("/regulations/sources/{}", segment.source_id(IOS_APP).await);
    let answer = segment.post(&path, &people("DELETE_ONLY", &[KIM])).await;
    assert_eq!(answer.status, 200);
    segment.advance(300);
    let profile = segment.vendor().profile(WORKSPACE, KIM).unwrap();
    assert_eq!(profile.sources, [WEB_PROD.to_owned()].into(), "only that source forgets");
    let streams = segment.regulation(answer.json()["data"]["regulateId"].as_str().unwrap()).await;
    assert_eq!(each(&streams["streamStatus"], "id"), [segment.source_id(IOS_APP).await]);
    let none = segment.post("/regulations/sources/none", &people("DELETE_ONLY", &[KIM])).await;
    assert_eq!(none.status, 404);

    let body = |kind: &str, subject_type: &str| json!({"regulationType": kind, "subjectType": subject_type, "subjectIds": [PIA]});
    for (kind, subject_type, limited, open) in [
        ("DELETE_ONLY", "OBJECT_ID", 422, 422),
        ("DELETE_ONLY", "ANONYMOUS_ID", 422, 422),
        ("DELETE_ARCHIVE_ONLY", "OBJECT_ID", 422, 422),
        ("DELETE_ARCHIVE_ONLY", "USER_ID", 422, 200),
        ("DELETE_ARCHIVE_ONLY", "ANONYMOUS_ID", 422, 200),
    ] {
        segment.turn(json!({"archive_only": false}));
        assert_eq!(
            segment.post(&path, &body(kind, subject_type)).await.status,
            limited,
            "{kind} {subject_type}"
        );
        segment.turn(json!({"archive_only": true}));
        assert_eq!(
            segment.post(&path, &body(kind, subject_type)).await.status,
            open,
            "{kind} {subject_type}"
        );
    }
    let workspace = segment.post("/regulations", &people("DELETE_ARCHIVE_ONLY", &[PIA])).await;
    assert_eq!(workspace.status, 422);
    segment.advance(300);
    assert!(segment.has_data(PIA) && segment.vendor().accepted_for_deletion(PIA) == 0);
    let list = segment.data("/regulations?regulationTypes=DELETE_ARCHIVE_ONLY").await["regulations"].take();
    assert_eq!(each(&list, "subjectType"), ["ANONYMOUS_ID", "USER_ID"]);
}

#[tokio::test]
async fn for_objects_of_a_cloud_source() {
    let segment = Segment::new().await;
    let path = format!("/regulations/cloudsources/{}", segment.source_id(SALESFORCE).await);
    let body = |subject_type: &str, collection: Value| json!({"regulationType": "DELETE_ONLY", "subjectType": subject_type, "subjectIds": [JO], "collection": collection});
    let answer = segment.post(&path, &body("OBJECT_ID", json!("contacts"))).await;
    let record = segment.record(answer.json()["data"]["regulateId"].as_str().unwrap());
    assert_eq!((record.attribute, record.source.as_deref()), (Attribute::ObjectId, Some(SALESFORCE)));
    assert_eq!(record.collection.as_deref(), Some("contacts"));
    segment.advance(300);
    assert!(segment.has_data(JO), "an object is not a person");
    for body in
        [body("USER_ID", json!("contacts")), body("OBJECT_ID", json!("")), body("OBJECT_ID", Value::Null)]
    {
        assert_eq!(segment.post(&path, &body).await.status, 422, "{body}");
    }
    let web = format!("/regulations/cloudsources/{}", segment.source_id(WEB_PROD).await);
    assert_eq!(segment.post(&web, &body("OBJECT_ID", json!("contacts"))).await.status, 404);
    let objects = json!({"regulationType": "DELETE_ONLY", "subjectType": "OBJECT_ID", "subjectIds": [JO]});
    assert_eq!(segment.post("/regulations", &objects).await.status, 200);
    segment.advance(300);
    assert!(segment.has_data(JO));
}

#[tokio::test]
async fn lists_in_every_spelling_of_their_filters() {
    let segment = Segment::new().await;
    let (mut of, path) = (Vec::new(), "/regulations");
    for kind in ["SUPPRESS_ONLY", "DELETE_ONLY", "UNSUPPRESS"] {
        of.push(segment.regulate(kind, &[kind]).await);
    }
    let plan = RegulationPlan::immediate().outcome("segment", "failed", "");
    segment.vendor().amend_regulation(&of[0], &plan).unwrap();
    for (query, found) in [
        ("", vec![2, 1, 0]),
        ("regulationTypes=DELETE_ONLY", vec![1]),
        ("regulationTypes=DELETE_ONLY&regulationTypes=UNSUPPRESS", vec![2, 1]),
        ("regulationTypes[0]=DELETE_ONLY&regulationTypes[1]=UNSUPPRESS", vec![2, 1]),
        ("regulationTypes%5B0%5D=DELETE_ONLY&regulationTypes%5B1%5D=UNSUPPRESS", vec![2, 1]),
        ("regulationTypes.0=DELETE_ONLY&regulationTypes.1=UNSUPPRESS", vec![2, 1]),
        ("regulationTypes=SUPPRESS_WITH_DELETE_INTERNAL", vec![]),
        ("status=FAILED", vec![0]),
        ("status=INITIALIZED&regulationTypes.0=DELETE_ONLY&pagination[count]=5", vec![1]),
        ("status=PARTIAL_SUCCESS", vec![]),
        ("anything=else", vec![2, 1, 0]),
    ] {
        let list = segment.data(&format!("{path}?{query}")).await["regulations"].take();
        let expected: Vec<_> = found.iter().map(|position: &usize| of[*position].as_str()).collect();
        assert_eq!(each(&list, "id"), expected, "{query}");
    }
    for query in ["status=failed", "status=DONE", "regulationTypes=Delete", "regulationTypes[0]=NONE"] {
        let answer = segment.call(&format!("GET {path}?{query}")).await;
        assert_eq!((answer.status, kind(&answer)), (422, "input-validation".to_owned()), "{query}");
    }
}

#[tokio::test]
async fn an_entry_of_a_list() {
    let segment = Segment::new().await;
    let id = segment.regulate("SUPPRESS_WITH_DELETE", &[JO, JO_EMAIL]).await;
    let list = segment.data("/regulations").await["regulations"].take();
    let created = list[0]["createdAt"].as_str().unwrap().to_owned();
    assert_eq!(
        list,
        json!([{"id": id, "subjectType": "USER_ID", "subjects": [JO, JO_EMAIL], "status": "INITIALIZED",
            "createdAt": created, "regulationType": "SUPPRESS_WITH_DELETE"}])
    );
    segment.advance(300);
    let list = segment.data("/regulations").await["regulations"].take();
    assert_eq!(list[0]["status"], "FINISHED");
    for time in [&list[0]["createdAt"], &list[0]["finishedAt"]] {
        let (_, fraction) = time.as_str().unwrap().split_once('.').unwrap();
        assert!(fraction.len() == 7 && fraction.ends_with('Z'), "microseconds: {time}");
    }
    segment.turn(json!({"subject_types": "as_in_samples"}));
    assert_eq!(segment.data("/regulations").await["regulations"][0]["subjectType"], "OBJECT_ID");
    let suppressed = segment.data("/suppressions").await["suppressed"].take();
    assert_eq!(suppressed, json!([{"subjectType": "userId", "subjectIds": [JO_EMAIL, JO]}]));
}

#[tokio::test]
async fn only_where_there_is_a_call_for_it_a_regulation_can_be_deleted() {
    let segment = Segment::new().await;
    let id = segment.regulate("SUPPRESS_WITH_DELETE", &[ANA]).await;
    let delete = format!("DELETE /regulations/{id}");
    assert_eq!(segment.call(&delete).await.status, 404);
    assert_eq!(segment.call_as(PUBLIC_READ_ONLY_TOKEN, &delete).await.status, 404);
    segment.turn(json!({"delete_regulations": true}));
    let deleted = segment.call(&delete).await;
    assert_eq!((deleted.status, deleted.json()), (200, json!({"data": {"status": "SUCCESS"}})));
    assert_eq!(segment.call(&delete).await.status, 404);
    assert_eq!(segment.data("/regulations").await["regulations"], json!([]));
    segment.advance(86_400);
    assert!(segment.has_data(ANA) && segment.vendor().suppressed(WORKSPACE).is_empty());
    let counts = segment.sandbox.calls().deletions_of("segment_public", &id);
    assert_eq!((counts.arrived, counts.effects), (4, 1));

    let id = segment.regulate("SUPPRESS_WITH_DELETE", &[ANA]).await;
    segment.advance(60);
    assert_eq!(segment.call(&format!("DELETE /regulations/{id}")).await.status, 422);
    assert_eq!(segment.status(&id).await, "RUNNING");
}

#[tokio::test]
async fn too_many_ids_and_too_many_bytes() {
    let segment = Segment::new().await;
    let ids = |count: usize, length: usize| -> Value {
        let ids: Vec<_> = (0..count).map(|n| format!("{n:0length$}")).collect();
        json!({"regulationType": "DELETE_ONLY", "subjectType": "USER_ID", "subjectIds": ids})
    };
    for (count, length, status, name) in [
        (5_000, 8, 200, None),
        (5_001, 8, 422, Some("ValidationFailure")),
        (5_000, 780, 200, None),
        (5_000, 810, 413, Some("PayloadTooLarge")),
        (5_001, 2_000, 413, Some("PayloadTooLarge")),
    ] {
        let answer = segment.post("/regulations", &ids(count, length)).await;
        assert_eq!(answer.status, status, "{count} {length}");
        assert_eq!(name.map(|_| kind(&answer)).as_deref(), name, "{count} {length}");
    }
}
