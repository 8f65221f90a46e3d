//! What one reading of a configuration collects: what is wrong, and what of the file may be shown.

use std::ops::Range;
use std::path::Path;

use super::report::Problem;
use super::tree::{Node, Place, Value};

/// What is found while reading, and what may be shown of the file.
pub(super) struct Reading<'a> {
    /// Where `_file` paths begin.
    pub(super) directory: &'a Path,
    pub(super) problems: Vec<Problem>,
    /// Bytes of the file that hold no secret; everything else is masked in excerpts.
    pub(super) visible: Vec<Range<usize>>,
}

impl Reading<'_> {
    /// Reports something; an empty hint is none.
    pub(super) fn report(
        &mut self,
        path: &str,
        place: Place,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.problems
            .push(Problem::new(path, place, message).hint(hint));
    }

    /// Lets excerpts show what stands there.
    pub(super) fn show(&mut self, place: &Place) {
        if let Place::File(span) = place {
            self.visible.push(span.clone());
        }
    }

    /// Lets excerpts show a value or the values of a list; not a table, which may hold anything.
    pub(super) fn show_value(&mut self, node: &Node) {
        match &node.value {
            Value::Table(_) => {}
            Value::List(nodes) => nodes.iter().for_each(|node| self.show_value(node)),
            _ => self.show(&node.place),
        }
    }

    /// The text of a node. What an environment variable holds is always text, whatever TOML makes of it.
    pub(super) fn string(&mut self, path: &str, node: Node, expected: &str) -> Option<String> {
        match (node.value, node.raw) {
            (Value::Text(text), _) | (_, Some(text)) => Some(text),
            (value, None) => {
                self.wrong_type(
                    path,
                    &Node {
                        value,
                        place: node.place,
                        raw: None,
                    },
                    expected,
                );
                None
            }
        }
    }

    /// The texts of a list; a variable that holds one text needs no brackets. `None` if any is no text.
    pub(super) fn strings(&mut self, path: &str, node: Node) -> Option<Vec<String>> {
        match (node.value, node.raw) {
            (Value::List(nodes), _) => {
                let count = nodes.len();
                let texts: Vec<String> = nodes
                    .into_iter()
                    .enumerate()
                    .filter_map(|(index, node)| {
                        self.string(&format!("{path}[{index}]"), node, "a string")
                    })
                    .collect();
                (texts.len() == count).then_some(texts)
            }
            (Value::Text(text), Some(_)) | (_, Some(text)) => Some(vec![text]),
            (value, None) => {
                self.wrong_type(
                    path,
                    &Node {
                        value,
                        place: node.place,
                        raw: None,
                    },
                    "a list of strings",
                );
                None
            }
        }
    }

    /// Reports that a value has the wrong type, without showing it.
    pub(super) fn wrong_type(&mut self, path: &str, node: &Node, expected: &str) {
        if matches!(node.value, Value::Broken) {
            return;
        }
        let found = node.value.type_name();
        self.problems.push(Problem::new(
            path,
            node.place.clone(),
            format!("`{path}` must be {expected}, not {found}"),
        ));
    }
}
