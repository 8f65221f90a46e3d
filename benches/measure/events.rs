//! The event that everything is measured with: an Iconik webhook about changed metadata.

use serde_json::{Value, json};

/// The domain that the measured gateways serve.
pub(super) const DOMAIN: &str = "5bb1f0ac-11a6-4c22-93f5-1ec1ea9d1cb3";

/// The digits of a request id.
pub(super) const REQUEST_ID_DIGITS: usize = 32;

/// The body of event number `number`, `bytes` long.
pub(super) fn body(number: u64, bytes: usize) -> Value {
    let mut body = json!({
        "event_type": "assets",
        "realm": "metadata",
        "operation": "update",
        "object_id": "2f1c7a52-8a0e-4a3c-9b6f-0a6f5b1d2c3e",
        "user_id": "7d9d6f0e-3c1b-4b58-9a45-61b0f0c8e9aa",
        "system_domain_id": DOMAIN,
        "request_id": format!("{number:0REQUEST_ID_DIGITS$x}"),
        "data": {
            "object_type": "assets",
            "object_id": "2f1c7a52-8a0e-4a3c-9b6f-0a6f5b1d2c3e",
            "metadata_values": {
                "title": { "field_values": [{ "value": "SPORT_Evening game" }] },
                "rating": { "field_values": [{ "value": 3 }] },
            },
            "related_ids": [],
            "note": "",
        },
    });
    let related: Vec<Value> = (0..20)
        .map(|n| Value::from(format!("00000000-0000-4000-8000-{n:012x}")))
        .collect();
    body["data"]["related_ids"] = related.into();
    let missing = bytes.saturating_sub(body.to_string().len());
    body["data"]["note"] = "metadata ".repeat(missing / 9 + 1)[..missing].into();
    body
}
