//! Assets, collections, segments, jobs, users: made, read, changed, deleted.

use cuegate::simulator::{DEFAULT_DOMAIN, DEFAULT_USER};
use serde_json::{Value, json};

use super::Iconik;

const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

#[tokio::test]
async fn an_asset_goes_to_the_trash_comes_back_and_is_gone_only_when_purged() {
    let iconik = Iconik::start().await;
    let id = iconik.asset("Interview").await;
    let path = format!("assets/v1/assets/{id}/");

    assert_eq!(iconik.delete(&path).await, (204, Value::Null));
    let (status, asset) = iconik.get(&path).await;
    assert_eq!((status, &asset["status"]), (200, &json!("DELETED")));
    assert!(asset["date_deleted"].is_string());
    assert_eq!(asset["deleted_by_user"], DEFAULT_USER);
    let (_, list) = iconik.get("assets/v1/assets/").await;
    assert_eq!(list["total"], 0);

    let restored = iconik.call("PUT", &format!("{path}restore/"), None).await;
    assert_eq!(restored.0, 204);
    let (_, asset) = iconik.get(&path).await;
    assert_eq!(asset["status"], "ACTIVE");
    assert_eq!(asset["date_deleted"], Value::Null);

    assert_eq!(iconik.delete(&format!("{path}purge/")).await.0, 204);
    assert_eq!(iconik.get(&path).await.0, 404);
    assert_eq!(iconik.delete(&path).await.0, 404);
}

#[tokio::test]
async fn a_patch_changes_what_it_names_and_a_put_must_name_the_title() {
    let iconik = Iconik::start().await;
    let id = iconik.asset("Interview").await;
    let path = format!("assets/v1/assets/{id}/");
    let (status, asset) = iconik.patch(&path, json!({ "external_id": "x-1" })).await;
    assert_eq!(status, 200);
    assert_eq!(asset["external_id"], "x-1");
    assert_eq!(asset["title"], "Interview");
    let (status, refused) = iconik.put(&path, json!({ "external_id": "x-2" })).await;
    assert_eq!(status, 400);
    assert_eq!(
        refused,
        json!({ "errors": { "title": "This field is required" } })
    );
    let (_, asset) = iconik.get(&path).await;
    assert_eq!(asset["external_id"], "x-1");
}

#[tokio::test]
async fn ids_and_other_read_only_keys_of_a_body_are_ignored() {
    let iconik = Iconik::start().await;
    let body = json!({ "title": "x", "id": NOBODY, "created_by_user": NOBODY, "is_online": true });
    let (status, asset) = iconik.post("assets/v1/assets/", body).await;
    assert_eq!(status, 201);
    assert_ne!(asset["id"], NOBODY);
    assert_eq!(asset["created_by_user"], DEFAULT_USER);
    assert_eq!(asset["is_online"], false);
}

#[tokio::test]
async fn an_asset_says_which_collections_it_lies_in_only_when_asked() {
    let iconik = Iconik::start().await;
    let collection = iconik
        .make("assets/v1/collections/", json!({ "title": "Shelf" }))
        .await;
    let body = json!({ "title": "Interview", "type": "PLACEHOLDER", "collection_id": collection });
    let id = iconik.make("assets/v1/assets/", body).await;
    let path = format!("assets/v1/assets/{id}/");
    assert!(iconik.get(&path).await.1.get("in_collections").is_none());
    let (_, asset) = iconik
        .get(&format!("{path}?include_collections=true"))
        .await;
    assert_eq!(asset["in_collections"], json!([collection]));
    assert_eq!(asset["type"], "PLACEHOLDER");
}

#[tokio::test]
async fn a_list_is_walked_by_its_next_url() {
    let iconik = Iconik::start().await;
    for number in 0..7 {
        iconik.asset(&format!("Asset {number}")).await;
    }
    let mut titles = Vec::new();
    let mut path = "assets/v1/assets/?per_page=3&sort=title,desc".to_owned();
    loop {
        let (status, page) = iconik.get(&path).await;
        assert_eq!(status, 200);
        assert_eq!((&page["total"], &page["pages"]), (&json!(7), &json!(3)));
        for asset in page["objects"].as_array().unwrap() {
            titles.push(asset["title"].as_str().unwrap().to_owned());
        }
        match page["next_url"].as_str() {
            Some(next) => path = next.strip_prefix("/API/").unwrap().to_owned(),
            None => break,
        }
    }
    let expected: Vec<_> = (0..7).rev().map(|it| format!("Asset {it}")).collect();
    assert_eq!(titles, expected);
}

