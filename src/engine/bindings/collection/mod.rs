//! Collections: reading, changing, the trash. What is in them has a file of its own.

mod contents;

use rhai::{Array, Dynamic, Map, NativeCallContext};

use super::super::catalog::{FunctionDoc, Registry};
use super::super::convert::to_dynamic;
use super::super::session::Fallible;
use super::call::Request;
use super::ids::id_of;
use super::kinds;
use super::listing::{self, Paging};
use super::metadata;
use super::record::{self, Record, doc};
use crate::model::Method;

type Context<'a> = NativeCallContext<'a>;
/// A collection as it was when it was read.
pub(super) type Collection = Record<kinds::Collection>;

pub(super) const LIST: &str = "assets/v1/collections/";

/// The query parameters of making a collection.
const CREATE_OPTIONS: [&str; 3] = [
    "apply_collection_acls",
    "apply_default_acls",
    "restrict_collection_acls",
];
/// The query parameters of the list of all collections.
const LIST_OPTIONS: [&str; 5] = ["is_root", "page", "per_page", "sort", "status"];

pub(super) fn register(registry: &mut Registry) {
    record::register::<kinds::Collection>(registry);
    record::register_reload::<kinds::Collection>(registry);
    registry.add(
        doc::<kinds::Collection>(
            "title",
            "The collection's title.",
            "log::info(folder.title);",
        ),
        |folder: &mut Collection| folder.text("title"),
    );
    register_reading(registry);
    register_place(registry);
    register_changing(registry);
    register_trash(registry);
    contents::register(registry);
    metadata::register_verbs::<kinds::Collection>(registry);
    metadata::register_whole::<kinds::Collection>(registry);
}

fn register_reading(registry: &mut Registry) {
    let doc = FunctionDoc::of_iconik;
    registry.add(
        doc(
            "collection(id)",
            "Reads a collection.",
            "let folder = iconik::collection(event.collection_id);\nlog::info(folder.title);",
        ),
        |context: Context<'_>, id: Dynamic| -> Fallible<Collection> {
            Collection::read(&context, LIST, &id_of("collection", &id)?)
        },
    );
    registry.add(
        doc(
            "collections(options)",
            "One page of the list of all collections, as a list of Collections: `is_root`, `status`, `page`, `per_page`, `sort`. The \
             list may lag. To go through many, use `search::collections()`.",
            "for folder in iconik::collections(#{ per_page: 10 }) { log::info(folder.title); }",
        ),
        |context: Context<'_>, options: Map| {
            let request = Request::get(LIST).options(&options, &LIST_OPTIONS)?;
            Collection::all(LIST, listing::page(&context, request)?)
        },
    );
}

fn register_place(registry: &mut Registry) {
    registry.add(
        doc::<kinds::Collection>(
            "ancestors()",
            "The collections that hold this one, as a list of Collections.",
            "let inner = folder.create_collection(#{ title: \"Part\" });\nfor outer in inner.ancestors() { log::info(outer.title); }",
        ),
        |context: Context<'_>, folder: &mut Collection| -> Fallible<Array> {
            let request = Request::get(folder.below("ancestors/"));
            Collection::all(LIST, listing::all(&context, "ancestors", Paging::Whole, &request)?)
        },
    );
    registry.add(
        doc::<kinds::Collection>(
            "full_path()",
            "The titles of the collection and of those that hold it, as one text, as Iconik writes it.",
            "log::info(folder.full_path());",
        ),
        |context: Context<'_>, folder: &mut Collection| -> Fallible<Dynamic> {
            Ok(to_dynamic(&Request::get(folder.below("full/path/")).send(&context)?))
        },
    );
    registry.add(
        doc::<kinds::Collection>(
            "content_info()",
            "How much is in it, as a map: `assets_count`, `collections_count`, `total_size` in bytes, `total_duration_milliseconds` \
             (`CollectionContentInfoSchema`).",
            "log::info(folder.content_info().assets_count);",
        ),
        |context: Context<'_>, folder: &mut Collection| -> Fallible<Dynamic> {
            Ok(to_dynamic(&Request::get(folder.below("content/info/")).send(&context)?))
        },
    );
}

fn register_changing(registry: &mut Registry) {
    let made = FunctionDoc::of_iconik;
    registry.add(
        made(
            "create_collection(values)",
            "Makes a collection and returns it: `title` is required; `parent_id` says where, `is_root: true` puts it at the top \
             (`CollectionInputSchema`). Needs `collections:write`.",
            "let folder = iconik::create_collection(#{ title: \"2026\", parent_id: event.collection_id });\nlog::info(folder.id);",
        ),
        |context: Context<'_>, values: Map| Collection::create(&context, LIST, &values),
    );
    registry.add(
        made(
            "create_collection(values, options)",
            "The same with options of the request: `apply_default_acls`, `apply_collection_acls`, `restrict_collection_acls`.",
            "iconik::create_collection(#{ title: \"2026\" }, #{ apply_default_acls: false });",
        ),
        |context: Context<'_>, values: Map, options: Map| -> Fallible<Collection> {
            let request = Request::post(LIST).options(&options, &CREATE_OPTIONS)?;
            Collection::of(LIST, request.values(&values)?.send(&context)?)
        },
    );
    registry.add(
        doc::<kinds::Collection>(
            "create_collection(values)",
            "Makes a collection inside this one and returns it. Needs `collections:write`.",
            "let inner = folder.create_collection(#{ title: \"Part\" });\nif inner.parent_id != folder.id { fail(\"parent\"); }",
        ),
        |context: Context<'_>, folder: &mut Collection, mut values: Map| {
            values.insert("parent_id".into(), folder.id().to_owned().into());
            Collection::create(&context, LIST, &values)
        },
    );
    record::register_update::<kinds::Collection>(
        registry,
        "Changes keys of the collection (`PATCH`) and returns the changed Collection. Needs `collections:write`.",
        "#{ title: \"Semifinals\" }",
    );
    record::register_replace::<kinds::Collection>(
        registry,
        "Sets the whole collection (`PUT`): `title` is required. Needs `collections:write`.",
        "#{ title: \"Semifinals\" }",
    );
}

fn register_trash(registry: &mut Registry) {
    record::register_bare::<kinds::Collection>(
        registry,
        "trash()",
        "Moves the collection to Iconik's delete queue, a little later: what is in it stays. Needs `collections:delete`.",
        (Method::Delete, ""),
    );
    registry.add(
        doc::<kinds::Collection>(
            "restore()",
            "Takes the collection out of the delete queue. Needs `collections:write`.",
            "folder.trash();\nfolder.restore();",
        ),
        |context: Context<'_>, folder: &mut Collection| -> Fallible<()> {
            Request::put(folder.below("restore/"))
                .send(&context)
                .map(drop)
        },
    );
    registry.add(
        doc::<kinds::Collection>(
            "purge()",
            "Deletes a collection that is in the trash for good. Nobody can take this back. Needs `collections:purge`.",
            "folder.trash();\nfolder.purge();",
        ),
        |context: Context<'_>, folder: &mut Collection| -> Fallible<()> {
            Request::delete(folder.below("purge/")).send(&context).map(drop)
        },
    );
}
