//! One client of the HTTP API over three ways: the running server's socket, a named server, or, when nobody serves
//! the data directory, the same API in this very process.

mod direct;
mod form;
pub(crate) mod problem;
mod remote;

use std::io::{ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use bytes::{Bytes, BytesMut};
use futures::TryStreamExt as _;
use futures::stream::BoxStream;
use http::{Method, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::cli::Global;
use crate::data_directory::DataDirectory;
use direct::Direct;
pub(crate) use form::FormPart;
use problem::Problem;
use remote::Remote;

/// Items of a page at most, as the API allows.
const PAGE: usize = 200;
/// The header that makes a call happen once.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// A way to the API.
#[derive(Debug)]
pub(crate) enum Client {
    Remote(Remote),
    Direct(Box<Direct>),
}

/// One call of the API.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    accept: Option<&'static str>,
    idempotency_key: Option<String>,
    body: Option<Body>,
}

/// What is sent with a call.
#[derive(Clone)]
pub(crate) struct Body {
    media_type: String,
    bytes: Bytes,
}

/// Shows no content.
impl std::fmt::Debug for Body {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Body({} bytes)", self.bytes.len())
    }
}

/// What comes back, piece by piece.
struct Streamed {
    status: StatusCode,
    body: BoxStream<'static, anyhow::Result<Bytes>>,
}

impl Streamed {
    async fn whole(self) -> anyhow::Result<Answer> {
        let body: BytesMut = self.body.try_collect().await?;
        Ok(Answer { status: self.status, body: body.freeze() })
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    status: StatusCode,
    body: Bytes,
}

impl Call {
    fn new(method: Method, parts: &[&str]) -> Self {
        let encoded: Vec<String> = parts
            .iter()
            .flat_map(|part| ["/".to_owned(), utf8_percent_encode(part, SEGMENT).to_string()])
            .collect();
        let path = format!("/api/v1{}", encoded.concat());
        Self { method, path, query: Vec::new(), accept: None, idempotency_key: None, body: None }
    }

    /// `GET /api/v1/...`; each part is one segment of the path.
    pub(crate) fn get(parts: &[&str]) -> Self {
        Self::new(Method::GET, parts)
    }

    /// `POST /api/v1/...` without a body.
    pub(crate) fn post(parts: &[&str]) -> Self {
        Self::new(Method::POST, parts)
    }

    /// `PATCH /api/v1/...` without a body.
    pub(crate) fn patch(parts: &[&str]) -> Self {
        Self::new(Method::PATCH, parts)
    }

    /// `DELETE /api/v1/...`
    pub(crate) fn delete(parts: &[&str]) -> Self {
        Self::new(Method::DELETE, parts)
    }

    /// With a JSON body.
    pub(crate) fn body(mut self, body: Value) -> Self {
        self.body = Some(Body {
            media_type: "application/json".to_owned(),
            bytes: body.to_string().into_bytes().into(),
        });
        self
    }

    /// With one JSON value per line.
    pub(crate) fn lines(mut self, bytes: Bytes) -> Self {
        self.body = Some(Body { media_type: "application/x-ndjson".to_owned(), bytes });
        self
    }

    /// Happens once, however often it is sent.
    pub(crate) fn once(mut self, key: String) -> Self {
        self.idempotency_key = Some(key);
        self
    }

    /// With a form that may hold files.
    pub(crate) fn form(mut self, parts: Vec<FormPart>) -> Self {
        self.body = Some(form::encode(parts));
        self
    }

    /// For an answer of another type than the usual.
    pub(crate) fn accept(mut self, media_type: &'static str) -> Self {
        self.accept = Some(media_type);
        self
    }

    /// With a parameter, if there is a value for it.
    pub(crate) fn query(mut self, name: &'static str, value: Option<impl ToString>) -> Self {
        self.query.extend(value.map(|value| (name, value.to_string())));
        self
    }

    fn path_and_query(&self) -> String {
        if self.query.is_empty() {
            return self.path.clone();
        }
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.query).finish();
        format!("{}?{query}", self.path)
    }
}

/// Everything but letters, digits and what ids and names are made of.
const SEGMENT: &percent_encoding::AsciiSet = &NON_ALPHANUMERIC.remove(b'_').remove(b'-');

/// The data directory that the command line names.
pub(crate) fn data_directory(global: &Global) -> DataDirectory {
    DataDirectory::at(global.data.clone().unwrap_or_else(|| PathBuf::from(DataDirectory::USUAL)))
}

