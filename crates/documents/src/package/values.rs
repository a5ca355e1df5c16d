//! Values of records as HTML that people can read.

use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use crate::words;

/// How deep values are shown; what lies deeper is in `records.json`.
const DEEPEST: usize = 6;
/// Characters of a value that are shown.
const LONGEST: usize = 2_000;
/// Entries of a list or an object that are shown.
const MOST: usize = 100;

/// The fields of a record as a list of names and values.
pub(super) fn html(fields: &Map<String, Value>, zone: &TimeZone) -> String {
    let mut out = String::with_capacity(64 * fields.len());
    object(fields, zone, 0, &mut out);
    out
}

fn object(fields: &Map<String, Value>, zone: &TimeZone, depth: usize, out: &mut String) {
    out.push_str("<dl>");
    for (name, value) in fields.iter().filter(|(_, value)| !is_empty(value)).take(MOST) {
        out.push_str("<dt>");
        escape(&words::label(name), out);
        out.push_str("</dt><dd>");
        one(value, zone, depth + 1, out);
        out.push_str("</dd>");
    }
    out.push_str("</dl>");
    rest(fields.len(), out);
}

fn one(value: &Value, zone: &TimeZone, depth: usize, out: &mut String) {
    match value {
        Value::Null => out.push_str("(empty)"),
        Value::Bool(true) => out.push_str("yes"),
        Value::Bool(false) => out.push_str("no"),
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::String(text) => match words::as_moment(text, zone) {
            Some(moment) => escape(&moment, out),
            None => escape(&shortened(text), out),
        },
        Value::Array(_) | Value::Object(_) if depth > DEEPEST => out.push_str("(see records.json)"),
        Value::Array(items) => {
            out.push_str("<ul>");
            for item in items.iter().take(MOST) {
                out.push_str("<li>");
                one(item, zone, depth + 1, out);
                out.push_str("</li>");
            }
            out.push_str("</ul>");
            rest(items.len(), out);
        }
        Value::Object(fields) => object(fields, zone, depth, out),
    }
}

fn rest(count: usize, out: &mut String) {
    if count > MOST {
        out.push_str(&format!("<p class=\"soft\">{} more in records.json</p>", count - MOST));
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{} ... (all of it is in records.json)", &text[..end]),
        None => text.to_owned(),
    }
}

/// Text as HTML. Marks that turn the direction of writing could rearrange what stands around them, and are left out.
pub(super) fn escape(text: &str, out: &mut String) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
            '\n' => out.push_str("<br>"),
            character if character.is_control() => out.push(' '),
            character => out.push(character),
        }
    }
}
