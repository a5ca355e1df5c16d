//! Passes over all contacts.

use std::time::Duration;

use rstest::rstest;

use super::*;
use crate::error::{ErrorKind, Retry};
use crate::testing::ListedPermits;

const ANA: &str = "ana@example.test";

/// Pages of contacts that were asked for, as offsets.
fn offsets(vendor: &Vendor) -> Vec<u64> {
    let asked = vendor.server.asked();
    let pages = asked.iter().filter(|asked| asked.path().ends_with("/contacts/"));
    pages.map(|asked| asked.query("offset").unwrap().parse().unwrap()).collect()
}

async fn found(vendor: &Vendor, subjects: &[Subject]) -> Vec<String> {
    let mut found = pass(&*vendor.connector(), subjects).await.unwrap().found;
    found.sort();
    found.dedup();
    found
}

#[rstest]
#[case::as_written(&[Some("ana@example.test")], "ana@example.test", true)]
#[case::upper_case(&[Some("ANA@EXAMPLE.TEST")], "ana@example.test", true)]
#[case::asked_in_upper_case(&[Some("ana@example.test")], "Ana@Example.TEST", true)]
#[case::space_around(&[Some("  ana@example.test ")], "ana@example.test", true)]
#[case::second_address(&[Some("x@example.test"), Some("ana@example.test")], "ana@example.test", true)]
#[case::after_a_null(&[None, Some("ana@example.test")], "ana@example.test", true)]
#[case::plus_is_another_person(&[Some("ana+shop@example.test")], "ana@example.test", false)]
#[case::plus_as_written(&[Some("ana+shop@example.test")], "Ana+Shop@example.test", true)]
#[case::only_null(&[None], "ana@example.test", false)]
#[case::empty(&[Some("")], "ana@example.test", false)]
#[case::part_of_it(&[Some("diana@example.test")], "ana@example.test", false)]
#[case::no_address(&[], "ana@example.test", false)]
#[tokio::test]
async fn people_are_matched_by_any_of_their_addresses(
    #[case] emails: &[Option<&str>],
    #[case] asked: &str,
    #[case] matches: bool,
) {
    let vendor = Vendor::with(vec![Organisation::new("H6j").with("3mrRD", emails)]).await;
    let expected: &[&str] = if matches { &["0: H6j/3mrRD"] } else { &[] };
    assert_eq!(found(&vendor, &[subject(&[asked])]).await, expected);
}

#[tokio::test]
async fn subjects_and_contacts_meet_many_to_many() {
    let team = Organisation::new("H6j")
        .with("a", &[Some(ANA)])
        .with("b", &[Some(ANA), Some("joao@example.test")])
        .with("c", &[Some("other@example.test")]);
    let vendor = Vendor::with(vec![team]).await;
    let subjects = [subject(&[ANA]), subject(&["x@example.test"]), subject(&["joao@example.test", ANA])];
    assert_eq!(found(&vendor, &subjects).await, ["0: H6j/a", "0: H6j/b", "2: H6j/a", "2: H6j/b"]);
}

#[tokio::test]
async fn a_record_holds_what_the_vendor_holds() {
    let vendor = Vendor::with(vec![Organisation::new("H6j").with("3mrRD", &[Some(ANA)])]).await;
    let connector = vendor.connector();
    let first = connector.scan(None, &[]).await.unwrap().next.unwrap();
    let page = connector.scan(Some(&first), &[subject(&[ANA])]).await.unwrap();
    let record = &page.matches[0].record;
    assert_eq!((record.kind.as_str(), record.title.as_str()), ("contact", "Ana Silva"));
    assert_eq!(
        Value::Object(record.fields.clone()),
        vendor.change(|state| state.organisations[0].contacts[0].1.clone())
    );
    assert_eq!(vendor.server.asked()[1].query("expand").as_deref(), Some("notes"));
    assert!(vendor.server.asked().iter().all(|asked| !asked.target.contains(TOKEN)));
}

