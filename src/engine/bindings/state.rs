//! The module `state`: what a rule keeps from run to run.

use jiff::Timestamp;
use rhai::{Dynamic, INT, NativeCallContext};
use serde_json::Value;

use super::super::catalog::{FunctionDoc, Place, Registry};
use super::super::convert::{to_dynamic, to_json};
use super::super::session::{Fallible, Session, SharedSession, error};
use super::waiting::after;
use crate::model::{Answer, Effect, StateAccess, StateCall};

type Context<'a> = NativeCallContext<'a>;

/// The longest key, in bytes.
const KEY_BYTES_MAX: usize = 256;
/// The largest value, in bytes of JSON.
const VALUE_BYTES_MAX: usize = 16 << 10;

const TTL: &str = "The same, and the entry disappears so long after this access.";

fn doc(signature: &'static str, about: &'static str, example: &'static str) -> FunctionDoc {
    FunctionDoc {
        place: Place::Module("state"),
        signature,
        about,
        example,
    }
}

pub(super) fn register(registry: &mut Registry) {
    register_values(registry);
    register_numbers(registry);
}

fn register_values(registry: &mut Registry) {
    registry.add(
        doc(
            "get(key)",
            "What the rule keeps under a key, or `()`. Entries belong to the rule, whatever its version, and are shared by its \
             runs. A key has 1 to 256 bytes.",
            "let last = state::get(\"last asset\");\nif last == event.asset_id { return skip(\"the same again\"); }",
        ),
        |context: Context<'_>, key: &str| -> Fallible<Dynamic> {
            let answer = access(&context, key, |_| Ok(StateAccess::Get))?;
            Ok(to_dynamic(&answer.body))
        },
    );
    registry.add(
        doc(
            "set(key, value)",
            "Keeps a value of at most 16 KiB in place of what was there: texts, numbers, lists, maps; a Time is kept as its text.",
            "state::set(\"last asset\", event.asset_id);\n\
             if state::get(\"last asset\") != event.asset_id { fail(\"forgotten\"); }",
        ),
        |context: Context<'_>, key: &str, value: Dynamic| set(&context, key, &value, None),
    );
    registry.add(
        doc(
            "set(key, value, ttl)",
            TTL,
            "state::set(\"seen \" + event.asset_id, true, \"7d\");",
        ),
        |context: Context<'_>, key: &str, value: Dynamic, ttl: &str| {
            set(&context, key, &value, Some(ttl))
        },
    );
    registry.add(
        doc(
            "set_if(key, expected, value)",
            "Keeps a value only if the expected one is there, `()` for none, and returns whether it did: of several runs that \
             try, one succeeds.",
            "if !state::set_if(\"announced\", (), event.asset_id) { return skip(\"somebody else announced it\"); }",
        ),
        |context: Context<'_>, key: &str, expected: Dynamic, value: Dynamic| {
            set_if(&context, key, &expected, &value, None)
        },
    );
    registry.add(
        doc(
            "set_if(key, expected, value, ttl)",
            TTL,
            "if !state::set_if(\"announced\", (), event.asset_id, \"1h\") { return skip(\"announced within the hour\"); }",
        ),
        |context: Context<'_>, key: &str, expected: Dynamic, value: Dynamic, ttl: &str| {
            set_if(&context, key, &expected, &value, Some(ttl))
        },
    );
    registry.add(
        doc(
            "delete(key)",
            "Forgets an entry; whether there was one.",
            "state::set(\"last asset\", event.asset_id);\nif !state::delete(\"last asset\") { fail(\"it was there\"); }",
        ),
        |context: Context<'_>, key: &str| -> Fallible<bool> {
            let answer = access(&context, key, |_| Ok(StateAccess::Delete))?;
            Ok(answer.body == Value::Bool(true))
        },
    );
}

fn register_numbers(registry: &mut Registry) {
    registry.add(
        doc(
            "add(key, amount)",
            "Adds a whole number to the one that is kept, which is 0 where there is none, and returns the sum. It is added \
             once, however often the run is interrupted. An error if something else than a whole number is kept there.",
            "let count = state::add(\"arrivals\", 1);\nif count < 1 { fail(\"it counts up\"); }",
        ),
        |context: Context<'_>, key: &str, amount: INT| add(&context, key, amount, None),
    );
    registry.add(
        doc(
            "add(key, amount, ttl)",
            TTL,
            "if state::add(\"arrivals today\", 1, \"1d\") > 100 { return skip(\"enough for a day\"); }",
        ),
        |context: Context<'_>, key: &str, amount: INT, ttl: &str| add(&context, key, amount, Some(ttl)),
    );
}

fn set(context: &Context<'_>, key: &str, value: &Dynamic, ttl: Option<&str>) -> Fallible<()> {
    let value = kept(key, value)?;
    access(context, key, |session| {
        Ok(StateAccess::Set {
            value,
            expires_at: expiry(session, ttl)?,
        })
    })
    .map(drop)
}

fn set_if(
    context: &Context<'_>,
    key: &str,
    expected: &Dynamic,
    value: &Dynamic,
    ttl: Option<&str>,
) -> Fallible<bool> {
    let (expected, value) = (to_json(expected)?, kept(key, value)?);
    let answer = access(context, key, |session| {
        Ok(StateAccess::SetIf {
            expected,
            value,
            expires_at: expiry(session, ttl)?,
        })
    })?;
    Ok(answer.body == Value::Bool(true))
}

fn add(context: &Context<'_>, key: &str, amount: INT, ttl: Option<&str>) -> Fallible<INT> {
    let answer = access(context, key, |session| {
        Ok(StateAccess::Add {
            amount,
            expires_at: expiry(session, ttl)?,
        })
    })?;
    // The store answers 409 with what is there where it cannot add.
    answer.body.as_i64().filter(|_| answer.status < 300).ok_or_else(|| {
        error(format!(
            "{amount} cannot be added to the state entry `{key}`: it holds {}, and the sum must be a whole number",
            shown(&answer.body)
        ))
    })
}

fn shown(value: &Value) -> String {
    match value {
        Value::Number(number) => number.to_string(),
        Value::String(_) => "a text".to_owned(),
        Value::Bool(_) => "true or false".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Null | Value::Object(_) => "a map".to_owned(),
    }
}

fn access(
    context: &Context<'_>,
    key: &str,
    make: impl FnOnce(&SharedSession) -> Fallible<StateAccess>,
) -> Fallible<Answer> {
    let session = Session::of(context)?;
    if key.is_empty() || key.len() > KEY_BYTES_MAX {
        return Err(error(format!(
            "a key of `state` has 1 to {KEY_BYTES_MAX} bytes, and this one has {}",
            key.len()
        )));
    }
    let call = StateCall {
        key: key.to_owned(),
        access: make(&session)?,
        position: None,
    };
    session.step(context, Effect::State(call))
}

/// A value that can be kept.
fn kept(key: &str, value: &Dynamic) -> Fallible<Value> {
    if value.is_unit() {
        return Err(error(format!(
            "`()` cannot be kept under `{key}`: `state::delete` forgets an entry"
        )));
    }
    let value = to_json(value)?;
    let bytes = value.to_string().len();
    if bytes > VALUE_BYTES_MAX {
        return Err(error(format!(
            "the value for `{key}` has {bytes} bytes; `state` keeps {VALUE_BYTES_MAX} under a key"
        )));
    }
    Ok(value)
}

fn expiry(session: &SharedSession, ttl: Option<&str>) -> Fallible<Option<Timestamp>> {
    ttl.map(|ttl| after(session, ttl)).transpose()
}
