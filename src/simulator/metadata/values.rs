//! Metadata values: read and written through a view, kept by object, version and field.
//!
//! Recorded answers show all fields of the view, unset ones with a null date and no values. A view that was
//! never written for the object is 404, as clients report. That two views of one field share its values,
//! and that `append` keeps a value from being there twice, is inferred.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use super::super::operation::{Ask, Caller, Change, Done};
use super::super::refusal::Refusal;
use super::super::routes::{Routes, operations};
use super::super::shape::{Extent, Key, Kind, checked, key};
use super::super::table::{Document, text};
use super::super::world::{World, current_version};
use super::{SEPARATOR, kinds, views};
use crate::model::Method::{Get, Put};

/// The keys of `MetadataFieldValueSchema`.
const FIELD_KEYS: [Key; 2] = [
    key("field_values", Kind::List).required(),
    key("mode", Kind::OneOf(&["overwrite", "append", "delete"])),
];

/// All metadata values, by object and version.
#[derive(Debug, Default)]
pub(in super::super) struct Values {
    records: BTreeMap<(String, String), Record>,
    touched: BTreeSet<String>,
}

#[derive(Clone, Debug, Default)]
struct Record {
    views: BTreeSet<String>,
    fields: BTreeMap<String, Written>,
    plain: Arc<Document>,
}

#[derive(Clone, Debug)]
struct Written {
    date_created: Value,
    values: Vec<Value>,
}

impl Written {
    fn shown(&self) -> Value {
        json!({ "date_created": self.date_created, "field_values": self.values })
    }
}

impl Values {
    /// Forgets all that was said about an object.
    pub(in super::super) fn forget(&mut self, object_id: &str) {
        let first = (object_id.to_owned(), String::new());
        let keys: Vec<_> = self
            .records
            .range(first..)
            .map(|(key, _)| key)
            .take_while(|(object, _)| object == object_id)
            .cloned()
            .collect();
        for key in keys {
            self.records.remove(&key);
            self.touched.insert(key.0);
        }
    }

    /// Says about one version what is said about another.
    pub(in super::super) fn copy_version(&mut self, object_id: &str, from: &str, to: &str) {
        let from = (object_id.to_owned(), from.to_owned());
        if let Some(record) = self.records.get(&from).cloned() {
            self.keep((from.0, to.to_owned()), record);
        }
    }

    /// `{field: [values]}` of every field that has any, without labels and scores.
    pub(in super::super) fn plain(
        &self,
        object_id: &str,
        version_id: &str,
    ) -> Option<&Arc<Document>> {
        let key = (object_id.to_owned(), version_id.to_owned());
        self.records.get(&key).map(|record| &record.plain)
    }

    /// The objects about which something else is said than the last time.
    pub(in super::super) fn touched(&mut self) -> BTreeSet<String> {
        std::mem::take(&mut self.touched)
    }

    fn keep(&mut self, key: (String, String), mut record: Record) {
        let written = record.fields.iter();
        let plain = written
            .filter(|(_, written)| !written.values.is_empty())
            .map(|(name, written)| {
                let values = written.values.iter().map(|it| it["value"].clone());
                (name.clone(), values.collect())
            })
            .collect::<Document>();
        record.plain = Arc::new(plain);
        self.touched.insert(key.0.clone());
        self.records.insert(key, record);
    }
}

/// What metadata is about.
#[derive(Clone, Debug)]
pub(in super::super) struct Target {
    object_type: String,
    object_id: String,
    version_id: String,
}

impl Target {
    /// The object; of an asset its current version. Collections and segments have no versions: their own
    /// id stands in its place, as recorded for collections.
    pub(in super::super) fn current(
        world: &World,
        object_type: &str,
        object_id: &str,
    ) -> Result<Self, Refusal> {
        let version_id = match object_type {
            "assets" => current_version(world.asset(object_id)?),
            "collections" => text(world.collection(object_id)?, "id"),
            "segments" if world.segments.contains(object_id) => object_id,
            "segments" => return Err(Refusal::not_found("Segment", object_id)),
            other => return Err(Refusal::not_found("Object type", other)),
        };
        Ok(Self {
            object_type: object_type.to_owned(),
            object_id: object_id.to_owned(),
            version_id: version_id.to_owned(),
        })
    }

