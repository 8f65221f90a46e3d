//! Favourites of the user who asks: assets and collections.

use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::operation::{Ask, Done};
use super::paging::{Bounds, Row, page};
use super::refusal::Refusal;
use super::routes::{Routes, operations};
use super::shape::{Extent, Key, Kind, checked, key};
use super::shelf::Place;
use super::table::{Document, text};
use super::works::ids;
use super::world::{World, document};
use crate::model::Method::{Delete, Get, Post};

/// The keys of `BulkAddToFavoritesSchema`.
const KEYS: [Key; 2] = [
    key("object_ids", Kind::TextList).required(),
    key("object_type", Kind::OneOf(&["assets", "collections"])).required(),
];

const SHELF: &str = "favourites";

pub(super) fn routes() -> Routes {
    Routes::new()
        .route(
            "/assets/v1/favorites/",
            operations([(Get, list), (Post, add), (Delete, remove)]),
        )
        .route("/assets/v1/favorites/all/", operations([(Delete, clear)]))
        .route("/assets/v1/favourites/all/", operations([(Delete, clear)]))
}

fn place(ask: &Ask) -> Place {
    [("user_id", ask.caller.user_id.as_str())]
        .into_iter()
        .collect()
}

fn list(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let place = place(ask);
    let favoured: Vec<_> = world
        .shelf(SHELF)
        .into_iter()
        .flat_map(|shelf| shelf.at(&place))
        .filter_map(|it| match text(it, "object_type") {
            "assets" => Some((world.assets.shared(text(it, "object_id"))?, "assets")),
            _ => Some((
                world.collections.shared(text(it, "object_id"))?,
                "collections",
            )),
        })
        .map(|(document, object_type)| {
            let mut document = Document::clone(document);
            document.insert("favoured".to_owned(), json!(true));
            (Arc::new(document), object_type)
        })
        .collect();
    let rows = favoured.iter();
    let rows = rows.map(|(document, object_type)| Row::typed(document, object_type));
    page(rows.collect(), &ask.path(), &ask.query, Bounds::PLAIN).map(Done::ok)
}

fn add(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let given = checked(&ask.body()?, &KEYS, Extent::Whole)?;
    let object_type = text(&given, "object_type");
    let ids = ids(&given, "object_ids")?;
    if let Some(unknown) = ids.iter().find(|id| !world.has_object(object_type, id)) {
        return Err(Refusal::not_found("Object", unknown));
    }
    for id in &ids {
        let place = place(ask);
        let favourite = document(json!({ "object_type": object_type, "object_id": id }));
        let row = place.row(id);
        world.shelf_mut(SHELF).put(&row, place, favourite);
    }
    Ok(Done::ok(Value::Object(given)))
}

fn remove(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let given = checked(&ask.body()?, &KEYS, Extent::Whole)?;
    for id in ids(&given, "object_ids")? {
        world.shelf_mut(SHELF).remove(&place(ask).row(&id));
    }
    Ok(Done::ok(Value::Object(given)))
}

fn clear(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let own = place(ask);
    world.shelf_mut(SHELF).forget(|_, place| *place == own);
    Ok(Done::bare(StatusCode::ACCEPTED))
}
