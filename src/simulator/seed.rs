//! What is there from the start, read from a JSON file.
//!
//! The objects have the shape of the bodies that the API takes, with a given `id`, so that a recorded event
//! finds the very objects that it speaks of. They pass the same checks as over HTTP, but cause no events.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::operation::Caller;
use super::refusal::Refusal;
use super::table::{Document, text};
use super::world::{World, overlay, stamp};
use super::{
    Credential, DEFAULT_DOMAIN, DEFAULT_USER, SimulatorOptions, WrittenFault, assets, collections,
    custom_actions, jobs, metadata, segments, users, webhooks,
};
use crate::model::Secret;

/// What is there from the start. Every list may be absent; an unknown key is an error.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Seed {
    /// The `system_domain_id`.
    pub domain: Option<String>,
    /// Who may call.
    pub credentials: Vec<Credential>,
    /// Users; whom a credential names and nobody lists is made up. With a `password` one can log in.
    pub users: Vec<Document>,
    /// Metadata fields.
    pub fields: Vec<Document>,
    /// Metadata views.
    pub views: Vec<Document>,
    /// Collections, parents before children; `contents` lists `{object_type, object_id}`, `metadata` is
    /// `{field: value or [values]}`.
    pub collections: Vec<Document>,
    /// Assets; `versions` lists the versions' ids, newest first (`[{"id": …}]`), `metadata` is
    /// `{field: value or [values]}`.
    pub assets: Vec<Document>,
    /// Segments, each with its `asset_id`.
    pub segments: Vec<Document>,
    /// Jobs.
    pub jobs: Vec<Document>,
    /// Webhooks.
    pub webhooks: Vec<Document>,
    /// Custom actions.
    pub custom_actions: Vec<Document>,
    /// Faults that wait for the first requests that match.
    pub faults: Vec<WrittenFault>,
}

/// Why a seed cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// The file cannot be read.
    #[error("cannot read the seed {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not a seed.
    #[error("the seed {} is not valid: {source}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// An object is refused.
    #[error("entry {number} of `{list}` in the seed cannot be made: {reason}")]
    Refused {
        /// The list that it is in.
        list: &'static str,
        /// Its place in the list, from 1.
        number: usize,
        /// What is wrong with it.
        reason: String,
    },
}

