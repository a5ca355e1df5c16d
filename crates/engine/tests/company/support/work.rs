//! Letting processes work, and time pass while they wait.

use std::time::Duration;

use habeas_store::dialect::Sql;
use jiff::Timestamp;

use super::{Company, Process};

/// More rounds than any work of these tests needs.
const ROUNDS: usize = 2_000;

impl Company {
    /// Lets the engine work until nothing is due, and lets the waits of retries pass.
    pub(crate) async fn work(&self) {
        self.work_of(self).await;
    }

    /// The same, by another process.
    pub(crate) async fn work_of(&self, process: &Process) {
        for _ in 0..ROUNDS {
            process.engine.work_until_idle().await;
            if !self.let_wait_pass().await {
                return;
            }
        }
        panic!("the work never ends");
    }

    /// The same; while a process waits, the vendor's time passes as well.
    pub(crate) async fn work_with_the_vendor(&self, process: &Process) {
        for _ in 0..ROUNDS {
            process.engine.work_until_idle().await;
            if !self.let_wait_pass_everywhere().await {
                return;
            }
        }
        panic!("the work never ends");
    }

    /// Moves the clock to when work goes on; whether there is any.
    pub(crate) async fn let_wait_pass(&self) -> bool {
        let next = self.next_operation().await;
        if let Some(next) = next {
            // What is due already waits for its vendor's leave, as everything of its lane does: an engine would look again
            // a moment later.
            self.time.advance_to(next.max(self.time.now() + jiff::SignedDuration::from_millis(100)));
        }
        next.is_some()
    }

    /// The same with the vendor's clock, which otherwise stands apart from a company that stands still.
    pub(crate) async fn let_wait_pass_everywhere(&self) -> bool {
        let before = self.time.now();
        let goes_on = self.let_wait_pass().await;
        self.vendor_catches_up_since(before);
        goes_on
    }

    /// Lets as much time pass at the vendor as has passed here.
    pub(crate) fn vendor_catches_up_since(&self, before: Timestamp) {
        let passed = self.time.now().duration_since(before);
        self.sandbox.clock().advance(Duration::try_from(passed).unwrap_or_default());
    }

    /// When the next operation is due; checks of connections repeat for ever and are left out.
    pub(crate) async fn next_operation(&self) -> Option<Timestamp> {
        static NEXT: Sql =
            Sql::new("SELECT min({greatest}(next_at, lease_until)) FROM due_work WHERE kind = 'operation'");
        let mut reader = self.casework.store().reader().await.unwrap();
        reader.sql(&NEXT).first().await.unwrap().and_then(|row| row.optional_time(0).unwrap())
    }

    /// When a contact is to be reminded, or given up, next.
    pub(crate) async fn next_contact(&self) -> Option<Timestamp> {
        static NEXT: Sql = Sql::new("SELECT min(next_at) FROM due_work WHERE kind = 'contact'");
        let mut reader = self.casework.store().reader().await.unwrap();
        reader.sql(&NEXT).first().await.unwrap().and_then(|row| row.optional_time(0).unwrap())
    }
}
