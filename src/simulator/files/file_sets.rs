//! File sets: the files of one format on one storage.

use serde_json::json;

use super::super::operation::{Ask, Done};
use super::super::refusal::Refusal;
use super::super::shape::{Extent, Key, Kind, checked, key};
use super::super::table::text;
use super::super::world::{World, current_version, document, new_id, overlay};
use super::part::{Part, check_sibling};

/// The writable keys of `FileSetSchema`.
const KEYS: [Key; 11] = [
    key("name", Kind::Text).required(),
    key("base_dir", Kind::Text).required(),
    // The schema requires it, yet a client in the field leaves it out where there are none.
    key("component_ids", Kind::Ids),
    key("format_id", Kind::Id).required(),
    key("archive_file_set_id", Kind::Id),
    key("date_deleted", Kind::Time).nullable(),
    key("is_archive", Kind::Flag),
    key("original_storage_id", Kind::Id).nullable(),
    key("status", Kind::OneOf(&["ACTIVE", "ARCHIVED", "DELETED"])),
    key("storage_id", Kind::Id),
    key("version_id", Kind::Id),
];

/// What a file set is.
pub(super) const FILE_SET: Part = Part {
    what: "File set",
    realm: "file_sets",
    param: "file_set_id",
    keys: &KEYS,
    table: |world| &world.file_sets,
    table_mut: |world| &mut world.file_sets,
};

pub(super) fn list(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    FILE_SET.list(world, ask, |_| true)
}

/// Those of a format, on one storage if the path names it.
pub(super) fn list_of_format(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let (format, storage) = (ask.param("format_id"), ask.param("storage_id"));
    FILE_SET.list(world, ask, |it| {
        text(it, "format_id") == format && (storage.is_empty() || text(it, "storage_id") == storage)
    })
}

/// With the keys of a recorded answer, and the dates that the schema has had since.
pub(super) fn create(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let asset_id = ask.param("asset_id");
    let version = current_version(world.asset(asset_id)?);
    let given = checked(&ask.body()?, &KEYS, Extent::Whole)?;
    check_sibling(&world.formats, asset_id, &given, "format_id")?;
    let now = ask.caller.stamp();
    let mut file_set = document(json!({
        "asset_id": asset_id,
        "component_ids": [],
        "date_created": now,
        "date_deleted": null,
        "date_modified": now,
        "deleted_by_user": null,
        "id": new_id(),
        "is_archive": false,
        "original_storage_id": null,
        "status": "ACTIVE",
        "storage_id": null,
        "version_id": version,
    }));
    overlay(&mut file_set, given);
    Ok(FILE_SET.add(world, file_set))
}

pub(super) fn read(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let file_set = FILE_SET.find(world, ask)?;
    Ok(Done::ok(json!(file_set)))
}

pub(super) fn change(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    FILE_SET.update(world, ask, &ask.body()?, Extent::Part)
}

pub(super) fn replace(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    FILE_SET.update(world, ask, &ask.body()?, Extent::Whole)
}

/// "Delete asset's file set, file entries, and actual files."
pub(super) fn remove(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    if ask.flag("immediately") {
        return erase(world, ask, "delete");
    }
    FILE_SET.trash(world, ask)
}

pub(super) fn restore(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    FILE_SET.restore(world, ask)
}

pub(super) fn purge(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    FILE_SET.check_trashed(world, ask)?;
    erase(world, ask, "purge")
}

/// The file entries go with their set.
fn erase(world: &mut World, ask: &Ask, operation: &'static str) -> Result<Done, Refusal> {
    let done = FILE_SET.erase(world, ask, operation)?;
    forget_files(world, ask.param("file_set_id"));
    Ok(done)
}

/// Takes away the files of a file set that is gone.
pub(super) fn forget_files(world: &mut World, gone: &str) {
    let files: Vec<_> = world
        .files
        .iter()
        .filter(|file| text(file, "file_set_id") == gone)
        .map(|file| text(file, "id").to_owned())
        .collect();
    for file in files {
        world.files.remove(&file);
    }
}
