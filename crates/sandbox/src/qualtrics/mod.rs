//! Qualtrics: a brand with directories of contacts, survey responses and users; erasures and customer data
//! requests are jobs that end some time after they were accepted.
//!
//! Where the vendor reference is silent or only infers something, the choice made here is marked
//! "own choice" at the place that makes it, and is a [knob](Knobs) if a client could care.

mod archive;
mod auth;
mod base64;
mod contacts;
mod control;
mod customer_data;
mod email;
mod envelope;
mod erasure;
pub mod fixtures;
mod ids;
mod input;
mod jobs;
mod knobs;
mod limits;
mod lists;
mod oauth;
mod paging;
mod routes;
mod scopes;
mod search;
mod seed;
mod specs;
mod state;
mod template;
mod times;
mod users;
mod vendor;
mod views;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::clock::Clock;
use crate::random::Random;
use crate::vendors::Environment;

pub use jobs::{CustomerDataRequest, Erasure, JobStatus};
pub use knobs::{
    BrandAdministrators, Completion, ErasureShape, ExcessScope, ForeignApiToken, HistoryTimes, Knobs,
    KnobsPatch, OmittedScope, RateLimitHeaders, Refusal, RequestId, TokenErrors,
};
pub use specs::{ClientSpec, ContactSpec, ErasureSpec, SpecRefused, TokenKindSpec, TokenSpec, UserSpec};
pub use template::{CustomerDataTemplate, FileFormat};

use routes::Endpoint;
use state::State;

/// The simulator, seen from within the process. Clones are the same simulator.
#[derive(Clone, Debug)]
pub struct Qualtrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    state: Mutex<State>,
}

impl Qualtrics {
    pub(crate) fn new(environment: &Environment) -> Self {
        let mut state = State::new(Random::for_purpose(environment.seed, "qualtrics.ids"));
        fixtures::plant_first(&mut state);
        seed::populate(&mut state, environment.people, environment.seed);
        fixtures::plant_last(&mut state);
        Self(Arc::new(Inner { clock: environment.clock.clone(), state: Mutex::new(state) }))
    }

    /// How the simulator behaves where the vendor reference leaves it open.
    #[must_use]
    pub fn knobs(&self) -> Knobs {
        self.state().knobs.clone()
    }

    /// Changes some of the knobs.
    ///
    /// # Errors
    /// When a limit is for an endpoint that does not exist, or a scope does not exist. Nothing is changed then.
    pub fn turn(&self, patch: KnobsPatch) -> Result<(), SpecRefused> {
        let mut names = patch.endpoint_limits.iter().flat_map(BTreeMap::keys);
        if let Some(unknown) = names.find(|name| !Endpoint::exists(name)) {
            return Err(SpecRefused::UnknownEndpoint(unknown.clone()));
        }
        if let Some(Some(unknown)) = patch
            .whoami_scope
            .as_ref()
            .filter(|scope| scope.as_deref().is_some_and(|scope| !scopes::exists(scope)))
        {
            return Err(SpecRefused::UnknownScope(unknown.clone()));
        }
        self.state().knobs.apply(patch);
        Ok(())
    }

    /// Lifts all limits.
    pub fn lift_limits(&self) {
        self.state().knobs.limits_enforced = false;
    }

    /// Sets the limit per minute of one endpoint, by method and route template below `/API/v3`, for example
    /// `POST /op-erase-personal-data`; `None` is no limit.
    ///
    /// # Errors
    /// When there is no such endpoint.
    pub fn set_limit(&self, endpoint: &str, per_minute: Option<u32>) -> Result<(), SpecRefused> {
        if !Endpoint::exists(endpoint) {
            return Err(SpecRefused::UnknownEndpoint(endpoint.to_owned()));
        }
        self.state().knobs.endpoint_limits.insert(endpoint.to_owned(), per_minute);
        Ok(())
    }

    /// Adds a contact behind the client's back and answers its id.
    ///
    /// # Errors
    /// When the directory or a list is unknown, or the wanted id is taken or not a legal id.
    pub fn add_contact(&self, spec: ContactSpec) -> Result<String, SpecRefused> {
        let now_ms = self.0.clock.now_ms();
        self.state().add_contact(spec, now_ms)
    }

    /// Removes a contact behind the client's back; false when there is none. Not an effect of any call.
    pub fn remove_contact(&self, id: &str) -> bool {
        let now_ms = self.0.clock.now_ms();
        self.state().remove_contact(id, now_ms)
    }

    /// A contact as the API shows a single one; `None` when it does not exist (any more).
    #[must_use]
    pub fn contact(&self, id: &str) -> Option<Value> {
        let state = self.settled();
        state.contact_by_id(id).map(|contact| views::contact(&state, contact))
    }

    /// Ids of the contacts with this email in all directories, ignoring case and outer white space, in order of
    /// creation.
    #[must_use]
    pub fn contacts_with_email(&self, email: &str) -> Vec<String> {
        self.settled().contacts_with_email(email).map(|contact| contact.id.clone()).collect()
    }

    /// How many contacts there are in all directories.
    #[must_use]
    pub fn contact_count(&self) -> usize {
        self.settled().contact_count()
    }

    /// How many contacts one directory has; `None` when there is no such directory.
    #[must_use]
    pub fn contact_count_in(&self, directory: &str) -> Option<usize> {
        self.settled().directory(directory).map(|directory| directory.contacts.len())
    }

    /// Ids of the survey responses linked to this email, in order of creation.
    #[must_use]
    pub fn responses_with_email(&self, email: &str) -> Vec<String> {
        self.settled().responses_with_email(email).map(|(_, response)| response.id.clone()).collect()
    }

