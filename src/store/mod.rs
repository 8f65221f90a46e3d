//! Where events, runs and journals live, in verbs of a queue.
//!
//! The trait speaks in batches, because group commit and arrays are what make a store fast, and it names
//! no cursor, no file and no single process: a [`BatchToken`] stands for whatever an implementation needs
//! to commit a routing exactly once. `sqlite` is the implementation that needs nothing set up.

mod sqlite;

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::model::{
    Digest, Effect, Event, EventId, EventState, Failure, LaneKey, LogLine, RuleId, RuleSet,
    RuleSetId, RuleVersion, Run, RunId, RunState, Step,
};

pub use sqlite::{SqliteOptions, SqliteStore, Synchronous};

/// Why the store could not do what it was asked. What was asked did not happen, unless it says otherwise.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The queue to the writer is full: try again in a moment.
    #[error("the store has more to write than it can take at the moment")]
    Overloaded,
    /// The store has been closed.
    #[error("the store is closed")]
    Closed,
    /// Another process owns the data directory.
    #[error("{0}")]
    Locked(String),
    /// The files were written by another version.
    #[error("{0}")]
    Schema(String),
    /// A row cannot be read back.
    #[error("stored data cannot be read: {0}")]
    Corrupt(String),
    /// The database failed: disk full, read-only, I/O error.
    #[error("the store failed: {0}")]
    Failed(String),
}

/// The answer to one accepted event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The event's id.
    pub id: EventId,
    /// Best effort: an event with this id was seen not long ago. The router is the one that is certain.
    pub duplicate: bool,
}

/// Stands for the events of one [`Store::unrouted`]; only the store that made it can read it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct BatchToken(pub Vec<u8>);

/// Events that nobody has decided about yet, in the order of their acceptance.
#[derive(Clone, Debug, Default)]
pub struct Unrouted {
    /// Hand it back with the decisions.
    pub batch: BatchToken,
    /// The events. An event that was delivered twice may be here twice.
    pub events: Vec<Event>,
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
    /// When.
    pub at: Timestamp,
}

/// What becomes of one event.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The event's new state.
    pub state: EventState,
    /// The runs that it makes.
    pub runs: Vec<NewRun>,
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
        /// The runs that were made, in order.
        runs: Vec<RunId>,
    },
    /// Somebody else has routed the batch, or another rule set is active: ask for a new batch.
    Stale,
}

/// Proves that a claim still holds; every write about a claimed run carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The run.
    pub run: RunId,
    /// The lane's fencing token at the claim.
    pub token: i64,
}

/// A run that is ours to advance.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The proof.
    pub lease: Lease,
    /// The run, in state `running`, with this claim counted in `attempt`.
    pub run: Run,
    /// Its event.
    pub event: Event,
    /// Its answered steps, in order.
    pub journal: Vec<Step>,
    /// A write that was asked for and never answered: it may or may not have happened.
    pub open_intent: Option<Intent>,
}

/// A write that is about to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Intent {
    /// The step's number.
    pub number: u32,
    /// Identifies the request.
    pub digest: Digest,
    /// What will be sent.
    pub effect: Effect,
    /// When it was decided.
    pub at: Timestamp,
}

/// One entry for a run's journal.
#[derive(Clone, Debug)]
pub enum JournalEntry {
    /// Durable before the call is sent.
    Intent(Intent),
    /// An answer. It resets `attempt` and `failing_since`. Durable when the step had an intent, lazy otherwise.
    Answer(Box<Step>),
    /// The open intent of this step proved not to have happened (the connection failed, 429 or another
    /// 4xx), so it does not count as open any more.
    Withdrawn {
        /// The step's number.
        number: u32,
    },
}

/// A journal entry with its proof and the log lines that belong before it.
#[derive(Clone, Debug)]
pub struct Append {
    /// The proof.
    pub lease: Lease,
    /// The entry.
    pub entry: JournalEntry,
    /// Lines logged since the last step.
    pub logs: Vec<LogLine>,
}

/// How a claim ends.
#[derive(Clone, Debug, PartialEq)]
pub enum Settlement {
    /// The rule returned.
    Succeeded,
    /// `skip(reason)`.
    Skipped {
        /// Why.
        reason: String,
    },
    /// It will not go on.
    Dead(Failure),
    /// A person must decide. The lane stays behind it.
    Parked {
        /// Why, and what the choices are.
        reason: String,
    },
    /// Goes on at `until`; it keeps its lane without a lease.
    Waiting {
        /// When.
        until: Timestamp,
        /// Why.
        reason: String,
        /// Since when the present call has been failing; kept with the run.
        failing_since: Option<Timestamp>,
    },
    /// Given back untouched, e.g. at shutdown: the claim is not counted.
    Released,
}

