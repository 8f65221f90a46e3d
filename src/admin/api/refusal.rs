//! Why a request is not carried out: a status, a sentence, and what to do about it.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::admin::views::Problem;
use crate::store::StoreError;

/// An answer other than success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::admin) struct Refusal {
    status: StatusCode,
    problem: Problem,
}

impl Refusal {
    pub(in crate::admin) fn new(
        status: StatusCode,
        error: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        let hint: String = hint.into();
        Self {
            status,
            problem: Problem {
                error: error.into(),
                hint: (!hint.is_empty()).then_some(hint),
            },
        }
    }

    /// The request cannot be understood.
    pub(in crate::admin) fn bad(error: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error, hint)
    }

    /// What it names is not there.
    pub(in crate::admin) fn missing(error: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, error, hint)
    }

    /// It makes no sense as things are.
    pub(in crate::admin) fn conflict(error: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, error, hint)
    }

    /// The sentence.
    pub(in crate::admin) fn into_error(self) -> String {
        self.problem.to_string()
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        let words = error.to_string();
        let (status, hint) = match error {
            StoreError::Refused(_) => (StatusCode::CONFLICT, ""),
            StoreError::Overloaded => (StatusCode::TOO_MANY_REQUESTS, "ask again in a moment"),
            StoreError::Closed => (
                StatusCode::SERVICE_UNAVAILABLE,
                "the gateway is stopping; ask again when it is there",
            ),
            StoreError::Corrupt(_) => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "`cuegate store check` says what is damaged; compare with a backup",
            ),
            StoreError::Pruned(_) => (
                StatusCode::GONE,
                "[store] retention says how long events and journals are kept",
            ),
            StoreError::Locked(_)
            | StoreError::Schema(_)
            | StoreError::Unsuitable(_)
            | StoreError::NoRoom(_)
            | StoreError::Failed(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "look into the gateway's log",
            ),
        };
        if status.is_server_error() {
            tracing::warn!(error = %words, "a request to the admin API failed");
        }
        Self::new(status, words, hint)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(self.problem)).into_response()
    }
}
