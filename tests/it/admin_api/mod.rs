//! The admin API over a real store: what it says, what it refuses, and that its document tells the truth.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something is not as expected"
)]

mod document;
mod lists;
mod rerouting;
mod verbs;

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method as Verb, Request, StatusCode};
use cuegate::admin::{Access, Admin, Api, router};
use cuegate::clock::ManualClock;
use cuegate::config::MetricsFor;
use cuegate::model::*;
use cuegate::store::*;
use cuegate::telemetry::{Readiness, install_metrics};
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt as _;

use crate::store_contract::{at, claim_one, enqueue, settle};

/// A store with the admin listener's routes in front of it. It is at(600) there.
struct Desk {
    store: Arc<dyn Store>,
    router: Router,
    token: Option<String>,
    directory: TempDir,
}

/// What was answered.
#[derive(Debug)]
struct Said {
    status: StatusCode,
    body: Value,
}

impl Desk {
    async fn new() -> Self {
        Self::with(&[], MetricsFor::Token).await
    }

    async fn with(tokens: &[&str], metrics_for: MetricsFor) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(at(600)));
        let options = SqliteOptions::at(directory.path().join("cuegate.db"));
        let store: Arc<dyn Store> =
            Arc::new(SqliteStore::open(options, clock.clone()).await.unwrap());
        store.activate_rule_set(rules("one", "v1")).await.unwrap();
        let readiness = Readiness::new();
        let admin = Admin {
            readiness: readiness.clone(),
            metrics: install_metrics(),
            store: store.clone(),
            clock: clock.clone(),
            api: Api {
                store: store.clone(),
                clock,
                readiness,
            },
            access: Access::new(&tokens.iter().copied().map(Secret::new).collect::<Vec<_>>()),
            metrics_for,
        };
        Self {
            store,
            router: router(admin),
            token: None,
            directory,
        }
    }

    async fn asks(&self, verb: Verb, path: &str, body: Option<&Value>) -> Said {
        let mut request = Request::builder()
            .method(verb)
            .uri(path)
            .header("host", "localhost:8081");
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        self.answer(request.body(body).unwrap()).await
    }

    async fn answer(&self, request: Request<Body>) -> Said {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = to_bytes(response.into_body(), 32 << 20).await.unwrap();
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&bytes).into_owned()));
        Said { status, body }
    }

    async fn get(&self, path: &str) -> Said {
        self.asks(Verb::GET, &format!("/api/v1{path}"), None).await
    }

    async fn post(&self, path: &str, body: &Value) -> Said {
        self.asks(Verb::POST, &format!("/api/v1{path}"), Some(body))
            .await
    }

    /// So many dead runs of the rule `tag`, each in a lane of its own.
    async fn dead(&self, first: u32, number: u32, class: DeadClass) -> Vec<RunId> {
        let lanes: Vec<String> = (first..first + number)
            .map(|lane| lane.to_string())
            .collect();
        let runs: Vec<(&str, &str)> = lanes.iter().map(|lane| ("tag", lane.as_str())).collect();
        let made = enqueue(&*self.store, first, &runs).await;
        for claim in self
            .store
            .claim(Claiming::up_to(1_000), at(10))
            .await
            .unwrap()
        {
            let how = Settlement::Dead(Failure::new(class, "Iconik said no"));
            settle(&*self.store, claim.lease, how).await;
        }
        made
    }
}

impl Said {
    #[track_caller]
    fn well(self) -> Value {
        assert!(self.status.is_success(), "{self:?}");
        self.body
    }

    /// Refused with this status and these words, in the one form of refusals.
    #[track_caller]
    fn refused(&self, status: u16, words: &[&str]) {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        let keys: Vec<&String> = self.body.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["error", "hint"], "{self:?}");
        let text = format!("{} {}", self.body["error"], self.body["hint"]);
        for word in words {
            assert!(text.contains(word), "`{word}` is not in {text}");
        }
    }
}

/// A set with the rules `tag` and `news/clip`.
fn rules(id: &str, version: &str) -> RuleSet {
    let header = |rule: &str| {
        let mut header = RuleHeader::new(
            RuleId::from(rule),
            RuleVersion::from(version),
            format!("{rule}.rhai"),
        );
        header.on.push(Pattern {
            source: "iconik".to_owned(),
            parts: ["assets", "*", "*"].map(str::to_owned).to_vec(),
        });
        header
    };
    let file = |rule: &str| RuleFile {
        path: format!("{rule}.rhai"),
        source: "rule(#{});\nfn run(event) {\n\n    iconik::asset(\"1\");\n}\n".to_owned(),
    };
    RuleSet {
        id: RuleSetId::from(id),
        files: vec![file("tag"), file("news/clip")],
        rules: vec![header("tag"), header("news/clip")],
        site: "https://app.iconik.io".to_owned(),
        vars: json!({}),
    }
}

