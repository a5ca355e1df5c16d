//! What the operator decided: compiled-in defaults, a file, the environment; the later layer wins.
//!
//! Values are never repeated in messages, so a secret in the wrong place is not echoed.

mod company;
mod layers;
mod mail;
mod reader;
mod storage;
mod values;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use habeas_casework::{CaseworkSettings, ContactTimes};
use habeas_engine::IntegrationOptions;
use habeas_engine::mailer::MailSettings;
use habeas_store::MasterKey;
use ipnet::IpNet;

use layers::Layers;
use reader::Reader;
pub(crate) use storage::StorageChoice;
pub(crate) use values::PreviousKey;

/// The commented file that documents every key.
pub(crate) const DEFAULT_FILE: &str = include_str!("habeas.default.toml");
/// The file that is read from the data directory if it is there.
pub(crate) const FILE_NAME: &str = "habeas.toml";

/// Everything the operator decided, checked.
#[derive(Debug)]
pub(crate) struct Configuration {
    /// Where to listen.
    pub(crate) listen: String,
    /// What the store opens; a relative SQLite file was placed in the data directory.
    pub(crate) database_url: DatabaseUrl,
    pub(crate) encryption: Encryption,
    pub(crate) workers: Workers,
    /// What people call this process.
    pub(crate) worker_name: String,
    pub(crate) casework: CaseworkSettings,
    /// The address under which people reach this server, without a slash at its end; none: where it listens.
    pub(crate) public_url: Option<String>,
    /// Whose `X-Forwarded-For` is believed.
    pub(crate) trusted_proxies: Vec<IpNet>,
    /// Where large contents lie.
    pub(crate) storage: StorageChoice,
    /// How mails leave.
    pub(crate) mail: MailSettings,
    pub(crate) integrations: BTreeMap<String, IntegrationOptions>,
    /// What was set although it does nothing in this version, as sentences.
    pub(crate) without_effect: Vec<String>,
}

/// A database URL: may hold a password, so it does not print.
pub(crate) struct DatabaseUrl(pub(crate) String);

impl DatabaseUrl {
    /// What a command line names, with a relative SQLite file placed in the data directory `data`; `None` if it is no
    /// database that we know.
    pub(crate) fn named(text: &str, data: &Path) -> Option<Self> {
        (values::DATABASE.parse)(text)?.placed(data).map(Self)
    }

    /// Whether other machines can share it.
    pub(crate) fn is_postgres(&self) -> bool {
        !self.0.starts_with("sqlite:")
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.is_postgres() { "postgres://[redacted]" } else { "sqlite" })
    }
}

/// Where the master keys are.
#[derive(Debug)]
pub(crate) struct Encryption {
    pub(crate) key_file: PathBuf,
    pub(crate) key: Option<MasterKey>,
    pub(crate) previous: Vec<PreviousKey>,
}

/// How work is done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Workers {
    pub(crate) count: usize,
    pub(crate) lease: Duration,
    pub(crate) poll_interval: Duration,
}

/// Everything that is wrong with the configuration, at once.
#[derive(Debug)]
pub(crate) struct Unusable(Vec<String>);

impl fmt::Display for Unusable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [one] => write!(formatter, "the configuration cannot be used: {one}"),
            many => write!(formatter, "the configuration cannot be used:\n  {}", many.join("\n  ")),
        }
    }
}

impl std::error::Error for Unusable {}

impl Configuration {
    /// Reads all layers. `data` is the data directory, `file` the file the operator named.
    pub(crate) fn load(data: &Path, file: Option<&Path>) -> Result<Self, Unusable> {
        Self::load_with(data, file, std::env::vars_os())
    }

