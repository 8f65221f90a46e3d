//! What a collection knows about those above it and all that lies below it, and the order of its contents.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::collections::{self, ancestors_and_self};
use super::operation::{Ask, Caller, Change, Done};
use super::paging::{Bounds, Row, page};
use super::refusal::Refusal;
use super::routes::{Routes, operations};
use super::shape::{Extent, Key, Kind, checked, key};
use super::table::{Document, text};
use super::works::{self, Task, nothing};
use super::world::{World, document};
use crate::model::Method::{Delete, Get, Post, Put};

/// The keys of `CollectionContentSchema`.
const CONTENT_KEYS: [Key; 2] = [
    key("object_id", Kind::Id).required(),
    key("object_type", Kind::OneOf(&["assets", "collections"])).required(),
];

/// The keys of `CollectionContentOrderingSchema`.
const ORDERING_KEYS: [Key; 3] = [
    key("after_object_id", Kind::Id),
    key("before_object_id", Kind::Id),
    key("position", Kind::Whole),
];

/// How deep copies reach: a collection that was put into itself must not be copied for ever.
const DEPTH_MAX: usize = 50;

pub(super) fn routes() -> Routes {
    const OF: &str = "/assets/v1/collections/{collection_id}";
    Routes::new()
        .route(&format!("{OF}/ancestors/"), operations([(Get, ancestors)]))
        .route(&format!("{OF}/full/path/"), operations([(Get, full_path)]))
        .route(&format!("{OF}/content/info/"), operations([(Get, info)]))
        .route(&format!("{OF}/size/"), operations([(Get, size)]))
        .route(
            &format!("{OF}/subcollections/"),
            operations([(Post, copy_into)]),
        )
        .route(
            &format!("{OF}/keyframes/"),
            operations([(Post, synchronize)]),
        )
        .route(
            &format!("{OF}/contents/ordering/custom/"),
            operations([(Post, order), (Delete, unorder)]),
        )
        .route(
            &format!("{OF}/contents/{{object_type}}/{{object_id}}/"),
            operations([(Put, place), (Delete, collections::remove_content)]),
        )
}

/// The collections above, the nearest first; inferred.
fn ancestors(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let id = ask.param("collection_id");
    world.collection(id)?;
    let line = ancestors_and_self(world, id);
    let rows = line.iter().skip(1);
    let rows = rows.filter_map(|id| world.collections.shared(id));
    page(
        rows.map(Row::plain).collect(),
        &ask.path(),
        &ask.query,
        Bounds::PLAIN,
    )
    .map(Done::ok)
}

/// The titles from the top down, with slashes between them.
fn full_path(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let id = ask.param("collection_id");
    world.collection(id)?;
    let mut line = ancestors_and_self(world, id);
    line.reverse();
    let titles = line.iter().filter_map(|id| world.collections.get(id));
    let titles: Vec<_> = titles.map(|it| text(it, "title")).collect();
    Ok(Done::ok(titles.join("/")))
}

/// What lies below, and how large its files are.
struct Below {
    assets: Vec<String>,
    collections: usize,
    bytes: u64,
}

fn below(world: &World, collection: &str) -> Below {
    let mut below = Below {
        assets: Vec::new(),
        collections: 0,
        bytes: 0,
    };
    for (object_type, id) in world.contents.below(collection) {
        match object_type.as_str() {
            "assets" => below.assets.push(id),
            _ => below.collections += 1,
        }
    }
    let files = below.assets.iter().flat_map(|id| world.files.group(id));
    let sizes = files.filter_map(|file| file.get("size")?.as_u64());
    below.bytes = sizes.sum();
    below
}

/// How the files are spread over storages is not told.
fn info(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let id = ask.param("collection_id");
    let title = text(world.collection(id)?, "title").to_owned();
    let below = below(world, id);
    Ok(Done::ok(json!({
        "assets_count": below.assets.len(),
        "collections_count": below.collections,
        "storage_info": [],
        "title": title,
        "total_duration_milliseconds": 0,
        "total_size": below.bytes,
    })))
}

