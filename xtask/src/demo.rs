//! `cargo xtask demo`: the product with simulated vendors, from an empty directory to a person
//! who was told everything, forgotten everywhere, and whose certificate proves it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use crate::browser::Browser;
use crate::people::{Mailbox, Part, download, press, send_form, unpack};
use crate::postgres::{Server, Use};
use crate::process::{Running, cargo, patch, root, run as run_command, target};

/// People that the simulated vendors hold besides their well-known ones.
const PEOPLE: &str = "250";
/// Who asks: known to every simulated vendor.
const SUBJECT: &str = "ana.silva@example.test";
/// Who answers for the paper archive, and for what Segment cannot tell.
const ARCHIVE: &str = "archive@example.test";
const DATA_TEAM: &str = "data-team@example.test";
/// The id under which Segment knows the same person.
const USER_ID: &str = "user_id=u-1001";

/// What the company says about itself.
const COMPANY: &str = r#"[intake]
require_verification = true

[company]
name = "Acme Outdoor"
contact = "privacy@acme.example.test"
address = "1 Harbour Road, 1100 Lisboa"
data_protection_officer = "dpo@acme.example.test"
supervisory_authority = "the data protection authority of your country"
purposes = ["To sell and deliver outdoor equipment", "To ask customers what they think, if they agree"]
sources = ["You, when you ordered or answered"]
retention = ["Orders are kept for ten years, because tax law wants it", "Answers to surveys are kept for two years"]

