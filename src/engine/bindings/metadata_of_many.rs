//! Metadata of many objects at once. Iconik does it later; what is there already is not looked at.

use rhai::{Array, Map, NativeCallContext};
use serde_json::{Value, json};

use super::super::catalog::{FunctionDoc, Registry};
use super::super::session::{Fallible, error};
use super::call::Request;
use super::collection::Collection;
use super::ids::{ids_of, in_turns, jobs_of, path_name};
use super::kinds;
use super::record::doc;
use super::view::View;

type Context<'a> = NativeCallContext<'a>;

pub(super) fn register(registry: &mut Registry) {
    let made = FunctionDoc::of_iconik;
    registry.add(
        made(
            "set_metadata_of(object_type, ids, view, values)",
            "Writes the same values to many objects of a type such as `\"assets\"`, 500 in a request, whether they differ or not, and \
             returns the Jobs that Iconik names for it, as a list. `()` and `[]` are refused: use `clear_metadata_of`. Needs \
             `metadata:write`.",
            "iconik::set_metadata_of(\"assets\", [event.asset_id], \"Rights\", #{ owner: \"desk\" });",
        ),
        |context: Context<'_>, object_type: &str, ids: Array, view: &str, values: Map| {
            batch(&context, object_type, &ids, view, |view| contents(view, &values, None))
        },
    );
    registry.add(
        made(
            "append_metadata_of(object_type, ids, view, values)",
            "Adds values to `multi` fields of many objects, likewise (mode `append`). Needs `metadata:write`.",
            "iconik::append_metadata_of(\"assets\", [event.asset_id], \"Rights\", #{ keywords: [\"sport\"] });",
        ),
        |context: Context<'_>, object_type: &str, ids: Array, view: &str, values: Map| {
            batch(&context, object_type, &ids, view, |view| contents(view, &values, Some("append")))
        },
    );
    registry.add(
        made(
            "remove_metadata_of(object_type, ids, view, values)",
            "Takes values out of fields of many objects, likewise (mode `delete`). Needs `metadata:write`.",
            "iconik::remove_metadata_of(\"assets\", [event.asset_id], \"Rights\", #{ keywords: [\"draft\"] });",
        ),
        |context: Context<'_>, object_type: &str, ids: Array, view: &str, values: Map| {
            batch(&context, object_type, &ids, view, |view| contents(view, &values, Some("delete")))
        },
    );
    registry.add(
        made(
            "clear_metadata_of(object_type, ids, view, fields)",
            "Empties fields of many objects, likewise. Needs `metadata:write`.",
            "iconik::clear_metadata_of(\"assets\", [event.asset_id], \"Rights\", [\"owner\"]);",
        ),
        |context: Context<'_>, object_type: &str, ids: Array, view: &str, fields: Array| {
            batch(&context, object_type, &ids, view, |view| {
                emptied(view, &fields)
            })
        },
    );
    registry.add(
        doc::<kinds::Collection>(
            "set_contents_metadata(view, values, options)",
            "Writes the same values to what is in the collection: `include_assets` and `include_collections` both have to be said. \
             Returns the Jobs that Iconik names for it, as a list. Needs `metadata:write`.",
            "folder.set_contents_metadata(\"Rights\", #{ owner: \"desk\" }, #{ include_assets: true, include_collections: false });",
        ),
        |context: Context<'_>, folder: &mut Collection, view: &str, values: Map, options: Map| {
            inside(&context, folder, view, &values, &options)
        },
    );
}

type Body = serde_json::Map<String, Value>;

fn batch(
    context: &Context<'_>,
    object_type: &str,
    ids: &Array,
    view: &str,
    body: impl Fn(&View) -> Fallible<Body>,
) -> Fallible<Array> {
    let object_type = path_name("type of objects", object_type)?;
    let ids = ids_of("object", ids)?;
    let view = View::look_up(context, view)?;
    let values = body(&view)?;
    if values.is_empty() {
        return Ok(Array::new());
    }
    let path = format!("metadata/v1/{object_type}/views/{}/", view.id);
    let answers = in_turns(context, &ids, |ids| {
        Ok(Request::put(&path).body(json!({ "object_ids": ids, "metadata_values": values })))
    })?;
    jobs_of(&answers)
}

fn inside(
    context: &Context<'_>,
    folder: &Collection,
    view: &str,
    values: &Map,
    options: &Map,
) -> Fallible<Array> {
    let said = |key: &str| {
        let flag = options.get(key).and_then(|flag| flag.as_bool().ok());
        flag.ok_or_else(|| error(format!("say `{key}: true` or `{key}: false`: what Iconik does without it is easily more than is meant")))
    };
    let (assets, collections) = (said("include_assets")?, said("include_collections")?);
    let view = View::look_up(context, view)?;
    let body = json!({
        "object_ids": [folder.id()],
        "metadata_values": contents(&view, values, None)?,
        "include_assets": assets,
        "include_collections": collections,
    });
    let path = format!("metadata/v1/collections/content/views/{}/", view.id);
    jobs_of(&[Request::put(path).body(body).send(context)?])
}

/// The fields with their values, checked by the view.
fn contents(view: &View, values: &Map, mode: Option<&str>) -> Fallible<Body> {
    let mut body = Body::new();
    for (name, value) in values {
        let field = view.field(name)?;
        let given = if value.is_unit() {
            Vec::new()
        } else {
            field.write(value)?
        };
        if given.is_empty() {
            return Err(error(format!(
                "`{name}` is empty here, which empties no field; use `clear_metadata_of(object_type, ids, view, [\"{name}\"])`"
            )));
        }
        if mode == Some("append") && !field.multi {
            return Err(error(format!(
                "the field `{name}` holds one value, so nothing can be appended"
            )));
        }
        let given: Vec<Value> = given
            .into_iter()
            .map(|value| json!({ "value": value }))
            .collect();
        let mut content = json!({ "field_values": given });
        if let Some(mode) = mode {
            content["mode"] = mode.into();
        }
        body.insert(name.to_string(), content);
    }
    Ok(body)
}

fn emptied(view: &View, fields: &Array) -> Fallible<Body> {
    let mut body = Body::new();
    for field in fields {
        let field = field
            .as_immutable_string_ref()
            .map_err(|_| error("clear_metadata_of takes a list of field names"))?;
        view.field(&field)?;
        body.insert(field.to_string(), json!({ "field_values": [] }));
    }
    Ok(body)
}
