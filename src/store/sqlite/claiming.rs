//! A claim is written in one transaction and read back outside of it, so that a long journal never holds up
//! the writer. In between nothing may get lost: what nobody takes is given back, and what cannot be read
//! back is ended, so that neither blocks its lane for ever.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use rusqlite::Connection;

use super::changes::Changes;
use super::{journal, lanes, listing, walking};
use crate::model::{DeadClass, Event, Failure, RuleId};
use crate::store::{Change, Claim, Claiming, Lease, Settle, Settlement, StoreError};

/// What claiming remembers from one time to the next.
#[derive(Debug)]
pub(super) struct Turns {
    /// The rule that was served last.
    turn: Mutex<RuleId>,
    /// Leases whose asker went away before it had them; the next claim gives them back first.
    abandoned: Mutex<Vec<Lease>>,
    changes: Arc<Changes>,
}

impl Turns {
    pub(super) fn new(changes: Arc<Changes>) -> Self {
        Self {
            turn: Mutex::new(RuleId::from("")),
            abandoned: Mutex::default(),
            changes,
        }
    }

    /// Gives back what was abandoned, then leases; runs on the writer. What it gives back is in `returned`.
    pub(super) fn lease(
        self: &Arc<Self>,
        db: &Connection,
        claiming: &Claiming,
        at: Timestamp,
        returned: &Returned,
    ) -> Result<Untaken, StoreError> {
        let abandoned = std::mem::take(&mut *lock(&self.abandoned));
        lock(returned).extend(&abandoned);
        for lease in abandoned {
            lanes::settle(db, &given_back(lease, at))?;
        }
        let leases = lanes::lease(db, claiming, at, &mut lock(&self.turn))?;
        Ok(Untaken {
            leases,
            turns: Arc::clone(self),
        })
    }

    /// What becomes of that when the claim is committed, or has failed. A claim that failed has given nothing back, so
    /// the next one does; a lease that does not hold any more is passed over then.
    pub(super) fn conclusion(
        self: &Arc<Self>,
        returned: &Arc<Returned>,
    ) -> impl FnOnce(bool) + Send + 'static {
        let (turns, returned) = (Arc::clone(self), Arc::clone(returned));
        move |committed| {
            if !committed {
                lock(&turns.abandoned).append(&mut lock(&returned));
            }
        }
    }
}

/// What one claim gives back on its way.
pub(super) type Returned = Mutex<Vec<Lease>>;

fn given_back(lease: Lease, at: Timestamp) -> Settle {
    Settle {
        lease,
        settlement: Settlement::Released,
        logs: Vec::new(),
        at,
    }
}

/// Leases on their way to whoever asked. Dropped on the way, they are given back.
#[derive(Debug)]
pub(super) struct Untaken {
    leases: Vec<Lease>,
    turns: Arc<Turns>,
}

impl Untaken {
    pub(super) fn leases(&self) -> &[Lease] {
        &self.leases
    }

    /// They have arrived.
    pub(super) fn take(mut self) {
        self.leases.clear();
    }
}

impl Drop for Untaken {
    fn drop(&mut self) {
        if self.leases.is_empty() {
            return;
        }
        lock(&self.turns.abandoned).append(&mut self.leases);
        self.turns.changes.announce(Change::Claimable);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads what a claim needs; runs on a reader.
pub(super) fn load(db: &Connection, lease: Lease) -> Result<Claim, StoreError> {
    let missing =
        |what: &str| StoreError::Corrupt(format!("{what} of run {} is missing", lease.run));
    let run = listing::run(db, lease.run)?.ok_or_else(|| missing("the row"))?;
    let event = listing::event(db, run.event)?.ok_or_else(|| missing("the event"))?;
    let event = match listing::object_of(db, lease.run)? {
        Some(object) => Event::of_object(&event.event, &object),
        None => event.event,
    };
    Ok(Claim {
        lease,
        event,
        walk: walking::walk(db, lease.run)?,
        journal: journal::steps(db, lease.run)?,
        open_intent: journal::open_intent(db, lease.run)?,
        run,
    })
}

/// The end of a run that cannot be read back.
pub(super) fn unreadable(lease: Lease, why: &StoreError, at: Timestamp) -> Settle {
    let mut failure = Failure::new(
        DeadClass::Diverged,
        format!("what is stored of this run cannot be read, so it cannot go on: {why}"),
    );
    failure.hint = Some(
        "the file or the disk may be damaged: check the disk, compare with a backup, then replay the event"
            .to_owned(),
    );
    Settle {
        lease,
        settlement: Settlement::Dead(failure),
        logs: Vec::new(),
        at,
    }
}
