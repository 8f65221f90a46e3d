//! Metadata of an object by view: typed reading, and writing of what differs.

mod verbs;

use std::collections::BTreeMap;

use rhai::{Array, Dynamic, FuncRegistration, ImmutableString, Map, NativeCallContext};
use serde_json::{Value, json};

use super::super::catalog::Registry;
use super::super::session::{Fallible, error};
use super::call::Request;
use super::kinds::{self, Kind};
use super::record::Record;
use super::view::View;
use crate::model::Method;

pub(super) use verbs::{register_of_version, register_verbs, register_whole};

/// The values of one view of one object, by field. A name that the view does not have is an error, not `()`.
#[derive(Clone, Debug)]
pub(in super::super) struct Metadata {
    view: View,
    values: BTreeMap<String, Vec<Value>>,
}

/// A kind of objects that have metadata.
pub(super) trait Described: Kind {
    /// Where the metadata of an object is.
    fn target(record: &Record<Self>) -> Target;
}

/// Where the metadata of an object is: the path that its views are below.
pub(super) struct Target(pub(super) String);

impl Described for kinds::Asset {
    fn target(record: &Record<Self>) -> Target {
        Target(format!("metadata/v1/assets/{}/", record.id()))
    }
}

impl Described for kinds::Collection {
    fn target(record: &Record<Self>) -> Target {
        Target(format!("metadata/v1/collections/{}/", record.id()))
    }
}

impl Described for kinds::Segment {
    /// A segment's path is that of the assets' service.
    fn target(record: &Record<Self>) -> Target {
        let path = record.path();
        Target(format!(
            "metadata/v1/{}",
            path.strip_prefix("assets/v1/").unwrap_or(path)
        ))
    }
}

/// What a write does to a field's values; `mode` of Iconik's metadata document.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Overwrite,
    Append,
    Delete,
}

impl Metadata {
    /// Reads a view. Iconik answers 404 for a view that was never written for the object (reference clients
    /// treat it as empty), so that is no error.
    fn read(context: &NativeCallContext<'_>, target: &Target, view: &str) -> Fallible<Self> {
        let view = View::look_up(context, view)?;
        let answer = Request::get(path(target, &view)).send_optional(context)?;
        let values = answer
            .as_ref()
            .and_then(|answer| answer.get("metadata_values"))
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(field, content)| (field.clone(), stored_values(content)))
            .collect();
        Ok(Self { view, values })
    }

    fn stored(&self, field: &str) -> &[Value] {
        self.values.get(field).map_or(&[], Vec::as_slice)
    }

    fn get(&self, name: &str) -> Fallible<Dynamic> {
        Ok(self.view.field(name)?.read(self.stored(name)))
    }
}

fn path(target: &Target, view: &View) -> String {
    format!("{}views/{}/", target.0, view.id)
}

pub(super) fn stored_values(content: &Value) -> Vec<Value> {
    let values = content
        .get("field_values")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    values
        .filter_map(|value| value.get("value"))
        .filter(|value| !value.is_null())
        .cloned()
        .collect()
}

/// Sets fields; only what differs is sent. Returns how many fields changed.
fn set(
    context: &NativeCallContext<'_>,
    target: &Target,
    view: &str,
    wanted: &Map,
) -> Fallible<i64> {
    refuse_empty(wanted)?;
    change(context, target, view, wanted, Mode::Overwrite)
}

fn refuse_empty(wanted: &Map) -> Fallible<()> {
    for (field, value) in wanted {
        let empty_list = value
            .read_lock::<Array>()
            .is_some_and(|items| items.is_empty());
        if value.is_unit() || empty_list {
            return Err(error(format!(
                "`set_metadata` does not empty fields, and `{field}` is empty here; use `clear_metadata(view, [\"{field}\"])`"
            )));
        }
    }
    Ok(())
}

