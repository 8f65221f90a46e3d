//! Who plays in the calls: how objects come to be whose ids paths and bodies need, what must have happened
//! before an operation, and the bodies that cannot be made from a schema alone.

use serde_json::{Value, json};

/// How the object behind a part of a path is made: by a POST to this path.
pub(crate) const MAKERS: &[(&str, &str)] = &[
    ("asset_id", "assets/v1/assets/"),
    ("related_to_asset_id", "assets/v1/assets/"),
    ("source_asset_id", "assets/v1/assets/"),
    ("collection_id", "assets/v1/collections/"),
    ("segment_id", "assets/v1/assets/{asset_id}/segments/"),
    ("history_entity_id", "assets/v1/assets/{asset_id}/history/"),
    ("relation_type", "assets/v1/assets/relation_types/"),
    (
        "transcription_id",
        "assets/v1/assets/{asset_id}/versions/{version_id}/transcriptions/properties/",
    ),
    ("playlist_id", "assets/v1/playlists/"),
    ("item_id", "assets/v1/playlists/{playlist_id}/items/"),
    ("sequence_id", "assets/v1/sequences/"),
    (
        "sequence_item_id",
        "assets/v1/sequences/{sequence_id}/items/",
    ),
    ("project_id", "assets/v1/projects/"),
    ("member_id", "assets/v1/projects/{project_id}/members/"),
    ("sync_session_id", "assets/v1/sync/sessions/"),
    ("share_id", "assets/v1/{object_type}/{object_id}/shares/"),
    (
        "share_user_id",
        "assets/v1/{object_type}/{object_id}/shares/{share_id}/users/",
    ),
    ("action_id", "assets/v1/custom_actions/{context}/"),
    ("format_id", "files/v1/assets/{asset_id}/formats/"),
    ("file_set_id", "files/v1/assets/{asset_id}/file_sets/"),
    ("file_id", "files/v1/assets/{asset_id}/files/"),
    ("proxy_id", "files/v1/assets/{asset_id}/proxies/"),
    ("keyframe_id", "files/v1/assets/{asset_id}/keyframes/"),
    ("subtitle_id", "files/v1/assets/{asset_id}/subtitles/"),
    ("storage_id", "files/v1/storages/"),
    ("export_location_id", "files/v1/export_locations/"),
    ("transcoder_id", "files/v1/transcoders/"),
    ("profile_id", "files/v1/analysis/profiles/"),
    (
        "component_id",
        "files/v1/assets/{asset_id}/formats/{format_id}/components/",
    ),
    ("job_id", "jobs/v1/jobs/"),
    ("view_id", "metadata/v1/views/"),
    ("field_name", "metadata/v1/fields/"),
    ("webhook_id", "notifications/v1/webhooks/"),
    ("search_id", "search/v1/search/saved/"),
    ("search_group_id", "search/v1/search/saved/group/"),
    ("user_id", "users/v1/users/"),
    ("group_id", "users/v1/groups/"),
    ("notification_id", "users-notifications/v1/notifications/"),
    ("subscription_id", "users-notifications/v1/subscriptions/"),
    ("cors_host_id", "settings/v1/cors_hosts/"),
    ("automation_id", "automations/v1/automations/"),
    ("app_id", "auth/v1/apps/"),
    ("token_id", "auth/v1/auth/token/"),
    ("logs_recipient_id", "stats/v1/system/logs/recipients/"),
    ("worker_id", "transcode/v1/edge_transcode/workers/"),
    ("template_id", "acls/v1/acl/templates/"),
];

/// What stands in a path for what is no object.
pub(crate) const WORDS: &[(&str, &str)] = &[
    ("object_type", "assets"),
    ("context", "ASSET"),
    ("permission", "read"),
    ("purpose", "FILES"),
    ("method", "FILE"),
    ("media_type", "video"),
    ("sub_object_type", "segments"),
    ("event_type", "CREATE"),
    ("protocol", "email"),
    ("language", "en"),
    ("email", "someone@example.com"),
    ("role", "can_read_assets"),
    ("segment_type", "MARKER"),
    ("format_name", "ORIGINAL"),
    ("name", "mine"),
    ("checksum", "d41d8cd98f00b204e9800998ecf8427e"),
];

/// Method, path and keys of the body.
type Step = (&'static str, &'static str, Value);

