//! A run: one rule on one event, how far it is and how it ended.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{EventId, LaneKey, Position, RuleId, RuleSetId, RuleVersion, RunId, Tally};

/// The states of a run. `succeeded`, `skipped`, `dead`, `cancelled`, `superseded` are final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Not started.
    Queued,
    /// Leased by a runner.
    Running,
    /// Started, holds its lane, and waits; no lease. See [`WaitsFor`].
    Waiting,
    /// Ended as it should.
    Succeeded,
    /// Ended by `skip(reason)`.
    Skipped,
    /// Ended by an error; see [`DeadClass`].
    Dead,
    /// Needs a person: a call may or may not have happened.
    Parked,
    /// Ended by a person.
    Cancelled,
    /// Never begun, because another run of its lane took its place.
    Superseded,
}

impl RunState {
    /// Every state, in the order of a run's life.
    pub const ALL: [Self; 9] = [
        Self::Queued,
        Self::Running,
        Self::Waiting,
        Self::Succeeded,
        Self::Skipped,
        Self::Dead,
        Self::Parked,
        Self::Cancelled,
        Self::Superseded,
    ];

    /// Whether the run will never change again.
    pub fn is_final(self) -> bool {
        matches!(
            self,
            Self::Succeeded | Self::Skipped | Self::Dead | Self::Cancelled | Self::Superseded
        )
    }

    /// The name in tables, metrics and pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Succeeded => "succeeded",
            Self::Skipped => "skipped",
            Self::Dead => "dead",
            Self::Parked => "parked",
            Self::Cancelled => "cancelled",
            Self::Superseded => "superseded",
        }
    }
}

/// What a waiting run waits for, besides the time at which it goes on in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitsFor {
    /// The time itself: `sleep`.
    Time,
    /// The next try of a call that fails for the time being.
    Retry,
    /// The index of Iconik, to look whether a call happened.
    LookUp,
    /// An event: `wait_for`.
    Event,
    /// The end of a job: `job.wait`.
    Job,
    /// The children of `each`.
    Children,
    /// The end of a pause of writes.
    Writes,
    /// The gateway's own trouble.
    Gateway,
}

impl WaitsFor {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Time,
        Self::Retry,
        Self::LookUp,
        Self::Event,
        Self::Job,
        Self::Children,
        Self::Writes,
        Self::Gateway,
    ];

    /// The name in tables, metrics and pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Retry => "retry",
            Self::LookUp => "look_up",
            Self::Event => "event",
            Self::Job => "job",
            Self::Children => "children",
            Self::Writes => "writes",
            Self::Gateway => "gateway",
        }
    }
}

/// Why a run is parked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParkedClass {
    /// A call may or may not have happened.
    Uncertain,
    /// The rule goes round in a circle over this object.
    Loop,
    /// `each` found more objects than the rule allows.
    Limit,
    /// It was unfinished in a backup that was restored.
    Restored,
}

impl ParkedClass {
    /// Every class.
    pub const ALL: [Self; 4] = [Self::Uncertain, Self::Loop, Self::Limit, Self::Restored];

    /// The name in tables, metrics and pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Uncertain => "uncertain",
            Self::Loop => "loop",
            Self::Limit => "limit",
            Self::Restored => "restored",
        }
    }
}

/// Which run a run was made from by a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", content = "run", rename_all = "snake_case")]
pub enum Origin {
    /// It goes on where that one failed, with its journal up to there.
    Retry(RunId),
    /// It begins that one's event anew, with an empty journal.
    Replay(RunId),
}

/// Why a run is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeadClass {
    /// The script threw, or does not compile any more.
    ScriptError,
    /// The script called `fail(reason)`.
    Failed,
    /// Iconik refused a call for good and the script did not catch it, or its trouble outlasted `retry.max_age`.
    ApiError,
    /// A limit of the sandbox or of the rule was reached.
    Limit,
    /// A call outside the rule's `allow`.
    Permission,
    /// The script killed its worker twice.
    Crash,
    /// A re-execution asked for something else than the journal holds.
    Diverged,
    /// Begun under another binding version, and diverged.
    VersionSkew,
    /// Older than the rule's `expires`.
    Expired,
}

