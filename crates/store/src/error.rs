//! What can go wrong while remembering.

/// A failure of the store. Messages never hold column values.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database answered with an error or not at all.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// A stored value cannot be read back.
    #[error("the database holds an unreadable value in {0}; was it changed by hand or by a newer version?")]
    Corrupt(&'static str),
    /// A sealed value does not open: wrong key, or altered.
    #[error(
        "a sealed value of {0} does not open: it was altered, or its key is not the one it was sealed with"
    )]
    SealBroken(&'static str),
    /// The key of a request or connection was destroyed; what it sealed is gone for good.
    #[error("{0} was destroyed at the end of its retention and cannot be read any more")]
    Forgotten(&'static str),
    /// A key was sealed with a master key that is not configured.
    #[error(
        "a key was sealed with master key {key_id}, which is not configured; add that key to `[encryption] previous`"
    )]
    MasterKeyUnknown {
        /// Short id of the missing master key.
        key_id: String,
    },
    /// The configured master key never belonged to this database.
    #[error(
        "the master key does not belong to this database: it was set up with master key {expected}, but {found} is \
         configured; put the right key file back (nothing was changed)"
    )]
    MasterKeyMismatch {
        /// Id of the key the database was set up with.
        expected: String,
        /// Id of the configured key.
        found: String,
    },
    /// The database was migrated by a newer program.
    #[error(
        "the database is at version {found}, but this program knows versions up to {known}; install the newer \
         program again, or restore a backup made before the upgrade (nothing was changed)"
    )]
    NewerSchema {
        /// The database's version.
        found: i64,
        /// The newest version this program knows.
        known: i64,
    },
    /// The installation that was here was moved to another database.
    #[error(
        "the installation of this database was moved to {place} on {at}: set `database.url` to where it is now. \
         docs/moving.md says how to go back (nothing was changed)"
    )]
    Moved {
        /// Where it is now, without user and password.
        place: String,
        /// Since when.
        at: jiff::Timestamp,
    },
    /// An installation is on its way into this database.
    #[error(
        "the installation of {place} is not wholly in this database yet: run the same `habeas migrate --from ... --to \
         ...` again to finish its move, or go on with the old database and empty this one (nothing was changed)"
    )]
    MoveUnfinished {
        /// Where it comes from, without user and password.
        place: String,
    },
    /// Somebody has the database to himself at this moment.
    #[error(
        "another program has this database to itself, probably `habeas migrate --from ... --to ...`: wait until it has \
         ended (nothing was changed)"
    )]
    BeingMoved,
    /// The URL is of no kind that we know.
    #[error("`{scheme}` is not a database this program knows; use sqlite://FILE or postgres://...")]
    UnknownDatabase {
        /// What stood before `://`.
        scheme: String,
    },
    /// The writer is gone; the process is stopping.
    #[error("the store is closing; try again when the server is back")]
    Closed,
    /// The database took too long to prove that it works.
    #[error("the database does not answer")]
    NoAnswer,
    /// A group of units could not be committed.
    #[error("the database could not write ({0}); nothing was changed")]
    NotWritten(String),
    /// A unit of work failed in a way that is a fault of the program.
    #[error("a unit of work broke off; nothing of it was kept")]
    UnitBroken,
}

impl From<habeas_domain::vocabulary::UnknownWord> for StoreError {
    fn from(unknown: habeas_domain::vocabulary::UnknownWord) -> Self {
        Self::Corrupt(unknown.vocabulary)
    }
}

impl From<habeas_domain::id::InvalidId> for StoreError {
    fn from(invalid: habeas_domain::id::InvalidId) -> Self {
        Self::Corrupt(invalid.expected)
    }
}
