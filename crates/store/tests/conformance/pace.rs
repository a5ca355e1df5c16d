//! Pace: a vendor's limit is used up and never exceeded, by any number of workers.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use habeas_environment::{Environment, Randomness as _, SeededRandomness};
use habeas_store::pace::{self, Permitted, Spacing};
use habeas_testing::{TestDatabase, on_both_databases};

use crate::common::Fixture;

on_both_databases![
    eight_tenths_of_30_are_used,
    almost_all_of_30_are_used,
    eight_tenths_of_200_are_used,
    almost_all_of_1000_are_used,
    a_quiet_time_gives_no_more_than_the_burst,
    pushing_back_stops_everybody_until_its_end,
    permits_are_spaced,
    accounts_and_classes_do_not_share,
    without_a_time_the_database_uses_its_own,
];

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HORIZON: i64 = 2 * SECOND;
const KEY: (&str, &str) = ("account", "class");

async fn take(fixture: &Fixture, spacing: Spacing, count: i64, horizon: i64) -> Permitted {
    let now = fixture.store.shared_now();
    keep!(fixture, |unit| pace::take(unit.connection(), KEY, now, spacing, count, horizon).await)
}

async fn push_back(fixture: &Fixture, wait: i64) {
    let now = fixture.store.shared_now();
    keep!(fixture, |unit| pace::push_back(unit.connection(), KEY, now, wait).await);
}

/// Workers that take permits, call, and come back.
struct Simulation<'f> {
    fixture: &'f Fixture,
    spacing: Spacing,
    randomness: SeededRandomness,
    /// When each worker asks next.
    workers: BinaryHeap<Reverse<(i64, usize)>>,
    /// When each call was made, microseconds.
    calls: Vec<i64>,
}

impl<'f> Simulation<'f> {
    fn new(fixture: &'f Fixture, spacing: Spacing, workers: usize) -> Self {
        let start = microseconds(fixture);
        Self {
            fixture,
            spacing,
            randomness: SeededRandomness::new(5),
            workers: (0..workers).map(|worker| Reverse((start, worker))).collect(),
            calls: Vec::new(),
        }
    }

    /// Something between 0 and `most` microseconds, as scheduling and networks add.
    fn jitter(&self, most: u32) -> i64 {
        let mut bytes = [0; 4];
        self.randomness.fill(&mut bytes);
        i64::from(u32::from_le_bytes(bytes) % most)
    }

    async fn run_until(&mut self, end: i64) {
        let count = (SECOND / self.spacing.interval).max(1);
        while let Some(Reverse((at, worker))) = self.workers.pop() {
            if at >= end {
                self.workers.push(Reverse((at, worker)));
                break;
            }
            let ahead = u64::try_from((at - microseconds(self.fixture)).max(0)).unwrap();
            self.fixture.clock.advance(Duration::from_millis(ahead.div_ceil(1_000)));
            let now = microseconds(self.fixture);
            let back = match take(self.fixture, self.spacing, count, HORIZON).await {
                Permitted::From { wait } => {
                    for slot in 0..count {
                        self.calls.push((now + wait + slot * self.spacing.interval).max(now));
                    }
                    // The last call's answer comes back.
                    self.calls[self.calls.len() - 1] + 20_000 + self.jitter(100_000)
                }
                Permitted::NotBefore { wait } => {
                    assert!(wait > 0, "a worker that is told to come back at once would spin");
                    now + wait + self.jitter(20_000)
                }
            };
            self.workers.push(Reverse((back, worker)));
        }
        let ahead = u64::try_from((end - microseconds(self.fixture)).max(0)).unwrap();
        self.fixture.clock.advance(Duration::from_micros(ahead));
    }

    /// The most calls in any 60 seconds, both edges included.
    fn fullest_minute(&mut self) -> usize {
        self.calls.sort();
        (0..self.calls.len())
            .map(|first| self.calls[first..].partition_point(|call| call - self.calls[first] <= MINUTE))
            .max()
            .unwrap_or(0)
    }
}

fn microseconds(fixture: &Fixture) -> i64 {
    fixture.now().as_microsecond()
}

async fn budget_is_used_and_limit_kept(database: TestDatabase, per_minute: u32, share: f64) {
    let fixture = Fixture::on(database).await;
    let start = microseconds(&fixture);
    let mut simulation = Simulation::new(&fixture, Spacing::within(per_minute, share), 5);
    simulation.run_until(start + 10 * MINUTE).await;
    let fullest = simulation.fullest_minute();
    assert!(fullest <= per_minute as usize, "{fullest} calls in a minute");
    let end = start + 10 * MINUTE;
    let used = simulation.calls.iter().filter(|call| **call < end).count();
    let all = (f64::from(per_minute) * share).floor() as usize * 10;
    assert!(used * 100 >= all * 95, "{used} of {all} calls in ten minutes");
}

async fn eight_tenths_of_30_are_used(database: TestDatabase) {
    budget_is_used_and_limit_kept(database, 30, 0.8).await;
}

