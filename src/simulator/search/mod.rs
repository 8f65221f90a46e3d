//! Searches: what is asked (`condition`, `query`), in which order it comes (`order`), how it is shown
//! (`answer`).
//!
//! A search reads the index, so it is behind by the index's lag. It finds what lies in the trash as well,
//! because clients filter for `status` `ACTIVE`; that without `doc_types` everything is searched is inferred.

mod answer;
mod condition;
mod field;
mod lexer;
mod order;
mod query;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::index::Shown;
use super::operation::{Ask, Done};
use super::paging::{Bounds, Cut};
use super::refusal::Refusal;
use super::routes::{Routes, reading};
use super::shape::{Extent, Key, Kind, checked, key};
use super::table::Document;
use super::world::World;
use crate::model::Method::Post;
use answer::Presentation;
use condition::Condition;
use field::Candidate;
use order::Order;

/// The keys of `SearchCriteriaSchema`.
const KEYS: [Key; 11] = [
    key("doc_types", Kind::List).nullable(),
    key("query", Kind::Text).nullable(),
    key("filter", Kind::Object).nullable(),
    key("facets", Kind::List).nullable(),
    key("facets_filters", Kind::List).nullable(),
    key("include_fields", Kind::List).nullable(),
    key("exclude_fields", Kind::List).nullable(),
    key("search_fields", Kind::List).nullable(),
    key("metadata_view_id", Kind::Id).nullable(),
    key("sort", Kind::List).nullable(),
    key("search_after", Kind::List).nullable(),
];

/// The kinds of objects that a search may name. Saved searches there are none of here.
const DOC_TYPES: [&str; 5] = [
    "assets",
    "collections",
    "segments",
    "saved_searches",
    "saved_search_groups",
];

pub(super) fn routes() -> Routes {
    Routes::new().route("/search/v1/search/", reading(Post, search))
}

/// The words by which other lists let themselves be filtered.
#[derive(Debug)]
pub(super) struct Query(Condition);

impl Query {
    /// The `query` of a list; words without a field are looked for in this one.
    ///
    /// # Errors
    ///
    /// 400 for what cannot be read or is not carried out.
    pub(super) fn of(
        ask: &Ask,
        field: &str,
        known: &BTreeMap<String, Arc<Document>>,
    ) -> Result<Self, Refusal> {
        let words = ask.query.get("query").map_or("", String::as_str);
        query::condition(words, &[field], known).map(Self)
    }

    /// Whether an object is meant.
    pub(super) fn means(
        &self,
        object_type: &'static str,
        document: &Arc<Document>,
        shown: &Shown,
    ) -> bool {
        self.0.holds(&Candidate {
            object_type,
            document,
            shown,
        })
    }
}

fn search(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    if ask.flag("scroll") || ask.query.contains_key("scroll_id") {
        let message = "This simulator does not scroll through searches; use search_after";
        return Err(Refusal::invalid("scroll", message));
    }
    carry_out(world, ask, &ask.body()?).map(Done::ok)
}

