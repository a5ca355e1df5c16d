//! The connection check: proves credentials, scopes and role without changing anything, and reports everything that is
//! missing at once.
//!
//! Two witnesses are heard for each scope: what the vendor says of a token minted for the check, and what it answers to
//! a harmless call. A call that works proves a scope for reading. For the scopes for changing, of which only the reading
//! half is tried, the token's word goes first.

use std::sync::Arc;

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{Api, PATIENCE};
use super::errors::{self, Asked};
use super::manifest::{
    BRAND_ADMINISTRATOR, CONTACTS_SCOPE, DATA_SCOPE, DIRECTORIES_SCOPE, ERASURE_LIST, ERASURE_SCOPE, GENERAL,
    MANIFEST, SEARCH, USERS_SCOPE,
};
use super::token::Token;
use super::values::{self, Fields};
use super::{customer_data, people};
use crate::client::{Call, VendorAnswer};
use crate::connector::{CheckReport, PermissionState};
use crate::error::{ErrorKind, VendorError};
use crate::manifest::is_host_label;

/// An address that nobody has: the domain is reserved for that (RFC 2606).
const NOBODY: &str = "habeas-connection-check@nobody.invalid";
/// More directories are not tried.
const DIRECTORIES_ASKED: usize = 5;
/// The account type of a Brand Administrator.
const ADMINISTRATOR_TYPE: &str = "UT_BRANDADMIN";
/// Data centres that the vendor's own pages know by two names.
const OTHER_NAMES: [(&str, &str); 6] =
    [("co1", "iad1"), ("az1", "sjc1"), ("eu", "fra1"), ("eu2", "fra1"), ("au1", "syd1"), ("syd", "syd1")];

/// What a harmless call showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Probe {
    Works,
    Refused,
    /// Refused because of the role; of the scope nothing is known.
    NotAdministrator,
    Unclear,
}

/// Checks the connection of the data centre that a person entered.
pub(super) async fn report(api: &Api, datacenter_id: &str) -> Result<CheckReport, VendorError> {
    let token = api.fresh_token().await?;
    let mut check = Check { api, token, is_let_in: false, rejection: None, warnings: Vec::new() };
    check.run(datacenter_id).await
}

struct Check<'a> {
    api: &'a Api,
    token: Arc<Token>,
    /// Whether any call was let in with the token.
    is_let_in: bool,
    rejection: Option<VendorError>,
    warnings: Vec<String>,
}

