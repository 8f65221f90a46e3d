//! What a foreign sender's message says of itself, read from where the configuration points.
//!
//! A message that does not say it is taken all the same: what was sent is kept, and no rule is woken by it.

use axum::http::HeaderMap;
use serde_json::Value;

use crate::config::{Locator, Mapping};

/// What a message says of itself, as far as it does.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) kind: Option<String>,
    pub(super) object: Option<String>,
    pub(super) id: Option<String>,
}

impl Told {
    /// Reads it from the places that the source's `event` names.
    pub(super) fn in_message(mapping: &Mapping, headers: &HeaderMap, body: &Value) -> Self {
        let read = |locator: &Locator| match locator {
            Locator::Body(pointer) => body.pointer(pointer).and_then(plain),
            Locator::Header(name) => only(headers, name),
        };
        Self {
            kind: read(&mapping.kind),
            object: mapping.object.as_ref().and_then(read),
            id: mapping.id.as_ref().and_then(read),
        }
    }

    /// Reads it from the names that Cuegate has for it itself.
    pub(super) fn by_custom(body: &Value) -> Self {
        let read = |key| body.get(key).and_then(plain);
        Self {
            kind: read("type"),
            object: read("object_id"),
            id: None,
        }
    }
}

/// A scalar as text; an empty one says nothing.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The one value of a header. A sender that repeats it may mean either value, so it means neither.
fn only(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?.trim();
    (values.next().is_none() && !value.is_empty()).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn body_at(pointer: &str) -> Locator {
        Locator::Body(pointer.to_owned())
    }

    #[test]
    fn each_part_is_read_where_the_configuration_points() {
        let mapping = Mapping {
            kind: Locator::Header("x-github-event".to_owned()),
            object: Some(body_at("/repository/id")),
            id: Some(body_at("/a~1b/0")),
        };
        let headers = HeaderMap::from_iter([(
            "x-github-event".parse().expect("a name"),
            "push".parse().expect("a value"),
        )]);
        let body = json!({ "repository": { "id": 17 }, "a/b": ["m-1"], "type": "no" });
        let told = Told::in_message(&mapping, &headers, &body);
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            (told.kind, told.object, told.id),
            (text("push"), text("17"), text("m-1"))
        );
    }

    #[test]
    fn what_is_missing_repeated_or_no_scalar_is_not_told() {
        let mapping = Mapping {
            kind: body_at("/type"),
            object: Some(Locator::Header("x-object".to_owned())),
            id: Some(body_at("/id")),
        };
        let mut headers = HeaderMap::new();
        for value in ["1", "2"] {
            headers.append("x-object", value.parse().expect("a value"));
        }
        for kind in [json!({}), json!([]), json!(null), json!("")] {
            let body = json!({ "type": kind });
            let told = Told::in_message(&mapping, &headers, &body);
            assert_eq!(told, Told::default(), "{body}");
        }
    }
}
