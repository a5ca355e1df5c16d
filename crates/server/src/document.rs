//! The OpenAPI document: what the handlers say of themselves, and what holds for all of them.

use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi as Document, PathItem, Ref, RefOr, ResponseBuilder};
use utoipa::{OpenApi, PartialSchema as _, ToSchema as _};

use crate::permissions::{self, Need};
use crate::problem::PROBLEM_JSON;
use crate::routes;
use crate::shapes::problem::{FieldProblemShape, ProblemShape};
use crate::state::ServerOptions;

const SCHEME: &str = "key";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Habeas",
        description = "Privacy requests: taken in, carried out in every connected system, reviewed, delivered or \
                       erased, and proven.\n\nUnknown fields and parameters are refused. Times are RFC 3339, dates \
                       ISO 8601. Lists give `next_cursor`, to be sent as `cursor`. `Idempotency-Key` is honoured by \
                       `POST /api/v1/requests` and `POST /api/v1/requests/bulk`, and by no other operation. Errors are problem documents (RFC 9457) \
                       with a stable `code`; each code has a page at `/docs/errors/CODE`."
    ),
    tags(
        (name = "requests", description = "One subject exercising one right"),
        (name = "runs", description = "One connection's part in a request"),
        (name = "mails", description = "What was written to people, and what became of it"),
        (name = "records", description = "What was found about a subject; reading it is written into the audit log"),
        (name = "connections", description = "Configured integrations"),
        (name = "integrations", description = "The catalogue"),
        (name = "policies", description = "Legal frameworks"),
        (name = "api-keys", description = "Who may call"),
        (name = "audit", description = "The log of everything that happened"),
        (name = "operation", description = "Health, metrics, documents; no key needed")
    )
)]
struct Frame;

/// The OpenAPI 3.1 document of everything that [`crate::router`] serves.
#[must_use]
pub fn openapi() -> Document {
    let (_, mut document) = routes::all(ServerOptions::default().body_limit).split_for_parts();
    let mut frame = Frame::openapi();
    frame.merge(std::mem::take(&mut document));
    let components = frame.components.get_or_insert_default();
    let scheme = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("An API key (`habeas keys create`)."))
        .build();
    components.add_security_scheme(SCHEME, SecurityScheme::Http(scheme));
    components.schemas.insert(ProblemShape::name().into_owned(), ProblemShape::schema());
    components.schemas.insert(FieldProblemShape::name().into_owned(), FieldProblemShape::schema());
    for (path, item) in &mut frame.paths.paths {
        for (method, operation) in operations(item) {
            complete(operation, permissions::need(method, path));
        }
    }
    frame
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let PathItem { get, post, patch, delete, .. } = item;
    [("get", get), ("post", post), ("patch", patch), ("delete", delete)]
        .into_iter()
        .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

fn complete(operation: &mut Operation, need: Option<Need>) {
    let text = match need {
        None | Some(Need::Nothing) => None,
        Some(Need::AnyKey) => Some("Needs a key with any role.".to_owned()),
        Some(Need::Permission(permission)) => {
            operation
                .extensions
                .get_or_insert_default()
                .merge(Extensions::from_iter([("x-permission", permission.as_str())]));
            Some(format!("Needs the permission `{permission}`."))
        }
    };
    if let Some(text) = text {
        operation.security = Some(vec![SecurityRequirement::new(SCHEME, Vec::<String>::new())]);
        let description =
            operation.description.take().map_or_else(|| text.clone(), |said| format!("{said}\n\n{text}"));
        operation.description = Some(description);
    }
    let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name(ProblemShape::name()))).build();
    let refusal =
        ResponseBuilder::new().description("A problem document").content(PROBLEM_JSON, problem).build();
    operation.responses.responses.insert("default".to_owned(), RefOr::T(refusal));
}
