//! Synchronised playing: who watches together. Nothing is streamed here.

use super::resource::Resource;
use super::resource::Verb::{Create, Edit, Read, Remove, Replace};
use super::routes::{Routes, verbs};
use super::shape::{Begin, Key, Kind, key, made};

/// The keys of `SyncSessionSchema`.
const SESSION_KEYS: [Key; 6] = [
    made("current_dc_url", Begin::Text("")),
    made("date_created", Begin::Now),
    made("date_modified", Begin::Now),
    made("dc_url", Begin::Text("")),
    made("id", Begin::NewId),
    key("node", Kind::Text),
];

static SESSION: Resource = Resource::new("Sync session", "sync_session_id", &SESSION_KEYS);

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/assets/v1/sync/sessions/", verbs(&SESSION, [Create]))
        .route(
            "/assets/v1/sync/sessions/{sync_session_id}/",
            verbs(&SESSION, [Read, Edit, Replace, Remove]),
        )
}
