//! What rules give to name an object: ids, objects that were read, names; many of them at once.

use rhai::{Array, Dynamic, Map, NativeCallContext};
use serde_json::{Value, json};

use super::super::convert::to_json;
use super::super::session::{Fallible, error};
use super::call::{Request, path_id};
use super::event::nearest;
use super::{job, kinds};

type Context<'a> = NativeCallContext<'a>;

/// How many ids Iconik takes in one body (`maxItems` of its documents).
const IDS_MAX: usize = 500;

/// The longest name that can stand in a path.
const NAME_BYTES_MAX: usize = 200;

/// The id of an object that is given by its id, as a map with `id`, or as what was read from Iconik.
pub(super) fn id_of(what: &str, value: &Dynamic) -> Fallible<String> {
    if let Some((_, id, _)) = kinds::address(value) {
        return Ok(id);
    }
    match value.read_lock::<Map>() {
        Some(map) => path_id(what, &map.get("id").cloned().unwrap_or_default()),
        None => path_id(what, value),
    }
}

/// The ids of objects that are given likewise.
pub(super) fn ids_of(what: &str, values: &Array) -> Fallible<Vec<String>> {
    values.iter().map(|value| id_of(what, value)).collect()
}

/// One of the words that are possible.
pub(super) fn one_of<'a>(what: &str, given: &str, known: &[&'a str]) -> Fallible<&'a str> {
    if let Some(word) = known.iter().find(|word| **word == given) {
        return Ok(word);
    }
    let advice = nearest(given, known.iter().copied()).map_or_else(
        || format!("it is one of {}", known.join(", ")),
        |near| format!("did you mean \"{near}\"?"),
    );
    Err(error(format!("\"{given}\" is no {what}; {advice}")))
}

/// A name that stands in a path as it is, such as that of a metadata field.
pub(super) fn path_name(what: &str, name: &str) -> Fallible<String> {
    let odd = |c: char| c.is_control() || matches!(c, '/' | '?' | '#' | '\\' | '%');
    if name.trim().is_empty()
        || name.len() > NAME_BYTES_MAX
        || name.contains(odd)
        || matches!(name, "." | "..")
    {
        return Err(error(format!("`{name}` cannot be the name of a {what}")));
    }
    Ok(name.to_owned())
}

/// The shape of Iconik's ids.
pub(super) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.char_indices().all(|(at, c)| {
            if matches!(at, 8 | 13 | 18 | 23) {
                c == '-'
            } else {
                c.is_ascii_hexdigit()
            }
        })
}

/// The id of the one object of this name; none or several are an error that says which there are.
pub(super) fn only(what: &str, name: &str, known: &[(&str, &str)]) -> Fallible<String> {
    let found: Vec<&str> = known
        .iter()
        .filter(|(known, _)| *known == name)
        .map(|(_, id)| *id)
        .collect();
    match found.as_slice() {
        [id] => Ok((*id).to_owned()),
        [] => {
            let near = nearest(name, known.iter().map(|(known, _)| *known));
            let names = known
                .iter()
                .map(|(known, _)| format!("`{known}`"))
                .take(20)
                .collect::<Vec<_>>()
                .join(", ");
            let advice = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None if known.is_empty() => "there are none".to_owned(),
                None => format!("there are {names}"),
            };
            Err(error(format!("Iconik has no {what} `{name}`; {advice}")))
        }
        several => Err(error(format!(
            "Iconik has {} {what}s named `{name}`: give the id of one of them: {}",
            several.len(),
            several.join(", ")
        ))),
    }
}

/// Sends a request for every 500 ids, none for no ids; the answers.
pub(super) fn in_turns(
    context: &Context<'_>,
    ids: &[String],
    request: impl Fn(Value) -> Fallible<Request>,
) -> Fallible<Vec<Value>> {
    ids.chunks(IDS_MAX)
        .map(|ids| request(ids.into())?.send(context))
        .collect()
}

/// Sends a request for every 500 objects that a rule gave as maps, each with this key; the answers.
pub(super) fn objects_in_turns(
    context: &Context<'_>,
    list: &Array,
    key: &str,
    request: impl Fn(Value) -> Request,
) -> Fallible<Vec<Value>> {
    let objects = list.iter().map(to_json).collect::<Fallible<Vec<Value>>>()?;
    if let Some(index) = objects.iter().position(|object| object.get(key).is_none()) {
        return Err(error(format!("object {index} of the list has no `{key}`")));
    }
    let parts = objects.chunks(IDS_MAX);
    parts
        .map(|objects| request(json!({ "objects": objects })).send(context))
        .collect()
}

/// The jobs that Iconik named in its answers to such requests.
pub(super) fn jobs_of(answers: &[Value]) -> Fallible<Array> {
    let jobs = answers
        .iter()
        .map(job::named)
        .collect::<Fallible<Array>>()?;
    Ok(jobs.into_iter().filter(|job| !job.is_unit()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_of_a_name_is_found_and_nothing_else() {
        let known = [("A", "1"), ("B", "2"), ("B", "3")];
        assert_eq!(only("storage", "A", &known).unwrap(), "1");
        let none = only("storage", "Nearline", &known).unwrap_err().to_string();
        assert!(none.contains("there are `A`, `B`"), "{none}");
        let two = only("storage", "B", &known).unwrap_err().to_string();
        assert!(
            two.contains("2 storages named `B`") && two.contains("2, 3"),
            "{two}"
        );
    }

    #[test]
    fn a_name_cannot_lead_out_of_its_place_in_a_path() {
        assert_eq!(path_name("field", "Sende Datum").unwrap(), "Sende Datum");
        for name in ["", " ", "a/b", "..", "a?b", "a%2fb", "a\\b", "a\nb"] {
            assert!(path_name("field", name).is_err(), "{name:?}");
        }
    }
}
