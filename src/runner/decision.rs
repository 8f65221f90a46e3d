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

/// The last repetition of an idempotent call comes this much before it is too old.
const LAST_CALL: Duration = Duration::from_secs(5);

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
    pub(super) class: RepeatClass,
    /// Whether it had been sent before, with an outcome that proves nothing.
    pub(super) repeated: bool,
    /// The age of its intent.
    pub(super) intent_age: Duration,
    /// How long the call has been failing.
    pub(super) failing_for: Duration,
    /// What the rule says about retries.
    pub(super) retry: &'a Retry,
}

/// What to do about an intent that was found open, before anything is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reopen {
    /// Send it again.
    Repeat,
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
    /// A person must decide, because it may have happened.
    Park,
    /// It has failed for too long.
    GiveUp,
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
pub(super) fn decide_before(class: RepeatClass, open_for: Duration, retry: &Retry) -> Reopen {
    let repeat = match class {
        RepeatClass::Safe => true,
        RepeatClass::Idempotent => open_for < YOUNG,
        RepeatClass::Creating | RepeatClass::Acting => retry.uncertain == Uncertain::Repeat,
    };
    if repeat { Reopen::Repeat } else { Reopen::Park }
}

/// Decides about the outcome of a call that was sent.
pub(super) fn decide_after(outcome: Result<Reply, CallError>, sent: Sent<'_>) -> Decision {
    match outcome {
        Ok(reply) => Decision::Answer {
            status: reply.status,
            body: reply.body,
        },
        Err(CallError::Refused { status: 404, .. }) if sent.repeats_a_delete() => {
            Decision::Answer {
                status: 204,
                body: Value::Null,
            }
        }
        Err(CallError::Refused { status, .. }) if sent.retry.statuses.contains(&status) => {
            sent.failed(Proof::NothingHappened, sent.pause(Duration::ZERO))
        }
        Err(CallError::Refused { status, body, .. }) => Decision::Answer { status, body },
        Err(CallError::NotSent { .. }) => {
            sent.failed(Proof::NothingHappened, sent.pause(Duration::ZERO))
        }
        Err(CallError::Throttled { retry_after, .. }) => {
            let pause = sent.pause(retry_after.unwrap_or_default());
            sent.failed(Proof::NothingHappened, pause)
        }
        Err(CallError::Unauthorized { .. }) => sent.failed(Proof::NothingHappened, UNAUTHORIZED),
        Err(CallError::Uncertain { .. }) => sent.failed(Proof::None, sent.pause(Duration::ZERO)),
        Err(CallError::TooLarge { .. }) => Decision::TooLarge,
        Err(CallError::Malformed { .. }) => Decision::Malformed,
    }
}

/// What an outcome proves about its own sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proof {
    /// It changed nothing.
    NothingHappened,
    /// Nothing.
    None,
}

impl Sent<'_> {
    fn repeats_a_delete(&self) -> bool {
        self.method == Method::Delete && self.repeated
    }

    fn failed(&self, proof: Proof, mut pause: Pause) -> Decision {
        let nothing_happened = proof == Proof::NothingHappened && !self.repeated;
        if !nothing_happened {
            let age_then = self.intent_age + LAST_CALL + pause.at_least;
            if decide_before(self.class, age_then, self.retry) == Reopen::Park {
                return Decision::Park;
            }
            if self.class == RepeatClass::Idempotent {
                pause.jitter = pause.jitter.min(YOUNG - age_then);
            }
        }
        if pause.counted && self.failing_for >= self.retry.max_age {
            return Decision::GiveUp;
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
