//! How mails leave: against a real mail server, and into a directory.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed step is a failed test")]

mod outbox;
mod protection;
mod refusals;
mod sending;
mod support;
