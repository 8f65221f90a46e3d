//! Which values a metadata field takes. The types are documented; how strictly Iconik holds each is not,
//! so the simulator holds them as strictly as they read.

use jiff::{Timestamp, civil};
use serde_json::Value;

use super::super::table::{Document, text};

/// Whether the field takes several values. A tag cloud does by its nature.
pub(in super::super) fn is_many(field: &Document) -> bool {
    field.get("multi") == Some(&Value::Bool(true)) || text(field, "field_type") == "tag_cloud"
}

/// Whether the field takes the entry of `field_values`.
pub(super) fn check(field: &Document, entry: &Value) -> Result<(), String> {
    let value = match entry.get("value") {
        None => return Err("Each of field_values must be an object with `value`".to_owned()),
        Some(Value::Null) => return Err("A value may not be null".to_owned()),
        Some(value) => value,
    };
    let field_type = text(field, "field_type");
    let (fits, expected) = match field_type {
        "integer" => (value.is_i64() || value.is_u64(), "a whole number"),
        "float" => (value.is_number(), "a number"),
        "boolean" => (value.is_boolean(), "true or false"),
        "date" => (is_date(value), "a date, YYYY-MM-DD"),
        "datetime" => (is_datetime(value), "a date and time in ISO 8601"),
        "url" => (is_url(value), "a URL"),
        "email" => (is_email(value), "an e-mail address"),
        _ => (value.is_string(), "a string"),
    };
    if !fits {
        return Err(format!(
            "{value} is not a valid {field_type}: expected {expected}"
        ));
    }
    within_bounds(field, value)?;
    among_options(field, value)
}

fn is_date(value: &Value) -> bool {
    value
        .as_str()
        .is_some_and(|text| text.len() == 10 && text.parse::<civil::Date>().is_ok())
}

fn is_datetime(value: &Value) -> bool {
    value.as_str().is_some_and(|text| {
        text.len() > 10
            && (text.parse::<civil::DateTime>().is_ok() || text.parse::<Timestamp>().is_ok())
    })
}

fn is_url(value: &Value) -> bool {
    value
        .as_str()
        .is_some_and(|text| reqwest::Url::parse(text).is_ok_and(|url| url.has_host()))
}

fn is_email(value: &Value) -> bool {
    let parts = value.as_str().and_then(|text| text.split_once('@'));
    parts.is_some_and(|(name, host)| !name.is_empty() && host.contains('.'))
}

fn within_bounds(field: &Document, value: &Value) -> Result<(), String> {
    let Some(number) = value.as_f64() else {
        return Ok(());
    };
    let bound = |key: &str| field.get(key).and_then(Value::as_f64);
    if let Some(least) = bound("min_value").filter(|least| number < *least) {
        return Err(format!("{value} is below {least}"));
    }
    if let Some(most) = bound("max_value").filter(|most| number > *most) {
        return Err(format!("{value} is above {most}"));
    }
    Ok(())
}

/// A drop-down takes what its options name; options from a `source_url` are not known here.
fn among_options(field: &Document, value: &Value) -> Result<(), String> {
    let options = field.get("options").and_then(Value::as_array);
    let options = options.filter(|options| {
        text(field, "field_type") == "drop_down"
            && text(field, "source_url").is_empty()
            && !options.is_empty()
    });
    match options {
        Some(options) if !options.iter().any(|option| option["value"] == *value) => {
            Err(format!("{value} is none of the options"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn field(value: &Value) -> Document {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn each_type_takes_its_values_and_no_others() {
        let cases = [
            ("integer", json!(7), json!("7")),
            ("float", json!(1.5), json!("1.5")),
            ("boolean", json!(false), json!("false")),
            ("string", json!("x"), json!(7)),
            ("string_exact", json!("x"), json!(true)),
            ("text", json!("x\ny"), json!(["x"])),
            ("date", json!("2026-11-23"), json!("23.11.2026")),
            (
                "datetime",
                json!("2026-11-23T10:00:00+00:00"),
                json!("2026-11-23"),
            ),
            ("tag_cloud", json!("sport"), json!(1)),
            ("url", json!("https://example.com/x"), json!("example")),
            ("email", json!("a@example.com"), json!("a@")),
            ("drop_down", json!("any"), json!(3)),
        ];
        for (field_type, good, bad) in cases {
            let field = field(&json!({ "field_type": field_type }));
            assert!(
                check(&field, &json!({ "value": good })).is_ok(),
                "{field_type} {good}"
            );
            assert!(
                check(&field, &json!({ "value": bad })).is_err(),
                "{field_type} {bad}"
            );
            assert!(
                check(&field, &json!({ "value": null })).is_err(),
                "{field_type} null"
            );
        }
    }

    #[test]
    fn an_entry_needs_a_value() {
        let field = field(&json!({ "field_type": "string" }));
        assert!(check(&field, &json!("bare")).is_err());
        assert!(check(&field, &json!({ "label": "x" })).is_err());
        assert!(check(&field, &json!({ "label": "x", "value": "x", "score": 1 })).is_ok());
    }

    #[test]
    fn numbers_stay_within_their_bounds_at_the_edges_too() {
        let field = field(&json!({ "field_type": "integer", "min_value": 1, "max_value": 3 }));
        for (value, fits) in [(0, false), (1, true), (3, true), (4, false)] {
            assert_eq!(
                check(&field, &json!({ "value": value })).is_ok(),
                fits,
                "{value}"
            );
        }
    }

    #[test]
    fn a_drop_down_takes_only_its_options_unless_they_come_from_elsewhere() {
        let mut field = field(&json!({
            "field_type": "drop_down",
            "options": [{ "label": "News", "value": "news" }],
        }));
        assert!(check(&field, &json!({ "value": "news" })).is_ok());
        assert!(check(&field, &json!({ "value": "sport" })).is_err());
        field.insert(
            "source_url".to_owned(),
            json!("https://example.com/options"),
        );
        assert!(check(&field, &json!({ "value": "sport" })).is_ok());
    }
}
