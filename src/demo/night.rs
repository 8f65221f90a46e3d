//! The clock of the demo: the machine's while it is day, then put forward, because nobody waits a night for a schedule.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};

use crate::clock::{Clock, SharedClock};

/// A clock that goes as another one does, some time ahead of it.
#[derive(Debug)]
pub(super) struct DemoClock {
    machine: SharedClock,
    /// In microseconds.
    ahead: AtomicI64,
}

impl DemoClock {
    /// A clock that is not ahead.
    pub(super) fn like(machine: SharedClock) -> Self {
        Self {
            machine,
            ahead: AtomicI64::new(0),
        }
    }

    /// Puts it forward to a time, from where it goes on. It is never put back.
    pub(super) fn forward_to(&self, at: Timestamp) {
        let ahead = at.duration_since(self.machine.now()).as_micros();
        let ahead = i64::try_from(ahead).unwrap_or(i64::MAX);
        self.ahead.fetch_max(ahead, Ordering::SeqCst);
    }
}

impl Clock for DemoClock {
    fn now(&self) -> Timestamp {
        let ahead = SignedDuration::from_micros(self.ahead.load(Ordering::SeqCst));
        let now = self.machine.now();
        now.checked_add(ahead).unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn it_goes_on_from_where_it_was_put_and_never_back() {
        let noon: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let morning: Timestamp = "2026-03-02T05:00:00Z".parse().unwrap();
        let machine = Arc::new(ManualClock::at(noon));
        let clock = DemoClock::like(machine.clone());
        assert_eq!(clock.now(), noon);
        clock.forward_to(morning);
        assert_eq!(clock.now(), morning);
        machine.advance(Duration::from_secs(1));
        assert_eq!(clock.now(), morning + Duration::from_secs(1));
        clock.forward_to(noon);
        assert_eq!(clock.now(), morning + Duration::from_secs(1));
    }
}
