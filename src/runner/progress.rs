//! How far a claimed run is, in memory, while somebody drives it.

use std::time::Duration;

use jiff::Timestamp;

use crate::clock::SharedClock;
use crate::engine::BINDING_VERSION;
use crate::iconik::Share;
use crate::model::{Call, DeadClass, Digest, Effect, Event, Failure, LogLine, Run, Step};
use crate::operations::{self, RepeatClass};
use crate::store::{Claim, Intent, Lease, Settlement, Waits, Walk};

use super::backoff::jitter;
use super::parking::park;

/// The longest pause after trouble that is our own and not the run's.
const OWN_TROUBLE_PAUSE: Duration = Duration::from_secs(5);

/// Why a claim is over.
#[derive(Debug)]
pub(super) enum End {
    /// It ends like this.
    Settle(Settlement),
    /// Nothing can be written about it any more: it is somebody else's, or the store is closed.
    Gone,
}

impl End {
    /// Trouble of the gateway's own: the run goes on in a moment and is not blamed.
    pub(super) fn own_trouble(clock: &SharedClock, progress: &Progress, trouble: &str) -> Self {
        tracing::warn!(run = %progress.run.id, trouble, "a run cannot go on at the moment");
        let half = OWN_TROUBLE_PAUSE / 2;
        let until = clock
            .now()
            .checked_add(half + jitter(half, fastrand::f64()));
        Self::Settle(Settlement::Waiting {
            waits: Waits::Gateway,
            until: until.unwrap_or(Timestamp::MAX),
            reason: format!("the gateway could not go on with it: {trouble}"),
            failing_since: progress.run.failing_since,
        })
    }
}

impl End {
    /// A run that waits goes on at this time at the latest.
    pub(super) fn no_later_than(mut self, at: Timestamp) -> Self {
        if let Self::Settle(Settlement::Waiting { until, .. }) = &mut self {
            *until = at.min(*until);
        }
        self
    }
}

/// When a run is given up that is still unfinished.
pub(super) fn expires_at(run: &Run, expires: Duration) -> Timestamp {
    run.created_at
        .checked_add(expires)
        .unwrap_or(Timestamp::MAX)
}

/// What is known of the job that a run shows itself as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// The rule wants none.
    NotAtAll,
    /// The store has not been told which one it is.
    Unkept,
    /// The store knows it.
    Kept,
}

/// A claimed run with its journal as it grows.
#[derive(Debug)]
pub(super) struct Progress {
    /// Proves that the run is ours.
    pub(super) lease: Lease,
    /// The run as it was claimed; `failing_since` is kept current.
    pub(super) run: Run,
    /// Its event.
    pub(super) event: Event,
    /// The answered steps.
    pub(super) journal: Vec<Step>,
    /// The write that is open.
    pub(super) open: Option<Intent>,
    /// Lines that were logged since the last step and are not stored yet.
    pub(super) logs: Vec<LogLine>,
    /// How far the walk of its `each` is.
    pub(super) walk: Option<Walk>,
    /// How long its script and its calls have taken together in this claim.
    pub(super) spent_now: Duration,
    /// What is known of the job that the run shows itself as.
    pub(super) shown: Shown,
    spent_before: Duration,
    bytes: usize,
    writes: u32,
}

impl Progress {
    pub(super) fn of(claim: Claim) -> Self {
        Self {
            lease: claim.lease,
            bytes: claim.journal.iter().map(bytes_of).sum(),
            writes: count(claim.journal.iter().filter(|step| wrote(step))),
            run: claim.run,
            event: claim.event,
            journal: claim.journal,
            open: claim.open_intent,
            logs: Vec::new(),
            walk: claim.walk,
            spent_now: Duration::ZERO,
            shown: Shown::NotAtAll,
            spent_before: claim.spent,
        }
    }

    /// On whose account its calls go.
    pub(super) fn share(&self) -> Share {
        Share {
            priority: self.run.priority,
            rule: self.run.rule.clone(),
            source: self.event.source.clone(),
        }
    }

    /// The number of the step that comes next.
    pub(super) fn next_step(&self) -> u32 {
        count(self.journal.iter())
    }

    /// Counts time of the script or of a call.
    pub(super) fn spend(&mut self, time: Duration) {
        self.spent_now = self.spent_now.saturating_add(time);
    }

    /// How long its script and its calls have taken together, in all claims.
    pub(super) fn spent(&self) -> Duration {
        self.spent_before.saturating_add(self.spent_now)
    }

