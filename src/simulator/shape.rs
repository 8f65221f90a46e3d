//! The keys that a document has, with their types, as Iconik's published schemas list them.
//!
//! A key that a schema does not list as writable is ignored, as recorded requests show that Iconik does
//! (they send ids and dates that the answers do not echo), so that a client may send back what it read.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use uuid::Uuid;

use super::operation::Ask;
use super::refusal::Refusal;
use super::table::Document;
use super::world::new_id;

/// The longest title or name, in bytes. Iconik publishes none; the search engine that its schemas name takes no
/// longer term.
const NAME_BYTES_MAX: usize = 32_766;

/// The statuses of files, of what is derived from them and of what is made for them (`FileSchema` and others).
pub(super) const FILE_STATUSES: Kind = Kind::OneOf(&[
    "OPEN",
    "GROWING",
    "AWAITED",
    "CLOSED",
    "FAILED",
    "ARCHIVED",
    "MISSING",
    "REDISCOVERED",
    "DELETED",
]);

/// The type of a key.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// A string.
    Text,
    /// A string that is a UUID.
    Id,
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Whole,
    /// Any number.
    Number,
    /// A string with date and time.
    Time,
    /// An object of any shape.
    Object,
    /// An object whose values are strings.
    Texts,
    /// A list of any shape.
    List,
    /// A list of UUIDs.
    Ids,
    /// A list of strings.
    TextList,
    /// A list of some of these strings.
    SomeOf(&'static [&'static str]),
    /// One of these strings.
    OneOf(&'static [&'static str]),
}

/// What a key holds in a new document whose body does not say it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Begin {
    /// The document does not have the key.
    Absent,
    /// null.
    Null,
    /// A string.
    Text(&'static str),
    /// `true` or `false`.
    Flag(bool),
    /// A whole number.
    Whole(u32),
    /// An empty list.
    NoItems,
    /// An empty object.
    NoEntries,
    /// The time of the request.
    Now,
    /// The user who asks.
    Caller,
    /// The system domain.
    Domain,
    /// A part of the path.
    Param(&'static str),
    /// An id that nothing else has.
    NewId,
}

/// A key of a document.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    name: &'static str,
    kind: Kind,
    required: bool,
    nullable: bool,
    writable: bool,
    begin: Begin,
}

/// A key that may be left out and may not be null.
pub(super) const fn key(name: &'static str, kind: Kind) -> Key {
    Key {
        name,
        kind,
        required: false,
        nullable: false,
        writable: true,
        begin: Begin::Absent,
    }
}

/// A key that the server alone sets.
pub(super) const fn made(name: &'static str, begin: Begin) -> Key {
    Key {
        writable: false,
        begin,
        ..key(name, Kind::Text)
    }
}

impl Key {
    /// The same key, which a whole document must have.
    pub(super) const fn required(self) -> Self {
        Self {
            required: true,
            ..self
        }
    }

    /// The same key, which may be null.
    pub(super) const fn nullable(self) -> Self {
        Self {
            nullable: true,
            ..self
        }
    }

    /// The same key, which may be null and is where nobody says otherwise.
    pub(super) const fn or_null(self) -> Self {
        self.nullable().or(Begin::Null)
    }

    /// The same key, which begins like this.
    pub(super) const fn or(self, begin: Begin) -> Self {
        Self { begin, ..self }
    }

    /// Its name.
    pub(super) const fn name(&self) -> &'static str {
        self.name
    }
}

/// Whether a body must have the required keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// POST and PUT: it must.
    Whole,
    /// PATCH: only what changes.
    Part,
}

/// The writable keys of a body.
///
/// # Errors
///
/// 400 with a message for each key that is missing or of another type.
pub(super) fn checked(body: &Document, keys: &[Key], extent: Extent) -> Result<Document, Refusal> {
    let mut kept = Document::new();
    let mut errors = BTreeMap::new();
    for key in keys.iter().filter(|key| key.writable) {
        match body.get(key.name) {
            None if key.required && extent == Extent::Whole => {
                errors.insert(key.name.to_owned(), "This field is required".to_owned());
            }
            None => {}
            Some(Value::Null) if !key.nullable => {
                errors.insert(key.name.to_owned(), "This field may not be null".to_owned());
            }
            Some(Value::String(text)) if is_too_long(key.name, text) => {
                let message = format!("Must be at most {NAME_BYTES_MAX} bytes");
                errors.insert(key.name.to_owned(), message);
            }
            Some(value) => match mismatch(key.kind, value) {
                Some(message) => {
                    errors.insert(key.name.to_owned(), message);
                }
                None => {
                    kept.insert(key.name.to_owned(), value.clone());
                }
            },
        }
    }
    if errors.is_empty() {
        Ok(kept)
    } else {
        Err(Refusal::invalid_fields(&errors))
    }
}

