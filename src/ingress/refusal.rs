//! Everything that a sender can be told instead of "accepted".
//!
//! The status tells a machine what to do (401 look at the secret, 429 and 503 come again), the text tells a
//! person. One rule has no exception: whoever is not verified learns only that, not why. And never 410, which
//! makes some senders forget the address for good.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::store::StoreError;

use super::message::MessageError;
use super::sender::AddressError;
use super::verify::VerifyError;

/// When to come again after a burst: the queue to the disk empties many times in a second.
const AFTER_OVERLOAD_SECONDS: u32 = 1;
/// When to come again after trouble of the store or a stop: about the time of a restart.
const AFTER_TROUBLE_SECONDS: u32 = 5;
/// When to come again while the disk has no room: somebody has to make some.
const AFTER_NO_ROOM_SECONDS: u32 = 30;

/// Why a request was not accepted.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("nothing is here; events are posted to /hooks/NAME")]
    NoSuchPath,
    #[error("no source of this name is configured; the address is /hooks/NAME for [sources.NAME]")]
    UnknownSource,
    #[error("events are posted: use POST")]
    WrongMethod,
    #[error("the sender could not be verified")]
    Unverified(#[source] VerifyError),
    /// In the words of the one before: an address tells nobody why it was refused.
    #[error("the sender could not be verified")]
    WrongAddress(#[source] AddressError),
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    #[error("the request did not arrive in time")]
    TooSlow,
    #[error("the body broke off")]
    BrokenOff,
    #[error(transparent)]
    Message(#[from] MessageError),
    #[error("more events arrive than can be stored at the moment; try again shortly")]
    Overloaded,
    #[error("there is no room for new events at the moment; try again later")]
    NoRoom,
    #[error("the event could not be stored; try again later")]
    Store(#[source] StoreError),
    #[error("the event could not be stored in time; try again later")]
    StoreTooSlow,
    #[error("the gateway is stopping; try again later")]
    Draining,
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Overloaded => Self::Overloaded,
            StoreError::Closed => Self::Draining,
            StoreError::NoRoom(_) => Self::NoRoom,
            StoreError::Locked(_)
            | StoreError::Unsuitable(_)
            | StoreError::Pruned(_)
            | StoreError::Schema(_)
            | StoreError::Corrupt(_)
            | StoreError::Refused(_)
            | StoreError::Failed(_) => Self::Store(error),
        }
    }
}

impl Refusal {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::NoSuchPath | Self::UnknownSource => StatusCode::NOT_FOUND,
            Self::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::Unverified(_) | Self::WrongAddress(_) => StatusCode::UNAUTHORIZED,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Message(MessageError::Form(_)) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::BrokenOff | Self::Message(_) => StatusCode::BAD_REQUEST,
            Self::Overloaded => StatusCode::TOO_MANY_REQUESTS,
            Self::NoRoom | Self::Store(_) | Self::StoreTooSlow | Self::Draining => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    /// The kind, as a label of counters.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::NoSuchPath => "no_such_path",
            Self::UnknownSource => "unknown_source",
            Self::WrongMethod => "wrong_method",
            Self::Unverified(error) => error.reason(),
            Self::WrongAddress(error) => error.reason(),
            Self::TooLarge(_) => "too_large",
            Self::TooSlow => "too_slow",
            Self::BrokenOff => "broken_off",
            Self::Message(MessageError::Form(_)) => "form",
            Self::Message(MessageError::NotJson(_)) => "not_json",
            Self::Message(MessageError::NotAnObject) => "not_an_object",
            Self::Overloaded => "overloaded",
            Self::NoRoom => "no_room",
            Self::Store(_) => "store",
            Self::StoreTooSlow => "store_too_slow",
            Self::Draining => "draining",
        }
    }

    fn retry_after_seconds(&self) -> Option<u32> {
        match self.status() {
            _ if matches!(self, Self::NoRoom) => Some(AFTER_NO_ROOM_SECONDS),
            StatusCode::TOO_MANY_REQUESTS => Some(AFTER_OVERLOAD_SECONDS),
            StatusCode::SERVICE_UNAVAILABLE => Some(AFTER_TROUBLE_SECONDS),
            _ => None,
        }
    }

    /// Whether part of the body may still be on its way, so that the connection is of no more use.
    fn leaves_body_unread(&self) -> bool {
        matches!(
            self,
            Self::TooLarge(_)
                | Self::TooSlow
                | Self::BrokenOff
                | Self::Draining
                | Self::WrongAddress(_)
        )
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = self.status();
        let body = json!({ "error": self.to_string(), "status": status.as_u16() });
        let mut response = (status, Json(body)).into_response();
        if let Some(seconds) = self.retry_after_seconds() {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.leaves_body_unread() {
            response
                .headers_mut()
                .insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_not_verified_learns_only_that() {
        let texts = [
            VerifyError::MissingHeader("x-cuegate-secret".to_owned()),
            VerifyError::BadSignature,
            VerifyError::OutsideWindow {
                away_seconds: 301,
                tolerance_seconds: 300,
            },
        ]
        .map(|error| Refusal::Unverified(error).to_string());
        assert!(texts.iter().all(|text| *text == texts[0]), "{texts:?}");
    }

    #[test]
    fn what_the_store_says_stays_inside() {
        let refusal = Refusal::from(StoreError::Failed("/var/lib/cuegate: disk full".to_owned()));
        assert_eq!(refusal.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(!refusal.to_string().contains("/var"));
    }
}