    /// The journal from a step on.
    pub(super) fn journal_from(&self, step: usize) -> &[Step] {
        self.journal.get(step..).unwrap_or_default()
    }

    /// The journal's size.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many writes have been answered.
    pub(super) fn writes(&self) -> u32 {
        self.writes
    }

    /// Adds an answered step, as the store does.
    pub(super) fn answered(&mut self, step: Step) {
        self.bytes += bytes_of(&step);
        self.writes += u32::from(wrote(&step));
        self.open = None;
        self.run.failing_since = None;
        self.journal.push(step);
    }

    /// The script's time so far, so that no answer is earlier than the one before.
    pub(super) fn latest(&self) -> Timestamp {
        self.journal
            .last()
            .map_or_else(|| self.started_at(), |step| step.answer.at)
    }

    /// `time::now()` before the first answer; the same in every advance of the run.
    pub(super) fn started_at(&self) -> Timestamp {
        self.run.started_at.unwrap_or(self.run.created_at)
    }

    /// Whether the open write, if there is one, is what the script asks for now.
    pub(super) fn diverges_from_open(&self, wanted: Option<(&Effect, Digest)>) -> Option<Failure> {
        let open = self.open.as_ref()?;
        match wanted {
            Some((_, digest)) if open.number == self.next_step() && open.digest == digest => None,
            _ => Some(self.diverged(open, wanted.map(|(effect, _)| effect))),
        }
    }

    fn diverged(&self, open: &Intent, wanted: Option<&Effect>) -> Failure {
        let now = match wanted {
            Some(effect) => format!("asks for {effect}"),
            None => "ends without it".to_owned(),
        };
        let message = format!(
            "step {} was begun as {}, and now the rule {now}",
            open.number, open.effect
        );
        let mut failure = Failure::new(DeadClass::Diverged, message);
        failure.hint = Some(
            "the first call may have happened: look in Iconik before the event is replayed".into(),
        );
        self.skew(failure)
    }

    /// A run that was begun under other bindings has not diverged by its own fault.
    pub(super) fn skew(&self, mut failure: Failure) -> Failure {
        if failure.class == DeadClass::Diverged && self.run.binding != BINDING_VERSION {
            failure.class = DeadClass::VersionSkew;
        }
        failure
    }

    /// Ends a run that must not go on. What it may have created or set off is a person's to judge first.
    pub(super) fn given_up(&self, failure: Failure) -> End {
        match &self.open {
            Some(open)
                if matches!(
                    class_of(&open.effect),
                    RepeatClass::Creating | RepeatClass::Acting
                ) =>
            {
                park(self.run.id, open, &failure.message)
            }
            _ => self.dead(failure),
        }
    }

    /// Ends the run as dead; a write that is still open then is named, because it may have happened.
    pub(super) fn dead(&self, mut failure: Failure) -> End {
        let told = matches!(failure.class, DeadClass::Diverged | DeadClass::VersionSkew);
        if let (Some(open), false) = (&self.open, told) {
            failure.message.push_str(&format!(
                ". Step {}, {}, may have happened",
                open.number, open.effect
            ));
        }
        End::Settle(Settlement::Dead(failure))
    }
}

/// A call in a sentence.
pub(super) fn words(call: &Call) -> String {
    format!("`{} {}`", call.method, call.path)
}

/// So long after a moment.
pub(super) fn after(at: Timestamp, pause: Duration) -> Timestamp {
    at.checked_add(pause).unwrap_or(Timestamp::MAX)
}

/// The time from one moment to a later one; zero if the clock was set back between them.
pub(super) fn between(earlier: Timestamp, later: Timestamp) -> Duration {
    Duration::try_from(later.duration_since(earlier)).unwrap_or_default()
}

fn wrote(step: &Step) -> bool {
    class_of(&step.effect) != RepeatClass::Safe
}

/// What may be done about an effect when nobody knows whether it happened.
pub(super) fn class_of(effect: &Effect) -> RepeatClass {
    match effect {
        Effect::Call(call) => {
            let operation = operations::find(call.method, &call.path);
            operation.map_or(RepeatClass::Acting, |operation| {
                operations::class_of(operation, call.body.as_ref())
            })
        }
        other if other.is_write() => RepeatClass::Acting,
        _ => RepeatClass::Safe,
    }
}

fn bytes_of(step: &Step) -> usize {
    serde_json::to_vec(step).map_or(0, |text| text.len())
}

fn count<T>(items: impl Iterator<Item = T>) -> u32 {
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}
