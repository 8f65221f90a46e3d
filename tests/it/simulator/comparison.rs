//! Comparing worlds: the writes that were carried out, and what a world looks like without ids and times.

use std::sync::Arc;
use std::time::Duration;

use cuegate::clock::ManualClock;
use cuegate::model::Method;
use cuegate::simulator::{DEFAULT_USER, Matching, Seed, SimulatorOptions, Trouble};
use serde_json::{Value, json};

use super::{Iconik, prompt, within};

const VIEW: &str = "22222222-bbbb-4bbb-8bbb-000000000001";
const ASSET: &str = "33333333-cccc-4ccc-8ccc-000000000001";
const TWIN: &str = "33333333-cccc-4ccc-8ccc-000000000002";
const ASSETS: &str = "assets/v1/assets/";

fn keeping() -> SimulatorOptions {
    let seed: Seed = serde_json::from_value(json!({
        "fields": [{ "name": "keywords", "label": "Keywords", "field_type": "tag_cloud" }],
        "views": [{ "id": VIEW, "name": "Operations", "view_fields": [{ "name": "keywords" }] }],
        "assets": [{ "id": ASSET, "title": "Match" }, { "id": TWIN, "title": "Match" }],
    }))
    .unwrap();
    SimulatorOptions {
        seed: Some(seed),
        keep_writes: true,
        rate_limit: None,
        log_entries: 3,
        ..prompt()
    }
}

#[tokio::test]
async fn every_write_that_was_carried_out_is_kept_in_order_and_nothing_else() {
    let iconik = Iconik::with(keeping()).await;
    let (_, made) = iconik
        .post(
            &format!("{ASSETS}?apply_default_acls=true"),
            json!({ "title": "New" }),
        )
        .await;
    let path = format!("{ASSETS}{ASSET}/");
    iconik.patch(&path, json!({ "external_id": "x-1" })).await;
    // Reads, searches and refused writes are none.
    iconik.get(&path).await;
    iconik
        .post("search/v1/search/", json!({ "query": "Match" }))
        .await;
    assert_eq!(iconik.post(ASSETS, json!({})).await.0, 400);
    assert_eq!(iconik.delete(&format!("{ASSETS}none/")).await.0, 404);
    iconik.delete(&path).await;

    let writes = iconik.simulator.writes();
    let told: Vec<_> = writes
        .iter()
        .map(|it| (it.method, it.path.as_str(), it.body.clone(), it.status))
        .collect();
    let expected = [
        (Method::Post, ASSETS, json!({ "title": "New" }), 201),
        (
            Method::Patch,
            path.as_str(),
            json!({ "external_id": "x-1" }),
            200,
        ),
        (Method::Delete, path.as_str(), Value::Null, 204),
    ];
    assert_eq!(told, expected);
    assert_eq!(writes[0].made.as_deref(), made["id"].as_str());
    assert_eq!(writes[0].query["apply_default_acls"], "true");
    assert_eq!((&writes[1].made, writes[1].request), (&None, 2));
    assert!(writes.iter().all(|it| it.user_id == DEFAULT_USER));
    assert_eq!(iconik.simulator.write_count(), 3);
    assert_eq!(iconik.simulator.writes_after(2), writes[2..]);
    assert_eq!(
        iconik.simulator.requests().len(),
        3,
        "the log has forgotten"
    );
}

#[tokio::test]
async fn a_write_is_kept_although_its_answer_was_lost_and_not_when_it_was_lost_itself() {
    let iconik = Iconik::with(keeping()).await;
    let creation = || {
        iconik
            .request("POST", ASSETS)
            .json(&json!({ "title": "New" }))
    };
    let lost = Trouble::Answer {
        status: 500,
        body: Value::Null,
        retry_after: None,
    };
    for (trouble, kept) in [
        (Trouble::LoseRequest, 0),
        (lost, 0),
        (Trouble::LoseAnswer, 1),
        (Trouble::NotJson, 2),
    ] {
        iconik.simulator.fault(Matching::all(), 1, trouble);
        // What the client sees of it is not the point here.
        within(creation().send()).await.ok();
        assert_eq!(iconik.simulator.write_count(), kept);
    }
    let writes = iconik.simulator.writes();
    let assets = iconik.simulator.world().assets();
    assert_eq!(assets[2]["id"].as_str(), writes[0].made.as_deref());
}

#[tokio::test]
async fn writes_are_kept_only_where_that_is_asked_for() {
    let iconik = Iconik::start().await;
    iconik.asset("x").await;
    assert_eq!(iconik.simulator.write_count(), 0);
    assert!(iconik.simulator.writes().is_empty());
}