#[tokio::test]
async fn a_subclip_takes_its_times_from_its_segment_and_the_segment_names_it() {
    let iconik = Iconik::start().await;
    let original = iconik.asset("Match").await;
    let segments = format!("assets/v1/assets/{original}/segments/");
    let marker = json!({
        "segment_type": "MARKER",
        "time_start_milliseconds": 1000,
        "time_end_milliseconds": 4000,
    });
    let segment = iconik.make(&segments, marker).await;
    let body = json!({
        "title": "Goal",
        "type": "SUBCLIP",
        "original_asset_id": original,
        "original_segment_id": segment,
    });
    let (status, subclip) = iconik.post("assets/v1/assets/", body).await;
    assert_eq!(status, 201, "{subclip}");
    assert_eq!(subclip["time_start_milliseconds"], 1000);
    assert_eq!(subclip["time_end_milliseconds"], 4000);
    let (_, asset) = iconik.get(&format!("assets/v1/assets/{original}/")).await;
    assert_eq!(subclip["original_version_id"], asset["versions"][0]["id"]);
    let (_, segment) = iconik.get(&format!("{segments}{segment}/")).await;
    assert_eq!(segment["subclip_id"], subclip["id"]);

    let orphan = json!({ "title": "x", "type": "SUBCLIP", "original_asset_id": NOBODY });
    let (status, refused) = iconik.post("assets/v1/assets/", orphan).await;
    assert_eq!(status, 400);
    assert!(refused["errors"]["original_asset_id"].is_string());
}

#[tokio::test]
async fn segments_are_listed_by_type_and_by_version() {
    let iconik = Iconik::start().await;
    let asset = iconik.asset("Match").await;
    let segments = format!("assets/v1/assets/{asset}/segments/");
    for segment_type in ["MARKER", "COMMENT", "MARKER"] {
        iconik
            .make(&segments, json!({ "segment_type": segment_type }))
            .await;
    }
    let total = async |query: &str| {
        let (status, page) = iconik.get(&format!("{segments}{query}")).await;
        assert_eq!(status, 200);
        page["total"].as_u64().unwrap()
    };
    assert_eq!(total("").await, 3);
    assert_eq!(total("?segment_type=MARKER").await, 2);
    assert_eq!(total("?segment_type=TAG").await, 0);

    let versions = format!("assets/v1/assets/{asset}/versions/");
    let (status, versions) = iconik.post(&versions, json!({})).await;
    assert_eq!(status, 200);
    let old = versions["versions"][1]["id"].as_str().unwrap();
    assert_eq!(total("").await, 0);
    assert_eq!(total("?include_all_versions=true").await, 3);
    assert_eq!(total(&format!("?version_id={old}")).await, 3);
}

#[tokio::test]
async fn a_segment_is_changed_and_deleted_softly_or_for_good() {
    let iconik = Iconik::start().await;
    let asset = iconik.asset("Match").await;
    let segments = format!("assets/v1/assets/{asset}/segments/");
    let body = json!({ "segment_type": "MARKER", "segment_text": "kick-off" });
    let path = format!("{segments}{}/", iconik.make(&segments, body.clone()).await);
    let (status, segment) = iconik.patch(&path, json!({ "segment_text": "goal" })).await;
    assert_eq!((status, &segment["segment_text"]), (200, &json!("goal")));
    assert_eq!(
        iconik.put(&path, json!({ "segment_text": "x" })).await.0,
        400
    );
    assert_eq!(
        iconik.delete(&format!("{path}?soft_delete=true")).await.0,
        204
    );
    assert_eq!(iconik.get(&path).await.1["status"], "DELETED");
    assert_eq!(iconik.get(&segments).await.1["total"], 0);
    assert_eq!(iconik.delete(&path).await.0, 204);
    assert_eq!(iconik.get(&path).await.0, 404);

    let other = iconik.asset("Other").await;
    let mine = iconik.make(&segments, body).await;
    let elsewhere = format!("assets/v1/assets/{other}/segments/{mine}/");
    assert_eq!(iconik.get(&elsewhere).await.0, 404);
}

