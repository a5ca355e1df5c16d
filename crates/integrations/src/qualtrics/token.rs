//! Access tokens: client-credentials grant, one token per client, shared by all its connections.
//!
//! **Single flight.** Whoever needs a token while one is being minted waits for that one and shares its outcome, also
//! a failure: wrong credentials are sent once, not once per waiting caller.
//!
//! **A rejected token** is dropped and replaced once. If the replacement is rejected as well before any call was
//! accepted with it, that is final: for [`STORM_GUARD`] nobody mints again because of it.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use http::header::AUTHORIZATION;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::api::PATIENCE;
use super::manifest::{GENERAL, SCOPES};
use super::settings::Credentials;
use super::{errors, values};
use crate::client::{VendorAnswer, VendorClient};
use crate::error::VendorError;

/// A token is renewed this long before it expires.
const RENEW_BEFORE: Duration = Duration::from_secs(60);
/// What a token lives if the vendor does not say (all sources say an hour).
const USUAL_LIFETIME: Duration = Duration::from_secs(3600);
/// Longer lifetimes are not believed.
const LONGEST_LIFETIME: Duration = Duration::from_secs(86_400);
/// How long a rejected replacement keeps everybody from minting again.
const STORM_GUARD: Duration = Duration::from_secs(60);
/// Tokens are opaque; the bound is only against accidents.
const LONGEST_TOKEN: usize = 8192;

/// The tokens of all clients. Keeps no secret of a client, only a keyed digest of it.
#[derive(Default)]
pub(super) struct TokenStore {
    digests: [RandomState; 2],
    accounts: Mutex<HashMap<[u64; 2], Arc<Account>>>,
}

impl TokenStore {
    /// The account of a client. With another secret it is another account, so that a token which was minted with the
    /// right secret never hides that the new one is wrong.
    pub(super) fn account(&self, client: &VendorClient, credentials: &Credentials) -> Arc<Account> {
        let identity =
            (client.base_url().as_str(), &credentials.client_id, credentials.client_secret.expose_secret());
        let key = [0, 1].map(|half: usize| self.digests[half].hash_one(identity));
        let now = client.environment().now();
        let mut accounts = locked(&self.accounts);
        // A removed connection's token goes as soon as it is of no use.
        accounts.retain(|known, account| {
            *known == key || Arc::strong_count(account) > 1 || account.current(now, None).is_some()
        });
        Arc::clone(accounts.entry(key).or_default())
    }
}

/// Shows no key and no token.
impl fmt::Debug for TokenStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TokenStore")
    }
}

/// What a panicking thread left behind is still whole here: every change is a single assignment.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The token of one client.
#[derive(Debug, Default)]
pub(super) struct Account {
    minting: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    token: Option<Arc<Token>>,
    /// How many mints have ended.
    mints: u64,
    /// Why the last one failed.
    failure: Option<VendorError>,
}

impl Account {
    fn current(&self, now: Timestamp, except: Option<&Arc<Token>>) -> Option<Arc<Token>> {
        let state = locked(&self.state);
        let token = state.token.as_ref()?;
        let is_usable = now < token.renew_at && except.is_none_or(|other| !Arc::ptr_eq(token, other));
        is_usable.then(|| Arc::clone(token))
    }
}

/// An access token.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) value: SecretString,
    /// What the vendor says that it opens.
    scopes: Option<Vec<String>>,
    minted_at: Timestamp,
    renew_at: Timestamp,
    /// Whether it was minted because the one before it was rejected.
    is_replacement: bool,
    was_accepted: AtomicBool,
}

impl Token {
    /// A call was let in with it.
    pub(super) fn accepted(&self) {
        self.was_accepted.store(true, Ordering::Relaxed);
    }

    /// Whether it opens `scope`; `None` if the vendor did not say.
    pub(super) fn opens(&self, scope: &str) -> Option<bool> {
        let managed = scope.replacen("read:", "manage:", 1);
        let scopes = self.scopes.as_ref()?;
        Some(scopes.iter().any(|known| *known == scope || *known == managed || known == "manage:all"))
    }
}

/// One connection's way to its client's token.
#[derive(Debug)]
pub(super) struct Session {
    client: VendorClient,
    credentials: Credentials,
    account: Arc<Account>,
}

impl Session {
    pub(super) fn new(client: VendorClient, credentials: Credentials, account: Arc<Account>) -> Self {
        Self { client, credentials, account }
    }

    /// The client's token, minted if there is none.
    pub(super) async fn token(&self) -> Result<Arc<Token>, VendorError> {
        self.other_than(None, false).await
    }

    /// A token minted now, so that it says what the client may do now.
    pub(super) async fn fresh_token(&self) -> Result<Arc<Token>, VendorError> {
        let known = locked(&self.account.state).token.clone();
        self.other_than(known.as_ref(), false).await
    }

    /// Another token in place of one that the vendor rejected; `None` if that is final.
    pub(super) async fn instead_of(&self, rejected: &Arc<Token>) -> Result<Option<Arc<Token>>, VendorError> {
        let age = self.client.environment().now().duration_since(rejected.minted_at);
        let was_never_good = rejected.is_replacement && !rejected.was_accepted.load(Ordering::Relaxed);
        if was_never_good && Duration::try_from(age).unwrap_or_default() < STORM_GUARD {
            return Ok(None);
        }
        self.other_than(Some(rejected), true).await.map(Some)
    }

