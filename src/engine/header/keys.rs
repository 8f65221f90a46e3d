//! What each key of a header may hold.

use std::time::Duration;

use rhai::Position as At;

use super::super::bindings::nearest;
use super::super::literal::{Constant, Literal};
use crate::model::{Button, Concurrency, Lane, Limits, Pattern, Retry, Uncertain, parse_duration};
use crate::operations;

const BUTTON_CONTEXTS: [&str; 10] = [
    "ASSET",
    "ASSET_SUBCLIP",
    "SHARED_ASSET",
    "COLLECTION",
    "SHARED_COLLECTION",
    "BULK",
    "SAVED_SEARCH",
    "NONE",
    "PLAYLIST",
    "SHARED_PLAYLIST",
];

/// Where, what is wrong, and what to do about it.
pub(super) type Wrong = (At, String, Option<String>);

pub(super) fn wrong(at: At, message: impl Into<String>) -> Wrong {
    (at, message.into(), None)
}

pub(super) fn text<'a>(value: &'a Literal, key: &str) -> Result<&'a str, Wrong> {
    match &value.value {
        Constant::Text(text) => Ok(text),
        _ => Err(wrong(
            value.at,
            format!("`{key}` takes a text, and this is {}", value.kind()),
        )),
    }
}

pub(super) fn boolean(value: &Literal, key: &str) -> Result<bool, Wrong> {
    match value.value {
        Constant::Bool(flag) => Ok(flag),
        _ => Err(wrong(
            value.at,
            format!("`{key}` takes true or false, and this is {}", value.kind()),
        )),
    }
}

pub(super) fn list<'a>(value: &'a Literal, key: &str) -> Result<&'a [Literal], Wrong> {
    match &value.value {
        Constant::List(items) => Ok(items),
        _ => Err(wrong(
            value.at,
            format!("`{key}` takes a list, and this is {}", value.kind()),
        )),
    }
}

fn map<'a>(value: &'a Literal, key: &str) -> Result<&'a [(String, At, Literal)], Wrong> {
    match &value.value {
        Constant::Map(fields) => Ok(fields),
        _ => Err(wrong(
            value.at,
            format!("`{key}` takes a map, and this is {}", value.kind()),
        )),
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

fn count(value: &Literal, key: &str) -> Result<u32, Wrong> {
    match value.value {
        Constant::Int(int) if int > 0 => {
            u32::try_from(int).map_err(|_| wrong(value.at, format!("`{key}` is too large")))
        }
        _ => Err(wrong(
            value.at,
            format!(
                "`{key}` takes a whole number above 0, and this is {}",
                value.kind()
            ),
        )),
    }
}

/// A key with one value that this version carries out, and others that it does not yet.
pub(super) fn only(
    value: &Literal,
    key: &str,
    supported: &str,
    later: &[&str],
) -> Result<(), Wrong> {
    let given = text(value, key)?;
    if given == supported {
        Ok(())
    } else if later.contains(&given) {
        Err(wrong(
            value.at,
            format!("`{key}: \"{given}\"` is not supported yet by this version"),
        ))
    } else {
        Err(choice(
            value.at,
            key,
            given,
            later.iter().copied().chain([supported]),
        ))
    }
}

fn choice<'a>(
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

fn unknown_key<'a>(at: At, place: &str, key: &str, known: impl Iterator<Item = &'a str>) -> Wrong {
    let hint = nearest(key, known).map(|near| format!("did you mean `{near}`?"));
    (at, format!("`{place}` has no key `{key}`"), hint)
}

/// `"assets/metadata/update"`, `"*/*/create"`, `"source:type"`.
pub(super) fn pattern(value: &Literal) -> Result<Pattern, Wrong> {
    let given = text(value, "on")?;
    let (source, subject) = given.split_once(':').unwrap_or(("iconik", given));
    let parts: Vec<String> = subject.split('/').map(ToOwned::to_owned).collect();
    let odd = parts
        .iter()
        .any(|part| part.is_empty() || (part.contains('*') && part != "*"));
    let webhook = source == "iconik" || parts.len() == 3;
    if source.is_empty() || odd || (webhook && parts.len() != 3) || (!webhook && parts.len() != 1) {
        let hint = "write event_type/realm/operation, each a word or `*`, for example \"assets/metadata/update\"; \
                    \"source:type\" for another sender";
        return Err((
            value.at,
            format!("`{given}` is no pattern of events"),
            Some(hint.to_owned()),
        ));
    }
    if source == "iconik" && subject.chars().any(char::is_uppercase) {
        let hint = format!("write \"{}\"", given.to_lowercase());
        return Err((
            value.at,
            format!("`{given}` would match nothing: Iconik's events are in lower case"),
            Some(hint),
        ));
    }
    Ok(Pattern {
        source: source.to_owned(),
        parts,
    })
}

