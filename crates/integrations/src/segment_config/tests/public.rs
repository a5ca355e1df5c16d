//! The Public API: the same connector, another spelling; and which of the two APIs is spoken to.

use std::sync::Arc;
use std::time::Duration;

use rstest::rstest;
use url::Url;

use super::*;
use crate::client::ClientOptions;
use crate::connector::{PermissionState, Progress};
use crate::error::{ErrorKind, Retry, VendorError};
use crate::testing::{ListedPermits, client_with, options};
use PermissionState::{Granted, Missing, NotYetProven};

const PUBLIC_TOKEN: &str = "sgp_0a1B2c3D4e5F0a1B2c3D4e5F0a1B2c3D4e5F0a1B2c3D4e5F0a1B2c3D4e5F0a1B";

/// A hand-made Public API.
struct Newer {
    regulations: Vec<(String, Vec<String>, String, Value)>,
    may_read: bool,
    may_write: bool,
    /// What a missing permission is answered with.
    refusal: u16,
    slug: &'static str,
}

impl Default for Newer {
    fn default() -> Self {
        Self { regulations: Vec::new(), may_read: true, may_write: true, refusal: 401, slug: WORKSPACE }
    }
}

fn refused(status: u16, kind: &str) -> Act {
    Act::json(status, json!({"errors": [{"type": kind, "message": "ana@example.test"}]}))
}

impl Holdings for Newer {
    fn answer(&mut self, asked: &Asked) -> Act {
        if asked.header("authorization") != Some(&format!("Bearer {PUBLIC_TOKEN}")) {
            return refused(401, "Unauthorized");
        }
        let path: Vec<&str> = asked.path().split('/').filter(|part| !part.is_empty()).collect();
        match (asked.method.as_str(), path.as_slice()) {
            ("GET", []) => Act::json(
                200,
                json!({"data": {"workspace": {"id": "9aQ0", "slug": self.slug, "name": "Acme Shop"}}}),
            ),
            ("GET", _) if !self.may_read => refused(self.refusal, "Forbidden"),
            ("POST" | "DELETE", _) if !self.may_write => refused(self.refusal, "Forbidden"),
            ("GET", ["regulations"]) => self.list(asked),
            ("POST", ["regulations"]) => {
                let body: Value = serde_json::from_str(&asked.body).unwrap();
                let Some(ids) = body["subjectIds"].as_array() else {
                    return refused(422, "ValidationFailure");
                };
                assert_eq!(
                    (&body["regulationType"], &body["subjectType"]),
                    (&json!("SUPPRESS_WITH_DELETE"), &json!("USER_ID"))
                );
                let ids = ids.iter().map(|id| id.as_str().unwrap().to_owned()).collect();
                let id = format!("2f7Qm0a1b2c3d4e5f6g7h8i9{:03}", self.regulations.len());
                self.regulations.insert(0, (id.clone(), ids, "INITIALIZED".to_owned(), json!([])));
                Act::json(200, json!({"data": {"regulateId": id}}))
            }
            ("GET", ["regulations", id]) => match self.regulations.iter().find(|one| one.0 == *id) {
                None => refused(404, "NotFound"),
                Some((id, _, status, streams)) => Act::json(
                    200,
                    json!({"data": {"regulation": {"id": id, "workspaceId": "9aQ0", "overallStatus": status,
                        "createdAt": "2026-03-01T12:00:00.123456Z", "streamStatus": streams}}}),
                ),
            },
            ("GET", ["sources" | "destinations" | "warehouses"]) => connected(asked, path[0]),
            _ => refused(404, "NotFound"),
        }
    }
}

impl Newer {
    fn list(&self, asked: &Asked) -> Act {
        let count: usize = asked.query("pagination.count").unwrap().parse().unwrap();
        let start: usize = asked.query("pagination.cursor").map_or(0, |cursor| cursor.parse().unwrap());
        let entries: Vec<Value> = self
            .regulations
            .iter()
            .skip(start)
            .take(count)
            .map(|(id, values, status, _)| {
                json!({"id": id, "subjectType": "OBJECT_ID", "subjects": values, "status": status,
                       "createdAt": "2026-03-01T12:00:00.123456Z", "regulationType": "SUPPRESS_WITH_DELETE"})
            })
            .collect();
        let mut pagination = json!({"current": start.to_string()});
        if start + count < self.regulations.len() {
            pagination["next"] = json!((start + count).to_string());
        }
        Act::json(200, json!({"data": {"regulations": entries, "pagination": pagination}}))
    }
}

