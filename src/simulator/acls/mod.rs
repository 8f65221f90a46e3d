//! Access rights: what users, groups and shares may do with an object, and what objects pass on to what lies
//! in them. They are kept and answered; the simulator lets every token do everything.
//!
//! That a user has the rights of its groups besides its own, and that without any entry for an object
//! everybody has all rights, is inferred from the examples of the documentation.

mod checks;
mod rights;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::operation::{Ask, Caller, Change, Done};
use super::refusal::Refusal;
use super::routes::{Routes, operations};
use super::shape::{Extent, Key, Kind, checked, key};
use super::table::{Document, text};
use super::works::{self, Task};
use super::world::World;
use crate::model::Method::{Delete, Get, Post, Put};
use checks::{check, check_all, check_many, combined, list_of_shares};
pub(super) use rights::Acls;
use rights::{Entry, Holder, rights, shown, texts};

/// All rights.
const RIGHTS: [&str; 4] = ["read", "write", "delete", "change-acl"];

/// The most objects of one request, as documented.
const OBJECTS_MAX: usize = 500;

const PERMISSIONS: Key = key("permissions", Kind::SomeOf(&RIGHTS)).required();

/// The keys of `CreateACLsSchema`.
const KEYS: [Key; 5] = [
    key("group_ids", Kind::TextList),
    key("mode", Kind::OneOf(&["APPEND", "OVERWRITE"])),
    key("object_keys", Kind::TextList).required(),
    PERMISSIONS,
    key("user_ids", Kind::TextList),
];

/// The keys of `CreateBulkACLsSchema`.
const CONTENT_KEYS: [Key; 7] = [
    key("group_ids", Kind::TextList),
    key("include_assets", Kind::Flag).required(),
    key("include_collections", Kind::Flag).required(),
    key("mode", Kind::OneOf(&["APPEND", "OVERWRITE"])),
    key("object_ids", Kind::TextList),
    key("permissions", Kind::SomeOf(&RIGHTS)),
    key("user_ids", Kind::TextList),
];

pub(super) fn routes() -> Routes {
    const ACL: &str = "/acls/v1/acl";
    let routes = Routes::new()
        .route(&format!("{ACL}/"), super::routes::reading(Post, check_many))
        .route(
            &format!("{ACL}/templates/{{template_id}}/{{object_type}}/{{object_key}}/"),
            operations([(Post, apply_template)]),
        )
        .route(
            &format!("{ACL}/{{object_type}}/"),
            operations([(Put, grant_many), (Delete, revoke_many)]),
        )
        .route(
            &format!("{ACL}/{{object_type}}/bulk/"),
            operations([(Put, grant_lists)]),
        )
        .route(
            &format!("{ACL}/{{object_type}}/content/"),
            operations([(Put, grant_content), (Delete, revoke_content)]),
        )
        .route(
            &format!("{ACL}/{{object_type}}/{{object_key}}/"),
            operations([(Get, read)]),
        )
        .also(Post, "/acls/v1/acl/{object_type}/{permission}/")
        .route(
            &format!("{ACL}/{{object_type}}/{{object_key}}/"),
            super::routes::reading(Post, check_all),
        )
        .route(
            &format!("{ACL}/{{object_type}}/{{object_key}}/permissions/"),
            operations([(Get, combined)]),
        )
        .route(
            &format!("{ACL}/{{object_type}}/{{object_key}}/{{permission}}/"),
            operations([(Get, check)]),
        )
        .route(
            "/acls/v1/shares/{object_type}/{object_key}/",
            operations([(Get, list_of_shares)]),
        )
        .route(
            "/acls/v1/shares/{share_id}/acl/{object_type}/",
            operations([(Put, grant_many)]),
        );
    ["users/{user_id}", "groups/{group_id}", "shares/{share_id}"]
        .into_iter()
        .fold(routes, |routes, holder| {
            let path = format!("/acls/v1/{holder}/acl/{{object_type}}/{{object_key}}/");
            let mut of_path = operations([(Get, read_one), (Put, grant), (Delete, revoke)]);
            if holder.starts_with("shares") {
                of_path.extend(operations([(Post, grant)]));
            }
            routes.route(&path, of_path).route(
                &format!("{path}{{permission}}/"),
                operations([(Get, check)]),
            )
        })
}

