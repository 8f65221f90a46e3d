//! What can come of a request, told apart by what the caller may do next and by nothing else.
//!
//! The question that matters after a write is whether it may have happened. Only a request that was never
//! sent and a refusal by status prove that it did not; everything else is uncertain, however likely.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::Value;

/// The longest message that is made from an answer, in bytes.
const MESSAGE_BYTES_MAX: usize = 500;

/// Why a request brought no reply.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CallError {
    /// It never left: no connection, no name, no TLS. Nothing happened; later is worth a try.
    #[error("Iconik cannot be reached: {what}")]
    NotSent {
        /// What stood in the way.
        what: String,
    },
    /// It cannot be sent as it is, now or later. Nothing happened.
    #[error("the request cannot be sent: {what}")]
    Malformed {
        /// What is wrong with it.
        what: String,
    },
    /// Iconik refused it for good (4xx, or a redirect that says it was not carried out). Nothing happened.
    #[error("Iconik refused the request with {status}: {message}")]
    Refused {
        /// The status.
        status: u16,
        /// Iconik's reasons in one line.
        message: String,
        /// Iconik's reasons as it gave them: a list, a map by field, or `null`.
        errors: Value,
        /// The whole answer if it was JSON, else `null`.
        body: Value,
    },
    /// Iconik does not know the credentials (401). Nothing happened, and nothing else will.
    #[error(
        "Iconik does not accept the credentials (401): {message}; check the credentials under [iconik]"
    )]
    Unauthorized {
        /// Iconik's reasons in one line.
        message: String,
    },
    /// Too many requests (429). Nothing happened; every caller pauses before the next request.
    #[error("Iconik asks for fewer requests (429)")]
    Throttled {
        /// How long Iconik asked to wait, if it said so; ten minutes at most.
        retry_after: Option<Duration>,
    },
    /// Nobody knows whether it happened: 5xx, 408, a time-out, a broken connection, half an answer, success
    /// without readable JSON.
    #[error("it is uncertain whether Iconik carried out the request: {what}")]
    Uncertain {
        /// The status, if one arrived.
        status: Option<u16>,
        /// What went wrong.
        what: String,
    },
    /// It was carried out, but the answer is too long to be kept. Repeating it changes nothing.
    #[error(
        "the answer ({status}) is larger than {limit_bytes} bytes; ask for fewer fields or fewer objects per page"
    )]
    TooLarge {
        /// The status, a success.
        status: u16,
        /// The most that is read.
        limit_bytes: usize,
    },
}

impl CallError {
    /// Whether it is certain that the request changed nothing, so that a write may be sent again.
    pub fn proves_nothing_happened(&self) -> bool {
        match self {
            Self::NotSent { .. }
            | Self::Malformed { .. }
            | Self::Refused { .. }
            | Self::Unauthorized { .. }
            | Self::Throttled { .. } => true,
            Self::Uncertain { .. } | Self::TooLarge { .. } => false,
        }
    }

    /// Whether the same request would fare the same again, so that its run has to be told.
    pub fn is_permanent(&self) -> bool {
        matches!(
            self,
            Self::Malformed { .. } | Self::Refused { .. } | Self::TooLarge { .. }
        )
    }

    /// The status, if Iconik answered with one.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::NotSent { .. } | Self::Malformed { .. } => None,
            Self::Refused { status, .. } | Self::TooLarge { status, .. } => Some(*status),
            Self::Unauthorized { .. } => Some(401),
            Self::Throttled { .. } => Some(429),
            Self::Uncertain { status, .. } => *status,
        }
    }

    /// What an answer without success means. `body` is as much of it as arrived, without secrets.
    pub(super) fn from_answer(
        status: StatusCode,
        retry_after: Option<Duration>,
        body: &str,
    ) -> Self {
        let said = Said::parse(status, body);
        match status {
            StatusCode::UNAUTHORIZED => Self::Unauthorized {
                message: said.message,
            },
            StatusCode::TOO_MANY_REQUESTS => Self::Throttled { retry_after },
            _ if is_refusal(status) => Self::Refused {
                status: status.as_u16(),
                message: said.message,
                errors: said.errors,
                body: said.body,
            },
            _ => Self::Uncertain {
                status: Some(status.as_u16()),
                what: format!("it answered {}: {}", status.as_u16(), said.message),
            },
        }
    }
}

/// Whether a status proves that nothing was done: 4xx but a time-out, and the redirects that ask for the same
/// request elsewhere (the others may follow on a success).
fn is_refusal(status: StatusCode) -> bool {
    status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT
        || matches!(
            status,
            StatusCode::MOVED_PERMANENTLY
                | StatusCode::TEMPORARY_REDIRECT
                | StatusCode::PERMANENT_REDIRECT
        )
}

/// What an answer without success says: documented are `{"errors": ["…"]}` and `{"errors": {"field": "…"}}`,
/// seen in the field are empty and HTML bodies too.
struct Said {
    message: String,
    errors: Value,
    body: Value,
}

