//! Transcoding, analysis, transcription.
//!
//! Everything here costs machine time and is never safe to start twice, so nearly everything acts, and the
//! one scope covers stopping as well.

use super::{Operation, acting, creating, get, idempotent};
use crate::model::Method::{Delete, Patch, Post, Put};

#[rustfmt::skip]
pub(super) static OPERATIONS: &[Operation] = &[
    acting(Post, "transcode/v1/analyze/assets/{asset_id}/", "transcode:write", &[], &["force", "force_type", "service_name"]),
    acting(Post, "transcode/v1/analyze/assets/{asset_id}/profiles/default/", "transcode:write", &[], &["force", "force_type", "service_name"]),
    acting(Post, "transcode/v1/analyze/assets/{asset_id}/profiles/default/{media_type}/", "transcode:write", &[], &[
        "force", "force_type", "service_name",
    ]),
    acting(Post, "transcode/v1/analyze/assets/{asset_id}/profiles/{profile_id}/", "transcode:write", &[], &["force", "force_type", "service_name"]),
    acting(Post, "transcode/v1/analyze/bulk/", "transcode:write", &["object_ids", "object_type"], &["force", "force_type", "profile_id"]),
    idempotent(Post, "transcode/v1/assets/link/metadata/", "transcode:write", &["url"], &[]),
    acting(Post, "transcode/v1/edge_transcode/jobs/{job_id}/acknowledge/", "transcode:write", &[], &[]),
    get("transcode/v1/edge_transcode/workers/"),
    creating(Post, "transcode/v1/edge_transcode/workers/", "transcode:write", &["status", "storage_id"], &[]),
    get("transcode/v1/edge_transcode/workers/{worker_id}/"),
    idempotent(Put, "transcode/v1/edge_transcode/workers/{worker_id}/", "transcode:write", &["status", "storage_id"], &[]),
    idempotent(Patch, "transcode/v1/edge_transcode/workers/{worker_id}/", "transcode:write", &[], &["status", "storage_id"]),
    idempotent(Delete, "transcode/v1/edge_transcode/workers/{worker_id}/", "transcode:write", &[], &[]),
    acting(Post, "transcode/v1/keyframes/collections/{collection_id}/", "transcode:write", &[], &[
        "deleted_asset_id", "force", "specified_asset_ids", "specified_keyframes",
    ]),
    acting(Delete, "transcode/v1/storages/{storage_id}/", "transcode:write", &[], &["error_message"]),
    get("transcode/v1/storages/{storage_id}/edge_transcode/jobs/"),
    idempotent(Delete, "transcode/v1/storages/{storage_id}/files/{file_id}/transcode/", "transcode:write", &[], &[]),
    get("transcode/v1/storages/{storage_id}/transcode/"),
    get("transcode/v1/storages/{storage_id}/transcode/{record_id}/"),
    idempotent(Delete, "transcode/v1/storages/{storage_id}/transcode/{record_id}/", "transcode:write", &[], &[]),
    acting(Post, "transcode/v1/transcode/", "transcode:write", &[], &[
        "amazon_rekognition", "analysis_data", "analysis_query_default_service_account", "analyzed_before", "asset_id",
        "asset_link", "collection_id", "create_transcription", "delete_old_transcriptions", "force_transcoder",
        "google_cloud_video_intelligence", "input", "job_id", "job_steps", "language", "media_info", "overwrite",
        "priority", "speakers", "thumbnail", "transcode", "valid_transcoders", "version_id",
    ]),
    get("transcode/v1/transcode/queue/"),
    get("transcode/v1/transcode/queue/system/"),
    get("transcode/v1/transcode/{object_type}/{object_id}/"),
    get("transcode/v1/transcode/{object_type}/{object_id}/versions/{version_id}/"),
    get("transcode/v1/transcode/{transcode_job_id}/"),
    idempotent(Delete, "transcode/v1/transcode/{transcode_job_id}/", "transcode:write", &[], &[]),
    acting(Post, "transcode/v1/transcode/{transcode_job_id}/position/{position}/", "transcode:write", &[], &[]),
    acting(Put, "transcode/v1/transcode/{transcode_job_id}/priority/{priority}/", "transcode:write", &[], &[]),
    acting(Post, "transcode/v1/transcribe/assets/{asset_id}/profiles/default/", "transcode:write", &[], &[
        "engine", "force", "language", "profile_id", "speakers", "summary", "topics_extraction", "translate_languages",
    ]),
    acting(Post, "transcode/v1/transcribe/bulk/", "transcode:write", &["object_ids", "object_type"], &[
        "engine", "force", "language", "profile_id", "speakers", "summary", "topics_extraction", "translate_languages",
    ]),
];
