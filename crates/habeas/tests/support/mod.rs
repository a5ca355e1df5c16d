//! Runs the real program: commands to their end, servers and sandboxes for as long as a test needs them.
//!
//! Nothing here sleeps: a server is ready when it says so on stdout, and a process has ended when the operating system
//! says so.
#![allow(dead_code, reason = "each test program uses its own part of this")]

use std::ffi::OsStr;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_habeas");
/// Longer than anything here takes: only a program that hangs reaches it.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Finished {
    /// Its exit code; `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    /// What it printed.
    pub(crate) stdout: String,
    /// What it complained or logged.
    pub(crate) stderr: String,
}

impl Finished {
    /// Asserts the exit code, showing everything if it is another.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Asserts that it complained with all of `parts`.
    #[track_caller]
    pub(crate) fn complaining(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.stderr.contains(part), "`{part}` is not in stderr:\n{}", self.stderr);
        }
        self
    }

    /// What it printed as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error} in stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr))
    }
}

/// The program with nothing of the tester's own environment that would change what it does.
pub(crate) fn program() -> Command {
    let mut command = Command::new(PROGRAM);
    for (name, _) in std::env::vars_os() {
        let ours = name.to_str().is_some_and(|name| name.starts_with("HABEAS_") || name == "RUST_LOG");
        if ours {
            command.env_remove(name);
        }
    }
    command.env("TZ", "UTC").stdin(Stdio::null());
    command
}

/// The words of a command line without quotes.
#[must_use]
pub(crate) fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

/// Runs a command to its end.
#[track_caller]
pub(crate) fn finish(command: &mut Command) -> Finished {
    let output = command.output().expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Finished { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// A place for an installation of a test's own, gone when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    directory: TempDir,
    variables: Vec<(String, String)>,
}

impl Default for Place {
    fn default() -> Self {
        Self::new()
    }
}

impl Place {
    /// Nothing is there yet, not even the data directory.
    #[must_use]
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().expect("a temporary directory"), variables: Vec::new() }
    }

    /// With an environment variable for every command.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// With every vendor answered by `sandbox`, without their limits.
    #[must_use]
    pub(crate) fn with_sandbox(self, sandbox: &Sandbox) -> Self {
        ["readycloud", "qualtrics", "segment_config"].into_iter().fold(self, |place, vendor| {
            let variable = |key: &str| format!("HABEAS_INTEGRATIONS__{}__{key}", vendor.to_uppercase());
            place
                .with(&variable("BASE_URL"), sandbox.address(vendor))
                .with(&variable("BUDGET"), "1000")
                .with(&variable("RETRY_MIN_MS"), "10")
                .with(&variable("RETRY_MAX_MS"), "100")
        })
    }

    /// The data directory.
    #[must_use]
    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// A path beside the data directory.
    #[must_use]
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file into the data directory, which is made if need be.
    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::create_dir_all(self.data()).expect("a data directory");
        std::fs::write(self.data().join(name), text).expect("a file");
    }

    /// Every file of the data directory with a hash of its content: equal before and after if nothing changed.
    #[must_use]
    pub(crate) fn files(&self) -> Vec<(PathBuf, u64)> {
        let mut files: Vec<_> = std::fs::read_dir(self.data())
            .into_iter()
            .flatten()
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.is_file())
            .map(|path| {
                let mut hasher = DefaultHasher::new();
                std::fs::read(&path).expect("a file").hash(&mut hasher);
                (path, hasher.finish())
            })
            .collect();
        files.sort();
        files
    }

    /// A command on this place.
    pub(crate) fn command<I: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = I>) -> Command {
        let mut command = program();
        command.arg("--data").arg(self.data()).args(arguments).current_dir(self.directory.path());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs a command on this place to its end.
    #[track_caller]
    pub(crate) fn run<I: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = I>) -> Finished {
        finish(&mut self.command(arguments))
    }

    /// Runs a command that must succeed; what it printed as JSON.
    #[track_caller]
    pub(crate) fn json<I: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = I>) -> Value {
        finish(self.command(arguments).arg("--json")).expect(0).json()
    }

    /// A server on this place, when it is ready.
    #[track_caller]
    pub(crate) fn serve(&self) -> Server {
        self.serve_with::<&str>([])
    }

    /// A server on this place with more arguments, when it is ready.
    #[track_caller]
    pub(crate) fn serve_with<I: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = I>) -> Server {
        let mut command = self.command(["serve", "--listen", "127.0.0.1:0"]);
        Server::start(command.args(arguments))
    }
}

