//! How long to wait before a call is tried again: full jitter, `random(0, min(longest, shortest * 2^n))`.
//!
//! The number of tries is not stored anywhere. It follows from how long the call has been failing, because
//! pauses that double add up to about the last one doubled.

use std::time::Duration;

/// No pause grows from less than this, so that `min: "0s"` still backs off.
const SHORTEST: Duration = Duration::from_millis(10);

/// A pause out of `0..ceiling`; `random` is in `0.0..1.0`.
pub(super) fn jitter(ceiling: Duration, random: f64) -> Duration {
    ceiling.mul_f64(random.clamp(0.0, 1.0))
}

/// The longest pause after a call has been failing for so long.
pub(super) fn ceiling(min: Duration, max: Duration, failing_for: Duration) -> Duration {
    let base = min.max(SHORTEST);
    base.saturating_mul(
        1_u32
            .checked_shl(doublings(base, failing_for))
            .unwrap_or(u32::MAX),
    )
    .min(max)
}

/// How many pauses, each twice the one before, fit into `failing_for` when the first is `base`.
fn doublings(base: Duration, failing_for: Duration) -> u32 {
    let pauses = failing_for.as_nanos() / base.as_nanos().max(1);
    (pauses + 1).ilog2()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_duration() -> impl Strategy<Value = Duration> {
        (0_u64..100_000_000_000).prop_map(Duration::from_millis)
    }

    proptest! {
        #[test]
        fn a_pause_is_never_longer_than_allowed(
            min in any_duration(), max in any_duration(), failing in any_duration(), random in 0.0_f64..1.0,
        ) {
            prop_assert!(jitter(ceiling(min, max, failing), random) <= max);
        }

        #[test]
        fn the_ceiling_never_shrinks_while_a_call_keeps_failing(
            min in any_duration(), max in any_duration(), first in any_duration(), more in any_duration(),
        ) {
            prop_assert!(ceiling(min, max, first) <= ceiling(min, max, first + more));
        }

        #[test]
        fn the_ceiling_stays_within_a_doubling_of_the_time_that_the_call_has_failed(
            min in 10_u64..10_000, failing in any_duration(),
        ) {
            let min = Duration::from_millis(min);
            let ceiling = ceiling(min, Duration::MAX, failing);
            prop_assert!(ceiling <= failing + min);
            let bounded_doublings = failing < min.saturating_mul(1 << 31);
            prop_assert!(!bounded_doublings || ceiling * 2 > failing);
        }
    }

    #[test]
    fn the_ceiling_doubles_from_the_shortest_pause_to_the_longest() {
        let (min, max) = (Duration::from_secs(1), Duration::from_secs(600));
        let seconds = |failing: u64| ceiling(min, max, Duration::from_secs(failing)).as_secs();
        assert_eq!(
            [0, 1, 2, 3, 7, 100, 1_000, 1_000_000].map(seconds),
            [1, 2, 2, 4, 8, 64, 512, 600]
        );
    }
}
