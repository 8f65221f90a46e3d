//! What people see at the bell.
//!
//! A notification is read by somebody: sending it acts.

use super::{Operation, acting, creating, get, idempotent};
use crate::model::Method::{Delete, Post, Put};

#[rustfmt::skip]
pub(super) static OPERATIONS: &[Operation] = &[
    get("users-notifications/v1/notification_settings/"),
    get("users-notifications/v1/notification_settings/{object_type}/{sub_object_type}/{event_type}/{protocol}/"),
    idempotent(Put, "users-notifications/v1/notification_settings/{object_type}/{sub_object_type}/{event_type}/{protocol}/", "notifications:write",
        &["enabled"], &[
        "settings",
    ]),
    get("users-notifications/v1/notifications/"),
    acting(Post, "users-notifications/v1/notifications/", "notifications:write",
        &["event_type", "message_long", "message_short", "object_id", "object_type", "recipient_id", "sender_id"], &[
        "context", "exclude_users", "share_id", "share_user_id", "status", "sub_object_id", "sub_object_type",
        "user_id",
    ]),
    idempotent(Put, "users-notifications/v1/notifications/all/read/", "notifications:write", &[], &[]),
    acting(Post, "users-notifications/v1/notifications/system/", "notifications:write",
        &["event_type", "message_long", "message_short", "object_type", "recipient_id", "sender_id", "system_domain_id"], &[
        "context", "exclude_users", "object_id", "share_id", "share_user_id", "status", "sub_object_id",
        "sub_object_type", "user_id",
    ]),
    get("users-notifications/v1/notifications/{notification_id}/"),
    idempotent(Delete, "users-notifications/v1/notifications/{notification_id}/", "notifications:delete", &[], &[]),
    get("users-notifications/v1/subscriptions/"),
    creating(Post, "users-notifications/v1/subscriptions/", "notifications:write", &["object_type"], &[
        "event_type", "object_id", "sub_object_id", "sub_object_type",
    ]),
    get("users-notifications/v1/subscriptions/{subscription_id}/"),
    idempotent(Delete, "users-notifications/v1/subscriptions/{subscription_id}/", "notifications:delete", &[], &[]),
    get("users-notifications/v1/{object_type}/{object_id}/subscriptions/"),
    acting(Delete, "users-notifications/v1/{object_type}/{object_id}/subscriptions/all/", "notifications:delete", &[], &[]),
];
