//! What people do in the demonstration: read their mail, open the link in it, fill in the form, fetch the package.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Cursor, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};

/// How long a person looks for a mail that should have come.
const PATIENCE: Duration = Duration::from_secs(20);

/// Everybody's mailbox: the outbox directory, in which mails lie while no mail server is configured.
pub(crate) struct Mailbox {
    outbox: PathBuf,
    /// By file. Mails to different people come in any order, so what was read is no prefix of what came.
    read: BTreeSet<PathBuf>,
}

/// A mail as a plain program reads it.
pub(crate) struct Mail {
    pub(crate) to: String,
    pub(crate) subject: String,
    /// The plain text.
    pub(crate) text: String,
}

impl Mailbox {
    pub(crate) fn of(data: &Path) -> Self {
        Self { outbox: data.join("outbox"), read: BTreeSet::new() }
    }

    /// The newest unread mail to somebody with what they look for in it; their older ones then count as read.
    pub(crate) fn wait_for(&mut self, to: &str, wanted: &str) -> anyhow::Result<Mail> {
        for _ in 0..PATIENCE.as_millis() / 50 {
            // Names are in the order in which mails were written.
            let mut mails = self.unread(to)?;
            if let Some(at) = mails.iter().rposition(|(_, mail)| mail.text.contains(wanted)) {
                self.read.extend(mails[..=at].iter().map(|(file, _)| file.clone()));
                return Ok(mails.swap_remove(at).1);
            }
            #[expect(
                clippy::disallowed_methods,
                reason = "a person waits for a mail; not the product's time"
            )]
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("no mail to {to} with {wanted} came into {}", self.outbox.display())
    }

    /// The HTML of the newest mail that holds `wanted`, as a mail program shows it.
    pub(crate) fn page_of(&self, kind: &str, wanted: &str) -> anyhow::Result<String> {
        for file in self.files()?.iter().rev() {
            let message = String::from_utf8_lossy(&fs::read(file)?).replace("\r\n", "\n");
            if message.contains(wanted)
                && let Some(page) = message.find("<!doctype html>")
            {
                return Ok(message[page..].split("\n--").next().unwrap_or_default().to_owned());
            }
        }
        bail!("no mail of the kind {kind} is in the outbox")
    }

    fn unread(&self, to: &str) -> anyhow::Result<Vec<(PathBuf, Mail)>> {
        let mut mails = Vec::new();
        for file in self.files()? {
            if file.extension().is_some_and(|ending| ending == "eml") && !self.read.contains(&file) {
                let mail = parse(&String::from_utf8_lossy(&fs::read(&file)?));
                if mail.to == to {
                    mails.push((file, mail));
                }
            }
        }
        Ok(mails)
    }

    fn files(&self) -> anyhow::Result<Vec<PathBuf>> {
        let Ok(entries) = fs::read_dir(&self.outbox) else { return Ok(Vec::new()) };
        let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        files.sort();
        Ok(files)
    }
}

fn parse(message: &str) -> Mail {
    let header = |name: &str| {
        let line = message.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_default().trim().to_owned()
    };
    let part = message.split("text/plain").nth(1).unwrap_or_default();
    let text = part.split_once("\r\n\r\n").map_or("", |(_, text)| text);
    let text = text.split("\r\n--").next().unwrap_or_default().replace("\r\n", "\n");
    Mail { to: header("To:"), subject: header("Subject:"), text }
}

impl Mail {
    /// The link in it: alone on its line.
    pub(crate) fn link(&self) -> anyhow::Result<&str> {
        self.text.lines().find(|line| line.starts_with("http")).context("the mail has no link")
    }

    /// The one-time code in it.
    pub(crate) fn code(&self) -> anyhow::Result<&str> {
        let is_code = |line: &&str| line.len() == 6 && line.bytes().all(|byte| byte.is_ascii_digit());
        self.text.lines().map(str::trim).find(is_code).context("the mail has no code")
    }
}

/// An answer over HTTP.
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

/// One part of a form.
pub(crate) enum Part<'p> {
    Text(&'p str, &'p str),
    File(&'p str, &'p [u8]),
}

/// Fills the form behind a contact's link in and sends it.
pub(crate) fn send_form(link: &str, parts: &[Part<'_>]) -> anyhow::Result<()> {
    ensure!(call("GET", link, &[], &[])?.status == 200, "the form behind a contact's link cannot be opened");
    let mut body = Vec::new();
    for part in parts {
        match part {
            Part::Text(name, text) => {
                write!(body, "--edge\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n")?
            }
            Part::File(name, content) => {
                write!(
                    body,
                    "--edge\r\nContent-Disposition: form-data; name=\"files\"; filename=\"{name}\"\r\n\
                     Content-Type: application/octet-stream\r\n\r\n"
                )?;
                body.extend_from_slice(content);
                body.extend_from_slice(b"\r\n");
            }
        }
    }
    body.extend_from_slice(b"--edge--\r\n");
    let answer = call("POST", link, &["Content-Type: multipart/form-data; boundary=edge"], &body)?;
    ensure!(answer.status == 200, "the form was refused: {}", String::from_utf8_lossy(&answer.body));
    Ok(())
}

/// Presses the only button of a page.
pub(crate) fn press(link: &str) -> anyhow::Result<()> {
    ensure!(call("GET", link, &[], &[])?.status == 200, "the page behind a link cannot be opened");
    ensure!(call("POST", link, &[], &[])?.status == 200, "the button did nothing");
    ensure!(call("POST", link, &[], &[])?.status == 404, "the link can be used twice");
    Ok(())
}

/// Asks for the code, and fetches the package with it.
pub(crate) fn download(link: &str, code: impl FnOnce() -> anyhow::Result<String>) -> anyhow::Result<Vec<u8>> {
    ensure!(call("GET", link, &[], &[])?.status == 200, "the download page cannot be opened");
    let form = "Content-Type: application/x-www-form-urlencoded";
    ensure!(call("POST", link, &[form], &[])?.status == 303, "no code was sent");
    let given = call("POST", link, &[form], format!("code={}", code()?).as_bytes())?;
    ensure!(given.status == 303, "the code was not taken");
    let cookie = given.headers.get("set-cookie").context("nothing lets the browser download")?;
    let cookie = format!("Cookie: {}", cookie.split(';').next().unwrap_or_default());
    let package = call("GET", &format!("{link}/package"), &[&cookie], &[])?;
    ensure!(package.status == 200, "the package cannot be fetched");
    Ok(package.body)
}

/// The files of a package and their lengths.
pub(crate) fn unpack(package: &[u8]) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
    let mut archive = zip::ZipArchive::new(Cursor::new(package))?;
    let mut files = BTreeMap::new();
    for at in 0..archive.len() {
        let mut file = archive.by_index(at)?;
        let mut content = Vec::new();
        file.read_to_end(&mut content)?;
        files.insert(file.name()?.into_owned(), content);
    }
    Ok(files)
}

/// A call, as simple as can be: the demonstration speaks to this machine only.
fn call(method: &str, url: &str, headers: &[&str], body: &[u8]) -> anyhow::Result<Answer> {
    let rest = url.strip_prefix("http://").context("the demonstration speaks plain HTTP")?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut stream = TcpStream::connect(host)?;
    let more: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let head = format!(
        "{method} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {}\r\n{more}\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").context("no answer")?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("no status")?;
    let lines = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    let headers = lines.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    Ok(Answer { status, headers, body: answer[end + 4..].to_vec() })
}
