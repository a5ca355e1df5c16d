//! Asking a system what it would find, without touching anything.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use habeas_domain::ConnectionId;
use habeas_integrations::{
    AccessMethod, Connector, ErrorKind, Preview, Residual, Retry, Subject, VendorError, Verification,
};

use super::{PlanItem, Source, Would, residual};
use crate::Casework;
use crate::connections::ConnectionAccess;
use crate::error::CaseworkError;
use crate::profiles::Profile;

/// The wait between two looks at a search that the vendor carries out in its own time, at first; it doubles.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The wait after a passing failure that names none.
const PASSING: Duration = Duration::from_secs(2);

/// What a look showed.
#[derive(Debug)]
pub(super) enum Look {
    /// Records by kind; `is_whole` unless the time was up before everything was read.
    Records { by_kind: BTreeMap<String, u64>, residuals: Vec<Residual>, is_whole: bool },
    /// Whether the person is held.
    Held(bool),
    /// It cannot be known, and why.
    Unknown(String),
}

impl Look {
    /// Writes it into the plan.
    pub(super) fn tell(self, item: &mut PlanItem) {
        match self {
            Self::Records { by_kind, residuals, is_whole } => {
                let count = by_kind.values().sum();
                item.source = Source::Looked;
                item.by_kind = by_kind;
                item.residuals.extend(residuals);
                if is_whole {
                    item.found = Some(count);
                    item.would_delete = (item.would == Would::DeleteRecords).then_some(count);
                } else {
                    let why = format!(
                        "the time was up before everything was read; {count} were found until then. Ask again with more time"
                    );
                    item.unknown.push(residual("how many records there are in all", why));
                }
            }
            Self::Held(is_held) => {
                item.source = Source::Looked;
                item.held = Some(is_held);
                // The one person, of whom everything goes; an access counts records, which this says nothing about.
                item.would_delete = (item.would == Would::DeletePerson).then_some(u64::from(is_held));
                if is_held {
                    let why = "the system says whether it holds the person, not how much";
                    item.unknown.push(residual("how many records there are", why));
                }
            }
            Self::Unknown(why) => item.unknown.push(residual("what is held", why)),
        }
    }
}

impl Casework {
    /// Asks the system of `item`.
    pub(super) fn look<'l>(
        &'l self,
        item: &PlanItem,
        subject: &'l Subject,
        longest: Duration,
    ) -> impl Future<Output = (ConnectionId, Look)> + use<'l> {
        let connection = item.connection;
        async move {
            let look = match self.look_at(connection, subject, longest).await {
                Ok(look) => look,
                Err(error) => Look::Unknown(error.to_string()),
            };
            (connection, look)
        }
    }

    async fn look_at(
        &self,
        connection: ConnectionId,
        subject: &Subject,
        longest: Duration,
    ) -> Result<Look, CaseworkError> {
        let profile = self.profile(connection).await?;
        if let Some(wanted) = missing_identifiers(&profile, subject) {
            let why = format!("the system finds people by {wanted}, and the request has none of these");
            return Ok(Look::Unknown(why));
        }
        let access: ConnectionAccess = self.connection_access(connection).await?;
        let connector = self
            .connectors
            .connect(&access.integration, &access.settings, &access.account)
            .map_err(CaseworkError::Vendor)?;
        let clock = self.store.environment().clock();
        let looking =
            Looking { casework: self, connector: &*connector, subject, until: clock.monotonic() + longest };
        looking.by(&profile).await.map_err(CaseworkError::Vendor)
    }

    async fn profile(&self, connection: ConnectionId) -> Result<Profile, CaseworkError> {
        let mut reader = self.store.reader().await?;
        let stored = habeas_store::connections::find(&mut reader, connection).await?;
        let stored = stored.ok_or_else(|| CaseworkError::not_found("connection", connection))?;
        Ok(Profile::new(stored, &self.rules.catalogue)?)
    }
}

struct Looking<'l> {
    casework: &'l Casework,
    connector: &'l dyn Connector,
    subject: &'l Subject,
    /// When the time is up, on the clock that never jumps.
    until: Duration,
}

