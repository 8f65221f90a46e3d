//! A configuration as a tree whose every value knows where it came from.
//!
//! Values have two homes, the file and the environment, and an error has to name the right one. So both are
//! brought into one tree before anything is checked, and the reader never asks where a value is from. The
//! types deliberately have no `Debug`: the tree holds secrets that no type marks as such yet.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::interpolate::{self, Environment};
use super::report::Problem;

/// Where a key or a value was written.
#[derive(Clone)]
pub(super) enum Place {
    /// Bytes of the file.
    File(Range<usize>),
    /// The environment variable of this name.
    Variable(String),
    /// Nowhere: the whole file, or something that is missing.
    Nowhere,
}

/// A value and where it was written.
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) place: Place,
    /// The text of an environment variable, whatever TOML made of it: `12345` may be meant as a password.
    pub(super) raw: Option<String>,
}

/// TOML's values.
pub(super) enum Value {
    Text(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Date,
    List(Vec<Node>),
    Table(Table),
    /// Already reported, so that nothing else is said about it.
    Broken,
}

/// A key's place and its value.
pub(super) struct Entry {
    pub(super) key: Place,
    pub(super) node: Node,
}

/// Entries by key.
pub(super) type Table = BTreeMap<String, Entry>;

impl Value {
    /// The type in words, with its article.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Integer(_) | Self::Float(_) => "a number",
            Self::Boolean(_) => "a boolean",
            Self::Date => "a date",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Broken => "unreadable",
        }
    }
}

/// What every string of the file goes through on its way into the tree.
pub(super) struct Growing<'a> {
    pub(super) environment: &'a Environment,
    pub(super) problems: Vec<Problem>,
}

impl Growing<'_> {
    /// The table of the file, `${NAME}` replaced.
    pub(super) fn table(&mut self, path: &str, table: DeTable<'_>) -> Table {
        table
            .into_iter()
            .map(|(key, value)| {
                let place = Place::File(key.span());
                let key = key.into_inner().into_owned();
                let node = self.node(&join(path, &key), value);
                (key, Entry { key: place, node })
            })
            .collect()
    }

    fn node(&mut self, path: &str, value: Spanned<DeValue<'_>>) -> Node {
        let place = Place::File(value.span());
        let value = match value.into_inner() {
            DeValue::String(text) => match interpolate::expand(&text, self.environment) {
                Ok(text) => Value::Text(text),
                Err(wrong) => {
                    let message = format!("`{path}`: {}", wrong.message);
                    self.problems
                        .push(Problem::new(path, place.clone(), message).hint(wrong.hint));
                    Value::Broken
                }
            },
            DeValue::Array(list) => Value::List(self.list(path, list)),
            DeValue::Table(table) => Value::Table(self.table(path, table)),
            other => match scalar(&other) {
                Some(value) => value,
                None => {
                    self.problems.push(Problem::new(
                        path,
                        place.clone(),
                        format!("the number at `{path}` is out of range"),
                    ));
                    Value::Broken
                }
            },
        };
        Node {
            value,
            place,
            raw: None,
        }
    }

    fn list(&mut self, path: &str, list: DeArray<'_>) -> Vec<Node> {
        list.into_iter()
            .enumerate()
            .map(|(index, value)| self.node(&format!("{path}[{index}]"), value))
            .collect()
    }
}

/// The value of an environment variable: as TOML if it is TOML, else as it stands. Nothing is replaced in it,
/// so that a password may contain `${`.
pub(super) fn from_variable(name: &str, raw: &str) -> Node {
    let value = match DeValue::parse(raw) {
        Ok(value) => plain(name, value.into_inner()),
        Err(_) => Value::Text(raw.to_owned()),
    };
    Node {
        value,
        place: Place::Variable(name.to_owned()),
        raw: Some(raw.to_owned()),
    }
}

fn plain(name: &str, value: DeValue<'_>) -> Value {
    let node = |value: Spanned<DeValue<'_>>| Node {
        value: plain(name, value.into_inner()),
        place: Place::Variable(name.to_owned()),
        raw: None,
    };
    match value {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Array(list) => Value::List(list.into_iter().map(node).collect()),
        DeValue::Table(table) => Value::Table(
            table
                .into_iter()
                .map(|(key, value)| {
                    let entry = Entry {
                        key: Place::Variable(name.to_owned()),
                        node: node(value),
                    };
                    (key.into_inner().into_owned(), entry)
                })
                .collect(),
        ),
        other => scalar(&other).unwrap_or_else(|| Value::Text(other_text(&other))),
    }
}

/// What is neither text nor a container; `None` if the number does not fit.
fn scalar(value: &DeValue<'_>) -> Option<Value> {
    match value {
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .ok()
            .map(Value::Integer),
        DeValue::Float(number) => number.as_str().parse().ok().map(Value::Float),
        DeValue::Boolean(truth) => Some(Value::Boolean(*truth)),
        DeValue::Datetime(_) => Some(Value::Date),
        DeValue::String(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

/// A number of the environment that is too large to be one: its digits.
fn other_text(value: &DeValue<'_>) -> String {
    match value {
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        _ => String::new(),
    }
}

/// `a` and `b` make `a.b`; keys that are not bare are quoted as in TOML.
pub(super) fn join(path: &str, key: &str) -> String {
    let bare = !key.is_empty()
        && key
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    let key = if bare {
        key.to_owned()
    } else {
        format!("{key:?}")
    };
    if path.is_empty() {
        key
    } else {
        format!("{path}.{key}")
    }
}
