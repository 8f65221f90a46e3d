//! Who may send, what counts as the same event, and what is never kept.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use cuegate::clock::{Clock as _, SystemClock};
use cuegate::model::{RULE_HEADER, RunState};
use cuegate::simulator::{DEFAULT_DOMAIN, Matching, Trouble};
use cuegate::store::{Counted as _, Counts, RunFilter, Store as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{ASSET, RULES, desk, operations};
use crate::gateway::{
    AUTH_TOKEN, Gateway, SECRET, SECRET_HEADER, event_id, eventually, simulated, webhook,
};

#[tokio::test]
async fn a_sender_without_the_secret_is_refused_and_leaves_nothing() {
    let simulator = simulated(operations()).await;
    let mut gateway = Gateway::started(&simulator, &RULES).await;
    let body = webhook(
        "entity",
        "update",
        ASSET,
        &json!({ "title": "an-unwanted-title" }),
    );
    let wrong: [&[(&str, &str)]; 4] = [
        &[(SECRET_HEADER, "the-shared-secret-4b1e")],
        &[(SECRET_HEADER, "")],
        &[],
        &[("authorization", SECRET)],
    ];
    for headers in wrong {
        let (status, answer) = gateway.post_to("iconik", body.to_string(), headers).await;
        assert_eq!(status, 401, "{headers:?}: {answer}");
        assert!(answer["error"].is_string(), "{answer}");
    }
    gateway.until_quiet().await;
    gateway.stop().await;
    let store = gateway.store().await;
    let counts = store.counts().await.expect("it can be counted");
    let nothing = Counts {
        rule_set: counts.rule_set.clone(),
        ..Counts::default()
    };
    assert_eq!(counts, nothing);
    store.close().await.expect("nothing is left to write");
    assert_eq!(
        files_with(&gateway, "an-unwanted-title"),
        Vec::<PathBuf>::new()
    );
}

const STANDARD_KEY: &str = "c3RhbmRhcmQtd2ViaG9va3Mta2V5LTAx";

/// The three headers of a Standard Webhooks message, signed so many seconds after now.
fn signed(id: &str, body: &str, after_now: i64) -> Vec<(&'static str, String)> {
    let time = (SystemClock.now().as_second() + after_now).to_string();
    let key = BASE64_STANDARD.decode(STANDARD_KEY).expect("it is base64");
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("any key will do");
    mac.update(format!("{id}.{time}.{body}").as_bytes());
    let signature = BASE64_STANDARD.encode(mac.finalize().into_bytes());
    vec![
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", time),
        ("webhook-signature", format!("v1,{signature}")),
    ]
}

#[tokio::test]
async fn a_standard_webhooks_message_is_accepted_inside_its_window_only() {
    let simulator = simulated(operations()).await;
    let mut gateway = Gateway::new(&simulator, &RULES);
    gateway.configure(&format!(
        "[sources.standard]\n\
         verify = {{ standard_webhooks = {{ secrets = [\"whsec_{STANDARD_KEY}\"], tolerance = \"5m\" }} }}\n"
    ));
    gateway.start().await;
    let gateway = &gateway;
    let send = async |id: &str, body: &str, after_now: i64| {
        let headers = signed(id, body, after_now);
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, it)| (*name, it.as_str()))
            .collect();
        gateway.post_to("standard", body.to_owned(), &headers).await
    };
    for outside in [-301, -86_400, 310, 86_400] {
        let (status, answer) = send("msg_1", "{\"a\":1}", outside).await;
        assert_eq!(status, 401, "{outside} s: {answer}");
    }
    let mut accepted = Vec::new();
    for inside in [-280, 0, 280] {
        let (status, answer) = send("msg_1", "{\"a\":1}", inside).await;
        assert_eq!(status, 200, "{inside} s: {answer}");
        accepted.push(event_id(&answer));
    }
    accepted.dedup();
    assert_eq!(accepted.len(), 1, "the sender's id makes them one event");
    let (_, other) = send("msg_2", "{\"a\":1}", 0).await;
    assert_ne!(event_id(&other), accepted[0]);
}

