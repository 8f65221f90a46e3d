//! Iconik's own automations: only to be looked at.
//!
//! A rule that could start or change automations could do anything that its `allow` does not name.

use super::{Operation, get};

#[rustfmt::skip]
pub(super) static OPERATIONS: &[Operation] = &[
    get("automations/v1/automations/"),
    get("automations/v1/automations/stats/"),
    get("automations/v1/automations/{automation_id}/"),
    get("automations/v1/automations/{automation_id}/history/{object_type}/{object_id}/{version_id}/"),
    get("automations/v1/automations/{automation_id}/runs/estimate/"),
];
