//! From verified bytes to the event that will be stored.
//!
//! What must never be stored is taken out here, once, before anything else sees the body: a custom action
//! carries the `auth_token` of the person who pressed the button. What the event is and what makes a second
//! delivery the same one follow from the body alone, never from the time.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::config::Mapping;
use crate::model::{Event, EventKey, EventKind, KEPT_HEADERS, SourceName};

use super::foreign::Told;
use super::sealing::AUTH_TOKEN;
use super::verify::{Request, Verified};

/// Why a body is no event.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// It declares itself a form, which is never JSON.
    #[error(
        "the body is declared as `{0}`; send JSON with the header `content-type: application/json`"
    )]
    Form(String),
    /// It is no JSON, or nested deeper than 127 levels.
    #[error("the body is no JSON: {0}")]
    NotJson(#[from] serde_json::Error),
    /// It is JSON of another kind.
    #[error("the body is JSON but no object; an event is one JSON object")]
    NotAnObject,
}

/// Reads the event that a request brings; `mapping` says how a foreign sender's is read. Pure: the same request makes
/// the same event.
///
/// # Errors
/// When the body is no JSON object.
pub fn parse(
    request: &Request<Verified>,
    source: &SourceName,
    dedup_window: Duration,
    mapping: Option<&Mapping>,
) -> Result<Event, MessageError> {
    refuse_forms(request)?;
    let mut body: Value = serde_json::from_slice(request.body())?;
    if !body.is_object() {
        return Err(MessageError::NotAnObject);
    }
    remove_tokens(&mut body);
    let told = mapping.map(|mapping| Told::in_message(mapping, request.headers(), &body));
    let kind = if told.is_some() {
        EventKind::Other
    } else {
        kind(&body)
    };
    let told = told.unwrap_or_else(|| Told::by_custom(&body));
    let key = match (request.message_id().or(told.id.as_deref()), kind) {
        (Some(id), _) => EventKey::of_message(source, id),
        (None, EventKind::Webhook | EventKind::Button) => EventKey::of_iconik(source, kind, &body),
        (None, EventKind::Schedule | EventKind::Object | EventKind::Other) => {
            EventKey::of_bytes(source, request.body())
        }
    };
    if kind == EventKind::Other {
        body = Event::other_body(told.kind.as_deref(), told.object.as_deref(), body);
    }
    let window = EventKey::window(request.received_at(), dedup_window);
    Ok(Event {
        id: key.event_id(window),
        key,
        window,
        source: source.clone(),
        kind,
        received_at: request.received_at(),
        headers: kept_headers(request),
        body,
    })
}

/// Any declared type but a form, or none at all, is read as JSON: Iconik's own is not documented.
fn refuse_forms(request: &Request<Verified>) -> Result<(), MessageError> {
    for value in request.headers().get_all("content-type") {
        let declared = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
        let essence = declared.split(';').next().unwrap_or_default().trim();
        if essence == "application/x-www-form-urlencoded" || essence.starts_with("multipart/") {
            return Err(MessageError::Form(essence.to_owned()));
        }
    }
    Ok(())
}

/// Takes every `auth_token` out, wherever it is. The parser's own limit bounds the depth.
fn remove_tokens(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.remove(AUTH_TOKEN);
            map.values_mut().for_each(remove_tokens);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_tokens),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Iconik names neither: a webhook is told by `event_type` with `realm` and `operation`, a custom action by
/// `context` and `action_id` (public recordings of 2021 to 2024).
fn kind(body: &Value) -> EventKind {
    let has = |keys: &[&str]| {
        keys.iter()
            .all(|key| body.get(key).is_some_and(Value::is_string))
    };
    if has(&["event_type", "realm", "operation"]) {
        EventKind::Webhook
    } else if has(&["context", "action_id"]) {
        EventKind::Button
    } else {
        EventKind::Other
    }
}

