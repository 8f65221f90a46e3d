//! From Rhai's errors to a failure that an operations person can act on.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;
use rhai::{EvalAltResult, Map, Position as At};
use serde_json::Value;

use super::bindings::{API_ERROR_TAG, JOB_ERROR_TAG, nearest};
use super::catalog::Catalog;
use super::caught::Inserted;
use super::convert::display;
use super::here::position;
use super::source::sentence;
use crate::model::{DeadClass, Event, EventKind, Failure, Program, RuleFile};

/// How much of a thrown value is shown.
const SHOWN_BYTES: usize = 500;

/// Where an error really happened: the innermost place that is known.
struct Place {
    file: Option<String>,
    function: Option<String>,
    at: At,
}

/// What a script's error means. `event` helps to tell which value was missing.
pub(super) fn of(
    error: EvalAltResult,
    program: &Program,
    inserted: &BTreeMap<String, Inserted>,
    event: &Event,
) -> Failure {
    let mut place = Place {
        file: None,
        function: None,
        at: At::NONE,
    };
    let inner = innermost(error, &mut place);
    let mut failure = describe(inner);
    failure.function = place.function.clone();
    let file = find(program, place.file.as_deref()).path.as_str();
    failure.position = position(place.at).map(|at| {
        inserted
            .get(file)
            .map_or(at, |inserted| inserted.original(at))
    });
    locate(&mut failure, place.file.as_deref(), program);
    if failure.class == DeadClass::ScriptError
        && failure.message.contains("()")
        && let Some((message, hint)) = missing_value(&failure, program, event)
    {
        failure.message = message;
        failure.hint = Some(hint);
    }
    failure
}

/// Fills in the file and the excerpt of a failure whose position is known.
pub(super) fn locate(failure: &mut Failure, file: Option<&str>, program: &Program) {
    let file = find(program, file);
    failure.file = Some(file.path.clone());
    failure.excerpt = failure.position.and_then(|at| line(file, at.line));
}

fn find<'a>(program: &'a Program, path: Option<&str>) -> &'a RuleFile {
    program
        .libraries
        .iter()
        .find(|file| Some(file.path.as_str()) == path)
        .unwrap_or(&program.main)
}

fn line(file: &RuleFile, number: u32) -> Option<String> {
    let index = usize::try_from(number).ok()?.checked_sub(1)?;
    file.source
        .lines()
        .nth(index)
        .map(|line| line.chars().take(240).collect())
}

fn innermost(error: EvalAltResult, place: &mut Place) -> EvalAltResult {
    let at = error.position();
    if !at.is_none() {
        place.at = at;
    }
    match error {
        EvalAltResult::ErrorInFunctionCall(function, file, inner, _) => {
            let name = function.split(['(', ' ', '@']).next().unwrap_or(&function);
            if !name.is_empty() && !name.starts_with("anon$") {
                place.function = Some(name.to_owned());
            }
            if !file.is_empty() {
                place.file = Some(file);
            }
            innermost(*inner, place)
        }
        EvalAltResult::ErrorInModule(file, inner, _) => {
            place.file = Some(file);
            innermost(*inner, place)
        }
        other => other,
    }
}

fn describe(error: EvalAltResult) -> Failure {
    let script = |message: String| Failure::new(DeadClass::ScriptError, message);
    let limit = |message: &str, hint: &str| {
        let mut failure = Failure::new(DeadClass::Limit, message);
        failure.hint = Some(hint.to_owned());
        failure
    };
    match error {
        EvalAltResult::ErrorRuntime(value, _) => {
            if let Some(thrown) = value.read_lock::<Map>() {
                match i64::from(value.tag()) {
                    API_ERROR_TAG => return refused(&thrown),
                    JOB_ERROR_TAG => return unsuccessful(&thrown),
                    _ => {}
                }
            }
            script(display(&value, SHOWN_BYTES))
        }
        EvalAltResult::ErrorFunctionNotFound(signature, _) => unknown_function(&signature),
        EvalAltResult::ErrorIndexingType(what, _)
            if what.ends_with("= ?") || what.contains("] =") =>
        {
            read_only()
        }
        EvalAltResult::ErrorDotExpr(what, _) if what.contains("setter") => read_only(),
        EvalAltResult::ErrorDataTooLarge(what, _) => limit(
            &format!("{} is larger than a rule may hold", sentence(&what)),
            "work on less at a time",
        ),
        EvalAltResult::ErrorStackOverflow(_) => limit(
            "functions call each other too deeply",
            "look for a function that calls itself without an end",
        ),
        EvalAltResult::ErrorTooManyVariables(_) => {
            limit("the rule holds too many variables", "use a list or a map")
        }
        EvalAltResult::ErrorTooManyOperations(_) => limit(
            "the rule took too many operations",
            "look for an endless loop",
        ),
        EvalAltResult::ErrorParsing(what, _) => script(sentence(&what.to_string())),
        mut other => {
            other.set_position(At::NONE);
            script(sentence(&other.to_string()))
        }
    }
}

/// Neither events nor what was read from Iconik can be assigned to.
fn read_only() -> Failure {
    let mut failure = Failure::new(
        DeadClass::ScriptError,
        "this cannot be set: events and what was read from Iconik are read-only",
    );
    failure.hint = Some("metadata is written by `asset.set_metadata(view, #{ … })`".to_owned());
    failure
}

