//! Files on their way between storages: copies, archives, restores, scans. Each is a job; at its end the
//! file sets are where they should be. Nothing is really copied, for there is nothing behind a file.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::assets;
use super::operation::{Ask, Caller, Change, Done};
use super::refusal::Refusal;
use super::routes::{Routes, operations};
use super::shape::{Extent, Key, Kind, checked, key};
use super::table::{Document, text};
use super::works::{self, Task, ids, nothing};
use super::world::{World, is_deleted, new_id};
use crate::model::Method::{Delete, Post};

/// The types of objects that bulk bodies name.
const OBJECTS: Kind = Kind::OneOf(&["assets", "collections", "saved_searches"]);

/// The keys of `BulkTransferToStorageSchema`, `BulkFilesetArchiveSchema` and `BulkFilesetRestoreSchema`.
const BULK_KEYS: [Key; 6] = [
    key("delete_original", Kind::Flag),
    key("destination_storage_id", Kind::Text).nullable(),
    key("format_name", Kind::Text),
    key("object_ids", Kind::TextList).required(),
    key("object_type", OBJECTS).required(),
    key("overwrite", Kind::Flag),
];

/// The keys of `FormatArchiveSchema`, `FormatRestoreSchema` and `TransferFromStorageSchema` that are carried
/// out.
const ONE_KEYS: [Key; 3] = [
    key("delete_original", Kind::Flag),
    key("destination_storage_id", Kind::Id),
    key("storage_id", Kind::Id),
];

/// The keys of `StorageScanSchema`.
const SCAN_KEYS: [Key; 3] = [
    key("files", Kind::TextList).nullable(),
    key("ignore_already_active", Kind::Flag),
    key("paths", Kind::TextList).nullable(),
];

pub(super) fn routes() -> Routes {
    Routes::new()
        .route(
            "/files/v1/storages/{storage_id}/bulk/",
            operations([(Post, copy_many)]),
        )
        .route(
            "/files/v1/storages/{storage_id}/scan/",
            operations([(Post, scan)]),
        )
        .route(
            "/files/v1/file_sets/{file_set_id}/storages/{storage_id}/",
            operations([(Post, copy_file_set)]),
        )
        .route(
            "/files/v2/file_sets/{file_set_id}/storages/{storage_id}/",
            operations([(Post, copy_file_set)]),
        )
        .route(
            "/files/v1/formats/{format_id}/storages/{storage_id}/",
            operations([(Post, copy_format)]),
        )
        .route(
            "/files/v1/formats/{format_id}/archive/bulk/",
            operations([(Post, archive_many)]),
        )
        .route(
            "/files/v1/formats/{format_id}/restore/bulk/",
            operations([(Post, restore_many)]),
        )
        .route(
            "/files/v1/assets/{asset_id}/formats/{format_id}/archive/",
            operations([(Post, archive), (Delete, remove_archive)]),
        )
}

/// The assets that a bulk body means: those that it names, or all below the collections that it names.
pub(super) fn assets_of(world: &World, given: &Document) -> Result<Vec<String>, Refusal> {
    let object_type = text(given, "object_type");
    let mut found = Vec::new();
    for id in ids(given, "object_ids")? {
        match object_type {
            "assets" => {
                world.asset(&id)?;
                found.push(id);
            }
            "collections" => {
                world.collection(&id)?;
                let below = world.contents.below(&id).into_iter();
                found.extend(below.filter(|(kind, _)| kind == "assets").map(|(_, id)| id));
            }
            _ => {
                let message = "This simulator carries this out for assets and collections";
                return Err(Refusal::invalid("object_type", message));
            }
        }
    }
    Ok(found)
}

/// As recorded: the job, and how many are on their way in words.
fn copy_many(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let storage = ask.param("storage_id").to_owned();
    world.check_exists("storage_id", &storage, ask)?;
    let given = checked(&ask.body()?, &BULK_KEYS, Extent::Whole)?;
    let assets = assets_of(world, &given)?;
    let format = match text(&given, "format_name") {
        "" => "ORIGINAL",
        name => name,
    };
    let format = format.to_owned();
    let title = format!("Queued copying of file sets to storage {storage}");
    let task = Task {
        kind: "TRANSFER",
        title: &title,
        about: None,
    };
    let ending = Box::new(move |world: &mut World, caller: &Caller| {
        let formats = assets
            .iter()
            .filter_map(|id| format_named(world, id, &format));
        let formats: Vec<_> = formats.collect();
        let copies = formats
            .iter()
            .flat_map(|id| copied(world, caller, id, &storage));
        copies.collect()
    });
    works::accepted(world, &ask.caller, task, ending)
}

