//! Formats, file sets and files of an asset: what the tutorial calls a manually made asset. Nothing is
//! uploaded anywhere; a file is what was said about it.
//!
//! Single objects and lists come from the database, as their schemas suggest, and lists are read on after
//! the last id. What is deleted softly no longer shows in lists, which is inferred, as are the events: like
//! those of shares they carry the part's own id, and its document with `asset_id` as `data`.

mod components;
mod entries;
mod file_sets;
mod formats;
mod part;
mod recycling;
mod versions;

use super::routes::{Routes, operations};
use super::transfers;
use super::world::World;
use crate::model::Method::{Delete, Get, Patch, Post, Put};

pub(super) fn routes() -> Routes {
    const ASSET: &str = "/files/v1/assets/{asset_id}";
    Routes::new()
        .route(
            &format!("{ASSET}/formats/"),
            operations([(Get, formats::list), (Post, formats::create)]),
        )
        .route(
            &format!("{ASSET}/formats/{{format_id}}/"),
            operations([
                (Get, formats::read),
                (Patch, formats::change),
                (Put, formats::replace),
                (Delete, formats::remove),
            ]),
        )
        .also(Get, "/files/v1/assets/{asset_id}/formats/{name}/")
        .route(
            &format!("{ASSET}/formats/{{format_id}}/restore/"),
            operations([(Put, formats::restore), (Post, transfers::restore)]),
        )
        .route(
            &format!("{ASSET}/formats/{{format_id}}/purge/"),
            operations([(Delete, formats::purge)]),
        )
        .route(
            &format!("{ASSET}/formats/{{format_id}}/file_sets/"),
            operations([(Get, file_sets::list_of_format)]),
        )
        .route(
            &format!("{ASSET}/formats/{{format_id}}/storages/{{storage_id}}/file_sets/"),
            operations([(Get, file_sets::list_of_format)]),
        )
        .merge(routes_of_file_sets(ASSET))
        .merge(routes_of_files(ASSET))
        .merge(components::routes())
        .merge(recycling::routes())
        .merge(versions::routes())
}

fn routes_of_file_sets(asset: &str) -> Routes {
    Routes::new()
        .route(
            &format!("{asset}/file_sets/"),
            operations([(Get, file_sets::list), (Post, file_sets::create)]),
        )
        .route(
            &format!("{asset}/file_sets/{{file_set_id}}/"),
            operations([
                (Get, file_sets::read),
                (Patch, file_sets::change),
                (Put, file_sets::replace),
                (Delete, file_sets::remove),
            ]),
        )
        .route(
            &format!("{asset}/file_sets/{{file_set_id}}/restore/"),
            operations([(Put, file_sets::restore)]),
        )
        .route(
            &format!("{asset}/file_sets/{{file_set_id}}/purge/"),
            operations([(Delete, file_sets::purge)]),
        )
        .route(
            &format!("{asset}/file_sets/{{file_set_id}}/files/"),
            operations([(Get, entries::list_of_file_set)]),
        )
}

fn routes_of_files(asset: &str) -> Routes {
    Routes::new()
        .route(
            &format!("{asset}/files/"),
            operations([(Get, entries::list), (Post, entries::create)]),
        )
        .route(
            &format!("{asset}/files/{{file_id}}/"),
            operations([
                (Get, entries::read),
                (Patch, entries::change),
                (Put, entries::replace),
                (Delete, entries::remove),
            ]),
        )
}

/// Takes away everything that an asset has here.
pub(super) fn forget(world: &mut World, asset_id: &str) {
    world.formats.remove_group(asset_id);
    world.file_sets.remove_group(asset_id);
    world.files.remove_group(asset_id);
}