#[rstest]
#[case(json!({"first_name": " ", "last_name": "Silva"}), "Silva")]
#[case(json!({"first_name": null, "addresses": [{"first_name": "Jo"}]}), "Jo")]
#[case(json!({"addresses": [{"company": "Example Outfitters"}]}), "Example Outfitters")]
#[case(json!({"url": "/api/v2/orgs/H6j/contacts/3mrRD/"}), "Contact 3mrRD")]
#[case(json!({}), "Contact without a name")]
fn a_contact_is_recognised_by_a_name(#[case] contact: Value, #[case] title: &str) {
    let contact: super::super::api::Contact = serde_json::from_value(contact).unwrap();
    assert_eq!(contact.title(), title);
}

#[rstest]
#[case(1)]
#[case(2)]
#[case(3)]
#[case(7)]
#[case(100)]
#[tokio::test]
async fn the_server_chooses_the_page(#[case] cap: usize) {
    let team = Organisation::new("H6j").with_others("p", 11).with("last", &[Some(ANA)]);
    let vendor = Vendor::with(vec![team]).await;
    vendor.change(|state| state.cap = cap);
    let everybody: Vec<Subject> =
        (0..11).map(|number| subject(&[&format!("p{number}@example.test")])).collect();
    assert_eq!(found(&vendor, &everybody).await.len(), 11);
    assert_eq!(found(&vendor, &[subject(&[ANA])]).await, ["0: H6j/last"]);
}

#[tokio::test]
async fn all_organisations_in_use_are_read() {
    let deleted = Organisation { is_deleted: true, ..Organisation::new("Gone").with("x", &[Some(ANA)]) };
    let vendor = Vendor::with(vec![
        Organisation::new("H6j").with("a", &[Some(ANA)]),
        deleted,
        Organisation::new("-~.9").with_others("p", 5).with("b", &[Some(ANA)]),
        Organisation::new("Empty"),
    ])
    .await;
    vendor.change(|state| state.cap = 2);
    assert_eq!(found(&vendor, &[subject(&[ANA])]).await, ["0: -~.9/b", "0: H6j/a"]);
    assert!(!vendor.asked().iter().any(|asked| asked.contains("Gone")));
}

/// Deletes `victims` before the vendor answers its `nth` page of contacts.
fn delete_before_page(vendor: &Vendor, nth: usize, victims: Vec<String>) {
    let mut pages = 0;
    vendor.fault(move |state, asked| {
        pages += usize::from(asked.path().ends_with("/contacts/"));
        if pages == nth {
            state.organisations[0].contacts.retain(|(key, _)| !victims.contains(key));
        }
        None
    });
}

fn keys(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| format!("p{number}")).collect()
}

#[rstest]
#[case::one_from_the_first_page(2, keys(0..1))]
#[case::the_last_one_seen(2, keys(9..10))]
#[case::half_a_page(2, keys(2..7))]
#[case::a_whole_page(2, keys(0..10))]
#[case::more_than_was_remembered(4, keys(10..30))]
#[case::from_the_tail(4, keys(35..40))]
#[case::nearly_all_that_was_seen(4, keys(0..29))]
#[case::all_that_was_seen(4, keys(0..30))]
#[tokio::test]
async fn deletions_while_paging_hide_nobody(
    #[case] page: usize,
    #[case] victims: Vec<String>,
    #[values(10, 5, 1)] cap: usize,
) {
    let vendor = Vendor::with(vec![Organisation::new("H6j").with_others("p", 40)]).await;
    vendor.change(|state| state.cap = cap);
    delete_before_page(&vendor, page * (10 / cap), victims.clone());
    let everybody: Vec<Subject> = (0..40)
        .filter(|number| !victims.contains(&format!("p{number}")))
        .map(|number| subject(&[&format!("p{number}@example.test")]))
        .collect();
    assert_eq!(found(&vendor, &everybody).await.len(), everybody.len());
}

