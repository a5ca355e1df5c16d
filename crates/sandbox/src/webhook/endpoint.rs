//! The one address that takes every message.
//!
//! In this order: signature and time (401), repeated `webhook-id` (the first answer again), its form (400), the body
//! (400 or 422), and then what the message asks for.

use axum::Router;
use axum::extract::{DefaultBodyLimit, Extension, State as Shared};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Webhook;
use super::answers::Answer;
use super::jobs::{JobKind, Wanted};
use super::knobs::{AccessAnswer, Capability, FindAnswer, StatusAnswer};
use super::messages::MessageRecord;
use super::protocol::{self, Identifier, Message};
use super::signature::{self, Sending};
use super::state::State;
use crate::calls::CallHandle;

/// Where messages go to.
const PATH: &str = "/habeas";

pub(super) fn router(webhook: Webhook) -> Router {
    Router::new()
        .route(PATH, post(take))
        .fallback(async || Answer::refused(StatusCode::NOT_FOUND, "messages go to /habeas"))
        .method_not_allowed_fallback(async || {
            Answer::refused(StatusCode::METHOD_NOT_ALLOWED, "messages are sent with POST")
        })
        // The body was read and bounded before.
        .layer(DefaultBodyLimit::disable())
        .with_state(webhook)
}

async fn take(
    Shared(webhook): Shared<Webhook>,
    Extension(handle): Extension<CallHandle>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let system = &webhook.0.system;
    let answer = {
        let mut state = system.settled();
        // Asked for under the lock, so that no message sees a later time than one that is answered after it.
        let now_ms = system.clock.now_ms();
        state.take(&handle, &headers, body, now_ms)
    };
    system.changed();
    answer
}

impl State {
    fn take(&mut self, call: &CallHandle, headers: &HeaderMap, body: Bytes, now_ms: u64) -> Answer {
        let checked_at = self.knobs.timestamps_checked.then_some(now_ms);
        let opened = signature::open(&self.knobs.secrets(), headers, &body, checked_at);
        let mut record = MessageRecord {
            id: headers.get(signature::ID).and_then(|id| id.to_str().ok()).map(str::to_owned),
            kind: protocol::type_of(&body),
            rejection: opened.as_ref().err().copied(),
            repeated: None,
            effect: false,
            status: 0,
            arrived_ms: now_ms,
        };
        let answer = match opened {
            Err(rejection) => rejection.into(),
            Ok(sending) => {
                if let Some((first, repeated)) = self.messages.answered(&sending.id, &body) {
                    record.repeated = Some(repeated);
                    first
                } else {
                    let jobs_before = self.job_count();
                    let answer = self.answer(&sending, &body, now_ms).unwrap_or_else(|refusal| refusal);
                    record.effect = self.job_count() > jobs_before;
                    // Own choice: a refusal changed nothing, so the message is looked at anew when it comes again.
                    if answer.status.is_success() {
                        self.messages.remember(sending.id, body, answer.clone());
                    }
                    answer
                }
            }
        };
        if record.effect {
            call.took_effect();
        }
        record.status = answer.status.as_u16();
        self.messages.note(record);
        answer
    }

    fn answer(&mut self, sending: &Sending, body: &[u8], now_ms: u64) -> Result<Answer, Answer> {
        if !protocol::is_message_id(&sending.id) {
            return Err(Answer::refused(StatusCode::BAD_REQUEST, "webhook-id is not legal"));
        }
        match Message::read(body)? {
            Message::Check => Ok(Answer::ok(&json!({"capabilities": self.knobs.capabilities}))),
            Message::Access(identifiers) => {
                self.offers(Capability::Access)?;
                // Own choice: what is to fail fails as a job, because only a job can.
                if self.knobs.access == AccessAnswer::AtOnce && self.knobs.failure.is_none() {
                    let found = self.people.find(&identifiers);
                    return Ok(Answer::ok(&found.result(self.knobs.empty_lists)));
                }
                Ok(self.take_on(JobKind::Access, identifiers, sending, now_ms))
            }
            Message::Deletion(identifiers) => {
                self.offers(Capability::Deletion)?;
                Ok(self.take_on(JobKind::Deletion, identifiers, sending, now_ms))
            }
            Message::Find { identifiers, since } => self.find(&identifiers, since),
            Message::Status(job) => Ok(Answer::ok(&self.status(&job))),
        }
    }

    /// Own choice: whoever asks for what `connection.check` does not offer is refused for what is in the message.
    fn offers(&self, capability: Capability) -> Result<(), Answer> {
        if self.knobs.capabilities.contains(&capability) {
            return Ok(());
        }
        Err(Answer::refused(StatusCode::UNPROCESSABLE_ENTITY, "this system does not do that"))
    }

    fn take_on(
        &mut self,
        kind: JobKind,
        identifiers: Vec<Identifier>,
        sending: &Sending,
        now_ms: u64,
    ) -> Answer {
        let wanted = Wanted { kind, identifiers, sent_seconds: sending.timestamp };
        Answer::accepted(&self.accept(wanted, now_ms))
    }

    fn find(&self, identifiers: &[Identifier], since: Timestamp) -> Result<Answer, Answer> {
        let unsupported = |status| Err(Answer::refused(status, "this system does not know deletion.find"));
        match self.knobs.find {
            FindAnswer::NotFound => unsupported(StatusCode::NOT_FOUND),
            FindAnswer::BadRequest => unsupported(StatusCode::BAD_REQUEST),
            FindAnswer::Supported => {
                Ok(Answer::ok(&json!({"job": self.newest_deletion(identifiers, since)})))
            }
        }
    }

    fn status(&mut self, job: &str) -> Value {
        let pending = json!({"status": "pending"});
        let (empty_lists, answer) = (self.knobs.empty_lists, self.knobs.status);
        let known = self.asked(job);
        match (answer, known) {
            (StatusAnswer::AlwaysPending, _) => pending,
            (_, None) => json!({"status": "unknown"}),
            (_, Some(job)) => job.outcome().map_or(pending, |outcome| outcome.result(empty_lists)),
        }
    }
}
