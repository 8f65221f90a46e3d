//! What the simulator answers, held against what real deployments recorded; and seeds, by which a
//! simulator becomes the very domain of a recording.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cuegate::clock::SystemClock;
use cuegate::simulator::{Seed, SeedError, Simulator, SimulatorOptions};
use serde_json::{Value, json};

use super::{Iconik, keys, prompt};

/// A recorded body, where the recordings are at hand.
fn recorded(name: &str) -> Option<Value> {
    let beside = || {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/iconik");
        folder.is_dir().then_some(folder)
    };
    let given = std::env::var_os("ICONIK_RECORDINGS").map(PathBuf::from);
    let folder = given.or_else(beside)?;
    let text = std::fs::read_to_string(folder.join(name)).unwrap();
    Some(serde_json::from_str(&text).unwrap())
}

#[tokio::test]
async fn a_new_asset_has_the_recorded_keys() {
    let Some(recording) = recorded("responses/assets.POST.asset.201.json") else {
        return;
    };
    let iconik = Iconik::start().await;
    let body = recorded("responses/assets.POST.asset.request.json").unwrap();
    let (status, asset) = iconik.post("assets/v1/assets/", body).await;
    assert_eq!(status, 201);
    assert_eq!(keys(&asset), keys(&recording));
    assert_eq!(keys(&asset["versions"][0]), keys(&recording["versions"][0]));
    assert_eq!(asset["is_online"], recording["is_online"]);
}

#[tokio::test]
async fn a_job_has_the_recorded_keys() {
    let Some(recording) = recorded("responses/jobs.GET.job.200.json") else {
        return;
    };
    let iconik = Iconik::start().await;
    let body = json!({ "type": "DELETE", "status": "FINISHED", "title": "x" });
    let job = iconik.make("jobs/v1/jobs/", body).await;
    let (_, job) = iconik.get(&format!("jobs/v1/jobs/{job}/")).await;
    assert_eq!(keys(&job), keys(&recording));
    assert_eq!(job["progress"], recording["progress"]);
}

#[tokio::test]
async fn formats_file_sets_and_files_have_at_least_the_recorded_keys() {
    let iconik = Iconik::start().await;
    let asset = iconik.asset("Recorded").await;
    let mut format_id = json!(null);
    let mut file_set_id = json!(null);
    for (part, recording) in [
        ("formats", "files.POST.format"),
        ("file_sets", "files.POST.file_set"),
        ("files", "files.POST.files"),
    ] {
        let ending = if part == "files" { ".list" } else { "" };
        let first = |body: Value| match body {
            Value::Array(bodies) => bodies[0].clone(),
            body => body,
        };
        let answer = recorded(&format!("responses/{recording}.201{ending}.json"));
        let request = recorded(&format!("responses/{recording}.request{ending}.json"));
        let (Some(answer), Some(request)) = (answer, request) else {
            return;
        };
        let (answer, mut request) = (first(answer), first(request));
        for (key, made) in [("format_id", &format_id), ("file_set_id", &file_set_id)] {
            if request.get(key).is_some() {
                request[key] = made.clone();
            }
        }
        let path = format!("files/v1/assets/{asset}/{part}/");
        let (status, made) = iconik.post(&path, request).await;
        assert_eq!(status, 201, "{made}");
        let missing: Vec<_> = keys(&answer).difference(&keys(&made)).copied().collect();
        assert!(missing.is_empty(), "{part}: {missing:?}");
        for key in [
            "size",
            "directory_path",
            "status",
            "user_id",
            "archive_status",
        ] {
            assert_eq!(made.get(key), answer.get(key), "{part}: {key}");
        }
        match part {
            "formats" => format_id = made["id"].clone(),
            _ => file_set_id = made["id"].clone(),
        }
    }
}

#[tokio::test]
async fn a_metadata_answer_has_the_recorded_shape() {
    let Some(recording) = recorded("responses/metadata.PUT.asset_view.200.json") else {
        return;
    };
    let request = recorded("responses/metadata.PUT.asset_view.request.json").unwrap();
    let names = recording["metadata_values"].as_object().unwrap().keys();
    let fields: Vec<_> = names
        .clone()
        .filter(|name| *name != "__separator__")
        .map(|name| json!({ "name": name, "label": name, "field_type": "string", "multi": true }))
        .collect();
    let view_fields: Vec<_> = names.map(|name| json!({ "name": name })).collect();
    let (asset, version) = (&recording["object_id"], &recording["version_id"]);
    let view = "3d1b3a0e-7a8b-11ee-9d3f-0a580a3c0f13";
    let seed = json!({
        "fields": fields,
        "views": [{ "id": view, "name": "Recorded", "view_fields": view_fields }],
        "assets": [{ "id": asset, "title": "Recorded", "versions": [{ "id": version }] }],
    });
    let iconik = seeded(seed).await;
    let path = format!(
        "metadata/v1/assets/{}/views/{view}/",
        asset.as_str().unwrap()
    );
    let (status, mut answer) = iconik.put(&path, request).await;
    assert_eq!(status, 200, "{answer}");
    for value in answer["metadata_values"]
        .as_object_mut()
        .unwrap()
        .values_mut()
    {
        if value["date_created"].is_string() {
            value["date_created"] = json!("<timestamp>");
        }
    }
    assert_eq!(answer, recording);
}

