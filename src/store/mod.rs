//! Where events, runs and journals live, in verbs of a queue.
//!
//! The trait speaks in batches, because group commit and arrays are what make a store fast, and it names
//! no cursor, no file and no single process: a [`BatchToken`] stands for whatever an implementation needs
//! to commit a routing exactly once. `sqlite` is the implementation that needs nothing set up.

mod adoption;
mod claims;
mod keeping;
mod kept_jobs;
mod lists;
mod operated;
mod pauses;
mod rerouting;
mod routed;
mod schedules;
mod sqlite;
mod tokens;

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::model::{Event, EventId, LogLine, RuleSet, RuleSetId, Run, RunId, Step, WaitForEvent};

pub use adoption::{Adopted, Adoption};
pub use claims::{
    Append, Claim, Claiming, EventMark, Fenced, Intent, JournalEntry, Lease, Remark, SUSPECT_AFTER,
    Settle, Settlement, Sighting, StateStep, Waits, Walk, WalkPage,
};
pub use keeping::{Cut, Finding, Health, Keeps, PruneMark, Pruned};
pub use kept_jobs::{KeptJob, KeptJobs, KeptPage, Told, abort_run};
pub use lists::{
    AboutEvent, ClassCount, Counts, EventFilter, EventSummary, Matching, RunFilter, Standing,
    StoredEvent,
};
pub use operated::{
    Announced, Cancelling, Deciding, Operated, Repeats, Replaying, RetryAs, Retrying, Trace,
    Version, WriteMade,
};
pub use pauses::{Pause, PauseScope};
pub use rerouting::{
    InLine, LinedUp, Reroute, ReroutePage, Rerouting, ToReroute, WhenFailures, WhichEvents,
};
pub use routed::{BatchToken, Breaker, Decision, NewRun, Routed, Routing, Unrouted};
pub use schedules::{Considered, Schedules};
pub use sqlite::{
    BackedUp, Disk, FileStats, Manifest, Restored, SqliteOptions, SqliteStore, Stats, Synchronous,
    SystemDisk, TableStats, size,
};
pub use tokens::{SealedToken, Tokens};

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

/// What somebody who has found nothing to do waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Events to be routed, or another rule set to route under.
    Routable,
    /// Runs to be claimed.
    Claimable,
    /// What is stopped.
    Paused,
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
pub trait Store:
    Accepts + Counted + Keeps + KeptJobs + Operated + Rerouting + Schedules + Tokens
{
    /// Up to `limit` events that nobody has decided about: each sender's share of them, its oldest first.
    async fn unrouted(&self, limit: usize) -> Result<Unrouted, StoreError>;

    /// Commits decisions and runs. An event whose key was routed before, in its deduplication window or one beside
    /// it, makes no runs; its id becomes an alias of the first one's.
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

    /// Takes an object that was found as the answer of the run's open write, unless it may be what another step has
    /// made. Durable.
    async fn adopt(&self, adoption: Adoption) -> Result<Adopted, StoreError>;

    /// The run whose step has made the object, as far as steps have said so.
    async fn maker(&self, object: &str) -> Result<Option<RunId>, StoreError>;

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

    /// Waits until something of what was asked for may have changed, or `at_most` has passed. Only a
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
