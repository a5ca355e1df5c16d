//! Data keys: kept wrapped, apart from what they seal. Destroying one is the erasure of everything it sealed.

use std::collections::HashMap;

use habeas_environment::Environment;

use crate::connection::{Batch, Connection};
use crate::dialect::sql;
use crate::error::StoreError;
use crate::keyring::{DataKey, KeyPurpose, Keyring, WrappedKey};

/// New data keys on their way to the database.
#[derive(Debug, Default)]
pub struct NewDataKeys {
    rows: Batch,
}

impl NewDataKeys {
    /// Makes a key for `owner` and remembers to store it.
    ///
    /// # Errors
    /// If the cipher fails.
    pub fn make(
        &mut self,
        keyring: &Keyring,
        environment: &Environment,
        owner: &str,
        purpose: KeyPurpose,
    ) -> Result<DataKey, StoreError> {
        let (key, wrapped) = keyring.new_data_key(environment, owner, purpose.as_str())?;
        self.rows.row().text(owner).text(purpose.as_str()).text(&wrapped.key_id).bytes(&wrapped.bytes);
        Ok(key)
    }

    /// Stores them.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn store(self, connection: &mut Connection) -> Result<(), StoreError> {
        connection
            .sql(sql!(
                "INSERT INTO data_keys (owner, purpose, key_id, wrapped)
                 SELECT value->>0, value->>1, value->>2, unhex(value->>3) FROM {batch}"
            ))
            .batch(&self.rows)
            .execute()
            .await?;
        Ok(())
    }
}

/// The keys of `owners` for one purpose; an owner whose key was destroyed is absent.
///
/// # Errors
/// If the database fails or a key does not open.
pub async fn load<T: ToString>(
    connection: &mut Connection,
    keyring: &Keyring,
    owners: impl IntoIterator<Item = T>,
    purpose: KeyPurpose,
) -> Result<HashMap<String, DataKey>, StoreError> {
    connection
        .sql(sql!(
            "SELECT owner, key_id, wrapped FROM data_keys
             WHERE purpose = $2 AND owner IN (SELECT value->>0 FROM {batch})"
        ))
        .batch(&Batch::of(owners))
        .text(purpose.as_str())
        .rows()
        .await?
        .iter()
        .map(|row| {
            let owner = row.text(0)?;
            let wrapped = WrappedKey { key_id: row.text(1)?, bytes: row.bytes(2)? };
            let key = keyring.unwrap(&wrapped, &owner, purpose.as_str())?;
            Ok((owner, key))
        })
        .collect()
}

/// One owner's key for one purpose.
///
/// # Errors
/// [`StoreError::Forgotten`] if it was destroyed.
pub async fn load_one(
    connection: &mut Connection,
    keyring: &Keyring,
    owner: impl ToString,
    purpose: KeyPurpose,
) -> Result<DataKey, StoreError> {
    let owner = owner.to_string();
    load(connection, keyring, [&owner], purpose).await?.remove(&owner).ok_or(StoreError::Forgotten(
        match purpose {
            KeyPurpose::Content => "the content of this request",
            KeyPurpose::Case => "the personal data of this request",
            KeyPurpose::Settings => "the settings of this connection",
        },
    ))
}

/// Destroys keys; what they sealed is gone for good. How many there were.
///
/// # Errors
/// If the database fails.
pub async fn destroy<T: ToString>(
    connection: &mut Connection,
    owners: impl IntoIterator<Item = T>,
    purpose: KeyPurpose,
) -> Result<u64, StoreError> {
    connection
        .sql(sql!("DELETE FROM data_keys WHERE purpose = $2 AND owner IN (SELECT value->>0 FROM {batch})"))
        .batch(&Batch::of(owners))
        .text(purpose.as_str())
        .execute()
        .await
}