/// The holders that a body names, or the share of the path.
fn holders(ask: &Ask, given: &Document) -> Vec<(Holder, String)> {
    let share = ask.param("share_id");
    if !share.is_empty() {
        return vec![(Holder::Share, share.to_owned())];
    }
    let users = texts(given, "user_ids").into_iter();
    let groups = texts(given, "group_ids").into_iter();
    users
        .map(|id| (Holder::User, id))
        .chain(groups.map(|id| (Holder::Group, id)))
        .collect()
}

fn objects(given: &Document, key: &str) -> Result<Vec<String>, Refusal> {
    let objects = texts(given, key);
    if objects.len() > OBJECTS_MAX {
        let message = format!("Must be at most {OBJECTS_MAX} ids");
        return Err(Refusal::invalid(key, message));
    }
    Ok(objects)
}

/// OVERWRITE, which is what nothing said means, replaces all rights of an object; APPEND adds to them.
fn granted(
    world: &mut World,
    ask: &Ask,
    object_type: &str,
    given: &Document,
    objects: &[String],
) -> Vec<Change> {
    let (rights, at) = (rights(given), ask.caller.stamp());
    let is_added = text(given, "mode") == "APPEND";
    let holders = holders(ask, given);
    let mut changes = Vec::new();
    for object in objects {
        let key = (object_type.to_owned(), object.clone());
        if !is_added && let Some(before) = world.acls.objects.get_mut(&key) {
            let is_share = holders.iter().any(|(holder, _)| *holder == Holder::Share);
            before.retain(|(holder, _), _| (*holder == Holder::Share) != is_share);
        }
        for (holder, id) in &holders {
            let object = (object_type, object.as_str());
            world
                .acls
                .grant(object, (*holder, id), &rights, is_added, &at);
        }
        changes.extend(changed(world, object_type, object));
    }
    changes
}

/// Realm `acls`, which the documentation names as an example; that `data` are the rights is inferred.
fn changed(world: &World, object_type: &str, object: &str) -> Option<Change> {
    let event_type = match object_type {
        "assets" => "assets",
        "collections" => "collections",
        _ => return None,
    };
    let kind = (event_type, "acls", "update");
    Some(Change::new(
        kind,
        object,
        Value::Object(shown(world, object_type, object)),
    ))
}

fn grant_many(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let given = checked(&ask.body()?, &KEYS, Extent::Whole)?;
    let objects = objects(&given, "object_keys")?;
    let changes = granted(world, ask, ask.param("object_type"), &given, &objects);
    Ok(Done::ok(json!({ "updated_object_keys": objects })).with(changes))
}

fn grant_lists(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let keys = [key("objects", Kind::List).required()];
    let given = checked(&ask.body()?, &keys, Extent::Whole)?;
    let lists = given["objects"].as_array().into_iter().flatten();
    let lists = lists.map(|list| {
        let message = "Must be a list of objects";
        let list = list.as_object();
        let list = list.ok_or_else(|| Refusal::invalid("objects", message))?;
        checked(list, &KEYS, Extent::Whole)
    });
    let lists = lists.collect::<Result<Vec<_>, _>>()?;
    let (mut answers, mut changes) = (Vec::new(), Vec::new());
    for list in &lists {
        let objects = objects(list, "object_keys")?;
        changes.extend(granted(
            world,
            ask,
            ask.param("object_type"),
            list,
            &objects,
        ));
        answers.push(json!({ "updated_object_keys": objects }));
    }
    Ok(Done::ok(Value::Array(answers)).with(changes))
}

fn revoke_many(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let keys = [KEYS[0], key("object_keys", Kind::TextList), KEYS[4]];
    let given = checked(&ask.body()?, &keys, Extent::Whole)?;
    let objects = objects(&given, "object_keys")?;
    let changes = revoked(world, ask, ask.param("object_type"), &given, &objects);
    Ok(Done::bare(StatusCode::OK).with(changes))
}

