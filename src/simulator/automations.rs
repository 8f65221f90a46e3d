//! Iconik's own automations, as definitions: nothing here carries them out by itself.

use serde_json::{Value, json};

use super::operation::{Ask, Done};
use super::refusal::Refusal;
use super::resource::Verb::{Create, Edit, List, Read, Remove, Replace};
use super::resource::{Resource, Verb};
use super::routes::{Routes, operations, verbs};
use super::shape::{Begin, Key, Kind, key, made};
use super::table::{Document, text};
use super::works::{self, Task, nothing};
use super::world::World;
use crate::model::Method::{Get, Post};

/// The keys of `AutomationSchema`.
const AUTOMATION_KEYS: [Key; 11] = [
    key("actions", Kind::List).required(),
    key("conditions", Kind::List).or(Begin::NoItems),
    made("created_by", Begin::Caller),
    made("date_created", Begin::Now),
    made("date_modified", Begin::Now),
    key("description", Kind::Text),
    made("id", Begin::NewId),
    key("name", Kind::Text).required(),
    key("status", Kind::OneOf(&["ACTIVE", "INACTIVE"])),
    made("system_domain_id", Begin::Domain),
    key("triggers", Kind::List).required(),
];

static AUTOMATION: Resource =
    Resource::new("Automation", "automation_id", &AUTOMATION_KEYS).settled(settle);

pub(super) fn routes() -> Routes {
    Routes::new()
        .route(
            "/automations/v1/automations/",
            verbs(&AUTOMATION, [List, Create]),
        )
        .route(
            "/automations/v1/automations/{automation_id}/",
            verbs(&AUTOMATION, [Read, Edit, Replace, Remove]),
        )
        .route(
            "/automations/v1/automations/{automation_id}/runs/",
            operations([(Post, run)]),
        )
        .route(
            "/automations/v1/automations/{automation_id}/runs/estimate/",
            operations([(Get, estimate)]),
        )
}

/// Exactly one action, and one to ten triggers, as documented.
fn settle(_: &mut World, ask: &Ask, _: Verb, automation: &mut Document) -> Result<(), Refusal> {
    let count = |key: &str| {
        automation
            .get(key)
            .and_then(Value::as_array)
            .map_or(0, Vec::len)
    };
    if count("actions") != 1 {
        return Err(Refusal::invalid("actions", "Must be exactly one action"));
    }
    if !(1..=10).contains(&count("triggers")) {
        return Err(Refusal::invalid("triggers", "Must be 1 to 10 triggers"));
    }
    automation.insert("modified_by".to_owned(), json!(ask.caller.user_id));
    automation
        .entry("status")
        .or_insert_with(|| json!("ACTIVE"));
    Ok(())
}

fn run(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let automation = AUTOMATION.find(world, ask)?;
    let title = format!("Running {}", text(&automation, "name"));
    let task = Task {
        kind: "AUTOMATION",
        title: &title,
        about: None,
    };
    works::accepted(world, &ask.caller, task, nothing())
}

/// Nothing is carried out, so nothing would be affected.
fn estimate(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    AUTOMATION.find(world, ask)?;
    Ok(Done::ok(json!({ "total": 0, "errors": [], "facets": {} })))
}
