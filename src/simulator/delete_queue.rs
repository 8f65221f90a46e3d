//! The delete queue: what lies in the trash, and how it gets in, out and away.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::operation::{Ask, Caller, Change, Done};
use super::paging::{Bounds, Row, page};
use super::refusal::Refusal;
use super::routes::{Routes, operations};
use super::shape::{Extent, Key, Kind, checked, key};
use super::table::{Table, text};
use super::works::{self, Task, ids};
use super::world::{World, is_deleted};
use super::{assets, collections};
use crate::model::Method::{Delete, Get, Post};

/// The keys of `DeleteQueueSchema`.
const KEYS: [Key; 1] = [key("ids", Kind::TextList).required()];

/// The keys of `BulkDeleteSchema`; that nothing said means only the content is documented.
const BULK_KEYS: [Key; 3] = [
    key("content_only", Kind::Flag),
    key("object_ids", Kind::TextList).required(),
    key(
        "object_type",
        Kind::OneOf(&["assets", "collections", "saved_searches"]),
    )
    .required(),
];

/// What is done to one object.
type Act = fn(&mut World, &Caller, &str) -> Vec<Change>;

pub(super) fn routes() -> Routes {
    const QUEUE: &str = "/assets/v1/delete_queue";
    Routes::new()
        .route(
            &format!("{QUEUE}/assets/"),
            operations([
                (Get, list_assets),
                (Post, trash_assets),
                (Delete, restore_assets),
            ]),
        )
        .route(
            &format!("{QUEUE}/assets/purge/"),
            operations([(Post, purge_assets)]),
        )
        .route(
            &format!("{QUEUE}/assets/purge/all/"),
            operations([(Post, purge_all_assets)]),
        )
        .route(
            &format!("{QUEUE}/assets/restore/all/"),
            operations([(Post, restore_all_assets)]),
        )
        .route(
            &format!("{QUEUE}/collections/"),
            operations([
                (Get, list_collections),
                (Post, trash_collections),
                (Delete, restore_collections),
            ]),
        )
        .route(
            &format!("{QUEUE}/collections/purge/"),
            operations([(Post, purge_collections)]),
        )
        .route(
            &format!("{QUEUE}/collections/purge/all/"),
            operations([(Post, purge_all_collections)]),
        )
        .route(
            &format!("{QUEUE}/collections/restore/all/"),
            operations([(Post, restore_all_collections)]),
        )
        .route(
            &format!("{QUEUE}/purge/all/"),
            operations([(Post, purge_all)]),
        )
        .route(
            &format!("{QUEUE}/bulk/"),
            operations([(Post, delete_in_bulk)]),
        )
}

fn list_assets(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    list(&world.assets, "assets", ask)
}

fn list_collections(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    list(&world.collections, "collections", ask)
}

fn list(table: &Table, object_type: &'static str, ask: &Ask) -> Result<Done, Refusal> {
    let rows = table.iter().filter(|it| is_deleted(it));
    let rows = rows.map(|it| Row::typed(it, object_type)).collect();
    page(rows, &ask.path(), &ask.query, Bounds::PLAIN).map(Done::ok)
}

fn trash_assets(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    each_named(world, ask, assets::put_in_trash, StatusCode::NO_CONTENT)
}

fn restore_assets(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    each_named(world, ask, assets::take_from_trash, StatusCode::NO_CONTENT)
}

fn purge_assets(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    each_named(world, ask, assets::erase, StatusCode::NO_CONTENT)
}

fn trash_collections(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    each_named(world, ask, collections::put_in_trash, StatusCode::CREATED)
}

fn restore_collections(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    each_named(
        world,
        ask,
        collections::take_from_trash,
        StatusCode::CREATED,
    )
}

fn purge_collections(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    each_named(world, ask, collections::erase, StatusCode::CREATED)
}

/// An id that is not there does nothing; inferred.
fn each_named(world: &mut World, ask: &Ask, act: Act, status: StatusCode) -> Result<Done, Refusal> {
    let given = checked(&ask.body()?, &KEYS, Extent::Whole)?;
    let ids = ids(&given, "ids")?;
    let changes = ids.iter().flat_map(|id| act(world, &ask.caller, id));
    let changes: Vec<_> = changes.collect();
    Ok(Done::bare(status).with(changes))
}

fn purge_all_assets(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let changes = each_in_trash(world, &ask.caller, |it| &it.assets, assets::erase);
    Ok(Done::no_content().with(changes))
}

fn restore_all_assets(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let act = assets::take_from_trash;
    let changes = each_in_trash(world, &ask.caller, |it| &it.assets, act);
    Ok(Done::no_content().with(changes))
}

fn purge_all_collections(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let act = collections::erase;
    let changes = each_in_trash(world, &ask.caller, |it| &it.collections, act);
    Ok(Done::no_content().with(changes))
}

fn restore_all_collections(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let act = collections::take_from_trash;
    let changes = each_in_trash(world, &ask.caller, |it| &it.collections, act);
    Ok(Done::no_content().with(changes))
}

fn purge_all(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let assets = each_in_trash(world, &ask.caller, |it| &it.assets, assets::erase);
    let act = collections::erase;
    let collections = each_in_trash(world, &ask.caller, |it| &it.collections, act);
    Ok(Done::no_content().with(assets).with(collections))
}

fn each_in_trash(
    world: &mut World,
    caller: &Caller,
    table: fn(&World) -> &Table,
    act: Act,
) -> Vec<Change> {
    let lying = table(world).iter().filter(|it| is_deleted(it));
    let ids: Vec<_> = lying.map(|it| text(it, "id").to_owned()).collect();
    ids.iter().flat_map(|id| act(world, caller, id)).collect()
}

/// Of a collection, its content with the collections in it, or the collection as well. What a saved search
/// finds is not deleted here, which would need a search at the job's end.
fn delete_in_bulk(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let given = checked(&ask.body()?, &BULK_KEYS, Extent::Whole)?;
    let ids = ids(&given, "object_ids")?;
    let object_type = text(&given, "object_type").to_owned();
    if object_type == "saved_searches" {
        let message = "This simulator does not delete what a saved search finds";
        return Err(Refusal::invalid("object_type", message));
    }
    if let Some(unknown) = ids.iter().find(|id| !world.has_object(&object_type, id)) {
        return Err(Refusal::not_found("Object", unknown));
    }
    let content_only = given.get("content_only") != Some(&Value::Bool(false));
    let task = Task {
        kind: "DELETE",
        title: "Deleting objects",
        about: None,
    };
    let ending = Box::new(move |world: &mut World, caller: &Caller| {
        let mut changes = Vec::new();
        for id in &ids {
            if object_type == "assets" {
                changes.extend(assets::put_in_trash(world, caller, id));
                continue;
            }
            for (kind, inner) in world.contents.below(id) {
                changes.extend(match kind.as_str() {
                    "assets" => assets::put_in_trash(world, caller, &inner),
                    _ => collections::put_in_trash(world, caller, &inner),
                });
            }
            if !content_only {
                changes.extend(collections::put_in_trash(world, caller, id));
            }
        }
        changes
    });
    let job = works::begin(world, &ask.caller, task, ending)?;
    Ok(Done::accepted(json!({ "job_id": job })))
}
