//! What a target has answered, as a rule sees it.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER, SET_COOKIE};
use serde_json::Value;

/// The longest pause that a `Retry-After` may ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(600);

pub(super) fn body_of(headers: &HeaderMap, bytes: &[u8]) -> Value {
    if bytes.is_empty() {
        return Value::Null;
    }
    let content_type = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let content_type = String::from_utf8_lossy(content_type.unwrap_or_default()).to_lowercase();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    let is_json = media_type.ends_with("/json") || media_type.ends_with("+json");
    let json = is_json
        .then(|| serde_json::from_slice(bytes).ok())
        .flatten();
    json.unwrap_or_else(|| Value::String(String::from_utf8_lossy(bytes).into_owned()))
}

pub(super) fn shown(headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut shown: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in headers.iter().filter(|(name, _)| *name != SET_COOKIE) {
        let value = String::from_utf8_lossy(value.as_bytes());
        shown
            .entry(name.as_str().to_owned())
            .and_modify(|values| {
                values.push_str(", ");
                values.push_str(&value);
            })
            .or_insert_with(|| value.into_owned());
    }
    shown
}

pub(super) fn size_of(headers: &HeaderMap) -> usize {
    headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum()
}

/// `Retry-After`, which is a number of seconds or a date, within reason.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX));
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    let wait = Duration::try_from(date.duration_since(now)).unwrap_or_default();
    Some(wait.min(RETRY_AFTER_MAX))
}