/// One entry per page, so that every list has several.
fn connected(asked: &Asked, what: &str) -> Act {
    let metadata = |slug: &str, name: &str, website: &str, categories: &[&str]| {
        json!({"slug": slug, "name": name, "website": website, "categories": categories,
               "description": "", "id": "54521fd525e721e32a72ee91"})
    };
    let all = match what {
        "sources" => vec![
            json!({"id": "s1", "slug": "web-prod", "name": null, "enabled": true, "writeKeys": ["wk-secret"],
                   "metadata": metadata("javascript", "Javascript", "", &["Website"])}),
            json!({"id": "s2", "slug": "crm", "enabled": false, "writeKeys": [],
                   "metadata": metadata("salesforce", "Salesforce", "", &["CRM"])}),
        ],
        "destinations" => vec![
            json!({"id": "d1", "name": "Amplitude", "enabled": true, "sourceId": "s1", "settings": {"apiKey": "•••• config-secret"},
                   "metadata": metadata("actions-amplitude", "Amplitude (Actions)", "https://www.amplitude.com", &["Analytics"])}),
            json!({"id": "d2", "enabled": false, "sourceId": "s1", "settings": {},
                   "metadata": metadata("amplitude", "Amplitude", "https://amplitude.com/", &["Analytics"])}),
        ],
        _ => vec![
            json!({"id": "w1", "enabled": true, "workspaceId": "9aQ0", "settings": {"password": "config-secret"},
                         "metadata": metadata("postgres", "Postgres", "", &[])}),
        ],
    };
    let start: usize = asked.query("pagination.cursor").map_or(0, |cursor| cursor.parse().unwrap());
    let next = (start + 1 < all.len()).then(|| (start + 1).to_string());
    let items: Vec<&Value> = all.iter().skip(start).take(1).collect();
    Act::json(200, json!({"data": {what: items, "pagination": {"current": "0", "next": next}}}))
}

type NewerVendor = HandMade<Newer>;

/// The way to both hosts, as the engine makes it.
fn way(older: &Url, newer: Option<&Url>) -> VendorClient {
    client_with(ClientOptions { newer_api: newer.cloned(), ..options(older) })
}

fn connect(token: &str, older: &Url, newer: Option<&Url>) -> Box<dyn Connector> {
    SegmentConfig.connect(&settings(token, WORKSPACE), way(older, newer)).unwrap()
}

/// A connector that was found to speak the Public API.
async fn public(vendor: &NewerVendor) -> Box<dyn Connector> {
    let nowhere: Url = "http://127.0.0.1:1".parse().unwrap();
    SegmentConfig.connect(&kept(), way(&nowhere, Some(&vendor.server.base))).unwrap()
}

/// What is kept of a connection whose token was found to open the Public API.
fn kept() -> Settings {
    let mut kept = settings(PUBLIC_TOKEN, WORKSPACE);
    kept.set("api", "public");
    kept
}

async fn check(connector: &dyn Connector) -> Result<crate::CheckReport, VendorError> {
    connector.check(NOW.parse().unwrap()).await
}

fn states(report: &crate::CheckReport) -> Vec<(&str, PermissionState)> {
    report.permissions.iter().map(|one| (one.permission.as_str(), one.state)).collect()
}

fn called(vendor: &NewerVendor) -> Vec<String> {
    vendor.server.asked().iter().map(|asked| format!("{} {}", asked.method, asked.path())).collect()
}

#[tokio::test]
async fn whichever_api_accepts_the_token_is_used_and_remembered() {
    let (older, newer) = (Vendor::with(vec![]).await, NewerVendor::holding(Newer::default()).await);
    let bases = (&older.server.base, Some(&newer.server.base));

    let report = check(&*connect(TOKEN, bases.0, bases.1)).await.unwrap();
    assert_eq!(report.learned, [("api", "config")]);
    assert!(newer.server.asked().is_empty(), "nothing is sent to an API that need not be asked");

    let report = check(&*connect(PUBLIC_TOKEN, bases.0, bases.1)).await.unwrap();
    assert_eq!(report.learned, [("api", "public")]);
    assert_eq!(states(&report), [("workspace:read", Granted), ("Workspace Owner", NotYetProven)]);

    // Remembered: the other one is not asked any more.
    let mut kept = settings(PUBLIC_TOKEN, WORKSPACE);
    assert!(report.teach(&mut kept) && !report.teach(&mut kept));
    let before = older.server.asked().len();
    let known = SegmentConfig.connect(&kept, way(bases.0, bases.1)).unwrap();
    check(&*known).await.unwrap();
    assert_eq!(older.server.asked().len(), before);
    // A token of the older API takes its place: it is found out again.
    kept.set("api_token", TOKEN);
    let report = check(&*SegmentConfig.connect(&kept, way(bases.0, bases.1)).unwrap()).await.unwrap();
    assert_eq!(report.learned, [("api", "config")]);
}

