//! Whether a person has stopped the writes.
//!
//! Runs that come to a write ask here, so what the store says is kept in memory and read again whenever it changes.
//! That every run or a rule is paused is the store's own affair: nothing is claimed then.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::store::{Change, PauseScope, Settlement, Store, StoreError, Waits};

use super::door::Door;
use super::progress::{End, Progress, after};

/// How long a pause may go unnoticed when no hint comes, because another process has made it.
const POLL: Duration = Duration::from_secs(1);

/// How long a held run waits before it asks again by itself; the end of the pause wakes it.
const HELD: Duration = Duration::from_secs(3_600);

/// What is stopped.
#[derive(Debug)]
pub(super) struct Stops {
    store: Arc<dyn Store>,
    writes: AtomicBool,
}

impl Stops {
    /// As long as nothing has been read, writes wait: a pause may be older than this process.
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            writes: AtomicBool::new(true),
        }
    }

    /// Whether writes are paused, as far as is known.
    pub(super) fn holds_writes(&self) -> bool {
        self.writes.load(Ordering::Relaxed)
    }

    /// Reads what is stopped.
    pub(super) async fn refresh(&self) -> Result<(), StoreError> {
        let pauses = self.store.pauses().await?;
        let writes = pauses.iter().any(|pause| pause.scope == PauseScope::Writes);
        self.writes.store(writes, Ordering::Relaxed);
        Ok(())
    }

    /// Keeps up with what is stopped; never completes.
    pub(super) async fn watch(&self) {
        loop {
            // Before looking, so that a pause that is made meanwhile is not missed.
            let changed = self.store.changed(Change::Paused, POLL);
            match self.refresh().await {
                Ok(()) => changed.await,
                Err(error) => {
                    tracing::warn!(%error, "it cannot be read whether writes are paused; what was read last holds");
                    tokio::time::sleep(POLL).await;
                }
            }
        }
    }
}

impl Door {
    /// How the claim ends of a run that has come to a write while writes are paused.
    pub(super) fn held(&self, progress: &Progress) -> Option<End> {
        self.stops.holds_writes().then(|| {
            End::Settle(Settlement::Waiting {
                waits: Waits::Writes,
                until: after(self.clock.now(), HELD),
                reason: "writes are paused; `cuegate resume --writes` lets it go on".to_owned(),
                failing_since: progress.run.failing_since,
            })
        })
    }
}
