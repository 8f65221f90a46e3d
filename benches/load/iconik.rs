//! An Iconik that answers at once and keeps count, for what is measured under load. It knows three requests: reading
//! an asset, changing its title, making a job.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Json;
use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::gateway::Budgeted;

const WINDOW: Duration = Duration::from_secs(1);

/// What came in.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Requests a second that are let through; 0 lets all through.
    limit: AtomicUsize,
    window: Mutex<VecDeque<Instant>>,
    /// Requests that were answered 429.
    pub(super) throttled: AtomicU64,
    /// Titles that were set.
    pub(super) writes: AtomicU64,
    titles: Mutex<HashMap<String, Vec<u64>>>,
    jobs: Mutex<HashMap<String, Instant>>,
}

impl Seen {
    /// The numbers that were written as titles, in their order, by asset.
    pub(super) fn titles(&self) -> HashMap<String, Vec<u64>> {
        lock(&self.titles).clone()
    }

    /// When the job with this title was made.
    pub(super) fn job(&self, title: &str) -> Option<Instant> {
        lock(&self.jobs).get(title).copied()
    }

    fn admits(&self) -> bool {
        let limit = self.limit.load(Ordering::Relaxed);
        if limit == 0 {
            return true;
        }
        let now = Instant::now();
        let mut window = lock(&self.window);
        while window.front().is_some_and(|first| now - *first >= WINDOW) {
            window.pop_front();
        }
        if window.len() >= limit {
            self.throttled.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        window.push_back(now);
        true
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The server.
#[derive(Debug)]
pub(super) struct Iconik {
    /// What came in.
    pub(super) seen: Arc<Seen>,
    addr: SocketAddr,
    serving: Option<JoinHandle<()>>,
}

impl Iconik {
    /// Takes a port and does not listen on it yet: connections are refused.
    pub(super) async fn away() -> anyhow::Result<Self> {
        let addr = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
        Ok(Self {
            seen: Arc::default(),
            addr,
            serving: None,
        })
    }

    /// How a gateway finds it, and how often it may call.
    pub(super) fn budgeted(&self, calls_per_second: u32) -> Budgeted {
        Budgeted {
            base_url: format!("http://{}/API", self.addr),
            calls_per_second,
        }
    }

    /// Answers from now on, so many requests a second, or all with 0.
    pub(super) async fn come(&mut self, per_second: usize) -> anyhow::Result<()> {
        self.seen.limit.store(per_second, Ordering::Relaxed);
        let listener = TcpListener::bind(self.addr).await?;
        let routes = routes(Arc::clone(&self.seen));
        self.serving = Some(tokio::spawn(async move {
            // It ends with the bench.
            let _ = axum::serve(listener, routes).await;
        }));
        Ok(())
    }
}

impl Drop for Iconik {
    fn drop(&mut self) {
        if let Some(serving) = &self.serving {
            serving.abort();
        }
    }
}

fn routes(seen: Arc<Seen>) -> Router {
    Router::new()
        .route("/API/users/v1/users/current/", get(current_user))
        .route("/API/assets/v1/assets/{id}/", get(asset).patch(set_title))
        .route("/API/jobs/v1/jobs/", post(make_job))
        .layer(middleware::from_fn_with_state(Arc::clone(&seen), limit))
        .with_state(seen)
}

async fn limit(State(seen): State<Arc<Seen>>, request: Request, next: Next) -> Response {
    if seen.admits() {
        next.run(request).await
    } else {
        (
            StatusCode::TOO_MANY_REQUESTS,
            Json(json!({ "errors": ["too many"] })),
        )
            .into_response()
    }
}

async fn current_user() -> Json<Value> {
    Json(
        json!({ "id": "00000000-0000-4000-8000-00000000be9c", "system_domain_id": super::events::DOMAIN }),
    )
}

async fn asset(Path(id): Path<String>) -> Json<Value> {
    Json(json!({ "id": id, "title": "Evening game" }))
}

async fn set_title(
    State(seen): State<Arc<Seen>>,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Json<Value> {
    let number = body["title"].as_str().and_then(|text| text.parse().ok());
    lock(&seen.titles)
        .entry(id.clone())
        .or_default()
        .push(number.unwrap_or(0));
    seen.writes.fetch_add(1, Ordering::Relaxed);
    Json(json!({ "id": id, "title": body["title"] }))
}

async fn make_job(
    State(seen): State<Arc<Seen>>,
    Json(mut body): Json<Value>,
) -> (StatusCode, Json<Value>) {
    let title = body["title"].as_str().unwrap_or_default().to_owned();
    lock(&seen.jobs).insert(title.clone(), Instant::now());
    body["id"] = Value::from(format!("job-{title}"));
    (StatusCode::CREATED, Json(body))
}