impl Looking<'_> {
    async fn by(&self, profile: &Profile) -> Result<Look, VendorError> {
        let capabilities = &profile.manifest.capabilities;
        let verification = capabilities.deletion.map(|deletion| deletion.verification);
        match capabilities.access.map(|access| access.method) {
            Some(AccessMethod::Scan) => self.scan().await,
            // A system that is scanned to prove a deletion can be scanned before it.
            _ if verification == Some(Verification::Scan) => self.scan().await,
            Some(AccessMethod::Lookup) => self.lookup().await,
            _ => self.search().await,
        }
    }

    async fn scan(&self) -> Result<Look, VendorError> {
        let mut kinds: HashMap<String, String> = HashMap::new();
        let mut residuals: BTreeSet<Residual> = BTreeSet::new();
        let mut cursor = None;
        let is_whole = loop {
            let page = match self.connector.scan(cursor.as_ref(), std::slice::from_ref(self.subject)).await {
                Ok(page) => page,
                Err(error) if self.may_wait(&error).await => continue,
                // What was read until then is worth telling.
                Err(error) if error.kind == ErrorKind::Paced || (passes(&error) && !kinds.is_empty()) => {
                    break false;
                }
                Err(error) => return Err(error),
            };
            residuals.extend(page.residuals);
            kinds.extend(page.matches.into_iter().map(|found| (found.record.vendor_id, found.record.kind)));
            match page.next {
                None => break true,
                Some(_) if self.is_time_up() => break false,
                next => cursor = next,
            }
        };
        let mut by_kind = BTreeMap::new();
        for kind in kinds.into_values() {
            *by_kind.entry(kind).or_insert(0) += 1;
        }
        Ok(Look::Records { by_kind, residuals: residuals.into_iter().collect(), is_whole })
    }

    async fn lookup(&self) -> Result<Look, VendorError> {
        loop {
            match self.connector.lookup(self.subject).await {
                Ok(found) => {
                    let mut by_kind = BTreeMap::new();
                    for record in found.records {
                        *by_kind.entry(record.kind).or_insert(0) += 1;
                    }
                    return Ok(Look::Records { by_kind, residuals: found.residuals, is_whole: true });
                }
                Err(error) if self.may_wait(&error).await => {}
                Err(error) => return Err(error),
            }
        }
    }

    async fn search(&self) -> Result<Look, VendorError> {
        let (mut job, mut wait) = (None, FIRST_WAIT);
        loop {
            match self.connector.preview(self.subject, job.as_ref()).await {
                Ok(Preview::Records(by_kind)) => {
                    return Ok(Look::Records { by_kind, residuals: Vec::new(), is_whole: true });
                }
                Ok(Preview::Held(is_held)) => return Ok(Look::Held(is_held)),
                Ok(Preview::Unknown(why)) => return Ok(Look::Unknown(why)),
                Ok(Preview::Pending(pending)) => {
                    job = Some(pending);
                    if !self.wait(wait).await {
                        let why = "the system is still searching; ask again with more time";
                        return Ok(Look::Unknown(why.to_owned()));
                    }
                    wait *= 2;
                }
                Err(error) if self.may_wait(&error).await => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn is_time_up(&self) -> bool {
        self.casework.store.environment().clock().monotonic() >= self.until
    }

    /// Waits, if there is time for it.
    async fn wait(&self, wait: Duration) -> bool {
        let clock = self.casework.store.environment().clock();
        if clock.monotonic() + wait > self.until {
            return false;
        }
        clock.sleep(wait).await;
        true
    }

    /// Waits out what passes, if there is time for it.
    async fn may_wait(&self, error: &VendorError) -> bool {
        match error.retry {
            Retry::After(wait) if passes(error) => {
                self.wait(wait.unwrap_or(PASSING).max(Duration::from_millis(1))).await
            }
            _ => false,
        }
    }
}

/// Whether it is our pace, the vendor's, or a moment of absence.
const fn passes(error: &VendorError) -> bool {
    matches!(error.kind, ErrorKind::Paced | ErrorKind::RateLimited | ErrorKind::Unavailable)
}

/// What the system finds people by, if the subject has nothing of it.
fn missing_identifiers(profile: &Profile, subject: &Subject) -> Option<String> {
    let kinds = profile.manifest.capabilities.identifiers;
    let given: BTreeSet<_> = subject.identifiers().map(|(kind, _)| kind).collect();
    let is_found = kinds.iter().any(|kind| given.contains(kind));
    (!is_found).then(|| kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(" or "))
}