/// A day's work on a simulator of its own; `late` does the same things later and in another order.
async fn worked(late: bool) -> Iconik {
    let clock = Arc::new(ManualClock::at("2026-03-01T12:00:00Z".parse().unwrap()));
    let iconik = Iconik::at(keeping(), Arc::<ManualClock>::clone(&clock)).await;
    if late {
        clock.advance(Duration::from_secs(86_400));
    }
    let shelf = iconik
        .make("assets/v1/collections/", json!({ "title": "Shelf" }))
        .await;
    let mut numbers = [1, 2];
    if late {
        numbers.reverse();
    }
    for number in numbers {
        let title = format!("Clip {number}");
        let body = json!({ "title": title, "collection_id": shelf });
        let asset = iconik.make(ASSETS, body).await;
        clock.advance(Duration::from_secs(1));
        let segment = json!({ "segment_type": "MARKER", "segment_text": title });
        let segments = format!("{ASSETS}{asset}/segments/");
        let segment = iconik.make(&segments, segment).await;
        let job = json!({
            "type": "CUSTOM", "status": "FINISHED", "title": "Marked",
            "object_id": asset, "metadata": { "segment": segment },
        });
        iconik.make("jobs/v1/jobs/", job).await;
        let format = json!({ "name": "ORIGINAL" });
        iconik
            .make(&format!("files/v1/assets/{asset}/formats/"), format)
            .await;
    }
    let path = format!("metadata/v1/assets/{ASSET}/views/{VIEW}/");
    let values =
        json!({ "metadata_values": { "keywords": { "field_values": [{ "value": "goal" }] } } });
    assert_eq!(iconik.put(&path, values).await.0, 200);
    iconik
}

#[tokio::test]
async fn two_worlds_look_alike_when_the_same_was_done_whatever_the_ids_times_and_order() {
    let (one, other) = (worked(false).await, worked(true).await);
    let (one, other) = (one.simulator.world(), other.simulator.world());
    assert_ne!(one.assets(), other.assets());
    assert_eq!(one.portrait(&[]), other.portrait(&[]));
    assert_eq!(one.digest(&[]), other.digest(&[]));
    let text = one.portrait(&[]).join("\n");
    assert!(!text.contains("2026-03-01"), "{text}");
    assert!(
        text.contains(ASSET),
        "what was there from the start keeps its id"
    );
}

#[tokio::test]
async fn every_difference_but_ids_and_times_changes_the_look() {
    let reference = worked(false).await.simulator.world().digest(&[]);
    let clip = |iconik: &Iconik| {
        let assets = iconik.simulator.world().assets();
        let clip = assets.iter().find(|it| it["title"] == "Clip 1").unwrap();
        clip["id"].as_str().unwrap().to_owned()
    };
    let mut looks = vec![reference];
    for number in 0..8 {
        let iconik = worked(false).await;
        let asset = format!("{ASSETS}{}/", clip(&iconik));
        let shelf = iconik.simulator.world().collections()[0]["id"].clone();
        let contents = format!(
            "assets/v1/collections/{}/contents/",
            shelf.as_str().unwrap()
        );
        let (status, answer) = match number {
            0 => iconik.patch(&asset, json!({ "title": "Clip one" })).await,
            1 => iconik.delete(&asset).await,
            2 => iconik.post(&format!("{asset}versions/"), json!({})).await,
            3 => {
                let entry = json!({ "object_id": ASSET, "object_type": "assets" });
                iconik.post(&contents, entry).await
            }
            4 => iconik.post(ASSETS, json!({ "title": "Clip 1" })).await,
            5 => {
                let marker = json!({ "segment_type": "MARKER", "segment_text": "Clip 2" });
                iconik.post(&format!("{asset}segments/"), marker).await
            }
            6 => iconik.delete(&format!("{ASSETS}{ASSET}/")).await,
            _ => iconik.delete(&format!("{ASSETS}{TWIN}/")).await,
        };
        assert!((200..300).contains(&status), "{answer}");
        looks.push(iconik.simulator.world().digest(&[]));
    }
    let different: std::collections::BTreeSet<_> = looks.iter().collect();
    assert_eq!(different.len(), looks.len(), "{looks:?}");
}

#[tokio::test]
async fn what_hangs_on_another_parent_looks_different() {
    let mut looks = Vec::new();
    for parent in ["Clip 1", "Clip 2"] {
        let iconik = worked(false).await;
        let assets = iconik.simulator.world().assets();
        let parent = assets.iter().find(|it| it["title"] == parent).unwrap();
        let segments = format!("{ASSETS}{}/segments/", parent["id"].as_str().unwrap());
        iconik
            .make(&segments, json!({ "segment_type": "COMMENT" }))
            .await;
        looks.push(iconik.simulator.world().digest(&[]));
    }
    assert_ne!(looks[0], looks[1]);
}

#[tokio::test]
async fn marks_of_the_test_s_own_can_be_left_out() {
    let mut looks = Vec::new();
    for mark in ["run 17, step 3", "run 4, step 3"] {
        let iconik = worked(false).await;
        let body = json!({ "title": "New", "external_id": mark });
        iconik.make(ASSETS, body).await;
        let world = iconik.simulator.world();
        looks.push((world.digest(&[]), world.digest(&["external_id"])));
    }
    assert_ne!(looks[0].0, looks[1].0);
    assert_eq!(looks[0].1, looks[1].1);
}
