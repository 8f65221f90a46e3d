//! Components of a format: its pictures, its sounds. They stand in the format's own document.

use serde_json::{Value, json};

use super::super::operation::{Ask, Done};
use super::super::refusal::Refusal;
use super::super::routes::{Routes, operations};
use super::super::table::{Document, text};
use super::super::world::World;
use super::formats::{self, whole_component};
use crate::model::Method::{Delete, Get, Post};

pub(super) fn routes() -> Routes {
    const OF: &str = "/files/v1/assets/{asset_id}/formats/{format_id}/components";
    Routes::new()
        .route(&format!("{OF}/"), operations([(Get, list), (Post, create)]))
        .route(
            &format!("{OF}/{{component_id}}/"),
            operations([(Get, read), (Delete, remove)]),
        )
}

fn components(world: &World, ask: &Ask) -> Result<Vec<Value>, Refusal> {
    let format = formats::FORMAT.find(world, ask)?;
    let components = format.get("components").and_then(Value::as_array);
    Ok(components.cloned().unwrap_or_default())
}

fn keep(world: &mut World, ask: &Ask, components: Vec<Value>) -> Result<Done, Refusal> {
    let body = Document::from_iter([("components".to_owned(), Value::Array(components))]);
    let part = super::super::shape::Extent::Part;
    formats::FORMAT.update(world, ask, &body, part)
}

fn shown(components: &[Value]) -> Value {
    json!({ "objects": components })
}

fn list(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    Ok(Done::ok(shown(&components(world, ask)?)))
}

/// 200, as published.
fn create(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let mut components = components(world, ask)?;
    let component = whole_component(&Value::Object(ask.body()?))?;
    components.push(component.clone());
    let changes = keep(world, ask, components)?.take_changes();
    Ok(Done::ok(component).with(changes))
}

/// Published with the schema of a list: it has one entry.
fn read(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let id = ask.param("component_id");
    let mut components = components(world, ask)?;
    components.retain(|it| it["id"] == id);
    match components.is_empty() {
        true => Err(Refusal::not_found("Component", id)),
        false => Ok(Done::ok(shown(&components))),
    }
}

/// Answers those that are left.
fn remove(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let id = ask.param("component_id");
    let mut components = components(world, ask)?;
    let before = components.len();
    components.retain(|it| it.as_object().is_none_or(|it| text(it, "id") != id));
    if components.len() == before {
        return Err(Refusal::not_found("Component", id));
    }
    let left = shown(&components);
    let changes = keep(world, ask, components)?.take_changes();
    Ok(Done::ok(left).with(changes))
}
