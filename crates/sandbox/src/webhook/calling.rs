//! Sending callbacks: at once when somebody asks for it, and by itself where an address is set.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::callbacks::{Delivery, Forgery, NextCallback};
use super::signature::{ID, SignedMessage};
use super::specs::CallbackNotSent;
use super::system::System;

/// How long an answer to a callback may take, in real time.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where callbacks go to: an absolute address of `http` or `https`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CallbackAddress(Url);

/// Why a text is not an address that can be called back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an address for callbacks is absolute and begins with http:// or https://")]
pub struct InvalidAddress;

impl TryFrom<String> for CallbackAddress {
    type Error = InvalidAddress;

    fn try_from(text: String) -> Result<Self, InvalidAddress> {
        let url = Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        url.map(Self).ok_or(InvalidAddress)
    }
}

impl std::str::FromStr for CallbackAddress {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        text.to_owned().try_into()
    }
}

impl From<CallbackAddress> for String {
    fn from(address: CallbackAddress) -> Self {
        address.0.into()
    }
}

impl fmt::Display for CallbackAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl System {
    /// Sends one callback and waits for the answer.
    pub(super) async fn send(
        &self,
        job: &str,
        to: &str,
        forgery: Option<Forgery>,
    ) -> Result<Delivery, CallbackNotSent> {
        let delivery = self.deliver(job, &to.parse()?, forgery, false).await;
        delivery.ok_or_else(|| CallbackNotSent::NothingToTell(job.to_owned()))
    }

    /// `None` when there is nothing to tell of this job (any more).
    async fn deliver(
        &self,
        job: &str,
        to: &CallbackAddress,
        forgery: Option<Forgery>,
        automatic: bool,
    ) -> Option<Delivery> {
        let message = self.settled().callback(job, forgery, self.clock.now_ms())?;
        let id = message.headers.get(ID).and_then(|id| id.to_str().ok()).map(str::to_owned);
        let answer = self.post(to, message).await;
        let answered_ms = self.clock.now_ms();
        let (status, code, error) = match answer {
            Ok((status, code)) => (Some(status), code, None),
            // The address was given by whoever reads this, and may hold a credential.
            Err(error) => (None, None, Some(error.without_url().to_string())),
        };
        let delivery =
            Delivery { job: job.to_owned(), id, forgery, automatic, answered_ms, status, code, error };
        self.delivered(delivery.clone());
        Some(delivery)
    }

    /// Status, and the code of a problem document.
    async fn post(
        &self,
        to: &CallbackAddress,
        message: SignedMessage,
    ) -> Result<(u16, Option<String>), reqwest::Error> {
        let client = self.client.get_or_try_init(async || client()).await?;
        let call = client
            .post(to.0.clone())
            .headers(message.headers)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .body(message.body);
        let answer = call.send().await?;
        let status = answer.status().as_u16();
        let body: Option<Value> = answer.json().await.ok();
        let code = body.as_ref().and_then(|body| body.get("code")?.as_str()).map(str::to_owned);
        Ok((status, code))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the sandbox is somebody else's machine: it has its own client"
)]
fn client() -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(PATIENCE)
        .build()
}

/// Calls back what is due, one after the other, for as long as the simulator is there. It waits by the sandbox's clock:
/// moving that forward lets it go on at once.
pub(super) async fn call_back(system: Arc<System>) {
    loop {
        let next = system.settled().next_callback(system.clock.now_ms());
        match next {
            // Should it not have ended quite yet, or be forgotten meanwhile, the next look finds it so.
            NextCallback::Now { job, to } => drop(system.deliver(&job, &to, None, true).await),
            NextCallback::At(ms) => tokio::select! {
                () = system.clock.reach(ms) => {}
                () = system.change() => {}
            },
            NextCallback::Never => system.change().await,
        }
    }
}
