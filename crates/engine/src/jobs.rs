//! Work that a vendor does in its own time: it is asked, followed, and proven.
//!
//! A deletion goes out once for everyone who gathered for it, and its jobs are looked at together: however many wait, a
//! look costs what the vendor's list costs.

use std::collections::BTreeMap;
use std::time::Duration;

use habeas_casework::RunFailure;
use habeas_casework::work::{
    Assignment, Finding, FollowReport, FollowedJob, JobEnd, Member, Part, failed_jobs,
};
use habeas_domain::OperationId;
use habeas_domain::moment::after;
use habeas_domain::operation::OperationStatus;
use habeas_integrations::{
    Caution, ErrorKind, Export, Job, Manifest, Polling, Presence, Progress, Retry, Subject, VendorError,
    Verification,
};
use habeas_store::due_work::Lease;
use jiff::Timestamp;

use crate::backoff::MOST_ATTEMPTS;
use crate::engine::Engine;
use crate::vendors::Reached;

/// Collections that the vendor fails or loses before a person is asked.
const MOST_JOBS: u64 = 3;

/// The wait before the next look at a job of this age: a quarter of it, within the vendor's bounds.
fn interval(polling: Polling, age: Duration) -> Duration {
    (age / 4).clamp(polling.min, polling.max)
}

fn age(since: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(since)).unwrap_or_default()
}

fn overdue(manifest: &Manifest, polling: Polling, what: &str) -> RunFailure {
    let days = polling.deadline.as_secs().div_ceil(86_400);
    RunFailure {
        code: "job_overdue".to_owned(),
        message: format!("{} accepted {what} and has not finished it in {days} days", manifest.title),
        vendor_request_id: None,
        remedy:
            "ask the vendor's support about the job; then retry to wait as long again, or skip with a reason"
                .to_owned(),
    }
}

fn overdue_and_away(manifest: &Manifest, polling: Polling, error: &VendorError) -> RunFailure {
    let days = polling.deadline.as_secs().div_ceil(86_400);
    RunFailure {
        code: "job_overdue".to_owned(),
        message: format!(
            "{} accepted the deletion more than {days} days ago and cannot be asked what became of it: {}",
            manifest.title, error.message
        ),
        vendor_request_id: error.vendor_request_id.clone(),
        remedy:
            "find out why the system cannot be asked; then retry to wait as long again, or skip with a reason"
                .to_owned(),
    }
}

fn cautioned(caution: &Caution) -> RunFailure {
    RunFailure {
        code: caution.code.to_owned(),
        message: caution.message.clone(),
        vendor_request_id: None,
        remedy: format!(
            "decide what is to become of it; then process the request again and acknowledge `{}`, or skip this \
             system with a reason",
            caution.code
        ),
    }
}

fn part(members: &[&Member], finding: Finding) -> Part {
    Part { runs: members.iter().map(|member| member.run).collect(), finding }
}

fn subjects(members: &[&Member]) -> Vec<Subject> {
    members.iter().map(|member| member.subject.clone()).collect()
}

/// Every answer about several things must be about each of them.
fn complete<T>(answers: Vec<T>, wanted: usize) -> Result<Vec<T>, VendorError> {
    if answers.len() == wanted {
        return Ok(answers);
    }
    Err(VendorError::new(
        ErrorKind::BadAnswer,
        Retry::Never,
        "the integration did not answer for everything that it was asked about",
        "this is a fault of the product; please report it",
    ))
}

impl Engine {
    /// One step of an access job.
    pub(crate) async fn export(
        &self,
        reached: &Reached,
        assignment: &Assignment,
        subject: &Subject,
    ) -> Result<Finding, VendorError> {
        let now = self.environment().now();
        let operation = &assignment.operation;
        let is_accepted = operation.status == OperationStatus::Accepted;
        let job = operation.job.clone().filter(|_| is_accepted).and_then(Job::new);
        // From the first attempt on: a job that fails again and again is begun anew, but not for ever.
        let waited = operation.sent_at.map_or(Duration::ZERO, |since| age(since, now));
        if job.is_some() && waited > reached.polling.deadline {
            return Ok(Finding::Failed(overdue(reached.manifest, reached.polling, "the collection")));
        }
        let step = match reached.connector.export(subject, job.as_ref()).await {
            // A vendor that fails or loses every job would be given new ones for ever.
            Err(error) if error.kind == ErrorKind::JobFailed && failed_jobs(operation) + 1 >= MOST_JOBS => {
                return Ok(Finding::Failed(RunFailure::from(&error)));
            }
            other => other?,
        };
        Ok(match step {
            Export::Collected(found) => Finding::Collected(found),
            Export::Pending(job) => {
                Finding::Pending { job, at: after(now, interval(reached.polling, waited)) }
            }
        })
    }

