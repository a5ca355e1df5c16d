//! Segment, as its Config API (v1beta) and its Public API show it: a workspace with sources, their destinations, a
//! catalogue, and regulations by which people are deleted and suppressed.
//!
//! What the vendor holds lies beside this file and knows no API; the `api` folder shows it as the Config API
//! does, and `public_api` as the newer one. They are two hosts with one state behind them. Where the vendor reference is silent or only infers something, the choice made here is marked
//! "own choice" at the place that makes it, and is a [knob](Knobs) if a client could care.

mod account;
mod api;
mod catalogue;
mod control;
pub mod fixtures;
mod ids;
mod knobs;
mod people;
mod planting;
mod public_api;
mod quota;
mod regulation;
mod seed;
mod specs;
mod state;
mod times;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde_json::Value;

use crate::clock::Clock;
use crate::random::Random;
use crate::vendors::{Environment, Vendor};

pub use account::{Access, Api, ConnectionMode};
pub use knobs::{
    BadToken, EndOfList, Knobs, KnobsPatch, LibraryConfig, Oversize, QuotaCounts, UnsetTime, Unsupported,
    WorkspaceName,
};
pub use people::Profile;
pub use public_api::{
    LastPage, PartTime, Permission, PublicKnobs, PublicKnobsPatch, QuotaHeaders, SegmentPublic, SubjectTypes,
};
pub use quota::QuotaUse;
pub use regulation::{Attribute, RegulationType, SEGMENT};
pub use specs::{
    DestinationOutcome, DestinationSpec, EventSpec, RegulationPlan, RegulationRecord, SourceSpec,
    SpecRefused, TokenSpec, WarehouseSpec,
};

use state::State;

/// The simulator, seen from within the process. Clones are the same simulator.
#[derive(Clone, Debug)]
pub struct SegmentConfig(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    state: Mutex<State>,
}

impl SegmentConfig {
    pub(crate) fn new(environment: &Environment) -> Self {
        let mut state = State::new(Random::for_purpose(environment.seed, "segment.ids"));
        fixtures::plant(&mut state);
        seed::populate(&mut state, environment.people, environment.seed);
        Self(Arc::new(Inner { clock: environment.clock.clone(), state: Mutex::new(state) }))
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

    /// Sets the calls per token and minute; `None` is no limit.
    pub fn set_limit(&self, per_minute: Option<u32>) {
        self.state().knobs.requests_per_minute = per_minute;
    }

    /// Adds a token or replaces the one of that name.
    ///
    /// # Errors
    /// When the workspace does not exist.
    pub fn add_token(&self, spec: TokenSpec) -> Result<(), SpecRefused> {
        self.state().add_token(spec)
    }

    /// Takes a token away: from now on it is not known. False when it was not known before.
    pub fn revoke_token(&self, token: &str) -> bool {
        self.state().tokens.remove(token).is_some()
    }

    /// Adds a source to a workspace.
    ///
    /// # Errors
    /// When the workspace or the catalogue entry does not exist, or the slug is taken or not legal.
    pub fn add_source(&self, spec: SourceSpec) -> Result<(), SpecRefused> {
        let now_ms = self.0.clock.now_ms();
        self.state().add_source(spec, now_ms)
    }

    /// Connects a destination to a source.
    ///
    /// # Errors
    /// When the workspace, the source or the catalogue entry does not exist, or the source has it already.
    pub fn add_destination(&self, spec: DestinationSpec) -> Result<(), SpecRefused> {
        let now_ms = self.0.clock.now_ms();
        self.state().add_destination(spec, now_ms)
    }

    /// Adds a warehouse to a workspace and answers its id.
    ///
    /// # Errors
    /// When the workspace, the catalogue entry or a source does not exist.
    pub fn add_warehouse(&self, spec: WarehouseSpec) -> Result<String, SpecRefused> {
        self.state().add_warehouse(spec)
    }

    /// Data of a person comes in from a source. False when it is thrown away, because the person is suppressed or
    /// the source is not enabled.
    ///
    /// # Errors
    /// When the workspace or the source does not exist.
    pub fn receive(&self, event: &EventSpec) -> Result<bool, SpecRefused> {
        self.state().receive(event)
    }

    /// What is known under a user id; `None` when there is no data (any more).
    #[must_use]
    pub fn profile(&self, workspace: &str, user_id: &str) -> Option<Profile> {
        self.state().workspace(workspace)?.people.get(user_id).cloned()
    }

    /// Whether there is data under a user id.
    #[must_use]
    pub fn has_data(&self, workspace: &str, user_id: &str) -> bool {
        self.profile(workspace, user_id).is_some()
    }

    /// User ids whose data carries this email, ignoring case and outer white space. The email itself is among
    /// them when it is in use as a user id.
    #[must_use]
    pub fn user_ids_with_email(&self, workspace: &str, email: &str) -> Vec<String> {
        self.state().workspace(workspace).map(|it| it.people.with_email(email)).unwrap_or_default()
    }

    /// How many user ids have data; `None` when there is no such workspace.
    #[must_use]
    pub fn user_id_count(&self, workspace: &str) -> Option<usize> {
        self.state().workspace(workspace).map(|it| it.people.len())
    }

    /// User ids suppressed for the whole workspace.
    #[must_use]
    pub fn suppressed(&self, workspace: &str) -> BTreeSet<String> {
        let state = self.state();
        state.workspace(workspace).map(|it| it.suppressions.in_workspace().clone()).unwrap_or_default()
    }

    /// What the next regulation that is created is to do. Plans are used up one per regulation, in order.
    ///
    /// # Errors
    /// When no source has a destination the plan names.
    pub fn plan_next(&self, plan: RegulationPlan) -> Result<(), SpecRefused> {
        let mut state = self.state();
        state.check_plan(&plan)?;
        state.plans.push_back(plan);
        Ok(())
    }

    /// Forgets the plans that were not used up.
    pub fn clear_plans(&self) {
        self.state().plans.clear();
    }

    /// Changes how a regulation goes on. What was carried out already stays so.
    ///
    /// # Errors
    /// When there is no such regulation, or no source has a destination the plan names.
    pub fn amend_regulation(&self, id: &str, plan: &RegulationPlan) -> Result<(), SpecRefused> {
        self.state().amend(id, plan)
    }

    /// Every regulation that was ever accepted, oldest first, also when the API no longer shows it.
    #[must_use]
    pub fn regulations(&self) -> Vec<RegulationRecord> {
        let now_ms = self.0.clock.now_ms();
        self.state().records(now_ms)
    }

    /// One of them.
    #[must_use]
    pub fn regulation(&self, id: &str) -> Option<RegulationRecord> {
        let now_ms = self.0.clock.now_ms();
        self.state().record(id, now_ms)
    }

    /// In how many regulations that delete people this value was accepted, over all workspaces. A regulation that was
    /// deleted before it started counts too.
    #[must_use]
    pub fn accepted_for_deletion(&self, value: &str) -> u64 {
        self.state().acceptances().get(value).copied().unwrap_or(0)
    }

    /// The same for every value that was accepted at least once.
    #[must_use]
    pub fn acceptances(&self) -> BTreeMap<String, u64> {
        self.state().acceptances().clone()
    }

    /// What regulations of this calendar month used up; `None` when there is no such workspace.
    #[must_use]
    pub fn quota_used(&self, workspace: &str) -> Option<QuotaUse> {
        let now_ms = self.0.clock.now_ms();
        self.state().workspace(workspace).map(|it| it.quota.used(now_ms))
    }

    /// Everything the vendor holds: workspaces with their sources and destinations as the Config API shows them,
    /// their warehouses, and the people whose data there is.
    #[must_use]
    pub fn snapshot(&self) -> Value {
        api::snapshot(&self.state())
    }

    /// The state with everything carried out that has become due meanwhile.
    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.settle(self.0.clock.now_ms());
        state
    }
}

