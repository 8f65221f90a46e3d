//! Settings of the domain, of groups and of users, and what they come to together.
//!
//! A setting that nobody has made is there with nothing in it; inferred.

use serde_json::Value;

use super::operation::{Ask, Done};
use super::refusal::Refusal;
use super::resource::Verb::{Create, Edit, List, Read, Remove, Replace};
use super::resource::{Listing, Resource};
use super::routes::{Routes, operations, verbs};
use super::shape::{Begin, Key, Kind, blank, key, made};
use super::shelf::Place;
use super::table::Document;
use super::world::{World, overlay};
use crate::model::Method::Get;

/// The keys of `SystemSettingPublicSchema`.
const SYSTEM_KEYS: [Key; 55] = [
    key("acl_template_id", Kind::Id).or_null(),
    key("allow_play_original_during_transcoding", Kind::Flag).or_null(),
    key("allowed_ips", Kind::List).or(Begin::NoItems),
    key("append_asset_uuid_to_downloads", Kind::Flag).or_null(),
    key("asset_default_sections", Kind::TextList).or(Begin::NoItems),
    key("collections_get_parent_acls", Kind::Flag).or_null(),
    key("cors_hosts", Kind::TextList).or(Begin::NoItems),
    made("custom_terms", Begin::Flag(false)),
    key("date_format", Kind::Text).or_null(),
    key("datetime_format", Kind::Text).or_null(),
    key("default_share_options", Kind::Object).or_null(),
    key("default_upload_storage_id", Kind::Id).or_null(),
    key("delete_grace_period", Kind::Whole).or_null(),
    made("disable_billing_page", Begin::Flag(false)),
    made("domain_has_preloaded_assets", Begin::Flag(false)),
    key("enable_shield", Kind::Flag).or_null(),
    key("external_share", Kind::Flag).or_null(),
    key("facet_fields", Kind::List).or(Begin::NoItems),
    made("features", Begin::NoItems),
    key("filters_default_metadata_view_id", Kind::Id).or_null(),
    key("hide_favourites", Kind::Flag).or_null(),
    key("home_page", Kind::Text).or_null(),
    key("image_properties_metadata_field", Kind::Text).or_null(),
    made("is_plg_domain", Begin::Flag(false)),
    key("jobs_dashboard", Kind::Object).or_null(),
    key("locations_metadata_field", Kind::Text).or_null(),
    key("lock_mapped_collections", Kind::Flag).or_null(),
    key("logo_storage_id", Kind::Id).or_null(),
    key("logos_metadata_field", Kind::Text).or_null(),
    key("max_browse_users", Kind::Whole).or_null(),
    key("max_power_users", Kind::Whole).or_null(),
    key("max_standard_users", Kind::Whole).or_null(),
    key("max_storage_bytes", Kind::Whole).or_null(),
    key("max_traffic_bytes", Kind::Whole).or_null(),
    key("mfa_methods", Kind::SomeOf(&["TOTP", "MAIL_2SV"])).or_null(),
    key("mfa_required", Kind::Flag).or_null(),
    key("password_checks", Kind::Object).or_null(),
    key("required_metadata_views", Kind::TextList).or(Begin::NoItems),
    key("safe_searches_metadata_field", Kind::Text).or_null(),
    key("saml_require_groups", Kind::Flag).or_null(),
    key("search_auto_resize_title_column", Kind::Flag).or_null(),
    key("search_default_sections", Kind::TextList).or(Begin::NoItems),
    key("search_display_fields", Kind::List).or(Begin::NoItems),
    key("search_in_transcriptions", Kind::Flag).or_null(),
    key("search_results_asset_metadata_view_id", Kind::Id).or_null(),
    key("search_results_collection_metadata_view_id", Kind::Id).or_null(),
    key("search_users_from_share", Kind::Flag).or_null(),
    key("share_expiration_time", Kind::Whole).or_null(),
    key("support_access", Kind::Flag).or_null(),
    made("system_domain_id", Begin::Domain),
    key("tags_metadata_field", Kind::Text).or_null(),
    key("texts_metadata_field", Kind::Text).or_null(),
    key("update_saml_primary_group_on_login", Kind::Flag).or_null(),
    key("use_asset_name_on_download", Kind::Flag).or_null(),
    key("watermark_options", Kind::Object).or_null(),
];

static SYSTEM: Resource =
    Resource::new("System settings", "system_settings", &SYSTEM_KEYS).always_there();

/// The keys of `GroupSettingPublicSchema`.
const OF_GROUP_KEYS: [Key; 26] = [
    key("acl_template_id", Kind::Id).or_null(),
    key("allowed_ips", Kind::List).or(Begin::NoItems),
    key("append_asset_uuid_to_downloads", Kind::Flag).or_null(),
    key("asset_default_sections", Kind::TextList).or(Begin::NoItems),
    key("collections_get_parent_acls", Kind::Flag).or_null(),
    key("date_format", Kind::Text).or_null(),
    key("datetime_format", Kind::Text).or_null(),
    key("default_upload_storage_id", Kind::Id).or_null(),
    key("delete_grace_period", Kind::Whole).or_null(),
    key("facet_fields", Kind::List).or(Begin::NoItems),
    key("filters_default_metadata_view_id", Kind::Id).or_null(),
    made("group_id", Begin::Param("group_id")),
    key("hide_favourites", Kind::Flag).or_null(),
    key("home_page", Kind::Text).or_null(),
    key("jobs_dashboard", Kind::Object).or_null(),
    key("logo_storage_id", Kind::Id).or_null(),
    key("required_metadata_views", Kind::TextList).or(Begin::NoItems),
    key("search_auto_resize_title_column", Kind::Flag).or_null(),
    key("search_default_sections", Kind::TextList).or(Begin::NoItems),
    key("search_display_fields", Kind::List).or(Begin::NoItems),
    key("search_in_transcriptions", Kind::Flag).or_null(),
    key("search_results_asset_metadata_view_id", Kind::Id).or_null(),
    key("search_results_collection_metadata_view_id", Kind::Id).or_null(),
    key("share_expiration_time", Kind::Whole).or_null(),
    made("system_domain_id", Begin::Domain),
    key("use_asset_name_on_download", Kind::Flag).or_null(),
];

