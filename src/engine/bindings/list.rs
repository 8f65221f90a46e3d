//! The module `list`: pure functions over lists that Rhai has no word for, or none that keeps to our comparisons.
//!
//! None of them takes more than n log n steps, whatever is in the list. A function that a rule hands in is called
//! once for each element.

use std::collections::{BTreeMap, BTreeSet};

use rhai::{Array, Dynamic, FLOAT, FnPtr, INT, ImmutableString, Map, NativeCallContext};

use super::super::catalog::{FunctionDoc, Place, Registry};
use super::super::convert::{a_type, to_json, type_name};
use super::super::session::{Fallible, Session, error};
use super::kinds;
use super::order::{Direction, Keys};
use crate::model::DeadClass;

type Context<'a> = NativeCallContext<'a>;

fn doc(signature: &'static str, about: &'static str, example: &'static str) -> FunctionDoc {
    FunctionDoc {
        place: Place::Module("list"),
        signature,
        about,
        example,
    }
}

pub(super) fn register(registry: &mut Registry) {
    register_parts(registry);
    register_sets(registry);
    register_order(registry);
    register_groups(registry);
    register_sums(registry);
}

fn register_parts(registry: &mut Registry) {
    registry.add(
        doc(
            "first(list)",
            "The first element, or `()` of an empty list.",
            "if list::first([3, 1, 2]) != 3 { fail(\"first\"); }",
        ),
        |list: Array| list.into_iter().next().unwrap_or_default(),
    );
    registry.add(
        doc(
            "last(list)",
            "The last element, or `()` of an empty list.",
            "if list::last([3, 1, 2]) != 2 { fail(\"last\"); }",
        ),
        |mut list: Array| list.pop().unwrap_or_default(),
    );
    registry.add(
        doc(
            "chunks(list, size)",
            "The list cut into lists of `size` elements; the last one may be shorter.",
            "if list::chunks([1, 2, 3], 2) != [[1, 2], [3]] { fail(\"chunks\"); }",
        ),
        |list: Array, size: INT| -> Fallible<Array> {
            let size = usize::try_from(size).ok().filter(|size| *size > 0);
            let size = size.ok_or_else(|| error("the size of a chunk is at least 1"))?;
            Ok(list
                .chunks(size)
                .map(|chunk| Dynamic::from_array(chunk.to_vec()))
                .collect())
        },
    );
    registry.add(
        doc(
            "flatten(list)",
            "The elements of the lists in a list, one level deep; what is no list stays as it is.",
            "if list::flatten([[1, 2], 3, []]) != [1, 2, 3] { fail(\"flatten\"); }",
        ),
        |context: Context<'_>, list: Array| flatten(&context, list),
    );
}

fn register_sets(registry: &mut Registry) {
    registry.add(
        doc(
            "unique(list)",
            "Every element once, where it came first.",
            "if list::unique([\"b\", \"a\", \"b\"]) != [\"b\", \"a\"] { fail(\"unique\"); }",
        ),
        |list: Array| -> Fallible<Array> {
            let mut seen = BTreeSet::new();
            kept(list, |name| seen.insert(name))
        },
    );
    registry.add(
        doc(
            "without(list, others)",
            "The elements that are not among the others.",
            "if list::without([1, 2, 3], [2]) != [1, 3] { fail(\"without\"); }",
        ),
        |list: Array, others: Array| -> Fallible<Array> {
            let others = names(&others)?;
            kept(list, |name| !others.contains(&name))
        },
    );
    registry.add(
        doc(
            "common(list, others)",
            "The elements that are among the others as well.",
            "if list::common([1, 2, 3], [3, 2]) != [2, 3] { fail(\"common\"); }",
        ),
        |list: Array, others: Array| -> Fallible<Array> {
            let others = names(&others)?;
            kept(list, |name| others.contains(&name))
        },
    );
}

