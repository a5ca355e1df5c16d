//! A hand-made HTTP server for this crate's tests: it can also break the protocol, which no HTTP library
//! would.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use habeas_environment::{Environment, TestClock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use crate::client::{ClientOptions, NotNow, Permits, VendorClient};
use crate::manifest::EndpointClass;

/// What the server was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// Path and query, as they came.
    pub(crate) target: String,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }

    pub(crate) fn query(&self, name: &str) -> Option<String> {
        let query = self.target.split_once('?')?.1;
        url::form_urlencoded::parse(query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

/// What the server does.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Writes these bytes and closes the connection.
    Raw(Vec<u8>),
    /// Says nothing until the client gives up.
    Silence,
}

impl Act {
    pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: impl AsRef<str>) -> Self {
        let body = body.as_ref();
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let length = body.len();
        Self::Raw(
            format!(
                "HTTP/1.1 {status} Test\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            )
            .into_bytes(),
        )
    }

    pub(crate) fn json(status: u16, body: impl fmt::Display) -> Self {
        Self::answer(status, &[("Content-Type", "application/json")], body.to_string())
    }

    pub(crate) fn html(status: u16) -> Self {
        Self::answer(
            status,
            &[("Content-Type", "text/html; charset=utf-8")],
            "<html>secret@example.test</html>",
        )
    }
}

/// A server on loopback that ends with the test's runtime.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) base: Url,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    pub(crate) async fn start(act: impl Fn(&Asked) -> Act + Send + Sync + 'static) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap(), act)
    }

    /// A server at an address of the test's choice.
    pub(crate) fn on(listener: TcpListener, act: impl Fn(&Asked) -> Act + Send + Sync + 'static) -> Self {
        let base = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let (act, log) = (Arc::new(act), Arc::clone(&asked));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (act, log) = (Arc::clone(&act), Arc::clone(&log));
                tokio::spawn(async move { serve(stream, &*act, &log).await });
            }
        });
        Self { base, asked }
    }

    /// A server that always does the same.
    pub(crate) async fn that(act: Act) -> Self {
        Self::start(move |_| act.clone()).await
    }

    /// Everything that was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

/// What a hand-made vendor holds, and how it answers with it.
pub(crate) trait Holdings: Send + Sized + 'static {
    fn answer(&mut self, asked: &Asked) -> Act;
}

/// A fault: sees the vendor and the call, and may change the one or answer the other itself.
type VendorFault<S> = Box<dyn FnMut(&mut S, &Asked) -> Option<Act> + Send>;

/// A hand-made vendor.
pub(crate) struct HandMade<S> {
    pub(crate) server: Server,
    state: Arc<Mutex<(S, Vec<VendorFault<S>>)>>,
}

impl<S: Holdings> HandMade<S> {
    pub(crate) async fn holding(holdings: S) -> Self {
        let state = Arc::new(Mutex::new((holdings, Vec::new())));
        let shared = Arc::clone(&state);
        let server = Server::start(move |asked| {
            let mut guard = shared.lock().unwrap();
            let (holdings, faults) = &mut *guard;
            let fault = faults.iter_mut().find_map(|fault: &mut VendorFault<S>| fault(holdings, asked));
            fault.unwrap_or_else(|| holdings.answer(asked))
        });
        Self { server: server.await, state }
    }

    /// Changes what the vendor holds, or looks at it.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut S) -> R) -> R {
        change(&mut self.state.lock().unwrap().0)
    }

    /// Adds a fault that is asked before every call.
    pub(crate) fn fault(&self, fault: impl FnMut(&mut S, &Asked) -> Option<Act> + Send + 'static) {
        self.state.lock().unwrap().1.push(Box::new(fault));
    }

    pub(crate) fn forget_faults(&self) {
        self.state.lock().unwrap().1.clear();
    }
}

async fn serve(mut stream: TcpStream, act: &(impl Fn(&Asked) -> Act + Sync), log: &Mutex<Vec<Asked>>) {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    let split = loop {
        match stream.read(&mut chunk).await {
            Ok(length) if length > 0 => bytes.extend_from_slice(&chunk[..length]),
            _ => return,
        }
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..split]).into_owned();
    let mut line = head.lines().next().unwrap_or_default().split(' ');
    let (method, target) =
        (line.next().unwrap_or_default().to_owned(), line.next().unwrap_or_default().to_owned());
    let mut asked = Asked { method, target, head, body: String::new() };
    let length: usize = asked.header("content-length").map_or(0, |length| length.parse().unwrap());
    while bytes.len() < split + length {
        match stream.read(&mut chunk).await {
            Ok(length) if length > 0 => bytes.extend_from_slice(&chunk[..length]),
            _ => return,
        }
    }
    asked.body = String::from_utf8_lossy(&bytes[split..]).into_owned();
    let act = act(&asked);
    log.lock().unwrap().push(asked);
    match act {
        Act::Raw(answer) => {
            let _ = stream.write_all(&answer).await;
            let _ = stream.shutdown().await;
        }
        Act::Silence => while matches!(stream.read(&mut chunk).await, Ok(length) if length > 0) {},
    }
}

/// Permits that answer from a list, then always yes, and remember what they were told.
#[derive(Debug, Default)]
pub(crate) struct ListedPermits {
    pub(crate) refusals: Mutex<Vec<Option<Duration>>>,
    pub(crate) acquired: Mutex<Vec<EndpointClass>>,
    pub(crate) pushed_back: Mutex<Vec<(EndpointClass, Duration)>>,
}

impl ListedPermits {
    /// The next turns, `None` meaning leave is given.
    pub(crate) fn next(&self, turns: &[Option<Duration>]) {
        *self.refusals.lock().unwrap() = turns.iter().rev().copied().collect();
    }
}

#[async_trait]
impl Permits for ListedPermits {
    async fn acquire(&self, class: EndpointClass) -> Result<(), NotNow> {
        match self.refusals.lock().unwrap().pop().flatten() {
            Some(wait) => Err(NotNow::After(wait)),
            None => {
                self.acquired.lock().unwrap().push(class);
                Ok(())
            }
        }
    }

    async fn pushed_back(&self, class: EndpointClass, wait: Duration) {
        self.pushed_back.lock().unwrap().push((class, wait));
    }
}

/// The start of every test's clock.
pub(crate) const NOW: &str = "2026-03-01T12:00:00Z";

pub(crate) fn options(base: &Url) -> ClientOptions {
    let environment = Environment::for_test(&TestClock::at(NOW), 1);
    ClientOptions { overridden: true, ..ClientOptions::new("test", base.clone(), environment) }
}

pub(crate) fn client(base: &Url) -> VendorClient {
    client_with(options(base))
}

pub(crate) fn client_with(options: ClientOptions) -> VendorClient {
    VendorClient::new(options, VendorClient::transport().unwrap()).unwrap()
}
