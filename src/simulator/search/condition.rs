//! What must hold for an object to be found, and how the `filter` of a search says it.
//!
//! The shape of a filter is documented: `{operator, terms: [{name, value | value_in | range{min, max} |
//! exists | missing}], filters: […]}`. That `NOT` means none of its parts, that both ends belong to a range
//! and that `value` compares whole texts as they are written is inferred.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::tz::Offset;
use regex::Regex;
use serde_json::Value;

use super::super::refusal::Refusal;
use super::super::table::{Document, text};
use super::super::times::Span;
use super::field::{Candidate, Field, Scalar};

/// What must hold.
#[derive(Debug)]
pub(super) enum Condition {
    /// Each of these; nothing if there are none.
    All(Vec<Condition>),
    /// One of these.
    Any(Vec<Condition>),
    /// None of these.
    No(Vec<Condition>),
    /// The field has one of these values.
    Is(Field, Vec<Wanted>),
    /// The field has a value within.
    Within(Field, Ends),
    /// The field has a value.
    Exists(Field),
    /// The field has a text that looks like this as a whole.
    Looks(Field, Regex),
    /// The field has a text with these words next to each other.
    Says(Field, Vec<Regex>),
}

impl Condition {
    /// Whether it holds.
    pub(super) fn holds(&self, of: &Candidate<'_>) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(of)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(of)),
            Self::No(parts) => !parts.iter().any(|part| part.holds(of)),
            Self::Is(field, wanted) => field.any(of, &mut |value| {
                wanted.iter().any(|it| it.is(value, field.is_time))
            }),
            Self::Within(field, ends) => {
                field.any(of, &mut |value| ends.hold(value, field.is_time))
            }
            Self::Exists(field) => field.any(of, &mut |_| true),
            Self::Looks(field, pattern) => field.any(of, &mut |value| match value {
                Scalar::Text(text) => pattern.is_match(text),
                _ => false,
            }),
            Self::Says(field, words) => field.any(of, &mut |value| match value {
                Scalar::Text(text) => says(text, words),
                _ => false,
            }),
        }
    }

    /// The condition of a filter.
    ///
    /// # Errors
    ///
    /// 400 for what is no filter.
    pub(super) fn of_filter(
        filter: &Document,
        known: &BTreeMap<String, Arc<Document>>,
    ) -> Result<Self, Refusal> {
        let list = |key: &str| match filter.get(key) {
            None | Some(Value::Null) => Ok(&[][..]),
            Some(Value::Array(list)) => Ok(list.as_slice()),
            Some(_) => Err(wrong(&format!("{key} must be a list"))),
        };
        let mut parts = Vec::new();
        for term in list("terms")? {
            let term = term
                .as_object()
                .ok_or_else(|| wrong("a term must be an object"))?;
            parts.push(of_term(term, known)?);
        }
        for inner in list("filters")? {
            let inner = inner.as_object();
            let inner = inner.ok_or_else(|| wrong("a filter must be an object"))?;
            parts.push(Self::of_filter(inner, known)?);
        }
        match text(filter, "operator") {
            "AND" => Ok(Self::All(parts)),
            // The search engine behind it takes a choice among nothing for no condition.
            "OR" if parts.is_empty() => Ok(Self::All(parts)),
            "OR" => Ok(Self::Any(parts)),
            "NOT" => Ok(Self::No(parts)),
            "" => Err(wrong("operator is missing")),
            other => Err(wrong(&format!(
                "this simulator knows the operators AND, OR and NOT, not {other}"
            ))),
        }
    }
}

/// Everything that a term says must hold. It names a field and says at least one thing about it.
pub(super) fn of_term(
    term: &Document,
    known: &BTreeMap<String, Arc<Document>>,
) -> Result<Condition, Refusal> {
    let name = text(term, "name");
    if name.is_empty() {
        return Err(wrong("a term needs the name of a field"));
    }
    let field = || Field::named(name, known);
    let mut parts = Vec::new();
    for (key, value) in term {
        match (key.as_str(), value) {
            ("name", _) | (_, Value::Null) => {}
            ("value", value) => {
                parts.push(Condition::Is(field(), vec![Wanted::of_json(value)?]));
            }
            ("value_in", Value::Array(values)) => {
                let wanted = values.iter().map(Wanted::of_json);
                parts.push(Condition::Is(field(), wanted.collect::<Result<_, _>>()?));
            }
            ("range", Value::Object(range)) => {
                parts.push(Condition::Within(field(), Ends::of_json(range)?));
            }
            ("exists", Value::Bool(exists)) | ("missing", Value::Bool(exists)) => {
                let has = Condition::Exists(field());
                parts.push(if *exists == (key == "exists") {
                    has
                } else {
                    Condition::No(vec![has])
                });
            }
            _ => {
                return Err(wrong(&format!(
                    "`{key}` of the term on {name} makes no sense"
                )));
            }
        }
    }
    if parts.is_empty() {
        return Err(wrong(&format!(
            "the term on {name} needs value, value_in, range, exists or missing"
        )));
    }
    Ok(Condition::All(parts))
}

