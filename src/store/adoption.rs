//! Whose an object is that a call may have made.

use crate::model::{LogLine, Step};

use super::{Lease, Remark};

/// The answer to a step that was sent and never answered: an object that was found afterwards.
#[derive(Clone, Debug)]
pub struct Adoption {
    /// The proof.
    pub lease: Lease,
    /// The step with the object as its answer.
    pub step: Step,
    /// The object's id in Iconik.
    pub object: String,
    /// How it was found.
    pub remark: Remark,
    /// Lines logged since the last step.
    pub logs: Vec<LogLine>,
}

/// Whether an object was taken as the answer of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adopted {
    /// It was, durably, and is no other step's any more.
    Written,
    /// The claim no longer holds; nothing was written.
    Lost,
    /// Another step has made it; nothing was written.
    Taken,
    /// A run that is under way has sent the same request and has no answer yet, so the object may be what that one
    /// makes; nothing was written.
    InFlight,
}
