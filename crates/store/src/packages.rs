//! Packages: what an access request delivers, sealed with the content key.

use std::collections::HashMap;

use habeas_domain::{ObjectId, RequestId};
use jiff::Timestamp;

use crate::connection::{Batch, Connection, LARGEST_IN_A_BATCH};
use crate::dialect::sql;
use crate::error::StoreError;
use crate::keyring::Sealed;

/// A request's package.
#[derive(Clone, Debug)]
pub struct Package {
    /// Of which request.
    pub request: RequestId,
    /// When the review ended: the time that the package names.
    pub created_at: Timestamp,
    /// Where its bytes are.
    pub place: PackagePlace,
    /// Its length in bytes; `None` while it is not built.
    pub bytes: Option<u64>,
    /// SHA-256 of its bytes.
    pub sha256: Option<Vec<u8>>,
    /// Why it could not be built last time.
    pub problem: Option<String>,
    /// How many bytes were handed over without a gap from the beginning.
    pub handed: u64,
    /// When it was first handed over completely.
    pub delivered_at: Option<Timestamp>,
}

/// Where the bytes of a package are.
#[derive(Clone, Debug)]
pub enum PackagePlace {
    /// In the database.
    Row(Sealed),
    /// In the storage, once it is built.
    Object(Option<ObjectId>),
}

/// Adds packages, or replaces those that their requests had.
///
/// # Errors
/// If the database fails.
pub async fn save(connection: &mut Connection, packages: &[Package]) -> Result<(), StoreError> {
    let mut rows = Batch::default();
    for package in packages {
        let (content, object) = match &package.place {
            PackagePlace::Row(content) => (content.as_bytes(), None),
            PackagePlace::Object(object) => (&[][..], *object),
        };
        let bytes = package.bytes.and_then(|bytes| i64::try_from(bytes).ok());
        if content.len() > LARGEST_IN_A_BATCH {
            connection
                .sql(sql!(
                    "INSERT INTO packages (request_id, content, created_at, object_id, bytes, sha256, problem)
                     VALUES ($1, $2, $3, $4, $5, $6, $7)
                     ON CONFLICT (request_id) DO UPDATE SET content = excluded.content,
                         created_at = excluded.created_at, object_id = excluded.object_id, bytes = excluded.bytes,
                         sha256 = excluded.sha256, problem = excluded.problem"
                ))
                .text(package.request)
                .bytes(content.to_vec())
                .time(package.created_at)
                .optional_text(object)
                .integer(bytes)
                .bytes(package.sha256.clone())
                .optional_text(package.problem.as_ref())
                .execute()
                .await?;
            continue;
        }
        rows.row()
            .text(package.request)
            .bytes(content)
            .time(package.created_at)
            .optional_text(object)
            .integer(bytes)
            .optional_bytes(package.sha256.as_deref())
            .optional_text(package.problem.as_ref());
    }
    if rows.is_empty() {
        return Ok(());
    }
    connection
        .sql(sql!(
            "INSERT INTO packages (request_id, content, created_at, object_id, bytes, sha256, problem)
             SELECT value->>0, unhex(value->>1), CAST(value->>2 AS BIGINT), value->>3, CAST(value->>4 AS BIGINT),
                 unhex(value->>5), value->>6
             FROM {batch} WHERE true
             ON CONFLICT (request_id) DO UPDATE SET content = excluded.content, created_at = excluded.created_at,
                 object_id = excluded.object_id, bytes = excluded.bytes, sha256 = excluded.sha256,
                 problem = excluded.problem"
        ))
        .batch(&rows)
        .execute()
        .await?;
    Ok(())
}

