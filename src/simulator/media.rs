//! Proxies, keyframes and subtitles: what people see of a version. They are what was said about them; there is
//! nothing behind their URLs.

use serde_json::{Value, json};

use super::operation::{Ask, Caller, Change, Done};
use super::refusal::Refusal;
use super::resource::Verb::{Clear, Create, Edit, List, Read, Remove, Replace};
use super::resource::{Listing, Resource, Verb};
use super::routes::{Routes, operations, verbs};
use super::shape::{Begin, FILE_STATUSES, Key, Kind, key, made};
use super::table::{Document, text};
use super::world::{World, current_version, document};
use crate::model::Method::{Delete, Get, Post};

/// The keys of `ProxySchema`.
const PROXY_KEYS: [Key; 20] = [
    made("asset_id", Begin::Param("asset_id")),
    key("audio_bitrate", Kind::Whole),
    key("bit_rate", Kind::Whole),
    key("codec", Kind::Text),
    made("date_created", Begin::Now),
    made("date_modified", Begin::Now),
    key("filename", Kind::Text),
    key("format", Kind::Text),
    key("frame_rate", Kind::Text).or_null(),
    made("id", Begin::NewId),
    key("is_drop_frame", Kind::Flag).or_null(),
    made("is_public", Begin::Flag(false)),
    key("name", Kind::Text),
    key("resolution", Kind::Object),
    key("rotation", Kind::Whole).or_null(),
    key("size", Kind::Whole).or_null(),
    key("start_time_code", Kind::Text).or_null(),
    key("status", FILE_STATUSES),
    key("storage_id", Kind::Id),
    key("version_id", Kind::Id).nullable(),
];

static PROXY: Resource = Resource::new("Proxy", "proxy_id", &PROXY_KEYS)
    .raising("assets", "proxies")
    .settled(settle)
    .listed(Listing::After);

/// The keys of `KeyframeSchema`.
const KEYFRAME_KEYS: [Key; 18] = [
    made("asset_id", Begin::Param("asset_id")),
    key("collection_id", Kind::Id).or_null(),
    made("date_created", Begin::Now),
    made("date_modified", Begin::Now),
    key("filename", Kind::Text),
    key("format", Kind::Text).or_null(),
    made("id", Begin::NewId),
    key("is_custom_keyframe", Kind::Flag).or(Begin::Flag(false)),
    made("is_public", Begin::Flag(false)),
    key("name", Kind::Text),
    key("resolution", Kind::Object),
    key("rotation", Kind::Whole).or_null(),
    key("size", Kind::Whole).or_null(),
    key("status", FILE_STATUSES),
    key("storage_id", Kind::Id),
    key("time_code", Kind::Object),
    key("type", Kind::OneOf(&["KEYFRAME_MAP", "KEYFRAME", "POSTER"])).required(),
    key("version_id", Kind::Id).nullable(),
];

static KEYFRAME: Resource = Resource::new("Keyframe", "keyframe_id", &KEYFRAME_KEYS)
    .raising("assets", "keyframes")
    .settled(settle)
    .listed(Listing::After);

/// The keys of `SubtitleSchema`.
const SUBTITLE_KEYS: [Key; 8] = [
    made("asset_id", Begin::Param("asset_id")),
    key("closed_captions", Kind::Flag).required(),
    key("content", Kind::Text),
    key("format_id", Kind::Id).required(),
    made("id", Begin::NewId),
    key("language", Kind::Text).required(),
    key("name", Kind::Text),
    key("version_id", Kind::Id).nullable(),
];

static SUBTITLE: Resource = Resource::new("Subtitle", "subtitle_id", &SUBTITLE_KEYS)
    .raising("assets", "subtitles")
    .settled(settle_subtitle)
    .listed(Listing::After);

