//! How many requests are in each state and open runs in each status: kept by the units that move them, because counting
//! a million rows takes longer than whoever asks for a figure wants to wait.
//!
//! A unit gathers what it changes and adds it to the counts as the last thing before it commits, while it holds the
//! audit log: then two units never wait for each other's counts.

use std::collections::BTreeMap;

use habeas_domain::{RequestState, RunStatus};

use crate::connection::{Batch, Connection};
use crate::dialect::sql;
use crate::error::StoreError;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Counted {
    /// Requests in a state.
    Request(RequestState),
    /// Runs in a status; settled ones are not counted.
    Run(RunStatus),
}

impl Counted {
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Request(state) => ("requests", state.as_str()),
            Self::Run(status) => ("runs", status.as_str()),
        }
    }
}

/// What a unit changes of the counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally(BTreeMap<Counted, i64>);

impl Tally {
    pub(crate) fn add(&mut self, counted: Counted, amount: i64) {
        if matches!(counted, Counted::Run(status) if status.is_settled()) {
            return;
        }
        *self.0.entry(counted).or_default() += amount;
    }

    /// Adds it to what is stored.
    pub(crate) async fn write(self, connection: &mut Connection) -> Result<(), StoreError> {
        let mut rows = Batch::default();
        for (counted, amount) in self.0.into_iter().filter(|(_, amount)| *amount != 0) {
            let (thing, word) = counted.words();
            rows.row().text(thing).text(word).integer(amount);
        }
        if rows.is_empty() {
            return Ok(());
        }
        connection
            .sql(sql!(
                "INSERT INTO counts (thing, word, amount)
                 SELECT value->>0, value->>1, CAST(value->>2 AS BIGINT) FROM {batch} WHERE true
                 ON CONFLICT (thing, word) DO UPDATE SET amount = counts.amount + excluded.amount"
            ))
            .batch(&rows)
            .execute()
            .await?;
        Ok(())
    }
}

/// How many requests are in each state, and how many open runs in each status; what there is none of is left out.
///
/// # Errors
/// If the database fails.
pub async fn read(
    connection: &mut Connection,
) -> Result<(Vec<(RequestState, u64)>, Vec<(RunStatus, u64)>), StoreError> {
    let (mut requests, mut runs) = (Vec::new(), Vec::new());
    let rows = connection
        .sql(sql!("SELECT thing, word, amount FROM counts WHERE amount <> 0 ORDER BY thing, word"))
        .rows()
        .await?;
    for row in &rows {
        if row.text(0)? == "requests" {
            requests.push((row.parsed(1, "counts.word")?, row.count(2)?));
        } else {
            runs.push((row.parsed(1, "counts.word")?, row.count(2)?));
        }
    }
    Ok((requests, runs))
}
