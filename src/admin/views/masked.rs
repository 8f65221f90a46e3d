//! What a trace does not show: answers of Iconik hold keys to storages and signed addresses, which the journal needs and a
//! reader does not.

use serde_json::Value;

/// Parts of the names of keys whose values are secrets. Iconik's documents have `upload_credentials`, `auth_token`,
/// `password`, `client_secret`, and `access_key` and the like in the settings of storages.
const SECRET_KEYS: [&str; 7] = [
    "password",
    "secret",
    "token",
    "credential",
    "private_key",
    "access_key",
    "signature",
];

/// What the query of a signed address has, by the storages' makers: S3, Google, Azure.
const SIGNATURES: [&str; 4] = [
    "x-amz-signature=",
    "x-goog-signature=",
    "signature=",
    "sig=",
];

const MASK: &str = "***";

/// The same without secrets.
pub(super) fn masked(body: &Value) -> Value {
    match body {
        Value::Object(map) => {
            let entries = map.iter().map(|(key, value)| {
                let shown = if is_secret(key) && !says_nothing(value) {
                    MASK.into()
                } else {
                    masked(value)
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
            "title": "what? sig=nothing", "password": null, "has_password": true, "auth_token": "", "number": 7,
            "next_url": "/API/assets/v1/assets/?page=2", "url": "https://app.iconik.io/asset/1?tab=files",
        });
        assert_eq!(masked(&body), body);
    }
}
