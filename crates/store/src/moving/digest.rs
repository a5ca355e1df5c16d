//! What a table holds, in 32 bytes: the same on both databases if and only if the rows are.

use aws_lc_rs::digest::{Context, SHA256};

use crate::connection::Value;

/// The sum, modulo 2^256, of the SHA-256 of every row. A sum, because the two databases may order texts differently;
/// a row's own hash covers its key, so no row can stand for another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Digest([u8; 32]);

impl Digest {
    pub(super) fn from_stored(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub(super) const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Takes one more row in.
    pub(super) fn add(&mut self, row: &[Value]) {
        let mut context = Context::new(&SHA256);
        for value in row {
            // A kind, and a length where there is one: no two rows give the same bytes.
            let (kind, bytes): (u8, &[u8]) = match value {
                Value::Integer(Some(number)) => {
                    context.update(&[1]);
                    context.update(&number.to_be_bytes());
                    continue;
                }
                Value::Text(Some(text)) => (2, text.as_bytes()),
                Value::Bytes(Some(bytes)) => (3, bytes),
                Value::Integer(None) | Value::Text(None) | Value::Bytes(None) => {
                    context.update(&[0]);
                    continue;
                }
            };
            context.update(&[kind]);
            context.update(&(bytes.len() as u64).to_be_bytes());
            context.update(bytes);
        }
        let mut carry = 0;
        for (sum, byte) in self.0.iter_mut().zip(context.finish().as_ref()) {
            let total = u16::from(*sum) + u16::from(*byte) + carry;
            *sum = (total & 0xff) as u8;
            carry = total >> 8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::Text(Some(text.to_owned()))
    }

    fn of(rows: &[&[Value]]) -> Digest {
        let mut digest = Digest::default();
        for row in rows {
            digest.add(row);
        }
        digest
    }

    #[test]
    fn the_order_of_rows_does_not_matter_and_everything_else_does() {
        let (a, b): (&[Value], &[Value]) = (&[text("a"), Value::Integer(Some(1))], &[text("b"), text("")]);
        assert_eq!(of(&[a, b]), of(&[b, a]));
        let different = [
            of(&[]),
            of(&[a]),
            of(&[a, a]),
            of(&[a, b]),
            of(&[b, b]),
            of(&[&[text("a"), Value::Text(None)]]),
            of(&[&[text("a"), Value::Bytes(Some(vec![]))]]),
            of(&[&[text("a"), text("")]]),
            of(&[&[text(""), text("a")]]),
            of(&[&[Value::Bytes(Some(b"a".to_vec())), text("")]]),
            of(&[&[Value::Integer(Some(0)), text("a")]]),
            of(&[&[Value::Integer(None), text("a")]]),
        ];
        for (at, one) in different.iter().enumerate() {
            for other in &different[at + 1..] {
                assert_ne!(one, other);
            }
        }
    }
}