#[tokio::test]
async fn a_deletion_that_an_addition_hides_is_noticed() {
    let vendor = Vendor::with(vec![Organisation::new("H6j").with_others("p", 30)]).await;
    vendor.change(|state| state.cap = 10);
    let mut pages = 0;
    vendor.fault(move |state, asked| {
        pages += usize::from(asked.path().ends_with("/contacts/"));
        if pages == 2 {
            let contacts = &mut state.organisations[0].contacts;
            contacts.remove(3);
            // One goes and one comes: `count` stays the same.
            let newcomer = Organisation::new("H6j").with("new", &[None]).contacts.remove(0);
            contacts.push(newcomer);
        }
        None
    });
    assert_eq!(found(&vendor, &[subject(&["p10@example.test"])]).await, ["0: H6j/p10"]);
}

#[tokio::test]
async fn contacts_that_come_at_the_front_move_nobody_out_of_sight() {
    let vendor = Vendor::with(vec![Organisation::new("H6j").with_others("p", 30)]).await;
    vendor.change(|state| state.cap = 10);
    let mut pages = 0;
    vendor.fault(move |state, asked| {
        pages += usize::from(asked.path().ends_with("/contacts/"));
        if pages == 2 {
            let newcomers = Organisation::new("H6j").with_others("new", 25).contacts;
            state.organisations[0].contacts.splice(0..0, newcomers);
        }
        None
    });
    let everybody: Vec<Subject> =
        keys(0..30).iter().map(|key| subject(&[&format!("{key}@example.test")])).collect();
    assert_eq!(found(&vendor, &everybody).await.len(), 30);
}

#[tokio::test]
async fn deletions_all_the_time_neither_stop_nor_mislead_the_pass() {
    let vendor = Vendor::with(vec![Organisation::new("H6j").with_others("p", 300)]).await;
    vendor.change(|state| state.cap = 20);
    vendor.fault(|state, asked| {
        let contacts = &mut state.organisations[0].contacts;
        // Only those with an even number go, so the odd ones must all be found.
        let victim =
            contacts.iter().position(|(key, _)| key[1..].parse::<usize>().unwrap().is_multiple_of(2));
        if let (Some(at), true) = (victim, asked.path().ends_with("/contacts/")) {
            contacts.remove(at);
        }
        None
    });
    let odd: Vec<Subject> = (0..300)
        .filter(|number| number % 2 == 1)
        .map(|number| subject(&[&format!("p{number}@example.test")]))
        .collect();
    assert_eq!(found(&vendor, &odd).await.len(), odd.len());
}

#[tokio::test]
async fn an_undisturbed_pass_reads_each_page_once() {
    let vendor = Vendor::with(vec![Organisation::new("H6j").with_others("p", 250)]).await;
    pass(&*vendor.connector(), &[]).await.unwrap();
    assert_eq!(offsets(&vendor), [0, 98, 196]);
}

/// `next` of every page of contacts replaced.
async fn with_next(next: impl Fn(u64) -> Value + Send + 'static) -> Vendor {
    let vendor = Vendor::with(vec![Organisation::new("H6j").with_others("p", 10)]).await;
    vendor.fault(move |state, asked| {
        if !asked.path().ends_with("/contacts/") {
            return None;
        }
        let offset: u64 = asked.query("offset").unwrap().parse().unwrap();
        let results: Vec<&Value> =
            state.organisations[0].contacts[..5].iter().map(|(_, contact)| contact).collect();
        Some(Act::json(200, json!({"count": 10, "next": next(offset), "results": results})))
    });
    vendor
}

