//! Requests, and what is done to them.

use habeas_casework::intake::NewRequest;
use habeas_casework::queries::{RequestCase, RequestFilter};
use habeas_casework::requests::Start;
use habeas_domain::IdentifierType;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::identifiers::{IdentifierShape, IdentifiersShape, NewSubjectShape};
use super::page;
use super::words::{
    AcknowledgementWord, DeliveryWord, DenialReasonWord, HoldReasonWord, OutcomeWord, RelationshipWord,
    RequestStateWord, RightWord, Word,
};
use crate::problem::Problem;

/// A request as it is sent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewRequest)]
pub(crate) struct NewRequestShape {
    /// What is asked.
    right: RightWord,
    /// Whom it is about.
    subject: NewSubjectShape,
    /// Under which policy (`GET /api/v1/policies`). Without one a person decides in triage.
    policy: Option<String>,
    /// Whether a person looks before anything is delivered or deleted; left out, the installation's setting counts.
    /// `false` needs the role request_admin or super_admin.
    review: Option<bool>,
    /// How an access ends: `api` = the first complete `GET .../package` closes the request; `mail` (the usual) = a link
    /// is mailed to the subject.
    delivery: Option<DeliveryWord>,
    /// When it reached the company, if that was earlier: the legal clock starts then.
    #[serde(default, deserialize_with = "timestamp")]
    #[schema(value_type = Option<String>, format = DateTime)]
    received_at: Option<Timestamp>,
    /// Take it in although the subject has an open request of the same right.
    #[serde(default)]
    force: Option<bool>,
}

impl From<NewRequestShape> for NewRequest {
    fn from(shape: NewRequestShape) -> Self {
        Self {
            right: shape.right.0,
            policy: shape.policy,
            identifiers: shape.subject.given("subject"),
            review: shape.review,
            delivery: shape.delivery.map(|delivery| delivery.0),
            received_at: shape.received_at,
            force: shape.force.unwrap_or(false),
        }
    }
}

fn timestamp<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    let expected = "is not a time; expected RFC 3339, for example 2026-06-01T09:00:00Z";
    text.parse().map(Some).map_err(|_| serde::de::Error::custom(expected))
}

fn date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Date>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    // jiff also reads the date of a whole time, which would be cut without a word.
    let read = if text.len() == 10 { text.parse().ok() } else { None };
    read.map(Some).ok_or_else(|| serde::de::Error::custom("is not a date; expected for example 2026-06-01"))
}

/// What became of one request of many.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BulkItem)]
pub(crate) struct BulkItemShape {
    /// Its place in what was sent, from 0.
    pub(crate) index: usize,
    /// Its id, if it was taken in. A dry run gives none, unless it was under this `Idempotency-Key`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
    /// Why it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<super::problem::ProblemShape>)]
    pub(crate) problem: Option<serde_json::Value>,
}

/// What became of many requests, in the order in which they were sent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BulkResult)]
pub(crate) struct BulkResultShape {
    /// One per request.
    pub(crate) items: Vec<BulkItemShape>,
    /// Whether nothing was written: then what has no problem would be taken in.
    pub(crate) dry_run: bool,
}

/// How many requests are taken in.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct BulkQuery {
    /// Check everything, also for duplicates, and write nothing.
    pub(crate) dry_run: Option<bool>,
}

