//! Formats, file sets and files: an asset made by hand, as Iconik's tutorial does it.

use serde_json::{Value, json};

use super::{Iconik, Receiver};

const STORAGE: &str = "55555555-eeee-4eee-8eee-000000000001";
const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

/// An asset with a format, a file set and a file.
struct Made {
    iconik: Iconik,
    /// `files/v1/assets/{id}/`.
    below: String,
    format: String,
    file_set: String,
    file: String,
}

impl Made {
    async fn by_hand() -> Self {
        let iconik = Iconik::start().await;
        let asset = iconik.asset("Match").await;
        let below = format!("files/v1/assets/{asset}/");
        let body = json!({ "name": "ORIGINAL", "components": [{ "name": "V1", "type": "VIDEO" }] });
        let (status, format) = iconik.post(&format!("{below}formats/"), body).await;
        assert_eq!(status, 201, "{format}");
        let (component, format) = (&format["components"][0]["id"], format["id"].as_str());
        let body = json!({
            "name": "match.mxf", "base_dir": "in", "component_ids": [component],
            "format_id": format, "storage_id": STORAGE,
        });
        let file_set = iconik.make(&format!("{below}file_sets/"), body).await;
        let body = json!({
            "original_name": "match.mxf", "directory_path": "in/", "type": "FILE", "size": "264032992",
            "file_set_id": file_set, "format_id": format,
        });
        let file = iconik.make(&format!("{below}files/"), body).await;
        Self {
            format: format.unwrap().to_owned(),
            iconik,
            below,
            file_set,
            file,
        }
    }

    fn path(&self, rest: &str) -> String {
        format!("{}{rest}", self.below)
    }

    async fn ids(&self, list: &str) -> Vec<Value> {
        let (status, list) = self.iconik.get(&self.path(list)).await;
        assert_eq!(status, 200, "{list}");
        let objects = list["objects"].as_array().unwrap();
        objects.iter().map(|object| object["id"].clone()).collect()
    }
}

#[tokio::test]
async fn what_was_made_is_listed_below_its_asset_and_its_format_and_read_by_id() {
    let made = Made::by_hand().await;
    let (format, file_set) = (made.format.as_str(), made.file_set.as_str());
    for (list, id) in [
        ("formats/".to_owned(), format),
        ("file_sets/".to_owned(), file_set),
        ("files/".to_owned(), made.file.as_str()),
        (format!("formats/{format}/file_sets/"), file_set),
        (
            format!("formats/{format}/storages/{STORAGE}/file_sets/"),
            file_set,
        ),
        (format!("file_sets/{file_set}/files/"), made.file.as_str()),
    ] {
        assert_eq!(made.ids(&list).await, [id], "{list}");
    }
    for list in [
        format!("formats/{NOBODY}/file_sets/"),
        format!("formats/{format}/storages/{NOBODY}/file_sets/"),
        format!("file_sets/{NOBODY}/files/"),
    ] {
        assert!(made.ids(&list).await.is_empty(), "{list}");
    }
    let (_, by_name) = made.iconik.get(&made.path("formats/ORIGINAL/")).await;
    assert_eq!(by_name["id"], format);
    let (_, file) = made
        .iconik
        .get(&made.path(&format!("files/{}/", made.file)))
        .await;
    assert_eq!(file["size"], 264_032_992);
    assert_eq!(
        (&file["directory_path"], &file["name"]),
        (&json!("in"), &json!("match.mxf"))
    );
    assert_eq!(file["status"], "OPEN");
    let other = made.iconik.asset("Other").await;
    let elsewhere = format!("files/v1/assets/{other}/files/{}/", made.file);
    assert_eq!(made.iconik.get(&elsewhere).await.0, 404);
}

#[tokio::test]
async fn parts_are_changed_by_their_own_keys() {
    let made = Made::by_hand().await;
    let file = made.path(&format!("files/{}/", made.file));
    let (status, closed) = made
        .iconik
        .patch(&file, json!({ "status": "CLOSED" }))
        .await;
    assert_eq!((status, &closed["status"]), (200, &json!("CLOSED")));
    assert_eq!(closed["original_name"], "match.mxf");
    let (status, refused) = made.iconik.put(&file, json!({ "status": "SHUT" })).await;
    assert_eq!(status, 400);
    assert_eq!(
        refused["errors"]["directory_path"],
        "This field is required"
    );
    assert!(refused["errors"]["status"].is_string());
    let format = made.path(&format!("formats/{}/", made.format));
    let (_, changed) = made
        .iconik
        .patch(&format, json!({ "is_online": true }))
        .await;
    assert_eq!(changed["is_online"], true);
}

