//! What the simulated Iconik sends: events to webhooks, presses of buttons.

use std::collections::BTreeSet;
use std::time::Duration;

use cuegate::simulator::{
    Credential, DEFAULT_DOMAIN, DEFAULT_USER, DeliveryOptions, SimulatorOptions,
};
use serde_json::{Value, json};

use super::{Iconik, Receiver, keys, prompt, within};

const WEBHOOKS: &str = "notifications/v1/webhooks/";

fn hasty() -> SimulatorOptions {
    SimulatorOptions {
        delivery: DeliveryOptions {
            attempts: 2,
            backoff: Duration::from_millis(1),
            ..DeliveryOptions::default()
        },
        ..prompt()
    }
}

fn definition(receiver: &Receiver, event_type: &str) -> Value {
    json!({
        "name": "test",
        "event_type": event_type,
        "status": "ENABLED",
        "url": receiver.url,
        "headers": { "x-secret": "s3cret", "x-other": "1" },
    })
}

/// Event type, realm and operation of the next event.
async fn kind(receiver: &mut Receiver) -> String {
    let body = receiver.next().await.body;
    ["event_type", "realm", "operation"]
        .map(|key| body[key].as_str().unwrap().to_owned())
        .join("/")
}

#[tokio::test]
async fn an_event_has_exactly_the_eight_recorded_keys_and_the_static_headers() {
    let iconik = Iconik::start().await;
    let mut receiver = Receiver::start().await;
    iconik.make(WEBHOOKS, definition(&receiver, "assets")).await;
    let (_, asset) = iconik
        .post("assets/v1/assets/", json!({ "title": "Interview" }))
        .await;
    let event = receiver.next().await;
    let recorded = BTreeSet::from([
        "system_domain_id",
        "event_type",
        "object_id",
        "user_id",
        "realm",
        "operation",
        "data",
        "request_id",
    ]);
    assert_eq!(keys(&event.body), recorded);
    assert_eq!(event.body["system_domain_id"], DEFAULT_DOMAIN);
    assert_eq!(event.body["user_id"], DEFAULT_USER);
    assert_eq!(event.body["object_id"], asset["id"]);
    assert_eq!(event.body["data"], asset);
    let request_id = event.body["request_id"].as_str().unwrap();
    assert_eq!(request_id.len(), 32);
    assert!(
        request_id
            .bytes()
            .all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'))
    );
    assert_eq!(event.headers["x-secret"], "s3cret");
    assert_eq!(event.headers["x-other"], "1");
    assert_eq!(event.headers["content-type"], "application/json");
    let requests = iconik.simulator.requests();
    assert!(requests.iter().any(|it| it.request_id == request_id));
}

#[tokio::test]
async fn every_change_is_one_event_in_the_order_of_the_changes() {
    let iconik = Iconik::start().await;
    let mut receiver = Receiver::start().await;
    for event_type in ["assets", "collections"] {
        iconik
            .make(WEBHOOKS, definition(&receiver, event_type))
            .await;
    }
    let asset = iconik.asset("Interview").await;
    let path = format!("assets/v1/assets/{asset}/");
    assert_eq!(kind(&mut receiver).await, "assets/entity/create");
    iconik.patch(&path, json!({ "title": "x" })).await;
    let segments = format!("{path}segments/");
    let segment = iconik
        .make(&segments, json!({ "segment_type": "MARKER" }))
        .await;
    iconik
        .patch(
            &format!("{segments}{segment}/"),
            json!({ "segment_text": "x" }),
        )
        .await;
    iconik.delete(&format!("{segments}{segment}/")).await;
    iconik.delete(&path).await;
    iconik.call("PUT", &format!("{path}restore/"), None).await;
    iconik.delete(&format!("{path}purge/")).await;
    for expected in [
        "assets/entity/update",
        "assets/segments/create",
        "assets/segments/update",
        "assets/segments/delete",
        "assets/entity/delete",
        "assets/entity/restore",
        "assets/entity/purge",
    ] {
        assert_eq!(kind(&mut receiver).await, expected);
    }
    let collection = iconik
        .make("assets/v1/collections/", json!({ "title": "x" }))
        .await;
    iconik
        .delete(&format!("assets/v1/collections/{collection}/"))
        .await;
    assert_eq!(kind(&mut receiver).await, "collections/entity/create");
    assert_eq!(kind(&mut receiver).await, "collections/entity/delete");
    within(
        iconik
            .simulator
            .until(|it| (it.undelivered() == 0).then_some(())),
    )
    .await;
    assert!(receiver.is_quiet());
}

