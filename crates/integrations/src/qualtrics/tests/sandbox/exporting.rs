//! Collecting everything that the sandbox has about a person.

use habeas_sandbox::qualtrics::fixtures::{ANA, ANA_SECOND, ANONYMOUS_RESPONSE, JO, OWNER_USER};
use habeas_sandbox::qualtrics::{
    Completion, ContactSpec, CustomerDataTemplate, FileFormat, HistoryTimes, Refusal,
};

use super::*;
use crate::connector::{Collected, Export, Presence};

/// Begins a job and looks until it is over.
async fn collected(brand: &Brand, emails: &[&str]) -> Collected {
    let (connector, person) = (brand.connector(), subject(emails));
    let mut job = None;
    for _ in 0..9 {
        match connector.export(&person, job.as_ref()).await.unwrap() {
            Export::Pending(known) => {
                assert!(job.as_ref().is_none_or(|job| *job == known));
                job = Some(known);
            }
            Export::Collected(collected) => return collected,
        }
    }
    panic!("the job does not end");
}

fn kinds(collected: &Collected) -> BTreeMap<&str, usize> {
    let mut kinds = BTreeMap::new();
    for record in &collected.records {
        *kinds.entry(record.kind.as_str()).or_default() += 1;
    }
    kinds
}

fn ids<'a>(collected: &'a Collected, kind: &str) -> Vec<&'a str> {
    let them = collected.records.iter().filter(|record| record.kind == kind);
    them.map(|record| record.vendor_id.as_str()).collect()
}

fn templated(template: CustomerDataTemplate) -> KnobsPatch {
    KnobsPatch { customer_data: Some(template), ..KnobsPatch::default() }
}

/// What there is of Ana besides the files of the job.
const LOOKED_UP: [(&str, usize); 3] = [("contact", 2), ("email_history", 2), ("survey_history", 3)];

#[rstest]
#[case::guess(CustomerDataTemplate::guess(), &[("response", 3), ("customer_data", 1)])]
#[case::enveloped(CustomerDataTemplate { file_format: FileFormat::Enveloped, ..CustomerDataTemplate::guess() }, &[("response", 3), ("customer_data", 1)])]
#[case::zip(CustomerDataTemplate { file_format: FileFormat::Zip, ..CustomerDataTemplate::guess() }, &[("file", 1)])]
#[case::gzip(CustomerDataTemplate { file_format: FileFormat::Gzip, ..CustomerDataTemplate::guess() }, &[("file", 1)])]
#[case::two_files(CustomerDataTemplate::export_job(), &[("response", 3), ("customer_data", 1)])]
#[case::two_archives(CustomerDataTemplate::export_progress(), &[("file", 2)])]
#[case::two_enveloped(CustomerDataTemplate { file_format: FileFormat::Enveloped, ..CustomerDataTemplate::export_progress() }, &[("response", 3), ("customer_data", 1)])]
#[case::only_percent(CustomerDataTemplate {
    pending: json!({"percentComplete": "$percent"}),
    completed: json!({"percentComplete": "$percent", "fileId": "$fileId"}),
    ..CustomerDataTemplate::guess()
}, &[("response", 3), ("customer_data", 1)])]
#[case::other_words(CustomerDataTemplate {
    created: json!({"id": "$id", "status": "QUEUED"}),
    pending: json!({"id": "$id", "status": "whatever"}),
    completed: json!({"id": "$id", "status": "Completed", "files": [{"id": "$fileId"}]}),
    ..CustomerDataTemplate::guess()
}, &[("response", 3), ("customer_data", 1)])]
#[tokio::test]
async fn every_shape_of_the_job_brings_everything(
    #[case] template: CustomerDataTemplate,
    #[case] from_files: &[(&str, usize)],
) {
    let files = template.files as u64;
    let brand = Brand::with(templated(template)).await;
    let found = collected(&brand, &[ANA_EMAIL]).await;
    let expected: BTreeMap<&str, usize> = from_files.iter().chain(&LOOKED_UP).copied().collect();
    assert_eq!(kinds(&found), expected);
    assert!(found.residuals.is_empty(), "{:?}", found.residuals);
    let all = serde_json::to_string(&found.records).unwrap();
    assert!(!all.contains(ANONYMOUS_RESPONSE) && !all.contains(JO_EMAIL));
    // Once begun, three times looked at; two contacts have two histories each.
    let cost = [
        (MINT, 1),
        (DATA_JOB, 1),
        (DATA_PROGRESS, 3),
        (DATA_FILE, files),
        (DIRECTORIES, 1),
        (SEARCH, 2),
        (HISTORY, 4),
        (USERS, 1),
    ];
    assert_eq!(brand.calls(), counted(&cost));
}

