//! Custom actions: buttons whose press makes Iconik call a URL, as recorded: eleven keys, a date without a
//! zone, the static headers, ten seconds' patience.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::Shared;
use super::operation::{Ask, Caller, Done};
use super::refusal::Refusal;
use super::routes::{Routes, operations, waiting};
use super::shape::{Extent, Key, Kind, checked, key};
use super::table::{Document, text};
use super::webhooks::check_target;
use super::world::{World, document, new_id, overlay};
use crate::model::Method::{Delete, Get, Patch, Post, Put};

const CONTEXTS: [&str; 10] = [
    "ASSET",
    "ASSET_SUBCLIP",
    "SHARED_ASSET",
    "COLLECTION",
    "SHARED_COLLECTION",
    "BULK",
    "SAVED_SEARCH",
    "NONE",
    "PLAYLIST",
    "SHARED_PLAYLIST",
];

/// The writable keys of `CustomActionSchema`.
const KEYS: [Key; 8] = [
    key("title", Kind::Text).required(),
    key("url", Kind::Text).required(),
    key("context", Kind::OneOf(&CONTEXTS)).required(),
    key("type", Kind::OneOf(&["OPEN", "POST", "PUBLISH"])),
    key("app_id", Kind::Id).nullable(),
    key("disabled", Kind::Flag),
    key("headers", Kind::Texts),
    key("metadata_view", Kind::Id).nullable(),
];

/// The keys of `CustomActionCallbackSchema`: what the press is about.
const PRESS_KEYS: [Key; 5] = [
    key("asset_ids", Kind::Ids),
    key("collection_ids", Kind::Ids),
    key("saved_search_ids", Kind::Ids),
    key("metadata_view_id", Kind::Id).nullable(),
    key("metadata_values", Kind::Object).nullable(),
];

/// How long a button's token lives, as recorded.
const TOKEN_SECONDS: i64 = 12 * 60 * 60;

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/assets/v1/custom_actions/", operations([(Get, list)]))
        .route(
            "/assets/v1/custom_actions/{context}/",
            operations([(Get, list_of_context), (Post, create)]),
        )
        .route(
            "/assets/v1/custom_actions/{context}/{action_id}/",
            operations([
                (Get, read),
                (Put, replace),
                (Patch, change),
                (Delete, remove),
            ]),
        )
        .route(
            "/assets/v1/custom_actions/shared/{context}/{action_id}/callback/",
            waiting(Post, post(press)),
        )
        .route(
            "/assets/v1/custom_actions/{context}/{action_id}/callback/",
            waiting(Post, post(press)),
        )
}

fn list(world: &mut World, _: &Ask) -> Result<Done, Refusal> {
    let actions = world.custom_actions.iter().collect::<Vec<_>>();
    Ok(Done::ok(json!({ "objects": actions })))
}

fn list_of_context(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let context = ask.param("context");
    let actions = world.custom_actions.iter();
    let actions = actions
        .filter(|action| text(action, "context") == context)
        .collect::<Vec<_>>();
    Ok(Done::ok(json!({ "objects": actions })))
}

/// The 2025 specification says 201 here, the 2026 one 200.
fn read(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    Ok(Done::ok(find(world, ask)?.clone()))
}

fn create(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let body = ask.body()?;
    if text(&body, "context") != ask.param("context") {
        let message = "Must be the context of the path";
        return Err(Refusal::invalid("context", message));
    }
    add(world, &ask.caller, &body, None).map(Done::created)
}

/// Makes a custom action; `id` only for a seed.
pub(super) fn add(
    world: &mut World,
    caller: &Caller,
    body: &Document,
    id: Option<&str>,
) -> Result<Document, Refusal> {
    let given = checked(body, &KEYS, Extent::Whole)?;
    check_target(&given)?;
    let id = id.map_or_else(new_id, str::to_owned);
    let now = caller.stamp();
    let mut action = document(json!({
        "app_id": null,
        "date_created": now,
        "date_modified": now,
        "disabled": false,
        "headers": {},
        "id": id,
        "last_error": null,
        "last_error_date": null,
        "metadata_view": null,
        "status": "HEALTHY",
        "system_domain_id": world.domain,
        "type": "POST",
    }));
    overlay(&mut action, given);
    world.custom_actions.put(&id, action.clone());
    Ok(action)
}

fn change(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    update(world, ask, Extent::Part)
}

fn replace(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    update(world, ask, Extent::Whole)
}

