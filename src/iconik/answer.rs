//! What comes back: an answer up to a bound, half of one, or none at all.

use reqwest::Response;
use serde_json::Value;

use crate::model::causes;

use super::error::CallError;
use super::login::Credentials;

/// The longest answer that is read, in bytes: what one step of a journal may hold.
pub(super) const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// As much of an unsuccessful answer as arrives and fits; the status says the rest. Should it repeat the token, the token
/// is taken out, because reasons are journaled and shown.
pub(super) async fn read_reasons(response: Response, credentials: &Credentials) -> String {
    let (Ok(bytes) | Err(ReadError::Broken(bytes, _) | ReadError::TooLarge(bytes))) =
        read(response).await;
    credentials.redacted(&String::from_utf8_lossy(&bytes))
}

/// Why a body is not there in full, with what there is of it.
pub(super) enum ReadError {
    Broken(Vec<u8>, reqwest::Error),
    TooLarge(Vec<u8>),
}

pub(super) async fn read(mut response: Response) -> Result<Vec<u8>, ReadError> {
    let mut bytes = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if bytes.len() + chunk.len() > ANSWER_BYTES_MAX => {
                return Err(ReadError::TooLarge(bytes));
            }
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => return Ok(bytes),
            Err(error) => return Err(ReadError::Broken(bytes, error)),
        }
    }
}

pub(super) async fn read_json(response: Response) -> Result<Value, CallError> {
    let status = response.status().as_u16();
    let uncertain = |what: String| CallError::Uncertain {
        status: Some(status),
        what,
    };
    let bytes = read(response).await.map_err(|error| match error {
        ReadError::TooLarge(_) => CallError::TooLarge {
            status,
            limit_bytes: ANSWER_BYTES_MAX,
        },
        ReadError::Broken(bytes, error) => uncertain(format!(
            "its answer {status} broke off after {} bytes: {}",
            bytes.len(),
            causes(&error)
        )),
    })?;
    if bytes.trim_ascii().is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&bytes)
        .map_err(|error| uncertain(format!("its answer {status} is not JSON: {error}")))
}

/// What a request without an answer means.
pub(super) fn unanswered(error: &reqwest::Error) -> CallError {
    let what = causes(error);
    if error.is_builder() {
        CallError::Malformed { what }
    } else if error.is_connect() {
        CallError::NotSent { what }
    } else if error.is_timeout() {
        CallError::Uncertain {
            status: None,
            what: format!("no answer in time: {what}"),
        }
    } else {
        CallError::Uncertain { status: None, what }
    }
}
