//! Events on their way from the inbox to where they are kept, and what was decided about them.

use std::time::Duration;

use jiff::Timestamp;

use crate::model::{
    Concurrency, Debounce, Event, EventState, Failure, LaneKey, RuleId, RuleSetId, RuleVersion,
    RunId,
};

/// Stands for the events of one [`super::Store::unrouted`]; only the store that made it can read it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct BatchToken(pub Vec<u8>);

/// Events that nobody has decided about yet, in the order of their acceptance.
#[derive(Clone, Debug, Default)]
pub struct Unrouted {
    /// Hand it back with the decisions.
    pub batch: BatchToken,
    /// The events. An event that was delivered twice may be here twice.
    pub events: Vec<Event>,
    /// Rules that may not be asked yet: those in quarantine, and those that are still behind with what was held back
    /// for them there. What they would want is to be held back too.
    pub held: Vec<RuleId>,
}

/// What the router decided about a batch: committed as a whole or not at all.
#[derive(Clone, Debug)]
pub struct Routing {
    /// The batch that was decided about.
    pub batch: BatchToken,
    /// The rule set under which it was decided.
    pub rule_set: RuleSetId,
    /// One decision for each event of the batch, in its order.
    pub decisions: Vec<Decision>,
    /// When a rule goes round in a circle over an object; nothing breaks it when empty.
    pub breaker: Option<Breaker>,
    /// When.
    pub at: Timestamp,
}

/// How often one rule may be woken for one object by our own writes. Beyond it the run is parked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breaker {
    /// The most runs.
    pub runs: u32,
    /// Inside this time.
    pub within: Duration,
}

/// What becomes of one event.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decision {
    /// The event's new state.
    pub state: EventState,
    /// What it says, as patterns name it, for lists: [`Event::subject`].
    pub subject: String,
    /// The object that it is about: [`Event::object`].
    pub object: Option<String>,
    /// Whether our own user caused it.
    pub echo: bool,
    /// The runs that it makes.
    pub runs: Vec<NewRun>,
    /// Rules that would have been asked and may not yet: they are when a person has released them.
    pub held: Vec<RuleId>,
    /// The rules whose `when` failed on it, and how.
    pub failures: Vec<(RuleId, RuleVersion, Failure)>,
}

/// A run to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct NewRun {
    /// The rule.
    pub rule: RuleId,
    /// The version that the run will keep.
    pub version: RuleVersion,
    /// The binding version that the run begins with.
    pub binding: u32,
    /// Its order key inside the rule.
    pub lane: LaneKey,
    /// What it does about unfinished runs of its lane.
    pub concurrency: Concurrency,
    /// How long its lane must be quiet before it begins.
    pub debounce: Option<Debounce>,
    /// Who goes first inside the rule, and when the API budget is short; higher first.
    pub priority: i32,
}

impl NewRun {
    /// A run that waits its turn.
    pub fn new(rule: RuleId, version: RuleVersion, binding: u32, lane: LaneKey) -> Self {
        Self {
            rule,
            version,
            binding,
            lane,
            concurrency: Concurrency::Queued,
            debounce: None,
            priority: 0,
        }
    }
}

/// How a routing went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Routed {
    /// It is durable.
    Committed {
        /// Events that were new.
        events: usize,
        /// The places in the batch of events that were there already; their decisions were dropped.
        duplicates: Vec<usize>,
        /// The runs that were made, in order, those that were dropped at once left out.
        runs: Vec<RunId>,
        /// Failures of `when` or `lane` where none had failed before, by their decision's place and their place in it.
        firsts: Vec<(usize, usize)>,
    },
    /// Somebody else has routed the batch, or another rule set is active: ask for a new batch.
    Stale,
}
