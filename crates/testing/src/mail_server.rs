//! A real mail server, for tests of what leaves the house.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde::Deserialize;
use tempfile::TempDir;

/// Names the Python that the server runs in; without it the test makes one below the target directory.
const VARIABLE: &str = "HABEAS_TEST_SMTP";

/// A server on loopback (aiosmtpd), gone when dropped. `server.py` says what it can be told to do and whom it refuses.
#[derive(Debug)]
pub struct MailServer {
    port: u16,
    directory: TempDir,
    process: Child,
}

/// A mail that the server took, as a MIME parser reads it.
#[derive(Clone, Debug, Deserialize)]
pub struct ReceivedMail {
    /// The sender in the envelope.
    pub from: String,
    /// The recipients in the envelope.
    pub to: Vec<String>,
    /// Parameters of MAIL.
    pub options: Vec<String>,
    /// Whether it came through TLS.
    pub encrypted: bool,
    /// Who was logged in.
    pub user: Option<String>,
    /// The name in EHLO.
    pub greeting: String,
    /// Which connection it came through.
    pub connection: u16,
    /// Names and values, decoded.
    pub headers: Vec<(String, String)>,
    /// Content types and texts, decoded.
    pub parts: Vec<(String, String)>,
    /// What the parser did not like.
    pub defects: Vec<String>,
    /// The bytes as they came.
    #[serde(skip)]
    pub bytes: Vec<u8>,
}

impl ReceivedMail {
    /// The one value of a header.
    ///
    /// # Panics
    /// If the header is missing or there are several.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let mut found = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        match (found.next(), found.next()) {
            (Some((_, value)), None) => value,
            other => panic!("{name}: {other:?}"),
        }
    }
}

impl MailServer {
    /// Who may log in.
    pub const USER: &str = "habeas";
    /// With which password, percent-encoded.
    pub const PASSWORD: &str = "correct%20horse";

    /// Starts a server with the options that `server.py` documents.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start(options: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut process = Command::new(python())
            .arg(script("server.py"))
            .arg(directory.path())
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the mail server starts");
        let mut line = String::new();
        let output = process.stdout.take().expect("an output");
        BufReader::new(output).read_line(&mut line).expect("a line");
        let port = line.trim().parse().expect("the mail server prints its port; its message stands above");
        Self { port, directory, process }
    }

    /// Where it listens, on 127.0.0.1.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The certificate of the authority that it trusts itself by (PEM), if it speaks TLS.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.directory.path().join("authority.pem")
    }

    /// Everything that it took, in order. Complete as soon as the server has accepted a mail.
    ///
    /// # Panics
    /// If a file is missing or has another shape.
    #[must_use]
    pub fn received(&self) -> Vec<ReceivedMail> {
        let file = |number: usize, kind: &str| self.directory.path().join(format!("{number}.{kind}"));
        (1..)
            .map_while(|number| {
                let parsed = std::fs::read(file(number, "json")).ok()?;
                let mut mail: ReceivedMail = serde_json::from_slice(&parsed).expect("a received mail");
                mail.bytes = std::fs::read(file(number, "eml")).expect("its bytes");
                Some(mail)
            })
            .collect()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        // It ends with its input anyway; a test need not wait for that.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/mail_server").join(name)
}

fn python() -> PathBuf {
    if let Some(python) = std::env::var_os(VARIABLE) {
        return python.into();
    }
    // A test program is TARGET/PROFILE/deps/NAME.
    let program = std::env::current_exe().expect("the path of the test");
    let target = program.ancestors().nth(3).expect("a target directory");
    let output = Command::new("python3")
        .arg(script("prepare.py"))
        .arg(target.join("smtp"))
        .stderr(Stdio::inherit())
        .output()
        .expect("python3 is installed");
    assert!(
        output.status.success(),
        "the Python of the mail server cannot be made; its message stands above"
    );
    PathBuf::from(String::from_utf8(output.stdout).expect("a path").trim())
}
