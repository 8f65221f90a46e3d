//! Lists: their filters, their pages, and scrolls through what is too long for pages.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use cuegate::clock::ManualClock;
use serde_json::{Value, json};

use super::{Iconik, prompt};

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at("2026-03-01T12:00:00Z".parse().unwrap()))
}

/// What the objects of a list say under a key.
async fn column(iconik: &Iconik, path: &str, key: &str) -> Vec<Value> {
    let (status, list) = iconik.get(path).await;
    assert_eq!(status, 200, "{path}: {list}");
    let objects = list["objects"].as_array().unwrap();
    objects.iter().map(|object| object[key].clone()).collect()
}

/// Tries each list with each filter: which objects it must show, by the key.
async fn shows(iconik: &Iconik, list: &str, key: &str, filters: &[(&str, &[&str])]) {
    for (filter, expected) in filters {
        let path = format!("{list}?{filter}");
        let shown = column(iconik, &path, key).await;
        assert_eq!(json!(shown), json!(expected), "{path}");
    }
}

#[tokio::test]
async fn a_page_beyond_the_last_does_not_exist_and_the_deepest_is_the_ten_thousandth_object() {
    let iconik = Iconik::start().await;
    iconik.asset("Only one").await;
    let (status, refused) = iconik.get("assets/v1/assets/?page=2").await;
    let message = "Requested page does not exist";
    assert_eq!((status, refused), (404, json!({ "errors": [message] })));
    let too_deep = "assets/v1/assets/?per_page=1000&page=11";
    assert_eq!(iconik.get(too_deep).await.0, 400);
    assert_eq!(iconik.get("jobs/v1/jobs/?per_page=101").await.0, 400);
}

#[tokio::test]
async fn assets_are_listed_by_their_keys_and_from_the_trash_only_by_status() {
    let iconik = Iconik::start().await;
    let body = json!({ "title": "a", "external_id": "one two", "type": "PLACEHOLDER" });
    iconik.make("assets/v1/assets/", body).await;
    let gone = iconik.asset("b").await;
    iconik.delete(&format!("assets/v1/assets/{gone}/")).await;
    let filters: [(&str, &[&str]); 5] = [
        ("", &["a"]),
        ("external_id=one%20two", &["a"]),
        ("type=ASSET", &[]),
        ("status=DELETED", &["b"]),
        ("status=DELETED&title=a", &[]),
    ];
    shows(&iconik, "assets/v1/assets/", "title", &filters).await;
    let types = column(&iconik, "assets/v1/assets/", "object_type").await;
    assert_eq!(types, ["assets"]);
}

#[tokio::test]
async fn jobs_are_listed_by_time_by_ids_and_by_what_they_have() {
    let clock = clock();
    let iconik = Iconik::at(prompt(), Arc::<ManualClock>::clone(&clock)).await;
    let mut ids = Vec::new();
    for (title, metadata, object_type) in [
        ("first", json!({}), Value::Null),
        ("second", json!({ "automation_id": "x" }), json!("assets")),
    ] {
        let body = json!({
            "type": "CUSTOM", "status": "STARTED", "title": title,
            "metadata": metadata, "object_type": object_type,
        });
        ids.push(iconik.make("jobs/v1/jobs/", body).await);
        clock.advance(Duration::from_secs(3600));
    }
    let by_ids = format!("ids={},{}", ids[1], ids[0]);
    let filters: [(&str, &[&str]); 10] = [
        (&by_ids, &["first", "second"]),
        ("date_created=2026-03-01T12:30:00Z;*", &["second"]),
        ("date_created=*;2026-03-01T12:30:00Z", &["first"]),
        ("date_created=2026-03-01", &["first", "second"]),
        ("date_created=2026-03-01T12:00:00Z", &["first"]),
        ("date_modified=1772366400001;*", &["second"]),
        ("metadata.automation_id=x", &["second"]),
        ("_exists_=object_type", &["second"]),
        ("_missing_=object_type,parent_id", &["first"]),
        ("object_type=assets&_missing_=object_type", &[]),
    ];
    shows(&iconik, "jobs/v1/jobs/", "title", &filters).await;
    let (status, refused) = iconik.get("jobs/v1/jobs/?date_created=yesterday").await;
    assert_eq!(status, 400);
    assert!(refused["errors"]["date_created"].is_string(), "{refused}");
}

