//! Where events, runs and journals live, in verbs of a queue.
//!
//! The trait speaks in batches, because group commit and arrays are what make a store fast, and it names
//! no cursor, no file and no single process: a [`BatchToken`] stands for whatever an implementation needs
//! to commit a routing exactly once. `sqlite` is the implementation that needs nothing set up.

mod keeping;
mod lists;
mod operated;
mod rerouting;
mod schedules;
mod sqlite;

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;

use crate::model::{
    Concurrency, Debounce, Digest, Effect, Event, EventId, EventState, Failure, LaneKey, LogLine,
    Object, ParkedClass, RuleId, RuleSet, RuleSetId, RuleVersion, Run, RunId, StateCall, Step,
    Tally, WaitForEvent, WaitsFor,
};

pub use keeping::{Cut, Finding, Health, Keeps, PruneMark, Pruned};
pub use lists::{
    AboutEvent, ClassCount, Counts, EventFilter, EventSummary, Matching, RunFilter, Standing,
    StoredEvent,
};
pub use operated::{
    Announced, Cancelling, Deciding, Operated, Repeats, Replaying, RetryAs, Retrying, Trace,
    Version, WriteMade,
};
pub use rerouting::{
    InLine, LinedUp, Reroute, ReroutePage, Rerouting, ToReroute, WhenFailures, WhichEvents,
};
pub use schedules::{Considered, Schedules};
pub use sqlite::{
    BackedUp, Disk, FileStats, Manifest, Restored, SqliteOptions, SqliteStore, Stats, Synchronous,
    SystemDisk, TableStats, size,
};

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
    /// The directory is no place for a store.
    #[error("{0}")]
    Unsuitable(String),
    /// There is too little room on the disk for new events; what is under way goes on.
    #[error("{0}")]
    NoRoom(String),
    /// It was there, and retention has removed it.
    #[error("{0}")]
    Pruned(String),
    /// A row cannot be read back.
    #[error("stored data cannot be read: {0}")]
    Corrupt(String),
    /// What a person asked for cannot be done as things are; says why, and what can be done instead.
    #[error("{0}")]
    Refused(String),
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

/// Proves that a claim still holds; every write about a claimed run carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The run.
    pub run: RunId,
    /// The lane's fencing token at the claim.
    pub token: i64,
}

/// Which runs to claim.
#[derive(Clone, Debug, Default)]
pub struct Claiming {
    /// At most this many.
    pub limit: usize,
    /// At most this many of one rule, those that are claimed already counted.
    pub per_rule: usize,
    /// Rules for which another number holds.
    pub narrowed: Vec<(RuleId, usize)>,
}

impl Claiming {
    /// So many, of whatever rules.
    pub fn up_to(limit: usize) -> Self {
        Self {
            limit,
            per_rule: usize::MAX,
            narrowed: Vec::new(),
        }
    }
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
    /// How far the walk of its `each` is, if it has begun.
    pub walk: Option<Walk>,
}

/// How far the walk of a run's `each` is.
#[derive(Clone, Debug, PartialEq)]
pub struct Walk {
    /// How many steps the run had when the walk began; what comes after belongs to `done`.
    pub steps_before: u32,
    /// Where the next page is; only the runner can read it.
    pub place: Value,
    /// When the last page was stored, if it was.
    pub ended_at: Option<Timestamp>,
    /// When the last child had ended, if it has.
    pub done_at: Option<Timestamp>,
    /// The objects and the children.
    pub tally: Tally,
}

/// What one page of a walk adds.
#[derive(Clone, Debug)]
pub struct WalkPage {
    /// The proof.
    pub lease: Lease,
    /// The objects with the lanes of their children; those that were found before are left out by the store.
    pub objects: Vec<(Object, LaneKey)>,
    /// Where the next page is.
    pub place: Value,
    /// Whether there is no further one.
    pub last: bool,
    /// Who goes first among the children.
    pub priority: i32,
    /// When.
    pub at: Timestamp,
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
    /// For the trace only.
    Remark(Remark),
}