#[tokio::test]
async fn a_rule_waits_for_what_another_sender_says() {
    let waits = r#"rule(#{ on: ["desk:order"], lane: "none" });
        fn run(event) {
            let came = wait_for("desk:answer", #{ "data.kind": "yes" }, "1h");
            skip(`${came.data.kind} ${came.data.by.name}`);
        }"#;
    let simulator = simulated(operations()).await;
    let mut gateway = Gateway::new(&simulator, &[("waits.rhai", waits)]);
    gateway.configure(
        "[sources.desk]\nverify = \"none\"\nevent = { type = \"/type\", object = \"/about\" }",
    );
    gateway.start().await;
    let says = async |message: Value| {
        let (status, answer) = gateway.post_to("desk", message.to_string(), &[]).await;
        assert_eq!(status, 200, "{answer}");
    };
    says(json!({ "type": "order", "about": "1" })).await;
    gateway.until_runs(RunState::Waiting, 1).await;
    says(json!({ "type": "answer", "about": "1", "kind": "no", "by": { "name": "Ada" } })).await;
    says(json!({ "type": "answer", "about": "1", "kind": "yes", "by": { "name": "Bea" } })).await;
    gateway.until_runs(RunState::Skipped, 1).await;
    gateway.stop().await;
    let store = gateway.store().await;
    let run = &store
        .runs(RunFilter::default())
        .await
        .expect("it can be read")[0];
    assert_eq!(run.reason.as_deref(), Some("yes Bea"));
}

#[tokio::test]
async fn an_event_that_is_delivered_twice_is_one_event_with_one_run_also_after_a_restart() {
    let simulator = simulated(operations()).await;
    let mut gateway = Gateway::started(&simulator, &RULES).await;
    let body = webhook("entity", "update", ASSET, &json!({ "title": "x" }));
    let (status, first) = gateway.post(&body, &[]).await;
    assert_eq!((status, &first["duplicate"]), (200, &json!(false)));
    let (status, second) = gateway.post(&body, &[]).await;
    assert_eq!((status, &second["duplicate"]), (200, &json!(true)));
    assert_eq!(second["event_id"], first["event_id"]);
    gateway.until_runs(RunState::Succeeded, 1).await;

    gateway.restart().await;
    let (status, third) = gateway.post(&body, &[]).await;
    assert_eq!((status, &third["event_id"]), (200, &first["event_id"]));
    let mut other = body.clone();
    other["data"]["title"] = json!("y");
    let (_, other) = gateway.post(&other, &[]).await;
    assert_ne!(
        other["event_id"], first["event_id"],
        "one request may touch an object twice"
    );
    gateway.until_runs(RunState::Succeeded, 2).await;
    gateway.until_quiet().await;
    gateway.stop().await;
    let (_, runs) = gateway.stored(event_id(&first)).await;
    assert_eq!(runs.len(), 1, "{runs:?}");
}

/// The files of the data directory in which a text occurs, byte by byte.
fn files_with(gateway: &Gateway, text: &str) -> Vec<PathBuf> {
    fs::read_dir(gateway.path("data"))
        .expect("the gateway made it")
        .map(|entry| entry.expect("it can be read").path())
        .filter(|path| {
            let bytes = fs::read(path).expect("a file of ours can be read");
            bytes.windows(text.len()).any(|it| it == text.as_bytes())
        })
        .collect()
}

/// Nowhere in the files and in nothing that was said; what should be kept is there, so the search does find.
fn hides(gateway: &Gateway, secrets: &[&str], kept: &str) {
    assert_ne!(
        files_with(gateway, kept),
        Vec::<PathBuf>::new(),
        "the search finds nothing"
    );
    let said = gateway.everything_said();
    assert!(said.contains("ready to receive"), "{said}");
    for secret in secrets {
        assert_eq!(
            files_with(gateway, secret),
            Vec::<PathBuf>::new(),
            "{secret}"
        );
        let line = said.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret} was said");
    }
}

