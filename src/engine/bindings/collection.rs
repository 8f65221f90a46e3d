//! Collections and what is in them.

use std::sync::Arc;

use rhai::{Array, Dynamic, FuncRegistration, ImmutableString, Map, NativeCallContext};
use serde_json::{Value, json};

use super::super::catalog::{FunctionDoc, Place, Registry, or_unit};
use super::super::convert::to_dynamic;
use super::super::session::{Fallible, error};
use super::call::{Request, path_id, text_at};
use super::metadata::{self, Metadata, Target};
use super::query::Objects;
use super::segment::{has_next, objects};
use crate::model::Method;

type Context<'a> = NativeCallContext<'a>;
const COLLECTION: Place = Place::Type("Collection");
const PER_PAGE: usize = 100;
const PAGES_MAX: usize = 20;

/// A collection as it was when it was read.
#[derive(Clone, Debug)]
pub(in super::super) struct Collection {
    id: String,
    document: Arc<Value>,
}

impl Collection {
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    fn target(&self) -> Target<'_> {
        Target {
            object_type: "collections",
            id: &self.id,
        }
    }

    fn contents(&self, context: &Context<'_>) -> Fallible<Array> {
        let mut found = Array::new();
        for page in 1..=PAGES_MAX {
            let answer = Request::get(format!("assets/v1/collections/{}/contents/", self.id))
                .query("per_page", PER_PAGE)
                .query("page", page)
                .send(context)?;
            found.extend(objects(&answer).map(to_dynamic));
            if !has_next(&answer) {
                return Ok(found);
            }
        }
        Err(error(format!(
            "the collection has more than {} entries",
            PER_PAGE * PAGES_MAX
        )))
    }

    fn add(&self, context: &Context<'_>, object_type: &str, id: &Dynamic) -> Fallible<()> {
        if !matches!(object_type, "assets" | "collections") {
            return Err(error("a collection takes \"assets\" and \"collections\""));
        }
        let body = json!({ "object_id": path_id("object", id)?, "object_type": object_type });
        Request::new(
            Method::Post,
            format!("assets/v1/collections/{}/contents/", self.id),
        )
        .body(body)
        .send(context)
        .map(drop)
    }
}

pub(super) fn register(registry: &mut Registry) {
    let module = registry.global();
    module.set_custom_type::<Collection>("Collection");
    FuncRegistration::new_index_getter().set_into_module(
        module,
        |collection: &mut Collection, key: ImmutableString| -> Dynamic {
            collection
                .document
                .get(key.as_str())
                .map_or(Dynamic::UNIT, to_dynamic)
        },
    );
    let doc = |signature, about, example| FunctionDoc {
        place: COLLECTION,
        signature,
        about,
        example,
    };
    registry.add(
        doc(
            "id",
            "The collection's id.",
            "let folder = iconik::collection(event.collection_id);\nlog::info(folder.id);",
        ),
        |collection: &mut Collection| collection.id.clone(),
    );
    registry.add(
        doc(
            "title",
            "The collection's title.",
            "let folder = iconik::collection(event.collection_id);\nlog::info(folder.title);",
        ),
        |collection: &mut Collection| {
            or_unit(text_at(&collection.document, "title").map(ToOwned::to_owned))
        },
    );
    registry.add(
        doc(
            "contents()",
            "The entries as a list of maps, each with `id` and `object_type` (`assets` or `collections`); at most 2,000. The \
             list may lag behind writes by a minute.",
            "let folder = iconik::collection(event.collection_id);\nfor entry in folder.contents() { log::info(entry.id); }",
        ),
        |context: Context<'_>, collection: &mut Collection| collection.contents(&context),
    );
    registry.add(
        doc(
            "contents(options)",
            "The entries as a Query: with `#{ recursive: true }` those of all collections inside as well. Nothing is read before \
             somebody goes through it, so `each` can return it, whatever the collection's size.",
            "let folder = iconik::collection(event.collection_id);\n\
             for entry in folder.contents(#{ recursive: true }) { log::info(entry.id); }",
        ),
        |context: Context<'_>, collection: &mut Collection, options: Map| {
            Objects::contents(&context, &collection.id, &options)
        },
    );
    registry.add(
        doc(
            "add(object_type, id)",
            "Puts an asset or a collection into the collection. Needs `collections:write`.",
            "let folder = iconik::collection(event.collection_id);\nfolder.add(\"assets\", event.asset_id);",
        ),
        |context: Context<'_>, collection: &mut Collection, object_type: &str, id: Dynamic| {
            collection.add(&context, object_type, &id)
        },
    );
    register_metadata(registry);
}

fn register_metadata(registry: &mut Registry) {
    let doc = |signature, about, example| FunctionDoc {
        place: COLLECTION,
        signature,
        about,
        example,
    };
    registry.add(
        doc(
            "metadata(view)",
            "The values of a metadata view of the collection, as for an asset.",
            "let folder = iconik::collection(event.collection_id);\nlog::info(folder.metadata(\"Rights\").owner ?? \"nobody\");",
        ),
        |context: Context<'_>, collection: &mut Collection, view: &str| Metadata::read(&context, &collection.target(), view),
    );
    registry.add(
        doc(
            "set_metadata(view, values)",
            "Writes the fields that differ, as for an asset. Needs `metadata:write`.",
            "let folder = iconik::collection(event.collection_id);\nfolder.set_metadata(\"Rights\", #{ owner: \"desk\" });",
        ),
        |context: Context<'_>, collection: &mut Collection, view: &str, values: Map| {
            metadata::set(&context, &collection.target(), view, &values)
        },
    );
}

/// Reads one collection.
pub(super) fn fetch(context: &Context<'_>, id: &Dynamic) -> Fallible<Collection> {
    let id = path_id("collection", id)?;
    let document = Request::get(format!("assets/v1/collections/{id}/")).send(context)?;
    Ok(Collection {
        id,
        document: Arc::new(document),
    })
}
