//! Everything else that comes from outside and is taken apart: addresses that people paste, headers, addresses in
//! answers, names of files, ids.

use habeas_environment::{Environment, TestClock};
use http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderName, HeaderValue, StatusCode};
use url::Url;

use super::{NOW, SECRET, assert_says_nothing, run};
use crate::client::in_memory::Answer;
use crate::client::recording::BASE;
use crate::{
    Catalogue, ClientOptions, EndpointClass, FoundFile, Job, Retry, Settings, Transport, VendorClient,
};

/// Between texts, as between answers.
const SEPARATOR: u8 = 0x1E;
/// No wait that a vendor asks for is longer, in seconds.
const LONGEST_WAIT: u64 = 3600;

/// Texts as they come.
pub(super) const SEEDS: &[&[&str]] = &[
    &[
        "https://www.readycloud.com/api/v1/oauth2/auth_code#access_token=TOKEN&expires_in=31536000&token_type=bearer&user=person-1%40example.test&scope=contact+company-read_only&refresh_token=abc",
    ],
    &[
        "https://example.test/?error=access_denied#x",
        "https://example.test/?code=abc",
        "access_token=TOKEN&expires_in=1",
    ],
    &[
        "7",
        "request-1",
        "application/json; charset=utf-8",
        "https://elsewhere.example.test/login?mail=x",
        "Root=1-67891233-abcdef012345678912345678",
    ],
    &[
        "Sun, 01 Mar 2026 12:00:30 GMT",
        "8f7c2d1e-0000-4000-8000-000000000001",
        "text/html",
        "//elsewhere.example.test",
    ],
    &[
        "https://vendor.example.test/tree/a/%2e%2e/../b?x=1#part",
        "/tree/../x",
        "\\\\elsewhere\\x",
        "https://user:pass@vendor.example.test/",
    ],
    &[
        "../../etc/passwd\ntext/plain",
        "C:\\letter.tar.gz\nApplication/PDF; x=y",
        "x\u{202e}fdp.exe\nimage/svg+xml",
        ". .\n/",
    ],
    &[
        "fra1",
        "POOL_1aB2cD3eF4gH5iJ",
        "{\"access_token\":\"TOKEN\"}",
        "OP-00000000-0000-4000-8000-000000000000",
    ],
    &["{\"id\":\"request-2\"}", "Mon, 99 Foo 2026 25:61:61 +9999", "99999999999999999999999", "-1"],
];

/// Takes each text of `data` apart as whatever it could be.
///
/// # Panics
/// If something panics, or what comes of a text is not what the rest of the product relies on.
pub fn outside_texts(data: &[u8]) {
    let texts: Vec<&[u8]> = data.split(|byte| *byte == SEPARATOR).take(8).collect();
    for text in &texts {
        let lossy = String::from_utf8_lossy(text);
        pasted(&lossy);
        address(&lossy);
        file(&lossy);
        part_of_an_address(&lossy);
        sealed(text);
        assert!(Job::new(lossy.as_ref()).is_none_or(|job| job.as_str() == lossy));
    }
    headers(&texts);
}

/// An address that a person copied out of the browser, with the credential somewhere in it.
fn pasted(text: &str) {
    let catalogue = Catalogue::default();
    let now = NOW.parse().unwrap_or_default();
    for integration in catalogue.iter() {
        for entered in [text.to_owned(), text.replacen("TOKEN", SECRET, 1), format!("{text}{SECRET}")] {
            let settings =
                integration.manifest().settings.iter().map(|setting| (setting.key, entered.as_str()));
            let settings: Settings = settings.collect();
            match integration.normalise(settings, now) {
                Ok(kept) => assert!(!kept.is_empty(), "nothing is kept of settings that are accepted"),
                Err(wrong) => assert_says_nothing(&format!("{wrong:?}")),
            }
        }
    }
}

fn client(answer: Answer, base: &str) -> VendorClient {
    let environment = Environment::for_test(&TestClock::at(NOW), 1);
    let base = base.parse().unwrap_or_else(|error| panic!("{base}: {error}"));
    let transport = Transport::in_memory(move |_| Ok(answer.clone()));
    let made = VendorClient::new(ClientOptions::new("test", base, environment), transport);
    made.unwrap_or_else(|error| panic!("{error}"))
}

/// An address in an answer, which must lead nowhere but to the vendor.
fn address(text: &str) {
    for base in [BASE.to_owned(), format!("{BASE}/tree")] {
        let client = client(Answer::default(), &base);
        match client.own(text) {
            Ok(url) => {
                assert!(url.as_str().starts_with(&format!("{base}/")), "{url} is not below {base}");
                assert!(url.fragment().is_none() && url.username().is_empty() && url.password().is_none());
                // What a server that decodes before it resolves would make of it.
                assert!(!url.path().split('/').any(|part| matches!(part, "." | "..")), "{url} steps upwards");
            }
            Err(error) => assert!(error.explanation().len() < 1_000, "an error is as long as the address"),
        }
    }
}