    /// Searches for a person whose deletion the vendor reported as done. Its index may lag behind.
    pub(crate) async fn verify(
        &self,
        reached: &Reached,
        assignment: &Assignment,
        subject: &Subject,
    ) -> Result<Finding, VendorError> {
        if let Presence::Gone { unsearched } = reached.connector.presence(subject).await? {
            return Ok(Finding::VerifiedGone { unsearched });
        }
        let lag = match reached.manifest.capabilities.deletion.map(|deletion| deletion.verification) {
            Some(Verification::Search { lag }) => lag,
            _ => Duration::ZERO,
        };
        let now = self.environment().now();
        let since = assignment.operation.created_at;
        if age(since, now) >= lag {
            return Ok(Finding::StillHeld);
        }
        let again = after(now, interval(reached.polling, age(since, now)));
        Ok(Finding::NotYetGone { at: again.min(after(since, lag)) })
    }

    /// Sends a deletion for everyone who gathered for it. Where it may have been sent before, the vendor is asked what
    /// it has first; what a person must know first stops the one whom it is about and nobody else.
    pub(crate) async fn erase(&self, reached: &Reached, assignment: &Assignment) -> Vec<Part> {
        let mut parts = Vec::new();
        let mut members: Vec<&Member> = assignment.members.iter().collect();
        let failed = |error: &VendorError| {
            let finding = self.finding(error, reached.backoff, assignment.lease.attempts);
            self.asked_in_good_time(finding, reached)
        };
        if assignment.operation.status == OperationStatus::Unknown {
            if let Some(at) = self.too_soon(reached, assignment) {
                return vec![part(&members, Finding::Released { at })];
            }
            match self.take_out_sent(reached, assignment, &mut members).await {
                Ok(found) => parts.extend(found),
                Err(error) => return vec![part(&members, failed(&error))],
            }
        }
        if members.is_empty() {
            return parts;
        }
        match self.stop_cautioned(reached, &mut members).await {
            Ok(stopped) => parts.extend(stopped),
            Err(error) => {
                parts.push(part(&members, failed(&error)));
                return parts;
            }
        }
        if members.is_empty() {
            return parts;
        }
        match reached.connector.erase(&subjects(&members)).await {
            Ok(job) => parts.push(part(&members, self.accepted(reached, job))),
            // One of them is what the vendor refuses: halves find out who, and the others go on.
            Err(error)
                if error.kind == ErrorKind::BadRequest
                    && error.retry == Retry::Never
                    && members.len() > 1 =>
            {
                let (one, other) = members.split_at(members.len() / 2);
                parts.push(part(one, Finding::Divided));
                parts.push(part(other, Finding::Divided));
            }
            Err(error) => parts.push(part(&members, failed(&error))),
        }
        parts
    }

    /// The vendor may still be at the call whose answer was lost, and its list may lag behind: asked at once, it would say
    /// that it has nothing.
    fn asked_in_good_time(&self, finding: Finding, reached: &Reached) -> Finding {
        match finding {
            Finding::Retry { failure, at, unknown: true } => {
                let at = at.max(after(self.environment().now(), reached.backoff.max));
                Finding::Retry { failure, at, unknown: true }
            }
            other => other,
        }
    }

    /// When to ask, if the worker who sent it died only a moment ago.
    fn too_soon(&self, reached: &Reached, assignment: &Assignment) -> Option<Timestamp> {
        let at = after(assignment.operation.sent_at?, reached.backoff.max);
        (at > self.environment().now()).then_some(at)
    }

    fn accepted(&self, reached: &Reached, job: Job) -> Finding {
        Finding::Accepted {
            job,
            look_at: after(self.environment().now(), reached.polling.min),
            residuals: reached.residuals_of_deletion.clone(),
        }
    }

    /// Takes out of `members` those for whom the vendor has a job already.
    async fn take_out_sent(
        &self,
        reached: &Reached,
        assignment: &Assignment,
        members: &mut Vec<&Member>,
    ) -> Result<Vec<Part>, VendorError> {
        let since = assignment.operation.sent_at.unwrap_or(assignment.operation.created_at);
        let found = reached.connector.find_erasures(&subjects(members), since).await?;
        let found = complete(found, members.len())?;
        let mut by_job: BTreeMap<Job, Vec<&Member>> = BTreeMap::new();
        let mut missing = Vec::new();
        for (member, job) in members.drain(..).zip(found) {
            match job {
                Some(job) => by_job.entry(job).or_default().push(member),
                None => missing.push(member),
            }
        }
        *members = missing;
        tracing::info!(
            operation = %assignment.operation.id,
            jobs = by_job.len(),
            missing = members.len(),
            "the vendor was asked which deletions it has"
        );
        Ok(by_job.into_iter().map(|(job, members)| part(&members, self.accepted(reached, job))).collect())
    }

    /// Takes out of `members` those for whom a person must decide first.
    async fn stop_cautioned(
        &self,
        reached: &Reached,
        members: &mut Vec<&Member>,
    ) -> Result<Vec<Part>, VendorError> {
        let cautions = reached.connector.cautions(&subjects(members)).await?;
        let cautions = complete(cautions, members.len())?;
        let mut parts = Vec::new();
        let mut free = Vec::new();
        for (member, caution) in members.drain(..).zip(cautions) {
            match caution {
                Some(caution) if !member.acknowledged.contains(caution.code) => {
                    parts.push(part(&[member], Finding::Failed(cautioned(&caution))));
                }
                _ => free.push(member),
            }
        }
        *members = free;
        Ok(parts)
    }

