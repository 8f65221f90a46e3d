//! The clock of rules with a `schedule`.
//!
//! A time that has come is an event like any other: accepted, routed, and told from its own repetition by its key,
//! which is made from rule and time. So a fire that is made twice, because the gateway died in between or the clock
//! went back, wakes its rule once.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use super::health::Health;
use crate::clock::SharedClock;
use crate::model::{Event, Missed, RuleId, RuleSet, RuleSetId, Schedule, Timetable};
use crate::store::{Considered, Store, StoreError};
use crate::telemetry::{Part, Readiness};

/// The longest sleep. The machine's clock may be set at any time, and nobody says so.
const POLL: Duration = Duration::from_secs(1);

/// The pause after a failure.
const PAUSE: Duration = Duration::from_millis(500);

/// A time that is older than this when its turn comes was missed.
const MISSED_AFTER: SignedDuration = SignedDuration::from_secs(60);

/// Makes the events of schedules. One is enough; two of them make the same events.
#[derive(Debug)]
pub struct Scheduler {
    store: Arc<dyn Store>,
    rules: watch::Receiver<Option<Arc<RuleSet>>>,
    clock: SharedClock,
    health: Health,
    /// The rule set that `watched` is from.
    set: Option<RuleSetId>,
    watched: Vec<Watched>,
}

/// One rule that the clock wakes.
#[derive(Clone, Debug)]
struct Watched {
    rule: RuleId,
    schedule: Schedule,
    timetable: Timetable,
    considered_at: Timestamp,
    /// The first time after `considered_at`.
    next: Option<Timestamp>,
}

impl Scheduler {
    /// A scheduler over the rule set that stands in the channel at the time.
    pub fn new(
        store: Arc<dyn Store>,
        rules: watch::Receiver<Option<Arc<RuleSet>>>,
        clock: SharedClock,
        readiness: Readiness,
    ) -> Self {
        Self {
            store,
            rules,
            clock,
            health: Health::of(Part::Scheduler, readiness),
            set: None,
            watched: Vec::new(),
        }
    }

    /// Runs until `shutdown` completes. What was not accepted by then fires at the next start.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) {
        tokio::pin!(shutdown);
        loop {
            tokio::select! {
                biased;
                () = &mut shutdown => return,
                () = self.look_and_wait() => {}
            }
        }
    }

    async fn look_and_wait(&mut self) {
        match AssertUnwindSafe(self.look()).catch_unwind().await {
            Ok(Ok(next)) => {
                self.health.well();
                self.wait_until(next).await;
            }
            Ok(Err(error)) => {
                tracing::error!(%error, "schedules cannot be looked at; what is due fires late");
                self.health.failed(&error);
                tokio::time::sleep(PAUSE).await;
            }
            Err(panic) => {
                self.set = None;
                self.health.panicked(&*panic);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// Sleeps until the time, or until there is another rule set, at most for a poll.
    async fn wait_until(&mut self, next: Option<Timestamp>) {
        let until = next.map(|next| next.duration_since(self.clock.now()));
        let sleep = until.map_or(POLL, |until| {
            Duration::try_from(until).unwrap_or_default().min(POLL)
        });
        let changed = async {
            if self.rules.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        // Running out of time is the ordinary case.
        let _ = tokio::time::timeout(sleep, changed).await;
    }

    /// Fires what is due, and answers when the next time comes.
    ///
    /// # Errors
    ///
    /// When the store failed; what is due then fires at the next look.
    pub async fn look(&mut self) -> Result<Option<Timestamp>, StoreError> {
        let Some(rules) = self.rules.borrow_and_update().clone() else {
            return Ok(None);
        };
        let now = self.clock.now();
        if self.set.as_ref() != Some(&rules.id) {
            self.take_up(&rules, now).await?;
        }
        if self.watched.iter().any(|watched| watched.needs_look(now)) {
            let mut watched = self.watched.clone();
            let fires: Vec<Event> = watched
                .iter_mut()
                .filter(|watched| watched.needs_look(now))
                .filter_map(|watched| watched.look(now))
                .collect();
            if !fires.is_empty() {
                self.store.accept(fires).await?;
            }
            // Only after the events are durable: a crash in between makes them once more, and their keys tell.
            self.store.keep_schedules(considered(&watched)).await?;
            self.watched = watched;
        }
        Ok(self.watched.iter().filter_map(|one| one.next).min())
    }

    /// Begins with the schedules of another rule set. A rule that was not there before, or had another schedule,
    /// begins now: nobody has missed a time that nobody had set.
    async fn take_up(&mut self, rules: &RuleSet, now: Timestamp) -> Result<(), StoreError> {
        let known = self.store.schedules().await?;
        let mut watched = Vec::new();
        for header in &rules.rules {
            let Some(schedule) = &header.schedule else {
                continue;
            };
            let timetable = match Timetable::of(schedule) {
                Ok(timetable) => timetable,
                Err(error) => {
                    tracing::error!(rule = %header.rule, %error, "this schedule cannot be read any more; the rule does not fire");
                    continue;
                }
            };
            let before = known
                .iter()
                .find(|known| known.rule == header.rule && known.timetable == words(schedule));
            let considered_at = before.map_or(now, |known| known.at);
            watched.push(Watched {
                rule: header.rule.clone(),
                schedule: schedule.clone(),
                next: timetable.next_after(considered_at),
                timetable,
                considered_at,
            });
        }
        let mut kept = considered(&watched);
        kept.sort_by(|a, b| a.rule.cmp(&b.rule));
        if kept != known {
            self.store.keep_schedules(kept).await?;
        }
        self.watched = watched;
        self.set = Some(rules.id.clone());
        Ok(())
    }
}

impl Watched {
    /// Whether a time has come, or the clock has gone back behind the last look.
    fn needs_look(&self, now: Timestamp) -> bool {
        self.considered_at > now || self.next.is_some_and(|next| next <= now)
    }

    /// Looks at the schedule up to now: at most one event, whatever has passed.
    fn look(&mut self, now: Timestamp) -> Option<Event> {
        let due = self.next.filter(|next| *next <= now);
        self.considered_at = now;
        self.next = self.timetable.next_after(now);
        let first = due?;
        let last = self
            .timetable
            .last_until(now)
            .map_or(first, |last| last.max(first));
        let rule = self.rule.to_string();
        let missed = now.duration_since(last) > MISSED_AFTER;
        if missed || last > first {
            metrics::counter!("cuegate_schedule_missed_total", "rule" => rule.clone()).increment(1);
            let fires = !missed || self.schedule.missed == Missed::Once;
            tracing::warn!(%rule, %first, %last, fires, "times of a schedule passed while nobody could fire; only the last of them may fire");
        }
        if missed && self.schedule.missed == Missed::Skip {
            return None;
        }
        metrics::counter!("cuegate_schedule_fires_total", "rule" => rule).increment(1);
        Some(Event::of_schedule(&self.rule, last, now))
    }
}

fn considered(watched: &[Watched]) -> Vec<Considered> {
    let considered = watched.iter().map(|watched| Considered {
        rule: watched.rule.clone(),
        timetable: words(&watched.schedule),
        at: watched.considered_at,
    });
    considered.collect()
}

/// What makes a schedule another one.
fn words(schedule: &Schedule) -> String {
    format!("{} {}", schedule.cron, schedule.timezone)
}