/// A request's package.
///
/// # Errors
/// If the database fails.
pub async fn find(connection: &mut Connection, request: RequestId) -> Result<Option<Package>, StoreError> {
    let row = connection
        .sql(sql!(
            "SELECT content, created_at, object_id, bytes, sha256, problem, handed, delivered_at
             FROM packages WHERE request_id = $1"
        ))
        .text(request)
        .first()
        .await?;
    let Some(row) = row else { return Ok(None) };
    let content = row.bytes(0)?;
    let place = if content.is_empty() {
        PackagePlace::Object(row.optional_parsed(2, "packages.object_id")?)
    } else {
        PackagePlace::Row(Sealed::from_stored(content))
    };
    Ok(Some(Package {
        request,
        created_at: row.time(1)?,
        place,
        bytes: row.optional_integer(3)?.and_then(|bytes| u64::try_from(bytes).ok()),
        sha256: row.optional_bytes(4)?,
        problem: row.optional_text(5)?,
        handed: row.count(6)?,
        delivered_at: row.optional_time(7)?,
    }))
}

/// How many bytes of the packages of requests were handed over without a gap from the beginning.
///
/// # Errors
/// If the database fails.
pub async fn handed(
    connection: &mut Connection,
    requests: impl IntoIterator<Item = RequestId>,
) -> Result<HashMap<RequestId, u64>, StoreError> {
    connection
        .sql(sql!(
            "SELECT request_id, handed FROM packages WHERE request_id IN (SELECT value->>0 FROM {batch})"
        ))
        .batch(&Batch::of(requests))
        .rows()
        .await?
        .iter()
        .map(|row| Ok((row.parsed(0, "packages.request_id")?, row.count(1)?)))
        .collect()
}

/// Notes that packages were handed over completely, the first time that they were.
///
/// # Errors
/// If the database fails.
pub async fn note_delivered(
    connection: &mut Connection,
    requests: impl IntoIterator<Item = RequestId>,
    at: Timestamp,
) -> Result<(), StoreError> {
    connection
        .sql(sql!(
            "UPDATE packages SET delivered_at = $2
             WHERE delivered_at IS NULL AND request_id IN (SELECT value->>0 FROM {batch})"
        ))
        .batch(&Batch::of(requests))
        .time(at)
        .execute()
        .await?;
    Ok(())
}

/// Notes why a package could not be built.
///
/// # Errors
/// If the database fails.
pub async fn note_problem(
    connection: &mut Connection,
    request: RequestId,
    problem: &str,
) -> Result<(), StoreError> {
    connection
        .sql(sql!("UPDATE packages SET problem = $2 WHERE request_id = $1"))
        .text(request)
        .text(problem)
        .execute()
        .await?;
    Ok(())
}

/// Notes that the bytes `from..to` were handed over, if they join what was handed over before.
///
/// # Errors
/// If the database fails.
pub async fn note_handed(
    connection: &mut Connection,
    request: RequestId,
    (from, to): (u64, u64),
) -> Result<(), StoreError> {
    let number = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    connection
        .sql(sql!("UPDATE packages SET handed = $3 WHERE request_id = $1 AND handed >= $2 AND handed < $3"))
        .text(request)
        .integer(number(from))
        .integer(number(to))
        .execute()
        .await?;
    Ok(())
}

/// How large the packages of requests will be at least: bytes of their selected records, and of their files in the
/// storage.
///
/// # Errors
/// If the database fails.
pub async fn weigh(
    connection: &mut Connection,
    requests: impl IntoIterator<Item = RequestId>,
) -> Result<HashMap<RequestId, (u64, u64)>, StoreError> {
    connection
        .sql(sql!(
            "SELECT request_id, CAST(coalesce(sum(length(content)), 0) AS BIGINT),
                 (SELECT CAST(coalesce(sum(objects.bytes), 0) AS BIGINT) FROM objects
                    WHERE objects.request_id = records.request_id AND objects.state = 'kept')
             FROM records
             WHERE selected <> 0 AND request_id IN (SELECT value->>0 FROM {batch}) GROUP BY request_id"
        ))
        .batch(&Batch::of(requests))
        .rows()
        .await?
        .iter()
        .map(|row| Ok((row.parsed(0, "records.request_id")?, (row.count(1)?, row.count(2)?))))
        .collect()
}
