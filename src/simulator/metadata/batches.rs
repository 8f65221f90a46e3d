//! Metadata of many objects by one request: 202, and a job that writes. What does not fit is refused at
//! once as far as it can be known; an object that is gone when the job writes is passed over.

use serde_json::{Value, json};

use super::super::operation::{Ask, Caller, Change, Done};
use super::super::refusal::Refusal;
use super::super::routes::{Routes, operations};
use super::super::shape::{Extent, Key, Kind, checked, key};
use super::super::table::{Document, text};
use super::super::works::{self, Task, ids};
use super::super::world::World;
use super::values::{Target, changed, shown, write};
use crate::model::Method::{Get, Post, Put};

/// The keys of `MetadataValuesBatchSchema`, and those that `CollectionMetadataValuesBatchSchema` has besides.
const KEYS: [Key; 4] = [
    key("object_ids", Kind::TextList).required(),
    key("metadata_values", Kind::Object).required(),
    key("include_assets", Kind::Flag).required(),
    key("include_collections", Kind::Flag).required(),
];

/// The keys of `CreateMetadataValuesBatchSchema`.
const MAPPING_KEYS: [Key; 2] = [
    key("object_ids", Kind::TextList).required(),
    key("metadata_values_object_id_mapping", Kind::List).required(),
];

/// What is to be written about which objects.
type Plan = Vec<(String, String, Document)>;

pub(super) fn routes() -> Routes {
    Routes::new()
        .route(
            "/metadata/v1/{object_type}/views/{view_id}/",
            operations([(Put, put), (Post, put_mapping)]),
        )
        .route(
            "/metadata/v1/{object_type}/content/views/{view_id}/",
            operations([(Put, put_content)]),
        )
        .route(
            "/metadata/v1/{object_type}/{object_id}/",
            operations([(Get, read), (Put, write_without_view)]),
        )
}

fn put(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let given = checked(&ask.body()?, &KEYS[..2], Extent::Whole)?;
    let values = values(&given);
    let object_type = ask.param("object_type");
    let plan = ids(&given, "object_ids")?.into_iter();
    let plan = plan.map(|id| (object_type.to_owned(), id, values.clone()));
    let plan = plan.collect();
    begin(world, ask, plan)
}

fn values(given: &Document) -> Document {
    let values = given.get("metadata_values").and_then(Value::as_object);
    values.cloned().unwrap_or_default()
}

fn put_mapping(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let given = checked(&ask.body()?, &MAPPING_KEYS, Extent::Whole)?;
    let mapping = given["metadata_values_object_id_mapping"].as_array();
    let plan = mapping.into_iter().flatten().map(|entry| {
        let message = "Each entry must have an id and metadata_values";
        let entry = entry.as_object().filter(|it| !text(it, "id").is_empty());
        let entry =
            entry.ok_or_else(|| Refusal::invalid("metadata_values_object_id_mapping", message))?;
        let id = text(entry, "id").to_owned();
        Ok((ask.param("object_type").to_owned(), id, values(entry)))
    });
    let plan = plan.collect::<Result<Plan, Refusal>>()?;
    begin(world, ask, plan)
}

/// All that lies below collections.
fn put_content(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let given = checked(&ask.body()?, &KEYS, Extent::Whole)?;
    if ask.param("object_type") != "collections" {
        let message = "This simulator knows the content of collections only";
        return Err(Refusal::bad(message));
    }
    let is_meant = |kind: &str| given[&format!("include_{kind}")] == true;
    let values = values(&given);
    let mut plan = Plan::new();
    for id in ids(&given, "object_ids")? {
        world.collection(&id)?;
        let below = world.contents.below(&id).into_iter();
        let meant = below.filter(|(kind, _)| is_meant(kind));
        plan.extend(meant.map(|(kind, id)| (kind, id, values.clone())));
    }
    begin(world, ask, plan)
}

fn begin(world: &mut World, ask: &Ask, plan: Plan) -> Result<Done, Refusal> {
    let view = ask.param("view_id").to_owned();
    world.check_exists("view_id", &view, ask)?;
    for (object_type, id, _) in &plan {
        Target::current(world, object_type, id)?;
    }
    let task = Task {
        kind: "METADATA",
        title: "Writing metadata",
        about: None,
    };
    let ending = Box::new(move |world: &mut World, caller: &Caller| {
        let mut changes = Vec::new();
        for (object_type, id, values) in &plan {
            changes.extend(written(world, caller, (object_type, id), &view, values));
        }
        changes
    });
    works::accepted(world, &ask.caller, task, ending)
}

fn written(
    world: &mut World,
    caller: &Caller,
    object: (&str, &str),
    view: &str,
    values: &Document,
) -> Option<Change> {
    let target = Target::current(world, object.0, object.1).ok()?;
    write(world, caller, &target, Some(view), values).ok()?;
    let document = shown(world, &target, view).ok()?;
    changed(world, &target, &document)
}

/// Every field that was ever written about the object.
fn read(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let target = Target::current(world, ask.param("object_type"), ask.param("object_id"))?;
    Ok(Done::ok(target.whole(world)))
}

fn write_without_view(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let target = Target::current(world, ask.param("object_type"), ask.param("object_id"))?;
    let given = checked(&ask.body()?, &KEYS[1..2], Extent::Whole)?;
    write(world, &ask.caller, &target, None, &values(&given))?;
    let document = json!(target.whole(world));
    let change = changed(world, &target, &document);
    Ok(Done::ok(document).with(change))
}
