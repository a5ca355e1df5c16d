//! The Python that the mail server of the tests runs in.

use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

use crate::process::{install, root, succeeds};

/// What tests read to find it.
pub(crate) const VARIABLE: &str = "HABEAS_TEST_SMTP";

/// Makes it if it is not there, installing Python first if there is none; says where it is.
pub(crate) fn prepare() -> anyhow::Result<String> {
    if !succeeds(Command::new("python3").args(["-c", "import ensurepip, venv"])) {
        eprintln!("Python is not installed completely; installing Debian's `python3-venv`");
        install("python3-venv")?;
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), Into::into);
    let output = Command::new("python3")
        .arg(root().join("crates/testing/src/mail_server/prepare.py"))
        .arg(target.join("smtp"))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("python3 does not start")?;
    ensure!(
        output.status.success(),
        "the packages of the mail server could not be installed; is PyPI within reach?"
    );
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
