//! Every error code there is. A code without a page below `docs/errors` does not compile.

use axum::http::StatusCode;

/// A stable error code with its status, its title and its page.
#[derive(Clone, Copy, Debug)]
pub struct Code {
    /// As programs see it.
    pub name: &'static str,
    /// The HTTP status it comes with; `None` if it stands only in the `error` of a run or a connection's check, or at a
    /// mail.
    pub status: Option<StatusCode>,
    /// As people read it.
    pub title: &'static str,
    /// What it means, why it happens and what to do (Markdown).
    pub page: &'static str,
}

macro_rules! codes {
    ($($constant:ident, $name:literal, $status:expr, $title:literal;)+) => {
        $(
            #[doc = concat!("`", $name, "`")]
            pub const $constant: Code = Code {
                name: $name,
                status: $status,
                title: $title,
                page: include_str!(concat!("../../../docs/errors/", $name, ".md")),
            };
        )+

        /// All of them.
        pub static CODES: &[Code] = &[$($constant),+];
    };
}

use StatusCode as S;

codes! {
    VALIDATION, "validation", Some(S::UNPROCESSABLE_ENTITY), "The input cannot be used";
    MALFORMED_JSON, "malformed_json", Some(S::BAD_REQUEST), "The body is not JSON";
    BODY_UNREADABLE, "body_unreadable", Some(S::BAD_REQUEST), "The body did not arrive completely";
    PAYLOAD_TOO_LARGE, "payload_too_large", Some(S::PAYLOAD_TOO_LARGE), "The body is too large";
    UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", Some(S::UNSUPPORTED_MEDIA_TYPE), "The body has another type than expected";
    METHOD_NOT_ALLOWED, "method_not_allowed", Some(S::METHOD_NOT_ALLOWED), "The address does not offer this method";
    KEY_INVALID, "key_invalid", Some(S::UNAUTHORIZED), "The API key opens nothing";
    ROLE_MISSING, "role_missing", Some(S::FORBIDDEN), "The key's roles do not allow this";
    REVIEW_REQUIRED, "review_required", Some(S::FORBIDDEN), "The review may not be skipped";
    NOT_FOUND, "not_found", Some(S::NOT_FOUND), "There is no such thing";
    CODE_WRONG, "code_wrong", Some(S::FORBIDDEN), "This is not the code that was mailed";
    RATE_LIMITED, "rate_limited", Some(S::TOO_MANY_REQUESTS), "Too many calls in a short time";
    PACKAGE_NOT_READY, "package_not_ready", Some(S::CONFLICT), "The package is still being prepared";
    STILL_OPEN, "still_open", Some(S::CONFLICT), "The request is not closed yet";
    MAIL_HAS_LEFT, "mail_has_left", Some(S::CONFLICT), "The mail has left already";
    STORAGE_UNAVAILABLE, "storage_unavailable", Some(S::SERVICE_UNAVAILABLE), "The storage for packages and files cannot be used";
    FORGOTTEN, "forgotten", Some(S::GONE), "It was destroyed at the end of its retention";
    ILLEGAL_MOVE, "illegal_move", Some(S::CONFLICT), "This is not possible now";
    DUPLICATE_REQUEST, "duplicate_request", Some(S::CONFLICT), "The person has an open request of this right";
    NO_CONNECTION, "no_connection", Some(S::UNPROCESSABLE_ENTITY), "No connected system can serve this";
    IDEMPOTENCY_MISMATCH, "idempotency_mismatch", Some(S::UNPROCESSABLE_ENTITY), "The Idempotency-Key was used for something else";
    IDEMPOTENCY_RACE, "idempotency_race", Some(S::CONFLICT), "The same creation is under way";
    NAME_TAKEN, "name_taken", Some(S::CONFLICT), "The name is in use";
    CALLBACK_FORGED, "callback_forged", Some(S::UNAUTHORIZED), "The callback is not signed with the connection's secret";
    CALLBACK_OUT_OF_TIME, "callback_out_of_time", Some(S::UNAUTHORIZED), "The callback is too old, or from the future";
    CALLBACK_REPEATED, "callback_repeated", Some(S::CONFLICT), "The callback was taken before";
    CALLBACK_JOB_UNKNOWN, "callback_job_unknown", Some(S::NOT_FOUND), "The connection has no such job";
    CALLBACK_TOO_LATE, "callback_too_late", Some(S::CONFLICT), "The job is over already";
    CALLBACK_ON_HOLD, "callback_on_hold", Some(S::SERVICE_UNAVAILABLE), "Nothing is taken while the request is on hold";
    NO_DETECTION, "no_detection", Some(S::CONFLICT), "The connection shows no other systems";
    CONNECTION_CHANGED, "connection_changed", Some(S::CONFLICT), "Somebody else changed the connection meanwhile";
    CONNECTION_IN_USE, "connection_in_use", Some(S::CONFLICT), "Unfinished runs need the connection";
    PERMISSIONS_MISSING, "permissions_missing", Some(S::UNPROCESSABLE_ENTITY), "The vendor account lacks permissions";
    CREDENTIALS_REJECTED, "credentials_rejected", Some(S::UNPROCESSABLE_ENTITY), "The vendor does not accept the credentials";
    CONNECTION_MISCONFIGURED, "connection_misconfigured", Some(S::UNPROCESSABLE_ENTITY), "A setting of the connection cannot work";
    VENDOR_REFUSED, "vendor_refused", Some(S::UNPROCESSABLE_ENTITY), "The vendor refuses this for the account";
    VENDOR_UNAVAILABLE, "vendor_unavailable", Some(S::BAD_GATEWAY), "The vendor cannot be asked now";
    VENDOR_REJECTED_CALL, "vendor_rejected_call", None, "The vendor says that the call is wrong";
    VENDOR_ANSWER_UNUSABLE, "vendor_answer_unusable", None, "The vendor's answer cannot be used";
    VENDOR_RATE_LIMITED, "vendor_rate_limited", None, "The vendor says that it is called too often";
    PACED, "paced", None, "The call waits for its turn";
    VENDOR_JOB_FAILED, "vendor_job_failed", None, "The vendor says that its job failed";
    JOB_OVERDUE, "job_overdue", None, "The vendor takes too long";
    OUTCOME_UNKNOWN, "outcome_unknown", None, "Nobody can say how the deletion ended";
    PARTLY_DELETED, "partly_deleted", None, "Systems behind the vendor did not delete";
    BRAND_USER, "brand_user", None, "The person has an account at the vendor";
    CONTACT_OVERDUE, "contact_overdue", None, "The contact did not answer in time";
    STILL_THERE, "still_there", None, "The system still shows what it deleted";
    MAIL_ADDRESS_UNUSABLE, "mail_address_unusable", None, "The address cannot be written to";
    MAIL_CREDENTIALS_REJECTED, "mail_credentials_rejected", None, "The mail server does not accept the credentials";
    MAIL_DEFERRED, "mail_deferred", None, "The mail server does not take the mail now";
    MAIL_OUTBOX_UNWRITABLE, "mail_outbox_unwritable", None, "The outbox cannot be written";
    MAIL_REFUSED, "mail_refused", None, "The mail server refused the mail for good";
    MAIL_RELAY_REFUSED, "mail_relay_refused", None, "The mail server does not pass mails on for this machine";
    MAIL_SENDER_REFUSED, "mail_sender_refused", None, "The mail server does not accept the sender";
    MAIL_SERVER_UNREACHABLE, "mail_server_unreachable", None, "The mail server cannot be reached";
    MAIL_TLS_FAILED, "mail_tls_failed", None, "There is no encrypted connection to the mail server";
    INTERNAL, "internal", Some(S::INTERNAL_SERVER_ERROR), "Something failed on our side";
    STORE_UNAVAILABLE, "store_unavailable", Some(S::SERVICE_UNAVAILABLE), "The database does not answer";
    NOT_READY, "not_ready", Some(S::SERVICE_UNAVAILABLE), "The server is not ready";
}