/// The keys of `CollectionKeyframeSchema`.
const COLLECTION_KEYFRAME_KEYS: [Key; 16] = [
    made("collection_id", Begin::Param("collection_id")),
    made("date_created", Begin::Now),
    made("date_modified", Begin::Now),
    key("filename", Kind::Text),
    key("format", Kind::Text).or_null(),
    made("id", Begin::NewId),
    key("is_custom_keyframe", Kind::Flag).or(Begin::Flag(false)),
    made("is_public", Begin::Flag(false)),
    key("name", Kind::Text),
    key("resolution", Kind::Object),
    key("rotation", Kind::Whole).or_null(),
    key("size", Kind::Whole).or_null(),
    key("status", FILE_STATUSES),
    key("storage_id", Kind::Id),
    key("time_code", Kind::Object),
    key("type", Kind::OneOf(&["KEYFRAME_MAP", "KEYFRAME", "POSTER"])).required(),
];

static COLLECTION_KEYFRAME: Resource =
    Resource::new("Keyframe", "keyframe_id", &COLLECTION_KEYFRAME_KEYS).listed(Listing::After);

pub(super) fn routes() -> Routes {
    Routes::new()
        .route(
            "/files/v1/assets/{asset_id}/proxies/",
            verbs(&PROXY, [List, Create]),
        )
        .route(
            "/files/v1/assets/{asset_id}/proxies/{proxy_id}/",
            verbs(&PROXY, [Read, Edit, Replace, Remove]),
        )
        .route(
            "/files/v1/assets/{asset_id}/keyframes/",
            verbs(&KEYFRAME, [List, Create]),
        )
        .route(
            "/files/v1/assets/{asset_id}/keyframes/{keyframe_id}/",
            verbs(&KEYFRAME, [Read, Edit, Replace, Remove]),
        )
        .route(
            "/files/v1/assets/{asset_id}/subtitles/",
            verbs(&SUBTITLE, [List, Create]),
        )
        .route(
            "/files/v1/assets/{asset_id}/subtitles/{subtitle_id}/",
            verbs(&SUBTITLE, [Edit, Replace, Remove]),
        )
        .route(
            "/files/v1/collections/{collection_id}/keyframes/",
            verbs(&COLLECTION_KEYFRAME, [List, Create]),
        )
        .route(
            "/files/v1/collections/{collection_id}/keyframes/{keyframe_id}/",
            verbs(&COLLECTION_KEYFRAME, [Read, Edit, Replace, Remove]),
        )
        .merge(routes_of_versions())
}

fn routes_of_versions() -> Routes {
    Routes::new()
        .route(
            "/files/v1/assets/{asset_id}/versions/all/proxies/",
            verbs(&PROXY, [Clear]),
        )
        .route(
            "/files/v1/assets/{asset_id}/versions/{version_id}/proxies/",
            verbs(&PROXY, [List, Clear]),
        )
        .route(
            "/files/v1/assets/{asset_id}/versions/all/keyframes/",
            verbs(&KEYFRAME, [Clear]),
        )
        .route(
            "/files/v1/assets/{asset_id}/versions/{version_id}/keyframes/",
            verbs(&KEYFRAME, [List, Clear]),
        )
        .route(
            "/files/v1/assets/{asset_id}/versions/all/subtitles/",
            verbs(&SUBTITLE, [Clear]),
        )
        .route(
            "/files/v1/assets/{asset_id}/versions/{version_id}/subtitles/",
            verbs(&SUBTITLE, [List, Clear]),
        )
        .route(
            "/files/v1/assets/{asset_id}/subtitles/{subtitle_id}/",
            operations([(Get, read_subtitle)]),
        )
        .also(Get, "/files/v1/assets/{asset_id}/subtitles/{language}/")
        .route(
            "/files/v1/assets/{asset_id}/subtitles/{subtitle_id}/webvtt/",
            operations([(Get, show_subtitle)]),
        )
        .route(
            "/files/v1/assets/{asset_id}/proxies/{proxy_id}/download_url/",
            operations([(Get, show_url)]),
        )
        .route(
            "/files/v1/assets/{asset_id}/proxies/{proxy_id}/public/",
            operations([(Post, publish_proxy), (Delete, publish_proxy)]),
        )
        .route(
            "/files/v1/assets/{asset_id}/keyframes/{keyframe_id}/public/",
            operations([(Post, publish_keyframe), (Delete, publish_keyframe)]),
        )
}

