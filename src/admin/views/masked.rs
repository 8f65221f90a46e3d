//! What a trace does not show: answers of Iconik hold keys to storages and signed addresses, which the journal needs and a
//! reader does not.

use std::collections::BTreeMap;

use serde_json::Value;

/// Parts of the names of keys whose values are secrets. Iconik's documents have `upload_credentials`, `auth_token`,
/// `password`, `client_secret`, and in the settings of storages and services `json_key`, `api_key`, `user_key`,
/// `access_key`, `metadata_conversion_url_headers`; targets of `[egress]` are sent headers.
const SECRET_KEYS: [&str; 14] = [
    "password",
    "secret",
    "token",
    "credential",
    "private_key",
    "access_key",
    "json_key",
    "api_key",
    "apikey",
    "api-key",
    "user_key",
    "authorization",
    "cookie",
    "url_headers",
];

/// Whose keys are names that people have given to fields.
const NAMED_BY_PEOPLE: &str = "metadata_values";

/// What the query of an address has that is as good as a key, by the storages' makers: S3, Google, Azure.
const SIGNATURES: [&str; 6] = [
    "x-amz-signature=",
    "x-goog-signature=",
    "signature=",
    "sig=",
    "upload_id=",
    "token=",
];

const MASK: &str = "***";

/// The same without secrets.
pub(super) fn masked(body: &Value) -> Value {
    match body {
        Value::Object(map) => {
            let entries = map.iter().map(|(key, value)| {
                let shown = match value {
                    Value::Object(fields) if key == NAMED_BY_PEOPLE => {
                        let fields = fields.iter();
                        fields
                            .map(|(name, value)| (name.clone(), masked(value)))
                            .collect()
                    }
                    _ if is_secret(key) && !says_nothing(value) => MASK.into(),
                    _ => masked(value),
                };
                (key.clone(), shown)
            });
            Value::Object(entries.collect())
        }
        Value::Array(items) => items.iter().map(masked).collect(),
        Value::String(text) => unsigned(text).map_or_else(|| body.clone(), Value::from),
        Value::Null | Value::Bool(_) | Value::Number(_) => body.clone(),
    }
}

/// A query without secrets.
pub(super) fn masked_query(query: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let masked = query.iter().map(|(key, value)| {
        let shown = if is_secret(key) { MASK } else { value };
        (key.clone(), shown.to_owned())
    });
    masked.collect()
}

fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    SECRET_KEYS.iter().any(|secret| key.contains(secret))
}

/// Whether there is nothing to hide: that something is not set helps a reader.
fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Number(_) => false,
    }
}

/// A signed address without its query.
fn unsigned(text: &str) -> Option<String> {
    let (address, query) = text.split_once('?')?;
    let query = query.to_ascii_lowercase();
    let signed = SIGNATURES.iter().any(|signature| query.contains(signature));
    (signed && address.contains("://")).then(|| format!("{address}?{MASK}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_of_storages_and_signed_addresses_are_not_shown_at_any_depth() {
        let body = json!({
            "id": "a", "upload_credentials": { "key": "AKIA" }, "upload_url": "https://s3/b/a.mov?X-Amz-Signature=ab&x=1",
            "objects": [{ "settings": { "aws_secret_access_key": "s", "bucket": "media" } }],
        });
        assert_eq!(
            masked(&body),
            json!({
                "id": "a", "upload_credentials": "***", "upload_url": "https://s3/b/a.mov?***",
                "objects": [{ "settings": { "aws_secret_access_key": "***", "bucket": "media" } }],
            })
        );
    }

    #[test]
    fn what_is_no_secret_and_what_is_not_set_stays() {
        let body = json!({
            "metadata_values": { "api_key_of_the_desk": { "field_values": [{ "value": "open" }] } },
            "title": "what? sig=nothing", "password": null, "has_password": true, "auth_token": "", "number": 7,
            "next_url": "/API/assets/v1/assets/?page=2", "url": "https://app.iconik.io/asset/1?tab=files",
        });
        assert_eq!(masked(&body), body);
    }
}
