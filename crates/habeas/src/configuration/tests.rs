use std::collections::BTreeSet;
use std::ffi::OsString;
use std::time::Duration;

use rstest::rstest;

use super::*;

/// Reads `file` as `habeas.toml` of a data directory, and `variables`.
fn load(file: &str, variables: &[(&str, &str)]) -> Result<Configuration, String> {
    let data = tempfile::tempdir().unwrap();
    std::fs::write(data.path().join(FILE_NAME), file).unwrap();
    let variables = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    Configuration::load_with(data.path(), None, variables).map_err(|error| error.to_string())
}

#[test]
fn the_defaults_alone_will_do() {
    let data = tempfile::tempdir().unwrap();
    let configuration = Configuration::load_with(data.path(), None, std::iter::empty()).unwrap();
    assert_eq!(configuration.listen, "127.0.0.1:7070");
    assert_eq!(configuration.database_url.0, format!("sqlite://{}/habeas.db", data.path().display()));
    assert_eq!(configuration.encryption.key_file, data.path().join("master.key"));
    assert!(configuration.casework.require_review);
    assert_eq!(configuration.casework.default_policy, "eu-gdpr");
    assert!(configuration.without_effect.is_empty());
}

#[test]
fn the_environment_goes_before_the_file_and_the_file_before_the_defaults() {
    let file = "[server]\nlisten = \"127.0.0.1:1\"\n[workers]\ncount = 7\n";
    let configuration = load(
        file,
        &[
            ("HABEAS_SERVER__LISTEN", "127.0.0.1:2"),
            ("HABEAS_INTEGRATIONS__READYCLOUD__BASE_URL", "http://127.0.0.1:4602"),
            ("HABEAS_INTEGRATIONS__READYCLOUD__BUDGET", "50"),
            ("HABEAS_KEY", "not a setting"),
            ("HABEAS_DATA", "not a setting"),
            ("HABEAS_TEST_POSTGRES", "not a setting"),
            ("OTHER", "not ours"),
        ],
    )
    .unwrap();
    assert_eq!((configuration.listen.as_str(), configuration.workers.count), ("127.0.0.1:2", 7));
    let readycloud = &configuration.integrations["readycloud"];
    assert_eq!(readycloud.base_url.as_ref().unwrap().as_str(), "http://127.0.0.1:4602/");
    assert_eq!(readycloud.budget, Some(50.0));
}

#[test]
fn a_file_written_for_the_contract_is_accepted_and_what_does_nothing_is_named() {
    let file = r#"
        [server]
        public_url = "https://privacy.example.com"
        trusted_proxies = ["10.0.0.0/8", "::1"]
        [storage]
        url = "s3://bucket/prefix"
        [mail]
        url = "smtp://user:secret@mail.example.com:587"
        from = "privacy@example.com"
        [intake]
        require_review = false
        [links]
        seconds = 60
        [contacts]
        deadline_days = 10
        remind_seconds = 5
        [oidc]
        issuer = "https://login.example.com"
        client_id = "habeas"
        client_secret = "hush"
        [integrations.qualtrics]
        base_url = "http://127.0.0.1:4601"
        poll_min_ms = 50
        poll_max_ms = 500
        [integrations.segment_config]
        base_url = "http://127.0.0.1:4603"
        public_base_url = "http://127.0.0.1:4603"
    "#;
    let configuration = load(file, &[]).unwrap();
    assert!(!configuration.casework.require_review);
    let contacts = configuration.casework.contacts;
    assert_eq!(contacts.deadline, Duration::from_secs(10 * 86_400));
    assert_eq!(contacts.reminder, Duration::from_secs(5), "seconds go before days");
    let qualtrics = &configuration.integrations["qualtrics"];
    assert_eq!(qualtrics.poll_min, Some(Duration::from_millis(50)));
    let named = configuration.without_effect.join("\n");
    for key in
        ["server.public_url", "mail.url", "oidc.client_secret", "integrations.segment_config.public_base_url"]
    {
        assert_eq!(named.matches(&format!("`{key}`")).count(), 1, "{named}");
    }
    assert!(
        !named.contains("require_review") && !named.contains("hush") && !named.contains("secret@"),
        "{named}"
    );
}