impl Seed {
    /// Reads a seed from a JSON file.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, is no JSON, or has unknown keys.
    pub fn read(path: &Path) -> Result<Self, SeedError> {
        let bytes = std::fs::read(path).map_err(|source| SeedError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        serde_json::from_slice(&bytes).map_err(|source| SeedError::Malformed {
            path: path.to_owned(),
            source,
        })
    }
}

/// The world as it begins, and who may call.
pub(super) fn planted(
    options: &SimulatorOptions,
    now: Timestamp,
) -> Result<(World, Vec<Credential>), SeedError> {
    let nothing = Seed::default();
    let seed = options.seed.as_ref().unwrap_or(&nothing);
    let mut credentials = options.credentials.clone();
    credentials.extend(seed.credentials.iter().cloned());
    if credentials.is_empty() {
        credentials.push(Credential::demo());
    }
    let domain = options.domain.as_ref().or(seed.domain.as_ref());
    let domain = domain.map_or_else(|| DEFAULT_DOMAIN.to_owned(), Clone::clone);
    let mut world = World::new(domain, options.index_lag, options.work_takes);
    let caller = Caller {
        user_id: credentials
            .first()
            .map_or_else(|| DEFAULT_USER.to_owned(), |it| it.user_id.clone()),
        app_id: String::new(),
        token: String::new(),
        number: 0,
        request_id: String::new(),
        now,
    };
    plant_users(&mut world, seed, &credentials, now)?;
    plant_objects(&mut world, seed, &caller)?;
    world.reindex(now);
    world.index.settle();
    world.remember_planted();
    Ok((world, credentials))
}

fn plant_users(
    world: &mut World,
    seed: &Seed,
    credentials: &[Credential],
    now: Timestamp,
) -> Result<(), SeedError> {
    let now = stamp(now);
    each("users", &seed.users, |user| {
        users::add(world, user, id(user)?, &now)?;
        if let Some(Value::String(password)) = user.get("password") {
            let password = Secret::new(password.clone());
            world.passwords.insert(id(user)?.to_owned(), password);
        }
        Ok(())
    })?;
    for credential in credentials {
        if !world.users.contains(&credential.user_id) {
            users::add(world, &Document::new(), &credential.user_id, &now).map_err(|refusal| {
                SeedError::Refused {
                    list: "credentials",
                    number: 1,
                    reason: refusal.explain(),
                }
            })?;
        }
        let password = credential.auth_token.clone();
        let passwords = &mut world.passwords;
        passwords
            .entry(credential.user_id.clone())
            .or_insert(password);
    }
    Ok(())
}

/// In the order in which the objects need each other.
fn plant_objects(world: &mut World, seed: &Seed, caller: &Caller) -> Result<(), SeedError> {
    each("fields", &seed.fields, |field| {
        metadata::add_field(world, caller, field).map(drop)
    })?;
    each("views", &seed.views, |view| {
        metadata::add_view(world, caller, view, Some(id(view)?)).map(drop)
    })?;
    each("collections", &seed.collections, |collection| {
        collections::add(world, caller, collection, Some(id(collection)?))?;
        say(world, caller, "collections", collection)
    })?;
    let is_subclip = |asset: &Document| text(asset, "type") == "SUBCLIP";
    each("assets", &seed.assets, |asset| match is_subclip(asset) {
        false => plant_asset(world, caller, asset),
        true => Ok(()),
    })?;
    each("segments", &seed.segments, |segment| {
        let asset = text(segment, "asset_id");
        segments::add(world, caller, asset, segment, Some(id(segment)?)).map(drop)
    })?;
    each("assets", &seed.assets, |asset| match is_subclip(asset) {
        true => plant_asset(world, caller, asset),
        false => Ok(()),
    })?;
    each("collections", &seed.collections, |collection| {
        fill(world, caller, collection)
    })?;
    each("jobs", &seed.jobs, |job| {
        jobs::add(world, caller, job, Some(id(job)?)).map(drop)
    })?;
    each("webhooks", &seed.webhooks, |webhook| {
        webhooks::add(world, caller, webhook, Some(id(webhook)?)).map(drop)
    })?;
    each("custom_actions", &seed.custom_actions, |action| {
        custom_actions::add(world, caller, action, Some(id(action)?)).map(drop)
    })
}

fn plant_asset(world: &mut World, caller: &Caller, asset: &Document) -> Result<(), Refusal> {
    let id = id(asset)?;
    assets::add(world, caller, asset, Some(id))?;
    if let Some(Value::Array(given)) = asset.get("versions") {
        let mut versions = Vec::new();
        for given in given.iter().filter_map(Value::as_object) {
            let mut version = assets::version("", caller);
            if let Some(version) = version.as_object_mut() {
                overlay(version, given.clone());
            }
            versions.push(version);
        }
        if let Some(asset) = world.assets.get_mut(id) {
            asset.insert("versions".to_owned(), json!(versions));
        }
    }
    say(world, caller, "assets", asset)
}

/// Writes the metadata that stand in a seed: `{field: value or [values]}`.
fn say(
    world: &mut World,
    caller: &Caller,
    object_type: &str,
    object: &Document,
) -> Result<(), Refusal> {
    let Some(Value::Object(said)) = object.get("metadata") else {
        return Ok(());
    };
    let target = metadata::Target::current(world, object_type, id(object)?)?;
    let given = said
        .iter()
        .map(|(name, value)| {
            let values = match value {
                Value::Array(values) => values.iter().map(|it| json!({ "value": it })).collect(),
                value => vec![json!({ "value": value })],
            };
            (name.clone(), json!({ "field_values": values }))
        })
        .collect();
    metadata::write(world, caller, &target, None, &given)
}

fn fill(world: &mut World, caller: &Caller, collection: &Document) -> Result<(), Refusal> {
    let entries = collection.get("contents").and_then(Value::as_array);
    for entry in entries.into_iter().flatten().filter_map(Value::as_object) {
        let (object_type, object_id) = (text(entry, "object_type"), text(entry, "object_id"));
        let there = match object_type {
            "assets" => world.assets.contains(object_id),
            _ => world.collections.contains(object_id),
        };
        if !there {
            let message = format!("There is no {object_type} {object_id}");
            return Err(Refusal::invalid("contents", message));
        }
        collections::put_in(world, caller, id(collection)?, object_type, object_id);
    }
    Ok(())
}

fn id(object: &Document) -> Result<&str, Refusal> {
    match text(object, "id") {
        "" => Err(Refusal::invalid("id", "A seed gives every object its id")),
        id => Ok(id),
    }
}

fn each(
    list: &'static str,
    objects: &[Document],
    mut plant: impl FnMut(&Document) -> Result<(), Refusal>,
) -> Result<(), SeedError> {
    for (index, object) in objects.iter().enumerate() {
        plant(object).map_err(|refusal| SeedError::Refused {
            list,
            number: index + 1,
            reason: refusal.explain(),
        })?;
    }
    Ok(())
}
