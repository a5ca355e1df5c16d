//! Customer data requests: a job, its progress, and the files that come of it.

use serde_json::{Value, json};

use super::envelope::Failure;
use super::jobs::{CustomerDataRequest, DataJob, JobStatus, Plan};
use super::routes::{Answer, Call, Outcome};
use super::state::State;
use super::template::{FileFormat, Filling};
use super::times::rfc3339;
use super::{archive, views};

pub(super) fn create(state: &mut State, call: &Call<'_>) -> Outcome {
    let template = state.knobs.customer_data.clone();
    let body = call.json()?;
    let emails = call.emails(&body, &template.emails_field, state.knobs.emails_per_request)?;
    let job = CustomerDataRequest {
        id: format!("CDR-{}", state.random.hex(8)),
        emails,
        status: JobStatus::Pending,
        created_ms: call.now_ms,
        updated_ms: call.now_ms,
        failure_reason: None,
        files: Vec::new(),
        polls: 0,
        downloads: 0,
    };
    let plan = Plan {
        completion: state.knobs.customer_data_completion,
        failure: state.knobs.customer_data_failure.clone(),
    };
    let job = DataJob { job, plan, contents: Vec::new() };
    let answer = job.filled(&template.created, call.now_ms);
    state.data_jobs.push(job);
    call.handle.took_effect();
    state.settle(call.now_ms);
    Ok(Answer::Result(answer))
}

pub(super) fn progress(state: &mut State, call: &Call<'_>) -> Outcome {
    let template = state.knobs.customer_data.clone();
    let id = &call.keys.request;
    let data = state.data_jobs.iter_mut().find(|data| data.job.id == *id);
    let data = data.ok_or_else(|| Failure::not_found(id))?;
    let shape = match data.job.status {
        JobStatus::Pending => &template.pending,
        JobStatus::Completed => &template.completed,
        JobStatus::Failed => &template.failed,
    };
    let answer = data.filled(shape, call.now_ms);
    if data.job.status == JobStatus::Pending {
        data.job.polls = data.job.polls.saturating_add(1);
    }
    state.settle(call.now_ms);
    Ok(Answer::Result(answer))
}

pub(super) fn file(state: &mut State, call: &Call<'_>) -> Outcome {
    let (format, lifetime_ms) = (state.knobs.customer_data.file_format, state.knobs.file_lifetime_ms);
    let (request, file) = (&call.keys.request, &call.keys.file);
    let data = state.data_jobs.iter_mut().find(|data| data.job.id == *request);
    let data = data.ok_or_else(|| Failure::not_found(request))?;
    let kept =
        lifetime_ms.is_none_or(|lifetime_ms| data.job.updated_ms.saturating_add(lifetime_ms) > call.now_ms);
    let content = data.contents.iter().find(|(id, _)| id == file && kept).map(|(_, content)| content.clone());
    let content = content.ok_or_else(|| Failure::not_found(file))?;
    data.job.downloads = data.job.downloads.saturating_add(1);
    let text = content.to_string();
    Ok(match format {
        FileFormat::Enveloped => Answer::Result(content),
        FileFormat::Json => Answer::File("application/json", text.into()),
        FileFormat::Zip => {
            Answer::File("application/zip", archive::zip("customer-data.json", text.as_bytes()).into())
        }
        FileFormat::Gzip => Answer::File("application/gzip", archive::gzip(text.as_bytes()).into()),
    })
}

impl DataJob {
    fn filled(&self, shape: &Value, now_ms: u64) -> Value {
        let job = &self.job;
        let percent = match job.status {
            JobStatus::Pending => self.plan.percent(job.created_ms, job.polls, now_ms),
            JobStatus::Completed | JobStatus::Failed => 100.0,
        };
        let filling = Filling {
            id: &job.id,
            percent,
            created: rfc3339(job.created_ms),
            reason: job.failure_reason.as_deref(),
            files: &job.files,
        };
        filling.fill(shape)
    }
}

impl State {
    pub(super) fn settle_data_jobs(&mut self, now_ms: u64) {
        for position in 0..self.data_jobs.len() {
            let DataJob { job, plan, .. } = &self.data_jobs[position];
            if job.status != JobStatus::Pending {
                continue;
            }
            if let Some(ended_at_ms) = plan.ended_at(job.created_ms, job.polls, now_ms) {
                let failure = plan.failure.clone();
                self.end_data_job(position, failure, ended_at_ms);
            }
        }
    }

    /// Ends a customer data request; with a reason it fails. The files hold what is known at this moment.
    pub(super) fn end_data_job(&mut self, position: usize, failure: Option<String>, ended_at_ms: u64) {
        let Some(data) = self.data_jobs.get(position) else { return };
        let contents = if failure.is_none() { self.collect(&data.job.emails) } else { Vec::new() };
        let base = self.random.hex(8);
        if let Some(data) = self.data_jobs.get_mut(position) {
            let numbered = contents.into_iter().enumerate();
            data.contents =
                numbered.map(|(number, content)| (format!("{base}-def{}", number + 1), content)).collect();
            data.job.files = data.contents.iter().map(|(id, _)| id.clone()).collect();
            data.job.status = if failure.is_none() { JobStatus::Completed } else { JobStatus::Failed };
            data.job.failure_reason = failure;
            data.job.updated_ms = ended_at_ms;
        }
    }

    /// The contents of the files. Own choice: what is in them, by the categories the vendor's pages name; of
    /// somebody unknown everything is empty.
    fn collect(&self, emails: &[String]) -> Vec<Value> {
        let mut everything: [Vec<Value>; 4] = Default::default();
        let [responses, contacts, tickets, users] = &mut everything;
        for email in emails {
            for (number, response) in self.responses_with_email(email) {
                responses.push(views::response(response));
                tickets.extend(self.tickets.get(&number).map(views::ticket));
            }
            contacts.extend(self.contacts_with_email(email).map(|contact| views::contact(self, contact)));
            users.extend(self.users_with_email(email).map(views::user));
        }
        let files = self.knobs.customer_data.files.clamp(1, 100);
        let mut contents = vec![json!({ "emails": emails }); files];
        let sections = ["surveyResponses", "contacts", "tickets", "users"].into_iter().zip(everything);
        for (position, (name, items)) in sections.enumerate() {
            let file = if position == 0 { 0 } else { files - 1 };
            contents[file][name] = Value::Array(items);
        }
        contents
    }
}
