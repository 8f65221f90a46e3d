//! Access control: who may read, write and delete what.
//!
//! An append is a union here: giving a permission twice gives it once, so that even `mode: APPEND` may be
//! repeated. What works through the contents of collections is a job, and acts.

use super::{Operation, acting, creating, get, idempotent, safe};
use crate::model::Method::{Delete, Patch, Post, Put};

#[rustfmt::skip]
pub(super) static OPERATIONS: &[Operation] = &[
    safe(Post, "acls/v1/acl/", &["objects"], &[]),
    get("acls/v1/acl/templates/"),
    creating(Post, "acls/v1/acl/templates/", "acls:write", &["name"], &[]),
    get("acls/v1/acl/templates/{template_id}/"),
    idempotent(Put, "acls/v1/acl/templates/{template_id}/", "acls:write", &["name"], &[]),
    idempotent(Patch, "acls/v1/acl/templates/{template_id}/", "acls:write", &[], &["name"]),
    idempotent(Delete, "acls/v1/acl/templates/{template_id}/", "acls:delete", &[], &[]),
    idempotent(Post, "acls/v1/acl/templates/{template_id}/{object_type}/{object_key}/", "acls:write", &[], &[]),
    idempotent(Put, "acls/v1/acl/{object_type}/", "acls:write", &["object_keys", "permissions"], &["group_ids", "mode", "user_ids"]),
    idempotent(Delete, "acls/v1/acl/{object_type}/", "acls:delete", &[], &["group_ids", "object_keys", "user_ids"]),
    idempotent(Put, "acls/v1/acl/{object_type}/bulk/", "acls:write", &["objects"], &[]),
    acting(Put, "acls/v1/acl/{object_type}/content/", "acls:write", &["include_assets", "include_collections", "permissions"], &[
        "group_ids", "mode", "object_ids", "user_ids",
    ]),
    acting(Delete, "acls/v1/acl/{object_type}/content/", "acls:delete", &["include_assets", "include_collections"], &[
        "group_ids", "object_ids", "user_ids",
    ]),
    get("acls/v1/acl/{object_type}/{object_key}/"),
    get("acls/v1/acl/{object_type}/{object_key}/permissions/"),
    get("acls/v1/acl/{object_type}/{object_key}/{permission}/"),
    safe(Post, "acls/v1/acl/{object_type}/{permission}/", &[], &["object_keys"]),
    get("acls/v1/groups/{group_id}/acl/{object_type}/{object_key}/"),
    idempotent(Put, "acls/v1/groups/{group_id}/acl/{object_type}/{object_key}/", "acls:write", &["permissions"], &[]),
    idempotent(Delete, "acls/v1/groups/{group_id}/acl/{object_type}/{object_key}/", "acls:delete", &[], &[]),
    get("acls/v1/groups/{group_id}/acl/{object_type}/{object_key}/{permission}/"),
    get("acls/v1/shares/{object_type}/{object_key}/"),
    idempotent(Put, "acls/v1/shares/{share_id}/acl/{object_type}/", "acls:write", &["permissions"], &["object_keys"]),
    get("acls/v1/shares/{share_id}/acl/{object_type}/{object_key}/"),
    creating(Post, "acls/v1/shares/{share_id}/acl/{object_type}/{object_key}/", "acls:write", &["permissions"], &[]),
    idempotent(Put, "acls/v1/shares/{share_id}/acl/{object_type}/{object_key}/", "acls:write", &["permissions"], &[]),
    idempotent(Delete, "acls/v1/shares/{share_id}/acl/{object_type}/{object_key}/", "acls:delete", &[], &[]),
    get("acls/v1/shares/{share_id}/acl/{object_type}/{object_key}/{permission}/"),
    get("acls/v1/users/{user_id}/acl/{object_type}/{object_key}/"),
    idempotent(Put, "acls/v1/users/{user_id}/acl/{object_type}/{object_key}/", "acls:write", &["permissions"], &[]),
    idempotent(Delete, "acls/v1/users/{user_id}/acl/{object_type}/{object_key}/", "acls:delete", &[], &[]),
    get("acls/v1/users/{user_id}/acl/{object_type}/{object_key}/{permission}/"),
];
