//! Whether everything arrived: the target is read again, from its beginning to its end.

use super::MovedTable;
use super::end::{End, Role};
use super::error::MoveError;
use super::rows::{self, Position, Reader};
use super::tables::Carried;
use crate::audit::seal::{self, Seal};
use crate::audit::verify::{Anchor, verify};
use crate::keyring::Keyring;

/// Compares what is on the target with what was read from the source, and both with what the source counts.
pub(super) async fn compare(
    source: &mut End,
    target: &mut End,
    carried: &Carried,
) -> Result<MovedTable, MoveError> {
    let sent = rows::position(&mut target.connection, carried.name())
        .await
        .map_err(|error| Role::Target.failed(error))?;
    let dialect = target.connection.dialect();
    let found = Reader::begin(&mut target.connection, carried, Role::Target, dialect, Position::default())?;
    let found = found.skim().await?;
    let source_rows = carried.count(&mut source.connection, Role::Source).await?;
    if found.rows != source_rows || found.rows != sent.rows || found.digest != sent.digest {
        let content = if found.rows == source_rows { ", and not the same ones" } else { "" };
        let table = carried.name().to_owned();
        return Err(MoveError::Differs { table, source_rows, target_rows: found.rows, content });
    }
    let digest = hex::encode(found.digest.as_bytes());
    Ok(MovedTable { name: carried.name().to_owned(), rows: found.rows, digest })
}

/// Verifies the audit log on the target, against the newest seal of the source; how many events it has, and that seal.
pub(super) async fn verify_log(
    source: &mut End,
    target: &mut End,
    keyring: &Keyring,
) -> Result<(u64, Option<Seal>), MoveError> {
    let (from, to) = (|error| Role::Source.failed(error), |error| Role::Target.failed(error));
    let newest = seal::newest(&mut source.connection).await.map_err(from)?;
    let anchor = newest.clone().map(Anchor);
    let verdict = verify(&mut target.connection, keyring, anchor.as_ref()).await.map_err(to)?;
    let Some(fault) = verdict.first_bad else {
        return Ok((u64::try_from(verdict.events).unwrap_or_default(), newest));
    };
    let before = verify(&mut source.connection, keyring, None).await.map_err(from)?;
    let hint = if before.valid {
        ". It does in the database of --from: empty the one of --to and run the same command again"
    } else {
        ". Nor does it in the database of --from: `habeas audit verify` there says the same, and that has to be understood \
         before anything is moved"
    };
    Err(MoveError::Log { object: fault.object, problem: fault.problem, hint })
}
