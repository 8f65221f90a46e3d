//! What one version has of formats, file sets and files, and all of it taken away at once.

use axum::http::StatusCode;
use serde_json::json;

use super::super::operation::{Ask, Done};
use super::super::refusal::Refusal;
use super::super::routes::{Routes, operations};
use super::super::table::text;
use super::super::world::World;
use super::part::Part;
use super::{entries, file_sets, formats};
use crate::model::Method::{Delete, Get};

pub(super) fn routes() -> Routes {
    const OF: &str = "/files/v1/assets/{asset_id}/versions";
    Routes::new()
        .route(
            &format!("{OF}/all/formats/"),
            operations([(Delete, clear_formats)]),
        )
        .route(
            &format!("{OF}/all/file_sets/"),
            operations([(Delete, clear_file_sets)]),
        )
        .route(
            &format!("{OF}/all/files/"),
            operations([(Delete, clear_files)]),
        )
        .route(
            &format!("{OF}/{{version_id}}/formats/"),
            operations([(Get, list_formats), (Delete, clear_formats)]),
        )
        .route(
            &format!("{OF}/{{version_id}}/file_sets/"),
            operations([(Get, list_file_sets), (Delete, clear_file_sets)]),
        )
        .route(
            &format!("{OF}/{{version_id}}/files/"),
            operations([(Get, list_files), (Delete, clear_files)]),
        )
        .route(
            "/files/v1/file_sets/{file_set_id}/files/",
            operations([(Get, list_of_file_set)]),
        )
        .route(
            "/files/v1/files/checksum/{checksum}/",
            operations([(Get, list_of_checksum)]),
        )
        .route(
            "/files/v1/assets/{asset_id}/files/{file_id}/download_url/",
            operations([(Get, show_url)]),
        )
}

fn list(part: &Part, world: &World, ask: &Ask) -> Result<Done, Refusal> {
    let version = ask.param("version_id");
    world.asset(ask.param("asset_id"))?;
    world.check_exists("version_id", version, ask)?;
    part.list(world, ask, |it| text(it, "version_id") == version)
}

fn list_formats(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    list(&formats::FORMAT, world, ask)
}

fn list_file_sets(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    list(&file_sets::FILE_SET, world, ask)
}

fn list_files(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    list(&entries::FILE, world, ask)
}

/// Those of the version that the path names, or of all versions.
fn clear(part: &Part, world: &mut World, ask: &Ask, status: StatusCode) -> Result<Done, Refusal> {
    let version = ask.param("version_id");
    world.asset(ask.param("asset_id"))?;
    if !version.is_empty() {
        world.check_exists("version_id", version, ask)?;
    }
    let is_meant = |it: &str| version.is_empty() || it == version;
    let meant = (part.table)(world).group(ask.param("asset_id"));
    let meant = meant.filter(|it| is_meant(text(it, "version_id")));
    let meant: Vec<_> = meant.map(|it| text(it, "id").to_owned()).collect();
    let changes: Vec<_> = meant
        .iter()
        .filter_map(|id| part.gone(world, id, "delete"))
        .collect();
    Ok(Done::bare(status).with(changes))
}

fn clear_formats(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    clear(&formats::FORMAT, world, ask, StatusCode::OK)
}

fn clear_file_sets(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    clear(&file_sets::FILE_SET, world, ask, StatusCode::OK)
}

fn clear_files(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    clear(&entries::FILE, world, ask, StatusCode::NO_CONTENT)
}

fn list_of_file_set(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let set = ask.param("file_set_id");
    world.check_exists("file_set_id", set, ask)?;
    entries::FILE.list_everywhere(world, ask, |file| text(file, "file_set_id") == set)
}

fn list_of_checksum(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let checksum = ask.param("checksum");
    entries::FILE.list_everywhere(world, ask, |file| text(file, "checksum") == checksum)
}

/// It leads nowhere.
fn show_url(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let file = entries::FILE.find(world, ask)?;
    let url = format!("https://storage.example.com/{}", text(file, "id"));
    Ok(Done::ok(json!({ "url": url })))
}
