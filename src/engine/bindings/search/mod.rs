//! Searches as rules build them: which objects, under which conditions, what is shown of them.
//!
//! A search is a Query of one source until something is added to it. Nothing is sent before somebody asks for what it
//! finds; only the views of metadata fields are looked up, because a misspelt field finds nothing, or everything.

mod condition;
mod field;
mod saved;

use std::collections::BTreeMap;

use rhai::{Array, Map, NativeCallContext};
use serde_json::{Value, json};

use super::super::catalog::{FunctionDoc, Place, Registry};
use super::super::convert::to_json;
use super::super::session::{Fallible, error};
use super::event::nearest;
use super::query::{Objects, Source};
use super::view::View;
use condition::Condition;
use field::Field;

type Context<'a> = NativeCallContext<'a>;
type Body = serde_json::Map<String, Value>;

const QUERY: Place = Place::Type("Query");
const SEARCH: Place = Place::Module("search");

/// What is shown of an object if the rule does not ask for more.
const SHOWN: [&str; 3] = ["id", "object_type", "title"];

/// The keys of a search's body (`SearchCriteriaSchema` of Iconik's search document) that a rule may write itself:
/// order and paging are the gateway's.
const BODY_KEYS: [&str; 10] = [
    "doc_types",
    "exclude_fields",
    "facets",
    "facets_filters",
    "filter",
    "include_fields",
    "metadata_view_id",
    "query",
    "search_fields",
    "sort",
];

/// Characters that mean something in the words of a search; a backslash takes their meaning.
const SPECIAL: &str = "+-&|!(){}[]^\"~*?:\\/<>=";

/// A search in the making.
#[derive(Clone, Debug, Default)]
pub(super) struct Search {
    /// What the rule wrote of the body itself.
    given: Body,
    /// What must hold.
    terms: Vec<Value>,
    /// What must not hold.
    excluded: Vec<Value>,
    /// What is shown besides [`SHOWN`].
    shown: Vec<String>,
    sort: Vec<Value>,
    /// The views that fields were looked up in, by the names that the rule gave.
    views: BTreeMap<String, View>,
}

impl Search {
    fn of_type(doc_type: &str) -> Self {
        let doc_types = ("doc_types".to_owned(), json!([doc_type]));
        Self {
            given: Body::from_iter([doc_types]),
            ..Self::default()
        }
    }

    fn of_body(body: &Map) -> Fallible<Self> {
        let mut search = Self::default();
        for (key, value) in body {
            if !BODY_KEYS.contains(&key.as_str()) {
                let near = nearest(key, BODY_KEYS.into_iter());
                let advice = near.map_or_else(
                    || format!("it has {}", BODY_KEYS.join(", ")),
                    |near| format!("did you mean `{near}`?"),
                );
                return Err(error(format!(
                    "the body of a search has no `{key}`; {advice}"
                )));
            }
            let value = to_json(value)?;
            match (key.as_str(), value) {
                ("sort", Value::Array(keys)) => search.sort = keys,
                ("sort", _) => return Err(error("`sort` is a list of `#{ name, order }`")),
                (_, value) => {
                    search.given.insert(key.to_string(), value);
                }
            }
        }
        Ok(search)
    }

    /// What is searched among, if it says so.
    fn doc_types(&self) -> Vec<&str> {
        let listed = self.given.get("doc_types").and_then(Value::as_array);
        listed
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect()
    }

    fn body(&self) -> Body {
        let mut body = self.given.clone();
        let mut filters: Vec<Value> = body.remove("filter").into_iter().collect();
        if !self.excluded.is_empty() {
            filters.push(json!({ "operator": "NOT", "terms": self.excluded }));
        }
        if !(self.terms.is_empty() && filters.is_empty()) {
            let mut filter = json!({ "operator": "AND" });
            for (key, parts) in [("terms", &self.terms), ("filters", &filters)] {
                if !parts.is_empty() {
                    filter[key] = parts.clone().into();
                }
            }
            body.insert("filter".to_owned(), filter);
        }
        body
    }