/// The name of a file, which must be safe to write anywhere.
fn file(text: &str) {
    let (name, kind) = text.split_once('\n').unwrap_or((text, text));
    let file = FoundFile::new(name, kind, text.as_bytes().to_vec());
    let name = &file.name;
    assert!((1..=120).contains(&name.chars().count()), "a name of {} characters", name.chars().count());
    assert!(
        !name.contains(['/', '\\', ':', '<', '>', '"', '|', '?', '*']) && !name.chars().any(char::is_control)
    );
    assert!(!name.starts_with('.') && !name.ends_with(['.', ' ']) && name.trim() == name, "{name:?}");
    assert_eq!(file.media_type.matches('/').count(), 1, "{:?}", file.media_type);
    let kind = file.media_type.as_bytes();
    assert!(kind.iter().all(|byte| byte.is_ascii_alphanumeric() || b"/.+-".contains(byte)));
    assert!(!kind.iter().any(u8::is_ascii_uppercase));
    assert_eq!(FoundFile::new(name, &file.media_type, Vec::new()).name, *name, "a safe name is changed");
    let written =
        serde_json::to_string(&file).and_then(|written| serde_json::from_str::<FoundFile>(&written));
    assert_eq!(written.ok().as_ref(), Some(&file));
}

/// A setting that becomes part of a host name, or of a page's address.
fn part_of_an_address(text: &str) {
    for integration in Catalogue::default().iter() {
        let manifest = integration.manifest();
        let settings: Settings = manifest.settings.iter().map(|setting| (setting.key, text)).collect();
        if let (Ok(Some(address)), Some(template)) = (manifest.address(&settings), manifest.base_url) {
            let url = Url::parse(&address).unwrap_or_else(|error| panic!("{address}: {error}"));
            let domain = template.rsplit('}').next().unwrap_or_default().trim_start_matches("https://");
            assert!(
                url.scheme() == "https" && url.host_str().is_some_and(|host| host.ends_with(domain)),
                "{url}"
            );
            assert!(url.path() == "/" && url.query().is_none() && url.username().is_empty(), "{url}");
        }
        if let (Some(page), Some(template)) = (manifest.authorize_page(text), manifest.authorize_url) {
            let count = |address: &str| Url::parse(address).map_or(0, |url| url.query_pairs().count());
            assert_eq!(count(&page), count(template), "an app's id brings parameters of its own: {page}");
        }
    }
}

/// What a database gives back.
fn sealed(bytes: &[u8]) {
    if let Ok(settings) = Settings::from_sealed(bytes) {
        let again = Settings::from_sealed(&settings.to_sealable());
        assert_eq!(
            again.ok().map(|again| again.to_sealable().to_vec()),
            Some(settings.to_sealable().to_vec())
        );
    }
}

/// Headers of an answer, of which an error, a wait and an id are made.
fn headers(texts: &[&[u8]]) {
    let names = [
        RETRY_AFTER,
        HeaderName::from_static("x-request-id"),
        CONTENT_TYPE,
        LOCATION,
        HeaderName::from_static("request-id"),
    ];
    for status in
        [StatusCode::OK, StatusCode::FOUND, StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE]
    {
        let mut answer = Answer::new(status, texts.first().copied().unwrap_or_default().to_vec());
        let values = texts.iter().filter_map(|text| HeaderValue::from_bytes(text).ok());
        answer.headers.extend(names.iter().cloned().zip(values));
        let call = client(answer, BASE).get(EndpointClass("test")).path(["x"]).request_id_at("/id");
        run(async {
            let (wait, request_id) = match call.send().await {
                Ok(answer) => {
                    assert_eq!(answer.status, status);
                    let kind = answer.content_type.unwrap_or_default();
                    assert!(!kind.contains(';') && kind == kind.trim().to_ascii_lowercase(), "{kind:?}");
                    (answer.retry_after, answer.vendor_request_id)
                }
                Err(error) => {
                    assert!(error.explanation().len() < 1_000, "an error is as long as a header");
                    let Retry::After(wait) = error.retry else { panic!("nothing was sent twice: {error:?}") };
                    (wait, error.vendor_request_id)
                }
            };
            assert!(wait.is_none_or(|wait| wait.as_secs() <= LONGEST_WAIT), "{wait:?}");
            if let Some(id) = request_id {
                assert!((1..=128).contains(&id.len()), "{id:?}");
                assert!(
                    id.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>\"'&@".contains(&byte)),
                    "{id:?}"
                );
            }
        });
    }
}
