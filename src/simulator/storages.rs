//! Storages, export locations, transcoders and analysis profiles: what an administrator sets up.

use axum::http::StatusCode;

use std::sync::Arc;

use serde_json::json;

use super::operation::{Ask, Done};
use super::paging::{Bounds, Row, page};
use super::refusal::Refusal;
use super::resource::Verb::{Create, Edit, List, Read, Remove, Replace};
use super::resource::{Listing, Resource, Verb};
use super::routes::{Routes, operations, verbs};
use super::shape::{Begin, Key, Kind, key, made};
use super::shelf::Shelf;
use super::table::{Document, text};
use super::world::World;
use crate::model::Method::{Delete, Get, Post};

/// The keys of `StorageSchema`.
const STORAGE_KEYS: [Key; 11] = [
    made("default", Begin::Flag(false)),
    key("description", Kind::Text).or_null(),
    made("id", Begin::NewId),
    key("last_scanned", Kind::Time).or_null(),
    key(
        "method",
        Kind::OneOf(&[
            "FILE", "HTTP", "FTP", "SFTP", "S3", "B2", "GCS", "PORTAL", "CUSTOM", "AZURE",
        ]),
    )
    .required(),
    key("name", Kind::Text).required(),
    key(
        "purpose",
        Kind::OneOf(&[
            "KEYFRAMES",
            "FILES",
            "PROXIES",
            "EXPORTS",
            "ARCHIVE",
            "FACES",
        ]),
    )
    .required(),
    key("scanner_status", Kind::Text).or_null(),
    key("settings", Kind::Object).required(),
    key("status", Kind::OneOf(&["ACTIVE", "INACTIVE", "FAILING"])),
    key("status_message", Kind::Text).or_null(),
];

static STORAGE: Resource = Resource::new("Storage", "storage_id", &STORAGE_KEYS).settled(settle);

/// The keys of `StorageAutoScanSchema`.
const AUTO_SCAN_KEYS: [Key; 1] = [key("hours_interval", Kind::Whole)];

static AUTO_SCAN: Resource = Resource::new("Automatic scan", "auto_scan", &AUTO_SCAN_KEYS)
    .one_each()
    .created(StatusCode::OK);

/// The keys of `ExportLocationSchema`.
const EXPORT_LOCATION_KEYS: [Key; 17] = [
    key("description", Kind::Text),
    key("export_metadata", Kind::Flag).or(Begin::Flag(false)),
    key("export_original", Kind::Flag).or(Begin::Flag(false)),
    key("export_posters", Kind::Flag).or(Begin::Flag(false)),
    key("export_proxy", Kind::Flag).or(Begin::Flag(false)),
    key("export_to_asset_folder", Kind::Flag).or(Begin::Flag(false)),
    key("export_transcriptions", Kind::Flag).or(Begin::Flag(false)),
    made("id", Begin::NewId),
    key("include_original_extension", Kind::Flag).or(Begin::Flag(false)),
    key("metadata_format", Kind::OneOf(&["CSV", "JSON", "XML"])),
    key("metadata_view", Kind::Id),
    key("name", Kind::Text).required(),
    key("path", Kind::Text).required(),
    key("storage_id", Kind::Id).required(),
    made("system_domain_id", Begin::Domain),
    key("transcode_profile_ids", Kind::Ids).or(Begin::NoItems),
    key("transcription_format", Kind::OneOf(&["WEBVTT", "SRT"])),
];

static EXPORT_LOCATION: Resource = Resource::new(
    "Export location",
    "export_location_id",
    &EXPORT_LOCATION_KEYS,
)
.listed(Listing::After);

/// The keys of `TranscoderSchema`.
const TRANSCODER_KEYS: [Key; 4] = [
    made("id", Begin::NewId),
    key("name", Kind::Text).required(),
    key("settings", Kind::Object).required(),
    key(
        "type",
        Kind::OneOf(&[
            "VANTAGE",
            "FFMPEG",
            "EDIT_PROXY",
            "IMAGEMAGICK",
            "ENCODING_COM",
            "ZENCODER",
            "TELESTREAM_CLOUD",
            "ELEMENTAL_MEDIACONVERT",
            "ELEMENTAL_SERVER",
            "REDLINE",
            "ICONIK_EDGE_TRANSCODER",
            "WATCH_FOLDER_VIDEO",
            "EDITREADY",
            "FLICS",
            "WILDMOKA",
        ]),
    )
    .required(),
];

static TRANSCODER: Resource = Resource::new("Transcoder", "transcoder_id", &TRANSCODER_KEYS);

/// The keys of `AnalysisProfileSchema`.
const PROFILE_KEYS: [Key; 8] = [
    key("analysis_service_account_id", Kind::Id).required(),
    key("enabled", Kind::Flag).or(Begin::Flag(false)),
    made("id", Begin::NewId),
    made("is_default", Begin::Flag(false)),
    key(
        "media_type",
        Kind::OneOf(&[
            "image",
            "video",
            "transcription",
            "face_image",
            "face_video",
        ]),
    )
    .required(),
    key("name", Kind::Text).required(),
    key(
        "service_type",
        Kind::OneOf(&[
            "GOOGLE_VISION",
            "GOOGLE_VIDEO_INTELLIGENCE",
            "AMAZON_REKOGNITION",
            "REV_AI",
            "ICONIK",
            "ICONIK_FACE_RECOGNITION",
        ]),
    ),
    key("settings", Kind::Object).or(Begin::NoEntries),
];

