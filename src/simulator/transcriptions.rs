//! Transcriptions of a version: their properties here, their words in segments of type TRANSCRIPTION.

use axum::http::StatusCode;

use super::operation::{Ask, Done};
use super::refusal::Refusal;
use super::resource::Verb::{Create, Edit, List, Read, Remove, Replace};
use super::resource::{Listing, Resource};
use super::routes::{Routes, operations, verbs};
use super::shape::{Begin, Extent, Key, Kind, checked, key, made};
use super::world::World;
use crate::model::Method::Post;

/// The keys of `AssetTranscriptionPropertiesSchema`.
const PROPERTIES_KEYS: [Key; 6] = [
    made("asset_id", Begin::Param("asset_id")),
    made("id", Begin::NewId),
    key("language", Kind::Text),
    key("speaker_labels", Kind::Texts).or(Begin::NoEntries),
    made("system_domain_id", Begin::Domain),
    made("version_id", Begin::Param("version_id")),
];

static PROPERTIES: Resource = Resource::new("Transcription", "transcription_id", &PROPERTIES_KEYS)
    .listed(Listing::Whole)
    .created(StatusCode::OK);

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/assets/v1/assets/{asset_id}/versions/{version_id}/transcriptions/properties/", verbs(&PROPERTIES, [List, Create]))
        .route("/assets/v1/assets/{asset_id}/versions/{version_id}/transcriptions/{transcription_id}/properties/", verbs(&PROPERTIES, [Read, Edit, Replace, Remove]))
        .route(
            "/assets/v1/assets/{asset_id}/versions/{version_id}/transcriptions/subtitles/",
            operations([(Post, take_subtitles)]),
        )
}

/// The writable keys of `AssetTranscriptionFromSubtitleSchema`.
const SUBTITLE_KEYS: [Key; 5] = [
    key("content", Kind::Text),
    key("delete_old_transcriptions", Kind::Flag),
    key("format", Kind::Text).nullable(),
    key("language", Kind::Text),
    key("source_subtitle_id", Kind::Id),
];

/// Makes the transcription; its words are not taken from the subtitles.
fn take_subtitles(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    world.asset(ask.param("asset_id"))?;
    world.check_exists("version_id", ask.param("version_id"), ask)?;
    let given = checked(&ask.body()?, &SUBTITLE_KEYS, Extent::Part)?;
    PROPERTIES.add(world, ask, &given).map(Done::ok)
}