fn refused(thrown: &Map) -> Failure {
    let text = |key: &str| {
        thrown
            .get(key)
            .map(|value| display(value, SHOWN_BYTES))
            .unwrap_or_default()
    };
    let mut failure = Failure::new(
        DeadClass::ApiError,
        format!(
            "Iconik refused {} {} with {}: {}",
            text("method"),
            text("path"),
            text("status"),
            text("message")
        ),
    );
    failure.hint = Some("catch it with `try { … } catch (e) { … }` and look at `e.status` if the rule can live with it".to_owned());
    failure
}

/// A job that was waited for did not end well.
fn unsuccessful(thrown: &Map) -> Failure {
    let message = thrown.get("message").map(|text| display(text, SHOWN_BYTES));
    let mut failure = Failure::new(DeadClass::ApiError, message.unwrap_or_default());
    failure.hint = Some("catch it with `try { … } catch (e) { … }` and look at `e.job_status` if the rule can live with it".to_owned());
    failure
}

/// Rhai names a missing function as `name (type, type)`.
fn unknown_function(signature: &str) -> Failure {
    let (name, types) = signature.split_once(" (").unwrap_or((signature, ""));
    let types = types.strip_suffix(')').unwrap_or(types);
    let mut parts = types
        .split(", ")
        .map(plain_type)
        .filter(|part| !part.is_empty());
    let ours = &Catalog::shared().names().ours;
    let message = if name.chars().all(|c| !c.is_alphanumeric()) {
        let sides: Vec<String> = parts.collect();
        format!("`{name}` does not work on {}", sides.join(" and "))
    } else if let Some(on) = parts.next().filter(|first| !first.is_empty()) {
        format!("{on} has no method `{name}`")
    } else {
        format!("there is no function `{name}`")
    };
    let mut failure = Failure::new(DeadClass::ScriptError, message);
    failure.hint = nearest(
        name,
        ours.iter()
            .map(String::as_str)
            .filter(|known| *known != name),
    )
    .map(|near| format!("did you mean `{near}`?"));
    if failure.hint.is_none() && ours.contains(name) {
        failure.hint = Some(format!("`{name}` takes other arguments; got ({types})"));
    }
    failure
}

fn plain_type(name: &str) -> String {
    match name.trim().trim_start_matches("&mut ") {
        "()" => "a missing value `()`".to_owned(),
        "i64" => "a number".to_owned(),
        "f64" => "a decimal number".to_owned(),
        "bool" => "true/false".to_owned(),
        "&str | ImmutableString | String" | "ImmutableString" | "&str" | "string" => {
            "a text".to_owned()
        }
        "array" => "a list".to_owned(),
        "map" => "a map".to_owned(),
        "char" => "a character".to_owned(),
        other => other.to_owned(),
    }
}

static CHAIN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
        .expect("the pattern is a literal that the tests compile")
});
static ASSIGNED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"let\s+([A-Za-z_]\w*)\s*=\s*([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+)")
        .expect("the pattern is a literal that the tests compile")
});

/// Which part of the event was missing in the failing line: named in the line itself, or through a variable
/// that was last assigned above it.
fn missing_value(failure: &Failure, program: &Program, event: &Event) -> Option<(String, String)> {
    let excerpt = failure.excerpt.as_deref()?;
    let number = failure.position?.line;
    let file = find(program, failure.file.as_deref());
    let direct = CHAIN
        .find_iter(excerpt)
        .find_map(|chain| explain(chain.as_str(), event, number));
    direct.or_else(|| {
        let above: Vec<&str> = file
            .source
            .lines()
            .take(usize::try_from(number).ok()?)
            .collect();
        above.iter().enumerate().rev().find_map(|(index, text)| {
            let found = ASSIGNED.captures(text)?;
            let used = Regex::new(&format!(r"\b{}\b", &found[1]))
                .ok()?
                .is_match(excerpt);
            let line = u32::try_from(index + 1).ok()?;
            let (message, hint) = explain(&found[2], event, line).filter(|_| used)?;
            Some((format!("`{}` is missing here: {message}", &found[1]), hint))
        })
    })
}

/// Whether a path such as `event.data.titel` leads nowhere in this event, and what is there instead.
fn explain(chain: &str, event: &Event, line: u32) -> Option<(String, String)> {
    let path = chain.strip_prefix("event.")?;
    if event.kind == EventKind::Object && path.starts_with("parent.") {
        // The parent is an event of its own, whose keys are not those of its stored form.
        return None;
    }
    let whole = event.body.get("data").unwrap_or(&event.body);
    let (mut at, rest): (&Value, &str) = match path.strip_prefix("data.") {
        Some(rest) => (whole, rest),
        None => (&event.body, path),
    };
    let mut seen = chain.len() - rest.len();
    for key in rest.split('.') {
        seen += key.len();
        if let Some(inner) = at.get(key).filter(|value| !value.is_null()) {
            at = inner;
            seen += 1;
            continue;
        }
        let missing = &chain[..seen];
        let near = at.as_object().and_then(|fields| {
            let there = fields.iter().filter(|(_, value)| !value.is_null());
            nearest(key, there.map(|(name, _)| name.as_str()))
        });
        let there = near.map_or_else(String::new, |near| format!("; `{near}` is there"));
        let parent = &missing[..missing.len() - key.len()];
        return Some((
            format!("`{missing}` is missing in this event (line {line}){there}"),
            format!(
                "write `({parent}{} ?? \"\")` if it may be missing",
                near.unwrap_or(key)
            ),
        ));
    }
    None
}