#[tokio::test]
async fn adding_to_a_collection_tells_the_added_object_as_recorded() {
    let iconik = Iconik::start().await;
    let mut receiver = Receiver::start().await;
    let shelf = iconik
        .make("assets/v1/collections/", json!({ "title": "Shelf" }))
        .await;
    let body = json!({ "title": "Box", "parent_id": shelf });
    let collection = iconik.make("assets/v1/collections/", body).await;
    let asset = iconik.asset("Interview").await;
    let mut webhook = definition(&receiver, "collections");
    webhook["realm"] = json!("contents");
    iconik.make(WEBHOOKS, webhook).await;
    let contents = format!("assets/v1/collections/{collection}/contents/");
    let entry = json!({ "object_id": asset, "object_type": "assets" });
    iconik.post(&contents, entry.clone()).await;
    let event = receiver.next().await.body;
    assert_eq!(event["object_id"], asset.as_str());
    assert_eq!(event["operation"], "create");
    let data = &event["data"];
    let recorded = [
        "collection_id",
        "date_created",
        "object_id",
        "object_type",
        "parents",
    ];
    assert_eq!(keys(data), BTreeSet::from(recorded));
    assert_eq!(data["collection_id"], collection.as_str());
    assert_eq!(data["object_id"], asset.as_str());
    assert_eq!(data["parents"], json!([collection, shelf]));
    // Adding it again changes nothing.
    iconik.post(&contents, entry).await;
    iconik.delete(&format!("{contents}assets/{asset}/")).await;
    assert_eq!(kind(&mut receiver).await, "collections/contents/delete");
}

#[tokio::test]
async fn a_metadata_write_tells_the_document_that_it_answered() {
    let iconik = Iconik::start().await;
    let mut receiver = Receiver::start().await;
    let asset = iconik.asset("Interview").await;
    let field = json!({ "name": "headline", "label": "x", "field_type": "string" });
    iconik.post("metadata/v1/fields/", field).await;
    let view = json!({ "name": "News", "view_fields": [{ "name": "headline" }] });
    let view = iconik.make("metadata/v1/views/", view).await;
    let mut webhook = definition(&receiver, "assets");
    webhook["realm"] = json!("metadata");
    webhook["operation"] = json!("update");
    iconik.make(WEBHOOKS, webhook).await;
    let path = format!("metadata/v1/assets/{asset}/views/{view}/");
    let body = json!({ "metadata_values": { "headline": { "field_values": [{ "value": "x" }] } } });
    let (_, document) = iconik.put(&path, body).await;
    let event = receiver.next().await.body;
    assert_eq!(event["object_id"], asset.as_str());
    assert_eq!(event["data"], document);
    let refused =
        json!({ "metadata_values": { "headline": { "field_values": [{ "value": 1 }] } } });
    assert_eq!(iconik.put(&path, refused).await.0, 400);
    assert_eq!(iconik.simulator.undelivered(), 0);
    assert!(receiver.is_quiet());
}

