//! Playlists, sequences and projects: lists of objects that people put together. Items stay in the order in
//! which they were added.

use axum::http::StatusCode;

use super::operation::{Ask, Done};
use super::refusal::Refusal;
use super::resource::Verb::{Create, Edit, List, Read, Remove, Replace};
use super::resource::{Listing, Resource};
use super::routes::{Routes, operations, verbs};
use super::shape::{Begin, Key, Kind, key, made};
use super::world::World;
use crate::model::Method::Put;

/// The keys of `PlaylistSchema`.
const PLAYLIST_KEYS: [Key; 9] = [
    made("created_by_user", Begin::Caller),
    made("date_created", Begin::Now),
    made("date_modified", Begin::Now),
    made("id", Begin::NewId),
    made("item_count", Begin::Whole(0)),
    key("name", Kind::Text).required(),
    key("project_id", Kind::Id),
    key("status", Kind::OneOf(&["HIDDEN"])),
    made("system_domain_id", Begin::Domain),
];

static PLAYLIST: Resource = Resource::new("Playlist", "playlist_id", &PLAYLIST_KEYS);

/// The keys of `PlaylistItemSchema`.
const PLAYLIST_ITEM_KEYS: [Key; 6] = [
    made("id", Begin::NewId),
    key("object_id", Kind::Id).required(),
    key("object_type", Kind::OneOf(&["assets", "sequences"])).required(),
    key("time_end_milliseconds", Kind::Whole).or_null(),
    key("time_start_milliseconds", Kind::Whole).or_null(),
    key("version_id", Kind::Text),
];

static PLAYLIST_ITEM: Resource = Resource::new("Playlist item", "item_id", &PLAYLIST_ITEM_KEYS)
    .listed(Listing::Whole)
    .changed(StatusCode::CREATED);

/// The keys of `SequenceSchema`.
const SEQUENCE_KEYS: [Key; 6] = [
    made("created_by_user", Begin::Caller),
    made("date_created", Begin::Now),
    made("date_modified", Begin::Now),
    made("id", Begin::NewId),
    key("name", Kind::Text).required(),
    made("system_domain_id", Begin::Domain),
];

static SEQUENCE: Resource = Resource::new("Sequence", "sequence_id", &SEQUENCE_KEYS);

/// The keys of `SequenceItemSchema`.
const SEQUENCE_ITEM_KEYS: [Key; 5] = [
    made("id", Begin::NewId),
    key("object_id", Kind::Id).required(),
    key("object_type", Kind::OneOf(&["assets", "collections"])).required(),
    key("position", Kind::Whole),
    key("version_id", Kind::Id),
];

static SEQUENCE_ITEM: Resource =
    Resource::new("Sequence item", "sequence_item_id", &SEQUENCE_ITEM_KEYS).listed(Listing::Whole);

/// The keys of `ProjectSchema`.
const PROJECT_KEYS: [Key; 10] = [
    key("collection_id", Kind::Id),
    key("collection_parent_id", Kind::Id),
    made("created_by_user", Begin::Caller),
    made("date_created", Begin::Now),
    made("date_modified", Begin::Now),
    made("id", Begin::NewId),
    key("name", Kind::Text).required(),
    key("status", Kind::OneOf(&["ACTIVE"])),
    key("storage_id", Kind::Id).or_null(),
    made("system_domain_id", Begin::Domain),
];

static PROJECT: Resource =
    Resource::new("Project", "project_id", &PROJECT_KEYS).removed(StatusCode::ACCEPTED);

/// The keys of `ProjectMemberSchema`.
const MEMBER_KEYS: [Key; 6] = [
    made("created_by_user", Begin::Caller),
    made("date_created", Begin::Now),
    made("date_modified", Begin::Now),
    key("id", Kind::Id).required(),
    made("project_id", Begin::Param("project_id")),
    made("system_domain_id", Begin::Domain),
];

static MEMBER: Resource = Resource::new("Project member", "member_id", &MEMBER_KEYS)
    .named_by("id", "member_id")
    .listed(Listing::Whole);

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/assets/v1/playlists/", verbs(&PLAYLIST, [List, Create]))
        .route(
            "/assets/v1/playlists/{playlist_id}/",
            verbs(&PLAYLIST, [Read, Edit, Replace, Remove]),
        )
        .route(
            "/assets/v1/playlists/{playlist_id}/items/",
            verbs(&PLAYLIST_ITEM, [List, Create]),
        )
        .route(
            "/assets/v1/playlists/{playlist_id}/items/{item_id}/",
            verbs(&PLAYLIST_ITEM, [Edit, Replace, Remove]),
        )
        .route("/assets/v1/sequences/", verbs(&SEQUENCE, [List, Create]))
        .route(
            "/assets/v1/sequences/{sequence_id}/",
            verbs(&SEQUENCE, [Read, Edit, Replace, Remove]),
        )
        .route(
            "/assets/v1/sequences/{sequence_id}/items/",
            verbs(&SEQUENCE_ITEM, [List, Create]),
        )
        .route(
            "/assets/v1/sequences/{sequence_id}/items/{sequence_item_id}/",
            verbs(&SEQUENCE_ITEM, [Remove]),
        )
        .route("/assets/v1/projects/", verbs(&PROJECT, [List, Create]))
        .route(
            "/assets/v1/projects/{project_id}/",
            verbs(&PROJECT, [Read, Edit, Replace, Remove]),
        )
        .route(
            "/assets/v1/projects/{project_id}/members/",
            verbs(&MEMBER, [List, Create]),
        )
        .route(
            "/assets/v1/projects/{project_id}/members/{member_id}/",
            verbs(&MEMBER, [Read, Remove]),
        )
        .route(
            "/assets/v1/playlists/{playlist_id}/items/{item_id}/position/",
            operations([(Put, place_playlist_item)]),
        )
        .route(
            "/assets/v1/sequences/{sequence_id}/items/{sequence_item_id}/position/",
            operations([(Put, place_sequence_item)]),
        )
}

/// The order of the items is not kept, so a place is only taken note of.
fn place_playlist_item(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    PLAYLIST_ITEM.find(world, ask).map(Done::created)
}

fn place_sequence_item(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    SEQUENCE_ITEM.find(world, ask).map(Done::created)
}
