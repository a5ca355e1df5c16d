//! What would have to be done so that the connections are as declared: never with secrets or addresses.

use habeas_casework::FieldError;
use habeas_casework::connections::{NewConnection, PlannedAction, PlannedChange, PlannedConnection};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::connections::NewConnectionShape;
use super::words::{PlannedActionWord, Word};

/// Every connection that there should be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DeclaredConnections)]
pub(crate) struct DeclaredConnectionsShape {
    /// Each is the whole truth about one connection: what it leaves out is as if the connection had been added without
    /// it.
    connections: Vec<NewConnectionShape>,
}

impl DeclaredConnectionsShape {
    /// As casework takes them.
    pub(crate) fn accept(self) -> Result<Vec<NewConnection>, Vec<FieldError>> {
        let (mut accepted, mut faults) = (Vec::new(), Vec::new());
        for (at, one) in self.connections.into_iter().enumerate() {
            match one.accept() {
                Ok(one) => accepted.push(one),
                Err(fault) => {
                    faults.push(FieldError::new(format!("connections.{at}.{}", fault.field), fault.message));
                }
            }
        }
        if faults.is_empty() { Ok(accepted) } else { Err(faults) }
    }
}

/// What would have to be done.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ConnectionPlan)]
pub(crate) struct ConnectionPlanShape {
    /// The declared ones in their order, then those that are there and not declared.
    items: Vec<PlannedConnectionShape>,
}

/// A connection that is declared, or there, or both.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlannedConnection)]
pub(crate) struct PlannedConnectionShape {
    /// Its name.
    name: String,
    /// Its id; null if there is none of that name.
    id: Option<String>,
    /// Its integration: as declared, else as it is.
    integration: String,
    /// What would have to be done: `create` it, `edit` it, nothing (`none`), or `replace` it, which a person has to begin
    /// by removing it; `undeclared` = it is there and not declared.
    action: PlannedActionWord,
    /// In what it differs.
    changes: Vec<PlannedChangeShape>,
    /// Why it cannot be done; null if it can.
    problem: Option<String>,
}

/// A field that differs.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlannedChange)]
pub(crate) struct PlannedChangeShape {
    /// Path of the field (`settings.datacenter_id`, `capabilities.access`, `contact.email`).
    field: String,
    /// What it is: a text or a number, null for nothing. Left out where it is a secret or personal.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<Value>,
    /// What it is declared to be. Left out where it is a secret or personal.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<Value>,
}

impl From<Vec<PlannedConnection>> for ConnectionPlanShape {
    fn from(planned: Vec<PlannedConnection>) -> Self {
        Self { items: planned.into_iter().map(PlannedConnectionShape::from).collect() }
    }
}

impl From<PlannedConnection> for PlannedConnectionShape {
    fn from(planned: PlannedConnection) -> Self {
        Self {
            name: planned.name,
            id: planned.id.map(|id| id.to_string()),
            integration: planned.integration,
            action: Word::<PlannedAction>(planned.action),
            changes: planned.changes.into_iter().map(PlannedChangeShape::from).collect(),
            problem: planned.problem,
        }
    }
}

impl From<PlannedChange> for PlannedChangeShape {
    fn from(change: PlannedChange) -> Self {
        let (from, to) = change.shown.unzip();
        Self { field: change.field, from, to }
    }
}
