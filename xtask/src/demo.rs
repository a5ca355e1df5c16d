//! `cargo xtask demo`: the product with simulated vendors, from an empty directory to two closed requests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use crate::postgres::Server;
use crate::process::{Running, cargo, patch, root, run as run_command};

/// People that the simulated vendors hold besides their well-known ones.
const PEOPLE: &str = "250";
/// Who asks: known to every simulated vendor.
const SUBJECT: &str = "ana.silva@example.test";
/// The id under which Segment knows the same person.
const USER_ID: &str = "user_id=u-1001";

/// The connections of the demonstration: name, and how `habeas connections add` makes it.
const CONNECTIONS: &[(&str, &[&str])] = &[
    ("shop", &["readycloud", "--set", "access_token=rc-demo-token"]),
    (
        "surveys",
        &[
            "qualtrics",
            "--set",
            "datacenter_id=fra1",
            "--set",
            "client_id=qx-demo-client",
            "--set",
            "client_secret=qx-demo-secret",
        ],
    ),
    (
        "events",
        &[
            "segment_config",
            "--set",
            "api_token=sc-demo-token",
            "--set",
            "workspace_name=acme-shop",
            "--deletion-completion",
            "on_submit",
            "--contact-email",
            "data-team@example.test",
        ],
    ),
    ("archive", &["direct_contact", "--set", "processor_email=archive@example.test"]),
];

struct Demo {
    program: PathBuf,
    data: PathBuf,
    /// Another database than the embedded one.
    database: Option<String>,
}

