//! The hot path for counting instructions: the same requests, the same identifiers, the same time, in one task on one
//! thread, every time. `cargo xtask instructions` runs it; its arguments are how many access and how many deletion
//! requests are carried from intake to closed.

mod company;

use company::Company;
use habeas_domain::Right;

/// Without arguments only enough to see that it works.
const FEW: usize = 20;

fn main() {
    let mut counts = std::env::args().skip(1).filter_map(|argument| argument.parse::<usize>().ok());
    let (access, deletion) = (counts.next().unwrap_or(FEW), counts.next().unwrap_or(FEW));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    #[expect(clippy::expect_used, reason = "without a runtime there is nothing to measure")]
    runtime.expect("a runtime").block_on(async {
        let mut company = Company::open().await;
        company.carry_out(Right::Access, access).await;
        company.carry_out(Right::Deletion, deletion).await;
    });
}