pub(super) fn scope(value: &Literal) -> Result<String, Wrong> {
    let given = text(value, "allow")?;
    if operations::scopes().any(|known| known == given) {
        return Ok(given.to_owned());
    }
    if given.starts_with("egress:") {
        return Err(wrong(
            value.at,
            "`egress` is not supported yet by this version",
        ));
    }
    let hint = nearest(given, operations::scopes()).map_or_else(
        || {
            format!(
                "there are {}",
                operations::scopes().collect::<Vec<_>>().join(", ")
            )
        },
        |near| format!("did you mean \"{near}\"?"),
    );
    Err((
        value.at,
        format!("there is no scope \"{given}\""),
        Some(hint),
    ))
}

pub(super) fn button(value: &Literal) -> Result<Button, Wrong> {
    let mut button = Button {
        title: String::new(),
        contexts: Vec::new(),
    };
    for (key, at, value) in map(value, "button")? {
        match key.as_str() {
            "title" => text(value, key)?.clone_into(&mut button.title),
            "contexts" => {
                for context in list(value, key)? {
                    let given = text(context, key)?;
                    if !BUTTON_CONTEXTS.contains(&given) {
                        return Err(choice(context.at, key, given, BUTTON_CONTEXTS.into_iter()));
                    }
                    button.contexts.push(given.to_owned());
                }
            }
            "form" | "groups" | "redirect" => {
                return Err(wrong(
                    *at,
                    format!("`button.{key}` is not supported yet by this version"),
                ));
            }
            _ => {
                return Err(unknown_key(
                    *at,
                    "button",
                    key,
                    ["title", "contexts", "form", "groups", "redirect"].into_iter(),
                ));
            }
        }
    }
    if button.title.trim().is_empty() || button.contexts.is_empty() {
        return Err(wrong(
            value.at,
            "a button needs a `title` and at least one of `contexts`",
        ));
    }
    Ok(button)
}

pub(super) fn lane(value: &Literal) -> Result<Lane, Wrong> {
    let known = [
        ("asset", Lane::Asset),
        ("collection", Lane::Collection),
        ("object", Lane::Object),
        ("rule", Lane::Rule),
        ("none", Lane::None),
    ];
    let given = text(value, "lane")?;
    let found = known
        .iter()
        .find(|(name, _)| *name == given)
        .map(|(_, lane)| *lane);
    found.ok_or_else(|| choice(value.at, "lane", given, known.iter().map(|(name, _)| *name)))
}

pub(super) fn concurrency(value: &Literal) -> Result<Concurrency, Wrong> {
    match text(value, "concurrency")? {
        "queued" => Ok(Concurrency::Queued),
        "parallel" => Ok(Concurrency::Parallel),
        given @ ("latest" | "single") => Err(wrong(
            value.at,
            format!("`concurrency: \"{given}\"` is not supported yet by this version"),
        )),
        given => Err(choice(
            value.at,
            "concurrency",
            given,
            ["queued", "parallel", "latest", "single"].into_iter(),
        )),
    }
}

pub(super) fn retry(value: &Literal) -> Result<Retry, Wrong> {
    let mut retry = Retry::default();
    for (key, at, value) in map(value, "retry")? {
        match key.as_str() {
            "min" => retry.min = duration(value, key)?,
            "max" => retry.max = duration(value, key)?,
            "max_age" => retry.max_age = duration(value, key)?,
            "statuses" => {
                retry.statuses = list(value, key)?
                    .iter()
                    .map(status)
                    .collect::<Result<_, _>>()?;
            }
            "uncertain" => {
                retry.uncertain = match text(value, key)? {
                    "park" => Uncertain::Park,
                    "repeat" => Uncertain::Repeat,
                    given => {
                        return Err(choice(value.at, key, given, ["park", "repeat"].into_iter()));
                    }
                };
            }
            _ => {
                return Err(unknown_key(
                    *at,
                    "retry",
                    key,
                    ["min", "max", "max_age", "statuses", "uncertain"].into_iter(),
                ));
            }
        }
    }
    if retry.min > retry.max {
        return Err(wrong(value.at, "`retry.min` is longer than `retry.max`"));
    }
    Ok(retry)
}

fn status(value: &Literal) -> Result<u16, Wrong> {
    match value.value {
        Constant::Int(int @ 400..=499) => Ok(u16::try_from(int).unwrap_or(400)),
        _ => Err(wrong(
            value.at,
            "`retry.statuses` lists statuses from 400 to 499",
        )),
    }
}

pub(super) fn limits(value: &Literal) -> Result<Limits, Wrong> {
    let mut limits = Limits::default();
    for (key, at, value) in map(value, "limits")? {
        match key.as_str() {
            "calls_per_run" => limits.calls_per_run = count(value, key)?,
            "writes_per_run" => limits.writes_per_run = count(value, key)?,
            "objects" | "writes_per_hour" | "deletes_per_hour" => {
                return Err(wrong(
                    *at,
                    format!("`limits.{key}` is not supported yet by this version"),
                ));
            }
            _ => {
                let known = [
                    "calls_per_run",
                    "writes_per_run",
                    "objects",
                    "writes_per_hour",
                    "deletes_per_hour",
                ];
                return Err(unknown_key(*at, "limits", key, known.into_iter()));
            }
        }
    }
    Ok(limits)
}