impl Said {
    fn parse(status: StatusCode, text: &str) -> Self {
        let body: Value = serde_json::from_str(text).unwrap_or_default();
        let errors = body.get("errors").cloned().unwrap_or_default();
        let reasons = match &errors {
            Value::Array(reasons) => reasons.iter().map(plain).collect(),
            Value::Object(fields) => fields
                .iter()
                .map(|(field, reason)| format!("{field}: {}", plain(reason)))
                .collect(),
            Value::Null if body.is_null() => plain_text(text).into_iter().collect(),
            Value::Null => vec![plain(&body)],
            other => vec![plain(other)],
        };
        let reasons: Vec<String> = reasons;
        let mut message = reasons.join("; ");
        if message.trim().is_empty() {
            let name = status.canonical_reason().unwrap_or("unknown status");
            message = format!("{name}, without a reason");
        }
        if status.is_redirection() {
            message.push_str("; redirects are not followed, check iconik.base_url");
        }
        Self {
            message: shortened(message),
            errors,
            body,
        }
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Text that is no JSON, unless it is a page for a browser.
fn plain_text(text: &str) -> Option<String> {
    let text = text.trim();
    let shown = !text.is_empty() && !text.starts_with('<');
    shown.then(|| text.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn shortened(mut message: String) -> String {
    if message.len() > MESSAGE_BYTES_MAX {
        message.truncate(message.floor_char_boundary(MESSAGE_BYTES_MAX));
        message.push('…');
    }
    message
}

/// Why there can be no client.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The base URL is of no use.
    #[error("iconik.base_url `{url}` {why}; it looks like https://app.iconik.io/API")]
    BaseUrl {
        /// The URL as configured, without a password.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// A credential cannot be sent.
    #[error(
        "{key} holds characters that no HTTP header may have, such as a line break; check how it was pasted"
    )]
    Credential {
        /// The key of the configuration.
        key: &'static str,
    },
    /// TLS or the like cannot be set up.
    #[error(
        "the connection to Iconik cannot be set up: {what}; is the package with the CA certificates (ca-certificates) installed?"
    )]
    Connection {
        /// What stood in the way.
        what: String,
    },
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(status: u16, body: &str) -> CallError {
        let status = StatusCode::from_u16(status).expect("a status");
        CallError::from_answer(status, None, body)
    }

    fn message(error: &CallError) -> String {
        match error {
            CallError::Refused { message, .. } | CallError::Unauthorized { message } => {
                message.clone()
            }
            other => other.to_string(),
        }
    }

    #[test]
    fn reasons_are_readable_in_either_documented_form() {
        let list = answer(400, r#"{"errors": ["no title", "no status"]}"#);
        assert_eq!(message(&list), "no title; no status");
        let fields = answer(
            400,
            r#"{"errors": {"title": "missing", "size": ["too big"]}}"#,
        );
        assert_eq!(message(&fields), r#"size: ["too big"]; title: missing"#);
        let CallError::Refused { errors, body, .. } = fields else {
            panic!("{fields:?}")
        };
        assert_eq!(errors["title"], "missing");
        assert_eq!(body, json!({"errors": errors}));
    }

    #[test]
    fn bodies_of_no_documented_form_still_make_a_message() {
        for (body, expected) in [
            ("", "Not Found, without a reason"),
            (
                "<html><body>404</body></html>",
                "Not Found, without a reason",
            ),
            (r#"{"errors": []}"#, "Not Found, without a reason"),
            ("no such\n  asset", "no such asset"),
            (r#"{"detail": "gone"}"#, r#"{"detail":"gone"}"#),
            (r#"{"errors": "gone"}"#, "gone"),
        ] {
            assert_eq!(message(&answer(404, body)), expected, "{body}");
        }
        let long = message(&answer(404, &"ä".repeat(10_000)));
        assert!(long.len() <= MESSAGE_BYTES_MAX + '…'.len_utf8() && long.ends_with('…'));
    }

    #[test]
    fn only_what_was_refused_or_never_sent_proves_that_nothing_happened() {
        for status in [301, 307, 308, 400, 401, 403, 404, 409, 419, 422, 429] {
            let error = answer(status, "");
            assert!(error.proves_nothing_happened(), "{error}");
            assert_eq!(error.status(), Some(status));
        }
        for status in [302, 303, 304, 408, 500, 501, 502, 503, 504, 599] {
            let error = answer(status, "");
            assert!(!error.proves_nothing_happened(), "{error}");
            assert_eq!(error.status(), Some(status));
            assert!(error.to_string().contains(&status.to_string()), "{error}");
        }
        let unsent = CallError::NotSent {
            what: String::new(),
        };
        assert!(unsent.proves_nothing_happened() && !unsent.is_permanent());
    }

    #[test]
    fn what_is_permanent_is_told_from_what_may_pass() {
        assert!(answer(404, "").is_permanent());
        assert!(answer(308, "").is_permanent());
        for status in [401, 408, 429, 500] {
            assert!(!answer(status, "").is_permanent(), "{status}");
        }
    }
}
