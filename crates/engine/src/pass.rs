//! One pass over everything a vendor holds serves every subject that waits for it.
//!
//! Whoever joins while a pass is under way is matched from the next page on, and is done at the end of the first pass
//! that it saw from the beginning. Stopping earlier, at the page where it joined, would save part of a pass but rest on
//! pages being the same in both, and records move between them.

use std::collections::BTreeSet;

use habeas_casework::work::{Assignment, Finding, Member, PageReport, PassContinues};
use habeas_domain::RunId;
use habeas_integrations::{Connector, Cursor, Residual, ScanPage, Subject};
use habeas_store::due_work::Lease;
use habeas_store::operations::Operation;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::backoff::Backoff;
use crate::engine::Engine;
use crate::lease::HeldLease;

/// Who waits for the pass; subjects stand apart because the connector takes them as they are.
#[derive(Debug, Default)]
struct Waiting {
    runs: Vec<Waiter>,
    subjects: Vec<Subject>,
}

#[derive(Clone, Copy, Debug)]
struct Waiter {
    run: RunId,
    joined_pass: u64,
    joined_page: u64,
}

impl Waiter {
    /// Whether a run that joined there has seen everything once the last page of `pass` is read.
    const fn has_seen_all_of(self, pass: u64) -> bool {
        pass > self.joined_pass || self.joined_page == 0
    }
}

impl Waiting {
    fn add(&mut self, members: Vec<Member>) {
        for Member { run, joined_pass, joined_page, subject, .. } in members {
            self.runs.push(Waiter { run, joined_pass, joined_page });
            self.subjects.push(subject);
        }
    }

    fn keep(&mut self, stays: impl Fn(RunId) -> bool) {
        let mut kept = self.runs.iter().map(|waiter| stays(waiter.run));
        self.subjects.retain(|_| kept.next().unwrap_or(false));
        self.runs.retain(|waiter| stays(waiter.run));
    }

    fn finished_by_end_of(&self, pass: u64) -> Vec<RunId> {
        self.runs.iter().filter(|waiter| waiter.has_seen_all_of(pass)).map(|waiter| waiter.run).collect()
    }
}

/// What is stored of where a pass stands.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Position {
    /// Where the connector goes on; `None` at the beginning.
    cursor: Option<Cursor>,
    /// What could not be read so far.
    residuals: BTreeSet<Residual>,
}

impl Engine {
    /// Reads page after page until nobody waits, the lease is lost, the vendor fails or the process stops.
    pub(crate) async fn carry_out_pass(
        &self,
        connector: &dyn Connector,
        backoff: Backoff,
        assignment: Assignment,
        held: &HeldLease,
    ) {
        let Assignment { mut lease, mut operation, members, .. } = assignment;
        // A position that cannot be read any more costs one pass from the beginning, nothing else.
        let mut position: Position = operation
            .position
            .take()
            .and_then(|stored| serde_json::from_value(stored).ok())
            .unwrap_or_default();
        let mut waiting = Waiting::default();
        waiting.add(members);
        loop {
            let read = if waiting.runs.is_empty() {
                Ok(ScanPage { next: position.cursor.take(), ..ScanPage::default() })
            } else {
                connector.scan(position.cursor.as_ref(), &waiting.subjects).await
            };
            let page = match read {
                Ok(page) => page,
                Err(error) => {
                    let finding = self.finding(&error, backoff, lease.attempts);
                    return self.fail_shared(lease, operation, finding).await;
                }
            };
            position.residuals.extend(page.residuals);
            let last_page = page.next.is_none();
            let finished = if last_page { waiting.finished_by_end_of(operation.pass) } else { Vec::new() };
            position.cursor = page.next;
            if last_page {
                (operation.pass, operation.page) = (operation.pass + 1, 0);
            } else {
                operation.page += 1;
            }
            operation.position = serde_json::to_value(&position).ok().filter(|value| *value != Value::Null);
            let report = PageReport {
                lease: lease.clone(),
                operation: operation.clone(),
                matches: page
                    .matches
                    .into_iter()
                    .filter_map(|found| Some((waiting.runs.get(found.subject)?.run, found.record)))
                    .collect(),
                residuals: position.residuals.iter().cloned().collect(),
                finished,
                lease_milliseconds: self.lease_milliseconds(),
            };
            lease.attempts = 0;
            let asked_at = self.environment().clock().monotonic();
            match self.casework.report_page(report).await {
                Ok(PassContinues::With { newcomers, waiting: still }) => {
                    held.renew(asked_at, self.options.lease);
                    waiting.keep(|run| still.contains(&run));
                    waiting.add(newcomers);
                }
                Ok(PassContinues::Over) => return self.leases.let_go(lease.id),
                Ok(PassContinues::LeaseLost) => {
                    tracing::warn!(operation = %operation.id, "the lease of a pass was lost; another worker has it");
                    return self.leases.let_go(lease.id);
                }
                Err(error) => {
                    tracing::error!(%error, operation = %operation.id, "a page could not be written; it will be read again");
                    return self.leases.let_go(lease.id);
                }
            }
            if self.is_stopping() {
                let finding = Finding::Released { at: self.environment().now() };
                return self.fail_shared(lease, operation, finding).await;
            }
        }
    }

    /// Tells everyone who shares an operation what came in its way.
    pub(crate) async fn fail_shared(&self, lease: Lease, operation: Operation, finding: Finding) {
        let id = lease.id;
        if let Err(error) = self.casework.report_shared_failure(lease, operation, finding).await {
            tracing::error!(%error, "a failure could not be written; the lease runs out");
        }
        self.leases.let_go(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn waiter(joined_pass: u64, joined_page: u64) -> Waiter {
        Waiter { run: "run_00000000000070008000000000000001".parse().unwrap(), joined_pass, joined_page }
    }

    #[rstest]
    #[case::from_the_start(waiter(0, 0), 0, true)]
    #[case::late_at_the_end_of_its_first_pass(waiter(0, 4), 0, false)]
    #[case::late_at_the_end_of_the_next(waiter(0, 4), 1, true)]
    #[case::between_two_passes(waiter(3, 0), 3, true)]
    fn a_run_has_seen_everything_after_a_pass_that_it_saw_from_the_beginning(
        #[case] waiter: Waiter,
        #[case] pass: u64,
        #[case] seen: bool,
    ) {
        assert_eq!(waiter.has_seen_all_of(pass), seen);
    }
}
