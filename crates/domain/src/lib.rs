//! What a privacy request is and what may happen to it: pure values and rules.
//!
//! No I/O, no async, no clock of its own: time comes in as a parameter. Every other crate asks this one
//! whether a move is legal, what a plan looks like and when an answer is due.
//!
//! ```
//! use habeas_domain::lifecycle::{Action, RequestState, target};
//!
//! assert_eq!(target(RequestState::Triage, Action::Start), Ok(RequestState::Collecting));
//! assert!(target(RequestState::Closed, Action::Start).is_err());
//! ```

pub mod capability;
pub mod id;
pub mod identifier;
pub mod information;
pub mod legal_clock;
pub mod lifecycle;
pub mod moment;
pub mod operation;
pub mod plan;
pub mod policy;
pub mod reason;
pub mod right;
pub mod role;
pub mod run;
pub mod settlement;
pub mod vocabulary;

pub use id::{
    ApiKeyId, ConnectionId, DueWorkId, EventId, LinkId, MailId, ObjectId, OperationId, RecordId, RequestId,
    RunId, UserId, WorkerId,
};
pub use identifier::{Identifier, IdentifierSource, IdentifierType};
pub use lifecycle::{Action, Outcome, RequestState};
pub use right::Right;
pub use role::{Actor, Permission, Role};
pub use run::{Phase, RunStatus};