#[tokio::test]
async fn an_event_of_a_collection_s_contents_has_the_recorded_keys() {
    let Some(recording) = recorded("payloads/webhook.collections.contents.create.2022.json") else {
        return;
    };
    let data = &recording["data"];
    let mut receiver = super::Receiver::start().await;
    let iconik = seeded(json!({
        "domain": recording["system_domain_id"],
        "credentials": [
            { "app_id": "demo", "auth_token": "demo", "user_id": recording["user_id"] },
        ],
        "collections": [{ "id": data["collection_id"], "title": "Recorded" }],
        "assets": [{ "id": data["object_id"], "title": "Recorded" }],
        "webhooks": [{
            "id": "w",
            "event_type": "collections",
            "status": "ENABLED",
            "url": receiver.url,
        }],
    }))
    .await;
    let collection = data["collection_id"].as_str().unwrap();
    let contents = format!("assets/v1/collections/{collection}/contents/");
    let entry = json!({ "object_id": data["object_id"], "object_type": "assets" });
    assert_eq!(iconik.post(&contents, entry).await.0, 201);
    let event = receiver.next().await.body;
    assert_eq!(keys(&event), keys(&recording));
    assert!(keys(&event["data"]).is_superset(&keys(data)));
    for key in [
        "system_domain_id",
        "user_id",
        "event_type",
        "realm",
        "operation",
    ] {
        assert_eq!(event[key], recording[key], "{key}");
    }
}

async fn seeded(seed: Value) -> Iconik {
    Iconik::with(SimulatorOptions {
        seed: Some(serde_json::from_value(seed).unwrap()),
        ..prompt()
    })
    .await
}

#[tokio::test]
async fn a_seed_brings_objects_with_their_ids_contents_and_metadata() {
    let iconik = seeded(json!({
        "domain": "57016980-6e13-11e8-ab5a-0a580a3c0f5c",
        "users": [{ "id": "u", "first_name": "Ada" }],
        "credentials": [{ "app_id": "demo", "auth_token": "demo", "user_id": "u" }],
        "fields": [{ "name": "tags", "label": "Tags", "field_type": "string", "multi": true }],
        "views": [{ "id": "v", "name": "News", "view_fields": [{ "name": "tags" }] }],
        "collections": [{
            "id": "c",
            "title": "Shelf",
            "contents": [{ "object_type": "assets", "object_id": "a" }],
        }],
        "assets": [{ "id": "a", "title": "Interview", "metadata": { "tags": ["x", "y"] } }],
        "segments": [{ "id": "s", "asset_id": "a", "segment_type": "MARKER" }],
        "jobs": [{ "id": "j", "type": "CUSTOM", "status": "STARTED", "title": "Render" }],
        "custom_actions": [{
            "id": "b", "title": "Send", "context": "ASSET", "url": "http://localhost/",
        }],
    }))
    .await;
    let (_, user) = iconik.get("users/v1/users/current/").await;
    assert_eq!(user["first_name"], "Ada");
    assert_eq!(
        user["system_domain_id"],
        "57016980-6e13-11e8-ab5a-0a580a3c0f5c"
    );
    let (status, metadata) = iconik.get("metadata/v1/assets/a/views/v/").await;
    assert_eq!(status, 200);
    assert_eq!(
        metadata["metadata_values"]["tags"]["field_values"][1]["value"],
        "y"
    );
    for path in [
        "assets/v1/assets/a/segments/s/",
        "jobs/v1/jobs/j/",
        "assets/v1/custom_actions/ASSET/b/",
    ] {
        assert_eq!(iconik.get(path).await.0, 200, "{path}");
    }
    let contents = iconik.simulator.world().contents("c");
    assert_eq!(contents, [("assets".to_owned(), "a".to_owned())]);
}

#[tokio::test]
async fn a_seed_that_iconik_would_refuse_says_which_entry_and_why() {
    let seed = json!({ "assets": [{ "id": "a", "title": "x" }, { "id": "b" }] });
    let options = SimulatorOptions {
        seed: Some(serde_json::from_value(seed).unwrap()),
        ..prompt()
    };
    let error = Simulator::start(options, Arc::new(SystemClock))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "entry 2 of `assets` in the seed cannot be made: title: This field is required"
    );
}

#[test]
fn a_seed_file_with_an_unknown_key_is_refused_with_its_place() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "{\n  \"asset\": []\n}").unwrap();
    let error = Seed::read(file.path()).unwrap_err();
    assert!(matches!(error, SeedError::Malformed { .. }));
    assert!(
        error.to_string().contains("unknown field `asset`"),
        "{error}"
    );
    assert!(error.to_string().contains("line 2"), "{error}");
    let missing = Seed::read(Path::new("/nowhere/seed.json")).unwrap_err();
    assert!(matches!(missing, SeedError::Unreadable { .. }));
}
