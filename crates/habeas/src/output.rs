//! Everything that is written to stdout, and the last words on stderr.
//!
//! Texts of vendors and subjects come out of here, so control characters are taken out: nobody may move the cursor
//! of a terminal or write over what stands there.

use std::io::{self, IsTerminal as _, Write as _};

use serde_json::Value;

/// One line on stdout, at once.
pub(crate) fn line(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{}", text.trim_end())?;
    Ok(stdout.flush()?)
}

/// The API's own JSON on stdout.
pub(crate) fn json(value: &Value) -> anyhow::Result<()> {
    // A person reads lines; a program takes either.
    let text = if io::stdout().is_terminal() {
        serde_json::to_string_pretty(value)?
    } else {
        serde_json::to_string(value)?
    };
    line(&text)
}

/// What went wrong, on stderr.
pub(crate) fn complain(text: &str) {
    let mut stderr = io::stderr().lock();
    // Nobody is left to tell if this fails.
    drop(writeln!(stderr, "{}", printable(text)));
}

/// Whether nobody reads stdout any more (`habeas ... | head`).
pub(crate) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// `text` with everything that a terminal would act on replaced; line breaks stay.
pub(crate) fn printable(text: &str) -> String {
    let harmless = |character: char| {
        let reorders = matches!(character, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
        if (character.is_control() && character != '\n') || reorders { '\u{FFFD}' } else { character }
    };
    text.chars().map(harmless).collect()
}

/// The text at a JSON pointer as people read it; empty if there is nothing.
pub(crate) fn text(value: &Value, pointer: &str) -> String {
    let found = match value.pointer(pointer) {
        None | Some(Value::Null) => return String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => items
            .iter()
            .map(|item| text(item, ""))
            .filter(|item| !item.is_empty())
            .collect::<Vec<_>>()
            .join(", "),
        Some(other) => other.to_string(),
    };
    printable(&found).replace('\n', " ")
}

/// Columns aligned by their longest cell.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(head: &[&str]) -> Self {
        Self { rows: vec![head.iter().map(|cell| cell.to_uppercase()).collect()] }
    }

    /// Adds a row made of the texts at these JSON pointers.
    pub(crate) fn row(&mut self, value: &Value, pointers: &[&str]) {
        self.rows.push(pointers.iter().map(|pointer| text(value, pointer)).collect());
    }

    /// Adds a row of ready texts.
    pub(crate) fn cells(&mut self, cells: Vec<String>) {
        self.rows.push(cells.iter().map(|cell| printable(cell).replace('\n', " ")).collect());
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns)
            .map(|column| {
                self.rows.iter().filter_map(|row| row.get(column)).map(|cell| width(cell)).max().unwrap_or(0)
            })
            .collect();
        self.rows
            .iter()
            .map(|row| {
                let cells: Vec<String> = row
                    .iter()
                    .zip(&widths)
                    .map(|(cell, widest)| format!("{cell}{}", " ".repeat(widest.saturating_sub(width(cell)))))
                    .collect();
                cells.join("  ").trim_end().to_owned()
            })
            .collect()
    }

    /// Prints the table, or `nothing` if it has only a head.
    pub(crate) fn print(&self, nothing: &str) -> anyhow::Result<()> {
        if self.rows.len() == 1 {
            return line(nothing);
        }
        self.lines().iter().try_for_each(|text| line(text))
    }
}

/// Characters, which is what aligns the scripts that have one column per character.
fn width(text: &str) -> usize {
    text.chars().count()
}

/// Name and value, one pair per line, empty values left out.
pub(crate) fn pairs(pairs: &[(&str, String)]) -> anyhow::Result<()> {
    let shown: Vec<_> = pairs.iter().filter(|(_, value)| !value.is_empty()).collect();
    let widest = shown.iter().map(|(name, _)| width(name)).max().unwrap_or(0);
    shown.iter().try_for_each(|(name, value)| line(&format!("  {name:<widest$}  {value}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_are_aligned_and_empty_cells_keep_their_place() {
        let mut table = Table::new(&["name", "status"]);
        table.row(&json!({"name": "München", "status": "connected"}), &["/name", "/status"]);
        table.row(&json!({"name": null, "status": "degraded"}), &["/name", "/status"]);
        assert_eq!(table.lines(), ["NAME     STATUS", "München  connected", "         degraded"]);
    }

    #[test]
    fn a_vendor_cannot_move_the_cursor() {
        let value = json!({"title": "Ana\u{1b}[2J\nEve\u{202E}"});
        assert_eq!(text(&value, "/title"), "Ana\u{FFFD}[2J Eve\u{FFFD}");
    }
}
