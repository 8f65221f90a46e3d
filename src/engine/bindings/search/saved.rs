//! Saved searches: what people have looked for, as rules can look for it again.

use rhai::{Array, Dynamic, Map, NativeCallContext};
use serde_json::json;

use super::super::super::catalog::{FunctionDoc, Place, Registry};
use super::super::super::convert::to_dynamic;
use super::super::super::session::{Fallible, error};
use super::super::call::{Request, text_at};
use super::super::ids::{id_of, is_uuid, only};
use super::super::job;
use super::super::kinds;
use super::super::listing::{self, Paging};
use super::super::query::{Objects, Source};
use super::super::record::{self, Record, doc};
use super::{BODY_KEYS, Search};
use crate::model::Method;

type Context<'a> = NativeCallContext<'a>;
/// A saved search as it was when it was read or made.
type SavedSearch = Record<kinds::SavedSearch>;

const LIST: &str = "search/v1/search/saved/";

pub(super) fn register(registry: &mut Registry) {
    record::register::<kinds::SavedSearch>(registry);
    register_reading(registry);
    register_changing(registry);
    registry.add(
        doc::<kinds::SavedSearch>(
            "query()",
            "What the saved search looks for, as a Query that can be narrowed, gone through and returned from `each`. Its order and \
             the fields that it shows are left out.",
            "for found in saved.query() { log::info(found.title); }",
        ),
        |context: Context<'_>, saved: &mut SavedSearch| query(&context, saved),
    );
    registry.add(
        doc::<kinds::SavedSearch>(
            "add_to_collection(collection)",
            "Has Iconik put everything that it finds into a collection and returns the Job, or `()` where Iconik names none. Needs \
             `search:write`.",
            "saved.add_to_collection(event.collection_id);",
        ),
        |context: Context<'_>, saved: &mut SavedSearch, collection: Dynamic| -> Fallible<Dynamic> {
            let body = json!({ "collection_id": id_of("collection", &collection)? });
            job::named(&Request::post(saved.below("convert_to_collection/")).body(body).send(&context)?)
        },
    );
}

fn register_reading(registry: &mut Registry) {
    let doc = |signature, about, example: &str| FunctionDoc {
        place: Place::Module("search"),
        signature,
        about,
        example: example.to_owned().leak(),
    };
    registry.add(
        doc(
            "saved()",
            "The saved searches, as a list of SavedSearches; the list may lag.",
            "for saved in search::saved() { log::info(saved.name); }",
        ),
        |context: Context<'_>| -> Fallible<Array> {
            SavedSearch::all(LIST, list(&context, false)?)
        },
    );
    registry.add(
        doc(
            "saved(name_or_id)",
            "One saved search, by its name or id: looked up in a list that may be a minute old. None or several of a name are an error.",
            "search::create_saved(#{ name: \"Promos\", criteria: #{ doc_types: [\"assets\"], query: \"promo\" } });\n\
             log::info(search::saved(\"Promos\").criteria.query);",
        ),
        |context: Context<'_>, name: &str| saved(&context, name),
    );
    registry.add(
        doc(
            "create_saved(values)",
            "Saves a search and returns it: `name` and `criteria`, a body as for `search::query`, are required. Needs `search:write`.",
            "search::create_saved(#{ name: \"Promos\", criteria: #{ doc_types: [\"assets\"], query: \"promo\" } });",
        ),
        |context: Context<'_>, values: Map| SavedSearch::create(&context, LIST, &values),
    );
}

fn register_changing(registry: &mut Registry) {
    registry.add(
        doc::<kinds::SavedSearch>(
            "update(values)",
            "Changes `name`, `criteria`, `group_id` or `permissions` (`PATCH`). Iconik answers with what is found now, which is left out. \
             Needs `search:write`.",
            "saved.update(#{ name: \"Trailers\" });",
        ),
        |context: Context<'_>, saved: &mut SavedSearch, values: Map| -> Fallible<()> {
            Request::new(Method::Patch, saved.path()).values(&values)?.send(&context).map(drop)
        },
    );
    record::register_delete::<kinds::SavedSearch>(
        registry,
        "Deletes the saved search. Needs `search:delete`.",
    );
}

fn list(context: &Context<'_>, cacheable: bool) -> Fallible<Vec<serde_json::Value>> {
    let request = Request::get(LIST);
    let request = if cacheable {
        request.cacheable()
    } else {
        request
    };
    listing::all(context, "saved searches", Paging::Page, &request)
}

fn saved(context: &Context<'_>, name: &str) -> Fallible<SavedSearch> {
    let all = list(context, true)?;
    let known: Vec<_> = all
        .iter()
        .filter_map(|one| Some((text_at(one, "name")?, text_at(one, "id")?)))
        .collect();
    let id = if is_uuid(name) {
        name.to_owned()
    } else {
        only("saved search", name, &known)?
    };
    let found = all
        .iter()
        .find(|one| text_at(one, "id") == Some(&id))
        .cloned();
    SavedSearch::of(
        LIST,
        found.ok_or_else(|| error(format!("Iconik has no saved search `{name}`")))?,
    )
}

fn query(context: &Context<'_>, saved: &SavedSearch) -> Fallible<Objects> {
    let criteria = saved.document().get("criteria").map(to_dynamic);
    let criteria = criteria
        .and_then(Dynamic::try_cast::<Map>)
        .unwrap_or_default();
    // What people saved holds keys of their screen besides, such as pages; an order cannot be walked in.
    let ours = |key: &str| {
        BODY_KEYS.contains(&key)
            && !matches!(key, "sort" | "facets" | "include_fields" | "exclude_fields")
    };
    let body: Map = criteria
        .into_iter()
        .filter(|(key, value)| ours(key) && !value.is_unit())
        .collect();
    Objects::of(context, Source::Search(Box::new(Search::of_body(&body)?)))
}
