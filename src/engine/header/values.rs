//! Reading the values of a header by their kind, with what is wrong about one that is of another.

use std::time::Duration;

use rhai::Position as At;

use super::super::bindings::nearest;
use super::super::literal::{Constant, Literal};
use crate::model::parse_duration;

/// Where, what is wrong, and what to do about it.
pub(super) type Wrong = (At, String, Option<String>);

/// A key of a map with its place and value.
pub(super) type Field = (String, At, Literal);

pub(super) fn wrong(at: At, message: impl Into<String>) -> Wrong {
    (at, message.into(), None)
}

fn other_kind(value: &Literal, key: &str, takes: &str) -> Wrong {
    wrong(
        value.at,
        format!("`{key}` takes {takes}, and this is {}", value.kind()),
    )
}

pub(super) fn text<'a>(value: &'a Literal, key: &str) -> Result<&'a str, Wrong> {
    match &value.value {
        Constant::Text(text) => Ok(text),
        _ => Err(other_kind(value, key, "a text")),
    }
}

/// A text that people read.
pub(super) fn title(value: &Literal, key: &str) -> Result<String, Wrong> {
    let title = text(value, key)?;
    if title.trim().is_empty() {
        return Err(wrong(
            value.at,
            format!("`{key}` is empty: it is what people read"),
        ));
    }
    Ok(title.to_owned())
}

pub(super) fn boolean(value: &Literal, key: &str) -> Result<bool, Wrong> {
    match value.value {
        Constant::Bool(flag) => Ok(flag),
        _ => Err(other_kind(value, key, "true or false")),
    }
}

pub(super) fn list<'a>(value: &'a Literal, key: &str) -> Result<&'a [Literal], Wrong> {
    match &value.value {
        Constant::List(items) => Ok(items),
        _ => Err(other_kind(value, key, "a list")),
    }
}

pub(super) fn map<'a>(value: &'a Literal, key: &str) -> Result<&'a [Field], Wrong> {
    match &value.value {
        Constant::Map(fields) => Ok(fields),
        _ => Err(other_kind(value, key, "a map")),
    }
}

pub(super) fn duration(value: &Literal, key: &str) -> Result<Duration, Wrong> {
    let length = parse_duration(text(value, key)?).map_err(|message| wrong(value.at, message))?;
    if length.is_zero() {
        return Err(wrong(
            value.at,
            format!("`{key}` must be longer than nothing"),
        ));
    }
    Ok(length)
}

/// A whole number above 0.
pub(super) fn count(value: &Literal, key: &str) -> Result<u32, Wrong> {
    match value.value {
        Constant::Int(int) if int > 0 => {
            u32::try_from(int).map_err(|_| wrong(value.at, format!("`{key}` is too large")))
        }
        _ => Err(other_kind(value, key, "a whole number above 0")),
    }
}

/// A whole number from `-most` to `most`.
pub(super) fn within(value: &Literal, key: &str, most: i32) -> Result<i32, Wrong> {
    let takes = format!("a whole number from -{most} to {most}");
    let Constant::Int(int) = value.value else {
        return Err(other_kind(value, key, &takes));
    };
    i32::try_from(int)
        .ok()
        .filter(|int| int.abs() <= most)
        .ok_or_else(|| {
            let message = format!("`{key}` takes {takes}, and this is {int}");
            wrong(value.at, message)
        })
}

/// The meaning of the one text that was chosen among several.
pub(super) fn one_of<T: Copy>(
    value: &Literal,
    key: &str,
    known: &[(&'static str, T)],
) -> Result<T, Wrong> {
    let given = text(value, key)?;
    let found = known.iter().find(|(name, _)| *name == given);
    found
        .map(|(_, meaning)| *meaning)
        .ok_or_else(|| choice(value.at, key, given, known.iter().map(|(name, _)| *name)))
}

pub(super) fn choice<'a>(
    at: At,
    key: &str,
    given: &str,
    known: impl Iterator<Item = &'a str> + Clone,
) -> Wrong {
    let hint = nearest(given, known.clone()).map(|near| format!("did you mean \"{near}\"?"));
    let all = known
        .map(|k| format!("\"{k}\""))
        .collect::<Vec<_>>()
        .join(", ");
    (
        at,
        format!("`{key}` is one of {all}, not \"{given}\""),
        hint,
    )
}

pub(super) fn unknown_key(at: At, place: &str, key: &str, known: &[&str]) -> Wrong {
    let hint = nearest(key, known.iter().copied()).map(|near| format!("did you mean `{near}`?"));
    (at, format!("`{place}` has no key `{key}`"), hint)
}
