//! The loop around the runs: wake what is due, claim as many as there are free places, settle what has ended.
//!
//! A run is one task while it is claimed and a row in the store otherwise. The loop alone claims and settles, so
//! whatever ended since its last turn is settled in one batch.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;

use crate::model::{LogLine, RuleId, Run};
use crate::store::{Change, Claiming, Fenced, Lease, Settle, Settlement, StoreError, Waits};

use super::Runner;
use super::drive::{Ended, state_after};
use super::progress::between;

/// How long the loop sleeps when nothing tells it of a run. The store's hints come at once; this bounds what a
/// lost one costs.
const POLL: Duration = Duration::from_secs(1);

/// The pause after the store has failed.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// How long after the drain the last settlements are tried.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// How long a run rests whose task panicked: it would again at once.
const PANIC_PAUSE: Duration = Duration::from_secs(60);

/// The claimed runs.
#[derive(Debug, Default)]
struct Underway {
    tasks: JoinSet<Option<Ended>>,
    claimed: HashMap<Id, (Lease, Run)>,
    ended: Vec<Ended>,
}

impl Runner {
    /// Runs until `shutdown` completes, then leaves every run at its next step, as far as the drain allows.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) {
        tokio::pin!(shutdown);
        // A pause of writes may be older than this process, and no run may pass it.
        tokio::select! {
            biased;
            () = &mut shutdown => return,
            () = self.learn_stops() => {}
        }
        let watch = self.watch();
        tokio::pin!(watch);
        let mut underway = Underway::default();
        loop {
            let settled = self.settle(&mut underway).await;
            // Before looking for runs, so that one that becomes ready meanwhile is not missed.
            let changed = self.store.changed(Change::Claimable, POLL);
            let closing = self.line.closing();
            let claimed = match settled {
                Ok(()) => self.claim(&mut underway).await,
                Err(error) => Err(error),
            };
            self.options.readiness.runs_are_stuck(claimed.is_err());
            // What has ended and could not be settled keeps its place, so it is tried again whatever is free.
            let due = self.free(&underway) > 0 || !underway.ended.is_empty();
            tokio::select! {
                biased;
                () = &mut shutdown => break,
                () = &mut watch => {}
                () = self.next_end(&mut underway), if !underway.tasks.is_empty() => {}
                () = closing => {}
                () = rest(claimed, changed), if due => {}
            }
        }
        self.drain(underway).await;
    }

    /// Reads what is stopped, however often it takes.
    async fn learn_stops(&self) {
        while let Err(error) = self.stops.refresh().await {
            tracing::error!(%error, "it cannot be read whether writes are paused; no run begins before");
            self.options.readiness.runs_are_stuck(true);
            tokio::time::sleep(STORE_PAUSE).await;
        }
    }

    /// Keeps up with what the runs depend on besides their own steps; never completes.
    async fn watch(&self) {
        tokio::join!(self.line.watch(), self.stops.watch());
    }

    /// One round without the loop: claims once, drives every claimed run to its settlement, and says how many.
    ///
    /// # Errors
    ///
    /// When the store failed. Runs that were claimed stay claimed then.
    pub async fn step(&self) -> Result<usize, StoreError> {
        let mut underway = Underway::default();
        self.stops.refresh().await?;
        self.claim(&mut underway).await?;
        let claimed = underway.tasks.len();
        while !underway.tasks.is_empty() {
            self.next_end(&mut underway).await;
        }
        self.settle(&mut underway).await?;
        Ok(claimed)
    }

    /// Wakes what is due and claims; says how long it takes until the next timer is due.
    async fn claim(&self, underway: &mut Underway) -> Result<Duration, StoreError> {
        let now = self.clock.now();
        let (_, next_due) = self.store.wake_due(now).await?;
        let free = self.free(underway);
        // Whatever a run is about to do, it most likely needs Iconik.
        if free > 0 && !self.line.is_open() {
            let claiming = self.claiming(underway, free);
            for claim in self.store.claim(claiming, now).await? {
                let (lease, run) = (claim.lease, claim.run.clone());
                let driver = Arc::clone(&self.driver);
                let task = underway
                    .tasks
                    .spawn(async move { driver.drive(claim).await });
                underway.claimed.insert(task.id(), (lease, run));
            }
        }
        metrics::gauge!("cuegate_runs_claimed").set(f64::from(count(underway.tasks.len())));
        Ok(next_due.map_or(POLL, |due| between(now, due)))
    }

    fn claiming(&self, underway: &Underway, limit: usize) -> Claiming {
        let claimed = |rule: &RuleId| {
            let runs = underway.claimed.values();
            runs.filter(|(_, run)| run.rule == *rule).count()
        };
        Claiming {
            limit,
            per_rule: self.options.per_rule,
            narrowed: self.quarantine.bounds(self.options.workers, claimed),
        }
    }

    fn free(&self, underway: &Underway) -> usize {
        let taken = underway.tasks.len() + underway.ended.len();
        self.options.concurrency.saturating_sub(taken)
    }

    /// Waits for a run to end, and takes along what has ended besides.
    async fn next_end(&self, underway: &mut Underway) {
        let mut next = underway.tasks.join_next_with_id().await;
        while let Some(joined) = next {
            if let Some(ended) = self.ended(joined, &mut underway.claimed) {
                underway.ended.push(ended);
            }
            next = underway.tasks.try_join_next_with_id();
        }
    }

    fn ended(
        &self,
        joined: Result<(Id, Option<Ended>), JoinError>,
        claimed: &mut HashMap<Id, (Lease, Run)>,
    ) -> Option<Ended> {
        let error = match joined {
            Ok((id, ended)) => {
                claimed.remove(&id);
                return ended;
            }
            Err(error) => error,
        };
        let (lease, run) = claimed.remove(&error.id())?;
        let at = self.clock.now();
        let settlement = if error.is_panic() {
            tracing::error!(run = %run.id, rule = %run.rule, %error, "the task of a run panicked: this is an error in cuegate");
            Settlement::Waiting {
                waits: Waits::Gateway,
                until: at.checked_add(PANIC_PAUSE).unwrap_or(Timestamp::MAX),
                reason: "an internal error of the gateway, see its log".to_owned(),
                failing_since: run.failing_since,
            }
        } else {
            Settlement::Released
        };
        let logs: Vec<LogLine> = Vec::new();
        let settle = Settle {
            lease,
            settlement,
            spent: Duration::ZERO,
            logs,
            at,
        };
        Some(Ended { run, settle })
    }

    /// Settles everything that has ended, in one batch. What could not be settled is kept for the next time.
    async fn settle(&self, underway: &mut Underway) -> Result<(), StoreError> {
        if underway.ended.is_empty() {
            return Ok(());
        }
        let batch = underway
            .ended
            .iter()
            .map(|ended| ended.settle.clone())
            .collect();
        let fenced = self.store.settle(batch).await?;
        for (ended, fenced) in underway.ended.drain(..).zip(fenced) {
            match fenced {
                Fenced::Written => self.report(&ended),
                Fenced::Lost => {
                    tracing::warn!(run = %ended.run.id, "the claim of a run was lost before it was settled");
                }
            }
        }
        Ok(())
    }

    fn report(&self, ended: &Ended) {
        let (run, settle) = (&ended.run, &ended.settle);
        self.options.observer.run_settled(run, &settle.settlement);
        let state = state_after(&settle.settlement);
        let rule = run.rule.to_string();
        match &settle.settlement {
            Settlement::Released => return,
            Settlement::Dead(failure) => {
                tracing::warn!(run = %run.id, %rule, event = %run.event, %failure, "a run is dead");
            }
            Settlement::Parked { reason, .. } => {
                tracing::error!(run = %run.id, %rule, event = %run.event, reason, "a run is parked and needs a person");
            }
            other => {
                tracing::debug!(run = %run.id, %rule, event = %run.event, settlement = ?other, "a claim has ended");
            }
        }
        metrics::counter!("cuegate_runs_settled_total", "rule" => rule.clone(), "state" => state.as_str())
            .increment(1);
        if state.is_final() {
            metrics::histogram!("cuegate_run_seconds", "rule" => rule)
                .record(between(run.created_at, settle.at));
        }
    }

    /// Lets runs come to their next step, then takes back what has not, and settles all of them.
    async fn drain(&self, mut underway: Underway) {
        self.driver.stopping.store(true, Ordering::Relaxed);
        let deadline = Instant::now() + self.options.drain;
        while !underway.tasks.is_empty() {
            let next = tokio::time::timeout_at(deadline, self.next_end(&mut underway)).await;
            if next.is_err() {
                tracing::warn!(
                    runs = underway.tasks.len(),
                    "runs were interrupted in the middle of a step; a write among them is examined after the next start"
                );
                underway.tasks.abort_all();
                while !underway.tasks.is_empty() {
                    self.next_end(&mut underway).await;
                }
            }
        }
        let deadline = Instant::now() + LAST_WORDS;
        while let Err(error) = self.settle(&mut underway).await {
            if matches!(error, StoreError::Closed) || Instant::now() >= deadline {
                tracing::error!(%error, runs = underway.ended.len(), "runs could not be settled; they are claimed again after the next start");
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// Sleeps until there may be something to claim.
async fn rest(claimed: Result<Duration, StoreError>, changed: impl Future<Output = ()>) {
    match claimed {
        Ok(until_due) => {
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep(until_due) => {}
            }
        }
        Err(error) => {
            tracing::error!(%error, "runs cannot be claimed or settled; it is tried again");
            tokio::time::sleep(STORE_PAUSE).await;
        }
    }
}

fn count(items: usize) -> u32 {
    u32::try_from(items).unwrap_or(u32::MAX)
}
