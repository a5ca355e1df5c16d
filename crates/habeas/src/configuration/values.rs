//! What kinds of values there are, how each is read, and how its expectation is worded.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use habeas_domain::policy::Policy;
use habeas_engine::mailer::{MailUrl, is_mailbox};
use habeas_store::MasterKey;
use ipnet::IpNet;
use jiff::tz::TimeZone;
use url::Url;

use super::reader::Reader;

/// One kind of value.
#[derive(Debug)]
pub(super) struct Kind<T> {
    /// Completes "expected ...".
    pub(super) expected: &'static str,
    /// From a file.
    pub(super) read: fn(&toml::Value) -> Option<T>,
    /// From the environment.
    pub(super) parse: fn(&str) -> Option<T>,
}

impl<T> Clone for Kind<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Kind<T> {}

/// A kind that is text in a file too.
macro_rules! text_kind {
    ($name:ident: $type:ty, $expected:literal, $parse:expr) => {
        pub(super) const $name: Kind<$type> =
            Kind { expected: $expected, read: |value| ($parse)(value.as_str()?), parse: $parse };
    };
}

/// A kind that is a whole number in a file.
macro_rules! whole_kind {
    ($name:ident, $least:literal..=$most:literal, $expected:literal) => {
        pub(super) const $name: Kind<u64> = Kind {
            expected: $expected,
            read: |value| value.as_integer().and_then(|found| within(found, $least, $most)),
            parse: |text| text.trim().parse().ok().and_then(|found| within(found, $least, $most)),
        };
    };
}

fn within(found: i64, least: i64, most: i64) -> Option<u64> {
    (least..=most).contains(&found).then(|| u64::try_from(found).ok()).flatten()
}

text_kind!(TEXT: String, "a text that is not empty", |text: &str| Some(text.to_owned())
    .filter(|text| !text.trim().is_empty()));
text_kind!(LISTEN: String, "an address and a port, for example \"127.0.0.1:7070\"", listen);
text_kind!(DATABASE: Database, "\"sqlite://FILE\" or \"postgres://USER:PASSWORD@HOST/DATABASE\"", database);
text_kind!(PATH: PathBuf, "the path of a file", |text: &str| Some(text)
    .filter(|text| !text.trim().is_empty())
    .map(PathBuf::from));
text_kind!(MASTER_KEY: MasterKey, "64 hexadecimal digits", |text: &str| MasterKey::parse(text).ok());
text_kind!(PREVIOUS_KEY: PreviousKey, "key files or keys of 64 hexadecimal digits", previous_key);
text_kind!(POLICY: String, "the name of a policy: \"eu-gdpr\" or \"us-ca\"", |text: &str| Policy::find(text)
    .ok()
    .map(|policy| policy.key.to_owned()));
text_kind!(TIME_ZONE: TimeZone, "a name of the IANA time zone database, for example \"Europe/Berlin\"", |text: &str| {
    TimeZone::get(text).ok()
});
text_kind!(WEB_URL: Url, "an http or https address", |text: &str| web_url(text));
text_kind!(VENDOR_URL: Url, "an http or https address without user, query or fragment", |text: &str| web_url(text)
    .filter(|url| url.query().is_none() && url.fragment().is_none()));
text_kind!(PUBLIC_URL: String, "an http or https address without user, query or fragment", |text: &str| web_url(text)
    .filter(|url| url.query().is_none() && url.fragment().is_none())
    .map(|url| url.as_str().trim_end_matches('/').to_owned()));
text_kind!(STORAGE: Place, "\"file://DIRECTORY\" or \"s3://BUCKET/PREFIX\" (a bucket's name is of small letters, digits, dots and hyphens)", place);
text_kind!(MAIL: MailUrl, "\"outbox\", \"smtp://USER:PASSWORD@HOST:PORT\" or \"smtps://USER:PASSWORD@HOST:PORT\"", |text: &str| {
    text.parse().ok()
});
text_kind!(MAILBOX: String, "a mailbox: \"a@b\" or \"Name <a@b>\"", |text: &str| is_mailbox(text).then(|| text.to_owned()));
text_kind!(HOST: String, "a host, with a port if only that one is meant: \"crm.internal\" or \"10.0.0.5:8443\"", |text: &str| {
    let url = Url::parse(&format!("https://{text}/")).ok()?;
    let is_alone = url.host().is_some() && url.path() == "/" && url.username().is_empty() && url.password().is_none();
    (is_alone && !text.contains('/')).then(|| text.to_ascii_lowercase())
});
text_kind!(WORKER_NAME: String, "a name of at most 100 characters without control characters", |text: &str| {
    let name = text.trim();
    let usable = !name.is_empty() && name.chars().count() <= 100 && !name.chars().any(char::is_control);
    usable.then(|| name.to_owned())
});
text_kind!(NETWORK: IpNet, "addresses or networks, for example \"10.0.0.0/8\"", network);

/// What a process is called if nobody named it.
pub(super) fn machine_and_process() -> String {
    let machine = rustix::system::uname();
    format!("{}:{}", machine.nodename().to_string_lossy(), std::process::id())
}

whole_kind!(WORKERS, 0..=1024, "a whole number from 0 to 1024");
whole_kind!(LEASE_SECONDS, 2..=3600, "a whole number from 2 to 3600");
whole_kind!(MILLISECONDS, 1..=86_400_000, "a whole number of milliseconds from 1 to 86400000");
whole_kind!(CALL_SECONDS, 1..=300, "a whole number of seconds from 1 to 300");
whole_kind!(SECONDS, 1..=31_536_000, "a whole number of seconds from 1 to 31536000");
whole_kind!(DAYS, 1..=365, "a whole number of days from 1 to 365");

