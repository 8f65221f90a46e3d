//! What happened to an asset, as far as somebody wrote it down: nothing writes entries by itself.

use axum::http::StatusCode;

use super::resource::Resource;
use super::resource::Verb::{Create, List, Read, Remove};
use super::routes::{Routes, verbs};
use super::shape::{Begin, Key, Kind, key, made};

/// The keys of `AssetHistorySchema`.
const HISTORY_KEYS: [Key; 11] = [
    made("asset_id", Begin::Param("asset_id")),
    made("date_created", Begin::Now),
    made("date_modified", Begin::Now),
    made("id", Begin::NewId),
    key("job_id", Kind::Id).or_null(),
    key("operation_description", Kind::Text).or_null(),
    key(
        "operation_type",
        Kind::OneOf(&[
            "EXPORT",
            "TRANSCODE",
            "ANALYZE",
            "ADD_FORMAT",
            "DELETE_FORMAT",
            "RESTORE_FORMAT",
            "DELETE_FILESET",
            "DELETE_FILE",
            "RESTORE_FILESET",
            "MODIFY_FILESET",
            "APPROVE",
            "REJECT",
            "DOWNLOAD",
            "METADATA",
            "CUSTOM",
            "TRANSCRIPTION",
            "VERSION_CREATE",
            "VERSION_DELETE",
            "VERSION_UPDATE",
            "VERSION_PROMOTE",
            "RESTORE",
            "RESTORE_FROM_GLACIER",
            "ARCHIVE",
            "RESTORE_ARCHIVE",
            "DELETE",
            "TRANSFER",
            "UNLINK_SUBCLIP",
            "FACE_RECOGNITION",
        ]),
    )
    .required(),
    key("share_id", Kind::Id).or_null(),
    key("share_user_id", Kind::Id).or_null(),
    made("system_domain_id", Begin::Domain),
    made("user_id", Begin::Caller),
];

static HISTORY: Resource = Resource::new("History entry", "history_entity_id", &HISTORY_KEYS)
    .shows_removed(StatusCode::CREATED);

pub(super) fn routes() -> Routes {
    Routes::new()
        .route(
            "/assets/v1/assets/{asset_id}/history/",
            verbs(&HISTORY, [List, Create]),
        )
        .route(
            "/assets/v1/assets/{asset_id}/history/{history_entity_id}/",
            verbs(&HISTORY, [Read, Remove]),
        )
}
