//! Versions of an asset, newest first: the newest is the current one, to which metadata belong.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::assets::{self, edited, version};
use super::operation::{Ask, Caller, Done};
use super::refusal::Refusal;
use super::routes::{Routes, operations};
use super::shape::{Extent, Key, Kind, checked, key};
use super::table::{Document, text};
use super::works::{self, Task};
use super::world::{World, current_version, new_id, overlay};
use crate::model::Method::{Delete, Patch, Post, Put};

const PROGRESS: Kind = Kind::OneOf(&["N/A", "REQUESTED", "IN_PROGRESS", "FAILED", "DONE"]);

/// The writable keys of `AssetVersionSchema`.
const KEYS: [Key; 11] = [
    key("analyze_status", PROGRESS),
    key(
        "archive_status",
        Kind::OneOf(&["NOT_ARCHIVED", "ARCHIVING", "FAILED_TO_ARCHIVE", "ARCHIVED"]),
    ),
    key("created_by_user", Kind::Id),
    key("date_created", Kind::Time),
    key("face_recognition_status", PROGRESS),
    key("has_unconfirmed_persons", Kind::Flag),
    key("is_online", Kind::Flag),
    key("person_ids", Kind::Ids),
    key(
        "status",
        Kind::OneOf(&["ACTIVE", "IN_PROGRESS", "FAILED", "DELETING", "DELETED"]),
    ),
    key("transcribe_status", PROGRESS),
    key("transcribed_languages", Kind::TextList),
];

/// The keys of `CreateAssetVersionSchema`.
const NEW_KEYS: [Key; 2] = [
    key("copy_metadata", Kind::Flag),
    key("source_version_id", Kind::Id),
];

pub(super) fn routes() -> Routes {
    const VERSIONS: &str = "/assets/v1/assets/{asset_id}/versions";
    Routes::new()
        .route(&format!("{VERSIONS}/"), operations([(Post, create)]))
        .route(
            &format!("{VERSIONS}/old/"),
            operations([(Delete, remove_old)]),
        )
        .route(
            &format!("{VERSIONS}/{{version_id}}/"),
            operations([(Patch, change), (Put, change), (Delete, remove)]),
        )
        .route(
            &format!("{VERSIONS}/{{version_id}}/promote/"),
            operations([(Put, promote)]),
        )
        .route(
            &format!("{VERSIONS}/from/assets/{{source_asset_id}}/"),
            operations([(Post, take_asset)]),
        )
        .route(
            &format!("{VERSIONS}/from/versions/{{source_version_id}}/"),
            operations([(Post, copy_version)]),
        )
}

fn create(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let id = ask.param("asset_id");
    let given = checked(&ask.given()?, &NEW_KEYS, Extent::Part)?;
    let current = current_version(world.asset(id)?).to_owned();
    let source = match text(&given, "source_version_id") {
        "" => current,
        source => source.to_owned(),
    };
    let new = new_id();
    if given.get("copy_metadata") == Some(&Value::Bool(true)) {
        world.values.copy_version(id, &source, &new);
    }
    let made = version(&new, &ask.caller);
    let asset = arranged(world, id, |versions| versions.insert(0, made))?;
    let answer = json!({
        "asset_id": id,
        "system_domain_id": world.domain,
        "versions": asset.get("versions"),
    });
    Ok(Done::ok(answer).with([assets::changed("update", &asset)]))
}

/// Changes the list of versions.
fn arranged(
    world: &mut World,
    asset_id: &str,
    arrange: impl FnOnce(&mut Vec<Value>),
) -> Result<Document, Refusal> {
    edited(world, asset_id, |asset| {
        if let Some(Value::Array(versions)) = asset.get_mut("versions") {
            arrange(versions);
        }
    })
}

fn check(world: &World, ask: &Ask) -> Result<(), Refusal> {
    world.asset(ask.param("asset_id"))?;
    world.check_exists("version_id", ask.param("version_id"), ask)
}

