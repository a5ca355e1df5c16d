//! Which files a contact may send: what people read, hear, see or load into a spreadsheet; nothing that runs.

/// How the first bytes of a kind of file look.
#[derive(Clone, Copy)]
enum Looks {
    /// Like text. Text has no mark of its own, so what begins like a picture's mark is still text: `BMI;weight`.
    Text,
    /// Like one of these kinds, by the endings that `infer` knows them by.
    Like(&'static [&'static str]),
    /// The same, or without any mark that is known.
    LikeOrUnmarked(&'static [&'static str]),
    /// The same, or text: some programs write text under this ending.
    LikeOrText(&'static [&'static str]),
    /// A box of media (ISO/IEC 14496-12): its brands are many, and `infer` knows few of them.
    Media(&'static [&'static str]),
}

/// The older Office kinds are containers of one shape. What is in one is seen only at its end, so `infer` takes most of
/// them for its last guess, `msi`.
const COMPOUND: [&str; 4] = ["doc", "xls", "ppt", "msi"];

/// How the kinds that are taken look, by the ending of their names.
fn looks_of(ending: &str) -> Option<Looks> {
    use Looks::{Like, LikeOrText, LikeOrUnmarked, Media, Text};
    Some(match ending {
        "pdf" => Like(&["pdf"]),
        "doc" => Like(&[COMPOUND[0], COMPOUND[1], COMPOUND[2], COMPOUND[3], "rtf"]),
        "xls" => LikeOrText(&COMPOUND),
        "ppt" | "msg" => Like(&COMPOUND),
        "docx" => Like(&["docx", "zip"]),
        "xlsx" => Like(&["xlsx", "zip"]),
        "pptx" => Like(&["pptx", "zip"]),
        "odt" => Like(&["odt", "zip"]),
        "ods" => Like(&["ods", "zip"]),
        "odp" => Like(&["odp", "zip"]),
        "pages" | "numbers" | "key" => Like(&["zip"]),
        "rtf" => Like(&["rtf"]),
        "jpg" | "jpeg" => Like(&["jpg"]),
        "png" => Like(&["png"]),
        "gif" => Like(&["gif"]),
        "webp" => Like(&["webp"]),
        "tif" | "tiff" => Like(&["tif"]),
        "bmp" => Like(&["bmp"]),
        "heic" | "heif" => Media(&["heif"]),
        "avif" => Media(&["avif"]),
        "mp3" => LikeOrUnmarked(&["mp3"]),
        "wav" => Like(&["wav"]),
        "flac" => Like(&["flac"]),
        "aac" => Like(&["aac"]),
        "amr" => Like(&["amr"]),
        "ogg" | "oga" | "opus" => Like(&["ogg", "opus"]),
        "m4a" | "mp4" | "m4v" | "mov" | "3gp" => Media(&["m4a", "mp4", "m4v", "mov"]),
        "avi" => Like(&["avi"]),
        "mkv" | "webm" => Like(&["mkv", "webm"]),
        "wmv" | "wma" => Like(&["wmv"]),
        "mpg" | "mpeg" => Like(&["mpg"]),
        "zip" => Like(&["zip", "docx", "xlsx", "pptx", "odt", "ods", "odp", "epub"]),
        "gz" => Like(&["gz"]),
        "7z" => Like(&["7z"]),
        "txt" | "csv" | "tsv" | "json" | "ndjson" | "xml" | "yaml" | "yml" | "eml" | "mbox" | "log"
        | "md" | "ics" | "vcf" => Text,
        _ => return None,
    })
}

impl Looks {
    fn fit(self, beginning: &[u8]) -> bool {
        let found = infer::get(beginning).map(|found| found.extension());
        let like = |kinds: &[&str]| found.is_some_and(|found| kinds.contains(&found));
        match self {
            Self::Text => is_text(beginning),
            Self::Like(kinds) => like(kinds),
            Self::LikeOrUnmarked(kinds) => like(kinds) || found.is_none(),
            Self::LikeOrText(kinds) => like(kinds) || is_text(beginning),
            Self::Media(kinds) => like(kinds) || beginning.get(4..8) == Some(b"ftyp"),
        }
    }
}

/// How a refusal ends.
const WHAT_TO_SEND: &str = "send documents, tables, pictures, recordings, mails or a ZIP of such files";

