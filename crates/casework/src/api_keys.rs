//! API keys: who may call, with which roles.

use std::collections::BTreeSet;

use habeas_domain::{Actor, ApiKeyId, Permission, Role};
use habeas_store::api_keys::{self, ApiKey};
use habeas_store::audit::Stream;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use crate::Casework;
use crate::error::CaseworkError;

/// What every key starts with, so that scanners of leaked secrets know it.
const PREFIX: &str = "habeas_";
const FINGERPRINT: &str = "api key";

/// Why a key opens nothing.
#[derive(Clone, Debug, thiserror::Error)]
pub enum KeyRefused {
    /// No such key.
    #[error("this API key is not known; create one with `habeas keys create`")]
    Unknown,
    /// It was revoked.
    #[error("this API key ({0}) was revoked; ask for a new one")]
    Revoked(ApiKeyId),
    /// The store failed.
    #[error(transparent)]
    Casework(#[from] CaseworkError),
}

impl Casework {
    /// Makes a key. The key itself is returned once and kept nowhere.
    ///
    /// # Errors
    /// If the actor may not make keys, or would hand on more than it has.
    pub async fn create_api_key(
        &self,
        actor: &Actor,
        name: &str,
        roles: BTreeSet<Role>,
    ) -> Result<(ApiKey, SecretString), CaseworkError> {
        actor.require(Permission::ManageApiKeys)?;
        let name = name.trim().to_owned();
        if name.is_empty() || name.chars().count() > 80 || name.chars().any(char::is_control) {
            let message = "must have 1 to 80 characters and no control characters";
            return Err(CaseworkError::field("name", message));
        }
        if roles.is_empty() {
            let known: Vec<_> = Role::ALL.iter().map(|role| role.as_str()).collect();
            return Err(CaseworkError::field("roles", format!("is empty; choose from {}", known.join(", "))));
        }
        for role in &roles {
            actor.require_to_grant(*role)?;
        }
        let environment = self.store.environment();
        let secret = SecretString::from(format!("{PREFIX}{}", hex::encode(environment.random::<24>())));
        let key = ApiKey {
            id: ApiKeyId::new(environment.unique()),
            name,
            roles,
            created_at: environment.now(),
            created_by: actor.name.clone(),
            revoked_at: None,
        };
        let fingerprint = self.store.keyring().fingerprint(FINGERPRINT, secret.expose_secret().as_bytes());
        let (actor, stored) = (actor.clone(), key.clone());
        self.store
            .write(move |unit| {
                Box::pin(async move {
                    api_keys::insert(unit.connection(), &stored, fingerprint).await?;
                    let data = json!({"name": stored.name, "roles": stored.roles});
                    unit.record(Stream::System, &actor, "api_key.created", stored.id, data);
                    Ok::<_, CaseworkError>(())
                })
            })
            .await?;
        Ok((key, secret))
    }

    /// All keys, revoked ones included; never the keys themselves.
    ///
    /// # Errors
    /// If the actor may not list them.
    pub async fn api_keys(&self, actor: &Actor) -> Result<Vec<ApiKey>, CaseworkError> {
        actor.require(Permission::ReadApiKeys)?;
        Ok(api_keys::list(&mut self.store.reader().await?).await?)
    }

    /// Revokes a key; revoking twice is no error.
    ///
    /// # Errors
    /// If there is no such key, or the actor may not revoke keys.
    pub async fn revoke_api_key(&self, actor: &Actor, id: ApiKeyId) -> Result<(), CaseworkError> {
        actor.require(Permission::ManageApiKeys)?;
        let actor = actor.clone();
        self.store
            .write(move |unit| {
                Box::pin(async move {
                    let now = unit.now();
                    let revoked = api_keys::revoke(unit.connection(), id, now)
                        .await?
                        .ok_or_else(|| CaseworkError::not_found("API key", id))?;
                    if revoked {
                        unit.record(Stream::System, &actor, "api_key.revoked", id, json!({}));
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Who calls with this key.
    ///
    /// # Errors
    /// If the key opens nothing.
    pub async fn actor_of_key(&self, key: &str) -> Result<Actor, KeyRefused> {
        let fingerprints = self.store.keyring().fingerprints(FINGERPRINT, key.as_bytes());
        let mut reader = self.store.reader().await.map_err(CaseworkError::from)?;
        let found = api_keys::find(&mut reader, &fingerprints).await.map_err(CaseworkError::from)?;
        match found {
            None => Err(KeyRefused::Unknown),
            Some(key) if key.revoked_at.is_some() => Err(KeyRefused::Revoked(key.id)),
            Some(key) => Ok(Actor::with_roles(key.id.to_string(), key.roles)),
        }
    }
}
