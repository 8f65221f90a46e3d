//! Writes what happened as fixtures, one file for each request with its answer and one for each attempt to
//! deliver an event, so that a test can be made of a session.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};
use tracing::warn;

use super::records::Delivery;

/// Keys whose values are secrets.
const SECRETS: [&str; 4] = ["token", "auth_token", "password", "headers"];

/// Writes fixtures into a folder.
#[derive(Debug)]
pub(super) struct Recorder {
    folder: PathBuf,
    written: AtomicU64,
}

/// A request with its answer.
#[derive(Debug)]
pub(super) struct Exchange<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) query: Option<&'a str>,
    pub(super) request: &'a [u8],
    pub(super) status: u16,
    pub(super) answer: &'a [u8],
}

impl Recorder {
    /// Makes the folder if there is none.
    pub(super) fn into_folder(folder: &Path) -> std::io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        Ok(Self {
            folder: folder.to_owned(),
            written: AtomicU64::new(0),
        })
    }

    /// Writes a request and its answer.
    pub(super) async fn exchange(&self, exchange: &Exchange<'_>) {
        let name = exchange.path.trim_matches('/').replace('/', ".");
        let fixture = json!({
            "method": exchange.method,
            "path": exchange.path,
            "query": exchange.query,
            "request": body(exchange.request),
            "status": exchange.status,
            "answer": body(exchange.answer),
        });
        self.write(&format!("{}.{name}", exchange.method), &fixture)
            .await;
    }

    /// Writes an attempt to deliver an event.
    pub(super) async fn delivery(&self, delivery: &Delivery) {
        let word = |key: &str| delivery.envelope[key].as_str().unwrap_or("none").to_owned();
        let name = ["event_type", "realm", "operation"].map(word).join(".");
        let outcome = match &delivery.outcome {
            Ok(status) => json!(status),
            Err(error) => json!(error),
        };
        let fixture = json!({
            "webhook_id": delivery.webhook_id,
            "attempt": delivery.attempt,
            "outcome": outcome,
            "event": delivery.envelope,
        });
        self.write(&format!("event.{name}"), &fixture).await;
    }

    /// A fixture that cannot be written is told and missed; the simulator goes on.
    async fn write(&self, name: &str, fixture: &Value) {
        let number = self.written.fetch_add(1, Ordering::Relaxed) + 1;
        let named = format!("{number:05}.{name}");
        let short: String = named.chars().take(150).collect();
        let file = self.folder.join(format!("{short}.json"));
        let text = format!("{:#}\n", without_secrets(fixture));
        if let Err(error) = tokio::fs::write(&file, text).await {
            warn!(%error, file = %file.display(), "a fixture could not be written");
        }
    }
}

/// JSON as it is, anything else as a text.
fn body(bytes: &[u8]) -> Value {
    match bytes {
        [] => Value::Null,
        bytes => {
            serde_json::from_slice(bytes).unwrap_or_else(|_| json!(String::from_utf8_lossy(bytes)))
        }
    }
}

fn without_secrets(value: &Value) -> Value {
    match value {
        Value::Object(entries) => {
            let entries = entries.iter().map(|(key, value)| {
                let is_secret = SECRETS.contains(&key.as_str()) && !value.is_null();
                let value = match is_secret {
                    true => json!("<REDACTED>"),
                    false => without_secrets(value),
                };
                (key.clone(), value)
            });
            Value::Object(entries.collect())
        }
        Value::Array(values) => values.iter().map(without_secrets).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_reaches_a_fixture() {
        let answer = json!({ "id": "1", "token": "t", "objects": [{ "headers": { "x": "s" } }] });
        let shown = json!({
            "id": "1", "token": "<REDACTED>", "objects": [{ "headers": "<REDACTED>" }],
        });
        assert_eq!(without_secrets(&answer), shown);
    }
}