#[tokio::test]
async fn a_token_opens_everything_and_nothing_else_does() {
    let (new, old) = ("the-newest-of-two-tokens", "the-other-of-two-tokens");
    let mut desk = Desk::with(&[new, old], MetricsFor::Token).await;
    let paths = ["/api/v1/runs", "/api/v1/openapi.json", "/metrics"];
    for path in paths {
        desk.token = None;
        desk.asks(Verb::GET, path, None)
            .await
            .refused(401, &["needs a token", "CUEGATE_TOKEN"]);
        desk.token = Some("not-one-of-the-tokens".to_owned());
        let said = desk.asks(Verb::GET, path, None).await;
        said.refused(401, &["not one of those"]);
        assert!(!said.body.to_string().contains("newest"), "{said:?}");
        for token in [new, old] {
            desk.token = Some(token.to_owned());
            desk.asks(Verb::GET, path, None).await.well();
        }
    }
    desk.token = None;
    let said = desk.post("/runs/1/cancel", &json!({})).await;
    said.refused(401, &["token"]);
    desk.asks(Verb::GET, "/healthz", None).await.well();
    let unready = desk.asks(Verb::GET, "/readyz", None).await;
    assert_eq!(unready.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(unready.body["ready"], false);
}

#[tokio::test]
async fn metrics_have_a_switch_of_their_own() {
    let token = "a-token-of-some-length";
    let open = Desk::with(&[token], MetricsFor::Everybody).await;
    open.asks(Verb::GET, "/metrics", None).await.well();
    open.get("/runs").await.refused(401, &["token"]);
    let off = Desk::with(&[], MetricsFor::Nobody).await;
    off.asks(Verb::GET, "/metrics", None)
        .await
        .refused(404, &["nothing is at /metrics"]);
    off.get("/runs").await.well();
}

#[tokio::test]
async fn without_a_token_pages_of_strangers_are_kept_out() {
    let desk = Desk::new().await;
    let runs = |host: &str| {
        let request = Request::get("/api/v1/runs").header("host", host);
        request.body(Body::empty()).unwrap()
    };
    desk.answer(runs("127.0.0.1:8081")).await.well();
    let said = desk.answer(runs("rebound.example:8081")).await;
    said.refused(403, &["rebound.example", "admin_tokens"]);
    // What a browser sends to another site without asking first.
    for content_type in ["text/plain", "application/x-www-form-urlencoded"] {
        let request = Request::post("/api/v1/runs/1/cancel")
            .header("host", "localhost")
            .header("content-type", content_type)
            .body(Body::from("{}"))
            .unwrap();
        let said = desk.answer(request).await;
        said.refused(415, &["not declared as JSON", "application/json"]);
    }
}

#[tokio::test]
async fn what_is_not_there_is_said_in_one_form() {
    let desk = Desk::new().await;
    desk.get("/runs/99")
        .await
        .refused(404, &["there is no run 99", "cuegate runs list"]);
    desk.get("/runs/99/journal")
        .await
        .refused(404, &["no run 99"]);
    desk.post("/runs/99/retry", &json!({}))
        .await
        .refused(404, &["no run 99"]);
    desk.get("/runs/seven")
        .await
        .refused(400, &["`seven` is no run"]);
    desk.get("/events/00112233445566778899aabbccddeeff")
        .await
        .refused(404, &["there is no event 0011", "never received"]);
    desk.get("/events/0011")
        .await
        .refused(400, &["32 hexadecimal digits"]);
    desk.get("/rnus")
        .await
        .refused(404, &["nothing is at /api/v1/rnus"]);
    desk.post("/rules", &json!({}))
        .await
        .refused(405, &["cannot be asked with POST"]);
    desk.get("/runs?stat=dead")
        .await
        .refused(400, &["no parameter `stat`", "did you mean `state`?"]);
    desk.get("/runs?state=deed")
        .await
        .refused(400, &["no state `deed`", "did you mean `dead`?"]);
    desk.get("/events?before=00112233445566778899aabbccddeeff")
        .await
        .refused(400, &["there is no event"]);
    let long = json!({ "reason": "x".repeat(70_000) });
    desk.post("/runs/1/cancel", &long)
        .await
        .refused(413, &["larger than"]);
    let unknown = json!({ "resaon": "x" });
    desk.post("/runs/1/cancel", &unknown)
        .await
        .refused(400, &["resaon", "openapi.json"]);
}

#[tokio::test]
async fn a_journal_that_was_edited_by_hand_is_named_and_hides_nothing_else() {
    let desk = Desk::new().await;
    let runs = desk.dead(0, 2, DeadClass::ApiError).await;
    let path = desk.directory.path().join("cuegate.db");
    let sql = format!("UPDATE run SET steps = 3 WHERE id = {}", runs[0]);
    rusqlite::Connection::open(path)
        .unwrap()
        .execute_batch(&sql)
        .unwrap();
    let journal = format!("/runs/{}/journal", runs[0]);
    let said = desk.get(&journal).await;
    let words = format!("the journal of run {} has lost steps", runs[0]);
    said.refused(500, &[&words, "backup"]);
    let said = desk
        .post(&format!("/runs/{}/retry", runs[0]), &json!({}))
        .await;
    said.refused(500, &["has lost steps"]);
    let shown = desk.get(&format!("/runs/{}", runs[0])).await.well();
    assert_eq!(shown["run"]["state"], "dead");
    let dead = desk.get("/dead").await.well();
    assert_eq!(dead["runs"].as_array().unwrap().len(), 2);
    desk.post(&format!("/runs/{}/retry", runs[1]), &json!({}))
        .await
        .well();
}
