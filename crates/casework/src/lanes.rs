//! Lanes of due work: what waits in one never holds up another.
//!
//! What came in by the thousand has lanes of its own, so that a single request does not wait behind an import. What many
//! requests share (a pass, a deletion that gathers, looking at jobs) stays in the lane of its connection: it is one row.

use std::fmt;
use std::str::FromStr;

use habeas_domain::ConnectionId;

use crate::connections::CHECK_LANE;
use crate::contacts::CONTACT_LANE;
use crate::links::LINK_LANE;
use crate::mails::MAIL_LANE;
use crate::package::PACKAGE_LANE;

/// `source` of requests that came many at a time.
pub(crate) const BULK: &str = "bulk";
/// What the lane of an import is called after.
const BULK_SUFFIX: &str = "/bulk";

/// A lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// What is done at a connection's vendor.
    Operations {
        /// The connection.
        connection: ConnectionId,
        /// Whether it belongs to requests that came many at a time.
        bulk: bool,
    },
    /// Mails that are to leave.
    Mails {
        /// Whether they belong to requests that came many at a time.
        bulk: bool,
    },
    /// Checks of connections.
    Checks,
    /// Reminders and deadlines of contacts.
    Contacts,
    /// Reminders and ends of links.
    Links,
    /// Packages that are too large to be made at once.
    Packages,
}

impl Lane {
    /// The lane of a connection for a single request, and for what many share.
    #[must_use]
    pub const fn of(connection: ConnectionId) -> Self {
        Self::Operations { connection, bulk: false }
    }

    /// What people call the work in it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Operations { bulk: false, .. } => "operations",
            Self::Operations { bulk: true, .. } => "bulk_operations",
            Self::Mails { bulk: false } => "mails",
            Self::Mails { bulk: true } => "bulk_mails",
            Self::Checks => "checks",
            Self::Contacts => "contacts",
            Self::Links => "links",
            Self::Packages => "packages",
        }
    }

    /// The connection whose vendor is called.
    #[must_use]
    pub const fn connection(self) -> Option<ConnectionId> {
        match self {
            Self::Operations { connection, .. } => Some(connection),
            _ => None,
        }
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operations { connection, bulk: false } => write!(formatter, "{connection}"),
            Self::Operations { connection, bulk: true } => write!(formatter, "{connection}{BULK_SUFFIX}"),
            Self::Mails { bulk: false } => formatter.write_str(MAIL_LANE),
            Self::Mails { bulk: true } => write!(formatter, "{MAIL_LANE}{BULK_SUFFIX}"),
            Self::Checks => formatter.write_str(CHECK_LANE),
            Self::Contacts => formatter.write_str(CONTACT_LANE),
            Self::Links => formatter.write_str(LINK_LANE),
            Self::Packages => formatter.write_str(PACKAGE_LANE),
        }
    }
}

/// A lane that this program does not know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no lane of due work")]
pub struct UnknownLane(String);

impl FromStr for Lane {
    type Err = UnknownLane;

    fn from_str(text: &str) -> Result<Self, UnknownLane> {
        let (name, bulk) = match text.strip_suffix(BULK_SUFFIX) {
            Some(name) => (name, true),
            None => (text, false),
        };
        match (name, bulk) {
            (MAIL_LANE, bulk) => Ok(Self::Mails { bulk }),
            (CHECK_LANE, false) => Ok(Self::Checks),
            (CONTACT_LANE, false) => Ok(Self::Contacts),
            (LINK_LANE, false) => Ok(Self::Links),
            (PACKAGE_LANE, false) => Ok(Self::Packages),
            (name, bulk) => {
                let connection = name.parse().map_err(|_| UnknownLane(text.to_owned()))?;
                Ok(Self::Operations { connection, bulk })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_are_read_as_they_are_written() {
        let connection: ConnectionId = "con_00000000000070008000000000000001".parse().unwrap();
        for lane in [
            Lane::Operations { connection, bulk: false },
            Lane::Operations { connection, bulk: true },
            Lane::Mails { bulk: false },
            Lane::Mails { bulk: true },
            Lane::Checks,
            Lane::Contacts,
            Lane::Links,
            Lane::Packages,
        ] {
            assert_eq!(lane.to_string().parse(), Ok(lane));
        }
        for unknown in ["", "/bulk", "checks/bulk", "con_1", "mail"] {
            assert!(unknown.parse::<Lane>().is_err(), "{unknown}");
        }
    }
}