    /// The body of one page, in an order that has no ties, so that a page begins where the last one ended.
    pub(super) fn page_body(&self) -> Body {
        let mut body = self.body();
        let asks = ["include_fields", "exclude_fields", "metadata_view_id"];
        if !self.shown.is_empty() || !asks.iter().any(|key| body.contains_key(*key)) {
            let given = body.remove("include_fields");
            let given = given.as_ref().and_then(Value::as_array);
            let mut fields: Vec<String> = SHOWN.iter().map(ToString::to_string).collect();
            let more = given.into_iter().flatten().filter_map(Value::as_str);
            for field in more.map(ToOwned::to_owned).chain(self.shown.clone()) {
                if !fields.contains(&field) {
                    fields.push(field);
                }
            }
            body.insert("include_fields".to_owned(), fields.into());
        }
        let mut sort = self.sort.clone();
        if !sort.iter().any(|key| key.get("name") == Some(&json!("id"))) {
            sort.push(json!({ "name": "id", "order": "asc" }));
        }
        body.insert("sort".to_owned(), sort.into());
        body
    }

    /// The body for a walk, which has an order of its own and shows nothing to the rule.
    pub(super) fn objects_body(&self) -> Fallible<Value> {
        if !self.sort.is_empty() {
            return Err(error(
                "`each` goes through what is found in an order of its own; take `.sort(…)` out",
            ));
        }
        let doc_types = self.doc_types();
        let walkable = |doc_type: &&str| matches!(*doc_type, "assets" | "collections");
        if doc_types.is_empty() || !doc_types.iter().all(walkable) {
            return Err(error(
                "`each` goes through assets and collections only: `doc_types` names what a search is among",
            ));
        }
        let mut body = self.body();
        body.insert("include_fields".to_owned(), json!(["id", "object_type"]));
        for key in ["exclude_fields", "facets", "metadata_view_id"] {
            body.remove(key);
        }
        Ok(body.into())
    }

    /// Shows more of each object.
    fn show(&mut self, context: &Context<'_>, names: &Array) -> Fallible<()> {
        for name in names {
            let name = name
                .as_immutable_string_ref()
                .map_err(|_| error("`fields` takes a list of names"))?;
            let field = Field::look_up(context, self, &name)?;
            self.shown.push(field.name);
        }
        Ok(())
    }

    fn sort(&mut self, context: &Context<'_>, name: &str, order: &str) -> Fallible<()> {
        if !matches!(order, "asc" | "desc") {
            return Err(error(format!(
                "an order is \"asc\" or \"desc\", not \"{order}\""
            )));
        }
        let name = Field::look_up(context, self, name)?.name;
        self.sort.push(json!({ "name": name, "order": order }));
        Ok(())
    }

    fn words(&mut self, words: &str) -> Fallible<()> {
        if words.trim().is_empty() {
            return Err(error("`text` takes the words that are searched for"));
        }
        let mut query = String::with_capacity(words.len());
        for letter in words.trim().chars() {
            if SPECIAL.contains(letter) {
                query.push('\\');
            }
            query.push(letter);
        }
        self.given.insert("query".to_owned(), query.into());
        Ok(())
    }
}

/// The query with its search changed; an error where it is none, or more than one.
fn changed(
    context: &Context<'_>,
    objects: &Objects,
    change: impl FnOnce(&mut Search) -> Fallible<()>,
) -> Fallible<Objects> {
    let [Source::Search(search)] = objects.sources.as_slice() else {
        return Err(error(
            "this is a part of a search; say it of each search before it is added to something else",
        ));
    };
    let mut search = search.clone();
    change(&mut search)?;
    Objects::of(context, Source::Search(search))
}

fn doc(
    place: Place,
    signature: &'static str,
    about: &'static str,
    example: &'static str,
) -> FunctionDoc {
    FunctionDoc {
        place,
        signature,
        about,
        example,
    }
}

pub(super) fn register(registry: &mut Registry) {
    register_beginnings(registry);
    register_parts(registry);
    condition::register(registry);
    saved::register(registry);
}

