//! What people and monitoring read of the store: counts, filters of lists, and what a list shows.

use jiff::Timestamp;

use super::Pause;
use crate::model::{
    Event, EventId, EventState, Failure, RuleId, RuleSetId, RuleVersion, Run, RunId, RunState,
    SourceName, Tally, WaitForEvent,
};

/// How much of everything there is, and what is stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Accepted events that are not routed yet.
    pub unrouted: u64,
    /// Routed events by state.
    pub events: Vec<(EventState, u64)>,
    /// Runs by state; states without runs are left out.
    pub runs: Vec<(RunState, u64)>,
    /// Waiting, parked and dead runs by class and rule; those without runs are left out.
    pub classes: Vec<ClassCount>,
    /// Since when the oldest run is due that is not claimed: its lane is free, or its time has come.
    pub due_since: Option<Timestamp>,
    /// Everything that is paused or in quarantine.
    pub stopped: Vec<Pause>,
    /// The active rule set.
    pub rule_set: Option<RuleSetId>,
}

/// How many runs of a rule are in a state for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassCount {
    /// `waiting`, `parked` or `dead`.
    pub state: RunState,
    /// What it waits for, why it is parked, or why it is dead: the name of a [`crate::model::WaitsFor`], a
    /// [`crate::model::ParkedClass`] or a [`crate::model::DeadClass`].
    pub class: String,
    /// The rule.
    pub rule: RuleId,
    /// How many. Dead runs that a person has followed up are left out.
    pub number: u64,
}

/// Which runs are meant. What is not said does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Only in these states.
    pub states: Vec<RunState>,
    /// Only of this rule.
    pub rule: Option<RuleId>,
    /// Only dead or parked for this reason, by its name.
    pub class: Option<String>,
    /// Only of this event, by its id or an alias of it.
    pub event: Option<EventId>,
    /// Only about this object.
    pub object: Option<String>,
    /// Only children of this run.
    pub parent: Option<RunId>,
    /// Only made at this time or later.
    pub since: Option<Timestamp>,
    /// Only made before this time.
    pub until: Option<Timestamp>,
    /// Only dead runs that nobody has retried or replayed.
    pub dead_letters: bool,
    /// Only with a smaller number than this: where the page before ended.
    pub before: Option<RunId>,
    /// At most this many; 0 is 100.
    pub limit: usize,
}

/// How many runs a filter means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Matching {
    /// How many, counted up to [`Matching::COUNTED_MAX`].
    pub number: u64,
    /// The newest of them.
    pub newest: Option<RunId>,
}

impl Matching {
    /// The most that are counted; with this number there may be more.
    pub const COUNTED_MAX: u64 = 100_000;
}

/// Which events are meant. What is not said does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Only in these states.
    pub states: Vec<EventState>,
    /// Only of this sender.
    pub source: Option<SourceName>,
    /// Only with this subject, as patterns name it. Events that are not routed yet are left out then.
    pub subject: Option<String>,
    /// Only about this object. Events that are not routed yet are left out then.
    pub object: Option<String>,
    /// Only received at this time or later.
    pub since: Option<Timestamp>,
    /// Only received before this time.
    pub until: Option<Timestamp>,
    /// Only with an id that begins with these hexadecimal digits.
    pub id: Option<String>,
    /// Only behind this one in the list: where the page before ended.
    pub before: Option<EventId>,
    /// At most this many; 0 is 100.
    pub limit: usize,
}

/// An event as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventSummary {
    /// Its id.
    pub id: EventId,
    /// Who sent it.
    pub source: SourceName,
    /// When.
    pub received_at: Timestamp,
    /// How far it is.
    pub state: EventState,
    /// What it says: [`Event::subject`]. Not known of events that an older version routed.
    pub subject: Option<String>,
    /// The object that it is about: [`Event::object`].
    pub object: Option<String>,
    /// Whether our own user caused it.
    pub echo: bool,
    /// How many runs it has made.
    pub runs: u64,
}

/// An event as the store keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredEvent {
    /// The event.
    pub event: Event,
    /// How far it is.
    pub state: EventState,
    /// The rule set that decided about it.
    pub rule_set: Option<RuleSetId>,
    /// Rules whose `when` failed on it.
    pub failures: Vec<(RuleId, RuleVersion, Failure)>,
}

/// What is known of an event besides itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AboutEvent {
    /// Ids under which repeated deliveries of it were answered.
    pub aliases: Vec<EventId>,
    /// Whether our own user caused it.
    pub echo: bool,
    /// Rules in quarantine that it is held back for.
    pub held_for: Vec<RuleId>,
}

/// What an unfinished run stands behind and waits for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Standing {
    /// The run at the head of its lane, if it is another one.
    pub head: Option<Box<Run>>,
    /// How many unfinished runs of its lane come before it.
    pub before: u64,
    /// The event that it waits for.
    pub event: Option<WaitForEvent>,
    /// The job that it waits for.
    pub job: Option<String>,
    /// How its children are, if it has any.
    pub children: Option<Tally>,
}
