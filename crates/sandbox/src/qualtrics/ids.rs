//! Identifiers in the vendor's shapes.

use crate::random::Random;

const ALPHANUMERICS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The prefix, such as `CID`, an underscore and 15 letters or digits.
pub(super) fn draw(random: &mut Random, prefix: &str) -> String {
    let mut id = format!("{prefix}_");
    id.extend((0..15).map(|_| char::from(ALPHANUMERICS[random.below(ALPHANUMERICS.len())])));
    id
}

/// The vendor's rule: the prefix, an underscore, 11 to 15 letters or digits.
pub(super) fn is_legal(id: &str, prefix: &str) -> bool {
    let rest = id.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_'));
    rest.is_some_and(|rest| {
        (11..=15).contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

/// A version 4 UUID.
pub(super) fn uuid(random: &mut Random) -> String {
    let digits = random.hex(32);
    let variant = ["8", "9", "a", "b"][random.below(4)];
    let (a, b, c, d, e) = (&digits[..8], &digits[8..12], &digits[13..16], &digits[17..20], &digits[20..]);
    format!("{a}-{b}-4{c}-{variant}{d}-{e}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        let mut random = Random::for_purpose(1, "ids");
        assert!(is_legal(&draw(&mut random, "CID"), "CID"));
        let uuid = uuid(&mut random);
        assert_eq!(uuid.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
        assert_eq!(&uuid[14..15], "4");
        for id in ["CID_", "CID_short", "UR_0a1b2c3d4e5f6g7", "CID_0a1b2c3d4e5f6g7h", "CID_0a1b2c3d4e5f6-7"] {
            assert!(!is_legal(id, "CID"), "{id}");
        }
    }
}
