//! The admin listener over real sockets.

use std::net::SocketAddr;
use std::sync::Mutex;

use async_trait::async_trait;
use tokio::sync::oneshot;

use super::*;
use crate::model::{EventState, RunState};
use crate::store::{Counts, StoreError};
use crate::telemetry::{Part, install_metrics};

/// Answers `counts` as it is told and nothing else.
#[derive(Debug)]
struct Counting(Mutex<Result<Counts, StoreError>>);

impl Counting {
    fn new(counts: Result<Counts, StoreError>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(counts)))
    }

    fn answer(&self, counts: Result<Counts, StoreError>) {
        *self.0.lock().unwrap() = counts;
    }
}

#[async_trait]
impl Counted for Counting {
    async fn counts(&self) -> Result<Counts, StoreError> {
        self.0.lock().unwrap().clone()
    }
}

/// An admin listener on a port of its own.
struct Listening {
    address: SocketAddr,
    readiness: Readiness,
    stop: oneshot::Sender<()>,
    served: tokio::task::JoinHandle<io::Result<()>>,
}

async fn listen(store: Arc<Counting>) -> Listening {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let readiness = Readiness::new();
    let admin = Admin {
        readiness: readiness.clone(),
        metrics: install_metrics(),
        store,
    };
    let (stop, stopped) = oneshot::channel();
    let served = tokio::spawn(serve(listener, admin, async {
        let _ = stopped.await;
    }));
    Listening {
        address,
        readiness,
        stop,
        served,
    }
}

impl Listening {
    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn status_of(&self, path: &str) -> (u16, String) {
        match probe(&self.url(path)).await {
            Ok(body) => (200, body),
            Err(ProbeError::Unwell { status, body, .. }) => (status, body),
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn metrics_show_the_store_and_survive_its_trouble() {
    let store = Counting::new(Ok(Counts {
        unrouted: 7,
        events: vec![(EventState::WhenFailed, 2)],
        runs: vec![(RunState::Parked, 3)],
        ..Counts::default()
    }));
    let listening = listen(store.clone()).await;
    let (status, text) = listening.status_of("/metrics").await;
    assert_eq!(status, 200);
    for line in [
        "cuegate_unrouted_events 7",
        "cuegate_events{state=\"when_failed\"} 2",
        "cuegate_runs{state=\"parked\"} 3",
        "cuegate_runs{state=\"dead\"} 0",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }

    store.answer(Err(StoreError::Failed("disk I/O error".to_owned())));
    let (status, text) = listening.status_of("/metrics").await;
    assert_eq!(status, 200);
    assert!(text.contains("cuegate_runs{state=\"parked\"} 3"), "{text}");
    assert!(
        text.contains("cuegate_store_count_failures_total 1"),
        "{text}"
    );

    store.answer(Ok(Counts::default()));
    let (_, text) = listening.status_of("/metrics").await;
    assert!(text.contains("cuegate_runs{state=\"parked\"} 0"), "{text}");
}

#[tokio::test]
async fn a_path_that_is_not_there_is_answered_in_json() {
    let listening = listen(Counting::new(Err(StoreError::Closed))).await;
    let (status, body) = listening.status_of("/hooks/iconik").await;
    assert_eq!(status, 404);
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["error"], "not_found");
    assert!(
        body["message"].as_str().unwrap().contains("/hooks/iconik"),
        "{body}"
    );

    let response = reqwest::Client::new()
        .post(listening.url("/metrics"))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 405);
    let body: serde_json::Value = response.json().await.unwrap();
    assert_eq!(body["error"], "method_not_allowed");
}

#[tokio::test]
async fn a_probe_tells_ready_from_unready_from_absent() {
    let listening = listen(Counting::new(Err(StoreError::Closed))).await;
    let error = probe(&listening.url(""))
        .await
        .expect_err("nothing is ready");
    assert!(
        matches!(error, ProbeError::Unwell { status: 503, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("no worker process"), "{error}");
    probe(&listening.url("/healthz")).await.unwrap();

    for part in Part::ALL {
        listening.readiness.ready(part);
    }
    assert!(
        probe(&listening.url("/"))
            .await
            .unwrap()
            .contains("\"ready\":true")
    );

    let url = listening.url("");
    listening.stop.send(()).unwrap();
    listening.served.await.unwrap().unwrap();
    let error = probe(&url).await.expect_err("nobody is there");
    assert!(matches!(error, ProbeError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn a_probe_refuses_what_is_no_address() {
    for wrong in ["", "localhost:8080", "ftp://localhost", "http://"] {
        let error = probe(wrong).await.expect_err("no address");
        assert!(
            matches!(error, ProbeError::Address { .. }),
            "{wrong}: {error}"
        );
    }
}

#[tokio::test]
async fn a_connection_that_says_nothing_does_not_hold_up_a_stop() {
    let listening = listen(Counting::new(Err(StoreError::Closed))).await;
    let silent = tokio::net::TcpStream::connect(listening.address)
        .await
        .unwrap();
    // Answered after the silent one was accepted.
    probe(&listening.url("/healthz")).await.unwrap();
    listening.stop.send(()).unwrap();
    let within = STOP_WITHIN * 5;
    tokio::time::timeout(within, listening.served)
        .await
        .expect("it stops")
        .unwrap()
        .unwrap();
    drop(silent);
}
