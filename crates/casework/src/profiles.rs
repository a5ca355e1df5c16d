//! Connections as the plan and the engine see them.

use std::collections::HashMap;

use habeas_domain::ConnectionId;
use habeas_domain::capability::{Capability, DeletionMethod, Handling};
use habeas_domain::plan::Participant;
use habeas_integrations::{Catalogue, Manifest, Residual};
use habeas_store::connections::StoredConnection;
use habeas_store::{Connection, StoreError, connections};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::CapabilityChoices;

/// A connection with its integration's manifest.
#[derive(Clone, Debug)]
pub(crate) struct Profile {
    pub(crate) stored: StoredConnection,
    pub(crate) manifest: &'static Manifest,
    pub(crate) choices: CapabilityChoices,
    earlier: Vec<EarlierChoices>,
}

/// Who served capabilities until a moment at which that was changed.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct EarlierChoices {
    /// Until when.
    until: Timestamp,
    /// Who.
    capabilities: CapabilityChoices,
}

impl Profile {
    pub(crate) fn new(stored: StoredConnection, catalogue: &Catalogue) -> Result<Self, StoreError> {
        let manifest = catalogue
            .find(&stored.integration)
            .ok_or(StoreError::Corrupt("connections.integration"))?
            .manifest();
        let choices = serde_json::from_value(stored.capabilities.clone())
            .map_err(|_| StoreError::Corrupt("connections.capabilities"))?;
        let earlier = serde_json::from_value(stored.earlier_capabilities.clone())
            .map_err(|_| StoreError::Corrupt("connections.earlier_capabilities"))?;
        Ok(Self { stored, manifest, choices, earlier })
    }

    /// What is kept of today's choices when they are changed at that moment.
    pub(crate) fn until(&self, until: Timestamp) -> serde_json::Value {
        let mut earlier = self.earlier.clone();
        earlier.push(EarlierChoices { until, capabilities: self.choices.clone() });
        serde_json::json!(earlier)
    }

    /// Who serves a capability for what was planned at that moment: changes count for later requests only.
    pub(crate) fn handling_at(&self, capability: Capability, planned_at: Timestamp) -> Handling {
        let then = self.earlier.iter().find(|earlier| planned_at < earlier.until);
        let choices = then.map_or(&self.choices, |earlier| &earlier.capabilities);
        choices.get(&capability).copied().unwrap_or(Handling::Off)
    }

    pub(crate) fn handling(&self, capability: Capability) -> Handling {
        self.choices.get(&capability).copied().unwrap_or(Handling::Off)
    }

    pub(crate) fn deletion_method(&self) -> Option<DeletionMethod> {
        self.manifest.capabilities.deletion.map(|deletion| deletion.method)
    }

    pub(crate) fn participant(&self) -> Participant {
        self.participant_by(|capability| self.handling(capability))
    }

    /// As it was for what was planned at that moment.
    pub(crate) fn participant_at(&self, planned_at: Timestamp) -> Participant {
        self.participant_by(|capability| self.handling_at(capability, planned_at))
    }

    fn participant_by(&self, handling: impl Fn(Capability) -> Handling) -> Participant {
        let capabilities = &self.manifest.capabilities;
        Participant {
            connection: self.stored.id,
            name: self.stored.name.clone(),
            access: (handling(Capability::Access), capabilities.access.map(|access| access.kind)),
            deletion: (handling(Capability::Deletion), self.deletion_method()),
            identifiers: capabilities.identifiers,
        }
    }
}

/// Every connection by its id, also those that were removed: requests that they had a part in may be under way.
#[derive(Debug)]
pub(crate) struct Profiles {
    all: Vec<Profile>,
    by_id: HashMap<ConnectionId, usize>,
}

impl Profiles {
    pub(crate) async fn load(connection: &mut Connection, catalogue: &Catalogue) -> Result<Self, StoreError> {
        let all = connections::all(connection)
            .await?
            .into_iter()
            .map(|stored| Profile::new(stored, catalogue))
            .collect::<Result<Vec<_>, _>>()?;
        let by_id = all.iter().enumerate().map(|(at, profile)| (profile.stored.id, at)).collect();
        Ok(Self { all, by_id })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Profile> {
        self.all.iter()
    }

    pub(crate) fn participants(&self) -> Vec<Participant> {
        self.all.iter().filter(|one| one.stored.removed_at.is_none()).map(Profile::participant).collect()
    }

    /// What a deletion over a connection's API leaves behind or does besides, as far as it is known in advance.
    pub(crate) fn residuals_of_deletion(
        &self,
        catalogue: &Catalogue,
        id: ConnectionId,
        planned_at: Timestamp,
    ) -> Result<Vec<Residual>, StoreError> {
        let profile = self.get(id)?;
        if profile.handling_at(Capability::Deletion, planned_at) != Handling::Api {
            return Ok(Vec::new());
        }
        let integration = catalogue.find(profile.manifest.name);
        Ok(integration.map(|integration| integration.residuals_of_deletion()).unwrap_or_default())
    }

    /// The connection.
    pub(crate) fn get(&self, id: ConnectionId) -> Result<&Profile, StoreError> {
        self.by_id.get(&id).map(|at| &self.all[*at]).ok_or(StoreError::Corrupt("runs.connection_id"))
    }
}
