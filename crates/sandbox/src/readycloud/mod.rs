//! ReadyCloud: organisations with contacts, addresses and orders behind OAuth2 tokens and two rate limits.
//!
//! Where the vendor reference is silent or only infers something, the choice made here is marked
//! "own choice" at the place that makes it, and is a [knob](Knobs) if a client could care.

mod auth;
mod contacts;
mod control;
pub mod fixtures;
mod input;
mod keys;
mod knobs;
mod limits;
mod oauth;
mod orders;
mod paging;
mod routes;
mod seed;
mod specs;
mod state;
mod views;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::http::Method;
use axum::http::request::Parts;
use axum::response::Response;
use serde_json::Value;

use crate::clock::Clock;
use crate::random::Random;
use crate::vendors::{Environment, Vendor};

pub use knobs::{Consent, ErrorDialect, Knobs, KnobsPatch, SlashlessWrite};
pub use specs::{AddressSpec, ContactSpec, SpecRefused, TokenSpec};

use state::State;

/// The simulator, seen from within the process. Clones are the same simulator.
#[derive(Clone, Debug)]
pub struct ReadyCloud(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    state: Mutex<State>,
}

impl ReadyCloud {
    pub(crate) fn new(environment: &Environment) -> Self {
        let mut state = State::new(Random::for_purpose(environment.seed, "readycloud.keys"));
        fixtures::plant_first(&mut state);
        seed::populate(&mut state, environment.people, environment.seed);
        fixtures::plant_last(&mut state);
        Self(Arc::new(Inner { clock: environment.clock.clone(), state: Mutex::new(state) }))
    }

    /// Adds a contact behind the vendor's back, as a store sync would, and answers its key.
    ///
    /// # Errors
    /// When the organisation is unknown, or the wanted key is taken or not a legal key.
    pub fn add_contact(&self, spec: ContactSpec) -> Result<String, SpecRefused> {
        let now_ms = self.0.clock.now_ms();
        self.state().add_contact(spec, now_ms)
    }

    /// Removes a contact behind the client's back; false when there is none. Not an effect of any call.
    pub fn remove_contact(&self, key: &str) -> bool {
        self.state().remove_contact(key)
    }

    /// A contact as the API shows it, notes expanded; `None` when it does not exist (any more).
    #[must_use]
    pub fn contact(&self, key: &str) -> Option<Value> {
        let state = self.state();
        let contact = state.contact_by_key(key)?;
        serde_json::to_value(views::contact(contact, true)).ok()
    }

    /// Keys of the contacts with this email on any address, ignoring case and outer white space, in every
    /// organisation including deleted ones, in order of creation.
    #[must_use]
    pub fn contacts_with_email(&self, email: &str) -> Vec<String> {
        self.state().contacts_with_email(email)
    }

    /// How many contacts there are in all organisations, deleted ones included.
    #[must_use]
    pub fn contact_count(&self) -> usize {
        self.state().contact_count()
    }

    /// How many contacts one organisation has; `None` when there is no such organisation.
    #[must_use]
    pub fn contact_count_in(&self, org: &str) -> Option<usize> {
        self.state().org(org).map(|org| org.contacts.len())
    }

    /// Adds a token or replaces the one of that name.
    ///
    /// # Errors
    /// When a scope or an organisation does not exist.
    pub fn add_token(&self, spec: TokenSpec) -> Result<(), SpecRefused> {
        let now_ms = self.0.clock.now_ms();
        self.state().add_token(spec, now_ms)
    }

    /// Makes a token expire now; false when there is no such token.
    pub fn expire_token(&self, token: &str) -> bool {
        let now_ms = self.0.clock.now_ms();
        self.state().expire_token(token, now_ms)
    }

    /// Takes a token away: from now on it "doesn't exist". False when it did not exist.
    pub fn revoke_token(&self, token: &str) -> bool {
        self.state().tokens.remove(token).is_some()
    }

    /// Sets both limits per client and minute; `None` is no limit.
    pub fn set_limits(&self, get: Option<u32>, other: Option<u32>) {
        let mut state = self.state();
        state.knobs.get_per_minute = get;
        state.knobs.other_per_minute = other;
    }

    /// How the simulator behaves where the vendor reference leaves it open.
    #[must_use]
    pub fn knobs(&self) -> Knobs {
        self.state().knobs
    }

    /// Changes some of the knobs.
    pub fn turn(&self, patch: KnobsPatch) {
        self.state().knobs.apply(patch);
    }

    /// Everything the vendor holds, as its API shows it: organisations with their contacts and orders.
    #[must_use]
    pub fn snapshot(&self) -> Value {
        views::snapshot(&self.state())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Vendor for ReadyCloud {
    fn name(&self) -> &'static str {
        "readycloud"
    }

    fn api(&self) -> Router {
        routes::router(self.clone())
    }

    fn control(&self) -> Router {
        control::router(self.clone())
    }

    /// Everything below `/api/v2/` counts; the OAuth endpoints have no limit of their own.
    fn class(&self, call: &Parts) -> Option<&'static str> {
        call.uri.path().starts_with("/api/v2/").then(|| limits::Class::of(&call.method).name())
    }

    fn account(&self, call: &Parts) -> Option<String> {
        let token = auth::credential(call, b"")?;
        self.state().tokens.get(&token).map(|token| token.client.clone())
    }

    fn deletion_target(&self, call: &Parts) -> Option<String> {
        if call.method != Method::DELETE {
            return None;
        }
        // With or without the slash at the end: a call that missed the route was meant for the contact too.
        let rest = call.uri.path().strip_prefix("/api/v2/orgs/")?;
        let mut parts = rest.trim_end_matches('/').split('/');
        let (_, collection, key) = (parts.next()?, parts.next()?, parts.next()?);
        (collection == "contacts" && parts.next().is_none()).then(|| keys::decode(key))
    }

    fn rate_limited(&self, retry_after: Option<u64>) -> Response {
        limits::throttled(retry_after)
    }

    fn token_expired(&self) -> Response {
        auth::Refusal::Expired.answer(self.state().knobs.error_dialect)
    }

    fn scope_missing(&self, scope: &str) -> Response {
        auth::Refusal::MissingScope(scope.to_owned()).answer(self.state().knobs.error_dialect)
    }

    fn next_pointer(&self) -> &'static str {
        "/next"
    }

    fn next_link(&self, call: &Parts) -> String {
        let knobs = self.knobs();
        paging::Window::of(call, &knobs).next_link(call)
    }
}
