//! A run in somebody's hands: the proof that it is theirs, what they write about it, and how they let it go.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::model::{
    Digest, Effect, Event, Failure, LaneKey, LogLine, Object, ParkedClass, RuleId, Run, RunId,
    StateCall, Step, Tally, WaitForEvent, WaitsFor,
};

/// Proves that a claim still holds; every write about a claimed run carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The run.
    pub run: RunId,
    /// The lane's fencing token at the claim.
    pub token: i64,
}

/// A run that was claimed this often without getting on is suspected of stopping the gateway.
///
/// It may have been under way by chance each time, or have been the cause. From then on it is claimed only while no
/// other run is, and no other one while it is. [`Run::attempt`] grows beyond this number only by claims during which the gateway stopped while the run
/// was alone.
pub const SUSPECT_AFTER: u32 = 5;

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
    /// How long its script and its calls took together in the claims before, as far as these were settled.
    pub spent: Duration,
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
    /// 4xx), or another takes its place, so it does not count as open any more.
    Withdrawn {
        /// The step's number.
        number: u32,
    },
    /// The object that an answered step has made, in one call with its answer: a look-up never takes it for what
    /// another step has made.
    Made {
        /// The step's number.
        number: u32,
        /// The object's id in Iconik.
        object: String,
    },
    /// The job that the run shows itself as, in one call with the answer that names it.
    Kept {
        /// The job's id in Iconik.
        job: String,
        /// Who knows it may end the run.
        abort_key: String,
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
        /// Everything up to here has been looked through, see [`super::Store::find_event`].
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

/// The end of a claim.
#[derive(Clone, Debug)]
pub struct Settle {
    /// The proof.
    pub lease: Lease,
    /// How it ends.
    pub settlement: Settlement,
    /// How long the script and the calls of the run took together in this claim.
    pub spent: Duration,
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