#[tokio::test]
async fn how_a_token_looks_is_not_believed() {
    let (older, newer) = (Vendor::with(vec![]).await, NewerVendor::holding(Newer::default()).await);
    older.fault(|state, asked| {
        let head = asked.head.replace(asked.header("authorization").unwrap(), &format!("Bearer {TOKEN}"));
        Some(state.answer(&Asked { head, ..asked.clone() }))
    });
    let connector = connect(PUBLIC_TOKEN, &older.server.base, Some(&newer.server.base));
    assert_eq!(check(&*connector).await.unwrap().learned, [("api", "config")]);
}

#[rstest]
#[case::neither(401, "neither at its Config API nor at its Public API", ErrorKind::Credentials)]
#[case::one_is_away(503, "503", ErrorKind::Unavailable)]
#[case::one_knows_no_such_workspace(404, "no such workspace", ErrorKind::Configuration)]
#[tokio::test]
async fn a_token_that_opens_nothing_is_refused_for_the_reason_that_decides(
    #[case] older_says: u16,
    #[case] says: &str,
    #[case] kind: ErrorKind,
) {
    let (older, newer) = (Vendor::with(vec![]).await, NewerVendor::holding(Newer::default()).await);
    older.fault(move |_, _| Some(failure(older_says, 0, "ana@example.test")));
    let error =
        check(&*connect("sgp_wrong", &older.server.base, Some(&newer.server.base))).await.unwrap_err();
    assert_eq!(error.kind, kind);
    let said = error.explanation();
    assert!(said.contains(says) && !said.contains("sgp_wrong") && !said.contains("ana@"), "{said}");
}

#[tokio::test]
async fn the_older_api_may_be_gone_for_good() {
    let (older, newer) = (Vendor::with(vec![]).await, NewerVendor::holding(Newer::default()).await);
    for status in [404, 410, 503] {
        older.forget_faults();
        older.fault(move |_, _| Some(Act::html(status)));
        let connector = connect(PUBLIC_TOKEN, &older.server.base, Some(&newer.server.base));
        assert_eq!(check(&*connector).await.unwrap().learned, [("api", "public")], "{status}");
    }
}

#[tokio::test]
async fn a_token_of_another_workspace_is_refused_without_naming_it() {
    let newer = NewerVendor::holding(Newer { slug: "other-shop", ..Newer::default() }).await;
    let error = check(&*public(&newer).await).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (ErrorKind::Configuration, Retry::Never));
    assert!(error.message.contains("another Segment workspace") && !error.message.contains("other-shop"));
}

#[rstest]
#[case::all(true, true, Granted, NotYetProven)]
#[case::reading_only(true, false, Granted, Missing)]
#[case::creating_only(false, true, Missing, NotYetProven)]
#[tokio::test]
async fn what_is_missing_is_named_exactly_and_nothing_is_created(
    #[case] may_read: bool,
    #[case] may_write: bool,
    #[case] read: PermissionState,
    #[case] owner: PermissionState,
    #[values(401, 403)] refusal: u16,
) {
    let newer = Newer { may_read, may_write, refusal, ..Newer::default() };
    let vendor = NewerVendor::holding(newer).await;
    let report = check(&*public(&vendor).await).await.unwrap();
    assert_eq!(states(&report), [("workspace:read", read), ("Workspace Owner", owner)]);
    assert!(vendor.change(|newer| newer.regulations.is_empty()));
}

