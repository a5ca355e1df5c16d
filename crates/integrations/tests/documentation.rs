//! The page of each integration (`docs/integrations/NAME.md`) begins with what its manifest says, so that nothing is
//! written twice. `HABEAS_UPDATE_DOCUMENTS=1 cargo nextest run -p habeas-integrations documentation` writes it anew;
//! what stands below the last mark is written by hand and stays.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed step is a failed test")]

use std::fmt::Write as _;
use std::path::PathBuf;

use habeas_domain::capability::{AccessType, Capability, DeletionMethod, DeletionTiming};
use habeas_integrations::{Capabilities, Catalogue, Integration, Manifest};

const BEGIN: &str = "<!-- From here on made from the integration's manifest. -->";
const END: &str = "<!-- From here on written by hand. -->";

fn page_of(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/integrations").join(format!("{name}.md"))
}

fn access(capabilities: &Capabilities) -> &'static str {
    match capabilities.access.map(|access| access.kind) {
        Some(AccessType::Synchronous) => "synchronous: read while you wait",
        Some(AccessType::Asynchronous) => "asynchronous: the vendor collects, and is asked until it is done",
        Some(AccessType::DirectContact) => "direct contact: a person at the system's owner answers",
        None => "none",
    }
}

fn deletion(capabilities: &Capabilities) -> String {
    let Some(deletion) = capabilities.deletion else { return "none".to_owned() };
    let timing = match deletion.timing {
        DeletionTiming::Synchronous => "synchronous",
        DeletionTiming::Asynchronous => "asynchronous",
        DeletionTiming::DirectContact => "direct contact",
    };
    let method = match deletion.method {
        DeletionMethod::Standard => "standard: the records that a review left selected",
        DeletionMethod::WholeRecord => "whole record: everything about the person",
    };
    format!("{timing}, {method}")
}

fn table(text: &mut String, head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    text.push_str(&line(&head.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>()));
    text.push_str(&line(&head.iter().map(|_| "---".to_owned()).collect::<Vec<_>>()));
    for row in rows {
        text.push_str(&line(&row));
    }
    text.push('\n');
}

fn needed_for_what(capability: Option<Capability>, optional: bool) -> String {
    match (capability, optional) {
        (_, true) => "optional".to_owned(),
        (Some(capability), false) => format!("if `{capability}` goes over the API"),
        (None, false) => "always".to_owned(),
    }
}

