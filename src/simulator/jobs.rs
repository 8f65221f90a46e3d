//! Jobs, as the API keeps them: whoever made a job moves it along. Nothing here does the work that a job
//! stands for, and jobs cause no events.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::put;
use serde_json::{Value, json};

use super::Shared;
use super::job_steps;
use super::operation::{Ask, Caller, Done};
use super::paging::{Bounds, Row};
use super::refusal::Refusal;
use super::routes::{Routes, operations, waiting};
use super::search::Query;
use super::shape::{Extent, Key, Kind, checked, key};
use super::table::{Document, text};
use super::times::Span;
use super::world::{World, document, new_id, overlay};
use crate::model::Method::{Delete, Get, Patch, Post, Put};

const STATUSES: Kind = Kind::OneOf(&[
    "READY",
    "STARTED",
    "FINISHED",
    "FINISHED_WITH_WARNING",
    "FAILED",
    "WAITING",
    "ABORT_PENDING",
    "ABORTED",
    "SKIPPED",
    "PAUSED",
    "DISCARDED",
    "PENDING_USER",
]);

const TYPES: Kind = Kind::OneOf(&[
    "MEDIAINFO",
    "TRANSCODE",
    "KEYFRAMES",
    "EXPORT",
    "DELETE",
    "REINDEX",
    "MOVE",
    "TRANSFER",
    "ANALYZE",
    "METADATA",
    "CUSTOM",
    "SCAN",
    "ARCHIVE",
    "RESTORE",
    "RESTORE_FROM_GLACIER",
    "ACL",
    "COPY",
    "TRANSCRIPTION",
    "REQUEST_COLLECTION_MAP",
    "COLLECTION_CUSTOM_ORDER",
    "STORAGE_GATEWAY_FILE_INGEST",
    "MARK_MISSING",
    "FACE_RECOGNITION",
    "SET_APPROVAL",
    "REQUEST_APPROVAL",
    "CHANGE_PERSON",
    "CONFIRM_PERSON",
    "DELETE_PERSON",
    "AUTOMATION",
    "REVIEW_REQUEST",
    "CONVERT_SAVED_SEARCH_TO_COLLECTION",
    "CONVERT_SEARCH_TO_COLLECTION",
    "DELETE_JOBS",
    "EDIT_JOBS",
    "METADATA_FILLING",
    "PUBLISH",
    "PUBLISH_SCHEDULED",
]);

/// The writable keys of `JobSchema`. The schema allows null for four of them only, but a recorded answer
/// shows null for others too, so those take it back.
const KEYS: [Key; 18] = [
    key("type", TYPES).required(),
    key("status", STATUSES).required(),
    key("title", Kind::Text).required(),
    key("action_context", Kind::Object).nullable(),
    key("completed_at", Kind::Time).nullable(),
    key("custom_type", Kind::Text).nullable(),
    key("error_message", Kind::Text).nullable(),
    key("has_children", Kind::Flag),
    key("job_context", Kind::Object).nullable(),
    key("message", Kind::Text).nullable(),
    key("metadata", Kind::Object).nullable(),
    key("object_id", Kind::Id).nullable(),
    key("object_type", Kind::Text).nullable(),
    key("parent_id", Kind::Id).nullable(),
    key("progress_processed", Kind::Whole).nullable(),
    key("progress_total", Kind::Whole).nullable(),
    key("related_objects", Kind::List),
    key("started_at", Kind::Time).nullable(),
];

/// The keys of `JobsStateSchema`.
const STATE_KEYS: [Key; 2] = [
    key(
        "action",
        Kind::OneOf(&["PAUSE", "RESUME", "ABORT", "RESTART"]),
    )
    .required(),
    key("job_ids", Kind::Ids).required(),
];

/// The query parameters of the list that compare with the key of the same name.
const FILTERS: [&str; 6] = [
    "type",
    "status",
    "object_id",
    "object_type",
    "parent_id",
    "created_by",
];

/// The most jobs whose state one request may change.
const STATE_JOBS_MAX: usize = 500;

