//! The admin listener over real sockets.

use std::net::SocketAddr;
use std::sync::Mutex;

use async_trait::async_trait;
use tokio::sync::oneshot;

use super::*;
use crate::clock::ManualClock;
use crate::model::{EventState, RuleId, RuleSetId, RunState};
use crate::store::{ClassCount, Counts, Pause, PauseScope, SqliteOptions, SqliteStore, StoreError};
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
    _directory: tempfile::TempDir,
}

async fn listen(store: Arc<Counting>) -> Listening {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let readiness = Readiness::new();
    let directory = tempfile::tempdir().unwrap();
    let clock: SharedClock = Arc::new(ManualClock::at("2026-03-01T12:00:00Z".parse().unwrap()));
    let options = SqliteOptions::at(directory.path().join("cuegate.db"));
    let kept = SqliteStore::open(options, Arc::clone(&clock))
        .await
        .unwrap();
    let admin = Admin {
        readiness: readiness.clone(),
        metrics: install_metrics(),
        store,
        api: Api {
            store: Arc::new(kept),
            clock: Arc::clone(&clock),
            readiness: readiness.clone(),
        },
        clock,
        access: Access::new(&[]),
        metrics_for: MetricsFor::Token,
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
        _directory: directory,
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

fn class(state: RunState, class: &str, rule: &str, number: u64) -> ClassCount {
    ClassCount {
        state,
        class: class.to_owned(),
        rule: RuleId::from(rule),
        number,
    }
}

fn paused(scope: PauseScope) -> Pause {
    Pause {
        scope,
        quarantine: false,
        reason: "a test".to_owned(),
        since: "2026-03-01T11:00:00Z".parse().unwrap(),
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

    store.answer(Ok(Counts {
        classes: vec![
            class(RunState::Dead, "api_error", "tag", 4),
            class(RunState::Dead, "api_error", "clip", 5),
            class(RunState::Waiting, "retry", "tag", 6),
        ],
        due_since: Some("2026-03-01T11:58:30Z".parse().unwrap()),
        stopped: vec![
            paused(PauseScope::Writes),
            paused(PauseScope::Rule(RuleId::from("tag"))),
        ],
        rule_set: Some(RuleSetId::from("abc")),
        ..Counts::default()
    }));
    let (_, text) = listening.status_of("/metrics").await;
    for line in [
        "cuegate_dead_letters{class=\"api_error\"} 9",
        "cuegate_dead_letters{class=\"limit\"} 0",
        "cuegate_runs_waiting{for=\"retry\"} 6",
        "cuegate_oldest_due_seconds 90",
        "cuegate_paused{scope=\"writes\"} 1",
        "cuegate_paused{scope=\"all\"} 0",
        "cuegate_rule_stopped{rule=\"tag\",by=\"pause\"} 1",
        "cuegate_rule_set{id=\"abc\"} 1",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    store.answer(Ok(Counts {
        // A timer of tomorrow.
        due_since: Some("2026-03-02T12:00:00Z".parse().unwrap()),
        rule_set: Some(RuleSetId::from("def")),
        runs: vec![(RunState::Parked, 3)],
        ..Counts::default()
    }));
    let (_, text) = listening.status_of("/metrics").await;
    for line in [
        "cuegate_oldest_due_seconds 0",
        "cuegate_rule_stopped{rule=\"tag\",by=\"pause\"} 0",
        "cuegate_rule_set{id=\"abc\"} 0",
        "cuegate_rule_set{id=\"def\"} 1",
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
    assert!(
        body["error"].as_str().unwrap().contains("/hooks/iconik"),
        "{body}"
    );
    assert!(
        body["hint"].as_str().unwrap().contains("/metrics"),
        "{body}"
    );

    let response = reqwest::Client::new()
        .post(listening.url("/metrics"))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 405);
    let body: serde_json::Value = response.json().await.unwrap();
    assert_eq!(body["error"], "/metrics cannot be asked with POST");
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
