//! Removing a connection, with what becomes of the requests that still need it.

use std::collections::BTreeSet;
use std::sync::Arc;

use habeas_domain::run::RunAction;
use habeas_domain::{Actor, ConnectionId, Permission, RequestId, RunId};
use habeas_store::audit::Stream;
use habeas_store::mails::{self, About};
use habeas_store::{KeyPurpose, Unit, connections, data_keys, due_work, runs};
use serde_json::json;

use super::lock;
use crate::Casework;
use crate::changes::Changes;
use crate::error::CaseworkError;

impl Casework {
    /// Removes a connection and destroys its credentials. Its past runs keep its name. `forced`: unfinished runs that
    /// need it are skipped, and what a review left to it is left out.
    ///
    /// # Errors
    /// If unfinished runs still need it and the removal is not forced, or the actor may not do either.
    pub async fn remove_connection(
        &self,
        actor: &Actor,
        id: ConnectionId,
        forced: bool,
    ) -> Result<(), CaseworkError> {
        actor.require(Permission::ManageConnections)?;
        let (actor, rules) = (actor.clone(), Arc::clone(&self.rules));
        self.store
            .write(move |unit| {
                Box::pin(async move {
                    let mut changes = Changes::new(unit, &actor, &rules);
                    // Requests are locked before anything else.
                    let open = runs::open(unit.connection(), id).await?;
                    let requests: BTreeSet<RequestId> = open.iter().map(|(request, _)| *request).collect();
                    changes.lock(unit, requests.iter().copied()).await?;
                    let mut stored = lock(unit, id).await?;
                    let open = runs::open(unit.connection(), id).await?;
                    let is_known = |(request, _): &(RequestId, RunId)| requests.contains(request);
                    let may_go = open.is_empty() || (forced && open.iter().all(is_known));
                    if !may_go {
                        let requests: BTreeSet<RequestId> =
                            open.iter().map(|(request, _)| *request).collect();
                        return Err(CaseworkError::ConnectionInUse {
                            name: stored.name,
                            runs: open.len(),
                            requests,
                        });
                    }
                    if !open.is_empty() {
                        actor.require(Permission::WorkOnRequests)?;
                    }
                    let given_up = open.len();
                    changes.give_up_all(unit, open, &stored.name).await?;
                    stored.removed_at = Some(changes.now);
                    (stored.settings, stored.contact) = (None, None);
                    connections::save(unit.connection(), &stored).await?;
                    changes.finish(unit).await?;
                    data_keys::destroy(unit.connection(), [id], KeyPurpose::Settings).await?;
                    mails::forget(unit.connection(), [About::Connection(id)]).await?;
                    due_work::remove(unit.connection(), [id]).await?;
                    let data = json!({"name": stored.name, "runs_given_up": given_up});
                    unit.record(Stream::Connection(id), &actor, "connection.removed", id, data);
                    Ok(())
                })
            })
            .await?;
        self.connectors.forget(id);
        self.announce_work();
        Ok(())
    }
}

impl Changes {
    /// Skips the runs of a connection that is being removed; what a review chose of it is left out.
    async fn give_up_all(
        &mut self,
        unit: &mut Unit,
        open: Vec<(RequestId, RunId)>,
        name: &str,
    ) -> Result<(), CaseworkError> {
        let reason = format!("the connection `{name}` was removed");
        for (request, run) in open {
            self.load_run(unit, request, run).await?;
            let found = self.run(run)?;
            if found.status.is_settled() {
                found.selected = false;
                let data = json!({"selected": false, "reason": "connection_removed"});
                unit.record(Stream::Request(request), &self.actor, "run.selected", run, data);
            } else {
                self.give_up(unit, request, run, RunAction::Skip, &reason).await?;
            }
        }
        Ok(())
    }
}