fn format_named(world: &World, asset: &str, name: &str) -> Option<String> {
    let mut formats = world.formats.group(asset);
    let format = formats.find(|it| text(it, "name") == name && !is_deleted(it))?;
    Some(text(format, "id").to_owned())
}

/// A file set of the format on the storage, with the files of its first one; nothing if it has one there.
fn copied(world: &mut World, caller: &Caller, format: &str, storage: &str) -> Vec<Change> {
    let Some(asset) = world.formats.get(format) else {
        return Vec::new();
    };
    let asset = text(asset, "asset_id").to_owned();
    let of_format = world.file_sets.group(&asset);
    let of_format = of_format.filter(|it| text(it, "format_id") == format && !is_deleted(it));
    let of_format: Vec<_> = of_format.cloned().collect();
    if of_format.iter().any(|it| text(it, "storage_id") == storage) {
        return Vec::new();
    }
    let Some(source) = of_format.first() else {
        return Vec::new();
    };
    let set = new_id();
    let now = caller.stamp();
    let mut copy = Document::clone(source);
    copy.insert("id".to_owned(), json!(set));
    copy.insert("storage_id".to_owned(), json!(storage));
    copy.insert("date_created".to_owned(), now.clone());
    copy.insert("date_modified".to_owned(), now);
    let files = world.files.group(&asset);
    let files = files.filter(|it| text(it, "file_set_id") == text(source, "id"));
    let files: Vec<_> = files.cloned().collect();
    for file in files {
        let mut file = Document::clone(&file);
        let id = new_id();
        file.insert("id".to_owned(), json!(id));
        file.insert("file_set_id".to_owned(), json!(set));
        file.insert("storage_id".to_owned(), json!(storage));
        world.files.put(&id, file);
    }
    world.file_sets.put(&set, copy.clone());
    let kind = ("assets", "file_sets", "create");
    vec![Change::new(kind, &set, Value::Object(copy))]
}

/// A scan finds nothing that was not said before.
fn scan(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let storage = ask.param("storage_id");
    world.check_exists("storage_id", storage, ask)?;
    checked(&ask.given()?, &SCAN_KEYS, Extent::Part)?;
    let now = ask.caller.stamp();
    if let Some(storage) = world.shelf_mut("storage_id").get_mut(storage) {
        storage.insert("last_scanned".to_owned(), now);
    }
    let task = Task {
        kind: "SCAN",
        title: "Scanning a storage",
        about: Some(("storages", storage)),
    };
    works::begin(world, &ask.caller, task, nothing())?;
    Ok(Done::bare(StatusCode::CREATED))
}

fn copy_file_set(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let id = ask.param("file_set_id");
    let set = world.file_sets.get(id);
    let set = set.ok_or_else(|| Refusal::not_found("File set", id))?;
    let format = text(set, "format_id").to_owned();
    copy_one(world, ask, format)
}

fn copy_format(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let id = ask.param("format_id");
    world.check_exists("format_id", id, ask)?;
    copy_one(world, ask, id.to_owned())
}

/// 409 is documented; that it stands for a file set which is there already is inferred.
fn copy_one(world: &mut World, ask: &Ask, format: String) -> Result<Done, Refusal> {
    let storage = ask.param("storage_id").to_owned();
    world.check_exists("storage_id", &storage, ask)?;
    let is_there = |it: &Document| {
        text(it, "format_id") == format && text(it, "storage_id") == storage && !is_deleted(it)
    };
    if world.file_sets.iter().any(|it| is_there(it)) {
        let message = "The storage has a file set of this format already";
        return Err(Refusal::new(StatusCode::CONFLICT, message));
    }
    let task = Task {
        kind: "TRANSFER",
        title: "Copying a file set",
        about: None,
    };
    let ending = Box::new(move |world: &mut World, caller: &Caller| {
        copied(world, caller, &format, &storage)
    });
    works::accepted(world, &ask.caller, task, ending)
}

