//! Lists in all styles, and lists that mean no good.

use std::sync::Arc;

use rstest::rstest;

use super::*;
use crate::connector::{Export, Job};
use crate::error::{ErrorKind, VendorError};
use crate::testing::ListedPermits;

/// Contacts found in one directory.
async fn contacts(vendor: &Vendor) -> Result<usize, VendorError> {
    let job = Job::new("CDR-1").unwrap();
    match vendor.connector().export(&subject(&[ANA]), Some(&job)).await? {
        Export::Collected(all) => Ok(all.records.iter().filter(|one| one.kind == "contact").count()),
        Export::Pending(_) => panic!("the job is not over"),
    }
}

#[rstest]
#[case(0, 3, 1)]
#[case(2, 3, 1)]
#[case(3, 3, 2)]
#[case(7, 3, 3)]
#[case(6, 3, 3)]
#[case(5, 1, 6)]
#[tokio::test]
async fn a_search_goes_on_with_its_token(#[case] count: usize, #[case] cap: usize, #[case] calls: usize) {
    let directory =
        (0..count).fold(Directory::new("POOL_1"), |all, number| all.with(&format!("CID_{number}"), ANA));
    let vendor = Vendor::with(vec![directory]).await;
    vendor.change(|state| state.cap = cap);
    assert_eq!(contacts(&vendor).await.unwrap(), count);
    let asked = vendor.calls("POST", "/search");
    assert_eq!(asked.len(), calls);
    assert!(
        asked.iter().all(|one| one.body == asked[0].body && one.query("pageSize").as_deref() == Some("100"))
    );
    assert!(asked.iter().all(|one| one.query("includeEmbedded").as_deref() == Some("true")));
}

#[rstest]
#[case(1)]
#[case(5)]
#[case(100)]
#[tokio::test]
async fn all_directories_and_all_history_are_read(#[case] cap: usize) {
    let entries =
        |prefix: &str| (0..7).map(|number| json!({"distributionId": format!("{prefix}{number}")})).collect();
    let directories = (0..6)
        .map(|number| {
            Directory::new(&format!("POOL_{number}"))
                .with("CID_1", ANA)
                .with_history("CID_1", "response", entries("R"))
                .with_history("CID_1", "email", entries("E"))
        })
        .collect();
    let vendor = Vendor::with(directories).await;
    vendor.change(|state| {
        state.cap = cap;
        state.users = (0..7).map(|number| user(&format!("UR_{number}"), ANA)).collect();
    });
    let job = Job::new("CDR-1").unwrap();
    let Export::Collected(all) = vendor.connector().export(&subject(&[ANA]), Some(&job)).await.unwrap()
    else {
        panic!("the job is not over")
    };
    assert_eq!(all.records.len(), 6 * 15 + 7);
}

/// `nextPage` of the list of users.
async fn with_next(next: impl Fn(usize) -> Value + Send + 'static) -> Vendor {
    let vendor = Vendor::new().await;
    let mut pages = 0;
    vendor.fault(move |_, asked| {
        (asked.path().ends_with("/users") && asked.method == "GET").then(|| {
            pages += 1;
            result(&json!({"elements": [user("UR_1", "x@example.test")], "nextPage": next(pages)}))
        })
    });
    vendor
}

async fn scan_of_users(vendor: &Vendor) -> Result<(), VendorError> {
    vendor.connector().cautions(&[subject(&[ANA])]).await.map(|_| ())
}

#[rstest]
#[case::another_host("https://evil.example.test/API/v3/users?offset=1", "another host")]
#[case::another_scheme("https://{host}/API/v3/users?offset=1", "another host")]
#[case::with_a_user("http://a:b@{host}/API/v3/users?offset=1", "another host")]
#[case::protocol_relative("//evil.example.test/API/v3/users?offset=1", "another host")]
#[case::another_list("/API/v3/directories?offset=1", "another list")]
#[case::a_step_upwards("/API/v3/users/../whoami", "another list")]
#[case::the_token_endpoint("/oauth2/token", "another list")]
#[case::no_address("http://[broken", "is none")]
#[tokio::test]
async fn a_next_page_elsewhere_is_not_asked_for(#[case] next: &'static str, #[case] says: &str) {
    let vendor = Vendor::new().await;
    vendor.fault(move |_, asked| {
        let next = next.replace("{host}", asked.header("host").unwrap());
        (asked.method == "GET")
            .then(|| result(&json!({"elements": [user("UR_1", "x@example.test")], "nextPage": next})))
    });
    let error = scan_of_users(&vendor).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::BadAnswer);
    assert!(error.message.contains(says), "{error}");
    assert_eq!(vendor.asked(), ["POST /oauth2/token", "GET /API/v3/users"]);
}

#[rstest]
#[case::null(json!(null))]
#[case::empty(json!(""))]
#[case::not_a_text(json!(false))]
#[tokio::test]
async fn no_next_page_is_the_end(#[case] next: Value) {
    let vendor = with_next(move |_| next.clone()).await;
    scan_of_users(&vendor).await.unwrap();
    assert_eq!(vendor.calls("GET", "/users").len(), 1);
}

#[tokio::test]
async fn other_spellings_of_the_own_list_are_followed() {
    let vendor = with_next(|page| match page {
        1 => json!("/api/v3/users/?skipToken=abc&pageSize=100"),
        2 => json!(" /API/v3/%75sers?offset=2#x "),
        _ => Value::Null,
    })
    .await;
    vendor.fault(|_, asked| {
        asked.path().contains("%75").then(|| result(&json!({"elements": [], "nextPage": null})))
    });
    vendor.answers(
        "GET",
        "/users/",
        result(&json!({"elements": [{}], "nextPage": "/API/v3/%75sers?offset=2#x"})),
    );
    scan_of_users(&vendor).await.unwrap();
    assert_eq!(vendor.asked().len(), 4);
}