/// Why a file of this name, as it would be kept, is not taken; `None` if it is.
pub(crate) fn refuse(name: &str, beginning: &[u8]) -> Option<String> {
    let ending =
        name.rsplit_once('.').map(|(_, ending)| ending.trim().to_ascii_lowercase()).unwrap_or_default();
    if ending.is_empty() {
        return Some(format!("has no ending in its name, so nobody knows what it is; {WHAT_TO_SEND}"));
    }
    match looks_of(&ending) {
        None => Some(format!("is of a kind that is not taken; {WHAT_TO_SEND}")),
        Some(looks) if looks.fit(beginning) => None,
        Some(_) => Some(format!("is not what its name says (`.{ending}`); {WHAT_TO_SEND}")),
    }
}

/// Whether it is text: without the zero bytes that programs and pictures have, and neither a script nor a page.
fn is_text(beginning: &[u8]) -> bool {
    let is_utf_16 = beginning.starts_with(&[0xff, 0xfe]) || beginning.starts_with(&[0xfe, 0xff]);
    let found = infer::get(beginning).map(|found| found.extension());
    (is_utf_16 || !beginning.contains(&0)) && !matches!(found, Some("html" | "sh"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const OLE: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 and the rest, whose directory comes much later";

    #[rstest]
    #[case("letter.txt", b"Dear Ana", true)]
    #[case("LETTER.TXT", b"Dear Ana", true)]
    #[case("data.csv", b"a,b\n1,2", true)]
    // Marks of pictures, music, fonts and programs that a table may begin with.
    #[case("data.csv", b"BMI;weight\n22;70", true)]
    #[case("data.csv", b"ID3;name", true)]
    #[case("data.csv", b"OTTO;Vogel", true)]
    #[case("data.csv", b"MZ;name", true)]
    #[case("data.csv", b"\xff\xfea\0,\0b\0", true)]
    #[case("data.xml", b"<customers/>", true)]
    #[case("data.xml", b"<?xml version=\"1.0\"?><customers/>", true)]
    #[case("data.xml", b"\x00\x01\x02\x03", false)]
    #[case("mail.eml", b"From: ana@example.test\r\nSubject: Hello", true)]
    #[case("scan.pdf", b"%PDF-1.7 ...", true)]
    #[case("scan.pdf", b"MZ\x90\x00\x03", false)]
    #[case("scan.pdf", b"hello", false)]
    #[case("data.csv", b"MZ\x90\x00\x03", false)]
    #[case("data.csv", b"#!/bin/sh\nrm", false)]
    #[case("data.txt", b"<!DOCTYPE html><script>", false)]
    #[case("page.html", b"<script>", false)]
    #[case("picture.svg", b"<svg>", false)]
    #[case("run.sh", b"#!/bin/sh", false)]
    #[case("run.bat", b"@echo off", false)]
    #[case("run.exe", b"MZ", false)]
    #[case("letter.pdf.exe", b"MZ", false)]
    #[case("letter", b"Dear", false)]
    #[case("letter.", b"Dear", false)]
    #[case("photo.png", b"\x89PNG\r\n\x1a\n....", true)]
    #[case("photo.png", b"GIF89a", false)]
    #[case("letter.doc", OLE, true)]
    #[case("letter.doc", b"{\\rtf1 Dear Ana}", true)]
    #[case("letter.doc", b"MZ\x90\x00\x03", false)]
    #[case("table.xls", OLE, true)]
    #[case("table.xls", b"name\ttown\nAna\tPorto", true)]
    #[case("mail.msg", OLE, true)]
    #[case("mail.msg", b"\x7fELF\x02\x01\x01\x00", false)]
    #[case("call.mp3", b"ID3\x04\x00", true)]
    #[case("call.mp3", b"\xff\xf3\x84\x64\x00", true)]
    #[case("call.mp3", b"MZ\x90\x00\x03", false)]
    #[case("call.m4a", b"\x00\x00\x00\x20ftypM4A \x00\x00\x00\x00", true)]
    #[case("film.mp4", b"\x00\x00\x00\x20ftyp3gp4\x00\x00\x00\x00", true)]
    #[case("film.mp4", b"MZ\x90\x00\x03\x00\x00\x00\x04", false)]
    #[case("photo.heic", b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1heic", true)]
    #[case("data.zip", b"PK\x03\x04\x14\x00", true)]
    #[case("data.zip", b"Rar!\x1a\x07\x00", false)]
    fn kinds(#[case] name: &str, #[case] beginning: &[u8], #[case] taken: bool) {
        assert_eq!(refuse(name, beginning).is_none(), taken, "{:?}", refuse(name, beginning));
    }
}
