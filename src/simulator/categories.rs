//! Categories: which views are shown for which type of object.

use super::resource::Verb::{Create, List, Read, Remove, Replace};
use super::resource::{Listing, Resource};
use super::routes::{Routes, verbs};
use super::shape::{Begin, Key, Kind, key, made};

/// The keys of `MetadataCategorySchema`.
const CATEGORY_KEYS: [Key; 7] = [
    made("date_created", Begin::Now),
    made("date_modified", Begin::Now),
    key("label", Kind::Text).required(),
    key("name", Kind::Text).required(),
    made("object_type", Begin::Param("object_type")),
    key("view_ids", Kind::TextList).or(Begin::NoItems),
    made("views", Begin::NoItems),
];

static CATEGORY: Resource = Resource::new("Category", "categories", &CATEGORY_KEYS)
    .named_by("name", "name")
    .listed(Listing::Whole);

pub(super) fn routes() -> Routes {
    Routes::new()
        .route(
            "/metadata/v1/{object_type}/categories/",
            verbs(&CATEGORY, [List, Create]),
        )
        .route(
            "/metadata/v1/{object_type}/categories/{name}/",
            verbs(&CATEGORY, [Read, Replace, Remove]),
        )
        .route(
            "/metadata/v1/{object_type}/categories/{name}/views/",
            verbs(&CATEGORY, [Read]),
        )
}
