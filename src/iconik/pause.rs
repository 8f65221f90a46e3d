//! The pause that everybody makes when Iconik asks for fewer requests.

use std::time::Duration;

use tokio::time::Instant;

/// The first pause after a 429 that does not say how long; it doubles with each further one.
pub(super) const PAUSE: Duration = Duration::from_secs(1);

/// The longest pause after a 429 that does not say how long.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// A pause that Iconik asked for.
#[derive(Debug, Default)]
pub(super) struct Pause {
    /// When requests go on.
    pub(super) until: Option<Instant>,
    repeats: u32,
}

impl Pause {
    /// Iconik asks for fewer requests; answers when requests go on.
    pub(super) fn throttled(&mut self, now: Instant, retry_after: Option<Duration>) -> Instant {
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

    /// Nothing before this.
    pub(super) fn extend(&mut self, until: Instant) {
        self.until = self.until.max(Some(until));
    }

    /// Iconik has answered something else.
    pub(super) fn answered(&mut self, now: Instant) {
        // An answer to what was sent before the pause says nothing about its end.
        if self.until.is_none_or(|until| until <= now) {
            self.repeats = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
