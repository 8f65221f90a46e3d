//! Every write that was carried out, in order, however many: what a test compares two days by. The log of
//! requests forgets, and it does not know what a request whose answer was lost has done.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::StatusCode;
use jiff::Timestamp;
use serde_json::Value;

use super::operation::Ask;
use crate::model::Method;

/// A write that was carried out.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// The request's number in the log of requests.
    pub request: u64,
    /// When the request came.
    pub at: Timestamp,
    /// The user behind the token.
    pub user_id: String,
    /// The HTTP method.
    pub method: Method,
    /// The path below `/API/`, with its closing slash.
    pub path: String,
    /// The query parameters.
    pub query: BTreeMap<String, String>,
    /// The body; null if there was none.
    pub body: Value,
    /// The status of its answer, which may have been lost or replaced.
    pub status: u16,
    /// The id of what it made, if it made something that has one.
    pub made: Option<String>,
}

/// The writes, if they are kept.
#[derive(Debug)]
pub(super) struct Writes {
    kept: Option<Mutex<Vec<Kept>>>,
}

/// A write as it is kept: the body as it came, for most are never looked at.
#[derive(Debug)]
struct Kept {
    request: u64,
    at: Timestamp,
    user_id: Box<str>,
    method: Method,
    path: Box<str>,
    query: Vec<(Box<str>, Box<str>)>,
    body: Box<[u8]>,
    status: u16,
    made: Option<Box<str>>,
}

impl Writes {
    pub(super) fn new(are_kept: bool) -> Self {
        Self {
            kept: are_kept.then(Mutex::default),
        }
    }

    /// Notes a write. The caller holds the world, so writes are noted in the order of their effects.
    pub(super) fn note(&self, method: Method, ask: &Ask, status: StatusCode, answer: &Value) {
        let Some(mut kept) = self.kept() else { return };
        let made = answer.get("id").and_then(Value::as_str);
        let made = made.filter(|_| status == StatusCode::CREATED);
        let boxed = |text: &String| Box::from(text.as_str());
        kept.push(Kept {
            request: ask.caller.number,
            at: ask.caller.now,
            user_id: boxed(&ask.caller.user_id),
            method,
            path: Box::from(ask.path_below_api()),
            query: ask
                .query
                .iter()
                .map(|(name, value)| (boxed(name), boxed(value)))
                .collect(),
            body: Box::from(ask.raw_body()),
            status: status.as_u16(),
            made: made.map(Box::from),
        });
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.kept().map_or(0, |kept| kept.len())
    }

    /// Those after the first `seen`.
    pub(super) fn after(&self, seen: usize) -> Vec<Write> {
        let Some(kept) = self.kept() else {
            return Vec::new();
        };
        kept.iter().skip(seen).map(Kept::shown).collect()
    }

    fn kept(&self) -> Option<MutexGuard<'_, Vec<Kept>>> {
        let kept = self.kept.as_ref()?;
        Some(kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Kept {
    fn shown(&self) -> Write {
        Write {
            request: self.request,
            at: self.at,
            user_id: self.user_id.to_string(),
            method: self.method,
            path: self.path.to_string(),
            query: self
                .query
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect(),
            body: serde_json::from_slice(&self.body).unwrap_or(Value::Null),
            status: self.status,
            made: self.made.as_ref().map(ToString::to_string),
        }
    }
}
