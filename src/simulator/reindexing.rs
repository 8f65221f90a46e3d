//! Reindexing: the index learns at once what it would have learned after its lag.

use axum::http::StatusCode;

use super::operation::{Ask, Done};
use super::refusal::Refusal;
use super::routes::{Routes, operations};
use super::world::World;
use crate::model::Method::Post;

/// The paths that answer 201.
const CREATED: [&str; 19] = [
    "/assets/v1/assets/reindex/",
    "/assets/v1/assets/segments/reindex/",
    "/assets/v1/assets/{asset_id}/history/{history_entity_id}/reindex/",
    "/assets/v1/assets/{asset_id}/reindex/",
    "/assets/v1/assets/{asset_id}/segments/reindex/",
    "/assets/v1/assets/{asset_id}/segments/{segment_id}/reindex/",
    "/assets/v1/collections/reindex/",
    "/assets/v1/collections/{collection_id}/contents/{object_type}/{object_id}/reindex/",
    "/assets/v1/collections/{collection_id}/reindex/",
    "/assets/v1/collections/{collection_id}/reindex/contents/",
    "/assets/v1/playlists/{playlist_id}/reindex/",
    "/assets/v1/projects/{project_id}/reindex/",
    "/assets/v1/segments/reindex/",
    "/assets/v1/sequences/{sequence_id}/reindex/",
    "/assets/v1/{object_type}/{object_id}/shares/{share_id}/reindex/",
    "/files/v1/assets/{asset_id}/files/{file_id}/reindex/",
    "/files/v1/export_locations/{export_location_id}/reindex/",
    "/files/v1/storages/{storage_id}/reindex/",
    "/files/v1/transcoders/{transcoder_id}/reindex/",
];

pub(super) fn routes() -> Routes {
    let routes = CREATED.into_iter().fold(Routes::new(), |routes, path| {
        routes.route(path, operations([(Post, created)]))
    });
    routes
        .route(
            "/jobs/v1/jobs/{job_id}/reindex/",
            operations([(Post, accepted)]),
        )
        .route("/assets/v1/reindex/bulk/", operations([(Post, done)]))
        .route(
            "/search/v1/search/saved/{search_id}/reindex/",
            operations([(Post, done)]),
        )
        .route(
            "/search/v1/search/saved/groups/{search_group_id}/reindex/",
            operations([(Post, done)]),
        )
}

fn created(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    reindex(world, ask, StatusCode::CREATED)
}

fn accepted(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    reindex(world, ask, StatusCode::ACCEPTED)
}

fn done(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    reindex(world, ask, StatusCode::OK)
}

fn reindex(world: &mut World, ask: &Ask, status: StatusCode) -> Result<Done, Refusal> {
    for (name, value) in ask.params() {
        world.check_exists(name, value, ask)?;
    }
    world.index.settle();
    Ok(Done::bare(status))
}
