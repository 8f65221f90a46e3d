//! Drives one claimed run: advance, perform the effect, journal its answer, and again from the top.
//!
//! Between two steps a run is nothing but its journal, so that is where it can be left at any time. Nothing that
//! goes wrong around the script (the store, the sandbox, a stop) ends a run; it only ends the claim.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::clock::SharedClock;
use crate::engine::{Advance, Outcome};
use crate::model::{DeadClass, Failure, Run, RunState, format_duration};
use crate::quarantine::{Quarantine, Strike};
use crate::store::{Claim, SUSPECT_AFTER, Settle, Settlement, StoreError, Waits};

use super::door::Door;
use super::programs::{Known, Programs};
use super::progress::{End, Progress, Shown, after, between, expires_at};
use super::{Observer, Scripts, walking};

/// The most bytes of a journal. It crosses the pipe to a worker, so it cannot grow for ever.
const JOURNAL_BYTES_MAX: usize = 8 << 20;

/// So often may the gateway stop while a suspected run is under way alone.
const STOPS_ALONE_MAX: u32 = 3;

/// How old a run becomes whose rule cannot be read: what `expires` is where a header says nothing.
const UNREADABLE_MAX: Duration = Duration::from_secs(30 * 86_400);

/// How long such a run waits before the next try.
const UNREADABLE_PAUSE: Duration = Duration::from_secs(60);

/// What it takes to drive a run.
#[derive(Debug)]
pub(super) struct Driver {
    pub(super) door: Door,
    pub(super) scripts: Arc<dyn Scripts>,
    pub(super) programs: Programs,
    pub(super) clock: SharedClock,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) quarantine: Arc<Quarantine>,
    /// Set once, when runs are to be left at their next step.
    pub(super) stopping: AtomicBool,
}

/// A run at the end of its claim, ready to be settled.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) run: Run,
    pub(super) settle: Settle,
}

impl Driver {
    /// Drives a run until it ends or has to wait; nothing if the claim was lost.
    pub(super) async fn drive(&self, claim: Claim) -> Option<Ended> {
        let mut progress = Progress::of(claim);
        self.observer.run_started(&progress.run, &progress.event);
        let settlement = match self.until_the_end(&mut progress).await {
            End::Settle(settlement) => settlement,
            End::Gone => {
                tracing::warn!(run = %progress.run.id, "the claim of a run was lost; nothing more is written about it");
                return None;
            }
        };
        Some(Ended {
            settle: Settle {
                lease: progress.lease,
                settlement,
                spent: progress.spent_now,
                logs: progress.logs,
                at: self.clock.now(),
            },
            run: progress.run,
        })
    }

    async fn until_the_end(&self, progress: &mut Progress) -> End {
        let known = match self.prepare(progress).await {
            Ok(known) => known,
            Err(end) => return end,
        };
        let expires_at = expires_at(&progress.run, known.header.expires);
        if known.header.progress.is_some() {
            progress.shown = Shown::Unkept;
        }
        loop {
            if let Err(end) = self.step(&known, progress).await {
                return end.no_later_than(expires_at);
            }
        }
    }

    /// Finds the rule as it was when the run was made, and gives up runs that must not go on.
    async fn prepare(&self, progress: &Progress) -> Result<Arc<Known>, End> {
        let run = &progress.run;
        let found = self.programs.known(&run.rule_set, &run.rule).await;
        let known = found
            .map_err(|error| self.unreadable(progress, &error))?
            .filter(|known| known.header.version == run.version)
            .ok_or_else(|| progress.given_up(version_missing(run)))?;
        if self.clock.now() >= expires_at(run, known.header.expires) {
            return Err(progress.given_up(expired(known.header.expires)));
        }
        if run.attempt > SUSPECT_AFTER + STOPS_ALONE_MAX {
            return Err(progress.given_up(crashed(run.attempt)));
        }
        Ok(known)
    }

    /// What becomes of a run whose rule cannot be read: it waits, for a row can be restored, but not for ever.
    fn unreadable(&self, progress: &Progress, error: &StoreError) -> End {
        let run = &progress.run;
        let now = self.clock.now();
        let trouble = format!(
            "rule set {}, which holds its rule `{}`, cannot be read: {error}",
            run.rule_set, run.rule
        );
        if between(run.created_at, now) > UNREADABLE_MAX {
            let mut failure = expired(UNREADABLE_MAX);
            failure.message = format!("{}, and {trouble}", failure.message);
            return progress.given_up(failure);
        }
        if !matches!(error, StoreError::Corrupt(_)) {
            return End::own_trouble(&self.clock, progress, &trouble);
        }
        tracing::error!(run = %run.id, trouble, "a run cannot go on until the rule set is restored");
        End::Settle(Settlement::Waiting {
            waits: Waits::Gateway,
            until: after(now, UNREADABLE_PAUSE),
            reason: format!(
                "{trouble}. It is tried again until the run is {} old: restore the row from a backup, or cancel the run",
                format_duration(UNREADABLE_MAX)
            ),
            failing_since: run.failing_since,
        })
    }

