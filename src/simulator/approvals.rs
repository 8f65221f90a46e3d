//! Approvals of a version: asked of users, groups and people outside, given or refused by each.
//!
//! The state of a request is what its answers come to: one refusal is a refusal, `min_number` approvals (or
//! those of all users where it says nothing) are an approval, and some of each is `MIXED`; inferred.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::operation::{Ask, Change, Done};
use super::paging::{Bounds, Row, page};
use super::refusal::Refusal;
use super::routes::{Routes, operations};
use super::shape::{Extent, Key, Kind, checked, key};
use super::shelf::Place;
use super::table::{Document, text};
use super::works::ids;
use super::world::{World, current_version, document, overlay};
use crate::model::Method::{Delete, Get, Patch, Post, Put};

const STATES: Kind = Kind::OneOf(&["N/A", "REQUESTED", "APPROVED", "NOT_APPROVED", "MIXED"]);

/// The writable keys of `ApprovalSchema`.
const REQUEST_KEYS: [Key; 8] = [
    key("change_date", Kind::Time),
    key("externals", Kind::TextList),
    key("groups", Kind::Ids),
    key("min_number", Kind::Whole),
    key("request_date", Kind::Time),
    key("share_id", Kind::Id).nullable(),
    key("status", STATES),
    key("users", Kind::Ids),
];

/// The writable keys of `ApprovalBySchema`.
const BY_KEYS: [Key; 3] = [
    key("external", Kind::Text),
    key("status", STATES).required(),
    key("user", Kind::Id),
];

/// The keys of `BulkSetApprovalSchema`.
const BULK_KEYS: [Key; 3] = [
    key("object_ids", Kind::TextList).required(),
    key("object_type", Kind::OneOf(&["assets", "collections"])).required(),
    key("status", STATES).required(),
];

const REQUESTS: &str = "approval_requests";
const ANSWERS: &str = "approvals";

pub(super) fn routes() -> Routes {
    const OF: &str = "/assets/v1/{object_type}/{object_id}";
    Routes::new()
        .route("/assets/v1/approvals/bulk/", operations([(Post, set_many)]))
        .route(
            "/assets/v1/approvals/bulk_remove/",
            operations([(Post, remove_many)]),
        )
        .route(
            &format!("{OF}/approvals/"),
            operations([(Get, list), (Put, answer), (Delete, withdraw)]),
        )
        .route(
            &format!("{OF}/approvals/user/{{user_id}}/"),
            operations([(Delete, withdraw_of_user)]),
        )
        .route(
            &format!("{OF}/approvals/external/{{email}}/"),
            operations([(Delete, withdraw_of_external)]),
        )
        .route(
            &format!("{OF}/approvals/request/"),
            operations([
                (Get, read),
                (Post, request),
                (Put, replace),
                (Patch, change),
                (Delete, remove),
            ]),
        )
        .route(
            &format!("{OF}/versions/{{version_id}}/approvals/"),
            operations([(Get, list)]),
        )
        .route(
            &format!("{OF}/versions/{{version_id}}/approvals/request/"),
            operations([(Get, read)]),
        )
}

/// The version that is meant: the one of the path, or the current one.
fn place(world: &World, ask: &Ask) -> Result<Place, Refusal> {
    let (object_type, object_id) = (ask.param("object_type"), ask.param("object_id"));
    world.check_exists("object_id", object_id, ask)?;
    let version = match (ask.param("version_id"), world.assets.get(object_id)) {
        ("", Some(asset)) => current_version(asset),
        ("", None) => "",
        (version, _) => version,
    };
    Ok(place_of(object_type, object_id, version))
}

fn place_of(object_type: &str, object_id: &str, version: &str) -> Place {
    [
        ("object_type", object_type),
        ("object_id", object_id),
        ("version_id", version),
    ]
    .into_iter()
    .collect()
}

fn list(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let place = place(world, ask)?;
    let answers = world.shelf(ANSWERS).into_iter();
    let rows = answers.flat_map(|it| it.at(&place)).map(Row::plain);
    page(rows.collect(), &ask.path(), &ask.query, Bounds::PLAIN).map(Done::ok)
}

fn answer(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let place = place(world, ask)?;
    let given = checked(&ask.body()?, &BY_KEYS, Extent::Whole)?;
    let (answer, changes) = answered(world, ask, &place, given);
    Ok(Done::ok(answer).with(changes))
}

/// The caller's answer, or that of the user or the person outside whom the body names.
fn answered(
    world: &mut World,
    ask: &Ask,
    place: &Place,
    given: Document,
) -> (Document, Vec<Change>) {
    let mut answer = about(place);
    answer.insert("change_date".to_owned(), ask.caller.stamp());
    overlay(&mut answer, given);
    let by = match (text(&answer, "user"), text(&answer, "external")) {
        ("", "") => ask.caller.user_id.clone(),
        ("", external) => external.to_owned(),
        (user, _) => user.to_owned(),
    };
    if text(&answer, "external").is_empty() {
        answer.insert("user".to_owned(), json!(by));
    }
    let row = place.row(&by);
    world
        .shelf_mut(ANSWERS)
        .put(&row, place.clone(), answer.clone());
    let changes = settle(world, ask, place);
    (answer, changes)
}

/// What every document about the version says.
fn about(place: &Place) -> Document {
    place
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .collect()
}

