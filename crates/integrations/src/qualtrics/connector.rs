//! The connector: what the engine calls.

use async_trait::async_trait;
use habeas_domain::IdentifierType;
use jiff::Timestamp;

use super::api::{self, Api};
use super::errors::{self, Asked};
use super::people::{self, Searched};
use super::{access, check, erasure};
use crate::connector::{
    Caution, CheckReport, Connector, Export, Job, Presence, Preview, Progress, Residual, Subject,
};
use crate::error::VendorError;

/// What a person must acknowledge before a user of the brand is erased.
const BRAND_USER: &str = "brand_user";

pub(super) struct QualtricsConnector {
    api: Api,
    datacenter_id: String,
}

impl QualtricsConnector {
    pub(super) fn new(api: Api, datacenter_id: String) -> Self {
        Self { api, datacenter_id }
    }
}

#[async_trait]
impl Connector for QualtricsConnector {
    async fn check(&self, _: Timestamp) -> Result<CheckReport, VendorError> {
        check::report(&self.api, &self.datacenter_id).await
    }

    async fn export(&self, subject: &Subject, job: Option<&Job>) -> Result<Export, VendorError> {
        access::export(&self.api, subject, job).await
    }

    /// Through an erasure that only searches. What it counts by kind is not documented, so only whether anything is held is
    /// known.
    async fn preview(&self, subject: &Subject, job: Option<&Job>) -> Result<Preview, VendorError> {
        let emails = api::emails_of([subject]);
        if emails.is_empty() {
            return Err(errors::no_email());
        }
        let Some(job) = job else {
            let answer = self.api.send(|| self.api.search_for_erasure(&emails)).await?;
            if !answer.status.is_success() {
                return Err(errors::refused(&answer, Asked::Erasure));
            }
            return erasure::accepted(&answer).map(Preview::Pending);
        };
        match erasure::follow(&self.api, std::slice::from_ref(job)).await?.pop() {
            Some(Progress::Done(searched)) => {
                let holds_nothing = searched.nothing_held_for.covers(subject, &[IdentifierType::Email]);
                Ok(Preview::Held(!holds_nothing))
            }
            Some(Progress::Failed(error)) => Err(error),
            _ => Ok(Preview::Pending(job.clone())),
        }
    }

    /// One scan of the users serves the whole batch. It must be whole: nobody may be erased because their account was on
    /// a page that was not read.
    async fn cautions(&self, subjects: &[Subject]) -> Result<Vec<Option<Caution>>, VendorError> {
        let mut cautions = vec![None; subjects.len()];
        let mut pages = self.api.users();
        while cautions.iter().any(Option::is_none) {
            let Some(page) = pages.next().await? else { break };
            for (subject, caution) in subjects.iter().zip(&mut cautions) {
                if caution.is_none() && page.elements.iter().any(|user| people::is_user_of(user, subject)) {
                    *caution = Some(brand_user());
                }
            }
        }
        Ok(cautions)
    }

    async fn erase(&self, subjects: &[Subject]) -> Result<Job, VendorError> {
        // Nobody may be left out of it silently: the job counts for everyone.
        if subjects.iter().any(|subject| api::emails_of([subject]).is_empty()) {
            return Err(errors::no_email());
        }
        let emails = api::emails_of(subjects);
        let answer = self.api.send(|| self.api.erase(&emails)).await?;
        if !answer.status.is_success() {
            return Err(errors::refused(&answer, Asked::Erasure));
        }
        erasure::accepted(&answer)
    }

    async fn find_erasures(
        &self,
        subjects: &[Subject],
        since: Timestamp,
    ) -> Result<Vec<Option<Job>>, VendorError> {
        erasure::find(&self.api, subjects, since).await
    }

    async fn follow(&self, jobs: &[Job]) -> Result<Vec<Progress>, VendorError> {
        erasure::follow(&self.api, jobs).await
    }

    async fn presence(&self, subject: &Subject) -> Result<Presence, VendorError> {
        let emails = api::emails_of([subject]);
        if emails.is_empty() {
            return Err(errors::no_email());
        }
        let directories = people::directories(&self.api).await?;
        let mut unsearched = Vec::new();
        for directory in &directories {
            let searched = people::search(&self.api, directory, subject, &emails).await?;
            unsearched.extend(searched.residual(directory));
            if matches!(searched, Searched::Found { contacts, .. } if !contacts.is_empty()) {
                return Ok(Presence::Held);
            }
        }
        let mut pages = self.api.users();
        while let Some(page) = pages.next().await? {
            if page.elements.iter().any(|user| people::has_email_of(user, subject)) {
                return Ok(Presence::Held);
            }
        }
        if !directories.is_empty() && unsearched.len() == directories.len() {
            return Err(errors::nothing_can_be_searched());
        }
        Ok(Presence::Gone { unsearched })
    }
}

/// What stays after a deletion.
pub(super) fn residuals_of_deletion() -> Vec<Residual> {
    let residual = |what: &str, why: &str| Residual { what: what.to_owned(), why: why.to_owned() };
    vec![
        residual(
            "responses in the offline app",
            "responses that are still being filled in in the offline app are on the device and not erased; upload or \
             delete them there",
        ),
        residual(
            "surveys",
            "whole surveys are not erased, also if they name the person; look through them by hand",
        ),
        residual(
            "files sent over SFTP",
            "files that Qualtrics has pushed to an SFTP server are not erased; delete the person in them there",
        ),
        residual(
            "responses without a contact",
            "responses that are not linked to a contact, such as an e-mail address typed into an anonymous survey, are \
             not erased; look for them in the surveys by hand",
        ),
        residual(
            "copies in other applications",
            "what other applications have taken over from Qualtrics is not erased; delete the person there as well",
        ),
    ]
}

fn brand_user() -> Caution {
    Caution {
        code: BRAND_USER,
        message: "this person has a user account in this Qualtrics brand: erasing the person also deletes the account, and \
                  what becomes of the surveys, libraries and other things that it owns is not documented; hand them over to \
                  another user first"
            .to_owned(),
    }
}