/// The end of a claim.
#[derive(Clone, Debug)]
pub struct Settle {
    /// The proof.
    pub lease: Lease,
    /// How it ends.
    pub settlement: Settlement,
    /// Lines logged since the last step.
    pub logs: Vec<LogLine>,
    /// When.
    pub at: Timestamp,
}

/// Whether a write about a claimed run was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fenced {
    /// It was.
    Written,
    /// The claim no longer holds; nothing was written.
    Lost,
}

/// What somebody who has found nothing to do waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Events to be routed, or another rule set to route under.
    Routable,
    /// Runs to be claimed.
    Claimable,
}

/// How much of everything there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Accepted events that are not routed yet.
    pub unrouted: u64,
    /// Routed events by state.
    pub events: Vec<(EventState, u64)>,
    /// Runs by state; states without runs are left out.
    pub runs: Vec<(RunState, u64)>,
}

/// Which runs to list, newest first.
#[derive(Clone, Debug, Default)]
pub struct RunFilter {
    /// Only in these states; all when empty.
    pub states: Vec<RunState>,
    /// Only of this rule.
    pub rule: Option<RuleId>,
    /// Only of this event.
    pub event: Option<EventId>,
    /// At most this many; 0 is 100.
    pub limit: usize,
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

/// The store. Every method's effect is in one transaction and is there as a whole or not at all.
#[async_trait]
pub trait Store: Send + Sync + Debug {
    /// Makes events durable. When it returns, a power cut does not lose them.
    async fn accept(&self, batch: Vec<Event>) -> Result<Vec<Accepted>, StoreError>;

    /// Up to `limit` events that nobody has decided about, oldest first.
    async fn unrouted(&self, limit: usize) -> Result<Unrouted, StoreError>;

    /// Commits decisions and runs. An event whose key was routed before, in its deduplication window or the one
    /// before, makes no runs; its id becomes an alias of the first one's.
    async fn route(&self, routing: Routing) -> Result<Routed, StoreError>;

    /// Keeps a rule set and makes it the active one.
    async fn activate_rule_set(&self, set: RuleSet) -> Result<(), StoreError>;

    /// The active rule set: the last that was activated, by this process or an earlier one.
    async fn active_rule_set(&self) -> Result<Option<RuleSet>, StoreError>;

    /// A rule set by id.
    async fn rule_set(&self, id: &RuleSetId) -> Result<Option<RuleSet>, StoreError>;

    /// Leases up to `limit` runs that are at the head of their lane and ready, round robin over rules, oldest
    /// first within a rule.
    async fn claim(&self, limit: usize, at: Timestamp) -> Result<Vec<Claim>, StoreError>;

    /// Adds to journals. Entries of one call are written in their order; all are durable as their kind demands.
    async fn append(&self, batch: Vec<Append>) -> Result<Vec<Fenced>, StoreError>;

    /// Ends claims.
    async fn settle(&self, batch: Vec<Settle>) -> Result<Vec<Fenced>, StoreError>;

    /// Makes waiting runs whose time has come ready; returns how many, and when the next one is due.
    async fn wake_due(&self, at: Timestamp) -> Result<(usize, Option<Timestamp>), StoreError>;

    /// Waits until something may have become routable or claimable, as asked, or `at_most` has passed. Only a
    /// hint, but one that counts from the call on: call it, look for work, and await it if there was none;
    /// then nothing that was committed in between is slept through.
    async fn changed(&self, change: Change, at_most: Duration);

    /// How much of everything there is.
    async fn counts(&self) -> Result<Counts, StoreError>;

    /// Runs, newest first.
    async fn runs(&self, filter: RunFilter) -> Result<Vec<Run>, StoreError>;

    /// One run.
    async fn run(&self, id: RunId) -> Result<Option<Run>, StoreError>;

    /// The answered steps of a run, and the write that is open, if there is one.
    async fn journal(&self, id: RunId) -> Result<(Vec<Step>, Option<Intent>), StoreError>;

    /// The log lines of a run, in order.
    async fn logs(&self, id: RunId) -> Result<Vec<LogLine>, StoreError>;

    /// One event, by its id or by an alias of it.
    async fn event(&self, id: EventId) -> Result<Option<StoredEvent>, StoreError>;

    /// Writes what is left, checkpoints and lets go of the files. Later calls answer [`StoreError::Closed`].
    async fn close(&self) -> Result<(), StoreError>;
}