#[tokio::test]
async fn no_stored_byte_and_no_log_line_holds_a_token_or_a_secret() {
    const PERSON: &str = "eyJhbGciOiJIUzI1NiJ9.a-person-s-token";
    const NESTED: &str = "a-nested-token-77aa";
    const COOKIE: &str = "a-cookie-that-nobody-asked-for";
    const GUESS: &str = "a-wrong-guess-at-the-secret";
    let secrets = [PERSON, NESTED, COOKIE, GUESS, SECRET, AUTH_TOKEN];
    let simulator = simulated(operations()).await;
    let mut gateway = Gateway::new(&simulator, &RULES);
    gateway.log("trace");
    gateway.start().await;
    let pressed = json!({
        "system_domain_id": DEFAULT_DOMAIN, "user_id": "256ebe90-c0c8-11ec-9fcd-0648baddf8b3",
        "context": "ASSET", "action_id": "86f485b2-c71e-11ec-93c4-32f3401f5ebb", "asset_ids": [ASSET],
        "collection_ids": [], "saved_search_ids": [], "date_created": "2022-04-29T00:22:10.316685",
        "auth_token": PERSON, "metadata_values": { "inner": [{ "auth_token": NESTED }] },
    });
    let headers = [
        (RULE_HEADER, "pressed"),
        ("cookie", COOKIE),
        ("authorization", COOKIE),
    ];
    gateway.accepted(&pressed, &headers).await;
    let (status, _) = gateway
        .post_to("iconik", pressed.to_string(), &[(SECRET_HEADER, GUESS)])
        .await;
    assert_eq!(status, 401);
    gateway.until_runs(RunState::Succeeded, 1).await;
    assert_eq!(desk(&simulator, ASSET), Some(json!("ASSET")));
    hides(&gateway, &secrets, ASSET);
    // The write-ahead logs are still there after a kill, and folded into the files after a stop.
    gateway.sigkill().await;
    hides(&gateway, &secrets, ASSET);
    gateway.start().await;
    gateway.stop().await;
    hides(&gateway, &secrets, ASSET);
}

#[tokio::test]
async fn a_domain_that_is_learned_late_holds_events_back_and_loses_none() {
    let simulator = simulated(operations()).await;
    let trouble = Trouble::Answer {
        status: 503,
        body: json!({ "errors": ["later"] }),
        retry_after: None,
    };
    let everything = Matching::all();
    simulator.fault(everything, 1, trouble);
    let mut gateway = Gateway::started(&simulator, &RULES).await;
    gateway
        .accepted(&webhook("entity", "update", ASSET, &json!({})), &[])
        .await;
    gateway.until_runs(RunState::Succeeded, 1).await;
    assert_eq!(desk(&simulator, ASSET), Some(json!("update")));
    gateway
        .until_logged(&["Iconik does not tell who we are"])
        .await;
    eventually("the domain is known", async || {
        gateway
            .everything_said()
            .contains(DEFAULT_DOMAIN)
            .then_some(())
    })
    .await;
    let ended = gateway.stop().await;
    assert_eq!(ended.status.code(), Some(0));
}

#[tokio::test]
async fn an_answer_names_the_event_in_a_header_as_well() {
    let simulator = simulated(operations()).await;
    let gateway = Gateway::started(&simulator, &RULES).await;
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(10))
        .build();
    let body = webhook("entity", "update", ASSET, &json!({}));
    let answer = client
        .expect("a plain client can be built")
        .post(format!("{}/hooks/iconik", gateway.hooks_url()))
        .header(SECRET_HEADER, SECRET)
        .json(&body)
        .send()
        .await
        .expect("the gateway answers");
    let header = answer.headers()["cuegate-event-id"]
        .to_str()
        .expect("it is text")
        .to_owned();
    let body: Value = answer.json().await.expect("it is JSON");
    assert_eq!(body["event_id"], header);
}