#[rstest]
#[case::unknown_key("[server]\nlisen = \"127.0.0.1:0\"", &["`server.lisen` in ", "habeas.toml is not a known setting", "known in [server] are: listen"])]
#[case::unknown_section("[sever]\nlisten = \"x:1\"", &["`sever.listen`", "known sections are:"])]
#[case::unknown_empty_section("[sever]", &["`sever`", "known sections are:"])]
#[case::unknown_integration("[integrations.nobody]\nbudget = 0.5", &["`integrations.nobody.budget`", "known integrations are: readycloud"])]
#[case::wrong_kind("[workers]\ncount = \"many\"", &["`workers.count` in ", "is a text that cannot be used; expected a whole number from 0 to 1024"])]
#[case::out_of_range("[workers]\nlease_seconds = 1", &["`workers.lease_seconds`", "from 2 to 3600"])]
#[case::policy("[policies]\ndefault = \"mars\"", &["`policies.default`", "\"eu-gdpr\" or \"us-ca\""])]
#[case::time_zone("[policies]\ntime_zone = \"Mars/Base\"", &["`policies.time_zone`", "IANA"])]
#[case::listen("[server]\nlisten = \"nowhere\"", &["`server.listen`", "an address and a port"])]
#[case::database("[database]\nurl = \"mysql://user:secret@host/x\"", &["`database.url`", "expected \"sqlite://FILE\""])]
#[case::in_memory("[database]\nurl = \"sqlite::memory:\"", &["`database.url`", "expected \"sqlite://FILE\""])]
#[case::no_list("[encryption]\nprevious = \"secret.key\"", &["`encryption.previous`", "expected a list of key files"])]
#[case::key_in_file("[encryption]\nkey = \"secret\"", &["`encryption.key`", "environment only", "`encryption.key_file`"])]
#[case::budget("[integrations.readycloud]\nbudget = 1.5", &["`integrations.readycloud.budget`", "only together with base_url"])]
#[case::no_budget("[integrations.readycloud]\nbudget = 0", &["`integrations.readycloud.budget`", "above 0"])]
#[case::retry("[integrations.readycloud]\nretry_min_ms = 9\nretry_max_ms = 3", &["`integrations.readycloud.retry_min_ms`", "must not be above retry_max_ms"])]
#[case::no_toml("[server]\nlisten = \"secret", &["habeas.toml is not TOML: line 2"])]
fn what_cannot_be_used_is_named_and_never_repeated(#[case] file: &str, #[case] expected: &[&str]) {
    let refusal = load(file, &[]).unwrap_err();
    for part in expected {
        assert!(refusal.contains(part), "`{part}` is not in: {refusal}");
    }
    assert!(!refusal.contains("secret\"") && !refusal.contains("user:secret"), "{refusal}");
}

#[test]
fn a_variable_is_named_as_it_was_written() {
    let refusal = load(
        "",
        &[("HABEAS_WORKERS__COUNT", "-5-secret"), ("HABEAS_COLOUR", "blue"), ("HABEAS_SERVER__PORT", "1")],
    )
    .unwrap_err();
    assert!(
        refusal.contains("`workers.count` in the environment variable HABEAS_WORKERS__COUNT"),
        "{refusal}"
    );
    assert!(
        refusal.contains("`colour` in the environment variable HABEAS_COLOUR is not a known setting"),
        "{refusal}"
    );
    assert!(refusal.contains("`server.port` in the environment variable HABEAS_SERVER__PORT"), "{refusal}");
    assert!(!refusal.contains("-5-secret") && !refusal.contains("blue"), "{refusal}");
}

#[test]
fn a_named_file_must_be_there() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("other.toml");
    let refusal = Configuration::load_with(data.path(), Some(&file), std::iter::empty()).unwrap_err();
    assert!(refusal.to_string().contains("other.toml cannot be read"), "{refusal}");
}

#[test]
fn keys_are_taken_from_where_they_are() {
    let key = "ab".repeat(32);
    let variables =
        [("HABEAS_ENCRYPTION__KEY", key.as_str()), ("HABEAS_ENCRYPTION__PREVIOUS", "old.key, older.key")];
    let encryption = load("", &variables).unwrap().encryption;
    assert_eq!(*encryption.key.unwrap().to_text(), key);
    let files: Vec<_> = encryption.previous.iter().map(|one| matches!(one, PreviousKey::File(_))).collect();
    assert_eq!(files, [true, true]);
    let refusal = load("", &[("HABEAS_ENCRYPTION__KEY", "abcdef")]).unwrap_err();
    assert!(refusal.contains("64 hexadecimal digits") && !refusal.contains("abcdef"), "{refusal}");
}

#[test]
fn a_directory_with_odd_characters_is_found_by_the_database() {
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("50% off?");
    std::fs::create_dir(&data).unwrap();
    let configuration = Configuration::load_with(&data, None, std::iter::empty()).unwrap();
    assert!(
        configuration.database_url.0.ends_with("/50%25 off%3F/habeas.db"),
        "{}",
        configuration.database_url.0
    );
}

/// Every key that the reader asks for is in the default file, set or commented, and nothing else is.
#[test]
fn the_default_file_documents_every_key_and_no_other() {
    let layers = Layers::read(Path::new("/nowhere"), None, std::iter::empty()).unwrap();
    let mut reader = Reader::new(layers);
    Configuration::from_reader(&mut reader, Path::new("/nowhere"), &["NAME"]).unwrap();
    let mut documented = BTreeSet::new();
    let mut section = "";
    for line in DEFAULT_FILE.lines() {
        let line = line.strip_prefix("# ").unwrap_or(line);
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = name;
        } else if let Some((key, _)) = line.split_once(" = ")
            && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        {
            documented.insert(format!("{section}.{key}"));
        }
    }
    assert_eq!(&documented, reader.asked());
}

/// A section of an integration can be taken from the default file as it is.
#[test]
fn the_commented_section_of_an_integration_can_be_used() {
    let section: String = DEFAULT_FILE
        .lines()
        .skip_while(|line| *line != "# [integrations.NAME]")
        .filter_map(|line| line.strip_prefix("# "))
        .filter(|line| line.starts_with('[') || line.contains(" = "))
        .map(|line| format!("{line}\n"))
        .collect();
    let configuration = load(&section.replace("NAME", "readycloud"), &[]).unwrap();
    assert_eq!(configuration.integrations["readycloud"].budget, Some(0.8));
}
