//! How many requests Iconik lets one set of credentials make, and who of all that ask may make the next.
//!
//! While there is room nobody waits. Otherwise one task gives out what comes free, in the order of the fair queue. An
//! admission is a value: dropped unused, it makes room for another one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use crate::config::Rate;

use super::queue::{FairQueue, Share};
use super::windows::Windows;

/// The first pause after a 429 that does not say how long; it doubles with each further one.
const PAUSE: Duration = Duration::from_secs(1);

/// The longest pause after a 429 that does not say how long.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// The longest pause that a `Retry-After` may ask for: a slip there must not stop the gateway for a day.
pub(super) const RETRY_AFTER_MAX: Duration = Duration::from_secs(600);

/// The shared budget.
#[derive(Debug)]
pub(super) struct Budget(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Told when an admission was used or given back.
    freed: Notify,
}

#[derive(Debug)]
struct State {
    windows: Windows,
    pause: Pause,
    queue: FairQueue<oneshot::Sender<Permit>>,
    /// Whether the task that serves the queue is there.
    serving: bool,
}

/// One request that may be sent.
#[derive(Debug, Default)]
pub struct Permit(Option<Arc<Shared>>);

impl Permit {
    /// The request is sent now.
    pub(super) fn used(mut self) {
        if let Some(shared) = self.0.take() {
            shared.state().windows.send(Instant::now());
            shared.freed.notify_one();
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(shared) = self.0.take() {
            shared.state().windows.give_back();
            shared.freed.notify_one();
        }
    }
}

impl Budget {
    /// A budget that nothing was taken from.
    pub(super) fn new(rate: Rate) -> Self {
        Self(Arc::new(Shared {
            state: Mutex::new(State {
                windows: Windows::new(rate),
                pause: Pause::default(),
                queue: FairQueue::new(),
                serving: false,
            }),
            freed: Notify::new(),
        }))
    }

    /// Waits until one more request may be sent. Dropping the future gives the turn away.
    pub(super) async fn admit(&self, share: &Share) -> Permit {
        loop {
            let turn = match self.try_admit(share) {
                Ok(permit) => return permit,
                Err(turn) => turn,
            };
            // A turn is not lost as long as the queue is there; should it be, it is asked for again.
            if let Ok(permit) = turn.await {
                return permit;
            }
        }
    }

    fn try_admit(&self, share: &Share) -> Result<Permit, oneshot::Receiver<Permit>> {
        let mut state = self.0.state();
        let now = Instant::now();
        if state.queue.len() == 0 && state.due(now).is_some_and(|due| due <= now) {
            state.windows.admit();
            return Ok(Permit(Some(Arc::clone(&self.0))));
        }
        let (turn, waiting) = oneshot::channel();
        state.queue.push(share, turn);
        if !state.serving {
            state.serving = true;
            tokio::spawn(serve(Arc::clone(&self.0)));
        }
        Err(waiting)
    }

    /// Iconik answered 429: everybody pauses, for as long as it says or a second that doubles with repeats.
    /// Returns when requests go on.
    pub(super) fn throttled(&self, retry_after: Option<Duration>) -> Instant {
        let mut state = self.0.state();
        state.pause.throttled(Instant::now(), retry_after)
    }

    /// Iconik answered that nothing remains of its budget. Where we have used it up ourselves, the windows know when
    /// there is room again; otherwise somebody else has, and everybody pauses for a second.
    pub(super) fn exhausted(&self) {
        let mut state = self.0.state();
        let now = Instant::now();
        if state.windows.due(now).is_some_and(|due| due <= now) {
            state.pause.extend(now + PAUSE);
        }
    }

