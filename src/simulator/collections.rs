//! Collections and what lies in them.
//!
//! Adding an object answers 201 without a body, and the event that it causes has, as recorded, the added
//! object's id as `object_id`.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::contents::Entry;
use super::operation::{Ask, Caller, Change, Done};
use super::paging::{Bounds, Row, page};
use super::refusal::Refusal;
use super::routes::{Routes, operations};
use super::shape::{Extent, Key, Kind, checked, key};
use super::table::{Document, text};
use super::world::{World, document, is_deleted, mark_deleted, mark_restored, new_id, overlay};
use crate::model::Method::{Delete, Get, Patch, Post, Put};

/// The writable keys of `CollectionInputSchema`.
const KEYS: [Key; 11] = [
    key("title", Kind::Text).required(),
    key("category", Kind::Text).nullable(),
    key("custom_keyframe", Kind::Id).nullable(),
    key("custom_poster", Kind::Id).nullable(),
    key("date_created", Kind::Time),
    key("external_id", Kind::Text).nullable(),
    key("is_root", Kind::Flag),
    key("keyframe_asset_ids", Kind::Ids),
    key("parent_id", Kind::Id).nullable(),
    key("status", Kind::OneOf(&["ACTIVE", "HIDDEN", "DELETED"])),
    key("storage_id", Kind::Id).nullable(),
];

/// The keys of `CollectionContentSchema`.
const CONTENT_KEYS: [Key; 2] = [
    key("object_id", Kind::Id).required(),
    key("object_type", Kind::OneOf(&["assets", "collections"])).required(),
];

pub(super) fn routes() -> Routes {
    Routes::new()
        .route(
            "/assets/v1/collections/",
            operations([(Get, list), (Post, create)]),
        )
        .route(
            "/assets/v1/collections/{collection_id}/",
            operations([
                (Get, read),
                (Patch, change),
                (Put, replace),
                (Delete, trash),
            ]),
        )
        .route(
            "/assets/v1/collections/{collection_id}/restore/",
            operations([(Put, restore)]),
        )
        .route(
            "/assets/v1/collections/{collection_id}/purge/",
            operations([(Delete, purge)]),
        )
        .route(
            "/assets/v1/collections/{collection_id}/contents/",
            operations([(Get, contents), (Post, add_content)]),
        )
}

fn list(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    if let Some(batch) = world.scrolls.next(ask) {
        return batch.map(Done::ok);
    }
    let status = ask.query.get("status").map(String::as_str);
    let shown = world.index.shown(ask.caller.now);
    let rows = shown
        .collections
        .iter()
        .filter(|it| match status {
            Some(status) => text(it, "status") == status,
            None => !is_deleted(it),
        })
        .filter(|it| !ask.flag("is_root") || it.get("is_root") == Some(&Value::Bool(true)))
        .map(Row::plain)
        .collect();
    world.scrolls.list(rows, ask, Bounds::INDEXED).map(Done::ok)
}

fn read(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    Ok(Done::ok(
        world.collection(ask.param("collection_id"))?.clone(),
    ))
}

fn create(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let (collection, changes) = add(world, &ask.caller, &ask.body()?, None)?;
    Ok(Done::created(collection).with(changes))
}

/// Makes a collection; `id` only for a seed. That a collection with a parent lies in the parent's contents
/// is inferred from the contents that were recorded.
pub(super) fn add(
    world: &mut World,
    caller: &Caller,
    body: &Document,
    id: Option<&str>,
) -> Result<(Document, Vec<Change>), Refusal> {
    let given = checked(body, &KEYS, Extent::Whole)?;
    let parent = text(&given, "parent_id").to_owned();
    if !parent.is_empty() && !world.collections.contains(&parent) {
        let message = "There is no such collection";
        return Err(Refusal::invalid("parent_id", message));
    }
    let id = id.map_or_else(new_id, str::to_owned);
    let now = caller.stamp();
    let mut collection = document(json!({
        "category": null,
        "created_by_user": caller.user_id,
        "custom_keyframe": null,
        "custom_order_status": "DISABLED",
        "custom_poster": null,
        "date_created": now,
        "date_deleted": null,
        "date_modified": now,
        "deleted_by_user": null,
        "external_id": null,
        "favoured": false,
        "id": id,
        "in_collections": [],
        "is_root": parent.is_empty(),
        "keyframe_asset_ids": [],
        "keyframes": [],
        "metadata": {},
        "object_type": "collections",
        "parent_id": null,
        "parents": [],
        "permissions": [],
        "status": "ACTIVE",
        "storage_id": null,
        "title": "",
    }));
    overlay(&mut collection, given);
    if !parent.is_empty() {
        let parents = ancestors_and_self(world, &parent);
        collection.insert("parents".to_owned(), json!(parents));
        collection.insert("in_collections".to_owned(), json!([parent]));
    }
    world.collections.put(&id, collection.clone());
    let mut changes = vec![changed("create", &collection)];
    if !parent.is_empty() {
        changes.extend(put_in(world, caller, &parent, "collections", &id));
    }
    Ok((collection, changes))
}

