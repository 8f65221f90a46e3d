//! Answers that are not what they should be.

use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use futures_util::stream;
use serde_json::Value;

use super::Cut;

/// What a server in front of Iconik might show when it finds nobody behind it.
const PAGE: &str = "<!doctype html><html><head><title>Bad gateway</title></head></html>";

/// An answer that Iconik did not give.
pub(in super::super) fn answered(
    status: u16,
    body: Value,
    retry_after: Option<Duration>,
) -> Response {
    let mut answer = match body {
        Value::Null => ().into_response(),
        body => Json(body).into_response(),
    };
    *answer.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Some(wait) = retry_after {
        let seconds = HeaderValue::from(wait.as_secs());
        answer.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    answer
}

/// The same status with a body that is no JSON.
pub(in super::super) fn no_json(answer: &Response) -> Response {
    (answer.status(), Html(PAGE)).into_response()
}

/// The same answer, whose connection ends in the middle of the body.
pub(in super::super) async fn half(answer: Response) -> Result<Response, Cut> {
    let (mut parts, body) = answer.into_parts();
    // It is in memory already; a body that cannot be read would have been cut as well.
    let whole = axum::body::to_bytes(body, usize::MAX)
        .await
        .map_err(|_| Cut)?;
    if whole.is_empty() {
        return Err(Cut);
    }
    let length = HeaderValue::from(whole.len());
    parts.headers.insert(header::CONTENT_LENGTH, length);
    let begun = whole.slice(..whole.len() / 2);
    Ok(Response::from_parts(
        parts,
        Body::from_stream(ends_after(begun)),
    ))
}

/// The pause between the two lets the first half leave before the connection is cut.
fn ends_after(begun: Bytes) -> impl stream::Stream<Item = Result<Bytes, Cut>> {
    stream::unfold(Some(begun), |begun| async {
        match begun {
            Some(begun) => Some((Ok(begun), None)),
            None => {
                tokio::task::yield_now().await;
                Some((Err(Cut), None))
            }
        }
    })
}
