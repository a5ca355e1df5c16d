//! What a test or the control plane says to have something put into the simulator.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::email::{fold, is_plausible};
use super::fixtures;
use super::jobs::JobStatus;
use super::seed;
use super::state::{Client, Contact, State, Token, TokenKind, User};
use super::{ids, jobs, knobs, scopes};

/// A contact to add. Everything has a default; `ContactSpec { email: .., ..Default::default() }` is enough.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ContactSpec {
    /// Id of the directory; left out, the [default one](fixtures::DIRECTORY).
    pub directory: Option<String>,
    /// Id of the contact; left out, one is drawn.
    pub id: Option<String>,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// Email.
    pub email: Option<String>,
    /// Phone number.
    pub phone: Option<String>,
    /// External data reference.
    pub ext_ref: Option<String>,
    /// Language.
    pub language: Option<String>,
    /// Fields the brand made up.
    pub embedded_data: BTreeMap<String, String>,
    /// Whether the contact has left the directory's mails.
    pub unsubscribed: bool,
    /// Ids of mailing lists of that directory to put it on.
    pub lists: Vec<String>,
    /// How many survey responses to invent; every second one is unfinished.
    pub responses: usize,
    /// How many of these get a ticket.
    pub tickets: usize,
    /// How many mails to invent.
    pub mails: usize,
}

/// A user of the brand to add.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UserSpec {
    /// Id of the user; left out, one is drawn.
    pub id: Option<String>,
    /// Email.
    pub email: String,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// Whether it is a Brand Administrator.
    pub brand_administrator: bool,
}

/// What kind of token to add.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenKindSpec {
    /// For `Authorization: Bearer`.
    #[default]
    Bearer,
    /// For `X-API-TOKEN`; acts with all rights of its user.
    Api,
}

/// A token to add.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenSpec {
    /// The token itself.
    pub token: String,
    /// What kind it is.
    #[serde(default)]
    pub kind: TokenKindSpec,
    /// What it may do, for example `read:users`.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Id of the user it acts for; left out, the [administrator](fixtures::ADMIN_USER).
    #[serde(default)]
    pub user: Option<String>,
    /// Seconds until it expires; 0 is expired already; left out, it never expires.
    #[serde(default)]
    pub expires_in: Option<u64>,
    /// The data centre that issued it; left out, this one.
    #[serde(default)]
    pub datacenter: Option<String>,
}

impl TokenSpec {
    /// A bearer token of the administrator that never expires.
    #[must_use]
    pub fn new(token: impl Into<String>, scopes: &[&str]) -> Self {
        Self {
            token: token.into(),
            kind: TokenKindSpec::Bearer,
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            user: None,
            expires_in: None,
            datacenter: None,
        }
    }
}

/// An OAuth client to add or replace.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientSpec {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: String,
    /// What it may ask for; left out, the [five scopes](fixtures::SCOPES) of the integration guide.
    #[serde(default = "usual_scopes")]
    pub scopes: Vec<String>,
    /// Id of the user it acts for; left out, the [administrator](fixtures::ADMIN_USER).
    #[serde(default)]
    pub user: Option<String>,
    /// Grant types it may use; left out, `client_credentials`.
    #[serde(default = "usual_grants")]
    pub grants: Vec<String>,
    /// The data centre that issues its tokens; left out, this one.
    #[serde(default)]
    pub datacenter: Option<String>,
}

impl ClientSpec {
    /// As the demo client, with another id and secret.
    #[must_use]
    pub fn new(id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            secret: secret.into(),
            scopes: usual_scopes(),
            user: None,
            grants: usual_grants(),
            datacenter: None,
        }
    }
}

fn usual_scopes() -> Vec<String> {
    fixtures::SCOPES.iter().map(|scope| (*scope).to_owned()).collect()
}

fn usual_grants() -> Vec<String> {
    vec!["client_credentials".to_owned()]
}

/// An erasure to put into the list as if somebody else had asked for it long ago. It erases nothing and does
/// not count as accepted.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErasureSpec {
    /// Whom it is about.
    pub emails: Vec<String>,
    /// Whether it only looked.
    #[serde(default)]
    pub search_only: bool,
    /// How far it is; a pending one ends when the control plane ends it.
    pub status: JobStatus,
    /// Why it failed.
    #[serde(default)]
    pub failure_reason: Option<String>,
    /// Emails nothing was found for.
    #[serde(default)]
    pub emails_not_found: Vec<String>,
    /// When it was created, in milliseconds since the epoch; left out, now.
    #[serde(default)]
    pub created_ms: Option<u64>,
}

/// Why something was not added or changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpecRefused {
    /// There is no such directory.
    #[error("there is no directory `{0}`")]
    UnknownDirectory(String),
    /// There is no such mailing list in that directory.
    #[error("there is no mailing list `{0}` in that directory")]
    UnknownList(String),
    /// There is no such scope.
    #[error("there is no scope `{0}`")]
    UnknownScope(String),
    /// There is no such user.
    #[error("there is no user `{0}`")]
    UnknownUser(String),
    /// No endpoint has this method and route template.
    #[error("there is no endpoint `{0}`")]
    UnknownEndpoint(String),
    /// Something else has this id.
    #[error("the id `{0}` is taken")]
    IdTaken(String),
    /// An id is a prefix, an underscore and 11 to 15 letters or digits.
    #[error("`{0}` is not a legal id: `{1}_` and 11 to 15 letters or digits")]
    IllegalId(String, &'static str),
    /// No email, or one that is none.
    #[error("`{0}` is not an email")]
    IllegalEmail(String),
}

