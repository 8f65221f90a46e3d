//! Assets: created with one version, moved to the trash by DELETE, gone for good only by purge.

use serde_json::{Value, json};

use super::operation::{Ask, Caller, Change, Done};
use super::paging::{Bounds, Row};
use super::refusal::Refusal;
use super::routes::{Routes, operations};
use super::shape::{Extent, Key, Kind, checked, key};
use super::table::{Document, text};
use super::world::{
    World, current_version, document, is_deleted, mark_deleted, mark_restored, new_id, overlay,
};
use super::{bulk_edit, collections, files};
use crate::model::Method::{Delete, Get, Patch, Post, Put};

const PROGRESS: Kind = Kind::OneOf(&["N/A", "REQUESTED", "IN_PROGRESS", "FAILED", "DONE"]);

/// The writable keys of `AssetCreateSchema` and `AssetSchema`.
pub(super) const KEYS: [Key; 26] = [
    key("title", Kind::Text).required(),
    key(
        "type",
        Kind::OneOf(&[
            "ASSET",
            "SEQUENCE",
            "NLE_PROJECT",
            "PLACEHOLDER",
            "CUSTOM",
            "LINK",
            "SUBCLIP",
            "POST",
        ]),
    ),
    key("status", Kind::OneOf(&["ACTIVE", "DELETED"])),
    key("analyze_status", PROGRESS),
    key("face_recognition_status", PROGRESS),
    key(
        "archive_status",
        Kind::OneOf(&["NOT_ARCHIVED", "ARCHIVING", "FAILED_TO_ARCHIVE", "ARCHIVED"]),
    ),
    key("category", Kind::Text).nullable(),
    key("custom_keyframe", Kind::Id).nullable(),
    key("custom_poster", Kind::Id).nullable(),
    key("date_created", Kind::Time),
    key("date_deleted", Kind::Time),
    key("last_archive_restore_date", Kind::Time),
    key("external_id", Kind::Text).nullable(),
    key("external_link", Kind::Text).nullable(),
    key("has_unconfirmed_persons", Kind::Flag),
    key("is_blocked", Kind::Flag),
    key("is_online", Kind::Flag),
    key("original_asset_id", Kind::Id),
    key("original_segment_id", Kind::Id),
    key("original_version_id", Kind::Id),
    key("person_ids", Kind::Ids).nullable(),
    key("site_name", Kind::Text).nullable(),
    key("time_start_milliseconds", Kind::Whole),
    key("time_end_milliseconds", Kind::Whole),
    key("warning", Kind::Text).nullable(),
    key("collection_id", Kind::Id).nullable(),
];

/// The query parameters of the list that compare with the key of the same name.
const FILTERS: [&str; 11] = [
    "archive_status",
    "category",
    "created_by_user",
    "external_id",
    "id",
    "original_asset_id",
    "original_segment_id",
    "site_name",
    "status",
    "title",
    "type",
];

pub(super) fn routes() -> Routes {
    Routes::new()
        .route(
            "/assets/v1/assets/",
            operations([
                (Get, list),
                (Post, create),
                (Patch, bulk_edit::of_assets),
                (Put, bulk_edit::of_assets),
            ]),
        )
        .route(
            "/assets/v1/assets/{asset_id}/",
            operations([
                (Get, read),
                (Patch, change),
                (Put, replace),
                (Delete, trash),
            ]),
        )
        .route(
            "/assets/v1/assets/{asset_id}/restore/",
            operations([(Put, restore)]),
        )
        .route(
            "/assets/v1/assets/{asset_id}/purge/",
            operations([(Delete, purge)]),
        )
        .route(
            "/assets/v1/assets/{asset_id}/views/",
            operations([(Post, view)]),
        )
}

/// The specification has one filter, `field_name`, "filter by field name". That the names of fields are
/// meant, and that what lies in the trash is left out unless its status is asked for, is inferred.
fn list(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    if let Some(batch) = world.scrolls.next(ask) {
        return batch.map(Done::ok);
    }
    let wanted = ask.wanted(&FILTERS);
    let shown = world.index.shown(ask.caller.now);
    let rows = shown
        .assets
        .iter()
        .filter(|asset| ask.query.contains_key("status") || !is_deleted(asset))
        .filter(|asset| wanted.iter().all(|(key, value)| text(asset, key) == *value))
        .map(|asset| Row::typed(asset, "assets"))
        .collect();
    world.scrolls.list(rows, ask, Bounds::INDEXED).map(Done::ok)
}

