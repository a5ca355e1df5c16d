//! Archives that a contact sends: looked into by their directory, never unpacked.

use std::io::{self, Read, Seek, SeekFrom};

use zip::ZipArchive;

/// Whether a file is a ZIP archive, whatever its name says.
pub(crate) fn is_zip(beginning: &[u8]) -> bool {
    beginning.starts_with(b"PK\x03\x04") || beginning.starts_with(b"PK\x05\x06")
}

/// What is said of an archive that cannot be opened.
pub(crate) const UNREADABLE: &str =
    "is an archive that cannot be opened; make it anew, or send its files one by one";
/// What is said of one whose content would bury its reader.
const TOO_LARGE: &str =
    "is an archive that would become absurdly large when unpacked; send its files one by one";

/// Files of an archive at most.
const MOST_ENTRIES: usize = 100_000;
/// Unpacked bytes at most.
const LARGEST_UNPACKED: u128 = 20 << 30;
/// How many times larger an archive may be unpacked.
const LARGEST_RATIO: u128 = 200;
/// The same for an archive in the archive. A real one is as small as it gets; one that shrinks a lot is full of
/// repetitions.
const LARGEST_NESTED_RATIO: u64 = 4;
/// Bytes below which a nested archive is not worth a look: what its directory repeats weighs more than its content.
const SMALL_NESTED: u64 = 16 << 10;
/// Bytes read of a directory at most: several times what so many entries need.
const LONGEST_DIRECTORY: u64 = 32 << 20;

/// Why an archive is not taken: whoever unpacks it would be buried.
pub(crate) fn refuse_bomb(mut archive: impl Read + Seek) -> Option<&'static str> {
    let Ok(packed) = archive.seek(SeekFrom::End(0)) else { return Some(UNREADABLE) };
    let Ok(archive) = ZipArchive::new(Bounded { archive, left: LONGEST_DIRECTORY }) else {
        return Some(UNREADABLE);
    };
    if archive.len() > MOST_ENTRIES {
        return Some(TOO_LARGE);
    }
    // The sizes are those of the directory; archives that were written in one go have them only there.
    let mut unpacked = 0_u128;
    for at in 0..archive.len() {
        let Ok(entry) = archive.by_index_data(at) else { return Some(UNREADABLE) };
        let size = entry.size();
        unpacked += u128::from(size);
        let shrank = size / entry.compressed_size().max(1) > LARGEST_NESTED_RATIO;
        if shrank && size > SMALL_NESTED && is_named_archive(entry.name_raw()) {
            return Some(TOO_LARGE);
        }
    }
    let is_bomb = unpacked > LARGEST_UNPACKED || unpacked > u128::from(packed.max(1 << 16)) * LARGEST_RATIO;
    is_bomb.then_some(TOO_LARGE)
}

fn is_named_archive(name: &[u8]) -> bool {
    let ending = name.rsplit(|byte| *byte == b'.').next().unwrap_or_default().to_ascii_lowercase();
    matches!(ending.as_slice(), b"zip" | b"gz" | b"7z" | b"bz2" | b"xz" | b"rar" | b"zst" | b"tgz")
}

/// Reads no more than so many bytes: a file that is all directory would fill the memory.
struct Bounded<R> {
    archive: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.archive.read(out)?;
        self.left = self
            .left
            .checked_sub(read as u64)
            .ok_or_else(|| io::Error::other("the directory of the archive is too long"))?;
        Ok(read)
    }
}

impl<R: Seek> Seek for Bounded<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.archive.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use super::*;
    use zip::write::SimpleFileOptions;
    use zip::{CompressionMethod, ZipWriter};

    fn archive(name: &str, content: &[u8]) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        zip.start_file(name, options).unwrap();
        zip.write_all(content).unwrap();
        zip.finish().unwrap().into_inner()
    }

    fn refused(archive: Vec<u8>) -> Option<&'static str> {
        refuse_bomb(Cursor::new(archive))
    }

    #[test]
    fn an_archive_that_would_bury_its_reader_is_refused() {
        assert_eq!(refused(archive("a.txt", b"hello")), None);
        assert_eq!(refused(archive("a.txt", &vec![0; 64 << 20])), Some(TOO_LARGE));
        assert_eq!(refused(b"PK\x03\x04 nothing".to_vec()), Some(UNREADABLE));
    }

    /// Finder, Takeout and most servers write archives in one go: sizes stand behind each file and in the directory.
    #[test]
    fn an_archive_that_was_written_in_one_go_is_taken() {
        let mut zip = ZipWriter::new_stream(Vec::new());
        zip.start_file("a.txt", SimpleFileOptions::default()).unwrap();
        zip.write_all(b"hello").unwrap();
        let streamed = zip.finish().unwrap().into_inner();
        assert_eq!(ZipArchive::new(Cursor::new(&streamed)).unwrap().decompressed_size(), None);
        assert_eq!(refused(streamed), None);
    }

    #[test]
    fn an_archive_in_the_archive_may_not_be_made_of_repetitions() {
        let inner = archive("zeros", &vec![0; 40 << 20]);
        let repeated = inner.repeat(20);
        assert!(repeated.len() > 16 << 10);
        assert_eq!(refused(archive("inner.zip", &repeated)), Some(TOO_LARGE));
        let noise: Vec<u8> =
            (0_u32..40_000).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        assert_eq!(refused(archive("inner.zip", &archive("noise", &noise))), None);
    }

    #[test]
    fn a_directory_without_end_does_not_fill_the_memory() {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let (name, options) = ("n".repeat(60_000), SimpleFileOptions::default());
        for number in 0..600 {
            zip.start_file(format!("{name}{number}"), options).unwrap();
        }
        assert_eq!(refused(zip.finish().unwrap().into_inner()), Some(UNREADABLE));
    }
}
