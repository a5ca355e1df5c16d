//! `[storage]`.

use habeas_store::storage::{Access, Bucket};
use secrecy::ExposeSecret as _;

use super::*;

fn bucket(file: &str, variables: &[(&str, &str)]) -> Bucket {
    match load(file, variables).unwrap().storage {
        StorageChoice::Bucket(bucket) => bucket,
        other => panic!("{other:?}"),
    }
}

/// Key, secret and session token.
fn key(access: &Access) -> (&str, &str, Option<&str>) {
    match access {
        Access::Key { id, secret, session_token } => {
            (id, secret.expose_secret(), session_token.as_ref().map(|token| token.expose_secret()))
        }
        Access::Role(_) => panic!("{access:?}"),
    }
}

#[test]
fn everything_about_a_bucket_may_be_said() {
    let file = r#"
        [storage]
        url = "s3://packages-1/privacy/eu/"
        region = "garage"
        endpoint = "https://s3.example.test/"
        access_key_id = "AKIA1"
        secret_access_key = "hush"
        session_token = "hush-too"
        path_style = false
        timeout_seconds = 7
    "#;
    let bucket = bucket(file, &[("AWS_REGION", "elsewhere"), ("AWS_ACCESS_KEY_ID", "AKIA2")]);
    assert_eq!((bucket.name.as_str(), bucket.prefix.as_str()), ("packages-1", "privacy/eu"));
    assert_eq!((bucket.region.as_str(), bucket.path_style), ("garage", false));
    assert_eq!(bucket.endpoint.as_deref(), Some("https://s3.example.test"));
    assert_eq!(bucket.timeout, Duration::from_secs(7));
    assert_eq!(key(&bucket.access), ("AKIA1", "hush", Some("hush-too")));
    assert!(!format!("{bucket:?}").contains("hush"), "{bucket:?}");
}

#[test]
fn every_key_may_come_from_the_environment() {
    let variables = [
        ("HABEAS_STORAGE__URL", "s3://packages"),
        ("HABEAS_STORAGE__REGION", "r1"),
        ("HABEAS_STORAGE__ENDPOINT", "http://minio.internal:9000"),
        ("HABEAS_STORAGE__ALLOW_HTTP", "true"),
        ("HABEAS_STORAGE__ACCESS_KEY_ID", "AKIA1"),
        ("HABEAS_STORAGE__SECRET_ACCESS_KEY", "hush"),
        ("HABEAS_STORAGE__PATH_STYLE", "true"),
        ("HABEAS_STORAGE__TIMEOUT_SECONDS", "60"),
    ];
    let bucket = bucket("", &variables);
    assert_eq!((bucket.name.as_str(), bucket.prefix.as_str()), ("packages", ""));
    assert_eq!(bucket.endpoint.as_deref(), Some("http://minio.internal:9000"));
    assert_eq!(key(&bucket.access), ("AKIA1", "hush", None));
}

#[test]
fn variables_of_amazons_tools_fill_in_what_is_not_said() {
    let file = "[storage]\nurl = \"s3://packages\"\n";
    let variables = [
        ("AWS_REGION", ""),
        ("AWS_DEFAULT_REGION", "eu-west-1"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9000/"),
        ("AWS_ACCESS_KEY_ID", "AKIA2"),
        ("AWS_SECRET_ACCESS_KEY", "hush"),
        ("AWS_SESSION_TOKEN", "token"),
        ("AWS_SOMETHING_ELSE", "is not ours"),
    ];
    let found = bucket(file, &variables);
    assert_eq!((found.region.as_str(), found.path_style), ("eu-west-1", true));
    assert_eq!(found.endpoint.as_deref(), Some("http://127.0.0.1:9000"));
    assert_eq!(key(&found.access), ("AKIA2", "hush", Some("token")));
    let role =
        [("AWS_REGION", "eu-west-1"), ("AWS_ROLE_ARN", "arn:1"), ("AWS_WEB_IDENTITY_TOKEN_FILE", "/t")];
    let found = bucket(file, &role);
    assert_eq!((found.endpoint, found.path_style), (None, false));
    assert!(matches!(found.access, Access::Role(role) if role.len() == 2 && role["AWS_ROLE_ARN"] == "arn:1"));
    // Nothing of it matters to a directory.
    assert!(load("", &[("AWS_ENDPOINT_URL", "nonsense"), ("AWS_ACCESS_KEY_ID", "AKIA2")]).is_ok());
}

#[rstest]
#[case::region("url = \"s3://packages\"", &["`storage.url`", "set `storage.region`"])]
#[case::no_key("url = \"s3://packages\"\nendpoint = \"https://s3.example.test\"", &["needs an access key", "`storage.secret_access_key`"])]
#[case::half_a_key("url = \"s3://packages\"\nregion = \"r\"\naccess_key_id = \"secret\"", &["belong together"])]
#[case::not_encrypted("url = \"s3://packages\"\nendpoint = \"http://10.0.0.5:9000\"\naccess_key_id = \"a\"\nsecret_access_key = \"secret\"", &["`storage.endpoint` is not encrypted", "`storage.allow_http`"])]
#[case::endpoint("url = \"s3://packages\"\nendpoint = \"https://user:secret@host\"", &["`storage.endpoint`", "without user"])]
#[case::name("url = \"s3://Packages_1\"", &["`storage.url`", "small letters"])]
#[case::password("url = \"s3://user:secret@packages\"", &["`storage.url`", "s3://BUCKET"])]
#[case::query("url = \"s3://packages/prefix?region=secret\"", &["`storage.url`", "s3://BUCKET"])]
#[case::way_up("url = \"s3://packages/a/../b\"", &["`storage.url`"])]
#[case::no_directory("url = \"file://\"", &["`storage.url`", "file://DIRECTORY"])]
#[case::unknown("bucket = \"secret\"", &["`storage.bucket`", "known in [storage] are: access_key_id, allow_http, endpoint"])]
#[case::timeout("timeout_seconds = 0", &["`storage.timeout_seconds`", "from 1 to 300"])]
fn a_bucket_that_cannot_be_used_says_what_to_do(#[case] section: &str, #[case] expected: &[&str]) {
    let refusal = load(&format!("[storage]\n{section}\n"), &[]).unwrap_err();
    for part in expected {
        assert!(refusal.contains(part), "`{part}` is not in: {refusal}");
    }
    assert!(!refusal.contains("secret\"") && !refusal.contains("user:secret"), "{refusal}");
}

#[test]
fn a_variable_of_amazons_that_cannot_be_used_is_named() {
    let file = "[storage]\nurl = \"s3://packages\"\n";
    let refusal = load(file, &[("AWS_ENDPOINT_URL_S3", "user:hush@"), ("AWS_REGION", "r")]).unwrap_err();
    assert!(refusal.contains("the environment variable AWS_ENDPOINT_URL_S3 cannot be used"), "{refusal}");
    assert!(!refusal.contains("hush"), "{refusal}");
    let refusal = load(file, &[("AWS_SECRET_ACCESS_KEY", "hush"), ("AWS_REGION", "r")]).unwrap_err();
    assert!(refusal.contains("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY belong together"), "{refusal}");
}
