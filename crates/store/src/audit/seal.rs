//! Seals: signed statements that the log up to a position is what it is.

use aws_lc_rs::digest;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::connection::{Connection, Row};
use crate::dialect::sql;
use crate::error::StoreError;
use crate::keyring::Keyring;
use crate::unit::Unit;

/// Events that one seal covers at most, so that a backlog is sealed in bounded steps.
const MOST_EVENTS: i64 = 20_000;

/// A signed statement over a stretch of the log and, through the seal before it, over everything earlier. This is
/// also the form in which a seal is kept elsewhere as an anchor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// Number, from 1.
    pub number: i64,
    /// First position covered.
    pub first_position: i64,
    /// Last position covered.
    pub last_position: i64,
    /// When it was made, epoch milliseconds.
    pub at: i64,
    /// Merkle root over the hashes of the covered events.
    #[serde(with = "hex::serde")]
    pub root: Vec<u8>,
    /// Hash of the seal before; 32 zero bytes for the first.
    #[serde(with = "hex::serde")]
    pub previous_hash: Vec<u8>,
    /// SHA-256 over everything above.
    #[serde(with = "hex::serde")]
    pub hash: Vec<u8>,
    /// Ed25519 key that signed.
    #[serde(with = "hex::serde")]
    pub public_key: Vec<u8>,
    /// Ed25519 signature over `hash`.
    #[serde(with = "hex::serde")]
    pub signature: Vec<u8>,
}

impl Seal {
    pub(crate) fn expected_hash(&self) -> Vec<u8> {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(b"seal\0");
        for number in [self.number, self.first_position, self.last_position, self.at] {
            context.update(&number.to_be_bytes());
        }
        context.update(&self.root);
        context.update(&self.previous_hash);
        context.finish().as_ref().to_vec()
    }

    pub(crate) fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            number: row.integer(0)?,
            first_position: row.integer(1)?,
            last_position: row.integer(2)?,
            at: row.integer(3)?,
            root: row.bytes(4)?,
            previous_hash: row.bytes(5)?,
            hash: row.bytes(6)?,
            public_key: row.bytes(7)?,
            signature: row.bytes(8)?,
        })
    }
}

/// Merkle root over leaf hashes (RFC 6962 § 2.1: leaves and nodes are hashed with different prefixes).
pub(crate) fn merkle_root<L: AsRef<[u8]>>(leaves: &[L]) -> Vec<u8> {
    let mut level: Vec<Vec<u8>> = leaves.iter().map(|leaf| hashed(0, &[leaf.as_ref()])).collect();
    if level.is_empty() {
        return hashed(0, &[]);
    }
    while level.len() > 1 {
        level = level
            .chunks(2)
            .map(|pair| match pair {
                [left, right] => hashed(1, &[left, right]),
                // An odd one out moves up as it is.
                _ => pair.concat(),
            })
            .collect();
    }
    level.swap_remove(0)
}

fn hashed(prefix: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&[prefix]);
    for part in parts {
        context.update(part);
    }
    context.finish().as_ref().to_vec()
}

/// The newest seal.
///
/// # Errors
/// If the database fails.
pub async fn newest(connection: &mut Connection) -> Result<Option<Seal>, StoreError> {
    let row = connection
        .sql(sql!(
            "SELECT number, first_position, last_position, at, root, previous_hash, hash, public_key, signature
             FROM audit_seals ORDER BY number DESC LIMIT 1"
        ))
        .first()
        .await?;
    row.as_ref().map(Seal::read).transpose()
}

/// Whether there are events that no seal covers. The events themselves are looked at, not how many there should be: in a
/// log whose end was cut off nothing is left to seal, and whoever waits for that would wait for ever.
///
/// # Errors
/// If the database fails.
pub async fn is_due(connection: &mut Connection) -> Result<bool, StoreError> {
    let row = connection
        .sql(sql!(
            "SELECT CAST(coalesce((SELECT max(position) FROM audit_events), 0)
                 - coalesce((SELECT max(last_position) FROM audit_seals), 0) AS BIGINT)"
        ))
        .first()
        .await?;
    Ok(row.map_or(Ok(0), |row| row.integer(0))? > 0)
}

/// Seals the committed events that no seal covers yet; `None` if there are none. Two sealers at once are harmless:
/// the second finds its number taken.
///
/// # Errors
/// If the database fails.
pub async fn seal(unit: &mut Unit) -> Result<Option<Seal>, StoreError> {
    let keyring = unit.keyring();
    let now = unit.now();
    let connection = unit.connection();
    let before = newest(connection).await?;
    let covered = before.as_ref().map_or(0, |seal| seal.last_position);
    let rows = connection
        .sql(sql!("SELECT position, hash FROM audit_events WHERE position > $1 ORDER BY position LIMIT $2"))
        .integer(covered)
        .integer(MOST_EVENTS)
        .rows()
        .await?;
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(None) };
    let hashes = rows.iter().map(|row| row.bytes(1)).collect::<Result<Vec<_>, _>>()?;
    let seal = signed(&keyring, before.as_ref(), (first.integer(0)?, last.integer(0)?), now, &hashes);
    let inserted = connection
        .sql(sql!(
            "INSERT INTO audit_seals (number, first_position, last_position, at, root, previous_hash, hash,
                                      public_key, signature)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (number) DO NOTHING"
        ))
        .integer(seal.number)
        .integer(seal.first_position)
        .integer(seal.last_position)
        .integer(seal.at)
        .bytes(seal.root.clone())
        .bytes(seal.previous_hash.clone())
        .bytes(seal.hash.clone())
        .bytes(seal.public_key.clone())
        .bytes(seal.signature.clone())
        .execute()
        .await?;
    Ok((inserted == 1).then_some(seal))
}

fn signed(
    keyring: &Keyring,
    before: Option<&Seal>,
    (first_position, last_position): (i64, i64),
    now: Timestamp,
    hashes: &[Vec<u8>],
) -> Seal {
    let mut seal = Seal {
        number: before.map_or(1, |seal| seal.number + 1),
        first_position,
        last_position,
        at: now.as_millisecond(),
        root: merkle_root(hashes),
        previous_hash: before.map_or_else(|| super::NO_HASH.to_vec(), |seal| seal.hash.clone()),
        hash: Vec::new(),
        public_key: keyring.public_key(),
        signature: Vec::new(),
    };
    seal.hash = seal.expected_hash();
    seal.signature = keyring.sign(&seal.hash);
    seal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_depends_on_every_leaf_and_their_order() {
        let roots: std::collections::BTreeSet<_> = [
            vec!["a"],
            vec!["a", "b"],
            vec!["b", "a"],
            vec!["a", "b", "c"],
            vec!["a", "b", "c", "c"],
            vec![],
        ]
        .iter()
        .map(|leaves| merkle_root(leaves))
        .collect();
        assert_eq!(roots.len(), 6);
    }
}
