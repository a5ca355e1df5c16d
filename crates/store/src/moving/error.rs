//! What can stand in the way of a move.

use crate::error::StoreError;

/// Why an installation was not moved, or not wholly. Nobody can work on the target then; on the source as before, unless
/// [`MoveError::Arrival`] says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// A database failed or refused.
    #[error("the database of {end}: {error}")]
    Database {
        /// `--from` or `--to`.
        end: &'static str,
        /// What it said.
        error: StoreError,
    },
    /// Everything is on the target and the source is closed, but the target could not be opened for work.
    #[error(
        "everything is in the database of --to, but that could not be noted there: {0}. Run the same command again; \
         until then nobody can work on either database"
    )]
    Arrival(StoreError),
    /// Somebody works on a database.
    #[error(
        "the database of {end} is in use: stop every server and worker on it, then run the same command again (nothing \
         was changed)"
    )]
    Busy {
        /// `--from` or `--to`.
        end: &'static str,
    },
    /// Both URLs lead to one database.
    #[error("--from and --to name the same database (nothing was changed)")]
    SamePlace,
    /// The source holds nothing that could be moved.
    #[error("there is no installation in the database of --from (nothing was changed)")]
    NothingThere,
    /// The source is itself the target of an unfinished move.
    #[error(
        "the installation of {place} is not wholly in the database of --from yet: finish that move first (nothing was \
         changed)"
    )]
    SourceUnfinished {
        /// Where it comes from.
        place: String,
    },
    /// The source's installation is elsewhere already.
    #[error(
        "the installation of the database of --from was moved to {place} before: move it from there (nothing was changed)"
    )]
    HasLeft {
        /// Where it is.
        place: String,
    },
    /// The target holds something.
    #[error(
        "the database of --to is not empty: it holds {what}. Move into an empty database (nothing was changed)"
    )]
    NotEmpty {
        /// What was found first.
        what: String,
    },
    /// The target holds a part of another installation.
    #[error(
        "the database of --to holds a part of another installation, whose move from {place} is not finished: finish that \
         one, or move into an empty database (nothing was changed)"
    )]
    AnotherMove {
        /// Where that one comes from.
        place: String,
    },
    /// The two databases cannot hold the same rows.
    #[error(
        "the table {table} is not the same in both databases, or of a kind that cannot be moved; was one of them changed \
         by hand?"
    )]
    SchemaDiffers {
        /// Which table.
        table: String,
    },
    /// A text that PostgreSQL does not keep.
    #[error(
        "a text in {table}.{column} holds the character NUL, which PostgreSQL does not keep; it has to be corrected in \
         the database of --from first"
    )]
    Nul {
        /// Which table.
        table: String,
        /// Which column.
        column: String,
    },
    /// The two sides are not equal after all.
    #[error(
        "after the move the table {table} differs: {source_rows} rows in the database of --from, {target_rows} in that \
         of --to{content}. Was one of them changed meanwhile? Empty the database of --to and run the same command again"
    )]
    Differs {
        /// Which table.
        table: String,
        /// Rows that the source has.
        source_rows: u64,
        /// Rows that the target has.
        target_rows: u64,
        /// What more is known.
        content: &'static str,
    },
    /// The audit log does not verify on the target.
    #[error("the audit log does not verify after the move: {object} {problem}{hint}")]
    Log {
        /// The event, seal or stream concerned.
        object: String,
        /// What is wrong with it.
        problem: String,
        /// Whether it was so before.
        hint: &'static str,
    },
    /// Whoever watches had it stopped.
    #[error("the move was stopped; run the same command again to go on with it")]
    Stopped,
}
