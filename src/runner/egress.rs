//! Requests to the targets of the configuration, in the door's order: permission, limits, the intent of
//! everything but a `GET`, the sending, and what follows from the outcome.
//!
//! The answer of a step holds what the rule sees beside the status: `headers` and `body`, and `dropped`, which is
//! true where nobody knows what became of the request and the target's `uncertain` says not to care.

mod outcome;

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::config::OnUncertain;
use crate::egress::{EgressError, Reply};
use crate::model::{
    Answer, DeadClass, EgressCall, Failure, Method, ParkedClass, RunId, format_duration,
};
use crate::store::{Intent, JournalEntry, Settlement, Waits};

use super::backoff::jitter;
use super::door::{Asked, Door};
use super::parking::choices;
use super::permission::{at_place, missing_scope};
use super::programs::Known;
use super::progress::{End, Progress};

use self::outcome::{Decision, Sent, decide};

/// A request that may be made.
struct Wanted<'a> {
    known: &'a Known,
    asked: &'a Asked<'a>,
    call: &'a EgressCall,
    on_uncertain: OnUncertain,
}

impl Door {
    /// Makes a request and journals its answer.
    pub(super) async fn egress(
        &self,
        known: &Known,
        progress: &mut Progress,
        asked: &Asked<'_>,
        call: &EgressCall,
    ) -> Result<(), End> {
        let wanted = self
            .permitted(known, progress, asked, call)
            .map_err(|failure| progress.dead(*failure))?;
        let repeated = progress.open.is_some();
        if let Some(dropped) = self.begin(&wanted, progress).await? {
            return self.answer(asked, progress, dropped, Duration::ZERO).await;
        }
        let began = Instant::now();
        let outcome = self.targets.send(call).await;
        let took = began.elapsed();
        progress.spend(took);
        let answer = self.end(&wanted, progress, repeated, outcome).await?;
        self.answer(asked, progress, answer, took).await
    }

    fn permitted<'a>(
        &self,
        known: &'a Known,
        progress: &Progress,
        asked: &'a Asked<'a>,
        call: &'a EgressCall,
    ) -> Result<Wanted<'a>, Box<Failure>> {
        let scope = format!("egress:{}", call.target);
        if !known.program.allow.contains(&scope) {
            let words = asked.effect.to_string();
            let failure = missing_scope(&known.program, call.position.as_ref(), &words, &scope);
            return Err(failure);
        }
        let Some(on_uncertain) = self.targets.on_uncertain(&call.target) else {
            let missing = EgressError::NoTarget {
                target: call.target.clone(),
            };
            return Err(refused(known, call, &missing));
        };
        let wanted = Wanted {
            known,
            asked,
            call,
            on_uncertain,
        };
        match within_limits(&wanted, progress) {
            Some(failure) => Err(failure),
            None => Ok(wanted),
        }
    }

    /// Makes the intent of a request durable, or decides about the one that was found open. The answer is one that
    /// needs no sending.
    async fn begin(
        &self,
        wanted: &Wanted<'_>,
        progress: &mut Progress,
    ) -> Result<Option<Answer>, End> {
        if wanted.is_safe() {
            return Ok(None);
        }
        let now = self.clock.now();
        let is_sent = progress.open.is_none() || wanted.on_uncertain == OnUncertain::Repeat;
        if is_sent && let Some(held) = self.held(progress) {
            return Err(held);
        }
        if let Some(open) = &progress.open {
            let doubt = "the gateway stopped, or waited, before an answer arrived";
            return match wanted.on_uncertain {
                OnUncertain::Repeat => Ok(None),
                OnUncertain::Drop => Ok(Some(dropped(now))),
                OnUncertain::Park => Err(park(wanted, progress.run.id, open, doubt)),
            };
        }
        let intent = Intent {
            number: progress.next_step(),
            digest: wanted.asked.digest,
            effect: wanted.asked.effect.clone(),
            at: now,
        };
        self.append(progress, vec![JournalEntry::Intent(intent.clone())])
            .await?;
        progress.open = Some(intent);
        Ok(None)
    }

    async fn end(
        &self,
        wanted: &Wanted<'_>,
        progress: &mut Progress,
        repeated: bool,
        outcome: Result<Reply, EgressError>,
    ) -> Result<Answer, End> {
        let now = self.clock.now();
        let failing_since = progress.run.failing_since.unwrap_or(now);
        // While Iconik cannot be used nothing is tried, this neither.
        let failing_for = self.line.usable(failing_since, now);
        let error = match outcome {
            Ok(reply) => return Ok(answered(&reply)),
            Err(error) => error,
        };
        let decision = decide(
            &error,
            Sent {
                safe: wanted.is_safe(),
                repeated,
                on_uncertain: wanted.on_uncertain,
                failing_for,
                retry: &wanted.known.header.retry,
            },
        );
        match decision {
            Decision::Again(again) => {
                if again.nothing_happened {
                    self.take_back(progress).await?;
                }
                let pause = again.at_least + jitter(again.jitter, fastrand::f64());
                Err(wait(wanted, now, pause, failing_since, &error))
            }
            Decision::Drop => Ok(dropped(now)),
            Decision::Park => Err(match &progress.open {
                Some(open) => park(wanted, progress.run.id, open, &error.to_string()),
                None => progress.dead(*refused(wanted.known, wanted.call, &error)),
            }),
            Decision::GiveUp { nothing_happened } => {
                if nothing_happened {
                    self.take_back(progress).await?;
                }
                Err(progress.dead(*given_up(wanted, failing_for, &error)))
            }
            // The intent stays open, so that nobody sends it again without having looked.
            Decision::TooLarge => Err(progress.dead(*refused(wanted.known, wanted.call, &error))),
            Decision::Refuse => {
                if !repeated {
                    self.take_back(progress).await?;
                }
                Err(progress.dead(*refused(wanted.known, wanted.call, &error)))
            }
        }
    }

    /// Takes back the intent of a request that certainly was not carried out.
    async fn take_back(&self, progress: &mut Progress) -> Result<(), End> {
        if let Some(open) = progress.open.take() {
            let number = open.number;
            self.append(progress, vec![JournalEntry::Withdrawn { number }])
                .await?;
        }
        Ok(())
    }
}