impl Vendor for SegmentConfig {
    fn name(&self) -> &'static str {
        "segment_config"
    }

    fn api(&self) -> Router {
        api::router(self.clone())
    }

    fn control(&self) -> Router {
        control::router(self.clone())
    }

    fn route(&self, call: &Parts) -> Option<&'static str> {
        api::Route::of(call.uri.path()).map(|route| route.resource.template())
    }

    /// One limit for everything that is routed at all.
    fn class(&self, call: &Parts) -> Option<&'static str> {
        api::is_routed(call.uri.path()).then_some("all")
    }

    fn account(&self, call: &Parts) -> Option<String> {
        api::credential(call).filter(|token| self.state().token(token, Api::Config).is_some())
    }

    /// The id of a regulation that is to be taken back. Deletions of people are POSTs: the evidence for them
    /// are [`regulations`](SegmentConfig::regulations) and
    /// [`accepted_for_deletion`](SegmentConfig::accepted_for_deletion).
    fn deletion_target(&self, call: &Parts) -> Option<String> {
        let route = api::Route::of(call.uri.path()).filter(|_| call.method == Method::DELETE)?;
        (route.resource == api::Resource::Regulation).then_some(route.keys.regulation)
    }

    fn error_body(&self, status: StatusCode) -> Value {
        api::error_body(status)
    }

    fn rate_limited(&self, retry_after: Option<u64>) -> Response {
        api::Failure::RateLimited(retry_after).answer()
    }

    fn token_expired(&self) -> Response {
        api::Failure::BadToken(self.knobs().bad_token).answer()
    }

    fn scope_missing(&self, _: &str) -> Response {
        api::Failure::InsufficientScope.answer()
    }

    fn next_pointer(&self) -> &'static str {
        "/next_page_token"
    }

    fn next_link(&self, call: &Parts) -> String {
        api::token_behind(call, &self.knobs())
    }
}
