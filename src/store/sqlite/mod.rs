//! The store that needs nothing set up: two SQLite files in one directory.
//!
//! `inbox.db` is all that a sender waits for: it is only appended to. `cuegate.db` has everything else; the
//! router moves events into it in large transactions. Each file has one writing thread, reads have connections
//! of their own. One process owns the directory, so leases are released when it is opened.

mod absence;
mod adopting;
mod backlog;
mod backup;
mod changes;
mod checking;
mod circle;
mod claiming;
mod counting;
mod error;
mod event_lists;
mod failing;
mod filesystem;
mod inbox;
mod journal;
mod keeping;
mod lanes;
mod lining_up;
mod listing;
mod lock;
mod offline;
mod opening;
mod operated;
mod options;
mod pausing;
mod placing;
#[cfg(test)]
mod plans;
mod pruning;
mod query;
mod reader;
mod recent;
mod rerouting;
mod restore;
mod routing;
mod rows;
mod schedules;
mod schema;
mod standing;
mod state;
mod stats;
mod suspects;
mod verbs;
mod waits;
mod walking;
mod writer;

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::Connection;

use self::backlog::{Batch, Next, Unreadable};
use self::changes::Changes;
use self::claiming::{Returned, Turns};
use self::filesystem::Floor;
use self::inbox::Inbox;
use self::lock::{BackupWatch, DirectoryLock};
use self::reader::Readers;
use self::writer::{Class, Command, Writer};
use super::{
    Accepted, Accepts, Adopted, Adoption, Append, Change, Claim, Claiming, Counted, Counts,
    EventMark, Fenced, Intent, Pause, PauseScope, Routed, Routing, RunFilter, Settle, Settlement,
    Sighting, StateStep, Store, StoreError, StoredEvent, Unrouted, WalkPage,
};
use crate::clock::SharedClock;
use crate::model::{Event, EventId, LogLine, RuleSet, RuleSetId, Run, RunId, Step, WaitForEvent};

pub use self::backup::{BackedUp, Manifest};
pub use self::filesystem::{Disk, SystemDisk, size};
pub use self::options::{SqliteOptions, Synchronous};
pub use self::restore::Restored;
pub use self::stats::{FileStats, Stats, TableStats};

/// A [`Store`] in two SQLite files. Dropping it without [`Store::close`] is as good as a crash: nothing that
/// was answered is lost, and the next start has a little more to do.
#[derive(Debug)]
pub struct SqliteStore {
    inbox: Inbox,
    main: Writer,
    readers: Readers,
    turns: Arc<Turns>,
    changes: Arc<Changes>,
    clock: SharedClock,
    floor: Arc<Floor>,
    backups: Arc<BackupWatch>,
    paths: [PathBuf; 2],
    /// The writers hold it too, until they end.
    lock: Mutex<Option<Arc<DirectoryLock>>>,
}

impl SqliteStore {
    /// Keeps a row that cannot be read apart, so that those behind it go on.
    async fn set_aside(&self, row: Unreadable) -> Result<(), StoreError> {
        tracing::error!(
            error = %row.row.why,
            "an accepted event cannot be read back; its bytes are kept in the table `unreadable`"
        );
        let at = self.clock.now();
        let command = Command::new(Class::Durable, move |db| routing::set_aside(db, &row, at));
        let command = command.announcing(Change::Routable);
        self.main.submit(command).await.map(|_| ())
    }
}

#[async_trait]
impl Accepts for SqliteStore {
    async fn accept(&self, batch: Vec<Event>) -> Result<Vec<Accepted>, StoreError> {
        self.inbox.accept(batch).await
    }
}

