//! Waiting for news of a request.

use std::time::Duration;

use habeas_casework::queries::RequestCase;
use habeas_casework::{Casework, CaseworkError};
use habeas_domain::{Actor, RequestId, RequestState};
use tokio_util::sync::CancellationToken;

/// How often the truth is asked when nobody hints at a change: another process may have made it.
const POLL: Duration = Duration::from_millis(250);
/// Hints may come a thousand times a second; a waiter does not look more often than this.
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// The request as soon as it is closed or wants something from somebody, or as it is when `limit` is over or the server
/// stops.
pub(crate) async fn for_news(
    casework: &Casework,
    actor: &Actor,
    id: RequestId,
    limit: Duration,
    stop: &CancellationToken,
) -> Result<RequestCase, CaseworkError> {
    let clock = casework.store().environment().clock();
    let until = clock.monotonic().saturating_add(limit);
    loop {
        // From here on hints are heard, also those that come while the request is read.
        let changed = casework.changed();
        tokio::pin!(changed);
        changed.as_mut().enable();
        let case = casework.request(actor, id).await?;
        let left = until.saturating_sub(clock.monotonic());
        if left.is_zero() || wants_somebody(&case) || stop.is_cancelled() {
            return Ok(case);
        }
        let hinted = tokio::select! {
            () = changed => true,
            () = clock.sleep(POLL.min(left)) => false,
            () = stop.cancelled() => false,
        };
        if hinted {
            clock.sleep(BETWEEN_LOOKS.min(left)).await;
        }
    }
}

fn wants_somebody(case: &RequestCase) -> bool {
    let works_on = matches!(
        case.request.state,
        RequestState::Collecting | RequestState::Erasing | RequestState::Verifying
    );
    !works_on || case.request.hold.is_some() || case.attention > 0
}
