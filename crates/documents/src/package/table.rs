//! `records.csv`: one line a record, for spreadsheets.
//!
//! The columns are `id`, `kind`, `title`, `file` and then every field that any record has, in the order in which they are
//! first met. What lies within another value has a path (`address.city`); what a list holds stands in one cell. A cell that a
//! spreadsheet would take for a formula gets an apostrophe in front (numbers stay numbers).

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};

use habeas_domain::RecordId;
use serde_json::{Map, Value};

use super::Record;

/// Columns at most; what more there is stays in `records.json` alone.
const MOST_COLUMNS: usize = 2_000;
/// How deep values are taken apart.
const DEEPEST: usize = 8;
/// So that spreadsheets read it as UTF-8.
const MARK: &[u8] = "\u{feff}".as_bytes();

/// The columns that the records of a system need.
#[derive(Default)]
pub(super) struct Columns {
    names: Vec<String>,
    places: HashMap<String, usize>,
}

impl Columns {
    /// Takes in what a record has.
    pub(super) fn learn(&mut self, record: &Record) {
        for (name, _) in cells(&record.fields) {
            if self.names.len() < MOST_COLUMNS && !self.places.contains_key(&name) {
                self.places.insert(name.clone(), self.names.len());
                self.names.push(name);
            }
        }
    }
}

/// What walks through the records of a system.
type Each<'e> = &'e mut dyn FnMut(Record) -> io::Result<()>;

/// Writes the table. `records` is called once.
pub(super) fn write(
    out: &mut impl Write,
    columns: &Columns,
    files: &BTreeMap<RecordId, String>,
    records: impl FnOnce(Each<'_>) -> io::Result<()>,
) -> io::Result<()> {
    out.write_all(MARK)?;
    let mut table = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
    let fixed = ["id", "kind", "title", "file"].map(str::to_owned);
    table.write_record(fixed.iter().chain(&columns.names).map(|name| defused(name)))?;
    records(&mut |record| {
        let mut row = vec![String::new(); columns.names.len()];
        for (name, text) in cells(&record.fields) {
            if let Some(place) = columns.places.get(&name) {
                row[*place] = text;
            }
        }
        let file = files.get(&record.id).map_or("", String::as_str);
        let id = record.id.to_string();
        let fixed = [id.as_str(), &record.kind, &record.title, file];
        let row = fixed.into_iter().chain(row.iter().map(String::as_str)).map(defused);
        Ok(table.write_record(row)?)
    })?;
    table.flush()
}

/// A text that no spreadsheet takes for a formula. A number is none, with whatever sign.
fn defused(text: &str) -> String {
    let begins = text.trim_start_matches([' ', '\u{a0}']).chars().next();
    let is_formula = matches!(begins, Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '|' | '%'))
        || matches!(begins, Some('\u{ff1d}' | '\u{ff0b}' | '\u{ff0d}' | '\u{ff20}'));
    if is_formula && text.parse::<f64>().is_err() { format!("'{text}") } else { text.to_owned() }
}

/// The cells of a record: the path of each value and its text.
fn cells(fields: &Map<String, Value>) -> Vec<(String, String)> {
    let mut cells = Vec::with_capacity(fields.len());
    for (name, value) in fields {
        flatten(name.clone(), value, 0, &mut cells);
    }
    cells
}

fn flatten(path: String, value: &Value, depth: usize, cells: &mut Vec<(String, String)>) {
    let text = match value {
        Value::Object(fields) if depth < DEEPEST && !fields.is_empty() => {
            for (name, value) in fields {
                flatten(format!("{path}.{name}"), value, depth + 1, cells);
            }
            return;
        }
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().all(|item| !item.is_array() && !item.is_object()) => {
            items.iter().map(plain).collect::<Vec<_>>().join("; ")
        }
        other => other.to_string(),
    };
    cells.push((path, text));
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case("=1+1", "'=1+1")]
    #[case("@SUM(A1)", "'@SUM(A1)")]
    #[case("+49 30 1234", "'+49 30 1234")]
    #[case("-5", "-5")]
    #[case("+49.5", "+49.5")]
    #[case(" =cmd|' /C calc'!A0", "' =cmd|' /C calc'!A0")]
    #[case("\t=1", "'\t=1")]
    #[case("plain", "plain")]
    #[case("", "")]
    fn formulas_are_defused(#[case] given: &str, #[case] expected: &str) {
        assert_eq!(defused(given), expected);
    }

    proptest! {
        #[test]
        fn no_cell_begins_like_a_formula_unless_it_is_a_number(text in "[ =+\\-@\t]{0,3}.{0,20}") {
            let cell = defused(&text);
            let begins = cell.trim_start().chars().next();
            let suspicious = matches!(begins, Some('=' | '+' | '-' | '@'));
            prop_assert!(!suspicious || cell.parse::<f64>().is_ok());
        }
    }

    #[test]
    fn values_within_values_have_paths() {
        let fields =
            json!({"address": {"city": "Porto", "lines": ["a", 1, null]}, "empty": {}, "list": [{"a": 1}]});
        let cells = cells(fields.as_object().unwrap());
        let expected = [
            ("address.city", "Porto"),
            ("address.lines", "a; 1; "),
            ("empty", "{}"),
            ("list", "[{\"a\":1}]"),
        ];
        let cells: Vec<_> = cells.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        assert_eq!(cells, expected);
    }
}
