//! Events as the API shows them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{FailureView, RunRow};
use crate::model::{EventId, EventState, RuleId, RuleVersion};
use crate::store::{EventSummary, InLine, WhenFailures};

/// An event in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventRow {
    /// Its id.
    #[schema(value_type = String)]
    pub id: EventId,
    /// Who sent it.
    pub source: String,
    /// When it was received.
    pub received_at: Timestamp,
    /// How far it is.
    #[schema(schema_with = super::event_states)]
    pub state: EventState,
    /// What it says, as patterns name it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The object that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Whether our own user caused it.
    pub echo: bool,
    /// How many runs it has made.
    pub runs: u64,
}

impl From<EventSummary> for EventRow {
    fn from(event: EventSummary) -> Self {
        Self {
            id: event.id,
            source: event.source.0,
            received_at: event.received_at,
            state: event.state,
            subject: event.subject,
            object: event.object,
            echo: event.echo,
            runs: event.runs,
        }
    }
}

/// Events, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventPage {
    /// The events.
    pub events: Vec<EventRow>,
    /// The value of `before` for the next page, if there may be one.
    #[schema(value_type = Option<String>)]
    pub before: Option<EventId>,
}

/// One event with what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EventDetails {
    /// The event.
    pub event: EventRow,
    /// `webhook`, `button`, `schedule` or `other`.
    pub kind: String,
    /// The request headers that were kept.
    pub headers: BTreeMap<String, String>,
    /// The JSON that was sent, without secrets.
    pub body: Value,
    /// The rule set that decided about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule_set: Option<String>,
    /// Ids under which repeated deliveries of it were answered.
    #[schema(value_type = Vec<String>)]
    pub aliases: Vec<EventId>,
    /// Rules in quarantine that it is held back for.
    #[schema(value_type = Vec<String>)]
    pub held_for: Vec<RuleId>,
    /// Rules whose `when` failed on it.
    pub failures: Vec<WhenFailure>,
    /// The first runs that it made, newest first.
    pub runs: Vec<RunRow>,
}

/// A `when` that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhenFailure {
    /// The rule.
    #[schema(value_type = String)]
    pub rule: RuleId,
    /// Its version.
    #[schema(value_type = String)]
    pub version: RuleVersion,
    /// How it failed.
    pub failure: FailureView,
}

/// What stands in line to be routed once more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Rerouted {
    /// Events that were put in line, or stood there already; or that would be, if only the number was asked for.
    pub events: usize,
    /// Ids of which nothing is known, or that are not routed yet and will be anyway.
    #[schema(value_type = Vec<String>)]
    pub unknown: Vec<EventId>,
    /// Events whose payloads are outside retention, so that no rule can be asked about them.
    pub pruned: usize,
    /// The value of `page` for the next page, if there may be one.
    pub next: Option<String>,
}

impl From<InLine> for Rerouted {
    fn from(line: InLine) -> Self {
        Self {
            events: line.events,
            unknown: line.unknown,
            pruned: line.pruned,
            next: line.next.map(|page| page.to_string()),
        }
    }
}

/// What came of changes that may have been missed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reconciled {
    /// Changes that no event had told of.
    pub missed: usize,
    /// Changes that an event had told of.
    pub known: usize,
    /// The events that were made of those that were missed.
    #[schema(value_type = Vec<String>)]
    pub events: Vec<EventId>,
}

/// Places where `when` or `lane` failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FailurePlaces {
    /// The places, those with the most events first.
    pub places: Vec<FailurePlace>,
}

/// A place where `when` or `lane` failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FailurePlace {
    /// The rule.
    #[schema(value_type = String)]
    pub rule: RuleId,
    /// Its version.
    #[schema(value_type = String)]
    pub version: RuleVersion,
    /// On how many events.
    pub events: u64,
    /// The first of them.
    #[schema(value_type = String)]
    pub first: EventId,
    /// The last of them.
    #[schema(value_type = String)]
    pub last: EventId,
    /// How it failed on the last one.
    pub failure: FailureView,
}

impl From<WhenFailures> for FailurePlace {
    fn from(failures: WhenFailures) -> Self {
        Self {
            rule: failures.rule,
            version: failures.version,
            events: failures.events,
            first: failures.first,
            last: failures.last,
            failure: failures.failure.into(),
        }
    }
}