#[rstest]
#[case::another_host("https://evil.example.test/api/v2/orgs/H6j/contacts/?offset=5", "another host")]
#[case::another_list("/api/v2/orgs/Other/contacts/?offset=5", "another list")]
#[case::another_kind("/api/v2/orgs/H6j/orders/?offset=5", "another list")]
#[case::no_offset("/api/v2/orgs/H6j/contacts/?page=2", "no offset")]
#[case::the_same_again("/api/v2/orgs/H6j/contacts/?offset=0", "no end")]
#[case::beyond_the_count("/api/v2/orgs/H6j/contacts/?offset=11", "no end")]
#[tokio::test]
async fn a_next_page_that_cannot_be_right_is_refused(#[case] next: &'static str, #[case] says: &str) {
    let vendor = with_next(move |_| json!(next)).await;
    let error = pass(&*vendor.connector(), &[]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::BadAnswer);
    assert!(error.message.contains(says), "{error}");
    assert_eq!(vendor.asked().len(), 2);
}

#[tokio::test]
async fn a_list_without_an_end_is_given_up() {
    // The same five contacts again and again; `next` always leads one further, as far as `count` allows.
    let vendor =
        with_next(|offset| json!(format!("/api/v2/orgs/H6j/contacts/?offset={}", (offset + 1).min(10))))
            .await;
    let error = pass(&*vendor.connector(), &[]).await.unwrap_err();
    assert!(error.message.contains("no end"), "{error}");
    assert!(vendor.asked().len() < 100);
}

#[tokio::test]
async fn an_empty_page_that_promises_more_is_refused() {
    let vendor = Vendor::with(vec![Organisation::new("H6j")]).await;
    let next = "/api/v2/orgs/H6j/contacts/?offset=5";
    vendor.fault(move |_, asked| {
        asked.path().ends_with("/contacts/").then(|| Act::json(200, json!({"next": next, "results": []})))
    });
    assert!(pass(&*vendor.connector(), &[]).await.unwrap_err().message.contains("no end"));
}

#[tokio::test]
async fn organisations_on_several_pages_are_all_read_and_an_endless_list_is_not() {
    let teams = |count: usize| {
        (0..count).map(|number| Organisation::new(&format!("o{number}")).with("a", &[Some(ANA)])).collect()
    };
    let vendor = Vendor::with(teams(7)).await;
    vendor.change(|state| state.cap = 3);
    assert_eq!(found(&vendor, &[subject(&[ANA])]).await.len(), 7);
    let vendor = Vendor::with(teams(30)).await;
    vendor.change(|state| state.cap = 1);
    assert!(pass(&*vendor.connector(), &[]).await.unwrap_err().message.contains("no end"));
}

#[rstest]
#[case::too_many(Act::json(429, "{}"), ErrorKind::RateLimited, Retry::After(None))]
#[case::bad_gateway(Act::html(502), ErrorKind::Unavailable, Retry::After(None))]
#[case::expired(Act::json(401, "{}"), ErrorKind::Credentials, Retry::Never)]
#[case::scope_gone(Act::json(403, "{}"), ErrorKind::Permission, Retry::Never)]
#[case::team_gone(Act::json(404, "{}"), ErrorKind::BadAnswer, Retry::Never)]
#[tokio::test]
async fn a_failure_in_the_middle_is_met_again_from_the_same_cursor(
    #[case] act: Act,
    #[case] kind: ErrorKind,
    #[case] retry: Retry,
) {
    let vendor =
        Vendor::with(vec![Organisation::new("H6j").with_others("p", 5).with("a", &[Some(ANA)])]).await;
    vendor.change(|state| state.cap = 3);
    let (connector, subjects) = (vendor.connector(), [subject(&[ANA])]);
    let mut pass = Pass::default();
    let first = pass.take(connector.scan(None, &subjects).await.unwrap());
    let second = pass.take(connector.scan(first.as_ref(), &subjects).await.unwrap());
    let mut failed = false;
    vendor.fault(move |_, _| (!std::mem::replace(&mut failed, true)).then(|| act.clone()));
    let error = connector.scan(second.as_ref(), &subjects).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (kind, retry));
    let mut cursor = second;
    while cursor.is_some() {
        cursor = pass.take(connector.scan(cursor.as_ref(), &subjects).await.unwrap());
    }
    assert_eq!(pass.found, ["0: H6j/a"]);
}