    async fn other_than(
        &self,
        except: Option<&Arc<Token>>,
        is_replacement: bool,
    ) -> Result<Arc<Token>, VendorError> {
        let clock = self.client.environment();
        let mints_seen = locked(&self.account.state).mints;
        if let Some(token) = self.account.current(clock.now(), except) {
            return Ok(token);
        }
        let _alone = self.account.minting.lock().await;
        if let Some(token) = self.account.current(clock.now(), except) {
            return Ok(token);
        }
        {
            let state = locked(&self.account.state);
            if state.mints != mints_seen
                && let Some(failure) = &state.failure
            {
                return Err(failure.clone());
            }
        }
        let minted = self.mint(is_replacement).await.map(Arc::new);
        let mut state = locked(&self.account.state);
        state.mints += 1;
        state.token = minted.as_ref().ok().cloned();
        state.failure = minted.as_ref().err().cloned();
        minted
    }

    async fn mint(&self, is_replacement: bool) -> Result<Token, VendorError> {
        let mut answer = self.ask(Some(&SCOPES.join(" "))).await?;
        let mut proven = None;
        if errors::is_invalid_scope(&answer) {
            // The client has not all of them. Without a scope the token is for what it has, and says so.
            answer = self.ask(None).await?;
            if answer.status.is_success() && answer.json::<Granted>()?.scopes().is_none() {
                // It does not say so, and may then be for nothing at all: that is not documented.
                let scopes = self.scopes_one_by_one().await?;
                if !scopes.is_empty() {
                    answer = self.ask(Some(&scopes.join(" "))).await?;
                }
                proven = Some(scopes.into_iter().map(str::to_owned).collect());
            }
        }
        if !answer.status.is_success() {
            return Err(errors::token_refused(&answer));
        }
        let minted_at = self.client.environment().now();
        let granted: Granted = answer.json()?;
        let lifetime = granted.lifetime();
        let renew_after = lifetime.saturating_sub(RENEW_BEFORE.min(lifetime / 2));
        let renew_at = minted_at.checked_add(renew_after).unwrap_or(minted_at);
        let scopes = granted.scopes().or(proven);
        let value = granted.into_token().ok_or_else(|| errors::token_not_understood(&answer))?;
        let was_accepted = AtomicBool::new(false);
        Ok(Token { value, scopes, minted_at, renew_at, is_replacement, was_accepted })
    }

    /// Which scopes the client has, from a token asked for each alone.
    async fn scopes_one_by_one(&self) -> Result<Vec<&'static str>, VendorError> {
        let mut has = Vec::new();
        for scope in SCOPES {
            let answer = self.ask(Some(scope)).await?;
            if answer.status.is_success() {
                has.push(scope);
            } else if !errors::is_invalid_scope(&answer) {
                return Err(errors::token_refused(&answer));
            }
        }
        Ok(has)
    }

    /// `POST /oauth2/token`, which is not below `/API/v3`. The client goes into the header only.
    async fn ask(&self, scope: Option<&str>) -> Result<VendorAnswer, VendorError> {
        let Credentials { client_id, client_secret } = &self.credentials;
        let client = Zeroizing::new(format!("{client_id}:{}", client_secret.expose_secret()));
        let basic = Zeroizing::new(format!("Basic {}", STANDARD.encode(client.as_bytes())));
        let fields = [Some(("grant_type", "client_credentials")), scope.map(|scope| ("scope", scope))];
        self.client
            .call(GENERAL, Method::POST)
            .path(["oauth2", "token"])
            .secret_header(AUTHORIZATION, &basic)
            .form(fields.into_iter().flatten())
            .patient(PATIENCE)
            .send()
            .await
    }
}

/// The vendor's answer. Everything but the token is read tolerantly.
#[derive(Deserialize)]
struct Granted {
    access_token: SecretString,
    #[serde(default)]
    token_type: Value,
    #[serde(default)]
    expires_in: Value,
    #[serde(default)]
    scope: Value,
}

impl Granted {
    fn lifetime(&self) -> Duration {
        let seconds = values::number(&self.expires_in).map(|seconds| seconds.max(0.0));
        let lifetime = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        lifetime.unwrap_or(USUAL_LIFETIME).min(LONGEST_LIFETIME)
    }

    fn scopes(&self) -> Option<Vec<String>> {
        let scopes: Vec<String> = match &self.scope {
            Value::String(text) => text
                .split(|character: char| character.is_whitespace() || character == ',')
                .filter(|scope| !scope.is_empty())
                .map(str::to_owned)
                .collect(),
            Value::Array(list) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        (!scopes.is_empty()).then_some(scopes)
    }

    fn into_token(self) -> Option<SecretString> {
        let is_bearer = match &self.token_type {
            Value::Null => true,
            kind => kind.as_str().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("bearer")),
        };
        let value = self.access_token.expose_secret();
        let fits =
            (1..=LONGEST_TOKEN).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_graphic());
        (is_bearer && fits).then_some(self.access_token)
    }
}
