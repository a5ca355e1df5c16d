//! Trying a run again.

use habeas_domain::operation::{OperationKind, OperationStatus};
use habeas_domain::run::{RunAction, RunDetail};
use habeas_domain::{Phase, RunId};
use habeas_store::{Unit, operations, records, runs};
use serde_json::json;

use crate::changes::Changes;
use crate::error::CaseworkError;
use crate::phases::collect_operation;
use crate::profiles::Profiles;

impl Changes {
    /// Puts a run back to work. A deletion goes on with the operation it had, so that what may have been sent is
    /// asked about before anything is sent again.
    pub(crate) async fn retry(&mut self, unit: &mut Unit, id: RunId) -> Result<(), CaseworkError> {
        self.move_run(unit, id, RunAction::Retry, RunDetail::Queued, json!({}))?;
        let run = self.run(id)?;
        run.failure = None;
        run.attempts = 0;
        let (request, phase, connection) = (run.request, run.phase, run.connection);
        let serving = operations::serving(unit.connection(), [id]).await?;
        if let Some((operation, _, status, _)) = serving.first() {
            // One that has not failed may be in a worker's hands; it only comes sooner.
            if *status == OperationStatus::Failed {
                let mut locked = operations::lock(unit.connection(), [*operation]).await?;
                for one in &mut locked {
                    one.status = if one.kind.has_effect() {
                        OperationStatus::Unknown
                    } else {
                        OperationStatus::Intended
                    };
                    one.finished_at = None;
                }
                operations::save(unit.connection(), &locked).await?;
            }
            return self.reopen_operation(unit, *operation, id);
        }
        let profiles = Profiles::load(unit.connection(), &self.catalogue.clone()).await?;
        let kind = match phase {
            Phase::Collect => collect_operation(&profiles, connection)?,
            // The deletion was confirmed. What the proof found all the same is deleted again; if only the pass failed,
            // it alone is repeated.
            Phase::Erase => {
                let collected = runs::of_requests(unit.connection(), [request]).await?;
                let here = collected.into_iter().filter(|run| run.connection == connection).map(|run| run.id);
                match records::reopen_leftovers(unit.connection(), here).await? {
                    0 => OperationKind::Scan,
                    _ => OperationKind::DeleteRecords,
                }
            }
        };
        self.open_operation(unit, kind, id)
    }
}
