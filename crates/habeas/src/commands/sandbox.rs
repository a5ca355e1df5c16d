//! `habeas sandbox`: the vendors' simulators, without the product.

use habeas_sandbox::SandboxOptions;

use crate::cli;
use crate::ending::Ending;
use crate::{output, serve};

pub(super) async fn run(arguments: &cli::Sandbox) -> anyhow::Result<Ending> {
    let stop = serve::stop_on_signals()?;
    let options = SandboxOptions {
        port_base: Some(arguments.port_base).filter(|base| *base > 0),
        people: arguments.people,
        seed: arguments.seed,
        ..SandboxOptions::default()
    };
    let sandbox = habeas_sandbox::Sandbox::start(options).await?;
    output::line(&serde_json::to_string(sandbox.addresses())?)?;
    stop.cancelled().await;
    sandbox.stop().await;
    Ok(Ending::Done)
}
