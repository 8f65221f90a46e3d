//! What is in a collection.

use rhai::{Array, Dynamic, Map, NativeCallContext};
use serde_json::json;

use super::super::super::catalog::Registry;
use super::super::super::convert::to_dynamic;
use super::super::super::session::{Fallible, error};
use super::super::call::Request;
use super::super::ids::{id_of, ids_of, one_of};
use super::super::kinds;
use super::super::listing::{self, Paging};
use super::super::query::Objects;
use super::super::record::doc;
use super::super::segment::{has_next, objects};
use super::{Collection, LIST};

type Context<'a> = NativeCallContext<'a>;

const PER_PAGE: usize = 100;
const PAGES_MAX: usize = 20;
/// What a collection holds.
const HELD: [&str; 2] = ["assets", "collections"];

pub(super) fn register(registry: &mut Registry) {
    registry.add(
        doc::<kinds::Collection>(
            "contents()",
            "The entries as a list of maps, each with `id` and `object_type` (`assets` or `collections`); at most 2,000. The \
             list may lag behind writes by a minute.",
            "for entry in folder.contents() { log::info(entry.id); }",
        ),
        |context: Context<'_>, folder: &mut Collection| contents(&context, folder),
    );
    registry.add(
        doc::<kinds::Collection>(
            "contents(options)",
            "The entries as a Query: with `#{ recursive: true }` those of all collections inside as well. Nothing is read before \
             somebody goes through it, so `each` can return it, whatever the collection's size.",
            "for entry in folder.contents(#{ recursive: true }) { log::info(entry.id); }",
        ),
        |context: Context<'_>, folder: &mut Collection, options: Map| {
            Objects::contents(&context, folder.id(), &options)
        },
    );
    registry.add(
        doc::<kinds::Collection>(
            "subcollections()",
            "The collections directly inside, as a list of Collections; the list may lag.",
            "for inner in folder.subcollections() { log::info(inner.title); }",
        ),
        |context: Context<'_>, folder: &mut Collection| -> Fallible<Array> {
            let request =
                Request::get(folder.below("contents/")).query("object_types", "collections");
            Collection::all(
                LIST,
                listing::all(&context, "subcollections", Paging::Page, &request)?,
            )
        },
    );
    register_changes(registry);
}

fn register_changes(registry: &mut Registry) {
    registry.add(
        doc::<kinds::Collection>(
            "add(object_type, id)",
            "Puts an asset or a collection into the collection. Needs `collections:write`.",
            "folder.add(\"assets\", event.asset_id);",
        ),
        |context: Context<'_>, folder: &mut Collection, object_type: &str, id: Dynamic| {
            add(&context, folder, object_type, &id_of("object", &id)?)
        },
    );
    registry.add(
        doc::<kinds::Collection>(
            "add_all(object_type, ids)",
            "Puts several in, each by a step of its own, because Iconik has no request for many. Needs `collections:write`.",
            "folder.add_all(\"assets\", [event.asset_id, iconik::create_asset(#{ title: \"Cut\" })]);",
        ),
        |context: Context<'_>, folder: &mut Collection, object_type: &str, ids: Array| {
            let ids = ids_of("object", &ids)?;
            ids.iter().try_for_each(|id| add(&context, folder, object_type, id))
        },
    );
    registry.add(
        doc::<kinds::Collection>(
            "remove(object_type, id)",
            "Takes an asset or a collection out of the collection; the object itself stays. Needs `collections:delete`.",
            "folder.add(\"assets\", event.asset_id);\nfolder.remove(\"assets\", event.asset_id);",
        ),
        |context: Context<'_>, folder: &mut Collection, object_type: &str, id: Dynamic| -> Fallible<()> {
            let (held, id) = (one_of("type of what a collection holds", object_type, &HELD)?, id_of("object", &id)?);
            Request::delete(folder.below(&format!("contents/{held}/{id}/"))).send(&context).map(drop)
        },
    );
    registry.add(
        doc::<kinds::Collection>(
            "copy_in(collection)",
            "Makes a copy of a collection, with the collections inside it, in this one, and returns the copy as Iconik answers it, \
             as a map. Needs `collections:write`.",
            "let other = iconik::create_collection(#{ title: \"Template\" });\nfolder.copy_in(other);",
        ),
        |context: Context<'_>, folder: &mut Collection, collection: Dynamic| -> Fallible<Dynamic> {
            let body = json!({ "object_id": id_of("collection", &collection)?, "object_type": "collections" });
            Ok(to_dynamic(&Request::post(folder.below("subcollections/")).body(body).send(&context)?))
        },
    );
}

fn contents(context: &Context<'_>, folder: &Collection) -> Fallible<Array> {
    let mut found = Array::new();
    for page in 1..=PAGES_MAX {
        let answer = Request::get(folder.below("contents/"))
            .query("per_page", PER_PAGE)
            .query("page", page)
            .send(context)?;
        found.extend(objects(&answer).map(to_dynamic));
        if !has_next(&answer) {
            return Ok(found);
        }
    }
    Err(error(format!(
        "the collection has more than {} entries; go through `contents(#{{}})` with `for`",
        PER_PAGE * PAGES_MAX
    )))
}

fn add(context: &Context<'_>, folder: &Collection, object_type: &str, id: &str) -> Fallible<()> {
    let held = one_of("type of what a collection holds", object_type, &HELD)?;
    let body = json!({ "object_id": id, "object_type": held });
    Request::post(folder.below("contents/"))
        .body(body)
        .send(context)
        .map(drop)
}
