//! One request, from its first byte to its answer.
//!
//! The order is the point: how large and how slow it is bounds what an unknown sender can cost; who sent it is
//! asked before a byte is parsed; and 200 is said only after the store has said that a power cut will not
//! lose the event.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;
use serde_json::json;
use tokio::time::{Instant, timeout, timeout_at};

use crate::model::Event;
use crate::store::Accepted;

use super::counters;
use super::message;
use super::refusal::Refusal;
use super::sealing::{self, Sealing};
use super::sender::{self, Forwarded, Peer};
use super::verify::Request;
use super::{Ingress, Source};

/// Names the stored event in an answer.
const EVENT_ID: HeaderName = HeaderName::from_static("cuegate-event-id");

/// How long the store may take. Iconik waits about ten seconds for the answer to a custom action; a sender
/// that is told to come again before it gives up does so, and its event gets the same id.
const STORE_WITHIN: Duration = Duration::from_secs(9);

/// How much memory an unknown sender's `Content-Length` may reserve before bytes arrive, in bytes.
const BODY_RESERVED_BYTES: usize = 16 * 1024;

/// `POST /hooks/{source}`.
pub(super) async fn receive(
    State(ingress): State<Arc<Ingress>>,
    name: Result<Path<String>, PathRejection>,
    request: axum::extract::Request,
) -> Response {
    let started = Instant::now();
    let Some(source) = name.ok().and_then(|Path(name)| ingress.sources.get(&name)) else {
        return refuse(None, Refusal::UnknownSource);
    };
    let outcome = ingress.take_in(source, request, started).await;
    counters::took(&source.name, started.elapsed());
    match outcome {
        Ok((accepted, redirect)) => answer(&accepted, redirect),
        Err(refusal) => refuse(Some(source), refusal),
    }
}

/// Anything posted or asked for elsewhere.
pub(super) async fn no_such_path() -> Response {
    refuse(None, Refusal::NoSuchPath)
}

/// Anything but POST.
pub(super) async fn wrong_method() -> Response {
    refuse(None, Refusal::WrongMethod)
}

impl Ingress {
    /// Reads, verifies, parses and stores one request.
    async fn take_in(
        &self,
        source: &Source,
        request: axum::extract::Request,
        started: Instant,
    ) -> Result<(Accepted, Option<String>), Refusal> {
        if self.draining.load(Ordering::Relaxed) {
            return Err(Refusal::Draining);
        }
        let (head, body) = request.into_parts();
        if !source.allow_ips.is_empty() {
            let peer = head.extensions.get::<Peer>().copied();
            let forwarded = Forwarded::of(&head.headers);
            sender::allow(peer, &forwarded, &self.trusted_proxies, &source.allow_ips)
                .map_err(Refusal::WrongAddress)?;
        }
        let body = timeout_at(
            started + self.limits.request,
            read(body, self.limits.body_bytes),
        )
        .await
        .map_err(|_| Refusal::TooSlow)??;

        let request = Request::new(head.headers, body, self.clock.now());
        let request = source
            .verifier
            .load()
            .verify(request)
            .map_err(Refusal::Unverified)?;
        if let Some(number) = request.secret() {
            counters::secret_used(&source.name, number);
        }
        let event = message::parse(
            &request,
            &source.name,
            source.dedup_window,
            source.mapping.as_ref(),
        )?;
        let kind = event.kind;
        let redirect = self.redirect(&event);
        if let Some(sealing) = self.sealing_for(&event) {
            let kept = timeout(STORE_WITHIN, sealing.keep(&event, request.body()));
            kept.await.map_err(|_| Refusal::StoreTooSlow)??;
        }

        let accepted = timeout(STORE_WITHIN, self.store.accept(vec![event]))
            .await
            .map_err(|_| Refusal::StoreTooSlow)??
            .pop()
            .expect("a store answers for every event that it accepts");
        counters::accepted(&source.name, kind);
        tracing::debug!(source = %source.name, event = %accepted.id, duplicate = accepted.duplicate, "event accepted");
        Ok((accepted, redirect))
    }

    /// What keeps the token that came with the event, if a rule needs it.
    fn sealing_for(&self, event: &Event) -> Option<&Sealing> {
        let needed = sealing::runs_as_user(self.rules.borrow().as_deref(), event);
        self.sealing.as_ref().filter(|_| needed)
    }

    /// Where whoever has pressed the button goes on, if its rule says so.
    fn redirect(&self, event: &Event) -> Option<String> {
        let rule = event.pressed_rule()?;
        let set = self.rules.borrow();
        let mut rules = set.as_ref()?.rules.iter();
        let header = rules.find(|header| header.rule.as_str() == rule)?;
        header.button.as_ref()?.redirect.clone()
    }
}

/// The whole body, or why not. A length that is declared too large is refused before a byte is read.
async fn read(body: Body, limit: usize) -> Result<Bytes, Refusal> {
    let declared = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if declared > limit {
        return Err(Refusal::TooLarge(limit));
    }
    let mut bytes = Vec::with_capacity(declared.min(BODY_RESERVED_BYTES));
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Refusal::BrokenOff)?;
        if bytes.len() + chunk.len() > limit {
            return Err(Refusal::TooLarge(limit));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.into())
}

fn answer(accepted: &Accepted, redirect: Option<String>) -> Response {
    let id = accepted.id.to_string();
    let header = HeaderValue::from_str(&id).expect("hexadecimal digits are fit for a header");
    let mut body = json!({ "event_id": id, "duplicate": accepted.duplicate });
    if let Some(redirect) = redirect {
        body["redirect_url"] = redirect.into();
    }
    ([(EVENT_ID, header)], Json(body)).into_response()
}

/// Counts and logs a refusal. Names that no source has stay out of the counters: anybody can make them up.
fn refuse(source: Option<&Source>, refusal: Refusal) -> Response {
    let name = source.map(|source| &source.name);
    counters::refused(name, refusal.reason());
    let shown = name.map_or("", |name| name.as_str());
    let reason = refusal.reason();
    match &refusal {
        Refusal::Store(error) => {
            tracing::error!(source = shown, reason, %error, "an event could not be stored; its sender was told to come again");
        }
        Refusal::StoreTooSlow => {
            tracing::error!(
                source = shown,
                reason,
                "the store took too long for an event; its sender was told to come again"
            );
        }
        Refusal::Unverified(error) => {
            tracing::warn!(source = shown, reason, %error, "a sender could not be verified");
        }
        Refusal::WrongAddress(error) => {
            tracing::warn!(source = shown, reason, %error, "a sender was refused for its address");
        }
        Refusal::Overloaded => {
            tracing::warn!(
                source = shown,
                reason,
                "more events arrive than the store can write"
            );
        }
        Refusal::Message(_) | Refusal::TooLarge(_) | Refusal::TooSlow => {
            tracing::warn!(source = shown, reason, error = %refusal, "a request was refused");
        }
        Refusal::NoSuchPath
        | Refusal::UnknownSource
        | Refusal::WrongMethod
        | Refusal::BrokenOff
        | Refusal::NoRoom
        | Refusal::Draining => {
            tracing::debug!(source = shown, reason, "a request was refused");
        }
    }
    let challenge = source
        .filter(|_| refusal.status() == StatusCode::UNAUTHORIZED)
        .and_then(|source| source.verifier.load().challenge());
    let mut response = refusal.into_response();
    if let Some(challenge) = challenge {
        let headers = response.headers_mut();
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    response
}