    fn load_with(
        data: &Path,
        file: Option<&Path>,
        environment: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Self, Unusable> {
        let layers = Layers::read(data, file, environment).map_err(Unusable)?;
        let mut reader = Reader::new(layers);
        let known: Vec<&'static str> =
            habeas_integrations::Catalogue::default().iter().map(|one| one.manifest().name).collect();
        let configuration = Self::from_reader(&mut reader, data, &known);
        reader.finish(&known).map_err(Unusable)?;
        configuration.ok_or_else(|| Unusable(vec!["a setting is missing".to_owned()]))
    }

    /// The address under which people reach a server that listens at `listening`, for links.
    pub(crate) fn reached_at(&self, listening: Option<SocketAddr>) -> String {
        match (&self.public_url, listening) {
            (Some(address), _) => address.clone(),
            (None, Some(address)) => format!("http://{address}"),
            (None, None) => format!("http://{}", self.listen),
        }
    }

    /// `None` if a value that is needed cannot be used; the reader knows why.
    fn from_reader(reader: &mut Reader, data: &Path, known: &[&'static str]) -> Option<Self> {
        // Every key is read before anything is given up, so that all faults are told at once.
        let listen = reader.required("server.listen", values::LISTEN);
        let database_url = reader.required("database.url", values::DATABASE);
        let key_file = reader.required("encryption.key_file", values::PATH);
        let key = reader.secret("encryption.key", values::MASTER_KEY);
        let previous = reader.list("encryption.previous", values::PREVIOUS_KEY);
        let count = reader.required("workers.count", values::WORKERS);
        let lease = reader.required("workers.lease_seconds", values::LEASE_SECONDS);
        let poll_interval = reader.required("workers.poll_interval_ms", values::MILLISECONDS);
        let worker_name = reader.optional("workers.name", values::WORKER_NAME);
        let default_policy = reader.required("policies.default", values::POLICY);
        let time_zone = reader.required("policies.time_zone", values::TIME_ZONE);
        let require_review = reader.required("intake.require_review", values::SWITCH);
        let require_verification = reader.required("intake.require_verification", values::SWITCH);
        let public_url = reader.optional("server.public_url", values::PUBLIC_URL);
        let trusted_proxies = reader.list("server.trusted_proxies", values::NETWORK);
        let storage = storage::read(reader, data);
        let lease = lease.map(Duration::from_secs);
        let mail = mail::read(reader, lease);
        let team = reader.optional("mail.team", values::MAILBOX);
        let links = days_or_seconds(reader, "links.days", "links.seconds");
        let deadline = days_or_seconds(reader, "contacts.deadline_days", "contacts.deadline_seconds");
        let reminder = days_or_seconds(reader, "contacts.remind_days", "contacts.remind_seconds");
        let company = company::read(reader);
        let integrations = integrations(reader, known);
        later(reader);
        Some(Self {
            listen: listen?,
            database_url: DatabaseUrl(database_url?.placed_in(data, reader)?),
            encryption: Encryption {
                key_file: data.join(key_file?),
                key,
                previous: previous.into_iter().map(|one| one.placed_in(data)).collect(),
            },
            workers: Workers {
                count: usize::try_from(count?).ok()?,
                lease: lease?,
                poll_interval: Duration::from_millis(poll_interval?),
            },
            worker_name: worker_name.unwrap_or_else(values::machine_and_process),
            casework: CaseworkSettings {
                require_review: require_review?,
                default_policy: default_policy?,
                time_zone: time_zone?,
                contacts: ContactTimes { deadline: deadline?, reminder: reminder? },
                require_verification: require_verification?,
                links: links?,
                company: company?,
                team,
                ..CaseworkSettings::default()
            },
            public_url,
            trusted_proxies,
            storage: storage?,
            mail: mail?,
            integrations,
            without_effect: reader.without_effect(),
        })
    }
}

/// A time in days, or, for tests and demonstrations, in seconds.
fn days_or_seconds(reader: &mut Reader, days: &str, seconds: &str) -> Option<Duration> {
    let days = reader.required(days, values::DAYS);
    let seconds = reader.optional(seconds, values::SECONDS);
    seconds.or(days.map(|days| days.saturating_mul(86_400))).map(Duration::from_secs)
}

fn integrations(reader: &mut Reader, known: &[&'static str]) -> BTreeMap<String, IntegrationOptions> {
    let mut all = BTreeMap::new();
    for name in known {
        let path = |key: &str| format!("integrations.{name}.{key}");
        let base_url = reader.optional(&path("base_url"), values::VENDOR_URL);
        let retry_min = reader.optional(&path("retry_min_ms"), values::MILLISECONDS);
        let retry_max = reader.optional(&path("retry_max_ms"), values::MILLISECONDS);
        let budget = reader.optional(&path("budget"), values::BUDGET);
        let private_hosts = reader.list(&path("private_hosts"), values::HOST);
        let poll_min = reader.optional(&path("poll_min_ms"), values::MILLISECONDS);
        let poll_max = reader.optional(&path("poll_max_ms"), values::MILLISECONDS);
        let public_base_url = reader.optional(&path("public_base_url"), values::VENDOR_URL);
        if public_base_url.is_some() && base_url.is_none() {
            reader
                .refuse(&path("public_base_url"), "counts only together with base_url: set both or neither");
        }
        for (least, most, what) in [(poll_min, poll_max, "poll"), (retry_min, retry_max, "retry")] {
            if let (Some(least), Some(most)) = (least, most)
                && least > most
            {
                reader.refuse(&path(&format!("{what}_min_ms")), &format!("must not be above {what}_max_ms"));
            }
        }
        if budget.is_some_and(|share| share > values::LARGEST_SHARE) && base_url.is_none() {
            let message = "must be at most 0.95 (a share of the vendor's limit); more is possible only together with base_url";
            reader.refuse(&path("budget"), message);
        }
        let options = IntegrationOptions {
            base_url,
            public_base_url,
            private_hosts,
            retry_min: retry_min.map(Duration::from_millis),
            retry_max: retry_max.map(Duration::from_millis),
            budget,
            poll_min: poll_min.map(Duration::from_millis),
            poll_max: poll_max.map(Duration::from_millis),
        };
        all.insert((*name).to_owned(), options);
    }
    all
}

/// Keys of the contract whose features are still to come: checked, so that a file written for the contract is
/// accepted, and named at the start, so that nobody relies on them.
fn later(reader: &mut Reader) {
    const CONSOLE: &str = "the console";
    reader.later("oidc.issuer", values::WEB_URL, CONSOLE);
    reader.later("oidc.client_id", values::TEXT, CONSOLE);
    reader.later("oidc.client_secret", values::TEXT, CONSOLE);
}
