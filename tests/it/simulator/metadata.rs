//! Fields, views, and values by version.

use serde_json::{Value, json};

use super::Iconik;

async fn newsroom() -> (Iconik, String) {
    let iconik = Iconik::start().await;
    let fields = [
        ("headline", "string", false),
        ("tags", "string", true),
        ("rating", "integer", false),
    ];
    for (name, field_type, multi) in fields {
        let body = json!({ "name": name, "label": name, "field_type": field_type, "multi": multi });
        assert_eq!(iconik.post("metadata/v1/fields/", body).await.0, 201);
    }
    let body = json!({
        "name": "News",
        "view_fields": [
            { "name": "headline", "label": "Headline", "required": true },
            { "name": "__separator__", "label": "More" },
            { "name": "tags" },
        ],
    });
    let view = iconik.make("metadata/v1/views/", body).await;
    (iconik, view)
}

fn of(asset: &str, view: &str) -> String {
    format!("metadata/v1/assets/{asset}/views/{view}/")
}

fn says(field: &str, values: &[&str], mode: &str) -> Value {
    let values: Vec<_> = values
        .iter()
        .map(|value| json!({ "value": value }))
        .collect();
    json!({ "metadata_values": { field: { "field_values": values, "mode": mode } } })
}

fn values(document: &Value, field: &str) -> Vec<String> {
    document["metadata_values"][field]["field_values"]
        .as_array()
        .unwrap()
        .iter()
        .map(|value| value["value"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn the_list_of_views_has_no_types_and_a_single_view_has_whole_fields() {
    let (iconik, view) = newsroom().await;
    let (_, list) = iconik.get("metadata/v1/views/").await;
    let listed = &list["objects"][0];
    assert_eq!(listed["id"], view.as_str());
    assert!(listed["view_fields"][0].get("field_type").is_none());
    let (status, whole) = iconik
        .get(&format!("metadata/v1/views/{view}/?merge_fields=true"))
        .await;
    assert_eq!(status, 200);
    let fields = whole["view_fields"].as_array().unwrap();
    assert_eq!(fields[0]["field_type"], "string");
    assert_eq!(fields[0]["label"], "Headline");
    assert_eq!(fields[0]["required"], true);
    assert_eq!(fields[2]["multi"], true);
    assert_eq!(fields[2]["label"], "tags");
}

#[tokio::test]
async fn a_view_that_was_never_written_is_404_and_then_shows_every_field() {
    let (iconik, view) = newsroom().await;
    let asset = iconik.asset("Interview").await;
    let path = of(&asset, &view);
    assert_eq!(iconik.get(&path).await.0, 404);
    let (status, put) = iconik
        .put(&path, says("headline", &["Hello"], "overwrite"))
        .await;
    assert_eq!(status, 200);
    assert_eq!(values(&put, "headline"), ["Hello"]);
    let unset = json!({ "date_created": null, "field_values": [] });
    assert_eq!(put["metadata_values"]["tags"], unset);
    assert_eq!(put["metadata_values"]["__separator__"], unset);
    assert!(put["metadata_values"]["headline"]["date_created"].is_string());
    let (_, read) = iconik.get(&format!("assets/v1/assets/{asset}/")).await;
    assert_eq!(put["version_id"], read["versions"][0]["id"]);
    assert_eq!(iconik.get(&path).await, (200, put));
}

#[tokio::test]
async fn values_are_overwritten_appended_and_deleted_field_by_field() {
    let (iconik, view) = newsroom().await;
    let asset = iconik.asset("Interview").await;
    let path = of(&asset, &view);
    let put = async |body: Value| {
        let (status, document) = iconik.put(&path, body).await;
        assert_eq!(status, 200, "{document}");
        document
    };
    put(says("headline", &["Hello"], "overwrite")).await;
    let tagged = put(says("tags", &["a", "b"], "append")).await;
    assert_eq!(values(&tagged, "tags"), ["a", "b"]);
    assert_eq!(values(&tagged, "headline"), ["Hello"]);
    let again = put(says("tags", &["b", "c"], "append")).await;
    assert_eq!(values(&again, "tags"), ["a", "b", "c"]);
    let fewer = put(says("tags", &["a", "x"], "delete")).await;
    assert_eq!(values(&fewer, "tags"), ["b", "c"]);
    let other = put(json!({
        "metadata_values": { "tags": { "field_values": [{ "value": "only" }] } },
    }))
    .await;
    assert_eq!(values(&other, "tags"), ["only"]);
    assert!(other["metadata_values"]["tags"].get("mode").is_none());
    let cleared = put(says("tags", &[], "overwrite")).await;
    assert!(values(&cleared, "tags").is_empty());
    assert_eq!(values(&cleared, "headline"), ["Hello"]);
}

#[tokio::test]
async fn a_refused_value_names_its_field_and_nothing_is_written() {
    let (iconik, view) = newsroom().await;
    let asset = iconik.asset("Interview").await;
    let path = of(&asset, &view);
    let body = json!({ "metadata_values": {
        "tags": { "field_values": [{ "value": "fine" }] },
        "headline": { "field_values": [{ "value": 7 }] },
        "rating": { "field_values": [{ "value": 7 }] },
    } });
    let (status, refused) = iconik.put(&path, body).await;
    assert_eq!(status, 400);
    let errors = refused["errors"].as_object().unwrap();
    assert_eq!(errors.keys().collect::<Vec<_>>(), ["headline", "rating"]);
    assert_eq!(iconik.get(&path).await.0, 404);
    let two = says("headline", &["one", "two"], "overwrite");
    assert_eq!(iconik.put(&path, two).await.0, 400);
    let mode = says("headline", &["one"], "replace");
    assert_eq!(iconik.put(&path, mode).await.0, 400);
    assert_eq!(iconik.put(&path, json!({})).await.0, 400);
    let elsewhere = of("00000000-0000-4000-8000-000000000000", &view);
    let fine = says("headline", &["one"], "overwrite");
    assert_eq!(iconik.put(&elsewhere, fine.clone()).await.0, 404);
    let no_view = of(&asset, "00000000-0000-4000-8000-000000000000");
    assert_eq!(iconik.put(&no_view, fine).await.0, 404);
}

#[tokio::test]
async fn values_belong_to_a_version_and_a_new_one_starts_empty_unless_they_are_copied() {
    let (iconik, view) = newsroom().await;
    let asset = iconik.asset("Interview").await;
    let path = of(&asset, &view);
    let (_, first) = iconik
        .put(&path, says("headline", &["One"], "overwrite"))
        .await;
    let versions = format!("assets/v1/assets/{asset}/versions/");
    assert_eq!(iconik.post(&versions, json!({})).await.0, 200);
    assert_eq!(iconik.get(&path).await.0, 404);
    let (_, second) = iconik
        .put(&path, says("headline", &["Two"], "overwrite"))
        .await;
    let old = format!(
        "metadata/v1/assets/{asset}/versions/{}/views/{view}/",
        first["version_id"].as_str().unwrap()
    );
    assert_eq!(iconik.get(&old).await, (200, first));
    let copy = json!({ "copy_metadata": true });
    assert_eq!(iconik.post(&versions, copy).await.0, 200);
    let (status, third) = iconik.get(&path).await;
    assert_eq!(status, 200);
    assert_eq!(values(&third, "headline"), ["Two"]);
    assert_ne!(third["version_id"], second["version_id"]);
}

#[tokio::test]
async fn collections_and_segments_have_metadata_too() {
    let (iconik, view) = newsroom().await;
    let collection = iconik
        .make("assets/v1/collections/", json!({ "title": "Shelf" }))
        .await;
    let path = format!("metadata/v1/collections/{collection}/views/{view}/");
    let (status, put) = iconik
        .put(&path, says("headline", &["Shelf"], "overwrite"))
        .await;
    assert_eq!(status, 200);
    assert_eq!(put["version_id"], collection.as_str());
    let asset = iconik.asset("Match").await;
    let segments = format!("assets/v1/assets/{asset}/segments/");
    let segment = iconik
        .make(&segments, json!({ "segment_type": "MARKER" }))
        .await;
    let path = format!("metadata/v1/assets/{asset}/segments/{segment}/views/{view}/");
    let (status, put) = iconik
        .put(&path, says("headline", &["Goal"], "overwrite"))
        .await;
    assert_eq!(status, 200, "{put}");
    let direct = format!("metadata/v1/segments/{segment}/views/{view}/");
    assert_eq!(iconik.get(&direct).await, (200, put));
    let world = iconik.simulator.world();
    assert_eq!(
        world.metadata("segments", &segment)["headline"],
        [json!("Goal")]
    );
    assert!(world.metadata("assets", &asset).is_empty());
}

#[tokio::test]
async fn fields_are_known_by_name_and_listed_after_the_last_one_seen() {
    let (iconik, _) = newsroom().await;
    let (_, page) = iconik
        .get("metadata/v1/fields/?per_page=1&last_field_name=headline")
        .await;
    assert_eq!(page["objects"][0]["name"], "rating");
    assert_eq!(page["total"], 2);
    let path = "metadata/v1/fields/rating/";
    let (status, field) = iconik.patch(path, json!({ "max_value": 5 })).await;
    assert_eq!((status, &field["max_value"]), (200, &json!(5)));
    assert_eq!(iconik.delete(path).await.0, 204);
    assert_eq!(iconik.get(path).await.0, 404);
    let twice = json!({ "name": "tags", "label": "x", "field_type": "string" });
    assert_eq!(iconik.post("metadata/v1/fields/", twice).await.0, 400);
    let odd = json!({ "name": "x", "label": "x", "field_type": "colour" });
    let (status, refused) = iconik.post("metadata/v1/fields/", odd).await;
    assert_eq!(status, 400);
    assert!(refused["errors"]["field_type"].is_string());
}

#[tokio::test]
async fn a_view_may_only_show_fields_that_exist() {
    let (iconik, view) = newsroom().await;
    let path = format!("metadata/v1/views/{view}/");
    let unknown = json!({ "view_fields": [{ "name": "nothing" }] });
    assert_eq!(iconik.patch(&path, unknown).await.0, 400);
    let (_, changed) = iconik.patch(&path, json!({ "name": "Newsroom" })).await;
    assert_eq!(changed["name"], "Newsroom");
    assert_eq!(changed["view_fields"].as_array().unwrap().len(), 3);
    assert_eq!(iconik.put(&path, json!({ "name": "x" })).await.0, 400);
    assert_eq!(iconik.delete(&path).await.0, 204);
    assert_eq!(iconik.get(&path).await.0, 404);
}
