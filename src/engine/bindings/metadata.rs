//! Metadata of an object by view: typed reading, and writing of what differs.

use std::collections::BTreeMap;

use rhai::{Array, Dynamic, FuncRegistration, ImmutableString, Map, NativeCallContext};
use serde_json::{Value, json};

use super::super::catalog::{FunctionDoc, Registry};
use super::super::convert::to_dynamic;
use super::super::session::{Fallible, error};
use super::call::Request;
use super::ids::id_of;
use super::kinds::{self, Kind};
use super::record::{Record, doc};
use super::view::View;
use crate::model::Method;

type Context<'a> = NativeCallContext<'a>;

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
    change(context, target, view, wanted, Mode::Overwrite)
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

/// Registers what every kind of objects with metadata can do with it.
pub(super) fn register_verbs<K: Described>(registry: &mut Registry) {
    let it = K::VARIABLE;
    registry.add(
        doc::<K>(
            "metadata(view)",
            "The values of a metadata view, given by its name or id, by field: `()` when unset, a Time for dates, a list if \
             and only if the field is `multi`. Other names than plain ones are read as `m[\"Sende Datum\"]`. Of an asset, those of its \
             current version.",
            &format!("let rights = {it}.metadata(\"Rights\");\nif rights.hold == true {{ return skip(\"on hold\"); }}"),
        ),
        |context: Context<'_>, record: &mut Record<K>, view: &str| Metadata::read(&context, &K::target(record), view),
    );
    registry.add(
        doc::<K>(
            "set_metadata(view, values)",
            "Writes the fields whose values differ and returns how many did; nothing is sent when none does. `()` and `[]` are \
             refused: use `clear_metadata`. Needs `metadata:write`.",
            &format!("{it}.set_metadata(\"Rights\", #{{ owner: \"desk\" }});"),
        ),
        |context: Context<'_>, record: &mut Record<K>, view: &str, values: Map| {
            set(&context, &K::target(record), view, &values)
        },
    );
    registry.add(
        doc::<K>(
            "append_metadata(view, values)",
            "Adds values to `multi` fields (mode `append` of the metadata document); values that are there already are not \
             added again. Returns how many fields changed. Needs `metadata:write`.",
            &format!("{it}.append_metadata(\"Rights\", #{{ keywords: [\"sport\"] }});"),
        ),
        |context: Context<'_>, record: &mut Record<K>, view: &str, values: Map| {
            append(&context, &K::target(record), view, &values)
        },
    );
    registry.add(
        removing::<K>(),
        |context: Context<'_>, record: &mut Record<K>, view: &str, values: Map| {
            remove(&context, &K::target(record), view, &values)
        },
    );
    registry.add(
        doc::<K>(
            "clear_metadata(view, fields)",
            "Empties fields. Returns how many were not empty. Needs `metadata:write`.",
            &format!("{it}.set_metadata(\"Rights\", #{{ owner: \"desk\" }});\n{it}.clear_metadata(\"Rights\", [\"owner\"]);"),
        ),
        |context: Context<'_>, record: &mut Record<K>, view: &str, fields: Array| {
            clear(&context, &K::target(record), view, &fields)
        },
    );
}

/// Registers the reading of all fields at once, which parts of assets do not have.
pub(super) fn register_whole<K: Described>(registry: &mut Registry) {
    let it = K::VARIABLE;
    registry.add(
        doc::<K>(
            "metadata()",
            "The values of all fields, whatever view they are in, as a map from each field's name to the list of its values as Iconik \
             keeps them. Iconik allows this to administrators only.",
            &format!("for field in {it}.metadata().keys() {{ log::info(field); }}"),
        ),
        |context: Context<'_>, record: &mut Record<K>| -> Fallible<Map> {
            let answer = Request::get(K::target(record).0).send_optional(&context)?;
            let fields = answer.as_ref().and_then(|answer| answer.get("metadata_values"));
            let fields = fields.and_then(Value::as_object).into_iter().flatten();
            let fields = fields.map(|(name, content)| (name, stored_values(content)));
            let set = fields.filter(|(_, values)| !values.is_empty());
            Ok(set.map(|(name, values)| (name.as_str().into(), to_dynamic(&values.into()))).collect())
        },
    );
}

/// Registers the reading of a version's metadata, which only assets have.
pub(super) fn register_of_version(registry: &mut Registry) {
    registry.add(
        doc::<kinds::Asset>(
            "metadata(view, version)",
            "The values of a metadata view as they are in one version, given by its id or as a map with `id`. They can be read only.",
            "let rights = asset.metadata(\"Rights\", asset.versions[0]);\nif rights.owner != \"archive\" { fail(\"owner\"); }",
        ),
        |context: Context<'_>, asset: &mut Record<kinds::Asset>, view: &str, version: Dynamic| {
            let version = id_of("version", &version)?;
            let target = Target(format!("metadata/v1/assets/{}/versions/{version}/", asset.id()));
            Metadata::read(&context, &target, view)
        },
    );
}

fn removing<K: Kind>() -> FunctionDoc {
    let it = K::VARIABLE;
    doc::<K>(
        "remove_metadata(view, values)",
        "Takes values out of fields (mode `delete`). Returns how many fields changed. Needs `metadata:write`.",
        &format!(
            "{it}.set_metadata(\"Rights\", #{{ keywords: [\"draft\"] }});\n\
             {it}.remove_metadata(\"Rights\", #{{ keywords: [\"draft\"] }});"
        ),
    )
}
