//! Directories, contacts, their history, mailing lists and users.

use habeas_sandbox::qualtrics::fixtures::*;
use serde_json::{Value, json};

use super::{Brand, contacts, elements, error, ids};

/// Follows `nextPage` from a call to the end: every element, and how many pages there were.
async fn walk(brand: &Brand, token: &str, first: &str) -> (Vec<Value>, usize) {
    let (mut all, mut pages, mut call) = (Vec::new(), 0, first.to_owned());
    loop {
        let page = brand.call_as(token, &call, None).await;
        all.extend(elements(&page));
        pages += 1;
        match page.json()["result"]["nextPage"].as_str() {
            Some(next) => call = format!("GET {next}"),
            None => return (all, pages),
        }
    }
}

#[tokio::test]
async fn directories() {
    let brand = Brand::new().await;
    let listed = elements(&brand.call("GET /directories").await);
    assert_eq!(
        listed[0],
        json!({"directoryId": DIRECTORY, "name": "Example customers", "contactCount": 0, "isDefault": true,
            "deduplicationCriteria": {"email": true, "firstName": false, "lastName": false,
                "externalDataReference": false, "phone": false}})
    );
    assert_eq!((listed.len(), &listed[1]["isDefault"]), (2, &json!(false)));
    let counted = elements(&brand.call("GET /directories?includeCount=true").await);
    assert_eq!(counted[0]["contactCount"], DIRECTORY_CONTACTS);
    assert_eq!(walk(&brand, TOKEN, "GET /directories?pageSize=1").await.1, 2);
    brand.turn(json!({"directory_page_size": 1}));
    assert_eq!(walk(&brand, TOKEN, "GET /directories?pageSize=100").await.1, 2, "never more than that");
}

#[tokio::test]
async fn contacts_are_listed_by_both_schemes() {
    let brand = Brand::with_people(244).await;
    for (query, pages) in
        [("", 3), ("?useNewPaginationScheme=true", 3), ("?pageSize=1000", 1), ("?pageSize=50", 5)]
    {
        let (all, visited) = walk(&brand, TOKEN, &contacts("GET", query)).await;
        assert_eq!((all.len(), visited), (244 + DIRECTORY_CONTACTS, pages), "{query}");
        assert_eq!(all[1]["contactId"], ANA);
        assert_eq!(all[249]["contactId"], SHARED_SECOND);
    }
    brand.turn(json!({"page_cap": 100}));
    assert_eq!(walk(&brand, TOKEN, &contacts("GET", "?pageSize=1000")).await.1, 3);
    let one = elements(&brand.call(&contacts("GET", "?pageSize=2")).await)[1].clone();
    assert_eq!(
        one,
        json!({"contactId": ANA, "firstName": "Ana", "lastName": "Silva", "email": ANA_EMAIL,
            "phone": "+351555010203", "extRef": "cust-42", "language": "pt", "unsubscribed": false})
    );
}

#[tokio::test]
async fn deleting_while_paging_skips_a_row_in_the_old_scheme_only() {
    for (scheme, expected) in [("", 3), ("&useNewPaginationScheme=true", 2)] {
        let brand = Brand::new().await;
        let all = ids(&brand.call(&contacts("GET", "")).await, "contactId");
        let first = brand.call(&contacts("GET", &format!("?pageSize=2{scheme}"))).await;
        assert!(brand.vendor().remove_contact(JO));
        let next = first.json()["result"]["nextPage"].as_str().unwrap().to_owned();
        let second = ids(&brand.call(&format!("GET {next}")).await, "contactId");
        assert_eq!(second[0], all[expected]);
    }
}

#[tokio::test]
async fn one_contact() {
    let brand = Brand::new().await;
    let contact = brand.call(&contacts("GET", &format!("/{ANA}"))).await.json()["result"].clone();
    assert_eq!(
        (&contact["emailDomain"], &contact["embeddedData"], &contact["creationDate"]),
        (&json!("example.test"), &json!({"tier": "gold"}), &json!(1_743_292_816_159_u64))
    );
    assert_eq!((&contact["skipped"], &contact["stats"]["ResponseCount"]), (&Value::Null, &json!("2")));
    let membership = &contact["mailingListMembership"][CUSTOMER_LIST];
    assert!(membership["contactLookupId"].is_string());
    let missing = brand.call(&contacts("GET", "/CID_none")).await;
    assert_eq!(error(&missing), (404, "ESSG_2".to_owned(), "CID_none not found".to_owned()));
    assert_eq!(brand.call(&contacts("GET", &format!("/{KIM}"))).await.status, 404, "in the other directory");
}

#[tokio::test]
async fn history() {
    let brand = Brand::new().await;
    let path = |query: &str| contacts("GET", &format!("/{ANA}/history{query}"));
    for query in ["", "?type=sms", "?type=email&offset=x"] {
        assert_eq!(error(&brand.call(&path(query)).await).0, 400, "{query}");
    }
    let responses = elements(&brand.call(&path("?type=response")).await);
    assert_eq!(responses.len(), 2);
    assert_eq!(
        responses[0],
        json!({"responseId": responses[0]["responseId"], "distributionId": DISTRIBUTION, "surveyId": SURVEY,
            "dateStarted": "2025-03-31 00:00:16", "dateCompleted": "2025-03-31 00:03:16",
            "surveyFinished": true})
    );
    assert_eq!(
        (&responses[1]["responseId"], &responses[1]["dateCompleted"], &responses[1]["surveyFinished"]),
        (&Value::Null, &Value::Null, &json!(false))
    );
    brand.turn(json!({"history_times": "rfc3339"}));
    let mails = elements(&brand.call(&path("?type=email")).await);
    assert_eq!(
        mails[0],
        json!({"distributionId": DISTRIBUTION, "date": "2025-03-31T00:00:16Z", "type": "Invite",
            "result": "Success", "bounceInfo": null, "surveyId": SURVEY, "read": true})
    );
    let (all, pages) = walk(&brand, TOKEN, &path("?type=email&pageSize=1")).await;
    assert_eq!((all, pages), (mails, 2));
}