impl Client {
    /// Finds the way. `creates` says whether a fresh installation may be set up for this command although nobody
    /// named a place for it.
    pub(crate) async fn open(global: &Global, creates: bool) -> anyhow::Result<Self> {
        // Whoever names a server means that one, whatever runs here.
        if let Some(url) = &global.server {
            return Ok(Self::Remote(Remote::to_server(url)?));
        }
        let directory = data_directory(global);
        if !directory.exists() && global.data.is_none() && !creates {
            bail!(
                "there is no installation in {}; name its place with --data (or HABEAS_DATA), a server with --server, \
                 or start a new one with `habeas serve`",
                directory.path().display()
            );
        }
        if let Some(remote) = served(&directory)? {
            return Ok(Self::Remote(remote));
        }
        Ok(Self::Direct(Box::new(Direct::open(global, &directory).await?)))
    }

    /// Makes a call; what the API refuses is an error.
    pub(crate) async fn call(&self, call: Call) -> anyhow::Result<Answer> {
        self.begin(&call).await?.whole().await
    }

    /// Makes a call whose answer may be larger than memory; how many bytes were written.
    pub(crate) async fn download(&self, call: Call, to: &mut impl Write) -> anyhow::Result<u64> {
        let (mut body, mut length) = (self.begin(&call).await?.body, 0);
        while let Some(piece) = body.try_next().await? {
            to.write_all(&piece).context("what was downloaded cannot be written")?;
            length += u64::try_from(piece.len())?;
        }
        to.flush().context("what was downloaded cannot be written")?;
        Ok(length)
    }

    async fn begin(&self, call: &Call) -> anyhow::Result<Streamed> {
        let answer = match self {
            Self::Remote(remote) => remote.call(call).await?,
            Self::Direct(direct) => direct.call(call).await?,
        };
        if answer.status.is_success() {
            return Ok(answer);
        }
        Err(Problem::of(&answer.whole().await?).into())
    }

    /// Makes a call that answers with JSON.
    pub(crate) async fn json(&self, call: Call) -> anyhow::Result<Value> {
        self.call(call).await?.json()
    }

    /// A whole list: goes from page to page until there are no more, or `limit` items are there.
    pub(crate) async fn list(
        &self,
        call: Call,
        cursor: Option<String>,
        limit: Option<usize>,
    ) -> anyhow::Result<Value> {
        let (mut items, mut cursor) = (Vec::new(), cursor);
        loop {
            let wanted = limit.map_or(PAGE, |limit| limit.saturating_sub(items.len()).clamp(1, PAGE));
            let page = call.clone().query("limit", Some(wanted)).query("cursor", cursor.as_ref());
            let mut page = self.json(page).await?;
            let Some(Value::Array(found)) = page.get_mut("items").map(Value::take) else {
                bail!("the server answered with something that is not a list");
            };
            items.extend(found);
            cursor = page.get("next_cursor").and_then(Value::as_str).map(str::to_owned);
            if cursor.is_none() || limit.is_some_and(|limit| items.len() >= limit) {
                return Ok(serde_json::json!({"items": items, "next_cursor": cursor}));
            }
        }
    }

    /// Runs the workers for as long as somebody waits, if nobody else does.
    pub(crate) fn start_working(&self) {
        if let Self::Direct(direct) = self {
            direct.start_working();
        }
    }

    /// Whether anybody works on what this command leaves behind.
    pub(crate) const fn leaves_work_to_others(&self) -> bool {
        matches!(self, Self::Remote(_))
    }

    /// Finishes what is under way and closes what was opened.
    pub(crate) async fn close(self) {
        if let Self::Direct(direct) = self {
            direct.close().await;
        }
    }
}

/// The way to the server of this data directory, if one runs.
fn served(directory: &DataDirectory) -> anyhow::Result<Option<Remote>> {
    if !directory.exists() {
        return Ok(None);
    }
    let Ok(socket) = directory.socket() else { return Ok(None) };
    match UnixStream::connect(socket.path()) {
        Ok(_) => Ok(Some(Remote::to_socket(socket)?)),
        // Nobody behind it: left by a server that was killed.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => Ok(None),
        Err(error) => Err(error).with_context(|| {
            format!(
                "the socket of the server in {} cannot be used; are you its user?",
                directory.path().display()
            )
        }),
    }
}

impl Answer {
    pub(crate) const fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) const fn bytes(&self) -> &Bytes {
        &self.body
    }

    /// The body as JSON; `null` if there is none.
    pub(crate) fn json(&self) -> anyhow::Result<Value> {
        if self.body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&self.body)
            .context("the server answered with something that is not JSON; is this a Habeas server?")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_parameters_are_encoded() {
        let call = Call::get(&["integrations", "a/../b?c"])
            .query("cursor", Some("x&y"))
            .query("state", None::<&str>);
        assert_eq!(call.path_and_query(), "/api/v1/integrations/a%2F%2E%2E%2Fb%3Fc?cursor=x%26y");
    }
}
