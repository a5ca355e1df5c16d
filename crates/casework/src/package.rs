//! What an access request delivers: for now one JSON document, sealed with the content key.

use std::collections::HashMap;

use habeas_domain::{Phase, RequestId, RunId};
use habeas_integrations::FoundRecord;
use habeas_store::{KeyPurpose, Place, StoreError, Unit, connections, data_keys, records};
use serde_json::json;

use crate::changes::Changes;
use crate::details;
use crate::error::CaseworkError;
use crate::phases::by_request;

/// Where a package is sealed.
pub(crate) const COLUMN: &str = "packages.content";

/// Builds the packages of requests that enter `delivering`, from what was left selected.
pub(crate) async fn build(
    changes: &mut Changes,
    unit: &mut Unit,
    requests: &[RequestId],
) -> Result<(), CaseworkError> {
    let keyring = unit.keyring();
    let keys = data_keys::load(unit.connection(), &keyring, requests, KeyPurpose::Content).await?;
    let found = records::of_requests(unit.connection(), requests.iter().copied()).await?;
    let mut found = by_request(found, |record| record.request);
    let in_use = changes
        .runs
        .values()
        .filter(|run| run.phase == Phase::Collect && requests.contains(&run.request))
        .map(|run| run.connection)
        .collect::<std::collections::BTreeSet<_>>();
    let names: HashMap<_, _> = connections::names(unit.connection(), in_use)
        .await?
        .into_iter()
        .map(|(id, name, integration)| (id, (name, integration)))
        .collect();
    for request in requests {
        let key =
            keys.get(&request.to_string()).ok_or(StoreError::Forgotten("the content of this request"))?;
        let mut by_run: HashMap<RunId, Vec<serde_json::Value>> = HashMap::new();
        for record in found.remove(request).unwrap_or_default().iter().filter(|record| record.selected) {
            let content: FoundRecord = details::open(key, &record.id, &record.content)?;
            by_run
                .entry(record.run)
                .or_default()
                .push(json!({"id": record.id, "kind": content.kind, "fields": content.fields, "file": content.file}));
        }
        let systems: Vec<_> = changes
            .runs
            .values()
            .filter(|run| run.request == *request && run.phase == Phase::Collect && run.selected)
            .map(|run| {
                let (name, integration) = names.get(&run.connection).cloned().unwrap_or_default();
                let records = by_run.remove(&run.id).unwrap_or_default();
                json!({"connection": name, "integration": integration, "records": records,
                       "not_included": run.residuals})
            })
            .collect();
        let right = changes.requests.get(request).map(|request| request.right);
        let package =
            json!({"request_id": request, "right": right, "created_at": changes.now, "systems": systems});
        let place = Place { column: COLUMN, row: &request.to_string() };
        let sealed = key.seal(unit.environment(), place, package.to_string().as_bytes())?;
        changes.packages.push((*request, sealed));
    }
    Ok(())
}
