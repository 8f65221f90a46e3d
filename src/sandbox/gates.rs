//! Keeps a rule that wants all workers from standing in the line more than once for each.
//!
//! The pool serves who came first. If all the runs of one rule stood there, another rule would wait for as many
//! advances as that rule has runs; so only as many of one party may have a worker or wait for one as there are workers,
//! and the others wait in front of their party's gate.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Gates that nobody uses are forgotten when there are so many.
const KEPT_MAX: usize = 256;

/// Who wants a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Party {
    /// The runs of a rule.
    Runs(u64),
    /// Whoever asks a rule about events: routing must not wait for the rule's runs.
    Questions(u64),
    /// Whoever has rules compiled.
    Compiler,
}

/// The gates of all parties.
#[derive(Debug)]
pub(super) struct Gates {
    width: usize,
    open: Mutex<HashMap<Party, Weak<Semaphore>>>,
}

/// A place in the line; it is given up when it is dropped.
#[derive(Debug)]
pub(super) struct Passed {
    // The permit alone does not keep the gate alive for others who come meanwhile.
    _gate: Arc<Semaphore>,
    _permit: OwnedSemaphorePermit,
}

impl Gates {
    /// Gates that let so many through at a time.
    pub(super) fn new(width: usize) -> Self {
        Self {
            width,
            open: Mutex::default(),
        }
    }

    /// Waits for a place of the party.
    pub(super) async fn pass(&self, party: Party) -> Passed {
        let gate = self.gate(party);
        let permit = Arc::clone(&gate)
            .acquire_owned()
            .await
            .expect("gates are never closed");
        Passed {
            _gate: gate,
            _permit: permit,
        }
    }

    fn gate(&self, party: Party) -> Arc<Semaphore> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gate) = open.get(&party).and_then(Weak::upgrade) {
            return gate;
        }
        if open.len() >= KEPT_MAX {
            open.retain(|_, gate| gate.strong_count() > 0);
        }
        let gate = Arc::new(Semaphore::new(self.width));
        open.insert(party, Arc::downgrade(&gate));
        gate
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn a_party_passes_as_often_as_its_gate_is_wide_and_others_are_not_kept_out() {
        let gates = Gates::new(2);
        let (one, other) = (Party::Runs(1), Party::Runs(2));
        let first = gates.pass(one).await;
        let _second = gates.pass(one).await;
        assert!(gates.pass(one).now_or_never().is_none());
        assert!(gates.pass(other).now_or_never().is_some());
        assert!(gates.pass(Party::Questions(1)).now_or_never().is_some());
        drop(first);
        assert!(gates.pass(one).now_or_never().is_some());
    }

    #[tokio::test]
    async fn gates_that_nobody_uses_are_forgotten() {
        let gates = Gates::new(1);
        let held = gates.pass(Party::Runs(0)).await;
        for number in 1..1_000 {
            drop(gates.pass(Party::Runs(number)).await);
        }
        assert!(gates.open.lock().unwrap().len() <= KEPT_MAX);
        assert!(gates.pass(Party::Runs(0)).now_or_never().is_none());
        drop(held);
    }
}