pub(super) fn routes() -> Routes {
    Routes::new()
        .route(
            "/jobs/v1/jobs/",
            operations([
                (Get, list),
                (Post, create),
                (Delete, job_steps::remove_many),
            ]),
        )
        .route("/jobs/v1/jobs/state/", waiting(Put, put(change_states)))
        .route(
            "/jobs/v1/jobs/{job_id}/",
            operations([
                (Get, read),
                (Patch, change),
                (Put, replace),
                (Delete, remove),
            ]),
        )
}

/// `query` takes the language of a search, over titles and every other key.
fn list(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    if let Some(batch) = world.scrolls.next(ask) {
        return batch.map(Done::ok);
    }
    let wanted = ask.wanted(&FILTERS);
    let spans = spans(ask)?;
    let query = Query::of(ask, "title", &world.fields)?;
    let automation = ask.query.get("metadata.automation_id");
    let shown = world.index.shown(ask.caller.now);
    let rows = shown
        .jobs
        .iter()
        .filter(|job| wanted.iter().all(|(key, value)| text(job, key) == *value))
        .filter(|job| ask.among("ids", text(job, "id")))
        .filter(|job| spans.iter().all(|(key, span)| span.holds(text(job, key))))
        .filter(|job| automation.is_none_or(|it| made_by(job, it)))
        .filter(|job| has_what_is_asked(job, ask))
        .filter(|it| query.means("jobs", it, shown))
        .map(Row::plain)
        .collect();
    world.scrolls.list(rows, ask, Bounds::JOBS).map(Done::ok)
}

fn made_by(job: &Document, automation_id: &str) -> bool {
    let metadata = job.get("metadata");
    metadata.is_some_and(|it| it["automation_id"] == automation_id)
}

fn spans(ask: &Ask) -> Result<Vec<(&'static str, Span)>, Refusal> {
    let given = ask.wanted(&["date_created", "date_modified"]);
    let spans = given.into_iter().map(|(name, text)| {
        let message = "Must be a time, or two with a semicolon, either of which may be *";
        let span = Span::asked(text).ok_or_else(|| Refusal::invalid(name, message))?;
        Ok((name, span))
    });
    spans.collect()
}

/// `_exists_` and `_missing_`: keys separated by commas. That null counts as missing is inferred.
fn has_what_is_asked(job: &Document, ask: &Ask) -> bool {
    let all = |name: &str, is_set: bool| {
        let keys = ask.query.get(name).map_or("", String::as_str).split(',');
        keys.filter(|key| !key.is_empty())
            .all(|key| job.get(key.trim()).is_some_and(|it| !it.is_null()) == is_set)
    };
    all("_exists_", true) && all("_missing_", false)
}

fn read(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let id = ask.param("job_id");
    let job = world.jobs.get(id);
    let job = job.ok_or_else(|| Refusal::not_found("Job", id))?;
    Ok(Done::ok(job.clone()))
}

fn create(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    add(world, &ask.caller, &ask.body()?, None).map(Done::created)
}

/// Makes a job; `id` only for a seed.
pub(super) fn add(
    world: &mut World,
    caller: &Caller,
    body: &Document,
    id: Option<&str>,
) -> Result<Document, Refusal> {
    let given = checked(body, &KEYS, Extent::Whole)?;
    let parent = text(&given, "parent_id");
    if let Some(parent) = world.jobs.get_mut(parent) {
        parent.insert("has_children".to_owned(), json!(true));
    } else if !parent.is_empty() {
        return Err(Refusal::invalid("parent_id", "There is no such job"));
    }
    let id = id.map_or_else(new_id, str::to_owned);
    let now = caller.stamp();
    let mut job = document(json!({
        "action_context": null,
        "children_progress": {},
        "created_by": caller.user_id,
        "custom_type": null,
        "date_created": now,
        "date_modified": now,
        "error_message": null,
        "has_children": false,
        "id": id,
        "job_context": null,
        "message": null,
        "metadata": {},
        "object_id": null,
        "object_type": null,
        "parent_id": null,
        "priority": 5,
        "progress_processed": 0,
        "progress_total": 0,
        "related_objects": [],
        "steps": [],
    }));
    overlay(&mut job, given);
    set_progress(&mut job);
    world.jobs.put(&id, job.clone());
    Ok(job)
}

fn change(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    update(world, ask, Extent::Part)
}

fn replace(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    update(world, ask, Extent::Whole)
}