fn wrong(message: &str) -> Refusal {
    Refusal::invalid("filter", message)
}

fn says(text: &str, words: &[Regex]) -> bool {
    let said: Vec<_> = tokens(text).collect();
    let mut places = said.windows(words.len().max(1));
    places.any(|place| {
        let mut pairs = place.iter().zip(words);
        pairs.all(|(said, word)| word.is_match(said))
    })
}

/// The words of a text: what stands between everything but letters and digits.
pub(super) fn tokens(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|token| !token.is_empty())
}

/// A value that is looked for, as every type that its text can be read as.
#[derive(Debug)]
pub(super) struct Wanted {
    text: String,
    number: Option<f64>,
    flag: Option<bool>,
    span: Option<Span>,
}

impl Wanted {
    /// What a text may mean.
    pub(super) fn of(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            number: text.parse().ok(),
            flag: text.parse().ok(),
            span: Span::of(text, Offset::UTC),
        }
    }

    /// The specification has strings only; that numbers and booleans are taken as well is inferred.
    fn of_json(value: &Value) -> Result<Self, Refusal> {
        plain(value).map(|text| Self::of(&text))
    }

    fn is(&self, value: Scalar<'_>, is_time: bool) -> bool {
        match value {
            Scalar::Text(text) if is_time => {
                self.text == text || self.span.is_some_and(|span| span.holds(text))
            }
            Scalar::Text(text) => self.text == text,
            Scalar::Number(number) => self.number == Some(number),
            Scalar::Flag(flag) => self.flag == Some(flag),
        }
    }
}

fn plain(value: &Value) -> Result<String, Refusal> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        _ => Err(wrong("values must be texts")),
    }
}

/// The ends of a range, each of which may be open.
#[derive(Debug, Default)]
pub(super) struct Ends {
    min: Option<String>,
    max: Option<String>,
    span: Option<Span>,
}

impl Ends {
    /// From one text to another. `*` is an open end.
    pub(super) fn of(min: Option<&str>, max: Option<&str>, offset: Offset) -> Self {
        let end = |text: Option<&str>| text.filter(|it| *it != "*").map(str::to_owned);
        let (min, max) = (end(min), end(max));
        // An end that is no time leaves a range without times.
        let time = |text: &Option<String>| match text {
            None => Some(None),
            Some(text) => Span::of(text, offset).map(Some),
        };
        let span = time(&min).zip(time(&max));
        Self {
            span: span.map(|(min, max)| Span::between(min, max)),
            min,
            max,
        }
    }

    fn of_json(range: &Document) -> Result<Self, Refusal> {
        let end = |key: &str| match range.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => plain(value).map(Some),
        };
        let (min, max) = (end("min")?, end("max")?);
        if min.is_none() && max.is_none() {
            return Err(wrong("a range needs min or max"));
        }
        let offset = match text(range, "timezone") {
            "" => Offset::UTC,
            zone => offset(zone).ok_or_else(|| wrong("timezone must read +02:00"))?,
        };
        Ok(Self::of(min.as_deref(), max.as_deref(), offset))
    }

    fn hold(&self, value: Scalar<'_>, is_time: bool) -> bool {
        match value {
            Scalar::Text(text) if is_time => self.span.is_some_and(|span| span.holds(text)),
            Scalar::Text(text) => {
                self.min.as_deref().is_none_or(|min| min <= text)
                    && self.max.as_deref().is_none_or(|max| text <= max)
            }
            Scalar::Number(number) => {
                let end = |end: &Option<String>, holds: fn(f64, f64) -> bool| {
                    end.as_ref()
                        .is_none_or(|end| end.parse().is_ok_and(|end| holds(number, end)))
                };
                end(&self.min, |number, min| number >= min)
                    && end(&self.max, |number, max| number <= max)
            }
            Scalar::Flag(_) => false,
        }
    }
}

/// `+02:00`.
fn offset(text: &str) -> Option<Offset> {
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let seconds = hours.parse::<i32>().ok()? * 3600 + minutes.parse::<i32>().ok()? * 60;
    Offset::from_seconds(sign * seconds).ok()
}
