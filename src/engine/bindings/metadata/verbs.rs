//! What rules can do with the metadata of every kind of objects that has any.

use rhai::{Array, Dynamic, Map, NativeCallContext};
use serde_json::Value;

use super::super::super::catalog::{FunctionDoc, Registry};
use super::super::super::convert::to_dynamic;
use super::super::super::session::Fallible;
use super::super::call::Request;
use super::super::ids::id_of;
use super::super::kinds::{self, Kind};
use super::super::record::{Record, doc};
use super::{Described, Metadata, Target, append, clear, remove, set, set_always, stored_values};

type Context<'a> = NativeCallContext<'a>;

/// Registers what every kind of objects with metadata can do with it.
pub(in super::super) fn register_verbs<K: Described>(registry: &mut Registry) {
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
        always::<K>(),
        |context: Context<'_>, record: &mut Record<K>, view: &str, values: Map, options: Map| {
            set_always(&context, &K::target(record), view, &values, &options)
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
pub(in super::super) fn register_whole<K: Described>(registry: &mut Registry) {
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
pub(in super::super) fn register_of_version(registry: &mut Registry) {
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

fn always<K: Kind>() -> FunctionDoc {
    let it = K::VARIABLE;
    doc::<K>(
        "set_metadata(view, values, options)",
        "The same with `#{ always: true }`: writes all fields that are given, whether they differ or not, so that Iconik sends its \
         events again. Needs `metadata:write`.",
        &format!(
            "{it}.set_metadata(\"Rights\", #{{ owner: \"desk\" }});\n\
             if {it}.set_metadata(\"Rights\", #{{ owner: \"desk\" }}, #{{ always: true }}) != 1 {{ fail(\"written\"); }}"
        ),
    )
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
