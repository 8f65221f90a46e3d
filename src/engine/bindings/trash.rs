//! The delete queue and the favorites: what is done to many objects in one request.

use rhai::{Array, Map, NativeCallContext};
use serde_json::json;

use super::super::catalog::{FunctionDoc, Place, Registry};
use super::super::convert::to_dynamic;
use super::super::session::{Fallible, error};
use super::call::Request;
use super::ids::{ids_of, in_turns, jobs_of, one_of};
use super::kinds::{self, Kind};
use super::listing::{self, Paging};
use super::record::{Record, doc as doc_of};
use crate::model::Method;

type Context<'a> = NativeCallContext<'a>;

/// What the delete queue holds.
const QUEUED: [&str; 2] = ["assets", "collections"];
/// What can be emptied (`BulkDeleteSchema`).
const EMPTIED: [&str; 3] = ["assets", "collections", "saved_searches"];
const FAVORITES: &str = "assets/v1/favorites/";

fn doc(signature: &'static str, about: &'static str, example: &'static str) -> FunctionDoc {
    FunctionDoc {
        place: Place::Module("iconik"),
        signature,
        about,
        example,
    }
}

pub(super) fn register(registry: &mut Registry) {
    register_queue(registry);
    register_contents(registry);
    registry.add(
        doc(
            "favorites()",
            "The favorites of the gateway's user, as a list of maps.",
            "for favorite in iconik::favorites() { log::info(favorite.id); }",
        ),
        |context: Context<'_>| -> Fallible<Array> {
            let found = listing::all(
                &context,
                "favorites",
                Paging::Page,
                &Request::get(FAVORITES),
            )?;
            Ok(found.iter().map(to_dynamic).collect())
        },
    );
    register_favorite::<kinds::Asset>(registry, "assets", "Needs `assets:write`.");
    register_favorite::<kinds::Collection>(registry, "collections", "Needs `assets:write`.");
}

fn register_queue(registry: &mut Registry) {
    registry.add(
        doc(
            "trashed(object_type)",
            "What is in the delete queue of `\"assets\"` or `\"collections\"`, as a list of maps; the list may lag.",
            "for asset in iconik::trashed(\"assets\") { log::info(asset.title); }",
        ),
        |context: Context<'_>, object_type: &str| -> Fallible<Array> {
            let request = Request::get(queue(object_type)?);
            let found = listing::all(&context, "objects in the delete queue", Paging::Page, &request)?;
            Ok(found.iter().map(to_dynamic).collect())
        },
    );
    registry.add(
        doc(
            "trash(object_type, ids)",
            "Moves many assets or collections to the delete queue, 500 in a request. Needs `assets:delete`, for collections \
             `collections:delete` instead.",
            "iconik::trash(\"assets\", [event.asset_id]);\niconik::trash(\"collections\", [event.collection_id]);",
        ),
        |context: Context<'_>, object_type: &str, ids: Array| {
            queued(&context, Method::Post, &queue(object_type)?, &ids)
        },
    );
    registry.add(
        doc(
            "restore(object_type, ids)",
            "Takes many out of it. Needs `assets:write`, for collections `collections:write` instead.",
            "iconik::trash(\"assets\", [event.asset_id]);\niconik::restore(\"assets\", [event.asset_id]);\n\
             iconik::trash(\"collections\", [event.collection_id]);\niconik::restore(\"collections\", [event.collection_id]);",
        ),
        |context: Context<'_>, object_type: &str, ids: Array| {
            queued(&context, Method::Delete, &queue(object_type)?, &ids)
        },
    );
    registry.add(
        doc(
            "purge(object_type, ids)",
            "Deletes many that are in it for good. Nobody can take this back. Needs `assets:purge`, for collections \
             `collections:purge` instead.",
            "iconik::trash(\"assets\", [event.asset_id]);\niconik::purge(\"assets\", [event.asset_id]);\n\
             iconik::trash(\"collections\", [event.collection_id]);\niconik::purge(\"collections\", [event.collection_id]);",
        ),
        |context: Context<'_>, object_type: &str, ids: Array| {
            queued(&context, Method::Post, &format!("{}purge/", queue(object_type)?), &ids)
        },
    );
}

fn register_contents(registry: &mut Registry) {
    registry.add(
        doc(
            "trash_contents(object_type, ids, options)",
            "Moves what is in many collections or saved searches to the delete queue, 500 in a request, and returns the Jobs that Iconik \
             names for it, as a list. `content_only` has to be said: with `false` the collections themselves go as well. Needs \
             `assets:delete`.",
            "iconik::trash_contents(\"collections\", [event.collection_id], #{ content_only: true });",
        ),
        |context: Context<'_>, object_type: &str, ids: Array, options: Map| -> Fallible<Array> {
            let object_type = one_of("type of objects here", object_type, &EMPTIED)?;
            let content_only = options.get("content_only").and_then(|flag| flag.as_bool().ok());
            let content_only = content_only.filter(|_| options.len() == 1).ok_or_else(|| {
                error("say `#{ content_only: true }`, or `false` if the objects themselves shall go as well, and nothing else")
            })?;
            let answers = in_turns(&context, &ids_of("object", &ids)?, |ids| {
                let body = json!({ "object_ids": ids, "object_type": object_type, "content_only": content_only });
                Ok(Request::post("assets/v1/delete_queue/bulk/").body(body))
            })?;
            jobs_of(&answers)
        },
    );
}

fn register_favorite<K: Kind>(registry: &mut Registry, object_type: &'static str, needs: &str) {
    let it = K::VARIABLE;
    let about = format!(
        "Makes it a favorite of the gateway's user, or takes it from the favorites. {needs}"
    );
    registry.add(
        doc_of::<K>(
            "set_favorite(flag)",
            about.leak(),
            &format!("{it}.set_favorite(true);\n{it}.set_favorite(false);"),
        ),
        move |context: Context<'_>, record: &mut Record<K>, flag: bool| -> Fallible<()> {
            let method = if flag { Method::Post } else { Method::Delete };
            let body = json!({ "object_ids": [record.id()], "object_type": object_type });
            Request::new(method, FAVORITES)
                .body(body)
                .send(&context)
                .map(drop)
        },
    );
}

fn queue(object_type: &str) -> Fallible<String> {
    let object_type = one_of("type of objects here", object_type, &QUEUED)?;
    Ok(format!("assets/v1/delete_queue/{object_type}/"))
}

fn queued(context: &Context<'_>, method: Method, path: &str, ids: &Array) -> Fallible<()> {
    in_turns(context, &ids_of("object", ids)?, |ids| {
        Ok(Request::new(method, path).body(json!({ "ids": ids })))
    })
    .map(drop)
}
