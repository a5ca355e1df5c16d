//! Sealing what is written about the subjects of one batch.

use std::collections::{BTreeSet, HashMap, HashSet};

use habeas_domain::{RecordId, RequestId, RunId};
use habeas_integrations::FoundRecord;
use habeas_store::records::Record;
use habeas_store::{DataKey, KeyPurpose, Sealed, StoreError, Unit, data_keys};
use serde::Serialize;

use super::{Finding, Member, Report};
use crate::details::{self, RunFailure, SealedIn};
use crate::error::CaseworkError;
use crate::files::{KeptRecord, LargeFiles, StoredFile};

/// Seals what is written about the subjects of one batch.
#[derive(Default)]
pub(crate) struct Sealer {
    pub(super) content: HashMap<String, DataKey>,
    pub(super) case: HashMap<String, DataKey>,
    pub(super) new_records: Vec<Record>,
    /// Files that were put into the storage before this unit, and those of them that its records refer to.
    pub(super) large: LargeFiles,
    pub(super) new_files: Vec<StoredFile>,
}

impl Sealer {
    pub(super) async fn load(
        unit: &mut Unit,
        reports: &[Report],
        members: &[(RunId, RequestId)],
    ) -> Result<Self, CaseworkError> {
        let requests: BTreeSet<RequestId> = members.iter().map(|(_, request)| *request).collect();
        let any = |wanted: fn(&Finding) -> bool| {
            reports.iter().flat_map(|report| &report.parts).any(|part| wanted(&part.finding))
        };
        let records =
            any(|finding| matches!(finding, Finding::Collected(found) if !found.records.is_empty()));
        let failures =
            any(|finding| matches!(finding, Finding::Retry { .. } | Finding::Failed(_) | Finding::StillHeld));
        Self::with(unit, &requests, records, failures).await
    }

    pub(crate) async fn with(
        unit: &mut Unit,
        requests: &BTreeSet<RequestId>,
        records: bool,
        failures: bool,
    ) -> Result<Self, CaseworkError> {
        let keyring = unit.keyring();
        let mut sealer = Self::default();
        if records {
            sealer.content =
                data_keys::load(unit.connection(), &keyring, requests, KeyPurpose::Content).await?;
        }
        if failures {
            sealer.case = data_keys::load(unit.connection(), &keyring, requests, KeyPurpose::Case).await?;
        }
        Ok(sealer)
    }

    pub(crate) fn content_key(&self, request: RequestId) -> Result<&DataKey, StoreError> {
        self.content.get(&request.to_string()).ok_or(StoreError::Forgotten("the content of this request"))
    }

    pub(crate) fn case_key(&self, request: RequestId) -> Result<&DataKey, StoreError> {
        self.case.get(&request.to_string()).ok_or(StoreError::Forgotten("the personal data of this request"))
    }

    /// Keeps records for one run; how many different ones there are.
    pub(super) fn records(
        &mut self,
        unit: &Unit,
        member: &Member,
        found: &[FoundRecord],
    ) -> Result<u64, CaseworkError> {
        let mut distinct = HashSet::new();
        for one in found {
            if distinct.insert(one.vendor_id.as_str()) {
                let place = (member.request, member.run);
                let record = match self.large.of(member.run, &one.vendor_id) {
                    Some(file) => {
                        self.new_files.push(file.clone());
                        self.record(unit, place, &one.vendor_id, &KeptRecord::with_file(one, file))?
                    }
                    None => self.record(unit, place, &one.vendor_id, one)?,
                };
                self.new_records.push(record);
            }
        }
        Ok(distinct.len() as u64)
    }

    pub(crate) fn record<T: SealedIn<RecordId> + Serialize>(
        &self,
        unit: &Unit,
        (request, run): (RequestId, RunId),
        vendor_id: &str,
        content: &T,
    ) -> Result<Record, CaseworkError> {
        let key = self.content_key(request)?;
        let id = RecordId::new(unit.environment().unique());
        Ok(Record {
            id,
            request,
            run,
            vendor_key: key.fingerprint(vendor_id),
            content: details::seal(unit, key, &id, content)?,
            selected: true,
            exception: None,
            deletion: None,
        })
    }

    pub(super) fn failure(
        &self,
        unit: &Unit,
        (run, request): (RunId, RequestId),
        failure: &RunFailure,
    ) -> Result<Sealed, CaseworkError> {
        Ok(details::seal(unit, self.case_key(request)?, &run, failure)?)
    }
}