impl DeadClass {
    /// Every class.
    pub const ALL: [Self; 9] = [
        Self::ScriptError,
        Self::Failed,
        Self::ApiError,
        Self::Limit,
        Self::Permission,
        Self::Crash,
        Self::Diverged,
        Self::VersionSkew,
        Self::Expired,
    ];

    /// The name in tables, metrics and pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ScriptError => "script_error",
            Self::Failed => "failed",
            Self::ApiError => "api_error",
            Self::Limit => "limit",
            Self::Permission => "permission",
            Self::Crash => "crash",
            Self::Diverged => "diverged",
            Self::VersionSkew => "version_skew",
            Self::Expired => "expired",
        }
    }
}

/// Why a run did not succeed, for a person: what, where, what to do next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The kind of failure.
    pub class: DeadClass,
    /// What happened, in a sentence or two.
    pub message: String,
    /// The rule file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Where in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// The function that was running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// The text of that line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excerpt: Option<String>,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Failure {
    /// A failure without a place.
    pub fn new(class: DeadClass, message: impl Into<String>) -> Self {
        Self {
            class,
            message: message.into(),
            file: None,
            position: None,
            function: None,
            excerpt: None,
            hint: None,
        }
    }
}

impl std::fmt::Display for Failure {
    /// One line: class, message, place, advice.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.class.as_str(), self.message)?;
        if let Some(file) = &self.file {
            write!(f, " at {file}")?;
            if let Some(at) = self.position {
                write!(f, ":{}:{}", at.line, at.column)?;
            }
        }
        if let Some(function) = &self.function {
            write!(f, " in fn {function}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, " ({hint})")?;
        }
        Ok(())
    }
}

/// How much a log line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// Only for following a rule closely.
    Trace,
    /// What happened.
    Info,
    /// Somebody may want to look.
    Warn,
    /// Somebody must look.
    Error,
}

/// One line that a script logged. (step, index) is its identity, so a re-execution adds no second copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// The number of steps answered when it was written.
    pub step: u32,
    /// Counts from 0 between two steps.
    pub index: u32,
    /// How much it matters.
    pub level: LogLevel,
    /// The text.
    pub text: String,
}

/// One rule on one event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its number.
    pub id: RunId,
    /// The event.
    pub event: EventId,
    /// The rule.
    pub rule: RuleId,
    /// The version that it began with and keeps.
    pub version: RuleVersion,
    /// The rule set that holds that version's files and vars.
    pub rule_set: RuleSetId,
    /// The binding version that it began with.
    pub binding: u32,
    /// Its order key.
    pub lane: LaneKey,
    /// How far it is.
    pub state: RunState,
    /// Claims since the journal last grew.
    pub attempt: u32,
    /// When the router made it.
    pub created_at: Timestamp,
    /// When it was first claimed; `time::now()` until its first step is answered.
    pub started_at: Option<Timestamp>,
    /// Since when the present call fails for the time being; empty when it does not.
    pub failing_since: Option<Timestamp>,
    /// When a waiting run is due; for a queued one, when its lane will have been quiet for long enough.
    pub due_at: Option<Timestamp>,
    /// What a waiting run waits for.
    pub waits_for: Option<WaitsFor>,
    /// Why a parked run is parked.
    pub parked: Option<ParkedClass>,
    /// The object that it is about, if that can be told.
    pub object: Option<String>,
    /// Who goes first when the API budget is short; higher first.
    pub priority: i32,
    /// The run whose `each` made it.
    pub parent: Option<RunId>,
    /// The run that a person made it from.
    pub origin: Option<Origin>,
    /// The newest run that a person made from it.
    pub followed_by: Option<RunId>,
    /// What a person has released it from: it goes on although it was parked for this.
    pub released: Option<ParkedClass>,
    /// How its children are, if it has `each`.
    pub children: Option<Tally>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// What a person should know about the state: the reason of a skip, of waiting or of parking.
    pub reason: Option<String>,
    /// Why it is dead.
    pub failure: Option<Failure>,
}
