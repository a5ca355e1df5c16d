//! What the product remembers, on SQLite or PostgreSQL.
//!
//! One SQL text serves both ([`dialect`]). Everything is written in units ([`Store::write`]): a change and its audit
//! events are committed together. Personal data and secrets are sealed before they get here ([`keyring`]).

pub mod api_keys;
pub mod audit;
pub mod bulk_answers;
pub mod callbacks;
pub mod connection;
pub mod connections;
pub mod counts;
pub mod data_keys;
mod database;
pub mod dialect;
pub mod due_work;
pub mod error;
pub mod figures;
pub mod idempotency;
mod installation;
pub mod keyring;
pub mod links;
pub mod mails;
pub mod migrate;
pub mod moving;
pub mod objects;
mod opening;
pub mod operations;
pub mod pace;
pub mod packages;
pub mod records;
pub mod requests;
pub mod runs;
mod schema;
pub mod storage;
pub mod unit;
pub mod workers;
mod writer;

pub use connection::{Batch, Connection};
pub use database::{Database, Store};
pub use error::StoreError;
pub use keyring::{DataKey, KeyPurpose, Keyring, MasterKey, Place, Sealed};
pub use unit::Unit;
