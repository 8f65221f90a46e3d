//! Events of changes that no webhook has told of: found afterwards, by a search.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::{Event, EventKey, EventKind, SourceName};

/// What stands among the headers of an event that no webhook has told of: a person had Iconik searched for what was
/// missed. No request can bring it along.
const RECONCILED: &str = "cuegate-reconciled";

/// A change of an asset or a collection itself that no webhook has told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectChange<'a> {
    /// `assets` or `collections`.
    pub event_type: &'a str,
    /// `create`, `update` or `delete`.
    pub operation: &'a str,
    /// The object.
    pub object_id: &'a str,
    /// When it happened.
    pub at: Timestamp,
}

impl Event {
    /// The event of a change that a webhook should have told of, as far as it can be known afterwards: who did it and
    /// by which request cannot. One change has always the same key.
    pub fn reconciled(change: &ObjectChange<'_>, data: &Value, received_at: Timestamp) -> Self {
        let source = SourceName::from("iconik");
        let [event_type, operation, object_id] =
            [change.event_type, change.operation, change.object_id];
        let told = format!(
            "reconciled {event_type} {operation} {object_id} {}",
            change.at
        );
        let key = EventKey::of_message(&source, &told);
        Self {
            id: key.event_id(0),
            key,
            window: 0,
            source,
            kind: EventKind::Webhook,
            received_at,
            headers: BTreeMap::from([(RECONCILED.to_owned(), change.at.to_string())]),
            body: serde_json::json!({
                "event_type": event_type, "realm": "entity", "operation": operation, "object_id": object_id,
                "user_id": null, "system_domain_id": null, "request_id": null, "data": data,
            }),
        }
    }

    /// Whether it was made by [`Self::reconciled`].
    pub fn is_reconciled(&self) -> bool {
        self.headers.contains_key(RECONCILED)
    }
}
