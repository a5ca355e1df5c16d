//! What each command does: one or a few calls of the API, and their answers for people or programs.

mod audit;
mod connections;
mod integrations;
mod keys;
mod requests;
mod sandbox;
mod systems;

use anyhow::Context as _;
use serde_json::json;

use crate::cli::{Arguments, Command, Global};
use crate::client::{self, Client};
use crate::configuration::Configuration;
use crate::ending::{Ending, Usage};
use crate::{bench, installation, output, serve};

/// Runs the command to its end.
pub(crate) fn run(arguments: Arguments) -> anyhow::Result<Ending> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start threads")?;
    let outcome = runtime.block_on(carry_out(arguments));
    // What still runs now was given its time; a blocked thread must not keep the process.
    runtime.shutdown_background();
    outcome
}

async fn carry_out(arguments: Arguments) -> anyhow::Result<Ending> {
    let Arguments { global, command } = arguments;
    match command {
        Command::Serve(arguments) => serve::serve(&global, &arguments).await,
        Command::Worker(arguments) => serve::worker(&global, &arguments).await,
        Command::Migrate => migrate(&global).await,
        Command::Keys(command) => keys::run(&global, command).await,
        Command::Integrations { command } => integrations::run(&global, command).await,
        Command::Connections(command) => connections::run(&global, command).await,
        Command::Systems(command) => systems::run(&global, command).await,
        Command::Requests(command) => requests::run(&global, command).await,
        Command::Audit(command) => audit::run(&global, command).await,
        Command::Sandbox(arguments) => sandbox::run(&arguments).await,
        Command::Bench(arguments) => bench::run(arguments).await.map(|()| Ending::Done),
        Command::Openapi => openapi(),
    }
}

/// Opens the way to the API, runs `work` on it and closes it again, whatever came of the work.
async fn with_client<W>(global: &Global, creates: bool, work: W) -> anyhow::Result<Ending>
where
    W: AsyncFnOnce(&Client) -> anyhow::Result<Ending>,
{
    let client = Client::open(global, creates).await?;
    let outcome = work(&client).await;
    client.close().await;
    outcome
}

async fn migrate(global: &Global) -> anyhow::Result<Ending> {
    if global.server.is_some() {
        return Err(Usage::new(
            "a server brings its own database up to date when it starts; leave --server out",
        )
        .into());
    }
    let directory = client::data_directory(global);
    let configuration = Configuration::load(directory.path(), global.config.as_deref())?;
    let _lock = installation::take(&directory)?;
    let (before, after) = installation::migrate(&configuration).await?;
    if global.json {
        output::json(&json!({"from": before, "to": after}))?;
    } else if before == after {
        output::line(&format!("the database is up to date (version {after})"))?;
    } else {
        output::line(&format!("the database was brought from version {before} to {after}"))?;
    }
    Ok(Ending::Done)
}

fn openapi() -> anyhow::Result<Ending> {
    output::line(&serde_json::to_string_pretty(&habeas_server::openapi())?)?;
    Ok(Ending::Done)
}
