//! The module `json`: texts that hold JSON, as values.

use rhai::{Dynamic, ImmutableString, NativeCallContext};
use serde_json::Value;

use super::super::capped;
use super::super::catalog::{FunctionDoc, Place, Registry};
use super::super::convert::{DEPTH_MAX, to_dynamic, to_json};
use super::super::session::{Fallible, error};

type Context<'a> = NativeCallContext<'a>;

fn doc(signature: &'static str, about: &'static str, example: &'static str) -> FunctionDoc {
    FunctionDoc {
        place: Place::Module("json"),
        signature,
        about,
        example,
    }
}

pub(super) fn register(registry: &mut Registry) {
    registry.add(
        doc(
            "parse(text)",
            "The value that a JSON text holds; `null` is `()`. An error says where the text is no JSON; 32 levels deep at most.",
            "if json::parse(`{\"title\": \"Promo\", \"parts\": [1, 2]}`).parts[1] != 2 { fail(\"parse\"); }",
        ),
        |text: &str| -> Fallible<Dynamic> {
            let value: Value = serde_json::from_str(text).map_err(|e| error(format!("this is no JSON: {e}")))?;
            if depth(&value) > DEPTH_MAX {
                return Err(error(format!("the JSON is nested deeper than {DEPTH_MAX} levels")));
            }
            Ok(to_dynamic(&value))
        },
    );
    registry.add(
        doc(
            "stringify(value)",
            "A value as JSON text without spaces, with the keys of maps in order: the same value always gives the same text.",
            "if json::stringify(#{ b: [1, ()], a: \"x\" }) != `{\"a\":\"x\",\"b\":[1,null]}` { fail(\"stringify\"); }",
        ),
        |context: Context<'_>, value: Dynamic| -> Fallible<ImmutableString> {
            bounded(&context, to_json(&value)?.to_string())
        },
    );
    registry.add(
        doc(
            "at(value, pointer)",
            "What stands at a JSON pointer (RFC 6901) inside maps and lists, or `()` where nothing does: one step into data whose \
             parts may all be missing.",
            "if json::at(#{ parts: [#{ name: \"a\" }] }, \"/parts/0/name\") != \"a\" { fail(\"at\"); }\n\
             if json::at(#{}, \"/parts/0/name\") != () { fail(\"nothing\"); }",
        ),
        |value: Dynamic, pointer: &str| -> Fallible<Dynamic> {
            if !pointer.is_empty() && !pointer.starts_with('/') {
                return Err(error(format!(
                    "`{pointer}` is no JSON pointer; it begins with a slash, such as \"/{pointer}\""
                )));
            }
            Ok(to_json(&value)?.pointer(pointer).map_or(Dynamic::UNIT, to_dynamic))
        },
    );
}

/// The text, if it is not too long for a text.
fn bounded(context: &Context<'_>, text: String) -> Fallible<ImmutableString> {
    capped::bounded(context, text.len())?;
    Ok(text.into())
}

/// How deep a value is nested; `serde_json` parses no deeper than 128 levels.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}
