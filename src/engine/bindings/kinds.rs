//! The kinds of objects that rules hold: what they are called, which keys Iconik documents for them, and the code that
//! gets one in the examples.
//!
//! The keys are those of the schemas of Iconik's documents of May 2025, sorted; a test compares what the reference says
//! of them with the documents, where these are there.

use rhai::Dynamic;

use super::record::Record;

/// A kind of object.
pub(in super::super) trait Kind:
    Clone + std::fmt::Debug + Send + Sync + 'static
{
    /// What rules, errors and the reference call it.
    const NAME: &'static str;
    /// The variable that holds one in examples.
    const VARIABLE: &'static str;
    /// The schema that lists its keys.
    const SCHEMA: &'static str;
    /// Its keys; absent ones read as `()`.
    const KEYS: &'static [&'static str];
    /// The lines of an example that get one.
    const MADE: &'static str;
}

macro_rules! kinds {
    ($($name:ident $variable:literal $schema:literal $made:literal $keys:expr;)*) => {
        $(
            #[doc = concat!("`", $schema, "`.")]
            #[derive(Clone, Copy, Debug)]
            pub(in super::super) enum $name {}

            impl Kind for $name {
                const NAME: &'static str = stringify!($name);
                const VARIABLE: &'static str = $variable;
                const SCHEMA: &'static str = $schema;
                const KEYS: &'static [&'static str] = &$keys;
                const MADE: &'static str = $made;
            }
        )*

        /// Of a value that is an object of one of the kinds: the kind, its id and its path.
        pub(super) fn address(value: &Dynamic) -> Option<(&'static str, String, String)> {
            $(
                if let Some(record) = value.read_lock::<Record<$name>>() {
                    return Some(($name::NAME, record.id().to_owned(), record.path().to_owned()));
                }
            )*
            None
        }
    };
}

