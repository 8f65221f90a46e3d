//! The second listener, where operators and monitoring look.
//!
//! It is apart from the public one so that nothing of it can be reached by whoever may send events, and so that
//! it still answers when the public listener is overloaded. Everything that changes something will live under
//! `/api/v1`, merged in [`router`] beside what is here.

mod gauges;
mod probe;

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use serde_json::json;
use tokio::net::TcpListener;

use crate::store::Counted;
use crate::telemetry::{Metrics, Readiness, health_routes};

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
}

/// `/healthz`, `/readyz`, `/metrics`; anything else is a 404 in JSON.
pub fn router(admin: Admin) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .with_state(admin.clone())
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

async fn metrics(State(admin): State<Admin>) -> Response {
    gauges::refresh(&*admin.store).await;
    let content_type = [(
        header::CONTENT_TYPE,
        "text/plain; version=0.0.4; charset=utf-8",
    )];
    (content_type, admin.metrics.render()).into_response()
}

async fn unknown_path(uri: Uri) -> Response {
    error(
        StatusCode::NOT_FOUND,
        "not_found",
        &format!(
            "nothing is at {} on the admin listener; there are /healthz, /readyz and /metrics",
            uri.path()
        ),
    )
}

async fn wrong_method(method: Method, uri: Uri) -> Response {
    error(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        &format!("{} cannot be asked with {method}; use GET", uri.path()),
    )
}

fn error(status: StatusCode, error: &str, message: &str) -> Response {
    (status, Json(json!({ "error": error, "message": message }))).into_response()
}

#[cfg(test)]
mod tests;
