//! `/healthz` and `/readyz`, the same on both listeners.
//!
//! `/healthz` says that the process answers and nothing more: a supervisor that restarts it because its disk is
//! full would only make things worse. `/readyz` says whether it wants traffic.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use super::Readiness;

/// `GET /healthz` (always 200) and `GET /readyz` (200 or 503 with [`Readiness::report`]).
pub fn health_routes(readiness: Readiness) -> Router {
    Router::new()
        .route("/healthz", get(healthy))
        .route("/readyz", get(ready))
        .with_state(readiness)
}

async fn healthy() -> Response {
    Json(json!({ "status": "ok" })).into_response()
}

async fn ready(State(readiness): State<Readiness>) -> Response {
    let report = readiness.report();
    let status = if report["ready"] == true {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(report)).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use serde_json::Value;
    use tower::ServiceExt as _;

    use super::*;
    use crate::telemetry::Part;

    async fn get_json(readiness: &Readiness, path: &str) -> (StatusCode, Value) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = health_routes(readiness.clone())
            .oneshot(request)
            .await
            .unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), 4_096).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn it_is_alive_from_the_start_and_ready_only_when_every_part_is() {
        let readiness = Readiness::new();
        assert_eq!(
            get_json(&readiness, "/healthz").await,
            (StatusCode::OK, json!({ "status": "ok" }))
        );
        let (status, report) = get_json(&readiness, "/readyz").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(
            report["parts"]["rule_set"],
            "no rule set that compiles has been loaded"
        );

        for part in Part::ALL {
            readiness.ready(part);
        }
        let (status, report) = get_json(&readiness, "/readyz").await;
        assert_eq!(
            (status, &report["ready"]),
            (StatusCode::OK, &Value::Bool(true))
        );

        readiness.drain();
        assert_eq!(
            get_json(&readiness, "/readyz").await.0,
            StatusCode::SERVICE_UNAVAILABLE
        );
        assert_eq!(get_json(&readiness, "/healthz").await.0, StatusCode::OK);
    }
}
