//! `sleep`, `sleep_until`, `wait_for`: a run that waits is a row in the store and holds nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use rhai::{Dynamic, Map, NativeCallContext};
use serde_json::Value;

use super::super::catalog::{FunctionDoc, Place, Registry};
use super::super::convert::to_json;
use super::super::header::parse_pattern;
use super::super::here::Here;
use super::super::moment::Time;
use super::super::session::{Fallible, Session, SharedSession, error};
use super::call::perform;
use super::event::{EventView, OTHER, WEBHOOK, nearest};
use crate::model::{Effect, Event, Pattern, Sleep, WaitForEvent};

type Context<'a> = NativeCallContext<'a>;

/// The keys that every event has for `wait_for`, besides those of its kind.
const DERIVED: [&str; 2] = ["asset_id", "collection_id"];
/// What begins the name of something inside `event.data`.
const DATA: &str = "data.";

pub(super) fn register(registry: &mut Registry) {
    let doc = |signature, about, example| FunctionDoc {
        place: Place::Top,
        signature,
        about,
        example,
    };
    registry.add(
        doc(
            "sleep(duration)",
            "Goes on after so long, such as `\"90s\"`, `\"2h\"` or `\"7d\"`. The run holds its lane meanwhile, and nothing else: \
             it survives restarts.",
            "let before = time::now();\nsleep(\"2h\");\nif time::now() < before.plus(\"2h\") { fail(\"too early\"); }",
        ),
        |context: Context<'_>, duration: &str| -> Fallible<()> {
            let session = Session::of(&context)?;
            let until = after(&session, duration)?;
            sleep(&session, &context, until)
        },
    );
    registry.add(
        doc(
            "sleep_until(time)",
            "Goes on at a time; at once if it has passed.",
            "let tomorrow = time::now().plus(\"1d\").start_of_day(\"Europe/Berlin\");\nsleep_until(tomorrow);\n\
             if time::now() < tomorrow { fail(\"too early\"); }",
        ),
        |context: Context<'_>, time: Time| sleep(&*Session::of(&context)?, &context, time.0),
    );
    registry.add(
        doc(
            "wait_for(pattern, fields, timeout)",
            "Goes on when an event arrives that the pattern (as in `on`) matches and that has these values, and returns it; \
             `()` when none has come within the timeout. Events since the run began count as well. Names are keys of the \
             event, `asset_id` and `collection_id` included, or a path into its data: `\"data.title\"`.",
            "let change = wait_for(\"assets/metadata/update\", #{ asset_id: event.asset_id }, \"2d\");\n\
             if change == () { return skip(\"nobody changed it\"); }\nlog::info(change.user_id);",
        ),
        |context: Context<'_>, pattern: &str, fields: Map, timeout: &str| {
            wait_for(&context, pattern, &fields, timeout)
        },
    );
}

/// The time so much later than the script's own.
pub(super) fn after(session: &SharedSession, duration: &str) -> Fallible<Timestamp> {
    if duration.trim_start().starts_with('-') {
        return Err(error(format!(
            "`{duration}` lies in the past; a duration is written as \"90s\", \"10m\", \"24h\" or \"7d\""
        )));
    }
    Ok(Time(session.now()).plus(duration)?.0)
}

fn sleep(session: &Session, context: &Context<'_>, until: Timestamp) -> Fallible<()> {
    let sleep = Sleep {
        until,
        position: None,
    };
    session.step(context, Effect::Sleep(sleep)).map(drop)
}

fn wait_for(
    context: &Context<'_>,
    pattern: &str,
    fields: &Map,
    timeout: &str,
) -> Fallible<Dynamic> {
    let session = Session::of(context)?;
    let pattern =
        parse_pattern(pattern).map_err(|(message, hint)| error(format!("{message}; {hint}")))?;
    let fields = fields
        .iter()
        .map(|(name, value)| wanted(&pattern, name, value))
        .collect::<Fallible<BTreeMap<String, Value>>>()?;
    let wait = WaitForEvent {
        pattern,
        fields,
        until: after(&session, timeout)?,
        position: None,
    };
    let answer = perform(&session, Here::from(context), Effect::WaitForEvent(wait))?;
    if answer.body.is_null() {
        return Ok(Dynamic::UNIT);
    }
    let event: Event = serde_json::from_value(answer.body)
        .map_err(|trouble| error(format!("the event that came cannot be read: {trouble}")))?;
    Ok(Dynamic::from(EventView::new(Arc::new(event))).into_read_only())
}

/// A field as the store looks for it. A misspelt name would be waited for in vain.
fn wanted(pattern: &Pattern, name: &str, value: &Dynamic) -> Fallible<(String, Value)> {
    let of_iconik = pattern.parts.len() > 1;
    let keys = if of_iconik { WEBHOOK } else { OTHER };
    let known = || keys.iter().chain(&DERIVED).copied();
    let inside = name
        .strip_prefix(DATA)
        .filter(|path| !path.split('.').any(str::is_empty));
    if inside.is_none() && (name == "data" || !known().any(|key| key == name)) {
        let near = nearest(name, known());
        let advice = near.map_or_else(
            || "what is inside of `event.data` is named as \"data.title\"".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        return Err(error(format!(
            "an event that `{pattern}` matches has no `{name}`; {advice}"
        )));
    }
    if value.is_unit() {
        return Err(error(format!(
            "the value that `{name}` should have is missing: it is `()`"
        )));
    }
    Ok((name.to_owned(), to_json(value)?))
}
