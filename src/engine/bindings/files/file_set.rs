//! File sets: the files of a format on one storage.

use rhai::{Array, Map, NativeCallContext};

use super::super::super::catalog::Registry;
use super::super::super::session::Fallible;
use super::super::asset::Asset;
use super::super::call::Request;
use super::super::kinds;
use super::super::listing::{self, AFTER_ID};
use super::super::record::{self, Record, doc};
use super::entry::{self, File};

type Context<'a> = NativeCallContext<'a>;
/// A file set as it was when it was read.
pub(super) type FileSet = Record<kinds::FileSet>;

/// The query parameters of deleting a file set.
const DELETE_OPTIONS: [&str; 2] = ["immediately", "keep_source"];

/// The file sets below the path of an asset in the files' service.
pub(super) fn list(asset: &str) -> String {
    format!("{asset}/file_sets/")
}

/// The path of an asset in the files' service.
pub(super) fn of_asset(asset: &Asset) -> String {
    format!("files/v1/assets/{}", asset.id())
}

pub(super) fn register(registry: &mut Registry) {
    record::register::<kinds::FileSet>(registry);
    record::register_reload::<kinds::FileSet>(registry);
    registry.add(
        doc::<kinds::Asset>(
            "file_sets()",
            "The file sets of the asset, as a list of FileSets.",
            "for set in asset.file_sets() { log::info(set.base_dir); }",
        ),
        |context: Context<'_>, asset: &mut Asset| -> Fallible<Array> {
            let list = list(&of_asset(asset));
            FileSet::all(
                &list,
                listing::all(&context, "file sets", AFTER_ID, &Request::get(&list))?,
            )
        },
    );
    registry.add(
        doc::<kinds::Asset>(
            "create_file_set(values)",
            "Makes a file set and returns it: `name`, `base_dir`, `component_ids` and `format_id` are required, `storage_id` says \
             where (`FileSetSchema`). Needs `files:write`.",
            "let format = asset.create_format(#{ name: \"EDIT\" });\n\
             asset.create_file_set(#{ name: \"EDIT\", base_dir: \"/\", component_ids: [], format_id: format.id });",
        ),
        |context: Context<'_>, asset: &mut Asset, values: Map| {
            FileSet::create(&context, &list(&of_asset(asset)), &values)
        },
    );
    record::register_update::<kinds::FileSet>(
        registry,
        "Changes keys of the file set (`PATCH`) and returns the changed FileSet. Needs `files:write`.",
        "#{ name: \"EDIT_2\" }",
    );
    registry.add(
        doc::<kinds::FileSet>(
            "files()",
            "The files of the file set, as a list of Files.",
            "for file in file_set.files() { log::info(file.original_name); }",
        ),
        |context: Context<'_>, set: &mut FileSet| -> Fallible<Array> {
            let request = Request::get(set.below("files/"));
            let found = listing::all(&context, "files", AFTER_ID, &request)?;
            let asset = set.path().split("/file_sets/").next().unwrap_or_default();
            File::all(&entry::list(asset), found)
        },
    );
    register_trash(registry);
}

fn register_trash(registry: &mut Registry) {
    record::register_delete::<kinds::FileSet>(
        registry,
        "Marks the file set as deleted; `restore` takes that back, `purge` makes it final. Needs `files:delete`.",
    );
    registry.add(
        doc::<kinds::FileSet>(
            "delete(options)",
            "The same with options of the request: `keep_source: true` leaves the files on the storage, `immediately: true` leaves \
             nothing to restore. Needs `files:delete`.",
            "file_set.delete(#{ keep_source: true });",
        ),
        |context: Context<'_>, set: &mut FileSet, options: Map| -> Fallible<()> {
            Request::delete(set.path()).options(&options, &DELETE_OPTIONS)?.send(&context).map(drop)
        },
    );
    registry.add(
        doc::<kinds::FileSet>(
            "restore()",
            "Takes a deleted file set back. Needs `files:write`.",
            "file_set.delete();\nfile_set.restore();",
        ),
        |context: Context<'_>, set: &mut FileSet| -> Fallible<()> {
            Request::put(set.below("restore/")).send(&context).map(drop)
        },
    );
    registry.add(
        doc::<kinds::FileSet>(
            "purge()",
            "Deletes a deleted file set with its files for good. Nobody can take this back. Needs `files:purge`.",
            "file_set.delete();\nfile_set.purge();",
        ),
        |context: Context<'_>, set: &mut FileSet| -> Fallible<()> {
            Request::delete(set.below("purge/")).send(&context).map(drop)
        },
    );
}
