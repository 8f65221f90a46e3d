//! The simulator as its clients see it: over HTTP, with a real receiver for what it sends.
//!
//! What it answers is held against the bodies that real deployments recorded, where those are at hand: they
//! are not ours to ship, so the tests look for them beside the repository and in `ICONIK_RECORDINGS`.

#![expect(
    clippy::unwrap_used,
    reason = "the helpers of tests fail like the tests themselves"
)]

mod comparison;
mod door;
mod events;
mod families;
mod files;
mod foreign;
mod lag;
mod lists;
mod metadata;
mod objects;
mod recordings;
mod search;
mod trouble;
mod watching;
mod works;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use cuegate::clock::{SharedClock, SystemClock};
use cuegate::simulator::{Simulator, SimulatorOptions};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};

/// Longer than any step needs, so that a test that hangs fails.
const DEADLINE: Duration = Duration::from_secs(20);

/// A simulator and a client with its token.
pub(crate) struct Iconik {
    pub(crate) simulator: Simulator,
    client: reqwest::Client,
}

/// Options of a simulator whose lists show everything at once.
pub(crate) fn prompt() -> SimulatorOptions {
    SimulatorOptions {
        index_lag: Duration::ZERO,
        ..SimulatorOptions::default()
    }
}

/// A status and a body; null where there is no JSON.
type Answer = (u16, Value);

impl Iconik {
    async fn start() -> Self {
        Self::with(prompt()).await
    }

    pub(crate) async fn with(options: SimulatorOptions) -> Self {
        Self::at(options, Arc::new(SystemClock)).await
    }

    async fn at(options: SimulatorOptions, clock: SharedClock) -> Self {
        let simulator = Simulator::start(options, clock).await.unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { simulator, client }
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = method.parse().unwrap();
        let url = format!("{}/{path}", self.simulator.base_url());
        self.client
            .request(method, url)
            .header("App-ID", "demo")
            .header("Auth-Token", "demo")
    }

    async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.json(&body);
        }
        answer(request.send().await.unwrap()).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, None).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.call("POST", path, Some(body)).await
    }

    async fn put(&self, path: &str, body: Value) -> Answer {
        self.call("PUT", path, Some(body)).await
    }

    async fn patch(&self, path: &str, body: Value) -> Answer {
        self.call("PATCH", path, Some(body)).await
    }

    async fn delete(&self, path: &str) -> Answer {
        self.call("DELETE", path, None).await
    }

    /// Makes something and returns its id.
    async fn make(&self, path: &str, body: Value) -> String {
        let (status, made) = self.post(path, body).await;
        assert_eq!(status, 201, "{made}");
        made["id"].as_str().unwrap().to_owned()
    }

    async fn asset(&self, title: &str) -> String {
        self.make("assets/v1/assets/", json!({ "title": title }))
            .await
    }
}

async fn answer(response: reqwest::Response) -> Answer {
    let status = response.status().as_u16();
    let body = response.bytes().await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

/// Fails the test when the step takes too long.
async fn within<T>(step: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, step)
        .await
        .expect("the step should have ended long ago")
}

fn keys(object: &Value) -> BTreeSet<&str> {
    object
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

/// What a receiver got.
#[derive(Debug)]
pub(crate) struct Received {
    headers: HeaderMap,
    body: Value,
}

/// A web server that keeps what it gets and answers as told.
pub(crate) struct Receiver {
    pub(crate) url: String,
    received: mpsc::Receiver<Received>,
    answers: mpsc::Sender<(StatusCode, Value)>,
}

type Desk = Arc<(
    mpsc::Sender<Received>,
    Mutex<mpsc::Receiver<(StatusCode, Value)>>,
)>;

impl Receiver {
    /// Answers 200 unless [`Receiver::will_answer`] said otherwise.
    pub(crate) async fn start() -> Self {
        let (sender, received) = mpsc::channel(1000);
        let (answers, script) = mpsc::channel(1000);
        let desk: Desk = Arc::new((sender, Mutex::new(script)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let app = Router::new()
            .route("/hook", axum::routing::post(receive))
            .with_state(desk);
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self {
            url,
            received,
            answers,
        }
    }

    async fn will_answer(&self, status: u16, body: Value) {
        let status = StatusCode::from_u16(status).unwrap();
        self.answers.send((status, body)).await.unwrap();
    }

    async fn next(&mut self) -> Received {
        within(self.received.recv()).await.unwrap()
    }

    fn is_quiet(&mut self) -> bool {
        self.received.try_recv().is_err()
    }
}

async fn receive(State(desk): State<Desk>, headers: HeaderMap, body: Bytes) -> impl IntoResponse {
    let body = serde_json::from_slice(&body).unwrap();
    desk.0.send(Received { headers, body }).await.unwrap();
    let answer = desk.1.lock().await.try_recv();
    let (status, body) = answer.unwrap_or((StatusCode::OK, json!({})));
    (status, axum::Json(body))
}