#[tokio::test]
async fn an_archive_is_handed_on_whole() {
    for (file_format, start, name) in [
        (FileFormat::Zip, b"PK\x03\x04".as_slice(), "qualtrics-customer-data-1.zip"),
        (FileFormat::Gzip, &[0x1f, 0x8b], "qualtrics-customer-data-1.gz"),
    ] {
        let template = CustomerDataTemplate { file_format, ..CustomerDataTemplate::guess() };
        let found = collected(&Brand::with(templated(template)).await, &[ANA_EMAIL]).await;
        let file = found.records[0].file.as_ref().unwrap();
        assert!(file.bytes.starts_with(start));
        assert_eq!(file.name, name);
        let text = String::from_utf8_lossy(&file.bytes).into_owned();
        assert!(text.contains("surveyResponses") && text.contains(ANA));
    }
}

#[rstest]
#[case::jo(&[JO_EMAIL], &[("contact", 1), ("customer_data", 1), ("email_history", 1), ("response", 1), ("survey_history", 1)])]
#[case::jo_shouted(&["JO+SHOP@EXAMPLE.TEST"], &[("contact", 1), ("customer_data", 1), ("email_history", 1), ("response", 1), ("survey_history", 1)])]
#[case::two_people_of_one_address(&[SHARED_EMAIL], &[("contact", 2), ("customer_data", 1)])]
#[case::a_user(&[OWNER_EMAIL], &[("contact", 1), ("customer_data", 1), ("user", 1)])]
#[case::two_addresses(&[KIM_EMAIL, OWNER_EMAIL], &[("contact", 2), ("customer_data", 1), ("user", 1)])]
#[case::nobody(&[NOBODY_EMAIL], &[])]
#[tokio::test]
async fn what_is_no_survey_response_is_not_called_one(
    #[case] emails: &[&str],
    #[case] expected: &[(&str, usize)],
    #[values(CustomerDataTemplate::guess(), CustomerDataTemplate::export_job())]
    template: CustomerDataTemplate,
) {
    let files = template.files;
    let brand = Brand::with(templated(template)).await;
    let mut expected: BTreeMap<&str, usize> = expected.iter().copied().collect();
    // A file that only repeats whom it is about is none of their data; the first of several says more.
    if files > 1 {
        expected.insert("customer_data", files - 1);
    }
    assert_eq!(kinds(&collected(&brand, emails).await), expected);
}

#[tokio::test]
async fn one_address_of_two_people_shows_both_names() {
    let found = collected(&Brand::new().await, &[SHARED_EMAIL]).await;
    let names: Vec<&str> = found.records.iter().filter_map(|record| record.person.as_deref()).collect();
    assert_eq!(names, ["Robin Meyer", "Sam Okafor"]);
    let owner = collected(&Brand::new().await, &[OWNER_EMAIL]).await;
    assert_eq!(ids(&owner, "user"), [format!("users/{OWNER_USER}")]);
}

#[rstest]
#[tokio::test]
async fn pages_of_any_size_bring_the_same(
    #[values(1, 2, 100)] size: usize,
    #[values(HistoryTimes::Spaced, HistoryTimes::Rfc3339)] history_times: HistoryTimes,
) {
    let brand = Brand::of(
        30,
        KnobsPatch {
            page_size: Some(size),
            page_cap: Some(size),
            directory_page_size: Some(size.min(5)),
            offset_page_size: Some(size),
            history_times: Some(history_times),
            ..KnobsPatch::default()
        },
    )
    .await;
    let found = collected(&brand, &[ANA_EMAIL]).await;
    for (kind, count) in LOOKED_UP {
        assert_eq!(kinds(&found)[kind], count, "{kind}");
    }
    let contacts = [format!("{DIRECTORY}/{ANA}"), format!("{SECOND_DIRECTORY}/{ANA_SECOND}")];
    assert_eq!(ids(&found, "contact"), contacts);
    let sent = found.records.iter().filter(|record| record.kind == "email_history");
    for date in sent.map(|record| record.fields["date"].as_str().unwrap()) {
        assert_eq!(date.contains('T'), history_times == HistoryTimes::Rfc3339, "as the vendor wrote it");
    }
    let unique: std::collections::HashSet<&str> =
        found.records.iter().map(|record| record.vendor_id.as_str()).collect();
    assert_eq!(unique.len(), found.records.len());
}

