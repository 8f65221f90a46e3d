//! Rules as pure functions: `advance(program, event, journal)` yields the next effect or the end of the run.
//!
//! The engine does no I/O, reads no clock and holds no credentials. It runs inside the worker processes of
//! `sandbox`; everything that crosses the pipe between the two is defined here.

mod bindings;
mod capped;
mod catalog;
mod caught;
mod check;
mod compare;
mod compile;
mod convert;
mod failure;
mod header;
mod here;
mod linked;
mod literal;
mod moment;
mod program;
mod raw_calls;
pub mod reference;
mod session;
mod shadows;
mod source;
mod wanted;

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::{Diagnostic, Effect, Failure, LogLine, Query, RuleHeader};

pub use bindings::kept_job;
pub use catalog::{FunctionDoc, Place};
pub use compile::compile;
pub use program::Rule;

/// What compiling a set of rule files gave. The set is good only if there are no diagnostics.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Compiled {
    /// The headers of the rules that compile and are enabled.
    pub rules: Vec<RuleHeader>,
    /// Everything that is wrong.
    pub diagnostics: Vec<Diagnostic>,
}

/// How far one advance came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Advance {
    /// What the run wants next, or how it ended.
    pub outcome: Outcome,
    /// Lines logged since the last answered step.
    pub logs: Vec<LogLine>,
}

/// What the run wants next, or how it ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Perform this and advance again with its answer at the end of the journal.
    Effect(Effect),
    /// `run` or `done` returned.
    Finished,
    /// `each` returned: the objects that the run is about.
    Found(Query),
    /// `skip(reason)`.
    Skipped(String),
    /// It cannot go on.
    Failed(Failure),
}

/// Whether a rule concerns an event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// `when` failed.
    Failed(Failure),
}

/// Which of a rule's functions an advance goes through. A rule with `each` is advanced in parts: `each` for the event,
/// `run` for every object in a run of its own, `done` for the event again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// `run(event)`.
    Run,
    /// `each(event)`, which ends with [`Outcome::Found`].
    Each,
    /// `done(event, result)`. The journal of this part holds only the steps after the walk.
    Done(Arc<Value>),
}

/// What an advance knows besides program, event and journal. It must not change between the advances of a part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moment {
    /// `time::now()` until the first step of the part is answered: when the part was first advanced.
    pub started_at: Timestamp,
    /// What is advanced.
    pub part: Part,
    /// How many steps of the run come before this part's journal, so that log lines of all parts are told apart: 0
    /// but for [`Part::Done`].
    pub steps_before: u32,
}

impl Moment {
    /// Of `run(event)`.
    pub fn of_run(started_at: Timestamp) -> Self {
        Self {
            started_at,
            part: Part::Run,
            steps_before: 0,
        }
    }

    /// Of `each(event)`.
    pub fn of_each(started_at: Timestamp) -> Self {
        Self {
            part: Part::Each,
            ..Self::of_run(started_at)
        }
    }

    /// Of `done(event, result)`, after a walk that took `steps_before` steps. `started_at` is no earlier than the last
    /// of their answers, because time never goes backwards in a run.
    pub fn of_done(started_at: Timestamp, result: Arc<Value>, steps_before: u32) -> Self {
        Self {
            started_at,
            part: Part::Done(result),
            steps_before,
        }
    }
}

/// The longest key that `lane` may return, in bytes.
pub const LANE_KEY_BYTES_MAX: usize = 200;

/// The bounds of one advance and of compiling, as far as the engine itself can hold them. Memory, processor
/// time and wall time are the worker process's affair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineLimits {
    /// The most operations of one advance.
    pub operations: u64,
    /// The longest string, in bytes.
    pub string_bytes: usize,
    /// The most elements of an array or map.
    pub elements: usize,
    /// The largest rule file, in bytes.
    pub source_bytes: usize,
    /// All log lines of one advance together, in bytes.
    pub log_bytes: usize,
}

/// Changes whenever a binding makes other requests than before, so that a run begun under another number is
/// recognised when it diverges.
pub const BINDING_VERSION: u32 = 1;

/// Every function that rules can see, in the order of registration.
pub fn functions() -> &'static [FunctionDoc] {
    catalog::Catalog::shared().docs()
}