fn revoked(
    world: &mut World,
    ask: &Ask,
    object_type: &str,
    given: &Document,
    objects: &[String],
) -> Vec<Change> {
    let mut changes = Vec::new();
    for object in objects {
        let mut any = false;
        for (holder, id) in holders(ask, given) {
            any |= world
                .acls
                .revoke((object_type, object), (holder, id.as_str()));
        }
        if any {
            changes.extend(changed(world, object_type, object));
        }
    }
    changes
}

/// What lies below the collections that the body names, by type.
fn content(world: &World, given: &Document) -> Result<Vec<(String, String)>, Refusal> {
    let is_meant = |kind: &str| given.get(&format!("include_{kind}")) == Some(&json!(true));
    let mut found = Vec::new();
    for id in objects(given, "object_ids")? {
        world.collection(&id)?;
        let below = world.contents.below(&id).into_iter();
        found.extend(below.filter(|(kind, _)| is_meant(kind)));
    }
    Ok(found)
}

fn grant_content(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let given = checked(&ask.body()?, &CONTENT_KEYS, Extent::Whole)?;
    let found = content(world, &given)?;
    let asked = ask.clone();
    let task = Task {
        kind: "ACL",
        title: "Setting access rights",
        about: None,
    };
    let ending = Box::new(move |world: &mut World, _: &Caller| {
        let each = found
            .iter()
            .flat_map(|(kind, id)| granted(world, &asked, kind, &given, std::slice::from_ref(id)));
        each.collect()
    });
    works::accepted(world, &ask.caller, task, ending)
}

fn revoke_content(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let given = checked(&ask.body()?, &CONTENT_KEYS, Extent::Whole)?;
    let mut changes = Vec::new();
    for (kind, id) in content(world, &given)? {
        changes.extend(revoked(world, ask, &kind, &given, &[id]));
    }
    Ok(Done::bare(StatusCode::OK).with(changes))
}

fn read(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    Ok(Done::ok(shown(
        world,
        ask.param("object_type"),
        ask.param("object_key"),
    )))
}

fn entry(ask: &Ask, holder: (Holder, &str), entry: &Entry) -> Value {
    json!({
        "date_created": entry.created,
        "date_modified": entry.modified,
        (holder.0.key()): holder.1,
        "object_key": ask.param("object_key"),
        "object_type": ask.param("object_type"),
        "permissions": entry.rights,
    })
}

fn read_one(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let (kind, id) = Holder::of(ask);
    let rights = world
        .acls
        .of(ask.param("object_type"), ask.param("object_key"));
    let found = rights.and_then(|rights| rights.get(&(kind, id.to_owned())));
    let found = found.ok_or_else(|| Refusal::not_found("ACL of", id))?;
    Ok(Done::ok(entry(ask, (kind, id), found)))
}

/// 201 for a new entry and 200 for a changed one, as published for users and groups; a PUT for a share is
/// always 200.
fn grant(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let given = checked(&ask.body()?, &[PERMISSIONS], Extent::Whole)?;
    let holder = Holder::of(ask);
    world.check_exists(holder.0.key(), holder.1, ask)?;
    let object = (ask.param("object_type"), ask.param("object_key"));
    let at = ask.caller.stamp();
    let is_new = world
        .acls
        .grant(object, holder, &rights(&given), false, &at);
    let change = changed(world, object.0, object.1);
    let done = read_one(world, ask)?.with(change);
    let is_post = holder.0 == Holder::Share && ask.is_post();
    let is_created = is_post || (is_new && holder.0 != Holder::Share);
    Ok(if is_created { done.with_201() } else { done })
}

fn revoke(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let holder = Holder::of(ask);
    let object = (ask.param("object_type"), ask.param("object_key"));
    if !world.acls.revoke(object, holder) {
        return Err(Refusal::not_found("ACL of", holder.1));
    }
    let change = changed(world, object.0, object.1);
    Ok(Done::no_content().with(change))
}

/// A template is a name here; what it grants is not published, so it grants nothing.
fn apply_template(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    world.check_exists("template_id", ask.param("template_id"), ask)?;
    if !world.has_object(ask.param("object_type"), ask.param("object_key")) {
        return Err(Refusal::not_found("Object", ask.param("object_key")));
    }
    Ok(Done::bare(StatusCode::OK))
}
