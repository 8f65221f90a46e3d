//! Who gets the logs of the domain.

use super::resource::Verb::{Create, Edit, List, Read, Remove, Replace};
use super::resource::{Listing, Resource};
use super::routes::{Routes, verbs};
use super::shape::{Begin, Key, Kind, key, made};

/// The keys of `LogsRecipientReadSchema`.
const RECIPIENT_KEYS: [Key; 4] = [
    made("id", Begin::NewId),
    key("method", Kind::OneOf(&["GOOGLE", "AMAZON"])).required(),
    key("name", Kind::Text).required(),
    key("settings", Kind::Object).required(),
];

static RECIPIENT: Resource =
    Resource::new("Recipient of logs", "logs_recipient_id", &RECIPIENT_KEYS).listed(Listing::After);

pub(super) fn routes() -> Routes {
    Routes::new()
        .route(
            "/stats/v1/system/logs/recipients/",
            verbs(&RECIPIENT, [List, Create]),
        )
        .route(
            "/stats/v1/system/logs/recipients/{logs_recipient_id}/",
            verbs(&RECIPIENT, [Read, Edit, Replace, Remove]),
        )
}
