//! A real S3-compatible server on loopback, for tests of what lies in a bucket and of its faults.

use std::future::pending;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc as blocking;
use std::sync::{Arc, Mutex, MutexGuard};

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, HttpError};
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// A server (`s3s` over a directory), on a thread and a runtime of its own; gone when dropped.
#[derive(Debug)]
pub struct S3Server {
    address: SocketAddr,
    directory: TempDir,
    front: Arc<Front>,
    orders: mpsc::UnboundedSender<(Order, blocking::Sender<()>)>,
}

/// What stands before the S3 service: counts calls, and misbehaves when told to.
#[derive(Debug)]
struct Front {
    calls: Mutex<Vec<String>>,
    /// Calls that are still answered before the server is gone.
    left: Mutex<Option<usize>>,
    is_slow: watch::Sender<bool>,
    refused_with: Mutex<Option<StatusCode>>,
    leave: mpsc::UnboundedSender<(Order, blocking::Sender<()>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Leave,
    Return,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

impl S3Server {
    /// The bucket that is there.
    pub const BUCKET: &str = "habeas-packages";
    /// Who may use it.
    pub const ACCESS_KEY_ID: &str = "AKIATESTONLY";
    /// With which secret.
    pub const SECRET_ACCESS_KEY: &str = "secret-of-the-tests-only";

    /// Starts a server with one empty bucket.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        std::fs::create_dir(directory.path().join(Self::BUCKET)).expect("a bucket");
        let (orders, received) = mpsc::unbounded_channel();
        let front = Arc::new(Front {
            calls: Mutex::default(),
            left: Mutex::default(),
            is_slow: watch::Sender::new(false),
            refused_with: Mutex::default(),
            leave: orders.clone(),
        });
        let (started, address) = blocking::channel();
        let (root, inside) = (directory.path().to_owned(), Arc::clone(&front));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(run(&root, inside, received, &started));
        });
        let address = address.recv().expect("the server starts");
        Self { address, directory, front, orders }
    }

    /// Where it listens, without a slash at its end.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The calls since the last time this was asked, each by its method and what of S3 it was about: `GET`, `PUT`,
    /// `POST ?uploads` (an upload begins), `PUT ?partNumber`, `POST ?uploadId` (it is complete), `DELETE ?uploadId` (it is
    /// given up).
    #[must_use]
    pub fn take_calls(&self) -> Vec<String> {
        std::mem::take(&mut locked(&self.front.calls))
    }

    /// Names of the objects that can be read, with their prefix, sorted.
    #[must_use]
    pub fn objects(&self) -> Vec<String> {
        let mut found = Vec::new();
        let bucket = self.directory.path().join(Self::BUCKET);
        collect(&bucket, &bucket, &mut found);
        found.sort_unstable();
        found
    }

    /// Whether something of uploads that never ended takes room.
    #[must_use]
    pub fn has_unfinished_uploads(&self) -> bool {
        let entries = std::fs::read_dir(self.directory.path()).unwrap();
        entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with(".upload"))
    }

    /// Writes something into an object from outside, or puts another there.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn put_from_outside(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.directory.path().join(Self::BUCKET).join(name), bytes).unwrap();
    }

    /// Takes calls and does not answer them, until [`S3Server::answer_again`].
    pub fn answer_nobody(&self) {
        self.front.is_slow.send_replace(true);
    }

    /// Answers again, also what waits.
    pub fn answer_again(&self) {
        self.front.is_slow.send_replace(false);
        *locked(&self.front.refused_with) = None;
    }

    /// Answers every call with this status and an S3 error of that meaning, until [`S3Server::answer_again`].
    pub fn refuse_with(&self, status: StatusCode) {
        *locked(&self.front.refused_with) = Some(status);
    }

    /// Is gone: nothing listens, connections are cut.
    pub fn leave(&self) {
        self.order(Order::Leave);
    }

    /// Is gone after so many more calls, without an answer to the next one.
    pub fn leave_after(&self, calls: usize) {
        *locked(&self.front.left) = Some(calls);
    }

    /// Is there again, at the same address and with everything that was kept.
    pub fn come_back(&self) {
        *locked(&self.front.left) = None;
        self.order(Order::Return);
    }

    fn order(&self, order: Order) {
        let (done, wait) = blocking::channel();
        self.orders.send((order, done)).expect("the server runs");
        wait.recv().expect("the server runs");
    }
}

