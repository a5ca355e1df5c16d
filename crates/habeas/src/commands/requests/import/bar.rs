//! How far an import has come, as one line on a terminal's stderr; nothing where nobody looks.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use habeas_environment::{Clock, Environment};

/// Between two drawings.
const PAUSE: Duration = Duration::from_millis(100);
const WIDTH: usize = 24;

/// A line that is drawn over itself.
pub(super) struct Bar {
    clock: Arc<dyn Clock>,
    what: &'static str,
    /// Bytes in all, and those that were done before.
    total: u64,
    begun_at: u64,
    started: Duration,
    drawn: Option<Duration>,
    is_shown: bool,
}

impl Bar {
    /// A bar for `total` bytes, `begun_at` of which are done already.
    pub(super) fn new(environment: &Environment, what: &'static str, total: u64, begun_at: u64) -> Self {
        let clock = Arc::clone(environment.clock());
        let is_shown =
            io::stderr().is_terminal() && std::env::var_os("TERM").is_some_and(|kind| kind != "dumb");
        Self { started: clock.monotonic(), clock, what, total, begun_at, drawn: None, is_shown }
    }

    /// Draws it if it is time. `rows` counts those of this run.
    pub(super) fn show(&mut self, done: u64, rows: u64) {
        let now = self.clock.monotonic();
        if !self.is_shown || self.drawn.is_some_and(|drawn| now.saturating_sub(drawn) < PAUSE) {
            return;
        }
        self.drawn = Some(now);
        let line = line(self.what, (self.begun_at, done, self.total), rows, now.saturating_sub(self.started));
        let mut stderr = io::stderr().lock();
        // Nobody is left to tell if this fails.
        drop(write!(stderr, "\r\u{1b}[K{line}").and_then(|()| stderr.flush()));
    }

    /// Takes the line away.
    pub(super) fn clear(&self) {
        if self.drawn.is_some() {
            let mut stderr = io::stderr().lock();
            drop(write!(stderr, "\r\u{1b}[K").and_then(|()| stderr.flush()));
        }
    }
}

fn line(what: &str, (begun_at, done, total): (u64, u64, u64), rows: u64, elapsed: Duration) -> String {
    let share = if total == 0 { 1.0 } else { done as f64 / total as f64 };
    let filled = ((share * WIDTH as f64) as usize).min(WIDTH);
    let seconds = elapsed.as_secs_f64().max(0.001);
    let speed = done.saturating_sub(begun_at) as f64 / seconds;
    let left = if speed > 0.0 { (total.saturating_sub(done) as f64 / speed) as u64 } else { 0 };
    format!(
        "{what} [{}{}] {:3.0} %  {rows} rows  {:.0} rows/s  {}:{:02} left",
        "=".repeat(filled),
        " ".repeat(WIDTH - filled),
        share * 100.0,
        rows as f64 / seconds,
        left / 60,
        left % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_how_far_how_fast_and_how_long() {
        let half = line("importing", (0, 500, 1_000), 50, Duration::from_secs(10));
        assert_eq!(half, "importing [============            ]  50 %  50 rows  5 rows/s  0:10 left");
        // What was done before a break says nothing about the speed of now.
        let resumed = line("importing", (400, 500, 1_000), 10, Duration::from_secs(10));
        assert!(resumed.ends_with("1 rows/s  0:50 left"), "{resumed}");
        assert!(line("checking", (0, 0, 0), 0, Duration::ZERO).contains("100 %"));
    }
}