/// As many contacts of one address as `count` says.
async fn crowded(count: usize) -> Brand {
    let patch = KnobsPatch { page_cap: Some(2), search_depth: Some(4), ..KnobsPatch::default() };
    let brand = Brand::with(patch).await;
    for _ in 0..count {
        let email = Some("desk@example.test".to_owned());
        brand.vendor().add_contact(ContactSpec { email, ..ContactSpec::default() }).unwrap();
    }
    brand
}

#[rstest]
#[case::within(3, 3, false)]
#[case::just_as_deep_as_can_be_read(4, 4, true)]
#[case::deeper(6, 4, true)]
#[tokio::test]
async fn a_search_that_can_be_read_no_further_keeps_what_it_found(
    #[case] count: usize,
    #[case] found: usize,
    #[case] is_cut: bool,
) {
    let brand = crowded(count).await;
    let collected = collected(&brand, &["desk@example.test"]).await;
    assert_eq!(ids(&collected, "contact").len(), found);
    assert_eq!(collected.residuals.len(), usize::from(is_cut));
    assert!(collected.residuals.iter().all(|one| one.what.contains(DIRECTORY) && !one.why.contains("Lite")));
    assert_eq!(brand.connector().presence(&subject(&["desk@example.test"])).await, Ok(Presence::Held));
}

#[rstest]
#[tokio::test]
async fn a_lite_directory_is_named_and_the_others_are_searched(
    #[values(Refusal::BadRequest, Refusal::Forbidden, Refusal::NotFound)] lite_directory: Refusal,
) {
    let patch = KnobsPatch { lite_directory: Some(lite_directory), ..KnobsPatch::default() };
    let brand = Brand::with(patch).await;
    assert!(brand.vendor().set_lite(DIRECTORY, true));
    let found = collected(&brand, &[ANA_EMAIL]).await;
    assert_eq!(ids(&found, "contact"), [format!("{SECOND_DIRECTORY}/{ANA_SECOND}")]);
    assert_eq!(found.residuals.len(), 1);
    assert!(found.residuals[0].what.contains(DIRECTORY));
}

#[tokio::test]
async fn a_new_contact_is_found_once_the_index_knows_it() {
    let brand = Brand::with(KnobsPatch { index_lag_ms: Some(60_000), ..KnobsPatch::default() }).await;
    let email = Some("new@example.test".to_owned());
    brand.vendor().add_contact(ContactSpec { email, ..ContactSpec::default() }).unwrap();
    assert!(ids(&collected(&brand, &["new@example.test"]).await, "contact").is_empty());
    brand.wait(61);
    assert_eq!(ids(&collected(&brand, &["new@example.test"]).await, "contact").len(), 1);
}

#[tokio::test]
async fn a_job_without_a_word_about_files_is_said() {
    let template =
        CustomerDataTemplate { completed: json!({"status": "complete"}), ..CustomerDataTemplate::guess() };
    let found = collected(&Brand::with(templated(template)).await, &[JO_EMAIL]).await;
    assert_eq!(found.residuals[0].what, "survey responses");
    assert_eq!(ids(&found, "contact"), [format!("{DIRECTORY}/{JO}")]);
}

#[rstest]
#[case::failed(KnobsPatch { customer_data_failure: Some(Some(format!("no {ANA_EMAIL}"))), ..KnobsPatch::default() }, ErrorKind::JobFailed, Retry::After(None))]
#[case::file_expired(KnobsPatch { file_lifetime_ms: Some(Some(0)), ..KnobsPatch::default() }, ErrorKind::JobFailed, Retry::After(None))]
#[case::another_body(templated(CustomerDataTemplate { emails_field: "emailAddresses".to_owned(), ..CustomerDataTemplate::guess() }), ErrorKind::BadRequest, Retry::Never)]
#[case::no_id(templated(CustomerDataTemplate { created: json!({"percentComplete": 0}), ..CustomerDataTemplate::guess() }), ErrorKind::BadAnswer, Retry::Never)]
#[tokio::test]
async fn a_job_that_brings_nothing_is_an_error(
    #[case] patch: KnobsPatch,
    #[case] kind: ErrorKind,
    #[case] retry: Retry,
) {
    let patch = KnobsPatch { customer_data_completion: Some(Completion::Polls(0)), ..patch };
    let brand = Brand::with(patch).await;
    let (connector, ana) = (brand.connector(), subject(&[ANA_EMAIL]));
    let mut error = None;
    match connector.export(&ana, None).await {
        Ok(Export::Pending(job)) => error = connector.export(&ana, Some(&job)).await.err(),
        Ok(Export::Collected(_)) => {}
        Err(refusal) => error = Some(refusal),
    }
    let error = error.unwrap();
    assert_eq!((error.kind, error.retry), (kind, retry));
    assert!(!format!("{error:?}").contains(ANA_EMAIL));
}

