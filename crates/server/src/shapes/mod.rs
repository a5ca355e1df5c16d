//! How things look in JSON. These shapes are a contract: members may be added, none may go or change its meaning.

pub(crate) mod api_keys;
pub(crate) mod audit;
pub(crate) mod connection_plans;
pub(crate) mod connections;
pub(crate) mod detection;
pub(crate) mod identifiers;
pub(crate) mod integrations;
pub(crate) mod mails;
pub(crate) mod page;
pub(crate) mod plan;
pub(crate) mod policies;
pub(crate) mod problem;
pub(crate) mod records;
pub(crate) mod requests;
pub(crate) mod runs;
pub(crate) mod words;
pub(crate) mod workers;

pub(crate) use page::Page;
