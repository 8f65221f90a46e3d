//! What Iconik answers when it will not do what it is asked.
//!
//! The published schemas know two bodies: `{"errors": ["message"]}` and `{"errors": {"field": "message"}}`.
//! The texts are ours, for Iconik's own are not published.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// A refusal: the status and the documented error body.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    errors: Value,
}

impl Refusal {
    /// With one message.
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            errors: json!([message.into()]),
        }
    }

    /// 400 with one message: the request as a whole makes no sense.
    pub(super) fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// 400 with a message for one field.
    pub(super) fn invalid(field: &str, message: impl Into<String>) -> Self {
        Self::invalid_fields(&BTreeMap::from([(field.to_owned(), message.into())]))
    }

    /// 400 with a message for each field.
    pub(super) fn invalid_fields(errors: &BTreeMap<String, String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            errors: json!(errors),
        }
    }

    /// 404: `what` is the kind of object, as in "Asset".
    pub(super) fn not_found(what: &str, id: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("{what} {id} was not found"))
    }

    /// 401, in the words of the published specification.
    pub(super) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Token is invalid")
    }

    /// What was wrong, for a seed that is refused before anybody listens.
    pub(super) fn explain(&self) -> String {
        match &self.errors {
            Value::Array(messages) => texts(messages.iter()),
            Value::Object(fields) => fields
                .iter()
                .map(|(field, message)| format!("{field}: {}", message.as_str().unwrap_or("?")))
                .collect::<Vec<_>>()
                .join("; "),
            other => other.to_string(),
        }
    }
}

fn texts<'a>(messages: impl Iterator<Item = &'a Value>) -> String {
    messages
        .filter_map(Value::as_str)
        .collect::<Vec<_>>()
        .join("; ")
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "errors": self.errors }))).into_response()
    }
}
