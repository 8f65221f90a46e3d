//! Search, saved searches, the discovery page.
//!
//! Searching is a POST that only reads.

use super::{Operation, acting, creating, get, idempotent, safe};
use crate::model::Method::{Delete, Patch, Post, Put};

#[rustfmt::skip]
pub(super) static OPERATIONS: &[Operation] = &[
    idempotent(Put, "search/v1/discovery/default/", "search:write", &["entity_ids"], &[]),
    get("search/v1/discovery/default/entities/"),
    creating(Post, "search/v1/discovery/default/entities/", "search:write", &["object_id", "object_type", "title", "user_id"], &[
        "date_created", "date_modified", "metadata",
    ]),
    get("search/v1/discovery/default/entities/admin/"),
    get("search/v1/discovery/default/entities/{entity_id}/"),
    idempotent(Put, "search/v1/discovery/default/entities/{entity_id}/", "search:write", &["object_id", "object_type", "title", "user_id"], &[
        "date_created", "date_modified", "metadata",
    ]),
    idempotent(Patch, "search/v1/discovery/default/entities/{entity_id}/", "search:write", &[], &[
        "date_created", "date_modified", "metadata", "object_id", "object_type", "title", "user_id",
    ]),
    idempotent(Delete, "search/v1/discovery/default/entities/{entity_id}/", "search:delete", &[], &[]),
    idempotent(Put, "search/v1/discovery/entities/{object_type}/{object_id}/", "search:write", &["object_id", "object_type", "title", "user_id"], &[
        "date_created", "date_modified", "metadata",
    ]),
    idempotent(Patch, "search/v1/discovery/entities/{object_type}/{object_id}/", "search:write", &[], &[
        "date_created", "date_modified", "metadata", "object_id", "object_type", "title", "user_id",
    ]),
    safe(Post, "search/v1/search/", &[], &[
        "doc_types", "exclude_fields", "facets", "facets_filters", "filter", "include_fields", "metadata_view_id",
        "query", "search_after", "search_fields", "sort",
    ]),
    get("search/v1/search/history/"),
    get("search/v1/search/history/{search_history_id}/"),
    idempotent(Delete, "search/v1/search/history/{search_history_id}/", "search:delete", &[], &[]),
    get("search/v1/search/saved/"),
    creating(Post, "search/v1/search/saved/", "search:write", &["criteria", "name"], &["group_id", "permissions"]),
    creating(Post, "search/v1/search/saved/group/", "search:write", &["name"], &["system_domain_id", "user_id"]),
    get("search/v1/search/saved/group/{group_id}/"),
    idempotent(Put, "search/v1/search/saved/group/{group_id}/", "search:write", &["name"], &["system_domain_id", "user_id"]),
    idempotent(Patch, "search/v1/search/saved/group/{group_id}/", "search:write", &[], &["name", "system_domain_id", "user_id"]),
    idempotent(Delete, "search/v1/search/saved/group/{group_id}/", "search:delete", &[], &[]),
    idempotent(Post, "search/v1/search/saved/group/{group_id}/search/{search_id}/", "search:write", &[], &[]),
    idempotent(Delete, "search/v1/search/saved/group/{group_id}/search/{search_id}/", "search:delete", &[], &[]),
    get("search/v1/search/saved/groups/"),
    idempotent(Post, "search/v1/search/saved/groups/{group_id}/reindex/", "search:write", &[], &[]),
    get("search/v1/search/saved/{search_id}/"),
    idempotent(Put, "search/v1/search/saved/{search_id}/", "search:write", &["criteria", "name"], &["group_id", "permissions"]),
    idempotent(Patch, "search/v1/search/saved/{search_id}/", "search:write", &[], &["criteria", "group_id", "name", "permissions"]),
    idempotent(Delete, "search/v1/search/saved/{search_id}/", "search:delete", &[], &[]),
    acting(Post, "search/v1/search/saved/{search_id}/convert_to_collection/", "search:write", &["collection_id"], &[]),
    idempotent(Post, "search/v1/search/saved/{search_id}/reindex/", "search:write", &[], &["sync_to_another_dc"]),
    safe(Post, "search/v1/search/suggest/", &["field_name", "query"], &["doc_types", "metadata_view_id"]),
];
