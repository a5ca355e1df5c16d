//! Many requests at once.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Request, State};
use habeas_casework::intake::{IdempotencyKey, MOST_REQUESTS, NewRequest};
use serde_json::value::RawValue;

use crate::authentication::Caller;
use crate::extract::{self, Query};
use crate::problem::Problem;
use crate::routes::requests;
use crate::shapes::requests::{BulkItemShape, BulkQuery, BulkResultShape, NewRequestShape};
use crate::state::ServerState;

/// Requests read before others get their turn on the thread.
const READ_AT_A_TIME: usize = 500;

/// Takes up to 10,000 requests in. Each stands for itself: the answer says for each what became of it, and is 200
/// also if some, or all, were refused.
#[utoipa::path(
    post, path = "/api/v1/requests/bulk", tag = "requests",
    params(
        BulkQuery,
        (
            "Idempotency-Key" = Option<String>, Header,
            description = "Sent again with the same bytes, the call is answered the same for what was taken in or \
                           refused before, and only what was not is taken in now; with others it is refused. A dry run \
                           tells what such a call would be answered. 1 to 255 printable characters, remembered for 48 \
                           hours."
        )
    ),
    request_body(
        description = "A JSON array of requests, or one request per line.",
        content(([NewRequestShape] = "application/json"), (String = "application/x-ndjson"))
    ),
    responses((status = OK, body = BulkResultShape))
)]
pub(crate) async fn create_requests(
    State(state): State<ServerState>,
    Caller(actor): Caller,
    Query(BulkQuery { dry_run }): Query<BulkQuery>,
    request: Request,
) -> Result<Json<BulkResultShape>, Problem> {
    let dry_run = dry_run.unwrap_or(false);
    let key = requests::idempotency_key(request.headers())?;
    let body = extract::body(request, &state).await?;
    let keyring = state.casework.store().keyring();
    let idempotency =
        key.map(|key| IdempotencyKey { key, fingerprint: keyring.fingerprint("idempotency", &body) });
    let mut items = Vec::new();
    let mut readable = Vec::new();
    for (index, read) in read_all(&body).await?.into_iter().enumerate() {
        let (id, problem) = (None, read.as_ref().err().map(Problem::document));
        items.push(BulkItemShape { index, id, problem });
        readable.extend(read.ok().map(|new| (index, new)));
    }
    drop(body);
    let (places, new): (Vec<usize>, Vec<NewRequest>) = readable.into_iter().unzip();
    let results = if dry_run {
        state.casework.check_requests(&actor, new, idempotency).await?
    } else {
        let taken_in = state.casework.create_requests(&actor, new, idempotency).await?;
        taken_in.into_iter().map(|result| result.map(Some)).collect()
    };
    for (index, result) in places.into_iter().zip(results) {
        match result {
            Ok(id) => items[index].id = id.map(|id| id.to_string()),
            Err(error) => {
                let problem = Problem::from(error);
                if let Some(cause) = problem.cause() {
                    tracing::error!(index, cause, "a request of many was not taken in");
                }
                items[index].problem = Some(problem.document());
            }
        }
    }
    Ok(Json(BulkResultShape { items, dry_run }))
}

async fn read_all(body: &Bytes) -> Result<Vec<Result<NewRequest, Problem>>, Problem> {
    let items: Vec<&[u8]> = match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'[') => {
            let items: Vec<&RawValue> =
                serde_json::from_slice(body).map_err(|error| extract::malformed(&error, body))?;
            items.into_iter().map(|item| item.get().as_bytes()).collect()
        }
        Some(_) => body.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).collect(),
        None => {
            return Err(Problem::field("", "the body is empty; send a JSON array, or one request per line"));
        }
    };
    if items.len() > MOST_REQUESTS {
        return Err(Problem::field("", format!("one call takes at most {MOST_REQUESTS} requests")));
    }
    let mut read = Vec::with_capacity(items.len());
    for part in items.chunks(READ_AT_A_TIME) {
        read.extend(part.iter().map(|item| {
            let shape: NewRequestShape = extract::read(extract::parse(item)?)?;
            Ok(NewRequest::from(shape))
        }));
        tokio::task::yield_now().await;
    }
    Ok(read)
}
