//! What the store promises, held against SQLite and PostgreSQL: one body per promise, two tests per body.
//!
//! All in one program, because linking one is far cheaper than linking a dozen.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "bodies of tests are functions that tests call")]

#[macro_use]
mod common;

mod api_keys;
mod audit;
mod bulk_answers;
mod callbacks;
mod claiming;
mod connections;
mod counts;
mod data_keys;
mod due_work;
mod figures;
mod following;
mod gathering;
mod idempotency;
mod jobs;
mod links;
mod mails;
mod moving;
mod objects;
mod opening;
mod operations;
mod pace;
mod packages;
mod query_plans;
mod records;
mod requests;
mod runs;
mod settling;
mod tampering;
mod traces;
mod units;
mod upgrading;
