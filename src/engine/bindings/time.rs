//! The module `time` and the methods of a Time.

use rhai::NativeCallContext;

use super::super::catalog::{FunctionDoc, Place, Registry};
use super::super::moment::Time;
use super::super::session::{Fallible, Session, error};

const TIME: Place = Place::Type("Time");
const UTC: &str = "UTC";

pub(super) fn register(registry: &mut Registry) {
    registry.global().set_custom_type::<Time>("Time");
    rhai::FuncRegistration::new("to_string")
        .in_global_namespace()
        .set_into_module(registry.global(), |time: &mut Time| time.to_string());
    register_module(registry);
    register_zoned(registry);
    register_methods(registry);
}

fn register_module(registry: &mut Registry) {
    registry.add(
        FunctionDoc {
            place: Place::Module("time"),
            signature: "now()",
            about: "The moment of the last answered call of this run, or of its start. It never goes backwards, and it \
                    is the same again when the run is gone through again. In `when` it is the event's `received_at`.",
            example: "if time::now() < event.received_at { fail(\"time went backwards\"); }",
        },
        |context: NativeCallContext<'_>| -> Fallible<Time> { Ok(Time(Session::of(&context)?.now())) },
    );
    registry.add(
        FunctionDoc {
            place: Place::Module("time"),
            signature: "parse(text)",
            about: "Reads `2026-03-01`, `2026-03-01T12:00:00` (both UTC) or a moment with an offset; an error otherwise.",
            example: "let day = time::parse(\"2026-03-01\"); if day > time::parse(\"2026-03-02\") { fail(\"order\"); }",
        },
        |text: &str| -> Fallible<Time> {
            Time::parse(text)
                .ok_or_else(|| error(format!("`{text}` is no time; write one as 2026-03-01 or 2026-03-01T12:00:00+00:00")))
        },
    );
}

fn register_zoned(registry: &mut Registry) {
    registry.add(
        FunctionDoc {
            place: Place::Module("time"),
            signature: "parse(text, zone)",
            about: "The same, where what has no offset of its own is the local time of a zone.",
            example: "let noon = time::parse(\"2026-03-01T12:00:00\", \"Europe/Berlin\");\n\
                      if noon != time::parse(\"2026-03-01T11:00:00\") { fail(\"zone\"); }",
        },
        |text: &str, zone: &str| -> Fallible<Time> {
            Time::parse_in(text, zone)?.ok_or_else(|| {
                error(format!(
                    "`{text}` is no time; write one as 2026-03-01 or 2026-03-01T12:00:00"
                ))
            })
        },
    );
}

fn register_methods(registry: &mut Registry) {
    registry.add(
        FunctionDoc {
            place: TIME,
            signature: "plus(duration)",
            about: "The time so much later; a duration is written as `\"90s\"`, `\"10m\"`, `\"24h\"`, `\"7d\"`.",
            example: "if time::now().plus(\"7d\") <= time::now() { fail(\"order\"); }",
        },
        |time: &mut Time, duration: &str| time.plus(duration),
    );
    registry.add(
        FunctionDoc {
            place: TIME,
            signature: "minus(duration)",
            about: "The time so much earlier.",
            example: "if time::now().minus(\"1h\") >= time::now() { fail(\"order\"); }",
        },
        |time: &mut Time, duration: &str| time.minus(duration),
    );
    let doc = |signature, about, example| FunctionDoc {
        place: TIME,
        signature,
        about,
        example,
    };
    registry.add(
        doc(
            "start_of_day(zone)",
            "Midnight of that day in a zone such as `\"Europe/Berlin\"`.",
            "let midnight = time::parse(\"2026-03-01T12:00:00\").start_of_day(\"Europe/Berlin\");\n\
             if midnight.format(\"%H:%M\", \"Europe/Berlin\") != \"00:00\" { fail(\"not midnight\"); }",
        ),
        |time: &mut Time, zone: &str| time.start_of_day(zone),
    );
    registry.add(
        doc(
            "start_of_day()",
            "Midnight of that day in UTC.",
            "let noon = time::parse(\"2026-03-01T12:00:00\");\n\
             if noon.start_of_day() != time::parse(\"2026-03-01\") { fail(\"not midnight\"); }",
        ),
        |time: &mut Time| time.start_of_day(UTC),
    );
    registry.add(
        doc(
            "format(pattern, zone)",
            "Text by a strftime pattern, in a zone.",
            "let noon = time::parse(\"2026-03-01T12:00:00\");\n\
             if noon.format(\"%H:%M\", \"Europe/Berlin\") != \"13:00\" { fail(\"zone\"); }",
        ),
        |time: &mut Time, pattern: &str, zone: &str| time.format(pattern, zone),
    );
    registry.add(
        doc(
            "format(pattern)",
            "Text by a strftime pattern, in UTC.",
            "if time::parse(\"2026-03-01\").format(\"%d.%m.%Y\") != \"01.03.2026\" { fail(\"pattern\"); }",
        ),
        |time: &mut Time, pattern: &str| time.format(pattern, UTC),
    );
}
