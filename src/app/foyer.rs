//! What is answered while the gateway is still starting.
//!
//! A start may have to wait a minute for the process before it to let go of the data. Senders are told to come again
//! then instead of hanging, and a supervisor sees a process that lives and is not ready. An ordinary start is so short
//! that connections rather wait for it.

use std::io;
use std::os::fd::AsFd as _;
use std::time::Duration;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::gateway::stopped;
use crate::config::Limits;
use crate::ingress;
use crate::telemetry::{Readiness, health_routes};

/// A start that is done by then needs nobody to answer for it.
const ORDINARY: Duration = Duration::from_secs(1);

/// How long requests may take to end when the start is over.
const LEAVE_WITHIN: Duration = Duration::from_secs(2);

/// Waits for a start, and answers on the listeners if it takes long. The listeners are free again afterwards.
pub(super) async fn answer_during<T>(
    start: impl Future<Output = T>,
    listeners: [&TcpListener; 2],
    readiness: &Readiness,
    limits: &Limits,
) -> T {
    tokio::pin!(start);
    if let Ok(started) = tokio::time::timeout(ORDINARY, &mut start).await {
        return started;
    }
    let leave = watch::Sender::new(false);
    let mut doors = JoinSet::new();
    for listener in listeners {
        let door = match again(listener) {
            Ok(door) => door,
            Err(error) => {
                tracing::warn!(%error, "nothing is answered until the gateway has started");
                continue;
            }
        };
        let (router, limits) = (router(readiness.clone()), limits.clone());
        let until = stopped(&leave);
        doors
            .spawn(async move { ingress::serve(door, router, &limits, LEAVE_WITHIN, until).await });
    }
    let [hooks, admin] = listeners.map(address);
    tracing::info!(%hooks, %admin, "the start takes a while: senders are told to come again");
    let started = start.await;
    leave.send_replace(true);
    while let Some(left) = doors.join_next().await {
        if let Err(error) = left {
            tracing::error!(%error, "what answered during the start did not end in order");
        }
    }
    started
}

/// A second hold of a listener: connections that neither has taken stay in the queue of the socket.
fn again(listener: &TcpListener) -> io::Result<TcpListener> {
    let same = listener.as_fd().try_clone_to_owned()?;
    TcpListener::from_std(std::net::TcpListener::from(same))
}

fn address(listener: &TcpListener) -> String {
    listener
        .local_addr()
        .map_or_else(|error| error.to_string(), |address| address.to_string())
}

fn router(readiness: Readiness) -> Router {
    Router::new()
        .merge(health_routes(readiness))
        .fallback(starting)
}

async fn starting() -> Response {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let body =
        json!({ "error": "the gateway is starting; try again later", "status": status.as_u16() });
    (status, [(header::RETRY_AFTER, "5")], Json(body)).into_response()
}
