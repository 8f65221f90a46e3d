//! Calls of Iconik's API: permission, limits, the intent of a write, the sending, and what follows from the outcome.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::iconik::{CallError, Permit, Reply};
use crate::model::{
    Answer, Call, DeadClass, Effect, Event, Failure, Retry, RunAs, format_duration,
};
use crate::operations::{self, RepeatClass};
use crate::store::{Intent, JournalEntry, Settlement, Waits};

use super::backoff::jitter;
use super::decision::{Again, Decision, Doubt, LineState, Sent, decide_after};
use super::door::{Asked, Door};
use super::doubts::{Reopened, later, sent};
use super::line::Outage;
use super::mark::{mark_of, marked};
use super::parking::park;
use super::permission::{at_call, permit};
use super::programs::Known;
use super::progress::{End, Progress, after, words};

/// A call that may be made, as everything behind the permission sees it.
pub(super) struct Wanted<'a> {
    known: &'a Known,
    pub(super) asked: &'a Asked<'a>,
    pub(super) call: &'a Call,
    pub(super) doubt: Doubt,
}

/// An outcome that ends a step.
pub(super) struct Outcome {
    /// What the script sees.
    pub(super) answer: Answer,
    /// How long the outside took.
    pub(super) took: Duration,
}

impl Door {
    /// Makes a call and journals its answer.
    pub(super) async fn call(
        &self,
        known: &Known,
        progress: &mut Progress,
        asked: &Asked<'_>,
        call: &Call,
    ) -> Result<(), End> {
        let wanted = Wanted::permitted(known, progress, asked, call)
            .map_err(|failure| progress.dead(*failure))?;
        if let Some(kept) = self.kept(&wanted) {
            count_as(call, "kept");
            let at = self.clock.now();
            let answer = Answer {
                at,
                ..Answer::clone(&kept)
            };
            return self.answer(asked, progress, answer, Duration::ZERO).await;
        }
        if let Some(open) = progress.open.clone()
            && let Reopened::Answered = self.reopen(&wanted, progress, open).await?
        {
            return Ok(());
        }
        let Outcome { answer, took } = self.exchange(&wanted, progress).await?;
        self.answer(asked, progress, answer, took).await?;
        self.keep(&wanted, progress);
        Ok(())
    }

    /// Sends a call and decides about its outcome: an answer, or the end of the claim.
    pub(super) async fn exchange(
        &self,
        wanted: &Wanted<'_>,
        progress: &mut Progress,
    ) -> Result<Outcome, End> {
        let sender = self.sender(wanted.known, progress).await?;
        let permit = self.admit(wanted, progress).await?;
        let repeated = progress.open.is_some();
        self.open_intent(wanted, progress).await?;
        let call = match &progress.open {
            Some(open) => sent(wanted, open),
            None => wanted.call,
        };
        let began = Instant::now();
        let outcome = self.line.send_as(permit, call, &sender).await;
        let took = began.elapsed();
        count(call, &outcome);
        progress.spend(took);
        metrics::histogram!("cuegate_call_seconds").record(took);
        let answer = self.conclude(wanted, progress, repeated, outcome).await?;
        Ok(Outcome { answer, took })
    }

    /// Waits until the call may be sent. Whether writes are paused is asked again afterwards, for that may take long.
    async fn admit(&self, wanted: &Wanted<'_>, progress: &Progress) -> Result<Permit, End> {
        let is_write = wanted.class() != RepeatClass::Safe;
        if is_write && let Some(held) = self.held(progress) {
            return Err(held);
        }
        let admitted = self.line.admit(&progress.share()).await;
        let permit = admitted.map_err(|Outage| End::Settle(Settlement::Released))?;
        match self.held(progress) {
            Some(held) if is_write => Err(held),
            _ => Ok(permit),
        }
    }

    fn kept(&self, wanted: &Wanted<'_>) -> Option<Arc<Answer>> {
        wanted
            .may_be_kept()
            .then(|| self.lookups.fresh(wanted.asked.digest))?
    }

    fn keep(&self, wanted: &Wanted<'_>, progress: &Progress) {
        if let (true, Some(step)) = (wanted.may_be_kept(), progress.journal.last()) {
            self.lookups.keep(wanted.asked.digest, &step.answer);
        }
    }

