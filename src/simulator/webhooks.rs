//! Webhook definitions, and which events each wants. There is no PATCH: a PUT states the whole definition.

use axum::http::{HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::operation::{Ask, Caller, Change, Done};
use super::refusal::Refusal;
use super::routes::{Routes, operations};
use super::shape::{Extent, Key, Kind, checked, key};
use super::table::{Document, text};
use super::webhook_query::Query;
use super::world::{World, document, new_id, overlay};
use crate::model::Method::{Delete, Get, Post, Put};

/// The writable keys of `WebhookCreateSchema` but those that the server itself sets.
const KEYS: [Key; 10] = [
    key("event_type", Kind::Text).required(),
    key(
        "status",
        Kind::OneOf(&["ENABLED", "DISABLED", "FAILING", "DELETED"]),
    )
    .required(),
    key("url", Kind::Text).required(),
    key("name", Kind::Text).nullable(),
    key("description", Kind::Text).nullable(),
    key("headers", Kind::Texts).nullable(),
    key("object_id", Kind::Id).nullable(),
    key("operation", Kind::Text).nullable(),
    key("query", Kind::Text).nullable(),
    key("realm", Kind::Text).nullable(),
];

pub(super) fn routes() -> Routes {
    Routes::new()
        .route(
            "/notifications/v1/webhooks/",
            operations([(Get, list), (Post, create)]),
        )
        .route(
            "/notifications/v1/webhooks/{webhook_id}/",
            operations([(Get, read), (Put, replace), (Delete, remove)]),
        )
}

fn list(world: &mut World, _: &Ask) -> Result<Done, Refusal> {
    let webhooks = world.webhooks.iter().collect::<Vec<_>>();
    Ok(Done::ok(json!({ "objects": webhooks })))
}

/// The 2025 specification says 201 here, the 2026 one 200.
fn read(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    Ok(Done::ok(find(world, ask.param("webhook_id"))?.clone()))
}

fn create(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    add(world, &ask.caller, &ask.body()?, None).map(Done::created)
}

/// Makes a webhook; `id` only for a seed.
pub(super) fn add(
    world: &mut World,
    caller: &Caller,
    body: &Document,
    id: Option<&str>,
) -> Result<Document, Refusal> {
    let id = id.map_or_else(new_id, str::to_owned);
    let webhook = defined(body, &id, &caller.stamp(), &caller.stamp())?;
    world.webhooks.put(&id, webhook.clone());
    Ok(webhook)
}

fn replace(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let id = ask.param("webhook_id");
    let created = find(world, id)?["date_created"].clone();
    let webhook = defined(&ask.body()?, id, &created, &ask.caller.stamp())?;
    world.webhooks.put(id, webhook.clone());
    Ok(Done::ok(webhook))
}

fn remove(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let id = ask.param("webhook_id");
    match world.webhooks.remove(id) {
        Some(_) => Ok(Done::no_content()),
        None => Err(Refusal::not_found("Webhook", id)),
    }
}

fn find<'a>(world: &'a World, id: &str) -> Result<&'a Document, Refusal> {
    world
        .webhooks
        .get(id)
        .ok_or_else(|| Refusal::not_found("Webhook", id))
}

fn defined(
    body: &Document,
    id: &str,
    created: &Value,
    modified: &Value,
) -> Result<Document, Refusal> {
    let given = checked(body, &KEYS, Extent::Whole)?;
    check_target(&given)?;
    if !text(&given, "query").is_empty()
        && let Err(message) = Query::read(text(&given, "query"))
    {
        return Err(Refusal::invalid("query", message));
    }
    let mut webhook = document(json!({
        "date_created": created,
        "date_modified": modified,
        "deleted_at": null,
        "description": null,
        "first_failed_at": null,
        "headers": {},
        "id": id,
        "last_error": null,
        "last_payload": null,
        "name": null,
        "object_id": null,
        "operation": null,
        "query": null,
        "realm": null,
    }));
    overlay(&mut webhook, given);
    Ok(webhook)
}

/// Whether url and headers can be called at all.
///
/// # Errors
///
/// 400 naming the key.
pub(super) fn check_target(given: &Document) -> Result<(), Refusal> {
    if let Some(url) = given.get("url").and_then(Value::as_str) {
        let url = reqwest::Url::parse(url);
        if !url.is_ok_and(|url| matches!(url.scheme(), "http" | "https")) {
            return Err(Refusal::invalid("url", "Must be an http or https URL"));
        }
    }
    for (name, value) in headers(given) {
        if HeaderName::try_from(name).is_err() || HeaderValue::try_from(value).is_err() {
            let message = format!("{name} is no possible HTTP header");
            return Err(Refusal::invalid("headers", message));
        }
    }
    Ok(())
}

/// The static headers that go with every call.
pub(super) fn headers(definition: &Document) -> impl Iterator<Item = (&str, &str)> {
    definition
        .get("headers")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
}

/// Whether the webhook gets events at all. Whether a failing one still does is unknown; here it does not.
pub(super) fn is_enabled(webhook: &Document) -> bool {
    text(webhook, "status") == "ENABLED"
}

/// Whether the webhook asks for the event. Absent realm and operation ask for all; an object is, as
/// inferred, the event's own or the one that its data belong to.
pub(super) fn wants(webhook: &Document, change: &Change) -> bool {
    let asks =
        |key: &str, is: &str| matches!(text(webhook, key), "" | "*") || text(webhook, key) == is;
    let object = text(webhook, "object_id");
    let belongs = || {
        ["collection_id", "asset_id", "object_id"]
            .iter()
            .any(|key| change.data[key] == object)
    };
    text(webhook, "event_type") == change.event_type
        && asks("realm", change.realm)
        && asks("operation", change.operation)
        && (object.is_empty() || change.object_id == object || belongs())
}

/// Whether the webhook's query, if it has one, holds for the event.
pub(super) fn is_meant(webhook: &Document, envelope: &Value) -> bool {
    match text(webhook, "query") {
        "" => true,
        query => Query::read(query).is_ok_and(|query| query.holds(envelope)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change() -> Change {
        let data = json!({ "collection_id": "c", "object_id": "a" });
        Change::new(("collections", "contents", "create"), "a", data)
    }

    fn wanted(definition: &Value) -> bool {
        wants(definition.as_object().unwrap(), &change())
    }

    #[test]
    fn a_webhook_gets_what_it_names_and_all_where_it_names_nothing() {
        assert!(wanted(&json!({ "event_type": "collections" })));
        assert!(wanted(
            &json!({ "event_type": "collections", "realm": "contents" })
        ));
        assert!(wanted(
            &json!({ "event_type": "collections", "realm": null, "operation": "create" })
        ));
        assert!(!wanted(&json!({ "event_type": "assets" })));
        assert!(!wanted(
            &json!({ "event_type": "collections", "realm": "entity" })
        ));
        assert!(!wanted(
            &json!({ "event_type": "collections", "operation": "delete" })
        ));
    }

    #[test]
    fn a_webhook_on_one_object_gets_the_events_of_the_object_and_of_what_lies_in_it() {
        assert!(wanted(
            &json!({ "event_type": "collections", "object_id": "a" })
        ));
        assert!(wanted(
            &json!({ "event_type": "collections", "object_id": "c" })
        ));
        assert!(!wanted(
            &json!({ "event_type": "collections", "object_id": "other" })
        ));
    }
}
