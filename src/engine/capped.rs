//! Stock functions that can turn a little memory into a lot, replaced by ones that look first.
//!
//! Rhai checks sizes after a call, so one `replace` of a 16 KiB text can allocate gigabytes, and printing a
//! list of long texts likewise. The worker's memory cap would end the process; these end the rule instead.

use rhai::{
    Array, Blob, Dynamic, FuncRegistration, INT, ImmutableString, Map, Module, NativeCallContext,
    RhaiNativeFunc, Variant,
};

use super::convert::display;
use super::session::{Fallible, Session};
use crate::model::DeadClass;

type Context<'a> = NativeCallContext<'a>;

pub(super) fn register(module: &mut Module) {
    register_replace(module);
    for name in ["to_string", "to_debug", "print", "debug", "to_json"] {
        set(module, name, |context: Context<'_>, value: Array| {
            print(&context, &value.into())
        });
        set(module, name, |context: Context<'_>, value: Map| {
            print(&context, &value.into())
        });
        set(module, name, |context: Context<'_>, value: Blob| {
            print(&context, &Dynamic::from_blob(value))
        });
        set(module, name, |context: Context<'_>, (): ()| {
            print_missing(&context)
        });
    }
    set(
        module,
        "+",
        |context: Context<'_>, text: ImmutableString, value: Array| {
            Ok::<_, Box<rhai::EvalAltResult>>(format!("{text}{}", print(&context, &value.into())?))
        },
    );
    set(
        module,
        "+",
        |context: Context<'_>, text: ImmutableString, value: Map| {
            Ok::<_, Box<rhai::EvalAltResult>>(format!("{text}{}", print(&context, &value.into())?))
        },
    );
    set(module, "exit", |context: Context<'_>| no_exit(&context));
    set(module, "exit", |context: Context<'_>, _: Dynamic| {
        no_exit(&context)
    });
    set(module, "sleep", |context: Context<'_>, _: INT| {
        no_bare_sleep(&context)
    });
    set(module, "sleep", |context: Context<'_>, _: f64| {
        no_bare_sleep(&context)
    });
}

fn set<A: 'static, const N: usize, const X: bool, R: Variant + Clone, const F: bool>(
    module: &mut Module,
    name: &str,
    function: impl RhaiNativeFunc<A, N, X, R, F> + Send + Sync + 'static,
) {
    FuncRegistration::new(name)
        .in_global_namespace()
        .set_into_module(module, function);
}

fn register_replace(module: &mut Module) {
    set(
        module,
        "replace",
        |context: Context<'_>, text: &mut ImmutableString, find: &str, with: &str| {
            replace(&context, text, find, with)
        },
    );
    set(
        module,
        "replace",
        |context: Context<'_>, text: &mut ImmutableString, find: char, with: &str| {
            replace(&context, text, find.encode_utf8(&mut [0; 4]), with)
        },
    );
    set(
        module,
        "replace",
        |context: Context<'_>, text: &mut ImmutableString, find: &str, with: char| {
            replace(&context, text, find, with.encode_utf8(&mut [0; 4]))
        },
    );
}

/// Replaces in place, after computing how long the result will be.
fn replace(
    context: &Context<'_>,
    text: &mut ImmutableString,
    find: &str,
    with: &str,
) -> Fallible<()> {
    let found = text.matches(find).count();
    let length = text
        .len()
        .saturating_sub(found * find.len())
        .saturating_add(found.saturating_mul(with.len()));
    bounded(context, length)?;
    *text = text.replace(find, with).into();
    Ok(())
}

/// The text of a container; the rule ends when it would be longer than a text may be.
fn print(context: &Context<'_>, value: &Dynamic) -> Fallible<ImmutableString> {
    let most = Session::of(context)?.limits().string_bytes;
    let text = display(value, most);
    bounded(context, text.len())?;
    Ok(text.into())
}

/// `${()}` falls back to an empty text when `to_string` fails, so a missing value in a text ends the rule.
fn print_missing(context: &Context<'_>) -> Fallible<ImmutableString> {
    let session = Session::of(context)?;
    Err(session.fail(
        context,
        DeadClass::ScriptError,
        "a missing value `()` cannot be part of a text",
        Some("write `${value ?? \"\"}` if it may be missing".to_owned()),
    ))
}

/// Ends the rule where a text would be longer than texts may be.
pub(super) fn bounded(context: &Context<'_>, length: usize) -> Fallible<()> {
    let session = Session::of(context)?;
    let most = session.limits().string_bytes;
    if length <= most {
        return Ok(());
    }
    Err(session.fail(
        context,
        DeadClass::Limit,
        format!("this makes a text of {length} bytes; a text may have {most}"),
        Some("keep texts short; write lists piece by piece".to_owned()),
    ))
}

/// Stock `sleep` would hold the worker up for so many seconds.
fn no_bare_sleep(context: &Context<'_>) -> Fallible<()> {
    let session = Session::of(context)?;
    Err(session.fail(
        context,
        DeadClass::ScriptError,
        "`sleep` takes a duration with its unit",
        Some("write `sleep(\"90s\")`, `sleep(\"10m\")`, `sleep(\"2h\")`".to_owned()),
    ))
}

/// Stock `exit` would end a run as if it had succeeded. Its name is disabled; this is what a pointer to it finds.
fn no_exit(context: &Context<'_>) -> Fallible<()> {
    let session = Session::of(context)?;
    Err(session.fail(
        context,
        DeadClass::ScriptError,
        "there is no `exit`",
        Some("write `return;`, or `skip(reason)`".to_owned()),
    ))
}