fn check_id(id: Option<&String>, prefix: &'static str, taken: bool) -> Result<(), SpecRefused> {
    match id {
        Some(id) if !ids::is_legal(id, prefix) => Err(SpecRefused::IllegalId(id.clone(), prefix)),
        Some(id) if taken => Err(SpecRefused::IdTaken(id.clone())),
        _ => Ok(()),
    }
}

fn check_scopes(given: &[String]) -> Result<(), SpecRefused> {
    match given.iter().find(|scope| !scopes::exists(scope)) {
        Some(unknown) => Err(SpecRefused::UnknownScope(unknown.clone())),
        None => Ok(()),
    }
}

impl State {
    pub(super) fn add_contact(&mut self, spec: ContactSpec, now_ms: u64) -> Result<String, SpecRefused> {
        let directory = spec.directory.unwrap_or_else(|| fixtures::DIRECTORY.to_owned());
        let home =
            self.directory(&directory).ok_or_else(|| SpecRefused::UnknownDirectory(directory.clone()))?;
        if let Some(unknown) = spec.lists.iter().find(|id| !home.lists.iter().any(|list| list.id == **id)) {
            return Err(SpecRefused::UnknownList(unknown.clone()));
        }
        let taken = spec.id.as_deref().is_some_and(|id| self.contact_by_id(id).is_some());
        check_id(spec.id.as_ref(), "CID", taken)?;
        let number = self.insert_contact(Contact {
            id: spec.id.unwrap_or_default(),
            directory,
            first_name: Some(spec.first_name),
            last_name: Some(spec.last_name),
            email: spec.email,
            phone: spec.phone,
            ext_ref: spec.ext_ref,
            language: spec.language,
            embedded_data: spec.embedded_data,
            unsubscribed_ms: spec.unsubscribed.then_some(now_ms),
            created_ms: now_ms,
            modified_ms: now_ms,
            ..Contact::default()
        });
        for list in &spec.lists {
            self.join_list(list, number);
        }
        seed::invent_history(self, number, spec.responses, spec.tickets, spec.mails);
        Ok(self.contact(number).map(|contact| contact.id.clone()).unwrap_or_default())
    }

    pub(super) fn add_user(&mut self, spec: UserSpec) -> Result<String, SpecRefused> {
        if !is_plausible(&spec.email) {
            return Err(SpecRefused::IllegalEmail(spec.email));
        }
        let taken = spec.id.as_deref().is_some_and(|id| self.user(id).is_some());
        check_id(spec.id.as_ref(), "UR", taken)?;
        let id = spec.id.unwrap_or_else(|| ids::draw(&mut self.random, "UR"));
        let user_type = if spec.brand_administrator { fixtures::BRAND_ADMIN_TYPE } else { "UT_PARTICIPANT" };
        self.users.push(User {
            id: id.clone(),
            username: format!("{}#{}", spec.email, fixtures::BRAND),
            first_name: spec.first_name,
            last_name: spec.last_name,
            email: spec.email,
            user_type: user_type.to_owned(),
            account_status: "active".to_owned(),
        });
        Ok(id)
    }

    fn known_user(&self, user: Option<String>) -> Result<String, SpecRefused> {
        let user = user.unwrap_or_else(|| fixtures::ADMIN_USER.to_owned());
        if self.user(&user).is_some() { Ok(user) } else { Err(SpecRefused::UnknownUser(user)) }
    }

    pub(super) fn add_token(&mut self, spec: TokenSpec, now_ms: u64) -> Result<(), SpecRefused> {
        check_scopes(&spec.scopes)?;
        let token = Token {
            kind: match spec.kind {
                TokenKindSpec::Bearer => TokenKind::Bearer,
                TokenKindSpec::Api => TokenKind::Api,
            },
            client: None,
            user: self.known_user(spec.user)?,
            scopes: spec.scopes.into_iter().collect(),
            expires_at_ms: spec.expires_in.map(|seconds| now_ms.saturating_add(seconds.saturating_mul(1000))),
            datacenter: spec.datacenter.unwrap_or_else(|| self.knobs.datacenter.clone()),
        };
        self.tokens.insert(spec.token, token);
        Ok(())
    }

    pub(super) fn add_client(&mut self, spec: ClientSpec) -> Result<(), SpecRefused> {
        check_scopes(&spec.scopes)?;
        let client = Client {
            secret: spec.secret,
            scopes: spec.scopes.into_iter().collect(),
            user: self.known_user(spec.user)?,
            grants: spec.grants,
            datacenter: spec.datacenter,
        };
        self.clients.insert(spec.id, client);
        Ok(())
    }

    pub(super) fn plant_erasure(&mut self, spec: ErasureSpec, now_ms: u64) -> Result<String, SpecRefused> {
        let broken = spec.emails.iter().find(|email| !is_plausible(email)).map(String::as_str);
        if let Some(broken) = broken.or(if spec.emails.is_empty() { Some("") } else { None }) {
            return Err(SpecRefused::IllegalEmail(broken.to_owned()));
        }
        let id = format!("OP-{}", ids::uuid(&mut self.random));
        let created_ms = spec.created_ms.unwrap_or(now_ms);
        let job = jobs::Erasure {
            id: id.clone(),
            emails: spec.emails,
            search_only: spec.search_only,
            status: spec.status,
            user: fixtures::ADMIN_USER.to_owned(),
            created_ms,
            updated_ms: created_ms,
            emails_not_found: spec.emails_not_found,
            failure_reason: spec.failure_reason,
            polls: 0,
        };
        let plan = jobs::Plan { completion: knobs::Completion::Manual, failure: None };
        self.erasures.jobs.push((job, plan));
        Ok(id)
    }

    /// How often calls were accepted to erase this email for good.
    pub(super) fn erasures_accepted(&self, email: &str) -> u64 {
        self.erasures.accepted.get(&fold(email)).copied().unwrap_or_default()
    }
}