#[rustfmt::skip]
kinds! {
    Asset "asset" "AssetSchema"
        "let asset = iconik::asset(event.asset_id);\n" [
        "analyze_status", "archive_status", "category", "created_by_user", "created_by_user_info",
        "custom_keyframe", "custom_poster", "date_created", "date_deleted", "date_imported", "date_modified",
        "date_viewed", "deleted_by_user", "deleted_by_user_info", "external_id", "external_link",
        "face_recognition_status", "favoured", "has_unconfirmed_persons", "id", "in_collections", "is_blocked",
        "is_online", "last_archive_restore_date", "original_asset_id", "original_segment_id",
        "original_version_id", "person_ids", "site_name", "status", "time_end_milliseconds",
        "time_start_milliseconds", "title", "type", "updated_by_user", "updated_by_user_info", "versions",
        "warning",
    ];
    Collection "folder" "CollectionSchema"
        "let folder = iconik::collection(event.collection_id);\n" [
        "category", "created_by_user", "custom_keyframe", "custom_order_status", "custom_poster", "date_created",
        "date_deleted", "date_modified", "deleted_by_user", "external_id", "favoured", "id", "in_collections",
        "is_root", "keyframe_asset_ids", "keyframes", "metadata", "object_type", "parent_id", "parents",
        "permissions", "position", "project_id", "status", "storage_id", "title",
    ];
    Job "job" "JobSchema"
        "let job = iconik::create_job(#{ type: \"CUSTOM\", title: \"Check\", status: \"STARTED\" });\n" [
        "action_context", "children_progress", "completed_at", "created_by", "custom_type", "date_created",
        "date_modified", "error_message", "has_children", "id", "job_context", "message", "metadata", "object_id",
        "object_type", "parent_id", "priority", "progress", "progress_processed", "progress_total",
        "related_objects", "started_at", "status", "steps", "title", "type",
    ];
    Segment "segment" "SegmentSchema"
        "let segment = iconik::asset(event.asset_id).segments(\"MARKER\")[0];\n" [
        "asset_id", "date_created", "date_modified", "drawing", "external_id", "face_bounding_boxes",
        "has_drawing", "id", "keyframe_id", "metadata", "metadata_view_id", "parent_id", "path", "person_id",
        "project_id", "segment_checked", "segment_color", "segment_text", "segment_track", "segment_type",
        "share_id", "share_user_email", "status", "subclip_id", "time_end_milliseconds", "time_start_milliseconds",
        "top_level", "transcription", "transcription_id", "user_first_name", "user_id", "user_info",
        "user_last_name", "user_photo", "version_id",
    ];
    Format "format" "FormatSchema"
        "let asset = iconik::asset(event.asset_id);\nlet format = asset.create_format(#{ name: \"EDIT\" });\n" [
        "archive_status", "asset_id", "components", "date_created", "date_deleted", "date_modified",
        "deleted_by_user", "id", "is_online", "metadata", "name", "status", "storage_methods", "user_id",
        "version_id", "warnings",
    ];
    FileSet "file_set" "FileSetSchema"
        "let asset = iconik::asset(event.asset_id);\nlet format = asset.create_format(#{ name: \"EDIT\" });\nlet file_set = asset.create_file_set(#{ name: \"EDIT\", base_dir: \"/\", component_ids: [], format_id: format.id });\n" [
        "archive_file_set_id", "asset_id", "base_dir", "component_ids", "date_created", "date_deleted",
        "date_modified", "deleted_by_user", "file_count", "format_id", "id", "is_archive", "name",
        "original_storage_id", "status", "storage_id", "version_id",
    ];
    File "file" "FileSchema"
        "let asset = iconik::asset(event.asset_id);\nlet format = asset.create_format(#{ name: \"EDIT\" });\nlet file_set = asset.create_file_set(#{ name: \"EDIT\", base_dir: \"/\", component_ids: [], format_id: format.id });\nlet file = asset.create_file(#{ original_name: \"a.mov\", directory_path: \"\", type: \"FILE\", file_set_id: file_set.id, format_id: format.id });\n" [
        "asset_id", "checksum", "date_created", "date_modified", "directory_path", "file_date_created",
        "file_date_modified", "file_set_id", "file_set_status", "format_id", "format_status", "id",
        "multipart_upload_url", "name", "original_name", "parent_id", "size", "status", "storage_id",
        "storage_method", "system_domain_id", "type", "upload_credentials", "upload_filename", "upload_method",
        "upload_url", "url", "user_id", "version_id",
    ];
    Proxy "proxy" "ProxySchema"
        "let asset = iconik::asset(event.asset_id);\nlet proxy = asset.create_proxy(#{ name: \"low.mp4\" });\n" [
        "asset_id", "audio_bitrate", "bit_rate", "codec", "date_created", "date_modified", "filename", "format",
        "frame_rate", "id", "is_drop_frame", "is_public", "multipart_upload_url", "name", "resolution", "rotation",
        "size", "start_time_code", "status", "storage_id", "storage_method", "upload_credentials", "upload_method",
        "upload_url", "url", "version_id",
    ];
    Keyframe "keyframe" "KeyframeSchema"
        "let asset = iconik::asset(event.asset_id);\nlet keyframe = asset.create_keyframe(#{ type: \"POSTER\", name: \"poster.jpg\" });\n" [
        "asset_id", "collection_id", "date_created", "date_modified", "filename", "format", "id",
        "is_custom_keyframe", "is_public", "name", "resolution", "rotation", "size", "status", "storage_id",
        "storage_method", "time_code", "type", "upload_credentials", "upload_method", "upload_url", "url",
        "version_id",
    ];
    Storage "storage" "StorageSchema"
        "let storage = iconik::create_storage(#{ name: \"Nearline\", method: \"FILE\", purpose: \"FILES\", settings: #{} });\n" [
        "default", "description", "id", "last_scanned", "method", "name", "purpose", "scanner_status", "settings",
        "status", "status_message", "version",
    ];
    Share "share" "GetShareSchema"
        "let asset = iconik::asset(event.asset_id);\nlet share = asset.share_url(#{ title: \"For you\" });\n" [
        "allow_approving_comments", "allow_comments", "allow_custom_actions", "allow_download",
        "allow_download_proxy", "allow_setting_approve_status", "allow_upload", "allow_user_search_for_mentions",
        "allow_view_transcriptions", "allow_view_versions", "date_created", "expires", "has_password", "id",
        "is_approval", "message", "metadata_views", "object_id", "object_type", "owner_id", "project_id",
        "show_watermark", "system_domain_id", "title", "upload_storage_id", "upload_storage_presign_md5_checksum",
        "url", "users",
    ];
    SavedSearch "saved" "SavedSearchSchema"
        "let saved = search::create_saved(#{ name: \"Promos\", criteria: #{ doc_types: [\"assets\"], query: \"promo\" } });\n" [
        "criteria", "date_created", "date_modified", "group_id", "id", "name", "permissions",
    ];
}