#[rstest]
#[case::the_same_page("/API/v3/users?offset=1")]
#[case::two_in_a_circle("/API/v3/users?offset={odd}")]
#[tokio::test]
async fn a_list_that_repeats_is_given_up(#[case] next: &'static str) {
    let vendor = with_next(move |page| json!(next.replace("{odd}", &(page % 2).to_string()))).await;
    let error = scan_of_users(&vendor).await.unwrap_err();
    assert!(error.message.contains("no end"), "{error}");
    assert!(vendor.asked().len() <= 5);
}

#[tokio::test]
async fn an_empty_page_that_promises_more_is_given_up() {
    let vendor = Vendor::new().await;
    let page = result(&json!({"elements": [], "nextPage": "/API/v3/users?offset=1"}));
    vendor.answers("GET", "/users", page);
    assert!(scan_of_users(&vendor).await.unwrap_err().message.contains("no end"));
    let page = result(&json!({"elements": [], "skipToken": "MTAw"}));
    vendor.answers("POST", "/search", page);
    assert!(contacts(&vendor).await.unwrap_err().message.contains("no end"));
}

#[tokio::test]
async fn a_list_of_erasures_without_end_is_bounded() {
    let vendor = Vendor::new().await;
    vendor.fault(|_, asked| {
        let offset: usize = asked.query("offset").map_or(0, |offset| offset.parse().unwrap());
        asked.path().ends_with("personal-data").then(|| {
            let next = format!("/API/v3/op-erase-personal-data?offset={}", offset + 1);
            result(&json!({"elements": [{"requestid": "OP-x"}], "nextPage": next}))
        })
    });
    let error = vendor.connector().find_erasures(&[subject(&[ANA])], NOW.parse().unwrap()).await.unwrap_err();
    assert!(error.message.contains("no end"), "{error}");
    assert_eq!(vendor.calls("GET", "/op-erase-personal-data").len(), 200);
}

#[rstest]
#[case::token(json!({"elements": [{"id": "CID_1", "email": "x@example.test"}], "skipToken": "MTAw"}))]
#[case::number(json!({"elements": [{"id": "CID_1", "email": "x@example.test"}], "skipToken": 100}))]
#[case::address_without_token(json!({"elements": [{"id": "CID_1", "email": "x@example.test"}], "nextPage": "/API/v3/x?offset=1"}))]
#[case::too_long(json!({"elements": [{"id": "CID_1", "email": "x@example.test"}], "skipToken": "a".repeat(9000)}))]
#[tokio::test]
async fn a_search_that_leads_nowhere_is_given_up(#[case] page: Value) {
    let vendor = Vendor::new().await;
    vendor.answers("POST", "/search", result(&page));
    assert!(contacts(&vendor).await.unwrap_err().message.contains("no end"));
    assert!(vendor.calls("POST", "/search").len() <= 2);
}

#[tokio::test]
async fn a_search_may_write_its_token_into_an_address() {
    let vendor = Vendor::new().await;
    vendor.fault(|_, asked| {
        let page = match asked.query("skipToken").as_deref() {
            None => json!({"elements": [{"id": "CID_1", "email": ANA}], "nextPage": "https://evil.example.test/x?skipToken=a%2Bb"}),
            Some("a+b") => json!({"elements": [{"id": "CID_2", "email": ANA}]}),
            Some(_) => return None,
        };
        asked.path().ends_with("/search").then(|| result(&page))
    });
    assert_eq!(contacts(&vendor).await.unwrap(), 2);
}

#[rstest]
#[case(json!({"result": {}}))]
#[case(json!({"result": {"elements": {}}}))]
#[case(json!({"result": {"elements": [7]}}))]
#[case(json!({"result": []}))]
#[case(json!({"meta": {"httpStatus": "200 - OK"}}))]
#[case(json!([]))]
#[tokio::test]
async fn a_page_of_another_shape_is_not_an_empty_one(#[case] body: Value) {
    let vendor = Vendor::new().await;
    vendor.answers("GET", "/users", Act::json(200, body));
    assert_eq!(scan_of_users(&vendor).await.unwrap_err().kind, ErrorKind::BadAnswer);
}

#[rstest]
#[case(json!({"name": "no id"}))]
#[case(json!({"directoryId": "../users"}))]
#[case(json!({"directoryId": ""}))]
#[tokio::test]
async fn a_directory_needs_an_id(#[case] directory: Value) {
    let vendor = Vendor::new().await;
    vendor.answers("GET", "/directories", result(&json!({"elements": [directory]})));
    assert_eq!(contacts(&vendor).await.unwrap_err().kind, ErrorKind::BadAnswer);
}

#[tokio::test]
async fn later_pages_wait_for_leave_and_the_first_look_does_not() {
    let vendor = Vendor::new().await;
    vendor.change(|state| {
        state.cap = 1;
        let entry = |id: &str| json!({"requestid": id, "status": "Completed"});
        state.erasures = vec![entry("OP-a"), entry("OP-b")];
    });
    let permits = Arc::new(ListedPermits::default());
    let connector = vendor.connector_of(client_with(vendor.options()).with_permits(permits.clone()));
    let jobs = [Job::new("OP-b").unwrap()];
    permits.next(&[None, Some(Duration::from_secs(4))]);
    assert_eq!(connector.follow(&jobs).await.unwrap_err().kind, ErrorKind::Paced);
    permits.next(&[None, Some(Duration::from_secs(4))]);
    connector.follow(&jobs).await.unwrap();
}
