//! What the engine, casework, the store and a connector do together: real requests against the simulated vendor over
//! real HTTP, on SQLite and on PostgreSQL. No test waits: time passes when a test says so.
//!
//! All in one program, because linking one is far cheaper than linking many.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed step is a failed test")]

mod support;

mod behaviour;
mod bucket;
mod certificates;
mod clock;
mod connections;
mod contacts;
mod crashes;
mod delivery;
mod events;
mod faults;
mod files;
mod forgetting;
mod jobs;
mod mails;
mod pace;
mod people;
mod plans;
mod proof;
mod records;
mod requests;
mod review;
mod running;
mod sharing;
mod traces;
mod verification;
mod webhooks;
