//! The routes, and what every call goes through before it reaches its resource.
//!
//! In this order: token (401), path and method (404), the limits (429), permission (401 or 403), ids in the path
//! (422), and then the resource. Own choices: permission comes before existence and before what is in the body, so
//! a client can prove that it may delete by a creation without a body, which is refused in any case; paths are
//! taken as the vendor writes them, without doubled or final slashes.

use std::collections::BTreeSet;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Extension, Path, State as Shared};
use axum::http::Method;
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::any;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::envelope::{self, Failure};
use super::knobs::PublicKnobs;
use super::limits::{Budget, Class};
use super::paging::Page;
use super::query::Query;
use super::{SegmentPublic, catalogue, echo, regulations, workspaces};
use crate::calls::CallHandle;
use crate::clock::pause;
use crate::segment_config::account::{Access, Api, Token, Workspace};
use crate::segment_config::api::credential;
use crate::segment_config::knobs::Knobs;
use crate::segment_config::state::State;

/// The longest id in a path.
const LONGEST_ID: usize = 255;

/// Who may use an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum For {
    Everybody,
    Owners,
}

/// A method on a route template.
#[derive(Clone, Copy, Debug)]
pub(super) struct Endpoint {
    name: &'static str,
    pub(super) class: Class,
    audience: For,
    run: fn(&mut State, &Call<'_>) -> Outcome,
}

const fn read(name: &'static str, run: fn(&mut State, &Call<'_>) -> Outcome) -> Endpoint {
    Endpoint { name, class: Class::Reads, audience: For::Everybody, run }
}

const fn create(name: &'static str, run: fn(&mut State, &Call<'_>) -> Outcome) -> Endpoint {
    Endpoint { name, class: Class::RegulationCreates, audience: For::Owners, run }
}

/// There only with [`PublicKnobs::delete_regulations`].
const DELETE: Endpoint = Endpoint {
    name: "DELETE /regulations/{regulation}",
    class: Class::Reads,
    audience: For::Owners,
    run: regulations::delete,
};

#[rustfmt::skip]
static ENDPOINTS: [Endpoint; 25] = [
    read("GET /", workspaces::get),
    read("GET /sources", workspaces::sources),
    read("GET /sources/{source}", workspaces::source),
    read("GET /sources/{source}/connected-destinations", workspaces::destinations_of_source),
    read("GET /sources/{source}/connected-warehouses", workspaces::warehouses_of_source),
    read("GET /destinations", workspaces::destinations),
    read("GET /destinations/{destination}", workspaces::destination),
    read("GET /warehouses", workspaces::warehouses),
    read("GET /warehouses/{warehouse}", workspaces::warehouse),
    read("GET /warehouses/{warehouse}/connected-sources", workspaces::sources_of_warehouse),
    read("GET /catalog/sources", catalogue::sources),
    read("GET /catalog/sources/{metadata}", catalogue::source),
    read("GET /catalog/destinations", catalogue::destinations),
    read("GET /catalog/destinations/{metadata}", catalogue::destination),
    read("GET /catalog/warehouses", catalogue::warehouses),
    read("GET /catalog/warehouses/{metadata}", catalogue::warehouse),
    create("POST /regulations", regulations::create),
    create("POST /regulations/sources/{source}", regulations::create_in_source),
    create("POST /regulations/cloudsources/{source}", regulations::create_in_cloud_source),
    read("GET /regulations", regulations::list_all),
    read("GET /regulations/{regulation}", regulations::get),
    read("GET /regulations/sources/{source}", regulations::list_of_source),
    DELETE,
    read("GET /suppressions", regulations::suppressions),
    read("GET /echo", echo::echo),
];

impl Endpoint {
    fn method_and_path(&self) -> (&'static str, &'static str) {
        self.name.split_once(' ').unwrap_or(("GET", self.name))
    }

    /// The endpoint of a method and a route template.
    pub(super) fn find(method: &Method, template: &str) -> Option<&'static Self> {
        ENDPOINTS.iter().find(|endpoint| endpoint.method_and_path() == (method.as_str(), template))
    }

    fn exists(&self, knobs: &PublicKnobs) -> bool {
        knobs.delete_regulations || self.name != DELETE.name
    }
}

/// The ids in a path; those its route does not have are empty.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Keys {
    pub(super) source: String,
    pub(super) destination: String,
    pub(super) warehouse: String,
    pub(super) regulation: String,
    pub(super) metadata: String,
}

impl Keys {
    fn check(&self) -> Result<(), Failure> {
        let all = [
            ("sourceId", &self.source),
            ("destinationId", &self.destination),
            ("warehouseId", &self.warehouse),
            ("regulateId", &self.regulation),
            ("metadataId", &self.metadata),
        ];
        match all.iter().find(|(_, key)| key.chars().count() > LONGEST_ID) {
            Some((name, _)) => Err(Failure::bad_input(name, "must have 1 to 255 characters")),
            None => Ok(()),
        }
    }
}

