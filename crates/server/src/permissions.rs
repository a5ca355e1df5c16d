//! Which permission each operation needs: for the OpenAPI document, and for the test that compares it with what
//! casework really asks. Nothing is decided here.

use habeas_domain::Permission as P;

/// What an operation needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// No key.
    Nothing,
    /// Any key that is not revoked.
    AnyKey,
    /// A key with a role that gives this permission.
    Permission(P),
}

use Need::{AnyKey, Nothing, Permission};

/// An operation: method, path as in the OpenAPI document, need.
pub type Operation = (&'static str, &'static str, Need);

/// Every operation there is.
pub static OPERATIONS: &[Operation] = &[
    ("get", "/healthz", Nothing),
    ("get", "/readyz", Nothing),
    ("get", "/metrics", Nothing),
    ("get", "/openapi.json", Nothing),
    ("get", "/docs/errors/{code}", Nothing),
    ("get", "/api/v1/integrations", AnyKey),
    ("get", "/api/v1/integrations/{name}", AnyKey),
    ("get", "/api/v1/policies", AnyKey),
    ("get", "/api/v1/workers", Permission(P::ReadWorkers)),
    ("get", "/api/v1/connections", Permission(P::ReadConnections)),
    ("post", "/api/v1/connections", Permission(P::ManageConnections)),
    ("post", "/api/v1/connections/plan", Permission(P::ManageConnections)),
    ("get", "/api/v1/connections/{id}", Permission(P::ReadConnections)),
    ("patch", "/api/v1/connections/{id}", Permission(P::ManageConnections)),
    ("delete", "/api/v1/connections/{id}", Permission(P::ManageConnections)),
    ("post", "/api/v1/connections/{id}/check", Permission(P::ManageConnections)),
    // Proven by a signature.
    ("post", "/api/v1/connections/{id}/callback", Nothing),
    ("post", "/api/v1/connections/{id}/detect", Permission(P::DetectSystems)),
    ("get", "/api/v1/requests", Permission(P::ReadRequests)),
    ("post", "/api/v1/requests", Permission(P::CreateRequests)),
    ("post", "/api/v1/requests/bulk", Permission(P::CreateRequests)),
    ("post", "/api/v1/requests/search", Permission(P::ReadRequests)),
    ("get", "/api/v1/requests/{id}", Permission(P::ReadRequests)),
    ("get", "/api/v1/requests/{id}/runs", Permission(P::ReadRequests)),
    ("get", "/api/v1/requests/{id}/events", Permission(P::ReadRequests)),
    ("get", "/api/v1/requests/{id}/records", Permission(P::ReadRecords)),
    ("get", "/api/v1/requests/{id}/package", Permission(P::ReadRecords)),
    ("get", "/api/v1/requests/{id}/certificate", Permission(P::ReadRequests)),
    ("get", "/api/v1/requests/{id}/plan", Permission(P::ReadRequests)),
    ("get", "/api/v1/requests/{id}/mails", Permission(P::ReadRequests)),
    ("post", "/api/v1/requests/{id}/mails/{mail}/retry", Permission(P::WorkOnRequests)),
    ("get", "/api/v1/requests/{id}/records/{record}/file", Permission(P::ReadRecords)),
    ("post", "/api/v1/requests/{id}/verify", Permission(P::WorkOnRequests)),
    ("post", "/api/v1/requests/{id}/send-link", Permission(P::WorkOnRequests)),
    ("post", "/api/v1/requests/{id}/start", Permission(P::WorkOnRequests)),
    ("post", "/api/v1/requests/{id}/process", Permission(P::WorkOnRequests)),
    ("post", "/api/v1/requests/{id}/deny", Permission(P::WorkOnRequests)),
    ("post", "/api/v1/requests/{id}/hold", Permission(P::WorkOnRequests)),
    ("post", "/api/v1/requests/{id}/resume", Permission(P::WorkOnRequests)),
    ("post", "/api/v1/requests/{id}/withdraw", Permission(P::WorkOnRequests)),
    ("patch", "/api/v1/requests/{id}/records/{record}", Permission(P::WorkOnRequests)),
    ("patch", "/api/v1/requests/{id}/runs/{run}", Permission(P::WorkOnRequests)),
    ("post", "/api/v1/requests/{id}/runs/{run}/retry", Permission(P::WorkOnRequests)),
    ("post", "/api/v1/requests/{id}/runs/{run}/skip", Permission(P::WorkOnRequests)),
    ("post", "/api/v1/requests/{id}/runs/{run}/stop", Permission(P::WorkOnRequests)),
    ("post", "/api/v1/requests/{id}/runs/{run}/answer", Permission(P::WorkOnRequests)),
    ("post", "/api/v1/requests/{id}/runs/{run}/hand-over", Permission(P::WorkOnRequests)),
    ("get", "/api/v1/api-keys", Permission(P::ReadApiKeys)),
    ("post", "/api/v1/api-keys", Permission(P::ManageApiKeys)),
    ("delete", "/api/v1/api-keys/{id}", Permission(P::ManageApiKeys)),
    ("post", "/api/v1/api-keys/{id}/revoke", Permission(P::ManageApiKeys)),
    ("get", "/api/v1/audit", Permission(P::ReadAudit)),
    ("get", "/api/v1/audit/verify", Permission(P::ReadAudit)),
    ("post", "/api/v1/audit/verify", Permission(P::ReadAudit)),
    ("get", "/api/v1/audit/seal", Permission(P::ReadAudit)),
];

/// What the operation needs; `None` if there is none of that method and path.
#[must_use]
pub fn need(method: &str, path: &str) -> Option<Need> {
    OPERATIONS.iter().find(|(by, at, _)| *by == method && *at == path).map(|(_, _, need)| *need)
}
