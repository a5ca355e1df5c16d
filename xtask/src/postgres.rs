//! A throw-away PostgreSQL server: fast, forgetful, and gone when this process is.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, bail};

use crate::process::{self, is_root, run_quietly, succeeds};

/// What tests read to find the server.
pub(crate) const VARIABLE: &str = "HABEAS_TEST_POSTGRES";

const INSTALLATIONS: &str = "/usr/lib/postgresql";

/// How the server is used.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Use {
    /// By tests: data is worth nothing, so the server may forget it in a crash.
    Tests,
    /// By benchmarks: as PostgreSQL is installed, so that what is committed is on disk.
    Benchmarks,
}

impl Use {
    const fn settings(self) -> &'static [&'static str] {
        match self {
            Self::Tests => {
                &["fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200"]
            }
            Self::Benchmarks => &["max_connections=200"],
        }
    }
}

/// Waits for the end of its input, which comes when our process ends, however it ends; then cleans up. Ctrl-C reaches
/// the whole process group, so it must not be the first to go.
const SUPERVISOR: &str = "
    trap '' INT TERM HUP
    cat > /dev/null
    \"$1/pg_ctl\" --pgdata=\"$2/data\" --mode=immediate --silent stop > /dev/null 2>&1
    rm -rf \"$2\"
";

/// A running server; dropping it stops the server and removes its files.
pub(crate) struct Server {
    port: u16,
    binaries: PathBuf,
    supervisor: Child,
}

impl Server {
    /// Starts a server, installing PostgreSQL first if there is none.
    pub(crate) fn start(used_by: Use) -> anyhow::Result<Self> {
        let binaries = match binaries() {
            Some(binaries) => binaries,
            None => install()?,
        };
        let directory = own_directory()?;
        let supervisor = as_owner("sh", &directory)
            .args(["-c", SUPERVISOR, "supervisor"])
            .args([&binaries, &directory])
            .stdin(Stdio::piped())
            .spawn()
            .context("cannot start the supervisor of PostgreSQL")?;
        let mut server = Self { port: 0, binaries, supervisor };
        let binaries = &server.binaries;
        run_quietly(
            as_owner(binaries.join("initdb"), &directory)
                .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"])
                .arg(format!("--pgdata={}", directory.join("data").display())),
        )?;
        server.port = listen(binaries, &directory, used_by)?;
        Ok(server)
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}", self.port)
    }

    /// Makes an empty database; its address.
    pub(crate) fn create_database(&self, name: &str) -> anyhow::Result<String> {
        self.administer("createdb", &[name])?;
        Ok(format!("{}/{name}", self.url()))
    }

    /// Removes a database, so that the next measurement does not share the disk with it.
    pub(crate) fn drop_database(&self, name: &str) -> anyhow::Result<()> {
        self.administer("dropdb", &["--force", name])
    }

    fn administer(&self, program: &str, arguments: &[&str]) -> anyhow::Result<()> {
        run_quietly(
            Command::new(self.binaries.join(program))
                .args(["--host=127.0.0.1", "--username=postgres", &format!("--port={}", self.port)])
                .args(arguments),
        )
    }

    /// Its version, for reports.
    pub(crate) fn version(&self) -> anyhow::Result<String> {
        let said = Command::new(self.binaries.join("postgres")).arg("--version").output()?;
        Ok(String::from_utf8_lossy(&said.stdout).trim().replace("postgres (PostgreSQL)", "PostgreSQL"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.supervisor.stdin.take());
        // Nothing can be done about a supervisor that fails; its files lie in the temporary directory.
        let _ = self.supervisor.wait();
    }
}

/// `cargo xtask postgres`.
pub(crate) fn run(_: &[String]) -> anyhow::Result<()> {
    let server = Server::start(Use::Tests)?;
    println!("export {VARIABLE}={}", server.url());
    eprintln!("PostgreSQL runs until Ctrl-C");
    loop {
        std::thread::park();
    }
}

/// The newest installation's programs.
fn binaries() -> Option<PathBuf> {
    let version = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    std::fs::read_dir(INSTALLATIONS)
        .ok()?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.join("bin/initdb").exists() && path.join("bin/pg_ctl").exists())
        .max_by_key(|path| version(path))
        .map(|path| path.join("bin"))
}

fn install() -> anyhow::Result<PathBuf> {
    eprintln!("PostgreSQL is not installed; installing Debian's `postgresql`");
    process::install("postgresql")?;
    binaries().with_context(|| format!("`postgresql` is installed, but nothing is in {INSTALLATIONS}"))
}

/// A fresh directory that belongs to whoever will run the server.
fn own_directory() -> anyhow::Result<PathBuf> {
    let directory = tempfile::Builder::new().prefix("habeas-postgres-").tempdir()?.keep();
    if is_root() {
        run_quietly(Command::new("chown").arg("postgres").arg(&directory))
            .context("PostgreSQL does not run as root and needs the user `postgres`")?;
    }
    Ok(directory)
}

/// A command as the user who may run the server: `postgres` in place of root.
fn as_owner(program: impl AsRef<std::ffi::OsStr>, directory: &Path) -> Command {
    let mut command;
    if is_root() {
        command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(program);
    } else {
        command = Command::new(program);
    }
    command.current_dir(directory);
    command
}

/// Starts the server on a free port; another program may take the port meanwhile, so it tries again.
fn listen(binaries: &Path, directory: &Path, used_by: Use) -> anyhow::Result<u16> {
    let log = directory.join("log");
    for _ in 0..3 {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let mut settings: Vec<String> =
            used_by.settings().iter().map(|setting| format!("-c {setting}")).collect();
        settings.push("-c listen_addresses=127.0.0.1".to_owned());
        settings.push(format!("-c port={port}"));
        settings.push(format!("-c unix_socket_directories={}", directory.display()));
        let started = succeeds(
            as_owner(binaries.join("pg_ctl"), directory)
                .args(["start", "--silent", "--wait"])
                .arg(format!("--pgdata={}", directory.join("data").display()))
                .arg(format!("--log={}", log.display()))
                .arg(format!("--options={}", settings.join(" "))),
        );
        if started {
            return Ok(port);
        }
    }
    bail!("PostgreSQL does not start:\n{}", std::fs::read_to_string(&log).unwrap_or_default())
}
