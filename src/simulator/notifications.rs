//! The bell in the user interface: notifications, subscriptions, and who wants to hear of what.

use axum::http::StatusCode;

use serde_json::json;

use super::operation::{Ask, Done};
use super::paging::{Bounds, Row, page};
use super::refusal::Refusal;
use super::resource::Verb::{Create, List, Read, Remove, Replace};
use super::resource::{Listing, Resource};
use super::routes::{Routes, operations, verbs};
use super::shape::{Begin, Key, Kind, key, made};
use super::shelf::Shelf;
use super::table::{Document, text};
use super::world::World;
use crate::model::Method::{Delete, Get, Put};

/// The keys of `NotificationSchema`.
const NOTIFICATION_KEYS: [Key; 19] = [
    key("context", Kind::Object).or(Begin::NoEntries),
    made("date_created", Begin::Now),
    made("date_modified", Begin::Now),
    key("event_type", Kind::Text).required(),
    key("exclude_users", Kind::Ids).or_null(),
    made("id", Begin::NewId),
    key("message_long", Kind::Text).required(),
    key("message_short", Kind::Text).required(),
    key("object_id", Kind::Id).required(),
    key("object_type", Kind::Text).required(),
    key("recipient_id", Kind::Id).required(),
    key("sender_id", Kind::Id).required(),
    key("share_id", Kind::Id),
    key("share_user_id", Kind::Id),
    key("status", Kind::OneOf(&["QUEUED", "SENT", "READ"])).or(Begin::Text("QUEUED")),
    key("sub_object_id", Kind::Id),
    key("sub_object_type", Kind::Text),
    made("system_domain_id", Begin::Domain),
    key("user_id", Kind::Id),
];

static NOTIFICATION: Resource =
    Resource::new("Notification", "notification_id", &NOTIFICATION_KEYS).listed(Listing::After);

/// The keys of `SubscriptionSchema`.
const SUBSCRIPTION_KEYS: [Key; 10] = [
    made("date_created", Begin::Now),
    made("date_modified", Begin::Now),
    key("event_type", Kind::Text),
    made("id", Begin::NewId),
    key("object_id", Kind::Id),
    key("object_type", Kind::Text).required(),
    key("sub_object_id", Kind::Id),
    key("sub_object_type", Kind::Text),
    made("system_domain_id", Begin::Domain),
    made("user_id", Begin::Caller),
];

static SUBSCRIPTION: Resource =
    Resource::new("Subscription", "subscription_id", &SUBSCRIPTION_KEYS).listed(Listing::Whole);

/// The keys of `NotificationSettingSchema`.
const SETTING_KEYS: [Key; 8] = [
    key("enabled", Kind::Flag).required().or(Begin::Flag(true)),
    made("event_type", Begin::Param("event_type")),
    made("object_type", Begin::Param("object_type")),
    made("protocol", Begin::Param("protocol")),
    made("recipient_id", Begin::Caller),
    key("settings", Kind::Object).or(Begin::NoEntries),
    made("sub_object_type", Begin::Param("sub_object_type")),
    made("system_domain_id", Begin::Domain),
];

static SETTING: Resource = Resource::new(
    "Notification setting",
    "notification_setting",
    &SETTING_KEYS,
)
.always_there()
.changed(StatusCode::CREATED);

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/users-notifications/v1/notifications/", verbs(&NOTIFICATION, [List, Create]))
        .route("/users-notifications/v1/notifications/{notification_id}/", verbs(&NOTIFICATION, [Read, Remove]))
        .route("/users-notifications/v1/subscriptions/", verbs(&SUBSCRIPTION, [List, Create]))
        .route("/users-notifications/v1/subscriptions/{subscription_id}/", verbs(&SUBSCRIPTION, [Read, Remove]))
        .route("/users-notifications/v1/notification_settings/{object_type}/{sub_object_type}/{event_type}/{protocol}/", verbs(&SETTING, [Read, Replace]))
        .route(
            "/users-notifications/v1/notification_settings/",
            operations([(Get, list_settings)]),
        )
        .route(
            "/users-notifications/v1/notifications/all/read/",
            operations([(Put, read_all)]),
        )
        .route(
            "/users-notifications/v1/notifications/system/",
            verbs(&SYSTEM_NOTIFICATION, [Create]),
        )
        .route(
            "/users-notifications/v1/{object_type}/{object_id}/subscriptions/",
            operations([(Get, list_of_object)]),
        )
        .route(
            "/users-notifications/v1/{object_type}/{object_id}/subscriptions/all/",
            operations([(Delete, end_all)]),
        )
}

static SYSTEM_NOTIFICATION: Resource =
    Resource::new("Notification", "notification_id", &NOTIFICATION_KEYS);

/// Every setting that somebody has made.
fn list_settings(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let made = world.shelf("notification_setting").into_iter();
    let rows = made.flat_map(Shelf::iter).map(Row::plain).collect();
    page(rows, &ask.path(), &ask.query, Bounds::PLAIN).map(Done::ok)
}

/// The caller's own notifications are read now.
fn read_all(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let shelf = world.shelf_mut("notification_id");
    let own = shelf.iter();
    let own = own.filter(|it| text(it, "recipient_id") == ask.caller.user_id);
    let own: Vec<_> = own.map(|it| text(it, "id").to_owned()).collect();
    for id in own {
        if let Some(notification) = shelf.get_mut(&id) {
            notification.insert("status".to_owned(), json!("READ"));
        }
    }
    Ok(Done::bare(StatusCode::OK))
}

fn list_of_object(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    world.check_exists("object_id", ask.param("object_id"), ask)?;
    SUBSCRIPTION.list(world, ask, |_| true)
}

/// The caller hears no more of the object. 200 with a body is published; it shows one of those that ended.
fn end_all(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let id = ask.param("object_id");
    world.check_exists("object_id", id, ask)?;
    let shelf = world.shelf_mut("subscription_id");
    let is_meant =
        |it: &Document| text(it, "object_id") == id && text(it, "user_id") == ask.caller.user_id;
    let shown = shelf.iter().find(|it| is_meant(it)).cloned();
    shelf.forget(|it, _| is_meant(it));
    let shown = shown.map(|it| Document::clone(&it)).unwrap_or_default();
    Ok(Done::ok(shown))
}
