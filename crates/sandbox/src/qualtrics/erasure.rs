//! Erasure requests: `op-erase-personal-data`.

use serde_json::{Value, json};

use super::email::fold;
use super::envelope::Failure;
use super::ids;
use super::jobs::{Erasure, JobStatus, Plan};
use super::knobs::ErasureShape;
use super::paging::Offset;
use super::routes::{Answer, Call, Outcome};
use super::state::State;
use super::times::rfc3339;

pub(super) fn create(state: &mut State, call: &Call<'_>) -> Outcome {
    let body = call.json()?;
    let search_only = match body.get("searchOnly") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(search_only)) => *search_only,
        Some(_) => return Err(Failure::bad_request("searchOnly must be a boolean.")),
    };
    let emails = call.emails(&body, "emails", state.knobs.emails_per_request)?;
    let is_refused =
        |email: &String| state.knobs.refused_emails.iter().any(|refused| fold(refused) == fold(email));
    if emails.iter().any(is_refused) {
        return Err(Failure::bad_request("emails holds one that cannot be erased."));
    }
    let id = format!("OP-{}", ids::uuid(&mut state.random));
    let plan =
        Plan { completion: state.knobs.erasure_completion, failure: state.knobs.erasure_failure.clone() };
    let job = Erasure {
        id: id.clone(),
        emails,
        search_only,
        status: JobStatus::Pending,
        user: call.caller.user.clone(),
        created_ms: call.now_ms,
        updated_ms: call.now_ms,
        emails_not_found: Vec::new(),
        failure_reason: None,
        polls: 0,
    };
    let answer = json!({"requestId": id, "user": job.user, "created": rfc3339(job.created_ms)});
    state.erasures.accept(job, plan);
    if !search_only {
        call.handle.took_effect();
    }
    state.settle(call.now_ms);
    Ok(Answer::Result(answer))
}

/// Own choice: newest first; every answer that shows a pending job counts as one poll of it.
pub(super) fn list(state: &mut State, call: &Call<'_>) -> Outcome {
    let window = Offset::of(call.parts, state.knobs.offset_page_size, state.knobs.page_cap)?;
    let count = state.erasures.jobs.len();
    let newest_first: Vec<usize> = (0..count).rev().skip(window.offset).take(window.size).collect();
    let elements: Vec<_> =
        newest_first.iter().map(|position| view(state, &state.erasures.jobs[*position].0)).collect();
    for position in newest_first {
        let job = &mut state.erasures.jobs[position].0;
        if job.status == JobStatus::Pending {
            job.polls = job.polls.saturating_add(1);
        }
    }
    state.settle(call.now_ms);
    Ok(Answer::Result(json!({"elements": elements, "nextPage": window.next_page(call.parts, count)})))
}

/// Own choice: a failed request is fully processed too, so it is shown.
pub(super) fn get(state: &mut State, call: &Call<'_>) -> Outcome {
    let id = &call.keys.request;
    let position = state.erasures.position(id).ok_or_else(|| Failure::not_found(id))?;
    let job = &state.erasures.jobs[position].0;
    if job.status == JobStatus::Pending {
        let status = state.knobs.erasure_running.status();
        return Err(Failure::without_code(status, format!("The request {id} is not processed yet.")));
    }
    Ok(Answer::Result(view(state, job)))
}

fn view(state: &State, job: &Erasure) -> Value {
    let knobs = &state.knobs;
    let status = match job.status {
        JobStatus::Pending => &knobs.erasure_pending_word,
        JobStatus::Completed => &knobs.erasure_completed_word,
        JobStatus::Failed => &knobs.erasure_failed_word,
    };
    let count = job.emails.len();
    let (search_only, count, not_found) = match knobs.erasure_shape {
        ErasureShape::Documented => {
            (json!(job.search_only.to_string()), json!(count), json!(job.emails_not_found))
        }
        ErasureShape::Loose => {
            let not_found = Some(job.emails_not_found.join(",")).filter(|emails| !emails.is_empty());
            (json!(job.search_only), json!(count.to_string()), json!(not_found))
        }
    };
    json!({
        "requestid": job.id,
        "status": status,
        "user": job.user,
        "numEmailsRequested": count,
        "emailsNotFound": not_found,
        "emailList": job.emails,
        "searchOnly": search_only,
        "failureReason": job.failure_reason,
        "created": rfc3339(job.created_ms),
        "updated": rfc3339(job.updated_ms),
    })
}

impl State {
    /// Ends the jobs that are due.
    pub(super) fn settle(&mut self, now_ms: u64) {
        for position in 0..self.erasures.jobs.len() {
            let (job, plan) = &self.erasures.jobs[position];
            if job.status != JobStatus::Pending {
                continue;
            }
            if let Some(ended_at_ms) = plan.ended_at(job.created_ms, job.polls, now_ms) {
                let failure = plan.failure.clone();
                self.end_erasure(position, failure, ended_at_ms);
            }
        }
        self.settle_data_jobs(now_ms);
    }

    /// Ends an erasure; with a reason it fails and erases nothing.
    pub(super) fn end_erasure(&mut self, position: usize, failure: Option<String>, ended_at_ms: u64) {
        let Some((job, _)) = self.erasures.jobs.get(position) else { return };
        let (emails, search_only) = (job.emails.clone(), job.search_only);
        let mut not_found = Vec::new();
        if failure.is_none() {
            not_found.extend(emails.iter().filter(|email| !self.knows(email)).cloned());
            for email in emails.iter().filter(|_| !search_only) {
                self.erase(email, ended_at_ms);
            }
        }
        if let Some((job, _)) = self.erasures.jobs.get_mut(position) {
            job.status = if failure.is_none() { JobStatus::Completed } else { JobStatus::Failed };
            job.failure_reason = failure;
            job.emails_not_found = not_found;
            job.updated_ms = ended_at_ms;
        }
    }

    fn knows(&self, email: &str) -> bool {
        self.contacts_with_email(email).next().is_some()
            || self.responses_with_email(email).next().is_some()
            || (self.knobs.erasure_deletes_users && self.users_with_email(email).next().is_some())
    }

    /// First the responses and their tickets, then contacts with their places on lists, then users. Responses
    /// that are linked to nobody stay, whatever they say.
    fn erase(&mut self, email: &str, now_ms: u64) {
        self.remove_responses(email);
        let contacts: Vec<_> = self.contacts_with_email(email).map(|contact| contact.id.clone()).collect();
        for id in contacts {
            self.remove_contact(&id, now_ms);
        }
        if self.knobs.erasure_deletes_users {
            let users: Vec<_> = self.users_with_email(email).map(|user| user.id.clone()).collect();
            self.users.retain(|user| !users.contains(&user.id));
        }
    }
}
