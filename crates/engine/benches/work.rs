//! What claiming and settling cost, from one piece of work to as many as one unit takes: `cargo bench -p habeas-engine
//! --bench work`. The figures are to be compared with each other, on one quiet machine.
#![allow(clippy::unwrap_used, reason = "what fails here fails the benchmark")]

mod company;

use company::{Company, LEASE, vendor};
use divan::Bencher;
use divan::counter::ItemsCount;
use habeas_casework::work::{Finding, Report};
use habeas_domain::Right;
use tokio::runtime::Runtime;

/// Pieces of work in one unit.
const SIZES: [usize; 3] = [1, 16, 128];

fn main() {
    divan::main();
}

/// Claims what is due: leases, statuses and the sealed subjects of its requests.
#[divan::bench(args = SIZES, sample_count = 20, sample_size = 1)]
fn claim(bencher: Bencher<'_, '_>, size: usize) {
    let stage = Stage::new();
    bencher
        .counter(ItemsCount::new(size))
        .with_inputs(|| stage.due(size))
        .bench_values(|company| stage.runtime.block_on(claimed(&company, size)));
}

/// Writes what was found: records sealed, runs and requests moved, packages made, events appended.
#[divan::bench(args = SIZES, sample_count = 20, sample_size = 1)]
fn settle(bencher: Bencher<'_, '_>, size: usize) {
    let stage = Stage::new();
    bencher
        .counter(ItemsCount::new(size))
        .with_inputs(|| {
            let company = stage.due(size);
            let reports = stage.runtime.block_on(claimed(&company, size));
            (company, reports)
        })
        .bench_values(|(company, reports)| stage.runtime.block_on(company.casework.settle(reports)).unwrap());
}

struct Stage {
    runtime: Runtime,
}

impl Stage {
    fn new() -> Self {
        Self { runtime: Runtime::new().unwrap() }
    }

    /// A company with `size` access requests whose look-ups are due.
    fn due(&self, size: usize) -> Company {
        self.runtime.block_on(async {
            let mut company = Company::open().await;
            company.take_in(Right::Access, size).await;
            company
        })
    }
}

/// Claims everything; what would be reported if the vendor had answered.
async fn claimed(company: &Company, size: usize) -> Vec<Report> {
    let limit = i64::try_from(size).unwrap();
    let claimed = company.casework.claim(&company.connection.to_string(), LEASE, limit).await.unwrap();
    assert_eq!(claimed.assignments.len(), size, "all of it was due");
    let report = |assignment: habeas_casework::work::Assignment| {
        let found = vendor::found(&assignment.members[0].subject);
        Report::whole(assignment, Finding::Collected(found))
    };
    claimed.assignments.into_iter().map(report).collect()
}