fn register_order(registry: &mut Registry) {
    const KEYS: &str = "The key is the name of a key of maps, or a function of the element; all keys are texts, or numbers, or times.";
    registry.add(
        doc(
            "sort_by(list, key)",
            KEYS,
            "let jobs = [#{ n: 2 }, #{ n: 1 }];\n\
             if list::sort_by(jobs, \"n\")[0].n != 1 { fail(\"by name\"); }\n\
             if list::sort_by(jobs, |job| -job.n)[0].n != 2 { fail(\"by function\"); }",
        ),
        |context: Context<'_>, list: Array, key: Dynamic| {
            sorted(&context, list, &key, Direction::Up)
        },
    );
    registry.add(
        doc(
            "sort_down_by(list, key)",
            "The same with the largest key first. Elements of equal keys stay in their order in both.",
            "if list::sort_down_by([#{ n: 1 }, #{ n: 2 }], \"n\")[0].n != 2 { fail(\"down\"); }",
        ),
        |context: Context<'_>, list: Array, key: Dynamic| sorted(&context, list, &key, Direction::Down),
    );
    registry.add(
        doc(
            "smallest(list)",
            "The smallest of texts, or numbers, or times; `()` of an empty list.",
            "if list::smallest([3, 1, 2]) != 1 { fail(\"smallest\"); }",
        ),
        |list: Array| extreme(&list, Direction::Up),
    );
    registry.add(
        doc(
            "largest(list)",
            "The largest, likewise.",
            "if list::largest([\"a\", \"c\", \"b\"]) != \"c\" { fail(\"largest\"); }",
        ),
        |list: Array| extreme(&list, Direction::Down),
    );
}

fn register_groups(registry: &mut Registry) {
    registry.add(
        doc(
            "group_by(list, key)",
            "A map from each key to the list of its elements. The key is the name of a key of maps, or a function of the \
             element; it is a text, or a number or true/false, which become texts.",
            "let groups = list::group_by([#{ kind: \"a\", n: 1 }, #{ kind: \"b\", n: 2 }, #{ kind: \"a\", n: 3 }], \"kind\");\n\
             if groups.a.len() != 2 || groups.b[0].n != 2 { fail(\"groups\"); }",
        ),
        |context: Context<'_>, list: Array, key: Dynamic| -> Fallible<Map> {
            let groups = grouped(&context, list, &key)?;
            Ok(groups.into_iter().map(|(key, group)| (key.as_str().into(), group.into())).collect())
        },
    );
    registry.add(
        doc(
            "count_by(list, key)",
            "A map from each key to the number of its elements; keys as for `group_by`.",
            "if list::count_by([\"a\", \"b\", \"a\"], |item| item).a != 2 { fail(\"count\"); }",
        ),
        |context: Context<'_>, list: Array, key: Dynamic| -> Fallible<Map> {
            let groups = grouped(&context, list, &key)?;
            let count = |group: Array| INT::try_from(group.len()).unwrap_or(INT::MAX);
            Ok(groups
                .into_iter()
                .map(|(key, group)| (key.as_str().into(), count(group).into()))
                .collect())
        },
    );
}

fn register_sums(registry: &mut Registry) {
    registry.add(
        doc(
            "sum(list)",
            "The sum of numbers: a whole number if all are, 0 of an empty list.",
            "if list::sum([1, 2, 3]) != 6 || list::sum([0.5, 1]) != 1.5 { fail(\"sum\"); }",
        ),
        |list: Array| sum(&list),
    );
}

fn flatten(context: &Context<'_>, list: Array) -> Fallible<Array> {
    let session = Session::of(context)?;
    let most = session.limits().elements;
    let mut flat = Array::new();
    for item in list {
        let inner = item.read_lock::<Array>().map(|inner| inner.len());
        if flat.len() + inner.unwrap_or(1) > most {
            let message =
                format!("the flat list has more than the {most} elements that a list may have");
            let hint = "go through the inner lists one after the other".to_owned();
            return Err(session.fail(context, DeadClass::Limit, message, Some(hint)));
        }
        match inner {
            Some(_) => flat.extend(item.cast::<Array>()),
            None => flat.push(item),
        }
    }
    Ok(flat)
}

