//! Formats: `ORIGINAL`, `PPRO_PROXY` and so on.

use rhai::{Array, Dynamic, Map, NativeCallContext};
use serde_json::json;

use super::super::super::catalog::Registry;
use super::super::super::session::Fallible;
use super::super::asset::Asset;
use super::super::call::Request;
use super::super::ids::{id_of, path_name};
use super::super::job;
use super::super::kinds;
use super::super::listing::{self, AFTER_ID};
use super::super::record::{self, Record, doc};
use super::file_set::{self, FileSet};
use crate::model::Method;

type Context<'a> = NativeCallContext<'a>;
/// A format as it was when it was read.
type Format = Record<kinds::Format>;

/// The path of the formats of an asset.
fn list(asset: &Asset) -> String {
    format!("files/v1/assets/{}/formats/", asset.id())
}

pub(super) fn register(registry: &mut Registry) {
    record::register::<kinds::Format>(registry);
    record::register_reload::<kinds::Format>(registry);
    register_of_asset(registry);
    record::register_update::<kinds::Format>(
        registry,
        "Changes keys of the format (`PATCH`) and returns the changed Format. Needs `files:write`.",
        "#{ name: \"EDIT_PROXY\" }",
    );
    register_file_sets(registry);
    register_trash(registry);
    register_archive(registry);
}

fn register_of_asset(registry: &mut Registry) {
    registry.add(
        doc::<kinds::Asset>(
            "formats()",
            "The formats of the asset, as a list of Formats.",
            "for format in asset.formats() { log::info(format.name); }",
        ),
        |context: Context<'_>, asset: &mut Asset| -> Fallible<Array> {
            let list = list(asset);
            Format::all(
                &list,
                listing::all(&context, "formats", AFTER_ID, &Request::get(&list))?,
            )
        },
    );
    registry.add(
        doc::<kinds::Asset>(
            "format(name_or_id)",
            "One format, by its name (clients that are in use read `formats/ORIGINAL/`) or id.",
            "asset.create_format(#{ name: \"EDIT\" });\nlog::info(asset.format(\"EDIT\").id);",
        ),
        |context: Context<'_>, asset: &mut Asset, name: &str| {
            Format::read(&context, &list(asset), &path_name("format", name)?)
        },
    );
    registry.add(
        doc::<kinds::Asset>(
            "create_format(values)",
            "Makes a format of the current version and returns it: `name` is required (`FormatSchema`). Needs `files:write`.",
            "let format = asset.create_format(#{ name: \"EDIT\", metadata: [#{ internet_media_type: \"video/mp4\" }] });",
        ),
        |context: Context<'_>, asset: &mut Asset, values: Map| Format::create(&context, &list(asset), &values),
    );
}

fn register_file_sets(registry: &mut Registry) {
    registry.add(
        doc::<kinds::Format>(
            "file_sets()",
            "The file sets of the format, as a list of FileSets.",
            "for set in format.file_sets() { log::info(set.storage_id); }",
        ),
        |context: Context<'_>, format: &mut Format| file_sets(&context, format, ""),
    );
    registry.add(
        doc::<kinds::Format>(
            "file_sets(storage)",
            "Those on one storage, given by its id or as a Storage.",
            "let storage = iconik::create_storage(#{ name: \"Nearline\", method: \"FILE\", purpose: \"FILES\", settings: #{} });\n\
             if format.file_sets(storage).len() != 0 { fail(\"none is there\"); }",
        ),
        |context: Context<'_>, format: &mut Format, storage: Dynamic| {
            file_sets(&context, format, &format!("storages/{}/", id_of("storage", &storage)?))
        },
    );
}

fn file_sets(context: &Context<'_>, format: &Format, of: &str) -> Fallible<Array> {
    let request = Request::get(format.below(&format!("{of}file_sets/")));
    let found = listing::all(context, "file sets", AFTER_ID, &request)?;
    // They are read and changed as those of the asset.
    let asset = format.path().split("/formats/").next().unwrap_or_default();
    FileSet::all(&file_set::list(asset), found)
}

fn register_trash(registry: &mut Registry) {
    record::register_delete::<kinds::Format>(
        registry,
        "Marks the format as deleted; `restore` takes that back, `purge` makes it final. Needs `files:delete`.",
    );
    registry.add(
        doc::<kinds::Format>(
            "restore()",
            "Takes a deleted format back. Needs `files:write`.",
            "format.delete();\nformat.restore();",
        ),
        |context: Context<'_>, format: &mut Format| -> Fallible<()> {
            Request::put(format.below("restore/"))
                .send(&context)
                .map(drop)
        },
    );
    registry.add(
        doc::<kinds::Format>(
            "purge()",
            "Deletes a deleted format with its files for good. Nobody can take this back. Needs `files:purge`.",
            "format.delete();\nformat.purge();",
        ),
        |context: Context<'_>, format: &mut Format| -> Fallible<()> {
            Request::delete(format.below("purge/")).send(&context).map(drop)
        },
    );
}

fn register_archive(registry: &mut Registry) {
    registry.add(
        doc::<kinds::Format>(
            "archive(options)",
            "Archives the files of the format and returns the Job, or `()` where Iconik names none: `destination_storage_id`, \
             `destination_directory_path`, `delete_original` and so on (`FormatArchiveSchema`). Needs `files:write`.",
            "format.archive(#{ delete_original: false });",
        ),
        |context: Context<'_>, format: &mut Format, options: Map| -> Fallible<Dynamic> {
            job::named(&Request::post(format.below("archive/")).values(&options)?.send(&context)?)
        },
    );
    registry.add(
        doc::<kinds::Format>(
            "unarchive(options)",
            "Brings archived files back and returns the Job, or `()` where Iconik names none: `destination_storage_id`, \
             `destination_directory_path`, `storage_id` (`FormatRestoreSchema`). Needs `files:write`.",
            "format.archive(#{ delete_original: true });\nformat.unarchive(#{});",
        ),
        |context: Context<'_>, format: &mut Format, options: Map| -> Fallible<Dynamic> {
            job::named(&Request::post(format.below("restore/")).values(&options)?.send(&context)?)
        },
    );
    registry.add(
        doc::<kinds::Format>(
            "delete_archive()",
            "Deletes the archived files of the format for good. Needs `files:purge`.",
            "format.archive(#{ delete_original: false });\nformat.delete_archive();",
        ),
        |context: Context<'_>, format: &mut Format| -> Fallible<()> {
            Request::new(Method::Delete, format.below("archive/"))
                .body(json!({}))
                .send(&context)
                .map(drop)
        },
    );
}
