//! Which files a contact may send: what people read, hear, see or load into a spreadsheet; nothing that runs.

use std::io::{Read, Seek};

use zip::ZipArchive;

/// Kinds of files by the ending of their names, and what their first bytes may be taken for.
const KINDS: &[(&str, &[&str])] = &[
    ("pdf", &["pdf"]),
    ("doc", &["doc", "msg", "xls", "ppt"]),
    ("xls", &["doc", "msg", "xls", "ppt"]),
    ("ppt", &["doc", "msg", "xls", "ppt"]),
    ("msg", &["doc", "msg", "xls", "ppt"]),
    ("docx", &["docx", "zip"]),
    ("xlsx", &["xlsx", "zip"]),
    ("pptx", &["pptx", "zip"]),
    ("odt", &["odt", "zip"]),
    ("ods", &["ods", "zip"]),
    ("odp", &["odp", "zip"]),
    ("rtf", &["rtf"]),
    ("jpg", &["jpg"]),
    ("jpeg", &["jpg"]),
    ("png", &["png"]),
    ("gif", &["gif"]),
    ("webp", &["webp"]),
    ("tif", &["tif"]),
    ("tiff", &["tif"]),
    ("bmp", &["bmp"]),
    ("heic", &["heif", "heic"]),
    ("mp3", &["mp3"]),
    ("wav", &["wav"]),
    ("m4a", &["m4a", "mp4"]),
    ("ogg", &["ogg", "opus"]),
    ("mp4", &["mp4", "m4v"]),
    ("mov", &["mov", "mp4"]),
    ("zip", &["zip", "docx", "xlsx", "pptx", "odt", "ods", "odp", "epub"]),
    ("gz", &["gz"]),
    ("7z", &["7z"]),
    ("txt", &[]),
    ("csv", &[]),
    ("tsv", &[]),
    ("json", &[]),
    ("ndjson", &[]),
    ("xml", &["xml"]),
    ("eml", &[]),
    ("log", &[]),
    ("md", &[]),
    ("ics", &[]),
    ("vcf", &[]),
];

/// How a refusal ends.
const WHAT_TO_SEND: &str = "send documents, tables, pictures, recordings, mails or a ZIP of such files";

/// Why a file is not taken; `None` if it is.
pub(crate) fn refuse(name: &str, beginning: &[u8]) -> Option<String> {
    let ending =
        name.rsplit_once('.').map(|(_, ending)| ending.trim().to_ascii_lowercase()).unwrap_or_default();
    let Some((_, looks)) = KINDS.iter().find(|(kind, _)| *kind == ending) else {
        return Some(match ending.is_empty() {
            true => {
                format!("has a file whose name has no ending, so nobody knows what it is; {WHAT_TO_SEND}")
            }
            false => format!("has a file of a kind that is not taken; {WHAT_TO_SEND}"),
        });
    };
    let found = infer::get(beginning).map(|found| found.extension());
    let fits = match found {
        Some(found) => looks.contains(&found),
        // A file that has a shape of its own must show it; texts have none.
        None => looks.is_empty() || matches!(ending.as_str(), "xml" | "mp3" | "doc" | "xls" | "ppt" | "msg"),
    };
    let text_is_text = !looks.is_empty() || is_text(beginning);
    if fits && text_is_text {
        return None;
    }
    Some(format!("has a file that is not what its name says (`.{ending}`); {WHAT_TO_SEND}"))
}

/// Whether it is text: without the zero bytes that programs and pictures have.
fn is_text(beginning: &[u8]) -> bool {
    let is_utf_16 = beginning.starts_with(&[0xff, 0xfe]) || beginning.starts_with(&[0xfe, 0xff]);
    is_utf_16 || !beginning.contains(&0)
}

/// Whether a file is a ZIP archive, whatever its name says.
pub(crate) fn is_zip(beginning: &[u8]) -> bool {
    beginning.starts_with(b"PK\x03\x04") || beginning.starts_with(b"PK\x05\x06")
}

/// What is said of an archive that cannot be opened.
pub(crate) const UNREADABLE_ARCHIVE: &str =
    "has an archive that cannot be opened; make it anew, or send its files one by one";
/// Files of an archive at most.
const MOST_ENTRIES: usize = 100_000;
/// Unpacked bytes at most.
const LARGEST_UNPACKED: u128 = 20 << 30;
/// How many times larger an archive may be unpacked.
const LARGEST_RATIO: u128 = 200;

/// Why an archive is not taken: whoever unpacks it would be buried. It is never unpacked here.
pub(crate) fn refuse_bomb(mut archive: impl Read + Seek) -> Option<&'static str> {
    let Ok(packed) = archive.seek(std::io::SeekFrom::End(0)) else { return Some(UNREADABLE_ARCHIVE) };
    let Ok(archive) = ZipArchive::new(archive) else { return Some(UNREADABLE_ARCHIVE) };
    // Without a size, entries overlap: the same bytes are unpacked again and again.
    let unpacked = archive.decompressed_size().unwrap_or(u128::MAX);
    let is_bomb = archive.len() > MOST_ENTRIES
        || unpacked > LARGEST_UNPACKED
        || unpacked > u128::from(packed.max(1 << 16)) * LARGEST_RATIO;
    is_bomb
        .then_some("has an archive that would become absurdly large when unpacked; send its files one by one")
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use super::*;
    use rstest::rstest;
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    #[rstest]
    #[case("letter.txt", b"Dear Ana", true)]
    #[case("LETTER.TXT", b"Dear Ana", true)]
    #[case("data.csv", b"a,b\n1,2", true)]
    #[case("scan.pdf", b"%PDF-1.7 ...", true)]
    #[case("scan.pdf", b"MZ\x90\x00\x03", false)]
    #[case("scan.pdf", b"hello", false)]
    #[case("data.csv", b"MZ\x90\x00\x03", false)]
    #[case("page.html", b"<script>", false)]
    #[case("picture.svg", b"<svg>", false)]
    #[case("run.sh", b"#!/bin/sh", false)]
    #[case("run.exe", b"MZ", false)]
    #[case("letter.pdf.exe", b"MZ", false)]
    #[case("letter", b"Dear", false)]
    #[case("../../x.txt", b"Dear", true)]
    #[case("photo.png", b"\x89PNG\r\n\x1a\n....", true)]
    #[case("photo.png", b"GIF89a", false)]
    fn kinds(#[case] name: &str, #[case] beginning: &[u8], #[case] taken: bool) {
        assert_eq!(refuse(name, beginning).is_none(), taken, "{:?}", refuse(name, beginning));
    }

    fn archive(content: &[u8]) -> Cursor<Vec<u8>> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file("a.txt", SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
        zip.finish().unwrap()
    }

    #[test]
    fn an_archive_that_would_bury_its_reader_is_refused() {
        assert_eq!(refuse_bomb(archive(b"hello")), None);
        assert!(refuse_bomb(archive(&vec![0; 64 << 20])).is_some());
        assert_eq!(refuse_bomb(Cursor::new(b"PK\x03\x04 nothing".to_vec())), Some(UNREADABLE_ARCHIVE));
    }
}