    /// Makes the intent of a write durable, unless it is open already.
    async fn open_intent(&self, wanted: &Wanted<'_>, progress: &mut Progress) -> Result<(), End> {
        if progress.open.is_some() || wanted.class() == RepeatClass::Safe {
            return Ok(());
        }
        let number = progress.next_step();
        let call = match wanted.class() {
            RepeatClass::Creating => marked(wanted.call, &mark_of(&progress.run, number)),
            _ => wanted.call.clone(),
        };
        let intent = Intent {
            number,
            digest: wanted.asked.digest,
            effect: Effect::Call(call),
            at: self.clock.now(),
        };
        self.append(progress, vec![JournalEntry::Intent(intent.clone())])
            .await?;
        progress.open = Some(intent);
        Ok(())
    }

    async fn conclude(
        &self,
        wanted: &Wanted<'_>,
        progress: &mut Progress,
        repeated: bool,
        outcome: Result<Reply, CallError>,
    ) -> Result<Answer, End> {
        let now = self.clock.now();
        let failing_since = progress.run.failing_since.unwrap_or(now);
        let sent = Sent {
            method: wanted.call.method,
            doubt: wanted.doubt,
            repeated,
            failing_for: self.line.usable(failing_since, now),
            retry: wanted.retry(),
            line: self.line_state(),
        };
        let (at, trouble) = match &outcome {
            Ok(reply) => (reply.at, String::new()),
            Err(error) => (now, error.to_string()),
        };
        match decide_after(outcome, sent) {
            Decision::Answer { status, body } => Ok(Answer { status, body, at }),
            Decision::Again(again) => {
                self.withdraw_if(again.nothing_happened, progress).await?;
                Err(wait(wanted, again, now, failing_since, &trouble))
            }
            Decision::Release { nothing_happened } => {
                self.withdraw_if(nothing_happened, progress).await?;
                Err(End::Settle(Settlement::Released))
            }
            Decision::LookUp => {
                let until = after(now, self.index_lag);
                Err(later(wanted, until, Some(failing_since), &trouble))
            }
            Decision::Park => Err(match &progress.open {
                Some(open) => park(progress.run.id, open, &trouble),
                None => progress.dead(*wanted.failure(DeadClass::ApiError, &trouble)),
            }),
            Decision::GiveUp { nothing_happened } => {
                self.withdraw_if(nothing_happened, progress).await?;
                let failure = wanted.given_up(sent.failing_for, &trouble);
                Err(progress.given_up(*failure))
            }
            Decision::TooLarge => {
                let failure = wanted.failure(DeadClass::Limit, &trouble);
                Err(progress.dead(*failure))
            }
            Decision::Malformed => {
                self.withdraw_if(!repeated, progress).await?;
                let failure = wanted.failure(DeadClass::ScriptError, &trouble);
                Err(progress.dead(*failure))
            }
        }
    }

    fn line_state(&self) -> LineState {
        if self.line.is_open() {
            LineState::Open
        } else if self.line.has_answered() {
            LineState::Sound
        } else {
            LineState::Unproven
        }
    }

    async fn withdraw_if(
        &self,
        nothing_happened: bool,
        progress: &mut Progress,
    ) -> Result<(), End> {
        if !nothing_happened {
            return Ok(());
        }
        if let Some(open) = progress.open.take() {
            let number = open.number;
            self.append(progress, vec![JournalEntry::Withdrawn { number }])
                .await?;
        }
        Ok(())
    }
}

impl<'a> Wanted<'a> {
    /// The call, if the rule may make it and has not made too many.
    pub(super) fn permitted(
        known: &'a Known,
        progress: &Progress,
        asked: &'a Asked<'a>,
        call: &'a Call,
    ) -> Result<Self, Box<Failure>> {
        let operation = permit(&known.program, call)?;
        let doubt = Doubt {
            class: operations::class_of(operation, call.body.as_ref()),
            can_be_looked_up: operations::look_up(operation).is_some(),
        };
        let wanted = Self {
            known,
            asked,
            call,
            doubt,
        };
        wanted.within_limits(progress)?;
        Ok(wanted)
    }

