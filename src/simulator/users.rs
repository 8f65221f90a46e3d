//! Users. A client learns its own user and its domain from `users/current/`.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::operation::{Ask, Done};
use super::paging::{Bounds, Row, page};
use super::refusal::Refusal;
use super::routes::{Routes, operations};
use super::shape::{Extent, Key, Kind, checked, key};
use super::table::{Document, text};
use super::world::{World, document, new_id, overlay, stamp};
use crate::model::Method::{Delete, Get, Patch, Post, Put};
use crate::model::Secret;

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

pub(super) fn routes() -> Routes {
    Routes::new()
        .route(
            "/users/v1/users/",
            operations([(Get, list), (Post, create)]),
        )
        .route(
            "/users/v1/users/current/",
            operations([(Get, read), (Patch, change), (Put, replace)]),
        )
        .route("/users/v1/users/basic/", operations([(Get, list)]))
        .route(
            "/users/v1/users/{user_id}/",
            operations([
                (Get, read),
                (Patch, change),
                (Put, replace),
                (Delete, remove),
            ]),
        )
        .route(
            "/users/v1/users/{user_id}/reindex/",
            operations([(Post, reindex)]),
        )
        .route("/users/v1/users/current/roles/", operations([(Get, roles)]))
        .route(
            "/users/v1/users/{user_id}/roles/",
            operations([(Get, roles)]),
        )
        .route(
            "/users/v1/users/{user_id}/roles/{role}/",
            operations([(Get, check_role)]),
        )
}

fn list(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let users = world.users.iter().map(Row::plain).collect();
    page(users, &ask.path(), &ask.query, Bounds::PLAIN).map(Done::ok)
}

/// The user whom the path names, or the caller.
fn id(ask: &Ask) -> &str {
    match ask.param("user_id") {
        "" => &ask.caller.user_id,
        id => id,
    }
}

fn read(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    find(world, id(ask)).map(Done::ok)
}

fn find(world: &World, id: &str) -> Result<Document, Refusal> {
    let user = world.users.get(id);
    user.cloned().ok_or_else(|| Refusal::not_found("User", id))
}

/// Nobody is invited by mail here.
fn create(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let body = ask.body()?;
    let required = [
        key("email", Kind::Text).required(),
        key("first_name", Kind::Text).required(),
        KEYS[8].required(),
        key("password", Kind::Text),
    ];
    let given = checked(&body, &required, Extent::Whole)?;
    let email = text(&given, "email");
    if world.users.iter().any(|user| text(user, "email") == email) {
        return Err(Refusal::invalid("email", "There is a user of this address"));
    }
    let id = new_id();
    add(world, &body, &id, &stamp(ask.caller.now))?;
    if let Some(user) = world.users.get_mut(&id)
        && !body.contains_key("is_admin")
    {
        user.insert("is_admin".to_owned(), json!(false));
    }
    keep_password(world, &id, &given);
    find(world, &id).map(Done::created)
}

fn keep_password(world: &mut World, id: &str, given: &Document) {
    if let Some(Value::String(password)) = given.get("password") {
        let password = Secret::new(password.clone());
        world.passwords.insert(id.to_owned(), password);
    }
}

fn change(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    update(world, ask)
}

/// `first_name` and `type` are required of a PUT.
fn replace(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let required = [key("first_name", Kind::Text).required(), KEYS[8].required()];
    checked(&ask.body()?, &required, Extent::Whole)?;
    update(world, ask)
}

fn update(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let id = id(ask);
    let mut user = find(world, id)?;
    let body = ask.body()?;
    let password = checked(&body, &[key("password", Kind::Text)], Extent::Part)?;
    overlay(&mut user, checked(&body, &KEYS, Extent::Part)?);
    user.insert("date_modified".to_owned(), ask.caller.stamp());
    keep_password(world, id, &password);
    world.users.put(id, user.clone());
    Ok(Done::ok(user))
}

/// Whoever is gone can no longer call with a token that was given out.
fn remove(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let id = id(ask);
    find(world, id)?;
    world.users.remove(id);
    world.passwords.remove(id);
    world.tokens.revoke_of_user(id);
    Ok(Done::no_content())
}

fn reindex(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    world.index.settle();
    find(world, id(ask)).map(Done::ok)
}

/// The roles of a user's groups, each once.
fn roles_of(world: &World, id: &str) -> Result<BTreeSet<String>, Refusal> {
    let user = find(world, id)?;
    let groups = user.get("groups").and_then(Value::as_array);
    let groups = groups.into_iter().flatten().filter_map(Value::as_str);
    let groups = groups.filter_map(|id| world.shelf("group_id")?.get(id)?.get("roles")?.as_array());
    let roles = groups.flatten().filter_map(Value::as_str);
    Ok(roles.map(str::to_owned).collect())
}

fn roles(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let roles = roles_of(world, id(ask))?;
    Ok(Done::ok(json!({ "objects": roles })))
}

/// An administrator has every role; inferred.
fn check_role(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let role = ask.param("role");
    let is_admin = find(world, id(ask))?.get("is_admin") == Some(&json!(true));
    match is_admin || roles_of(world, id(ask))?.contains(role) {
        true => Ok(Done::bare(StatusCode::OK)),
        false => Err(Refusal::not_found("Role", role)),
    }
}

/// Makes a user; a seed gives it its id.
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