fn register_beginnings(registry: &mut Registry) {
    const BEGINNINGS: [(&str, &str, &str, &str); 3] = [
        (
            "assets()",
            "A search among assets, as a Query. What a search finds may lag behind by a minute: read the object again before \
             you act on it.",
            "for found in search::assets().field(\"Rights.owner\").equals(\"archive\") { log::info(found.title); }",
            "assets",
        ),
        (
            "collections()",
            "A search among collections, likewise.",
            "for found in search::collections().text(\"Finals\") { log::info(found.id); }",
            "collections",
        ),
        (
            "segments()",
            "A search among segments (markers, comments and so on), likewise. `each` cannot go through them.",
            "for found in search::segments().field(\"segment_type\").equals(\"MARKER\") { log::info(found.id); }",
            "segments",
        ),
    ];
    for (signature, about, example, doc_type) in BEGINNINGS {
        registry.add(
            doc(SEARCH, signature, about, example),
            move |context: Context<'_>| {
                let search = Search::of_type(doc_type);
                Objects::of(&context, Source::Search(Box::new(search)))
            },
        );
    }
    registry.add(
        doc(
            SEARCH,
            "query(body)",
            "A search by a body in Iconik's own words (`SearchCriteriaSchema`), for what has no function: `doc_types`, `query`, \
             `filter`, `include_fields` and so on. Paging is the gateway's.",
            "let found = search::query(#{ doc_types: [\"assets\"], query: \"news OR sport\" });\n\
             for asset in found { log::info(asset.title); }",
        ),
        |context: Context<'_>, body: Map| {
            let search = Search::of_body(&body)?;
            Objects::of(&context, Source::Search(Box::new(search)))
        },
    );
}

fn register_parts(registry: &mut Registry) {
    registry.add(
        doc(
            QUERY,
            "field(name)",
            "Begins a condition on a field: `\"View.field\"` for metadata, whose view is looked up, or a key of the object \
             itself such as `\"status\"` or `\"date_created\"` (the `…Elastic…` schemas of Iconik's assets document). Every \
             condition must hold.",
            "let old = search::assets().field(\"date_created\").before(time::now().minus(\"7d\"));\nlog::info(old.ids().len());",
        ),
        |context: Context<'_>, objects: &mut Objects, name: &str| -> Fallible<Condition> {
            let mut field = None;
            let objects = changed(&context, objects, |search| {
                field = Some(Field::look_up(&context, search, name)?);
                Ok(())
            })?;
            let field = field.ok_or_else(|| error("the field was not looked up"))?;
            Ok(Condition { objects, field })
        },
    );
    registry.add(
        doc(
            QUERY,
            "text(words)",
            "Searches for words, wherever Iconik looks for them. Signs that would mean something there are taken as \
             themselves (with a backslash, as in Lucene: inferred).",
            "for asset in search::assets().text(\"Evening News\") { log::info(asset.title); }",
        ),
        |context: Context<'_>, objects: &mut Objects, words: &str| {
            changed(&context, objects, |search| search.words(words))
        },
    );
    registry.add(
        doc(
            QUERY,
            "fields(names)",
            "Shows more of each object than `id`, `object_type` and `title`: names as in `field`. Metadata are shown under \
             `metadata`, as the index holds them: without types.",
            "for asset in search::assets().fields([\"status\", \"Rights.owner\"]) { log::info(asset.status); }",
        ),
        |context: Context<'_>, objects: &mut Objects, names: Array| {
            changed(&context, objects, |search| search.show(&context, &names))
        },
    );
    registry.add(
        doc(
            QUERY,
            "sort(name)",
            "Orders what is found by a field, the smallest first; a second `sort` decides between equal ones.",
            "for asset in search::assets().sort(\"date_created\") { log::info(asset.title); break; }",
        ),
        |context: Context<'_>, objects: &mut Objects, name: &str| {
            changed(&context, objects, |search| search.sort(&context, name, "asc"))
        },
    );
    registry.add(
        doc(
            QUERY,
            "sort(name, order)",
            "The same with `\"asc\"` or `\"desc\"`.",
            "for asset in search::assets().sort(\"date_created\", \"desc\") { log::info(asset.title); break; }",
        ),
        |context: Context<'_>, objects: &mut Objects, name: &str, order: &str| {
            changed(&context, objects, |search| search.sort(&context, name, order))
        },
    );
}
