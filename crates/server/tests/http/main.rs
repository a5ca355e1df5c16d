//! The HTTP API over a real store: every test calls the router as a network client would.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod api_keys;
mod audit;
mod bad_input;
mod bulk;
mod connection_plans;
mod connections;
mod contacts;
mod documents;
mod errors;
mod health;
mod logging;
mod package;
mod pages;
mod requests;
mod review;
mod roles;
mod stub;
mod transport;
mod waiting;
mod world;
