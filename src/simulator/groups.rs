//! Groups of users, and what they are called by an identity provider.

use serde_json::{Value, json};

use super::operation::{Ask, Done};
use super::refusal::Refusal;
use super::resource::Verb::{Create, Edit, List, Read, Remove, Replace};
use super::resource::{Listing, Resource};
use super::routes::{Routes, operations, verbs};
use super::shape::{Begin, Key, Kind, key, made};
use super::table::Document;
use super::world::World;
use crate::model::Method::{Delete, Post};

/// The keys of `GroupSchema`.
const GROUP_KEYS: [Key; 12] = [
    key("alias", Kind::Text),
    made("date_created", Begin::Now),
    made("date_modified", Begin::Now),
    key("default_user_type", Kind::Text).or_null(),
    key("description", Kind::Text),
    key("external_id", Kind::Text).or_null(),
    made("id", Begin::NewId),
    made("is_saml_group", Begin::Flag(false)),
    key("name", Kind::Text).required(),
    key("role_categories", Kind::Object).or_null(),
    key("roles", Kind::TextList).or(Begin::NoItems),
    key("saml_primary_group_priority", Kind::Whole).or_null(),
];

static GROUP: Resource = Resource::new("Group", "group_id", &GROUP_KEYS);

/// The keys of `GroupMappingSchema`.
const MAPPING_KEYS: [Key; 2] = [
    key("group_id", Kind::Id).required(),
    key("name", Kind::Text).required(),
];

static MAPPING: Resource = Resource::new("Group mapping", "group_mappings", &MAPPING_KEYS)
    .named_by("name", "name")
    .listed(Listing::After);

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/users/v1/groups/", verbs(&GROUP, [List, Create]))
        .route(
            "/users/v1/groups/{group_id}/",
            verbs(&GROUP, [Read, Edit, Replace, Remove]),
        )
        .route("/users/v1/groups/basic/", verbs(&GROUP, [List]))
        .route(
            "/users/v1/groups/mappings/",
            verbs(&MAPPING, [List, Create]),
        )
        .route(
            "/users/v1/groups/mappings/{name}/",
            verbs(&MAPPING, [Read, Remove]),
        )
        .route(
            "/users/v1/groups/{group_id}/users/{user_id}/",
            operations([(Post, join), (Delete, leave)]),
        )
        .route(
            "/users/v1/groups/{group_id}/reindex/",
            operations([(Post, reindex)]),
        )
}

fn member(world: &World, ask: &Ask) -> Result<Document, Refusal> {
    world.check_exists("group_id", ask.param("group_id"), ask)?;
    let id = ask.param("user_id");
    let user = world.users.get(id).cloned();
    user.ok_or_else(|| Refusal::not_found("User", id))
}

fn groups_of(user: &Document) -> Vec<Value> {
    let groups = user.get("groups").and_then(Value::as_array);
    groups.cloned().unwrap_or_default()
}

fn join(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let mut user = member(world, ask)?;
    let mut groups = groups_of(&user);
    let group = json!(ask.param("group_id"));
    if !groups.contains(&group) {
        groups.push(group);
    }
    user.insert("groups".to_owned(), Value::Array(groups));
    world.users.put(ask.param("user_id"), user.clone());
    Ok(Done::created(user))
}

fn leave(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let mut user = member(world, ask)?;
    let group = json!(ask.param("group_id"));
    let mut groups = groups_of(&user);
    groups.retain(|it| *it != group);
    user.insert("groups".to_owned(), Value::Array(groups));
    world.users.put(ask.param("user_id"), user.clone());
    Ok(Done::ok(user))
}

/// 200 with a user, as published; it is the caller.
fn reindex(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    GROUP.find(world, ask)?;
    world.index.settle();
    Ok(Done::ok(
        world
            .users
            .get(&ask.caller.user_id)
            .cloned()
            .unwrap_or_default(),
    ))
}
