//! API keys.

use std::collections::BTreeSet;

use habeas_domain::Role;
use habeas_store::api_keys::ApiKey;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::words::{RoleWord, Word};

/// A key to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewApiKey)]
pub(crate) struct NewApiKeyShape {
    /// What it is for.
    pub(crate) name: String,
    /// What it may do; not more than its maker.
    roles: Vec<RoleWord>,
}

impl NewApiKeyShape {
    /// The roles, each once.
    pub(crate) fn roles(&self) -> BTreeSet<Role> {
        self.roles.iter().map(|role| role.0).collect()
    }
}

/// An API key; never the key itself.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ApiKey)]
pub(crate) struct ApiKeyShape {
    /// Its id: the actor in the audit log.
    pub(crate) id: String,
    /// What it is for.
    name: String,
    /// What it may do.
    roles: Vec<RoleWord>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// By whom.
    created_by: String,
    /// When it was revoked.
    #[schema(value_type = Option<String>, format = DateTime)]
    revoked_at: Option<Timestamp>,
}

impl From<ApiKey> for ApiKeyShape {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id.to_string(),
            name: key.name,
            roles: key.roles.into_iter().map(Word).collect(),
            created_at: key.created_at,
            created_by: key.created_by,
            revoked_at: key.revoked_at,
        }
    }
}

/// A key that was just made.
#[derive(Serialize, ToSchema)]
#[schema(as = CreatedApiKey)]
pub(crate) struct CreatedApiKeyShape {
    #[serde(flatten)]
    pub(crate) stored: ApiKeyShape,
    /// The key itself, shown this once and kept nowhere.
    pub(crate) key: String,
}
