//! The rate limit: a sliding window for each credential, exact rather than cheap, for a client is tested
//! against it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::RateLimit;

/// The windows of all credentials.
#[derive(Debug)]
pub(super) struct Windows {
    limit: Option<RateLimit>,
    admitted: Mutex<HashMap<String, VecDeque<Instant>>>,
}

/// Whether a request may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// There is no limit.
    Unlimited,
    /// It may, and so many more after it.
    Admitted { remaining: usize },
    /// It may not. How long until one may, if the limit tells that.
    Refused { retry_after: Option<Duration> },
}

impl Windows {
    pub(super) fn new(limit: Option<RateLimit>) -> Self {
        Self {
            limit,
            admitted: Mutex::default(),
        }
    }

    /// Counts a request. That a refused one does not count is inferred.
    pub(super) fn admit(&self, app_id: &str, now: Instant) -> Admission {
        let Some(limit) = self.limit else {
            return Admission::Unlimited;
        };
        let mut windows = self.admitted.lock().unwrap_or_else(PoisonError::into_inner);
        let window = windows.entry(app_id.to_owned()).or_default();
        while window
            .front()
            .is_some_and(|first| now.duration_since(*first) >= limit.window)
        {
            window.pop_front();
        }
        if window.len() < limit.requests {
            window.push_back(now);
            let remaining = limit.requests - window.len();
            return Admission::Admitted { remaining };
        }
        let oldest = window.front().copied().unwrap_or(now);
        let free_in = limit.window.saturating_sub(now.duration_since(oldest));
        Admission::Refused {
            retry_after: limit.retry_after.then_some(free_in),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: RateLimit = RateLimit {
        requests: 2,
        window: Duration::from_secs(20),
        retry_after: true,
    };

    #[test]
    fn the_window_slides_and_each_credential_has_its_own() {
        let windows = Windows::new(Some(LIMIT));
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let admitted = |remaining| Admission::Admitted { remaining };
        assert_eq!(windows.admit("one", at(0)), admitted(1));
        assert_eq!(windows.admit("one", at(5)), admitted(0));
        let retry_after = Some(Duration::from_secs(14));
        assert_eq!(
            windows.admit("one", at(6)),
            Admission::Refused { retry_after }
        );
        assert_eq!(windows.admit("other", at(6)), admitted(1));
        assert_eq!(windows.admit("one", at(20)), admitted(0));
        assert!(matches!(
            windows.admit("one", at(24)),
            Admission::Refused { .. }
        ));
        assert_eq!(windows.admit("one", at(25)), admitted(0));
    }

    #[test]
    fn without_a_limit_everything_passes() {
        let windows = Windows::new(None);
        for _ in 0..5000 {
            assert_eq!(windows.admit("one", Instant::now()), Admission::Unlimited);
        }
    }
}