/// Brings the request up to date with its answers.
fn settle(world: &mut World, ask: &Ask, place: &Place) -> Vec<Change> {
    let answers = world.shelf(ANSWERS).into_iter();
    let answers: Vec<_> = answers.flat_map(|it| it.at(place)).cloned().collect();
    let row = place.row("");
    let Some(request) = world.shelf_mut(REQUESTS).get_mut(&row) else {
        return Vec::new();
    };
    let of = |state: &str| {
        answers
            .iter()
            .filter(|it| text(it, "status") == state)
            .count()
    };
    let (yes, no) = (of("APPROVED"), of("NOT_APPROVED"));
    let asked = request.get("users").and_then(Value::as_array);
    let wanted = request.get("min_number").and_then(Value::as_u64);
    let wanted = wanted.and_then(|it| usize::try_from(it).ok());
    let wanted = wanted.unwrap_or_else(|| asked.map_or(1, Vec::len)).max(1);
    let status = match (yes, no) {
        (0, 0) => "REQUESTED",
        (_, 0) if yes >= wanted => "APPROVED",
        (_, 0) => "REQUESTED",
        (0, _) => "NOT_APPROVED",
        _ => "MIXED",
    };
    let before = text(request, "status").to_owned();
    request.insert("status".to_owned(), json!(status));
    request.insert("change_date".to_owned(), ask.caller.stamp());
    request.insert("approvals_by".to_owned(), json!(answers));
    let operation = if before == status {
        return Vec::new();
    } else {
        "update"
    };
    let request = request.clone();
    changed(operation, place, &request).into_iter().collect()
}

/// Realm `approvals`: receivers were seen to wait for it; that its `object_id` is the object is inferred.
fn changed(operation: &'static str, place: &Place, request: &Document) -> Option<Change> {
    let part = |wanted: &str| {
        let mut parts = place.iter();
        parts.find_map(|(name, value)| (name == wanted).then_some(value))
    };
    let event_type = match part("object_type")? {
        "assets" => "assets",
        "collections" => "collections",
        _ => return None,
    };
    let kind = (event_type, "approvals", operation);
    Some(Change::new(
        kind,
        part("object_id")?,
        Value::Object(request.clone()),
    ))
}

fn withdraw(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    take_back(world, ask, &ask.caller.user_id)
}

fn withdraw_of_user(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    take_back(world, ask, ask.param("user_id"))
}

fn withdraw_of_external(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    take_back(world, ask, ask.param("email"))
}

fn take_back(world: &mut World, ask: &Ask, by: &str) -> Result<Done, Refusal> {
    let place = place(world, ask)?;
    if world.shelf_mut(ANSWERS).remove(&place.row(by)).is_none() {
        return Err(Refusal::not_found("Approval by", by));
    }
    let changes = settle(world, ask, &place);
    Ok(Done::no_content().with(changes))
}

fn read(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let place = place(world, ask)?;
    find(world, &place).map(Done::ok)
}

fn find(world: &World, place: &Place) -> Result<Document, Refusal> {
    let request = world.shelf(REQUESTS).and_then(|it| it.get(&place.row("")));
    let message = "No approval is requested";
    request
        .cloned()
        .ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, message))
}

fn request(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let place = place(world, ask)?;
    let given = checked(&ask.body()?, &REQUEST_KEYS, Extent::Part)?;
    let mut request = about(&place);
    overlay(
        &mut request,
        document(json!({
            "approvals_by": [],
            "change_date": ask.caller.stamp(),
            "externals": [],
            "groups": [],
            "request_date": ask.caller.stamp(),
            "requested_by": ask.caller.user_id,
            "users": [],
        })),
    );
    overlay(&mut request, given);
    request.insert("status".to_owned(), json!("REQUESTED"));
    let change = changed("create", &place, &request);
    let row = place.row("");
    world.shelf_mut(REQUESTS).put(&row, place, request.clone());
    Ok(Done::created(request).with(change))
}

fn replace(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    change(world, ask)
}

fn change(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let place = place(world, ask)?;
    let mut request = find(world, &place)?;
    overlay(
        &mut request,
        checked(&ask.body()?, &REQUEST_KEYS, Extent::Part)?,
    );
    request.insert("change_date".to_owned(), ask.caller.stamp());
    let change = changed("update", &place, &request);
    let row = place.row("");
    world.shelf_mut(REQUESTS).put(&row, place, request.clone());
    Ok(Done::ok(request).with(change))
}

fn remove(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let place = place(world, ask)?;
    let request = find(world, &place)?;
    world.shelf_mut(REQUESTS).remove(&place.row(""));
    world.shelf_mut(ANSWERS).forget(|_, kept| *kept == place);
    let change = changed("delete", &place, &request);
    Ok(Done::ok(request).with(change))
}

fn set_many(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let given = checked(&ask.body()?, &BULK_KEYS, Extent::Whole)?;
    let mut changes = Vec::new();
    for place in places(world, &given)? {
        let status = document(json!({ "status": given["status"] }));
        changes.extend(answered(world, ask, &place, status).1);
    }
    Ok(Done::bare(StatusCode::OK).with(changes))
}

fn remove_many(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let given = checked(&ask.body()?, &BULK_KEYS[..2], Extent::Whole)?;
    let mut changes = Vec::new();
    for place in places(world, &given)? {
        let by = ask.caller.user_id.as_str();
        world.shelf_mut(ANSWERS).remove(&place.row(by));
        changes.extend(settle(world, ask, &place));
    }
    Ok(Done::bare(StatusCode::OK).with(changes))
}

/// The current versions of the objects that a bulk body names.
fn places(world: &World, given: &Document) -> Result<Vec<Place>, Refusal> {
    let object_type = text(given, "object_type");
    let places = ids(given, "object_ids")?.into_iter().map(|id| {
        if !world.has_object(object_type, &id) {
            return Err(Refusal::not_found("Object", &id));
        }
        let version = world.assets.get(&id).map_or("", current_version);
        Ok(place_of(object_type, &id, version))
    });
    places.collect()
}
