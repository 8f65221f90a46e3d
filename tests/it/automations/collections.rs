//! Automations about collections.

use cuegate::engine::Outcome;
use serde_json::{Value, json};

use super::{ASSET, COLLECTION, INNER, OTHER_ASSET, World, button, lines, nobody, server, webhook};

#[tokio::test]
async fn what_is_put_into_a_collection_is_copied_to_the_storage_of_its_name() {
    let world = World::new().await;
    let put_in = |collection: &str| {
        let data =
            json!({ "collection_id": collection, "object_id": ASSET, "object_type": "assets" });
        webhook(("collections", "contents", "create"), ASSET, data)
    };
    let (_, outcome) = world
        .end_of("place_on_server", put_in(COLLECTION), nobody)
        .await;
    assert_eq!(
        outcome,
        Outcome::Skipped("no storage is named Server".to_owned())
    );
    server(&world).await;
    let lines = world
        .run("place_on_server", put_in(COLLECTION), nobody)
        .await;
    assert_eq!(
        lines,
        [
            "GET assets/v1/collections/*/",
            "GET files/v1/storages/",
            "POST files/v1/storages/*/bulk/",
            "wait for a job",
        ]
    );
}

#[tokio::test]
async fn originals_of_a_tree_are_taken_off_the_server_and_off_no_other_storage() {
    let world = World::new().await;
    let storage = server(&world).await;
    let elsewhere = json!({ "name": "Far", "method": "FILE", "purpose": "FILES", "settings": {} });
    let elsewhere = world.post("files/v1/storages/", elsewhere).await;
    for asset in [ASSET, OTHER_ASSET] {
        let files = format!("files/v1/assets/{asset}");
        let format = world
            .post(&format!("{files}/formats/"), json!({ "name": "ORIGINAL" }))
            .await;
        for storage in [&storage, &elsewhere] {
            let set = json!({
                "name": "a", "base_dir": "/", "component_ids": [], "format_id": format["id"], "storage_id": storage["id"],
            });
            world.post(&format!("{files}/file_sets/"), set).await;
        }
    }
    let lines = world
        .run(
            "remove_from_server",
            button("COLLECTION", &[], &[COLLECTION]),
            nobody,
        )
        .await;
    let removed = [
        "GET assets/v1/assets/*/",
        "GET jobs/v1/jobs/",
        "GET files/v1/assets/*/formats/ORIGINAL/",
        "GET files/v1/assets/*/formats/*/storages/*/file_sets/",
        "DELETE files/v1/assets/*/file_sets/*/",
        "DELETE files/v1/assets/*/file_sets/*/purge/",
    ];
    let read = [
        "GET assets/v1/collections/*/",
        "GET assets/v1/collections/*/contents/",
    ];
    let inner = ["GET assets/v1/collections/*/contents/"];
    assert_eq!(lines, [&read[..], &removed, &inner, &removed].concat());
    let left = world
        .get(&format!("files/v1/assets/{ASSET}/file_sets/"))
        .await;
    let left: Vec<&Value> = left["objects"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|set| &set["storage_id"])
        .collect();
    assert_eq!(left, [&elsewhere["id"]]);
}

#[tokio::test]
async fn a_tree_of_collections_is_handed_over_under_a_job_and_the_person_is_told() {
    let world = World::new().await;
    let lines = world
        .run(
            "bulk_metadata",
            button("COLLECTION", &[], &[COLLECTION]),
            nobody,
        )
        .await;
    assert_eq!(
        lines,
        [
            "GET assets/v1/collections/*/",
            "POST jobs/v1/jobs/",
            "GET assets/v1/collections/*/contents/",
            "GET assets/v1/collections/*/",
            "GET metadata/v1/collections/*/views/*/",
            "PUT metadata/v1/collections/*/views/*/",
            "GET assets/v1/collections/*/contents/",
            "GET metadata/v1/collections/*/views/*/",
            "PUT metadata/v1/collections/*/views/*/",
            "PATCH jobs/v1/jobs/*/",
            "POST users-notifications/v1/notifications/",
        ]
    );
    for collection in [COLLECTION, INNER] {
        assert_eq!(
            world.owner("collections", collection).await,
            json!(["desk"])
        );
    }
    assert_eq!(world.owner("assets", ASSET).await, json!(["archive"]));
    let jobs = world.get("jobs/v1/jobs/").await;
    assert_eq!(jobs["objects"][0]["status"], "FINISHED");
}

#[tokio::test]
async fn the_next_episode_gets_its_collections_and_a_placeholder() {
    let world = World::new().await;
    let lines = world
        .run(
            "episode_folders",
            button("COLLECTION", &[], &[COLLECTION]),
            nobody,
        )
        .await;
    let made = "POST assets/v1/collections/";
    assert_eq!(
        lines,
        [
            "GET assets/v1/collections/*/",
            "GET assets/v1/collections/*/contents/",
            made,
            made,
            made,
            made,
            "POST assets/v1/assets/",
            "POST assets/v1/collections/*/contents/",
        ]
    );
    let found = world.get("assets/v1/collections/").await;
    let titles: Vec<&str> = found["objects"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|it| it["title"].as_str())
        .collect();
    for title in ["Episode 2", "Raw", "Edit", "Masters"] {
        assert!(titles.contains(&title), "{titles:?}");
    }
}

#[tokio::test]
async fn fields_of_a_tree_are_emptied_where_they_are_not_empty() {
    let world = World::new().await;
    let (journal, outcome) = world
        .end_of(
            "clear_tree",
            button("COLLECTION", &[], &[COLLECTION]),
            nobody,
        )
        .await;
    assert_eq!(outcome, Outcome::Finished, "{:#?}", lines(&journal));
    let writes: Vec<String> = lines(&journal)
        .into_iter()
        .filter(|line| line.starts_with("PUT"))
        .collect();
    assert_eq!(
        writes,
        [
            "PUT metadata/v1/assets/*/views/*/",
            "PUT metadata/v1/collections/*/views/*/"
        ]
    );
    for (object_type, id) in [
        ("assets", ASSET),
        ("collections", INNER),
        ("assets", OTHER_ASSET),
    ] {
        assert_eq!(
            world.owner(object_type, id).await,
            json!([]),
            "{object_type} {id}"
        );
    }
}