/// The same; with `always` what is there is not looked at.
fn set_always(
    context: &NativeCallContext<'_>,
    target: &Target,
    view: &str,
    wanted: &Map,
    options: &Map,
) -> Fallible<i64> {
    let always = options.get("always").and_then(|flag| flag.as_bool().ok());
    let always = always.filter(|_| options.len() == 1);
    if !always.ok_or_else(|| error("the options of `set_metadata` are `#{ always: true }`"))? {
        return set(context, target, view, wanted);
    }
    refuse_empty(wanted)?;
    let view = View::look_up(context, view)?;
    let mut body = serde_json::Map::new();
    for (name, value) in wanted {
        let values: Vec<Value> = view.field(name)?.write(value)?;
        let values: Vec<Value> = values
            .into_iter()
            .map(|value| json!({ "value": value }))
            .collect();
        body.insert(name.to_string(), json!({ "field_values": values }));
    }
    put(context, target, &view, &body)
}

/// Adds values to `multi` fields; values that are there already are not sent again.
fn append(
    context: &NativeCallContext<'_>,
    target: &Target,
    view: &str,
    wanted: &Map,
) -> Fallible<i64> {
    change(context, target, view, wanted, Mode::Append)
}

/// Takes values out of fields; values that are not there are not sent.
fn remove(
    context: &NativeCallContext<'_>,
    target: &Target,
    view: &str,
    wanted: &Map,
) -> Fallible<i64> {
    change(context, target, view, wanted, Mode::Delete)
}

/// Empties fields that are not empty.
fn clear(
    context: &NativeCallContext<'_>,
    target: &Target,
    view: &str,
    fields: &Array,
) -> Fallible<i64> {
    let current = Metadata::read(context, target, view)?;
    let mut body = serde_json::Map::new();
    for field in fields {
        let field = field
            .as_immutable_string_ref()
            .map_err(|_| error("clear_metadata takes a list of field names"))?;
        current.view.field(&field)?;
        if !current.stored(&field).is_empty() {
            body.insert(field.to_string(), json!({ "field_values": [] }));
        }
    }
    put(context, target, &current.view, &body)
}

fn change(
    context: &NativeCallContext<'_>,
    target: &Target,
    view: &str,
    wanted: &Map,
    mode: Mode,
) -> Fallible<i64> {
    let current = Metadata::read(context, target, view)?;
    let mut body = serde_json::Map::new();
    for (name, value) in wanted {
        let field = current.view.field(name)?;
        let given = field.write(value)?;
        let stored = field.normalize(current.stored(name));
        let (values, mode) = match mode {
            Mode::Overwrite if given == stored => continue,
            Mode::Overwrite => (given, None),
            Mode::Append if !field.multi => {
                return Err(error(format!(
                    "the field `{name}` holds one value, so nothing can be appended; use `set_metadata`"
                )));
            }
            Mode::Append => (new_values(given, &stored), Some("append")),
            Mode::Delete => (
                given
                    .into_iter()
                    .filter(|value| stored.contains(value))
                    .collect(),
                Some("delete"),
            ),
        };
        if values.is_empty() {
            continue;
        }
        let values: Vec<Value> = values
            .into_iter()
            .map(|value| json!({ "value": value }))
            .collect();
        let mut content = json!({ "field_values": values });
        if let Some(mode) = mode {
            content["mode"] = mode.into();
        }
        body.insert(name.to_string(), content);
    }
    put(context, target, &current.view, &body)
}

/// The values that are not stored yet, each once.
fn new_values(given: Vec<Value>, stored: &[Value]) -> Vec<Value> {
    let mut new: Vec<Value> = Vec::new();
    for value in given {
        if !stored.contains(&value) && !new.contains(&value) {
            new.push(value);
        }
    }
    new
}

fn put(
    context: &NativeCallContext<'_>,
    target: &Target,
    view: &View,
    values: &serde_json::Map<String, Value>,
) -> Fallible<i64> {
    let changed = i64::try_from(values.len()).unwrap_or(i64::MAX);
    if changed > 0 {
        Request::new(Method::Put, path(target, view))
            .body(json!({ "metadata_values": values }))
            .send(context)?;
    }
    Ok(changed)
}

pub(super) fn register(registry: &mut Registry) {
    let module = registry.global();
    module.set_custom_type::<Metadata>("Metadata");
    FuncRegistration::new_index_getter()
        .set_into_module(module, |metadata: &mut Metadata, key: ImmutableString| {
            metadata.get(&key)
        });
}
