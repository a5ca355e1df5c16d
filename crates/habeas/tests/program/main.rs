//! The real program from outside: how it starts, refuses, answers and stops.
//!
//! All in one program, because linking one is far cheaper than linking many.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed step is a failed test")]

#[path = "../support/mod.rs"]
mod support;

mod bench;
mod cluster;
mod commands;
mod connections;
mod declared_connections;
mod imports;
mod killed;
mod moving;
mod outages;
mod postgres;
mod refusals;
mod requests;
mod serving;
mod storage;
mod traces;
mod transports;
mod webhooks;
