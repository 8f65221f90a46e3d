//! What a request says, checked: a parameter or a key that is unknown is an error that names the one that was meant, and
//! never ignored, because a filter that is ignored does the right thing to the wrong runs.

use axum::body::{Bytes, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::Value;
use utoipa::IntoParams;

use super::refusal::Refusal;

/// The largest body of a request.
const BODY_BYTES: usize = 64 << 10;

/// How alike two words must be (0 to 1, Jaro-Winkler) for one to be offered in place of the other.
const ALIKE: f64 = 0.75;

/// The query of a request. The names of its parameters are those of the OpenAPI document.
pub(super) struct Asked<T>(pub(super) T);

impl<S: Sync, T: DeserializeOwned + IntoParams> FromRequestParts<S> for Asked<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Refusal> {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
            .map_err(|error| Refusal::bad(format!("the query cannot be read: {error}"), ""))?;
        understood(pairs).map(Self)
    }
}

/// Names and values as a type, every name known and given once.
pub(super) fn understood<T: DeserializeOwned + IntoParams>(
    pairs: impl IntoIterator<Item = (String, String)>,
) -> Result<T, Refusal> {
    let known: Vec<String> = T::into_params(|| None)
        .into_iter()
        .map(|parameter| parameter.name)
        .collect();
    let mut values = serde_json::Map::new();
    for (name, value) in pairs {
        if !known.contains(&name) {
            let hint = meant(&name, known.iter().map(String::as_str));
            return Err(Refusal::bad(
                format!("there is no parameter `{name}`"),
                hint,
            ));
        }
        if value.is_empty() {
            return Err(Refusal::bad(
                format!("the parameter `{name}` is empty"),
                "leave it out, or give it a value",
            ));
        }
        if values.insert(name.clone(), Value::from(value)).is_some() {
            return Err(Refusal::bad(
                format!("the parameter `{name}` is given twice"),
                "give it once; several states are separated by commas",
            ));
        }
    }
    serde_json::from_value(Value::Object(values))
        .map_err(|error| Refusal::bad(format!("the query cannot be read: {error}"), ""))
}

/// The JSON body of a request; an empty one is an empty object.
pub(super) struct Told<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Told<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Refusal> {
        // A page of another site can make a browser send anything but this without asking first.
        let declared = request.headers().get(header::CONTENT_TYPE);
        let is_json = declared
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| {
                value.split(';').next().map(str::trim) == Some("application/json")
            });
        if !is_json {
            return Err(Refusal::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "the body is not declared as JSON",
                "send the header `content-type: application/json`",
            ));
        }
        let body: Bytes = to_bytes(request.into_body(), BODY_BYTES)
            .await
            .map_err(|_| {
                Refusal::new(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    format!("the body is larger than {BODY_BYTES} bytes"),
                    "ask for less at a time",
                )
            })?;
        let text: &[u8] = if body.is_empty() { b"{}" } else { &body };
        serde_json::from_slice(text).map(Self).map_err(|error| {
            Refusal::bad(
                format!("the body is not as expected: {error}"),
                "GET /api/v1/openapi.json describes it",
            )
        })
    }
}

/// `did you mean …?`, or all that are known.
pub(super) fn meant<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.collect();
    let alike = |name: &str| strsim::jaro_winkler(&word.to_lowercase(), name);
    let best = known
        .iter()
        .copied()
        .max_by(|a, b| alike(a).total_cmp(&alike(b)))
        .filter(|name| alike(name) >= ALIKE);
    match (best, known.is_empty()) {
        (Some(name), _) => format!("did you mean `{name}`?"),
        (None, true) => "there are none".to_owned(),
        (None, false) => format!("there are {}", known.join(", ")),
    }
}
