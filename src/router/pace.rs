//! How many events are decided about together.
//!
//! One commit for many is what makes routing fast. But whoever comes next waits for the whole batch, so a batch of a
//! slow `when` is made shorter.

use std::time::Duration;

/// More than this only makes the first of them wait for the last one's `when`.
const EVENTS_MAX: usize = 256;

/// Fewer than this cost more in commits than they spare in waiting.
const EVENTS_MIN: usize = 8;

/// A batch that takes longer to be decided about is too long.
const LONG: Duration = Duration::from_millis(100);

/// The length of the next batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace(usize);

impl Default for Pace {
    fn default() -> Self {
        Self(EVENTS_MAX)
    }
}

impl Pace {
    /// In events.
    pub(super) fn events(self) -> usize {
        self.0
    }

    /// Takes note of how long a batch took.
    pub(super) fn took(&mut self, time: Duration) {
        self.0 = if time > LONG {
            (self.0 / 2).max(EVENTS_MIN)
        } else if time < LONG / 4 {
            (self.0 * 2).min(EVENTS_MAX)
        } else {
            self.0
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_become_shorter_while_they_take_long_and_grow_again() {
        let mut pace = Pace::default();
        assert_eq!(pace.events(), EVENTS_MAX);
        pace.took(LONG * 2);
        assert_eq!(pace.events(), EVENTS_MAX / 2);
        pace.took(LONG / 2);
        assert_eq!(pace.events(), EVENTS_MAX / 2, "that is about right");
        for _ in 0..20 {
            pace.took(LONG * 2);
        }
        assert_eq!(pace.events(), EVENTS_MIN);
        for _ in 0..20 {
            pace.took(Duration::ZERO);
        }
        assert_eq!(pace.events(), EVENTS_MAX);
    }
}