/// The headers of the allow-list; values of a repeated one are joined, as HTTP says they may be.
fn kept_headers(request: &Request<Verified>) -> BTreeMap<String, String> {
    let mut kept = BTreeMap::new();
    for name in KEPT_HEADERS {
        let values: Vec<_> = request
            .headers()
            .get_all(*name)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        if !values.is_empty() {
            kept.insert((*name).to_owned(), values.join(", "));
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use axum::body::Bytes;
    use axum::http::HeaderMap;
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::config;
    use crate::ingress::verify::Verifier;

    const DAY: Duration = Duration::from_secs(86_400);

    fn read(headers: HeaderMap, body: impl Into<Bytes>) -> Result<Event, MessageError> {
        let request = Request::new(headers, body.into(), Timestamp::UNIX_EPOCH);
        let verifier = Verifier::new(&config::Verify::None).expect("nothing to get wrong");
        let request = verifier.verify(request).expect("anybody may send");
        parse(&request, &SourceName::from("iconik"), DAY, None)
    }

    fn event(body: &Value) -> Event {
        read(HeaderMap::new(), body.to_string()).expect("an event")
    }

    fn nested(levels: usize) -> String {
        format!(
            "{{\"a\":{}{}}}",
            "[".repeat(levels - 1),
            "]".repeat(levels - 1)
        )
    }

    #[test]
    fn a_token_is_taken_out_wherever_it_hides() {
        let event = event(&json!({
            "context": "ASSET", "action_id": "a", "auth_token": "t-1",
            "data": {"auth_token": "t-2", "list": [{"auth_token": {"deep": "t-3"}, "kept": 1}]},
        }));
        assert_eq!(event.body["data"], json!({"list": [{"kept": 1}]}));
        assert!(!event.body.to_string().contains("t-"));
        let escaped = read(
            HeaderMap::new(),
            r#"{"auth\u005ftoken": "t-4", "auth_token": "t-5"}"#,
        );
        assert_eq!(escaped.expect("an event").body["data"], json!({}));
    }

    #[test]
    fn the_kind_follows_from_the_keys() {
        let webhook = json!({"event_type": "assets", "realm": "entity", "operation": "create"});
        assert_eq!(event(&webhook).kind, EventKind::Webhook);
        let button = json!({"context": "NONE", "action_id": "a"});
        assert_eq!(event(&button).kind, EventKind::Button);
        for other in [
            json!({}),
            json!({"event_type": "assets"}),
            json!({"event_type": "assets", "realm": null, "operation": "create"}),
            json!({"event_type": 1, "realm": "entity", "operation": "create"}),
            json!({"context": "NONE"}),
        ] {
            assert_eq!(event(&other).kind, EventKind::Other, "{other}");
        }
    }

    #[test]
    fn the_order_of_keys_and_white_space_do_not_make_a_webhook_a_new_one() {
        let one =
            r#"{"event_type":"assets","realm":"entity","operation":"create","data":{"a":1,"b":2}}"#;
        let same = r#"{ "operation":"create", "data": {"b": 2, "a": 1}, "realm":"entity", "event_type":"assets"}"#;
        let other =
            r#"{"event_type":"assets","realm":"entity","operation":"create","data":{"a":1,"b":3}}"#;
        let id = |body: &'static str| read(HeaderMap::new(), body).expect("an event").id;
        assert_eq!(id(one), id(same));
        assert_ne!(id(one), id(other));
    }

    #[test]
    fn a_button_pressed_with_a_new_token_is_the_same_press() {
        let press = |token: &str| {
            event(
                &json!({"context": "ASSET", "action_id": "a", "user_id": "u", "auth_token": token,
                "date_created": "2022-04-29T00:22:10.316685", "asset_ids": ["1"]}),
            )
            .id
        };
        assert_eq!(press("one"), press("two"));
    }

    #[test]
    fn what_is_no_json_object_is_refused() {
        for body in ["", "{", "a=b", "{} {}", "\u{feff}{}", "{\"a\":1e999}"] {
            let error = read(HeaderMap::new(), body).expect_err(body);
            assert!(matches!(error, MessageError::NotJson(_)), "{body}");
        }
        for body in ["[]", "null", "1", "\"text\""] {
            let error = read(HeaderMap::new(), body).expect_err(body);
            assert!(matches!(error, MessageError::NotAnObject), "{body}");
        }
        let not_text = read(HeaderMap::new(), &b"{\"a\": \"\xff\"}"[..]);
        assert!(matches!(not_text, Err(MessageError::NotJson(_))));
    }

    #[test]
    fn nesting_has_a_limit() {
        assert!(read(HeaderMap::new(), nested(127)).is_ok());
        let error = read(HeaderMap::new(), nested(128)).expect_err("too deep");
        assert!(error.to_string().contains("recursion limit"), "{error}");
        assert!(read(HeaderMap::new(), nested(100_000)).is_err());
    }

    #[test]
    fn only_forms_are_refused_by_their_type() {
        let typed = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.append("content-type", value.parse().expect("a header value"));
            read(headers, "{}")
        };
        for fine in [
            "application/json; charset=utf-8",
            "text/plain",
            "nonsense",
            "",
        ] {
            assert!(typed(fine).is_ok(), "{fine}");
        }
        for form in [
            "application/x-www-form-urlencoded",
            "Application/X-WWW-Form-Urlencoded; charset=utf-8",
            "multipart/form-data; boundary=x",
        ] {
            assert!(matches!(typed(form), Err(MessageError::Form(_))), "{form}");
        }
    }

    #[test]
    fn only_listed_headers_are_kept() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("cuegate-rule", "news/tag"),
            ("content-type", "application/json"),
            ("authorization", "Bearer t"),
            ("cookie", "t"),
            ("x-cuegate-secret", "t"),
        ] {
            headers.append(name, value.parse().expect("a header value"));
        }
        let event = read(headers, "{}").expect("an event");
        let kept: Vec<_> = event.headers.keys().map(String::as_str).collect();
        assert_eq!(kept, ["content-type", "cuegate-rule"]);
        assert_eq!(event.headers["cuegate-rule"], "news/tag");
    }
}
