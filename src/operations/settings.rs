//! Settings of system, group and user: only to be looked at.
//!
//! They decide for everybody; no rule may change them.

use super::{Operation, get};

#[rustfmt::skip]
pub(super) static OPERATIONS: &[Operation] = &[
    get("settings/v1/cors_hosts/"),
    get("settings/v1/cors_hosts/{cors_host_id}/"),
    get("settings/v1/group/{group_id}/"),
    get("settings/v1/kubernetes/{realm}/"),
    get("settings/v1/kubernetes/{realm}/{setting_name}/"),
    get("settings/v1/merged/current/"),
    get("settings/v1/merged/{user_id}/"),
    get("settings/v1/system/current/"),
    get("settings/v1/system/{system_domain_id}/"),
    get("settings/v1/user/{user_id}/"),
];