fn read(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let id = ask.param("asset_id");
    let mut asset = world.asset(id)?.clone();
    if ask.flag("include_collections") {
        asset.insert(
            "in_collections".to_owned(),
            world.contents.holders(id).collect(),
        );
    }
    Ok(Done::ok(asset))
}

fn create(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let (asset, changes) = add(world, &ask.caller, &ask.body()?, None)?;
    Ok(Done::created(asset).with(changes))
}

/// Makes an asset; `id` only for a seed.
pub(super) fn add(
    world: &mut World,
    caller: &Caller,
    body: &Document,
    id: Option<&str>,
) -> Result<(Document, Vec<Change>), Refusal> {
    let mut given = checked(body, &KEYS, Extent::Whole)?;
    if text(&given, "type") == "SUBCLIP" {
        given = subclip(world, given)?;
    }
    let collection = match given.remove("collection_id") {
        Some(Value::String(collection)) => {
            if world.collection(&collection).is_err() {
                let message = "There is no such collection";
                return Err(Refusal::invalid("collection_id", message));
            }
            Some(collection)
        }
        _ => None,
    };
    // A recorded request asks for `is_online: true` and is answered `false`: a new asset has no files.
    given.remove("is_online");
    let id = id.map_or_else(new_id, str::to_owned);
    let mut asset = blank(&id, caller);
    overlay(&mut asset, given);
    world.assets.put(&id, asset.clone());
    if let Some(segment) = world.segments.get_mut(text(&asset, "original_segment_id")) {
        segment.insert("subclip_id".to_owned(), json!(id));
    }
    let mut changes = vec![changed("create", &asset)];
    if let Some(collection) = collection {
        changes.extend(collections::put_in(
            world,
            caller,
            &collection,
            "assets",
            &id,
        ));
    }
    Ok((asset, changes))
}

/// A new asset of no particular kind, with the keys of a recorded answer.
fn blank(id: &str, caller: &Caller) -> Document {
    let now = caller.stamp();
    document(json!({
        "analyze_status": "N/A",
        "archive_status": "NOT_ARCHIVED",
        "category": null,
        "created_by_user": caller.user_id,
        "custom_keyframe": null,
        "custom_poster": null,
        "date_created": now,
        "date_deleted": null,
        "date_imported": now,
        "date_modified": now,
        "deleted_by_user": null,
        "external_id": null,
        "id": id,
        "is_blocked": false,
        "is_online": false,
        "status": "ACTIVE",
        "title": "",
        "type": "ASSET",
        "versions": [version(&new_id(), caller)],
        "warning": null,
    }))
}

/// A new version, with the keys of a recorded answer.
pub(super) fn version(id: &str, caller: &Caller) -> Value {
    json!({
        "analyze_status": "N/A",
        "archive_status": "NOT_ARCHIVED",
        "created_by_user": caller.user_id,
        "date_created": caller.stamp(),
        "id": id,
        "is_online": false,
        "status": "ACTIVE",
        "transcribe_status": "N/A",
    })
}

/// Fills in what a subclip has from its original: the version, and the times of its segment. That the
/// original must exist is inferred.
fn subclip(world: &World, mut given: Document) -> Result<Document, Refusal> {
    let original = world.assets.get(text(&given, "original_asset_id"));
    let Some(original) = original else {
        let message = "A subclip needs the id of an existing asset";
        return Err(Refusal::invalid("original_asset_id", message));
    };
    given
        .entry("original_version_id")
        .or_insert_with(|| json!(current_version(original)));
    if !given.contains_key("original_segment_id") {
        return Ok(given);
    }
    let segment = world.segments.get(text(&given, "original_segment_id"));
    let Some(segment) = segment.filter(|it| it.get("asset_id") == original.get("id")) else {
        let message = "There is no such segment of the original asset";
        return Err(Refusal::invalid("original_segment_id", message));
    };
    for key in ["time_start_milliseconds", "time_end_milliseconds"] {
        if let Some(time) = segment.get(key) {
            given.entry(key).or_insert_with(|| time.clone());
        }
    }
    Ok(given)
}