static OF_GROUP: Resource =
    Resource::new("Group settings", "group_settings", &OF_GROUP_KEYS).always_there();

/// The keys of `UserSettingSchema`.
const OF_USER_KEYS: [Key; 24] = [
    key("acl_template_id", Kind::Id).or_null(),
    key("allowed_ips", Kind::List).or(Begin::NoItems),
    key("append_asset_uuid_to_downloads", Kind::Flag).or_null(),
    key("asset_default_sections", Kind::TextList).or(Begin::NoItems),
    key("collections_get_parent_acls", Kind::Flag).or_null(),
    key("date_format", Kind::Text).or_null(),
    key("datetime_format", Kind::Text).or_null(),
    key("default_upload_storage_id", Kind::Id).or_null(),
    key("delete_grace_period", Kind::Whole).or_null(),
    key("facet_fields", Kind::List).or(Begin::NoItems),
    key("filters_default_metadata_view_id", Kind::Id).or_null(),
    key("genesis", Kind::Text).or_null(),
    key("hide_favourites", Kind::Flag).or_null(),
    key("home_page", Kind::Text).or_null(),
    key("jobs_dashboard", Kind::Object).or_null(),
    key("search_auto_resize_title_column", Kind::Flag).or_null(),
    key("search_default_sections", Kind::TextList).or(Begin::NoItems),
    key("search_display_fields", Kind::List).or(Begin::NoItems),
    key("search_in_transcriptions", Kind::Flag).or_null(),
    key("search_results_asset_metadata_view_id", Kind::Id).or_null(),
    key("search_results_collection_metadata_view_id", Kind::Id).or_null(),
    key("share_expiration_time", Kind::Whole).or_null(),
    key("show_persons_confirmation_modal", Kind::Flag).or_null(),
    key("use_asset_name_on_download", Kind::Flag).or_null(),
];

static OF_USER: Resource =
    Resource::new("User settings", "user_settings", &OF_USER_KEYS).always_there();

/// The keys of `CORSHostSchema`.
const CORS_HOST_KEYS: [Key; 2] = [key("host", Kind::Text).required(), made("id", Begin::NewId)];

static CORS_HOST: Resource =
    Resource::new("CORS host", "cors_host_id", &CORS_HOST_KEYS).listed(Listing::Whole);

pub(super) fn routes() -> Routes {
    Routes::new()
        .route(
            "/settings/v1/system/current/",
            verbs(&SYSTEM, [Read, Edit, Replace]),
        )
        .route(
            "/settings/v1/system/{system_domain_id}/",
            verbs(&SYSTEM, [Read, Edit, Replace]),
        )
        .route(
            "/settings/v1/group/{group_id}/",
            verbs(&OF_GROUP, [Read, Edit, Replace, Remove]),
        )
        .route(
            "/settings/v1/user/{user_id}/",
            verbs(&OF_USER, [Read, Edit, Replace, Remove]),
        )
        .route(
            "/settings/v1/cors_hosts/",
            verbs(&CORS_HOST, [List, Create]),
        )
        .route(
            "/settings/v1/cors_hosts/{cors_host_id}/",
            verbs(&CORS_HOST, [Read, Remove]),
        )
        .route("/settings/v1/merged/current/", operations([(Get, merged)]))
        .route(
            "/settings/v1/merged/{user_id}/",
            operations([(Get, merged)]),
        )
}

/// What the domain says, and over it what the user's groups and the user say.
fn merged(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let user = match ask.param("user_id") {
        "" => ask.caller.user_id.as_str(),
        id => id,
    };
    let groups = world.users.get(user);
    let groups = groups
        .ok_or_else(|| Refusal::not_found("User", user))?
        .get("groups");
    let groups = groups.and_then(Value::as_array).into_iter().flatten();
    let groups = groups.filter_map(Value::as_str);
    let of = |shelf: &str, place: Place| -> Document {
        let shelf = world.shelf(shelf);
        shelf
            .and_then(|it| it.get(&place.row("")))
            .cloned()
            .unwrap_or_default()
    };
    let mut all = blank(&SYSTEM_KEYS, ask, &world.domain);
    overlay(&mut all, of("system_settings", Place::default()));
    let groups = groups.map(|id| of("group_settings", [("group_id", id)].into_iter().collect()));
    let own = of("user_settings", [("user_id", user)].into_iter().collect());
    for said in groups.chain([own]) {
        let said = said.into_iter().filter(|(_, value)| match value {
            Value::Null => false,
            Value::Array(list) => !list.is_empty(),
            _ => true,
        });
        overlay(&mut all, said.collect());
    }
    Ok(Done::ok(all))
}
