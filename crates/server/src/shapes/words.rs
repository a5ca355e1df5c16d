//! The closed sets of words of the domain, as they stand in JSON and in the OpenAPI document.

use std::borrow::Cow;
use std::marker::PhantomData;

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// A closed set of words.
pub(crate) trait Vocabulary: Sized + Copy + 'static {
    /// What the set is called in messages (`right`).
    const LABEL: &'static str;
    /// What the set is called in the OpenAPI document (`Right`).
    const NAME: &'static str;
    /// All of it.
    const WORDS: &'static [Self];
    /// How a word is spelt.
    fn spelling(self) -> &'static str;

    /// The word that is spelt like this.
    fn read(text: &str) -> Option<Self> {
        Self::WORDS.iter().copied().find(|word| word.spelling() == text)
    }

    /// What to say to somebody who sent another word. Does not repeat it: it may be a value in the wrong place.
    fn refusal() -> String {
        let known: Vec<_> = Self::WORDS.iter().map(|word| word.spelling()).collect();
        format!("is not a known {}; known are: {}", Self::LABEL, known.join(", "))
    }
}

macro_rules! vocabularies {
    ($($type:ty as $alias:ident, $label:literal, $name:literal;)+) => {$(
        #[doc = concat!("A ", $label, ".")]
        pub(crate) type $alias = Word<$type>;

        impl Vocabulary for $type {
            const LABEL: &'static str = $label;
            const NAME: &'static str = $name;
            const WORDS: &'static [Self] = <$type>::ALL;

            fn spelling(self) -> &'static str {
                self.as_str()
            }
        }
    )+};
}

vocabularies! {
    habeas_domain::IdentifierSource as IdentifierSourceWord, "identifier source", "IdentifierSource";
    habeas_domain::IdentifierType as IdentifierTypeWord, "identifier type", "IdentifierType";
    habeas_domain::Outcome as OutcomeWord, "outcome", "Outcome";
    habeas_domain::Phase as PhaseWord, "phase", "Phase";
    habeas_domain::RequestState as RequestStateWord, "request state", "RequestState";
    habeas_domain::Right as RightWord, "right", "Right";
    habeas_domain::Role as RoleWord, "role", "Role";
    habeas_domain::RunStatus as RunStatusWord, "run status", "RunStatus";
    habeas_domain::capability::DeletionCompletion as DeletionCompletionWord, "deletion completion", "DeletionCompletion";
    habeas_domain::capability::Handling as HandlingWord, "handling", "Handling";
    habeas_domain::reason::Acknowledgement as AcknowledgementWord, "acknowledgement", "Acknowledgement";
    habeas_domain::reason::DenialReason as DenialReasonWord, "reason code", "DenialReason";
    habeas_domain::reason::HoldReason as HoldReasonWord, "hold reason", "HoldReason";
    habeas_domain::reason::Relationship as RelationshipWord, "relationship", "Relationship";
}

/// How an access request ends.
pub(crate) type DeliveryWord = Word<habeas_casework::intake::Delivery>;

impl Vocabulary for habeas_casework::intake::Delivery {
    const LABEL: &'static str = "delivery";
    const NAME: &'static str = "Delivery";
    const WORDS: &'static [Self] = &[Self::Mail, Self::Api];

    fn spelling(self) -> &'static str {
        self.as_str()
    }
}

/// What a contact says.
pub(crate) type AnswerWord = Word<habeas_casework::contacts::Answer>;

impl Vocabulary for habeas_casework::contacts::Answer {
    const LABEL: &'static str = "answer";
    const NAME: &'static str = "Answer";
    const WORDS: &'static [Self] = &[Self::Data, Self::NothingHeld, Self::Deleted];

    fn spelling(self) -> &'static str {
        self.as_str()
    }
}

/// What happens when a contact does not answer in time.
pub(crate) type OnExpiryWord = Word<habeas_casework::contacts::OnExpiry>;

impl Vocabulary for habeas_casework::contacts::OnExpiry {
    const LABEL: &'static str = "choice";
    const NAME: &'static str = "OnExpiry";
    const WORDS: &'static [Self] = &[Self::Skip, Self::Hold];

    fn spelling(self) -> &'static str {
        self.as_str()
    }
}

/// What would have to be done about a connection.
pub(crate) type PlannedActionWord = Word<habeas_casework::connections::PlannedAction>;

impl Vocabulary for habeas_casework::connections::PlannedAction {
    const LABEL: &'static str = "action";
    const NAME: &'static str = "PlannedAction";
    const WORDS: &'static [Self] = Self::ALL;

    fn spelling(self) -> &'static str {
        self.as_str()
    }
}

/// A word of a closed set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Word<T>(pub(crate) T);

impl<T: Vocabulary> Serialize for Word<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.spelling())
    }
}

impl<'de, T: Vocabulary> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<T>(PhantomData<T>);
        impl<T: Vocabulary> serde::de::Visitor<'_> for Reader<T> {
            type Value = Word<T>;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(formatter, "a {}", T::LABEL)
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Word<T>, E> {
                T::read(text).map(Word).ok_or_else(|| E::custom(T::refusal()))
            }
        }
        deserializer.deserialize_str(Reader(PhantomData))
    }
}

impl<T: Vocabulary> PartialSchema for Word<T> {
    fn schema() -> RefOr<Schema> {
        let words: Vec<_> = T::WORDS.iter().map(|word| word.spelling()).collect();
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).into()
    }
}

impl<T: Vocabulary> ToSchema for Word<T> {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed(T::NAME)
    }
}
