//! Templates of access rights.

use super::resource::Verb::{Create, Edit, List, Read, Remove, Replace};
use super::resource::{Listing, Resource};
use super::routes::{Routes, verbs};
use super::shape::{Begin, Key, Kind, key, made};

/// The keys of `ACLTemplateSchema`.
const TEMPLATE_KEYS: [Key; 4] = [
    made("date_created", Begin::Now),
    made("date_modified", Begin::Now),
    made("id", Begin::NewId),
    key("name", Kind::Text).required(),
];

static TEMPLATE: Resource =
    Resource::new("ACL template", "template_id", &TEMPLATE_KEYS).listed(Listing::Whole);

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/acls/v1/acl/templates/", verbs(&TEMPLATE, [List, Create]))
        .route(
            "/acls/v1/acl/templates/{template_id}/",
            verbs(&TEMPLATE, [Read, Edit, Replace, Remove]),
        )
}
