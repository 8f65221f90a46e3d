//! The measured event as ingress makes it of its body, for what is measured behind the door.

use axum::http::HeaderMap;
use cuegate::config::Verify;
use cuegate::ingress::{Request, Verifier, parse};
use cuegate::model::{Event, SourceName};
use std::time::Duration;

use super::events::body;

/// Event number `number` with a body of `bytes`.
pub(super) fn event(number: u64, bytes: usize) -> Event {
    let body = body(number, bytes).to_string();
    let received_at = "2026-03-01T12:00:00Z".parse().expect("a time");
    let request = Request::new(HeaderMap::new(), body.into(), received_at);
    let request = Verifier::new(&Verify::None)
        .expect("there is no secret to get wrong")
        .verify(request)
        .expect("anybody may send");
    parse(
        &request,
        &SourceName::from("iconik"),
        Duration::from_secs(86_400),
        None,
    )
    .expect("the body is a webhook")
}