fn is_too_long(key: &str, text: &str) -> bool {
    matches!(key, "title" | "name") && text.len() > NAME_BYTES_MAX
}

/// A new document of these keys, before a body is laid over it.
pub(super) fn blank(keys: &[Key], ask: &Ask, domain: &str) -> Document {
    let begun = |key: &Key| {
        let value = match key.begin {
            Begin::Absent => return None,
            Begin::Null => Value::Null,
            Begin::Text(text) => json!(text),
            Begin::Flag(flag) => json!(flag),
            Begin::Whole(number) => json!(number),
            Begin::NoItems => json!([]),
            Begin::NoEntries => json!({}),
            Begin::Now => ask.caller.stamp(),
            Begin::Caller => json!(ask.caller.user_id),
            Begin::Domain => json!(domain),
            Begin::Param(name) => json!(ask.param(name)),
            Begin::NewId => json!(new_id()),
        };
        Some((key.name.to_owned(), value))
    };
    keys.iter().filter_map(begun).collect()
}

fn mismatch(kind: Kind, value: &Value) -> Option<String> {
    if value.is_null() {
        return None;
    }
    let (fits, expected) = match kind {
        Kind::Text => (value.is_string(), "a string"),
        Kind::Id => (is_uuid(value), "a UUID"),
        Kind::Flag => (value.is_boolean(), "a boolean"),
        Kind::Whole => (value.is_i64() || value.is_u64(), "a whole number"),
        Kind::Number => (value.is_number(), "a number"),
        Kind::Time => (is_time(value), "a date and time in ISO 8601"),
        Kind::Object => (value.is_object(), "an object"),
        Kind::Texts => (
            value
                .as_object()
                .is_some_and(|entries| entries.values().all(Value::is_string)),
            "an object of strings",
        ),
        Kind::List => (value.is_array(), "a list"),
        Kind::Ids => (
            value.as_array().is_some_and(|ids| ids.iter().all(is_uuid)),
            "a list of UUIDs",
        ),
        Kind::TextList => (
            value
                .as_array()
                .is_some_and(|texts| texts.iter().all(Value::is_string)),
            "a list of strings",
        ),
        Kind::SomeOf(words) => {
            let fits = value.as_array().is_some_and(|given| {
                let mut given = given.iter();
                given.all(|it| it.as_str().is_some_and(|word| words.contains(&word)))
            });
            return (!fits).then(|| format!("Must be a list of: {}", words.join(", ")));
        }
        Kind::OneOf(words) => {
            let fits = value.as_str().is_some_and(|word| words.contains(&word));
            return (!fits).then(|| format!("Must be one of: {}", words.join(", ")));
        }
    };
    (!fits).then(|| format!("Must be {expected}"))
}

fn is_uuid(value: &Value) -> bool {
    value
        .as_str()
        .is_some_and(|text| Uuid::try_parse(text).is_ok())
}

fn is_time(value: &Value) -> bool {
    value
        .as_str()
        .is_some_and(|text| text.parse::<jiff::civil::DateTime>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [Key; 4] = [
        key("title", Kind::Text).required(),
        key("category", Kind::Text).nullable(),
        key("status", Kind::OneOf(&["ACTIVE", "DELETED"])),
        key("date_created", Kind::Time),
    ];

    fn check(body: &Value, extent: Extent) -> Result<Document, String> {
        checked(body.as_object().unwrap(), &KEYS, extent).map_err(|refusal| refusal.explain())
    }

    #[test]
    fn only_listed_keys_are_kept() {
        let body = json!({ "title": "x", "category": null, "id": "mine", "colour": "red" });
        let kept = check(&body, Extent::Whole).unwrap();
        assert_eq!(
            Value::Object(kept),
            json!({ "title": "x", "category": null })
        );
    }

    #[test]
    fn a_required_key_may_be_missing_only_from_a_part() {
        let body = json!({ "status": "ACTIVE" });
        assert_eq!(
            check(&body, Extent::Whole).unwrap_err(),
            "title: This field is required"
        );
        assert!(check(&body, Extent::Part).is_ok());
    }

    #[test]
    fn every_wrong_key_is_named() {
        let body = json!({ "title": null, "status": "GONE", "date_created": "yesterday" });
        assert_eq!(
            check(&body, Extent::Part).unwrap_err(),
            "date_created: Must be a date and time in ISO 8601; status: Must be one of: ACTIVE, \
             DELETED; title: This field may not be null"
        );
    }

    #[test]
    fn times_may_have_an_offset_or_not() {
        for time in ["2022-04-29T00:22:10.316685", "2022-04-29T00:22:10+00:00"] {
            assert!(
                check(&json!({ "date_created": time }), Extent::Part).is_ok(),
                "{time}"
            );
        }
    }
}