/// What must have been done before an operation, with the same ids.
#[expect(
    clippy::too_many_lines,
    reason = "a table: one entry for each operation"
)]
pub(crate) fn before(method: &str, path: &str) -> Vec<Step> {
    let step = |method, path| vec![(method, path, json!({}))];
    let given = |method, path, keys| vec![(method, path, keys)];
    const APPROVALS: &str = "assets/v1/{object_type}/{object_id}/approvals/";
    const FORMAT: &str = "files/v1/assets/{asset_id}/formats/{format_id}/";
    const FILE_SET: &str = "files/v1/assets/{asset_id}/file_sets/{file_set_id}/";
    match (method, path) {
        ("DELETE", "files/v1/assets/{asset_id}/formats/{format_id}/purge/") => {
            step("DELETE", FORMAT)
        }
        ("DELETE", "files/v1/assets/{asset_id}/file_sets/{file_set_id}/purge/") => {
            step("DELETE", FILE_SET)
        }
        ("GET", "files/v1/assets/{asset_id}/formats/{name}/") => {
            step("POST", "files/v1/assets/{asset_id}/formats/")
        }
        ("GET", path) if path.contains("/subtitles/{language}/") => given(
            "POST",
            "files/v1/assets/{asset_id}/subtitles/",
            json!({ "language": "en" }),
        ),
        (_, "assets/v1/collections/{collection_id}/contents/{object_type}/{object_id}/") => {
            step("POST", "assets/v1/collections/{collection_id}/contents/")
        }
        ("GET", path) if path.contains("/segments/") && path.contains("/{asset_id}/") => {
            step("POST", "assets/v1/assets/{asset_id}/segments/")
        }
        (method, path)
            if path.contains("/relations/{relation_type}/{related")
                && (method == "DELETE" || path.ends_with("/reverse/")) =>
        {
            step("POST", "assets/v1/assets/{asset_id}/relations/")
        }
        ("DELETE", "assets/v1/assets/{asset_id}/versions/{version_id}/") => {
            step("POST", "assets/v1/assets/{asset_id}/versions/")
        }
        (method, path) if path.contains("/approvals/request/") && method != "POST" => step(
            "POST",
            "assets/v1/{object_type}/{object_id}/approvals/request/",
        ),
        ("DELETE", path) if path.ends_with("/{object_id}/approvals/") => step("PUT", APPROVALS),
        ("DELETE", path) if path.contains("/approvals/user/") => {
            given("PUT", APPROVALS, json!({ "user": "{user_id}" }))
        }
        ("DELETE", path) if path.contains("/approvals/external/") => given(
            "PUT",
            APPROVALS,
            json!({ "external": "someone@example.com" }),
        ),
        (_, path) if path.starts_with("metadata/") && path.contains("/categories/{name}/") => {
            step("POST", "metadata/v1/{object_type}/categories/")
        }
        ("GET", path) if path.starts_with("metadata/") && path.ends_with("/views/{view_id}/") => {
            step(
                "PUT",
                match path.contains("/assets/{asset_id}/{object_type}/") {
                    true => {
                        "metadata/v1/assets/{asset_id}/{object_type}/{object_id}/views/{view_id}/"
                    }
                    false => "metadata/v1/{object_type}/{object_id}/views/{view_id}/",
                },
            )
        }
        (_, "users/v1/groups/mappings/{name}/") => step("POST", "users/v1/groups/mappings/"),
        ("DELETE", "users/v1/groups/{group_id}/users/{user_id}/") => {
            step("POST", "users/v1/groups/{group_id}/users/{user_id}/")
        }
        (_, path) if path.ends_with("/auto_scan/") => {
            step("POST", "files/v1/storages/{storage_id}/auto_scan/")
        }
        ("GET", "files/v1/storages/{purpose}/default/") => {
            step("POST", "files/v1/storages/{storage_id}/default/")
        }
        (_, path) if path.starts_with("files/v1/storages/matching/") => {
            step("POST", "files/v1/storages/")
        }
        ("GET", "files/v1/analysis/profiles/{media_type}/default/") => {
            step("POST", "files/v1/analysis/profiles/{profile_id}/default/")
        }
        (_, path) if path.contains("/steps/{job_step_id}/") => {
            step("PATCH", "jobs/v1/jobs/{job_id}/steps/")
        }
        ("GET" | "DELETE", path)
            if path.starts_with("acls/")
                && path.contains("/acl/{object_type}/{object_key}/")
                && path.contains("_id}/acl/") =>
        {
            step(
                "PUT",
                match path {
                    _ if path.contains("user_id") => {
                        "acls/v1/users/{user_id}/acl/{object_type}/{object_key}/"
                    }
                    _ if path.contains("group_id") => {
                        "acls/v1/groups/{group_id}/acl/{object_type}/{object_key}/"
                    }
                    _ => "acls/v1/shares/{share_id}/acl/{object_type}/{object_key}/",
                },
            )
        }
        ("DELETE", path) if path.ends_with("/subscriptions/all/") => given(
            "POST",
            "users-notifications/v1/subscriptions/",
            json!({ "object_id": "{object_id}" }),
        ),
        _ => Vec::new(),
    }
}

