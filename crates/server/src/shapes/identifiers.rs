//! Subjects and their identifiers.

use std::fmt;

use habeas_casework::intake::GivenIdentifier;
use habeas_domain::{Identifier, IdentifierType};
use serde::de::{self, Deserialize, Deserializer};
use serde::{Deserialize as Read, Serialize};
use utoipa::openapi::schema::{
    AdditionalProperties, ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, Type,
};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use super::words::{IdentifierSourceWord, IdentifierTypeWord, Vocabulary as _, Word};

/// Whom a request is about, as it is sent.
#[derive(Debug, Default, Read, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewSubject)]
pub(crate) struct NewSubjectShape {
    /// E-mail address.
    #[schema(format = Email)]
    email: Option<String>,
    /// What else finds the person.
    identifiers: Option<IdentifiersShape>,
}

impl NewSubjectShape {
    /// As casework takes them; `field` is where the subject stood.
    pub(crate) fn given(self, field: &str) -> Vec<GivenIdentifier> {
        let email = self.email.map(|value| GivenIdentifier {
            field: format!("{field}.email"),
            kind: IdentifierType::Email,
            value,
            verified: None,
        });
        let others = self.identifiers.map(|given| given.given(&format!("{field}.identifiers")));
        email.into_iter().chain(others.unwrap_or_default()).collect()
    }
}

/// Identifiers in one of their two forms.
#[derive(Debug)]
pub(crate) enum IdentifiersShape {
    /// `{"user_id": "..."}`.
    ByType(Vec<(IdentifierType, String)>),
    /// `[{"type": "user_id", "value": "...", "verified": true}]`.
    Listed(Vec<NewIdentifierShape>),
}

/// An identifier in a list.
#[derive(Debug, Read, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewIdentifier)]
pub(crate) struct NewIdentifierShape {
    /// What kind of value it is.
    #[serde(rename = "type")]
    kind: IdentifierTypeWord,
    /// The value.
    value: String,
    /// Whether you vouch that it is the subject's. Left out, it depends on the key's roles.
    verified: Option<bool>,
}

impl IdentifiersShape {
    /// As casework takes them; `field` is where they stood.
    pub(crate) fn given(self, field: &str) -> Vec<GivenIdentifier> {
        match self {
            Self::ByType(identifiers) => identifiers
                .into_iter()
                .map(|(kind, value)| GivenIdentifier {
                    field: format!("{field}.{kind}"),
                    kind,
                    value,
                    verified: None,
                })
                .collect(),
            Self::Listed(identifiers) => identifiers
                .into_iter()
                .enumerate()
                .map(|(at, one)| GivenIdentifier {
                    field: format!("{field}.{at}.value"),
                    kind: one.kind.0,
                    value: one.value,
                    verified: one.verified,
                })
                .collect(),
        }
    }
}

impl<'de> Deserialize<'de> for IdentifiersShape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> de::Visitor<'de> for Reader {
            type Value = IdentifiersShape;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object of types and values, or a list of identifiers")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut members: A) -> Result<IdentifiersShape, A::Error> {
                let mut identifiers = Vec::new();
                while let Some(name) = members.next_key::<String>()? {
                    let Some(kind) = IdentifierType::read(&name) else {
                        return Err(de::Error::custom(UnknownType));
                    };
                    identifiers.push((kind, members.next_value()?));
                }
                Ok(IdentifiersShape::ByType(identifiers))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<IdentifiersShape, A::Error> {
                let mut identifiers = Vec::new();
                while let Some(identifier) = items.next_element()? {
                    identifiers.push(identifier);
                }
                Ok(IdentifiersShape::Listed(identifiers))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// The name of a member that is no identifier type; it may be a value in the wrong place and is not repeated.
struct UnknownType;

impl fmt::Display for UnknownType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "has a member that {}", IdentifierType::refusal())
    }
}

impl PartialSchema for IdentifiersShape {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new().schema_type(Type::String);
        let by_type = ObjectBuilder::new()
            .schema_type(Type::Object)
            .description(Some("Types and values; verified if the key's roles vouch for them."))
            .property_names(Some(Word::<IdentifierType>::schema()))
            .additional_properties(Some(AdditionalProperties::<Schema>::RefOr(text.into())));
        let listed = ArrayBuilder::new().items(Ref::from_schema_name(NewIdentifierShape::name()));
        OneOfBuilder::new().item(by_type).item(listed).into()
    }
}

impl ToSchema for IdentifiersShape {
    fn name() -> std::borrow::Cow<'static, str> {
        "NewIdentifiers".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((NewIdentifierShape::name().into_owned(), NewIdentifierShape::schema()));
        NewIdentifierShape::schemas(schemas);
    }
}

/// An identifier as it is kept.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Identifier)]
pub(crate) struct IdentifierShape {
    /// What kind of value it is.
    #[serde(rename = "type")]
    kind: IdentifierTypeWord,
    /// The value.
    value: String,
    /// Where it came from.
    source: IdentifierSourceWord,
    /// Whether it is known to belong to the subject. A person decides about others before a deletion.
    verified: bool,
    /// Who vouched for it.
    attested_by: Option<String>,
}

impl From<Identifier> for IdentifierShape {
    fn from(identifier: Identifier) -> Self {
        Self {
            kind: Word(identifier.kind),
            value: identifier.value,
            source: Word(identifier.source),
            verified: identifier.verified,
            attested_by: identifier.attested_by,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strict::{Misfit, from_json};
    use habeas_casework::FieldError;
    use rstest::rstest;
    use serde_json::{Value, json};

    #[rstest]
    #[case(json!({"email": "a@b.test", "identifiers": {"user_id": "U-1"}}), &["s.email", "s.identifiers.user_id"])]
    #[case(json!({"identifiers": [{"type": "user_id", "value": "U-1"}]}), &["s.identifiers.0.value"])]
    #[case(json!({"email": null}), &[])]
    fn both_forms_are_read_and_know_where_they_stood(#[case] subject: Value, #[case] fields: &[&str]) {
        let subject: NewSubjectShape = from_json(subject).unwrap();
        let given: Vec<_> = subject.given("s").into_iter().map(|one| one.field).collect();
        assert_eq!(given, fields);
    }

    #[rstest]
    #[case::not_an_object(json!("ana@example.test"), "", "must be an object")]
    #[case::unknown_field(json!({"name": "Ana"}), "name", "is not known here; known are: email, identifiers")]
    #[case::number(json!({"email": 5}), "email", "must be a string")]
    #[case::type_in_map(
        json!({"identifiers": {"ana@example.test": "email"}}), "identifiers",
        "has a member that is not a known identifier type; known are: email, user_id, phone_number"
    )]
    #[case::type_in_list(
        json!({"identifiers": [{"type": "ana@example.test", "value": "x"}]}), "identifiers.0.type",
        "is not a known identifier type; known are: email, user_id, phone_number"
    )]
    #[case::without_value(json!({"identifiers": [{"type": "email"}]}), "identifiers.0.value", "is missing")]
    #[case::text(
        json!({"identifiers": "ana@example.test"}), "identifiers",
        "must be an object of types and values, or a list of identifiers"
    )]
    #[case::odd_name(json!({"ana@example.test": 1}), "(unreadable name)", "is not known here; known are: email, identifiers")]
    fn misfits_name_the_field_and_never_the_value(
        #[case] subject: Value,
        #[case] field: &str,
        #[case] message: &str,
    ) {
        let misfit: Misfit = from_json::<NewSubjectShape>(subject).unwrap_err();
        assert_eq!(FieldError::from(misfit), FieldError::new(field, message));
    }
}
