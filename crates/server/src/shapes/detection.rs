//! Systems that a connection shows.

use habeas_casework::connections::ConnectionCase;
use habeas_integrations::{DetectedSystem, Detection, Evidence};
use serde::Serialize;
use utoipa::ToSchema;

use super::runs::{ResidualShape, RunConnectionShape};

/// What other systems a connection shows.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Detection)]
pub(crate) struct DetectionShape {
    /// The connection that was asked.
    connection: RunConnectionShape,
    /// The systems, in the order of their names.
    items: Vec<DetectedSystemShape>,
    /// What may be there and cannot be seen this way.
    unseen: Vec<ResidualShape>,
}

/// A system that is connected to the one that was asked.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DetectedSystem)]
struct DetectedSystemShape {
    /// The same at every look.
    key: String,
    /// How people call it.
    name: String,
    /// `own_application`, `service` or `warehouse`.
    #[schema(value_type = String)]
    kind: habeas_integrations::SystemKind,
    /// Its vendor's web site, where it is known.
    website: Option<String>,
    /// What it is for, in the vendor's words.
    categories: Vec<String>,
    /// How sure it is that personal data go there: `low`, `medium` (connected, but switched off) or `high`.
    #[schema(value_type = String)]
    confidence: habeas_integrations::Confidence,
    /// Where it was seen.
    evidence: Vec<EvidenceShape>,
}

/// A place where a system was seen.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Evidence)]
struct EvidenceShape {
    /// As what (`destination`).
    role: String,
    /// How it is called there.
    name: String,
    /// Behind which source of data.
    source: Option<String>,
    /// Whether it is switched on; null where the vendor does not say.
    is_enabled: Option<bool>,
}

impl DetectionShape {
    pub(crate) fn new(connection: &ConnectionCase, detection: Detection) -> Self {
        Self {
            connection: RunConnectionShape {
                id: connection.stored.id.to_string(),
                name: connection.stored.name.clone(),
                integration: connection.stored.integration.clone(),
            },
            items: detection.systems.into_iter().map(DetectedSystemShape::from).collect(),
            unseen: detection.unseen.into_iter().map(ResidualShape::from).collect(),
        }
    }
}

impl From<DetectedSystem> for DetectedSystemShape {
    fn from(system: DetectedSystem) -> Self {
        Self {
            key: system.key,
            name: system.name,
            kind: system.kind,
            website: system.website,
            categories: system.categories,
            confidence: system.confidence,
            evidence: system.evidence.into_iter().map(EvidenceShape::from).collect(),
        }
    }
}

impl From<Evidence> for EvidenceShape {
    fn from(evidence: Evidence) -> Self {
        Self {
            role: evidence.role.to_owned(),
            name: evidence.name,
            source: evidence.source,
            is_enabled: evidence.is_enabled,
        }
    }
}
