//! Shares: links by which people without a login see an object.

use axum::http::StatusCode;

use serde_json::{Value, json};

use super::operation::{Ask, Change, Done};
use super::paging::{Bounds, Row, page};
use super::refusal::Refusal;
use super::resource::Verb::{Create, Edit, List, Read, Remove, Replace};
use super::resource::{Listing, Resource, Verb};
use super::routes::{Routes, operations, verbs};
use super::shape::{Begin, Extent, Key, Kind, checked, key, made};
use super::shelf::Shelf;
use super::table::{Document, text};
use super::works::ids;
use super::world::World;
use crate::model::Method::{Delete, Get, Post};

/// The keys of `ShareSchema`.
const SHARE_KEYS: [Key; 27] = [
    key("allow_approving_comments", Kind::Flag).required(),
    key("allow_comments", Kind::Flag).required(),
    key("allow_custom_actions", Kind::Flag).or(Begin::Flag(false)),
    key("allow_download", Kind::Flag).required(),
    key("allow_download_proxy", Kind::Flag).or(Begin::Flag(false)),
    key("allow_setting_approve_status", Kind::Flag).required(),
    key("allow_upload", Kind::Flag).or(Begin::Flag(false)),
    key("allow_user_search_for_mentions", Kind::Flag).or(Begin::Flag(false)),
    key("allow_view_transcriptions", Kind::Flag).or(Begin::Flag(false)),
    key("allow_view_versions", Kind::Flag).or(Begin::Flag(false)),
    made("date_created", Begin::Now),
    key("emails", Kind::TextList),
    key("expires", Kind::Time),
    made("has_password", Begin::Flag(false)),
    made("id", Begin::NewId),
    key("is_approval", Kind::Flag).or_null(),
    key("message", Kind::Text),
    key("metadata_views", Kind::TextList).or_null(),
    made("object_id", Begin::Param("object_id")),
    made("object_type", Begin::Param("object_type")),
    made("owner_id", Begin::Caller),
    key("password", Kind::Text).nullable(),
    key("project_id", Kind::Id).or_null(),
    key("show_watermark", Kind::Flag).or_null(),
    made("system_domain_id", Begin::Domain),
    key("title", Kind::Text),
    key("upload_storage_id", Kind::Id).or_null(),
];

static SHARE: Resource = Resource::new("Share", "share_id", &SHARE_KEYS)
    .listed(Listing::After)
    .created(StatusCode::ACCEPTED)
    .raising("assets", "shares")
    .settled(settle);

/// The keys of `ShareUserSchema`.
const SHARE_USER_KEYS: [Key; 8] = [
    made("access_count", Begin::Whole(0)),
    key("email", Kind::Text).required(),
    made("id", Begin::NewId),
    key("internal_user_id", Kind::Text),
    made("object_id", Begin::Param("object_id")),
    made("object_type", Begin::Param("object_type")),
    key("password", Kind::Text),
    made("share_id", Begin::Param("share_id")),
];

static SHARE_USER: Resource =
    Resource::new("Share user", "share_user_id", &SHARE_USER_KEYS).listed(Listing::After);

pub(super) fn routes() -> Routes {
    Routes::new()
        .route(
            "/assets/v1/{object_type}/{object_id}/shares/",
            verbs(&SHARE, [List, Create]),
        )
        .route(
            "/assets/v1/{object_type}/{object_id}/shares/{share_id}/",
            verbs(&SHARE, [Read, Replace, Remove]),
        )
        .route(
            "/assets/v1/{object_type}/{object_id}/shares/{share_id}/users/",
            verbs(&SHARE_USER, [List, Create]),
        )
        .route(
            "/assets/v1/{object_type}/{object_id}/shares/{share_id}/users/{share_user_id}/",
            verbs(&SHARE_USER, [Read, Edit, Replace, Remove]),
        )
        .route("/assets/v1/shares/", operations([(Get, list)]))
        .route("/assets/v1/shares/all/", operations([(Get, list)]))
        .route(
            "/assets/v1/shares/bulk/",
            operations([(Delete, remove_many)]),
        )
        .route(
            "/assets/v1/shares/bulk/all/",
            operations([(Delete, remove_many)]),
        )
        .route(
            "/assets/v1/{object_type}/{object_id}/shares/url/",
            operations([(Post, create_url)]),
        )
}

/// The keys by which a share by URL differs: it names nobody.
const URL_KEYS: [Key; 1] = [key("title", Kind::Text).nullable()];

/// Whoever is invited is told by mail and not shown; a password is kept from view.
fn settle(_: &mut World, _: &Ask, verb: Verb, share: &mut Document) -> Result<(), Refusal> {
    if share.remove("emails").is_none() && verb == Create {
        return Err(Refusal::invalid("emails", "This field is required"));
    }
    let has_password = share.remove("password").is_some_and(|it| it.is_string());
    share.insert("has_password".to_owned(), json!(has_password));
    Ok(())
}

/// All shares of the domain, oldest first.
fn list(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let shares = world.shelf("share_id").into_iter();
    let rows = shares.flat_map(Shelf::iter).map(Row::plain).collect();
    page(rows, &ask.path(), &ask.query, Bounds::PLAIN).map(Done::ok)
}

fn remove_many(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let keys = [key("share_ids", Kind::TextList).required()];
    let given = checked(&ask.body()?, &keys, Extent::Whole)?;
    let removed = ids(&given, "share_ids")?.into_iter();
    let removed = removed.filter_map(|id| world.shelf_mut("share_id").remove(&id));
    let removed: Vec<_> = removed.collect();
    let changes = removed.iter().map(|share| changed("delete", share));
    Ok(Done::no_content().with(changes))
}

fn create_url(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    world.check_exists("object_id", ask.param("object_id"), ask)?;
    let mut body = ask.body()?;
    checked(&body, &URL_KEYS, Extent::Part)?;
    body.insert("emails".to_owned(), json!([]));
    body.retain(|_, value| !value.is_null());
    let mut share = SHARE.add(world, ask, &body)?;
    let id = text(&share, "id").to_owned();
    let change = changed("create", &share);
    share.insert(
        "url".to_owned(),
        json!(format!("https://app.iconik.io/share/{id}/")),
    );
    if let Some(kept) = world.shelf_mut("share_id").get_mut(&id) {
        kept.insert("url".to_owned(), share["url"].clone());
    }
    Ok(Done::ok(share).with([change]))
}

fn changed(operation: &'static str, share: &Document) -> Change {
    let event_type = match text(share, "object_type") {
        "collections" => "collections",
        _ => "assets",
    };
    let kind = (event_type, "shares", operation);
    Change::new(kind, text(share, "id"), Value::Object(share.clone()))
}
