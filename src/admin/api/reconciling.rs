//! Changes that no webhook has told of: found by a search while a webhook did not deliver, and made events here.

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::asked::Told;
use super::{Api, Refusal};
use crate::admin::views::{Problem, Reconciled};
use crate::model::{Event, ObjectChange};
use crate::store::EventFilter;

/// The most changes in a request.
const CHANGES_MAX: usize = 100;

/// The longest id of an object, in bytes.
const ID_BYTES_MAX: usize = 100;

/// What can be found out by a search.
const EVENT_TYPES: [&str; 2] = ["assets", "collections"];
const OPERATIONS: [&str; 3] = ["create", "update", "delete"];

/// Changes that may have been missed.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ReconcileTold {
    /// The changes, at most 100.
    changes: Vec<ChangeTold>,
    /// Only says how many were missed.
    count_only: bool,
    /// Who decides it, by any name.
    by: Option<String>,
}

/// A change of an asset or a collection itself.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeTold {
    /// `assets` or `collections`.
    event_type: String,
    /// `create`, `update` or `delete`.
    operation: String,
    /// The object.
    object_id: String,
    /// When it happened.
    at: Timestamp,
    /// What is known of the object: the `data` of the event.
    #[serde(default)]
    data: Map<String, Value>,
}

/// Makes events of changes that none has told of. Of the same kind on the same object, an event that arrived when the change had
/// happened, or later, counts as one that did. Asking for the same twice changes nothing.
#[utoipa::path(post, path = "/events/reconcile", tag = "events", request_body = ReconcileTold, responses(
    (status = OK, body = Reconciled), (status = BAD_REQUEST, body = Problem)))]
pub(super) async fn reconcile(
    State(api): State<Api>,
    Told(told): Told<ReconcileTold>,
) -> Result<Json<Reconciled>, Refusal> {
    if told.changes.len() > CHANGES_MAX {
        return Err(Refusal::bad(
            format!("changes: more than {CHANGES_MAX} are named"),
            "tell fewer at a time",
        ));
    }
    let deciding = api.deciding(told.by.clone())?;
    let mut missed = Vec::new();
    let mut known = 0;
    for change in told.changes {
        let event = change.event(&api)?;
        if arrived(&api, &event, change.at).await? {
            known += 1;
        } else {
            missed.push(event);
        }
    }
    let count = missed.len();
    let events: Vec<_> = missed.iter().map(|event| event.id).collect();
    if told.count_only || missed.is_empty() {
        return Ok(Json(Reconciled {
            missed: count,
            known,
            events: Vec::new(),
        }));
    }
    api.store.accept(missed).await?;
    metrics::counter!("cuegate_events_reconciled_total").increment(count as u64);
    tracing::info!(events = count, by = %deciding, "events were missed and are made up for");
    Ok(Json(Reconciled {
        missed: count,
        known,
        events,
    }))
}

impl ChangeTold {
    fn event(&self, api: &Api) -> Result<Event, Refusal> {
        let listed = |name: &str, given: &str, known: &[&str]| {
            if known.contains(&given) {
                return Ok(());
            }
            let known = known.join(", ");
            Err(Refusal::bad(
                format!("changes: `{given}` is no {name} that a search finds"),
                format!("there are {known}"),
            ))
        };
        listed("event_type", &self.event_type, &EVENT_TYPES)?;
        listed("operation", &self.operation, &OPERATIONS)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let id = &self.object_id;
        if id.is_empty() || id.len() > ID_BYTES_MAX || !id.chars().all(plain) {
            return Err(Refusal::bad(
                format!("changes: `{id}` cannot be the id of an object"),
                "give the id that Iconik gives",
            ));
        }
        let change = ObjectChange {
            event_type: &self.event_type,
            operation: &self.operation,
            object_id: id,
            at: self.at,
        };
        let data = Value::Object(self.data.clone());
        Ok(Event::reconciled(&change, &data, api.now()))
    }
}

/// Whether an event has told of the change, or of a later one that hides it.
async fn arrived(api: &Api, event: &Event, at: Timestamp) -> Result<bool, Refusal> {
    if api.store.event(event.id).await?.is_some() {
        return Ok(true);
    }
    let filter = EventFilter {
        source: Some(event.source.clone()),
        subject: Some(event.subject()),
        object: event.object().map(ToOwned::to_owned),
        since: Some(at),
        limit: 1,
        ..EventFilter::default()
    };
    Ok(!api.store.events(filter).await?.is_empty())
}
