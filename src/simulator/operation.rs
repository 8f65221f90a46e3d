//! One operation of the API is one plain function: `fn(&mut World, &Ask) -> Result<Done, Refusal>`.
//!
//! It reads and changes the world and says what changed; it does not know HTTP, clocks or webhooks. `routes`
//! alone puts operations behind paths and hands their changes on to the webhooks, under the same lock, so
//! that events leave in the order in which the changes were made.

use std::collections::{BTreeMap, HashMap};

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Query, RawPathParams, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::Value;

use super::Shared;
use super::refusal::Refusal;
use super::table::Document;
use super::world::stamp;

/// Who acts, and when.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// The user behind the token.
    pub(super) user_id: String,
    /// The application that the token belongs to.
    pub(super) app_id: String,
    /// The token itself.
    pub(super) token: String,
    /// The request's number in the log of requests.
    pub(super) number: u64,
    /// 32 hex digits; all events that the request causes carry it.
    pub(super) request_id: String,
    /// When the request came.
    pub(super) now: Timestamp,
}

impl Caller {
    /// The time of the request as the API writes times.
    pub(super) fn stamp(&self) -> Value {
        Value::String(stamp(self.now))
    }
}

/// A request that passed the door.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    /// Who asks.
    pub(super) caller: Caller,
    /// The query parameters.
    pub(super) query: BTreeMap<String, String>,
    is_post: bool,
    path: String,
    params: HashMap<String, String>,
    body: Bytes,
}

impl Ask {
    /// The part of the path that the route names `name`.
    pub(super) fn param(&self, name: &str) -> &str {
        self.params.get(name).map_or("", String::as_str)
    }

    /// The parts of the path that the route names.
    pub(super) fn params(&self) -> impl Iterator<Item = (&str, &str)> {
        let params = self.params.iter();
        params.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The same request, on behalf of this caller.
    pub(super) fn on_behalf_of(&self, caller: &Caller) -> Self {
        Self {
            caller: caller.clone(),
            ..self.clone()
        }
    }

    /// Whether it is a POST, where one operation stands behind several methods.
    pub(super) fn is_post(&self) -> bool {
        self.is_post
    }

    /// The path from `/API` on, for links to further pages.
    pub(super) fn path(&self) -> String {
        format!("/API{}", self.path)
    }

    /// The path as the log has it: below `/API/`, with its closing slash.
    pub(super) fn path_below_api(&self) -> &str {
        self.path.trim_start_matches('/')
    }

    /// The body as it came.
    pub(super) fn raw_body(&self) -> &[u8] {
        &self.body
    }

    /// Which of these query parameters are given, and what they say.
    pub(super) fn wanted<'a>(&'a self, names: &[&'static str]) -> Vec<(&'static str, &'a str)> {
        names
            .iter()
            .filter_map(|name| Some((*name, self.query.get(*name)?.as_str())))
            .collect()
    }

    /// Whether the value is one of a query parameter's, which are separated by commas; all are if the
    /// parameter is not given.
    pub(super) fn among(&self, name: &str, value: &str) -> bool {
        let given = self.query.get(name);
        given.is_none_or(|given| given.split(',').any(|one| one.trim() == value))
    }

    /// Whether a yes-or-no parameter is set: `?merge_metadata` and `?merge_metadata=true` are.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.query
            .get(name)
            .is_some_and(|value| matches!(value.as_str(), "" | "true" | "True" | "1"))
    }

    /// The body, or an empty one where there is none: some operations take everything from their path.
    ///
    /// # Errors
    ///
    /// 400 if there is one and it is no JSON object.
    pub(super) fn given(&self) -> Result<Document, Refusal> {
        match self.body.is_empty() {
            true => Ok(Document::new()),
            false => self.body(),
        }
    }

    /// The body.
    ///
    /// # Errors
    ///
    /// 400 if it is no JSON object.
    pub(super) fn body(&self) -> Result<Document, Refusal> {
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(body)) => Ok(body),
            Ok(_) => Err(Refusal::bad("The body must be a JSON object")),
            Err(error) => Err(Refusal::bad(format!("The body is not JSON: {error}"))),
        }
    }
}

impl FromRequest<Shared> for Ask {
    type Rejection = Refusal;

