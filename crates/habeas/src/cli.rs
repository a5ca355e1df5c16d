//! The command line as data. What each command does stands in [`crate::commands`].

mod connections;
mod import;
mod requests;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use habeas_domain::{ApiKeyId, Role};
use url::Url;

pub(crate) use connections::{ConnectionDetails, ConnectionsCommand, SettingValue};
pub(crate) use import::Import;
pub(crate) use requests::{Answer, Delivery, NewRequest, RequestList, RequestsCommand, Waiting};

/// Habeas takes privacy requests in, carries them out in every connected system, and keeps the evidence.
#[derive(Debug, Parser)]
#[command(
    name = "habeas",
    version,
    propagate_version = true,
    after_help = "Exit codes: 0 done, 1 failed, 2 the command line cannot be used, 3 a person is needed.\n\
                  Commands use the server of the data directory when it runs, the server named by --server (with \
                  its API key in HABEAS_KEY), or else open the data directory themselves."
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What holds for every command.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// The configuration file [default: habeas.toml in the data directory, if there is one]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where the installation keeps its database, key and socket [default: ./habeas-data]
    #[arg(long, global = true, value_name = "DIR", env = "HABEAS_DATA")]
    pub(crate) data: Option<PathBuf>,
    /// Print the API's own JSON on stdout
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Talk to this server, with the API key in the environment variable HABEAS_KEY
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) server: Option<Url>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the API and the workers until SIGTERM or Ctrl-C
    Serve(Serve),
    /// Run workers only, beside a server on the same PostgreSQL database
    Worker(Worker),
    /// Bring the database up to date (serve does it too), or move the installation to another database
    Migrate(Migrate),
    /// API keys: who may call, with which roles
    #[command(subcommand)]
    Keys(KeysCommand),
    /// The catalogue: which systems can be connected, and how
    Integrations {
        #[command(subcommand)]
        command: Option<IntegrationsCommand>,
    },
    /// Connected systems
    #[command(subcommand)]
    Connections(ConnectionsCommand),
    /// Systems that hold personal data
    #[command(subcommand)]
    Systems(SystemsCommand),
    /// Privacy requests
    #[command(subcommand)]
    Requests(RequestsCommand),
    /// The audit log
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Run simulators of the vendors until Ctrl-C, for trials and tests
    Sandbox(Sandbox),
    /// Measure what the engine does in a second on this machine
    Bench(crate::bench::BenchArguments),
    /// Print the OpenAPI document of the HTTP API
    Openapi,
}

impl Command {
    /// Whether it runs until it is stopped and logs for machines.
    pub(crate) const fn is_service(&self) -> bool {
        matches!(self, Self::Serve(_) | Self::Worker(_))
    }
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Where to listen [default: server.listen of the configuration, 127.0.0.1:7070]
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<String>,
    #[command(flatten)]
    pub(crate) worker: Worker,
}

#[derive(Debug, Args)]
pub(crate) struct Worker {
    /// How many workers; 0 serves the API only [default: workers.count of the configuration]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(0..=1024))]
    pub(crate) workers: Option<u16>,
}

/// URLs may hold passwords, so this does not print.
#[derive(Args)]
pub(crate) struct Migrate {
    /// Move the installation out of this database (sqlite://FILE or postgres://...); nobody may use it meanwhile
    #[arg(long, value_name = "URL", requires = "to")]
    pub(crate) from: Option<String>,
    /// ... into this one, which must be empty; the same command again goes on with a move that broke off
    #[arg(long, value_name = "URL", requires = "from")]
    pub(crate) to: Option<String>,
}

impl std::fmt::Debug for Migrate {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(if self.from.is_some() { "Migrate([redacted])" } else { "Migrate" })
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Make a key; it is printed once and kept nowhere
    Create {
        /// What or whom it is for
        #[arg(long)]
        name: String,
        /// A role that the key carries; may be repeated
        #[arg(long = "role", value_name = "ROLE", required = true)]
        roles: Vec<Role>,
    },
    /// List keys (never the keys themselves)
    List,
    /// Make a key useless at once
    Revoke {
        /// Its id (key_...)
        id: ApiKeyId,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum IntegrationsCommand {
    /// List the systems that can be connected
    List,
    /// Show one with its settings, permissions and setup guide
    Show {
        /// Its name, for example readycloud
        name: String,
    },
    /// Print the address of the vendor's page on which access is allowed to an app of yours
    Authorize {
        /// The integration's name, for example readycloud
        name: String,
        /// The app's id, as the vendor shows it
        app_id: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum SystemsCommand {
    /// Ask connections which other systems they show: one, or every one with the capability `system_detection`
    Detect {
        /// Its name or id (con_...)
        connection: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// List events, oldest first
    List {
        /// At most this many
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
        /// Go on after the page that gave this cursor
        #[arg(long)]
        cursor: Option<String>,
    },
    /// Prove that no event was altered or removed; exits with 1 if one was
    Verify {
        /// A seal or certificate that was kept elsewhere: then a rolled-back log is found too
        #[arg(long, value_name = "FILE")]
        anchor: Option<PathBuf>,
    },
    /// Seal what is not sealed yet and print the newest seal: keep it elsewhere
    Seal,
}

#[derive(Debug, Args)]
pub(crate) struct Sandbox {
    /// The first of the ports; 0 takes free ones
    #[arg(long, value_name = "P", default_value_t = 4601)]
    pub(crate) port_base: u16,
    /// How many people each vendor knows, besides its fixtures
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) people: usize,
    /// The same seed and number of people give the same data
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(crate) seed: u64,
}
