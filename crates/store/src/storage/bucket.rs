//! A bucket of Amazon S3 or of anything that speaks its protocol.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};
use secrecy::{ExposeSecret as _, SecretString};

use super::StorageError;

/// Parts of an upload
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>).
pub(super) const MOST_PARTS: u32 = 10_000;

/// How long a connection may take to come about, at most.
const CONNECTING: Duration = Duration::from_secs(5);
/// How long a call may take that only looks whether the storage is there, at most.
const LOOKING: Duration = Duration::from_secs(3);

/// Where a bucket is and how it is entered.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// What all names of objects begin with, without slashes at its ends; may be empty.
    pub prefix: String,
    /// The region it is in; other providers than Amazon have names of their own.
    pub region: String,
    /// Another provider's address, without the bucket.
    pub endpoint: Option<String>,
    /// Whether the bucket stands in the path of an address and not in its host.
    pub path_style: bool,
    /// Who we are.
    pub access: Access,
    /// How long one call may take. It is tried again as long as that, so it ends after twice this time at most, and a few
    /// seconds.
    pub timeout: Duration,
}

/// Who we are to a bucket.
#[derive(Clone)]
pub enum Access {
    /// An access key.
    Key {
        /// Its name.
        id: String,
        /// What it signs with.
        secret: SecretString,
        /// What a key that ends has besides.
        session_token: Option<SecretString>,
    },
    /// The role of this machine or container, as the variables of Amazon's tools (`AWS_ROLE_ARN`,
    /// `AWS_WEB_IDENTITY_TOKEN_FILE`, ...) describe it; without any, the machine's metadata service is asked.
    Role(BTreeMap<String, String>),
}

/// Never prints secrets.
impl fmt::Debug for Access {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Key { .. } => "Key([redacted])",
            Self::Role(_) => "Role",
        })
    }
}

/// The objects in a bucket, reached in two ways.
pub(super) struct Opened {
    /// With all the time that the operator grants.
    pub(super) work: Arc<dyn ObjectStore>,
    /// For somebody who does not wait long.
    pub(super) looking: Arc<dyn ObjectStore>,
}

impl Bucket {
    pub(super) fn open(&self) -> Result<Opened, StorageError> {
        let work = self.client(self.timeout, 3)?.build()?;
        let looking = self.client(self.timeout.min(LOOKING), 1)?;
        // One set of credentials: what a role gave is fetched once.
        let looking = looking.with_credentials(Arc::clone(work.credentials())).build()?;
        Ok(Opened { work: self.within(work)?, looking: self.within(looking)? })
    }

    fn within(&self, objects: AmazonS3) -> Result<Arc<dyn ObjectStore>, StorageError> {
        if self.prefix.is_empty() {
            return Ok(Arc::new(objects));
        }
        let prefix = Path::parse(&self.prefix).map_err(object_store::Error::from)?;
        Ok(Arc::new(PrefixStore::new(objects, prefix)))
    }

    fn client(&self, timeout: Duration, retries: usize) -> Result<AmazonS3Builder, StorageError> {
        let retry = RetryConfig {
            backoff: BackoffConfig {
                init_backoff: Duration::from_millis(100),
                max_backoff: Duration::from_secs(2),
                base: 2.0,
            },
            max_retries: retries,
            retry_timeout: timeout,
        };
        let options = ClientOptions::new()
            .with_timeout(timeout)
            .with_connect_timeout(timeout.min(CONNECTING))
            // Whether that is wanted was decided where the address was read.
            .with_allow_http(self.endpoint.as_deref().is_some_and(|address| address.starts_with("http:")));
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&self.name)
            .with_region(&self.region)
            .with_virtual_hosted_style_request(!self.path_style)
            // One call per object needs one permission less, and every provider knows it.
            .with_disable_bulk_delete(true)
            .with_client_options(options)
            .with_retry(retry);
        if let Some(endpoint) = &self.endpoint {
            builder = builder.with_endpoint(self.host_of(endpoint));
        }
        match &self.access {
            Access::Key { id, secret, session_token } => {
                builder = builder.with_access_key_id(id).with_secret_access_key(secret.expose_secret());
                if let Some(token) = session_token {
                    builder = builder.with_token(token.expose_secret());
                }
            }
            Access::Role(variables) => {
                for (name, value) in variables {
                    builder = builder.with_config(name.to_ascii_lowercase().parse()?, value);
                }
            }
        }
        Ok(builder)
    }

    /// The address as the library wants it: with the bucket, if that is part of the host.
    fn host_of(&self, endpoint: &str) -> String {
        match endpoint.split_once("://") {
            Some((scheme, host)) if !self.path_style => format!("{scheme}://{}.{host}", self.name),
            _ => endpoint.to_owned(),
        }
    }
}
