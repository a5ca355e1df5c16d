//! `[storage]`: where large contents lie.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use habeas_store::storage::{Access, Bucket};
use secrecy::SecretString;
use url::{Host, Url};

use super::reader::Reader;
use super::values::{self, Place};

/// Where Amazon's own tools find a role to take.
const ROLE: [&str; 7] = [
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_ENDPOINT_URL_STS",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
];
/// What other providers take for a region if they have none.
const ANY_REGION: &str = "us-east-1";

/// Where large contents lie.
#[derive(Debug)]
pub(crate) enum StorageChoice {
    /// In a directory of this machine.
    Directory(PathBuf),
    /// In a bucket.
    Bucket(Bucket),
}

/// What the section says beside its address.
struct Section {
    region: Option<String>,
    endpoint: Option<Url>,
    key: Option<String>,
    secret: Option<String>,
    session_token: Option<String>,
    path_style: Option<bool>,
    allow_http: bool,
    timeout: Duration,
}

/// Reads the section; a relative directory lies in the data directory.
pub(super) fn read(reader: &mut Reader, data: &Path) -> Option<StorageChoice> {
    let place = reader.required("storage.url", values::STORAGE);
    let region = reader.optional("storage.region", values::TEXT);
    let endpoint = reader.optional("storage.endpoint", values::VENDOR_URL);
    let key = reader.optional("storage.access_key_id", values::TEXT);
    let secret = reader.optional("storage.secret_access_key", values::TEXT);
    let session_token = reader.optional("storage.session_token", values::TEXT);
    let path_style = reader.optional("storage.path_style", values::SWITCH);
    let allow_http = reader.required("storage.allow_http", values::SWITCH);
    let timeout = reader.required("storage.timeout_seconds", values::CALL_SECONDS);
    let section = Section {
        region,
        endpoint,
        key,
        secret,
        session_token,
        path_style,
        allow_http: allow_http?,
        timeout: Duration::from_secs(timeout?),
    };
    match place? {
        Place::Directory(directory) => Some(StorageChoice::Directory(data.join(directory))),
        Place::Bucket { name, prefix } => section.bucket(reader, name, prefix).map(StorageChoice::Bucket),
    }
}

impl Section {
    fn bucket(self, reader: &mut Reader, name: String, prefix: String) -> Option<Bucket> {
        let endpoint = self.endpoint(reader);
        let region = self.region(reader, endpoint.as_ref().is_ok_and(Option::is_none));
        let access = self.access(reader, endpoint.as_ref().is_ok_and(Option::is_some));
        let endpoint = endpoint.ok()?;
        Some(Bucket {
            name,
            prefix,
            region: region?,
            path_style: self.path_style.unwrap_or(endpoint.is_some()),
            endpoint: endpoint.map(|address| address.as_str().trim_end_matches('/').to_owned()),
            access: access?,
            timeout: self.timeout,
        })
    }

    /// Another provider's address, if there is one. Fails if it cannot be used; the reader knows why.
    fn endpoint(&self, reader: &mut Reader) -> Result<Option<Url>, ()> {
        let variable = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]
            .into_iter()
            .find_map(|name| reader.of_amazon(name).map(|value| (name, value)));
        let (named, address) = match (&self.endpoint, variable) {
            (Some(address), _) => ("`storage.endpoint`".to_owned(), address.clone()),
            (None, None) => return Ok(None),
            (None, Some((name, value))) => {
                let named = format!("the environment variable {name}");
                let Some(address) = (values::VENDOR_URL.parse)(&value) else {
                    reader.fault(format!("{named} cannot be used; expected {}", values::VENDOR_URL.expected));
                    return Err(());
                };
                (named, address)
            }
        };
        if address.scheme() == "http" && !self.allow_http && !is_this_machine(&address) {
            reader.fault(format!(
                "{named} is not encrypted; use https, or set `storage.allow_http` if nobody else is on the way"
            ));
            return Err(());
        }
        Ok(Some(address))
    }

    fn region(&self, reader: &mut Reader, is_amazon: bool) -> Option<String> {
        let found = self
            .region
            .clone()
            .or_else(|| reader.of_amazon("AWS_REGION"))
            .or_else(|| reader.of_amazon("AWS_DEFAULT_REGION"));
        if found.is_none() && is_amazon {
            reader.refuse(
                "storage.url",
                "names a bucket of Amazon's: set `storage.region` (or AWS_REGION) to the region it is in, or \
                 `storage.endpoint` to another provider's address",
            );
            return None;
        }
        Some(found.unwrap_or_else(|| ANY_REGION.to_owned()))
    }

    fn access(&self, reader: &mut Reader, is_elsewhere: bool) -> Option<Access> {
        let of_amazon = |reader: &Reader, name| reader.of_amazon(name);
        // The two belong together: a key is never completed with a secret from somewhere else.
        let (key, secret, session_token, names) = if self.key.is_some() || self.secret.is_some() {
            let names = "`storage.access_key_id` and `storage.secret_access_key`";
            (self.key.clone(), self.secret.clone(), self.session_token.clone(), names)
        } else {
            (
                of_amazon(reader, "AWS_ACCESS_KEY_ID"),
                of_amazon(reader, "AWS_SECRET_ACCESS_KEY"),
                of_amazon(reader, "AWS_SESSION_TOKEN"),
                "the environment variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            )
        };
        match (key, secret) {
            (Some(id), Some(secret)) => Some(Access::Key {
                id,
                secret: SecretString::from(secret),
                session_token: session_token.map(SecretString::from),
            }),
            (None, None) => {
                let role: BTreeMap<String, String> = ROLE
                    .iter()
                    .filter_map(|name| reader.of_amazon(name).map(|value| ((*name).to_owned(), value)))
                    .collect();
                if role.is_empty() && is_elsewhere {
                    reader.refuse(
                        "storage.url",
                        "needs an access key: set `storage.access_key_id` and `storage.secret_access_key`",
                    );
                    return None;
                }
                Some(Access::Role(role))
            }
            _ => {
                reader.fault(format!("{names} belong together: set both or neither"));
                None
            }
        }
    }
}

fn is_this_machine(address: &Url) -> bool {
    match address.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}
