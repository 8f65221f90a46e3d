//! The order of what a search finds, and where the page after an object begins.
//!
//! `_sort` holds the object's sort keys, which a client hands back as `search_after` (documented). That
//! times are milliseconds in it, and that objects with equal keys are skipped together with the one that
//! was named, so that a careful client's sort ends in `id`, is inferred from the search engine behind it.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::tz::Offset;
use serde_json::{Value, json};

use super::super::refusal::Refusal;
use super::super::table::{Document, text};
use super::super::times::Span;
use super::field::{Candidate, Field, Scalar};

/// By what objects are sorted.
#[derive(Debug)]
pub(super) struct Order {
    fields: Vec<(Field, bool)>,
}

/// What an object is sorted by. What it lacks comes last, whatever the direction.
#[derive(Clone, Copy, Debug)]
pub(super) enum Key<'a> {
    Text(&'a str),
    Number(f64),
    Missing,
}

impl Order {
    /// The order that a search asks for; newest first, then by id, if it asks for none (inferred).
    ///
    /// # Errors
    ///
    /// 400 for what is no order.
    pub(super) fn asked(
        sort: Option<&Value>,
        known: &BTreeMap<String, Arc<Document>>,
    ) -> Result<Self, Refusal> {
        let field = |name: &str| Field::named(name, known);
        let entries = match sort {
            None | Some(Value::Null) => &[][..],
            Some(Value::Array(entries)) => entries.as_slice(),
            Some(_) => return Err(Refusal::invalid("sort", "Must be a list")),
        };
        let mut fields = Vec::new();
        for entry in entries {
            let message = "Each entry must be an object with a name and an order, asc or desc";
            let wrong = || Refusal::invalid("sort", message);
            let entry = entry.as_object().ok_or_else(wrong)?;
            let descends = match text(entry, "order") {
                "" | "asc" => false,
                "desc" => true,
                _ => return Err(wrong()),
            };
            match text(entry, "name") {
                "" => return Err(wrong()),
                name => fields.push((field(name), descends)),
            }
        }
        if fields.is_empty() {
            fields = vec![(field("date_created"), true), (field("id"), false)];
        }
        Ok(Self { fields })
    }

    /// The keys of an object: of several values the one that sorts first.
    pub(super) fn keys<'a>(&self, of: &Candidate<'a>) -> Vec<Key<'a>> {
        let keys = self.fields.iter().map(|(field, descends)| {
            let mut key = Key::Missing;
            field.any(of, &mut |value| {
                let other = Key::of(value, field.is_time);
                if compared(other, key, *descends).is_lt() {
                    key = other;
                }
                false
            });
            key
        });
        keys.collect()
    }

    /// The keys after which the page begins, if the search names any.
    ///
    /// # Errors
    ///
    /// 400 if they are not the keys of this order.
    pub(super) fn after<'a>(
        &self,
        given: Option<&'a Value>,
    ) -> Result<Option<Vec<Key<'a>>>, Refusal> {
        let given = match given {
            None | Some(Value::Null) => return Ok(None),
            // Clients send an empty list for the first page.
            Some(Value::Array(given)) if given.is_empty() => return Ok(None),
            Some(Value::Array(given)) => given,
            Some(_) => return Err(Refusal::invalid("search_after", "Must be a list")),
        };
        let keys: Option<Vec<_>> = given.iter().map(Key::given).collect();
        let keys = keys.filter(|keys| keys.len() == self.fields.len());
        let message = "Must be the `_sort` of an object that this very search has found";
        keys.map(Some)
            .ok_or_else(|| Refusal::invalid("search_after", message))
    }

    /// Which of two objects comes first.
    pub(super) fn compare(&self, left: &[Key<'_>], right: &[Key<'_>]) -> Ordering {
        let pairs = left.iter().zip(right).zip(&self.fields);
        pairs
            .map(|((left, right), (_, descends))| compared(*left, *right, *descends))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }
}

impl<'a> Key<'a> {
    fn of(value: Scalar<'a>, is_time: bool) -> Self {
        match value {
            Scalar::Text(text) if is_time => match Span::of(text, Offset::UTC) {
                Some(span) => Self::Number(millisecond(span)),
                None => Self::Missing,
            },
            Scalar::Text(text) => Self::Text(text),
            Scalar::Number(number) => Self::Number(number),
            Scalar::Flag(flag) => Self::Number(f64::from(u8::from(flag))),
        }
    }

    fn given(value: &'a Value) -> Option<Self> {
        match value {
            Value::Null => Some(Self::Missing),
            Value::String(text) => Some(Self::Text(text)),
            Value::Number(number) => number.as_f64().map(Self::Number),
            _ => None,
        }
    }

    /// As `_sort` shows it.
    pub(super) fn shown(self) -> Value {
        match self {
            Self::Missing => Value::Null,
            Self::Text(text) => json!(text),
            Self::Number(number) if number.fract() == 0.0 => json!(whole(number)),
            Self::Number(number) => json!(number),
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds of this millennium fit"
)]
fn millisecond(span: Span) -> f64 {
    span.first() as f64
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a cast from a float ends at the ends of the integer"
)]
fn whole(number: f64) -> i64 {
    number as i64
}

fn compared(left: Key<'_>, right: Key<'_>, descends: bool) -> Ordering {
    let order = match (left, right) {
        (Key::Missing, Key::Missing) => return Ordering::Equal,
        (Key::Missing, _) => return Ordering::Greater,
        (_, Key::Missing) => return Ordering::Less,
        (Key::Text(left), Key::Text(right)) => left.cmp(right),
        (Key::Number(left), Key::Number(right)) => left.total_cmp(&right),
        (Key::Number(_), Key::Text(_)) => Ordering::Less,
        (Key::Text(_), Key::Number(_)) => Ordering::Greater,
    };
    if descends { order.reverse() } else { order }
}
