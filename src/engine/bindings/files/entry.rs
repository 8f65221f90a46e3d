//! Files: what Iconik knows about each of them. Nothing is uploaded from here.

use rhai::{Array, Dynamic, Map, NativeCallContext};
use serde_json::json;

use super::super::super::catalog::{Registry, or_unit};
use super::super::super::session::Fallible;
use super::super::asset::Asset;
use super::super::call::{Request, text_at};
use super::super::ids::id_of;
use super::super::job;
use super::super::kinds::{self, Kind};
use super::super::listing::{self, AFTER_ID};
use super::super::record::{self, Record, doc};
use super::file_set::of_asset;

type Context<'a> = NativeCallContext<'a>;
/// A file as it was when it was read.
pub(super) type File = Record<kinds::File>;

/// The query parameters of a list of files, proxies or keyframes.
pub(super) const LIST_OPTIONS: [&str; 2] = ["content_disposition", "generate_signed_url"];

/// The files below the path of an asset in the files' service.
pub(super) fn list(asset: &str) -> String {
    format!("{asset}/files/")
}

pub(super) fn register(registry: &mut Registry) {
    record::register::<kinds::File>(registry);
    record::register_reload::<kinds::File>(registry);
    register_of_asset(registry);
    record::register_update::<kinds::File>(
        registry,
        "Changes keys of the file (`PATCH`), such as `status: \"CLOSED\"` when it is there as a whole, and returns the changed File. \
         Needs `files:write`.",
        "#{ status: \"CLOSED\", size: 1_000 }",
    );
    record::register_delete::<kinds::File>(registry, "Deletes the file. Needs `files:delete`.");
    register_download_url::<kinds::File>(registry);
    register_keyframes::<kinds::File>(registry);
}

fn register_of_asset(registry: &mut Registry) {
    registry.add(
        doc::<kinds::Asset>(
            "files()",
            "The files of the asset, as a list of Files.",
            "for file in asset.files() { log::info(file.original_name); }",
        ),
        |context: Context<'_>, asset: &mut Asset| files(&context, asset, &Map::new()),
    );
    registry.add(
        doc::<kinds::Asset>(
            "files(options)",
            "The same with `generate_signed_url: true` for a `url` that anybody can read for about 12 hours, and \
             `content_disposition`.",
            "for file in asset.files(#{ generate_signed_url: true }) { log::info(file.url); }",
        ),
        |context: Context<'_>, asset: &mut Asset, options: Map| files(&context, asset, &options),
    );
    registry.add(
        doc::<kinds::Asset>(
            "file(id)",
            "Reads one file.",
            "for file in asset.files() { log::info(asset.file(file.id).status); }",
        ),
        |context: Context<'_>, asset: &mut Asset, id: Dynamic| {
            File::read(&context, &list(&of_asset(asset)), &id_of("file", &id)?)
        },
    );
    registry.add(
        doc::<kinds::Asset>(
            "create_file(values)",
            "Makes the entry of a file and returns it: `original_name`, `directory_path` and `type` are required, `file_set_id`, \
             `format_id` and `storage_id` say where it belongs (`FileCreateSchema`). Needs `files:write`.",
            "let format = asset.create_format(#{ name: \"EDIT\" });\n\
             let set = asset.create_file_set(#{ name: \"EDIT\", base_dir: \"/\", component_ids: [], format_id: format.id });\n\
             asset.create_file(#{ original_name: \"a.mov\", directory_path: \"\", type: \"FILE\", file_set_id: set.id, format_id: format.id, size: 1_000 });",
        ),
        |context: Context<'_>, asset: &mut Asset, values: Map| {
            File::create(&context, &list(&of_asset(asset)), &values)
        },
    );
}

fn files(context: &Context<'_>, asset: &Asset, options: &Map) -> Fallible<Array> {
    let list = list(&of_asset(asset));
    let request = Request::get(&list).options(options, &LIST_OPTIONS)?;
    File::all(&list, listing::all(context, "files", AFTER_ID, &request)?)
}

/// Registers `download_url`.
pub(super) fn register_download_url<K: Kind>(registry: &mut Registry) {
    let it = K::VARIABLE;
    registry.add(
        doc::<K>(
            "download_url()",
            "An address from which it can be downloaded for a while, as a text.",
            &format!("log::info({it}.download_url());"),
        ),
        |context: Context<'_>, record: &mut Record<K>| -> Fallible<Dynamic> {
            let answer = Request::get(record.below("download_url/")).send(&context)?;
            Ok(or_unit(text_at(&answer, "url").map(ToOwned::to_owned)))
        },
    );
}

/// Registers `create_keyframes`.
pub(super) fn register_keyframes<K: Kind>(registry: &mut Registry) {
    let it = K::VARIABLE;
    registry.add(
        doc::<K>(
            "create_keyframes()",
            "Has Iconik make keyframes, and a proxy if there is none, and returns the Job, or `()` where a storage leaves such files \
             out. Needs `transcode:write`.",
            &format!("{it}.create_keyframes();"),
        ),
        |context: Context<'_>, record: &mut Record<K>| -> Fallible<Dynamic> {
            job::named(&Request::post(record.below("keyframes/")).body(json!({})).send(&context)?)
        },
    );
}
