//! Calls of Iconik's API: permission, limits, the intent of a write, the sending, and what follows from the outcome.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::iconik::{CallError, Reply};
use crate::model::{Answer, Call, DeadClass, Effect, Failure, ParkedClass, format_duration};
use crate::operations::{self, RepeatClass};
use crate::store::{Intent, JournalEntry, Settlement, Waits};

use super::backoff::jitter;
use super::decision::{Again, Decision, Reopen, Sent, decide_after, decide_before};
use super::door::{Asked, Door};
use super::permission::{at_call, permit};
use super::programs::Known;
use super::progress::{End, Progress, between, words};

/// A call that may be made, as everything behind the permission sees it.
pub(super) struct Wanted<'a> {
    known: &'a Known,
    asked: &'a Asked<'a>,
    call: &'a Call,
    class: RepeatClass,
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
            count(call, "kept");
            let at = self.clock.now();
            let answer = Answer {
                at,
                ..Answer::clone(&kept)
            };
            return self.answer(asked, progress, answer, Duration::ZERO).await;
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
        let permit = self.outside.admit(&progress.share()).await;
        let repeated = progress.open.is_some();
        self.open_intent(wanted, progress).await?;
        let began = Instant::now();
        let outcome = self.outside.send(permit, wanted.call).await;
        let took = began.elapsed();
        progress.spend(took);
        count(wanted.call, outcome_label(&outcome));
        metrics::histogram!("cuegate_call_seconds").record(took);
        let answer = self.conclude(wanted, progress, repeated, outcome).await?;
        Ok(Outcome { answer, took })
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

    /// Makes the intent of a write durable, or parks the run if it was there already and is not to be repeated.
    async fn open_intent(&self, wanted: &Wanted<'_>, progress: &mut Progress) -> Result<(), End> {
        let now = self.clock.now();
        if let Some(open) = &progress.open {
            let retry = &wanted.known.header.retry;
            // A clock that was set back says nothing about how old the intent is.
            let age = if open.at > now {
                Duration::MAX
            } else {
                between(open.at, now)
            };
            return match decide_before(wanted.class, age, retry) {
                Reopen::Repeat => Ok(()),
                Reopen::Park => {
                    let doubt = "the gateway stopped, or waited, before an answer arrived";
                    Err(park(wanted, open, doubt))
                }
            };
        }
        if wanted.class == RepeatClass::Safe {
            return Ok(());
        }
        let intent = Intent {
            number: progress.next_step(),
            digest: wanted.asked.digest,
            effect: Effect::Call(wanted.call.clone()),
            at: now,
        };
        self.append(progress, JournalEntry::Intent(intent.clone()))
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
            class: wanted.class,
            repeated,
            intent_age: progress
                .open
                .as_ref()
                .map_or(Duration::ZERO, |open| between(open.at, now)),
            failing_for: between(failing_since, now),
            retry: &wanted.known.header.retry,
        };
        let (at, trouble) = match &outcome {
            Ok(reply) => (reply.at, String::new()),
            Err(error) => (now, error.to_string()),
        };
        match decide_after(outcome, sent) {
            Decision::Answer { status, body } => Ok(Answer { status, body, at }),
            Decision::Again(again) => {
                if again.nothing_happened {
                    self.withdraw(progress).await?;
                }
                Err(wait(wanted, again, now, failing_since, &trouble))
            }
            Decision::Park => Err(match &progress.open {
                Some(open) => park(wanted, open, &trouble),
                None => progress.dead(*wanted.failure(DeadClass::ApiError, &trouble)),
            }),
            Decision::GiveUp => {
                let failure = wanted.given_up(sent.failing_for, &trouble);
                Err(progress.dead(*failure))
            }
            Decision::TooLarge => {
                let failure = wanted.failure(DeadClass::Limit, &trouble);
                Err(progress.dead(*failure))
            }
            Decision::Malformed => {
                if !repeated {
                    self.withdraw(progress).await?;
                }
                let failure = wanted.failure(DeadClass::ScriptError, &trouble);
                Err(progress.dead(*failure))
            }
        }
    }

    async fn withdraw(&self, progress: &mut Progress) -> Result<(), End> {
        if let Some(open) = progress.open.take() {
            let number = open.number;
            self.append(progress, JournalEntry::Withdrawn { number })
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
        let wanted = Self {
            known,
            asked,
            call,
            class: operations::class_of(operation, call.body.as_ref()),
        };
        wanted.within_limits(progress)?;
        Ok(wanted)
    }

    fn may_be_kept(&self) -> bool {
        self.call.cacheable && self.class == RepeatClass::Safe
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
        } else if self.class != RepeatClass::Safe && progress.writes() >= limits.writes_per_run {
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
    let until = now.checked_add(pause).unwrap_or(Timestamp::MAX);
    let reason = format!("{} will be tried again: {trouble}", words(wanted.call));
    End::Settle(Settlement::Waiting {
        waits: Waits::Retry,
        until,
        reason,
        failing_since: again.pause.counted.then_some(failing_since),
    })
}

/// Hands the run to a person: what was sent, what is unknown, what can be done.
fn park(wanted: &Wanted<'_>, open: &Intent, doubt: &str) -> End {
    let how = match wanted.class {
        RepeatClass::Safe | RepeatClass::Idempotent => {
            "Sending it again would overwrite what was changed since"
        }
        RepeatClass::Creating => "Sending it again may make a second one",
        RepeatClass::Acting => "Sending it again may set it off twice",
    };
    let reason = format!(
        "step {}, {}, was to be sent at {} and may or may not have happened: {doubt}. {how}. Look in Iconik \
         which of the two it is; later runs of this lane wait for a decision.",
        open.number,
        words(wanted.call),
        open.at.round(jiff::Unit::Second).unwrap_or(open.at),
    );
    End::Settle(Settlement::Parked {
        class: ParkedClass::Uncertain,
        reason,
    })
}

fn count(call: &Call, outcome: &'static str) {
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
