//! JSON to Rhai values and back, bounded.

use rhai::{Array, Dynamic, ImmutableString, Map};
use serde_json::{Number, Value};

use super::moment::Time;
use super::session::{Fallible, error};

/// How deep a value may be nested that a script hands out.
pub(super) const DEPTH_MAX: usize = 32;

/// JSON as a script sees it; `null` is `()`.
pub(super) fn to_dynamic(value: &Value) -> Dynamic {
    match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(flag) => Dynamic::from(*flag),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(int), _) => Dynamic::from(int),
            (None, Some(float)) => Dynamic::from(float),
            (None, None) => Dynamic::from(number.to_string()),
        },
        Value::String(text) => Dynamic::from(ImmutableString::from(text.as_str())),
        Value::Array(items) => Dynamic::from_array(items.iter().map(to_dynamic).collect()),
        Value::Object(fields) => Dynamic::from_map(
            fields
                .iter()
                .map(|(key, value)| (key.as_str().into(), to_dynamic(value)))
                .collect(),
        ),
    }
}

/// A script's value as JSON. A Time becomes an ISO-8601 text; functions and objects of ours are refused.
pub(super) fn to_json(value: &Dynamic) -> Fallible<Value> {
    json_at(value, 0)
}

fn json_at(value: &Dynamic, depth: usize) -> Fallible<Value> {
    if depth > DEPTH_MAX {
        return Err(error(format!(
            "a value is nested deeper than {DEPTH_MAX} levels"
        )));
    }
    if value.is_unit() {
        return Ok(Value::Null);
    }
    if let Ok(flag) = value.as_bool() {
        return Ok(Value::Bool(flag));
    }
    if let Ok(int) = value.as_int() {
        return Ok(Value::from(int));
    }
    if let Ok(float) = value.as_float() {
        return Number::from_f64(float)
            .map(Value::Number)
            .ok_or_else(|| error(format!("{float} cannot be sent: JSON has no such number")));
    }
    if let Ok(letter) = value.as_char() {
        return Ok(Value::String(letter.to_string()));
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        return Ok(Value::String(text.to_string()));
    }
    if let Some(items) = value.read_lock::<Array>() {
        return items.iter().map(|item| json_at(item, depth + 1)).collect();
    }
    if let Some(fields) = value.read_lock::<Map>() {
        return fields
            .iter()
            .map(|(key, value)| Ok((key.to_string(), json_at(value, depth + 1)?)))
            .collect();
    }
    if let Some(time) = value.read_lock::<Time>() {
        return Ok(Value::String(time.to_string()));
    }
    Err(error(format!(
        "{} cannot be sent: use text, numbers, true/false, lists, maps or times",
        a_type(value)
    )))
}

/// What people call the type of a value.
pub(super) fn type_name(value: &Dynamic) -> &'static str {
    match value.type_name() {
        "()" => "missing value",
        "bool" => "true/false value",
        "i64" => "number",
        "f64" => "decimal number",
        "char" => "character",
        "string" => "text",
        "array" => "list",
        "map" => "map",
        "Fn" => "function",
        name if name.ends_with("Time") => "Time",
        name if name.ends_with("Metadata") => "Metadata",
        name if name.ends_with("EventView") => "event",
        name if name.ends_with("Objects") => "Query",
        name if name.ends_with("Condition") => "condition of a search without its value",
        name if name.ends_with("Target") => "target of egress",
        name => record_kind(name).unwrap_or("value of this type"),
    }
}

/// The same with its article.
pub(super) fn a_type(value: &Dynamic) -> String {
    let name = type_name(value);
    let vowel = name.starts_with(['A', 'E', 'I', 'O', 'a', 'e', 'i', 'o']);
    format!("{} {name}", if vowel { "an" } else { "a" })
}

/// The kind of a record by its Rust type, which ends in `::Asset>`.
fn record_kind(name: &'static str) -> Option<&'static str> {
    let kind = name.strip_suffix('>')?.rsplit("::").next()?;
    kind.starts_with(char::is_uppercase).then_some(kind)
}

/// Text of any value for logs and messages, at most about `bytes_max` bytes: containers stop in the middle.
pub(super) fn display(value: &Dynamic, bytes_max: usize) -> String {
    let mut text = String::new();
    write_value(&mut text, value, bytes_max, 0);
    if text.len() > bytes_max {
        let end = (0..=bytes_max)
            .rev()
            .find(|at| text.is_char_boundary(*at))
            .unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

fn write_value(text: &mut String, value: &Dynamic, bytes_max: usize, depth: usize) {
    if text.len() > bytes_max {
        return;
    }
    if depth > DEPTH_MAX {
        text.push('…');
    } else if let Some(items) = value.read_lock::<Array>() {
        text.push('[');
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                text.push_str(", ");
            }
            write_value(text, item, bytes_max, depth + 1);
            if text.len() > bytes_max {
                return;
            }
        }
        text.push(']');
    } else if let Some(fields) = value.read_lock::<Map>() {
        text.push_str("#{");
        for (index, (key, item)) in fields.iter().enumerate() {
            if index > 0 {
                text.push_str(", ");
            }
            text.push_str(key);
            text.push_str(": ");
            write_value(text, item, bytes_max, depth + 1);
            if text.len() > bytes_max {
                return;
            }
        }
        text.push('}');
    } else if let Ok(inner) = value.as_immutable_string_ref() {
        if depth == 0 {
            text.push_str(&inner);
        } else {
            text.push('"');
            text.push_str(&inner);
            text.push('"');
        }
    } else if value.is_unit() {
        text.push_str("()");
    } else if let Some(time) = value.read_lock::<Time>() {
        text.push_str(&time.to_string());
    } else if value.is_fnptr() {
        text.push_str("a function");
    } else if value.is_int() || value.is_float() || value.is_bool() || value.is_char() {
        text.push_str(&value.to_string());
    } else {
        text.push_str(type_name(value));
    }
}
