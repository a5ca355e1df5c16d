//! Asking connections which other systems they show. Nothing is kept yet: whoever asks looks at the candidates.

use habeas_domain::capability::{Capability, Handling};
use habeas_domain::{Actor, ConnectionId, Permission};
use habeas_integrations::Detection;
use habeas_store::audit::Stream;
use serde_json::json;

use super::{ConnectionCase, find};
use crate::Casework;
use crate::error::CaseworkError;
use crate::profiles::Profile;

impl Casework {
    /// Asks a connection which systems are connected to the one behind it.
    ///
    /// # Errors
    /// If the connection has no such capability, or its vendor cannot be asked.
    pub async fn detect_systems(
        &self,
        actor: &Actor,
        id: ConnectionId,
    ) -> Result<(ConnectionCase, Detection), CaseworkError> {
        actor.require(Permission::DetectSystems)?;
        let stored = find(&mut self.store.reader().await?, id).await?;
        let profile = Profile::new(stored, &self.rules.catalogue)?;
        if profile.choices.get(&Capability::SystemDetection) != Some(&Handling::Api) {
            return Err(CaseworkError::NoDetection {
                connection: profile.stored.name,
                is_able: profile.manifest.capabilities.detects_systems,
                integration: profile.manifest.title,
            });
        }
        let access = self.connection_access(id).await?;
        let connector = self
            .connectors
            .connect(&access.integration, &access.settings, &access.account)
            .map_err(CaseworkError::Vendor)?;
        let detection = connector.detect().await.map_err(CaseworkError::Vendor)?;
        let (by, found) = (actor.clone(), detection.systems.len());
        self.store
            .write(move |unit| {
                Box::pin(async move {
                    unit.record(
                        Stream::Connection(id),
                        &by,
                        "systems.detected",
                        id,
                        json!({"systems": found}),
                    );
                    Ok::<_, CaseworkError>(())
                })
            })
            .await?;
        Ok((self.connection(&Actor::system(), id).await?, detection))
    }
}
