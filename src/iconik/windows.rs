//! How many requests fit at a moment: exact sliding windows over the times of the last ones.
//!
//! A limiter of the leaky-bucket kind (governor) was not taken, because it lets a full burst and what refills
//! meanwhile through one window: up to twice the number that is allowed. A request that was admitted and is not
//! sent yet takes its place in every window for as long as that lasts, so that what waits for a disk in between
//! cannot leave in a bunch. Times are tokio's, so that tests can stop them.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::config::Rate;

/// What each window is longer than Iconik's own: requests need not arrive in the same distance in which they are
/// sent.
const MARGIN: Duration = Duration::from_millis(25);

/// The window of `Rate::per_second`.
pub(super) const SHORT: Duration = Duration::from_secs(1).saturating_add(MARGIN);

/// The window of `Rate::per_20s`.
pub(super) const LONG: Duration = Duration::from_secs(20).saturating_add(MARGIN);

/// When the last requests were sent, oldest first: as many as the larger window may hold.
#[derive(Debug)]
pub(super) struct Windows {
    per_short: usize,
    per_long: usize,
    sent: VecDeque<Instant>,
    unsent: usize,
}

impl Windows {
    /// Windows that nothing was sent in.
    pub(super) fn new(rate: Rate) -> Self {
        // A rate of nothing would wait for ever; the configuration refuses it, and this is what is left of it.
        let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX).max(1);
        Self {
            per_short: count(rate.per_second),
            per_long: count(rate.per_20s),
            sent: VecDeque::new(),
            unsent: 0,
        }
    }

    /// The earliest time, `now` or later, at which one more request exceeds neither window; none while that hangs
    /// on requests that are admitted and not sent.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        let short = self.free(self.per_short, SHORT, now)?;
        let long = self.free(self.per_long, LONG, now)?;
        Some(short.max(long))
    }

    fn free(&self, count: usize, window: Duration, now: Instant) -> Option<Instant> {
        let others = count.checked_sub(self.unsent + 1)?;
        let Some(nth_last) = self.sent.len().checked_sub(others + 1) else {
            return Some(now);
        };
        Some(now.max(self.sent[nth_last] + window))
    }

    /// Admits one request.
    pub(super) fn admit(&mut self) {
        self.unsent += 1;
    }

    /// An admitted request is sent.
    pub(super) fn send(&mut self, now: Instant) {
        self.give_back();
        while self.sent.front().is_some_and(|&sent| sent + LONG <= now) {
            self.sent.pop_front();
        }
        self.sent.push_back(now);
    }

    /// An admitted request will not be sent.
    pub(super) fn give_back(&mut self) {
        self.unsent = self.unsent.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn most_in_a_window(times: &[Duration], window: Duration) -> usize {
        let from = |first: usize| {
            let inside = |time: &&Duration| **time < times[first] + window;
            times[first..].iter().take_while(inside).count()
        };
        (0..times.len()).map(from).max().unwrap_or(0)
    }

    proptest! {
        #[test]
        fn no_window_ever_holds_more_than_its_number_however_late_a_request_leaves(
            per_second in 1_u32..8,
            per_20s in 1_u32..40,
            steps in prop::collection::vec((0_u64..3_000, 0_usize..6), 1..300),
        ) {
            let mut windows = Windows::new(Rate { per_second, per_20s });
            let start = Instant::now();
            let (mut now, mut admitted, mut times) = (start, 0_usize, Vec::new());
            for (gap, leaving) in steps {
                now += Duration::from_millis(gap);
                if windows.due(now).is_some_and(|due| due <= now) {
                    windows.admit();
                    admitted += 1;
                }
                for _ in 0..leaving.min(admitted) {
                    windows.send(now);
                    admitted -= 1;
                    times.push(now - start);
                }
                prop_assert!(windows.sent.len() <= windows.per_long);
            }
            prop_assert!(most_in_a_window(&times, SHORT) <= windows.per_short);
            prop_assert!(most_in_a_window(&times, LONG) <= windows.per_long);
        }

        #[test]
        fn what_is_due_may_be_sent_then_and_not_a_moment_earlier(
            per_second in 1_u32..8,
            per_20s in 1_u32..40,
            gaps in prop::collection::vec(0_u64..3_000, 1..200),
        ) {
            let mut windows = Windows::new(Rate { per_second, per_20s });
            let mut now = Instant::now();
            for gap in gaps {
                now += Duration::from_millis(gap);
                let due = windows.due(now).expect("nothing is admitted and unsent");
                prop_assert_eq!(windows.due(due), Some(due));
                if due > now {
                    let earlier = due - Duration::from_nanos(1);
                    prop_assert!(windows.due(earlier) == Some(due));
                }
                now = due;
                windows.admit();
                windows.send(now);
            }
        }
    }

    #[test]
    fn what_is_admitted_and_not_sent_takes_its_place_until_it_is_given_back() {
        let mut windows = Windows::new(Rate {
            per_second: 2,
            per_20s: 40,
        });
        let now = Instant::now();
        windows.admit();
        windows.admit();
        assert_eq!(windows.due(now + LONG), None);
        windows.give_back();
        assert_eq!(windows.due(now), Some(now));
        windows.admit();
        windows.send(now);
        assert_eq!(windows.due(now), Some(now + SHORT));
    }
}
