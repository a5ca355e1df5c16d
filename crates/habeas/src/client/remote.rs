//! The API of a running server: over its socket, or over the network with a key.

use std::time::Duration;

use anyhow::{Context as _, bail};
use futures::TryStreamExt as _;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use url::{Host, Url};

use super::{Call, IDEMPOTENCY_KEY, Streamed};
use crate::data_directory::SocketPath;
use crate::ending::Usage;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a server may be silent: it may be busy proving a long audit log.
const READ_TIMEOUT: Duration = Duration::from_mins(10);
const KEY_VARIABLE: &str = "HABEAS_KEY";

/// A running server.
#[derive(Debug)]
pub(crate) struct Remote {
    http: reqwest::Client,
    base: String,
    /// How messages name the server.
    name: String,
    /// Keeps the way to the socket open.
    _socket: Option<SocketPath>,
}

impl Remote {
    /// The server at `url`, with the key from the environment.
    pub(super) fn to_server(url: &Url) -> anyhow::Result<Self> {
        check(url)?;
        let key = std::env::var(KEY_VARIABLE).map_err(|_| {
            Usage::new(format!(
                "--server needs an API key in the environment variable {KEY_VARIABLE}; make one with `habeas keys create` \
                 on the server's machine"
            ))
        })?;
        let mut key = HeaderValue::try_from(format!("Bearer {}", key.trim()))
            .map_err(|_| Usage::new(format!("{KEY_VARIABLE} holds characters that no API key has")))?;
        key.set_sensitive(true);
        let mut builder = builder().default_headers(HeaderMap::from_iter([(AUTHORIZATION, key)]));
        if is_loopback(url) {
            builder = builder.no_proxy();
        }
        let base = url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { http: builder.build()?, name: format!("at {base}"), base, _socket: None })
    }

    /// The server behind a socket.
    pub(super) fn to_socket(socket: SocketPath) -> anyhow::Result<Self> {
        let http = builder().no_proxy().unix_socket(socket.path()).build()?;
        let name = format!("behind {}", socket.path().display());
        Ok(Self { http, base: "http://localhost".to_owned(), name, _socket: Some(socket) })
    }

    pub(super) async fn call(&self, call: &Call) -> anyhow::Result<Streamed> {
        let address = format!("{}{}", self.base, call.path_and_query());
        let mut request = self.http.request(call.method.clone(), address);
        if let Some(accept) = call.accept {
            request = request.header(ACCEPT, accept);
        }
        if let Some(key) = &call.idempotency_key {
            request = request.header(IDEMPOTENCY_KEY, key);
        }
        if let Some(body) = &call.body {
            request = request.header(CONTENT_TYPE, &body.media_type).body(body.bytes.clone());
        }
        // Without the address: it is known, and its query says what was looked for.
        let failed = || format!("the server {} cannot be reached", self.name);
        let answer = request.send().await.map_err(reqwest::Error::without_url).with_context(failed)?;
        let status = answer.status();
        if status.is_redirection() {
            bail!(
                "the server {} redirects elsewhere ({status}); give its own address with --server",
                self.name
            );
        }
        let broke_off = format!(
            "the answer of the server {} broke off; ask what became of it before trying again",
            self.name
        );
        let body = answer
            .bytes_stream()
            .map_err(move |error| anyhow::Error::new(error.without_url()).context(broke_off.clone()));
        Ok(Streamed { status, body: Box::pin(body) })
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the command line talking to its own server, not to a vendor"
)]
fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        // A redirect would hand the key to somebody else.
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .user_agent(concat!("habeas/", env!("CARGO_PKG_VERSION")))
}

fn check(url: &Url) -> anyhow::Result<()> {
    let usable = url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if !usable || !matches!(url.scheme(), "http" | "https") {
        bail!(Usage::new("--server takes the address of a server, for example https://privacy.example.com"));
    }
    if url.scheme() == "http" && !is_loopback(url) {
        bail!(Usage::new(
            "--server takes http only for this machine; use https, or the key would travel in clear"
        ));
    }
    Ok(())
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case::https("https://privacy.example.com/habeas", true)]
    #[case::this_machine("http://127.0.0.1:7070", true)]
    #[case::this_machine_6("http://[::1]:7070", true)]
    #[case::in_clear("http://privacy.example.com", false)]
    #[case::looks_local("http://localhost.example.com", false)]
    #[case::with_user("https://user:secret@privacy.example.com", false)]
    #[case::with_query("https://privacy.example.com/?x=1", false)]
    #[case::other_scheme("ftp://127.0.0.1/", false)]
    fn a_key_is_sent_only_where_nobody_listens_in(#[case] url: &str, #[case] accepted: bool) {
        assert_eq!(check(&url.parse().unwrap()).is_ok(), accepted);
    }
}