#[rstest]
#[case(json!("https://www.readycloud.com/api/v2/orgs/H6j/contacts/3mrRD/"), true)]
#[case(json!("/api/v2/orgs/H6j/contacts/3mrRD"), true)]
#[case(json!("/api/v2/orgs/H6j/contacts/../"), false)]
#[case(json!("/api/v2/orgs/H6j/contacts/a b/"), false)]
#[case(json!("/api/v2/orgs/H6j/contacts/3mrRD/?x=1"), false)]
#[case(json!("/api/v2/orgs/Other/contacts/3mrRD/"), false)]
#[case(json!("/api/v2/contacts/3mrRD/"), false)]
#[case(json!(7), false)]
#[case(Value::Null, false)]
#[tokio::test]
async fn a_matching_contact_must_be_findable_again(#[case] url: Value, #[case] understood: bool) {
    let vendor = Vendor::with(vec![Organisation::new("H6j").with("3mrRD", &[Some(ANA)])]).await;
    vendor.change(|state| state.organisations[0].contacts[0].1["url"] = url);
    let matching = pass(&*vendor.connector(), &[subject(&[ANA])]).await;
    match matching {
        Ok(pass) => assert!(understood && pass.found == ["0: H6j/3mrRD"]),
        Err(error) => assert!(!understood && error.kind == ErrorKind::BadAnswer),
    }
    // One that nobody asked for is not worth stopping for.
    assert!(pass(&*vendor.connector(), &[subject(&["x@example.test"])]).await.unwrap().found.is_empty());
}

#[tokio::test]
async fn odd_contacts_are_tolerated_and_unexpanded_addresses_are_not() {
    let vendor = Vendor::with(vec![Organisation::new("H6j").with("a", &[]).with("b", &[Some(ANA)])]).await;
    for addresses in [Value::Null, json!([]), json!([null, 7, {"email": 7}, {"email": ["x"]}, {}])] {
        vendor.change(|state| state.organisations[0].contacts[0].1["addresses"] = addresses);
        assert_eq!(found(&vendor, &[subject(&[ANA])]).await, ["0: H6j/b"]);
    }
    vendor.change(|state| {
        state.organisations[0].contacts[0].1["addresses"] = json!("/api/v2/orgs/H6j/contacts/a/addresses/")
    });
    let error = pass(&*vendor.connector(), &[subject(&[ANA])]).await.unwrap_err();
    assert!(error.message.contains("without their addresses"), "{error}");
}

#[tokio::test]
async fn orders_out_of_reach_are_tried_once_and_reported() {
    let team =
        Organisation::new("H6j").with("a", &[Some(ANA)]).with("b", &[Some(ANA)]).with("c", &[Some(ANA)]);
    let vendor = Vendor::with(vec![team, Organisation::new("B").with("d", &[Some(ANA)])]).await;
    vendor.change(|state| state.cap = 2);
    let pass = pass(&*vendor.connector(), &[subject(&[ANA])]).await.unwrap();
    assert_eq!(pass.residuals.len(), 1);
    assert_eq!(pass.residuals[0].what, "orders");
    assert!(pass.residuals[0].why.contains("not readable with this grant"));
    assert_eq!(vendor.asked().iter().filter(|asked| asked.ends_with("/orders/")).count(), 1);
}