fn update(world: &mut World, ask: &Ask, extent: Extent) -> Result<Done, Refusal> {
    let id = ask.param("job_id");
    let job = world.jobs.get_mut(id);
    let job = job.ok_or_else(|| Refusal::not_found("Job", id))?;
    let mut given = checked(&ask.body()?, &KEYS, extent)?;
    if ask.flag("merge_metadata")
        && let Some(Value::Object(new)) = given.get_mut("metadata")
        && let Some(Value::Object(old)) = job.get("metadata")
    {
        let mut merged = old.clone();
        merged.append(new);
        *new = merged;
    }
    overlay(job, given);
    job.insert("date_modified".to_owned(), ask.caller.stamp());
    set_progress(job);
    Ok(Done::ok(job.clone()))
}

fn remove(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let id = ask.param("job_id");
    match world.jobs.remove(id) {
        Some(_) => Ok(Done::no_content()),
        None => Err(Refusal::not_found("Job", id)),
    }
}

/// Changes the states of jobs, then calls the addresses that they name for the action. What Iconik sends there is not
/// known: here it is an empty object.
async fn change_states(State(site): State<Shared>, ask: Ask) -> Result<Response, Refusal> {
    let addresses = changed_states(&mut site.world(), &ask)?;
    site.writes
        .note(Put, &ask, StatusCode::CREATED, &Value::Null);
    for url in addresses {
        let definition = document(json!({ "url": url, "headers": {} }));
        if let Err(error) = site.courier.call(&definition, &json!({})).await {
            tracing::warn!(url, error, "the owner of a job was not reached");
        }
    }
    Ok(StatusCode::CREATED.into_response())
}

/// What each action makes of a job is inferred: one that has ended stays as it is, unless restarted, and one that names
/// an address for ABORT waits for its owner to abort it. Answers the addresses.
fn changed_states(world: &mut World, ask: &Ask) -> Result<Vec<String>, Refusal> {
    let given = checked(&ask.body()?, &STATE_KEYS, Extent::Whole)?;
    let action = text(&given, "action");
    let (status, revives) = match action {
        "PAUSE" => ("PAUSED", false),
        "RESUME" => ("STARTED", false),
        "ABORT" => ("ABORTED", false),
        _ => ("READY", true),
    };
    let ids = given["job_ids"].as_array().map_or(&[][..], Vec::as_slice);
    let ids = ids.iter().filter_map(Value::as_str).collect::<Vec<_>>();
    if ids.is_empty() || ids.len() > STATE_JOBS_MAX {
        let message = format!("Must be 1 to {STATE_JOBS_MAX} ids");
        return Err(Refusal::invalid("job_ids", message));
    }
    if let Some(unknown) = ids.iter().find(|id| !world.jobs.contains(id)) {
        return Err(Refusal::not_found("Job", unknown));
    }
    let mut addresses = Vec::new();
    for id in ids {
        if let Some(job) = world.jobs.get_mut(id)
            && (revives || !has_ended(job))
        {
            let address = job["action_context"][action]["url"].as_str();
            let status = match address {
                Some(_) if action == "ABORT" => "ABORT_PENDING",
                _ => status,
            };
            addresses.extend(address.map(str::to_owned));
            job.insert("status".to_owned(), json!(status));
            job.insert("date_modified".to_owned(), ask.caller.stamp());
            set_progress(job);
        }
    }
    Ok(addresses)
}

fn has_ended(job: &Document) -> bool {
    matches!(
        text(job, "status"),
        "FINISHED" | "FINISHED_WITH_WARNING" | "FAILED" | "ABORTED" | "SKIPPED" | "DISCARDED"
    )
}

/// `progress` is read-only: per cent of the total, and 100 when finished.
fn set_progress(job: &mut Document) {
    let number = |key: &str| job.get(key).and_then(Value::as_u64).unwrap_or(0);
    let (processed, total) = (number("progress_processed"), number("progress_total"));
    let finished = text(job, "status").starts_with("FINISHED");
    let per_cent = if finished {
        100
    } else {
        (processed.saturating_mul(100))
            .checked_div(total)
            .unwrap_or(0)
            .min(100)
    };
    job.insert("progress".to_owned(), json!(per_cent));
}
