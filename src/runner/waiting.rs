//! Waiting without a thread: a run that waits is a row in the store, and what it waited for is the answer of a step.
//!
//! The script says until when, out of its own journaled time, so every advance asks for the same. Whether it has
//! come is looked at here, each time the run is woken.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::model::{
    Answer, Call, DeadClass, Failure, Method, Sleep, WaitForEvent, WaitForJob, format_duration,
};
use crate::store::{EventMark, Settlement, Waits};

use super::Timers;
use super::calls::{Outcome, Wanted};
use super::door::{Asked, Door};
use super::permission::at_place;
use super::programs::Known;
use super::progress::{End, Progress, expires_at};

/// The states in which a job of Iconik stays (the enumeration of its documents; which of them are final is inferred).
const ENDED: [&str; 6] = [
    "FINISHED",
    "FINISHED_WITH_WARNING",
    "FAILED",
    "ABORTED",
    "SKIPPED",
    "DISCARDED",
];

/// Whether a job is over, as its document says.
pub(super) fn has_ended(job: &Value) -> bool {
    let status = job.get("status").and_then(Value::as_str);
    status.is_some_and(|status| ENDED.contains(&status))
}

/// The request that reads a job.
pub(super) fn read_job(job: &str) -> Call {
    Call {
        method: Method::Get,
        path: format!("jobs/v1/jobs/{job}/"),
        query: BTreeMap::new(),
        body: None,
        cacheable: false,
        position: None,
    }
}

impl Door {
    /// Answers a sleep whose time has come.
    pub(super) async fn sleep(
        &self,
        known: &Known,
        progress: &mut Progress,
        asked: &Asked<'_>,
        sleep: &Sleep,
    ) -> Result<(), End> {
        let expires = known.header.expires;
        if sleep.until > expires_at(&progress.run, expires) {
            return Err(progress.dead(*beyond_expiry(known, sleep, expires)));
        }
        let now = self.time_for(sleep.until);
        if now < sleep.until {
            return Err(wait(Waits::Time, sleep.until, "asleep".to_owned()));
        }
        self.answer(asked, progress, nothing(now), Duration::ZERO)
            .await
    }

    /// What time it is for a run that waits until `until`.
    fn time_for(&self, until: Timestamp) -> Timestamp {
        let now = self.clock.now();
        match self.timers {
            Timers::Real => now,
            Timers::Immediate => now.max(until),
        }
    }

    /// Answers a wait for an event with the event, or with nothing at its timeout.
    pub(super) async fn wait_for_event(
        &self,
        progress: &mut Progress,
        asked: &Asked<'_>,
        wait_for: &WaitForEvent,
    ) -> Result<(), End> {
        let sighting = self
            .store
            .find_event(progress.run.id, wait_for, EventMark::default())
            .await
            .map_err(|error| {
                let trouble = format!("events cannot be looked through: {error}");
                End::own_trouble(&self.clock, progress, &trouble)
            })?;
        let now = self.time_for(wait_for.until);
        let answer = match sighting.event {
            Some(event) => Answer {
                body: serde_json::to_value(event).expect("an event always has a JSON form"),
                ..nothing(self.clock.now())
            },
            None if now >= wait_for.until => nothing(now),
            None => {
                let reason = format!("waits for `{}`", wait_for.pattern);
                let waits = Waits::Event {
                    wait: Box::new(wait_for.clone()),
                    seen: sighting.seen,
                };
                return Err(wait(waits, wait_for.until, reason));
            }
        };
        self.answer(asked, progress, answer, Duration::ZERO).await
    }

    /// Answers a wait for a job with the job once it is over, or with nothing at its timeout.
    pub(super) async fn wait_for_job(
        &self,
        known: &Known,
        progress: &mut Progress,
        asked: &Asked<'_>,
        wait_for: &WaitForJob,
    ) -> Result<(), End> {
        let call = Call {
            position: wait_for.position.clone(),
            ..read_job(&wait_for.job)
        };
        let wanted = Wanted::permitted(known, progress, asked, &call)
            .map_err(|failure| progress.dead(*failure))?;
        let Outcome { mut answer, took } = self.exchange(&wanted, progress).await?;
        if answer.status == 200 && !has_ended(&answer.body) {
            if self.clock.now() < wait_for.until {
                let reason = format!("waits for job {}", wait_for.job);
                return Err(wait(
                    Waits::Job(wait_for.job.clone()),
                    wait_for.until,
                    reason,
                ));
            }
            answer.body = Value::Null;
        }
        self.answer(asked, progress, answer, took).await
    }
}

/// The run would be given up in its sleep.
fn beyond_expiry(known: &Known, sleep: &Sleep, expires: Duration) -> Box<Failure> {
    let message = format!(
        "it would sleep until {}, and the rule gives a run up {} after it was made",
        sleep.until.round(jiff::Unit::Second).unwrap_or(sleep.until),
        format_duration(expires)
    );
    let hint = "sleep for less, or write a longer `expires` in the header; a schedule may be what is meant";
    at_place(
        &known.program,
        sleep.position.as_ref(),
        DeadClass::Limit,
        message,
        hint.to_owned(),
    )
}

fn nothing(at: Timestamp) -> Answer {
    Answer {
        status: 200,
        body: Value::Null,
        at,
    }
}

fn wait(waits: Waits, until: Timestamp, reason: String) -> End {
    End::Settle(Settlement::Waiting {
        waits,
        until,
        reason,
        failing_since: None,
    })
}
