//! Where the records of a package come from.

use std::collections::HashMap;
use std::io::{self, Read};

use habeas_documents::package::{Record, Source};
use habeas_domain::{RecordId, RequestId, RunId};
use habeas_store::runs::Run;
use habeas_store::{DataKey, Store, StoreError, records};
use tokio::runtime::Handle;

use super::shown;
use crate::Casework;
use crate::details;
use crate::error::CaseworkError;
use crate::files::{KeptRecord, StoredFile};

/// Records of a large package that are read at a time.
const PER_READING: i64 = 100;

/// The records of a small package.
pub(super) struct InMemory {
    systems: Vec<Vec<(RecordId, KeptRecord)>>,
}

impl InMemory {
    /// Opens the records of runs that were left selected.
    pub(super) fn open(
        key: &DataKey,
        runs: &[&Run],
        found: Vec<records::Record>,
    ) -> Result<Self, CaseworkError> {
        let mut systems: Vec<Vec<(RecordId, KeptRecord)>> = runs.iter().map(|_| Vec::new()).collect();
        let places = places(runs);
        for record in found.iter().filter(|record| record.selected) {
            if let Some(place) = places.get(&record.run) {
                systems[*place].push((record.id, details::open(key, &record.id, &record.content)?));
            }
        }
        Ok(Self { systems })
    }
}

/// Which system of the package a run that was left selected is.
fn places(runs: &[&Run]) -> HashMap<RunId, usize> {
    runs.iter().enumerate().filter(|(_, run)| run.selected).map(|(at, run)| (run.id, at)).collect()
}

impl Source for InMemory {
    fn records(&mut self, system: usize, each: &mut dyn FnMut(Record) -> io::Result<()>) -> io::Result<()> {
        for (id, record) in self.systems.get(system).into_iter().flatten() {
            each(shown(*id, record.clone()))?;
        }
        Ok(())
    }

    fn file(&mut self, record: RecordId) -> io::Result<Box<dyn Read + '_>> {
        let found = self.systems.iter().flatten().find(|(id, _)| *id == record);
        match found.and_then(|(_, record)| record.file.as_ref()) {
            Some(StoredFile::Inline(file)) => Ok(Box::new(file.bytes.as_slice())),
            _ => Err(io::Error::from(io::ErrorKind::NotFound)),
        }
    }
}

/// The records of a large package, read from the database and the storage as they are needed. For a thread that may wait.
pub(super) struct Streaming {
    pub(super) casework: Casework,
    pub(super) handle: Handle,
    pub(super) key: DataKey,
    pub(super) request: RequestId,
    /// The runs in the order of the package's systems; `None` where nothing was left selected.
    pub(super) runs: Vec<Option<RunId>>,
}

impl Streaming {
    fn store(&self) -> &Store {
        self.casework.store()
    }

    fn page(&self, run: RunId, after: Option<RecordId>) -> Result<Vec<records::Record>, StoreError> {
        self.handle.block_on(async {
            let mut reader = self.store().reader().await?;
            records::selected_of_run(&mut reader, (self.request, run), after, PER_READING).await
        })
    }
}

impl Source for Streaming {
    fn records(&mut self, system: usize, each: &mut dyn FnMut(Record) -> io::Result<()>) -> io::Result<()> {
        let Some(run) = self.runs.get(system).copied().flatten() else { return Ok(()) };
        let mut after = None;
        loop {
            let page = self.page(run, after).map_err(io::Error::other)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.id);
            for record in page {
                let content: KeptRecord =
                    details::open(&self.key, &record.id, &record.content).map_err(io::Error::other)?;
                each(shown(record.id, content))?;
            }
        }
    }

    fn file(&mut self, record: RecordId) -> io::Result<Box<dyn Read + '_>> {
        let found = self
            .handle
            .block_on(async {
                let mut reader = self.store().reader().await?;
                records::find(&mut reader, self.request, record).await
            })
            .map_err(io::Error::other)?
            .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let content: KeptRecord =
            details::open(&self.key, &found.id, &found.content).map_err(io::Error::other)?;
        match content.file {
            Some(StoredFile::Inline(file)) => Ok(Box::new(io::Cursor::new(file.bytes))),
            Some(StoredFile::Object(file)) => {
                let reader =
                    self.casework.storage.blocking_reader(self.handle.clone(), file.object, &self.key);
                Ok(Box::new(reader))
            }
            None => Err(io::Error::from(io::ErrorKind::NotFound)),
        }
    }
}
