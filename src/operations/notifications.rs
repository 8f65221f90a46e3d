//! Webhooks: only to be looked at.
//!
//! Which events reach the gateway is the operator's decision and no rule's.

use super::{Operation, get};

#[rustfmt::skip]
pub(super) static OPERATIONS: &[Operation] = &[
    get("notifications/v1/webhooks/"),
    get("notifications/v1/webhooks/{webhook_id}/"),
];
