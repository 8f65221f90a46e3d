//! Storages: by name or id, what is copied to them, archiving of many.

use rhai::{Array, Dynamic, Map, NativeCallContext};

use super::super::super::catalog::{FunctionDoc, Place, Registry};
use super::super::super::session::Fallible;
use super::super::call::{Request, text_at};
use super::super::ids::{ids_of, in_turns, is_uuid, jobs_of, one_of, only, path_name};
use super::super::job;
use super::super::kinds;
use super::super::listing::{self, Paging};
use super::super::record::{self, Record, doc};

type Context<'a> = NativeCallContext<'a>;
/// A storage as it was when it was read.
type Storage = Record<kinds::Storage>;

const LIST: &str = "files/v1/storages/";
/// The query parameters of the list of storages.
const FILTERS: [&str; 5] = ["method", "name", "purpose", "query", "status"];
/// What can be copied and archived in one request (`BulkTransferToStorageSchema`).
pub(super) const MANY: [&str; 3] = ["assets", "collections", "saved_searches"];

pub(super) fn register(registry: &mut Registry) {
    record::register::<kinds::Storage>(registry);
    register_reading(registry);
    register_changing(registry);
    register_acting(registry);
    register_archiving(registry);
}

fn register_reading(registry: &mut Registry) {
    let doc = FunctionDoc::of_iconik;
    registry.add(
        doc(
            "storage(name_or_id)",
            "One storage, by its name or id: looked up in a list that may be a minute old. None or several of a name are an error.",
            "iconik::create_storage(#{ name: \"Nearline\", method: \"FILE\", purpose: \"FILES\", settings: #{} });\n\
             let storage = iconik::storage(\"Nearline\");\nlog::info(storage.method);",
        ),
        |context: Context<'_>, name: &str| storage(&context, name),
    );
    registry.add(
        doc(
            "storages(filters)",
            "The storages, as a list of Storages: `name`, `purpose` (`FILES`, `PROXIES`, `ARCHIVE` and so on), `method`, `status`, \
             `query`; `#{}` for all.",
            "for storage in iconik::storages(#{ purpose: \"FILES\" }) { log::info(storage.name); }",
        ),
        |context: Context<'_>, filters: Map| -> Fallible<Array> {
            let request = Request::get(LIST).options(&filters, &FILTERS)?;
            Storage::all(LIST, listing::all(&context, "storages", Paging::Page, &request)?)
        },
    );
}

fn register_changing(registry: &mut Registry) {
    registry.add(
        FunctionDoc {
            place: Place::Module("iconik"),
            signature: "create_storage(values)",
            about: "Makes a storage and returns it: `name`, `method`, `purpose` and `settings` are required (`StorageSchema`). Needs \
                    `storages:write`.",
            example: "iconik::create_storage(#{ name: \"Nearline\", method: \"FILE\", purpose: \"FILES\", settings: #{} });",
        },
        |context: Context<'_>, values: Map| Storage::create(&context, LIST, &values),
    );
    record::register_update::<kinds::Storage>(
        registry,
        "Changes keys of the storage (`PATCH`) and returns the changed Storage. Needs `storages:write`.",
        "#{ description: \"Near the studio\" }",
    );
}

fn storage(context: &Context<'_>, name: &str) -> Fallible<Storage> {
    if is_uuid(name) {
        return Storage::read(context, LIST, name);
    }
    let all = listing::all(
        context,
        "storages",
        Paging::Page,
        &Request::get(LIST).cacheable(),
    )?;
    let known: Vec<_> = all
        .iter()
        .filter_map(|one| Some((text_at(one, "name")?, text_at(one, "id")?)))
        .collect();
    let id = only("storage", name, &known)?;
    let found = all
        .iter()
        .find(|one| text_at(one, "id") == Some(&id))
        .cloned();
    Storage::of(LIST, found.unwrap_or_default())
}

fn register_acting(registry: &mut Registry) {
    registry.add(
        doc::<kinds::Storage>(
            "copy(object_type, ids, options)",
            "Copies files of many assets, collections or saved searches to this storage, 500 in a request, and returns the Jobs as a \
             list: `format_name` (`\"ORIGINAL\"` unless said otherwise), `overwrite`, `delete_original`, `file_path` and so on \
             (`BulkTransferToStorageSchema`). Needs `files:write`.",
            "for job in storage.copy(\"assets\", [event.asset_id], #{ format_name: \"ORIGINAL\" }) { log::info(job.id); }",
        ),
        |context: Context<'_>, storage: &mut Storage, object_type: &str, ids: Array, options: Map| {
            many(&context, &storage.below("bulk/"), object_type, &ids, &options)
        },
    );
    registry.add(
        doc::<kinds::Storage>(
            "scan(options)",
            "Has the storage scanned and returns the Job, or `()` where Iconik names none: `#{ paths: [..] }` for a part of it, `#{}` for \
             all (`StorageScanSchema`). Needs `storages:write`.",
            "storage.scan(#{});",
        ),
        |context: Context<'_>, storage: &mut Storage, options: Map| -> Fallible<Dynamic> {
            job::named(&Request::post(storage.below("scan/")).values(&options)?.send(&context)?)
        },
    );
}

fn register_archiving(registry: &mut Registry) {
    let doc = FunctionDoc::of_iconik;
    registry.add(
        doc(
            "archive(object_type, ids, format_name, options)",
            "Archives one format of many assets, collections or saved searches, 500 in a request, and returns the Jobs as a list: \
             `destination_storage_id`, `delete_original` and so on (`BulkFilesetArchiveSchema`). Needs `files:write`.",
            "iconik::archive(\"assets\", [event.asset_id], \"ORIGINAL\", #{ delete_original: false });",
        ),
        |context: Context<'_>, object_type: &str, ids: Array, format: &str, options: Map| {
            let path = format!("files/v1/formats/{}/archive/bulk/", path_name("format", format)?);
            many(&context, &path, object_type, &ids, &options)
        },
    );
    registry.add(
        doc(
            "unarchive(object_type, ids, format_name, options)",
            "Brings archived files of many back, likewise (`BulkFilesetRestoreSchema`). Needs `files:write`.",
            "iconik::unarchive(\"assets\", [event.asset_id], \"ORIGINAL\", #{});",
        ),
        |context: Context<'_>, object_type: &str, ids: Array, format: &str, options: Map| {
            let path = format!("files/v1/formats/{}/restore/bulk/", path_name("format", format)?);
            many(&context, &path, object_type, &ids, &options)
        },
    );
}

/// A request for many objects: their ids, their type and the options in the body.
pub(super) fn many(
    context: &Context<'_>,
    path: &str,
    object_type: &str,
    ids: &Array,
    options: &Map,
) -> Fallible<Array> {
    let object_type = one_of("type of objects here", object_type, &MANY)?;
    let answers = in_turns(context, &ids_of("object", ids)?, |ids| {
        Request::post(path).values_with(
            options,
            [("object_ids", ids), ("object_type", object_type.into())],
        )
    })?;
    jobs_of(&answers)
}
