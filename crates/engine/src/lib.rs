//! Carries out what is due: claims it under a lease, paces and makes the vendor calls, and reports what came of them.
//!
//! It knows neither SQL nor a vendor: work comes from and goes back to [`habeas_casework`], calls go through
//! connectors. Waiting is always a row with a time; no task sleeps for a vendor.

mod backoff;
mod engine;
mod jobs;
mod lease;
pub mod mailer;
mod operations;
mod pace;
mod pass;
mod room;
mod standing;
mod timers;
mod vendors;

pub use engine::{Engine, EngineOptions};
pub use vendors::{IntegrationOptions, Vendors, VendorsError};
