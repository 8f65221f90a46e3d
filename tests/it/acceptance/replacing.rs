//! Secrets are replaced in their files while the gateway runs: those of the admin API, and those of targets.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::{HeaderMap, Uri};
use cuegate::model::RunState;
use serde_json::json;
use tokio::net::TcpListener;

use super::{ASSET, RULES};
use crate::gateway::{Gateway, eventually, simulated, webhook};

const FIRST: &str = "the-first-token-of-this-gateway";
const SECOND: &str = "the-second-token-of-this-gateway";

const TELLS: (&str, &str) = (
    "tells.rhai",
    r#"rule(#{ on: ["assets/entity/update"], allow: ["egress:desk"] });
    fn run(event) { egress::desk.post(#{ text: "changed" }); }"#,
);

/// How the admin API answers whoever says this token.
async fn answer_to(gateway: &Gateway, token: &str) -> u16 {
    let url = format!("{}/api/v1/runs", gateway.admin_url());
    let client = reqwest::Client::builder().no_proxy().build();
    let request = client.expect("a plain client").get(url).bearer_auth(token);
    let answer = request.send().await.expect("the admin listener answers");
    answer.status().as_u16()
}

#[tokio::test]
async fn a_token_of_the_admin_api_counts_until_its_file_holds_others() {
    let simulator = simulated(json!({})).await;
    let mut gateway = Gateway::new(&simulator, &RULES);
    gateway.replace(
        "[server]",
        "[server]\nadmin_tokens_file = \"tokens\"\nmetrics = \"open\"",
    );
    gateway.write("tokens", FIRST);
    gateway.start().await;
    assert_eq!(answer_to(&gateway, FIRST).await, 200);
    assert_eq!(answer_to(&gateway, SECOND).await, 401);

    gateway.write("tokens", &format!("{SECOND}\n{FIRST}\n"));
    eventually("both tokens to be taken", async || {
        (answer_to(&gateway, SECOND).await == 200).then_some(())
    })
    .await;
    assert_eq!(answer_to(&gateway, FIRST).await, 200);

    // Nobody is let in, or locked out, by a mistake.
    gateway.write("tokens", "short\n");
    gateway
        .until_logged(&["server.admin_tokens_file", "those before stay in use"])
        .await;
    assert_eq!(answer_to(&gateway, "short").await, 401);
    assert_eq!(answer_to(&gateway, SECOND).await, 200);

    gateway.write("tokens", SECOND);
    eventually("the first token to be refused", async || {
        (answer_to(&gateway, FIRST).await == 401).then_some(())
    })
    .await;
    assert_eq!(answer_to(&gateway, SECOND).await, 200);
    let said = gateway.everything_said();
    assert!(!said.contains(FIRST) && !said.contains(SECOND), "{said}");
    gateway.stop().await;
}

/// A system that notes each path and key that it is sent, and the URL where it is.
async fn desk() -> (String, Arc<Mutex<Vec<String>>>) {
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let noted = Arc::clone(&seen);
    let router = Router::new().fallback(move |uri: Uri, headers: HeaderMap| async move {
        let key = headers["x-key"].to_str().expect("it is text");
        noted
            .lock()
            .expect("no test panics with it")
            .push(format!("{uri} {key}"));
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    (format!("http://{address}"), seen)
}

#[tokio::test]
async fn a_target_is_reached_with_the_secrets_that_its_files_hold_now() {
    let (url, seen) = desk().await;
    let simulator = simulated(json!({ "assets": [{ "id": ASSET, "title": "One" }] })).await;
    let mut gateway = Gateway::new(&simulator, &[TELLS]);
    gateway.configure(
        "[egress.desk]\nurl_file = \"url\"\nallow_private = true\nheaders = { x-key_file = \"key\" }",
    );
    gateway.write("url", &format!("{url}/hook-1"));
    gateway.write("key", "key-1");
    gateway.start().await;
    let mut told = 0;
    let mut tell = async |gateway: &Gateway| {
        let body = webhook("entity", "update", ASSET, &json!({ "number": told }));
        gateway.accepted(&body, &[]).await;
        told += 1;
        gateway.until_runs(RunState::Succeeded, told).await;
        seen.lock().unwrap().last().cloned().unwrap_or_default()
    };
    assert_eq!(tell(&gateway).await, "/hook-1 key-1");

    gateway.write("key", "key-2\n");
    gateway
        .until_logged(&["egress.desk.headers.x-key_file", "are in use"])
        .await;
    assert_eq!(tell(&gateway).await, "/hook-1 key-2");

    gateway.write("url", "ftp://nowhere.example/hook-1");
    gateway
        .until_logged(&["egress.desk.url_file", "those before stay in use"])
        .await;
    assert_eq!(tell(&gateway).await, "/hook-1 key-2");

    gateway.write("url", &format!("{url}/hook-2"));
    gateway
        .until_logged(&["egress.desk.url_file", "are in use"])
        .await;
    assert_eq!(tell(&gateway).await, "/hook-2 key-2");
    let said = gateway.everything_said();
    assert!(
        !said.contains("hook-2") && !said.contains("key-2"),
        "{said}"
    );
    gateway.stop().await;
}