#[tokio::test]
async fn a_part_needs_its_asset_and_its_siblings() {
    let made = Made::by_hand().await;
    let nowhere = format!("files/v1/assets/{NOBODY}/formats/");
    assert_eq!(
        made.iconik
            .post(&nowhere, json!({ "name": "ORIGINAL" }))
            .await
            .0,
        404
    );
    assert_eq!(made.iconik.get(&nowhere).await.0, 404);
    let body = json!({ "name": "x", "base_dir": "", "component_ids": [], "format_id": NOBODY });
    let (status, refused) = made.iconik.post(&made.path("file_sets/"), body).await;
    assert_eq!(status, 400);
    assert!(refused["errors"]["format_id"].is_string(), "{refused}");
    let wrong = json!({ "name": "ORIGINAL", "components": [{ "name": "V1", "type": "FILM" }] });
    assert_eq!(made.iconik.post(&made.path("formats/"), wrong).await.0, 400);
}

#[tokio::test]
async fn formats_and_file_sets_go_to_the_bin_first_and_files_at_once() {
    let made = Made::by_hand().await;
    let file_set = made.path(&format!("file_sets/{}/", made.file_set));
    let purge = format!("{file_set}purge/");
    assert_eq!(made.iconik.delete(&purge).await.0, 400);
    assert_eq!(made.iconik.delete(&file_set).await, (200, Value::Null));
    assert!(made.ids("file_sets/").await.is_empty());
    assert_eq!(made.iconik.get(&file_set).await.1["status"], "DELETED");
    let restore = format!("{file_set}restore/");
    assert_eq!(made.iconik.call("PUT", &restore, None).await.0, 200);
    assert_eq!(made.ids("file_sets/").await.len(), 1);
    assert_eq!(made.iconik.delete(&file_set).await.0, 200);
    assert_eq!(made.iconik.delete(&purge).await.0, 204);
    assert_eq!(made.iconik.get(&file_set).await.0, 404);
    assert!(
        made.ids("files/").await.is_empty(),
        "they go with their set"
    );

    let format = made.path(&format!("formats/{}/", made.format));
    assert_eq!(made.iconik.delete(&format).await.0, 200);
    assert_eq!(
        made.iconik.get(&made.path("formats/ORIGINAL/")).await.0,
        404
    );
    let at_once = format!("{format}?immediately=true");
    assert_eq!(made.iconik.delete(&at_once).await.0, 204);
    assert_eq!(made.iconik.get(&format).await.0, 404);

    let body = json!({ "original_name": "a", "directory_path": "", "type": "FILE" });
    let file = made.iconik.make(&made.path("files/"), body).await;
    let file = made.path(&format!("files/{file}/"));
    assert_eq!(made.iconik.delete(&file).await.0, 204);
    assert_eq!(made.iconik.get(&file).await.0, 404);
}

#[tokio::test]
async fn a_long_list_is_read_on_after_its_last_id() {
    let made = Made::by_hand().await;
    for number in 0..4 {
        let body = json!({ "name": format!("PROXY {number}") });
        made.iconik.make(&made.path("formats/"), body).await;
    }
    let mut names = Vec::new();
    let mut next = Some(made.path("formats/?per_page=2"));
    while let Some(page) = next {
        let (status, list) = made.iconik.get(&page).await;
        assert_eq!((status, &list["total"]), (200, &json!(5)));
        let objects = list["objects"].as_array().unwrap();
        assert!(objects.len() <= 2);
        names.extend(objects.iter().map(|object| object["name"].clone()));
        next = list["next_url"]
            .as_str()
            .map(|url| url.strip_prefix("/API/").unwrap().to_owned());
    }
    assert_eq!(
        names,
        ["ORIGINAL", "PROXY 0", "PROXY 1", "PROXY 2", "PROXY 3"]
    );
    let lost = made.path(&format!("formats/?last_id={NOBODY}"));
    assert_eq!(made.iconik.get(&lost).await.0, 400);
}

#[tokio::test]
async fn formats_belong_to_a_version_and_everything_goes_with_its_asset() {
    let made = Made::by_hand().await;
    let asset = made.below.replace("files/v1/", "assets/v1/");
    let (status, _) = made
        .iconik
        .post(&format!("{asset}versions/"), json!({}))
        .await;
    assert_eq!(status, 200);
    assert!(made.ids("formats/").await.is_empty());
    let all = made.ids("formats/?include_all_versions=true").await;
    assert_eq!(all, [made.format.as_str()]);
    assert_eq!(made.iconik.delete(&format!("{asset}purge/")).await.0, 204);
    assert_eq!(made.iconik.get(&made.path("files/")).await.0, 404);
}

#[tokio::test]
async fn a_new_part_is_told_with_its_own_id_and_its_asset() {
    let mut receiver = Receiver::start().await;
    let iconik = Iconik::start().await;
    let webhook = json!({
        "event_type": "assets", "realm": "formats", "status": "ENABLED", "url": receiver.url,
    });
    iconik.make("notifications/v1/webhooks/", webhook).await;
    let asset = iconik.asset("Match").await;
    let formats = format!("files/v1/assets/{asset}/formats/");
    let format = iconik.make(&formats, json!({ "name": "ORIGINAL" })).await;
    let event = receiver.next().await.body;
    assert_eq!(
        (&event["object_id"], &event["operation"]),
        (&json!(format), &json!("create"))
    );
    assert_eq!(event["data"]["asset_id"], asset);
    assert!(
        receiver.is_quiet(),
        "the asset's own event is not of this realm"
    );
}