    /// What the rule says about retries.
    pub(super) fn retry(&self) -> &'a Retry {
        &self.known.header.retry
    }

    fn class(&self) -> RepeatClass {
        self.doubt.class
    }

    /// What one person may see another may not, so only what the gateway itself has read is kept for others.
    fn may_be_kept(&self) -> bool {
        let is_ours = self.known.header.run_as == RunAs::Service;
        is_ours && self.call.cacheable && self.class() == RepeatClass::Safe
    }

    /// The person whom the rule's calls are made as, if that is not us.
    pub(super) fn person<'e>(&self, event: &'e Event) -> Option<&'e str> {
        if self.known.header.run_as == RunAs::Service {
            return None;
        }
        // An object of `each` knows the press by its parent.
        let parent = event
            .body
            .get("parent")
            .and_then(|parent| parent.get("body"));
        parent.unwrap_or(&event.body).get("user_id")?.as_str()
    }

    fn failure(&self, class: DeadClass, message: &str) -> Box<Failure> {
        let hint = match class {
            DeadClass::Limit => "ask for less: name the fields that the rule needs",
            DeadClass::ScriptError => "look at how the rule builds the path and the body",
            _ => "look at Iconik's status page and the gateway's log; then retry the run",
        };
        let message = format!("{}: {message}", words(self.call));
        at_call(
            &self.known.program,
            self.call,
            class,
            message,
            hint.to_owned(),
        )
    }

    fn given_up(&self, failing_for: Duration, trouble: &str) -> Box<Failure> {
        let whole_seconds = Duration::from_secs(failing_for.as_secs());
        let message = format!(
            "it was tried for {} and failed to the end, lastly so: {trouble}",
            format_duration(whole_seconds)
        );
        self.failure(DeadClass::ApiError, &message)
    }

    /// Whether the run may make one more call of this kind.
    fn within_limits(&self, progress: &Progress) -> Result<(), Box<Failure>> {
        let limits = self.known.header.limits;
        let (name, limit) = if progress.next_step() >= limits.calls_per_run {
            ("calls_per_run", limits.calls_per_run)
        } else if self.class() != RepeatClass::Safe && progress.writes() >= limits.writes_per_run {
            ("writes_per_run", limits.writes_per_run)
        } else {
            return Ok(());
        };
        let message = format!(
            "{} would be one more than the limit `{name}` of {limit} allows",
            words(self.call)
        );
        let hint = format!(
            "if that many are meant, raise it in the header: `limits: #{{ {name}: {} }}`",
            limit.saturating_mul(2).max(1)
        );
        Err(at_call(
            &self.known.program,
            self.call,
            DeadClass::Limit,
            message,
            hint,
        ))
    }
}

fn wait(
    wanted: &Wanted<'_>,
    again: Again,
    now: Timestamp,
    failing_since: Timestamp,
    trouble: &str,
) -> End {
    let pause = again.pause.at_least + jitter(again.pause.jitter, fastrand::f64());
    let until = after(now, pause);
    let reason = format!("{} will be tried again: {trouble}", words(wanted.call));
    End::Settle(Settlement::Waiting {
        waits: Waits::Retry,
        until,
        reason,
        failing_since: again.pause.counted.then_some(failing_since),
    })
}

/// Counts a call by its outcome.
pub(super) fn count(call: &Call, outcome: &Result<Reply, CallError>) {
    count_as(call, outcome_label(outcome));
}

fn count_as(call: &Call, outcome: &'static str) {
    let method = call.method.as_str();
    metrics::counter!("cuegate_calls_total", "method" => method, "outcome" => outcome).increment(1);
}

fn outcome_label(outcome: &Result<Reply, CallError>) -> &'static str {
    match outcome {
        Ok(_) => "success",
        Err(CallError::Refused { .. }) => "refused",
        Err(CallError::NotSent { .. }) => "not_sent",
        Err(CallError::Throttled { .. }) => "throttled",
        Err(CallError::Unauthorized { .. }) => "unauthorized",
        Err(CallError::Uncertain { .. }) => "uncertain",
        Err(CallError::TooLarge { .. }) => "too_large",
        Err(CallError::Malformed { .. }) => "malformed",
    }
}