fn size(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let id = ask.param("collection_id");
    let title = text(world.collection(id)?, "title").to_owned();
    let bytes = below(world, id).bytes;
    Ok(Done::ok(json!({ "id": id, "title": title, "size": bytes })))
}

/// Copies the tree of a collection into this one; assets are not copied but lie in both.
fn copy_into(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let target = ask.param("collection_id");
    world.collection(target)?;
    let given = checked(&ask.body()?, &CONTENT_KEYS, Extent::Whole)?;
    if text(&given, "object_type") != "collections" {
        let message = "Only a collection can be copied";
        return Err(Refusal::invalid("object_type", message));
    }
    let source = text(&given, "object_id");
    world.collection(source)?;
    let mut within = world.contents.below(source).into_iter();
    if source == target || within.any(|(_, id)| id == target) {
        let message = "A collection cannot be copied into itself";
        return Err(Refusal::invalid("object_id", message));
    }
    let (copy, changes) = copied(world, &ask.caller, source, target, 0)?;
    Ok(Done::created(copy).with(changes))
}

fn copied(
    world: &mut World,
    caller: &Caller,
    source: &str,
    target: &str,
    depth: usize,
) -> Result<(Document, Vec<Change>), Refusal> {
    let title = text(world.collection(source)?, "title").to_owned();
    let lying: Vec<_> = world.contents.of(source).cloned().collect();
    let body = document(json!({ "title": title, "parent_id": target }));
    let (copy, mut changes) = collections::add(world, caller, &body, None)?;
    let id = text(&copy, "id").to_owned();
    for entry in lying {
        if entry.object_type == "assets" {
            let put = collections::put_in(world, caller, &id, "assets", &entry.object_id);
            changes.extend(put);
        } else if depth < DEPTH_MAX && entry.object_id != id {
            let (_, inner) = copied(world, caller, &entry.object_id, &id, depth + 1)?;
            changes.extend(inner);
        }
    }
    Ok((copy, changes))
}

/// Nothing is drawn here, so there is nothing to synchronise.
fn synchronize(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let id = ask.param("collection_id");
    world.collection(id)?;
    let task = Task {
        kind: "KEYFRAMES",
        title: "Synchronizing keyframes",
        about: Some(("collections", id)),
    };
    works::accepted(world, &ask.caller, task, nothing())
}

fn order(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let id = ask.param("collection_id");
    set_ordering(world, id, "ENABLED")?;
    let task = Task {
        kind: "COLLECTION_CUSTOM_ORDER",
        title: "Ordering a collection",
        about: Some(("collections", id)),
    };
    works::accepted(world, &ask.caller, task, nothing())
}

fn unorder(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    set_ordering(world, ask.param("collection_id"), "DISABLED")?;
    Ok(Done::bare(StatusCode::OK))
}

fn set_ordering(world: &mut World, id: &str, status: &str) -> Result<(), Refusal> {
    world.collection(id)?;
    if let Some(collection) = world.collections.get_mut(id) {
        collection.insert("custom_order_status".to_owned(), json!(status));
    }
    Ok(())
}

fn place(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let (collection, object) = (ask.param("collection_id"), ask.param("object_id"));
    world.collection(collection)?;
    let given = checked(&ask.body()?, &ORDERING_KEYS, Extent::Part)?;
    let at = |key: &str| {
        let neighbour = given.get(key).and_then(Value::as_str)?;
        let mut entries = world.contents.of(collection);
        entries.position(|entry| entry.object_id == neighbour)
    };
    let named = given.get("position").and_then(Value::as_u64);
    let named = named.and_then(|it| usize::try_from(it).ok());
    let position = named
        .or_else(|| at("before_object_id"))
        .or_else(|| at("after_object_id").map(|it| it + 1));
    if !world
        .contents
        .place(collection, object, position.unwrap_or(0))
    {
        return Err(Refusal::not_found("Content", object));
    }
    Ok(Done::bare(StatusCode::OK))
}
