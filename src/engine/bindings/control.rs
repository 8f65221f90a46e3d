//! `skip`, `fail` and the log.

use rhai::{Dynamic, NativeCallContext};

use super::super::Outcome;
use super::super::catalog::{FunctionDoc, Place, Registry};
use super::super::convert::display;
use super::super::session::{Fallible, Session};
use crate::model::{DeadClass, LogLevel};

/// How much of a reason is kept, in bytes.
const REASON_BYTES: usize = 2_000;

type Context<'a> = NativeCallContext<'a>;

pub(super) fn register(registry: &mut Registry) {
    registry.add(
        FunctionDoc {
            place: Place::Top,
            signature: "skip(reason)",
            about: "Ends the run as skipped: it looked, and there was nothing to do. It cannot be caught.",
            example: "if event.operation != \"delete\" { return skip(\"not a deletion\"); }",
        },
        |context: Context<'_>, reason: &str| -> Fallible<()> {
            let session = Session::of(&context)?;
            Err(session.latch(Outcome::Skipped(shorten(reason)), context.call_source().map(ToOwned::to_owned)))
        },
    );
    registry.add(
        FunctionDoc {
            place: Place::Top,
            signature: "fail(reason)",
            about: "Ends the run as dead, class `failed`: a person should look. It cannot be caught.",
            example: "if event.asset_id == () { fail(\"an event without an asset\"); }",
        },
        |context: Context<'_>, reason: &str| -> Fallible<()> {
            let session = Session::of(&context)?;
            Err(session.fail(&context, DeadClass::Failed, shorten(reason), None))
        },
    );
    register_log(registry);
}

/// A reason is kept with its run and shown in lists, so it has a bound.
fn shorten(reason: &str) -> String {
    display(&Dynamic::from(reason.to_owned()), REASON_BYTES)
}

fn register_log(registry: &mut Registry) {
    const LEVELS: [(&str, &str, &str, LogLevel); 4] = [
        (
            "trace(value)",
            "Keeps a line for following the rule closely.",
            "log::trace(event.operation);",
            LogLevel::Trace,
        ),
        (
            "info(value)",
            "Keeps a line about what happened.",
            "log::info(`looked at ${event.asset_id}`);",
            LogLevel::Info,
        ),
        (
            "warn(value)",
            "Keeps a line that somebody may want to see.",
            "log::warn(\"no owner is set\");",
            LogLevel::Warn,
        ),
        (
            "error(value)",
            "Keeps a line that somebody must see.",
            "log::error(\"the title is empty\");",
            LogLevel::Error,
        ),
    ];
    for (signature, about, example, level) in LEVELS {
        registry.add(
            FunctionDoc {
                place: Place::Module("log"),
                signature,
                about,
                example,
            },
            move |context: Context<'_>, value: Dynamic| -> Fallible<()> {
                let session = Session::of(&context)?;
                let text = display(&value, session.limits().string_bytes);
                session.log(&context, level, text)
            },
        );
    }
}
