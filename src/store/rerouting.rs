//! Routing an event once more: because a person asks for it, or because a rule is out of quarantine.
//!
//! What is to be routed again stands in line and is committed like any other routing: under the active rule set, once,
//! in the order in which it came.

use std::fmt::{Debug, Display, Formatter};
use std::str::FromStr;

use async_trait::async_trait;

use super::{BatchToken, EventFilter, Routed, Routing, StoreError};
use crate::model::{Event, EventId, Failure, RuleId, RuleVersion};

/// What a person wants to be routed once more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reroute {
    /// Which events.
    pub which: WhichEvents,
    /// To this rule only; to every active rule when empty.
    pub to: Option<RuleId>,
    /// Also to rules that have a run of the event.
    pub again: bool,
    /// Only to say how many events are meant; nothing is put in line.
    pub count_only: bool,
}

/// Events by their ids, or all that a filter means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WhichEvents {
    /// These.
    Ids(Vec<EventId>),
    /// Routed events, oldest first and a page at a time.
    Matching {
        /// What they have in common; its `before` and `limit` are not looked at.
        filter: Box<EventFilter>,
        /// Only those on which `when` or `lane` of this rule failed.
        failed: Option<RuleId>,
        /// What the page before said; the first one when empty.
        page: Option<ReroutePage>,
    },
}

/// Where the next page of a filter begins, and where the last one ends: events that come meanwhile are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReroutePage {
    pub(super) after: i64,
    pub(super) up_to: i64,
}

impl Display for ReroutePage {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.after, self.up_to)
    }
}

impl FromStr for ReroutePage {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (after, up_to) = text.split_once('-').ok_or(())?;
        let number = |text: &str| text.parse::<i64>().map_err(|_| ());
        Ok(Self {
            after: number(after)?,
            up_to: number(up_to)?,
        })
    }
}

/// What stands in line now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InLine {
    /// Events that were put there, or were there already.
    pub events: usize,
    /// Ids of which nothing is known, or that are not routed yet and will be anyway.
    pub unknown: Vec<EventId>,
    /// Events whose payloads are outside retention, so that no rule can be asked about them.
    pub pruned: usize,
    /// The next page, if there may be one.
    pub next: Option<ReroutePage>,
}

/// The front of the line.
#[derive(Clone, Debug, Default)]
pub struct ToReroute {
    /// Hand it back with the decisions.
    pub batch: BatchToken,
    /// The events, in order. One that is to go to several rules may be here several times.
    pub events: Vec<LinedUp>,
    /// Rules in quarantine.
    pub held: Vec<RuleId>,
}

/// One event in line.
#[derive(Clone, Debug, PartialEq)]
pub struct LinedUp {
    /// The event.
    pub event: Event,
    /// The rule that it is to go to; every active rule when empty.
    pub to: Option<RuleId>,
    /// Whether it goes to rules that have a run of it.
    pub again: bool,
    /// The rules that have.
    pub ran: Vec<RuleId>,
}

/// Events on which the same place of the same rule failed while they were routed.
#[derive(Clone, Debug, PartialEq)]
pub struct WhenFailures {
    /// The rule.
    pub rule: RuleId,
    /// The version of it.
    pub version: RuleVersion,
    /// The line; empty if the failure has none, such as the death of a worker.
    pub line: Option<u32>,
    /// How many events.
    pub events: u64,
    /// The first of them.
    pub first: EventId,
    /// The last of them.
    pub last: EventId,
    /// How it failed on the last one.
    pub failure: Failure,
}

/// The part of the store that keeps the line.
#[async_trait]
pub trait Rerouting: Send + Sync + Debug {
    /// Puts events in line. Asking for the same twice changes nothing.
    async fn ask_reroute(&self, asked: Reroute) -> Result<InLine, StoreError>;

    /// Up to `limit` events from the front of the line: first what rules that are out of quarantine have missed, then
    /// what people asked for. What cannot be read any more is taken out of the line and said.
    async fn to_reroute(&self, limit: usize) -> Result<ToReroute, StoreError>;

    /// Commits decisions about the front of the line, one for each event: as a whole, and on condition that it still
    /// stands there and the rule set is still active. A rule that has a run of the event gets none, unless it was
    /// asked for. `when_failed` ends when no failure is left, `held` when no rule holds it back.
    async fn reroute(&self, routing: Routing) -> Result<Routed, StoreError>;

    /// Events on which `when` or `lane` failed, by where it failed; at most `limit` places, those with the most
    /// events first.
    async fn when_failures(&self, limit: usize) -> Result<Vec<WhenFailures>, StoreError>;
}