fn change(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    update(world, ask, Extent::Part)
}

fn replace(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    update(world, ask, Extent::Whole)
}

fn update(world: &mut World, ask: &Ask, extent: Extent) -> Result<Done, Refusal> {
    let id = ask.param("collection_id");
    world.collection(id)?;
    let mut given = checked(&ask.body()?, &KEYS, extent)?;
    given.insert("date_modified".to_owned(), ask.caller.stamp());
    let collection = edited(world, id, |collection| overlay(collection, given))?;
    let changes = [changed("update", &collection)];
    Ok(Done::ok(collection).with(changes))
}

fn trash(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let id = ask.param("collection_id");
    world.collection(id)?;
    let done = Done::bare(StatusCode::ACCEPTED);
    Ok(done.with(put_in_trash(world, &ask.caller, id)))
}

fn restore(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let id = ask.param("collection_id");
    world.collection(id)?;
    let done = Done::bare(StatusCode::CREATED);
    Ok(done.with(take_from_trash(world, &ask.caller, id)))
}

fn purge(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let id = ask.param("collection_id");
    world.collection(id)?;
    let done = Done::bare(StatusCode::ACCEPTED);
    Ok(done.with(erase(world, &ask.caller, id)))
}

/// Moves a collection to the trash; nothing changes if it lies there or is not there.
pub(super) fn put_in_trash(world: &mut World, caller: &Caller, id: &str) -> Vec<Change> {
    let lies_there = world.collections.get(id).is_none_or(is_deleted);
    let by = &caller.user_id;
    let trash = |it: &mut Document| mark_deleted(it, by, caller.stamp());
    match edited(world, id, trash) {
        Ok(collection) if !lies_there => vec![changed("delete", &collection)],
        _ => Vec::new(),
    }
}

/// Takes a collection out of the trash, if it lies there.
pub(super) fn take_from_trash(world: &mut World, _: &Caller, id: &str) -> Vec<Change> {
    let lies_there = world.collections.get(id).is_some_and(is_deleted);
    match lies_there.then(|| edited(world, id, mark_restored)) {
        Some(Ok(collection)) => vec![changed("restore", &collection)],
        _ => Vec::new(),
    }
}

/// Takes a collection away for good; what lay in it stays.
pub(super) fn erase(world: &mut World, _: &Caller, id: &str) -> Vec<Change> {
    let Some(collection) = world.collections.remove(id) else {
        return Vec::new();
    };
    world.contents.remove_everywhere(id);
    world.contents.empty(id);
    world.values.forget(id);
    world.forget_place("collection_id", id);
    vec![changed("purge", &collection)]
}

fn contents(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let id = ask.param("collection_id");
    world.collection(id)?;
    let filter = filter(ask)?;
    let shown = world.index.shown(ask.caller.now);
    let external_id = ask.query.get("external_id");
    let rows = shown
        .contents
        .of(id)
        .filter(|entry| ask.among("object_types", &entry.object_type))
        .filter(|entry| ask.among("object_ids", &entry.object_id))
        .filter_map(|entry| match entry.object_type.as_str() {
            "assets" => Some(Row::typed(shown.assets.shared(&entry.object_id)?, "assets")),
            _ => Some(Row::plain(shown.collections.shared(&entry.object_id)?)),
        })
        .filter(|row| !is_deleted(row.document))
        .filter(|row| external_id.is_none_or(|it| text(row.document, "external_id") == it))
        .filter(|row| {
            filter
                .iter()
                .all(|(key, value)| text(row.document, key) == *value)
        })
        .collect();
    page(rows, &ask.path(), &ask.query, Bounds::CONTENTS).map(Done::ok)
}

