//! Metadata views: which fields are shown together. The list shows only names and what the view overrides;
//! a single view shows its fields whole, with their types.

use serde_json::{Value, json};

use super::super::operation::{Ask, Caller, Done};
use super::super::refusal::Refusal;
use super::super::routes::{Routes, operations};
use super::super::shape::{Extent, Key, Kind, checked, key};
use super::super::table::{Document, text};
use super::super::world::{World, document, new_id, overlay};
use super::SEPARATOR;
use crate::model::Method::{Delete, Get, Patch, Post, Put};

/// The writable keys of `MetadataViewInputSchema`.
const KEYS: [Key; 3] = [
    key("name", Kind::Text).required(),
    key("view_fields", Kind::List).required(),
    key("description", Kind::Text).nullable(),
];

/// The writable keys of `MetadataViewFieldSchema`.
const FIELD_KEYS: [Key; 8] = [
    key("name", Kind::Text).required(),
    key("auto_set", Kind::Flag).nullable(),
    key("hide_if_not_set", Kind::Flag).nullable(),
    key("label", Kind::Text).nullable(),
    key("options", Kind::List).nullable(),
    key("read_only", Kind::Flag).nullable(),
    key("required", Kind::Flag).nullable(),
    key("source_url", Kind::Text).nullable(),
];

pub(super) fn routes() -> Routes {
    Routes::new()
        .route(
            "/metadata/v1/views/",
            operations([(Get, list), (Post, create)]),
        )
        .route(
            "/metadata/v1/views/{view_id}/",
            operations([
                (Get, read),
                (Patch, change),
                (Put, replace),
                (Delete, remove),
            ]),
        )
}

fn list(world: &mut World, _: &Ask) -> Result<Done, Refusal> {
    let views = world.views.iter().collect::<Vec<_>>();
    Ok(Done::ok(json!({ "objects": views })))
}

/// `merge_fields` is accepted; what the answer would look like without it is not published, so the fields
/// are always whole.
fn read(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let view = find(world, ask.param("view_id"))?;
    Ok(Done::ok(whole(world, view)))
}

fn create(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let view = add(world, &ask.caller, &ask.body()?, None)?;
    Ok(Done::created(whole(world, &view)))
}

/// Makes a view; `id` only for a seed.
pub(in super::super) fn add(
    world: &mut World,
    caller: &Caller,
    body: &Document,
    id: Option<&str>,
) -> Result<Document, Refusal> {
    let given = given(world, body, Extent::Whole)?;
    let id = id.map_or_else(new_id, str::to_owned);
    let now = caller.stamp();
    let mut view = document(json!({
        "date_created": now,
        "date_modified": now,
        "description": null,
        "id": id,
    }));
    overlay(&mut view, given);
    world.views.put(&id, view.clone());
    Ok(view)
}

fn change(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    update(world, ask, Extent::Part)
}

fn replace(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    update(world, ask, Extent::Whole)
}

fn update(world: &mut World, ask: &Ask, extent: Extent) -> Result<Done, Refusal> {
    let id = ask.param("view_id");
    let mut view = find(world, id)?.clone();
    overlay(&mut view, given(world, &ask.body()?, extent)?);
    view.insert("date_modified".to_owned(), ask.caller.stamp());
    world.views.put(id, view.clone());
    Ok(Done::ok(whole(world, &view)))
}

fn remove(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let id = ask.param("view_id");
    match world.views.remove(id) {
        Some(_) => Ok(Done::no_content()),
        None => Err(Refusal::not_found("Metadata view", id)),
    }
}

/// The view.
pub(super) fn find<'a>(world: &'a World, id: &str) -> Result<&'a Document, Refusal> {
    world
        .views
        .get(id)
        .ok_or_else(|| Refusal::not_found("Metadata view", id))
}

/// The names of a view's fields, in their order, with the separator if it has one.
pub(super) fn names(view: &Document) -> impl Iterator<Item = &str> {
    entries(view).map(|entry| text(entry, "name"))
}

/// Whether the view shows the field.
pub(in super::super) fn shows(view: &Document, field: &str) -> bool {
    names(view).any(|name| name == field)
}

fn entries(view: &Document) -> impl Iterator<Item = &Document> {
    view.get("view_fields")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
}

fn given(world: &World, body: &Document, extent: Extent) -> Result<Document, Refusal> {
    let mut given = checked(body, &KEYS, extent)?;
    let Some(Value::Array(fields)) = given.get_mut("view_fields") else {
        return Ok(given);
    };
    for field in fields {
        let Some(entry) = field.as_object() else {
            return Err(Refusal::invalid("view_fields", "Must be a list of objects"));
        };
        let entry = checked(entry, &FIELD_KEYS, Extent::Whole)?;
        let name = text(&entry, "name");
        if name != SEPARATOR && !world.fields.contains_key(name) {
            let message = format!("There is no metadata field {name}");
            return Err(Refusal::invalid("view_fields", message));
        }
        *field = Value::Object(entry);
    }
    Ok(given)
}

/// The view with its fields whole: the field's own document, and over it what the view overrides.
fn whole(world: &World, view: &Document) -> Document {
    let fields = entries(view).filter_map(|entry| {
        if text(entry, "name") == SEPARATOR {
            return Some(entry.clone());
        }
        let field = world.fields.get(text(entry, "name"))?;
        let mut field = Document::clone(field);
        let overrides = entry.iter().filter(|(_, value)| !value.is_null());
        field.extend(overrides.map(|(key, value)| (key.clone(), value.clone())));
        Some(field)
    });
    let mut shown = view.clone();
    shown.insert("view_fields".to_owned(), json!(fields.collect::<Vec<_>>()));
    shown
}
