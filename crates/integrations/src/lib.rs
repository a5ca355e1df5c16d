//! How a vendor is spoken to.
//!
//! One folder per vendor, each with the same files; one line of registration in [`catalogue`]. A connector
//! only talks to its vendor and returns values: it knows no database, no web server and no request.

pub mod catalogue;
pub mod client;
pub mod connector;
pub mod direct_contact;
pub mod error;
#[cfg(feature = "testing")]
pub mod fuzzing;
pub mod manifest;
pub mod qualtrics;
pub mod readycloud;
pub mod segment_config;
#[cfg(test)]
mod testing;
pub mod webhook;

pub use catalogue::Catalogue;
pub use client::{
    Call, ClientOptions, NotNow, Permits, Reply, Transport, Unlimited, VendorAnswer, VendorClient,
};
pub use connector::{
    Callback, CallbackEnd, CallbackHead, CallbackRefused, Caution, CheckReport, Collected, Confidence,
    Connector, Cursor, Deleted, DetectedSystem, Detection, Erased, ErasureException, Evidence, Export,
    FUTURE_DATA, FoundFile, FoundRecord, Integration, Job, Match, NotHeld, PermissionReport, PermissionState,
    Presence, Preview, Progress, Residual, ScanPage, SettingError, Settings, Subject, SystemKind,
};
pub use error::{ErrorKind, Retry, VendorError};
pub use manifest::{
    Access, AccessMethod, Batch, Capabilities, Deletion, EndpointClass, Manifest, MonthlyQuota,
    NeededPermission, NewerApi, Polling, RateLimit, Setting, Trouble, Verification,
};
