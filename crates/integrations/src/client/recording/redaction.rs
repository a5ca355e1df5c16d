//! What may be kept of an exchange.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::civil::DateTime;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};
use url::{Url, form_urlencoded};

use super::recorder::Exchange;
use super::written::{BASE, Body, Replied, Requested, Turn};

/// What a vendor's texts are made of, so far as a connector goes by it.
#[derive(Clone, Copy, Debug)]
pub struct Structure {
    /// Words that are kept wherever they stand: statuses, names of types, scopes.
    pub words: &'static [&'static str],
    /// Keys whose texts are ids and addresses of the vendor's own.
    pub keys: &'static [&'static str],
}

/// Replaces every text that it does not know to be harmless: one that was seen before by what it was replaced by then.
#[derive(Debug)]
pub struct Redaction {
    structure: Structure,
    base: Url,
    /// In lower case.
    hidden: Vec<String>,
    replaced: HashMap<String, String>,
    texts: usize,
    people: usize,
}

impl Redaction {
    /// A redaction of what a vendor at `base` says. Nothing that holds one of `hidden` is let through, whatever it
    /// looks like.
    #[must_use]
    pub fn new(structure: Structure, base: &Url, hidden: &[&str]) -> Self {
        let hidden = hidden.iter().filter(|one| !one.is_empty()).map(|one| one.to_lowercase()).collect();
        let (replaced, texts, people) = (HashMap::new(), 0, 0);
        Self { structure, base: base.clone(), hidden, replaced, texts, people }
    }

    /// What stands in the place of a text: an e-mail address stays one, and upper and lower case are the same.
    pub fn replace(&mut self, text: &str) -> String {
        let key = text.trim().to_lowercase();
        if key.is_empty() {
            return String::new();
        }
        if let Some(known) = self.replaced.get(&key) {
            return known.clone();
        }
        let replacement = if key.contains('@') {
            self.people += 1;
            format!("person-{}@example.test", self.people)
        } else {
            self.texts += 1;
            format!("text-{}", self.texts)
        };
        self.replaced.insert(key, replacement.clone());
        replacement
    }

    /// What may be kept of an exchange.
    pub fn turn(&mut self, exchange: &Exchange) -> Turn {
        let Requested { method, path, query, accept, body } = Requested::of(&exchange.sent);
        let requested = Requested {
            method,
            path: self.path(&path),
            query: query.iter().map(|name| self.key(name)).collect(),
            accept: self.media_type(accept),
            body: self.body(body),
        };
        let Replied { status, content_type, retry_after, body } = Replied::of(&exchange.answer);
        let replied = Replied {
            status,
            content_type: self.media_type(content_type),
            retry_after,
            body: self.body(body),
        };
        Turn { requested, replied }
    }

    /// JSON of the same shape.
    pub fn value(&mut self, value: &Value) -> Value {
        self.below("", value)
    }

    fn body(&mut self, body: Body) -> Body {
        match body {
            Body::Json(value) => Body::Json(self.value(&value)),
            Body::Form(fields) => {
                let fields = fields.iter().map(|(name, value)| (self.key(name), self.text("", value)));
                Body::Form(fields.collect())
            }
            nothing @ (Body::Empty | Body::Opaque(_)) => nothing,
        }
    }

    fn below(&mut self, key: &str, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(key, text)),
            Value::Array(list) => Value::Array(list.iter().map(|one| self.below(key, one)).collect()),
            Value::Object(fields) => {
                let mut kept = Map::new();
                for (key, value) in fields {
                    let value = self.below(key, value);
                    kept.insert(self.key(key), value);
                }
                Value::Object(kept)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }

    fn text(&mut self, key: &str, text: &str) -> String {
        if self.is_hidden(text) {
            return self.replace(text);
        }
        if self.is_words(text) || is_time(text) {
            return text.to_owned();
        }
        if self.structure.keys.contains(&key) {
            if is_id(text) {
                return text.to_owned();
            }
            if let Some(address) = self.address(text) {
                return address;
            }
        }
        self.replace(text)
    }

    /// The name of a field: the vendor's own, unless it is none that a vendor would choose.
    fn key(&mut self, key: &str) -> String {
        if is_id(key) && !self.is_hidden(key) { key.to_owned() } else { self.replace(key) }
    }

    fn is_hidden(&self, text: &str) -> bool {
        let decoded = percent_decode_str(text).decode_utf8_lossy().to_lowercase();
        let plain = text.to_lowercase();
        self.hidden.iter().any(|hidden| decoded.contains(hidden) || plain.contains(hidden))
    }

    fn is_words(&self, text: &str) -> bool {
        !text.is_empty() && text.split(' ').all(|word| self.structure.words.contains(&word))
    }

    /// An address of the vendor's own, from [`BASE`] on or from its root on, as it was written.
    fn address(&mut self, text: &str) -> Option<String> {
        let origin = self.base.origin().ascii_serialization();
        let (start, rest) = match text.strip_prefix(&origin) {
            Some(rest) => (BASE, rest),
            None => ("", text),
        };
        let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
        if !path.starts_with('/') {
            return None;
        }
        let mut address = format!("{start}{}", self.path(path));
        if let Some(query) = query {
            let mut written = form_urlencoded::Serializer::new(String::new());
            for (name, value) in form_urlencoded::parse(query.as_bytes()) {
                let is_number = value.bytes().all(|byte| byte.is_ascii_digit());
                let value = if is_number { value.into_owned() } else { self.text("", &value) };
                written.append_pair(&self.key(&name), &value);
            }
            address = format!("{address}?{}", written.finish());
        }
        Some(address)
    }