async fn almost_all_of_30_are_used(database: TestDatabase) {
    budget_is_used_and_limit_kept(database, 30, 0.95).await;
}

async fn eight_tenths_of_200_are_used(database: TestDatabase) {
    budget_is_used_and_limit_kept(database, 200, 0.8).await;
}

async fn almost_all_of_1000_are_used(database: TestDatabase) {
    budget_is_used_and_limit_kept(database, 1_000, 0.95).await;
}

async fn a_quiet_time_gives_no_more_than_the_burst(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let start = microseconds(&fixture);
    let mut simulation = Simulation::new(&fixture, Spacing::within(200, 0.8), 5);
    simulation.run_until(start + 2 * MINUTE).await;
    fixture.pass(90);
    simulation.run_until(start + 5 * MINUTE).await;
    assert!(simulation.fullest_minute() <= 200);
}

async fn pushing_back_stops_everybody_until_its_end(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let start = microseconds(&fixture);
    let mut simulation = Simulation::new(&fixture, Spacing::within(200, 0.8), 5);
    simulation.run_until(start + MINUTE).await;
    let pushed = microseconds(&fixture);
    push_back(&fixture, 90 * SECOND).await;
    // A shorter push does not shorten the longer one.
    push_back(&fixture, 10 * SECOND).await;
    let before = simulation.calls.len();
    simulation.run_until(pushed + 3 * MINUTE).await;
    let first = simulation.calls[before..].iter().min().unwrap() - pushed;
    assert!(first >= 90 * SECOND, "the first call came {first} microseconds after the push");
    assert!(first <= 91 * SECOND, "{first}: work goes on when the time is over");
    assert!(simulation.fullest_minute() <= 200);
}

async fn permits_are_spaced(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let spacing = Spacing { interval: SECOND, burst: 2 };
    let now_or_earlier = |permitted| match permitted {
        Permitted::From { wait } => wait,
        Permitted::NotBefore { .. } => panic!("{permitted:?}"),
    };
    // The first and the burst at once, then one a second within the horizon.
    let mut waits = Vec::new();
    for _ in 0..5 {
        waits.push(now_or_earlier(take(&fixture, spacing, 1, 2 * SECOND).await));
    }
    assert_eq!(waits, [-2 * SECOND, -SECOND, 0, SECOND, 2 * SECOND]);
    let refused = take(&fixture, spacing, 1, 2 * SECOND).await;
    assert_eq!(refused, Permitted::NotBefore { wait: SECOND }, "it comes within the horizon in a second");
    fixture.pass(1);
    // Two at once would end beyond the horizon; one does not.
    assert_eq!(take(&fixture, spacing, 2, 2 * SECOND).await, Permitted::NotBefore { wait: SECOND });
    assert_eq!(take(&fixture, spacing, 1, 2 * SECOND).await, Permitted::From { wait: 2 * SECOND });
}

async fn accounts_and_classes_do_not_share(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let now = fixture.store.shared_now();
    let spacing = Spacing { interval: MINUTE, burst: 0 };
    keep!(fixture, |unit| {
        for key in [("a", "read"), ("a", "write"), ("b", "read")] {
            let first = pace::take(unit.connection(), key, now, spacing, 1, 0).await?;
            assert_eq!(first, Permitted::From { wait: 0 });
            let second = pace::take(unit.connection(), key, now, spacing, 1, 0).await?;
            assert_eq!(second, Permitted::NotBefore { wait: MINUTE });
        }
        pace::push_back(unit.connection(), ("c", "read"), now, SECOND).await?;
        let pushed = pace::take(unit.connection(), ("c", "read"), now, spacing, 1, 0).await?;
        assert_eq!(pushed, Permitted::NotBefore { wait: SECOND }, "pushed before it was ever taken from");
        Ok(())
    });
}

async fn without_a_time_the_database_uses_its_own(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let spacing = Spacing { interval: MINUTE, burst: 0 };
    keep!(fixture, |unit| {
        let connection = unit.connection();
        // The database's clock moves on while a statement runs.
        match pace::take(connection, KEY, None, spacing, 1, 0).await? {
            Permitted::From { wait } => assert!((-SECOND..=0).contains(&wait), "{wait}"),
            refused @ Permitted::NotBefore { .. } => panic!("{refused:?}"),
        }
        pace::push_back(connection, KEY, None, 2 * MINUTE).await?;
        match pace::take(connection, KEY, None, spacing, 1, 0).await? {
            Permitted::NotBefore { wait } => assert!((MINUTE..=2 * MINUTE).contains(&wait), "{wait}"),
            taken @ Permitted::From { .. } => panic!("{taken:?}"),
        }
        Ok(())
    });
    let stored = fixture.database.raw().await.number("SELECT blocked_until FROM pace").await;
    let off = stored - Environment::system().clock().now().as_microsecond();
    assert!((0..=2 * MINUTE).contains(&off), "{off}");
}
