//! Many rows in one parameter.

use jiff::Timestamp;

/// What is larger is written by itself, as bytes: in a batch it would travel as text of twice its size, and PostgreSQL
/// bounds that text.
pub(crate) const LARGEST_IN_A_BATCH: usize = 256 << 10;

/// Many rows in one parameter: a JSON array of arrays, built without intermediate values.
#[derive(Debug)]
pub struct Batch {
    pub(super) json: String,
    rows: usize,
}

impl Default for Batch {
    fn default() -> Self {
        Self { json: "[]".to_owned(), rows: 0 }
    }
}

impl Batch {
    /// A batch of single-column rows.
    pub fn of<T: ToString>(values: impl IntoIterator<Item = T>) -> Self {
        let mut batch = Self::default();
        for value in values {
            batch.row().text(value);
        }
        batch
    }

    /// Starts the next row.
    pub fn row(&mut self) -> BatchRow<'_> {
        self.json.pop();
        if self.rows > 0 {
            self.json.push(',');
        }
        self.rows += 1;
        self.json.push('[');
        BatchRow { batch: self, columns: 0 }
    }

    /// How many rows there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.rows
    }

    /// Whether there is nothing to send.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rows == 0
    }
}

/// A row being written; it is complete when dropped.
#[derive(Debug)]
pub struct BatchRow<'b> {
    batch: &'b mut Batch,
    columns: usize,
}

impl BatchRow<'_> {
    fn next(&mut self) -> &mut String {
        if self.columns > 0 {
            self.batch.json.push(',');
        }
        self.columns += 1;
        &mut self.batch.json
    }

    /// A whole number or nothing.
    pub fn integer(&mut self, value: impl Into<Option<i64>>) -> &mut Self {
        use std::fmt::Write as _;
        match value.into() {
            Some(value) => {
                let _ = write!(self.next(), "{value}");
            }
            None => self.next().push_str("null"),
        }
        self
    }

    /// A moment or nothing.
    pub fn time(&mut self, value: impl Into<Option<Timestamp>>) -> &mut Self {
        self.integer(value.into().map(Timestamp::as_millisecond))
    }

    /// Text.
    pub fn text(&mut self, value: impl ToString) -> &mut Self {
        // A string always serialises.
        let quoted = serde_json::to_string(&value.to_string()).unwrap_or_default();
        self.next().push_str(&quoted);
        self
    }

    /// Text or nothing.
    pub fn optional_text<T: ToString>(&mut self, value: Option<T>) -> &mut Self {
        match value {
            Some(value) => self.text(value),
            None => self.integer(None),
        }
    }

    /// Bytes, as hexadecimal text for `unhex`.
    pub fn bytes(&mut self, value: &[u8]) -> &mut Self {
        // Into a slice: `hex::encode` goes digit by digit, and this was a twelfth of what an access costs.
        let mut digits = vec![0; value.len() * 2];
        let written = hex::encode_to_slice(value, &mut digits);
        debug_assert!(written.is_ok(), "two digits for each byte");
        let json = self.next();
        json.push('"');
        json.push_str(&String::from_utf8_lossy(&digits));
        json.push('"');
        self
    }

    /// Bytes or nothing.
    pub fn optional_bytes(&mut self, value: Option<&[u8]>) -> &mut Self {
        match value {
            Some(value) => self.bytes(value),
            None => self.integer(None),
        }
    }
}

impl Drop for BatchRow<'_> {
    fn drop(&mut self) {
        self.batch.json.push_str("]]");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_json() {
        let mut batch = Batch::default();
        assert_eq!(batch.json, "[]");
        batch.row().text("a\"b").integer(1).integer(None).bytes(&[0, 255]);
        batch.row().optional_text::<&str>(None).optional_bytes(None).bytes(&[]);
        assert_eq!(batch.json, r#"[["a\"b",1,null,"00ff"],[null,null,""]]"#);
    }
}
