//! The rows of a CSV file, one at a time: however long the file, only one row of it is in memory.

use std::fmt;
use std::io::{self, BufRead, Read as _};

use csv_core::ReadRecordResult;

/// Bytes of a row at most. A quotation mark that nobody closed makes a row of everything behind it.
const LONGEST_ROW: usize = 1 << 20;
/// Cells of a row at most that are told apart; no file has as many columns.
const MOST_CELLS: usize = 256;

/// A row as it stands in the file.
#[derive(Debug)]
pub(super) struct Row {
    /// The line on which it begins, from 1.
    pub(super) line: u64,
    /// Without the end of its line.
    pub(super) bytes: Vec<u8>,
}

/// Why a file cannot be read on.
#[derive(Debug)]
pub(super) enum Unreadable {
    /// The operating system says no.
    Io(io::Error),
    /// A row does not end.
    TooLong { line: u64 },
    /// The file ends within quotation marks.
    Unclosed { line: u64 },
}

impl fmt::Display for Unreadable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(formatter, "it cannot be read: {error}"),
            Self::TooLong { line } => write!(
                formatter,
                "line {line}: this row is longer than 1 MiB; is a quotation mark missing its other half?"
            ),
            Self::Unclosed { line } => write!(
                formatter,
                "line {line}: the file ends within the quotation marks that are opened in this row; close them"
            ),
        }
    }
}

impl std::error::Error for Unreadable {}

/// Goes through a file row by row.
#[derive(Debug)]
pub(super) struct Rows<R> {
    input: R,
    /// The next line, from 1.
    line: u64,
    /// Bytes read so far.
    offset: u64,
}

impl<R: BufRead> Rows<R> {
    /// From a place where a row begins.
    pub(super) const fn new(input: R, line: u64, offset: u64) -> Self {
        Self { input, line, offset }
    }

    /// The line that comes next and the bytes before it.
    pub(super) const fn place(&self) -> (u64, u64) {
        (self.line, self.offset)
    }

    /// Steps over a byte order mark.
    pub(super) fn skip_mark(&mut self) -> io::Result<()> {
        if self.input.fill_buf()?.starts_with(b"\xEF\xBB\xBF") {
            self.input.consume(3);
            self.offset += 3;
        }
        Ok(())
    }

    /// The next row that is not blank. Line breaks within quotation marks belong to the row.
    pub(super) fn next(&mut self) -> Result<Option<Row>, Unreadable> {
        loop {
            let line = self.line;
            let mut bytes = Vec::new();
            let mut is_open = false;
            loop {
                let before = bytes.len();
                let left = u64::try_from(LONGEST_ROW - before).unwrap_or_default();
                let read = self.input.by_ref().take(left).read_until(b'\n', &mut bytes);
                let read = read.map_err(Unreadable::Io)?;
                self.offset += u64::try_from(read).unwrap_or_default();
                if read == 0 && bytes.len() >= LONGEST_ROW {
                    return Err(Unreadable::TooLong { line });
                }
                if read == 0 {
                    if is_open {
                        return Err(Unreadable::Unclosed { line });
                    }
                    break;
                }
                let part = &bytes[before..];
                is_open ^= part.iter().filter(|byte| **byte == b'"').count() % 2 == 1;
                if part.ends_with(b"\n") {
                    self.line += 1;
                    if !is_open {
                        break;
                    }
                }
            }
            if bytes.is_empty() {
                return Ok(None);
            }
            bytes.truncate(bytes.trim_ascii_end_of_line().len());
            if !bytes.trim_ascii().is_empty() {
                return Ok(Some(Row { line, bytes }));
            }
        }
    }
}

/// Cutting off what ends a line, and nothing else.
trait EndOfLine {
    fn trim_ascii_end_of_line(&self) -> &[u8];
}

impl EndOfLine for [u8] {
    fn trim_ascii_end_of_line(&self) -> &[u8] {
        let without = self.strip_suffix(b"\n").unwrap_or(self);
        without.strip_suffix(b"\r").unwrap_or(without)
    }
}

/// Tells the cells of a row apart (RFC 4180).
#[derive(Debug, Default)]
pub(super) struct Splitter {
    cells: Vec<u8>,
}

impl Splitter {
    /// The cells, without their quotation marks; `None` if the marks are not where they belong.
    pub(super) fn split<'s>(&'s mut self, row: &[u8]) -> Option<Vec<&'s [u8]>> {
        if !is_well_quoted(row) {
            return None;
        }
        self.cells.clear();
        self.cells.resize(row.len() + 1, 0);
        let mut ends = [0; MOST_CELLS];
        let mut reader = csv_core::Reader::new();
        let (mut result, read, mut written, mut found) = reader.read_record(row, &mut self.cells, &mut ends);
        if matches!(result, ReadRecordResult::InputEmpty) && read == row.len() {
            // No input is the end of the file, and of the row.
            let (last, _, more, cells) =
                reader.read_record(&[], &mut self.cells[written..], &mut ends[found..]);
            (result, written, found) = (last, written + more, found + cells);
        }
        if !matches!(result, ReadRecordResult::Record) {
            return None;
        }
        let mut begin = 0;
        let written = &self.cells[..written];
        ends[..found]
            .iter()
            .map(|end| {
                let cell = written.get(begin..*end);
                begin = *end;
                cell
            })
            .collect()
    }
}