/// Keys that a body has instead of what its schema alone would give, or does not have where the value is
/// null. Ids in braces are replaced.
#[rustfmt::skip]
pub(crate) fn instead(method: &str, path: &str) -> Value {
    match (method, path) {
        (_, path) if path.starts_with("acls/v1/") && !path.contains("/templates/") => json!({
            "permissions": ["read"], "object_ids": ["{collection_id}"], "object_keys": ["{asset_id}"],
            "objects": [{ "object_keys": ["{asset_id}"], "object_type": "assets", "permissions": ["read"] }],
        }),
        (_, path) if path.contains("/members/") => json!({ "id": "{user_id}" }),
        (_, "users/v1/users/current/") => json!({ "email": null, "password": null, "metadata": null }),
        (_, path) if path.starts_with("settings/") => json!({ "watermark_options": null }),
        (_, "files/v1/storages/" | "files/v1/storages/{storage_id}/") => json!({ "purpose": "FILES", "method": "FILE" }),
        (_, path) if path.starts_with("files/v1/analysis/profiles/") => json!({ "media_type": "video" }),
        ("POST", "assets/v1/assets/") => json!({ "collection_id": null }),
        ("POST" | "PUT" | "PATCH", "assets/v1/collections/" | "assets/v1/collections/{collection_id}/") => json!({ "parent_id": null }),
        ("PUT" | "PATCH", "assets/v1/assets/") => json!({ "objects": [{ "id": "{asset_id}", "title": "New" }] }),
        (_, "metadata/v1/fields/") => json!({ "field_type": "string", "name": "{fresh}" }),
        (_, "metadata/v1/fields/{field_name}/") => json!({ "field_type": "string" }),
        (_, "metadata/v1/views/" | "metadata/v1/views/{view_id}/") => json!({ "view_fields": [{ "name": "{field_name}" }] }),
        (_, path) if path.starts_with("metadata/") && path.contains("views/{view_id}/") => {
            let values = json!({ "{field_name}": { "field_values": [{ "value": "x" }], "mode": "overwrite" } });
            json!({
                "metadata_values": values,
                "object_ids": [if path.contains("/content/") { "{collection_id}" } else { "{object_id}" }],
                "metadata_values_object_id_mapping": [{ "id": "{object_id}", "metadata_values": values }],
            })
        }
        ("PUT", "metadata/v1/{object_type}/{object_id}/") => json!({
            "metadata_values": { "{field_name}": { "field_values": [{ "value": "x" }] } },
        }),
        (_, path) if path.contains("/segments/") && path.starts_with("assets/") && method != "DELETE" => json!({
            "metadata_view_id": null, "metadata": null, "parent_id": null, "drawing": null,
            "objects": [{ "id": "{segment_id}", "segment_type": "MARKER" }],
        }),
        ("DELETE", "assets/v1/assets/{asset_id}/segments/bulk/") => json!({ "segment_ids": ["{segment_id}"], "version_id": null }),
        (_, "assets/v1/assets/relation_types/" | "acls/v1/acl/templates/") => json!({ "name": "{fresh}" }),
        (_, path) if path.contains("/relations/") => json!({ "relation_type": "{relation_type}", "related_to_asset_id": "{related_to_asset_id}" }),
        (_, "users/v1/users/") => json!({ "email": "{fresh}@example.com", "metadata": null }),
        (_, path) if path.starts_with("users/v1/users/") => json!({ "metadata": null }),
        (_, "automations/v1/automations/" | "automations/v1/automations/{automation_id}/") => json!({ "actions": [automated()], "triggers": [trigger()], "conditions": null }),
        (_, "search/v1/search/") => json!({ "query": "x", "filter": null, "facets": null, "facets_filters": null, "sort": null, "search_after": null, "doc_types": ["assets"], "include_fields": null, "exclude_fields": null, "search_fields": ["title"], "metadata_view_id": null }),
        (_, path) if path.starts_with("search/v1/search/saved/") => json!({ "criteria": { "doc_types": ["assets"], "query": "x" }, "group_id": null, "collection_id": "{collection_id}" }),
        ("POST", "auth/v1/auth/simple/login/") => json!({ "email": "7d2b4f81-7a8b-11ee-9d3f-0a580a3c0f11@example.com", "password": "demo" }),
        (_, path) if path.ends_with("/contents/ordering/custom/") => json!({}),
        (_, path) if path.ends_with("/contents/") || path.ends_with("/contents/{object_type}/{object_id}/") => json!({ "object_id": "{object_id}", "object_type": "assets", "after_object_id": null, "before_object_id": null }),
        (_, path) if path.ends_with("/subcollections/") => json!({ "object_id": "{fresh_collection}", "object_type": "collections" }),
        ("POST", "jobs/v1/jobs/") => json!({ "parent_id": null, "status": "STARTED", "type": "CUSTOM" }),
        (_, "jobs/v1/jobs/{job_id}/") => json!({ "parent_id": null }),
        (_, "jobs/v1/jobs/{job_id}/steps/") => json!({ "steps": [{ "id": "0a1b2c3d-7a8b-41ee-9d3f-0a580a3c0f20", "label": "One", "status": "WAITING" }] }),
        (_, path) if path.ends_with("/categories/") || path.ends_with("/categories/{name}/") => json!({ "name": "{fresh}", "view_ids": ["{view_id}"] }),
        (_, path) if path.starts_with("users/v1/groups/mappings/") => json!({ "name": "{fresh}", "group_id": "{group_id}" }),
        (_, path) if path.starts_with("notifications/v1/webhooks/") => json!({ "query": null, "status": "ENABLED", "headers": { "x-secret": "y" }, "realm": "entity", "operation": "update", "event_type": "assets" }),
        (_, path) if path.starts_with("assets/v1/custom_actions/") => json!({ "headers": { "x-secret": "y" }, "url": "{receiver}", "type": "POST", "disabled": false, "metadata_values": null }),
        (_, path) if path.ends_with("/approvals/") => json!({ "external": null, "status": "APPROVED", "user": null }),
        (_, path) if path.starts_with("assets/v1/approvals/bulk") || path.starts_with("assets/v1/favorites/") => json!({ "object_ids": ["{asset_id}"], "object_type": "assets" }),
        (_, path) if path.starts_with("assets/v1/delete_queue/assets/") => json!({ "ids": ["{asset_id}"] }),
        (_, path) if path.starts_with("assets/v1/delete_queue/collections/") => json!({ "ids": ["{collection_id}"] }),
        (_, "jobs/v1/jobs/state/") | (_, "jobs/v1/jobs/priority/") | ("DELETE", "jobs/v1/jobs/") => json!({ "job_ids": ["{job_id}"] }),
        (_, path) if path.starts_with("assets/v1/shares/bulk/") => json!({ "share_ids": ["{share_id}"] }),
        (_, "files/v1/assets/export_locations/{export_location_id}/") => json!({ "assets": [{ "asset_id": "{asset_id}" }] }),
        (_, path) if path.contains("/content/") => json!({ "object_ids": ["{collection_id}"] }),
        (_, path) if path.contains("/bulk") || path.ends_with("bulk_export/") => json!({ "object_ids": ["{asset_id}"], "object_type": "assets" }),
        (_, "files/v1/export_locations/") => json!({ "storage_id": "{storage_id}" }),
        (_, "files/v1/assets/{asset_id}/file_sets/" | "files/v1/assets/{asset_id}/file_sets/{file_set_id}/") => json!({ "format_id": "{format_id}" }),
        (_, "files/v1/assets/{asset_id}/files/" | "files/v1/assets/{asset_id}/files/{file_id}/") => json!({ "format_id": "{format_id}", "file_set_id": "{file_set_id}" }),
        _ => json!({}),
    }
}

fn automated() -> Value {
    json!({ "type": "ANALYZE", "parameters": {} })
}

fn trigger() -> Value {
    json!({ "type": "ASSET_ONLINE", "parameters": { "only_first_version": true, "wait_for_transcode": true } })
}
