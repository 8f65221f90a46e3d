//! `CUEGATE__SERVER__LISTEN` overrides `server.listen`: the same container image, another environment.
//!
//! Variables are laid over the tree before anything is read, so an override is checked exactly like the file.
//! A key and its `_file` form are one setting: overriding one removes the other.

use super::interpolate::Environment;
use super::report::Problem;
use super::tree::{self, Entry, Node, Place, Table, Value};

const PREFIX: &str = "CUEGATE__";

/// The section of the key that a variable overrides, if it overrides one.
pub(super) fn section(name: &str) -> Option<String> {
    let key = name.strip_prefix(PREFIX)?;
    Some(key.split("__").next().unwrap_or(key).to_lowercase())
}

/// Lays every `CUEGATE__…` variable over the table.
pub(super) fn apply(table: &mut Table, environment: &Environment, problems: &mut Vec<Problem>) {
    for (name, raw) in environment {
        let Some(rest) = name.strip_prefix(PREFIX) else {
            continue;
        };
        let segments: Vec<String> = rest.split("__").map(str::to_lowercase).collect();
        if segments.iter().any(String::is_empty) {
            let problem = Problem::new(
                "",
                Place::Variable(name.clone()),
                format!("`{name}` names no key"),
            );
            problems.push(problem.hint(
                "put two underscores between the parts of a key, as in CUEGATE__SERVER__LISTEN",
            ));
            continue;
        }
        set(
            table,
            &segments,
            name,
            tree::from_variable(name, raw),
            problems,
        );
    }
}

fn set(
    table: &mut Table,
    segments: &[String],
    name: &str,
    node: Node,
    problems: &mut Vec<Problem>,
) {
    let [segment, rest @ ..] = segments else {
        return;
    };
    let key = spelling(table, segment);
    let place = Place::Variable(name.to_owned());
    if rest.is_empty() {
        let sibling = key
            .strip_suffix("_file")
            .map_or_else(|| format!("{key}_file"), str::to_owned);
        if matches!(table.get(&sibling), Some(entry) if matches!(entry.key, Place::File(_))) {
            table.remove(&sibling);
        }
        table.insert(key, Entry { key: place, node });
        return;
    }
    let entry = table.entry(key).or_insert_with(|| empty(name));
    if !matches!(entry.node.value, Value::Table(_)) {
        if let Place::Variable(other) = &entry.key {
            let problem = Problem::new(
                "",
                place,
                format!(
                    "`{name}` contradicts `{other}`: one sets the whole, the other a part of it"
                ),
            );
            problems.push(problem.hint(format!("unset {other} or {name}")));
            return;
        }
        *entry = empty(name);
    }
    if let Value::Table(inner) = &mut entry.node.value {
        set(inner, rest, name, node, problems);
    }
}

/// The key as the file spells it: variables are in upper case, keys of `[vars]` need not be in lower case.
fn spelling(table: &Table, segment: &str) -> String {
    table
        .keys()
        .find(|key| key.eq_ignore_ascii_case(segment))
        .cloned()
        .unwrap_or_else(|| segment.to_owned())
}

fn empty(name: &str) -> Entry {
    let place = Place::Variable(name.to_owned());
    Entry {
        key: place.clone(),
        node: Node {
            value: Value::Table(Table::new()),
            place,
            raw: None,
        },
    }
}
