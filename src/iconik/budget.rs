//! How many requests Iconik lets one set of credentials make: a number in every second and in every twenty.
//!
//! Both are exact sliding windows over the times of the last requests. A limiter of the leaky-bucket kind
//! (governor) was not taken, because it lets a full burst and what refills meanwhile through one window: up
//! to twice the number that is allowed. Times are tokio's, so that tests can stop them.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::config::Rate;

/// The window of `Rate::per_second`.
const SHORT: Duration = Duration::from_secs(1);

/// The window of `Rate::per_20s`.
const LONG: Duration = Duration::from_secs(20);

/// The first pause after a 429 that does not say how long; it doubles with each further one.
const PAUSE: Duration = Duration::from_secs(1);

/// The longest pause after a 429 that does not say how long.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// The longest pause that a `Retry-After` may ask for: a slip there must not stop the gateway for a day.
pub(super) const RETRY_AFTER_MAX: Duration = Duration::from_secs(600);

/// The shared budget. Callers are served in the order in which they ask.
#[derive(Debug)]
pub(super) struct Budget {
    // Held while waiting: this is what makes the order.
    windows: tokio::sync::Mutex<Windows>,
    pause: Mutex<Pause>,
}

impl Budget {
    /// A budget that nothing was taken from.
    pub(super) fn new(rate: Rate) -> Self {
        Self {
            windows: tokio::sync::Mutex::new(Windows::new(rate)),
            pause: Mutex::default(),
        }
    }

    /// Waits until one more request may be sent, and counts it. Dropping the future gives the turn away.
    pub(super) async fn admit(&self) {
        let mut windows = self.windows.lock().await;
        loop {
            let now = Instant::now();
            let due = windows.due(now).max(self.pause().until.unwrap_or(now));
            if due <= now {
                windows.record(now);
                return;
            }
            // Asked again afterwards: a pause may have come in the meantime.
            tokio::time::sleep_until(due).await;
        }
    }

    /// Iconik answered 429: everybody pauses, for as long as it says or a second that doubles with repeats.
    /// Returns when requests go on.
    pub(super) fn throttled(&self, retry_after: Option<Duration>) -> Instant {
        self.pause().throttled(Instant::now(), retry_after)
    }

    /// Iconik answered that nothing remains of its budget: everybody pauses for a second.
    pub(super) fn exhausted(&self) {
        self.pause().extend(Instant::now() + PAUSE);
    }

    /// Iconik answered something other than 429: the next pause begins small again.
    pub(super) fn answered(&self) {
        self.pause().answered(Instant::now());
    }

    fn pause(&self) -> MutexGuard<'_, Pause> {
        self.pause.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When the last requests were sent, oldest first: as many as the larger window may hold.
#[derive(Debug)]
struct Windows {
    per_short: usize,
    per_long: usize,
    sent: VecDeque<Instant>,
}

impl Windows {
    fn new(rate: Rate) -> Self {
        // A rate of nothing would wait for ever; the configuration refuses it, and this is what is left of it.
        let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX).max(1);
        Self {
            per_short: count(rate.per_second),
            per_long: count(rate.per_20s),
            sent: VecDeque::new(),
        }
    }

    /// The earliest time, `now` or later, at which one more request exceeds neither window.
    fn due(&self, now: Instant) -> Instant {
        let free = |count: usize, window: Duration| {
            let nth_last = self.sent.len().checked_sub(count)?;
            Some(self.sent[nth_last] + window)
        };
        [free(self.per_short, SHORT), free(self.per_long, LONG)]
            .into_iter()
            .flatten()
            .fold(now, Instant::max)
    }

    fn record(&mut self, now: Instant) {
        while self.sent.front().is_some_and(|&sent| sent + LONG <= now) {
            self.sent.pop_front();
        }
        self.sent.push_back(now);
    }
}

/// A pause that Iconik asked for.
#[derive(Debug, Default)]
struct Pause {
    until: Option<Instant>,
    repeats: u32,
}

impl Pause {
    fn throttled(&mut self, now: Instant, retry_after: Option<Duration>) -> Instant {
        // The 429s of requests that were under way when the pause began are one and the same refusal.
        let under_way = self.until.is_some_and(|until| now < until);
        if !under_way {
            self.repeats = self.repeats.saturating_add(1);
        }
        let growing = PAUSE.saturating_mul(1 << (self.repeats.saturating_sub(1)).min(16));
        match retry_after {
            Some(asked) => self.extend(now + asked),
            None if !under_way => self.extend(now + growing.min(PAUSE_MAX)),
            None => {}
        }
        self.until.unwrap_or(now)
    }

    fn extend(&mut self, until: Instant) {
        self.until = self.until.max(Some(until));
    }

