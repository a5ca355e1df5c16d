//! `habeas connections add` on a terminal: leads a person from the vendor's pages to a connection that works. Everything
//! it says of the vendor comes from the catalogue.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use crate::cli::Global;
use crate::client::problem::Problem;
use crate::client::{Call, Client};
use crate::commands::integrations;
use crate::ending::Usage;
use crate::output::text;

/// Problems that other input, or another try, may mend.
const MENDABLE: [&str; 6] = [
    "validation",
    "name_taken",
    "credentials_rejected",
    "permissions_missing",
    "connection_misconfigured",
    "vendor_unavailable",
];

/// Makes a connection; asks for what is missing, and again for what cannot be used, if somebody sits there.
pub(super) async fn add(global: &Global, client: &Client, mut body: Value) -> anyhow::Result<Value> {
    let asks = !global.json && io::stdin().is_terminal() && io::stderr().is_terminal();
    let call = |body: &Value| Call::post(&["connections"]).body(body.clone());
    if !asks {
        if body["name"].is_null() {
            bail!(Usage::new("--name is missing: how people tell this connection from others"));
        }
        return client.json(call(&body)).await;
    }
    let integration = client.json(Call::get(&["integrations", &text(&body, "/integration")])).await?;
    if missing(&integration, &body).next().is_some() {
        introduce(&integration)?;
        authorize(&integration)?;
    }
    loop {
        let answers: Vec<(String, String)> = missing(&integration, &body)
            .map(|setting| Ok((text(setting, "/key"), ask_for(setting)?)))
            .collect::<anyhow::Result<_>>()?;
        for (key, value) in answers {
            body["settings"][key] = json!(value);
        }
        if body["name"].is_null() {
            let usual = text(&integration, "/name");
            let name = ask(&format!("Name of the connection [{usual}]"))?;
            body["name"] = json!(if name.is_empty() { usual } else { name });
        }
        tell("Checking at the vendor; nothing is saved before it agrees ...")?;
        let error = match client.json(call(&body)).await {
            Ok(added) => return Ok(added),
            Err(error) => error,
        };
        let Some(problem) = error.downcast_ref::<Problem>().filter(|one| MENDABLE.contains(&one.code()))
        else {
            return Err(error);
        };
        tell(&format!("\n{problem}"))?;
        let troubles = integration["troubleshooting"].as_array().into_iter().flatten();
        for trouble in troubles.filter(|trouble| trouble["code"] == problem.code()) {
            tell(&format!("  {}. What to do: {}.", text(trouble, "/meaning"), text(trouble, "/remedy")))?;
        }
        if ask("\nPress Enter to try again, or type `quit`")?.starts_with('q') {
            return Err(error);
        }
        ask_again(&mut body, problem);
    }
}

/// Takes out what is to be entered again: the fields that are named, or all settings where it is not known which.
fn ask_again(body: &mut Value, problem: &Problem) {
    let named = if problem.code() == "name_taken" { vec!["name"] } else { problem.fields().collect() };
    let mut found = false;
    for field in named {
        let (part, field) = match field.strip_prefix("settings.") {
            Some(key) => (&mut body["settings"], key),
            None => (&mut *body, field),
        };
        found |= part.as_object_mut().is_some_and(|part| part.remove(field).is_some());
    }
    if !found && problem.code() != "vendor_unavailable" {
        body["settings"] = json!({});
    }
}

/// The settings that are needed and not given yet.
fn missing<'i>(integration: &'i Value, body: &'i Value) -> impl Iterator<Item = &'i Value> {
    let settings = integration["settings"].as_array().into_iter().flatten();
    settings
        .filter(|setting| setting["optional"] != true && body["settings"][text(setting, "/key")].is_null())
}

/// What is needed at the vendor, and the way to it.
fn introduce(integration: &Value) -> anyhow::Result<()> {
    tell(&format!("{}: {}", text(integration, "/title"), text(integration, "/summary")))?;
    for (what, pointer) in
        [("Role at the vendor", "/vendor_role"), ("Account at the vendor", "/account_type")]
    {
        if integration.pointer(pointer).is_some_and(Value::is_string) {
            tell(&format!("  {what}: {}", text(integration, pointer)))?;
        }
    }
    for permission in integration["permissions"].as_array().into_iter().flatten() {
        let optional = if permission["optional"] == true { " (optional)" } else { "" };
        let (name, why) = (text(permission, "/permission"), text(permission, "/needed_for"));
        tell(&format!("  Permission {name}{optional}: {why}"))?;
    }
    tell("")?;
    for (number, step) in integration["guide"].as_array().into_iter().flatten().enumerate() {
        tell(&format!("  {}. {}", number + 1, text(step, "")))?;
    }
    tell("")
}

/// Where the vendor has a page for allowing access: its address for the person's own app.
fn authorize(integration: &Value) -> anyhow::Result<()> {
    if !integration["authorize_url"].is_string() {
        return Ok(());
    }
    loop {
        let app_id = ask("App ID, for the address of the page (Enter if you have been there)")?;
        if app_id.is_empty() {
            return Ok(());
        }
        match integrations::authorize(&text(integration, "/name"), &app_id) {
            Ok(address) => return tell(&format!("Open this page and allow access:\n  {address}")),
            Err(error) => tell(&format!("{error}"))?,
        }
    }
}

/// A setting's value, from a person; a secret is not shown.
fn ask_for(setting: &Value) -> anyhow::Result<String> {
    let label = text(setting, "/label");
    tell(&format!("{label}: {}.\n  Found at: {}", text(setting, "/help"), text(setting, "/found_at")))?;
    loop {
        let value = if setting["secret"] == true {
            let typed = rpassword::prompt_password(format!("{label} (what you type is not shown): "));
            typed.context("nothing could be read from the terminal")?.trim().to_owned()
        } else {
            ask(&label)?
        };
        if !value.is_empty() {
            return Ok(value);
        }
        tell(&format!("{label} is needed; Ctrl-C gives up"))?;
    }
}

pub(in crate::commands) fn ask(question: &str) -> anyhow::Result<String> {
    let mut stderr = io::stderr().lock();
    write!(stderr, "{question}: ")?;
    stderr.flush()?;
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line).context("nothing could be read from the terminal")?;
    if read == 0 {
        bail!("the input ended; nothing was saved");
    }
    Ok(line.trim().to_owned())
}

/// On stderr: stdout is for what was made.
pub(super) fn tell(line: &str) -> anyhow::Result<()> {
    Ok(writeln!(io::stderr().lock(), "{line}")?)
}
