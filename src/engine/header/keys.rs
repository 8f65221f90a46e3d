//! What the keys of a header may hold.

use super::super::literal::{Constant, Literal};
use super::values::{
    Wrong, choice, count, duration, list, map, one_of, text, unknown_key, within, wrong,
};
use crate::model::{Button, Concurrency, Lane, Limits, Retry, Uncertain};

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

/// The highest priority; the lowest is as far below 0.
const PRIORITY_MAX: i32 = 100;

pub(super) fn button(value: &Literal) -> Result<Button, Wrong> {
    let mut button = Button::default();
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
            "form" => button.form = Some(some_text(value, key)?),
            "groups" => {
                let groups = list(value, key)?.iter().map(|it| some_text(it, key));
                button.groups = groups.collect::<Result<_, _>>()?;
                if button.groups.is_empty() {
                    let message = "`button.groups` is empty: nobody could press the button";
                    return Err(wrong(*at, message));
                }
            }
            "redirect" => button.redirect = Some(web_address(value, key)?),
            _ => {
                let known = ["title", "contexts", "form", "groups", "redirect"];
                return Err(unknown_key(*at, "button", key, &known));
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

/// Where a browser can go.
fn web_address(value: &Literal, key: &str) -> Result<String, Wrong> {
    let given = some_text(value, key)?;
    let rest = given
        .strip_prefix("https://")
        .or_else(|| given.strip_prefix("http://"));
    let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '<' | '>' | '\\');
    if rest.is_none_or(|rest| rest.is_empty() || rest.starts_with('/')) || given.contains(odd) {
        let hint = "write the whole address, such as \"https://status.example.com/releases\"";
        let message = format!("`button.{key}` is no address of the web");
        return Err((value.at, message, Some(hint.to_owned())));
    }
    Ok(given)
}

/// A text that says something.
fn some_text(value: &Literal, key: &str) -> Result<String, Wrong> {
    let given = text(value, key)?.trim();
    if given.is_empty() {
        return Err(wrong(value.at, format!("`button.{key}` is empty")));
    }
    Ok(given.to_owned())
}

pub(super) fn lane(value: &Literal) -> Result<Lane, Wrong> {
    let known = [
        ("asset", Lane::Asset),
        ("collection", Lane::Collection),
        ("object", Lane::Object),
        ("rule", Lane::Rule),
        ("none", Lane::None),
    ];
    one_of(value, "lane", &known)
}

pub(super) fn concurrency(value: &Literal) -> Result<Concurrency, Wrong> {
    let known = [
        ("queued", Concurrency::Queued),
        ("latest", Concurrency::Latest),
        ("single", Concurrency::Single),
        ("parallel", Concurrency::Parallel),
    ];
    one_of(value, "concurrency", &known)
}

pub(super) fn priority(value: &Literal) -> Result<i32, Wrong> {
    within(value, "priority", PRIORITY_MAX)
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
                let known = [("park", Uncertain::Park), ("repeat", Uncertain::Repeat)];
                retry.uncertain = one_of(value, key, &known)?;
            }
            _ => {
                let known = ["min", "max", "max_age", "statuses", "uncertain"];
                return Err(unknown_key(*at, "retry", key, &known));
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

/// The limits, and whether they say anything about `each`.
pub(super) fn limits(value: &Literal) -> Result<(Limits, bool), Wrong> {
    let mut limits = Limits::default();
    let mut bounds_each = false;
    for (key, at, value) in map(value, "limits")? {
        match key.as_str() {
            "calls_per_run" => limits.calls_per_run = count(value, key)?,
            "writes_per_run" => limits.writes_per_run = count(value, key)?,
            "objects" => {
                limits.objects = count(value, key)?;
                bounds_each = true;
            }
            "writes_per_hour" | "deletes_per_hour" => {
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
                return Err(unknown_key(*at, "limits", key, &known));
            }
        }
    }
    Ok((limits, bounds_each))
}
