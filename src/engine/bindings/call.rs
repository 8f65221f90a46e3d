//! From a binding to a step: building the request, and turning a refusal into what a script can catch.

use std::collections::BTreeMap;

use rhai::{Dynamic, EvalAltResult, INT, Map, NativeCallContext, Position};
use serde_json::Value;

use super::super::convert::{to_dynamic, to_json};
use super::super::here::Here;
use super::super::session::{Fallible, Session, SharedSession, error};
use super::super::wanted::SEARCH_PATH;
use super::event::nearest;
use crate::model::{Answer, Call, DeadClass, Effect, Method};
use crate::operations::{self, Given};

/// Marks the map of a refused call, so that an error nobody caught is told from a `throw` of the script.
pub(in super::super) const API_ERROR_TAG: INT = 0x1c0;

/// Marks the map about a job that did not end well, likewise.
pub(in super::super) const JOB_ERROR_TAG: INT = 0x1c2;

/// The largest request, in bytes of JSON: as much as the largest answer that a journal takes.
const REQUEST_BYTES_MAX: usize = 1 << 20;

/// A request in the making.
pub(super) struct Request(Call);

impl Request {
    pub(super) fn new(method: Method, path: impl Into<String>) -> Self {
        Self(Call {
            method,
            path: path.into(),
            query: BTreeMap::new(),
            body: None,
            cacheable: false,
            position: None,
        })
    }

    pub(super) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::Get, path)
    }

    pub(super) fn post(path: impl Into<String>) -> Self {
        Self::new(Method::Post, path)
    }

    pub(super) fn put(path: impl Into<String>) -> Self {
        Self::new(Method::Put, path)
    }

    pub(super) fn delete(path: impl Into<String>) -> Self {
        Self::new(Method::Delete, path)
    }

    /// The same request, to be sent once more.
    pub(super) fn again(&self) -> Self {
        Self(self.0.clone())
    }

    /// A search with its whole body.
    pub(super) fn search(body: Value) -> Self {
        Self::new(Method::Post, SEARCH_PATH).body(body)
    }

    pub(super) fn query(mut self, key: &str, value: impl std::fmt::Display) -> Self {
        self.0.query.insert(key.to_owned(), value.to_string());
        self
    }

    /// The query parameters that a rule gave, of those that the operation has.
    pub(super) fn options(mut self, given: &Map, known: &[&str]) -> Fallible<Self> {
        for (key, value) in given {
            if !known.contains(&key.as_str()) {
                let advice = nearest(key, known.iter().copied()).map_or_else(
                    || format!("there are {}", known.join(", ")),
                    |near| format!("did you mean `{near}`?"),
                );
                return Err(error(format!("there is no option `{key}` here; {advice}")));
            }
            let value = to_json(value)?;
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), ToOwned::to_owned);
            self = self.query(key, text);
        }
        Ok(self)
    }

    /// The values that a rule gave, as the body.
    pub(super) fn values(self, values: &Map) -> Fallible<Self> {
        Ok(self.body(to_json(&Dynamic::from_map(values.clone()))?))
    }

    /// The same with further keys, which a rule cannot write over.
    pub(super) fn values_with<const N: usize>(
        self,
        values: &Map,
        more: [(&str, Value); N],
    ) -> Fallible<Self> {
        let mut body = to_json(&Dynamic::from_map(values.clone()))?;
        for (key, value) in more {
            body[key] = value;
        }
        Ok(self.body(body))
    }

    pub(super) fn body(mut self, body: Value) -> Self {
        self.0.body = Some(body);
        self
    }

    /// The answer may be one that the gateway read a moment ago: settings that change seldom.
    pub(super) fn cacheable(mut self) -> Self {
        self.0.cacheable = true;
        self
    }

    /// The answer's body; a refusal is thrown.
    pub(super) fn send(self, context: &NativeCallContext<'_>) -> Fallible<Value> {
        self.send_from(&Session::of(context)?, context.into())
    }

    /// The same from a place that is known.
    pub(super) fn send_from(self, session: &SharedSession, here: Here) -> Fallible<Value> {
        let call = self.0.clone();
        let answer = self.step(session, here)?;
        body_of(&call, answer)
    }

    /// The same of the gateway's own, before the script begins.
    pub(super) fn send_before_script(self, session: &SharedSession) -> Fallible<Value> {
        let answer = session.step_before_script(Effect::Call(self.0.clone()))?;
        body_of(&self.0, answer)
    }

    /// What is thrown when the API refuses it with this answer.
    pub(super) fn refused(&self, answer: &Answer) -> Box<EvalAltResult> {
        api_error(&self.0, answer)
    }

    /// The answer's body, or nothing where the API answers 404.
    pub(super) fn send_optional(self, context: &NativeCallContext<'_>) -> Fallible<Option<Value>> {
        let call = self.0.clone();
        let answer = self.step(&Session::of(context)?, context.into())?;
        match answer.status {
            404 => Ok(None),
            200..300 => Ok(Some(answer.body)),
            _ => Err(api_error(&call, &answer)),
        }
    }

    /// Whether the API grants it: 403 is no error here.
    pub(super) fn send_granted(self, context: &NativeCallContext<'_>) -> Fallible<bool> {
        let call = self.0.clone();
        let answer = self.step(&Session::of(context)?, context.into())?;
        match answer.status {
            403 => Ok(false),
            200..300 => Ok(true),
            _ => Err(api_error(&call, &answer)),
        }
    }

    fn step(self, session: &SharedSession, here: Here) -> Fallible<Answer> {
        fits(&here, session, &self.0)?;
        permit(&here, session, &self.0)?;
        perform(session, here, Effect::Call(self.0))
    }
}