fn update(world: &mut World, ask: &Ask, extent: Extent) -> Result<Done, Refusal> {
    let mut action = find(world, ask)?.clone();
    let given = checked(&ask.body()?, &KEYS, extent)?;
    check_target(&given)?;
    overlay(&mut action, given);
    action.insert("date_modified".to_owned(), ask.caller.stamp());
    world
        .custom_actions
        .put(ask.param("action_id"), action.clone());
    Ok(Done::ok(action))
}

fn remove(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    find(world, ask)?;
    world.custom_actions.remove(ask.param("action_id"));
    Ok(Done::no_content())
}

fn find<'a>(world: &'a World, ask: &Ask) -> Result<&'a Document, Refusal> {
    let (context, id) = (ask.param("context"), ask.param("action_id"));
    world
        .custom_actions
        .get(id)
        .filter(|action| text(action, "context") == context)
        .ok_or_else(|| Refusal::not_found("Custom action", id))
}

/// Presses the button: calls its URL and waits for the answer, without holding the world meanwhile.
async fn press(State(site): State<Shared>, ask: Ask) -> Result<Response, Refusal> {
    let (action, payload) = pressed(&mut site.world(), &ask)?;
    let outcome = site.courier.call(&action, &payload).await;
    let mut world = site.world();
    if let Some(action) = world.custom_actions.get_mut(text(&action, "id")) {
        let (status, error, at) = match &outcome {
            Ok(_) => ("HEALTHY", Value::Null, Value::Null),
            Err(error) => ("FAILING", json!(error), ask.caller.stamp()),
        };
        action.insert("status".to_owned(), json!(status));
        action.insert("last_error".to_owned(), error);
        action.insert("last_error_date".to_owned(), at);
    }
    match outcome {
        Ok(answer) => {
            site.writes.note(Post, &ask, StatusCode::OK, &Value::Null);
            let redirect_url = answer.get("redirect_url").filter(|it| it.is_string());
            let entry = redirect_url.map(|it| ("redirect_url".to_owned(), it.clone()));
            Ok(Json(Document::from_iter(entry)).into_response())
        }
        Err(error) => Err(Refusal::bad(format!("The custom action failed: {error}"))),
    }
}

/// The action, and what goes to its URL: with a token that acts as whoever pressed, for the action's own
/// application.
fn pressed(world: &mut World, ask: &Ask) -> Result<(Document, Value), Refusal> {
    let action = find(world, ask)?.clone();
    if action["disabled"] == true || text(&action, "type") != "POST" {
        return Err(Refusal::bad("This custom action does not call its URL"));
    }
    let given = checked(&ask.body()?, &PRESS_KEYS, Extent::Part)?;
    let ids = |key: &str| given.get(key).cloned().unwrap_or_else(|| json!([]));
    let now = ask.caller.now;
    let token = token(now.as_second());
    let (app, user) = (text(&action, "app_id"), &ask.caller.user_id);
    world.tokens.give(token.clone(), app, user, now);
    let payload = json!({
        "user_id": ask.caller.user_id,
        "system_domain_id": world.domain,
        "context": text(&action, "context"),
        "action_id": text(&action, "id"),
        "asset_ids": ids("asset_ids"),
        "collection_ids": ids("collection_ids"),
        "saved_search_ids": ids("saved_search_ids"),
        "metadata_view_id": given.get("metadata_view_id"),
        "metadata_values": given.get("metadata_values"),
        "date_created": ask.caller.now.strftime("%Y-%m-%dT%H:%M:%S%.6f").to_string(),
        "auth_token": token,
    });
    Ok((action, payload))
}

/// A token of the recorded form, with its times in the header.
fn token(now: i64) -> String {
    let header = json!({ "typ": "JWT", "alg": "HS256", "iat": now, "exp": now + TOKEN_SECONDS });
    let payload = json!({ "id": new_id() });
    [header.to_string(), payload.to_string(), new_id()]
        .map(|part| BASE64_URL_SAFE_NO_PAD.encode(part))
        .join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_button_s_token_looks_like_a_jwt_and_is_never_the_same() {
        let (one, other) = (token(0), token(0));
        assert_ne!(one, other);
        assert_eq!(one.split('.').count(), 3);
        let header = BASE64_URL_SAFE_NO_PAD
            .decode(one.split('.').next().unwrap())
            .unwrap();
        let header: Value = serde_json::from_slice(&header).unwrap();
        assert_eq!(header["exp"], TOKEN_SECONDS);
    }
}
