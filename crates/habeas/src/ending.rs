//! How a command ends: exit codes and the last words on stderr.

use std::fmt;
use std::process::ExitCode;

use crate::client::problem::Problem;
use crate::output;

/// A command that ran to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Exit code 0.
    Done,
    /// Exit code 1: it ran, but what it asked about is not as it should be.
    Failed,
    /// Exit code 3: a person is needed.
    PersonNeeded,
}

impl Ending {
    const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::PersonNeeded => 3,
        }
    }
}

/// A command line that cannot be carried out as it is written. Exit code 2, like clap's own refusals.
#[derive(Debug)]
pub(crate) struct Usage(String);

impl Usage {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// Says what went wrong, if anything did, and turns it into the exit code.
pub(crate) fn report(outcome: anyhow::Result<Ending>) -> ExitCode {
    match outcome {
        Ok(ending) => ExitCode::from(ending.code()),
        Err(error) if output::is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            if let Some(problem) = error.downcast_ref::<Problem>() {
                output::complain(&problem.explanation());
            } else {
                output::complain(&format!("error: {error:#}"));
            }
            ExitCode::from(if error.is::<Usage>() { 2 } else { 1 })
        }
    }
}
