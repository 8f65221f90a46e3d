//! What is accepted, what is refused and how, and that nothing refused or secret is ever stored.

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::{Value, json};
use sha2::Sha256;

use super::wire::{Wire, genuine, post, request, send};
use super::{Door, NOW, SECRET};
use crate::model::EventKind;
use crate::store::StoreError;

const MARKER: &str = r#"{"event_type":"assets","realm":"entity","operation":"create","object_id":"o","data":{"id":"o"}}"#;

#[tokio::test]
async fn a_genuine_event_is_stored_and_answered_with_its_id() {
    let door = Door::open().await;
    let answer = post(door.address, MARKER).await;
    assert_eq!(answer.status, 200);
    let events = door.store.events();
    assert_eq!(events.len(), 1);
    let id = events[0].id.to_string();
    assert_eq!(answer.json(), json!({"event_id": id, "duplicate": false}));
    assert_eq!(answer.header("cuegate-event-id"), id);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(events[0].kind, EventKind::Webhook);
    assert_eq!(events[0].source.as_str(), "iconik");
    assert_eq!(events[0].received_at.as_second(), NOW);
    assert_eq!(
        events[0].body,
        serde_json::from_str::<Value>(MARKER).unwrap()
    );
}

#[tokio::test]
async fn neither_the_secret_nor_a_token_is_stored() {
    let door = Door::open().await;
    let body = r#"{"context":"ASSET","action_id":"a","auth_token":"a-persons-token"}"#;
    let headers = [
        ("x-cuegate-secret", SECRET),
        ("cuegate-rule", "buttons/publish"),
        ("authorization", "a-persons-token"),
    ];
    let answer = send(door.address, request("POST /hooks/iconik", &headers, body)).await;
    assert_eq!(answer.status, 200);
    let stored = serde_json::to_string(&door.store.events()).unwrap();
    assert!(stored.contains("buttons/publish"), "{stored}");
    for secret in [SECRET, "a-persons-token", "auth_token"] {
        assert!(!stored.contains(secret), "{stored}");
    }
}