/// Ends the run where the operation is unknown, or a key of the body is missing or misspelt: the next run would do
/// the same.
fn fits(here: &Here, session: &SharedSession, call: &Call) -> Fallible<()> {
    let keys: Vec<&str> = match &call.body {
        Some(Value::Object(fields)) => fields.keys().map(String::as_str).collect(),
        _ => Vec::new(),
    };
    let given = match &call.body {
        None => Given::Nothing,
        Some(Value::Object(_)) => Given::Keys(&keys),
        Some(_) => Given::NoMap,
    };
    match operations::misfit(call.method, &call.path, given) {
        Some(wrong) => Err(session.fail(
            here.clone(),
            DeadClass::ScriptError,
            wrong.message,
            wrong.hint,
        )),
        None => Ok(()),
    }
}

/// Ends the run where the header does not allow the operation. The door checks again; this
/// check is the one that knows the line.
fn permit(here: &Here, session: &SharedSession, call: &Call) -> Fallible<()> {
    let Some((operation, scope)) = operations::find(call.method, &call.path)
        .and_then(|operation| Some((operation, operation.scope?)))
    else {
        return Ok(());
    };
    let allow = &session.program().allow;
    if allow.iter().any(|allowed| allowed == scope) {
        return Ok(());
    }
    let line = allow
        .iter()
        .map(String::as_str)
        .chain([scope])
        .map(|scope| format!("{scope:?}"))
        .collect::<Vec<_>>();
    Err(session.fail(
        here.clone(),
        DeadClass::Permission,
        format!(
            "{} {} needs the scope `{scope}`, which the rule's header does not allow",
            call.method, operation.path
        ),
        Some(format!(
            "write `allow: [{}],` in the header",
            line.join(", ")
        )),
    ))
}

/// Asks for the next step. The run ends where the request is larger than anybody should send, journal and show.
pub(super) fn perform(session: &SharedSession, here: Here, effect: Effect) -> Fallible<Answer> {
    let bytes = serde_json::to_vec(&effect).map_or(usize::MAX, |json| json.len());
    if bytes <= REQUEST_BYTES_MAX {
        return session.step(here, effect);
    }
    Err(session.fail(
        here,
        DeadClass::Limit,
        format!("the request {effect} has {bytes} bytes; a request may have {REQUEST_BYTES_MAX}"),
        Some("send less at once: fewer or shorter values".to_owned()),
    ))
}

/// The answer's body; a refusal is thrown.
fn body_of(call: &Call, answer: Answer) -> Fallible<Value> {
    if (200..300).contains(&answer.status) {
        Ok(answer.body)
    } else {
        Err(api_error(call, &answer))
    }
}

/// What a script catches: `status`, `message`, `errors`, `method`, `path`.
fn api_error(call: &Call, answer: &Answer) -> Box<EvalAltResult> {
    let errors = answer.body.get("errors").cloned().unwrap_or(Value::Null);
    let mut thrown = Map::new();
    thrown.insert("status".into(), Dynamic::from(INT::from(answer.status)));
    thrown.insert("message".into(), message_of(answer.status, &errors).into());
    thrown.insert("errors".into(), to_dynamic(&errors));
    thrown.insert("method".into(), call.method.as_str().into());
    thrown.insert("path".into(), call.path.clone().into());
    thrown_map(thrown, API_ERROR_TAG)
}

/// A map to be thrown, marked so that one that nobody catches is told from a `throw` of the script.
pub(super) fn thrown_map(thrown: Map, tag: INT) -> Box<EvalAltResult> {
    let mut thrown = Dynamic::from_map(thrown);
    thrown.set_tag(i32::try_from(tag).unwrap_or_default());
    EvalAltResult::ErrorRuntime(thrown, Position::NONE).into()
}

/// Iconik answers `{"errors": ["…"]}` or `{"errors": {"field": "…"}}` (its OpenAPI documents, "default").
fn message_of(status: u16, errors: &Value) -> String {
    match errors {
        Value::Array(list) if !list.is_empty() => list
            .iter()
            .map(|e| e.as_str().map_or_else(|| e.to_string(), ToOwned::to_owned))
            .collect::<Vec<_>>()
            .join("; "),
        Value::Object(fields) if !fields.is_empty() => fields
            .iter()
            .map(|(field, e)| {
                format!(
                    "{field}: {}",
                    e.as_str().map_or_else(|| e.to_string(), ToOwned::to_owned)
                )
            })
            .collect::<Vec<_>>()
            .join("; "),
        _ => format!("Iconik answered {status}"),
    }
}

/// An id that can stand in a path: letters, digits, `-`, `_`.
pub(super) fn path_id(what: &str, id: &Dynamic) -> Fallible<String> {
    if id.is_unit() {
        return Err(error(format!(
            "the id of the {what} is missing: it is `()`"
        )));
    }
    let id = id
        .as_immutable_string_ref()
        .map_err(|_| error(format!("the id of the {what} must be a text")))?
        .to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if id.is_empty() || id.len() > 100 || !id.chars().all(plain) {
        return Err(error(format!("`{id}` cannot be the id of the {what}")));
    }
    Ok(id)
}

/// Text at a key of a document.
pub(super) fn text_at<'a>(document: &'a Value, key: &str) -> Option<&'a str> {
    document.get(key)?.as_str()
}
