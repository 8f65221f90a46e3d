//! Rules as pure functions: `advance(program, event, journal)` yields the next effect or the end of the run.
//!
//! The engine does no I/O, reads no clock and holds no credentials. It runs inside the worker processes of
//! `sandbox`; everything that crosses the pipe between the two is defined here.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{Diagnostic, Effect, Failure, LogLine, RuleHeader};

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
    /// `run` returned.
    Finished,
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

/// What an advance knows besides program, event and journal.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moment {
    /// `time::now()` until the first step is answered: when the run was first advanced. It must not change
    /// between the advances of a run.
    pub started_at: Timestamp,
}