#[tokio::test]
async fn a_deletion_goes_and_is_followed_and_found_again() {
    let vendor = NewerVendor::holding(Newer::default()).await;
    let connector = public(&vendor).await;
    let (ana, rui) = (person("ana@example.test", "u-1"), person("rui@example.test", "u-2"));
    let job = connector.erase(&[ana.clone(), rui.clone()]).await.unwrap();
    let sent = vendor.change(|newer| newer.regulations[0].1.clone());
    assert_eq!(sent, ["ana@example.test", "u-1", "rui@example.test", "u-2"]);
    let progress = connector.follow(std::slice::from_ref(&job)).await.unwrap();
    assert!(matches!(progress[..], [Progress::Pending]));
    let nobody = person("eva@example.test", "u-3");
    let found = connector.find_erasures(&[rui, nobody], NOW.parse().unwrap()).await.unwrap();
    assert_eq!(found, [Some(job.clone()), None]);

    let destination = |name: &str, status: &str| json!({"name": name, "id": name, "status": status, "errString": "", "finishedAt": ""});
    vendor.change(|newer| {
        newer.regulations[0].2 = "FAILED".to_owned();
        newer.regulations[0].3 = json!([{"id": "s1", "destinationStatus": [
            destination("Segment", "FINISHED"), destination("Mixpanel", "NOT_SUPPORTED")]}]);
    });
    let progress = connector.follow(&[job, Job::new("2f7unknown").unwrap()]).await.unwrap();
    let [Progress::Done(erased), Progress::Forgotten] = &progress[..] else { panic!("{progress:?}") };
    assert_eq!(erased.exceptions.len(), 1);
    assert_eq!(
        (erased.exceptions[0].system.as_str(), erased.exceptions[0].status.as_str()),
        ("Mixpanel", "not_supported")
    );
    for asked in vendor.server.asked() {
        assert!(!asked.target.contains("sgp_") && !asked.target.contains("ana"), "{}", asked.target);
        assert_eq!(asked.header("accept"), Some("application/vnd.segment.v1+json"));
    }
}

#[rstest]
#[case::by_either_status(401)]
#[case::by_the_other(403)]
#[tokio::test]
async fn a_creation_without_permission_names_the_role(#[case] refusal: u16) {
    let vendor = NewerVendor::holding(Newer { may_write: false, refusal, ..Newer::default() }).await;
    let error = public(&vendor).await.erase(&[person("ana@example.test", "u-1")]).await.unwrap_err();
    assert_eq!((error.kind, error.permission), (ErrorKind::Permission, Some("Workspace Owner")));
}

/// The workspace is in no address, so its name cannot be what is wrong.
#[tokio::test]
async fn what_the_api_does_not_have_is_not_blamed_on_the_workspaces_name() {
    let vendor = NewerVendor::holding(Newer::default()).await;
    vendor.fault(|_, asked| (asked.target != "/").then(|| refused(404, "NotFound")));
    let (connector, ana) = (public(&vendor).await, person("ana@example.test", "u-1"));
    let errors = [
        connector.erase(std::slice::from_ref(&ana)).await.unwrap_err(),
        connector.find_erasures(&[ana], NOW.parse().unwrap()).await.unwrap_err(),
        connector.detect().await.unwrap_err(),
        check(&*connector).await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!((error.kind, error.retry, error.status), (ErrorKind::NotAllowed, Retry::Never, Some(404)));
        assert!(error.message.contains("does not offer") && !error.explanation().contains("slug"), "{error}");
    }
}

#[tokio::test]
async fn a_long_list_is_read_page_by_page_and_one_without_end_is_not() {
    let many: Vec<_> = (0..120)
        .map(|n| (format!("r{n}"), vec![format!("u-{n}")], "RUNNING".to_owned(), json!([])))
        .collect();
    let vendor = NewerVendor::holding(Newer { regulations: many, ..Newer::default() }).await;
    let connector = public(&vendor).await;
    let last = subject(&[(IdentifierType::UserId, "u-119")]);
    let found = connector.find_erasures(std::slice::from_ref(&last), NOW.parse().unwrap()).await.unwrap();
    assert_eq!(found, [Job::new("r119")]);
    assert_eq!(called(&vendor), ["GET /regulations"; 3]);
    vendor.fault(|_, _| {
        Some(Act::json(200, json!({"data": {"regulations": [], "pagination": {"next": "again"}}})))
    });
    assert!(connector.find_erasures(&[last], NOW.parse().unwrap()).await.is_err());
}

#[rstest]
#[case::no_envelope(json!({"regulations": []}))]
#[case::another_list(json!({"data": {"sources": []}}))]
#[case::null(json!({"data": null}))]
#[case::place_too_long(json!({"data": {"regulations": [], "pagination": {"next": "x".repeat(5_000)}}}))]
#[tokio::test]
async fn an_answer_of_another_shape_is_no_empty_list(#[case] body: Value) {
    let vendor = NewerVendor::holding(Newer::default()).await;
    vendor.fault(move |_, _| Some(Act::json(200, &body)));
    let ana = person("ana@example.test", "u-1");
    let error = public(&vendor).await.find_erasures(&[ana], NOW.parse().unwrap()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::BadAnswer);
}

