//! Reading, sealing and proving the audit log.

use habeas_domain::{Actor, Permission};
use habeas_store::audit::{self, Anchor, Event, Seal, Verification, seal};

use crate::Casework;
use crate::error::CaseworkError;
use crate::queries::{MOST_ITEMS, Page};

impl Casework {
    /// Events of the whole log, oldest first.
    ///
    /// # Errors
    /// If the actor may not read the log.
    pub async fn audit_events(
        &self,
        actor: &Actor,
        after: i64,
        limit: usize,
    ) -> Result<Page<Event, i64>, CaseworkError> {
        actor.require(Permission::ReadAudit)?;
        let limit = limit.clamp(1, MOST_ITEMS);
        let wanted = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
        let mut items = audit::list(&mut self.store.reader().await?, None, after, wanted).await?;
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(|event| event.position);
        Ok(Page { items, next })
    }

    /// Proves that the log is whole. What is not sealed yet is sealed first, so that the verdict covers all of it.
    ///
    /// # Errors
    /// If the actor may not verify the log, or the store fails.
    pub async fn verify_audit(
        &self,
        actor: &Actor,
        anchor: Option<&Anchor>,
    ) -> Result<Verification, CaseworkError> {
        actor.require(Permission::ReadAudit)?;
        self.seal_audit().await?;
        let mut reader = self.store.reader().await?;
        Ok(audit::verify::verify(&mut reader, self.store.keyring(), anchor).await?)
    }

    /// The newest seal: kept elsewhere, it later proves that the log was not rolled back. What is not sealed yet is
    /// sealed first. `None` while nothing has happened at all.
    ///
    /// # Errors
    /// If the actor may not read the log, or the store fails.
    pub async fn newest_seal(&self, actor: &Actor) -> Result<Option<Seal>, CaseworkError> {
        actor.require(Permission::ReadAudit)?;
        self.seal_audit().await?;
        Ok(seal::newest(&mut self.store.reader().await?).await?)
    }

    /// Seals what no seal covers yet, in bounded steps; the newest seal made. Takes no input.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn seal_audit(&self) -> Result<Option<Seal>, CaseworkError> {
        let mut newest = None;
        while seal::is_due(&mut self.store.reader().await?).await? {
            let made = self
                .store
                .write(|unit| Box::pin(async move { Ok::<_, CaseworkError>(seal::seal(unit).await?) }))
                .await?;
            // Somebody else made it; look again.
            newest = made.or(newest);
        }
        Ok(newest)
    }
}