#[tokio::test]
async fn events_name_the_user_whose_token_was_used() {
    let robot = "9b1d7e4c-7a8b-11ee-9d3f-0a580a3c0f12";
    let iconik = Iconik::with(SimulatorOptions {
        credentials: vec![Credential::demo(), Credential::new("robot", "r0b0t", robot)],
        ..prompt()
    })
    .await;
    let mut receiver = Receiver::start().await;
    iconik.make(WEBHOOKS, definition(&receiver, "assets")).await;
    iconik.asset("by a person").await;
    assert_eq!(receiver.next().await.body["user_id"], DEFAULT_USER);
    let url = format!("{}/assets/v1/assets/", iconik.simulator.base_url());
    let by_robot = iconik
        .client
        .post(url)
        .header("App-ID", "robot")
        .header("Auth-Token", "r0b0t");
    let response = by_robot
        .json(&json!({ "title": "by a robot" }))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 201);
    assert_eq!(receiver.next().await.body["user_id"], robot);
}

#[tokio::test]
async fn a_failing_receiver_is_tried_again_and_the_event_arrives() {
    let iconik = Iconik::with(hasty()).await;
    let mut receiver = Receiver::start().await;
    let webhook = iconik.make(WEBHOOKS, definition(&receiver, "assets")).await;
    receiver.will_answer(503, json!({})).await;
    iconik.asset("Interview").await;
    let first = receiver.next().await.body;
    assert_eq!(receiver.next().await.body, first);
    within(
        iconik
            .simulator
            .until(|it| (it.undelivered() == 0).then_some(())),
    )
    .await;
    let outcomes: Vec<_> = iconik
        .simulator
        .deliveries()
        .into_iter()
        .map(|it| (it.attempt, it.outcome))
        .collect();
    let failed = "the receiver answered 503".to_owned();
    assert_eq!(outcomes, [(1, Err(failed)), (2, Ok(200))]);
    let (_, webhook) = iconik.get(&format!("{WEBHOOKS}{webhook}/")).await;
    assert_eq!(webhook["status"], "ENABLED");
    assert_eq!(webhook["first_failed_at"], Value::Null);
}

#[tokio::test]
async fn a_webhook_that_keeps_failing_is_marked_and_gets_nothing_until_it_is_enabled_again() {
    let iconik = Iconik::with(hasty()).await;
    let mut receiver = Receiver::start().await;
    let body = definition(&receiver, "assets");
    let webhook = format!("{WEBHOOKS}{}/", iconik.make(WEBHOOKS, body.clone()).await);
    for _ in 0..2 {
        receiver.will_answer(500, json!({})).await;
    }
    iconik.asset("lost").await;
    let lost = receiver.next().await.body;
    receiver.next().await;
    let marked = |it: &cuegate::simulator::Simulator| {
        let webhook = it.world().webhooks().remove(0);
        (webhook["status"] == "FAILING" && it.undelivered() == 0).then_some(webhook)
    };
    let definition = within(iconik.simulator.until(marked)).await;
    assert!(definition["first_failed_at"].is_string());
    assert_eq!(definition["last_error"], "the receiver answered 500");
    let payload: Value =
        serde_json::from_str(definition["last_payload"].as_str().unwrap()).unwrap();
    assert_eq!(payload, lost);
    iconik.asset("unseen").await;
    assert_eq!(iconik.simulator.undelivered(), 0);
    assert_eq!(iconik.put(&webhook, body).await.0, 200);
    iconik.asset("seen").await;
    assert_eq!(receiver.next().await.body["data"]["title"], "seen");
}

#[tokio::test]
async fn a_disabled_or_deleted_webhook_gets_nothing() {
    let iconik = Iconik::start().await;
    let mut receiver = Receiver::start().await;
    let mut body = definition(&receiver, "assets");
    body["status"] = json!("DISABLED");
    iconik.make(WEBHOOKS, body.clone()).await;
    body["status"] = json!("ENABLED");
    let webhook = format!("{WEBHOOKS}{}/", iconik.make(WEBHOOKS, body).await);
    assert_eq!(iconik.delete(&webhook).await.0, 204);
    assert_eq!(iconik.get(&webhook).await.0, 404);
    iconik.asset("Interview").await;
    assert_eq!(iconik.simulator.undelivered(), 0);
    assert!(receiver.is_quiet());
}

