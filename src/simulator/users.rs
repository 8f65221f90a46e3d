//! Users, and the check of a token. A client learns its own user and its domain from `users/current/`.

use axum::Router;
use serde_json::json;

use super::Shared;
use super::operation::{Ask, Done, operations};
use super::paging::{Bounds, Row, page};
use super::refusal::Refusal;
use super::shape::{Extent, Key, Kind, checked, key};
use super::table::Document;
use super::world::{World, document, overlay};
use crate::model::Method::Get;

/// The keys of `UserSchema` that a seed may set.
const KEYS: [Key; 9] = [
    key("email", Kind::Text),
    key("first_name", Kind::Text),
    key("last_name", Kind::Text),
    key("groups", Kind::Ids),
    key("primary_group", Kind::Id).nullable(),
    key("is_admin", Kind::Flag),
    key("phone", Kind::Text),
    key(
        "status",
        Kind::OneOf(&["INACTIVE", "ACTIVE", "BLOCKED", "DELETED"]),
    ),
    key(
        "type",
        Kind::OneOf(&["POWER", "STANDARD", "BROWSE_ONLY", "BROWSE_API_ONLY"]),
    ),
];

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/users/v1/users/", operations([(Get, list)]))
        .route("/users/v1/users/current/", operations([(Get, current)]))
        .route("/users/v1/users/{user_id}/", operations([(Get, read)]))
        .route("/auth/v1/auth/token/", operations([(Get, check_token)]))
}

fn list(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let users = world.users.iter().map(Row::plain).collect();
    page(users, &ask.path(), &ask.query, Bounds::PLAIN).map(Done::ok)
}

fn current(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    find(world, &ask.caller.user_id)
}

fn read(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    find(world, ask.param("user_id"))
}

fn find(world: &World, id: &str) -> Result<Done, Refusal> {
    let user = world.users.get(id);
    let user = user.ok_or_else(|| Refusal::not_found("User", id))?;
    Ok(Done::ok(user.clone()))
}

/// Whoever comes this far has a token; the schema publishes no body.
fn check_token(_: &mut World, _: &Ask) -> Result<Done, Refusal> {
    Ok(Done::ok(json!({})))
}

/// Makes a user. There is no operation for it yet: users come from the seed and the credentials.
pub(super) fn add(world: &mut World, body: &Document, id: &str, now: &str) -> Result<(), Refusal> {
    let given = checked(body, &KEYS, Extent::Part)?;
    let mut user = document(json!({
        "date_created": now,
        "date_modified": now,
        "email": format!("{id}@example.com"),
        "first_name": "Demo",
        "groups": [],
        "hide_email": false,
        "hide_phone": false,
        "id": id,
        "is_admin": true,
        "is_super_admin": false,
        "last_name": "User",
        "metadata": {},
        "phone": "",
        "photo": null,
        "primary_group": null,
        "status": "ACTIVE",
        "system_domain_id": world.domain,
        "system_domains": [world.domain],
        "system_name": "simulator",
        "type": "POWER",
    }));
    overlay(&mut user, given);
    world.users.put(id, user);
    Ok(())
}