/// What the manifest says, as people read it.
fn rendered(manifest: &Manifest) -> String {
    let mut text = format!("{BEGIN}\n\n{}\n\n## What it can do\n\n", manifest.summary);
    let capabilities = &manifest.capabilities;
    let identifiers: Vec<String> =
        capabilities.identifiers.iter().map(|identifier| format!("`{identifier}`")).collect();
    let detects = if capabilities.detects_systems { "yes" } else { "no" };
    let mut rows = vec![
        vec!["Request Manager: access".to_owned(), access(capabilities).to_owned()],
        vec!["Request Manager: deletion".to_owned(), deletion(capabilities)],
        vec!["Live Data Map: system detection".to_owned(), detects.to_owned()],
        vec!["Finds a person by".to_owned(), identifiers.join(", ")],
    ];
    let facts = [
        ("API", manifest.api_version),
        ("Role at the vendor", manifest.vendor_role),
        ("Account at the vendor", manifest.account_type),
    ];
    rows.extend(facts.iter().filter_map(|(what, fact)| Some(vec![(*what).to_owned(), (*fact)?.to_owned()])));
    rows.push(vec!["Role in Habeas".to_owned(), "`super_admin` or `connections_manager`".to_owned()]);
    table(&mut text, &["", ""], rows);

    text.push_str("## Permissions\n\n");
    if manifest.permissions.is_empty() {
        text.push_str("None: no vendor is called.\n\n");
    } else {
        let rows = manifest.permissions.iter().map(|needed| {
            let when = needed_for_what(needed.capability, needed.optional);
            vec![format!("`{}`", needed.permission), needed.needed_for.to_owned(), when]
        });
        table(&mut text, &["Permission", "What it is needed for", "When"], rows);
    }

    text.push_str("## Settings\n\n");
    let rows = manifest.settings.iter().map(|setting| {
        let mut what = setting.help.to_owned();
        if setting.secret {
            what.push_str(". Sealed, and never shown again");
        }
        if setting.optional {
            what.push_str(". Optional");
        }
        vec![format!("`{}` ({})", setting.key, setting.label), what, setting.found_at.to_owned()]
    });
    table(&mut text, &["Setting", "What to enter", "Where it is found"], rows);

    text.push_str("## Connecting\n\n");
    for (number, step) in manifest.guide.iter().enumerate() {
        writeln!(text, "{}. {step}", number + 1).unwrap();
    }
    if let Some(address) = manifest.authorize_url {
        write!(text, "\nThe page for allowing access: `{address}`\n").unwrap();
    }
    let settings: Vec<String> = manifest
        .settings
        .iter()
        .filter(|setting| !setting.optional)
        .map(|setting| match setting.secret {
            true => format!("--set {}=file:PATH", setting.key),
            false => format!("--set {}=...", setting.key),
        })
        .collect();
    write!(
        text,
        "\n```\nhabeas connections add {} --name NAME {}\n```\n\n",
        manifest.name,
        settings.join(" ")
    )
    .unwrap();

    text.push_str("## If it does not connect\n\n");
    let rows = manifest.troubleshooting.iter().map(|trouble| {
        vec![format!("`{}`", trouble.code), trouble.meaning.to_owned(), trouble.remedy.to_owned()]
    });
    table(&mut text, &["What is shown", "What it means", "What to do"], rows);

    if !manifest.rate_limits.is_empty() {
        text.push_str("## The vendor's limits\n\n");
        let rows = manifest
            .rate_limits
            .iter()
            .map(|limit| vec![format!("`{}`", limit.class.0), limit.per_minute.to_string()]);
        table(&mut text, &["Calls", "In any minute"], rows);
        if let Some(quota) = manifest.quota {
            write!(text, "In a calendar month: {} {}.\n\n", quota.limit, quota.what).unwrap();
        }
    }
    text.push_str(END);
    text
}

#[test]
fn each_page_begins_with_what_the_manifest_says() {
    let updates = std::env::var_os("HABEAS_UPDATE_DOCUMENTS").is_some();
    for manifest in Catalogue::default().iter().map(Integration::manifest) {
        let path = page_of(manifest.name);
        let page =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let marks = "the page has no marks around what is made from the manifest";
        let (before, rest) = page.split_once(BEGIN).expect(marks);
        let (_, after) = rest.split_once(END).expect(marks);
        let expected = format!("{before}{}{after}", rendered(manifest));
        if updates {
            std::fs::write(&path, expected).unwrap();
        } else {
            assert!(
                page == expected,
                "{} differs from the manifest; the head of this file says how to write it anew",
                path.display()
            );
        }
        assert!(before.starts_with(&format!("# {}\n", manifest.title)), "the page's title");
    }
}

#[test]
fn no_page_is_left_of_an_integration_that_is_gone() {
    let known: Vec<_> =
        Catalogue::default().iter().map(|one| format!("{}.md", one.manifest().name)).collect();
    for entry in std::fs::read_dir(page_of("x").parent().unwrap()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(known.contains(&name), "{name} is the page of no integration");
    }
}

#[test]
fn a_guide_leads_all_the_way() {
    for manifest in Catalogue::default().iter().map(Integration::manifest) {
        let name = manifest.name;
        assert!(!manifest.guide.is_empty() && !manifest.troubleshooting.is_empty(), "{name}");
        for setting in manifest.settings {
            assert!(!setting.help.is_empty() && !setting.found_at.is_empty(), "{name}: {}", setting.key);
        }
        // What can be missing is told apart from what is wrong.
        let codes: Vec<_> = manifest.troubleshooting.iter().map(|trouble| trouble.code).collect();
        assert_eq!(codes.contains(&"permissions_missing"), !manifest.permissions.is_empty(), "{name}");
        let is_called = manifest.base_url.is_some() || manifest.endpoint_setting.is_some();
        assert_eq!(codes.contains(&"credentials_rejected"), is_called, "{name}");
        assert_eq!(manifest.vendor_role.is_some(), manifest.base_url.is_some(), "{name}");
    }
}