    /// All that was said, whatever views show of it.
    pub(super) fn whole(&self, world: &World) -> Document {
        let record = world.values.records.get(&self.key());
        let fields = record.into_iter().flat_map(|record| &record.fields);
        let values = fields
            .map(|(name, written)| (name.clone(), written.shown()))
            .collect::<Document>();
        self.document(values)
    }

    fn document(&self, values: Document) -> Document {
        Document::from_iter([
            ("date_created".to_owned(), Value::Null),
            ("date_modified".to_owned(), Value::Null),
            ("metadata_values".to_owned(), Value::Object(values)),
            ("object_id".to_owned(), json!(self.object_id)),
            ("object_type".to_owned(), json!(self.object_type)),
            ("version_id".to_owned(), json!(self.version_id)),
        ])
    }

    fn key(&self) -> (String, String) {
        (self.object_id.clone(), self.version_id.clone())
    }
}

pub(super) fn routes() -> Routes {
    Routes::new()
        .route(
            "/metadata/v1/{object_type}/{object_id}/views/{view_id}/",
            operations([(Get, read), (Put, put)]),
        )
        .route(
            "/metadata/v1/assets/{asset_id}/versions/{version_id}/views/{view_id}/",
            operations([(Get, read_version)]),
        )
        .route(
            "/metadata/v1/assets/{asset_id}/{object_type}/{object_id}/views/{view_id}/",
            operations([(Get, read_part), (Put, put_part)]),
        )
        .route(
            "/metadata/v1/assets/{asset_id}/{object_type}/{object_id}/versions/{version_id}/views/{view_id}/",
            operations([(Get, read_part)]),
        )
}

fn read(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let target = Target::current(world, ask.param("object_type"), ask.param("object_id"))?;
    shown(world, &target, ask.param("view_id")).map(Done::ok)
}

fn put(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let target = Target::current(world, ask.param("object_type"), ask.param("object_id"))?;
    written(world, ask, &target)
}

fn read_version(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let (asset, version) = (ask.param("asset_id"), ask.param("version_id"));
    let versions = world.asset(asset)?.get("versions");
    let known = versions
        .and_then(Value::as_array)
        .is_some_and(|versions| versions.iter().any(|it| it["id"] == version));
    if !known {
        return Err(Refusal::not_found("Version", version));
    }
    let target = Target {
        object_type: "assets".to_owned(),
        object_id: asset.to_owned(),
        version_id: version.to_owned(),
    };
    shown(world, &target, ask.param("view_id")).map(Done::ok)
}

fn read_part(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let target = part(world, ask)?;
    shown(world, &target, ask.param("view_id")).map(Done::ok)
}

fn put_part(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let target = part(world, ask)?;
    written(world, ask, &target)
}

/// The part of an asset that the path names: a segment.
fn part(world: &World, ask: &Ask) -> Result<Target, Refusal> {
    let (asset, part) = (ask.param("asset_id"), ask.param("object_id"));
    world.asset(asset)?;
    let segment = world.segments.get(part);
    if segment.is_none_or(|segment| text(segment, "asset_id") != asset) {
        return Err(Refusal::not_found("Object", part));
    }
    Target::current(world, ask.param("object_type"), part)
}

fn written(world: &mut World, ask: &Ask, target: &Target) -> Result<Done, Refusal> {
    let view = ask.param("view_id");
    let keys = [key("metadata_values", Kind::Object).required()];
    let mut body = checked(&ask.body()?, &keys, Extent::Whole)?;
    let Some(Value::Object(values)) = body.remove("metadata_values") else {
        return Err(Refusal::bad("metadata_values is missing"));
    };
    write(world, &ask.caller, target, Some(view), &values)?;
    let document = shown(world, target, view)?;
    let change = changed(world, target, &document);
    Ok(Done::ok(document).with(change))
}