/// What the door did or found out besides the step itself: a look-up, a re-read, what a person decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// The step's number.
    pub number: u32,
    /// When.
    pub at: Timestamp,
    /// A sentence.
    pub text: String,
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

/// One access to what a rule keeps, to be made together with its step.
#[derive(Clone, Debug)]
pub struct StateStep {
    /// The proof.
    pub lease: Lease,
    /// The step's number.
    pub number: u32,
    /// What is done.
    pub call: StateCall,
    /// Lines logged since the last step.
    pub logs: Vec<LogLine>,
    /// When.
    pub at: Timestamp,
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
        /// The kind of decision.
        class: ParkedClass,
        /// Why, and what the choices are.
        reason: String,
    },
    /// Goes on when what it waits for has come, and at `until` in any case; it keeps its lane without a lease.
    Waiting {
        /// What for.
        waits: Waits,
        /// When at the latest.
        until: Timestamp,
        /// Why.
        reason: String,
        /// Since when the present call has been failing; kept with the run.
        failing_since: Option<Timestamp>,
    },
    /// Given back untouched, e.g. at shutdown: the claim is not counted.
    Released,
}

/// What a run waits for.
#[derive(Clone, Debug, PartialEq)]
pub enum Waits {
    /// The time itself.
    Time,
    /// The next try of a call.
    Retry,
    /// The index of Iconik.
    LookUp,
    /// An event that comes after `seen`.
    Event {
        /// Which.
        wait: Box<WaitForEvent>,
        /// Everything up to here has been looked through, see [`Store::find_event`].
        seen: EventMark,
    },
    /// The end of the job with this id.
    Job(String),
    /// Its children. The store makes them, a bounded number at a time, and wakes the run after the last one.
    Children,
    /// The end of a pause of writes.
    Writes,
    /// The gateway's own trouble.
    Gateway,
}

impl Waits {
    /// The kind.
    pub fn kind(&self) -> WaitsFor {
        match self {
            Self::Time => WaitsFor::Time,
            Self::Retry => WaitsFor::Retry,
            Self::LookUp => WaitsFor::LookUp,
            Self::Event { .. } => WaitsFor::Event,
            Self::Job(_) => WaitsFor::Job,
            Self::Children => WaitsFor::Children,
            Self::Writes => WaitsFor::Writes,
            Self::Gateway => WaitsFor::Gateway,
        }
    }
}

/// A place in the order in which events were routed. Only the store that made it can compare it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventMark(pub i64);

/// Where a wait for an event stands.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// The first event that is meant.
    pub event: Option<Event>,
    /// Everything up to here has been looked through.
    pub seen: EventMark,
}

/// Something that a person has stopped, or that was stopped for their sake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    /// What.
    pub scope: PauseScope,
    /// Whether the gateway did it, because the rule kept breaking its workers. Its events are held back then.
    pub quarantine: bool,
    /// Why, for people.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

/// What can be stopped.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PauseScope {
    /// Every run: nothing is claimed.
    All,
    /// Every write: a run that comes to one waits before its intent.
    Writes,
    /// The runs of one rule.
    Rule(RuleId),
}

impl PauseScope {
    /// Reads what [`std::fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "all" => Some(Self::All),
            "writes" => Some(Self::Writes),
            _ => text
                .strip_prefix("rule:")
                .map(|rule| Self::Rule(rule.into())),
        }
    }
}

impl std::fmt::Display for PauseScope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Writes => f.write_str("writes"),
            Self::Rule(rule) => write!(f, "rule:{rule}"),
        }
    }
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

/// The part of the store that senders wait for.
#[async_trait]
pub trait Accepts: Send + Sync + Debug {
    /// Makes events durable. When it returns, a power cut does not lose them.
    async fn accept(&self, batch: Vec<Event>) -> Result<Vec<Accepted>, StoreError>;
}

/// The part of the store that is asked how much there is.
#[async_trait]
pub trait Counted: Send + Sync + Debug {
    /// How much of everything there is.
    async fn counts(&self) -> Result<Counts, StoreError>;
}