#[tokio::test]
async fn the_same_event_gets_the_same_id_inside_its_window_and_another_outside() {
    let door = Door::open().await;
    let first = post(door.address, MARKER).await.json();
    let again = post(door.address, MARKER).await.json();
    assert_eq!(first["event_id"], again["event_id"]);
    assert_eq!(again["duplicate"], true);

    let changed = post(
        door.address,
        MARKER.replace(r#"{"id":"o"}"#, r#"{"id":"p"}"#),
    )
    .await;
    assert_ne!(first["event_id"], changed.json()["event_id"]);

    door.clock.advance(Duration::from_secs(86_400));
    let later = post(door.address, MARKER).await.json();
    assert_ne!(first["event_id"], later["event_id"]);
}

#[tokio::test]
async fn a_sender_without_the_secret_is_refused_always_in_the_same_words() {
    let door = Door::open().await;
    let mut texts = Vec::new();
    for headers in [
        &[][..],
        &[("x-cuegate-secret", "wrong")],
        &[("x-cuegate-secret", "")],
        &[("x-cuegate-secret", "the-shared-secret-and-more")],
        &[("x-cuegate-secret", SECRET), ("x-cuegate-secret", "wrong")],
        &[("x-cuegate-secret", SECRET), ("X-Cuegate-Secret", SECRET)],
    ] {
        let bytes = request("POST /hooks/iconik", headers, MARKER);
        texts.push(send(door.address, bytes).await.refused(401));
    }
    texts.push(
        send(door.address, request("POST /hooks/standard", &[], MARKER))
            .await
            .refused(401),
    );
    texts.dedup();
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert_eq!(door.store.events(), []);
}

#[tokio::test]
async fn an_unverified_sender_hears_nothing_about_its_body() {
    let door = Door::open().await;
    let headers = [("content-type", "multipart/form-data")];
    let bytes = request("POST /hooks/iconik", &headers, "no JSON");
    send(door.address, bytes).await.refused(401);
}

fn signed(id: &str, signed_at: i64, body: &str) -> Vec<u8> {
    let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(format!("{id}.{signed_at}.{body}").as_bytes());
    let signature = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    let headers = [
        ("webhook-id", id),
        ("webhook-timestamp", &signed_at.to_string()),
        ("webhook-signature", &signature),
    ];
    request("POST /hooks/standard", &headers, body)
}

#[tokio::test]
async fn a_signed_message_is_known_by_its_id_and_believed_only_inside_its_window() {
    let door = Door::open().await;
    let first = send(door.address, signed("msg_1", NOW - 300, "{}")).await;
    assert_eq!(first.status, 200);
    let again = send(door.address, signed("msg_1", NOW, r#"{"attempt":2}"#)).await;
    assert_eq!(first.json()["event_id"], again.json()["event_id"]);
    let other = send(door.address, signed("msg_2", NOW + 300, "{}")).await;
    assert_ne!(first.json()["event_id"], other.json()["event_id"]);
    assert_eq!(door.store.events()[0].headers["webhook-id"], "msg_1");

    for late in [NOW - 301, NOW + 301] {
        send(door.address, signed("msg_3", late, "{}"))
            .await
            .refused(401);
    }
    assert_eq!(door.store.events().len(), 3);
}

#[tokio::test]
async fn bodies_that_are_no_json_object_are_refused_and_not_stored() {
    let door = Door::open().await;
    for body in ["", "a=b", "{", "[1]", "null"] {
        post(door.address, body).await.refused(400);
    }
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(5_000), "]".repeat(5_000));
    let text = post(door.address, deep).await.refused(400);
    assert!(text.contains("recursion limit"), "{text}");
    let headers = [
        ("x-cuegate-secret", SECRET),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    let bytes = request("POST /hooks/iconik", &headers, MARKER);
    let text = send(door.address, bytes).await.refused(415);
    assert!(text.contains("application/json"), "{text}");
    assert_eq!(door.store.events(), []);
}

#[tokio::test]
async fn a_body_without_a_declared_type_is_read_as_json() {
    let door = Door::open().await;
    let headers = [("x-cuegate-secret", SECRET)];
    let bytes = request("POST /hooks/iconik", &headers, MARKER);
    assert_eq!(send(door.address, bytes).await.status, 200);
}

#[tokio::test]
async fn a_body_that_is_declared_too_large_is_refused_before_it_is_sent() {
    let door = Door::open().await;
    let mut wire = Wire::connect(door.address).await;
    wire.write("POST /hooks/iconik HTTP/1.1\r\nhost: c\r\nexpect: 100-continue\r\n")
        .await;
    wire.write("content-length: 65537\r\n\r\n").await;
    wire.answer().await.refused(413);
    assert_eq!(wire.until_closed().await, b"");
    assert_eq!(door.store.events(), []);
}

#[tokio::test]
async fn a_sender_that_pushes_its_large_body_through_still_hears_why_it_was_refused() {
    let door = Door::open().await;
    let mut wire = Wire::connect(door.address).await;
    let taken = wire.push(&genuine(vec![b' '; 32 * 1024 * 1024])).await;
    assert!(taken, "the connection was reset");
    wire.answer().await.refused(413);
    assert_eq!(door.store.events(), []);
}

#[tokio::test]
async fn a_body_without_a_length_is_counted_while_it_comes() {
    let door = Door::open().await;
    let head = format!(
        "POST /hooks/iconik HTTP/1.1\r\nhost: c\r\nx-cuegate-secret: {SECRET}\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    let chunk = |bytes: &str| format!("{:x}\r\n{bytes}\r\n", bytes.len());

    let mut wire = Wire::connect(door.address).await;
    wire.write(&head).await;
    wire.write(chunk(&MARKER[..10])).await;
    wire.write(chunk(&MARKER[10..])).await;
    wire.write("0\r\n\r\n").await;
    assert_eq!(wire.answer().await.status, 200);

    let mut wire = Wire::connect(door.address).await;
    wire.write(&head).await;
    wire.write(chunk(&" ".repeat(32 * 1024))).await;
    wire.write(chunk(&" ".repeat(32 * 1024 + 1))).await;
    wire.answer().await.refused(413);
    assert_eq!(door.store.events().len(), 1);
}

#[tokio::test]
async fn the_largest_body_is_accepted() {
    let door = Door::open().await;
    let filler = "x".repeat(64 * 1024 - r#"{"a":""}"#.len());
    let body = format!(r#"{{"a":"{filler}"}}"#);
    assert_eq!(post(door.address, &body).await.status, 200);
    post(door.address, format!("{body} ")).await.refused(413);
}

#[tokio::test]
async fn trouble_of_the_store_tells_the_sender_to_come_again() {
    let door = Door::open().await;
    for (error, status, after) in [
        (StoreError::Overloaded, 429, "1"),
        (StoreError::Closed, 503, "5"),
        (StoreError::Failed("disk full".to_owned()), 503, "5"),
        (StoreError::Corrupt("a row".to_owned()), 503, "5"),
    ] {
        door.store.fail(error);
        let answer = post(door.address, MARKER).await;
        answer.refused(status);
        assert_eq!(answer.header("retry-after"), after);
        assert!(!answer.text.contains("disk full"), "{}", answer.text);
    }
    assert_eq!(door.store.events(), []);
}

#[tokio::test]
async fn a_gateway_that_drains_accepts_nothing_more() {
    let door = Door::open().await;
    assert_eq!(post(door.address, MARKER).await.status, 200);
    door.drain();
    let answer = post(door.address, MARKER).await;
    answer.refused(503);
    assert_eq!(answer.header("retry-after"), "5");
    assert_eq!(door.store.events().len(), 1);
}

#[tokio::test]
async fn other_paths_and_methods_are_answered_in_json() {
    let door = Door::open().await;
    for line in [
        "POST /hooks/nobody",
        "POST /hooks/%ff",
        "POST /",
        "GET /hooks",
        "POST /hooks/a/b",
    ] {
        send(door.address, request(line, &[], "{}"))
            .await
            .refused(404);
    }
    let answer = send(door.address, request("GET /hooks/iconik", &[], "")).await;
    answer.refused(405);
    assert_eq!(answer.header("allow"), "POST");
    let mut wire = Wire::connect(door.address).await;
    wire.write(request("HEAD /hooks/iconik", &[], "")).await;
    assert_eq!(wire.head_answer().await.status, 405);
    let fine = send(door.address, request("GET /healthz", &[], "")).await;
    assert_eq!((fine.status, fine.text.as_str()), (200, "fine"));
    send(door.address, request("DELETE /healthz", &[], ""))
        .await
        .refused(405);
}

#[tokio::test]
async fn what_happens_at_the_door_is_counted_under_configured_names_alone() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let metrics = recorder.handle();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let door = Door::open().await;

    post(door.address, MARKER).await;
    post(door.address, "{").await;
    send(door.address, request("POST /hooks/iconik", &[], MARKER)).await;
    send(
        door.address,
        request("POST /hooks/made-up-name", &[], MARKER),
    )
    .await;
    send(door.address, request("POST /hooks/open", &[], MARKER)).await;
    send(door.address, signed("msg_1", NOW - 301, "{}")).await;

    let text = metrics.render();
    for line in [
        r#"cuegate_events_accepted_total{source="iconik",kind="webhook"} 1"#,
        r#"cuegate_events_accepted_total{source="open",kind="webhook"} 1"#,
        r#"cuegate_hooks_refused_total{source="iconik",reason="not_json"} 1"#,
        r#"cuegate_hooks_refused_total{source="iconik",reason="missing_header"} 1"#,
        r#"cuegate_hooks_refused_total{source="standard",reason="outside_window"} 1"#,
        r#"cuegate_hooks_refused_total{source="(none)",reason="unknown_source"} 1"#,
        r#"cuegate_hook_secret_used_total{source="iconik",secret="1"} 2"#,
        r#"cuegate_hook_seconds_count{source="iconik"} 3"#,
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("made-up-name"), "{text}");
}

/// Every recorded body, where the recordings are at hand.
fn recordings(prefix: &str) -> Vec<(PathBuf, String)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/iconik/payloads");
    let mut found = Vec::new();
    for folder in [folder.clone(), folder.join("inferred")] {
        let Ok(files) = std::fs::read_dir(folder) else {
            continue;
        };
        for path in files.map(|file| file.unwrap().path()) {
            if path
                .file_name()
                .unwrap()
                .to_string_lossy()
                .starts_with(prefix)
            {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    found
}

#[tokio::test]
async fn every_recorded_webhook_is_accepted_and_says_what_it_is_about() {
    let door = Door::open().await;
    for (path, text) in recordings("webhook.") {
        assert_eq!(post(door.address, &text).await.status, 200, "{path:?}");
        let event = door.store.events().pop().unwrap();
        let body: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(event.kind, EventKind::Webhook, "{path:?}");
        let about = match body["data"]["object_type"].as_str() {
            Some("assets") => &body["data"]["object_id"],
            _ => &body["object_id"],
        };
        assert_eq!(event.asset_id(), about.as_str(), "{path:?}");
        assert_eq!(
            event.collection_id(),
            body["data"]["collection_id"].as_str(),
            "{path:?}"
        );
    }
}

#[tokio::test]
async fn every_recorded_custom_action_is_accepted_as_a_button_without_its_token() {
    let door = Door::open().await;
    for (path, text) in recordings("custom_action.") {
        assert_eq!(post(door.address, &text).await.status, 200, "{path:?}");
        let event = door.store.events().pop().unwrap();
        assert_eq!(event.kind, EventKind::Button, "{path:?}");
        assert!(event.body.get("auth_token").is_none(), "{path:?}");
        let assets = event.body["asset_ids"].as_array().unwrap();
        let only = (assets.len() == 1).then(|| assets[0].as_str().unwrap());
        assert_eq!(event.asset_id(), only, "{path:?}");
    }
}

#[tokio::test]
async fn a_connection_serves_many_requests() {
    let door = Door::open().await;
    let mut wire = Wire::connect(door.address).await;
    for _ in 0..3 {
        wire.write(genuine(MARKER)).await;
        assert_eq!(wire.answer().await.status, 200);
    }
    wire.write(genuine("{")).await;
    wire.answer().await.refused(400);
    wire.write(genuine(MARKER)).await;
    assert_eq!(wire.answer().await.status, 200);
}
