//! Relations between assets, and the types that they have.

use serde_json::{Value, json};

use super::operation::{Ask, Change, Done};
use super::paging::{Bounds, Row, page};
use super::refusal::Refusal;
use super::resource::Resource;
use super::resource::Verb::{Create, Edit, List, Read, Remove, Replace};
use super::routes::{Routes, operations, verbs};
use super::shape::{Begin, Extent, Key, Kind, checked, key, made};
use super::shelf::{Place, Shelf};
use super::table::{Document, text};
use super::world::{World, document, new_id, overlay};
use crate::model::Method::{Delete, Get, Post};

/// The keys of `RelationTypeSchema`.
const RELATION_TYPE_KEYS: [Key; 8] = [
    made("date_created", Begin::Now),
    made("date_modified", Begin::Now),
    key("description", Kind::Text).or_null(),
    key("destination_label", Kind::Text).required(),
    key("is_directional", Kind::Flag).or(Begin::Flag(false)),
    made("is_system", Begin::Flag(false)),
    key("name", Kind::Text).required(),
    key("source_label", Kind::Text).required(),
];

static RELATION_TYPE: Resource =
    Resource::new("Relation type", "relation_type", &RELATION_TYPE_KEYS)
        .named_by("name", "relation_type");

pub(super) fn routes() -> Routes {
    Routes::new()
        .route(
            "/assets/v1/assets/relation_types/",
            verbs(&RELATION_TYPE, [List, Create]),
        )
        .route(
            "/assets/v1/assets/relation_types/{relation_type}/",
            verbs(&RELATION_TYPE, [Read, Edit, Replace, Remove]),
        )
        .route(
            "/assets/v1/assets/{asset_id}/relations/",
            operations([(Get, list), (Post, relate)]),
        )
        .route(
            "/assets/v1/assets/{asset_id}/relations/{relation_type}/",
            operations([(Get, list)]),
        )
        .route(
            "/assets/v1/assets/{asset_id}/relations/{relation_type}/{related_to_asset_id}/",
            operations([(Post, relate), (Delete, part)]),
        )
        .route(
            "/assets/v1/assets/{asset_id}/relations/{relation_type}/{related_to_asset_id}/reverse/",
            operations([(Post, reverse)]),
        )
}

/// The writable keys of `RelationSchema`.
const KEYS: [Key; 3] = [
    key("description", Kind::Text).nullable(),
    key("related_to_asset_id", Kind::Id),
    key("relation_type", Kind::Text),
];

const SHELF: &str = "relations";

/// A relation of one asset to another, by its type.
#[derive(Clone, Copy)]
struct Ends<'a> {
    from: &'a str,
    kind: &'a str,
    to: &'a str,
}

impl Ends<'_> {
    fn place(self) -> Place {
        let parts = [("asset_id", self.from), ("related_to_asset_id", self.to)];
        parts.into_iter().collect()
    }

    fn row(self) -> String {
        self.place().row(self.kind)
    }
}

/// The assets to which this one is related, or which are related to it; inferred.
fn list(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let (id, kind) = (ask.param("asset_id"), ask.param("relation_type"));
    world.asset(id)?;
    let relations = world.shelf(SHELF).into_iter().flat_map(Shelf::iter);
    let others = relations
        .filter(|it| kind.is_empty() || text(it, "relation_type") == kind)
        .filter_map(
            |it| match (text(it, "asset_id"), text(it, "related_to_asset_id")) {
                (from, to) if from == id => Some(to),
                (from, to) if to == id => Some(from),
                _ => None,
            },
        );
    let rows = others.filter_map(|other| world.assets.shared(other));
    let rows = rows.map(|asset| Row::typed(asset, "assets")).collect();
    page(rows, &ask.path(), &ask.query, Bounds::PLAIN).map(Done::ok)
}

/// 201 for a new relation, 200 for one that is there.
fn relate(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let id = ask.param("asset_id");
    world.asset(id)?;
    let mut given = checked(&ask.given()?, &KEYS, Extent::Whole)?;
    for key in ["relation_type", "related_to_asset_id"] {
        if !ask.param(key).is_empty() {
            given.insert(key.to_owned(), json!(ask.param(key)));
        }
        if text(&given, key).is_empty() {
            return Err(Refusal::invalid(key, "This field is required"));
        }
    }
    let (kind, other) = (
        text(&given, "relation_type"),
        text(&given, "related_to_asset_id"),
    );
    if !world
        .shelf("relation_type")
        .is_some_and(|it| it.contains(&Place::default().row(kind)))
    {
        return Err(Refusal::invalid(
            "relation_type",
            "There is no such type of relation",
        ));
    }
    if !world.assets.contains(other) {
        return Err(Refusal::invalid(
            "related_to_asset_id",
            "There is no such asset",
        ));
    }
    let ends = Ends {
        from: id,
        kind,
        to: other,
    };
    let row = ends.row();
    let before = world.shelf(SHELF).and_then(|it| it.get(&row)).cloned();
    let is_new = before.is_none();
    let mut relation = before.unwrap_or_else(|| {
        document(json!({
            "asset_id": id,
            "date_created": ask.caller.stamp(),
            "description": null,
            "id": new_id(),
        }))
    });
    relation.insert("date_modified".to_owned(), ask.caller.stamp());
    let place = ends.place();
    overlay(&mut relation, given.clone());
    world.shelf_mut(SHELF).put(&row, place, relation.clone());
    let change = changed(if is_new { "create" } else { "update" }, &relation);
    let done = Done::ok(relation).with([change]);
    Ok(if is_new { done.with_201() } else { done })
}

fn named<'a>(world: &World, ask: &'a Ask) -> Result<Ends<'a>, Refusal> {
    let ends = Ends {
        from: ask.param("asset_id"),
        kind: ask.param("relation_type"),
        to: ask.param("related_to_asset_id"),
    };
    world.asset(ends.from)?;
    match world
        .shelf(SHELF)
        .is_some_and(|it| it.contains(&ends.row()))
    {
        true => Ok(ends),
        false => Err(Refusal::not_found("Relation to", ends.to)),
    }
}

fn part(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let row = named(world, ask)?.row();
    let gone = world.shelf_mut(SHELF).remove(&row);
    Ok(Done::no_content().with(gone.map(|relation| changed("delete", &relation))))
}

fn reverse(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let ends = named(world, ask)?;
    let turned = Ends {
        from: ends.to,
        to: ends.from,
        ..ends
    };
    let gone = world.shelf_mut(SHELF).remove(&ends.row());
    let mut relation = gone.map(|it| Document::clone(&it)).unwrap_or_default();
    relation.insert("asset_id".to_owned(), json!(turned.from));
    relation.insert("related_to_asset_id".to_owned(), json!(turned.to));
    relation.insert("date_modified".to_owned(), ask.caller.stamp());
    let place = turned.place();
    world
        .shelf_mut(SHELF)
        .put(&turned.row(), place, relation.clone());
    let change = changed("update", &relation);
    Ok(Done::ok(relation).with([change]))
}

fn changed(operation: &'static str, relation: &Document) -> Change {
    let kind = ("assets", "relations", operation);
    Change::new(kind, text(relation, "id"), Value::Object(relation.clone()))
}