/// What belongs to a version belongs to the current one where nobody says otherwise, and is `OPEN` until it
/// is said to be uploaded; inferred.
fn settle(world: &mut World, ask: &Ask, _: Verb, media: &mut Document) -> Result<(), Refusal> {
    if media.get("version_id").is_none_or(Value::is_null) && !ask.param("asset_id").is_empty() {
        let version = current_version(world.asset(ask.param("asset_id"))?);
        media.insert("version_id".to_owned(), json!(version));
    }
    media.entry("status").or_insert_with(|| json!("OPEN"));
    if media.get("name").is_some() || media.get("filename").is_some() {
        let url = url(media);
        media.insert("url".to_owned(), json!(url));
    }
    Ok(())
}

/// It leads nowhere.
fn url(media: &Document) -> String {
    format!("https://storage.example.com/{}", text(media, "id"))
}

/// Subtitles have no status and no URL.
fn settle_subtitle(
    world: &mut World,
    ask: &Ask,
    _: Verb,
    subtitle: &mut Document,
) -> Result<(), Refusal> {
    if subtitle.get("version_id").is_none_or(Value::is_null) {
        let version = current_version(world.asset(ask.param("asset_id"))?);
        subtitle.insert("version_id".to_owned(), json!(version));
    }
    Ok(())
}

/// By its id, or by its language.
fn subtitle(world: &World, ask: &Ask) -> Result<Document, Refusal> {
    world.asset(ask.param("asset_id"))?;
    let place = [("asset_id", ask.param("asset_id"))].into_iter().collect();
    let name = ask.param("subtitle_id");
    let shelf = world.shelf("subtitle_id");
    let mut there = shelf.into_iter().flat_map(|shelf| shelf.at(&place));
    let found = there.find(|it| text(it, "id") == name || text(it, "language") == name);
    let found = found.ok_or_else(|| Refusal::not_found("Subtitle", name))?;
    Ok(Document::clone(found))
}

fn read_subtitle(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    subtitle(world, ask).map(Done::ok)
}

fn show_subtitle(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let subtitle = subtitle(world, ask)?;
    let content = match text(&subtitle, "content") {
        "" => "WEBVTT\n",
        content => content,
    };
    Ok(Done::text("text/vtt", content.to_owned()))
}

fn show_url(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let proxy = PROXY.find(world, ask)?;
    Ok(Done::ok(json!({ "url": url(&proxy) })))
}

fn publish_proxy(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let proxy = PROXY.find(world, ask)?;
    publish(world, ask, "proxy_id", &proxy)
}

fn publish_keyframe(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let keyframe = KEYFRAME.find(world, ask)?;
    publish(world, ask, "keyframe_id", &keyframe)
}

fn publish(
    world: &mut World,
    ask: &Ask,
    shelf: &'static str,
    media: &Document,
) -> Result<Done, Refusal> {
    let id = text(media, "id");
    let kept = world.shelf_mut(shelf).get_mut(id);
    let kept = kept.ok_or_else(|| Refusal::not_found("Object", id))?;
    kept.insert("is_public".to_owned(), json!(ask.is_post()));
    Ok(Done::created(kept.clone()))
}

/// The proxy that a finished transcoding leaves, and its event.
pub(super) fn drawn(world: &mut World, ask: &Ask, caller: &Caller) -> Option<Change> {
    let body = document(json!({ "name": "Proxy", "filename": "proxy.mp4", "status": "CLOSED" }));
    let ask = ask.on_behalf_of(caller);
    let proxy = PROXY.add(world, &ask, &body).ok()?;
    PROXY.change("create", &proxy)
}