    fn path(&mut self, path: &str) -> String {
        let parts = path.split('/').map(|part| {
            if part.is_empty() || (is_id(part) && !self.is_hidden(part)) {
                part.to_owned()
            } else {
                self.replace(&percent_decode_str(part).decode_utf8_lossy())
            }
        });
        parts.collect::<Vec<_>>().join("/")
    }

    fn media_type(&self, kind: Option<String>) -> Option<String> {
        kind.filter(|kind| {
            kind.len() <= 60
                && kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/+-.*".contains(&byte))
                && !self.is_hidden(kind)
        })
    }
}

/// Whether a text looks like an id: of characters that stay as they are in an address (RFC 3986 § 2.3).
fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte))
}

/// A moment, down to the second. A day alone may be a birthday.
fn is_time(text: &str) -> bool {
    text.len() >= 19 && (text.parse::<Timestamp>().is_ok() || text.parse::<DateTime>().is_ok())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
    use rstest::rstest;
    use serde_json::json;

    use super::*;
    use crate::client::in_memory::{Answer, Sent};

    const SECRET: &str = "pl4nted-s3cret";
    const ANA: &str = "ana.silva@example.test";
    const STRUCTURE: Structure =
        Structure { words: &["running", "Bearer", "read:x", "write:x"], keys: &["id", "url"] };

    fn redaction() -> Redaction {
        Redaction::new(STRUCTURE, &Url::parse("http://127.0.0.1:4711/").unwrap(), &[SECRET, ANA, "u-1001"])
    }

    #[rstest]
    #[case::word(json!({"a": "running"}), json!({"a": "running"}))]
    #[case::words(json!({"a": "read:x write:x"}), json!({"a": "read:x write:x"}))]
    #[case::word_among_others(json!({"a": "running Ana"}), json!({"a": "text-1"}))]
    #[case::id(json!({"id": "3mrRD", "b": "3mrRD"}), json!({"id": "3mrRD", "b": "text-1"}))]
    #[case::no_id(json!({"id": "Ana Silva"}), json!({"id": "text-1"}))]
    #[case::hidden_id(json!({"id": "u-1001"}), json!({"id": "text-1"}))]
    #[case::hidden_inside(json!({"id": "xPL4NTED-S3CRETx"}), json!({"id": "text-1"}))]
    #[case::address(json!({"url": "http://127.0.0.1:4711/a/7/?limit=10&q=x"}), json!({"url": "https://vendor.example.test/a/7/?limit=10&q=text-1"}))]
    #[case::path(json!({"url": "/a/7/"}), json!({"url": "/a/7/"}))]
    #[case::person_in_a_path(json!({"url": "/a/ana.silva%40example.test"}), json!({"url": "text-1"}))]
    #[case::secret_in_a_query(json!({"url": "/a?t=pl4nted%2Ds3cret"}), json!({"url": "text-1"}))]
    #[case::another_host(json!({"url": "http://evil.example.test/a"}), json!({"url": "text-1"}))]
    #[case::address_elsewhere(json!({"b": "/a/7/"}), json!({"b": "text-1"}))]
    #[case::time(json!({"a": "2026-03-01T12:00:00Z"}), json!({"a": "2026-03-01T12:00:00Z"}))]
    #[case::civil_time(json!({"a": "2026-03-01 12:00:00"}), json!({"a": "2026-03-01 12:00:00"}))]
    #[case::birthday(json!({"a": "1980-03-01"}), json!({"a": "text-1"}))]
    #[case::person(json!({"a": ["ANA.silva@example.test", ANA, "jo@example.test"]}), json!({"a": ["person-1@example.test", "person-1@example.test", "person-2@example.test"]}))]
    #[case::numbers_and_flags(json!({"a": [1, 2.5, true, null, ""]}), json!({"a": [1, 2.5, true, null, ""]}))]
    #[case::key(json!({"ana.silva@example.test": 1, "Ana Silva": 2}), json!({"person-1@example.test": 1, "text-1": 2}))]
    fn values(#[case] given: Value, #[case] kept: Value) {
        assert_eq!(redaction().value(&given), kept);
    }

    #[test]
    fn nothing_that_is_hidden_survives_anywhere() {
        let mut headers = HeaderMap::new();
        for name in [header::AUTHORIZATION, header::ACCEPT, header::COOKIE, header::RETRY_AFTER] {
            headers.insert(name, HeaderValue::from_static(SECRET));
        }
        let url = format!("http://127.0.0.1:4711/{SECRET}/{ANA}?{SECRET}={SECRET}&q={ANA}");
        let sent = |kind: &'static str, body: String| {
            let mut headers = headers.clone();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            let (method, url) = (Method::POST, Url::parse(&url).unwrap());
            Sent { method, url, headers, body: Bytes::from(body) }
        };
        let json =
            json!({SECRET: SECRET, "access_token": SECRET, "id": SECRET, "url": url, "a": {ANA: [ANA]}});
        let form = format!("client_secret={SECRET}&{SECRET}=x&email={ANA}");
        for (kind, body) in [
            ("application/json", json.to_string()),
            ("application/x-www-form-urlencoded", form),
            ("text/plain", format!("{SECRET} {ANA}")),
        ] {
            let sent = sent(kind, body);
            let answer =
                Answer { headers: sent.headers.clone(), ..Answer::new(StatusCode::OK, sent.body.clone()) };
            let turn = redaction().turn(&Exchange { sent, answer });
            let written = serde_json::to_string(&turn).unwrap().to_lowercase();
            for hidden in [SECRET, ANA, "ana.silva"] {
                assert!(!written.contains(hidden), "{hidden} in {written}");
            }
        }
    }
}
