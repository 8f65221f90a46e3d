//! Automations about one asset.

use cuegate::engine::Outcome;
use cuegate::model::EgressCall;
use serde_json::{Value, json};

use super::{ASSET, OTHER_ASSET, World, button, event, nobody, server, silent, webhook};
use cuegate::model::EventKind;

#[tokio::test]
async fn a_new_asset_is_analyzed_once_and_a_placeholder_is_not() {
    let world = World::new().await;
    let arrived = || {
        webhook(
            ("assets", "entity", "create"),
            ASSET,
            json!({ "id": ASSET, "type": "ASSET" }),
        )
    };
    let lines = world.run("analyze_on_arrival", arrived(), nobody).await;
    assert_eq!(
        lines,
        [
            "GET assets/v1/assets/*/",
            "POST transcode/v1/analyze/assets/*/profiles/default/"
        ]
    );
    let source = include_str!("../../../examples/automations/analyze_on_arrival.rhai");
    let rule = super::driven::rule(source.to_owned());
    let placeholder = webhook(
        ("assets", "entity", "create"),
        ASSET,
        json!({ "id": ASSET, "type": "PLACEHOLDER" }),
    );
    assert_eq!(rule.when(&placeholder.into()), cuegate::engine::When::No);
    assert_eq!(rule.when(&arrived().into()), cuegate::engine::When::Yes);
}

#[tokio::test]
async fn the_differences_of_two_versions_become_segments_with_a_field() {
    fn compared(call: &EgressCall) -> Value {
        assert_eq!(call.target, "compare");
        json!({ "differences": [{ "text": "another logo", "start": 1_000, "end": 2_000, "kind": "picture" }] })
    }
    let world = World::new().await;
    let (journal, outcome) = world
        .end_of("version_notes", button("ASSET", &[ASSET], &[]), nobody)
        .await;
    assert_eq!(
        outcome,
        Outcome::Skipped("there is one version only".to_owned()),
        "{journal:?}"
    );
    world
        .post(&format!("assets/v1/assets/{ASSET}/versions/"), json!({}))
        .await;
    let lines = world
        .run("version_notes", button("ASSET", &[ASSET], &[]), compared)
        .await;
    assert_eq!(
        lines,
        [
            "GET assets/v1/assets/*/",
            "egress compare",
            "POST assets/v1/assets/*/segments/",
            "GET metadata/v1/assets/*/segments/*/views/*/",
            "PUT metadata/v1/assets/*/segments/*/views/*/",
        ]
    );
    let segments = world
        .get(&format!("assets/v1/assets/{ASSET}/segments/"))
        .await;
    assert_eq!(segments["objects"][0]["segment_text"], "another logo");
}

#[tokio::test]
async fn what_another_system_heard_takes_the_place_of_what_was_there() {
    fn heard(_: &EgressCall) -> Value {
        let line =
            |n: u64| json!({ "text": format!("line {n}"), "start": n * 10, "end": n * 10 + 9 });
        json!({ "language": "en", "lines": (0..501).map(line).collect::<Vec<_>>() })
    }
    let world = World::new().await;
    let path = format!("assets/v1/assets/{ASSET}/segments/");
    let old = json!({ "segment_type": "TRANSCRIPTION", "segment_text": "old", "time_start_milliseconds": 0, "time_end_milliseconds": 9 });
    world.post(&path, old).await;
    let lines = world
        .run("transcription", button("ASSET", &[ASSET], &[]), heard)
        .await;
    assert_eq!(
        lines,
        [
            "GET assets/v1/assets/*/",
            "egress speech",
            "DELETE assets/v1/assets/*/segments/bulk/",
            "POST assets/v1/assets/*/versions/*/transcriptions/properties/",
            "POST assets/v1/assets/*/segments/bulk/",
            "POST assets/v1/assets/*/segments/bulk/",
            "POST assets/v1/assets/*/segments/reindex/",
        ]
    );
    let segments = world.get(&path).await;
    assert_eq!(segments["total"], 501);
}