"#;

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
    /// What looks at the pages, if anything does.
    browser: Option<Browser>,
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
    fn create(&self, right: &str, more: &[&str]) -> anyhow::Result<String> {
        let mut arguments = vec![
            "requests",
            "create",
            "--right",
            right,
            "--email",
            SUBJECT,
            "--identifier",
            USER_ID,
            "--policy",
            "eu-gdpr",
        ];
        arguments.extend(more);
        self.show(&arguments, false)?;
        // Requests are listed in the order in which they came.
        let list = self.ask(&["requests", "list"])?;
        let newest = list["items"].as_array().and_then(|items| items.last());
        let id = newest.and_then(|request| request["id"].as_str());
        id.map(str::to_owned).context("no request in the list")
    }

    /// A contact reads the mail, opens the form behind the link in it, and sends it.
    fn answer(
        &self,
        mailbox: &mut Mailbox,
        contact: &str,
        system: &str,
        parts: &[Part<'_>],
    ) -> anyhow::Result<()> {
        let mail = mailbox.wait_for(contact, system)?;
        println!("\n  mail to {}: {}", mail.to, mail.subject);
        let link = mail.link()?;
        println!("  opens {link}");
        self.look("contact", link)?;
        let answer = parts.iter().find_map(|part| match part {
            Part::Text("answer", answer) => Some(*answer),
            _ => None,
        });
        let files = parts.iter().filter(|part| matches!(part, Part::File(..))).count();
        send_form(link, parts)?;
        println!("  answers `{}` with {files} files; the link is used up", answer.unwrap_or_default());
        Ok(())
    }

    /// Opens a page in a real browser, if there is to be one: everybody must be able to use it.
    fn look(&self, name: &str, url: &str) -> anyhow::Result<()> {
        match &self.browser {
            Some(browser) => browser.look(name, url),
            None => Ok(()),
        }
    }

    /// Opens what the person has on their own machine: the package's pages, and the mail that brought them here.
    fn look_at_files(&self, files: &BTreeMap<String, Vec<u8>>) -> anyhow::Result<()> {
        if self.browser.is_none() {
            return Ok(());
        }
        let directory = self.data.join("package");
        for (path, content) in files {
            let place = directory.join(path);
            fs::create_dir_all(place.parent().unwrap_or(&directory))?;
            fs::write(place, content)?;
        }
        for (name, page) in [("package-index", "index.html"), ("package-information", "information.html")] {
            self.look(name, &format!("file://{}", directory.join(page).display()))?;
        }
        let mail = Mailbox::of(&self.data).page_of("download_ready", "/download/")?;
        let place = self.data.join("mail.html");
        fs::write(&place, mail)?;
        self.look("mail", &format!("file://{}", place.display()))
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

/// `cargo xtask demo [--once] [--postgres] [--pages | --images]`: with `--pages` every page is looked at in a real browser, with
/// `--images` its pictures go to `docs/images`.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let known = |flag: &&String| matches!(flag.as_str(), "--once" | "--postgres" | "--pages" | "--images");
    if let Some(unknown) = arguments.iter().find(|flag| !known(flag)) {
        bail!("`{unknown}` is not known; usage: cargo xtask demo [--once] [--postgres] [--pages | --images]");
    }
    let once = arguments.iter().any(|flag| flag == "--once");
    // Kept until the end of this function, so the server is stopped whatever happens.
    let postgres = match arguments.iter().any(|flag| flag == "--postgres") {
        true => Some(Server::start(Use::Tests)?),
        false => None,
    };
    let flag = |name: &str| arguments.iter().any(|flag| flag == name);
    let browser = match (flag("--images"), flag("--pages")) {
        (true, _) => Some(Browser::prepare(&root().join("docs").join("images"))?),
        (false, true) => Some(Browser::prepare(&target().join("pages"))?),
        (false, false) => None,
    };
    println!("building ...");
    run_command(&mut cargo(&["build", "--quiet", "--locked", "--package", "habeas"]))?;
    let target = target();
    #[expect(clippy::disallowed_methods, reason = "a stopwatch on the terminal, not the product's time")]
    let started = Instant::now();
    let demo = Demo {
        program: target.join("debug").join("habeas"),
        data: target.join("demo"),
        database: postgres.as_ref().map(|server| format!("{}/postgres", server.url())),
        browser,
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

    chapter("Four systems are connected; each is checked before it is saved");
    for (name, how) in CONNECTIONS {
        let mut arguments = vec!["connections", "add"];
        arguments.extend(*how);
        arguments.extend(["--name", name]);
        demo.show(&arguments, false)?;
    }
    let mut mailbox = Mailbox::of(&demo.data);
    carry_out_access(&demo, &mut mailbox)?;
    let deletion = carry_out_deletion(&demo, &mut mailbox)?;
    ask_again(&demo, &mut mailbox)?;
    show_evidence(&demo, &deletion)?;
    println!("\n{:.1} seconds since everything was built", started.elapsed().as_secs_f64());

    if !once {
        println!("\nHabeas is {ready}; logs are in {}", demo.data.join("serve.log").display());
        println!("An administrator's API key (shown once):");
        demo.show(&["keys", "create", "--name", "demo", "--role", "super_admin"], false)?;
        println!(
            "\nLook at: {} (mails), {} (Ana's package), {} (certificate)",
            demo.data.join("outbox").display(),
            demo.data.join("package.zip").display(),
            demo.data.join("certificate.html").display()
        );
        println!("Try: {} --data {} requests list", demo.program.display(), demo.data.display());
        println!("Ctrl-C ends it all.");
        return server.wait();
    }
    server.stop()?;
    sandbox.stop()?;
    println!("\nall requests ended as expected, and the audit log verifies");
    Ok(())
}

/// The heading of a chapter of the story.
fn chapter(title: &str) {
    println!("\n\n== {title}\n");
}

/// Four systems, four ways: read in the call, exported by a job, and two people who answer.
fn carry_out_access(demo: &Demo, mailbox: &mut Mailbox) -> anyhow::Result<()> {
    chapter("Ana asks for her data");
    let request = demo.create("access", &["--unverified"])?;
    let mail = mailbox.wait_for(SUBJECT, "/verify/")?;
    println!("\nNobody knows yet that it is her.\n  mail to {}: {}", mail.to, mail.subject);
    let link = mail.link()?;
    println!("  opens {link}\n  presses the button\n");
    demo.look("verify", link)?;
    press(link)?;
    demo.show(&["requests", "show", &request], false)?;
    println!(
        "\nTwo systems have no interface to ask. Their owners get a mail with a link to a form, and nothing else in it:"
    );
    let nothing = [
        Part::Text("answer", "nothing_held"),
        Part::Text("name", "Data team"),
        Part::Text("truthful", "yes"),
    ];
    demo.answer(mailbox, DATA_TEAM, "events", &nothing)?;
    let letter = b"Dear Ms Silva,\n\nthank you for your letter of 3 March.\n";
    let data = [
        Part::Text("answer", "data"),
        Part::Text("name", "Pat from the archive"),
        Part::Text("note", "One letter, on paper."),
        Part::Text("truthful", "yes"),
        Part::File("letter.txt", letter),
    ];
    demo.answer(mailbox, ARCHIVE, "archive", &data)?;
    demo.show(&["requests", "show", &request, "--wait"], true)?;
    demo.expect(&request, "state", "review")?;

    chapter("A reviewer looks, and lets it go out");
    demo.show(&["requests", "records", &request], false)?;
    demo.show(&["requests", "process", &request, "--wait"], false)?;
    demo.expect(&request, "state", "delivering")?;

    chapter("Ana fetches her data");
    let mail = mailbox.wait_for(SUBJECT, "/download/")?;
    println!("  mail to {}: {}", mail.to, mail.subject);
    let link = mail.link()?.to_owned();
    println!("  opens {link}\n  presses the button, and gets a mail with a code");
    demo.look("download", &link)?;
    let package = download(&link, || {
        demo.look("download-code", &link)?;
        let mail = mailbox.wait_for(SUBJECT, "    ")?;
        Ok(mail.code()?.to_owned())
    })?;
    fs::write(demo.data.join("package.zip"), &package)?;
    let files = unpack(&package)?;
    println!("  types it in, and has her package ({} bytes):\n", package.len());
    for (path, content) in &files {
        let records = path.ends_with("records.json").then(|| serde_json::from_slice::<Vec<Value>>(content));
        match records {
            Some(records) => println!("    {path:<32} {} records", records?.len()),
            None => println!("    {path:<32} {} bytes", content.len()),
        }
    }
    for (system, records) in [("shop", 2), ("surveys", 1), ("archive", 1)] {
        let found = files.get(&format!("{system}/records.json")).context("a system is missing")?;
        let found: Vec<Value> = serde_json::from_slice(found)?;
        ensure!(found.len() >= records, "the package holds {} records of {system}", found.len());
    }
    ensure!(
        files.get("archive/files/letter.txt").is_some_and(|file| file == letter),
        "the letter is missing"
    );
    demo.look_at_files(&files)?;
    demo.expect(&request, "outcome", "downloaded")?;
    demo.show(&["requests", "show", &request], false)
}

/// By record and proven, by a job that is followed to its end, by a job that is only submitted, and by a person.
fn carry_out_deletion(demo: &Demo, mailbox: &mut Mailbox) -> anyhow::Result<String> {
    chapter("Ana wants it all deleted");
    let request = demo.create("deletion", &[])?;
    demo.show(&["requests", "show", &request, "--wait"], true)?;
    demo.expect(&request, "state", "review")?;
    demo.show(&["requests", "process", &request], false)?;
    let deleted = [
        Part::Text("answer", "deleted"),
        Part::Text("name", "Pat from the archive"),
        Part::Text("truthful", "yes"),
    ];
    demo.answer(mailbox, ARCHIVE, "archive", &deleted)?;
    demo.show(&["requests", "show", &request, "--wait"], false)?;
    demo.expect(&request, "outcome", "erased")?;
    demo.expect_erased(&request, "shop", "verified_gone")?;
    demo.expect_erased(&request, "surveys", "person_deleted")?;
    demo.expect_erased(&request, "events", "deletion_submitted")?;
    demo.expect_erased(&request, "archive", "deleted_by_contact")?;
    let mail = mailbox.wait_for(SUBJECT, "deleted")?;
    println!("\n  mail to {}: {}", mail.to, mail.subject);
    Ok(request)
}

/// The same systems are asked once more: none of them knows her.
fn ask_again(demo: &Demo, mailbox: &mut Mailbox) -> anyhow::Result<()> {
    chapter("The systems are asked once more");
    let request = demo.create("access", &[])?;
    let nothing = |name| {
        [Part::Text("answer", "nothing_held"), Part::Text("name", name), Part::Text("truthful", "yes")]
    };
    demo.answer(mailbox, DATA_TEAM, "events", &nothing("Data team"))?;
    demo.answer(mailbox, ARCHIVE, "archive", &nothing("Pat from the archive"))?;
    demo.show(&["requests", "show", &request, "--wait"], false)?;
    demo.expect(&request, "outcome", "nothing_found")
}

/// What the company keeps: a certificate that names nobody, and a log that can be proven.
fn show_evidence(demo: &Demo, request: &str) -> anyhow::Result<()> {
    chapter("The evidence");
    demo.show(&["requests", "certificate", request], false)?;
    let certificate = demo.data.join("certificate.json");
    let page = demo.data.join("certificate.html");
    for out in [&certificate, &page] {
        demo.show(&["requests", "certificate", request, "--out", &out.to_string_lossy()], false)?;
    }
    demo.look("certificate", &format!("file://{}", page.display()))?;
    let written = fs::read_to_string(&certificate)?;
    ensure!(!written.contains("silva"), "the certificate names somebody");
    demo.show(&["audit", "verify", "--anchor", &certificate.to_string_lossy()], false)
}

/// The real vendors allow a few calls a minute and take days; nobody wants to watch that.
fn hurry(addresses: &Value) -> anyhow::Result<()> {
    let control = address(addresses, "control")?;
    patch(&control, "/readycloud", r#"{"get_per_minute": null, "other_per_minute": null}"#)?;
    patch(&control, "/qualtrics", r#"{"limits_enforced": false}"#)?;
    patch(&control, "/segment_config", r#"{"requests_per_minute": null}"#)
}

fn configure(data: &Path, addresses: &Value) -> anyhow::Result<()> {
    let mut text = COMPANY.to_owned();
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
