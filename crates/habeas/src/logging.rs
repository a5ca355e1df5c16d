//! Logs go to stderr: JSON lines from services, plain warnings from commands.

use tracing_subscriber::EnvFilter;

/// Starts logging. `RUST_LOG` chooses what is logged.
pub(crate) fn start(service: bool) {
    let usual = if service { "info" } else { "warn" };
    let filter = EnvFilter::builder().with_default_directive(level(usual)).from_env_lossy();
    let logger = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Starting twice can only happen in a test, where the first one does.
    let started = if service {
        logger.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init()
    } else {
        logger.compact().without_time().with_target(false).with_ansi(false).try_init()
    };
    drop(started);
}

fn level(name: &str) -> tracing_subscriber::filter::Directive {
    name.parse().unwrap_or_else(|_| tracing::Level::INFO.into())
}