#[tokio::test]
async fn creating_changing_and_deleting() {
    let brand = Brand::new().await;
    let body = json!({"firstName": "Lou", "email": "lou@example.test", "embeddedData": {"a": "b"}});
    let create = contacts("POST", "");
    assert_eq!(brand.call_with(&create, &body).await.status, 403, "not with the granted scopes");
    let made = brand.call_as(FULL_TOKEN, &create, Some(&body)).await.json();
    let id = made["result"]["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("CID_") && id.len() == 19);
    let one = format!("/{id}");
    let change = json!({"email": "lou2@example.test", "embeddedData": {"c": "d"}});
    let changed = brand.call_as(FULL_TOKEN, &contacts("PUT", &one), Some(&change)).await;
    assert_eq!((changed.status, changed.json().get("result")), (200, None));
    let contact = brand.vendor().contact(&id).unwrap();
    assert_eq!(
        (&contact["firstName"], &contact["embeddedData"]),
        (&json!("Lou"), &json!({"a": "b", "c": "d"}))
    );
    assert_eq!(brand.vendor().contacts_with_email("lou@example.test"), [""; 0]);
    let broken = brand.call_as(FULL_TOKEN, &create, Some(&json!({"email": "x"}))).await;
    assert_eq!(error(&broken).0, 400);

    let delete = contacts("DELETE", &format!("/{ANA}"));
    assert_eq!(brand.call(&delete).await.status, 403);
    let deleted = brand.call_as(FULL_TOKEN, &delete, None).await;
    assert_eq!((deleted.status, deleted.json()["meta"]["httpStatus"].clone()), (200, json!("200 - OK")));
    assert_eq!(brand.call_as(FULL_TOKEN, &delete, None).await.status, 404);
    assert_eq!(brand.vendor().responses_with_email(ANA_EMAIL).len(), 3, "responses are not erased");
    let counts = brand.sandbox.calls().deletions_of("qualtrics", ANA);
    assert_eq!((counts.arrived, counts.effects), (3, 1));
}

#[tokio::test]
async fn mailing_lists() {
    let brand = Brand::new().await;
    let lists = format!("GET /directories/{DIRECTORY}/mailinglists");
    assert_eq!(brand.call(&lists).await.status, 403, "not with the granted scopes");
    let read = async |call: &str| brand.call_as(FULL_TOKEN, call, None).await;
    let listed = elements(&read(&format!("{lists}?includeCount=true")).await);
    assert_eq!(
        (&listed[0]["mailingListId"], &listed[0]["contactCount"]),
        (&json!(CUSTOMER_LIST), &json!(DIRECTORY_CONTACTS - 1))
    );
    assert!(elements(&read(&format!("{lists}?ownerId=UR_other")).await).is_empty());
    let members = format!("{lists}/{CUSTOMER_LIST}/contacts");
    assert_eq!(
        walk(&brand, FULL_TOKEN, &format!("{members}?pageSize=2")).await.0.len(),
        DIRECTORY_CONTACTS - 1
    );
    let one = read(&format!("{members}/{ANA}")).await.json()["result"].clone();
    assert_eq!((&one["contactId"], &one["mailingListUnsubscribed"]), (&json!(ANA), &json!(false)));
    assert_eq!(one["privateEmbeddedData"], json!({}));

    let delete = format!("{members}/{ANA}").replace("GET", "DELETE");
    assert_eq!(brand.call_as(FULL_TOKEN, &delete, None).await.status, 200);
    assert_eq!(brand.call_as(FULL_TOKEN, &delete, None).await.status, 404);
    assert!(brand.vendor().contact(ANA).is_some(), "it stays in the directory");
    let target = format!("{CUSTOMER_LIST}/{ANA}");
    assert_eq!(brand.sandbox.calls().deletions_of("qualtrics", &target).effects, 1);
    let missing = read(&format!("{lists}/CG_none/contacts")).await;
    assert_eq!(error(&missing), (404, "PACC_6".to_owned(), "Mailing List not found".to_owned()));
}

#[tokio::test]
async fn users() {
    let brand = Brand::new().await;
    let all = elements(&brand.call("GET /users").await);
    assert_eq!(all.len(), USERS);
    let (paged, pages) = walk(&brand, TOKEN, "GET /users?pageSize=3").await;
    assert_eq!((paged, pages), (all.clone(), 2));
    assert_eq!(
        brand.call(&format!("GET /users/{OWNER_USER}")).await.json()["result"],
        json!({"id": OWNER_USER, "divisionId": null, "username": format!("{OWNER_EMAIL}#exampleco"),
            "firstName": "Olive", "lastName": "Owner", "userType": "UT_PARTICIPANT", "email": OWNER_EMAIL,
            "accountStatus": "active"})
    );
    assert_eq!(elements(&brand.call("GET /users?username=x").await), all, "there is no filter");
    assert_eq!(brand.call("GET /users/UR_none").await.status, 404);
}
