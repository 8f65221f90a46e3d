//! What people do with runs, and what they read before they decide.
//!
//! History only grows: a run is never set back. To retry or to replay makes a new run that names the old one, and
//! what a person decided is kept in words with the run.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{
    AboutEvent, EventFilter, EventSummary, Intent, Matching, NewRun, Remark, RunFilter, Standing,
    StoreError,
};
use crate::model::{Effect, EventId, LogLine, RuleSetId, RunId, Step};

/// Who decides something, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deciding {
    /// The person, by whatever name they gave.
    pub by: Option<String>,
    /// When.
    pub at: Timestamp,
}

impl std::fmt::Display for Deciding {
    /// The person, in a sentence.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.by.as_deref().unwrap_or("a person"))
    }
}

/// What a person says about a call that may or may not have happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAs {
    /// It is sent again.
    Again,
    /// It has happened: the script sees the status 204 and no body.
    Happened,
}

/// How a run is retried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retrying {
    /// What about a call that may have happened. Needed if there is one.
    pub how: Option<RetryAs>,
    /// Who and when.
    pub deciding: Deciding,
}

/// The version that a replay runs on.
#[derive(Clone, Debug, PartialEq)]
pub enum Version {
    /// That of the run, under the bindings of this program.
    Then {
        /// Their version.
        binding: u32,
    },
    /// That of the active rule set.
    Now {
        /// The rule set. The replay is refused if another one is active by now.
        rule_set: RuleSetId,
        /// The run as its rule would make it now. It waits its turn, whatever its concurrency says.
        run: NewRun,
    },
}

/// How a run is replayed.
#[derive(Clone, Debug, PartialEq)]
pub struct Replaying {
    /// On which version.
    pub version: Version,
    /// Who and when.
    pub deciding: Deciding,
}

/// How a run is cancelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancelling {
    /// Why, for people.
    pub reason: String,
    /// Who and when.
    pub deciding: Deciding,
}

/// The writes that a replay makes a second time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Repeats {
    /// How many have happened, those of children counted in.
    pub made: u64,
    /// How many may have happened.
    pub uncertain: u64,
    /// The first of them, at most [`Repeats::LISTED_MAX`].
    pub first: Vec<WriteMade>,
}

impl Repeats {
    /// The most writes that are named.
    pub const LISTED_MAX: usize = 20;
}

/// A write that has happened, or may have.
#[derive(Clone, Debug, PartialEq)]
pub struct WriteMade {
    /// The run that made it: the run itself, or a child.
    pub run: RunId,
    /// The step's number.
    pub number: u32,
    /// What was sent.
    pub effect: Effect,
    /// What came back; nothing if nobody knows.
    pub status: Option<u16>,
}

/// Everything that is kept of a run's way.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    /// The answered steps.
    pub steps: Vec<Step>,
    /// The write that was asked for and not answered.
    pub open: Option<Intent>,
    /// When writes were about to be sent.
    pub announced: Vec<Announced>,
    /// What the script logged.
    pub logs: Vec<LogLine>,
    /// What the door found out and people decided.
    pub remarks: Vec<Remark>,
}

/// A write before it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announced {
    /// The step's number.
    pub number: u32,
    /// When.
    pub at: Timestamp,
    /// Whether it proved not to have happened, so that it was sent again later.
    pub withdrawn: bool,
}

/// The part of the store that people work with. Every change is durable when it is answered, and
/// [`StoreError::Refused`] if it makes no sense as things are.
#[async_trait]
pub trait Operated: Send + Sync + std::fmt::Debug {
    /// Makes a run that goes on where this one failed, was stopped or is parked, with its journal up to there. From
    /// `parked` it takes the place in the lane, which the parked run gives up as `cancelled`; else it comes last.
    async fn retry(&self, run: RunId, retrying: Retrying) -> Result<RunId, StoreError>;

    /// Makes a run that begins this one's event anew, last in its lane.
    async fn replay(&self, run: RunId, replaying: Replaying) -> Result<RunId, StoreError>;

    /// The writes that a replay of the run would make a second time.
    async fn repeats(&self, run: RunId) -> Result<Repeats, StoreError>;

    /// Ends an unfinished run with its open children; answers how many runs were ended. Whoever drives one of them
    /// is fenced off.
    async fn cancel(&self, run: RunId, cancelling: Cancelling) -> Result<usize, StoreError>;

    /// How many runs a filter means.
    async fn matching(&self, filter: RunFilter) -> Result<Matching, StoreError>;

    /// The oldest runs that a filter means, with numbers above `after` and up to `up_to`, so that many can be worked
    /// through while new ones come.
    async fn oldest(
        &self,
        filter: RunFilter,
        after: RunId,
        up_to: RunId,
    ) -> Result<Vec<RunId>, StoreError>;

    /// Events, newest first.
    async fn events(&self, filter: EventFilter) -> Result<Vec<EventSummary>, StoreError>;

    /// What is known of an event besides itself, by its id or by an alias of it.
    async fn about_event(&self, id: EventId) -> Result<AboutEvent, StoreError>;

    /// What an unfinished run stands behind and waits for; nothing much of any other.
    async fn standing(&self, run: RunId) -> Result<Standing, StoreError>;

    /// The way of a run.
    async fn trace(&self, run: RunId) -> Result<Trace, StoreError>;
}