    /// Iconik answered something other than 429: the next pause begins small again.
    pub(super) fn answered(&self) {
        self.0.state().pause.answered(Instant::now());
    }
}

/// Gives out admissions until nobody waits.
async fn serve(shared: Arc<Shared>) {
    loop {
        match shared.next() {
            // Nobody else can be admitted meanwhile, because somebody waits.
            Next::Turn(turn) => {
                // An admission for somebody who has gone is dropped, and makes room.
                let _ = turn.send(Permit(Some(Arc::clone(&shared))));
            }
            // Asked again afterwards: a pause may have come in the meantime.
            Next::At(due) => tokio::select! {
                () = tokio::time::sleep_until(due) => {}
                () = shared.freed.notified() => {}
            },
            Next::Unknown => shared.freed.notified().await,
            Next::Nobody => return,
        }
    }
}

/// What comes next.
enum Next {
    /// It is somebody's turn, and counted.
    Turn(oneshot::Sender<Permit>),
    /// Nothing before this.
    At(Instant),
    /// It hangs on admissions that are not used yet.
    Unknown,
    /// Nobody waits.
    Nobody,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Next {
        let mut state = self.state();
        let now = Instant::now();
        if state.queue.len() == 0 {
            // Under the lock, so that nobody is left waiting for a task that is about to end.
            state.serving = false;
            return Next::Nobody;
        }
        match state.due(now) {
            None => Next::Unknown,
            Some(due) if due > now => Next::At(due),
            Some(_) => match state.queue.pop(|turn| !turn.is_closed()) {
                Some(turn) => {
                    state.windows.admit();
                    Next::Turn(turn)
                }
                None => Next::At(now),
            },
        }
    }
}

impl State {
    fn due(&self, now: Instant) -> Option<Instant> {
        let due = self.windows.due(now)?;
        Some(due.max(self.pause.until.unwrap_or(now)))
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
    use super::super::windows::{LONG, SHORT};
    use super::*;
    use crate::model::{RuleId, SourceName};

    const RATE: Rate = Rate {
        per_second: 5,
        per_20s: 20,
    };

    /// Lets `count` requests through, one after the other, and says when each went, from the start.
    async fn admitted(budget: &Budget, count: usize) -> Vec<Duration> {
        let start = Instant::now();
        let mut times = Vec::new();
        for _ in 0..count {
            budget.admit(&share("a")).await.used();
            times.push(start.elapsed());
        }
        times
    }

    fn share(rule: &str) -> Share {
        Share {
            priority: 0,
            rule: RuleId::from(rule),
            source: SourceName::from("iconik"),
        }
    }

    fn most_in_a_window(times: &[Duration], window: Duration) -> usize {
        let from = |first: usize| {
            let inside = |time: &&Duration| **time < times[first] + window;
            times[first..].iter().take_while(inside).count()
        };
        (0..times.len()).map(from).max().unwrap_or(0)
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
                budget.admit(&share("a")).await.used();
                served.lock().expect("not poisoned").push(caller);
            });
            tokio::task::yield_now().await;
        }
        callers.join_all().await;
        assert_eq!(*served.lock().expect("not poisoned"), [0, 1, 2, 3, 4, 5]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_one_rule_does_not_delay_another() {
        let budget = Arc::new(Budget::new(RATE));
        let served = Arc::new(Mutex::new(Vec::new()));
        let mut callers = tokio::task::JoinSet::new();
        for rule in ["flood"; 40].into_iter().chain(["quiet"]) {
            let (budget, served) = (Arc::clone(&budget), Arc::clone(&served));
            callers.spawn(async move {
                budget.admit(&share(rule)).await.used();
                served.lock().expect("not poisoned").push(rule);
            });
            tokio::task::yield_now().await;
        }
        callers.join_all().await;
        let served = served.lock().expect("not poisoned");
        let place = served.iter().position(|rule| *rule == "quiet");
        assert!(place.is_some_and(|place| place <= 7), "{place:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn two_thousand_a_second_are_reached_within_five_hundredths() {
        let budget = Budget::new(Rate {
            per_second: 2_000,
            per_20s: 40_000,
        });
        let start = Instant::now();
        let mut sent = 0_u32;
        while start.elapsed() < Duration::from_secs(30) {
            budget.admit(&share("a")).await.used();
            sent += 1;
        }
        assert!(sent >= 57_000, "{sent}");
    }

    /// One request a second, and the first is sent.
    async fn used_up() -> Arc<Budget> {
        let budget = Arc::new(Budget::new(Rate {
            per_second: 1,
            per_20s: 20,
        }));
        budget.admit(&share("a")).await.used();
        budget
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_that_gives_up_takes_nothing() {
        let budget = used_up().await;
        let start = Instant::now();
        let share = share("a");
        let gave_up = tokio::time::timeout(Duration::from_millis(100), budget.admit(&share)).await;
        assert!(gave_up.is_err());
        drop(budget.admit(&share).await);
        budget.admit(&share).await.used();
        assert!(start.elapsed() <= SHORT + Duration::from_millis(5));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_admitted_and_not_sent_yet_keeps_others_back() {
        let budget = used_up().await;
        let share = share("a");
        let held = budget.admit(&share).await;
        let later = tokio::time::timeout(LONG, budget.admit(&share)).await;
        assert!(later.is_err(), "the second is full while one may leave");
        held.used();
        let start = Instant::now();
        budget.admit(&share).await.used();
        assert!(start.elapsed() >= SHORT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_stops_everybody_even_those_who_wait_already() {
        let budget = used_up().await;
        let start = Instant::now();
        let waiting = tokio::spawn({
            let budget = Arc::clone(&budget);
            async move { drop(budget.admit(&share("a")).await) }
        });
        tokio::task::yield_now().await;
        budget.throttled(Some(Duration::from_secs(7)));
        waiting.await.expect("no panic");
        assert!(start.elapsed() >= Duration::from_secs(7));
        assert!(start.elapsed() < Duration::from_secs(8));
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_remaining_pauses_for_a_second_unless_we_have_used_it_up_ourselves() {
        let budget = Budget::new(RATE);
        admitted(&budget, 4).await;
        budget.exhausted();
        assert!(admitted(&budget, 1).await[0] >= PAUSE);
        let budget = Budget::new(RATE);
        admitted(&budget, 5).await;
        tokio::time::advance(PAUSE / 2).await;
        budget.exhausted();
        let rest = SHORT - PAUSE / 2;
        assert!(admitted(&budget, 1).await[0] <= rest + Duration::from_millis(2));
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
}
