//! `habeas requests import ...`

use std::path::PathBuf;

use clap::Args;
use habeas_domain::Right;

use super::requests::Delivery;

/// Columns are named by the first line, in any order: right, policy, email, phone_number, user_id, identifier:TYPE, review,
/// delivery, received_at, force. Empty cells take the default. See docs/importing.md.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// A CSV file (UTF-8, commas, the first line names the columns)
    pub(crate) file: PathBuf,
    /// What is asked where the file does not say: access, access_categories or deletion
    #[arg(long)]
    pub(crate) right: Option<Right>,
    /// Under which law where the file does not say; with neither, a person decides in triage
    #[arg(long)]
    pub(crate) policy: Option<String>,
    /// How an access ends where the file does not say
    #[arg(long)]
    pub(crate) delivery: Option<Delivery>,
    /// Deliver or delete without a person looking first, where the file does not say
    #[arg(long)]
    pub(crate) no_review: bool,
    /// Nobody made sure that the identifiers are theirs, as in `requests create --unverified`
    #[arg(long)]
    pub(crate) unverified: bool,
    /// Check the whole file with the server and stop: nothing is imported
    #[arg(long, conflicts_with = "yes")]
    pub(crate) dry_run: bool,
    /// Import what the check accepts without asking
    #[arg(long)]
    pub(crate) yes: bool,
    /// Import a file once more that was imported before
    #[arg(long)]
    pub(crate) again: bool,
    /// Where the refused rows are written [default: FILE with .errors.csv in place of .csv]
    #[arg(long, value_name = "FILE")]
    pub(crate) errors: Option<PathBuf>,
}
