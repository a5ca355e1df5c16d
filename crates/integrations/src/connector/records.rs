//! What is found about a person.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One thing found about a subject.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct FoundRecord {
    /// What it is, in the product's words (`contact`).
    pub kind: String,
    /// The vendor's own id, enough for the connector to find it again.
    pub vendor_id: String,
    /// How a reviewer recognises it.
    pub title: String,
    /// The name of the person that the record is about, where it is about one and names them. One address with
    /// different names may be two people, so a person has to look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// What the vendor holds.
    pub fields: Map<String, Value>,
    /// A file as it came, where the record is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<FoundFile>,
}

/// Never prints contents.
impl fmt::Debug for FoundRecord {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "FoundRecord({}, {} fields)", self.kind, self.fields.len())
    }
}

/// A file as it came from the vendor or a person. It is never shown in a page, only handed on.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundFile {
    /// A plain file name, without a path.
    pub name: String,
    /// Its media type, as far as it is known.
    pub media_type: String,
    /// The content.
    #[serde(with = "base64_bytes")]
    pub bytes: Vec<u8>,
}

impl FoundFile {
    /// The longest name that is kept, in characters.
    const LONGEST_NAME: usize = 120;
    /// The longest ending of a name that survives its shortening, in characters.
    const LONGEST_ENDING: usize = 10;

    /// A file under a name that is safe to write anywhere: whatever path and control characters the given name had are
    /// taken off it. The ending stays, because it says what the file is.
    #[must_use]
    pub fn new(name: &str, media_type: &str, bytes: Vec<u8>) -> Self {
        let last = name.rsplit(['/', '\\', ':']).next().unwrap_or_default();
        let plain: String = last
            .chars()
            .filter(|character| !character.is_control() && !"<>\"|?*".contains(*character))
            .filter(|character| !turns_text(*character))
            .collect();
        let plain =
            shortened(plain.trim_matches(|character: char| character == '.' || character.is_whitespace()));
        let name = if plain.is_empty() { "file".to_owned() } else { plain };
        let is_type = |text: &str| {
            text.len() <= 100
                && text.split_once('/').is_some_and(|(kind, detail)| {
                    [kind, detail].iter().all(|part| {
                        !part.is_empty()
                            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".+-".contains(&byte))
                    })
                })
        };
        let media_type = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let media_type =
            if is_type(&media_type) { media_type } else { "application/octet-stream".to_owned() };
        Self { name, media_type, bytes }
    }
}

/// Whether a character changes the direction of what follows: `\u{202e}fdp.exe` would be shown as `exe.pdf` (Unicode
/// Standard Annex 9, section 2).
const fn turns_text(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A name that is not too long, with its ending.
fn shortened(name: &str) -> String {
    if name.chars().count() <= FoundFile::LONGEST_NAME {
        return name.to_owned();
    }
    let ending = name.rsplit_once('.').map(|(_, ending)| format!(".{ending}")).unwrap_or_default();
    let ending = if ending.chars().count() > FoundFile::LONGEST_ENDING { String::new() } else { ending };
    let kept = FoundFile::LONGEST_NAME - ending.chars().count();
    let stem: String = name.chars().take(kept).collect();
    format!("{}{ending}", stem.trim_end_matches(['.', ' ']))
}

/// Never prints name or contents.
impl fmt::Debug for FoundFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "FoundFile({} bytes)", self.bytes.len())
    }
}

/// Bytes as text in JSON: a list of numbers would be three times as long.
mod base64_bytes {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize as _, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        STANDARD.decode(text.as_bytes()).map_err(|_| de::Error::custom("not base64"))
    }
}

/// Where a pass stands; only its connector reads it. Holds no personal data: it is stored in clear.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(pub Value);

/// One page of a pass.
#[derive(Debug, Default)]
pub struct ScanPage {
    /// What on this page belongs to whom.
    pub matches: Vec<Match>,
    /// Where to go on; `None` at the end of the pass.
    pub next: Option<Cursor>,
    /// What could not be read (for example orders without the scope), once per reason.
    pub residuals: Vec<Residual>,
}

/// A record of one of the subjects that were asked for.
#[derive(Debug)]
pub struct Match {
    /// Index into the `subjects` of the call.
    pub subject: usize,
    /// The record.
    pub record: FoundRecord,
}

/// What was collected about one subject.
#[derive(Clone, Debug, Default)]
pub struct Collected {
    /// What the vendor holds.
    pub records: Vec<FoundRecord>,
    /// What could not be read, once per reason.
    pub residuals: Vec<Residual>,
}

/// What a residual is called which says that a system also blocks what it would receive about the person in future.
pub const FUTURE_DATA: &str = "future data of the person";

/// Something that stays out of reach or stays behind, said plainly. Holds no personal data.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Residual {
    /// What (`orders`).
    pub what: String,
    /// Why, and what a person can do.
    pub why: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("letter.pdf", "letter.pdf")]
    #[case("../../etc/passwd", "passwd")]
    #[case("C:\\Users\\Ana\\letter.pdf", "letter.pdf")]
    #[case("..", "file")]
    #[case(". .letter. .", "letter")]
    #[case("", "file")]
    #[case("a\r\nb\0.txt", "ab.txt")]
    #[case("<script>alert(1).txt", "scriptalert(1).txt")]
    #[case("x\u{202e}fdp.exe", "xfdp.exe")]
    #[case("Müller Ж 漢字.csv", "Müller Ж 漢字.csv")]
    fn names(#[case] given: &str, #[case] kept: &str) {
        assert_eq!(FoundFile::new(given, "", Vec::new()).name, kept);
    }

    #[rstest]
    #[case("text/plain", "text/plain")]
    #[case("Image/SVG+xml; charset=utf-8", "image/svg+xml")]
    #[case("text", "application/octet-stream")]
    #[case("text/", "application/octet-stream")]
    #[case("text/../x", "application/octet-stream")]
    fn media_types(#[case] given: &str, #[case] kept: &str) {
        assert_eq!(FoundFile::new("x", given, Vec::new()).media_type, kept);
    }

    #[test]
    fn a_long_name_keeps_its_ending_and_gains_no_other() {
        let cut = FoundFile::new(&format!("{}.bat.and more.txt", "a".repeat(116)), "", Vec::new()).name;
        assert_eq!((cut.chars().count(), cut.ends_with(".txt")), (120, true), "{cut}");
        let cut = FoundFile::new(&format!("{}.bat.{}", "a".repeat(116), "x".repeat(50)), "", Vec::new()).name;
        assert!(cut.chars().count() <= 120, "{cut}");
    }
}
