//! What is stopped, as the API shows it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::store::Pause;

/// Something that is stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PauseView {
    /// `all`, `writes`, or `rule:` and the rule's name.
    pub scope: String,
    /// Whether the gateway stopped it by itself, because the rule kept breaking its workers.
    pub quarantine: bool,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

impl From<Pause> for PauseView {
    fn from(pause: Pause) -> Self {
        Self {
            scope: pause.scope.to_string(),
            quarantine: pause.quarantine,
            reason: pause.reason,
            since: pause.since,
        }
    }
}

/// Everything that is stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PauseList {
    /// The pauses and quarantines.
    pub pauses: Vec<PauseView>,
}

/// Whether something was let go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Resumed {
    /// Whether it was stopped before.
    pub resumed: bool,
}
