//! Users and groups.
//!
//! A new user is invited by mail, therefore that POST acts. How people log in is left out (see the parent).

use super::{Operation, acting, creating, get, idempotent};
use crate::model::Method::{Delete, Patch, Post, Put};

#[rustfmt::skip]
pub(super) static OPERATIONS: &[Operation] = &[
    get("users/v1/groups/"),
    creating(Post, "users/v1/groups/", "users:write", &["name"], &[
        "alias", "default_user_type", "description", "external_id", "role_categories", "roles",
        "saml_primary_group_priority",
    ]),
    get("users/v1/groups/basic/"),
    get("users/v1/groups/mappings/"),
    creating(Post, "users/v1/groups/mappings/", "users:write", &["group_id", "name"], &[]),
    get("users/v1/groups/mappings/{name}/"),
    idempotent(Delete, "users/v1/groups/mappings/{name}/", "users:delete", &[], &[]),
    get("users/v1/groups/{group_id}/"),
    idempotent(Put, "users/v1/groups/{group_id}/", "users:write", &["name"], &[
        "alias", "default_user_type", "description", "external_id", "role_categories", "roles",
        "saml_primary_group_priority",
    ]),
    idempotent(Patch, "users/v1/groups/{group_id}/", "users:write", &[], &[
        "alias", "default_user_type", "description", "external_id", "name", "role_categories", "roles",
        "saml_primary_group_priority",
    ]),
    idempotent(Delete, "users/v1/groups/{group_id}/", "users:delete", &[], &[]),
    idempotent(Post, "users/v1/groups/{group_id}/logo/", "users:write", &[], &["logo"]),
    idempotent(Delete, "users/v1/groups/{group_id}/logo/", "users:delete", &[], &[]),
    idempotent(Post, "users/v1/groups/{group_id}/reindex/", "users:write", &[], &[]),
    idempotent(Post, "users/v1/groups/{group_id}/users/{user_id}/", "users:write", &[], &[]),
    idempotent(Delete, "users/v1/groups/{group_id}/users/{user_id}/", "users:delete", &[], &[]),
    get("users/v1/users/"),
    acting(Post, "users/v1/users/", "users:write", &["email", "first_name", "type"], &[
        "date_checklist_completed", "date_first_uploaded", "date_terms_accepted", "date_welcomed", "description",
        "email_marketing_consent", "groups", "hide_email", "hide_phone", "is_admin", "last_name", "metadata",
        "onboarding_goal", "password", "phone", "primary_group", "status", "system_domains",
    ]),
    get("users/v1/users/basic/"),
    get("users/v1/users/current/"),
    idempotent(Put, "users/v1/users/current/", "users:write", &["first_name", "type"], &[
        "date_checklist_completed", "date_first_uploaded", "date_terms_accepted", "date_welcomed", "description",
        "email", "email_marketing_consent", "groups", "hide_email", "hide_phone", "is_admin", "last_name", "metadata",
        "onboarding_goal", "password", "phone", "primary_group", "status", "system_domains",
    ]),
    idempotent(Patch, "users/v1/users/current/", "users:write", &[], &[
        "date_checklist_completed", "date_first_uploaded", "date_terms_accepted", "date_welcomed", "description",
        "email", "email_marketing_consent", "first_name", "groups", "hide_email", "hide_phone", "is_admin", "last_name",
        "metadata", "onboarding_goal", "password", "phone", "primary_group", "status", "system_domains", "type",
    ]),
    get("users/v1/users/current/otp/configure/"),
    idempotent(Post, "users/v1/users/current/photo/", "users:write", &[], &["photo"]),
    idempotent(Delete, "users/v1/users/current/photo/", "users:delete", &[], &[]),
    get("users/v1/users/current/roles/"),
    get("users/v1/users/{user_id}/"),
    idempotent(Put, "users/v1/users/{user_id}/", "users:write", &["first_name", "type"], &[
        "date_checklist_completed", "date_first_uploaded", "date_terms_accepted", "date_welcomed", "description",
        "email", "email_marketing_consent", "groups", "hide_email", "hide_phone", "is_admin", "last_name", "metadata",
        "onboarding_goal", "password", "phone", "primary_group", "status", "system_domains",
    ]),
    idempotent(Patch, "users/v1/users/{user_id}/", "users:write", &[], &[
        "date_checklist_completed", "date_first_uploaded", "date_terms_accepted", "date_welcomed", "description",
        "email", "email_marketing_consent", "first_name", "groups", "hide_email", "hide_phone", "is_admin", "last_name",
        "metadata", "onboarding_goal", "password", "phone", "primary_group", "status", "system_domains", "type",
    ]),
    idempotent(Delete, "users/v1/users/{user_id}/", "users:delete", &[], &[]),
    idempotent(Post, "users/v1/users/{user_id}/photo/", "users:write", &[], &["photo"]),
    idempotent(Delete, "users/v1/users/{user_id}/photo/", "users:delete", &[], &[]),
    idempotent(Post, "users/v1/users/{user_id}/reindex/", "users:write", &[], &[]),
    get("users/v1/users/{user_id}/roles/"),
    get("users/v1/users/{user_id}/roles/{role}/"),
];