/// A text that two values share if and only if they are equal.
fn name(value: &Dynamic) -> Fallible<String> {
    if let Ok(number) = value.as_float()
        && number.fract() == 0.0
        && number.abs() < 9e15
    {
        return Ok(format!("{number:.0}"));
    }
    match kinds::address(value) {
        Some((_, _, path)) => Ok(path),
        None => Ok(to_json(value)?.to_string()),
    }
}

fn names(list: &Array) -> Fallible<BTreeSet<String>> {
    list.iter().map(name).collect()
}

fn kept(list: Array, mut wanted: impl FnMut(String) -> bool) -> Fallible<Array> {
    let mut kept = Array::new();
    for item in list {
        if wanted(name(&item)?) {
            kept.push(item);
        }
    }
    Ok(kept)
}

/// The key of an element: what a function says of it, or what a map has under a name.
fn key_of(context: &Context<'_>, item: &Dynamic, key: &Dynamic) -> Fallible<Dynamic> {
    if let Some(function) = key.read_lock::<FnPtr>() {
        return function.call_within_context(context, (item.clone(),));
    }
    let named = key.as_immutable_string_ref();
    let named = named
        .map_err(|_| error("the key is the name of a key, or a function"))?
        .to_string();
    let map = item.read_lock::<Map>();
    let map = map.ok_or_else(|| {
        error(format!(
            "{} has no keys by name; write the key as a function, such as `|item| item.{named}`",
            a_type(item)
        ))
    })?;
    Ok(map.get(named.as_str()).cloned().unwrap_or_default())
}

fn sorted(
    context: &Context<'_>,
    list: Array,
    key: &Dynamic,
    direction: Direction,
) -> Fallible<Array> {
    let keys = list.iter().map(|item| key_of(context, item, key));
    let keys = Keys::of(&keys.collect::<Fallible<Array>>()?)?;
    Ok(keys.sorted(list, direction))
}

/// The element that comes first in this direction.
fn extreme(list: &Array, direction: Direction) -> Fallible<Dynamic> {
    let sorted = Keys::of(list)?.sorted(list.clone(), direction);
    Ok(sorted.into_iter().next().unwrap_or_default())
}

fn grouped(
    context: &Context<'_>,
    list: Array,
    key: &Dynamic,
) -> Fallible<BTreeMap<ImmutableString, Array>> {
    let mut groups = BTreeMap::<ImmutableString, Array>::new();
    for item in list {
        let key = key_of(context, &item, key)?;
        let plain = key.is_string() || key.is_int() || key.is_bool() || key.is_char();
        if !plain {
            return Err(error(format!(
                "a group is named by a text, a whole number or true/false, and this key is a {}; write `|item| item.key ?? \"none\"` \
                 if it may be missing",
                type_name(&key)
            )));
        }
        groups.entry(key.to_string().into()).or_default().push(item);
    }
    Ok(groups)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "Rhai itself adds integers to floats this way"
)]
fn sum(list: &Array) -> Fallible<Dynamic> {
    let (mut whole, mut part, mut is_whole): (INT, FLOAT, bool) = (0, 0.0, true);
    for (index, item) in list.iter().enumerate() {
        if let Ok(number) = item.as_int() {
            whole = whole
                .checked_add(number)
                .ok_or_else(|| error("the sum is too large for a whole number"))?;
        } else if let Ok(number) = item.as_float() {
            part += number;
            is_whole = false;
        } else {
            let what = type_name(item);
            return Err(error(format!(
                "element {index} of the list is no number but a {what}"
            )));
        }
    }
    Ok(if is_whole {
        whole.into()
    } else {
        (whole as FLOAT + part).into()
    })
}