fn archive(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let asset = ask.param("asset_id");
    world.asset(asset)?;
    checked(&ask.given()?, &ONE_KEYS, Extent::Part)?;
    let format = named(world, ask)?;
    archive_formats(world, ask, vec![(asset.to_owned(), format)])
}

fn named(world: &World, ask: &Ask) -> Result<String, Refusal> {
    let (asset, id) = (ask.param("asset_id"), ask.param("format_id"));
    let format = world.formats.get(id);
    match format.filter(|it| text(it, "asset_id") == asset) {
        Some(_) => Ok(id.to_owned()),
        None => Err(Refusal::not_found("Format", id)),
    }
}

/// The path names the format by its name here.
fn archive_many(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let formats = formats_of(world, ask)?;
    archive_formats(world, ask, formats)
}

fn restore_many(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let formats = formats_of(world, ask)?;
    restore_formats(world, ask, formats)
}

fn formats_of(world: &World, ask: &Ask) -> Result<Vec<(String, String)>, Refusal> {
    let given = checked(&ask.body()?, &BULK_KEYS, Extent::Whole)?;
    let name = ask.param("format_id");
    let formats = assets_of(world, &given)?.into_iter();
    Ok(formats
        .filter_map(|asset| format_named(world, &asset, name).map(|format| (asset, format)))
        .collect())
}

/// `ARCHIVING` at once, `ARCHIVED` at the end.
fn archive_formats(
    world: &mut World,
    ask: &Ask,
    formats: Vec<(String, String)>,
) -> Result<Done, Refusal> {
    let changes = marked(world, &formats, "ARCHIVING", true);
    let task = Task {
        kind: "ARCHIVE",
        title: "Archiving",
        about: None,
    };
    let ending =
        Box::new(move |world: &mut World, _: &Caller| marked(world, &formats, "ARCHIVED", false));
    Ok(works::accepted(world, &ask.caller, task, ending)?.with(changes))
}

/// Restores a format that was archived.
pub(super) fn restore(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let asset = ask.param("asset_id");
    world.asset(asset)?;
    checked(&ask.given()?, &ONE_KEYS, Extent::Part)?;
    let format = named(world, ask)?;
    restore_formats(world, ask, vec![(asset.to_owned(), format)])
}

fn restore_formats(
    world: &mut World,
    ask: &Ask,
    formats: Vec<(String, String)>,
) -> Result<Done, Refusal> {
    let task = Task {
        kind: "RESTORE",
        title: "Restoring",
        about: None,
    };
    let ending = Box::new(move |world: &mut World, _: &Caller| {
        marked(world, &formats, "NOT_ARCHIVED", true)
    });
    works::accepted(world, &ask.caller, task, ending)
}

/// Marks formats and, where it is the original that is meant, their assets.
fn marked(
    world: &mut World,
    formats: &[(String, String)],
    status: &str,
    is_online: bool,
) -> Vec<Change> {
    let mut changes = Vec::new();
    let mark = |document: &mut Document| {
        document.insert("archive_status".to_owned(), json!(status));
        document.insert("is_online".to_owned(), json!(is_online));
    };
    for (asset, format) in formats {
        let Some(format) = world.formats.get_mut(format) else {
            continue;
        };
        mark(format);
        let format = format.clone();
        let id = text(&format, "id").to_owned();
        let is_original = text(&format, "name") == "ORIGINAL";
        let kind = ("assets", "formats", "update");
        changes.push(Change::new(kind, &id, Value::Object(format)));
        if is_original && let Ok(asset) = assets::edited(world, asset, mark) {
            changes.push(assets::changed("update", &asset));
        }
    }
    changes
}

/// The archived copy goes; the format is no longer archived.
fn remove_archive(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let asset = ask.param("asset_id");
    world.asset(asset)?;
    let format = named(world, ask)?;
    restore_formats(world, ask, vec![(asset.to_owned(), format)])
}
