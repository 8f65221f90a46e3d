//! The language in which a webhook says which events it wants: comparisons of what is in the event, joined by
//! `AND`, `OR` and parentheses.
//!
//! Operators, kinds of values and dotted paths are documented by example. What the examples leave open is
//! inferred: `AND` binds tighter than `OR`, and two comparisons beside each other mean `AND`, as an official
//! example has it; keywords may be written in small letters; a number in a path counts into a list, any
//! other name is looked for in each entry; of a list, one fitting entry suffices; what is missing is null, and
//! null is neither smaller, larger nor different from anything, but `!=null` says that something is there.

mod reader;

use regex::Regex;
use serde_json::Value;
use std::cmp::Ordering;

use reader::Reader;

/// The longest query, in bytes.
const BYTES_MAX: usize = 10_000;

/// What a webhook asks of events.
#[derive(Debug)]
pub(super) enum Query {
    All(Vec<Query>),
    Any(Vec<Query>),
    Is(Comparison),
}

/// One comparison.
#[derive(Debug)]
pub(super) struct Comparison {
    path: Vec<String>,
    operator: Operator,
    literal: Literal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Is,
    IsNot,
    Less,
    Greater,
    AtMost,
    AtLeast,
}

#[derive(Debug)]
enum Literal {
    Plain(Value),
    Pattern(Regex),
}

impl Query {
    /// Reads a query.
    ///
    /// # Errors
    ///
    /// What cannot be read, and where.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        if text.len() > BYTES_MAX {
            return Err(format!("It is longer than {BYTES_MAX} bytes"));
        }
        Reader::of(text).whole()
    }

    /// Whether it asks for the event.
    pub(super) fn holds(&self, event: &Value) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(event)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(event)),
            Self::Is(comparison) => comparison.holds(event),
        }
    }
}

impl Comparison {
    fn holds(&self, event: &Value) -> bool {
        let mut found = Vec::new();
        collect(event, &self.path, &mut found);
        found.retain(|value| !value.is_null());
        if let Literal::Plain(Value::Null) = self.literal {
            return match self.operator {
                Operator::Is => found.is_empty(),
                Operator::IsNot => !found.is_empty(),
                _ => false,
            };
        }
        match self.operator {
            Operator::IsNot => !found.is_empty() && !found.iter().any(|it| self.equals(it)),
            Operator::Is => found.iter().any(|it| self.equals(it)),
            operator => found.iter().any(|it| self.orders(it, operator)),
        }
    }

    fn equals(&self, value: &Value) -> bool {
        match &self.literal {
            Literal::Pattern(pattern) => value.as_str().is_some_and(|it| pattern.is_match(it)),
            Literal::Plain(Value::Number(_)) => self.compared(value).is_some_and(Ordering::is_eq),
            Literal::Plain(literal) => value == literal,
        }
    }

    fn orders(&self, value: &Value, operator: Operator) -> bool {
        let Some(order) = self.compared(value) else {
            return false;
        };
        match operator {
            Operator::Less => order.is_lt(),
            Operator::Greater => order.is_gt(),
            Operator::AtMost => order.is_le(),
            Operator::AtLeast => order.is_ge(),
            Operator::Is | Operator::IsNot => false,
        }
    }

    /// Numbers with numbers, texts with texts, and nothing else.
    fn compared(&self, value: &Value) -> Option<Ordering> {
        match (value, &self.literal) {
            (Value::Number(value), Literal::Plain(Value::Number(literal))) => {
                value.as_f64().partial_cmp(&literal.as_f64())
            }
            (Value::String(value), Literal::Plain(Value::String(literal))) => {
                Some(value.as_str().cmp(literal))
            }
            _ => None,
        }
    }
}