#[tokio::test]
async fn an_asset_is_delivered_once() {
    fn station(call: &EgressCall) -> Value {
        assert_eq!(
            call.body.as_ref().map(|body| &body["title"]),
            Some(&json!("Interview"))
        );
        json!({ "id": "order-7" })
    }
    let world = World::new().await;
    let storage = server(&world).await;
    let location = json!({ "name": "Station", "path": "/", "storage_id": storage["id"] });
    world.post("files/v1/export_locations/", location).await;
    let lines = world
        .run(
            "deliver_to_station",
            button("ASSET", &[ASSET], &[]),
            station,
        )
        .await;
    assert_eq!(
        lines,
        [
            "GET assets/v1/assets/*/",
            "GET metadata/v1/assets/*/views/*/",
            "POST files/v1/assets/*/export_locations/*/",
            "wait for a job",
            "egress station",
            "GET metadata/v1/assets/*/views/*/",
            "PUT metadata/v1/assets/*/views/*/",
        ]
    );
    let (_, outcome) = world
        .end_of("deliver_to_station", button("ASSET", &[ASSET], &[]), nobody)
        .await;
    assert_eq!(outcome, Outcome::Skipped("delivered already".to_owned()));
}

#[tokio::test]
async fn an_order_knows_the_collections_of_its_asset() {
    fn render(call: &EgressCall) -> Value {
        assert_eq!(
            call.body,
            Some(json!({ "title": "Cut", "owner": null, "Season 1": "archive" }))
        );
        json!({ "id": "order-8" })
    }
    let world = World::new().await;
    let lines = world
        .run(
            "creative_render",
            button("ASSET", &[OTHER_ASSET], &[]),
            render,
        )
        .await;
    assert_eq!(
        lines,
        [
            "GET assets/v1/assets/*/",
            "GET metadata/v1/assets/*/views/*/",
            "GET assets/v1/collections/*/",
            "GET metadata/v1/collections/*/views/*/",
            "egress render",
            "GET metadata/v1/assets/*/views/*/",
            "PUT metadata/v1/assets/*/views/*/",
        ]
    );
}

#[tokio::test]
async fn a_failed_archive_job_is_put_right_where_the_files_are_in_the_archive() {
    let world = World::new().await;
    let files = format!("files/v1/assets/{ASSET}");
    let format = world
        .post(&format!("{files}/formats/"), json!({ "name": "ORIGINAL" }))
        .await;
    let set = json!({ "name": "a", "base_dir": "/", "component_ids": [], "format_id": format["id"], "is_archive": true });
    let set = world.post(&format!("{files}/file_sets/"), set).await;
    let file = json!({ "original_name": "a.mov", "directory_path": "", "type": "FILE", "file_set_id": set["id"], "format_id": format["id"] });
    world.post(&format!("{files}/files/"), file).await;
    let failed = |asset: &str| json!({ "type": "ARCHIVE", "status": "FAILED", "title": "Archive", "object_type": "assets", "object_id": asset });
    let job = world.post("jobs/v1/jobs/", failed(ASSET)).await;
    let due = event(
        EventKind::Schedule,
        "schedule",
        json!({ "rule": "archive_sweeper" }),
    );
    let lines = world.run("archive_sweeper", due, silent).await;
    assert_eq!(
        lines,
        [
            "GET jobs/v1/jobs/",
            "GET assets/v1/assets/*/",
            "GET files/v1/assets/*/formats/ORIGINAL/",
            "GET files/v1/assets/*/formats/*/file_sets/",
            "GET files/v1/assets/*/files/",
            "PATCH files/v1/assets/*/files/*/",
            "PATCH files/v1/assets/*/formats/*/",
            "PATCH assets/v1/assets/*/",
            "PATCH jobs/v1/jobs/*/",
        ]
    );
    let job = world
        .get(&format!(
            "jobs/v1/jobs/{}/",
            job["id"].as_str().expect("an id")
        ))
        .await;
    assert_eq!(job["status"], "FINISHED");
    assert_eq!(
        world.get(&format!("assets/v1/assets/{ASSET}/")).await["archive_status"],
        "ARCHIVED"
    );
}
