//! Metadata: values, and the fields, views and categories that shape them.
//!
//! Values are written by PUT alone. That is idempotent only as long as no field is appended to, which the
//! body tells: see `class_of`. Writing many objects at once is a job, and acts.

use super::{Operation, acting, creating, get, idempotent};
use crate::model::Method::{Delete, Patch, Post, Put};

#[rustfmt::skip]
pub(super) static OPERATIONS: &[Operation] = &[
    get("metadata/v1/assets/{asset_id}/versions/{version_id}/views/{view_id}/"),
    get("metadata/v1/assets/{asset_id}/{object_type}/{object_id}/versions/{version_id}/views/{view_id}/"),
    get("metadata/v1/assets/{asset_id}/{object_type}/{object_id}/views/{view_id}/"),
    idempotent(Put, "metadata/v1/assets/{asset_id}/{object_type}/{object_id}/views/{view_id}/", "metadata:write", &["metadata_values"], &[
        "date_created", "date_modified", "job_id", "object_id", "object_type", "version_id",
    ]),
    get("metadata/v1/fields/"),
    creating(Post, "metadata/v1/fields/", "metadata:write", &["field_type", "label", "name"], &[
        "auto_set", "date_created", "date_modified", "description", "external_id", "hide_if_not_set", "is_block_field",
        "is_warning_field", "max_value", "min_value", "multi", "options", "read_only", "representative", "required",
        "sortable", "source_url", "use_as_facet",
    ]),
    get("metadata/v1/fields/{field_name}/"),
    idempotent(Put, "metadata/v1/fields/{field_name}/", "metadata:write", &["field_type", "label"], &[
        "auto_set", "date_created", "date_modified", "description", "external_id", "hide_if_not_set", "is_block_field",
        "is_warning_field", "max_value", "min_value", "multi", "options", "read_only", "representative", "required",
        "sortable", "source_url", "use_as_facet",
    ]),
    idempotent(Patch, "metadata/v1/fields/{field_name}/", "metadata:write", &[], &[
        "auto_set", "date_created", "date_modified", "description", "external_id", "field_type", "hide_if_not_set",
        "is_block_field", "is_warning_field", "label", "max_value", "min_value", "multi", "options", "read_only",
        "representative", "required", "sortable", "source_url", "use_as_facet",
    ]),
    idempotent(Delete, "metadata/v1/fields/{field_name}/", "metadata:delete", &[], &[]),
    creating(Post, "metadata/v1/mapping/fields/", "metadata:write", &["mapped_field_name", "name"], &[]),
    get("metadata/v1/mapping/fields/{field_name}/"),
    get("metadata/v1/mapping/options/"),
    get("metadata/v1/user/fields/"),
    get("metadata/v1/views/"),
    creating(Post, "metadata/v1/views/", "metadata:write", &["name", "view_fields"], &["description"]),
    get("metadata/v1/views/{view_id}/"),
    idempotent(Put, "metadata/v1/views/{view_id}/", "metadata:write", &["name", "view_fields"], &["description"]),
    idempotent(Patch, "metadata/v1/views/{view_id}/", "metadata:write", &[], &["description", "name", "view_fields"]),
    idempotent(Delete, "metadata/v1/views/{view_id}/", "metadata:delete", &[], &[]),
    get("metadata/v1/{object_type}/categories/"),
    creating(Post, "metadata/v1/{object_type}/categories/", "metadata:write", &["label", "name"], &["date_created", "date_modified", "view_ids"]),
    get("metadata/v1/{object_type}/categories/{name}/"),
    idempotent(Put, "metadata/v1/{object_type}/categories/{name}/", "metadata:write", &["label", "name"], &[
        "date_created", "date_modified", "view_ids",
    ]),
    idempotent(Delete, "metadata/v1/{object_type}/categories/{name}/", "metadata:delete", &[], &[]),
    get("metadata/v1/{object_type}/categories/{name}/views/"),
    acting(Put, "metadata/v1/{object_type}/content/views/{view_id}/", "metadata:write",
        &["include_assets", "include_collections", "metadata_values", "object_ids"], &[
        "date_created", "date_modified", "object_type",
    ]),
    acting(Post, "metadata/v1/{object_type}/views/{view_id}/", "metadata:write", &["metadata_values_object_id_mapping", "object_ids"], &[
        "asset_id", "date_created", "date_modified", "object_type",
    ]),
    acting(Put, "metadata/v1/{object_type}/views/{view_id}/", "metadata:write", &["metadata_values", "object_ids"], &[
        "date_created", "date_modified", "object_type",
    ]),
    get("metadata/v1/{object_type}/{object_id}/"),
    idempotent(Put, "metadata/v1/{object_type}/{object_id}/", "metadata:write", &["metadata_values"], &[
        "date_created", "date_modified", "job_id", "object_id", "object_type", "version_id",
    ]),
    get("metadata/v1/{object_type}/{object_id}/views/{view_id}/"),
    idempotent(Put, "metadata/v1/{object_type}/{object_id}/views/{view_id}/", "metadata:write", &["metadata_values"], &[
        "date_created", "date_modified", "job_id", "object_id", "object_type", "version_id",
    ]),
];
