//! Bodies made from the documents: every key that a request may have, with a value of its type.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::documents::Documents;

/// How deep bodies reach: some schemas hold themselves.
const DEPTH_MAX: usize = 4;

/// Ids that are at hand, by the names that keys have for them.
pub(crate) type Known = BTreeMap<String, String>;

/// A body for an operation.
pub(crate) fn made(documents: &Documents, at: usize, schema: &Value, known: &Known) -> Value {
    value(documents, at, "", schema, known, 0)
}

/// The keys that a body must have.
pub(crate) fn required(documents: &Documents, at: usize, schema: &Value) -> Vec<String> {
    let schema = documents.resolved(at, schema);
    let names = schema.get("required").and_then(Value::as_array);
    let names = names.into_iter().flatten().filter_map(Value::as_str);
    names.map(str::to_owned).collect()
}

fn value(
    documents: &Documents,
    at: usize,
    name: &str,
    schema: &Value,
    known: &Known,
    depth: usize,
) -> Value {
    let schema = documents.resolved(at, schema);
    let inner = |name: &str, schema: &Value| value(documents, at, name, schema, known, depth + 1);
    if let Some(parts) = schema.get("allOf").and_then(Value::as_array) {
        let mut whole = Map::new();
        for part in parts {
            if let Value::Object(part) = inner(name, part) {
                whole.extend(part);
            }
        }
        return Value::Object(whole);
    }
    for choice in ["oneOf", "anyOf"] {
        if let Some(first) = schema[choice].as_array().and_then(|parts| parts.first()) {
            return inner(name, first);
        }
    }
    if let Some(first) = schema["enum"].as_array().and_then(|words| words.first()) {
        return first.clone();
    }
    match schema["type"].as_str() {
        Some("object") if depth < DEPTH_MAX => object(schema, &inner),
        Some("array") if depth < DEPTH_MAX => {
            let one = name.trim_end_matches('s');
            json!([inner(one, &schema["items"])])
        }
        Some("array") => json!([]),
        Some("boolean") => json!(true),
        Some("integer") => json!(schema["minimum"].as_i64().unwrap_or(1).max(1)),
        Some("number") => json!(1.5),
        Some("string") => text(name, schema, known),
        _ => json!({}),
    }
}

fn object(schema: &Value, inner: &dyn Fn(&str, &Value) -> Value) -> Value {
    let properties = schema["properties"].as_object();
    let writable = properties.into_iter().flatten();
    let writable = writable.filter(|(_, it)| it.get("readOnly") != Some(&Value::Bool(true)));
    let entries = writable.map(|(name, it)| (name.clone(), inner(name, it)));
    Value::Object(entries.collect())
}

fn text(name: &str, schema: &Value, known: &Known) -> Value {
    if let Some(id) = known.get(name) {
        return json!(id);
    }
    match schema["format"].as_str() {
        Some("uuid") => json!("0a1b2c3d-7a8b-41ee-9d3f-0a580a3c0f10"),
        Some("date-time") => json!("2026-03-01T12:00:00+00:00"),
        Some("date") => json!("2026-03-01"),
        Some("email") => json!("someone@example.com"),
        _ if name.ends_with("url") => json!("https://example.com/"),
        _ => json!("x"),
    }
}
