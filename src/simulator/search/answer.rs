//! How a search shows what it finds: the object, its type, the collections that it lies in, its metadata
//! made flat, and `_sort`.
//!
//! Flat metadata are `{field: value}`, a list where the field takes several. With a view they are its
//! fields, without one all: clients ask for `metadata` in `include_fields` without naming a view. Facets
//! have the shape that clients read: `{field: {"buckets": [{"key", "doc_count"}]}}`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::super::metadata;
use super::super::refusal::Refusal;
use super::super::table::Document;
use super::field::{Candidate, Field, Scalar};
use super::order::Key;
use super::texts;

/// How many values a facet counts, the most frequent first; as the search engine behind it does.
const BUCKETS_MAX: usize = 10;

/// What is shown of an object.
pub(super) struct Presentation<'a> {
    include: Vec<&'a str>,
    exclude: Vec<&'a str>,
    facets: Vec<(&'a str, Field)>,
    view: Option<&'a Document>,
    known: &'a BTreeMap<String, Arc<Document>>,
}

impl<'a> Presentation<'a> {
    /// What a search asks for.
    ///
    /// # Errors
    ///
    /// 400 for lists that are none of texts.
    pub(super) fn asked(
        asked: &'a Document,
        view: Option<&'a Document>,
        known: &'a BTreeMap<String, Arc<Document>>,
    ) -> Result<Self, Refusal> {
        let facets = texts(asked, "facets")?.into_iter();
        Ok(Self {
            include: texts(asked, "include_fields")?,
            exclude: texts(asked, "exclude_fields")?,
            facets: facets
                .map(|name| (name, Field::named(name, known)))
                .collect(),
            view,
            known,
        })
    }

    /// An object that was found.
    pub(super) fn object(&self, of: &Candidate<'_>, keys: &[Key<'_>]) -> Value {
        let mut object = Document::clone(of.document);
        object.insert("object_type".to_owned(), json!(of.object_type));
        if of.object_type != "segments" {
            object.insert("in_collections".to_owned(), of.in_collections().collect());
            let ancestors = of.ancestors().into_iter().collect();
            object.insert("ancestor_collections".to_owned(), ancestors);
        }
        object.insert("metadata".to_owned(), self.metadata(of).into());
        let mut object = Value::Object(object);
        if !self.include.is_empty() {
            object = only(&object, &self.include);
        }
        without(&mut object, &self.exclude);
        let keys = keys.iter().map(|key| key.shown()).collect();
        object["_sort"] = Value::Array(keys);
        object
    }

    fn metadata(&self, of: &Candidate<'_>) -> Document {
        let all = of.metadata().into_iter().flatten();
        all.filter(|(name, _)| self.view.is_none_or(|it| metadata::shows(it, name)))
            .map(|(name, values)| {
                let is_many = self.known.get(name).is_some_and(|it| metadata::is_many(it));
                let value = match values {
                    Value::Array(values) if !is_many => values.first().unwrap_or(&Value::Null),
                    values => values,
                };
                (name.clone(), value.clone())
            })
            .collect()
    }

    /// How often each value occurs among what was found.
    pub(super) fn facets(&self, found: &[Candidate<'_>]) -> Document {
        let facets = self.facets.iter().map(|(name, field)| {
            let mut counts = BTreeMap::<String, usize>::new();
            for candidate in found {
                field.any(candidate, &mut |value| {
                    *counts.entry(bucket(value)).or_default() += 1;
                    false
                });
            }
            let mut counts: Vec<_> = counts.into_iter().collect();
            counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
            let buckets = counts.into_iter().take(BUCKETS_MAX);
            let buckets: Vec<_> = buckets
                .map(|(key, count)| json!({ "key": key, "doc_count": count }))
                .collect();
            ((*name).to_owned(), json!({ "buckets": buckets }))
        });
        facets.collect()
    }
}

fn bucket(value: Scalar<'_>) -> String {
    match value {
        Scalar::Text(text) => text.to_owned(),
        Scalar::Number(number) => number.to_string(),
        Scalar::Flag(flag) => flag.to_string(),
    }
}

/// What the paths name, with what lies around it.
fn only(value: &Value, paths: &[&str]) -> Value {
    match value {
        Value::Object(keys) => {
            let kept = keys.iter().filter_map(|(key, value)| {
                if paths.contains(&key.as_str()) {
                    return Some((key.clone(), value.clone()));
                }
                let deeper = below(paths, key);
                (!deeper.is_empty()).then(|| (key.clone(), only(value, &deeper)))
            });
            Value::Object(kept.collect())
        }
        Value::Array(values) => values.iter().map(|value| only(value, paths)).collect(),
        other => other.clone(),
    }
}

fn without(value: &mut Value, paths: &[&str]) {
    match value {
        Value::Object(keys) => {
            keys.retain(|key, _| !paths.contains(&key.as_str()));
            for (key, value) in keys {
                let deeper = below(paths, key);
                if !deeper.is_empty() {
                    without(value, &deeper);
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| without(value, paths)),
        _ => {}
    }
}

/// The rest of the paths that lead through the key.
fn below<'a>(paths: &[&'a str], key: &str) -> Vec<&'a str> {
    let deeper = paths
        .iter()
        .filter_map(|path| path.strip_prefix(key)?.strip_prefix('.'));
    deeper.collect()
}
