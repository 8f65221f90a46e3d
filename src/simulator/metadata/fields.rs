//! Metadata fields, known by their name and not by an id.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::operation::{Ask, Caller, Done};
use super::super::paging::{Bounds, Row, page};
use super::super::refusal::Refusal;
use super::super::routes::{Routes, operations};
use super::super::shape::{Extent, Key, Kind, checked, key};
use super::super::table::{Document, text};
use super::super::world::{World, document, overlay};
use super::SEPARATOR;
use crate::model::Method::{Delete, Get, Patch, Post, Put};

/// The writable keys of `MetadataFieldCreateSchema` but `name`. The types are those that an error text of
/// the API lists.
const KEYS: [Key; 18] = [
    key("label", Kind::Text).required(),
    key(
        "field_type",
        Kind::OneOf(&[
            "integer",
            "float",
            "boolean",
            "string",
            "string_exact",
            "text",
            "date",
            "datetime",
            "tag_cloud",
            "url",
            "drop_down",
            "email",
        ]),
    )
    .required(),
    key("auto_set", Kind::Flag).nullable(),
    key("description", Kind::Text),
    key("external_id", Kind::Text),
    key("hide_if_not_set", Kind::Flag).nullable(),
    key("is_block_field", Kind::Flag),
    key("is_warning_field", Kind::Flag),
    key("max_value", Kind::Number),
    key("min_value", Kind::Number),
    key("multi", Kind::Flag),
    key("options", Kind::List),
    key("read_only", Kind::Flag).nullable(),
    key("representative", Kind::Flag),
    key("required", Kind::Flag).nullable(),
    key("sortable", Kind::Flag),
    key("source_url", Kind::Text).nullable(),
    key("use_as_facet", Kind::Flag),
];

pub(super) fn routes() -> Routes {
    Routes::new()
        .route(
            "/metadata/v1/fields/",
            operations([(Get, list), (Post, create)]),
        )
        .route("/metadata/v1/user/fields/", operations([(Get, list)]))
        .route(
            "/metadata/v1/fields/{field_name}/",
            operations([
                (Get, read),
                (Patch, change),
                (Put, replace),
                (Delete, remove),
            ]),
        )
}

/// `last_field_name` is the cursor that the schema names; the page style works as well.
fn list(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let after = ask.query.get("last_field_name").map_or("", String::as_str);
    let shown = world
        .fields
        .iter()
        .filter(|(name, _)| name.as_str() > after)
        .map(|(_, field)| Row::plain(field))
        .collect();
    page(shown, &ask.path(), &ask.query, Bounds::PLAIN).map(Done::ok)
}

fn read(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let name = ask.param("field_name");
    let field = world.fields.get(name);
    let field = field.ok_or_else(|| Refusal::not_found("Metadata field", name))?;
    Ok(Done::ok(Document::clone(field)))
}

fn create(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    add(world, &ask.caller, &ask.body()?).map(Done::created)
}

/// Makes a field.
pub(in super::super) fn add(
    world: &mut World,
    caller: &Caller,
    body: &Document,
) -> Result<Document, Refusal> {
    let given = checked(body, &KEYS, Extent::Whole)?;
    let name = checked(body, &[key("name", Kind::Text).required()], Extent::Whole)?;
    let name = text(&name, "name");
    if name.is_empty() || name == SEPARATOR {
        return Err(Refusal::invalid("name", "A field needs a name of its own"));
    }
    if world.fields.contains_key(name) {
        return Err(Refusal::invalid("name", "There is a field of this name"));
    }
    let now = caller.stamp();
    let mut field = document(json!({
        "auto_set": false,
        "date_created": now,
        "date_modified": now,
        "description": null,
        "external_id": null,
        "hide_if_not_set": false,
        "is_block_field": false,
        "is_warning_field": false,
        "mapped_field_name": null,
        "max_value": null,
        "min_value": null,
        "multi": false,
        "name": name,
        "options": [],
        "read_only": false,
        "representative": false,
        "required": false,
        "sortable": false,
        "source_url": null,
        "use_as_facet": false,
    }));
    overlay(&mut field, given);
    world
        .fields
        .insert(name.to_owned(), Arc::new(field.clone()));
    Ok(field)
}

fn change(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    update(world, ask, Extent::Part)
}

fn replace(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    update(world, ask, Extent::Whole)
}

fn update(world: &mut World, ask: &Ask, extent: Extent) -> Result<Done, Refusal> {
    let name = ask.param("field_name");
    let field = world.fields.get_mut(name);
    let field = field.ok_or_else(|| Refusal::not_found("Metadata field", name))?;
    let field = Arc::make_mut(field);
    overlay(field, checked(&ask.body()?, &KEYS, extent)?);
    field.insert("date_modified".to_owned(), ask.caller.stamp());
    Ok(Done::ok(Value::Object(field.clone())))
}

fn remove(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let name = ask.param("field_name");
    match world.fields.remove(name) {
        Some(_) => Ok(Done::no_content()),
        None => Err(Refusal::not_found("Metadata field", name)),
    }
}