/// What the path leads to.
fn collect<'a>(value: &'a Value, path: &[String], found: &mut Vec<&'a Value>) {
    match (value, path.split_first()) {
        (Value::Array(entries), Some((name, rest))) => match name.parse::<usize>() {
            Ok(at) => entries
                .get(at)
                .into_iter()
                .for_each(|it| collect(it, rest, found)),
            Err(_) => entries.iter().for_each(|it| collect(it, path, found)),
        },
        (Value::Array(entries), None) => found.extend(entries),
        (value, None) => found.push(value),
        (value, Some((name, rest))) => {
            if let Some(inner) = value.get(name) {
                collect(inner, rest, found);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn event() -> Value {
        json!({
            "operation": "update",
            "user_id": "u-1",
            "data": {
                "is_archived": false, "size": 12, "status": "CLOSED", "external_id": null,
                "tags": ["a", "b"], "files": [{ "size": 1 }, { "size": 9 }],
            },
        })
    }

    fn holds(query: &str) -> bool {
        Query::read(query).unwrap().holds(&event())
    }

    #[test]
    fn the_documented_examples_are_read_as_they_are_meant() {
        assert!(holds(r#"operation="update""#));
        let official = concat!(
            r#"data.is_archived=false AND data.size>0 (data.status="CLOSED" OR "#,
            r#"data.status="DELETED") AND data.external_id!=null"#
        );
        assert!(!holds(official), "the external id is null");
        assert!(holds(&official.replace("!=null", "=null")));
    }

    #[test]
    fn and_binds_tighter_than_or() {
        assert!(holds(
            r#"operation="update" OR data.size=0 AND data.size=1"#
        ));
        assert!(!holds(
            r#"(operation="update" OR data.size=0) AND data.size=1"#
        ));
    }

    #[test]
    fn what_is_missing_is_null_and_compares_with_nothing() {
        assert!(holds("data.nothing=null") && !holds("data.nothing!=null"));
        assert!(!holds("data.nothing<1") && !holds("data.nothing>=1"));
        assert!(!holds(r#"data.nothing!="x""#));
    }

    #[test]
    fn texts_numbers_and_lists_compare_with_their_like() {
        assert!(holds("data.size>=12") && holds("data.size<12.5") && !holds("data.size>12"));
        assert!(holds(r#"data.status>"CLOSE""#) && !holds("data.status>1"));
        assert!(holds(r#"data.tags="b""#) && holds(r#"data.tags.0="a""#));
        assert!(holds("data.files.size=9") && !holds("data.files.0.size=9"));
    }

    #[test]
    fn regular_expressions_look_for_a_part() {
        assert!(holds("data.status=/^CLO/") && holds("data.status!=/DEL/"));
        assert!(holds(r"user_id=/u.1$/") && !holds("data.size=/1/"));
    }

    #[test]
    fn the_own_user_can_be_left_out_at_the_source() {
        assert!(!holds(r#"user_id!="u-1""#) && holds(r#"user_id != "u-2""#));
    }

    #[test]
    fn a_malformed_query_says_what_and_where() {
        for wrong in [
            "",
            "operation",
            "operation=",
            "=1",
            "(a=1",
            "a=1)",
            "a=1 AND",
            "a~1",
            "a=\"x",
            "a=/(/",
            "a</x/",
            "a..b=1",
            "a=1 OR OR b=1",
            "a=1 2",
        ] {
            assert!(Query::read(wrong).is_err(), "{wrong}");
        }
        let error = Query::read("a=1 AND (b=2").unwrap_err();
        assert_eq!(error, "Expected a closing parenthesis at byte 12");
        assert!(Query::read(&"(".repeat(5_000)).is_err());
        assert!(Query::read(&"a=1 ".repeat(5_000)).is_err());
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_reader(text in "[a-z=!<>()\"/\\\\ .0-9ANDOR]{0,60}") {
            if let Ok(query) = Query::read(&text) {
                query.holds(&event());
            }
        }

        #[test]
        fn any_text_in_quotes_is_the_text_itself(text in "\\PC{0,30}") {
            let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
            let query = Query::read(&format!("a=\"{quoted}\"")).unwrap();
            let (same, longer) = (json!({ "a": text }), json!({ "a": format!("{text}x") }));
            prop_assert!(query.holds(&same));
            prop_assert!(!query.holds(&longer));
        }

        #[test]
        fn order_and_its_opposite_divide_all_numbers(left in -1e9..1e9, right in -1e9..1e9) {
            let asked = |operator: &str| {
                let query = Query::read(&format!("a{operator}{right}")).unwrap();
                query.holds(&json!({ "a": left }))
            };
            prop_assert_ne!(asked("<"), asked(">="));
            prop_assert_ne!(asked(">"), asked("<="));
            prop_assert_ne!(asked("="), asked("!="));
        }
    }
}