    /// Ids of the tickets created from the responses linked to this email.
    #[must_use]
    pub fn tickets_with_email(&self, email: &str) -> Vec<String> {
        let state = self.settled();
        let responses = state.responses_with_email(email);
        responses.filter_map(|(number, _)| Some(state.tickets.get(&number)?.id.clone())).collect()
    }

    /// Makes a directory an "XMD Lite" one, or a full one again; false when there is no such directory.
    pub fn set_lite(&self, directory: &str, lite: bool) -> bool {
        match self.state().directory_mut(directory) {
            Some(directory) => {
                directory.lite = lite;
                true
            }
            None => false,
        }
    }

    /// Adds a user of the brand and answers its id.
    ///
    /// # Errors
    /// When the email is none, or the wanted id is taken or not a legal id.
    pub fn add_user(&self, spec: UserSpec) -> Result<String, SpecRefused> {
        self.state().add_user(spec)
    }

    /// Removes a user of the brand; false when there is none. Its tokens and clients no longer work.
    pub fn remove_user(&self, id: &str) -> bool {
        let mut state = self.state();
        let before = state.users.len();
        state.users.retain(|user| user.id != id);
        state.users.len() != before
    }

    /// Ids of the users of the brand with this email, ignoring case and outer white space.
    #[must_use]
    pub fn users_with_email(&self, email: &str) -> Vec<String> {
        self.settled().users_with_email(email).map(|user| user.id.clone()).collect()
    }

    /// Adds an OAuth client or replaces the one of that id.
    ///
    /// # Errors
    /// When a scope or the user does not exist.
    pub fn add_client(&self, spec: ClientSpec) -> Result<(), SpecRefused> {
        self.state().add_client(spec)
    }

    /// Takes a client and all its tokens away; false when there is no such client.
    pub fn revoke_client(&self, id: &str) -> bool {
        let mut state = self.state();
        state.tokens.retain(|_, token| token.client.as_deref() != Some(id));
        state.clients.remove(id).is_some()
    }

    /// Adds a token or replaces the one of that name.
    ///
    /// # Errors
    /// When a scope or the user does not exist.
    pub fn add_token(&self, spec: TokenSpec) -> Result<(), SpecRefused> {
        let now_ms = self.0.clock.now_ms();
        self.state().add_token(spec, now_ms)
    }

    /// Makes every token expire now, whoever holds it; how many there were. New ones can be had at once.
    pub fn expire_tokens(&self) -> usize {
        let now_ms = self.0.clock.now_ms();
        let mut state = self.state();
        for token in state.tokens.values_mut() {
            token.expires_at_ms = Some(now_ms);
        }
        state.tokens.len()
    }

    /// Takes a token away. False when it did not exist.
    pub fn revoke_token(&self, token: &str) -> bool {
        self.state().tokens.remove(token).is_some()
    }

    /// Every erasure request, oldest first, dry runs and planted ones included.
    #[must_use]
    pub fn erasures(&self) -> Vec<Erasure> {
        self.settled().erasures.jobs.iter().map(|(job, _)| job.clone()).collect()
    }

    /// How many calls were accepted to erase this email for good; dry runs do not count.
    #[must_use]
    pub fn erasures_accepted(&self, email: &str) -> u64 {
        self.state().erasures_accepted(email)
    }

    /// The same for every email, in lower case.
    #[must_use]
    pub fn all_erasures_accepted(&self) -> BTreeMap<String, u64> {
        self.state().erasures.accepted.clone()
    }

    /// Puts an erasure into the list as if somebody else had asked for it, and answers its id.
    ///
    /// # Errors
    /// When there is no email, or one that is none.
    pub fn add_erasure(&self, spec: ErasureSpec) -> Result<String, SpecRefused> {
        let now_ms = self.0.clock.now_ms();
        self.state().plant_erasure(spec, now_ms)
    }

    /// Ends a pending erasure now, with its effect, or with a reason as failed and without any. False when no
    /// pending erasure has this id.
    pub fn finish_erasure(&self, id: &str, failure: Option<&str>) -> bool {
        let now_ms = self.0.clock.now_ms();
        let mut state = self.settled();
        let position = state.erasures.position(id);
        let is_pending = |position: &usize| state.erasures.jobs[*position].0.status == JobStatus::Pending;
        let Some(position) = position.filter(is_pending) else { return false };
        state.end_erasure(position, failure.map(str::to_owned), now_ms);
        true
    }

    /// Every customer data request, oldest first.
    #[must_use]
    pub fn customer_data_requests(&self) -> Vec<CustomerDataRequest> {
        self.settled().data_jobs.iter().map(|data| data.job.clone()).collect()
    }

    /// Ends a pending customer data request now, or with a reason as failed. False when no pending request has
    /// this id.
    pub fn finish_customer_data_request(&self, id: &str, failure: Option<&str>) -> bool {
        let now_ms = self.0.clock.now_ms();
        let mut state = self.settled();
        let mut jobs = state.data_jobs.iter();
        let position = jobs.position(|data| data.job.id == id && data.job.status == JobStatus::Pending);
        let Some(position) = position else { return false };
        state.end_data_job(position, failure.map(str::to_owned), now_ms);
        true
    }

    /// Everything the vendor holds about people: directories with their contacts, responses, tickets, users.
    #[must_use]
    pub fn snapshot(&self) -> Value {
        views::snapshot(&self.settled())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state after every job that is due by the clock has ended.
    fn settled(&self) -> MutexGuard<'_, State> {
        let now_ms = self.0.clock.now_ms();
        let mut state = self.state();
        state.settle(now_ms);
        state
    }
}
