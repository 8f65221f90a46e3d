//! Jobs: the list that people watch.
//!
//! States and priorities act on whatever the job does; its own keys are absolute and may be set again.

use super::{Operation, acting, creating, get, idempotent};
use crate::model::Method::{Delete, Patch, Post, Put};

#[rustfmt::skip]
pub(super) static OPERATIONS: &[Operation] = &[
    get("jobs/v1/jobs/"),
    creating(Post, "jobs/v1/jobs/", "jobs:write", &["status", "title", "type"], &[
        "action_context", "completed_at", "custom_type", "error_message", "has_children", "job_context", "message",
        "metadata", "object_id", "object_type", "parent_id", "progress_processed", "progress_total", "related_objects",
        "started_at",
    ]),
    idempotent(Delete, "jobs/v1/jobs/", "jobs:delete", &["job_ids"], &[]),
    acting(Put, "jobs/v1/jobs/priority/", "jobs:write", &["job_ids", "priority"], &[]),
    acting(Put, "jobs/v1/jobs/state/", "jobs:write", &["action", "job_ids"], &[]),
    get("jobs/v1/jobs/{job_id}/"),
    idempotent(Put, "jobs/v1/jobs/{job_id}/", "jobs:write", &["status", "title", "type"], &[
        "action_context", "completed_at", "custom_type", "error_message", "has_children", "job_context", "message",
        "metadata", "object_id", "object_type", "parent_id", "progress_processed", "progress_total", "related_objects",
        "started_at",
    ]),
    idempotent(Patch, "jobs/v1/jobs/{job_id}/", "jobs:write", &[], &[
        "action_context", "completed_at", "custom_type", "error_message", "has_children", "job_context", "message",
        "metadata", "object_id", "object_type", "parent_id", "progress_processed", "progress_total", "related_objects",
        "started_at", "status", "title", "type",
    ]),
    idempotent(Delete, "jobs/v1/jobs/{job_id}/", "jobs:delete", &[], &[]),
    idempotent(Post, "jobs/v1/jobs/{job_id}/reindex/", "jobs:write", &[], &["sync_to_another_dc"]),
    idempotent(Put, "jobs/v1/jobs/{job_id}/steps/", "jobs:write", &["steps"], &[]),
    idempotent(Patch, "jobs/v1/jobs/{job_id}/steps/", "jobs:write", &["steps"], &[]),
    idempotent(Put, "jobs/v1/jobs/{job_id}/steps/{job_step_id}/", "jobs:write", &["label", "status"], &["error_message", "id", "message"]),
    idempotent(Patch, "jobs/v1/jobs/{job_id}/steps/{job_step_id}/", "jobs:write", &[], &["error_message", "id", "label", "message", "status"]),
];
