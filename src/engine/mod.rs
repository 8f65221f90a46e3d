//! Rules as pure functions: `advance(program, event, journal)` yields the next effect or the end of the run.
//!
//! The engine does no I/O, reads no clock and holds no credentials. It runs inside the worker processes of
//! `sandbox`; everything that crosses the pipe between the two is defined here.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use serde_json::Value;

use crate::model::{
    Diagnostic, Effect, Event, Failure, LogLine, Program, RuleFile, RuleHeader, Step,
};

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

/// Compiles and checks a whole set of rule files.
pub fn compile(_files: &[RuleFile], _vars: &Value, _limits: &EngineLimits) -> Compiled {
    Compiled::default()
}

/// One rule, compiled and ready to be advanced any number of times.
#[derive(Debug)]
pub struct Rule {}

impl Rule {
    /// Compiles the files of a program that was checked before.
    ///
    /// # Errors
    ///
    /// When it does not compile (any more).
    pub fn load(_program: &Program, _limits: &EngineLimits) -> Result<Self, Failure> {
        Ok(Self {})
    }

    /// Whether the rule concerns the event.
    pub fn when(&self, _event: &Event) -> When {
        When::Yes
    }

    /// Runs the rule from the top, answering its calls from the journal, to its next call or to its end.
    pub fn advance(&self, _moment: Moment, _event: &Event, _journal: &[Step]) -> Advance {
        Advance {
            outcome: Outcome::Finished,
            logs: Vec::new(),
        }
    }
}
