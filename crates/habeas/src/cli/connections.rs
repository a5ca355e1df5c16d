//! `habeas connections ...`

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand};
use habeas_domain::capability::{Capability, DeletionCompletion, Handling};

#[derive(Debug, Subcommand)]
pub(crate) enum ConnectionsCommand {
    /// Connect a system; nothing is saved unless the vendor accepts the credentials and grants every permission needed.
    /// On a terminal, what is left out is asked for, with the way to it at the vendor
    Add(NewConnection),
    /// List connections with their state
    List,
    /// Show one connection
    Show {
        /// Its name or id (con_...)
        connection: String,
    },
    /// Check one connection at its vendor now, or all; exits with 1 if a check fails
    Check {
        /// Its name or id (con_...)
        connection: Option<String>,
    },
    /// Change a connection; new settings and capabilities are checked at the vendor before anything is saved
    Edit(ConnectionChange),
    /// Remove a connection and destroy its credentials
    Remove {
        /// Its name or id (con_...)
        connection: String,
        /// Also while unfinished runs need it: they are skipped
        #[arg(long)]
        force: bool,
    },
    /// Show what `apply` would do so that the connections are as a file declares them; changes nothing
    Plan {
        /// YAML that declares every connection (see docs/connections-as-code.md)
        file: PathBuf,
    },
    /// Make the connections as a file declares them; what is new or different is checked at its vendor before it is
    /// saved. What cannot be done does not keep the others from being done; exits with 1 then
    Apply {
        /// YAML that declares every connection (see docs/connections-as-code.md)
        file: PathBuf,
        /// Also remove connections that are not declared
        #[arg(long)]
        prune: bool,
        /// Do not ask before connections are removed
        #[arg(long)]
        yes: bool,
    },
    /// Print the JSON Schema of such files, for editors
    Schema,
}

#[derive(Debug, Args)]
pub(crate) struct NewConnection {
    /// Which integration, for example readycloud (see `habeas integrations`)
    pub(crate) integration: String,
    /// How people tell this connection from others
    #[arg(long)]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) details: ConnectionDetails,
}

#[derive(Debug, Args)]
pub(crate) struct ConnectionChange {
    /// Its name or id (con_...)
    pub(crate) connection: String,
    /// Another name
    #[arg(long)]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) details: ConnectionDetails,
}

#[derive(Debug, Args)]
pub(crate) struct ConnectionDetails {
    /// A setting. VALUE may be env:NAME (taken from that environment variable) or file:PATH (the content of that
    /// file), so that secrets need not stand on the command line
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = setting)]
    pub(crate) settings: Vec<(String, SettingValue)>,
    /// When an asynchronous deletion counts as complete
    #[arg(long, value_name = "on_submit|on_completion")]
    pub(crate) deletion_completion: Option<DeletionCompletion>,
    /// Who serves a capability where it differs from the integration's own way, for example access=direct_contact
    #[arg(long = "capability", value_name = "CAPABILITY=api|direct_contact|off", value_parser = capability)]
    pub(crate) capabilities: Vec<(Capability, Handling)>,
    /// Who answers for what is handed to a direct contact
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) contact_email: Option<String>,
    /// How many days they have [default: contacts.deadline_days of the server's configuration]
    #[arg(long, value_name = "DAYS")]
    pub(crate) contact_deadline_days: Option<i64>,
    /// What happens when they do not answer: skip, or hold (a person decides) [default: hold]
    #[arg(long, value_name = "skip|hold")]
    pub(crate) contact_on_expiry: Option<String>,
}

/// Where the value of a setting comes from. Does not print it.
#[derive(Clone)]
pub(crate) enum SettingValue {
    Given(String),
    Environment(String),
    File(PathBuf),
}

impl SettingValue {
    /// What `env:NAME`, `file:PATH` or a value stands for.
    pub(crate) fn read(text: &str) -> Self {
        if let Some(name) = text.strip_prefix("env:") {
            Self::Environment(name.to_owned())
        } else if let Some(path) = text.strip_prefix("file:") {
            Self::File(path.into())
        } else {
            Self::Given(text.to_owned())
        }
    }
}

impl std::fmt::Debug for SettingValue {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Given(_) => formatter.write_str("[redacted]"),
            Self::Environment(name) => write!(formatter, "env:{name}"),
            Self::File(path) => write!(formatter, "file:{}", path.display()),
        }
    }
}

fn pair<'t>(text: &'t str, example: &str) -> Result<(&'t str, &'t str), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim(), value)),
        _ => Err(format!("expected something like {example}")),
    }
}

fn setting(text: &str) -> Result<(String, SettingValue), String> {
    let (key, value) = pair(text, "access_token=env:READYCLOUD_TOKEN")?;
    Ok((key.to_owned(), SettingValue::read(value)))
}

fn capability(text: &str) -> Result<(Capability, Handling), String> {
    let (capability, handling) = pair(text, "access=off")?;
    Ok((word(capability)?, word(handling)?))
}

/// A word of a vocabulary; the refusal lists the words there are.
pub(super) fn word<W: FromStr<Err = habeas_domain::vocabulary::UnknownWord>>(
    text: &str,
) -> Result<W, String> {
    text.trim().parse::<W>().map_err(|unknown| unknown.to_string())
}

/// `TYPE=VALUE` of an identifier.
pub(super) fn identifier(text: &str) -> Result<(habeas_domain::IdentifierType, String), String> {
    let (kind, value) = pair(text, "user_id=4711")?;
    Ok((word(kind)?, value.to_owned()))
}