/// A request.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Request)]
pub(crate) struct RequestShape {
    /// Its id.
    #[schema(example = "req_01920000000070008000000000000001")]
    id: String,
    /// What is asked.
    right: RightWord,
    /// Under which policy.
    policy: String,
    /// Where it stands.
    state: RequestStateWord,
    /// How it ended, once closed.
    outcome: Option<OutcomeWord>,
    /// The hold that lies on it.
    hold: Option<HoldReasonWord>,
    /// What was noted with the hold.
    hold_note: Option<String>,
    /// The text of the denial.
    denial_text: Option<String>,
    /// How it came in.
    source: String,
    /// Whom it is about; null once forgotten.
    subject: Option<SubjectShape>,
    /// What finds the person; empty once forgotten.
    identifiers: Vec<IdentifierShape>,
    /// Whether identifiers and notes were destroyed at the end of retention.
    forgotten: bool,
    /// In which role the company holds the data.
    relationship: Option<RelationshipWord>,
    /// Who works on it. Nobody can be assigned yet.
    #[schema(value_type = Option<String>)]
    assignee: Option<String>,
    /// When it was received.
    #[schema(value_type = String, format = DateTime)]
    received_at: Timestamp,
    /// Last day to answer.
    #[schema(value_type = String, format = Date)]
    due_on: Date,
    /// Last day to acknowledge, where the law asks for it.
    #[schema(value_type = Option<String>, format = Date)]
    acknowledge_due_on: Option<Date>,
    /// The legal clock.
    clock: ClockShape,
    /// When it closed.
    #[schema(value_type = Option<String>, format = DateTime)]
    closed_at: Option<Timestamp>,
    /// Whether a person looks before anything is delivered or deleted.
    review: bool,
    /// How an access ends (`mail`, `api`).
    delivery: String,
    /// How many runs need a person.
    attention: u64,
    /// Mails about it that reached nobody.
    undelivered_mails: u64,
    /// How a person made sure who is asking, if one did.
    verification_note: Option<String>,
    /// When it was taken in.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Who took it in.
    created_by: String,
}

/// Whom a request is about.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Subject)]
pub(crate) struct SubjectShape {
    /// The first e-mail address.
    #[schema(format = Email)]
    email: Option<String>,
}

/// A request's legal clock.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Clock)]
pub(crate) struct ClockShape {
    /// Which clock.
    key: String,
    /// In which version.
    version: i64,
    /// Last day on which an extension is accepted; null where the law foresees none.
    #[schema(value_type = Option<String>, format = Date)]
    cutoff_on: Option<Date>,
    /// Whether it was extended.
    extended: bool,
}

impl From<RequestCase> for RequestShape {
    fn from(case: RequestCase) -> Self {
        let RequestCase { request, details, attention, undelivered_mails } = case;
        let forgotten = details.is_none();
        let details = details.unwrap_or_default();
        let email = details.identifiers.iter().find(|one| one.kind == IdentifierType::Email);
        let subject = (!forgotten).then(|| SubjectShape { email: email.map(|one| one.value.clone()) });
        Self {
            id: request.id.to_string(),
            right: Word(request.right),
            policy: request.policy,
            state: Word(request.state),
            outcome: request.outcome.map(Word),
            hold: request.hold.map(Word),
            hold_note: details.hold_note.filter(|_| request.hold.is_some()),
            denial_text: details.denial_text,
            source: request.source,
            subject,
            identifiers: details.identifiers.into_iter().map(IdentifierShape::from).collect(),
            forgotten,
            relationship: request.relationship.map(Word),
            assignee: None,
            received_at: request.received_at,
            due_on: request.due_on,
            acknowledge_due_on: request.acknowledge_due_on,
            clock: ClockShape {
                key: request.clock_key,
                version: request.clock_version,
                cutoff_on: request.cutoff_on,
                extended: request.extended,
            },
            closed_at: request.closed_at,
            review: request.review,
            delivery: request.delivery,
            attention,
            undelivered_mails,
            verification_note: details.verification_note,
            created_at: request.created_at,
            created_by: request.created_by,
        }
    }
}

/// Which requests to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RequestQuery {
    /// Only those in this state.
    state: Option<RequestStateWord>,
    /// Only those of this right.
    right: Option<RightWord>,
    /// Only open ones due before this date, the nearest date first.
    #[serde(default, deserialize_with = "date")]
    #[param(value_type = Option<String>, format = Date)]
    due_before: Option<Date>,
    /// Items at most: 100 if left out, never more than 200.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

