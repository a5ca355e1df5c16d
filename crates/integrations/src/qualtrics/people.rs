//! Finding a person's contacts and user accounts.

use std::collections::HashSet;

use habeas_domain::IdentifierType;
use http::StatusCode;

use super::api::Api;
use super::errors::{self, Asked};
use super::manifest::CONTACTS_SCOPE;
use super::paging::Turned;
use super::values::{self, Fields};
use crate::client::VendorAnswer;
use crate::connector::{Residual, Subject};
use crate::error::VendorError;

/// A contact of a directory.
#[derive(Debug)]
pub(super) struct Contact {
    pub(super) id: String,
    pub(super) fields: Fields,
}

/// What a search in one directory gave.
#[derive(Debug)]
pub(super) enum Searched {
    Found {
        contacts: Vec<Contact>,
        /// Whether the vendor let the search be read to its end.
        is_whole: bool,
    },
    /// The directory cannot be searched (XM Directory Lite).
    NotSearchable,
}

impl Searched {
    /// What the search could not see of `directory`.
    pub(super) fn residual(&self, directory: &str) -> Option<Residual> {
        let (what, why) = match self {
            Self::Found { is_whole: true, .. } => return None,
            Self::Found { is_whole: false, .. } => (
                "further contacts",
                "Qualtrics shows only the first contacts that a search finds (10,000); look for the others there by hand",
            ),
            Self::NotSearchable => (
                "contacts",
                "the directory does not let its contacts be searched (XM Directory Lite does not); look for the person \
                 there by hand",
            ),
        };
        Some(Residual { what: format!("{what} of the directory {directory}"), why: why.to_owned() })
    }
}

/// The ids of all directories.
pub(super) async fn directories(api: &Api) -> Result<Vec<String>, VendorError> {
    let mut ids: Vec<String> = Vec::new();
    let mut pages = api.directories();
    while let Some(page) = pages.next().await? {
        for directory in &page.elements {
            let id = directory_id(directory).ok_or_else(errors::directory_not_understood)?;
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
    }
    Ok(ids)
}

pub(super) fn directory_id(directory: &Fields) -> Option<String> {
    values::first_text(directory, &["directoryId", "id"]).filter(|id| values::is_id(id))
}

/// The contacts of `directory` that have one of `emails`. What the vendor found is compared again: a search that
/// ignores its filter must not give one person the data of all the others.
pub(super) async fn search(
    api: &Api,
    directory: &str,
    subject: &Subject,
    emails: &[String],
) -> Result<Searched, VendorError> {
    let mut found: Vec<Contact> = Vec::new();
    let mut known = HashSet::new();
    let mut is_whole = true;
    for email in emails {
        let mut pages = api.search(directory, email);
        let mut is_begun = false;
        while let Some(turned) = pages.turn().await? {
            let page = match turned {
                Turned::Page(page) => page,
                // The first page proves that the directory can be searched; it is its depth that is refused.
                Turned::Refused(answer) if is_begun && answer.status == StatusCode::BAD_REQUEST => {
                    is_whole = false;
                    break;
                }
                Turned::Refused(answer) => {
                    explain_refusal(api, &answer).await?;
                    return Ok(Searched::NotSearchable);
                }
            };
            is_begun = true;
            for fields in page.elements.into_iter().filter(|fields| has_email_of(fields, subject)) {
                let id = values::first_text(&fields, &["id", "contactId"]).filter(|id| values::is_id(id));
                let id = id.ok_or_else(errors::contact_not_understood)?;
                if known.insert(id.clone()) {
                    found.push(Contact { id, fields });
                }
            }
        }
    }
    Ok(Searched::Found { contacts: found, is_whole })
}

/// XM Directory Lite refuses a search with a status that is not documented. It is told from a missing scope by what
/// the vendor says of the token.
async fn explain_refusal(api: &Api, answer: &VendorAnswer) -> Result<(), VendorError> {
    let is_the_directory = match answer.status {
        StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => true,
        StatusCode::FORBIDDEN => api.has_scope(CONTACTS_SCOPE).await? != Some(false),
        _ => false,
    };
    if is_the_directory { Ok(()) } else { Err(errors::refused(answer, Asked::Search)) }
}

/// Whether a contact or user has one of the subject's addresses.
pub(super) fn has_email_of(fields: &Fields, subject: &Subject) -> bool {
    email(fields).is_some_and(|email| subject.has(IdentifierType::Email, email))
}

/// Whether a user has one of the subject's addresses, also as the name to log in with (`ana@example.test#brand`).
pub(super) fn is_user_of(user: &Fields, subject: &Subject) -> bool {
    let name = user.get("username").and_then(|name| name.as_str()).unwrap_or_default();
    let name = name.split('#').next().unwrap_or_default();
    has_email_of(user, subject) || subject.has(IdentifierType::Email, name)
}

fn email(fields: &Fields) -> Option<&str> {
    fields.get("email")?.as_str().filter(|email| !email.trim().is_empty())
}

/// First and last name.
pub(super) fn name(fields: &Fields) -> Option<String> {
    let part = |key| values::first_text(fields, &[key]).unwrap_or_default();
    let name = format!("{} {}", part("firstName"), part("lastName")).trim().to_owned();
    (!name.is_empty()).then_some(name)
}