/// The store. Every method's effect is in one transaction and is there as a whole or not at all.
#[async_trait]
pub trait Store: Accepts + Counted + Keeps + Operated + Rerouting + Schedules {
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

    /// Leases runs that are at the head of their lane and ready, round robin over rules, by priority and then
    /// oldest first within a rule; none of a rule that is paused.
    async fn claim(&self, claiming: Claiming, at: Timestamp) -> Result<Vec<Claim>, StoreError>;

    /// Adds to journals. Entries of one call are written in their order; all are durable as their kind demands.
    async fn append(&self, batch: Vec<Append>) -> Result<Vec<Fenced>, StoreError>;

    /// Reads or changes what the run's rule keeps and journals the step; nothing if the claim no longer holds.
    async fn access_state(&self, step: StateStep) -> Result<Option<Step>, StoreError>;

    /// Adds a page to the walk of a run, the first one begins it; answers how many objects the walk has found.
    async fn extend_walk(&self, page: WalkPage) -> Result<Option<u64>, StoreError>;

    /// Ends claims.
    async fn settle(&self, batch: Vec<Settle>) -> Result<Vec<Fenced>, StoreError>;

    /// Makes waiting runs whose time has come ready; returns how many, and when the next one is due.
    async fn wake_due(&self, at: Timestamp) -> Result<(usize, Option<Timestamp>), StoreError>;

    /// The first event after `after` that the run's wait means and that was accepted since the run began; the mark of
    /// the run's first search is the default.
    async fn find_event(
        &self,
        run: RunId,
        wait: &WaitForEvent,
        after: EventMark,
    ) -> Result<Sighting, StoreError>;

    /// The jobs that runs wait for, each once, at most `limit`.
    async fn awaited_jobs(&self, limit: usize) -> Result<Vec<String>, StoreError>;

    /// Makes the runs ready that wait for the job; answers how many.
    async fn wake_for_job(&self, job: &str) -> Result<usize, StoreError>;

    /// Stops something; stopping it twice changes nothing.
    async fn pause(&self, pause: Pause) -> Result<(), StoreError>;

    /// Lets something go on that was stopped; whether it was.
    async fn resume(&self, scope: PauseScope) -> Result<bool, StoreError>;

    /// Everything that is stopped.
    async fn pauses(&self) -> Result<Vec<Pause>, StoreError>;

    /// Waits until something may have become routable or claimable, as asked, or `at_most` has passed. Only a
    /// hint, but one that counts from the call on: call it, look for work, and await it if there was none;
    /// then nothing that was committed in between is slept through.
    async fn changed(&self, change: Change, at_most: Duration);

    /// Runs, newest first.
    async fn runs(&self, filter: RunFilter) -> Result<Vec<Run>, StoreError>;

    /// One run; [`StoreError::Pruned`] if it was there and retention has removed it.
    async fn run(&self, id: RunId) -> Result<Option<Run>, StoreError>;

    /// The answered steps of a run, and the write that is open, if there is one; [`StoreError::Pruned`] if retention
    /// has removed them.
    async fn journal(&self, id: RunId) -> Result<(Vec<Step>, Option<Intent>), StoreError>;

    /// The log lines of a run, in order.
    async fn logs(&self, id: RunId) -> Result<Vec<LogLine>, StoreError>;

    /// One event, by its id or by an alias of it; [`StoreError::Pruned`] if retention has removed its payload. Of an
    /// unknown id, [`Keeps::forgotten_until`] says whether it may have been there.
    async fn event(&self, id: EventId) -> Result<Option<StoredEvent>, StoreError>;

    /// Waits until the store has stopped writing for good, because the disk did not keep what was written, and says
    /// why. Everything that was promised before is kept; from then on nothing is promised. Never ends otherwise.
    async fn failed(&self) -> StoreError;

    /// Writes what is left, checkpoints and lets go of the files. Later calls answer [`StoreError::Closed`].
    async fn close(&self) -> Result<(), StoreError>;
}
