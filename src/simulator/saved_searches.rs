//! Saved searches and their groups. A saved search is carried out when it is read.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::operation::{Ask, Caller, Done};
use super::refusal::Refusal;
use super::resource::Verb::{Create, Edit, List, Read, Remove, Replace};
use super::resource::{Resource, Verb};
use super::routes::{Routes, operations, verbs};
use super::shape::{Begin, Extent, Key, Kind, checked, key, made};
use super::table::{Document, text};
use super::works::{self, Task};
use super::world::World;
use super::{collections, search};
use crate::model::Method::{Delete, Get, Post};

/// The keys of `SavedSearchSchema`.
const SAVED_SEARCH_KEYS: [Key; 7] = [
    key("criteria", Kind::Object).required(),
    made("date_created", Begin::Now),
    made("date_modified", Begin::Now),
    key("group_id", Kind::Id).or_null(),
    made("id", Begin::NewId),
    key("name", Kind::Text).required(),
    key("permissions", Kind::TextList).or(Begin::NoItems),
];

static SAVED_SEARCH: Resource =
    Resource::new("Saved search", "search_id", &SAVED_SEARCH_KEYS).settled(settle);

/// The keys of `SavedSearchGroupSchema`.
const GROUP_KEYS: [Key; 6] = [
    made("date_created", Begin::Now),
    made("date_modified", Begin::Now),
    made("id", Begin::NewId),
    key("name", Kind::Text).required(),
    made("system_domain_id", Begin::Domain),
    key("user_id", Kind::Id),
];

static GROUP: Resource = Resource::new("Group of saved searches", "search_group_id", &GROUP_KEYS);

pub(super) fn routes() -> Routes {
    Routes::new()
        .route(
            "/search/v1/search/saved/",
            verbs(&SAVED_SEARCH, [List, Create]),
        )
        .route(
            "/search/v1/search/saved/{search_id}/",
            verbs(&SAVED_SEARCH, [Edit, Replace, Remove]),
        )
        .route("/search/v1/search/saved/group/", verbs(&GROUP, [Create]))
        .route(
            "/search/v1/search/saved/group/{search_group_id}/",
            verbs(&GROUP, [Read, Edit, Replace, Remove]),
        )
        .route("/search/v1/search/saved/groups/", verbs(&GROUP, [List]))
        .route(
            "/search/v1/search/saved/{search_id}/",
            operations([(Get, carry_out)]),
        )
        .route(
            "/search/v1/search/saved/{search_id}/convert_to_collection/",
            operations([(Post, convert)]),
        )
        .route(
            "/search/v1/search/saved/group/{search_group_id}/search/{search_id}/",
            operations([(Post, join), (Delete, join)]),
        )
}

/// What the search finds now, with the search itself beside it.
fn carry_out(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let saved = SAVED_SEARCH.find(world, ask)?;
    let mut answer = search::carry_out(world, ask, &criteria(&saved))?;
    for key in ["id", "name"] {
        answer.insert(key.to_owned(), saved[key].clone());
    }
    answer.insert("search_criteria_document".to_owned(), Value::Object(saved));
    Ok(Done::ok(answer))
}

fn criteria(saved: &Document) -> Document {
    let criteria = saved.get("criteria").and_then(Value::as_object);
    criteria.cloned().unwrap_or_default()
}

/// Criteria that cannot be carried out are refused when they are saved; inferred.
fn settle(world: &mut World, ask: &Ask, _: Verb, saved: &mut Document) -> Result<(), Refusal> {
    search::carry_out(world, ask, &criteria(saved)).map(drop)
}

/// What the search finds when the job ends lies in the collection then.
fn convert(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let saved = SAVED_SEARCH.find(world, ask)?;
    let keys = [key("collection_id", Kind::Id).required()];
    let given = checked(&ask.body()?, &keys, Extent::Whole)?;
    let collection = text(&given, "collection_id").to_owned();
    world.collection(&collection)?;
    let title = format!("Converting {}", text(&saved, "name"));
    let task = Task {
        kind: "CONVERT_SAVED_SEARCH_TO_COLLECTION",
        title: &title,
        about: None,
    };
    let asked = ask.clone();
    let ending = Box::new(move |world: &mut World, caller: &Caller| {
        let found = search::carry_out(world, &asked, &criteria(&saved));
        let found = found.ok().and_then(|mut it| it.remove("objects"));
        let found = found
            .as_ref()
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let objects = found
            .filter_map(|it| Some((it.get("object_type")?.as_str()?, it.get("id")?.as_str()?)));
        objects
            .filter_map(|(kind, id)| collections::put_in(world, caller, &collection, kind, id))
            .collect()
    });
    works::accepted(world, &ask.caller, task, ending)
}

/// Puts a search into a group, or takes it out.
fn join(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let (group, search) = (ask.param("search_group_id"), ask.param("search_id"));
    world.check_exists("search_group_id", group, ask)?;
    let saved = world.shelf_mut("search_id").get_mut(search);
    let saved = saved.ok_or_else(|| Refusal::not_found("Saved search", search))?;
    let group = ask.is_post().then_some(group);
    saved.insert("group_id".to_owned(), json!(group));
    Ok(Done::bare(StatusCode::OK))
}
