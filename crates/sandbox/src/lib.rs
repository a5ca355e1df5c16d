//! Stateful simulators of the vendors' APIs over real HTTP, with faults on demand.
//!
//! The sandbox is an independent reading of the vendor references: it shares no code with the connectors
//! that talk to it, so a wrong belief about a vendor has to be held twice before a test agrees with it.
//!
//! Each simulator listens on a port of its own and speaks the vendor's paths unchanged. Around every one of
//! them lie the same two layers: the [call log](calls), which is the evidence of what a client really sent,
//! and the [fault plane](faults), which makes the vendor slow, broken or hostile. A further port, the
//! [control plane](control), offers the same to programs in other processes.
//!
//! ```
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! use habeas_sandbox::faults::{Fault, Rule};
//! use habeas_sandbox::{Sandbox, SandboxOptions};
//!
//! let sandbox = Sandbox::start(SandboxOptions::default()).await.unwrap();
//! assert!(sandbox.addresses().readycloud.starts_with("http://127.0.0.1:"));
//! // The next deletion is carried out, but the answer is lost on its way.
//! sandbox.faults().add(Rule::new("readycloud", Fault::AnswerLost {}).method("DELETE").times(1)).unwrap();
//! sandbox.stop().await;
//! # });
//! ```

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

mod answers;
pub mod calls;
mod clock;
pub mod control;
pub mod faults;
mod observe;
mod people;
pub mod qualtrics;
mod random;
pub mod readycloud;
pub mod segment_config;
mod serve;
mod sliding_window;
mod vendors;
pub mod webhook;

pub use calls::CallLog;
pub use clock::Clock;
pub use faults::FaultPlane;
pub use qualtrics::Qualtrics;
pub use readycloud::ReadyCloud;
pub use segment_config::{SegmentConfig, SegmentPublic};
pub use vendors::Addresses;
pub use webhook::Webhook;

use serve::Server;
use vendors::{CONTROL_PORT_OFFSET, Environment, HIGHEST_PORT_OFFSET, Vendors};

/// How a sandbox is to be set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SandboxOptions {
    /// The address to listen on. There is no protection: anything but loopback gives the control plane away.
    pub host: IpAddr,
    /// With `Some(p)`: Qualtrics on `p`, ReadyCloud on `p + 1`, Segment's Config API on `p + 2`, the control plane on
    /// `p + 3`, Segment's Public API on `p + 4`, a system of the webhook protocol on `p + 5`. `None` takes free ports.
    pub port_base: Option<u16>,
    /// How many people each vendor knows, besides its fixtures.
    pub people: usize,
    /// The same seed and number of people give the same data.
    pub seed: u64,
}

impl Default for SandboxOptions {
    fn default() -> Self {
        Self { host: IpAddr::V4(Ipv4Addr::LOCALHOST), port_base: None, people: 0, seed: 1 }
    }
}

/// Why a sandbox could not start.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// A port could not be opened, most often because something else listens there.
    #[error("cannot listen on {address} for {server}: {source}")]
    Listen {
        /// The vendor, or `control`.
        server: &'static str,
        /// The address that was asked for.
        address: SocketAddr,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The port base is so high that a port would lie above 65535.
    #[error("port base {0} is too high: the sandbox uses the ports up to base + {HIGHEST_PORT_OFFSET}")]
    PortBase(u16),
}

/// Running simulators. Dropping it stops them.
#[derive(Debug)]
pub struct Sandbox {
    addresses: Addresses,
    calls: CallLog,
    clock: Clock,
    faults: FaultPlane,
    servers: Vec<Server>,
    vendors: Vendors,
}

impl Sandbox {
    /// Opens the ports and answers from then on. Must be called inside a Tokio runtime.
    ///
    /// # Errors
    /// When a port cannot be opened.
    pub async fn start(options: SandboxOptions) -> Result<Self, SandboxError> {
        let clock = Clock::start();
        let calls = CallLog::new(clock.clone());
        let environment = Environment { clock: clock.clone(), people: options.people, seed: options.seed };
        let vendors = Vendors::new(&environment);
        let all = vendors.all();
        let names = all.iter().map(|(vendor, _)| vendor.name()).collect();
        let faults = FaultPlane::new(names, options.seed);

        let mut servers = Vec::new();
        for (vendor, offset) in &all {
            let api = vendor.api();
            let api = faults::around(api, &faults, vendor);
            let api = observe::around(api, &calls, vendor);
            servers.push(listen(&options, vendor.name(), *offset, api).await?);
        }
        let plane = control::Plane { calls: calls.clone(), clock: clock.clone(), faults: faults.clone() };
        let control = control::router(plane, all.iter().map(|(vendor, _)| Arc::clone(vendor)));
        servers.push(listen(&options, "control", CONTROL_PORT_OFFSET, control).await?);

        let addresses = Vendors::addresses(servers.iter().map(Server::url).collect());
        Ok(Self { addresses, calls, clock, faults, servers, vendors })
    }

    /// Where the servers listen.
    #[must_use]
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// What arrived so far.
    #[must_use]
    pub fn calls(&self) -> &CallLog {
        &self.calls
    }

    /// The time the vendors live in.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The faults in force.
    #[must_use]
    pub fn faults(&self) -> &FaultPlane {
        &self.faults
    }

    /// Closes the ports and all connections.
    pub async fn stop(self) {
        for server in self.servers {
            server.stop().await;
        }
    }
}

async fn listen(
    options: &SandboxOptions,
    server: &'static str,
    offset: u16,
    app: axum::Router,
) -> Result<Server, SandboxError> {
    let port = match options.port_base {
        None => 0,
        Some(base) => base.checked_add(offset).ok_or(SandboxError::PortBase(base))?,
    };
    let address = SocketAddr::new(options.host, port);
    Server::open(address, app).await.map_err(|source| SandboxError::Listen { server, address, source })
}