#[tokio::test]
async fn an_impossible_webhook_is_refused_with_the_key_that_is_wrong() {
    let iconik = Iconik::start().await;
    let receiver = Receiver::start().await;
    for (key, value) in [
        ("url", json!("ftp://example.com")),
        ("headers", json!({ "a b": "c" })),
        ("status", json!("ON")),
        ("event_type", Value::Null),
        ("query", json!("data.size>")),
    ] {
        let mut body = definition(&receiver, "assets");
        body[key] = value;
        let (status, refused) = iconik.post(WEBHOOKS, body).await;
        assert_eq!(status, 400, "{key}");
        assert!(refused["errors"][key].is_string(), "{refused}");
    }
}

#[tokio::test]
async fn pressing_a_button_calls_its_url_with_the_eleven_recorded_keys() {
    let iconik = Iconik::start().await;
    let mut receiver = Receiver::start().await;
    let asset = iconik.asset("Interview").await;
    let body = json!({
        "title": "Send",
        "url": receiver.url,
        "context": "ASSET",
        "headers": { "x-secret": "s3cret" },
    });
    let actions = "assets/v1/custom_actions/ASSET/";
    let action = iconik.make(actions, body).await;
    let redirect = json!({ "redirect_url": "https://example.com/done", "else": 1 });
    receiver.will_answer(200, redirect).await;
    let press = json!({ "asset_ids": [asset] });
    let (status, answer) = iconik
        .post(&format!("{actions}{action}/callback/"), press)
        .await;
    assert_eq!(
        (status, answer),
        (200, json!({ "redirect_url": "https://example.com/done" }))
    );
    let pressed = receiver.next().await;
    let recorded = BTreeSet::from([
        "user_id",
        "system_domain_id",
        "context",
        "action_id",
        "asset_ids",
        "collection_ids",
        "saved_search_ids",
        "metadata_view_id",
        "metadata_values",
        "date_created",
        "auth_token",
    ]);
    assert_eq!(keys(&pressed.body), recorded);
    assert_eq!(pressed.body["asset_ids"], json!([asset]));
    assert_eq!(pressed.body["action_id"], action.as_str());
    assert_eq!(pressed.headers["x-secret"], "s3cret");
    let date = pressed.body["date_created"].as_str().unwrap();
    assert_eq!(date.len(), "2022-04-29T00:22:10.316685".len(), "{date}");
    let (_, list) = iconik.get("assets/v1/custom_actions/").await;
    assert_eq!(list["objects"][0]["status"], "HEALTHY");
}

#[tokio::test]
async fn a_button_that_fails_says_so_and_recovers() {
    let iconik = Iconik::start().await;
    let receiver = Receiver::start().await;
    let actions = "assets/v1/custom_actions/NONE/";
    let body = json!({ "title": "Send", "url": receiver.url, "context": "NONE" });
    let action = format!("{actions}{}/", iconik.make(actions, body).await);
    let callback = format!("{action}callback/");
    receiver.will_answer(500, json!({})).await;
    assert_eq!(iconik.post(&callback, json!({})).await.0, 400);
    let (_, failing) = iconik.get(&action).await;
    assert_eq!(failing["status"], "FAILING");
    assert_eq!(failing["last_error"], "the receiver answered 500");
    assert!(failing["last_error_date"].is_string());
    let pressed = iconik.post(&callback, json!({})).await;
    assert_eq!(pressed, (200, json!({})));
    assert_eq!(iconik.get(&action).await.1["status"], "HEALTHY");
    iconik.patch(&action, json!({ "disabled": true })).await;
    assert_eq!(iconik.post(&callback, json!({})).await.0, 400);
    assert_eq!(iconik.get(&action).await.1["status"], "HEALTHY");
    let elsewhere = action.replace("NONE", "BULK");
    assert_eq!(iconik.get(&elsewhere).await.0, 404);
    assert_eq!(iconik.delete(&action).await.0, 204);
    assert_eq!(iconik.post(&callback, json!({})).await.0, 404);
}
