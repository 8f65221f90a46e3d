//! The fields that a search may name, and the values that an object has under them.
//!
//! A metadata field is `metadata.<field>`; other names are keys of the object, dotted where it is nested.
//! `in_collections` and `ancestor_collections` are not kept in an object but found from what lies where.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::super::index::Shown;
use super::super::table::{Document, text};

/// An object that may be found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate<'a> {
    /// `assets`, `collections`, `segments` or `jobs`.
    pub(super) object_type: &'static str,
    /// The object.
    pub(super) document: &'a Arc<Document>,
    /// What the index shows.
    pub(super) shown: &'a Shown,
}

impl<'a> Candidate<'a> {
    /// Its metadata: `{field: [values]}`.
    pub(super) fn metadata(&self) -> Option<&'a Document> {
        let values = self.shown.metadata.get(text(self.document, "id"));
        values.map(Arc::as_ref)
    }

    /// The collections that it lies in.
    pub(super) fn in_collections(&self) -> impl Iterator<Item = &'a str> {
        self.shown.contents.holders(text(self.document, "id"))
    }

    /// The collections that it lies in, and all above them. A circle ends where it closes.
    pub(super) fn ancestors(&self) -> BTreeSet<&'a str> {
        let mut found = BTreeSet::new();
        let mut next: Vec<_> = self.in_collections().collect();
        while let Some(collection) = next.pop() {
            if found.insert(collection) {
                next.extend(self.shown.contents.holders(collection));
            }
        }
        found
    }
}

/// A single value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scalar<'a> {
    Text(&'a str),
    Number(f64),
    Flag(bool),
}

/// A field by its name.
#[derive(Clone, Debug)]
pub(super) struct Field {
    place: Place,
    /// Whether its texts are times.
    pub(super) is_time: bool,
    /// Whether its texts are searched word by word.
    pub(super) is_prose: bool,
}

#[derive(Clone, Debug)]
enum Place {
    ObjectType,
    InCollections,
    Ancestors,
    AllMetadata,
    Metadata(String),
    Key(Vec<String>),
}

/// The types of metadata fields that are searched word by word; `string_exact` is not, by its name.
const PROSE_TYPES: [&str; 3] = ["string", "text", "tag_cloud"];

/// The keys that are searched word by word.
const PROSE_KEYS: [&str; 3] = ["title", "segment_text", "description"];

impl Field {
    /// The field of this name; what metadata fields there are tells which hold times. A name that no
    /// object has is a field without values.
    pub(super) fn named(name: &str, known: &BTreeMap<String, Arc<Document>>) -> Self {
        let place = match name {
            "object_type" => Place::ObjectType,
            "in_collections" => Place::InCollections,
            "ancestor_collections" => Place::Ancestors,
            "metadata" => Place::AllMetadata,
            name => match name.strip_prefix("metadata.") {
                Some(field) => Place::Metadata(field.to_owned()),
                None => Place::Key(name.split('.').map(str::to_owned).collect()),
            },
        };
        let (is_time, is_prose) = match &place {
            Place::Metadata(field) => {
                let kind = known.get(field).map_or("", |it| text(it, "field_type"));
                (
                    matches!(kind, "date" | "datetime"),
                    PROSE_TYPES.contains(&kind),
                )
            }
            Place::AllMetadata => (false, true),
            Place::Key(_) => (
                name.starts_with("date_") || name.ends_with("_date") || name.ends_with("_at"),
                PROSE_KEYS.contains(&name),
            ),
            _ => (false, false),
        };
        Self {
            place,
            is_time,
            is_prose,
        }
    }

    /// Whether the test holds for any value that the object has here.
    pub(super) fn any<'a>(
        &self,
        of: &Candidate<'a>,
        test: &mut dyn FnMut(Scalar<'a>) -> bool,
    ) -> bool {
        match &self.place {
            Place::ObjectType => test(Scalar::Text(of.object_type)),
            Place::InCollections => of.in_collections().any(|id| test(Scalar::Text(id))),
            Place::Ancestors => of.ancestors().into_iter().any(|id| test(Scalar::Text(id))),
            Place::AllMetadata => {
                let fields = of.metadata().into_iter().flat_map(|it| it.values());
                fields
                    .into_iter()
                    .any(|values| any_below(values, &[], test))
            }
            Place::Metadata(field) => {
                let values = of.metadata().and_then(|it| it.get(field));
                values.is_some_and(|values| any_below(values, &[], test))
            }
            Place::Key(path) => of
                .document
                .get(&path[0])
                .is_some_and(|value| any_below(value, &path[1..], test)),
        }
    }
}

/// Tests the values below: lists are looked through, objects followed along the path.
fn any_below<'a>(
    value: &'a Value,
    path: &[String],
    test: &mut dyn FnMut(Scalar<'a>) -> bool,
) -> bool {
    match (value, path) {
        (Value::Array(values), _) => values.iter().any(|value| any_below(value, path, test)),
        (Value::Object(keys), [key, rest @ ..]) => {
            let value = keys.get(key);
            value.is_some_and(|value| any_below(value, rest, test))
        }
        (Value::String(text), []) => test(Scalar::Text(text)),
        (Value::Bool(flag), []) => test(Scalar::Flag(*flag)),
        (Value::Number(number), []) => number.as_f64().is_some_and(|it| test(Scalar::Number(it))),
        _ => false,
    }
}
