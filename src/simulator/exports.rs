//! Exports to an export location: jobs that end by themselves and leave nothing anywhere. 200, as published,
//! with the job that a recorded client reads from the answer.

use serde_json::json;

use super::operation::{Ask, Done};
use super::refusal::Refusal;
use super::routes::{Routes, operations};
use super::shape::{Extent, Key, Kind, checked, key};
use super::transfers::assets_of;
use super::works::{self, Task, nothing};
use super::world::World;
use crate::model::Method::Post;

/// The keys that the four export schemas have in common.
const KEYS: [Key; 6] = [
    key("export_metadata", Kind::Flag).nullable(),
    key("export_to_asset_folder", Kind::Flag).nullable(),
    key("format_id", Kind::Id).nullable(),
    key("metadata_format", Kind::Text).nullable(),
    key("metadata_view", Kind::Id).nullable(),
    key("overwrite", Kind::Flag).nullable(),
];

/// The keys of `BulkFilesetExportSchema` by which it names what is exported.
const BULK_KEYS: [Key; 2] = [
    key("object_ids", Kind::TextList).required(),
    key(
        "object_type",
        Kind::OneOf(&["assets", "collections", "saved_searches"]),
    )
    .required(),
];

pub(super) fn routes() -> Routes {
    const TO: &str = "export_locations/{export_location_id}";
    Routes::new()
        .route(
            &format!("/files/v1/assets/{TO}/"),
            operations([(Post, export_batch)]),
        )
        .route(
            &format!("/files/v1/assets/{{asset_id}}/{TO}/"),
            operations([(Post, export_asset)]),
        )
        .route(
            &format!("/files/v1/collections/{{collection_id}}/{TO}/"),
            operations([(Post, export_collection)]),
        )
        .route(
            &format!("/files/v1/{TO}/bulk_export/"),
            operations([(Post, export_many)]),
        )
}

fn export(world: &mut World, ask: &Ask, about: Option<(&str, &str)>) -> Result<Done, Refusal> {
    world.check_exists("export_location_id", ask.param("export_location_id"), ask)?;
    checked(&ask.given()?, &KEYS, Extent::Part)?;
    let task = Task {
        kind: "EXPORT",
        title: "Exporting",
        about,
    };
    let job = works::begin(world, &ask.caller, task, nothing())?;
    Ok(Done::ok(json!({ "job_id": job })))
}

fn export_asset(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let id = ask.param("asset_id");
    world.asset(id)?;
    export(world, ask, Some(("assets", id)))
}

fn export_collection(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let id = ask.param("collection_id");
    world.collection(id)?;
    export(world, ask, Some(("collections", id)))
}

fn export_batch(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let keys = [key("assets", Kind::List).required()];
    let given = checked(&ask.body()?, &keys, Extent::Whole)?;
    for entry in given["assets"].as_array().into_iter().flatten() {
        world.asset(entry["asset_id"].as_str().unwrap_or_default())?;
    }
    export(world, ask, None)
}

fn export_many(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let given = checked(&ask.body()?, &BULK_KEYS, Extent::Whole)?;
    assets_of(world, &given)?;
    export(world, ask, None)
}
