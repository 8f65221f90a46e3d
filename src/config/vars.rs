//! `[vars]`: what rules see as `vars::NAME`.
//!
//! A name must be one that a rule can write. The pinned parser itself is asked, because a list of reserved
//! words of our own would be wrong with its next release.

use serde_json::Value as Json;

use super::section::Section;
use super::tree::{Node, Value};

/// Longest name of a variable.
const NAME_CHARS: usize = 64;

/// Every variable by its name.
pub(super) fn read(section: &mut Section<'_, '_>) -> serde_json::Map<String, Json> {
    let mut vars = serde_json::Map::new();
    for (name, entry) in section.take_rest() {
        let path = section.path_of(&name);
        if !can_be_written("vars", &name) {
            let message = format!("`{path}`: a rule cannot write `vars::{name}`");
            let hint = "use letters, digits and `_`, and no reserved word of Rhai";
            section.reading.report(&path, entry.key, message, hint);
        }
        if let Some(value) = json(section, &path, entry.node) {
            vars.insert(name, value);
        }
    }
    vars
}

fn json(section: &mut Section<'_, '_>, path: &str, node: Node) -> Option<Json> {
    match node.value {
        Value::Text(text) => Some(Json::String(text)),
        Value::Integer(number) => Some(number.into()),
        Value::Boolean(truth) => Some(truth.into()),
        Value::Float(number) if number.is_finite() => Some(number.into()),
        Value::List(nodes) => nodes
            .into_iter()
            .enumerate()
            .map(|(index, node)| json(section, &format!("{path}[{index}]"), node))
            .collect(),
        Value::Table(table) => table
            .into_iter()
            .map(|(key, entry)| {
                let value = json(section, &super::tree::join(path, &key), entry.node)?;
                Some((key, value))
            })
            .collect::<Option<serde_json::Map<_, _>>>()
            .map(Json::Object),
        Value::Float(_) | Value::Date => {
            let message = format!("`{path}` is a value that rules do not have");
            let hint = "write it as a string; rules read times with `time::parse`";
            section.reading.report(path, node.place, message, hint);
            None
        }
        Value::Broken => None,
    }
}

/// Whether the parser takes `MODULE::NAME`.
pub(super) fn can_be_written(module: &str, name: &str) -> bool {
    name.len() <= NAME_CHARS
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && rhai::Engine::new_raw()
            .compile_expression(format!("{module}::{name}"))
            .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_can_write_plain_names_and_no_reserved_ones() {
        for name in ["a", "share_channel", "x2", "_x"] {
            assert!(can_be_written("vars", name), "{name}");
        }
        for name in [
            "", "as", "default", "new", "match", "print", "2x", "a-b", "a b", "ä", "a::b", "_",
        ] {
            assert!(!can_be_written("vars", name), "{name}");
        }
    }
}
