//! What each command does: one or a few calls of the API, and their answers for people or programs.

mod audit;
mod connections;
mod integrations;
mod keys;
mod migrate;
mod requests;
mod sandbox;
mod systems;

use anyhow::Context as _;

use crate::cli::{Arguments, Command, Global};
use crate::client::Client;
use crate::ending::Ending;
use crate::{bench, output, serve};

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
        Command::Migrate(arguments) => migrate::run(&global, &arguments).await,
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

fn openapi() -> anyhow::Result<Ending> {
    output::line(&serde_json::to_string_pretty(&habeas_server::openapi())?)?;
    Ok(Ending::Done)
}
