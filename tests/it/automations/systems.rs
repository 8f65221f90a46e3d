//! Automations that tell other systems something, or are told something by them.

use cuegate::engine::Outcome;
use cuegate::model::EgressCall;
use serde_json::{Value, json};

use super::{ASSET, USER, World, message, nobody, server, webhook};

#[tokio::test]
async fn a_share_is_told_with_who_made_it_and_for_whom() {
    fn chat(call: &EgressCall) -> Value {
        let text = call.body.as_ref().map(|body| body["text"].clone());
        assert_eq!(
            text,
            Some(json!(
                "Mara shared \"Interview\" with guest@studio.example: Please look"
            ))
        );
        Value::Null
    }
    let world = World::new().await;
    let share = json!({
        "emails": ["guest@studio.example"], "message": "Please look", "allow_comments": true, "allow_download": false,
        "allow_approving_comments": false, "allow_setting_approve_status": false,
    });
    let share = world
        .post(&format!("assets/v1/assets/{ASSET}/shares/"), share)
        .await;
    let id = share["id"].as_str().expect("an id");
    let users = world
        .get(&format!("assets/v1/assets/{ASSET}/shares/{id}/users/"))
        .await;
    if users["objects"].as_array().is_none_or(Vec::is_empty) {
        let user = json!({ "email": "guest@studio.example" });
        world
            .post(
                &format!("assets/v1/assets/{ASSET}/shares/{id}/users/"),
                user,
            )
            .await;
    }
    let mut data = share.clone();
    data["owner_id"] = json!(USER);
    let lines = world
        .run(
            "share_to_chat",
            webhook(("assets", "shares", "create"), id, data),
            chat,
        )
        .await;
    assert_eq!(
        lines,
        [
            "GET users/v1/users/*/",
            "GET assets/v1/assets/*/",
            "GET assets/v1/assets/*/shares/*/",
            "GET assets/v1/assets/*/shares/*/users/",
            "egress chat",
        ]
    );
}

#[tokio::test]
async fn an_approval_is_told_with_who_gave_it() {
    fn chat(call: &EgressCall) -> Value {
        let text = call.body.as_ref().map(|body| body["text"].clone());
        assert_eq!(text, Some(json!("Mara says APPROVED to \"Interview\"")));
        Value::Null
    }
    let world = World::new().await;
    let data = json!({ "object_id": ASSET, "object_type": "assets", "status": "APPROVED" });
    let lines = world
        .run(
            "approval_to_chat",
            webhook(("assets", "approvals", "update"), ASSET, data),
            chat,
        )
        .await;
    assert_eq!(
        lines,
        [
            "GET assets/v1/assets/*/",
            "GET users/v1/users/*/",
            "egress chat"
        ]
    );
}

#[tokio::test]
async fn rows_of_a_sheet_change_what_differs_and_nothing_else() {
    let world = World::new().await;
    let rows = |title: &str| {
        json!({ "type": "rows", "rows": [
            { "number": "n-1", "title": title, "owner": "desk" }, { "number": "n-9", "title": "Nobody", "owner": "desk" },
        ] })
    };
    let lines = world
        .run(
            "titles_from_sheet",
            message("sheet", rows("Late interview")),
            nobody,
        )
        .await;
    assert_eq!(
        lines,
        [
            "POST search/v1/search/",
            "GET assets/v1/assets/*/",
            "GET metadata/v1/assets/*/views/*/",
            "PUT metadata/v1/assets/*/views/*/",
            "PATCH assets/v1/assets/*/",
            "POST search/v1/search/",
        ]
    );
    let again = world
        .run(
            "titles_from_sheet",
            message("sheet", rows("Late interview")),
            nobody,
        )
        .await;
    assert!(
        !again
            .iter()
            .any(|line| line.starts_with("PUT") || line.starts_with("PATCH")),
        "{again:?}"
    );
}

#[tokio::test]
async fn what_another_catalog_has_is_made_once() {
    let world = World::new().await;
    server(&world).await;
    let entry = || json!({ "type": "entry", "number": "c-1", "title": "Reel", "file": "reel.mov", "size": 5_000, "owner": "archive" });
    let lines = world
        .run("catalog_sync", message("catalog", entry()), nobody)
        .await;
    assert_eq!(
        lines,
        [
            "POST search/v1/search/",
            "POST assets/v1/assets/",
            "POST files/v1/assets/*/formats/",
            "POST files/v1/assets/*/file_sets/",
            "POST files/v1/assets/*/files/",
            "POST files/v1/assets/*/proxies/",
            "GET metadata/v1/assets/*/views/*/",
            "PUT metadata/v1/assets/*/views/*/",
        ]
    );
    let (_, outcome) = world
        .end_of("catalog_sync", message("catalog", entry()), nobody)
        .await;
    assert_eq!(outcome, Outcome::Skipped("it is there".to_owned()));
}

#[tokio::test]
async fn an_asset_is_made_by_hand_as_in_the_tutorial() {
    let world = World::new().await;
    let clip = json!({ "type": "clip", "title": "Clip 7", "files": ["a.mxf", "b.mxf"] });
    let lines = world
        .run("manual_asset", message("camera", clip), nobody)
        .await;
    assert_eq!(
        lines,
        [
            "POST assets/v1/assets/",
            "POST files/v1/assets/*/formats/",
            "POST files/v1/assets/*/file_sets/",
            "POST files/v1/assets/*/files/",
            "POST files/v1/assets/*/files/",
            "POST files/v1/assets/*/proxies/",
            "PATCH files/v1/assets/*/proxies/*/",
            "POST files/v1/assets/*/proxies/*/keyframes/",
        ]
    );
}