    /// Advances to the next effect and performs it.
    async fn step(&self, known: &Known, progress: &mut Progress) -> Result<(), End> {
        if self.stopping.load(Ordering::Relaxed) {
            return Err(End::Settle(Settlement::Released));
        }
        if progress.bytes() > JOURNAL_BYTES_MAX {
            return Err(progress.dead(journal_full(progress)));
        }
        self.keep_job(progress).await?;
        if walking::is_done(known, progress) {
            return Err(End::Settle(Settlement::Succeeded));
        }
        let moment = walking::moment(known, progress);
        let advanced = self
            .scripts
            .advance(
                &known.program,
                progress.run.id,
                &moment,
                &progress.event,
                progress.journal_from(walking::first_step(&moment)),
            )
            .await;
        let advanced =
            advanced.map_err(|trouble| End::own_trouble(&self.clock, progress, &trouble))?;
        let Advance { outcome, logs } = advanced.advance;
        if advanced.workers_lost > 0 {
            let what = match &outcome {
                Outcome::Failed(failure) => failure.message.as_str(),
                _ => "a worker died and a second one came through",
            };
            self.struck(&progress.run, advanced.workers_lost, what)
                .await;
        }
        progress.logs = logs;
        progress.spend(advanced.busy);
        match outcome {
            Outcome::Effect(_) | Outcome::Found(_) if progress.spent() > known.header.timeout => {
                Err(progress.dead(timed_out(known, progress)))
            }
            Outcome::Effect(effect) => self.door.perform(known, progress, &effect).await,
            Outcome::Finished => Err(ended(progress, Settlement::Succeeded)),
            Outcome::Found(query) => Err(self.walk(known, progress, &query).await),
            Outcome::Skipped(reason) => Err(ended(progress, Settlement::Skipped { reason })),
            Outcome::Failed(failure) => Err(progress.dead(progress.skew(failure))),
        }
    }
}

impl Driver {
    /// Takes note of workers that a rule has broken.
    pub(super) async fn struck(&self, run: &Run, workers: u32, what: &str) {
        let strike = Strike {
            rule: &run.rule,
            version: &run.version,
            workers,
            place: &format!("in run {}", run.id),
            what,
        };
        if let Err(error) = self.quarantine.struck(strike).await {
            tracing::error!(rule = %run.rule, %error, "the quarantine of a rule could not be stored; its next strikes ask for it again");
        }
    }
}

/// The end that the script came to, unless a write that it began is still open: then it came here by another way.
fn ended(progress: &Progress, settlement: Settlement) -> End {
    progress
        .diverges_from_open(None)
        .map_or(End::Settle(settlement), |failure| progress.dead(failure))
}

fn version_missing(run: &Run) -> Failure {
    let message = format!(
        "version {} of rule `{}` is not in the store any more",
        run.version, run.rule
    );
    Failure {
        hint: Some("replay the event on the version of now".to_owned()),
        ..Failure::new(DeadClass::ScriptError, message)
    }
}

fn expired(after: Duration) -> Failure {
    let message = format!(
        "it was unfinished for longer than {}",
        format_duration(after)
    );
    Failure {
        hint: Some(
            "replay the event if it still matters; `expires` in the header sets the age".to_owned(),
        ),
        ..Failure::new(DeadClass::Expired, message)
    }
}

/// It goes on, and has gone on for too long. A script that has come to its end has come there in time.
pub(super) fn timed_out(known: &Known, progress: &Progress) -> Failure {
    let whole_seconds = Duration::from_secs(progress.spent().as_secs());
    let message = format!(
        "its script and its calls have taken {} together, more than its `timeout` of {}; what it waited is not counted",
        format_duration(whole_seconds),
        format_duration(known.header.timeout)
    );
    Failure {
        file: Some(known.header.file.clone()),
        hint: Some(
            "do less in one run, or write a longer `timeout` in the header; `each` makes one run for every object"
                .to_owned(),
        ),
        ..Failure::new(DeadClass::Limit, message)
    }
}

fn crashed(claims: u32) -> Failure {
    let message = format!(
        "it was begun {} times without getting one step further, and the gateway stopped each time, the last \
         {STOPS_ALONE_MAX} times while no other run was under way",
        claims - 1
    );
    Failure {
        hint: Some(
            "look into the log before each start of the gateway; then retry the run".to_owned(),
        ),
        ..Failure::new(DeadClass::Crash, message)
    }
}

fn journal_full(progress: &Progress) -> Failure {
    let message = format!(
        "the answers of its {} steps are larger than the {} MiB that a journal may hold",
        progress.next_step(),
        JOURNAL_BYTES_MAX >> 20
    );
    Failure {
        hint: Some(
            "ask for less: name the fields that the rule needs, or do less in one run".to_owned(),
        ),
        ..Failure::new(DeadClass::Limit, message)
    }
}

/// The state that a settlement leads to, for metrics and log lines.
pub(super) fn state_after(settlement: &Settlement) -> RunState {
    match settlement {
        Settlement::Succeeded => RunState::Succeeded,
        Settlement::Skipped { .. } => RunState::Skipped,
        Settlement::Dead(_) => RunState::Dead,
        Settlement::Parked { .. } => RunState::Parked,
        Settlement::Waiting { .. } => RunState::Waiting,
        Settlement::Released => RunState::Queued,
    }
}
