//! What follows from a request to another system that brought no answer: pure, so that every target's wish meets
//! every outcome in a test.
//!
//! A request that is sent a second time carries the doubt of the first: a refused connection then says nothing
//! about what was sent before.

use std::time::Duration;

use crate::config::OnUncertain;
use crate::egress::EgressError;
use crate::model::Retry;

use super::super::backoff::ceiling;

/// What is known about a request when its outcome arrives.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent<'a> {
    /// Whether sending it twice does no harm.
    pub(super) safe: bool,
    /// Whether it had been sent before, with an outcome that proves nothing.
    pub(super) repeated: bool,
    /// What the target's configuration says.
    pub(super) on_uncertain: OnUncertain,
    /// How long it has been failing.
    pub(super) failing_for: Duration,
    /// What the rule says about retries.
    pub(super) retry: &'a Retry,
}

/// What to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Later again.
    Again(Again),
    /// The rule goes on without an answer.
    Drop,
    /// A person must decide, because it may have happened.
    Park,
    /// It has failed for too long.
    GiveUp {
        /// As in [`Again`].
        nothing_happened: bool,
    },
    /// It was not sent and never can be.
    Refuse,
    /// It was carried out, as far as anybody knows, and its answer can never be kept.
    TooLarge,
}

/// How a request is tried again: after `at_least` and a random part of `jitter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Again {
    /// Whether nothing that was sent for this step can have happened, so that its intent can be taken back.
    pub(super) nothing_happened: bool,
    /// What the target asks for.
    pub(super) at_least: Duration,
    /// The ceiling of the random part.
    pub(super) jitter: Duration,
}

/// Decides about the outcome of a request that was sent.
pub(super) fn decide(error: &EgressError, sent: Sent<'_>) -> Decision {
    let at_least = match error {
        EgressError::NoTarget { .. }
        | EgressError::Malformed { .. }
        | EgressError::NotPublic { .. } => return Decision::Refuse,
        EgressError::TooLarge { status, .. } if (400..500).contains(status) => {
            return Decision::Refuse;
        }
        EgressError::TooLarge { .. } => return Decision::TooLarge,
        EgressError::Throttled { retry_after } => retry_after.unwrap_or_default(),
        EgressError::NotSent { .. } | EgressError::Uncertain { .. } => Duration::ZERO,
    };
    let proves_nothing = matches!(error, EgressError::Uncertain { .. });
    if !sent.safe && (proves_nothing || sent.repeated) {
        match sent.on_uncertain {
            OnUncertain::Repeat => {}
            OnUncertain::Park => return Decision::Park,
            OnUncertain::Drop => return Decision::Drop,
        }
    }
    let nothing_happened = !proves_nothing && !sent.repeated;
    if sent.failing_for >= sent.retry.max_age {
        return Decision::GiveUp { nothing_happened };
    }
    Decision::Again(Again {
        nothing_happened,
        at_least: at_least.min(sent.retry.max_age),
        jitter: ceiling(sent.retry.min, sent.retry.max, sent.failing_for),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGETS: [OnUncertain; 3] = [OnUncertain::Park, OnUncertain::Repeat, OnUncertain::Drop];

    fn not_sent() -> EgressError {
        EgressError::NotSent {
            what: "connection refused".to_owned(),
        }
    }

    fn uncertain() -> EgressError {
        EgressError::Uncertain {
            status: Some(502),
            what: "it answered 502".to_owned(),
        }
    }

    fn too_large(status: u16) -> EgressError {
        EgressError::TooLarge {
            status,
            limit_bytes: 1,
        }
    }

    fn throttled(seconds: u64) -> EgressError {
        EgressError::Throttled {
            retry_after: Some(Duration::from_secs(seconds)),
        }
    }

    fn decided(
        error: &EgressError,
        safe: bool,
        repeated: bool,
        on_uncertain: OnUncertain,
    ) -> Decision {
        decide(
            error,
            Sent {
                safe,
                repeated,
                on_uncertain,
                failing_for: Duration::ZERO,
                retry: &Retry::default(),
            },
        )
    }

    fn again(decision: Decision) -> Again {
        match decision {
            Decision::Again(again) => again,
            other => panic!("not again but {other:?}"),
        }
    }

    #[test]
    fn what_proves_that_nothing_happened_is_tried_again_whatever_the_target_says() {
        for on_uncertain in TARGETS {
            for error in [not_sent(), throttled(7)] {
                let again = again(decided(&error, false, false, on_uncertain));
                assert!(again.nothing_happened, "{on_uncertain:?} {error}");
            }
        }
        let asked = again(decided(&throttled(7), false, false, OnUncertain::Park));
        assert_eq!(asked.at_least, Duration::from_secs(7));
    }

    #[test]
    fn what_may_have_happened_is_decided_by_the_target() {
        let outcome = |on_uncertain| decided(&uncertain(), false, false, on_uncertain);
        assert_eq!(outcome(OnUncertain::Park), Decision::Park);
        assert_eq!(outcome(OnUncertain::Drop), Decision::Drop);
        assert!(!again(outcome(OnUncertain::Repeat)).nothing_happened);
    }

    #[test]
    fn a_repetition_keeps_the_doubt_of_what_was_sent_before() {
        for error in [not_sent(), throttled(1), uncertain()] {
            let again = again(decided(&error, false, true, OnUncertain::Repeat));
            assert!(!again.nothing_happened, "{error}");
        }
    }

    #[test]
    fn a_read_is_repeated_whatever_the_target_says() {
        for on_uncertain in TARGETS {
            for error in [not_sent(), throttled(1), uncertain()] {
                again(decided(&error, true, false, on_uncertain));
            }
        }
    }

    #[test]
    fn what_can_never_work_is_refused_at_once() {
        let what = String::new();
        for error in [
            EgressError::NoTarget {
                target: String::new(),
            },
            EgressError::Malformed { what: what.clone() },
            EgressError::NotPublic { what },
            too_large(400),
        ] {
            for safe in [true, false] {
                let decision = decided(&error, safe, false, OnUncertain::Repeat);
                assert_eq!(decision, Decision::Refuse, "{error}");
            }
        }
    }

    #[test]
    fn what_was_carried_out_is_not_refused_because_its_answer_is_too_large() {
        for on_uncertain in TARGETS {
            let decision = decided(&too_large(200), false, false, on_uncertain);
            assert_eq!(decision, Decision::TooLarge);
        }
    }

    #[test]
    fn trying_again_ends_with_the_age_that_the_rule_sets() {
        let retry = Retry::default();
        let after = |failing_for| {
            decide(
                &not_sent(),
                Sent {
                    safe: false,
                    repeated: false,
                    on_uncertain: OnUncertain::Park,
                    failing_for,
                    retry: &retry,
                },
            )
        };
        again(after(retry.max_age - Duration::from_secs(1)));
        let nothing_happened = true;
        assert_eq!(after(retry.max_age), Decision::GiveUp { nothing_happened });
    }
}