fn collect(bucket: &Path, directory: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(bucket, &path, found);
        } else {
            found.push(path.strip_prefix(bucket).unwrap().to_string_lossy().into_owned());
        }
    }
}

async fn run(
    root: &Path,
    front: Arc<Front>,
    mut orders: mpsc::UnboundedReceiver<(Order, blocking::Sender<()>)>,
    started: &blocking::Sender<SocketAddr>,
) {
    let mut builder = S3ServiceBuilder::new(FileSystem::new(root).unwrap());
    builder.set_auth(SimpleAuth::from_single(S3Server::ACCESS_KEY_ID, S3Server::SECRET_ACCESS_KEY));
    let service = builder.build();
    let mut listener = Some(TcpListener::bind("127.0.0.1:0").await.unwrap());
    let address = listener.as_ref().unwrap().local_addr().unwrap();
    started.send(address).unwrap();
    let mut connections = JoinSet::new();
    loop {
        let accept = async {
            match &listener {
                Some(listener) => listener.accept().await,
                None => pending().await,
            }
        };
        tokio::select! {
            accepted = accept => {
                let Ok((stream, _)) = accepted else { continue };
                let (front, service) = (Arc::clone(&front), service.clone());
                connections.spawn(async move {
                    let answer = service_fn(move |request| answer(Arc::clone(&front), service.clone(), request));
                    drop(hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), answer)
                        .await);
                });
            }
            order = orders.recv() => {
                let Some((order, done)) = order else { return };
                if order == Order::Leave {
                    listener = None;
                    connections.shutdown().await;
                } else if listener.is_none() {
                    listener = Some(listen_again(address));
                }
                // Nobody waits when the server left by itself.
                let _ = done.send(());
            }
        }
    }
}

fn listen_again(address: SocketAddr) -> TcpListener {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    socket.listen(128).unwrap()
}

async fn answer(
    front: Arc<Front>,
    service: S3Service,
    request: Request<Incoming>,
) -> Result<Response<Body>, HttpError> {
    let is_gone = match &mut *locked(&front.left) {
        Some(0) => true,
        Some(left) => {
            *left -= 1;
            false
        }
        None => false,
    };
    if is_gone {
        let (done, _) = blocking::channel();
        let _ = front.leave.send((Order::Leave, done));
        return pending().await;
    }
    locked(&front.calls).push(what_it_is(&request));
    let mut is_slow = front.is_slow.subscribe();
    drop(is_slow.wait_for(|is_slow| !is_slow).await);
    let status = *locked(&front.refused_with);
    if let Some(status) = status {
        return Ok(refusal(status));
    }
    // The service takes any bucket for one that is there; S3 says so.
    let bucket = request.uri().path().trim_start_matches('/').split('/').next().unwrap_or_default();
    if bucket != S3Server::BUCKET {
        return Ok(error(StatusCode::NOT_FOUND, "NoSuchBucket"));
    }
    hyper::service::Service::call(&service, request).await
}

fn what_it_is(request: &Request<Incoming>) -> String {
    let query = request.uri().query().unwrap_or_default();
    let about = ["partNumber", "uploadId", "uploads"]
        .into_iter()
        .find(|name| query.split('&').any(|part| part.split('=').next() == Some(*name)));
    match about {
        Some(about) => format!("{} ?{about}", request.method()),
        None => request.method().to_string(),
    }
}

fn refusal(status: StatusCode) -> Response<Body> {
    let code = match status {
        StatusCode::FORBIDDEN => "AccessDenied",
        StatusCode::SERVICE_UNAVAILABLE => "SlowDown",
        StatusCode::INSUFFICIENT_STORAGE => "XMinioStorageFull",
        _ => "InternalError",
    };
    error(status, code)
}

fn error(status: StatusCode, code: &str) -> Response<Body> {
    let text = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code></Error>");
    Response::builder().status(status).body(Body::from(text)).unwrap()
}