impl Demo {
    fn habeas(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--data").arg(&self.data).args(arguments);
        if let Some(database) = &self.database {
            command.env("HABEAS_DATABASE__URL", database);
        }
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
    fn ask(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let output = self.habeas(arguments).arg("--json").stderr(Stdio::inherit()).output()?;
        ensure!(output.status.success(), "`habeas {}` ended with {}", arguments.join(" "), output.status);
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    fn runs(&self, request: &str) -> anyhow::Result<Vec<Value>> {
        let list = self.ask(&["requests", "runs", request])?;
        Ok(list["items"].as_array().cloned().unwrap_or_default())
    }

    /// Takes a request in and returns its id.
    fn create(&self, right: &str) -> anyhow::Result<String> {
        let mut arguments = vec!["requests", "create", "--right", right, "--email", SUBJECT];
        arguments.extend(["--identifier", USER_ID, "--policy", "eu-gdpr"]);
        if right == "access" {
            arguments.extend(["--delivery", "api"]);
        }
        self.show(&arguments, false)?;
        // Requests are listed in the order in which they came.
        let list = self.ask(&["requests", "list"])?;
        let newest = list["items"].as_array().and_then(|items| items.last());
        let id = newest.and_then(|request| request["id"].as_str());
        id.map(str::to_owned).context("no request in the list")
    }

    /// The request's run at a connection that waits for a contact's answer.
    fn waiting_run(&self, request: &str, connection: &str) -> anyhow::Result<String> {
        let runs = self.runs(request)?;
        let waiting = runs.iter().find(|run| {
            run["connection"]["name"] == connection && run["detail_code"] == "waiting_for_contact"
        });
        let id = waiting.and_then(|run| run["id"].as_str());
        id.map(str::to_owned).with_context(|| format!("no run at {connection} waits for a contact"))
    }

    /// Enters what a contact answers.
    fn answer(&self, request: &str, connection: &str, answer: &[&str]) -> anyhow::Result<()> {
        let run = self.waiting_run(request, connection)?;
        println!("\nThe contact of `{connection}` answers:");
        let mut arguments = vec!["requests", "answer", request, &run];
        arguments.extend(answer);
        self.show(&arguments, false)
    }

    /// Expects a field of a request to have a value.
    fn expect(&self, request: &str, field: &str, value: &str) -> anyhow::Result<()> {
        let shown = self.ask(&["requests", "show", request])?;
        ensure!(shown[field] == value, "request {request} should have {field} `{value}`; it is {shown}");
        Ok(())
    }

    /// Expects the part of a system in a deletion to have ended in a certain way.
    fn expect_erased(&self, request: &str, connection: &str, detail: &str) -> anyhow::Result<()> {
        let runs = self.runs(request)?;
        let run = runs.iter().find(|run| run["connection"]["name"] == connection && run["phase"] == "erase");
        let run = run.with_context(|| format!("{connection} had no part in the deletion"))?;
        ensure!(
            run["status"] == "complete" && run["detail_code"] == detail,
            "{connection} should have ended with {detail}; it is {run}"
        );
        Ok(())
    }
}

/// `cargo xtask demo [--once] [--postgres]`.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let known = |flag: &&String| matches!(flag.as_str(), "--once" | "--postgres");
    if let Some(unknown) = arguments.iter().find(|flag| !known(flag)) {
        bail!("`{unknown}` is not known; usage: cargo xtask demo [--once] [--postgres]");
    }
    let once = arguments.iter().any(|flag| flag == "--once");
    // Kept until the end of this function, so the server is stopped whatever happens.
    let postgres = match arguments.iter().any(|flag| flag == "--postgres") {
        true => Some(Server::start()?),
        false => None,
    };
    println!("building ...");
    run_command(&mut cargo(&["build", "--quiet", "--locked", "--package", "habeas"]))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let demo = Demo {
        program: target.join("debug").join("habeas"),
        data: target.join("demo"),
        database: postgres.as_ref().map(|server| format!("{}/postgres", server.url())),
    };
    if demo.data.exists() {
        fs::remove_dir_all(&demo.data)?;
    }
    fs::create_dir_all(&demo.data)?;

    let mut sandbox =
        Running::start(demo.habeas(&["sandbox"]).args(["--people", PEOPLE, "--port-base", "0"]))?;
    let addresses: Value = serde_json::from_str(&sandbox.line()?)?;
    hurry(&addresses)?;
    configure(&demo.data, &addresses)?;
    println!("simulated vendors with {PEOPLE} people each: {addresses}");

    let listen = if once { "127.0.0.1:0" } else { "127.0.0.1:7070" };
    let logs = fs::File::create(demo.data.join("serve.log"))?;
    let mut server = Running::start(demo.habeas(&["serve", "--listen", listen]).stderr(logs))?;
    let ready = server.line()?;

    for (name, how) in CONNECTIONS {
        let mut arguments = vec!["connections", "add"];
        arguments.extend(*how);
        arguments.extend(["--name", name]);
        demo.show(&arguments, false)?;
    }
    carry_out_access(&demo)?;
    carry_out_deletion(&demo)?;
    demo.show(&["audit", "verify"], false)?;

    if !once {
        println!("\nHabeas is {ready}; logs are in {}", demo.data.join("serve.log").display());
        println!("An administrator's API key (shown once):");
        demo.show(&["keys", "create", "--name", "demo", "--role", "super_admin"], false)?;
        println!("\nTry: {} --data {} requests list", demo.program.display(), demo.data.display());
        println!("Ctrl-C ends it all.");
        return server.wait();
    }
    server.stop()?;
    sandbox.stop()?;
    println!("\nboth requests ended as expected, and the audit log verifies");
    Ok(())
}

/// Four systems, four ways: read in the call, exported by a job, and two people who answer.
fn carry_out_access(demo: &Demo) -> anyhow::Result<()> {
    let request = demo.create("access")?;
    demo.answer(&request, "events", &["--answer", "nothing_held", "--name", "Data team"])?;
    let letter = demo.data.join("letter.txt");
    fs::write(&letter, "A letter from the paper archive.\n")?;
    let letter = letter.to_string_lossy();
    demo.answer(&request, "archive", &["--answer", "data", "--name", "Archive", "--file", &letter])?;
    demo.show(&["requests", "show", &request, "--wait"], true)?;
    demo.expect(&request, "state", "review")?;
    demo.show(&["requests", "process", &request, "--wait"], false)?;
    demo.expect(&request, "state", "delivering")?;
    let package = demo.data.join("package.json");
    demo.show(&["requests", "package", &request, "--out", &package.to_string_lossy()], false)?;
    demo.expect(&request, "outcome", "downloaded")?;
    let package = fs::read_to_string(&package)?;
    for system in ["\"shop\"", "\"surveys\"", "\"archive\"", SUBJECT, "letter.txt"] {
        ensure!(package.contains(system), "the package does not hold {system}");
    }
    Ok(())
}

/// By record and proven, by a job that is followed to its end, by a job that is only submitted, and by a person.
fn carry_out_deletion(demo: &Demo) -> anyhow::Result<()> {
    let request = demo.create("deletion")?;
    demo.show(&["requests", "show", &request, "--wait"], true)?;
    demo.expect(&request, "state", "review")?;
    demo.show(&["requests", "records", &request], false)?;
    demo.show(&["requests", "process", &request], false)?;
    demo.answer(&request, "archive", &["--answer", "deleted", "--name", "Archive"])?;
    demo.show(&["requests", "show", &request, "--wait"], false)?;
    demo.expect(&request, "outcome", "erased")?;
    demo.expect_erased(&request, "shop", "verified_gone")?;
    demo.expect_erased(&request, "surveys", "person_deleted")?;
    demo.expect_erased(&request, "events", "deletion_submitted")?;
    demo.expect_erased(&request, "archive", "deleted_by_contact")?;
    demo.show(&["requests", "show", &request], false)
}

/// The real vendors allow a few calls a minute and take days; nobody wants to watch that.
fn hurry(addresses: &Value) -> anyhow::Result<()> {
    let control = address(addresses, "control")?;
    patch(&control, "/readycloud", r#"{"get_per_minute": null, "other_per_minute": null}"#)?;
    patch(&control, "/qualtrics", r#"{"limits_enforced": false}"#)?;
    patch(&control, "/segment_config", r#"{"requests_per_minute": null}"#)
}

fn configure(data: &Path, addresses: &Value) -> anyhow::Result<()> {
    let mut text = String::new();
    for integration in ["readycloud", "qualtrics", "segment_config"] {
        let base_url = address(addresses, integration)?;
        text.push_str(&format!(
            "[integrations.{integration}]\nbase_url = \"{base_url}\"\nbudget = 100\npoll_min_ms = 200\n\
             poll_max_ms = 1000\n\n"
        ));
    }
    fs::write(data.join("habeas.toml"), text).context("the configuration cannot be written")
}

/// The address under `name` in the sandbox's one line of JSON.
fn address(addresses: &Value, name: &str) -> anyhow::Result<String> {
    let found = addresses[name].as_str();
    found.map(str::to_owned).with_context(|| format!("the sandbox named no address of {name}: {addresses}"))
}