/// A process that runs until it is stopped. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    lines: BufReader<ChildStdout>,
    complaints: Option<JoinHandle<String>>,
}

impl Running {
    /// Starts a command.
    #[track_caller]
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let lines = BufReader::new(child.stdout.take().expect("stdout"));
        let mut stderr = child.stderr.take().expect("stderr");
        // Read all the time: a full pipe would stop the program.
        let complaints = std::thread::spawn(move || {
            let mut text = String::new();
            drop(stderr.read_to_string(&mut text));
            text
        });
        Self { child, lines, complaints: Some(complaints) }
    }

    /// Its process id.
    #[must_use]
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line it prints.
    #[track_caller]
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("stdout");
        if line.is_empty() {
            let status = self.wait();
            let complaints =
                self.complaints.take().map(|one| one.join().expect("stderr")).unwrap_or_default();
            panic!("the program ended ({status}) without a line; stderr:\n{complaints}");
        }
        line.trim_end().to_owned()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(id, signal).expect("the process is there");
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn finish(mut self) -> Finished {
        let status = self.wait();
        let mut stdout = String::new();
        self.lines.read_to_string(&mut stdout).expect("stdout");
        let stderr = self.complaints.take().map(|one| one.join().expect("stderr")).unwrap_or_default();
        Finished { code: status.code(), stdout, stderr }
    }

    /// As a power cut would: nothing is finished.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("the process is there");
        self.child.wait().expect("its end");
    }

    #[track_caller]
    fn wait(&mut self) -> ExitStatus {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process id");
        let (ended, in_time) = mpsc::channel::<()>();
        // Ends a program that hangs, so that the test fails instead of hanging with it.
        let watch = std::thread::spawn(move || {
            if in_time.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
                // It may have ended in this moment.
                let _ = kill_process(id, Signal::KILL);
            }
        });
        let status = self.child.wait().expect("its end");
        drop(ended);
        watch.join().expect("the watch");
        status
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails if it has ended already, which is what is wanted.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A running `habeas serve`.
#[derive(Debug)]
pub(crate) struct Server {
    process: Running,
    address: String,
}

impl Server {
    /// Starts a server and waits until it is ready.
    #[track_caller]
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut process = Running::start(command);
        let line = process.line();
        let address =
            line.strip_prefix("listening on ").unwrap_or_else(|| panic!("not ready: {line}")).to_owned();
        Self { process, address }
    }

    /// Where it listens (`http://127.0.0.1:PORT`).
    #[must_use]
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The process.
    #[must_use]
    pub(crate) fn process(&self) -> &Running {
        &self.process
    }

    /// Stops it as an init system would, and waits for its end.
    #[track_caller]
    pub(crate) fn stop(self) -> Finished {
        self.process.signal(Signal::TERM);
        self.process.finish()
    }

    /// As a power cut would.
    pub(crate) fn kill(self) {
        self.process.kill();
    }
}

/// A running `habeas sandbox`.
#[derive(Debug)]
pub(crate) struct Sandbox {
    process: Running,
    addresses: Value,
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::start()
    }
}

impl Sandbox {
    /// Starts it on free ports, with its fixtures only.
    #[track_caller]
    #[must_use]
    pub(crate) fn start() -> Self {
        let mut process = Running::start(program().args(["sandbox", "--port-base", "0", "--people", "0"]));
        let addresses = serde_json::from_str(&process.line()).expect("one JSON line");
        Self { process, addresses }
    }

    /// The base URL of a vendor, or of the control plane (`control`).
    #[track_caller]
    #[must_use]
    pub(crate) fn address(&self, name: &str) -> String {
        self.addresses[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.addresses)).to_owned()
    }

    /// The process.
    #[must_use]
    pub(crate) fn process(&self) -> &Running {
        &self.process
    }
}

/// Whether there is a file or directory.
#[must_use]
pub(crate) fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}