/// A call that may go ahead.
pub(super) struct Call<'a> {
    pub(super) parts: &'a Parts,
    pub(super) body: &'a [u8],
    pub(super) keys: &'a Keys,
    pub(super) handle: &'a CallHandle,
    pub(super) token: &'a Token,
    /// Those of both APIs.
    pub(super) knobs: Knobs,
    /// Those of this one.
    pub(super) public: PublicKnobs,
    pub(super) now_ms: u64,
}

/// What an endpoint answers.
pub(super) enum Answer {
    Data(Value),
    /// A regulation was created, and this is left of the quota.
    Regulated(Value, Budget),
}

pub(super) type Outcome = Result<Answer, Failure>;

impl Call<'_> {
    /// The one workspace of the token.
    pub(super) fn workspace<'s>(&self, state: &'s State) -> Result<&'s Workspace, Failure> {
        state.workspace(&self.token.workspace).ok_or_else(Failure::not_found)
    }

    /// The page of a list the call asks for.
    pub(super) fn list<T>(
        &self,
        key: &str,
        items: impl Iterator<Item = T>,
        view: impl FnMut(T) -> Value,
    ) -> Outcome {
        let (page, pagination) = Page::of(&Query::of(self.parts), &self.public)?.of_items(items);
        let page: Vec<_> = page.into_iter().map(view).collect();
        Ok(Answer::Data(json!({ key: page, "pagination": pagination })))
    }
}

pub(super) fn router(public: SegmentPublic) -> Router {
    let templates: BTreeSet<&str> = ENDPOINTS.iter().map(|endpoint| endpoint.method_and_path().1).collect();
    let mut router = Router::new();
    for template in templates {
        router = router.route(
            template,
            any(
                async move |Shared(public): Shared<SegmentPublic>,
                            Path(keys): Path<Keys>,
                            Extension(handle): Extension<CallHandle>,
                            parts: Parts,
                            body: Bytes| {
                    if template == echo::PATH {
                        // Real time, as a latency fault is, and before anything is looked at.
                        pause(echo::delay(&parts)).await;
                    }
                    public.answer(Endpoint::find(&parts.method, template), &keys, &handle, &parts, &body)
                },
            ),
        );
    }
    router
        .fallback(
            async |Shared(public): Shared<SegmentPublic>,
                   Extension(handle): Extension<CallHandle>,
                   parts: Parts| { public.answer(None, &Keys::default(), &handle, &parts, &[]) },
        )
        // The body was read and bounded before; what is too much is for the vendor to say.
        .layer(DefaultBodyLimit::disable())
        .with_state(public)
}

impl SegmentPublic {
    fn answer(
        &self,
        endpoint: Option<&Endpoint>,
        keys: &Keys,
        handle: &CallHandle,
        parts: &Parts,
        body: &[u8],
    ) -> Response {
        let segment = &self.0.segment;
        let mut state = segment.state();
        let mut own = self.own();
        // Asked for under the locks, so that no call sees a later time than one that is answered after it.
        let now_ms = segment.0.clock.now_ms();
        let public = own.knobs;
        let outcome = (|| {
            let credential = credential(parts).ok_or_else(Failure::no_token)?;
            let token = state.token(&credential, Api::Public).ok_or_else(Failure::bad_token)?.clone();
            let endpoint = endpoint.filter(|endpoint| endpoint.exists(&public));
            let endpoint = endpoint.ok_or_else(Failure::not_found)?;
            let budget = own.limits.admit(&credential, endpoint.class, &public, now_ms)?;
            if endpoint.audience == For::Owners && token.access != Access::Owner {
                return Err(Failure::no_permission(&public));
            }
            keys.check()?;
            let knobs = state.knobs;
            let call = Call { parts, body, keys, handle, token: &token, knobs, public, now_ms };
            Ok(match (endpoint.run)(&mut state, &call)? {
                Answer::Data(data) => (data, budget),
                Answer::Regulated(data, quota) => (data, quota),
            })
        })();
        match outcome {
            Ok((data, budget)) => {
                let mut response = envelope::success(&data);
                budget.tell(&mut response, &public);
                response
            }
            Err(failure) => failure.answer(&public),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_endpoint_can_be_found() {
        for endpoint in &ENDPOINTS {
            let (method, path) = endpoint.method_and_path();
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            assert_eq!(Endpoint::find(&method, path).unwrap().name, endpoint.name);
        }
        assert!(Endpoint::find(&Method::DELETE, "/regulations").is_none());
    }

    #[test]
    fn ids_have_a_longest_length() {
        let keys = |length| Keys { source: "é".repeat(length), ..Keys::default() };
        assert!(keys(LONGEST_ID).check().is_ok() && keys(LONGEST_ID + 1).check().is_err());
    }
}
