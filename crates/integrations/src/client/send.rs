//! Sending: leave first, then exactly one attempt, then a bounded reading of what came back.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{StatusCode, header};
use url::Url;

use super::answer::{VendorAnswer, is_request_id, retry_after_ms};
use super::call::Call;
use super::observe::{Observation, Outcome};
use super::transport::Failure;
use super::{NotNow, VendorClient, fault, observe};
use crate::error::VendorError;
use crate::manifest::EndpointClass;

/// How long everybody waits after a "too many requests" that names no time; the engine lengthens it if it
/// repeats.
const SHORTEST_PUSH_BACK: Duration = Duration::from_secs(1);
/// How much of a failure's body is read for the id of the call, or for how long to wait.
const LONGEST_EXPLANATION: usize = 16 << 10;
/// A waiting call asks for leave this often before it is given back.
const MOST_TURNS: u32 = 8;

/// Sends `call`, reads its answer with `read` and records how it ended.
pub(super) async fn observed<T>(
    call: Call,
    read: impl FnOnce(VendorAnswer) -> Result<T, VendorError>,
) -> Result<T, VendorError> {
    let client = call.client.clone();
    let (class, method) = (call.class, call.method.clone());
    let integration = client.inner.options.integration;
    let mut observation = Observation {
        integration,
        class,
        method: &method,
        status: None,
        outcome: Outcome::Answered(0),
        took: None,
    };

    let leave = match &call.url {
        Ok(_) => leave(&client, class, call.patience).await,
        Err(error) => Err(error.clone()),
    };
    if let Err(error) = leave {
        observation.outcome = Outcome::of_error(&error);
        observe::record(&observation);
        return Err(error);
    }

    let clock = client.environment().clock();
    let began = clock.monotonic();
    let answer = exchange(call).await;
    observation.took = Some(clock.monotonic().saturating_sub(began));
    if let Err(Failed { push_back: Some(wait), .. }) = &answer {
        client.inner.options.permits.pushed_back(class, *wait).await;
    }

    let answer = answer.map_err(|failed| failed.error);
    let status = answer.as_ref().ok().map(|answer| answer.status.as_u16());
    let result = answer.and_then(read);
    observation.status = status.or(result.as_ref().err().and_then(|error| error.status));
    observation.outcome = match &result {
        Ok(_) => Outcome::Answered(status.unwrap_or_default()),
        Err(error) => Outcome::of_error(error),
    };
    observe::record(&observation);
    result
}

/// Takes leave, waiting as long as the call is patient.
async fn leave(
    client: &VendorClient,
    class: EndpointClass,
    mut patience: Duration,
) -> Result<(), VendorError> {
    let options = &client.inner.options;
    for _ in 0..MOST_TURNS {
        match options.permits.acquire(class).await {
            Ok(()) => return Ok(()),
            Err(NotNow::After(wait)) if wait <= patience => {
                patience -= wait;
                options.environment.clock().sleep(wait).await;
            }
            Err(not_now) => return Err(paced(not_now)),
        }
    }
    options.permits.acquire(class).await.map_err(paced)
}

fn paced(not_now: NotNow) -> VendorError {
    match not_now {
        NotNow::After(wait) => fault::paced(wait),
        NotNow::GiveBack => fault::paced(Duration::ZERO),
    }
}

/// Why there is no answer.
struct Failed {
    error: VendorError,
    /// How long everybody keeps away, if the vendor says that it is called too often.
    push_back: Option<Duration>,
}

impl From<VendorError> for Failed {
    fn from(error: VendorError) -> Self {
        Self { error, push_back: None }
    }
}

async fn exchange(call: Call) -> Result<VendorAnswer, Failed> {
    let Call { client, method, url, headers, body, effect, timeout, request_id_at, wait_at, .. } = call;
    let options = &client.inner.options;
    let url = url?;
    let mut request = reqwest::Request::new(method, url.clone());
    *request.headers_mut() = headers;
    *request.timeout_mut() = Some(timeout.unwrap_or(options.timeout));
    *request.body_mut() = body.map(Into::into);
    let carried = client.inner.way.carry(request).await;
    let mut response = carried.map_err(|failure| fault::transport(failure, effect))?;

    let status = response.status();
    let mut answer = VendorAnswer::new(status, response.headers(), options.environment.now());
    answer.effect = effect;
    let is_failure = status.is_server_error()
        || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
    let explanation = match is_failure && (request_id_at.is_some() || wait_at.is_some()) {
        true => explanation(&mut response, &answer).await,
        false => None,
    };
    let named = |at: Option<&str>| explanation.as_ref()?.pointer(at?);
    if let Some(id) = named(request_id_at).and_then(|id| id.as_str()).filter(|id| is_request_id(id)) {
        answer.vendor_request_id = Some(id.to_owned());
    }
    if status == StatusCode::TOO_MANY_REQUESTS {
        let push_back = Some(answer.retry_after.unwrap_or_default().max(SHORTEST_PUSH_BACK));
        answer.retry_after = answer.retry_after.or_else(|| retry_after_ms(named(wait_at)?));
        return Err(Failed { error: fault::rate_limited(&answer), push_back });
    }
    if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT {
        return Err(fault::server_error(&answer).into());
    }
    if !status.is_success() && !status.is_client_error() {
        return Err(fault::redirected(status, redirect_target(&response, &url).as_ref()).into());
    }
    match bounded(&mut response, &answer, options.max_body_bytes).await {
        Ok(body) => answer.body = body,
        // A refusal is a refusal, whatever became of its explanation.
        Err(_) if status.is_client_error() => {}
        Err(error) => return Err(error.into()),
    }
    Ok(answer)
}

/// The body of a failure. Whatever is wrong with it, the failure stays what it is.
async fn explanation(response: &mut reqwest::Response, answer: &VendorAnswer) -> Option<serde_json::Value> {
    let body = bounded(response, answer, LONGEST_EXPLANATION).await.ok()?;
    serde_json::from_slice(&body).ok()
}

async fn bounded(
    response: &mut reqwest::Response,
    answer: &VendorAnswer,
    bound: usize,
) -> Result<Bytes, VendorError> {
    let announced = response.content_length().and_then(|length| usize::try_from(length).ok());
    if announced.is_some_and(|length| length > bound) {
        return Err(fault::too_large(answer, bound));
    }
    // A vendor's promise is no reason to set memory aside: it grows with what really comes.
    let mut body = BytesMut::with_capacity(announced.unwrap_or(0).min(64 << 10));
    while let Some(chunk) = response.chunk().await.map_err(|error| fault::cut(answer, Failure::of(&error)))? {
        if body.len() + chunk.len() > bound {
            return Err(fault::too_large(answer, bound));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

fn redirect_target(response: &reqwest::Response, asked: &Url) -> Option<Url> {
    let location = response.headers().get(header::LOCATION)?.to_str().ok()?;
    asked.join(location).ok()
}