/// Whether quotation marks enclose whole cells, and stand doubled within them.
fn is_well_quoted(row: &[u8]) -> bool {
    let mut rest = row;
    loop {
        if let Some(mut inside) = rest.strip_prefix(b"\"") {
            loop {
                let Some(at) = inside.iter().position(|byte| *byte == b'"') else { return false };
                inside = &inside[at + 1..];
                match inside.strip_prefix(b"\"") {
                    Some(doubled) => inside = doubled,
                    None => break,
                }
            }
            match inside.split_first() {
                None => return true,
                Some((b',', more)) => rest = more,
                Some(_) => return false,
            }
        } else {
            let end = rest.iter().position(|byte| *byte == b',');
            let cell = &rest[..end.unwrap_or(rest.len())];
            if cell.contains(&b'"') {
                return false;
            }
            match end {
                Some(end) => rest = &rest[end + 1..],
                None => return true,
            }
        }
    }
}

/// What stands behind the first `cells` cells of a row.
pub(super) fn behind(row: &[u8], cells: usize) -> &[u8] {
    let (mut left, mut is_open) = (cells, false);
    for (at, byte) in row.iter().enumerate() {
        if left == 0 {
            return &row[at..];
        }
        match byte {
            b'"' => is_open = !is_open,
            b',' if !is_open => left -= 1,
            _ => {}
        }
    }
    if cells == 0 { row } else { &[] }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Result<Vec<(u64, String)>, Unreadable> {
        let mut rows = Rows::new(text, 1, 0);
        rows.skip_mark().unwrap();
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push((row.line, String::from_utf8(row.bytes).unwrap()));
        }
        assert_eq!(rows.place().1, text.len() as u64);
        Ok(found)
    }

    #[test]
    fn rows_know_their_lines() {
        let text = b"\xEF\xBB\xBFa,b\r\n\n  \r\n1,\"x\r\ny\"\r\n\"\"\"\",2\n3,4";
        let rows = read(text).unwrap();
        let expected = [(1, "a,b"), (4, "1,\"x\r\ny\""), (6, "\"\"\"\",2"), (7, "3,4")];
        assert_eq!(rows, expected.map(|(line, row)| (line, row.to_owned())));
        assert!(read(b"").unwrap().is_empty());
    }

    #[test]
    fn a_row_that_does_not_end_is_named_by_its_line() {
        assert!(matches!(read(b"a\n\"b\nc\n"), Err(Unreadable::Unclosed { line: 2 })));
        let long = [b"a\nb\n".as_slice(), &vec![b'x'; 10_000_000], b"\nc\n"].concat();
        assert!(matches!(read(&long), Err(Unreadable::TooLong { line: 3 })));
        let open = [b"a\n\"b\n".as_slice(), &b"row,row\n".repeat(1_000_000)].concat();
        assert!(matches!(read(&open), Err(Unreadable::TooLong { line: 2 })));
    }

    #[rstest::rstest]
    #[case::plain("a,b", &["a", "b"])]
    #[case::empty(",", &["", ""])]
    #[case::one("a", &["a"])]
    #[case::quoted("\"a,\"\"b\"\"\",c", &["a,\"b\"", "c"])]
    #[case::line_break("\"a\r\nb\",", &["a\r\nb", ""])]
    #[case::spaces(" a , b ", &[" a ", " b "])]
    fn cells_are_told_apart(#[case] row: &str, #[case] cells: &[&str]) {
        let mut splitter = Splitter::default();
        let found = splitter.split(row.as_bytes()).unwrap();
        assert_eq!(found, cells.iter().map(|cell| cell.as_bytes()).collect::<Vec<_>>());
    }

    #[rstest::rstest]
    #[case::within("a\"b,c\"")]
    #[case::behind("\"a\"b,c")]
    #[case::before("x\"a\",c")]
    fn marks_in_the_wrong_place_are_not_guessed_at(#[case] row: &str) {
        assert_eq!(Splitter::default().split(row.as_bytes()), None);
    }

    #[test]
    fn the_first_cells_are_cut_off() {
        assert_eq!(behind(b"1,\"a,b\",c,d", 2), b"c,d");
        assert_eq!(behind(b"1,2", 3), b"");
        assert_eq!(behind(b"1,2", 0), b"1,2");
    }
}
