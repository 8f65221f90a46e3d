//! Questions about rights: which somebody has, and whether they suffice.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::super::operation::{Ask, Done};
use super::super::refusal::Refusal;
use super::super::shape::{Extent, Kind, checked, key};
use super::super::table::text;
use super::super::world::World;
use super::rights::{Holder, held, rights, texts};
use super::{entry, objects, read_one};

/// The rights of the caller.
pub(super) fn combined(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let object = (ask.param("object_type"), ask.param("object_key"));
    let held = held(world, object, (Holder::User, ask.caller.user_id.as_str()));
    Ok(Done::ok(json!({ "permissions": held })))
}

/// 200 or 403, as documented.
pub(super) fn check(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let holder = Holder::of(ask);
    let object = (ask.param("object_type"), ask.param("object_key"));
    if !held(world, object, holder).contains(ask.param("permission")) {
        let message = "The permission is missing";
        return Err(Refusal::new(StatusCode::FORBIDDEN, message));
    }
    match read_one(world, ask) {
        Ok(done) if holder.0 == Holder::User => Ok(done),
        _ => Ok(Done::bare(StatusCode::OK)),
    }
}

/// One path is two: GET `/acl/{object_type}/{object_key}/` and POST `/acl/{object_type}/{permission}/`.
pub(super) fn check_all(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let keys = [key("object_keys", Kind::TextList)];
    let given = checked(&ask.body()?, &keys, Extent::Whole)?;
    let wanted = BTreeSet::from([ask.param("object_key").to_owned()]);
    let asked = objects(&given, "object_keys")?.into_iter();
    let asked = asked.map(|id| (ask.param("object_type"), id, wanted.clone()));
    Ok(divided(world, ask, asked))
}

/// Which of the objects the caller has the named rights to.
pub(super) fn check_many(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let keys = [key("objects", Kind::List).required()];
    let given = checked(&ask.body()?, &keys, Extent::Whole)?;
    let objects = given["objects"].as_array().into_iter().flatten();
    let objects: Vec<_> = objects.filter_map(Value::as_object).collect();
    let asked = objects.iter().flat_map(|object| {
        let ids = texts(object, "object_keys").into_iter();
        ids.map(|id| (text(object, "object_type"), id, rights(object)))
    });
    Ok(divided(world, ask, asked))
}

fn divided<'a>(
    world: &World,
    ask: &Ask,
    asked: impl Iterator<Item = (&'a str, String, BTreeSet<String>)>,
) -> Done {
    let user = (Holder::User, ask.caller.user_id.as_str());
    let (mut granted, mut denied) = (Vec::new(), Vec::new());
    for (object_type, id, wanted) in asked {
        match held(world, (object_type, &id), user).is_superset(&wanted) {
            true => granted.push(id),
            false => denied.push(id),
        }
    }
    Done::ok(json!({ "access_granted": granted, "access_denied": denied }))
}

/// The rights that a share gives to an object.
pub(super) fn list_of_shares(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let object = (ask.param("object_type"), ask.param("object_key"));
    let rights = world.acls.of(object.0, object.1).into_iter().flatten();
    let shares: Vec<_> = rights
        .filter(|((holder, _), _)| *holder == Holder::Share)
        .map(|((holder, id), it)| entry(ask, (*holder, id), it))
        .collect();
    Ok(Done::ok(json!({ "objects": shares })))
}