    /// Looks at every deletion job of a connection.
    pub(crate) async fn follow(&self, reached: &Reached, assignment: Assignment) {
        let Assignment { lease, operation, jobs, .. } = assignment;
        let now = self.environment().now();
        let wanted: Vec<Job> = jobs.iter().map(|one| one.job.clone()).collect();
        let progress = match reached.connector.follow(&wanted).await {
            Ok(progress) => complete(progress, wanted.len()),
            Err(error) => Err(error),
        };
        let progress = match progress {
            Ok(progress) => progress,
            Err(error) => {
                // A vendor that is away does not make its jobs fail; what takes too long has a deadline of its own.
                let attempts = lease.attempts.min(MOST_ATTEMPTS - 2);
                let finding = self.finding(&error, reached.backoff, attempts);
                let late = self.late(reached, &jobs, &error);
                if late.is_empty() {
                    return self.fail_shared(lease, operation, finding).await;
                }
                let next_at = after(self.environment().now(), reached.backoff.max);
                // Nobody is told that the trouble has passed.
                let lease = Lease { attempts: 0, ..lease };
                let looked_at = jobs.iter().map(|one| one.operation).collect();
                let report =
                    FollowReport { lease, operation, looked_at, ended: late, next_at, soonest: next_at };
                return self.report_follow(report).await;
            }
        };
        let looked_at = jobs.iter().map(|one| one.operation).collect();
        let mut youngest = Duration::MAX;
        let mut ended = Vec::new();
        for (FollowedJob { operation, job, accepted_at }, progress) in jobs.into_iter().zip(progress) {
            let waited = age(accepted_at, now);
            let end = match progress {
                Progress::Done(erased) => JobEnd::Done(erased),
                Progress::Failed(error) => {
                    tracing::warn!(%operation, job = job.as_str(), "a vendor says that a deletion failed");
                    JobEnd::Failed(RunFailure::from(&error))
                }
                Progress::Forgotten => JobEnd::Failed(forgotten(reached.manifest)),
                Progress::Pending if waited > reached.polling.deadline => {
                    JobEnd::Overdue(overdue(reached.manifest, reached.polling, "the deletion"))
                }
                Progress::Pending => {
                    youngest = youngest.min(waited);
                    continue;
                }
            };
            ended.push((operation, end));
        }
        let next_at = after(now, interval(reached.polling, youngest));
        let soonest = after(now, reached.polling.min);
        let report = FollowReport { lease, operation, looked_at, ended, next_at, soonest };
        self.report_follow(report).await;
    }

    async fn report_follow(&self, report: FollowReport) {
        let id = report.lease.id;
        if let Err(error) = self.casework.report_follow(report).await {
            tracing::error!(%error, "what a vendor's jobs came to could not be written; they are looked at again");
        }
        self.leases.let_go(id);
    }

    /// The jobs that had their time while the vendor cannot be asked about them.
    fn late(
        &self,
        reached: &Reached,
        jobs: &[FollowedJob],
        error: &VendorError,
    ) -> Vec<(OperationId, JobEnd)> {
        // What needs a person anyway, and what was not even sent, says nothing about the jobs.
        if error.retry == Retry::Never || error.kind == ErrorKind::Paced {
            return Vec::new();
        }
        let now = self.environment().now();
        let late = jobs.iter().filter(|job| age(job.accepted_at, now) > reached.polling.deadline);
        late.map(|job| {
            let failure = overdue_and_away(reached.manifest, reached.polling, error);
            (job.operation, JobEnd::Overdue(failure))
        })
        .collect()
    }
}

fn forgotten(manifest: &Manifest) -> RunFailure {
    RunFailure {
        code: "outcome_unknown".to_owned(),
        message: format!(
            "{} no longer knows the deletion that it accepted, so nobody can say whether it was carried out",
            manifest.title
        ),
        vendor_request_id: None,
        remedy: "look the person up in the system; then retry to ask for the deletion again, or skip with a reason"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const MINUTE: u64 = 60;
    const HOUR: u64 = 3600;

    #[rstest]
    #[case(0, MINUTE)]
    #[case(4 * MINUTE, MINUTE)]
    #[case(HOUR, 15 * MINUTE)]
    #[case(4 * HOUR, HOUR)]
    #[case(240 * HOUR, HOUR)]
    fn young_jobs_are_looked_at_often_and_old_ones_seldom(#[case] age: u64, #[case] wait: u64) {
        let polling = Polling {
            min: Duration::from_secs(MINUTE),
            max: Duration::from_secs(HOUR),
            deadline: Duration::from_secs(14 * 24 * HOUR),
        };
        assert_eq!(interval(polling, Duration::from_secs(age)), Duration::from_secs(wait));
    }
}
