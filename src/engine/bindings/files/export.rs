//! Export locations: where files, metadata and transcodes are written to.

use rhai::{Array, Dynamic, Map, NativeCallContext};

use super::super::super::catalog::{FunctionDoc, Registry};
use super::super::super::convert::to_dynamic;
use super::super::super::session::Fallible;
use super::super::call::{Request, text_at};
use super::super::ids::{id_of, is_uuid, only};
use super::super::job;
use super::super::kinds::{self, Kind};
use super::super::listing::{self, AFTER_ID};
use super::super::record::{Record, doc};
use super::storage;

type Context<'a> = NativeCallContext<'a>;

const LIST: &str = "files/v1/export_locations/";
/// The lines of an example that make an export location.
const MADE: &str = "let storage = iconik::create_storage(#{ name: \"Out\", method: \"FILE\", purpose: \"EXPORTS\", settings: #{} });\n\
                    iconik::create_export_location(#{ name: \"Station\", path: \"/\", storage_id: storage.id });\n";

pub(super) fn register(registry: &mut Registry) {
    let made = FunctionDoc::of_iconik;
    registry.add(
        made(
            "export_locations()",
            "The export locations, as a list of maps with `id`, `name`, `storage_id`, `path` and what is exported \
             (`ExportLocationSchema`).",
            "for location in iconik::export_locations() { log::info(location.name); }",
        ),
        |context: Context<'_>| -> Fallible<Array> {
            let found = listing::all(&context, "export locations", AFTER_ID, &Request::get(LIST))?;
            Ok(found.iter().map(to_dynamic).collect())
        },
    );
    registry.add(
        made(
            "create_export_location(values)",
            "Makes an export location and returns it as a map: `name`, `path` and `storage_id` are required (`ExportLocationSchema`). \
             Needs `storages:write`.",
            MADE,
        ),
        |context: Context<'_>, values: Map| -> Fallible<Dynamic> {
            Ok(to_dynamic(&Request::post(LIST).values(&values)?.send(&context)?))
        },
    );
    registry.add(
        made(
            "export_to(location, object_type, ids, options)",
            "Exports many assets, collections or saved searches to an export location, given by its name, id or as a map, 500 in a \
             request, and returns the Jobs as a list (`BulkFilesetExportSchema`). Needs `files:write`.",
            format!("{MADE}iconik::export_to(\"Station\", \"assets\", [event.asset_id], #{{ overwrite: true }});").leak(),
        ),
        |context: Context<'_>, location: Dynamic, object_type: &str, ids: Array, options: Map| {
            let path = format!("{LIST}{}/bulk_export/", look_up(&context, &location)?);
            storage::many(&context, &path, object_type, &ids, &options)
        },
    );
    register_export::<kinds::Asset>(
        registry,
        "assets",
        "Exports the asset to an export location, given by its name, id or as a map, and returns the Job, or `()` where Iconik \
         names none: `overwrite`, `file_name`, `export_metadata` and so on (`AssetExportSchema`). Needs `files:write`.",
    );
    register_export::<kinds::Collection>(
        registry,
        "collections",
        "Exports the collection likewise (`CollectionExportSchema`). Needs `files:write`.",
    );
}

fn register_export<K: Kind>(
    registry: &mut Registry,
    object_type: &'static str,
    about: &'static str,
) {
    let it = K::VARIABLE;
    registry.add(
        doc::<K>(
            "export_to(location, options)",
            about,
            &format!("{MADE}{it}.export_to(\"Station\", #{{ overwrite: true }});"),
        ),
        move |context: Context<'_>,
              record: &mut Record<K>,
              location: Dynamic,
              options: Map|
              -> Fallible<Dynamic> {
            let location = look_up(&context, &location)?;
            let path = format!(
                "files/v1/{object_type}/{}/export_locations/{location}/",
                record.id()
            );
            job::named(&Request::post(path).values(&options)?.send(&context)?)
        },
    );
}

/// The id of an export location; a name is looked up in a list that may be a minute old.
fn look_up(context: &Context<'_>, location: &Dynamic) -> Fallible<String> {
    let name = location
        .as_immutable_string_ref()
        .ok()
        .map(|name| name.to_string());
    let Some(name) = name.filter(|name| !is_uuid(name)) else {
        return id_of("export location", location);
    };
    let all = listing::all(
        context,
        "export locations",
        AFTER_ID,
        &Request::get(LIST).cacheable(),
    )?;
    let known: Vec<_> = all
        .iter()
        .filter_map(|one| Some((text_at(one, "name")?, text_at(one, "id")?)))
        .collect();
    only("export location", &name, &known)
}
