//! The list of worker processes that exist, for reports, the gauge, tests and benches.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The process ids of all workers.
#[derive(Clone, Debug, Default)]
pub(super) struct Roll(Arc<Mutex<BTreeSet<u32>>>);

/// A process is on the roll as long as this lives.
#[derive(Debug)]
pub(super) struct Entry {
    roll: Roll,
    pid: u32,
}

impl Roll {
    pub(super) fn enter(&self, pid: u32) -> Entry {
        self.change(|pids| pids.insert(pid));
        Entry {
            roll: self.clone(),
            pid,
        }
    }

    pub(super) fn pids(&self) -> Vec<u32> {
        self.lock().iter().copied().collect()
    }

    fn change(&self, change: impl FnOnce(&mut BTreeSet<u32>) -> bool) {
        let mut pids = self.lock();
        change(&mut pids);
        let alive = u32::try_from(pids.len()).unwrap_or(u32::MAX);
        metrics::gauge!("cuegate_sandbox_workers").set(alive);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.roll.change(|pids| pids.remove(&self.pid));
    }
}
