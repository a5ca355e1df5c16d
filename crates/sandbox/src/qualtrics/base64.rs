//! Base64 in its standard alphabet, for search tokens and Basic credentials.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// With padding.
pub(super) fn encode(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

/// Padding may be left out; `None` for anything else that is not base64.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for (plain, text) in
            [("5", "NQ=="), ("10", "MTA="), ("100", "MTAw"), ("", ""), ("a:b?\u{e4}", "YTpiP8Ok")]
        {
            assert_eq!(encode(plain.as_bytes()), text);
            assert_eq!(decode(text).as_deref(), Some(plain.as_bytes()));
        }
        assert_eq!(decode("NQ").as_deref(), Some(b"5".as_slice()));
        for broken in ["N", "N!==", "a b", "MTAwM"] {
            assert_eq!(decode(broken), None, "{broken}");
        }
    }
}