impl RequestQuery {
    /// As casework takes it, with the number of items.
    pub(crate) fn filter(self) -> Result<(RequestFilter, usize), Problem> {
        let filter = RequestFilter {
            state: self.state.map(|word| word.0),
            right: self.right.map(|word| word.0),
            due_before: self.due_before,
            identifier: None,
            after: page::cursor(self.cursor.as_deref())?,
        };
        Ok((filter, page::limit(self.limit)?))
    }
}

/// Whose requests to find: exactly one of the identifiers.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RequestSearch)]
pub(crate) struct RequestSearchShape {
    /// By e-mail address; letter case does not matter.
    email: Option<String>,
    /// By telephone number; spaces and punctuation do not matter.
    phone_number: Option<String>,
    /// By the company's own id.
    user_id: Option<String>,
    /// Only those in this state.
    state: Option<RequestStateWord>,
    /// Only those of this right.
    right: Option<RightWord>,
    /// Items at most: 100 if left out, never more than 200.
    #[schema(minimum = 1, maximum = 200)]
    limit: Option<u64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

impl RequestSearchShape {
    /// As casework takes it, with the number of items.
    pub(crate) fn filter(self) -> Result<(RequestFilter, usize), Problem> {
        let given = [
            (IdentifierType::Email, self.email),
            (IdentifierType::PhoneNumber, self.phone_number),
            (IdentifierType::UserId, self.user_id),
        ];
        let mut given = given.into_iter().filter_map(|(kind, value)| Some((kind, value?)));
        let (Some(identifier), None) = (given.next(), given.next()) else {
            return Err(Problem::field("", "give exactly one of `email`, `phone_number` and `user_id`"));
        };
        let filter = RequestFilter {
            state: self.state.map(|word| word.0),
            right: self.right.map(|word| word.0),
            due_before: None,
            identifier: Some(identifier),
            after: page::cursor(self.cursor.as_deref())?,
        };
        Ok((filter, page::limit(self.limit)?))
    }
}

/// How long to wait for news.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WaitQuery {
    /// Seconds to wait, at most, until the request is closed, delivering, in review, in triage, on hold or needs a
    /// person. Waits of more than two minutes are cut to that.
    pub(crate) wait: Option<u64>,
}

/// What is decided when triage ends.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Start)]
pub(crate) struct StartShape {
    /// Another policy than the one it came with.
    policy: Option<String>,
    /// Another right.
    right: Option<RightWord>,
    /// In which role the company holds the data.
    relationship: Option<RelationshipWord>,
    /// Identifiers in place of those it came with.
    identifiers: Option<IdentifiersShape>,
}

impl From<StartShape> for Start {
    fn from(shape: StartShape) -> Self {
        Self {
            policy: shape.policy,
            right: shape.right.map(|word| word.0),
            relationship: shape.relationship.map(|word| word.0),
            identifiers: shape.identifiers.map(|given| given.given("identifiers")),
        }
    }
}

/// What is confirmed when the review ends.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Process)]
pub(crate) struct ProcessShape {
    /// What a person has understood: `brand_user` (the person also has an account at the vendor that would be deleted;
    /// without it that run waits in attention) and `future_data_blocked` (the vendor also blocks future data;
    /// that is recorded, but no run waits for it).
    #[serde(rename = "acknowledge")]
    pub(crate) acknowledged: Option<Vec<AcknowledgementWord>>,
}

/// Why a request is refused.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Deny)]
pub(crate) struct DenyShape {
    /// The reason from the law's catalogue.
    pub(crate) reason_code: DenialReasonWord,
    /// What the subject is told.
    pub(crate) text: Option<String>,
    /// Whether the subject is told by mail; if left out, yes.
    pub(crate) notify: Option<bool>,
}

/// How a person made sure who is asking.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Verify)]
pub(crate) struct VerifyShape {
    /// In your own words: part of the evidence.
    pub(crate) note: String,
}

/// Why a request is put on hold.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Hold)]
pub(crate) struct HoldShape {
    /// The reason.
    pub(crate) reason: HoldReasonWord,
    /// What colleagues should know.
    pub(crate) note: Option<String>,
}

/// A body without members.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Nothing)]
pub(crate) struct NothingShape {}
