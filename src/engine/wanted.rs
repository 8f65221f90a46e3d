//! What there is to say about an effect that a script wants: whether it only looks, whether there is room for its
//! answer, how the script could come along with less, and in what it differs from what the journal holds.

use serde_json::Value;

use super::convert::display;
use crate::model::{Effect, StateAccess, Step};
use crate::operations::{self, RepeatClass};

/// The path of a search.
pub(super) const SEARCH_PATH: &str = "search/v1/search/";

/// The largest journal of which a script may still want more: another answer of 1 MiB fits into 8 MiB then.
const JOURNAL_BYTES_MAX: usize = 7 << 20;

/// How much of a value is shown that differs, in bytes.
const DIFFERENCE_BYTES: usize = 300;

/// Whether the effect only reads, from Iconik or from what the rule keeps.
pub(super) fn only_looks(effect: &Effect) -> bool {
    match effect {
        Effect::Call(call) => operations::find(call.method, &call.path).is_some_and(|operation| {
            operations::class_of(operation, call.body.as_ref()) == RepeatClass::Safe
        }),
        Effect::State(call) => call.access == StateAccess::Get,
        _ => false,
    }
}

/// How a rule comes along with fewer and smaller answers than it wants.
pub(super) fn do_less(wanted: &Effect) -> &'static str {
    match wanted {
        Effect::Call(call) if call.path == SEARCH_PATH => {
            "let `fn each(event)` return the search, so that every object has a run of its own, or ask for less: \
             narrower conditions, and in `.fields([…])` only what the rule reads"
        }
        _ => "let `fn each(event)` say which objects are meant, so that each has a run of its own",
    }
}

/// Whether one more answer might be too much for the journal. A few steps cannot be, because each answer has its own
/// bound.
pub(super) fn is_full(journal: &[Step]) -> bool {
    let few = JOURNAL_BYTES_MAX >> 20;
    let bytes = |step: &Step| weight(&step.answer.body);
    journal.len() > few && journal.iter().map(bytes).sum::<usize>() > JOURNAL_BYTES_MAX
}

/// About how many bytes of JSON a value is.
fn weight(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
        Value::String(text) => text.len() + 3,
        Value::Array(items) => items.iter().map(weight).sum::<usize>() + 2,
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(key, value)| key.len() + 4 + weight(value));
            fields.sum::<usize>() + 2
        }
    }
}

/// What a step was and what is wanted in its place.
pub(super) fn difference(step: &Step, wanted: &Effect) -> String {
    let number = step.number;
    let (before, now) = (step.effect.to_string(), wanted.to_string());
    let detail = first_difference("", &as_json(&step.effect), &as_json(wanted));
    match detail {
        Some((path, was, is)) if before == now => format!(
            "step {number} is {now} as before, but with another `{path}`: it was {was} and is {is} now"
        ),
        _ => format!(
            "step {number} was {before} before and is {now} now: the rule did not ask for the same thing twice"
        ),
    }
}

fn as_json(effect: &Effect) -> Value {
    let mut effect = effect.clone();
    effect.set_position(None);
    serde_json::to_value(effect).unwrap_or_default()
}

/// Where two values differ first, and how.
fn first_difference(path: &str, was: &Value, is: &Value) -> Option<(String, String, String)> {
    let below = |key: &str| match path {
        "" => key.to_owned(),
        path => format!("{path}.{key}"),
    };
    match (was, is) {
        (was, is) if was == is => None,
        (Value::Object(before), Value::Object(now)) => {
            let keys = before.keys().chain(now.keys());
            keys.into_iter().find_map(|key| {
                let side = |fields: &serde_json::Map<String, Value>| {
                    fields.get(key).cloned().unwrap_or_default()
                };
                first_difference(&below(key), &side(before), &side(now))
            })
        }
        (Value::Array(before), Value::Array(now)) if before.len() == now.len() => {
            let pairs = (0..).zip(before.iter().zip(now));
            pairs
                .into_iter()
                .find_map(|(index, (was, is)): (usize, _)| {
                    first_difference(&below(&index.to_string()), was, is)
                })
        }
        _ => Some((path.to_owned(), shown(was), shown(is))),
    }
}

fn shown(value: &Value) -> String {
    display(&value.to_string().into(), DIFFERENCE_BYTES)
}
