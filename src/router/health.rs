//! Whether a loop works, for `/readyz`. A loop that fails again and again, or panics, must be seen from outside; one
//! failure alone is no reason to send the traffic elsewhere.

use std::any::Any;
use std::fmt::Display;

use crate::telemetry::{Part, Readiness};

/// So many failures in a row are not a moment's trouble any more.
const FAILURES_MAX: u32 = 3;

/// How one loop is.
#[derive(Debug)]
pub(super) struct Health {
    part: Part,
    readiness: Readiness,
    failures: u32,
}

impl Health {
    /// Of a loop that has not done anything yet.
    pub(super) fn of(part: Part, readiness: Readiness) -> Self {
        Self {
            part,
            readiness,
            failures: 0,
        }
    }

    /// It did what there was to do.
    pub(super) fn well(&mut self) {
        self.failures = 0;
        self.readiness.ready(self.part);
    }

    /// It could not, and will try again.
    pub(super) fn failed(&mut self, trouble: &dyn Display) {
        self.failures += 1;
        if self.failures >= FAILURES_MAX {
            let said = format!("it has failed {} times in a row: {trouble}", self.failures);
            self.readiness.not_ready(self.part, said);
        }
    }

    /// It panicked, and will try again.
    pub(super) fn panicked(&mut self, panic: &(dyn Any + Send)) {
        let said = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("it does not say why");
        tracing::error!(part = ?self.part, panic = said, "a loop panicked and goes on: this is an error in cuegate");
        self.failures += 1;
        self.readiness
            .not_ready(self.part, format!("it panicked: {said}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(readiness: &Readiness) -> String {
        readiness.report()["parts"]["router"].to_string()
    }

    #[test]
    fn a_loop_is_ready_from_its_first_success_until_it_fails_again_and_again() {
        let readiness = Readiness::new();
        let mut health = Health::of(Part::Router, readiness.clone());
        assert_ne!(said(&readiness), "\"ready\"");
        health.well();
        for _ in 1..FAILURES_MAX {
            health.failed(&"no disk");
            assert_eq!(said(&readiness), "\"ready\"");
        }
        health.failed(&"no disk");
        assert!(said(&readiness).contains("no disk"));
        health.well();
        assert_eq!(said(&readiness), "\"ready\"");
        health.failed(&"no disk");
        assert_eq!(said(&readiness), "\"ready\"", "it is counted anew");
    }

    #[test]
    fn a_panic_is_seen_at_once() {
        let readiness = Readiness::new();
        let mut health = Health::of(Part::Router, readiness.clone());
        health.well();
        health.panicked(&"on purpose");
        assert!(said(&readiness).contains("on purpose"));
    }
}