/// Writes values, through a view if one is named.
///
/// # Errors
///
/// 404 for an unknown view, 400 with a message for each field that is not in the view or does not take
/// its values. Then nothing is written.
pub(in super::super) fn write(
    world: &mut World,
    caller: &Caller,
    target: &Target,
    view_id: Option<&str>,
    given: &Document,
) -> Result<(), Refusal> {
    let view = view_id.map(|id| views::find(world, id)).transpose()?;
    let is_shown = |name: &str| view.is_none_or(|view| views::names(view).any(|it| it == name));
    let mut record = world
        .values
        .records
        .get(&target.key())
        .cloned()
        .unwrap_or_default();
    let mut errors = BTreeMap::new();
    for (name, entry) in given.iter().filter(|(name, _)| *name != SEPARATOR) {
        let field = world.fields.get(name);
        let Some(field) = field.filter(|_| is_shown(name)) else {
            errors.insert(name.clone(), "There is no such field here".to_owned());
            continue;
        };
        let before = record.fields.get(name).map(|it| it.values.as_slice());
        match merged(field, before.unwrap_or_default(), entry) {
            Ok(values) => {
                let date_created = caller.stamp();
                let written = Written {
                    date_created,
                    values,
                };
                record.fields.insert(name.clone(), written);
            }
            Err(message) => {
                errors.insert(name.clone(), message);
            }
        }
    }
    if !errors.is_empty() {
        return Err(Refusal::invalid_fields(&errors));
    }
    record.views.extend(view_id.map(str::to_owned));
    world.values.keep(target.key(), record);
    Ok(())
}

/// The values of a field after one entry of a request.
fn merged(field: &Document, before: &[Value], entry: &Value) -> Result<Vec<Value>, String> {
    let entry = entry.as_object().ok_or("Must be an object")?;
    let entry = checked(entry, &FIELD_KEYS, Extent::Whole).map_err(|it| it.explain())?;
    let given = entry["field_values"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    for value in given {
        kinds::check(field, value)?;
    }
    let values = match text(&entry, "mode") {
        "append" => {
            let new = given.iter().filter(|new| !holds(before, new));
            before.iter().chain(new).cloned().collect()
        }
        "delete" => {
            let rest = before.iter().filter(|old| !holds(given, old));
            rest.cloned().collect()
        }
        _ => given.to_vec(),
    };
    if values.len() > 1 && !kinds::is_many(field) {
        return Err("This field takes one value".to_owned());
    }
    Ok(values)
}

fn holds(values: &[Value], wanted: &Value) -> bool {
    values.iter().any(|it| it["value"] == wanted["value"])
}

/// The document of an object's metadata in a view.
pub(super) fn shown(world: &World, target: &Target, view_id: &str) -> Result<Value, Refusal> {
    let view = views::find(world, view_id)?;
    let record = world.values.records.get(&target.key()).filter(|record| {
        record.views.contains(view_id)
            || views::names(view).any(|name| record.fields.contains_key(name))
    });
    let record = record.ok_or_else(|| Refusal::not_found("Metadata", &target.object_id))?;
    let values = views::names(view)
        .filter(|name| *name == SEPARATOR || world.fields.contains_key(*name))
        .map(|name| {
            let written = record.fields.get(name).filter(|it| !it.values.is_empty());
            let value = match written {
                Some(it) => it.shown(),
                None => json!({ "date_created": null, "field_values": [] }),
            };
            (name.to_owned(), value)
        })
        .collect::<Document>();
    Ok(Value::Object(target.document(values)))
}

/// The event of a metadata write. That a segment's metadata shows as an update of the segment is inferred.
pub(super) fn changed(world: &World, target: &Target, document: &Value) -> Option<Change> {
    let id = target.object_id.as_str();
    match target.object_type.as_str() {
        "assets" => Some((("assets", "metadata", "update"), document.clone())),
        "collections" => Some((("collections", "metadata", "update"), document.clone())),
        _ => world
            .segments
            .get(id)
            .map(|segment| (("assets", "segments", "update"), json!(segment))),
    }
    .map(|(kind, data)| Change::new(kind, id, data))
}