#[tokio::test]
async fn a_job_that_the_vendor_does_not_know_is_begun_anew() {
    let brand = Brand::new().await;
    let job = Job::new("CDR-00000000").unwrap();
    let error = brand.connector().export(&subject(&[ANA_EMAIL]), Some(&job)).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (ErrorKind::JobFailed, Retry::After(None)));
}

#[rstest]
#[case::truncated_file("/files/", Fault::Truncated {}, ErrorKind::BadAnswer)]
#[case::web_page_for_a_file("/files/", Fault::Html { code: 200 }, ErrorKind::BadAnswer)]
#[case::file_down("/files/", status(503), ErrorKind::Unavailable)]
#[case::file_timeout("/files/", status(504), ErrorKind::Unavailable)]
#[case::directories_rate("/directories", Fault::RateLimited { retry_after: None }, ErrorKind::RateLimited)]
#[case::search_lost("/search", Fault::AnswerLost {}, ErrorKind::Unavailable)]
#[case::search_malformed("/search", Fault::Malformed {}, ErrorKind::BadAnswer)]
#[case::history_scope("/history", Fault::ScopeMissing { scope: "read:directory_contacts".to_owned() }, ErrorKind::Permission)]
#[case::history_elsewhere("/history", foreign_next(), ErrorKind::BadAnswer)]
#[case::users_elsewhere("/users", foreign_next(), ErrorKind::BadAnswer)]
#[case::users_deep("/users", Fault::DeepJson { depth: 100_000 }, ErrorKind::BadAnswer)]
#[case::users_oversized("/users", Fault::Oversized { bytes: 8 << 20, announced: false }, ErrorKind::TooLarge)]
#[tokio::test]
async fn a_fault_in_the_middle_is_named_and_survived(
    #[case] at: &str,
    #[case] fault: Fault,
    #[case] kind: ErrorKind,
) {
    let brand = Brand::with(KnobsPatch {
        customer_data_completion: Some(Completion::Polls(0)),
        ..KnobsPatch::default()
    })
    .await;
    let (connector, ana) = (brand.connector(), subject(&[ANA_EMAIL]));
    let Export::Pending(job) = connector.export(&ana, None).await.unwrap() else { panic!("over at once") };
    brand.fault(rule(fault).path_contains(at).times(1));
    let error = connector.export(&ana, Some(&job)).await.unwrap_err();
    assert_eq!(error.kind, kind, "{error}");
    assert!(!format!("{error:?}").contains(ANA_EMAIL));
    assert!(matches!(connector.export(&ana, Some(&job)).await.unwrap(), Export::Collected(_)));
    assert_eq!(brand.vendor().customer_data_requests().len(), 1, "the job goes on");
}

#[tokio::test]
async fn a_token_that_expires_on_the_way_costs_one_more() {
    let brand = Brand::new().await;
    brand.fault(rule(Fault::TokenExpired {}).path_contains("/history").times(1));
    let found = collected(&brand, &[ANA_EMAIL]).await;
    assert_eq!(ids(&found, "survey_history").len(), 3);
    assert_eq!(brand.calls()[MINT], 2);
}

#[rstest]
#[case("/users", USERS)]
#[case("/history", HISTORY)]
#[tokio::test]
async fn a_list_without_an_end_is_given_up(#[case] at: &str, #[case] route: &str) {
    let brand = Brand::new().await;
    brand.fault(rule(Fault::EndlessNext {}).path_contains(at));
    let (connector, ana) = (brand.connector(), subject(&[ANA_EMAIL]));
    brand.turn(KnobsPatch { customer_data_completion: Some(Completion::Polls(0)), ..KnobsPatch::default() });
    let Export::Pending(job) = connector.export(&ana, None).await.unwrap() else { panic!("over at once") };
    let error = connector.export(&ana, Some(&job)).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (ErrorKind::BadAnswer, Retry::Never));
    assert!(brand.calls()[route] < 10);
}
