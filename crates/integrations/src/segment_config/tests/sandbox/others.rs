//! What others do in the workspace, and how lists are cut into pages.

use http::Method;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::*;
use crate::segment_config::api::REGULATIONS_PAGE;
use crate::segment_config::manifest::API;

/// How lists of regulations are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// The Config API gives no more than so many at once, whatever is asked for.
    Capped(usize),
    /// As many come as are asked for.
    AsAsked,
    /// The same, and a whole page of them was created by others later than what is looked for.
    Crowded,
}

impl Stage {
    pub(super) async fn cutting((face, cut): (Face, Cut)) -> Self {
        let page_cap = match cut {
            Cut::Capped(most) => Some(most),
            Cut::AsAsked | Cut::Crowded => None,
        };
        Self::with(face, KnobsPatch { page_cap, ..KnobsPatch::default() }).await
    }

    /// Has others create what lies before, where there is to be any.
    pub(super) async fn crowd(&self, cut: Cut) {
        if cut == Cut::Crowded {
            self.create_many(REGULATIONS_PAGE).await;
        }
    }

    /// So many deletions of others.
    pub(super) async fn create_many(&self, count: u32) {
        let client = self.older_client();
        for number in 0..count {
            let others = format!("u-{number}");
            create_at_config(&client, &of_users("Suppress_With_Delete", &[&others])).await;
        }
    }

    /// A regulation that somebody else creates, over the Config API.
    pub(super) async fn create(&self, kind: &str, values: &[&str]) {
        create_at_config(&self.older_client(), &of_users(kind, values)).await;
    }

    /// The same of objects, of which only a source knows what they are.
    pub(super) async fn create_of_objects(&self, kind: &str, values: &[&str]) {
        let body = json!({"regulation_type": kind, "attributes": {"name": "objectId", "values": values},
                          "collection": "workspaces/acme-shop/sources/salesforce/contacts"});
        create_at_config(&self.older_client(), &body).await;
    }

    /// A regulation that somebody else creates over the Public API, which has kinds of its own.
    pub(super) async fn create_at_public(&self, kind: &str, values: &[&str]) {
        let client = self.client().newer_api().unwrap();
        let body = json!({"regulationType": kind, "subjectType": "USER_ID", "subjectIds": values});
        create(&client, &["regulations"], PUBLIC_TOKEN, &body).await;
    }
}

fn of_users(kind: &str, values: &[&str]) -> Value {
    json!({"regulation_type": kind, "attributes": {"name": "userId", "values": values}})
}

async fn create_at_config(client: &VendorClient, body: &Value) {
    create(client, &["v1beta", "workspaces", WORKSPACE, "regulations"], TOKEN, body).await;
}

async fn create(client: &VendorClient, path: &[&str], token: &str, body: &Value) {
    let call = client.call(API, Method::POST).path(path.iter().copied());
    let answer = call.bearer(&SecretString::from(token)).json(body).send().await.unwrap();
    assert!(answer.status.is_success(), "{}", answer.status);
}
