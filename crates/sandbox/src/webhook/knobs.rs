//! What can be set differently: everything the protocol lets a system choose, and how well it works.

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer, Serialize};

use super::calling::CallbackAddress;
use super::fixtures;
use super::signature::Secret;

/// What a system says it can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// Show what it holds about a person.
    Access,
    /// Delete it.
    Deletion,
}

/// How `access.requested` is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessAnswer {
    /// 202 with a job.
    ByJob,
    /// 200 with the result.
    AtOnce,
}

/// How names of jobs look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobNames {
    /// Letters, digits and hyphens.
    Plain,
    /// With every character they may have, `/` and `+` among them.
    EveryCharacter,
    /// 256 characters.
    Longest,
}

/// What `job.status` is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatusAnswer {
    /// The truth.
    Results,
    /// `pending`, whatever is asked: results are called back only.
    AlwaysPending,
}

/// What `deletion.find` is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindAnswer {
    /// The job, or `null`.
    Supported,
    /// 404: it was never written.
    NotFound,
    /// 400: likewise.
    BadRequest,
}

/// What becomes of lists in an access result that have nothing in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmptyLists {
    /// `[]`.
    Shown,
    /// There is no such field.
    LeftOut,
}

/// A system behind this one that did not delete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// Its name.
    pub system: String,
    /// In a word.
    pub status: String,
    /// In a sentence.
    pub note: String,
}

/// One line per knob: `name: Type = default;`.
macro_rules! knobs {
    ($($(#[$doc:meta])+ $name:ident: $kind:ty = $default:expr;)+) => {
        /// How the simulator behaves.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
        pub struct Knobs {
            $($(#[$doc])+ pub $name: $kind,)+
        }

        impl Default for Knobs {
            fn default() -> Self {
                Self { $($name: $default,)+ }
            }
        }

        /// A change of some knobs: what is left out stays. Where a knob may be nothing, `null` makes it so.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct KnobsPatch {
            $(
                #[doc = concat!("See [`Knobs::", stringify!($name), "`].")]
                #[serde(deserialize_with = "present")]
                pub $name: Option<$kind>,
            )+
        }

        impl Knobs {
            pub(super) fn apply(&mut self, patch: KnobsPatch) {
                $(
                    if let Some(value) = patch.$name {
                        self.$name = value;
                    }
                )+
            }
        }
    };
}

knobs! {
    /// Signs what is called back, and is accepted in messages.
    secret: Secret = fixtures::secret();
    /// Accepted as well, and callbacks carry a signature of it too: a secret that is about to be replaced, or the one
    /// that replaces it.
    second_secret: Option<Secret> = None;
    /// Whether messages must be in time. Off, this system's clock and the sender's have nothing to do with each other,
    /// and `since` is compared with the time the sender gave.
    timestamps_checked: bool = true;

    /// What `connection.check` is answered; what is missing is refused with 422.
    capabilities: BTreeSet<Capability> = BTreeSet::from([Capability::Access, Capability::Deletion]);
    /// How access is answered.
    access: AccessAnswer = AccessAnswer::ByJob;
    /// Whether access results show lists without anything in them.
    empty_lists: EmptyLists = EmptyLists::Shown;
    /// What `deletion.find` is answered with.
    find: FindAnswer = FindAnswer::Supported;

    /// How long jobs accepted from now on take; `None` is until the control plane ends them.
    job_seconds: Option<u64> = Some(2);
    /// How their names look.
    job_names: JobNames = JobNames::Plain;
    /// Jobs accepted while this is set end as failed, with this message, and do nothing.
    failure: Option<String> = None;
    /// What deletions accepted from now on leave behind, where there is something to delete.
    exceptions: Vec<Exception> = Vec::new();
    /// What `job.status` is answered with.
    status: StatusAnswer = StatusAnswer::Results;
    /// Seconds after its acceptance when a job is forgotten for good, ended or not; `None` is never. It goes on all the same.
    remembered_seconds: Option<u64> = None;

    /// Where ended jobs are called back, again and again until the answer is 202, 404, 409 or 422; `None` is nowhere.
    /// Jobs that ended before it was set are called back too.
    callback_to: Option<CallbackAddress> = None;
}

impl Knobs {
    /// The secrets in use.
    pub(super) fn secrets(&self) -> Vec<&Secret> {
        [&self.secret].into_iter().chain(&self.second_secret).collect()
    }
}

/// Tells `null` from a field that is left out (no change).
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
