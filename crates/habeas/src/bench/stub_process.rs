//! The outside world in a process of its own, so that its cost is not counted as the product's.

use std::process::Stdio;

use anyhow::Context as _;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// The stub's process; it ends with this value.
pub(super) struct StubProcess {
    _child: Child,
    /// Where the vendor answers.
    pub(super) address: String,
    /// Where the mail server listens.
    pub(super) mail_address: String,
}

impl StubProcess {
    /// Starts it; every call will take `latency` milliseconds.
    pub(super) async fn start(latency: u64) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["bench", "--stub", "--vendor-latency-ms", &latency.to_string()])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("the stub could not be started")?;
        let output = child.stdout.take().context("the stub has no output")?;
        let mut lines = BufReader::new(output).lines();
        let mut line = async || lines.next_line().await?.context("the stub said nothing");
        Ok(Self { address: line().await?, mail_address: line().await?, _child: child })
    }

    /// How many vendor calls it has answered.
    #[expect(clippy::disallowed_methods, reason = "asks our own stub, not a vendor")]
    pub(super) async fn calls(&self) -> anyhow::Result<u64> {
        Ok(reqwest::get(format!("{}/calls", self.address)).await?.json().await?)
    }
}
