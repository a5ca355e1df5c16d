//! `habeas serve` and `habeas worker`: run until told to stop, then finish what is under way.

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use anyhow::{Context as _, bail};
use habeas_server::ServerOptions;
use tokio::net::{TcpListener, UnixListener};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::cli::{Global, Serve, Worker};
use crate::client;
use crate::configuration::{Configuration, StorageChoice, Workers};
use crate::data_directory::{DataDirectory, SocketPath};
use crate::ending::{Ending, Usage};
use crate::installation::{self, Installation};
use crate::listener;
use crate::{metrics, output};

/// How long the database may take to close at the end.
const CLOSING: Duration = Duration::from_secs(10);

/// API, and workers unless there are to be none.
pub(crate) async fn serve(global: &Global, arguments: &Serve) -> anyhow::Result<Ending> {
    refuse_remote(global)?;
    let stop = stop_on_signals()?;
    let directory = client::data_directory(global);
    let configuration = load(global, &directory, &arguments.worker)?;
    let lock = installation::take(&directory)?;
    let metrics = metrics::start(&stop)?;
    // Before the database is opened: a port in use must change nothing.
    let listener = listen(arguments.listen.as_deref().unwrap_or(&configuration.listen)).await?;
    let address = listener.local_addr().context("the listener has no address")?;
    let options = ServerOptions {
        metrics: Some(metrics),
        stop: stop.clone(),
        address: Some(address),
        ..ServerOptions::default()
    };
    let installation = Installation::open(&configuration, directory.path(), options, Some(lock)).await?;
    installation.ready().await?;
    let (socket, local) = local_listener(&directory)?;

    let tasks = TaskTracker::new();
    tasks.spawn(listener::serve(listener, installation.router(), stop.clone()));
    tasks.spawn(listener::serve(local, installation.local_router(), stop.clone()));
    output::line(&format!("listening on http://{address}"))?;
    tracing::info!(%address, workers = configuration.workers.count, "ready");

    let outcome = run(&installation, configuration.workers, &stop, &tasks).await;
    drop(std::fs::remove_file(socket.path()));
    close(installation).await;
    outcome
}

/// Workers only.
pub(crate) async fn worker(global: &Global, arguments: &Worker) -> anyhow::Result<Ending> {
    refuse_remote(global)?;
    let stop = stop_on_signals()?;
    let directory = client::data_directory(global);
    let configuration = load(global, &directory, arguments)?;
    if !configuration.database_url.is_postgres() {
        bail!(
            "a worker of its own needs a database that several programs can share, and `database.url` names a SQLite \
             file; use PostgreSQL, or more workers inside `habeas serve` (--workers, workers.count)"
        );
    }
    if configuration.workers.count == 0 {
        bail!(Usage::new(
            "a worker with 0 workers would do nothing; give --workers or workers.count above 0"
        ));
    }
    if matches!(configuration.storage, StorageChoice::Directory(_)) {
        tracing::warn!(
            "`storage.url` names a directory; the server must see the same one, or packages made here cannot be \
             fetched there (on several machines use a bucket, s3://BUCKET/PREFIX)"
        );
    }
    // No lock: several workers share one configuration, and they keep nothing in the data directory.
    let installation =
        Installation::open(&configuration, directory.path(), ServerOptions::default(), None).await?;
    installation.ready().await?;
    tracing::info!(workers = configuration.workers.count, "ready");
    let outcome = run(&installation, configuration.workers, &stop, &TaskTracker::new()).await;
    close(installation).await;
    outcome
}

fn refuse_remote(global: &Global) -> anyhow::Result<()> {
    if global.server.is_some() {
        bail!(Usage::new("--server names a server to talk to; this command runs on the data directory"));
    }
    Ok(())
}

fn load(global: &Global, directory: &DataDirectory, arguments: &Worker) -> anyhow::Result<Configuration> {
    let mut configuration = Configuration::load(directory.path(), global.config.as_deref())?;
    if let Some(count) = arguments.workers {
        configuration.workers.count = usize::from(count);
    }
    for note in &configuration.without_effect {
        tracing::warn!("{note}");
    }
    Ok(configuration)
}

/// Works until `stop`, then waits for the engine and `tasks` no longer than a lease.
async fn run(
    installation: &Installation,
    workers: Workers,
    stop: &CancellationToken,
    tasks: &TaskTracker,
) -> anyhow::Result<Ending> {
    // Also without workers: somebody has to seal the audit log.
    let mut engine = installation.start_engine(stop.clone());
    let broken = tokio::select! {
        biased;
        () = stop.cancelled() => None,
        outcome = &mut engine => Some(outcome),
    };
    if let Some(outcome) = broken {
        // The engine ends before anybody told it to only if something is badly wrong.
        stop.cancel();
        drop(timeout(workers.lease, wait(tasks)).await);
        return Err(match outcome {
            Ok(()) => anyhow::anyhow!("the workers stopped by themselves"),
            Err(error) => anyhow::Error::from(error).context("the workers broke off"),
        });
    }
    tracing::info!("stopping: finishing what is under way");
    let finished = timeout(workers.lease, async {
        wait(tasks).await;
        engine.await
    });
    match finished.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!(%error, "the workers broke off"),
        Err(_) => {
            tracing::warn!("work under way outlasted its lease; it is taken up again at the next start")
        }
    }
    Ok(Ending::Done)
}

async fn wait(tasks: &TaskTracker) {
    tasks.close();
    tasks.wait().await;
}

async fn close(installation: Installation) {
    if timeout(CLOSING, installation.close()).await.is_err() {
        tracing::warn!("the database did not close in time; it recovers at the next start");
    } else {
        tracing::info!("stopped");
    }
}

async fn listen(address: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => anyhow::anyhow!(
            "another program listens on {address}; stop it, or choose another address with --listen or \
             server.listen (nothing was changed)"
        ),
        ErrorKind::PermissionDenied => anyhow::anyhow!(
            "this user may not listen on {address}; choose a port above 1023 with --listen or server.listen"
        ),
        _ => anyhow::Error::from(error).context(format!("cannot listen on {address}")),
    })
}

fn local_listener(directory: &DataDirectory) -> anyhow::Result<(SocketPath, UnixListener)> {
    let socket = directory.socket()?;
    // We hold the lock, so a socket that lies there belongs to nobody any more.
    match std::fs::remove_file(socket.path()) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(error).context("cannot remove the socket that a former server left");
        }
        _ => {}
    }
    let failed = || format!("cannot make the socket in {}", directory.path().display());
    let listener = UnixListener::bind(socket.path()).with_context(failed)?;
    std::fs::set_permissions(socket.path(), std::fs::Permissions::from_mode(0o600)).with_context(failed)?;
    Ok((socket, listener))
}

/// A token that is cancelled by the first SIGTERM or Ctrl-C; the second ends the process at once.
pub(crate) fn stop_on_signals() -> anyhow::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = CancellationToken::new();
    let token = stop.clone();
    tokio::spawn(async move {
        next(&mut terminate, &mut interrupt).await;
        token.cancel();
        let code = next(&mut terminate, &mut interrupt).await;
        std::process::exit(code);
    });
    Ok(stop)
}

/// The exit code that the next signal asks for.
async fn next(terminate: &mut Signal, interrupt: &mut Signal) -> i32 {
    tokio::select! {
        _ = terminate.recv() => 128 + 15,
        _ = interrupt.recv() => 128 + 2,
    }
}