/// `filter=title,eq,Dailies;type,eq,ASSET`: `eq` is the one comparison that the specification shows.
fn filter(ask: &Ask) -> Result<Vec<(&str, &str)>, Refusal> {
    let given = ask.query.get("filter").map_or("", String::as_str);
    let parts = given.split(';').filter(|part| !part.is_empty());
    parts
        .map(|part| match part.splitn(3, ',').collect::<Vec<_>>()[..] {
            [key, "eq", value] => Ok((key, value)),
            _ => {
                let message = "Each part must read field,eq,value";
                Err(Refusal::invalid("filter", message))
            }
        })
        .collect()
}

fn add_content(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let id = ask.param("collection_id");
    world.collection(id)?;
    let given = checked(&ask.body()?, &CONTENT_KEYS, Extent::Whole)?;
    let (object_type, object_id) = (text(&given, "object_type"), text(&given, "object_id"));
    let there = match object_type {
        "assets" => world.assets.contains(object_id),
        _ => world.collections.contains(object_id),
    };
    if !there {
        return Err(Refusal::invalid("object_id", "There is no such object"));
    }
    let change = put_in(world, &ask.caller, id, object_type, object_id);
    Ok(Done::bare(StatusCode::CREATED).with(change))
}

/// Puts an object into a collection; nothing changes if it is there already.
pub(super) fn put_in(
    world: &mut World,
    caller: &Caller,
    collection: &str,
    object_type: &str,
    object_id: &str,
) -> Option<Change> {
    let entry = Entry {
        object_type: object_type.to_owned(),
        object_id: object_id.to_owned(),
        date_created: caller.stamp(),
    };
    world
        .contents
        .put(collection, entry.clone())
        .then(|| content_changed(world, "create", collection, &entry))
}

/// Takes an object out of a collection.
pub(super) fn remove_content(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let id = ask.param("collection_id");
    world.collection(id)?;
    let (object_type, object_id) = (ask.param("object_type"), ask.param("object_id"));
    let entry = world.contents.entry(id, object_id);
    if entry.is_none_or(|entry| entry.object_type != object_type) {
        return Err(Refusal::not_found("Content", object_id));
    }
    let Some(entry) = world.contents.remove(id, object_id) else {
        return Err(Refusal::not_found("Content", object_id));
    };
    Ok(Done::no_content().with([content_changed(world, "delete", id, &entry)]))
}

/// The four keys that were recorded in 2022, and `parents`, which events have had since 2024.
fn content_changed(
    world: &World,
    operation: &'static str,
    collection: &str,
    entry: &Entry,
) -> Change {
    let data = json!({
        "collection_id": collection,
        "date_created": entry.date_created,
        "object_id": entry.object_id,
        "object_type": entry.object_type,
        "parents": ancestors_and_self(world, collection),
    });
    Change::new(
        ("collections", "contents", operation),
        &entry.object_id,
        data,
    )
}

/// The collection and the collections above it, nearest first. A circle ends where it closes.
pub(super) fn ancestors_and_self(world: &World, collection: &str) -> Vec<String> {
    let mut line = Vec::new();
    let mut next = collection.to_owned();
    while !next.is_empty() && !line.contains(&next) {
        let above = world
            .collections
            .get(&next)
            .map(|it| text(it, "parent_id").to_owned());
        line.push(next);
        next = above.unwrap_or_default();
    }
    line
}

fn edited(
    world: &mut World,
    id: &str,
    edit: impl FnOnce(&mut Document),
) -> Result<Document, Refusal> {
    let collection = world
        .collections
        .get_mut(id)
        .ok_or_else(|| Refusal::not_found("Collection", id))?;
    edit(collection);
    Ok(collection.clone())
}

fn changed(operation: &'static str, collection: &Document) -> Change {
    let kind = ("collections", "entity", operation);
    Change::new(kind, text(collection, "id"), collection.clone())
}
