//! The gateway as a whole.

use axum::Json;
use axum::extract::State;

use super::{Api, Refusal};
use crate::admin::views::{PauseView, Status};

/// How the gateway is: ready or not, how much of everything there is, what is stopped.
#[utoipa::path(get, path = "/status", tag = "status", responses((status = OK, body = Status)))]
pub(super) async fn status(State(api): State<Api>) -> Result<Json<Status>, Refusal> {
    let counts = api.store.counts().await?;
    let events = counts.events.into_iter();
    let runs = counts.runs.into_iter();
    Ok(Json(Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        readiness: api.readiness.report(),
        rule_set: counts.rule_set.map(|set| set.0),
        unrouted: counts.unrouted,
        events: events
            .map(|(state, number)| (state.as_str().to_owned(), number))
            .collect(),
        runs: runs
            .map(|(state, number)| (state.as_str().to_owned(), number))
            .collect(),
        // A timer of tomorrow is not due yet.
        due_since: counts.due_since.filter(|since| *since <= api.clock.now()),
        pauses: counts.stopped.into_iter().map(PauseView::from).collect(),
    }))
}
