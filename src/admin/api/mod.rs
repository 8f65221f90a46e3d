//! `/api/v1`: what people do with events and runs, for the commands, for pages and for scripts.
//!
//! Each handler says by `utoipa::path` what it takes and gives, and it is routed by that same statement, so the OpenAPI
//! document and the routes cannot differ.

mod asked;
mod dead;
mod events;
mod filters;
mod many;
mod pauses;
mod reconciling;
mod refusal;
mod rerouting;
mod rules;
mod runs;
mod status;
mod telling;

use std::sync::Arc;

use axum::Router;
use axum::response::Json;
use axum::routing::get;
use jiff::Timestamp;
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::views::Problem;
use crate::clock::SharedClock;
use crate::store::{Deciding, Store};
use crate::telemetry::Readiness;

pub use filters::RunsAsked;
pub(super) use refusal::Refusal;

/// Where the API lives.
pub(super) const BASE: &str = "/api/v1";

/// The name of the security scheme in the document.
const TOKEN: &str = "token";

/// The longest name of a person that is kept.
const NAME_MAX: usize = 100;

/// What the API works on.
#[derive(Clone, Debug)]
pub struct Api {
    /// Events and runs.
    pub store: Arc<dyn Store>,
    /// Where the time comes from.
    pub clock: SharedClock,
    /// Whether the gateway is ready.
    pub readiness: Readiness,
}

/// What the document says about itself.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Cuegate's admin API",
        description = "What people do with events and runs. Answers other than success have the form of `Problem`.",
    ),
    components(schemas(Problem))
)]
struct Document;

impl Api {
    /// The routes, and the document about them.
    pub(super) fn routes(self) -> Router {
        let (routes, document) = router(self).split_for_parts();
        let document = Arc::new(with_token(document));
        let answer = get(move || {
            let document = Arc::clone(&document);
            async move { Json((*document).clone()) }
        });
        routes.route(&format!("{BASE}/openapi.json"), answer)
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Who decides something, now.
    fn deciding(&self, by: Option<String>) -> Result<Deciding, Refusal> {
        let by = by
            .map(|by| by.trim().to_owned())
            .filter(|by| !by.is_empty());
        if by
            .as_ref()
            .is_some_and(|by| by.chars().count() > NAME_MAX || by.contains(char::is_control))
        {
            return Err(Refusal::bad(
                format!(
                    "by: a name may have {NAME_MAX} characters, none of them a control character"
                ),
                "",
            ));
        }
        Ok(Deciding { by, at: self.now() })
    }
}

fn router(api: Api) -> OpenApiRouter {
    let routes = OpenApiRouter::new()
        .routes(routes!(status::status))
        .routes(routes!(events::list))
        .routes(routes!(rerouting::failures))
        .routes(routes!(rerouting::reroute))
        .routes(routes!(rerouting::replay))
        .routes(routes!(reconciling::reconcile))
        .routes(routes!(events::show))
        .routes(routes!(runs::list))
        .routes(routes!(many::count))
        .routes(routes!(many::retry))
        .routes(routes!(many::replay))
        .routes(routes!(many::cancel))
        .routes(routes!(runs::show))
        .routes(routes!(runs::journal))
        .routes(routes!(runs::repeats))
        .routes(routes!(runs::retry))
        .routes(routes!(runs::replay))
        .routes(routes!(runs::cancel))
        .routes(routes!(dead::dead))
        .routes(routes!(pauses::list, pauses::pause, pauses::resume))
        .routes(routes!(rules::rules))
        .with_state(api);
    OpenApiRouter::with_openapi(Document::openapi()).nest(BASE, routes)
}

fn with_token(mut document: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    env!("CARGO_PKG_VERSION").clone_into(&mut document.info.version);
    let scheme = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(
            "One of `[server] admin_tokens`. Without tokens the listener is on loopback and asks for none.",
        ))
        .build();
    let components = document.components.get_or_insert_with(Default::default);
    components.add_security_scheme(TOKEN, SecurityScheme::Http(scheme));
    let no_scopes: [&str; 0] = [];
    document.security = Some(vec![SecurityRequirement::new(TOKEN, no_scopes)]);
    document
}
