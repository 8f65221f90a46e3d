//! Another person's token in the place of ours.

use reqwest::header::{HeaderName, HeaderValue};

use super::error::CallError;
use crate::model::Secret;

/// Iconik's header for the token of whoever calls.
pub(super) const AUTH_TOKEN: HeaderName = HeaderName::from_static("auth-token");

/// The token as a header that is not printed.
pub(super) fn sensitive(token: &Secret) -> Result<HeaderValue, CallError> {
    let mut value = HeaderValue::from_str(token.expose()).map_err(|_| CallError::Malformed {
        what: "the token has characters that a header cannot carry".to_owned(),
    })?;
    value.set_sensitive(true);
    Ok(value)
}
