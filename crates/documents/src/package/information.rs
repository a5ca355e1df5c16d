//! `information.html` and `information.json`: what the law wants a person to know (GDPR Art. 15(1)).

use std::collections::BTreeSet;
use std::io;

use askama::Template;
use habeas_domain::information::{ExplainedRight, rights_under};
use serde::Serialize;

use super::Contents;
use crate::style::STYLE;

/// Months for which the case itself is kept are the policy's; everything else is what the company says about itself.
#[derive(Serialize)]
struct Information<'i> {
    company: &'i str,
    contact: Option<&'i str>,
    address: Option<&'i str>,
    data_protection_officer: Option<&'i str>,
    supervisory_authority: Option<&'i str>,
    policy: &'i str,
    law: &'static str,
    purposes: &'i [String],
    categories: BTreeSet<&'i str>,
    recipients: Vec<String>,
    sources: &'i [String],
    retention: Vec<String>,
    transfers: Option<&'i str>,
    automated_decisions: Option<&'i str>,
    rights: &'static [ExplainedRight],
}

impl<'i> Information<'i> {
    fn of(contents: &'i Contents<'_>) -> Self {
        let company = contents.company;
        let mut recipients: Vec<String> = company.recipients.clone();
        recipients.extend(contents.systems.iter().map(|system| {
            format!("{} ({}), as a system that it works with", system.connection, system.integration)
        }));
        let mut retention = company.retention.clone();
        retention.push(format!(
            "The record of this request is kept for {} months after it is closed, and then destroyed.",
            contents.policy.retention_months
        ));
        Self {
            company: &company.name,
            contact: company.contact.as_deref(),
            address: company.address.as_deref(),
            data_protection_officer: company.data_protection_officer.as_deref(),
            supervisory_authority: company.supervisory_authority.as_deref(),
            policy: contents.policy.key,
            law: contents.policy.name,
            purposes: &company.purposes,
            categories: contents.systems.iter().map(|system| system.connection.as_str()).collect(),
            recipients,
            sources: &company.sources,
            retention,
            transfers: company.transfers.as_deref(),
            automated_decisions: company.automated_decisions.as_deref(),
            rights: rights_under(contents.policy.key),
        }
    }
}

pub(super) fn json(contents: &Contents<'_>) -> io::Result<String> {
    Ok(serde_json::to_string_pretty(&Information::of(contents))? + "\n")
}

#[derive(Template)]
#[template(path = "information.html")]
struct Page<'i> {
    style: &'static str,
    about: &'i Information<'i>,
    reach: String,
}

pub(super) fn html(contents: &Contents<'_>) -> io::Result<String> {
    let about = Information::of(contents);
    Page { style: STYLE, about: &about, reach: contents.company.reach() }.render().map_err(io::Error::other)
}
