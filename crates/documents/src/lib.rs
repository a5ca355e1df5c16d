//! What people receive and look at: the package, the certificate and the mails, rendered from plain values.
//!
//! What is deliberately absent: SQL, HTTP, async and a clock. Times come in, bytes and text go out; the same input always
//! gives the same bytes.

pub mod certificate;
pub mod company;
pub mod mail;
pub mod package;
pub mod style;
pub mod words;
