//! Whether an idempotent write that has grown old has happened, or may still be sent: pure.
//!
//! Its target is read again. If it shows what was to be written, the write has happened; if it shows what the run had
//! seen before, nobody has touched it and the write overwrites nothing of others. Otherwise a person decides.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::model::{Call, Effect, Method, Step};
use crate::operations;

/// The part of a path that makes a trashed object go for good.
const PURGE: &str = "purge/";

/// What a run saw when it last looked at a target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sight<'a> {
    /// The status.
    pub(super) status: u16,
    /// The document.
    pub(super) body: &'a Value,
    /// The parameters of the read.
    pub(super) query: Option<&'a BTreeMap<String, String>>,
}

/// The read that shows the target of a write, if there is one.
pub(super) fn target_of(call: &Call, before: Option<Sight<'_>>) -> Option<Call> {
    let path = target_path(call);
    operations::find(Method::Get, path)?;
    Some(Call {
        method: Method::Get,
        path: path.to_owned(),
        query: before
            .and_then(|sight| sight.query)
            .cloned()
            .unwrap_or_default(),
        body: None,
        cacheable: false,
        position: call.position.clone(),
    })
}

/// What the run has last seen of the target of a write: the answer to a read, or to a write of its own. None if it has
/// not looked, or has changed it since without seeing how.
pub(super) fn last_seen<'a>(journal: &'a [Step], call: &Call) -> Option<Sight<'a>> {
    let path = target_path(call);
    let touched = journal.iter().rev().find_map(|step| match &step.effect {
        Effect::Call(earlier) if target_path(earlier) == path => Some((earlier, step)),
        _ => None,
    });
    let (earlier, step) = touched?;
    let sight = Sight {
        status: step.answer.status,
        body: &step.answer.body,
        query: None,
    };
    match earlier.method {
        Method::Get => Some(Sight {
            query: Some(&earlier.query),
            ..sight
        }),
        Method::Put | Method::Patch if sight.body.is_object() => Some(sight),
        _ => None,
    }
}

/// Whether the target shows that the write has happened.
pub(super) fn is_done(call: &Call, now: Sight<'_>) -> bool {
    match (call.method, &call.body) {
        (Method::Delete, _) => {
            let is_trashed = now.body.get("status").is_some_and(|it| it == "DELETED");
            now.status == 404 || is_trashed && !call.path.ends_with(PURGE)
        }
        (Method::Put | Method::Patch, Some(body)) => {
            now.status == 200 && body.is_object() && shows(now.body, body)
        }
        _ => false,
    }
}

/// Whether the target is as the run saw it before, as far as the write concerns it.
pub(super) fn is_unchanged(call: &Call, before: Sight<'_>, now: Sight<'_>) -> bool {
    if before.status != now.status {
        return false;
    }
    let is_partial = call.method == Method::Patch || fields_of(call).is_some();
    match &call.body {
        Some(wanted) if is_partial => part(before.body, wanted) == part(now.body, wanted),
        _ => now.status == 404 || before.body == now.body,
    }
}

fn target_path(call: &Call) -> &str {
    match call.method {
        Method::Delete => call.path.strip_suffix(PURGE).unwrap_or(&call.path),
        _ => &call.path,
    }
}

fn fields_of(call: &Call) -> Option<&Map<String, Value>> {
    call.body.as_ref()?.get("metadata_values")?.as_object()
}

/// Whether a document shows everything that is wanted.
fn shows(shown: &Value, wanted: &Value) -> bool {
    match wanted {
        Value::Object(keys) => keys.iter().all(|(key, wanted)| {
            let shown = shown.get(key).unwrap_or(&Value::Null);
            if key == "metadata_values" {
                shows_fields(shown, wanted)
            } else {
                shows(shown, wanted)
            }
        }),
        other => shown == other,
    }
}

fn shows_fields(shown: &Value, wanted: &Value) -> bool {
    let fields = wanted.as_object().into_iter().flatten();
    fields.into_iter().all(|(name, wanted)| {
        let shown = values(shown.get(name));
        let written = values(Some(wanted));
        match wanted.get("mode").and_then(Value::as_str) {
            Some("delete") => written.iter().all(|value| !shown.contains(value)),
            None | Some("overwrite") => shown == written,
            Some(_) => false,
        }
    })
}

/// The bare values of a metadata field; Iconik may show labels and scores with them.
fn values(field: Option<&Value>) -> Vec<&Value> {
    let values = field.and_then(|field| field.get("field_values")?.as_array());
    let bare = values.into_iter().flatten();
    bare.map(|value| value.get("value").unwrap_or(value))
        .collect()
}

/// The part of a document that the keys of `wanted` name.
fn part(document: &Value, wanted: &Value) -> Value {
    match wanted {
        Value::Object(keys) => {
            let part = keys.iter().map(|(key, wanted)| {
                let value = document.get(key).unwrap_or(&Value::Null);
                let part = if key == "field_values" {
                    value.clone()
                } else {
                    part(value, wanted)
                };
                (key.clone(), part)
            });
            Value::Object(part.collect())
        }
        _ => document.clone(),
    }
}

#[cfg(test)]
mod tests;
