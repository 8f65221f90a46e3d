//! Whether an event is about our own Iconik domain, and whether our own user caused it.

use std::sync::Arc;

use crate::model::{Event, EventKind};

/// Whether an event belongs to the Iconik domain that this gateway serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Domain {
    /// It does, or it names none.
    Ours,
    /// It names another one.
    Foreign,
    /// It names one, and ours is not known yet.
    Unknown,
}

/// Who we are in Iconik, as far as it is known.
#[derive(Clone, Debug, Default)]
pub(super) struct Own {
    /// Our domain.
    pub(super) domain: Option<String>,
    /// Our user.
    pub(super) user: Option<String>,
}

impl Own {
    /// Whether any of the events names a domain while ours is not known.
    pub(super) fn cannot_place(&self, events: &[Arc<Event>]) -> bool {
        events
            .iter()
            .any(|event| domain_of(event, self.domain.as_deref()) == Domain::Unknown)
    }
}

/// Whether our own user caused the event. Iconik says of a webhook who did it and not by which way, so whatever else
/// that user does counts as well. A pressed button is always somebody's wish.
pub(super) fn is_echo(event: &Event, user: Option<&str>) -> bool {
    event.kind == EventKind::Webhook && user.is_some() && event.text("user_id") == user
}

/// Compares the domain that the event names with our own.
pub(super) fn domain_of(event: &Event, own: Option<&str>) -> Domain {
    if event.kind == EventKind::Other {
        return Domain::Ours;
    }
    match (named_domain(event), own) {
        (None, _) => Domain::Ours,
        (Some(_), None) => Domain::Unknown,
        (Some(named), Some(own)) if named == own => Domain::Ours,
        (Some(_), Some(_)) => Domain::Foreign,
    }
}

/// The `system_domain_id` that an event of Iconik carries.
pub(super) fn named_domain(event: &Event) -> Option<&str> {
    event.text("system_domain_id")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::samples::event;
    use super::*;

    fn asset_event(domain: &str) -> Arc<Event> {
        Arc::new(event(
            EventKind::Webhook,
            json!({"event_type": "assets", "realm": "entity", "operation": "create",
                "object_id": "A", "system_domain_id": domain}),
        ))
    }

    #[test]
    fn only_webhooks_of_our_own_user_are_echoes() {
        let by = |kind, user: Value| event(kind, json!({ "user_id": user }));
        let own = by(EventKind::Webhook, "U".into());
        assert!(is_echo(&own, Some("U")));
        assert!(!is_echo(&own, None), "nobody knows yet");
        assert!(!is_echo(&by(EventKind::Webhook, "V".into()), Some("U")));
        assert!(!is_echo(&by(EventKind::Webhook, Value::Null), None));
        assert!(!is_echo(&by(EventKind::Button, "U".into()), Some("U")));
        assert!(!is_echo(&by(EventKind::Other, "U".into()), Some("U")));
    }

    #[test]
    fn a_domain_is_foreign_only_if_it_is_named_and_not_ours() {
        let ours = asset_event("D");
        assert_eq!(domain_of(&ours, Some("D")), Domain::Ours);
        assert_eq!(domain_of(&ours, Some("E")), Domain::Foreign);
        assert_eq!(domain_of(&ours, None), Domain::Unknown);
        let silent = event(EventKind::Webhook, json!({}));
        assert_eq!(domain_of(&silent, None), Domain::Ours);
        let other = event(EventKind::Other, json!({"system_domain_id": "X"}));
        assert_eq!(domain_of(&other, Some("D")), Domain::Ours);
    }
}