#[async_trait]
impl Counted for SqliteStore {
    async fn counts(&self) -> Result<Counts, StoreError> {
        self.readers.read(counting::counts).await
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn unrouted(&self, limit: usize) -> Result<Unrouted, StoreError> {
        loop {
            match self
                .readers
                .read(move |db| backlog::next(db, limit))
                .await?
            {
                Next::Events(batch, events, held) => {
                    return Ok(Unrouted {
                        batch: batch.token(),
                        events,
                        held,
                    });
                }
                Next::Unreadable(row) => self.set_aside(row).await?,
            }
        }
    }

    async fn route(&self, routing: Routing) -> Result<Routed, StoreError> {
        let Some(batch) = Batch::parse(&routing.batch) else {
            return Ok(Routed::Stale);
        };
        let to = batch.to();
        let read = move |db: &Connection| Ok((batch.entries(db)?, batch));
        let (entries, batch) = self.readers.read(read).await?;
        let bytes = entries.iter().map(|entry| entry.json.len()).sum();
        let rows = entries.len();
        let command = Command::new(Class::Durable, move |db| {
            routing::route(db, &batch, &entries, &routing)
        });
        let routed = self.main.submit(command.bytes(bytes).rows(rows)).await?;
        if let Routed::Committed { runs, .. } = &routed {
            self.inbox.routed_up_to(to);
            // Most events make no runs, and looking for them costs two transactions.
            if !runs.is_empty() {
                self.changes.announce(Change::Claimable);
            }
        }
        Ok(routed)
    }

    async fn activate_rule_set(&self, set: RuleSet) -> Result<(), StoreError> {
        let at = self.clock.now();
        let command = Command::new(Class::Durable, move |db| routing::activate(db, &set, at));
        self.main.submit(command.announcing(Change::Routable)).await
    }

    async fn active_rule_set(&self) -> Result<Option<RuleSet>, StoreError> {
        let read = |db: &Connection| match routing::active_rule_set(db)? {
            Some((_, id)) => listing::rule_set(db, &id),
            None => Ok(None),
        };
        self.readers.read(read).await
    }

    async fn rule_set(&self, id: &RuleSetId) -> Result<Option<RuleSet>, StoreError> {
        let id = id.clone();
        self.readers
            .read(move |db| listing::rule_set(db, &id))
            .await
    }

    async fn claim(&self, claiming: Claiming, at: Timestamp) -> Result<Vec<Claim>, StoreError> {
        loop {
            let (turns, claiming) = (Arc::clone(&self.turns), claiming.clone());
            let returned = Arc::new(Returned::default());
            let conclude = turns.conclusion(&returned);
            let lease = Command::new(Class::Lazy, move |db| {
                turns.lease(db, &claiming, at, &returned)
            });
            let lease = lease.concluding(conclude);
            let untaken = self.main.submit(lease).await?;
            let leases = untaken.leases().to_vec();
            let loaded = self.readers.read(move |db| {
                Ok(leases
                    .into_iter()
                    .map(|lease| (lease, claiming::load(db, lease)))
                    .collect::<Vec<_>>())
            });
            let (mut claims, mut unreadable) = (Vec::new(), Vec::new());
            for (lease, loaded) in loaded.await? {
                match loaded {
                    Ok(claim) => claims.push(claim),
                    Err(why @ (StoreError::Corrupt(_) | StoreError::Pruned(_))) => {
                        tracing::error!(run = %lease.run, error = %why, "a run cannot be read back; it is ended so that its lane goes on");
                        unreadable.push(claiming::unreadable(lease, &why, at));
                    }
                    Err(error) => return Err(error),
                }
            }
            let none_left = unreadable.is_empty();
            if !none_left {
                self.settle(unreadable).await?;
            }
            untaken.take();
            if none_left || !claims.is_empty() {
                return Ok(claims);
            }
        }
    }

    async fn append(&self, batch: Vec<Append>) -> Result<Vec<Fenced>, StoreError> {
        let bytes = batch.iter().map(journal::bytes).sum();
        let batch = Arc::new(batch);
        let same = Arc::clone(&batch);
        let command = Command::classified(
            move |db| journal::class(db, &same),
            move |db| {
                batch
                    .iter()
                    .map(|entry| journal::append(db, entry))
                    .collect()
            },
        );
        self.main.submit(command.bytes(bytes)).await
    }

    async fn settle(&self, batch: Vec<Settle>) -> Result<Vec<Fenced>, StoreError> {
        let released = |settle: &Settle| settle.settlement == Settlement::Released;
        let class = if batch.iter().all(released) {
            Class::Lazy
        } else {
            Class::Durable
        };
        let command = Command::new(class, move |db| {
            batch.iter().map(|one| lanes::settle(db, one)).collect()
        });
        self.main
            .submit(command.announcing(Change::Claimable))
            .await
    }

    async fn wake_due(&self, at: Timestamp) -> Result<(usize, Option<Timestamp>), StoreError> {
        // Lazy: a wake-up that a power cut takes back is made again, because its timer is back as well.
        let command = Command::new(Class::Lazy, move |db| waits::wake_due(db, at));
        let (woken, next) = self.main.submit(command).await?;
        if woken > 0 {
            self.changes.announce(Change::Claimable);
        }
        Ok((woken, next))
    }

    async fn adopt(&self, adoption: Adoption) -> Result<Adopted, StoreError> {
        let bytes = adoption.step.answer.body.to_string().len();
        let command = Command::new(Class::Durable, move |db| adopting::adopt(db, &adoption));
        self.main.submit(command.bytes(bytes)).await
    }

    async fn maker(&self, object: &str) -> Result<Option<RunId>, StoreError> {
        let object = object.to_owned();
        let read = move |db: &Connection| adopting::maker(db, &object);
        self.readers.read(read).await
    }

    async fn access_state(&self, step: StateStep) -> Result<Option<Step>, StoreError> {
        let command = Command::new(Class::Lazy, move |db| state::access(db, &step));
        self.main.submit(command).await
    }

    async fn extend_walk(&self, page: WalkPage) -> Result<Option<u64>, StoreError> {
        let command = Command::new(Class::Lazy, move |db| walking::extend(db, &page));
        self.main.submit(command).await
    }

    async fn find_event(
        &self,
        run: RunId,
        wait: &WaitForEvent,
        after: EventMark,
    ) -> Result<Sighting, StoreError> {
        let wait = wait.clone();
        self.readers
            .read(move |db| waits::find_event(db, run, &wait, after))
            .await
    }

    async fn awaited_jobs(&self, limit: usize) -> Result<Vec<String>, StoreError> {
        self.readers
            .read(move |db| waits::awaited_jobs(db, limit))
            .await
    }

    async fn wake_for_job(&self, job: &str) -> Result<usize, StoreError> {
        let (job, at) = (job.to_owned(), self.clock.now());
        let command = Command::new(Class::Lazy, move |db| waits::wake_for_job(db, &job, at));
        self.main
            .submit(command.announcing(Change::Claimable))
            .await
    }

    async fn pause(&self, pause: Pause) -> Result<(), StoreError> {
        let command = Command::new(Class::Durable, move |db| pausing::pause(db, &pause));
        self.main.submit(command.announcing(Change::Paused)).await
    }

    async fn resume(&self, scope: PauseScope) -> Result<bool, StoreError> {
        let at = self.clock.now();
        let command = Command::new(Class::Durable, move |db| pausing::resume(db, &scope, at));
        let resumed = self
            .main
            .submit(command.announcing(Change::Claimable))
            .await?;
        self.changes.announce(Change::Routable);
        self.changes.announce(Change::Paused);
        Ok(resumed)
    }

    async fn pauses(&self) -> Result<Vec<Pause>, StoreError> {
        self.readers.read(pausing::pauses).await
    }

    /// The hint counts from this call, not from the first poll: call it, look, then await it.
    fn changed<'life0, 'async_trait>(
        &'life0 self,
        change: Change,
        at_most: Duration,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(self.changes.next(change, at_most))
    }

    async fn runs(&self, filter: RunFilter) -> Result<Vec<Run>, StoreError> {
        self.readers
            .read(move |db| listing::runs(db, &filter))
            .await
    }

    async fn run(&self, id: RunId) -> Result<Option<Run>, StoreError> {
        self.readers.read(move |db| listing::run(db, id)).await
    }

    async fn journal(&self, id: RunId) -> Result<(Vec<Step>, Option<Intent>), StoreError> {
        let read =
            move |db: &Connection| Ok((journal::steps(db, id)?, journal::open_intent(db, id)?));
        self.readers.read(read).await
    }

    async fn logs(&self, id: RunId) -> Result<Vec<LogLine>, StoreError> {
        self.readers.read(move |db| journal::logs(db, id)).await
    }

    async fn event(&self, id: EventId) -> Result<Option<StoredEvent>, StoreError> {
        self.readers.read(move |db| listing::event(db, id)).await
    }

    async fn failed(&self) -> StoreError {
        self.changes.failed().await
    }

    async fn close(&self) -> Result<(), StoreError> {
        // Readers first: a checkpoint cannot pass a snapshot that is still read.
        self.readers.close().await?;
        let inbox = self.inbox.close().await;
        let main = self.main.close().await;
        self.lock
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        self.changes.announce(Change::Routable);
        self.changes.announce(Change::Claimable);
        self.changes.announce(Change::Paused);
        inbox.and(main)
    }
}
