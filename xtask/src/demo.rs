//! `cargo xtask demo`: the product with simulated vendors, from an empty directory to two closed requests.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context as _, bail, ensure};

use crate::process::{cargo, root, run as run_command};

/// People that the simulated vendor holds besides its well-known ones.
const PEOPLE: &str = "250";
/// Who asks, in the simulated vendor's fixtures: two contacts, one of them found only by its second address.
const SUBJECT: &str = "ana.silva@example.test";

/// A process that ends with this value.
struct Running {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Running {
    fn start(command: &mut Command) -> anyhow::Result<Self> {
        let mut child = command.stdout(Stdio::piped()).spawn().context("the program does not start")?;
        let output = BufReader::new(child.stdout.take().context("the program has no output")?);
        Ok(Self { child, output })
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        ensure!(!line.is_empty(), "the program ended before it was ready; its message stands above");
        Ok(line.trim().to_owned())
    }

    /// Asks it to stop and waits until it has.
    fn stop(mut self) -> anyhow::Result<()> {
        let asked = Command::new("kill").arg(self.child.id().to_string()).status();
        if !asked.is_ok_and(|status| status.success()) {
            self.child.kill()?;
        }
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Demo {
    program: PathBuf,
    data: PathBuf,
}

impl Demo {
    fn habeas(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--data").arg(&self.data).args(arguments);
        command
    }

    /// Runs a command with its output on the terminal; `needs_person` accepts the exit code that says so.
    fn show(&self, arguments: &[&str], needs_person: bool) -> anyhow::Result<()> {
        println!("\n$ habeas {}", arguments.join(" "));
        let status = self.habeas(arguments).status()?;
        let expected = status.success() || (needs_person && status.code() == Some(3));
        ensure!(expected, "`habeas {}` ended with {status}", arguments.join(" "));
        Ok(())
    }

    /// Runs a command for its JSON answer.
    fn ask(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self.habeas(arguments).arg("--json").stderr(Stdio::inherit()).output()?;
        ensure!(output.status.success(), "`habeas {}` ended with {}", arguments.join(" "), output.status);
        Ok(String::from_utf8(output.stdout)?)
    }

    /// The newest request's id: requests are listed in the order in which they came.
    fn newest_request(&self) -> anyhow::Result<String> {
        let list = self.ask(&["requests", "list"])?;
        let id = list.rsplit("\"req_").next().and_then(|rest| rest.split('"').next());
        id.filter(|id| id.len() == 32).map(|id| format!("req_{id}")).context("no request in the list")
    }

    /// Expects a field of a request to have a value.
    fn expect(&self, request: &str, what: &str, value: &str) -> anyhow::Result<()> {
        let shown: String =
            self.ask(&["requests", "show", request])?.chars().filter(|c| !c.is_whitespace()).collect();
        let expected = format!("\"{what}\":\"{value}\"");
        ensure!(
            shown.contains(&expected),
            "request {request} was expected to have {expected}; it is {shown}"
        );
        Ok(())
    }
}

/// `cargo xtask demo [--once]`.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let once = match arguments {
        [] => false,
        [flag] if flag == "--once" => true,
        _ => bail!("usage: cargo xtask demo [--once]"),
    };
    println!("building ...");
    run_command(&mut cargo(&["build", "--quiet", "--locked", "--package", "habeas"]))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let demo = Demo { program: target.join("debug").join("habeas"), data: target.join("demo") };
    if demo.data.exists() {
        fs::remove_dir_all(&demo.data)?;
    }
    fs::create_dir_all(&demo.data)?;