/// PATCH and PUT alike: no key is required.
fn change(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    check(world, ask)?;
    let given = checked(&ask.body()?, &KEYS, Extent::Part)?;
    let id = ask.param("version_id");
    let mut changed = Value::Null;
    let asset = arranged(world, ask.param("asset_id"), |versions| {
        let found = versions.iter_mut().find(|version| version["id"] == id);
        if let Some(Value::Object(version)) = found {
            overlay(version, given);
            changed = Value::Object(version.clone());
        }
    })?;
    Ok(Done::ok(changed).with([assets::changed("update", &asset)]))
}

/// The last version cannot go; inferred.
fn remove(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    check(world, ask)?;
    let (asset_id, id) = (ask.param("asset_id"), ask.param("version_id"));
    let is_last = world.asset(asset_id)?["versions"]
        .as_array()
        .is_none_or(|versions| versions.len() < 2);
    if is_last {
        return Err(Refusal::bad(
            "The only version of an asset cannot be removed",
        ));
    }
    let asset = arranged(world, asset_id, |versions| {
        versions.retain(|version| version["id"] != id);
    })?;
    Ok(Done::no_content().with([assets::changed("update", &asset)]))
}

fn remove_old(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let asset = arranged(world, ask.param("asset_id"), |versions| {
        versions.truncate(1);
    })?;
    Ok(Done::no_content().with([assets::changed("update", &asset)]))
}

/// Makes a version the current one.
fn promote(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    check(world, ask)?;
    let id = ask.param("version_id");
    let asset = arranged(world, ask.param("asset_id"), |versions| {
        if let Some(at) = versions.iter().position(|version| version["id"] == id) {
            let version = versions.remove(at);
            versions.insert(0, version);
        }
    })?;
    Ok(Done::no_content().with([assets::changed("update", &asset)]))
}

/// Another asset becomes the newest version of this one and goes to the trash. 409 is documented; that it
/// stands for an asset which is already a part of this one is inferred.
fn take_asset(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let (id, source) = (ask.param("asset_id"), ask.param("source_asset_id"));
    world.asset(id)?;
    world.asset(source)?;
    if id == source {
        let message = "An asset cannot become a version of itself";
        return Err(Refusal::new(StatusCode::CONFLICT, message));
    }
    let (id, source) = (id.to_owned(), source.to_owned());
    let task = Task {
        kind: "CUSTOM",
        title: "Adding a version",
        about: Some(("assets", &id)),
    };
    let target = id.clone();
    let ending = Box::new(move |world: &mut World, caller: &Caller| {
        let made = version(&new_id(), caller);
        let Ok(asset) = arranged(world, &target, |versions| versions.insert(0, made)) else {
            return Vec::new();
        };
        let mut changes = vec![assets::changed("update", &asset)];
        changes.extend(assets::put_in_trash(world, caller, &source));
        changes
    });
    works::accepted(world, &ask.caller, task, ending)
}

fn copy_version(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let (id, source) = (ask.param("asset_id"), ask.param("source_version_id"));
    world.asset(id)?;
    let is_there = world.assets.iter().any(|asset| {
        let versions = asset.get("versions").and_then(Value::as_array);
        versions.is_some_and(|them| them.iter().any(|it| it["id"] == source))
    });
    if !is_there {
        return Err(Refusal::not_found("Version", source));
    }
    let target = id.to_owned();
    let task = Task {
        kind: "CUSTOM",
        title: "Copying a version",
        about: Some(("assets", id)),
    };
    let ending = Box::new(move |world: &mut World, caller: &Caller| {
        let made = version(&new_id(), caller);
        let asset = arranged(world, &target, |versions| versions.insert(0, made));
        let changed = asset.iter().map(|asset| assets::changed("update", asset));
        changed.collect()
    });
    works::accepted(world, &ask.caller, task, ending)
}
