use std::collections::BTreeSet;
use std::ffi::OsString;
use std::time::Duration;

use habeas_engine::mailer::MailUrl;
use rstest::rstest;

use habeas_documents::company::Company;

use super::*;

mod storage;

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
    assert!(!configuration.casework.require_verification);
    assert_eq!((configuration.public_url, configuration.casework.team), (None, None));
    assert!(configuration.trusted_proxies.is_empty());
    assert!(
        matches!(&configuration.storage, StorageChoice::Directory(place) if *place == data.path().join("packages"))
    );
    assert!(matches!(configuration.mail.url, MailUrl::Outbox));
    assert_eq!((configuration.mail.from.as_str(), configuration.mail.reply_to), ("privacy@localhost", None));
    assert_eq!(configuration.mail.timeout, Duration::from_secs(30), "half of the default lease");
    assert_eq!(configuration.casework.links, Duration::from_secs(7 * 86_400));
    assert_eq!(configuration.casework.company.name, "The company");
    assert!(configuration.casework.company.purposes.is_empty());
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
            ("HABEAS_TEST_SMTP", "not a setting"),
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
        region = "eu-central-1"
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
        public_base_url = "http://127.0.0.1:4605"
    "#;
    let configuration = load(file, &[]).unwrap();
    assert!(!configuration.casework.require_review);
    let contacts = configuration.casework.contacts;
    assert_eq!(contacts.deadline, Duration::from_secs(10 * 86_400));
    assert_eq!(contacts.reminder, Duration::from_secs(5), "seconds go before days");
    let qualtrics = &configuration.integrations["qualtrics"];
    assert_eq!(qualtrics.poll_min, Some(Duration::from_millis(50)));
    let named = configuration.without_effect.join("\n");
    assert_eq!(named.matches("`oidc.client_secret`").count(), 1, "{named}");
    assert!(matches!(configuration.storage, StorageChoice::Bucket(_)));
    assert!(
        !named.contains("require_review")
            && !named.contains("mail")
            && !named.contains("hush")
            && !named.contains("secret@"),
        "{named}"
    );
}

#[test]
fn everything_about_mails_links_and_the_company_takes_effect() {
    let file = r#"
        [server]
        public_url = "https://privacy.example.test/habeas/"
        trusted_proxies = ["10.0.0.0/8", "::1", "192.0.2.7/24"]
        [storage]
        url = "file://large"
        [mail]
        url = "smtps://user:hush@mail.example.test"
        from = "Zoë & co. <privacy@example.test>"
        reply_to = "answers@example.test"
        team = "Privacy team <team@example.test>"
        [workers]
        lease_seconds = 10
        [intake]
        require_verification = true
        [links]
        days = 3
        [company]
        name = "Example Ltd"
        contact = "privacy@example.test"
        address = "1 Example Street\nExample City"
        data_protection_officer = "dpo@example.test"
        supervisory_authority = "Example Authority"
        purposes = ["selling, and sending, goods", "support"]
        recipients = ["carriers"]
        sources = ["the person"]
        retention = ["orders: ten years"]
        transfers = "none"
        automated_decisions = "none"
    "#;
    let configuration = load(file, &[("HABEAS_LINKS__SECONDS", "90")]).unwrap();
    assert_eq!(configuration.public_url.as_deref(), Some("https://privacy.example.test/habeas"));
    let proxies: Vec<_> = configuration.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(proxies, ["10.0.0.0/8", "::1/128", "192.0.2.0/24"]);
    assert!(configuration.trusted_proxies[0].contains(&"10.9.8.7".parse::<std::net::IpAddr>().unwrap()));
    assert!(
        matches!(&configuration.storage, StorageChoice::Directory(place) if place.ends_with("large") && place.is_absolute())
    );
    let mail = &configuration.mail;
    assert!(matches!(mail.url, MailUrl::Smtp(_)));
    assert_eq!(mail.from, "Zoë & co. <privacy@example.test>");
    assert_eq!(mail.reply_to.as_deref(), Some("answers@example.test"));
    assert_eq!(mail.timeout, Duration::from_secs(5), "half a lease");
    assert_eq!(configuration.casework.team.as_deref(), Some("Privacy team <team@example.test>"));
    assert!(configuration.casework.require_verification);
    assert_eq!(configuration.casework.links, Duration::from_secs(90), "seconds go before days");
    let expected = Company {
        name: "Example Ltd".to_owned(),
        contact: Some("privacy@example.test".to_owned()),
        address: Some("1 Example Street\nExample City".to_owned()),
        data_protection_officer: Some("dpo@example.test".to_owned()),
        supervisory_authority: Some("Example Authority".to_owned()),
        purposes: vec!["selling, and sending, goods".to_owned(), "support".to_owned()],
        recipients: vec!["carriers".to_owned()],
        sources: vec!["the person".to_owned()],
        retention: vec!["orders: ten years".to_owned()],
        transfers: Some("none".to_owned()),
        automated_decisions: Some("none".to_owned()),
    };
    assert_eq!(configuration.casework.company, expected);
    assert!(configuration.without_effect.is_empty(), "{:?}", configuration.without_effect);
    assert!(!format!("{configuration:?}").contains("hush"));
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
#[case::mail_scheme("[mail]\nurl = \"http://user:secret@host\"", &["`mail.url`", "\"outbox\", \"smtp://USER"])]
#[case::mail_parameter("[mail]\nurl = \"smtp://user:secret@host?tls=perhaps\"\nfrom = \"a@example.test\"", &["`mail.url`", "expected"])]
#[case::no_sender("[mail]\nurl = \"smtp://user:secret@host\"", &["`mail.url`", "mails need a sender: set `mail.from`"])]
#[case::sender("[mail]\nurl = \"smtp://user:secret@host\"\nfrom = \"secret\"", &["`mail.from`", "expected a mailbox"])]
#[case::answers("[mail]\nreply_to = \"secret\"", &["`mail.reply_to`", "expected a mailbox"])]
#[case::team("[mail]\nteam = \"a@example.test\\nBcc: secret\"", &["`mail.team`", "expected a mailbox"])]
#[case::public_url("[server]\npublic_url = \"https://user:secret@host\"", &["`server.public_url`", "without user"])]
#[case::proxies("[server]\ntrusted_proxies = [\"10.0.0.0/33\"]", &["`server.trusted_proxies`", "networks"])]
#[case::storage("[storage]\nurl = \"ftp://user:secret@host\"", &["`storage.url`", "s3://BUCKET"])]
#[case::company("[company]\npurposes = \"secret\"", &["`company.purposes`", "expected a list"])]
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