/// The answer to a search with this body.
///
/// # Errors
///
/// 400 for what cannot be read or is not carried out.
pub(super) fn carry_out(
    world: &mut World,
    ask: &Ask,
    body: &Document,
) -> Result<Document, Refusal> {
    let asked = checked(body, &KEYS, Extent::Part)?;
    let view = match asked.get("metadata_view_id").and_then(Value::as_str) {
        Some(id) => Some(world.views.get(id).ok_or_else(|| {
            let message = "There is no such metadata view";
            Refusal::invalid("metadata_view_id", message)
        })?),
        None => None,
    };
    let wanted = Wanted::of(&asked, &world.fields)?;
    let order = Order::asked(asked.get("sort"), &world.fields)?;
    let after = order.after(asked.get("search_after"))?;
    let bounds = match after {
        Some(_) => Bounds::CONTENTS,
        None => Bounds::INDEXED,
    };
    let cut = Cut::asked(&ask.query, bounds)?;
    let presentation = Presentation::asked(&asked, view, &world.fields)?;

    let shown = world.index.shown(ask.caller.now);
    let matches: Vec<_> = wanted.among(shown).collect();
    let total = matches.len();
    let facets = presentation.facets(&matches);
    let mut found: Vec<_> = matches
        .into_iter()
        .map(|candidate| (order.keys(&candidate), candidate))
        .collect();
    let mut skipped = cut.skipped();
    if let Some(after) = &after {
        found.retain(|(keys, _)| order.compare(keys, after).is_gt());
        skipped = 0;
    }
    // Only the objects up to the end of the page need to be in order.
    let end = skipped + cut.per_page;
    if end < found.len() {
        found.select_nth_unstable_by(end, |(left, _), (right, _)| order.compare(left, right));
        found.truncate(end);
    }
    found.sort_by(|(left, _), (right, _)| order.compare(left, right));
    let objects = found.iter().skip(skipped);
    let objects = objects.map(|(keys, it)| presentation.object(it, keys));
    let objects = objects.collect();
    let mut answer = cut.answer(objects, total, &ask.path(), &ask.query, bounds)?;
    answer.insert("facets".to_owned(), Value::Object(facets));
    Ok(answer)
}

/// What a search looks for.
struct Wanted {
    doc_types: Vec<&'static str>,
    condition: Condition,
}

impl Wanted {
    fn of(asked: &Document, known: &BTreeMap<String, Arc<Document>>) -> Result<Self, Refusal> {
        let doc_types = match texts(asked, "doc_types")? {
            named if named.is_empty() => DOC_TYPES.to_vec(),
            named => named
                .into_iter()
                .map(|name| DOC_TYPES.into_iter().find(|known| *known == name))
                .collect::<Option<_>>()
                .ok_or_else(|| {
                    let message = format!("Must be some of: {}", DOC_TYPES.join(", "));
                    Refusal::invalid("doc_types", message)
                })?,
        };
        let mut parts = Vec::new();
        let fields = match texts(asked, "search_fields")? {
            named if named.is_empty() => vec!["title", "segment_text"],
            named => named,
        };
        if let Some(words) = asked.get("query").and_then(Value::as_str) {
            parts.push(query::condition(words, &fields, known)?);
        }
        if let Some(Value::Object(filter)) = asked.get("filter") {
            // An empty filter is sent by clients that have none.
            if !filter.is_empty() {
                parts.push(Condition::of_filter(filter, known)?);
            }
        }
        let chosen = asked.get("facets_filters").and_then(Value::as_array);
        for term in chosen.into_iter().flatten() {
            let message = "Each entry must be an object";
            let term = term.as_object();
            let term = term.ok_or_else(|| Refusal::invalid("facets_filters", message))?;
            parts.push(condition::of_term(term, known)?);
        }
        Ok(Self {
            doc_types,
            condition: Condition::All(parts),
        })
    }

    /// What of the index is wanted.
    fn among<'a>(&self, shown: &'a Shown) -> impl Iterator<Item = Candidate<'a>> {
        let tables = self.doc_types.iter().filter_map(|object_type| {
            let table = match *object_type {
                "assets" => &shown.assets,
                "collections" => &shown.collections,
                "segments" => &shown.segments,
                _ => return None,
            };
            Some((*object_type, table))
        });
        let candidates = tables.flat_map(move |(object_type, table)| {
            table.iter().map(move |document| Candidate {
                object_type,
                document,
                shown,
            })
        });
        candidates.filter(|candidate| self.condition.holds(candidate))
    }
}

/// The texts of a list.
fn texts<'a>(asked: &'a Document, key: &str) -> Result<Vec<&'a str>, Refusal> {
    let list = asked.get(key).and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .map(Value::as_str)
        .collect::<Option<_>>()
        .ok_or_else(|| Refusal::invalid(key, "Must be a list of texts"))
}