static PROFILE: Resource =
    Resource::new("Analysis profile", "profile_id", &PROFILE_KEYS).listed(Listing::After);

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/files/v1/storages/", operations([(Get, list)]))
        .route("/files/v1/storages/", verbs(&STORAGE, [Create]))
        .route(
            "/files/v1/storages/{storage_id}/",
            verbs(&STORAGE, [Read, Edit, Replace, Remove]),
        )
        .route(
            "/files/v1/storages/{storage_id}/auto_scan/",
            verbs(&AUTO_SCAN, [Create, Read, Remove]),
        )
        .route(
            "/files/v1/export_locations/",
            verbs(&EXPORT_LOCATION, [List, Create]),
        )
        .route(
            "/files/v1/export_locations/{export_location_id}/",
            verbs(&EXPORT_LOCATION, [Read, Edit, Replace, Remove]),
        )
        .route("/files/v1/transcoders/", verbs(&TRANSCODER, [List, Create]))
        .route(
            "/files/v1/transcoders/{transcoder_id}/",
            verbs(&TRANSCODER, [Read, Edit, Replace, Remove]),
        )
        .route(
            "/files/v1/analysis/profiles/",
            verbs(&PROFILE, [List, Create]),
        )
        .route(
            "/files/v1/analysis/profiles/{profile_id}/",
            verbs(&PROFILE, [Read, Edit, Replace, Remove]),
        )
        .route(
            "/files/v1/storages/matching/{purpose}/",
            operations([(Get, matching)]),
        )
        .route(
            "/files/v1/storages/matching/{purpose}/method/{method}/",
            operations([(Get, matching)]),
        )
        .route(
            "/files/v1/storages/{storage_id}/default/",
            operations([
                (Get, default_of_purpose),
                (Post, make_default),
                (Delete, make_default),
            ]),
        )
        .also(Get, "/files/v1/storages/{purpose}/default/")
        .route(
            "/files/v1/storages/{storage_id}/files/",
            operations([(Get, files)]),
        )
        .route(
            "/files/v1/analysis/profiles/{profile_id}/default/",
            operations([
                (Get, default_profile),
                (Post, make_default_profile),
                (Delete, make_default_profile),
            ]),
        )
        .also(Get, "/files/v1/analysis/profiles/{media_type}/default/")
}

/// A storage is active from the start; inferred.
fn settle(_: &mut World, _: &Ask, _: Verb, storage: &mut Document) -> Result<(), Refusal> {
    storage.entry("status").or_insert_with(|| json!("ACTIVE"));
    Ok(())
}

/// `?name=&purpose=&method=`.
fn list(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let wanted = ask.wanted(&["name", "purpose", "method", "status"]);
    STORAGE.list(world, ask, |storage| {
        wanted
            .iter()
            .all(|(key, value)| text(storage, key) == *value)
    })
}

fn all<'a>(world: &'a World, shelf: &str) -> impl Iterator<Item = &'a Arc<Document>> {
    world.shelf(shelf).into_iter().flat_map(Shelf::iter)
}

/// The default one of the purpose, or else the first.
fn matching(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let (purpose, method) = (ask.param("purpose"), ask.param("method"));
    let fitting = || {
        all(world, "storage_id").filter(|it| {
            text(it, "purpose") == purpose && (method.is_empty() || text(it, "method") == method)
        })
    };
    let default = fitting().find(|it| it.get("default") == Some(&json!(true)));
    let found = default.or_else(|| fitting().next());
    let found = found.ok_or_else(|| Refusal::not_found("Storage for", purpose))?;
    Ok(Done::ok(Document::clone(found)))
}

/// One path is two: `/storages/{purpose}/default/` and `/storages/{storage_id}/default/`.
fn default_of_purpose(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let purpose = ask.param("storage_id");
    let mut fitting = all(world, "storage_id").filter(|it| text(it, "purpose") == purpose);
    let found = fitting.find(|it| it.get("default") == Some(&json!(true)));
    let found = found.ok_or_else(|| Refusal::not_found("Default storage for", purpose))?;
    Ok(Done::ok(Document::clone(found)))
}

fn make_default(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let storage = STORAGE.find(world, ask)?;
    only(world, ask, "storage_id", ("purpose", "default"), &storage)
}

fn default_profile(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let media = ask.param("profile_id");
    let mut fitting = all(world, "profile_id").filter(|it| text(it, "media_type") == media);
    let found = fitting.find(|it| it.get("is_default") == Some(&json!(true)));
    let found = found.ok_or_else(|| Refusal::not_found("Default profile for", media))?;
    Ok(Done::ok(Document::clone(found)))
}

fn make_default_profile(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let profile = PROFILE.find(world, ask)?;
    only(
        world,
        ask,
        "profile_id",
        ("media_type", "is_default"),
        &profile,
    )
}

/// Makes one document the default of its kind, or no longer so; the others of the kind are not.
fn only(
    world: &mut World,
    ask: &Ask,
    shelf: &'static str,
    (kind, mark): (&str, &str),
    chosen: &Document,
) -> Result<Done, Refusal> {
    let alike = all(world, shelf).filter(|it| text(it, kind) == text(chosen, kind));
    let alike: Vec<_> = alike.map(|it| text(it, "id").to_owned()).collect();
    for id in alike {
        if let Some(document) = world.shelf_mut(shelf).get_mut(&id) {
            let is_default = ask.is_post() && id == text(chosen, "id");
            document.insert(mark.to_owned(), json!(is_default));
        }
    }
    Ok(match ask.is_post() {
        true => Done::bare(StatusCode::CREATED),
        false => Done::no_content(),
    })
}

/// The files of all assets that lie on the storage.
fn files(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let storage = ask.param("storage_id");
    world.check_exists("storage_id", storage, ask)?;
    let rows = world.files.iter();
    let rows = rows.filter(|file| text(file, "storage_id") == storage);
    let rows = rows.map(Row::plain).collect();
    page(rows, &ask.path(), &ask.query, Bounds::PLAIN).map(Done::ok)
}