fn change(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    update(world, ask, Extent::Part)
}

fn replace(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    update(world, ask, Extent::Whole)
}

/// PATCH and PUT both change only the keys that they name; PUT must name the required ones. That a key
/// absent from a PUT stays is inferred.
fn update(world: &mut World, ask: &Ask, extent: Extent) -> Result<Done, Refusal> {
    let id = ask.param("asset_id");
    let asset = edit(world, &ask.caller, id, &ask.body()?, extent)?;
    let changes = [changed("update", &asset)];
    Ok(Done::ok(asset).with(changes))
}

/// Lays a body over an asset.
///
/// # Errors
///
/// 404, and 400 for a body that does not fit.
pub(super) fn edit(
    world: &mut World,
    caller: &Caller,
    id: &str,
    body: &Document,
    extent: Extent,
) -> Result<Document, Refusal> {
    world.asset(id)?;
    let mut given = checked(body, &KEYS, extent)?;
    given.remove("collection_id");
    given.insert("date_modified".to_owned(), caller.stamp());
    given.insert("updated_by_user".to_owned(), json!(caller.user_id));
    edited(world, id, |asset| overlay(asset, given))
}

/// Marks the asset as viewed. It causes no event; inferred.
fn view(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let now = ask.caller.stamp();
    let viewed = |asset: &mut Document| {
        asset.insert("date_viewed".to_owned(), now);
    };
    edited(world, ask.param("asset_id"), viewed).map(Done::ok)
}

fn trash(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let id = ask.param("asset_id");
    world.asset(id)?;
    Ok(Done::no_content().with(put_in_trash(world, &ask.caller, id)))
}

fn restore(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let id = ask.param("asset_id");
    world.asset(id)?;
    Ok(Done::no_content().with(take_from_trash(world, &ask.caller, id)))
}

fn purge(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let id = ask.param("asset_id");
    world.asset(id)?;
    Ok(Done::no_content().with(erase(world, &ask.caller, id)))
}

/// Moves an asset to the trash; nothing changes if it lies there or is not there.
pub(super) fn put_in_trash(world: &mut World, caller: &Caller, id: &str) -> Vec<Change> {
    let lies_there = world.assets.get(id).is_none_or(is_deleted);
    let by = &caller.user_id;
    let trash = |asset: &mut Document| mark_deleted(asset, by, caller.stamp());
    match edited(world, id, trash) {
        Ok(asset) if !lies_there => vec![changed("delete", &asset)],
        _ => Vec::new(),
    }
}

/// Takes an asset out of the trash, if it lies there.
pub(super) fn take_from_trash(world: &mut World, _: &Caller, id: &str) -> Vec<Change> {
    let lies_there = world.assets.get(id).is_some_and(is_deleted);
    match lies_there.then(|| edited(world, id, mark_restored)) {
        Some(Ok(asset)) => vec![changed("restore", &asset)],
        _ => Vec::new(),
    }
}

/// Takes an asset away for good, with all that it has.
pub(super) fn erase(world: &mut World, _: &Caller, id: &str) -> Vec<Change> {
    let Some(asset) = world.assets.remove(id) else {
        return Vec::new();
    };
    for segment in world.segments.remove_group(id) {
        world.values.forget(&segment);
    }
    files::forget(world, id);
    world.contents.remove_everywhere(id);
    world.values.forget(id);
    world.forget_place("asset_id", id);
    vec![changed("purge", &asset)]
}

/// Changes an asset.
///
/// # Errors
///
/// 404.
pub(super) fn edited(
    world: &mut World,
    id: &str,
    edit: impl FnOnce(&mut Document),
) -> Result<Document, Refusal> {
    let asset = world
        .assets
        .get_mut(id)
        .ok_or_else(|| Refusal::not_found("Asset", id))?;
    edit(asset);
    Ok(asset.clone())
}

/// The event of a change of an asset.
pub(super) fn changed(operation: &'static str, asset: &Document) -> Change {
    let kind = ("assets", "entity", operation);
    Change::new(kind, text(asset, "id"), asset.clone())
}