const HOUR: u64 = 3_600_000;

#[rstest]
#[case::a_moment(json!(1_500), None, Some(1_500))]
#[case::days(json!(9 * 24 * HOUR), None, Some(HOUR))]
#[case::for_ever(json!(u64::MAX), None, Some(HOUR))]
#[case::no_time(json!(0), None, Some(0))]
#[case::backwards(json!(-5), None, None)]
#[case::a_part(json!(1.5), None, None)]
#[case::a_text(json!("1500"), None, None)]
#[case::null(Value::Null, None, None)]
#[case::the_header_counts_more(json!(1_500), Some("7"), Some(7_000))]
#[case::the_header_is_none(json!(1_500), Some("soon"), Some(1_500))]
#[tokio::test]
async fn a_limit_says_in_its_body_how_long_it_holds(
    #[case] named: Value,
    #[case] header: Option<&'static str>,
    #[case] expected: Option<u64>,
) {
    let vendor = NewerVendor::holding(Newer::default()).await;
    let data = json!({"remainingPoints": 0, "msBeforeNext": named, "consumedPoints": 21});
    let body = json!({"errors": [{"type": "RequestError", "message": "Too many requests", "data": data}]});
    vendor.fault(move |_, _| {
        let headers: Vec<_> = header.iter().map(|wait| ("Retry-After", *wait)).collect();
        Some(Act::answer(429, &headers, body.to_string()))
    });
    let permits = Arc::new(ListedPermits::default());
    let client = way(&vendor.server.base, Some(&vendor.server.base)).with_permits(permits.clone());
    let ana = person("ana@example.test", "u-1");
    let error = SegmentConfig.connect(&kept(), client).unwrap().erase(&[ana]).await.unwrap_err();
    let wait = expected.map(Duration::from_millis);
    assert_eq!((error.kind, error.retry), (ErrorKind::RateLimited, Retry::After(wait)));
    // Of others it says nothing: reading may go on.
    let everybody = if header == Some("7") { Duration::from_secs(7) } else { Duration::from_secs(1) };
    assert_eq!(*permits.pushed_back.lock().unwrap(), [(crate::EndpointClass("api"), everybody)]);
}

#[rstest]
#[case::no_errors(json!({"errors": []}).to_string())]
#[case::no_json("Too many requests".to_owned())]
#[case::endless(format!("{{\"errors\": [\"{}\"]}}", "x".repeat(1 << 20)))]
#[tokio::test]
async fn a_limit_that_says_nothing_is_one_all_the_same(#[case] body: String) {
    let vendor = NewerVendor::holding(Newer::default()).await;
    vendor.fault(move |_, _| Some(Act::answer(429, &[], &body)));
    let ana = person("ana@example.test", "u-1");
    let error = public(&vendor).await.erase(&[ana]).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (ErrorKind::RateLimited, Retry::After(None)));
}

#[tokio::test]
async fn systems_are_told_with_their_evidence_and_without_a_secret() {
    let vendor = NewerVendor::holding(Newer::default()).await;
    let detection = public(&vendor).await.detect().await.unwrap();
    let names: Vec<&str> = detection.systems.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["Amplitude", "Postgres", "Salesforce", "web-prod (Javascript)"]);
    let amplitude = &detection.systems[0];
    let evidence: Vec<_> =
        amplitude.evidence.iter().map(|one| (one.role, one.source.as_deref(), one.is_enabled)).collect();
    assert_eq!(
        evidence,
        [("destination", Some("web-prod"), Some(false)), ("destination", Some("web-prod"), Some(true))]
    );
    assert_eq!(amplitude.website.as_deref(), Some("https://amplitude.com"));
    assert!(detection.unseen.is_empty());
    let printed = format!("{detection:?}");
    assert!(!printed.contains("secret"), "{printed}");
}

#[rstest]
#[case("", "https://api.segmentapis.com")]
#[case("us", "https://api.segmentapis.com")]
#[case("EU", "https://eu1.api.segmentapis.com")]
fn the_host_follows_the_region(#[case] region: &str, #[case] host: &str) {
    let entered =
        Settings::from_iter([("api_token", TOKEN), ("workspace_name", WORKSPACE), ("region", region)]);
    let kept = SegmentConfig.normalise(entered, NOW.parse().unwrap()).unwrap();
    assert_eq!(MANIFEST.newer_address(&kept), Some(host));
}