    async fn from_request(request: Request, site: &Shared) -> Result<Self, Refusal> {
        let (mut parts, body) = request.into_parts();
        let params = RawPathParams::from_request_parts(&mut parts, site)
            .await
            .map_err(|_| Refusal::bad("The path is not UTF-8"))?;
        let params = params
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let Query(query) = Query::try_from_uri(&parts.uri)
            .map_err(|error| Refusal::bad(format!("The query cannot be read: {error}")))?;
        let caller = parts
            .extensions
            .remove::<Caller>()
            .ok_or_else(Refusal::unauthorized)?;
        let body = axum::body::to_bytes(body, usize::MAX)
            .await
            .map_err(|error| Refusal::bad(format!("The body broke off: {error}")))?;
        Ok(Self {
            caller,
            query,
            is_post: parts.method == axum::http::Method::POST,
            path: parts.uri.path().to_owned(),
            params,
            body,
        })
    }
}

/// What an operation did.
#[derive(Debug)]
pub(super) struct Done {
    status: StatusCode,
    body: Option<Value>,
    content_type: Option<&'static str>,
    changes: Vec<Change>,
}

impl Done {
    /// 200 with a body.
    pub(super) fn ok(body: impl Into<Value>) -> Self {
        Self::new(StatusCode::OK, Some(body.into()))
    }

    /// 201 with the new object.
    pub(super) fn created(body: impl Into<Value>) -> Self {
        Self::new(StatusCode::CREATED, Some(body.into()))
    }

    /// 202 with a body.
    pub(super) fn accepted(body: impl Into<Value>) -> Self {
        Self::new(StatusCode::ACCEPTED, Some(body.into()))
    }

    /// 200 with a text that is no JSON.
    pub(super) fn text(content_type: &'static str, text: String) -> Self {
        Self {
            content_type: Some(content_type),
            ..Self::ok(text)
        }
    }

    /// A status without a body.
    pub(super) fn bare(status: StatusCode) -> Self {
        Self::new(status, None)
    }

    /// 204.
    pub(super) fn no_content() -> Self {
        Self::bare(StatusCode::NO_CONTENT)
    }

    /// A status with a body.
    pub(super) fn with_status(status: StatusCode, body: impl Into<Value>) -> Self {
        Self::new(status, Some(body.into()))
    }

    fn new(status: StatusCode, body: Option<Value>) -> Self {
        Self {
            status,
            body,
            content_type: None,
            changes: Vec::new(),
        }
    }

    /// What is answered.
    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    /// The body of the answer.
    pub(super) fn body(&self) -> Option<&Value> {
        self.body.as_ref()
    }

    /// What was changed; nothing is left of it.
    pub(super) fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// The same answer, as 200.
    pub(super) fn with_200(self) -> Self {
        Self {
            status: StatusCode::OK,
            ..self
        }
    }

    /// The same answer, as 201.
    pub(super) fn with_201(self) -> Self {
        Self {
            status: StatusCode::CREATED,
            ..self
        }
    }

    /// The same, having changed something.
    pub(super) fn with(mut self, changes: impl IntoIterator<Item = Change>) -> Self {
        self.changes.extend(changes);
        self
    }
}

impl IntoResponse for Done {
    fn into_response(self) -> Response {
        match self.body {
            Some(Value::String(text)) if let Some(content_type) = self.content_type => {
                (self.status, [(CONTENT_TYPE, content_type)], text).into_response()
            }
            Some(body) => (self.status, Json(body)).into_response(),
            None => self.status.into_response(),
        }
    }
}

/// Something that changed, in the words of the webhook envelope.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Change {
    /// The family: `assets`, `collections`.
    pub(super) event_type: &'static str,
    /// Which part of the object.
    pub(super) realm: &'static str,
    /// What happened to it.
    pub(super) operation: &'static str,
    /// The object; for sub-entities, as recorded for shares, the sub-entity.
    pub(super) object_id: String,
    /// The document that changed.
    pub(super) data: Value,
}

impl Change {
    /// `kind` is event type, realm and operation, in this order.
    pub(super) fn new(
        kind: (&'static str, &'static str, &'static str),
        object_id: &str,
        data: impl Into<Value>,
    ) -> Self {
        Self {
            event_type: kind.0,
            realm: kind.1,
            operation: kind.2,
            object_id: object_id.to_owned(),
            data: data.into(),
        }
    }
}