#[tokio::test]
async fn orders_within_reach_become_records() {
    let team = Organisation::new("H6j")
        .with_others("p", 3)
        .with("a", &[Some(ANA)])
        .with_order("a", "O1")
        .with_order("a", "O2")
        .with_order("p1", "O3");
    let vendor = Vendor::with(vec![team]).await;
    vendor.change(|state| {
        state.scopes.push("order-read_only");
        state.cap = 1;
    });
    let pass = pass(&*vendor.connector(), &[subject(&[ANA])]).await.unwrap();
    assert_eq!(pass.found, ["0: H6j/a", "0: H6j/orders/O1", "0: H6j/orders/O2"]);
    assert!(pass.residuals.is_empty());
    assert_eq!(pass.fields[1]["order_number"], "No O1");
}

#[tokio::test]
async fn many_orders_are_read_in_steps_and_lost_turns_lose_nothing() {
    let team = (0..35).fold(Organisation::new("H6j").with_others("p", 5), |team, number| {
        let key = format!("a{number}");
        team.with(&key, &[Some(ANA)]).with_order(&key, &format!("O{number}"))
    });
    let vendor = Vendor::with(vec![team]).await;
    vendor.change(|state| state.scopes.push("order-read_only"));
    let permits = std::sync::Arc::new(ListedPermits::default());
    let connector = connector(vendor.client().with_permits(permits.clone()));
    let subjects = [subject(&[ANA])];
    let (mut pass, mut cursor) = (Pass::default(), None);
    loop {
        // One turn for the page, a short wait for the first orders, one turn, and then no leave for a
        // minute.
        permits.next(&[None, Some(Duration::from_secs(3)), None, Some(Duration::from_secs(60))]);
        let step = connector.scan(cursor.as_ref(), &subjects).await.unwrap();
        cursor = pass.take(step);
        if cursor.is_none() {
            break;
        }
    }
    pass.found.sort();
    pass.found.dedup();
    assert_eq!(pass.found.len(), 70);
}

#[tokio::test]
async fn a_failure_at_the_orders_shows_as_soon_as_nothing_else_is_left_to_do() {
    let team = Organisation::new("H6j").with("a", &[Some(ANA)]).with_others("p", 2).with("b", &[Some(ANA)]);
    let vendor = Vendor::with(vec![team]).await;
    vendor.change(|state| state.scopes.push("order-read_only"));
    vendor.fault(|_, asked| asked.path().ends_with("b/orders/").then(|| Act::html(502)));
    let (connector, subjects) = (vendor.connector(), [subject(&[ANA])]);
    let mut pass = Pass::default();
    let first = pass.take(connector.scan(None, &subjects).await.unwrap());
    let second = pass.take(connector.scan(first.as_ref(), &subjects).await.unwrap());
    assert_eq!(pass.found, ["0: H6j/a"]);
    let error = connector.scan(second.as_ref(), &subjects).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
}

#[rstest]
#[case(json!({"organisations": ["../x"]}))]
#[case(json!({"organisations": "H6j"}))]
#[case(json!(null))]
#[tokio::test]
async fn a_cursor_that_is_none_of_ours_is_refused(#[case] cursor: Value) {
    let vendor = Vendor::with(vec![]).await;
    let error = vendor.connector().scan(Some(&Cursor(cursor)), &[]).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (ErrorKind::BadRequest, Retry::Never));
    assert!(vendor.asked().is_empty());
}

#[tokio::test]
async fn a_cursor_holds_no_personal_data_and_no_secret() {
    let vendor =
        Vendor::with(vec![Organisation::new("H6j").with("3mrRD", &[Some(ANA)]).with_others("p", 5)]).await;
    vendor.change(|state| state.cap = 3);
    let (connector, subjects) = (vendor.connector(), [subject(&[ANA])]);
    let first = connector.scan(None, &subjects).await.unwrap().next.unwrap();
    let second = connector.scan(Some(&first), &subjects).await.unwrap().next.unwrap();
    let text = serde_json::to_string(&[first, second]).unwrap();
    for kept_out in [TOKEN, ANA, "3mrRD", "http", "Silva"] {
        assert!(!text.contains(kept_out), "{text}");
    }
}
