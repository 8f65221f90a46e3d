//! The second listener, where operators and monitoring look.
//!
//! It is apart from the public one so that nothing of it can be reached by whoever may send events, and so that
//! it still answers when the public listener is overloaded. Everything that changes something lives under `/api/v1`
//! and is guarded by `access`.

mod access;
mod api;
mod gauges;
mod probe;
pub mod views;

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Router, middleware};
use tokio::net::TcpListener;

use crate::clock::SharedClock;
use crate::config::MetricsFor;
use crate::store::Counted;
use crate::telemetry::{Metrics, Readiness, health_routes};

use api::Refusal;
use gauges::Gauges;

pub use access::Access;
pub use api::{Api, RunsAsked};
pub use probe::{ProbeError, probe};

/// How often histograms are folded where nobody scrapes.
const FOLD_EVERY: Duration = Duration::from_secs(5);

/// How long a stop waits for an admin request: they are short, and nothing is lost with them.
const STOP_WITHIN: Duration = Duration::from_secs(2);

/// What the admin listener shows.
#[derive(Clone, Debug)]
pub struct Admin {
    /// Whether the gateway is ready.
    pub readiness: Readiness,
    /// What has been counted.
    pub metrics: Metrics,
    /// Asked for its counts at every scrape.
    pub store: Arc<dyn Counted>,
    /// Where the time comes from.
    pub clock: SharedClock,
    /// What people work with.
    pub api: Api,
    /// Who may ask.
    pub access: Access,
    /// Who may read `/metrics`.
    pub metrics_for: MetricsFor,
}

/// `/healthz`, `/readyz`, `/metrics` and `/api/v1`; anything else is a 404 in JSON.
pub fn router(admin: Admin) -> Router {
    let guarded = |routes: Router| {
        routes.layer(middleware::from_fn_with_state(
            admin.access.clone(),
            access::guard,
        ))
    };
    let scraped = Scraped {
        admin: admin.clone(),
        gauges: Arc::default(),
    };
    let metrics = Router::new()
        .route("/metrics", get(metrics))
        .with_state(scraped);
    let metrics = match admin.metrics_for {
        MetricsFor::Token if admin.access.wants_token() => guarded(metrics),
        MetricsFor::Token | MetricsFor::Everybody => metrics,
        MetricsFor::Nobody => Router::new(),
    };
    metrics
        .merge(guarded(admin.api.routes()))
        .merge(health_routes(admin.readiness))
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
}

/// Serves the admin listener until `shutdown`, then lets requests finish for a moment.
///
/// # Errors
///
/// The listener failed.
pub async fn serve(
    listener: TcpListener,
    admin: Admin,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let metrics = admin.metrics.clone();
    let (stopping, stopped) = tokio::sync::oneshot::channel();
    let server = axum::serve(listener, router(admin)).with_graceful_shutdown(async move {
        shutdown.await;
        // Nobody listens only if the server has ended by itself.
        let _ = stopping.send(());
    });
    let give_up = async move {
        let _ = stopped.await;
        tokio::time::sleep(STOP_WITHIN).await;
    };
    let fold = async move {
        let mut tick = tokio::time::interval(FOLD_EVERY);
        loop {
            tick.tick().await;
            metrics.fold();
        }
    };
    tokio::select! {
        result = server.into_future() => result,
        () = give_up => Ok(()),
        () = fold => Ok(()),
    }
}

#[derive(Clone, Debug)]
struct Scraped {
    admin: Admin,
    gauges: Arc<Gauges>,
}

async fn metrics(State(Scraped { admin, gauges }): State<Scraped>) -> Response {
    gauges.refresh(&*admin.store, admin.clock.now()).await;
    let content_type = [(
        header::CONTENT_TYPE,
        "text/plain; version=0.0.4; charset=utf-8",
    )];
    (content_type, admin.metrics.render()).into_response()
}

async fn unknown_path(uri: Uri) -> Response {
    Refusal::missing(
        format!("nothing is at {} on the admin listener", uri.path()),
        "there are /healthz, /readyz, /metrics unless it is off, and what /api/v1/openapi.json lists",
    )
    .into_response()
}

async fn wrong_method(method: Method, uri: Uri) -> Response {
    Refusal::new(
        StatusCode::METHOD_NOT_ALLOWED,
        format!("{} cannot be asked with {method}", uri.path()),
        "/api/v1/openapi.json lists what can be asked",
    )
    .into_response()
}

#[cfg(test)]
mod tests;
