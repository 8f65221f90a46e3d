//! Lists and searches are behind: they read an index, single objects are read from the database.

use std::sync::Arc;
use std::time::Duration;

use cuegate::clock::ManualClock;
use cuegate::simulator::{Seed, SimulatorOptions};
use serde_json::{Value, json};

use super::Iconik;

const LAG: Duration = Duration::from_secs(90);
const ASSET: &str = "33333333-cccc-4ccc-8ccc-000000000001";
const COLLECTION: &str = "44444444-dddd-4ddd-8ddd-000000000001";

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at("2026-03-01T12:00:00Z".parse().unwrap()))
}

fn seed() -> Seed {
    serde_json::from_value(json!({
        "assets": [{ "id": ASSET, "title": "Interview" }],
        "collections": [{ "id": COLLECTION, "title": "Shelf" }],
    }))
    .unwrap()
}

async fn lagging(clock: &Arc<ManualClock>) -> Iconik {
    let options = SimulatorOptions {
        index_lag: LAG,
        seed: Some(seed()),
        rate_limit: None,
        ..SimulatorOptions::default()
    };
    Iconik::at(options, Arc::<ManualClock>::clone(clock)).await
}

async fn ids(iconik: &Iconik, path: &str) -> Vec<String> {
    let (status, list) = iconik.get(path).await;
    assert_eq!(status, 200, "{list}");
    let objects = list["objects"].as_array().unwrap();
    assert_eq!(list["total"], objects.len(), "{list}");
    objects
        .iter()
        .map(|object| object["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn what_is_there_from_the_start_is_in_every_list_from_the_start() {
    let iconik = lagging(&clock()).await;
    assert_eq!(ids(&iconik, "assets/v1/assets/").await, [ASSET]);
    assert_eq!(ids(&iconik, "assets/v1/collections/").await, [COLLECTION]);
}

#[tokio::test]
async fn every_kind_of_list_shows_a_new_object_when_the_lag_is_over_and_not_before() {
    let clock = clock();
    let iconik = lagging(&clock).await;
    let segments = format!("assets/v1/assets/{ASSET}/segments/");
    let contents = format!("assets/v1/collections/{COLLECTION}/contents/");
    let asset = iconik.asset("Match").await;
    let collection = json!({ "title": "Box", "parent_id": COLLECTION });
    let collection = iconik.make("assets/v1/collections/", collection).await;
    let segment = iconik
        .make(&segments, json!({ "segment_type": "MARKER" }))
        .await;
    let job = json!({ "type": "CUSTOM", "status": "STARTED", "title": "Count" });
    let job = iconik.make("jobs/v1/jobs/", job).await;
    let lists = [
        ("assets/v1/assets/", &asset),
        ("assets/v1/collections/", &collection),
        (segments.as_str(), &segment),
        (contents.as_str(), &collection),
        ("jobs/v1/jobs/", &job),
    ];
    let singles = [
        format!("assets/v1/assets/{asset}/"),
        format!("assets/v1/collections/{collection}/"),
        format!("{segments}{segment}/"),
        format!("jobs/v1/jobs/{job}/"),
    ];
    for single in &singles {
        assert_eq!(iconik.get(single).await.0, 200, "{single}");
    }
    clock.advance(LAG - Duration::from_millis(1));
    for (list, id) in lists {
        assert!(!ids(&iconik, list).await.contains(id), "{list}");
    }
    clock.advance(Duration::from_millis(1));
    for (list, id) in lists {
        assert!(ids(&iconik, list).await.contains(id), "{list}");
    }
}

#[tokio::test]
async fn lists_show_the_past_of_what_was_changed_and_of_what_is_gone() {
    let clock = clock();
    let iconik = lagging(&clock).await;
    let asset = iconik.asset("First title").await;
    clock.advance(LAG);
    let path = format!("assets/v1/assets/{asset}/");
    let listed = format!("assets/v1/assets/?id={asset}");
    iconik
        .patch(&path, json!({ "title": "Second title" }))
        .await;
    clock.advance(LAG / 2);
    iconik.delete(&format!("{path}purge/")).await;
    assert_eq!(iconik.get(&path).await.0, 404);
    let title = |list: &Value| list["objects"][0]["title"].clone();
    assert_eq!(title(&iconik.get(&listed).await.1), "First title");
    clock.advance(LAG / 2);
    assert_eq!(title(&iconik.get(&listed).await.1), "Second title");
    clock.advance(LAG / 2);
    assert!(ids(&iconik, &listed).await.is_empty());
}

#[tokio::test]
async fn what_was_taken_out_of_a_collection_still_lies_there_for_its_list() {
    let clock = clock();
    let iconik = lagging(&clock).await;
    let contents = format!("assets/v1/collections/{COLLECTION}/contents/");
    let entry = json!({ "object_id": ASSET, "object_type": "assets" });
    assert_eq!(iconik.post(&contents, entry).await.0, 201);
    assert!(ids(&iconik, &contents).await.is_empty());
    clock.advance(LAG);
    let entry = format!("{contents}assets/{ASSET}/");
    assert_eq!(iconik.delete(&entry).await.0, 204);
    assert_eq!(iconik.delete(&entry).await.0, 404);
    assert_eq!(ids(&iconik, &contents).await, [ASSET]);
    clock.advance(LAG);
    assert!(ids(&iconik, &contents).await.is_empty());
}
