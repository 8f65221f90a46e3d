//! Tokens for programs that log in by themselves: OAuth client credentials (RFC 6749, 4.4).
//!
//! Every credential is a client as well, whose secret is its token. The path, the fields of the form and the statuses are
//! Iconik's of 2026; what it answers is not published, so the answer is that of the RFC, and the life of a token is inferred.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use reqwest::Url;
use serde_json::json;

use super::Simulator;
use super::door::Door;
use super::refusal::Refusal;
use super::tokens::{LIFE, Tokens};
use super::world::new_id;

/// Where tokens are issued; like a log-in it takes none.
pub(super) const TOKEN: &str = "auth/v1/oauth/token/";

impl Door {
    /// A token for the client that the form names.
    pub(super) fn issue(&self, headers: &HeaderMap, body: &[u8]) -> Response {
        let declared = headers.get(header::CONTENT_TYPE);
        let declared = declared.and_then(|value| value.to_str().ok());
        if !declared.is_some_and(|it| it.starts_with("application/x-www-form-urlencoded")) {
            return Refusal::bad("This takes a form").into_response();
        }
        let form = form(body);
        let field = |name: &str| form.get(name).map_or("", String::as_str);
        if field("grant_type") != "client_credentials" {
            return Refusal::bad("This simulator knows the grant client_credentials alone")
                .into_response();
        }
        let (client, secret) = (field("client_id"), field("client_secret"));
        let mut credentials = self.credentials.iter();
        let known = credentials.find(|it| it.app_id == client && it.auth_token.expose() == secret);
        let Some(known) = known else {
            return Refusal::bad("No such client").into_response();
        };
        let text = new_id();
        let now = self.clock.now();
        let mut world = self.site.world();
        world.tokens.give(text.clone(), client, &known.user_id, now);
        let seconds = LIFE.as_secs();
        Json(json!({ "access_token": text, "token_type": "Bearer", "expires_in": seconds }))
            .into_response()
    }
}

fn form(body: &[u8]) -> BTreeMap<String, String> {
    let body = String::from_utf8_lossy(body);
    let read = Url::parse(&format!("form:?{body}"));
    let fields = read.as_ref().map(Url::query_pairs);
    let fields = fields.into_iter().flatten();
    fields
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}

impl Simulator {
    /// Ends every token that was given out, as if its time were over; those of the credentials stay.
    pub fn end_tokens(&self) {
        self.site.world().tokens = Tokens::default();
    }
}
