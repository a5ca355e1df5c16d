//! The vendor's calls, with the token: sent, and sent once more with another token if the first one was rejected.

use std::sync::Arc;
use std::time::Duration;

use habeas_domain::IdentifierType;
use http::Method;
use serde_json::json;

use super::errors::{self, Asked};
use super::manifest::{ERASURE, ERASURE_LIST, GENERAL, SEARCH};
use super::paging::{List, Pages};
use super::token::{Session, Token};
use crate::client::{Call, VendorAnswer, VendorClient};
use crate::connector::Subject;
use crate::error::VendorError;
use crate::manifest::EndpointClass;

/// How long the later calls of one piece of work wait for leave. Given back, the work would begin anew and never end.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);

/// Where the envelope names the call.
const REQUEST_ID: &str = "/meta/requestId";

/// What is asked for; the vendor advises at most 100.
const PAGE: &str = "100";
/// Longest list that is read whole, in pages.
const MOST_PAGES: usize = 1000;
/// Longest list of erasures that is read, in pages of 100: with 20 calls a minute it takes long enough.
const MOST_ERASURE_PAGES: usize = 200;

/// The vendor's calls.
#[derive(Debug)]
pub(super) struct Api {
    client: VendorClient,
    session: Session,
}

impl Api {
    pub(super) fn new(client: VendorClient, session: Session) -> Self {
        Self { client, session }
    }

    pub(super) fn client(&self) -> &VendorClient {
        &self.client
    }

    /// A token that says what the client may do now.
    pub(super) async fn fresh_token(&self) -> Result<Arc<Token>, VendorError> {
        self.session.fresh_token().await
    }

    /// Whether the client has `scope`; `None` if the vendor did not say.
    pub(super) async fn has_scope(&self, scope: &str) -> Result<Option<bool>, VendorError> {
        Ok(self.session.token().await?.opens(scope))
    }

    /// Describes a call below `/API/v3`.
    pub(super) fn call(&self, class: EndpointClass, method: Method, segments: &[&str]) -> Call {
        let call = self.client.call(class, method).request_id_at(REQUEST_ID);
        call.path(["API", "v3"]).path(segments.iter().copied())
    }

    /// Sends what `describe` describes. If the vendor rejects the token, exactly once more with another one: a 401 says
    /// that nothing was done.
    pub(super) async fn send(
        &self,
        describe: impl Fn() -> Call + Send + Sync,
    ) -> Result<VendorAnswer, VendorError> {
        let token = self.session.token().await?;
        let (answer, is_rejected) = attempt(describe(), &token).await?;
        if !is_rejected {
            return Ok(answer);
        }
        let Some(token) = self.session.instead_of(&token).await? else { return Ok(answer) };
        Ok(attempt(describe(), &token).await?.0)
    }

    /// The same without a second attempt, for a check that has just seen the token accepted.
    pub(super) async fn send_once(&self, call: Call) -> Result<VendorAnswer, VendorError> {
        let token = self.session.token().await?;
        Ok(attempt(call, &token).await?.0)
    }

    /// `GET /whoami`.
    pub(super) fn who_am_i(&self) -> Call {
        self.call(GENERAL, Method::GET, &["whoami"])
    }

    /// `GET /directories`. Its page size is left to the vendor: a client saw five at most.
    pub(super) fn directories(&self) -> Pages<'_> {
        Pages::new(self, List::of(Asked::Directories, GENERAL, &["directories"], MOST_PAGES))
    }

    /// `POST /directories/{directory}/contacts/search` for an address.
    pub(super) fn search(&self, directory: &str, email: &str) -> Pages<'_> {
        let filter = json!({"filter": {"filterType": "email", "comparison": "eq", "value": email.trim()}});
        let list =
            List::of(Asked::Search, SEARCH, &["directories", directory, "contacts", "search"], MOST_PAGES)
                .query("pageSize", PAGE)
                .query("includeEmbedded", "true")
                .query("includeSegments", "true")
                .posting(filter);
        Pages::new(self, list)
    }

    /// `GET /directories/{directory}/contacts/{contact}/history` of one type (`response`, `email`).
    pub(super) fn history(&self, directory: &str, contact: &str, kind: &str) -> Pages<'_> {
        let segments = ["directories", directory, "contacts", contact, "history"];
        let list = List::of(Asked::History, GENERAL, &segments, MOST_PAGES)
            .query("type", kind)
            .query("pageSize", PAGE);
        Pages::new(self, list)
    }

    /// `GET /users`. No filter by e-mail address is documented.
    pub(super) fn users(&self) -> Pages<'_> {
        Pages::new(self, List::of(Asked::Users, GENERAL, &["users"], MOST_PAGES))
    }

    /// `GET /op-erase-personal-data`.
    pub(super) fn erasures(&self) -> Pages<'_> {
        let list =
            List::of(Asked::ErasureList, ERASURE_LIST, &["op-erase-personal-data"], MOST_ERASURE_PAGES);
        Pages::new(self, list)
    }

    /// `POST /op-erase-personal-data`, for good. It waits for leave: given back, the users would be read anew.
    pub(super) fn erase(&self, emails: &[String]) -> Call {
        self.call(ERASURE, Method::POST, &["op-erase-personal-data"])
            .json(&json!({"emails": emails, "searchOnly": false}))
            .effect()
            .patient(PATIENCE)
    }

    /// The same call as a dry run: it erases nothing, and the list then says for which addresses nothing is held.
    pub(super) fn search_for_erasure(&self, emails: &[String]) -> Call {
        self.call(ERASURE, Method::POST, &["op-erase-personal-data"])
            .json(&json!({"emails": emails, "searchOnly": true}))
            .patient(PATIENCE)
    }
}

async fn attempt(call: Call, token: &Token) -> Result<(VendorAnswer, bool), VendorError> {
    let answer = call.bearer(&token.value).send().await?;
    let is_rejected = errors::is_rejected_token(&answer);
    if !is_rejected {
        token.accepted();
    }
    Ok((answer, is_rejected))
}

/// The addresses of `subjects` as written, each once.
pub(super) fn emails_of<'a>(subjects: impl IntoIterator<Item = &'a Subject>) -> Vec<String> {
    let mut emails: Vec<String> = Vec::new();
    let mut known = std::collections::HashSet::new();
    for email in subjects.into_iter().flat_map(|subject| subject.values(IdentifierType::Email)) {
        if !email.trim().is_empty() && known.insert(IdentifierType::Email.comparable(email)) {
            emails.push(email.trim().to_owned());
        }
    }
    emails
}
