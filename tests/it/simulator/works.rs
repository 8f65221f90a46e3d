//! What takes time, and what it leaves: jobs that end by themselves, by the simulator's clock.

use std::sync::Arc;
use std::time::Duration;

use cuegate::clock::ManualClock;
use cuegate::simulator::SimulatorOptions;
use serde_json::{Value, json};

use super::{Iconik, Receiver, prompt, within};

const TAKES: Duration = Duration::from_secs(60);

async fn slow() -> (Iconik, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at("2026-03-01T12:00:00Z".parse().unwrap()));
    let options = SimulatorOptions {
        work_takes: TAKES,
        ..prompt()
    };
    let iconik = Iconik::at(options, Arc::<ManualClock>::clone(&clock)).await;
    (iconik, clock)
}

async fn accepted(iconik: &Iconik, method: &str, path: &str, body: Value) -> String {
    let (status, answer) = iconik.call(method, path, Some(body)).await;
    assert!(matches!(status, 201 | 202), "{status}: {answer}");
    answer["job_id"].as_str().unwrap().to_owned()
}

async fn status(iconik: &Iconik, job: &str) -> Value {
    iconik.get(&format!("jobs/v1/jobs/{job}/")).await.1["status"].clone()
}

async fn archivable(iconik: &Iconik) -> (String, String) {
    let asset = iconik.asset("Match").await;
    let formats = format!("files/v1/assets/{asset}/formats/");
    let format = iconik.make(&formats, json!({ "name": "ORIGINAL" })).await;
    (asset, format)
}

#[tokio::test]
async fn an_edit_of_many_is_a_job_and_is_done_when_the_job_is() {
    let (iconik, clock) = slow().await;
    let ids = [iconik.asset("a").await, iconik.asset("b").await];
    let objects: Vec<_> = ids
        .iter()
        .map(|id| json!({ "id": id, "title": "new" }))
        .collect();
    let edit = json!({ "objects": objects });
    let job = accepted(&iconik, "PATCH", "assets/v1/assets/", edit).await;
    assert_eq!(status(&iconik, &job).await, "STARTED");
    assert_eq!(
        iconik.simulator.world().asset(&ids[0]).unwrap()["title"],
        "a"
    );
    clock.advance(TAKES);
    assert_eq!(status(&iconik, &job).await, "FINISHED");
    for id in &ids {
        assert_eq!(iconik.simulator.world().asset(id).unwrap()["title"], "new");
    }
}

#[tokio::test]
async fn an_edit_of_many_in_which_one_is_wrong_edits_none() {
    let (iconik, clock) = slow().await;
    let asset = iconik.asset("a").await;
    let objects = json!([{ "id": asset, "title": "new" }, { "id": asset, "title": 7 }]);
    let edit = json!({ "objects": objects });
    assert_eq!(iconik.patch("assets/v1/assets/", edit).await.0, 400);
    clock.advance(TAKES);
    iconik.get("assets/v1/assets/").await;
    assert_eq!(
        iconik.simulator.world().asset(&asset).unwrap()["title"],
        "a"
    );
}

#[tokio::test]
async fn archiving_shows_on_the_way_and_at_its_end_and_its_event_comes_unasked() {
    let (iconik, clock) = slow().await;
    let (asset, format) = archivable(&iconik).await;
    let mut receiver = Receiver::start().await;
    let webhook = json!({
        "event_type": "assets", "realm": "entity", "status": "ENABLED", "url": receiver.url,
        "query": "data.archive_status=\"ARCHIVED\"",
    });
    iconik.make("notifications/v1/webhooks/", webhook).await;
    let path = format!("files/v1/assets/{asset}/formats/{format}/archive/");
    accepted(&iconik, "POST", &path, json!({})).await;
    let shown = || iconik.simulator.world().asset(&asset).unwrap()["archive_status"].clone();
    assert_eq!(shown(), "ARCHIVING");
    assert!(receiver.is_quiet());
    clock.advance(TAKES);
    let event = within(receiver.next()).await.body;
    assert_eq!(event["object_id"], asset.as_str());
    assert_eq!(shown(), "ARCHIVED");
}

#[tokio::test]
async fn an_aborted_job_brings_nothing_about() {
    let (iconik, clock) = slow().await;
    let asset = iconik.asset("a").await;
    let edit = json!({ "objects": [{ "id": asset, "title": "new" }] });
    let job = accepted(&iconik, "PATCH", "assets/v1/assets/", edit).await;
    let abort = json!({ "job_ids": [job], "action": "ABORT" });
    assert_eq!(iconik.put("jobs/v1/jobs/state/", abort).await.0, 201);
    clock.advance(TAKES);
    assert_eq!(status(&iconik, &job).await, "ABORTED");
    assert_eq!(
        iconik.simulator.world().asset(&asset).unwrap()["title"],
        "a"
    );
}

#[tokio::test]
async fn metadata_of_many_are_written_when_the_job_ends_and_501_ids_are_refused() {
    let (iconik, clock) = slow().await;
    let field = json!({ "name": "colour", "label": "Colour", "field_type": "string" });
    iconik.post("metadata/v1/fields/", field).await;
    let view = json!({ "name": "View", "view_fields": [{ "name": "colour" }] });
    let view = iconik.make("metadata/v1/views/", view).await;
    let asset = iconik.asset("a").await;
    let path = format!("metadata/v1/assets/views/{view}/");
    let body = |ids: Vec<&str>| {
        let values = json!({ "colour": { "field_values": [{ "value": "red" }] } });
        json!({ "object_ids": ids, "metadata_values": values })
    };
    assert_eq!(iconik.put(&path, body(vec![&asset; 501])).await.0, 400);
    accepted(&iconik, "PUT", &path, body(vec![&asset])).await;
    let said = || iconik.simulator.world().metadata("assets", &asset);
    assert!(said().is_empty());
    clock.advance(TAKES);
    iconik.get("assets/v1/assets/").await;
    assert_eq!(said()["colour"], [json!("red")]);
}

#[tokio::test]
async fn deleting_in_bulk_spares_the_collection_unless_told_otherwise() {
    for (content_only, status) in [(None, "ACTIVE"), (Some(false), "DELETED")] {
        let (iconik, clock) = slow().await;
        let shelf = json!({ "title": "Shelf" });
        let shelf = iconik.make("assets/v1/collections/", shelf).await;
        let body = json!({ "title": "a", "collection_id": shelf });
        let asset = iconik.make("assets/v1/assets/", body).await;
        let mut body = json!({ "object_ids": [shelf], "object_type": "collections" });
        if let Some(content_only) = content_only {
            body["content_only"] = json!(content_only);
        }
        accepted(&iconik, "POST", "assets/v1/delete_queue/bulk/", body).await;
        clock.advance(TAKES);
        iconik.get("assets/v1/assets/").await;
        let world = iconik.simulator.world();
        assert_eq!(world.asset(&asset).unwrap()["status"], "DELETED");
        assert_eq!(world.collection(&shelf).unwrap()["status"], status);
    }
}
