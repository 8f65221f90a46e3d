//! The requests of a client that others wrote (`nsa_pythonik` 2.3.0), in its order and with its habits: no
//! closing slash on some paths, and nothing sent that is empty.

use serde_json::{Value, json};

use super::{Answer, Iconik};

fn id(made: &Value) -> &str {
    made["id"].as_str().unwrap()
}

fn made((status, body): Answer) -> Value {
    assert!((200..300).contains(&status), "{status}: {body}");
    body
}

#[tokio::test]
async fn a_client_of_others_gets_from_the_log_in_to_the_search() {
    let iconik = Iconik::start().await;
    assert_eq!(iconik.get("auth/v1/auth/token/").await.0, 200);
    let asset = json!({ "title": "Foreign", "type": "ASSET" });
    let asset = made(iconik.post("assets/v1/assets", asset).await);
    let page = made(iconik.get("assets/v1/assets/?per_page=1&page=1").await);
    assert_eq!(page["objects"][0]["id"], asset["id"]);

    let files = format!("files/v1/assets/{}", id(&asset));
    let format = json!({ "name": "ORIGINAL", "storage_methods": ["S3"] });
    let format = made(iconik.post(&format!("{files}/formats/"), format).await);
    let storage = json!({ "name": "S", "method": "S3", "purpose": "FILES", "settings": {} });
    let storage = made(iconik.post("files/v1/storages/", storage).await);
    // It leaves `component_ids` out where there are none.
    let file_set = json!({
        "name": "set", "base_dir": "/", "format_id": format["id"], "storage_id": storage["id"],
    });
    let file_set = made(iconik.post(&format!("{files}/file_sets/"), file_set).await);
    assert_eq!(file_set["component_ids"], json!([]));
    let file = json!({
        "original_name": "a.mp4", "directory_path": "/", "type": "FILE", "size": 10,
        "file_set_id": file_set["id"], "format_id": format["id"], "storage_id": storage["id"],
    });
    let file = made(iconik.post(&format!("{files}/files/"), file).await);
    let version = id(&asset["versions"][0]);
    for list in ["formats", "file_sets", "files"] {
        for of in ["", &format!("versions/{version}/")] {
            let list = made(iconik.get(&format!("{files}/{of}{list}/")).await);
            assert_eq!(list["objects"].as_array().unwrap().len(), 1, "{list}");
        }
    }
    let components = format!("{files}/formats/{}/components/", id(&format));
    assert_eq!(iconik.get(&components).await.0, 200);
    for bin in ["file_sets", "formats"] {
        let bin = made(iconik.get(&format!("files/v1/delete_queue/{bin}/")).await);
        assert_eq!(bin["objects"], json!([]));
    }
    for work in ["mediainfo", "keyframes"] {
        let path = format!("{files}/files/{}/{work}/", id(&file));
        assert!(made(iconik.post(&path, json!({})).await)["job_id"].is_string());
    }
}

#[tokio::test]
async fn a_client_of_others_writes_metadata_segments_subclips_and_jobs() {
    let iconik = Iconik::start().await;
    let asset = made(
        iconik
            .post("assets/v1/assets", json!({ "title": "Foreign" }))
            .await,
    );
    let field = json!({ "name": "colour", "label": "Colour", "field_type": "string" });
    made(iconik.post("metadata/v1/fields/", field).await);
    let view = json!({ "name": "View", "view_fields": [{ "name": "colour" }] });
    let view = made(iconik.post("metadata/v1/views/", view).await);
    let path = format!("metadata/v1/assets/{}/views/{}/", id(&asset), id(&view));
    assert_eq!(iconik.get(&path).await.0, 404);
    let values =
        json!({ "metadata_values": { "colour": { "field_values": [{ "value": "red" }] } } });
    made(iconik.put(&path, values).await);
    let whole = made(
        iconik
            .get(&format!("metadata/v1/assets/{}/", id(&asset)))
            .await,
    );
    let colour = &whole["metadata_values"]["colour"];
    assert_eq!(colour["field_values"][0]["value"], "red");

    let segment = json!({
        "segment_type": "MARKER", "segment_text": "hello",
        "time_start_milliseconds": 0, "time_end_milliseconds": 1000,
    });
    let segments = format!("assets/v1/assets/{}/segments/", id(&asset));
    let segment = made(iconik.post(&segments, segment).await);
    let subclip = json!({
        "title": "Sub", "type": "SUBCLIP", "original_asset_id": asset["id"],
        "original_segment_id": segment["id"],
    });
    let subclip = made(iconik.post("assets/v1/assets", subclip).await);
    assert_eq!(subclip["time_end_milliseconds"], 1000);

    let job = json!({
        "type": "CUSTOM", "status": "STARTED", "title": "Job",
        "object_id": asset["id"], "object_type": "assets",
    });
    let job = made(iconik.post("jobs/v1/jobs/", job).await);
    let path = format!("jobs/v1/jobs/{}", id(&job));
    let done = json!({ "type": "CUSTOM", "status": "FINISHED", "title": "Job" });
    made(iconik.patch(&path, done).await);
    assert_eq!(made(iconik.get(&path).await)["progress"], 100);
    let query = json!({ "doc_types": ["assets"], "query": "Foreign" });
    let found = made(iconik.post("search/v1/search/", query).await);
    assert_eq!(found["objects"][0]["id"], asset["id"]);
}
