//! Rules as pure functions: `advance(program, event, journal)` yields the next effect or the end of the run.
//!
//! The engine does no I/O, reads no clock and holds no credentials. It runs inside the worker processes of
//! `sandbox`; everything that crosses the pipe between the two is defined here.

mod bindings;
mod capped;
mod catalog;
mod check;
mod compare;
mod compile;
mod convert;
mod failure;
mod header;
mod literal;
mod moment;
mod program;
mod session;
mod source;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{Diagnostic, Effect, Failure, LogLine, RuleHeader};

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

/// Every function that rules can see, in the order of registration.
pub fn functions() -> &'static [FunctionDoc] {
    catalog::Catalog::shared().docs()
}
