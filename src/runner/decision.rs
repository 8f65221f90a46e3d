//! What follows from how a call went: pure, so that every class meets every outcome in a test.
//!
//! Only a failed connect, 429 and other 4xx but 408 prove that nothing happened. Everything else may have
//! happened, and then the operation's repeat class decides. A call that is sent a second time carries the
//! doubt of the first: a 429 to the repetition says nothing about what was sent before.

use std::time::Duration;

use serde_json::Value;

use crate::iconik::{CallError, Reply};
use crate::model::{Method, Retry, Uncertain};
use crate::operations::RepeatClass;

use super::backoff::ceiling;

/// An idempotent call is repeated while its intent is younger than this. After it somebody else may have
/// changed the object, and a repetition would undo that.
pub(super) const YOUNG: Duration = Duration::from_secs(60);

/// The pause while Iconik does not accept the credentials. A person has to act first, however long it takes,
/// so the time is not counted.
const UNAUTHORIZED: Pause = Pause {
    at_least: Duration::ZERO,
    jitter: Duration::from_secs(60),
    counted: false,
};

/// What is known about a call when its outcome arrives.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent<'a> {
    /// How it was sent.
    pub(super) method: Method,
    /// What may be done when nobody knows whether it happened.
    pub(super) doubt: Doubt,
    /// Whether it had been sent before, with an outcome that proves nothing.
    pub(super) repeated: bool,
    /// How long the call has been failing, outages left out.
    pub(super) failing_for: Duration,
    /// What the rule says about retries.
    pub(super) retry: &'a Retry,
    /// How Iconik as a whole is.
    pub(super) line: LineState,
}

/// What may be done about a call of which nobody knows whether it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Doubt {
    /// The operation's repeat class.
    pub(super) class: RepeatClass,
    /// Whether what it creates can be looked for.
    pub(super) can_be_looked_up: bool,
}

/// How Iconik as a whole is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineState {
    /// It works.
    Sound,
    /// Nothing is known, because it has not answered yet: a failure may be one of an outage.
    Unproven,
    /// The circuit is open.
    Open,
}

/// What to do about an intent that was found open, before anything is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reopen {
    /// Send it again.
    Repeat,
    /// Look for what it may have made.
    LookUp,
    /// Read its target.
    Examine,
    /// Ask a person.
    Park,
}

/// What to do about an outcome.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Decision {
    /// The step is answered.
    Answer {
        /// The status that the script sees.
        status: u16,
        /// The body that the script sees.
        body: Value,
    },
    /// Later again.
    Again(Again),
    /// As soon as Iconik can be used again, as if the run had not been claimed. Whether nothing that was sent can have
    /// happened.
    Release {
        /// As in [`Again`].
        nothing_happened: bool,
    },
    /// Look for what it may have made, when the index must know of it.
    LookUp,
    /// A person must decide, because it may have happened.
    Park,
    /// It has failed for too long.
    GiveUp {
        /// As in [`Again`].
        nothing_happened: bool,
    },
    /// It was carried out, and the answer is more than a journal may hold.
    TooLarge,
    /// It was not sent and never can be.
    Malformed,
}

/// How a call is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Again {
    /// Whether nothing that was sent for this step can have happened, so that its intent can be taken back.
    pub(super) nothing_happened: bool,
    /// How long to wait first.
    pub(super) pause: Pause,
}

/// A random pause between `at_least` and `at_least + jitter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pause {
    /// What the other side asks for.
    pub(super) at_least: Duration,
    /// The ceiling of the random part.
    pub(super) jitter: Duration,
    /// Whether the time counts against `retry.max_age`.
    pub(super) counted: bool,
}

/// Decides about an intent that was found open.
pub(super) fn decide_before(doubt: Doubt, open_for: Duration, retry: &Retry) -> Reopen {
    match doubt.class {
        RepeatClass::Safe => Reopen::Repeat,
        RepeatClass::Idempotent if open_for < YOUNG => Reopen::Repeat,
        RepeatClass::Idempotent => Reopen::Examine,
        RepeatClass::Creating if doubt.can_be_looked_up => Reopen::LookUp,
        RepeatClass::Creating | RepeatClass::Acting => match retry.uncertain {
            Uncertain::Repeat => Reopen::Repeat,
            Uncertain::Park => Reopen::Park,
        },
    }
}

/// Decides about the outcome of a call that was sent.
pub(super) fn decide_after(outcome: Result<Reply, CallError>, sent: Sent<'_>) -> Decision {
    let error = match outcome {
        Ok(Reply { status, body, .. }) => return Decision::Answer { status, body },
        Err(error) => error,
    };
    let proven = error.proves_nothing_happened();
    match error {
        CallError::Refused { status: 404, .. } if sent.repeats_a_delete() => Decision::Answer {
            status: 204,
            body: Value::Null,
        },
        CallError::Refused { status, .. } if sent.retry.statuses.contains(&status) => {
            sent.failed(proven, sent.pause(Duration::ZERO))
        }
        CallError::Refused { status, body, .. } => Decision::Answer { status, body },
        CallError::NotSent { .. } | CallError::Uncertain { .. } => {
            sent.failed(proven, sent.pause(Duration::ZERO))
        }
        CallError::Throttled { retry_after, .. } => {
            sent.failed(proven, sent.pause(retry_after.unwrap_or_default()))
        }
        CallError::Unauthorized { .. } => sent.failed(proven, UNAUTHORIZED),
        CallError::TooLarge { .. } => Decision::TooLarge,
        CallError::Malformed { .. } => Decision::Malformed,
    }
}

impl Sent<'_> {
    fn repeats_a_delete(&self) -> bool {
        self.method == Method::Delete && self.repeated
    }

    /// `proven`: that this sending has changed nothing.
    fn failed(&self, proven: bool, pause: Pause) -> Decision {
        let nothing_happened = proven && !self.repeated;
        if !nothing_happened {
            // What grows old until it is looked at again is examined then.
            match decide_before(self.doubt, Duration::ZERO, self.retry) {
                Reopen::Park => return Decision::Park,
                Reopen::LookUp => return Decision::LookUp,
                Reopen::Repeat | Reopen::Examine => {}
            }
        }
        if self.line == LineState::Open {
            return Decision::Release { nothing_happened };
        }
        let too_long = pause.counted && self.failing_for >= self.retry.max_age;
        if too_long && self.line == LineState::Sound {
            return Decision::GiveUp { nothing_happened };
        }
        Decision::Again(Again {
            nothing_happened,
            pause,
        })
    }

    fn pause(&self, at_least: Duration) -> Pause {
        Pause {
            at_least: at_least.min(self.retry.max_age),
            jitter: ceiling(self.retry.min, self.retry.max, self.failing_for),
            counted: true,
        }
    }
}

#[cfg(test)]
mod tests;
