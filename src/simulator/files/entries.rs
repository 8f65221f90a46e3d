//! File entries. As recorded, a size may be sent as a text and is answered as a number, and a directory
//! loses its closing slash.

use serde_json::{Value, json};

use super::super::operation::{Ask, Done};
use super::super::refusal::Refusal;
use super::super::shape::{Extent, FILE_STATUSES, Key, Kind, checked, key};
use super::super::table::{Document, text};
use super::super::world::{World, current_version, document, new_id, overlay};
use super::part::{Part, check_sibling};

/// The writable keys of `FileCreateSchema` and `FileSchema`.
const KEYS: [Key; 15] = [
    key("directory_path", Kind::Text).required(),
    key("original_name", Kind::Text).required(),
    key("type", Kind::OneOf(&["FILE", "DIRECTORY", "SYMLINK"])).required(),
    key("checksum", Kind::Text).nullable(),
    key("file_date_created", Kind::Time),
    key("file_date_modified", Kind::Time),
    key("file_set_id", Kind::Id),
    key("format_id", Kind::Id),
    key("name", Kind::Text),
    key("parent_id", Kind::Id).nullable(),
    key("size", Kind::Whole),
    key("status", FILE_STATUSES),
    key("storage_id", Kind::Id),
    key("user_id", Kind::Id).nullable(),
    key("version_id", Kind::Id),
];

/// What a file is.
pub(super) const FILE: Part = Part {
    what: "File",
    realm: "files",
    param: "file_id",
    keys: &KEYS,
    table: |world| &world.files,
    table_mut: |world| &mut world.files,
};

pub(super) fn list(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    FILE.list(world, ask, |_| true)
}

pub(super) fn list_of_file_set(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let file_set = ask.param("file_set_id");
    FILE.list(world, ask, |it| text(it, "file_set_id") == file_set)
}

/// With the keys of a recorded answer. That a file without a status is `OPEN` is inferred.
pub(super) fn create(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let asset_id = ask.param("asset_id");
    let version = current_version(world.asset(asset_id)?);
    let given = checked(&body(ask)?, &KEYS, Extent::Whole)?;
    check_sibling(&world.formats, asset_id, &given, "format_id")?;
    check_sibling(&world.file_sets, asset_id, &given, "file_set_id")?;
    let now = ask.caller.stamp();
    let mut file = document(json!({
        "asset_id": asset_id,
        "checksum": null,
        "date_created": now,
        "date_modified": now,
        "file_date_created": now,
        "file_date_modified": now,
        "file_set_id": null,
        "format_id": null,
        "id": new_id(),
        "name": given.get("original_name"),
        "parent_id": null,
        "size": 0,
        "status": "OPEN",
        "storage_id": null,
        "user_id": null,
        "version_id": version,
    }));
    overlay(&mut file, given);
    Ok(FILE.add(world, file))
}

fn body(ask: &Ask) -> Result<Document, Refusal> {
    let mut body = ask.body()?;
    if let Some(size) = body.get_mut("size")
        && let Some(number) = size.as_str().and_then(|it| it.parse::<u64>().ok())
    {
        *size = json!(number);
    }
    if let Some(Value::String(directory)) = body.get_mut("directory_path") {
        directory.truncate(directory.trim_end_matches('/').len());
    }
    Ok(body)
}

pub(super) fn read(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let file = FILE.find(world, ask)?;
    Ok(Done::ok(json!(file)))
}

pub(super) fn change(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    FILE.update(world, ask, &body(ask)?, Extent::Part)
}

pub(super) fn replace(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    FILE.update(world, ask, &body(ask)?, Extent::Whole)
}

/// "Not the actual file": an entry has no recycle bin.
pub(super) fn remove(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    FILE.erase(world, ask, "delete")
}
