//! Handlers: read the input, call one function of casework, show the result.

use axum::extract::DefaultBodyLimit;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt as _};
use utoipa_axum::routes;

use crate::codes;
use crate::problem::Problem;
use crate::state::ServerState;

mod api_keys;
mod audit;
mod bulk;
mod callbacks;
mod certificate;
mod connections;
mod documents;
mod health;
mod integrations;
mod mails;
mod package;
mod plan;
mod policies;
mod records;
mod requests;
mod runs;
mod workers;

/// How many times more than others the bulk route takes. Forms with files count for themselves.
const LARGE_FACTOR: usize = 32;

/// Every route with its part of the OpenAPI document.
pub(crate) fn all(body_limit: usize) -> OpenApiRouter<ServerState> {
    let large = DefaultBodyLimit::max(body_limit.saturating_mul(LARGE_FACTOR));
    OpenApiRouter::default()
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
        .routes(routes!(health::metrics))
        .routes(routes!(documents::openapi_document))
        .routes(routes!(documents::error_page))
        .routes(routes!(integrations::list_integrations))
        .routes(routes!(integrations::show_integration))
        .routes(routes!(policies::list_policies))
        .routes(routes!(connections::list_connections, connections::add_connection))
        .routes(routes!(connections::plan_connections))
        .routes(routes!(
            connections::show_connection,
            connections::edit_connection,
            connections::remove_connection
        ))
        .routes(routes!(connections::check_connection))
        .routes(routes!(connections::detect_systems))
        .routes(routes!(callbacks::take_callback).layer(large))
        .routes(routes!(requests::list_requests, requests::create_request))
        .routes(routes!(bulk::create_requests).layer(large))
        .routes(routes!(requests::search_requests))
        .routes(routes!(requests::show_request))
        .routes(routes!(requests::list_events))
        .routes(routes!(requests::start_request))
        .routes(routes!(requests::process_request))
        .routes(routes!(requests::deny_request))
        .routes(routes!(requests::hold_request))
        .routes(routes!(requests::resume_request))
        .routes(routes!(requests::withdraw_request))
        .routes(routes!(requests::verify_request))
        .routes(routes!(requests::send_download_link))
        .routes(routes!(certificate::read_certificate))
        .routes(routes!(plan::show_plan))
        .routes(routes!(mails::list_mails))
        .routes(routes!(mails::retry_mail))
        .routes(routes!(package::read_package))
        .routes(routes!(records::list_records))
        .routes(routes!(records::select_record))
        .routes(routes!(records::read_file))
        .routes(routes!(runs::list_runs))
        .routes(routes!(runs::select_run))
        .routes(routes!(runs::retry_run))
        .routes(routes!(runs::skip_run))
        .routes(routes!(runs::stop_run))
        .routes(routes!(runs::answer_run).layer(DefaultBodyLimit::disable()))
        .routes(routes!(runs::hand_over_run))
        .routes(routes!(api_keys::list_api_keys, api_keys::create_api_key))
        .routes(routes!(api_keys::delete_api_key))
        .routes(routes!(api_keys::revoke_api_key))
        .routes(routes!(audit::list_audit_events))
        .routes(routes!(audit::verify_audit, audit::verify_audit_with_anchor))
        .routes(routes!(audit::newest_seal))
        .routes(routes!(workers::list_workers))
}

/// An address that leads nowhere.
pub(crate) async fn no_such_route() -> Problem {
    Problem::new(codes::NOT_FOUND, "this address leads nowhere; `/openapi.json` lists those that do")
}

/// An address that exists, with a method that it does not offer.
pub(crate) async fn no_such_method() -> Problem {
    Problem::new(codes::METHOD_NOT_ALLOWED, "the header `Allow` lists the methods that this address offers")
}