    fn answered(&mut self, now: Instant) {
        // An answer to what was sent before the pause says nothing about its end.
        if self.until.is_none_or(|until| until <= now) {
            self.repeats = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;

    const RATE: Rate = Rate {
        per_second: 5,
        per_20s: 20,
    };

    /// Lets `count` requests through, one after the other, and says when each went, from the start.
    async fn admitted(budget: &Budget, count: usize) -> Vec<Duration> {
        let start = Instant::now();
        let mut times = Vec::new();
        for _ in 0..count {
            budget.admit().await;
            times.push(start.elapsed());
        }
        times
    }

    fn most_in_a_window(times: &[Duration], window: Duration) -> usize {
        (0..times.len())
            .map(|first| {
                times[first..]
                    .iter()
                    .take_while(|time| **time < times[first] + window)
                    .count()
            })
            .max()
            .unwrap_or(0)
    }

    #[tokio::test(start_paused = true)]
    async fn both_windows_hold_and_are_used_to_the_full() {
        let times = admitted(&Budget::new(RATE), 60).await;
        assert_eq!(most_in_a_window(&times, SHORT), 5, "{times:?}");
        assert_eq!(most_in_a_window(&times, LONG), 20, "{times:?}");
        assert_eq!(times[4], Duration::ZERO);
        assert!(times[59] < Duration::from_secs(45), "{times:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn callers_are_served_in_the_order_in_which_they_ask() {
        let budget = Arc::new(Budget::new(Rate {
            per_second: 1,
            per_20s: 20,
        }));
        let served = Arc::new(Mutex::new(Vec::new()));
        let mut callers = tokio::task::JoinSet::new();
        for caller in 0..6 {
            let (budget, served) = (Arc::clone(&budget), Arc::clone(&served));
            callers.spawn(async move {
                budget.admit().await;
                served.lock().expect("not poisoned").push(caller);
            });
            tokio::task::yield_now().await;
        }
        callers.join_all().await;
        assert_eq!(*served.lock().expect("not poisoned"), [0, 1, 2, 3, 4, 5]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_that_gives_up_takes_nothing() {
        let budget = Budget::new(Rate {
            per_second: 1,
            per_20s: 20,
        });
        budget.admit().await;
        let start = Instant::now();
        let gave_up = tokio::time::timeout(Duration::from_millis(100), budget.admit()).await;
        assert!(gave_up.is_err());
        budget.admit().await;
        assert!(start.elapsed() <= SHORT + Duration::from_millis(5));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_stops_everybody_even_those_who_wait_already() {
        let budget = Arc::new(Budget::new(Rate {
            per_second: 1,
            per_20s: 20,
        }));
        budget.admit().await;
        let start = Instant::now();
        let waiting = tokio::spawn({
            let budget = Arc::clone(&budget);
            async move { budget.admit().await }
        });
        tokio::task::yield_now().await;
        budget.throttled(Some(Duration::from_secs(7)));
        waiting.await.expect("no panic");
        assert!(start.elapsed() >= Duration::from_secs(7));
        assert!(start.elapsed() < Duration::from_secs(8));
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_remaining_pauses_for_a_second() {
        let budget = Budget::new(RATE);
        budget.exhausted();
        assert!(admitted(&budget, 1).await[0] >= PAUSE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_without_a_length_grows_with_repeats_and_begins_anew_after_an_answer() {
        let mut pause = Pause::default();
        let mut now = Instant::now();
        for seconds in [1, 2, 4, 8, 16, 30, 30] {
            let until = pause.throttled(now, None);
            assert_eq!(until - now, Duration::from_secs(seconds));
            // A whole volley was under way.
            assert_eq!(pause.throttled(now, None), until);
            pause.answered(now);
            now = until;
        }
        pause.answered(now);
        assert_eq!(pause.throttled(now, None) - now, PAUSE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_as_long_as_iconik_says() {
        let mut pause = Pause::default();
        let now = Instant::now();
        let until = pause.throttled(now, Some(Duration::from_secs(3)));
        assert_eq!(until - now, Duration::from_secs(3));
        let until = pause.throttled(now, Some(Duration::from_secs(1)));
        assert_eq!(until - now, Duration::from_secs(3), "never shortened");
    }

    proptest! {
        #[test]
        fn no_window_ever_holds_more_than_its_number(
            per_second in 1_u32..8,
            per_20s in 1_u32..40,
            gaps in prop::collection::vec(0_u64..3_000, 1..200),
        ) {
            let mut windows = Windows::new(Rate { per_second, per_20s });
            let start = Instant::now();
            let mut now = start;
            let mut times = Vec::new();
            for gap in gaps {
                now = windows.due(now + Duration::from_millis(gap));
                windows.record(now);
                times.push(now - start);
                prop_assert!(windows.sent.len() <= windows.per_long.max(1));
            }
            prop_assert!(most_in_a_window(&times, SHORT) <= windows.per_short);
            prop_assert!(most_in_a_window(&times, LONG) <= windows.per_long);
        }
    }
}
