//! The envelope every answer of the API comes in.

use axum::http::{HeaderName, StatusCode};
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::ids;
use super::knobs::{Knobs, RequestId};
use crate::answers;
use crate::random::Random;

/// What `meta` says besides the status.
#[derive(Clone, Debug)]
pub(super) struct Meta {
    /// `None`: there is no such field.
    request_id: Option<Value>,
    notice: Option<String>,
    /// Instead of the real status.
    http_status: Option<String>,
    instance_id: String,
}

impl Meta {
    pub(super) fn new(random: &mut Random, knobs: &Knobs) -> Self {
        let request_id = match knobs.request_id {
            RequestId::Uuid => Some(Value::String(ids::uuid(random))),
            RequestId::Null => Some(Value::Null),
            RequestId::Empty => Some(Value::String(String::new())),
            RequestId::Absent => None,
        };
        Self {
            request_id,
            notice: knobs.notice.clone(),
            http_status: knobs.http_status.clone(),
            instance_id: ids::uuid(random),
        }
    }

    pub(super) fn with_notice(self, notice: String) -> Self {
        Self { notice: Some(notice), ..self }
    }

    fn fields(&self, status: StatusCode) -> Map<String, Value> {
        let mut meta = Map::new();
        let http_status = self.http_status.clone().unwrap_or_else(|| http_status(status));
        meta.insert("httpStatus".to_owned(), http_status.into());
        if let Some(request_id) = &self.request_id {
            meta.insert("requestId".to_owned(), request_id.clone());
        }
        meta
    }
}

/// For example `404 - Not Found`.
fn http_status(status: StatusCode) -> String {
    let reason = match status {
        StatusCode::SERVICE_UNAVAILABLE => "Temporary Internal Server Error",
        other => other.canonical_reason().unwrap_or("Error"),
    };
    format!("{} - {reason}", status.as_u16())
}

/// The headers the vendor sends with everything.
fn dressed(mut response: Response) -> Response {
    for (name, value) in [
        ("request-time", "3"),
        ("strict-transport-security", "max-age=31536000; includeSubDomains; preload"),
        ("x-frame-options", "DENY"),
    ] {
        answers::set_header(&mut response, HeaderName::from_static(name), value);
    }
    response
}

/// Success; without a result there is only `meta`.
pub(super) fn success(result: Option<Value>, meta: &Meta) -> Response {
    let mut fields = meta.fields(StatusCode::OK);
    if let Some(notice) = &meta.notice {
        fields.insert("notice".to_owned(), notice.clone().into());
    }
    let body = match result {
        Some(result) => json!({"result": result, "meta": fields}),
        None => json!({ "meta": fields }),
    };
    dressed(answers::json(StatusCode::OK, &body))
}

/// Why a call was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    status: StatusCode,
    code: Option<&'static str>,
    message: String,
    /// Some refusals never carry a request id.
    anonymous: bool,
}

impl Failure {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { code: Some(code), ..Self::without_code(status, message) }
    }

    pub(super) fn without_code(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, code: None, message: message.into(), anonymous: false }
    }

    /// Own choice: of the refusals of bad input no code is known, so they have none.
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::without_code(StatusCode::BAD_REQUEST, message)
    }

    /// Own choice: what is seen live for some kind of object is said of all that have nothing of their own.
    pub(super) fn not_found(id: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "ESSG_2", format!("{id} not found"))
    }

    /// `requestId` is `""`.
    pub(super) fn anonymous(self) -> Self {
        Self { anonymous: true, ..self }
    }

    pub(super) fn body(&self, meta: &Meta) -> Value {
        let mut error = Map::new();
        error.insert("errorMessage".to_owned(), self.message.clone().into());
        if let Some(code) = self.code {
            error.insert("errorCode".to_owned(), code.into());
        }
        if self.status.is_server_error() {
            error.insert("instanceId".to_owned(), meta.instance_id.clone().into());
        }
        let mut fields = meta.fields(self.status);
        if self.anonymous {
            fields.insert("requestId".to_owned(), "".into());
        }
        fields.insert("error".to_owned(), error.into());
        json!({ "meta": fields })
    }

    pub(super) fn answer(&self, meta: &Meta) -> Response {
        dressed(answers::json(self.status, &self.body(meta)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors() {
        let meta = Meta {
            request_id: Some(Value::Null),
            notice: Some("n".to_owned()),
            http_status: None,
            instance_id: "i".to_owned(),
        };
        let missing = Failure::not_found("CID_x").body(&meta);
        let expected = json!({"meta": {"httpStatus": "404 - Not Found", "requestId": null,
            "error": {"errorMessage": "CID_x not found", "errorCode": "ESSG_2"}}});
        assert_eq!(missing, expected);
        let down = Failure::without_code(StatusCode::SERVICE_UNAVAILABLE, "m").anonymous().body(&meta);
        let expected = json!({"meta": {"httpStatus": "503 - Temporary Internal Server Error", "requestId": "",
            "error": {"errorMessage": "m", "instanceId": "i"}}});
        assert_eq!(down, expected);
    }
}
