//! What a person enters, and what is kept of it.

use crate::connector::{SettingError, Settings};

/// The token.
pub(super) const API_TOKEN: &str = "api_token";
/// The workspace's slug, without `workspaces/` in front.
pub(super) const WORKSPACE_NAME: &str = "workspace_name";
/// Where the workspace is kept.
pub(super) const REGION: &str = "region";

/// Which of Segment's APIs the token opens: nobody enters it, the check finds it out.
pub(super) const API: &str = "api";

/// The region in the European Union.
pub(super) const EU: &str = "eu";
/// The region in the United States.
pub(super) const US: &str = "us";

/// The vendor's samples have 68 and 87 characters; a token is opaque, so the bound is only against accidents.
const LONGEST_TOKEN: usize = 512;
const LONGEST_SLUG: usize = 200;

/// Brings what was entered into the form that is kept; applied again it changes nothing.
pub(super) fn normalise(settings: &Settings) -> Result<Settings, Vec<SettingError>> {
    let mut kept = Settings::default();
    let mut wrong: Vec<SettingError> = settings
        .keys()
        .filter(|key| ![API_TOKEN, WORKSPACE_NAME, REGION, API].contains(key))
        .map(|key| SettingError {
            key: key.to_owned(),
            message: format!(
                "is not a setting of Segment Config; there are `{API_TOKEN}`, `{WORKSPACE_NAME}` and `{REGION}`"
            ),
        })
        .collect();
    let mut keep = |key: &str, value: Result<&str, &str>| match value {
        Ok("") => {}
        Ok(value) => kept.set(key, value),
        Err(message) => wrong.push(SettingError { key: key.to_owned(), message: message.to_owned() }),
    };
    keep(API_TOKEN, token(settings.text(API_TOKEN)));
    keep(WORKSPACE_NAME, slug(settings.text(WORKSPACE_NAME)));
    keep(REGION, region(settings.text(REGION)));
    keep(API, Ok(settings.text(API)));
    if wrong.is_empty() { Ok(kept) } else { Err(wrong) }
}

fn token(input: &str) -> Result<&str, &'static str> {
    let token = input.trim();
    if token.is_empty() {
        Err("is empty; enter the API token")
    } else if token.chars().any(|character| character.is_whitespace() || character.is_control()) {
        Err(
            "contains a space, a line break or a control character; enter the token alone, in one line and without \
             `Bearer`",
        )
    } else if !token.is_ascii() {
        Err("contains a character that no API token has; copy the token again")
    } else if token.len() > LONGEST_TOKEN {
        Err("is too long for an API token (512 characters at most)")
    } else {
        Ok(token)
    }
}

fn slug(input: &str) -> Result<&str, &'static str> {
    let name = input.trim();
    let slug = name.strip_prefix("workspaces/").unwrap_or(name);
    if slug.is_empty() {
        Err("is empty; enter the workspace's slug, as it stands in the address of Segment's app")
    } else if slug.contains('/') {
        Err(
            "contains a slash; enter the workspace's slug alone (`my-space` or `workspaces/my-space`), not a whole \
             address",
        )
    } else if slug.chars().any(char::is_control) {
        Err("contains a line break or a control character; enter the workspace's slug (`my-space`)")
    } else if slug.chars().any(char::is_whitespace) {
        Err(
            "contains a space, so it looks like the display name; enter the workspace's slug, as it stands in the \
             address of Segment's app (`my-space`)",
        )
    } else if slug == "." || slug == ".." {
        Err("is no workspace; enter the workspace's slug (`my-space`)")
    } else if slug.len() > LONGEST_SLUG {
        Err("is too long for a workspace's slug (200 characters at most)")
    } else {
        Ok(slug)
    }
}

fn region(input: &str) -> Result<&'static str, &'static str> {
    match input.trim() {
        "" => Ok(""),
        region if region.eq_ignore_ascii_case(US) => Ok(US),
        region if region.eq_ignore_ascii_case(EU) => Ok(EU),
        _ => Err("is none of Segment's regions; enter `us` or `eu`, or leave it out"),
    }
}
