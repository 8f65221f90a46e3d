//! Comparisons that do not lie.
//!
//! Stock Rhai answers `false` to `() > 5` and so `true` to `!(() > 5)`: a mistyped expiry rule would delete
//! everything. Here the order of values of different types, or with `()`, is an error. With "fast operators"
//! off, one function over any two values sees every pair that has no function of its own.

use std::cmp::Ordering;

use rhai::{Array, Blob, Dynamic, FuncRegistration, Map, Module};

use super::bindings::same_object;
use super::convert::a_type;
use super::moment::Time;
use super::session::{Fallible, error};

/// How deep lists and maps are compared.
const DEPTH_MAX: usize = 32;

pub(super) fn register(module: &mut Module) {
    let mut set = |name: &str, function: fn(Dynamic, Dynamic) -> Fallible<bool>| {
        FuncRegistration::new(name)
            .in_global_namespace()
            .set_into_module(module, function);
    };
    set("==", |a, b| equal(&a, &b, 0));
    set("!=", |a, b| Ok(!equal(&a, &b, 0)?));
    set("<", |a, b| Ok(order(&a, &b)? == Some(Ordering::Less)));
    set("<=", |a, b| {
        Ok(matches!(
            order(&a, &b)?,
            Some(Ordering::Less | Ordering::Equal)
        ))
    });
    set(">", |a, b| Ok(order(&a, &b)? == Some(Ordering::Greater)));
    set(">=", |a, b| {
        Ok(matches!(
            order(&a, &b)?,
            Some(Ordering::Greater | Ordering::Equal)
        ))
    });
    refuse_missing_in_sums(module);
}

/// `"a" + ()` is `"a"` in stock Rhai, which hides a missing value in the middle of a title.
fn refuse_missing_in_sums(module: &mut Module) {
    let refuse = || {
        Err(error(
            "a missing value `()` cannot be added; write `(value ?? \"\")` if it may be missing",
        ))
    };
    FuncRegistration::new("+")
        .in_global_namespace()
        .set_into_module(
            module,
            move |_: rhai::ImmutableString, (): ()| -> Fallible<Dynamic> { refuse() },
        );
    FuncRegistration::new("+")
        .in_global_namespace()
        .set_into_module(
            module,
            move |(): (), _: rhai::ImmutableString| -> Fallible<Dynamic> { refuse() },
        );
    FuncRegistration::new("+=")
        .in_global_namespace()
        .set_into_module(
            module,
            move |_: &mut rhai::ImmutableString, (): ()| -> Fallible<()> {
                refuse().map(|_: Dynamic| ())
            },
        );
}

#[expect(
    clippy::cast_precision_loss,
    reason = "Rhai itself compares integers with floats this way"
)]
fn as_float(value: &Dynamic) -> Option<f64> {
    value
        .as_float()
        .ok()
        .or_else(|| value.as_int().ok().map(|int| int as f64))
}

/// A text, or a character as the text that it is: indexing a text gives characters.
fn as_text(value: &Dynamic) -> Option<String> {
    let letter = value.as_char().ok().map(String::from);
    letter.or_else(|| Some(value.as_immutable_string_ref().ok()?.to_string()))
}

fn order(a: &Dynamic, b: &Dynamic) -> Fallible<Option<Ordering>> {
    if let (Ok(a), Ok(b)) = (a.as_int(), b.as_int()) {
        return Ok(Some(a.cmp(&b)));
    }
    if let (Some(a), Some(b)) = (as_float(a), as_float(b)) {
        return a.partial_cmp(&b).map(Some).ok_or_else(|| {
            error("a result that is not a number (such as 0.0 / 0.0) has no order")
        });
    }
    if let (Ok(a), Ok(b)) = (a.as_immutable_string_ref(), b.as_immutable_string_ref()) {
        return Ok(Some(a.as_str().cmp(b.as_str())));
    }
    if let (Some(a), Some(b)) = (as_text(a), as_text(b)) {
        return Ok(Some(a.cmp(&b)));
    }
    if let (Some(a), Some(b)) = (a.read_lock::<Time>(), b.read_lock::<Time>()) {
        return Ok(Some(a.cmp(&b)));
    }
    if a.is_unit() || b.is_unit() {
        let other = if a.is_unit() { b } else { a };
        return Err(error(format!(
            "{} cannot be compared with a missing value `()`; check `== ()` first",
            a_type(other)
        )));
    }
    Err(error(format!(
        "{} and {} have no order",
        a_type(a),
        a_type(b)
    )))
}

/// Equality is free between plain values; one of our own types may only meet its own type or `()`.
pub(super) fn equal(a: &Dynamic, b: &Dynamic, depth: usize) -> Fallible<bool> {
    if depth > DEPTH_MAX {
        return Err(error(format!(
            "values nested deeper than {DEPTH_MAX} levels cannot be compared"
        )));
    }
    if a.is_unit() || b.is_unit() {
        return Ok(a.is_unit() && b.is_unit());
    }
    if let (Ok(a), Ok(b)) = (a.as_int(), b.as_int()) {
        return Ok(a == b);
    }
    if let (Some(a), Some(b)) = (as_float(a), as_float(b)) {
        return Ok(a.partial_cmp(&b) == Some(Ordering::Equal));
    }
    if let (Ok(a), Ok(b)) = (a.as_immutable_string_ref(), b.as_immutable_string_ref()) {
        return Ok(a.as_str() == b.as_str());
    }
    if let (Ok(a), Ok(b)) = (a.as_bool(), b.as_bool()) {
        return Ok(a == b);
    }
    if let (Some(a), Some(b)) = (as_text(a), as_text(b)) {
        return Ok(a == b);
    }
    if let (Some(a), Some(b)) = (a.read_lock::<Blob>(), b.read_lock::<Blob>()) {
        return Ok(*a == *b);
    }
    if let (Some(a), Some(b)) = (a.read_lock::<Array>(), b.read_lock::<Array>()) {
        return equal_lists(&a, &b, depth + 1);
    }
    if let (Some(a), Some(b)) = (a.read_lock::<Map>(), b.read_lock::<Map>()) {
        return equal_maps(&a, &b, depth + 1);
    }
    if let (Some(a), Some(b)) = (a.read_lock::<Time>(), b.read_lock::<Time>()) {
        return Ok(*a == *b);
    }
    if let Some(same) = same_object(a, b) {
        return Ok(same);
    }
    if a.is_variant() || b.is_variant() {
        return Err(error(format!(
            "{} is never equal to {}",
            a_type(a),
            a_type(b)
        )));
    }
    Ok(false)
}

fn equal_lists(a: &Array, b: &Array, depth: usize) -> Fallible<bool> {
    if a.len() != b.len() {
        return Ok(false);
    }
    for (a, b) in a.iter().zip(b) {
        if !equal(a, b, depth)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn equal_maps(a: &Map, b: &Map, depth: usize) -> Fallible<bool> {
    if a.len() != b.len() {
        return Ok(false);
    }
    for (key, value) in a {
        match b.get(key) {
            Some(other) if equal(value, other, depth)? => {}
            _ => return Ok(false),
        }
    }
    Ok(true)
}
