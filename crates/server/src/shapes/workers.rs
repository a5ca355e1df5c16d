//! Workers as they are shown.

use habeas_casework::workers::{UnderWay, WorkerCase};
use serde::Serialize;
use utoipa::ToSchema;

/// A process that carries out work.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WorkerShape {
    /// New at each start.
    id: String,
    /// `workers.name` of the configuration; two may have the same.
    name: String,
    /// Version of its program.
    version: String,
    /// `working`, `stopping` (finishes what it has) or `silent` (no sign of life for thirty seconds).
    #[schema(value_type = String)]
    state: &'static str,
    /// How much it works on at once; 0 = it serves pages and the API only.
    places: u64,
    /// When it started.
    started_at: String,
    /// Its last sign of life.
    seen_at: String,
    /// What it has carried out since it started.
    done: u64,
    /// What it has under way.
    under_way: Vec<UnderWayShape>,
}

/// What a process has under way of one sort.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UnderWayShape {
    /// `operations` (`bulk_operations` where requests came many at a time), `mails` (`bulk_mails`), `checks`, `contacts`,
    /// `links` or `packages`.
    #[schema(value_type = String)]
    work: &'static str,
    /// Whose vendor is called; null where none is.
    connection: Option<NamedConnectionShape>,
    /// How much.
    count: u64,
}

/// A connection by its name.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NamedConnectionShape {
    id: String,
    name: String,
}

impl From<WorkerCase> for WorkerShape {
    fn from(case: WorkerCase) -> Self {
        let WorkerCase { worker, state, under_way } = case;
        Self {
            id: worker.id.to_string(),
            name: worker.name,
            version: worker.version,
            state: state.as_str(),
            places: worker.places,
            started_at: worker.started_at.to_string(),
            seen_at: worker.seen_at.to_string(),
            done: worker.done,
            under_way: under_way.into_iter().map(UnderWayShape::from).collect(),
        }
    }
}

impl From<UnderWay> for UnderWayShape {
    fn from(one: UnderWay) -> Self {
        let connection = one.connection.map(|(id, name)| NamedConnectionShape { id: id.to_string(), name });
        Self { work: one.work, connection, count: one.count }
    }
}