impl Check<'_> {
    async fn run(&mut self, datacenter_id: &str) -> Result<CheckReport, VendorError> {
        let account_type = self.who_am_i(datacenter_id).await?;
        let (directories, ids) = self.directories().await?;
        if !self.is_let_in
            && let Some(rejection) = self.rejection.take()
        {
            return Err(rejection);
        }
        let users = self.probe(self.get(&["users"]), Asked::Users).await?.0;
        let contacts = self.contacts(&ids).await?;
        let erasures = self.api.call(ERASURE_LIST, Method::GET, &["op-erase-personal-data"]);
        let erasures = self.probe(erasures, Asked::ErasureList).await?.0;
        let data = self.customer_data().await?;

        let administrator = self.administrator(&[(ERASURE_SCOPE, erasures), (DATA_SCOPE, data)]);
        if administrator == PermissionState::Granted
            && account_type.is_some_and(|kind| !kind.eq_ignore_ascii_case(ADMINISTRATOR_TYPE))
        {
            self.warnings.push(
                "the account's type is not that of a Brand Administrator, though Qualtrics lets it work as one; if \
                 erasures are refused, make the client as a Brand Administrator"
                    .to_owned(),
            );
        }
        let state = |permission: &str| match permission {
            DATA_SCOPE => self.scope(DATA_SCOPE, data),
            ERASURE_SCOPE => self.scope(ERASURE_SCOPE, erasures),
            DIRECTORIES_SCOPE => self.scope(DIRECTORIES_SCOPE, directories),
            CONTACTS_SCOPE => self.scope(CONTACTS_SCOPE, contacts),
            USERS_SCOPE => self.scope(USERS_SCOPE, users),
            BRAND_ADMINISTRATOR => administrator,
            _ => PermissionState::NotYetProven,
        };
        let report = CheckReport::of(&MANIFEST, state);
        Ok(CheckReport { warnings: std::mem::take(&mut self.warnings), ..report })
    }

    /// `GET /whoami`: the account's type. Which scope it needs is not documented, so a refusal proves nothing.
    async fn who_am_i(&mut self, datacenter_id: &str) -> Result<Option<String>, VendorError> {
        #[derive(Deserialize)]
        struct Proxied {
            #[serde(default)]
            meta: Value,
        }
        let answer = self.api.send(|| self.api.who_am_i().patient(PATIENCE)).await?;
        if !matches!(self.judged(&answer, Asked::WhoAmI)?, Probe::Works) {
            self.warnings.push(
                "Qualtrics does not say whose credentials these are, so the account's type and data centre are not known"
                    .to_owned(),
            );
            return Ok(None);
        }
        let account: Fields = values::result(&answer)?;
        let home =
            values::first_text(&account, &["datacenter", "datacenterId"]).map(|home| home.to_lowercase());
        let is_proxied = answer
            .json::<Proxied>()?
            .meta
            .get("notice")
            .and_then(Value::as_str)
            .is_some_and(|notice| notice.to_lowercase().contains("proxied"));
        if let Some(home) =
            home.filter(|home| is_host_label(home) && !is_same_datacenter(home, datacenter_id))
        {
            self.warnings.push(format!(
                "the account lives in the data centre {home}, not in {datacenter_id}; enter {home} as data-centre id"
            ));
        } else if is_proxied {
            self.warnings.push(
                "Qualtrics passes our calls on to another data centre; check the data-centre id".to_owned(),
            );
        }
        Ok(values::first_text(&account, &["accountType"]))
    }

    async fn directories(&mut self) -> Result<(Probe, Vec<String>), VendorError> {
        #[derive(Deserialize)]
        struct Directories {
            elements: Vec<Fields>,
        }
        let (probe, answer) = self.probe(self.get(&["directories"]), Asked::Directories).await?;
        if probe != Probe::Works {
            return Ok((probe, Vec::new()));
        }
        let directories: Directories = values::result(&answer)?;
        let ids = directories.elements.iter().map(people::directory_id);
        let ids: Option<Vec<String>> = ids.collect();
        Ok((probe, ids.ok_or_else(errors::directory_not_understood)?))
    }

    /// A search that finds nobody, in one directory after the other until one lets itself be searched.
    async fn contacts(&mut self, directories: &[String]) -> Result<Probe, VendorError> {
        let mut seen = Probe::Unclear;
        for directory in directories.iter().take(DIRECTORIES_ASKED) {
            let search = self
                .api
                .call(SEARCH, Method::POST, &["directories", directory, "contacts", "search"])
                .query("pageSize", 1)
                .json(&json!({"filter": {"filterType": "email", "comparison": "eq", "value": NOBODY}}));
            match self.probe(search, Asked::Search).await?.0 {
                Probe::Works => return Ok(Probe::Works),
                Probe::Refused => seen = Probe::Refused,
                Probe::NotAdministrator | Probe::Unclear => {}
            }
        }
        if !directories.is_empty()
            && (seen == Probe::Unclear || self.token.opens(CONTACTS_SCOPE) == Some(true))
        {
            // The client has the scope, so it is the directories that refuse.
            self.warnings.push(
                "no directory lets its contacts be searched (XM Directory Lite does not), so contacts are neither \
                 collected nor can it be proven that they are gone"
                    .to_owned(),
            );
            return Ok(Probe::Unclear);
        }
        Ok(seen)
    }

    /// A look at a customer-data job that cannot exist. How the vendor answers that is not documented beyond "not
    /// found", so a failure of its own proves nothing either.
    async fn customer_data(&mut self) -> Result<Probe, VendorError> {
        let call = customer_data::probe(self.api).patient(PATIENCE);
        match self.api.send_once(call).await {
            Ok(answer) if answer.status == StatusCode::NOT_FOUND || answer.status.is_success() => {
                Ok(Probe::Works)
            }
            Ok(answer) => self.judged(&answer, Asked::DataProgress),
            Err(error) if matches!(error.kind, ErrorKind::Paced | ErrorKind::RateLimited) => Err(error),
            Err(_) => Ok(Probe::Unclear),
        }
    }

    fn get(&self, segments: &[&str]) -> Call {
        self.api.call(GENERAL, Method::GET, segments)
    }

    async fn probe(&mut self, call: Call, asked: Asked) -> Result<(Probe, VendorAnswer), VendorError> {
        let answer = self.api.send_once(call.patient(PATIENCE)).await?;
        let probe = self.judged(&answer, asked)?;
        if probe == Probe::Works {
            // A web page from something in between is no proof.
            values::result::<Value>(&answer)?;
        }
        Ok((probe, answer))
    }

    fn judged(&mut self, answer: &VendorAnswer, asked: Asked) -> Result<Probe, VendorError> {
        let is_rejected = answer.status == StatusCode::UNAUTHORIZED;
        if errors::is_wrong_datacenter(answer) {
            return Err(errors::refused(answer, asked));
        }
        if is_rejected && self.rejection.is_none() {
            self.rejection = Some(errors::refused(answer, asked));
        }
        self.is_let_in |= !is_rejected;
        Ok(match answer.status {
            status if status.is_success() => Probe::Works,
            StatusCode::FORBIDDEN if errors::is_not_administrator(answer, asked) => Probe::NotAdministrator,
            // Whether a missing scope is a 403 or a 401 is not documented.
            StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => Probe::Refused,
            _ => Probe::Unclear,
        })
    }

    fn scope(&self, scope: &'static str, probe: Probe) -> PermissionState {
        let is_for_reading = scope.starts_with("read:");
        match (self.token.opens(scope), probe) {
            (_, Probe::Works) if is_for_reading => PermissionState::Granted,
            (Some(false), _) | (_, Probe::Refused) => PermissionState::Missing,
            (_, Probe::Works) | (Some(true), _) => PermissionState::Granted,
            (None, _) => PermissionState::NotYetProven,
        }
    }

    /// The role shows at what only Brand Administrators may do, unless the scope is missing there.
    fn administrator(&self, probes: &[(&'static str, Probe)]) -> PermissionState {
        let is = |wanted| {
            probes.iter().any(|(scope, probe)| *probe == wanted && self.token.opens(scope) != Some(false))
        };
        if is(Probe::NotAdministrator) {
            PermissionState::Missing
        } else if is(Probe::Works) {
            PermissionState::Granted
        } else {
            PermissionState::NotYetProven
        }
    }
}

fn is_same_datacenter(one: &str, other: &str) -> bool {
    let today = |name: &str| {
        OTHER_NAMES
            .iter()
            .find(|(old, _)| *old == name)
            .map_or_else(|| name.to_owned(), |(_, new)| (*new).to_owned())
    };
    today(one) == today(other)
}
