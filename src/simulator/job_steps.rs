//! Steps and priorities of jobs, and jobs removed in bulk.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::operation::{Ask, Done};
use super::refusal::Refusal;
use super::routes::{Routes, operations};
use super::shape::{Extent, Key, Kind, checked, key};
use super::table::{Document, text};
use super::works::ids;
use super::world::{World, new_id, overlay};
use crate::model::Method::{Patch, Put};

/// The keys of `JobStepSchema`.
const KEYS: [Key; 5] = [
    key("id", Kind::Id),
    key("label", Kind::Text).required(),
    key("status", STATUSES).required(),
    key("message", Kind::Text).nullable(),
    key("error_message", Kind::Text).nullable(),
];

const STATUSES: Kind = Kind::OneOf(&["IN_PROGRESS", "WAITING", "FAILED", "DONE", "SKIPPED"]);

/// The keys of `JobsPrioritySchema`.
const PRIORITY_KEYS: [Key; 2] = [
    key("job_ids", Kind::TextList).required(),
    key("priority", Kind::Whole).required(),
];

pub(super) fn routes() -> Routes {
    const STEPS: &str = "/jobs/v1/jobs/{job_id}/steps";
    Routes::new()
        .route(
            &format!("{STEPS}/"),
            operations([(Patch, merge), (Put, replace)]),
        )
        .route(
            &format!("{STEPS}/{{job_step_id}}/"),
            operations([(Patch, change), (Put, change)]),
        )
        .route("/jobs/v1/jobs/priority/", operations([(Put, prioritize)]))
}

fn steps(world: &World, ask: &Ask) -> Result<Vec<Document>, Refusal> {
    let id = ask.param("job_id");
    let job = world.jobs.get(id);
    let job = job.ok_or_else(|| Refusal::not_found("Job", id))?;
    let steps = job.get("steps").and_then(Value::as_array);
    let steps = steps.into_iter().flatten();
    Ok(steps.filter_map(|it| it.as_object().cloned()).collect())
}

fn keep(world: &mut World, ask: &Ask, steps: &[Document]) -> Result<Done, Refusal> {
    let id = ask.param("job_id");
    let job = world.jobs.get_mut(id);
    let job = job.ok_or_else(|| Refusal::not_found("Job", id))?;
    job.insert("steps".to_owned(), json!(steps));
    job.insert("date_modified".to_owned(), ask.caller.stamp());
    Ok(Done::ok(job.clone()))
}

fn given(ask: &Ask) -> Result<Vec<Document>, Refusal> {
    let body = checked(
        &ask.body()?,
        &[key("steps", Kind::List).required()],
        Extent::Whole,
    )?;
    let steps = body["steps"].as_array().into_iter().flatten();
    steps
        .map(|step| {
            let message = "Must be a list of objects";
            let step = step.as_object();
            let step = step.ok_or_else(|| Refusal::invalid("steps", message))?;
            checked(step, &KEYS, Extent::Part)
        })
        .collect()
}

/// Steps that are known by their id, or else their label, are changed; others are added. That PATCH leaves
/// the others alone and PUT takes them away is inferred.
fn merge(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let mut steps = steps(world, ask)?;
    for step in given(ask)? {
        let is_same = |known: &Document| match text(&step, "id") {
            "" => text(known, "label") == text(&step, "label"),
            id => text(known, "id") == id,
        };
        match steps.iter_mut().find(|known| is_same(known)) {
            Some(known) => {
                overlay(known, step);
                known.insert("date_updated".to_owned(), ask.caller.stamp());
            }
            None => steps.push(new_step(ask, step)),
        }
    }
    keep(world, ask, &steps)
}

fn replace(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    steps(world, ask)?;
    let given = given(ask)?.into_iter();
    let steps: Vec<_> = given.map(|step| new_step(ask, step)).collect();
    keep(world, ask, &steps)
}

fn new_step(ask: &Ask, mut step: Document) -> Document {
    step.entry("id").or_insert_with(|| json!(new_id()));
    step.entry("label").or_insert_with(|| json!(""));
    step.entry("status").or_insert_with(|| json!("WAITING"));
    step.insert("date_updated".to_owned(), ask.caller.stamp());
    step
}

fn change(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let mut steps = steps(world, ask)?;
    let id = ask.param("job_step_id");
    let step = steps.iter_mut().find(|step| text(step, "id") == id);
    let step = step.ok_or_else(|| Refusal::not_found("Job step", id))?;
    overlay(step, checked(&ask.body()?, &KEYS[1..], Extent::Part)?);
    step.insert("date_updated".to_owned(), ask.caller.stamp());
    keep(world, ask, &steps)
}

fn prioritize(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let given = checked(&ask.body()?, &PRIORITY_KEYS, Extent::Whole)?;
    let priority = given["priority"]
        .as_u64()
        .filter(|it| (1..=10).contains(it));
    let Some(priority) = priority else {
        return Err(Refusal::invalid("priority", "Must be 1 to 10"));
    };
    for id in &known(world, &given)? {
        if let Some(job) = world.jobs.get_mut(id) {
            job.insert("priority".to_owned(), json!(priority));
        }
    }
    Ok(Done::bare(StatusCode::CREATED))
}

/// Removes the jobs that a body names.
pub(super) fn remove_many(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let given = checked(&ask.body()?, &PRIORITY_KEYS[..1], Extent::Whole)?;
    for id in &known(world, &given)? {
        world.jobs.remove(id);
    }
    Ok(Done::no_content())
}

fn known(world: &World, given: &Document) -> Result<Vec<String>, Refusal> {
    let ids = ids(given, "job_ids")?;
    match ids.iter().find(|id| !world.jobs.contains(id)) {
        Some(unknown) => Err(Refusal::not_found("Job", unknown)),
        None => Ok(ids),
    }
}
