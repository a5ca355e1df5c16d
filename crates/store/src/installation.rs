//! Which master key this database belongs to.

use habeas_environment::Environment;

use crate::connection::Connection;
use crate::dialect::sql;
use crate::error::StoreError;
use crate::keyring::Keyring;

/// Proves that the keys belong to this database; `false` if it belongs to none yet.
pub(crate) async fn check(connection: &mut Connection, keyring: &Keyring) -> Result<bool, StoreError> {
    let row = connection.sql(sql!("SELECT key_id, key_check FROM installation WHERE id = 1")).first().await?;
    let Some(row) = row else { return Ok(false) };
    let expected = row.text(0)?;
    if keyring.passes_check(&expected, &row.bytes(1)?) {
        Ok(true)
    } else {
        Err(StoreError::MasterKeyMismatch { expected, found: keyring.key_id().to_owned() })
    }
}

/// Makes a database that belongs to no key this one's, then proves that the keys belong to it: another starter may
/// have been quicker.
pub(crate) async fn claim(
    connection: &mut Connection,
    keyring: &Keyring,
    environment: &Environment,
) -> Result<(), StoreError> {
    connection
        .sql(sql!(
            "INSERT INTO installation (id, key_id, key_check, created_at) VALUES (1, $1, $2, $3)
             ON CONFLICT (id) DO NOTHING"
        ))
        .text(keyring.key_id())
        .bytes(keyring.key_check(environment)?)
        .time(environment.now())
        .execute()
        .await?;
    if check(connection, keyring).await? { Ok(()) } else { Err(StoreError::Corrupt("installation")) }
}

/// Writes so many bytes that mean nothing: proves that the database can be written.
pub(crate) async fn fill(connection: &mut Connection, bytes: usize) -> Result<(), StoreError> {
    connection
        .sql(sql!("UPDATE installation SET room = $1 WHERE id = 1"))
        .bytes(vec![0; bytes])
        .execute()
        .await?;
    Ok(())
}
