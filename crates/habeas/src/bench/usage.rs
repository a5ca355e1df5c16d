//! What was used up to one moment: by the product, and by its database.

use anyhow::Context as _;
use habeas_store::figures::DatabaseFigures;

use super::Around;
use super::colleague::Used;
use super::product::Product;

/// The kernel counts in hundredths of a second on every platform we build for.
const MILLISECONDS_PER_TICK: u64 = 10;

/// What had been used at one moment.
pub(super) struct Usage {
    /// CPU time of the product.
    pub(super) cpu_milliseconds: u64,
    /// CPU time of the database's server, if its processes can be seen from here.
    pub(super) server_cpu_milliseconds: Option<u64>,
    /// Calls that the vendor answered.
    pub(super) vendor_calls: u64,
    /// Statements sent.
    pub(super) statements: u64,
    /// Transactions committed.
    pub(super) commits: u64,
    /// Bytes that this process made the kernel write to a disk; a file system in memory writes none.
    pub(super) disk_bytes: Option<u64>,
    /// What the database says.
    pub(super) database: DatabaseFigures,
}

impl Usage {
    /// By all processes of the product together.
    pub(super) async fn now(product: &Product, around: &Around) -> anyhow::Result<Self> {
        let mut used = Used::here(product)?;
        for colleague in around.colleagues.lock().await.iter_mut() {
            used = used.and(colleague.used().await?);
        }
        let database = product.store().figures().await?;
        Ok(Self {
            cpu_milliseconds: used.cpu_milliseconds,
            server_cpu_milliseconds: database.server_process.and_then(server_cpu_milliseconds),
            vendor_calls: around.stub.calls().await?,
            statements: used.statements,
            commits: used.commits,
            disk_bytes: line_of("/proc/self/io", "write_bytes:"),
            database,
        })
    }
}

/// CPU time of this process.
pub(super) fn cpu_milliseconds() -> anyhow::Result<u64> {
    let own = Process::read("self").context("CPU time is known on Linux only")?;
    Ok(own.own_ticks * MILLISECONDS_PER_TICK)
}

/// Memory of this process in KiB: now, and at its largest.
pub(super) fn memory() -> anyhow::Result<(u64, u64)> {
    let read = |name| line_of("/proc/self/status", name).context("memory is known on Linux only");
    Ok((read("VmRSS:")?, read("VmHWM:")?))
}

/// The number behind `name` in a file of the kernel's.
fn line_of(path: &str, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(path).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    value.split_whitespace().next()?.parse().ok()
}

/// CPU time of a PostgreSQL server, in milliseconds: of its first process, of all that it started and that still run, and
/// of those that ended. `None` if the server is on another machine.
fn server_cpu_milliseconds(backend: u64) -> Option<u64> {
    let backend = Process::read(&backend.to_string()).filter(Process::is_postgres)?;
    let first = Process::read(&backend.parent.to_string()).filter(Process::is_postgres)?;
    let running: u64 = std::fs::read_dir("/proc")
        .ok()?
        .filter_map(|entry| Process::read(entry.ok()?.file_name().to_str()?))
        .filter(|process| process.parent == backend.parent)
        .map(|process| process.own_ticks)
        .sum();
    Some((first.own_ticks + first.ended_ticks + running) * MILLISECONDS_PER_TICK)
}

/// A process, as Linux tells of it in `/proc/ID/stat` (proc_pid_stat(5)).
#[derive(Debug, PartialEq, Eq)]
struct Process {
    name: String,
    parent: u64,
    own_ticks: u64,
    /// Of its children that have ended.
    ended_ticks: u64,
}

impl Process {
    fn read(id: &str) -> Option<Self> {
        Self::parse(&std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?)
    }

    fn parse(stat: &str) -> Option<Self> {
        // The name may hold spaces and brackets; what follows its last bracket does not.
        let (before, after) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = after.split_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
        Some(Self {
            name: before.split_once('(')?.1.to_owned(),
            parent: number(1)?,
            own_ticks: number(11)? + number(12)?,
            ended_ticks: number(13)? + number(14)?,
        })
    }

    fn is_postgres(&self) -> bool {
        self.name == "postgres"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_whatever_its_name() {
        let stat = "42 (a ) (b) S 7 42 42 0 -1 4194560 1 2 3 4 100 20 3 4 20 0 1 0 99 1 2 3";
        let process = Process::parse(stat).unwrap();
        assert_eq!(process, Process { name: "a ) (b".to_owned(), parent: 7, own_ticks: 120, ended_ticks: 7 });
        assert_eq!(Process::parse("42 (cut) S 7"), None);
    }

    #[test]
    fn a_process_that_is_no_server_is_not_counted_as_one() {
        assert_eq!(server_cpu_milliseconds(u64::from(std::process::id())), None);
        assert_eq!(server_cpu_milliseconds(u64::MAX), None);
    }
}
