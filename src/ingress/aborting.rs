//! `/jobs/{key}/abort`: where Iconik says that somebody has pressed Abort on the job that shows how a run is getting on.
//!
//! The address holds a key of its own for each job, and whoever knows it may end that run and do nothing else. No document
//! says how Iconik calls it and with what, so the body is not looked at, nor the method, except that a `GET` or `HEAD` ends
//! nothing: programs that show a preview of an address send these. Should Iconik send one, the job's status still tells.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::ALLOW;
use axum::response::IntoResponse;
use axum::routing::any;

use crate::clock::SharedClock;
use crate::store::{Store, StoreError, abort_run};

/// Ends the runs whose jobs are aborted.
#[derive(Clone, Debug)]
struct Aborting {
    store: Arc<dyn Store>,
    clock: SharedClock,
}

/// The route, to be served beside the hooks.
pub fn aborting(store: Arc<dyn Store>, clock: SharedClock) -> Router {
    Router::new()
        .route("/jobs/{key}/abort", any(abort).get(only_look))
        .with_state(Aborting { store, clock })
}

async fn only_look() -> impl IntoResponse {
    let sentence = "whoever POSTs to this address ends the run that the job shows\n";
    (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "POST")], sentence)
}

async fn abort(State(aborting): State<Aborting>, Path(key): Path<String>) -> StatusCode {
    match aborting.abort(&key).await {
        Ok(true) => StatusCode::OK,
        Ok(false) => StatusCode::NOT_FOUND,
        Err(error) => {
            tracing::warn!(%error, "a run whose job was aborted cannot be ended at the moment");
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}

impl Aborting {
    /// Whether there is a job of this key.
    async fn abort(&self, key: &str) -> Result<bool, StoreError> {
        let Some(run) = self.store.run_of_abort_key(key).await? else {
            return Ok(false);
        };
        abort_run(&*self.store, run, self.clock.now()).await?;
        tracing::info!(%run, "the job of a run was aborted in Iconik");
        Ok(true)
    }
}