pub(super) const SWITCH: Kind<bool> =
    Kind { expected: "true or false", read: toml::Value::as_bool, parse: |text| text.trim().parse().ok() };

/// The largest share of a real vendor's limit: the rest absorbs what two clocks disagree about.
pub(super) const LARGEST_SHARE: f64 = 0.95;

pub(super) const BUDGET: Kind<f64> = Kind {
    expected: "a number above 0, for example 0.8",
    read: |value| {
        #[expect(clippy::cast_precision_loss, reason = "a share that needs more than 52 bits is no share")]
        let whole = value.as_integer().map(|whole| whole as f64);
        value.as_float().or(whole).and_then(share)
    },
    parse: |text| text.trim().parse().ok().and_then(share),
};

fn share(share: f64) -> Option<f64> {
    (share.is_finite() && share > 0.0).then_some(share)
}

fn listen(text: &str) -> Option<String> {
    let (host, port) = text.rsplit_once(':')?;
    let port_is_usable = port.parse::<u16>().is_ok();
    (port_is_usable && !host.is_empty() && !host.contains(char::is_whitespace)).then(|| text.to_owned())
}

fn web_url(text: &str) -> Option<Url> {
    with_scheme(text, &["http", "https"])
        .filter(|url| url.has_host() && url.username().is_empty() && url.password().is_none())
}

fn with_scheme(text: &str, schemes: &[&str]) -> Option<Url> {
    Url::parse(text).ok().filter(|url| schemes.contains(&url.scheme()))
}

/// One address is a network of its own.
fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from)).map(|network| network.trunc())
}

/// A place for large contents as it was named.
#[derive(Clone, Debug)]
pub(super) enum Place {
    Directory(PathBuf),
    Bucket { name: String, prefix: String },
}

fn place(text: &str) -> Option<Place> {
    if let Some(directory) = text.strip_prefix("file://") {
        return (!directory.trim().is_empty()).then(|| Place::Directory(directory.into()));
    }
    let (name, prefix) = text.strip_prefix("s3://").map(|rest| rest.split_once('/').unwrap_or((rest, "")))?;
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    let is_name = (3..=63).contains(&name.len())
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-'));
    // What every provider takes, so that no name has to be spelt in two ways.
    let is_part = |part: &str| {
        let plain = part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-=".contains(&byte));
        plain && !part.is_empty() && part != "." && part != ".."
    };
    let usable = is_name && (prefix.is_empty() || prefix.split('/').all(is_part));
    usable.then(|| Place::Bucket { name: name.to_owned(), prefix: prefix.to_owned() })
}

/// A database as it was named.
#[derive(Clone, Debug)]
pub(super) enum Database {
    /// A file and the parameters behind it.
    Sqlite { file: String, parameters: String },
    /// A server; may hold a password.
    Postgres(String),
}

fn database(text: &str) -> Option<Database> {
    if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        return Url::parse(text).ok().map(|_| Database::Postgres(text.to_owned()));
    }
    let rest = text.strip_prefix("sqlite:")?;
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let (file, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    // A database in memory would forget everything at the end and cannot have readers beside the writer.
    let usable = !file.is_empty() && !file.contains(":memory:") && !parameters.contains("mode=memory");
    usable.then(|| Database::Sqlite { file: file.to_owned(), parameters: parameters.to_owned() })
}

impl Database {
    /// As the store takes it: a relative file lies in the data directory.
    pub(super) fn placed_in(self, data: &Path, reader: &mut Reader) -> Option<String> {
        let placed = self.placed(data);
        if placed.is_none() {
            reader.refuse("database.url", "lies in a data directory whose path is not UTF-8 text");
        }
        placed
    }

    /// The same; `None` if the path of the data directory is not text.
    pub(super) fn placed(self, data: &Path) -> Option<String> {
        let (file, parameters) = match self {
            Self::Postgres(url) => return Some(url),
            Self::Sqlite { file, parameters } => (file, parameters),
        };
        // What the operator wrote is taken as it is; only our part of the path must be spelt for a URL.
        let path = if Path::new(&file).is_absolute() {
            file
        } else {
            let directory = std::path::absolute(data).ok()?;
            let directory = directory.to_str()?.replace('%', "%25").replace('?', "%3F").replace('#', "%23");
            format!("{directory}/{file}")
        };
        let question = if parameters.is_empty() { "" } else { "?" };
        Some(format!("sqlite://{path}{question}{parameters}"))
    }
}

/// A master key that was in use before: itself, or where it is.
#[derive(Clone, Debug)]
pub(crate) enum PreviousKey {
    Key(MasterKey),
    File(PathBuf),
}

fn previous_key(text: &str) -> Option<PreviousKey> {
    let text = text.trim();
    let looks_like_a_key = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match MasterKey::parse(text) {
        Ok(key) if looks_like_a_key => Some(PreviousKey::Key(key)),
        _ => (!text.is_empty()).then(|| PreviousKey::File(text.into())),
    }
}

impl PreviousKey {
    pub(super) fn placed_in(self, data: &Path) -> Self {
        match self {
            Self::File(path) => Self::File(data.join(path)),
            key @ Self::Key(_) => key,
        }
    }
}
