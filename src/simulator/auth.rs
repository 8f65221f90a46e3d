//! Applications and the tokens by which they call.

use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::json;

use super::cursor::page_after;
use super::operation::{Ask, Done};
use super::paging::Row;
use super::refusal::Refusal;
use super::resource::Verb::{Create, Edit, List, Read, Remove, Replace};
use super::resource::{Listing, Resource};
use super::routes::{Routes, operations, verbs};
use super::shape::{Begin, Extent, Key, Kind, checked, key, made};
use super::table::{Document, text};
use super::tokens::Token;
use super::world::{World, new_id};
use crate::model::Method::{Delete, Get, Post, Put};

/// The keys of `AppSchema`.
const APP_KEYS: [Key; 8] = [
    made("date_created", Begin::Now),
    made("date_modified", Begin::Now),
    key("default_user_id", Kind::Id).or_null(),
    key("description", Kind::Text).or_null(),
    made("id", Begin::NewId),
    key("name", Kind::Text).required(),
    made("system_domain_id", Begin::Domain),
    key("url", Kind::Text).or_null(),
];

static APP: Resource = Resource::new("Application", "app_id", &APP_KEYS).listed(Listing::After);

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/auth/v1/apps/", verbs(&APP, [List, Create]))
        .route(
            "/auth/v1/apps/{app_id}/",
            verbs(&APP, [Read, Edit, Replace, Remove]),
        )
        .route(
            "/auth/v1/apps/{app_id}/token/",
            operations([(Post, give_for_app)]),
        )
        .route("/auth/v1/auth/simple/login/", operations([(Post, log_in)]))
        .route(
            "/auth/v1/auth/token/",
            operations([(Get, check), (Post, give), (Put, renew), (Delete, revoke)]),
        )
        .route("/auth/v1/auth/tokens/", operations([(Get, list)]))
        .route(
            "/auth/v1/auth/token/{token_id}/",
            operations([(Get, check_one), (Delete, revoke_one)]),
        )
}

/// The keys of `SimpleLoginSchema`.
const LOGIN_KEYS: [Key; 3] = [
    key("app_name", Kind::Text),
    key("email", Kind::Text).required(),
    key("password", Kind::Text).required(),
];

/// A user without a password cannot log in. The user behind a credential has the token as its password.
fn log_in(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let given = checked(&ask.body()?, &LOGIN_KEYS, Extent::Whole)?;
    let (email, password) = (text(&given, "email"), text(&given, "password"));
    let is_meant = |user: &Document| {
        let known = world.passwords.get(text(user, "id"));
        text(user, "email") == email && known.is_some_and(|it| it.expose() == password)
    };
    let user = world.users.iter().find(|user| is_meant(user));
    let user = user.map(|user| text(user, "id").to_owned());
    let Some(user) = user else {
        let message = "E-mail or password is wrong";
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, message));
    };
    given_out(world, ask, &new_id(), &user)
}

fn given_out(world: &mut World, ask: &Ask, app_id: &str, user: &str) -> Result<Done, Refusal> {
    let text = new_id();
    let token = world
        .tokens
        .give(text.clone(), app_id, user, ask.caller.now);
    let mut shown = token.shown(&world.domain, world.users.get(user));
    shown.insert("token".to_owned(), json!(text));
    Ok(Done::created(shown))
}

/// Another token for whoever asks.
fn give(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    given_out(world, ask, &ask.caller.app_id, &ask.caller.user_id)
}

/// 200, as published. It acts as the application's own user, or else as the caller.
fn give_for_app(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let app = APP.find(world, ask)?;
    let user = match text(&app, "default_user_id") {
        "" => ask.caller.user_id.clone(),
        user => user.to_owned(),
    };
    given_out(world, ask, text(&app, "id"), &user).map(Done::with_200)
}

/// Whoever comes this far has a token; the schema publishes no body.
fn check(_: &mut World, _: &Ask) -> Result<Done, Refusal> {
    Ok(Done::ok(json!({})))
}

/// A token that belongs to a credential never expires, so there is nothing to renew; it is shown as it is.
fn renew(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let caller = &ask.caller;
    let user = world.users.get(&caller.user_id).cloned();
    let renewed = world.tokens.renew(&caller.token, caller.now).cloned();
    let renewed = renewed.unwrap_or_else(|| Token::of(caller));
    let mut shown = renewed.shown(&world.domain, user.as_ref());
    shown.insert("token".to_owned(), json!(caller.token));
    Ok(Done::ok(shown))
}

/// The token of a credential stays: a simulator that locked out its client would be of no use.
fn revoke(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    world.tokens.revoke(&ask.caller.token);
    Ok(Done::bare(StatusCode::OK))
}

fn list(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let user = world.users.get(&ask.caller.user_id);
    let own = world.tokens.of_user(&ask.caller.user_id).into_iter();
    let own: Vec<_> = own
        .map(|token| Arc::new(token.shown(&world.domain, user)))
        .collect();
    page_after(
        &own.iter().map(Row::plain).collect::<Vec<_>>(),
        &ask.path(),
        &ask.query,
    )
    .map(Done::ok)
}

fn check_one(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let id = ask.param("token_id");
    match world.tokens.by_id(id) {
        Some(_) => Ok(Done::bare(StatusCode::OK)),
        None => Err(Refusal::not_found("Token", id)),
    }
}

fn revoke_one(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let id = ask.param("token_id");
    let found = world.tokens.by_id(id).map(|(text, _)| text.to_owned());
    match found {
        Some(text) => world.tokens.revoke(&text),
        None => return Err(Refusal::not_found("Token", id)),
    };
    Ok(Done::bare(StatusCode::OK))
}