impl Wanted<'_> {
    /// Whether sending it twice does no harm.
    fn is_safe(&self) -> bool {
        self.call.method == Method::Get
    }

    fn failure(&self, class: DeadClass, message: &str, hint: &str) -> Box<Failure> {
        failure(self.known, self.call, class, message, hint)
    }
}

fn failure(
    known: &Known,
    call: &EgressCall,
    class: DeadClass,
    message: &str,
    hint: &str,
) -> Box<Failure> {
    let message = format!("{}: {message}", words(call));
    at_place(
        &known.program,
        call.position.as_ref(),
        class,
        message,
        hint.to_owned(),
    )
}

fn words(call: &EgressCall) -> String {
    crate::model::Effect::Egress(call.clone()).to_string()
}

fn answered(reply: &Reply) -> Answer {
    Answer {
        status: reply.status,
        body: json!({ "headers": reply.headers, "body": reply.body, "dropped": false }),
        at: reply.at,
    }
}

/// What the rule sees of a request of which nobody knows what became of it.
fn dropped(at: Timestamp) -> Answer {
    Answer {
        status: 0,
        body: json!({ "headers": {}, "body": Value::Null, "dropped": true }),
        at,
    }
}

/// Whether the run may make one more request of this kind.
fn within_limits(wanted: &Wanted<'_>, progress: &Progress) -> Option<Box<Failure>> {
    let limits = wanted.known.header.limits;
    let (name, limit) = if progress.next_step() >= limits.calls_per_run {
        ("calls_per_run", limits.calls_per_run)
    } else if !wanted.is_safe() && progress.writes() >= limits.writes_per_run {
        ("writes_per_run", limits.writes_per_run)
    } else {
        return None;
    };
    let message = format!("it would be one more than the limit `{name}` of {limit} allows");
    let hint = format!(
        "if that many are meant, raise it in the header: `limits: #{{ {name}: {} }}`",
        limit.saturating_mul(2).max(1)
    );
    Some(wanted.failure(DeadClass::Limit, &message, &hint))
}

/// A request that can never be made, or whose answer can never be kept.
fn refused(known: &Known, call: &EgressCall, error: &EgressError) -> Box<Failure> {
    let name = &call.target;
    let (class, hint) = match error {
        EgressError::NoTarget { .. } => (
            DeadClass::Permission,
            format!(
                "add `[egress.{name}]` with its `url` to the configuration; then retry the run"
            ),
        ),
        EgressError::NotPublic { .. } => (
            DeadClass::Permission,
            format!("`allow_private` belongs under `[egress.{name}]` in the configuration"),
        ),
        EgressError::TooLarge { .. } => (
            DeadClass::Limit,
            "ask for less, if the target has a way to, or raise `max_answer`".to_owned(),
        ),
        _ => (
            DeadClass::ScriptError,
            "look at how the rule builds path, query and headers".to_owned(),
        ),
    };
    failure(known, call, class, &error.to_string(), &hint)
}

fn given_up(wanted: &Wanted<'_>, failing_for: Duration, error: &EgressError) -> Box<Failure> {
    let whole_seconds = Duration::from_secs(failing_for.as_secs());
    let message = format!(
        "it was tried for {} and failed to the end, lastly so: {error}",
        format_duration(whole_seconds)
    );
    let hint = "look at the target; then retry the run. `retry.max_age` sets how long it is tried";
    wanted.failure(DeadClass::ApiError, &message, hint)
}

fn wait(
    wanted: &Wanted<'_>,
    now: Timestamp,
    pause: Duration,
    failing_since: Timestamp,
    error: &EgressError,
) -> End {
    End::Settle(Settlement::Waiting {
        waits: Waits::Retry,
        until: now.checked_add(pause).unwrap_or(Timestamp::MAX),
        reason: format!("{} will be tried again: {error}", words(wanted.call)),
        failing_since: Some(failing_since),
    })
}

/// Hands the run to a person: what was sent, what is unknown, what can be done.
fn park(wanted: &Wanted<'_>, run: RunId, open: &Intent, doubt: &str) -> End {
    let name = &wanted.call.target;
    let reason = format!(
        "step {}, {}, was to be sent at {} and may or may not have happened: {doubt}. Sending it again may set it off \
         twice. Look at `{name}` which of the two it is. {} `uncertain` under `[egress.{name}]` can say \"repeat\" or \
         \"drop\" for the future.",
        open.number,
        words(wanted.call),
        open.at.round(jiff::Unit::Second).unwrap_or(open.at),
        choices(run),
    );
    End::Settle(Settlement::Parked {
        class: ParkedClass::Uncertain,
        reason,
    })
}
