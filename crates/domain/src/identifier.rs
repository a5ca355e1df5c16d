//! Values that find a subject in a system.

use std::fmt;

use crate::vocabulary::vocabulary;

vocabulary! {
    /// What kind of value an identifier is.
    IdentifierType("identifier type") {
        /// An e-mail address.
        Email = "email",
        /// The company's own id for the person.
        UserId = "user_id",
        /// A telephone number.
        PhoneNumber = "phone_number",
    }
}

vocabulary! {
    /// How an identifier came to us.
    IdentifierSource("identifier source") {
        /// Given with the request.
        Request = "request",
        /// Added by a person who works on the request.
        Agent = "agent",
    }
}

/// A value that finds the subject in a system. Only verified ones reach a vendor unless a person decides
/// otherwise.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identifier {
    /// What kind of value it is.
    #[serde(rename = "type")]
    pub kind: IdentifierType,
    /// The value, trimmed, as the person wrote it.
    pub value: String,
    /// Where it came from.
    pub source: IdentifierSource,
    /// Whether it is known to belong to the person.
    pub verified: bool,
    /// Who says so, where a person or a key attested it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attested_by: Option<String>,
}

/// Never prints the value: identifiers must not reach logs or error texts.
impl fmt::Debug for Identifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Identifier")
            .field("kind", &self.kind)
            .field("value", &"[redacted]")
            .field("verified", &self.verified)
            .finish_non_exhaustive()
    }
}

/// Why a value cannot be an identifier. The message names the rule, never the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidIdentifier {
    /// Nothing but space.
    #[error("is empty; give a value")]
    Empty,
    /// Longer than any real one (RFC 5321 § 4.5.3.1.3 for e-mail: 254 characters).
    #[error("is longer than {0} characters")]
    TooLong(usize),
    /// A control character or a line break.
    #[error("contains a control character or a line break")]
    ControlCharacter,
    /// Not `local@domain`.
    #[error("is not an e-mail address; expected something like ana@example.test")]
    NotAnEmailAddress,
    /// Not a telephone number.
    #[error(
        "is not a telephone number; expected digits, optionally with +, spaces, dots, hyphens or brackets"
    )]
    NotAPhoneNumber,
}

impl IdentifierType {
    const fn longest(self) -> usize {
        match self {
            Self::Email => 254,
            Self::UserId => 256,
            Self::PhoneNumber => 32,
        }
    }

    /// The value as it is kept: trimmed, otherwise as written.
    ///
    /// # Errors
    /// If no such identifier can exist.
    pub fn accept(self, value: &str) -> Result<String, InvalidIdentifier> {
        let value = value.trim();
        if value.is_empty() {
            return Err(InvalidIdentifier::Empty);
        }
        if value.chars().count() > self.longest() {
            return Err(InvalidIdentifier::TooLong(self.longest()));
        }
        if value.chars().any(char::is_control) {
            return Err(InvalidIdentifier::ControlCharacter);
        }
        match self {
            Self::Email if !is_email_address(value) => Err(InvalidIdentifier::NotAnEmailAddress),
            Self::PhoneNumber if !is_phone_number(value) => Err(InvalidIdentifier::NotAPhoneNumber),
            _ => Ok(value.to_owned()),
        }
    }

    /// The form in which two values are the same person's: what lookups and duplicate checks compare.
    #[must_use]
    pub fn comparable(self, value: &str) -> String {
        let value = value.trim();
        match self {
            Self::Email => value.to_ascii_lowercase(),
            Self::UserId => value.to_owned(),
            Self::PhoneNumber => value.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect(),
        }
    }
}

/// The addresses that people have in practice: RFC 5321 without quoted local parts and address literals, but
/// with international characters (RFC 6531).
fn is_email_address(value: &str) -> bool {
    let Some((local, domain)) = value.rsplit_once('@') else { return false };
    let local_fits = !local.is_empty()
        && local.len() <= 64
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && !local.chars().any(|c| c.is_whitespace() || "\"(),:;<>@[\\]".contains(c));
    let label_fits = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    local_fits && domain.contains('.') && domain.split('.').all(label_fits)
}

fn is_phone_number(value: &str) -> bool {
    let digits = value.chars().filter(char::is_ascii_digit).count();
    (3..=15).contains(&digits)
        && value.chars().enumerate().all(|(at, c)| {
            c.is_ascii_digit() || (c == '+' && at == 0) || matches!(c, ' ' | '.' | '-' | '(' | ')' | '/')
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("ana.silva@example.test")]
    #[case("  jo+shop@example.test ")]
    #[case("ANA@EXAMPLE.TEST")]
    #[case("zoë@bücher.example.test")]
    fn real_addresses_are_accepted(#[case] value: &str) {
        assert_eq!(IdentifierType::Email.accept(value), Ok(value.trim().to_owned()));
    }

    #[rstest]
    #[case("", InvalidIdentifier::Empty)]
    #[case("   ", InvalidIdentifier::Empty)]
    #[case("ana", InvalidIdentifier::NotAnEmailAddress)]
    #[case("ana@", InvalidIdentifier::NotAnEmailAddress)]
    #[case("@example.test", InvalidIdentifier::NotAnEmailAddress)]
    #[case("ana@localhost", InvalidIdentifier::NotAnEmailAddress)]
    #[case("a b@example.test", InvalidIdentifier::NotAnEmailAddress)]
    #[case("ana@@example.test", InvalidIdentifier::NotAnEmailAddress)]
    #[case("ana@example..test", InvalidIdentifier::NotAnEmailAddress)]
    #[case("ana@-example.test", InvalidIdentifier::NotAnEmailAddress)]
    #[case("ana@exam\nple.test", InvalidIdentifier::ControlCharacter)]
    fn malformed_addresses_are_refused(#[case] value: &str, #[case] reason: InvalidIdentifier) {
        assert_eq!(IdentifierType::Email.accept(value), Err(reason));
    }

    #[test]
    fn an_address_of_255_characters_is_too_long() {
        let value = format!("a@{}.test", ["x".repeat(60).as_str(); 5].join("."));
        assert_eq!(IdentifierType::Email.accept(&value), Err(InvalidIdentifier::TooLong(254)));
    }

    #[rstest]
    #[case(IdentifierType::Email, " Ana@Example.TEST", "ana@example.test")]
    #[case(IdentifierType::UserId, "U-1 ", "U-1")]
    #[case(IdentifierType::PhoneNumber, "+351 (555) 010-203", "+351555010203")]
    fn values_are_compared_in_one_form(
        #[case] kind: IdentifierType,
        #[case] value: &str,
        #[case] comparable: &str,
    ) {
        assert_eq!(kind.comparable(value), comparable);
    }

    #[test]
    fn debugging_an_identifier_shows_no_value() {
        let identifier = Identifier {
            kind: IdentifierType::Email,
            value: "ana@example.test".to_owned(),
            source: IdentifierSource::Request,
            verified: true,
            attested_by: None,
        };
        assert!(!format!("{identifier:?}").contains("ana"));
    }
}