#[tokio::test]
async fn segments_are_listed_by_time_and_by_the_type_in_their_path() {
    let iconik = Iconik::start().await;
    let asset = iconik.asset("Match").await;
    let segments = format!("assets/v1/assets/{asset}/segments/");
    for (text, kind, start, end) in [
        ("kick-off", "MARKER", 0, 1000),
        ("goal", "MARKER", 5000, 9000),
        ("nice", "COMMENT", 5000, 6000),
    ] {
        let body = json!({
            "segment_type": kind, "segment_text": text, "external_id": format!("mark:{text}"),
            "time_start_milliseconds": start, "time_end_milliseconds": end,
        });
        iconik.make(&segments, body).await;
    }
    let filters: [(&str, &[&str]); 4] = [
        ("time_start_milliseconds__gte=1", &["goal", "nice"]),
        ("time_end_milliseconds__lte=6000", &["kick-off", "nice"]),
        (
            "time_start_milliseconds=5000&segment_type=MARKER",
            &["goal"],
        ),
        (
            "sort=time_end_milliseconds,desc",
            &["goal", "nice", "kick-off"],
        ),
    ];
    shows(&iconik, &segments, "segment_text", &filters).await;
    let comments = format!("{segments}COMMENT/");
    assert_eq!(
        column(&iconik, &comments, "external_id").await,
        ["mark:nice"]
    );
    let wrong = format!("{segments}?time_start_milliseconds=soon");
    assert_eq!(iconik.get(&wrong).await.0, 400);
}

#[tokio::test]
async fn contents_are_filtered_by_ids_types_external_id_and_equal_keys() {
    let iconik = Iconik::start().await;
    let collection = iconik
        .make("assets/v1/collections/", json!({ "title": "Shelf" }))
        .await;
    let mut ids = Vec::new();
    for (title, external_id) in [("a", "x-1"), ("b", "x-2")] {
        let body = json!({
            "title": title, "external_id": external_id, "collection_id": collection,
        });
        ids.push(iconik.make("assets/v1/assets/", body).await);
    }
    let inner = json!({ "title": "c", "parent_id": collection });
    iconik.make("assets/v1/collections/", inner).await;
    let contents = format!("assets/v1/collections/{collection}/contents/");
    let by_id = format!("object_ids={}", ids[1]);
    let filters: [(&str, &[&str]); 6] = [
        ("", &["a", "b", "c"]),
        (&by_id, &["b"]),
        ("object_types=collections", &["c"]),
        ("external_id=x-1", &["a"]),
        ("filter=title,eq,b;status,eq,ACTIVE", &["b"]),
        ("sort=title,desc&per_page=2", &["c", "b"]),
    ];
    shows(&iconik, &contents, "title", &filters).await;
    assert_eq!(
        iconik
            .get(&format!("{contents}?filter=title,like,b"))
            .await
            .0,
        400
    );
    assert_eq!(iconik.get(&format!("{contents}?page=9")).await.0, 200);
}

#[tokio::test]
async fn a_scroll_reads_a_list_to_its_end_as_it_was_when_it_was_opened() {
    let iconik = Iconik::start().await;
    for n in 0..5 {
        iconik.asset(&format!("Clip {n}")).await;
    }
    let list = "assets/v1/assets/";
    let opened = format!("{list}?scroll=true&per_page=2&sort=title,desc");
    let (_, first) = iconik.get(&opened).await;
    assert_eq!(first["total"], 5);
    iconik.asset("Clip 9").await;
    let scroll = first["scroll_id"].as_str().unwrap().to_owned();
    let mut titles = Vec::new();
    let mut batch = first;
    while !batch["objects"].as_array().unwrap().is_empty() {
        let objects = batch["objects"].as_array().unwrap();
        titles.extend(objects.iter().map(|object| object["title"].clone()));
        assert_eq!(batch["scroll_id"], scroll.as_str());
        let (status, next) = iconik.get(&format!("{list}?scroll_id={scroll}")).await;
        assert_eq!(status, 200, "{next}");
        batch = next;
    }
    assert_eq!(titles, ["Clip 4", "Clip 3", "Clip 2", "Clip 1", "Clip 0"]);
    let elsewhere = format!("assets/v1/collections/?scroll_id={scroll}");
    assert_eq!(iconik.get(&elsewhere).await.0, 404);
}

#[tokio::test]
async fn a_scroll_goes_when_nobody_reads_on_and_when_too_many_are_open() {
    let clock = clock();
    let iconik = Iconik::at(prompt(), Arc::<ManualClock>::clone(&clock)).await;
    let list = "jobs/v1/jobs/";
    let open = async || {
        let (_, first) = iconik.get(&format!("{list}?scroll=true")).await;
        format!("{list}?scroll_id={}", first["scroll_id"].as_str().unwrap())
    };
    let forgotten = open().await;
    clock.advance(Duration::from_secs(299));
    assert_eq!(iconik.get(&forgotten).await.0, 200);
    clock.advance(Duration::from_secs(300));
    assert_eq!(iconik.get(&forgotten).await.0, 404);
    let crowded_out = open().await;
    let mut others = BTreeSet::new();
    for _ in 0..100 {
        others.insert(open().await);
    }
    assert_eq!(iconik.get(&crowded_out).await.0, 404);
    assert_eq!(iconik.get(others.first().unwrap()).await.0, 200);
}