    let mut sandbox =
        Running::start(demo.habeas(&["sandbox"]).args(["--people", PEOPLE, "--port-base", "0"]))?;
    let addresses = sandbox.line()?;
    let readycloud = address(&addresses, "readycloud")?;
    let control = address(&addresses, "control")?;
    // The real vendor allows 30 calls a minute; nobody wants to watch that.
    patch(&control, "/readycloud", r#"{"get_per_minute": null, "other_per_minute": null}"#)?;
    configure(&demo.data, &readycloud)?;
    println!("simulated ReadyCloud with {PEOPLE} people: {readycloud} (its switches: {control})");

    let listen = if once { "127.0.0.1:0" } else { "127.0.0.1:7070" };
    let logs = fs::File::create(demo.data.join("serve.log"))?;
    let mut server = Running::start(demo.habeas(&["serve", "--listen", listen]).stderr(logs))?;
    let ready = server.line()?;

    demo.show(
        &["connections", "add", "readycloud", "--name", "shop", "--set", "access_token=rc-demo-token"],
        false,
    )?;
    carry_out_access(&demo)?;
    carry_out_deletion(&demo)?;
    demo.show(&["audit", "verify"], false)?;

    if !once {
        println!("\nHabeas is {ready}; logs are in {}", demo.data.join("serve.log").display());
        println!("An administrator's API key (shown once):");
        demo.show(&["keys", "create", "--name", "demo", "--role", "super_admin"], false)?;
        println!("\nTry: {} --data {} requests list", demo.program.display(), demo.data.display());
        println!("Ctrl-C ends it all.");
        server.child.wait()?;
        return Ok(());
    }
    server.stop()?;
    sandbox.stop()?;
    println!("\nboth requests ended as expected, and the audit log verifies");
    Ok(())
}

fn carry_out_access(demo: &Demo) -> anyhow::Result<()> {
    let create = [
        "requests",
        "create",
        "--right",
        "access",
        "--email",
        SUBJECT,
        "--policy",
        "eu-gdpr",
        "--delivery",
        "api",
        "--wait",
    ];
    demo.show(&create, true)?;
    let request = demo.newest_request()?;
    demo.expect(&request, "state", "review")?;
    demo.show(&["requests", "process", &request, "--wait"], false)?;
    demo.expect(&request, "state", "delivering")?;
    let package = demo.data.join("package.json");
    demo.show(&["requests", "package", &request, "--out", &package.to_string_lossy()], false)?;
    demo.expect(&request, "outcome", "downloaded")?;
    ensure!(fs::read_to_string(&package)?.contains(SUBJECT), "the package does not hold the person's data");
    Ok(())
}

fn carry_out_deletion(demo: &Demo) -> anyhow::Result<()> {
    let create =
        ["requests", "create", "--right", "deletion", "--email", SUBJECT, "--policy", "eu-gdpr", "--wait"];
    demo.show(&create, true)?;
    let request = demo.newest_request()?;
    demo.expect(&request, "state", "review")?;
    demo.show(&["requests", "records", &request], false)?;
    demo.show(&["requests", "process", &request, "--wait"], false)?;
    demo.expect(&request, "outcome", "erased")?;
    demo.show(&["requests", "show", &request], false)
}

fn configure(data: &Path, readycloud: &str) -> anyhow::Result<()> {
    let text = format!("[integrations.readycloud]\nbase_url = \"{readycloud}\"\nbudget = 100\n");
    fs::write(data.join("habeas.toml"), text).context("the configuration cannot be written")
}

/// The address under `name` in the sandbox's one line of JSON.
fn address(line: &str, name: &str) -> anyhow::Result<String> {
    let found = line.split(&format!("\"{name}\":\"")).nth(1).and_then(|rest| rest.split('"').next());
    found.map(str::to_owned).with_context(|| format!("the sandbox named no address of {name}: {line}"))
}

/// One PATCH without an HTTP library: xtask stays small.
fn patch(server: &str, path: &str, body: &str) -> anyhow::Result<()> {
    let host = server.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).with_context(|| format!("{server} does not answer"))?;
    write!(
        stream,
        "PATCH {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.lines().next().unwrap_or_default();
    ensure!(status.contains(" 200 ") || status.contains(" 204 "), "{server}{path} answered {status}");
    Ok(())
}