#[tokio::test]
async fn a_collection_holds_assets_and_collections_until_they_are_taken_out() {
    let iconik = Iconik::start().await;
    let shelf = iconik
        .make("assets/v1/collections/", json!({ "title": "Shelf" }))
        .await;
    let body = json!({ "title": "Box", "parent_id": shelf });
    let (status, collection) = iconik.post("assets/v1/collections/", body).await;
    assert_eq!(status, 201);
    assert_eq!(collection["is_root"], false);
    assert_eq!(collection["parents"], json!([shelf]));
    let asset = iconik.asset("Interview").await;
    let contents = format!("assets/v1/collections/{shelf}/contents/");
    let entry = json!({ "object_id": asset, "object_type": "assets" });
    assert_eq!(iconik.post(&contents, entry).await, (201, Value::Null));

    let (_, page) = iconik.get(&contents).await;
    let types: Vec<_> = page["objects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|object| object["object_type"].as_str().unwrap())
        .collect();
    assert_eq!(types, ["collections", "assets"]);
    let (_, page) = iconik.get(&format!("{contents}?object_types=assets")).await;
    assert_eq!(page["objects"][0]["id"], asset.as_str());

    let entry = format!("{contents}assets/{asset}/");
    assert_eq!(iconik.delete(&entry).await.0, 204);
    assert_eq!(iconik.delete(&entry).await.0, 404);
    assert_eq!(iconik.get(&contents).await.1["total"], 1);
    let path = format!("assets/v1/collections/{shelf}/");
    let (status, renamed) = iconik.patch(&path, json!({ "title": "Rack" })).await;
    assert_eq!((status, &renamed["title"]), (200, &json!("Rack")));
    assert_eq!(iconik.delete(&path).await, (202, Value::Null));
    assert_eq!(iconik.get(&path).await.1["status"], "DELETED");
    let unknown = json!({ "object_id": NOBODY, "object_type": "assets" });
    assert_eq!(iconik.post(&contents, unknown).await.0, 400);
}

#[tokio::test]
async fn a_job_s_progress_follows_its_counts_and_its_metadata_merge_when_asked() {
    let iconik = Iconik::start().await;
    let body = json!({
        "type": "CUSTOM",
        "status": "STARTED",
        "title": "Render",
        "metadata": { "a": 1 },
        "progress_total": 8,
    });
    let path = format!("jobs/v1/jobs/{}/", iconik.make("jobs/v1/jobs/", body).await);
    let half = json!({ "progress_processed": 4, "metadata": { "b": 2 } });
    let (status, job) = iconik
        .patch(&format!("{path}?merge_metadata=true"), half)
        .await;
    assert_eq!((status, &job["progress"]), (200, &json!(50)));
    assert_eq!(job["metadata"], json!({ "a": 1, "b": 2 }));
    let done = json!({
        "type": "CUSTOM",
        "status": "FINISHED",
        "title": "Render",
        "metadata": { "c": 3 },
    });
    let (_, job) = iconik.put(&path, done).await;
    assert_eq!(job["progress"], 100);
    assert_eq!(job["metadata"], json!({ "c": 3 }));
    let (status, refused) = iconik.patch(&path, json!({ "status": "DONE" })).await;
    assert_eq!(status, 400);
    assert!(
        refused["errors"]["status"]
            .as_str()
            .unwrap()
            .contains("FINISHED")
    );
}

#[tokio::test]
async fn jobs_are_listed_by_their_keys_and_aborted_together() {
    let iconik = Iconik::start().await;
    let mut ids = Vec::new();
    for status in ["STARTED", "READY", "FINISHED"] {
        let body = json!({ "type": "CUSTOM", "status": status, "title": status });
        ids.push(iconik.make("jobs/v1/jobs/", body).await);
    }
    let (_, page) = iconik.get("jobs/v1/jobs/?status=READY&type=CUSTOM").await;
    assert_eq!(page["total"], 1);
    let abort = json!({ "action": "ABORT", "job_ids": ids });
    assert_eq!(iconik.put("jobs/v1/jobs/state/", abort).await.0, 201);
    let jobs = iconik.simulator.world().jobs();
    let statuses: Vec<_> = jobs
        .iter()
        .map(|job| job["status"].as_str().unwrap())
        .collect();
    assert_eq!(statuses, ["ABORTED", "ABORTED", "FINISHED"]);
    assert_eq!(
        iconik.delete(&format!("jobs/v1/jobs/{}/", ids[0])).await.0,
        204
    );
    assert_eq!(
        iconik.get(&format!("jobs/v1/jobs/{}/", ids[0])).await.0,
        404
    );
    let unknown = json!({ "action": "ABORT", "job_ids": [NOBODY] });
    assert_eq!(iconik.put("jobs/v1/jobs/state/", unknown).await.0, 404);
}

#[tokio::test]
async fn the_current_user_tells_the_domain() {
    let iconik = Iconik::start().await;
    let (status, user) = iconik.get("users/v1/users/current/").await;
    assert_eq!((status, &user["id"]), (200, &json!(DEFAULT_USER)));
    assert_eq!(user["system_domain_id"], DEFAULT_DOMAIN);
    let by_id = iconik.get(&format!("users/v1/users/{DEFAULT_USER}/")).await;
    assert_eq!(by_id, (200, user));
    assert_eq!(
        iconik.get(&format!("users/v1/users/{NOBODY}/")).await.0,
        404
    );
}
