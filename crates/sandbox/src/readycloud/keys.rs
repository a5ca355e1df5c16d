//! Opaque keys: numbers in base 66 ("hexahexacontadecimal"), over the characters that need no escaping in URLs.

use crate::random::Random;

const DIGITS: &[u8; 66] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_.~";

/// A key of five digits. Own choice: the vendor's keys follow an internal number; these are drawn, so that
/// nobody can rely on their order.
pub(super) fn draw(random: &mut Random) -> String {
    (0..5).map(|_| char::from(DIGITS[random.below(DIGITS.len())])).collect()
}

/// Whether this may be a key: base 66, not empty, at most 32 digits, and no path step.
pub(super) fn is_legal(key: &str) -> bool {
    (1..=32).contains(&key.len())
        && key.bytes().all(|byte| DIGITS.contains(&byte))
        && key != "."
        && key != ".."
}

/// A key taken from a path, where a client may have escaped characters that did not need it.
pub(super) fn decode(segment: &str) -> String {
    // A `+` stands for itself in a path; the form decoder would make it a space.
    let escaped = segment.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    url::form_urlencoded::parse(escaped.as_bytes())
        .next()
        .map_or_else(String::new, |(key, _)| key.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legal_keys() {
        for key in ["7", "3mrRD", "a.b~c-D_", "..."] {
            assert!(is_legal(key), "{key}");
        }
        for key in ["", ".", "..", "a/b", "a b", "ä", &"x".repeat(33)] {
            assert!(!is_legal(key), "{key}");
        }
    }

    #[test]
    fn decoding_undoes_escapes_only() {
        assert_eq!(decode("a%7Eb"), "a~b");
        assert_eq!(decode("a+b=c&d"), "a+b=c&d");
        assert_eq!(decode(""), "");
    }

    #[test]
    fn drawn_keys_are_legal() {
        let mut random = Random::for_purpose(5, "keys");
        assert!((0..1000).all(|_| is_legal(&draw(&mut random))));
    }
}
