//! Identifiers of our own things: a prefix that says what it is, and a UUIDv7.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// Text that is not an identifier of the kind that was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a {expected} id: expected `{prefix}` followed by 32 hexadecimal digits")]
pub struct InvalidId {
    /// What kind of thing was meant.
    pub expected: &'static str,
    /// The prefix such ids have.
    pub prefix: &'static str,
}

macro_rules! id {
    ($(#[$meta:meta])* $name:ident, $prefix:literal, $label:literal) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// What every such id starts with.
            pub const PREFIX: &'static str = $prefix;

            /// An id around a new UUIDv7.
            #[must_use]
            pub const fn new(unique: Uuid) -> Self {
                Self(unique)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, "{}{}", $prefix, self.0.simple())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, formatter)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                text.strip_prefix($prefix)
                    .filter(|digits| digits.len() == 32 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
                    .and_then(|digits| Uuid::try_parse(digits).ok())
                    .map(Self)
                    .ok_or(InvalidId { expected: $label, prefix: $prefix })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(/// A request: one subject exercising one right.
    RequestId, "req_", "request");
id!(/// A run: one connection's part in one request in one phase.
    RunId, "run_", "run");
id!(/// An operation: one piece of work at a vendor.
    OperationId, "op_", "operation");
id!(/// A connection: a configured instance of an integration.
    ConnectionId, "con_", "connection");
id!(/// An audit event.
    EventId, "evt_", "event");
id!(/// A record: one thing found about a subject.
    RecordId, "rec_", "record");
id!(/// A user of the product.
    UserId, "usr_", "user");
id!(/// An API key.
    ApiKeyId, "key_", "API key");
id!(/// A row of due work.
    DueWorkId, "due_", "due work");
id!(/// A mail to a person.
    MailId, "mai_", "mail");
id!(/// A link that a person was sent.
    LinkId, "lnk_", "link");
id!(/// A process that carries out work.
    WorkerId, "wrk_", "worker");
id!(/// A large sealed content outside of the database.
    ObjectId, "obj_", "object");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_printing_and_reading() {
        let id = RequestId::new(Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0001));
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[rstest::rstest]
    #[case::empty("")]
    #[case::other_kind("run_01920000000070008000000000000001")]
    #[case::hyphens("req_01920000-0000-7000-8000-000000000001")]
    #[case::upper_case("req_0192000000007000800000000000000A")]
    #[case::longer("req_019200000000700080000000000000011")]
    fn anything_else_is_refused(#[case] text: &str) {
        assert!(text.parse::<RequestId>().is_err());
    }
}
