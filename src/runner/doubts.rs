//! Writes that were sent and of which nobody knows whether they happened: what is done before anything is sent again.
//!
//! What was to be created is looked for, once the index must know of it. What would be overwritten is read. Only what
//! is found out allows to go on; the look itself is no step of the run, and a remark tells of it.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::iconik::CallError;
use crate::model::{Answer, Call, Effect, Method};
use crate::store::{Intent, JournalEntry, Remark, Settlement, Waits};

use super::backoff::{ceiling, jitter};
use super::before_image::{Sight, is_done, is_unchanged, last_seen, target_of};
use super::calls::{Wanted, count};
use super::decision::{Reopen, decide_before};
use super::door::Door;
use super::line::Outage;
use super::parking::park;
use super::progress::{End, Progress, after, between, words};

/// What has become of a step that was found open.
pub(super) enum Reopened {
    /// It is answered.
    Answered,
    /// It is to be sent, again or as if for the first time.
    Send,
}

/// A look goes by the configured credentials, and these may see less than whoever pressed the button.
pub(super) const UNSEEN: &str =
    "the configured credentials see nothing of it, and whoever pressed the button may see more";

impl Door {
    /// Decides about the open write that `progress` has come to.
    pub(super) async fn reopen(
        &self,
        wanted: &Wanted<'_>,
        progress: &mut Progress,
        open: Intent,
    ) -> Result<Reopened, End> {
        let now = self.clock.now();
        // A clock that was set back says nothing about how old the intent is.
        let age = if open.at > now {
            Duration::MAX
        } else {
            between(open.at, now)
        };
        match decide_before(wanted.doubt, age, wanted.retry()) {
            Reopen::Repeat => Ok(Reopened::Send),
            Reopen::LookUp => self.look_up(wanted, progress, &open).await,
            Reopen::Examine => self.examine(wanted, progress, &open).await,
            Reopen::Park => {
                let doubt = "the gateway stopped, or waited, before an answer arrived";
                Err(park(progress.run.id, &open, doubt))
            }
        }
    }

    /// Reads the target of an idempotent write that has grown old.
    async fn examine(
        &self,
        wanted: &Wanted<'_>,
        progress: &mut Progress,
        open: &Intent,
    ) -> Result<Reopened, End> {
        let call = sent(wanted, open);
        let before = last_seen(&progress.journal, call);
        let Some(target) = target_of(call, before) else {
            let doubt = "too much time has passed to send it again blindly, and nothing shows whether it happened";
            return Err(park(progress.run.id, open, doubt));
        };
        let found = self.look(wanted, progress, open, &target).await?;
        if found.is_none() && wanted.person(&progress.event).is_some() {
            return Err(park(progress.run.id, open, UNSEEN));
        }
        let now = Sight {
            status: if found.is_some() { 200 } else { 404 },
            body: found.as_ref().unwrap_or(&Value::Null),
            query: None,
        };
        if is_done(call, now) {
            let text = format!(
                "looked whether it happened: {} shows that it did",
                words(&target)
            );
            self.remark(progress, text).await?;
            let answer = done(call, found, self.clock.now());
            self.answer(wanted.asked, progress, answer, Duration::ZERO)
                .await?;
            return Ok(Reopened::Answered);
        }
        if before.is_some_and(|before| is_unchanged(call, before, now)) {
            let text = format!(
                "looked whether it happened: {} is as the run saw it before; it is sent again",
                words(&target)
            );
            self.begin_anew(progress, open, text).await?;
            return Ok(Reopened::Send);
        }
        let doubt = format!(
            "{} shows neither what was to be written nor what the run had seen before",
            words(&target)
        );
        Err(park(progress.run.id, open, &doubt))
    }

    /// Makes a read about an open write: its document, or none for 404.
    pub(super) async fn look(
        &self,
        wanted: &Wanted<'_>,
        progress: &Progress,
        open: &Intent,
        call: &Call,
    ) -> Result<Option<Value>, End> {
        let permit = match self.line.admit(&progress.share()).await {
            Ok(permit) => permit,
            Err(Outage) => return Err(End::Settle(Settlement::Released)),
        };
        let outcome = self.line.send(permit, call).await;
        count(call, &outcome);
        let error = match outcome {
            Ok(reply) => return Ok(Some(reply.body)),
            Err(CallError::Refused { status: 404, .. }) => return Ok(None),
            Err(error) => error,
        };
        let unable = format!("it cannot be looked for: {error}");
        if error.is_permanent() {
            return Err(park(progress.run.id, open, &unable));
        }
        if self.line.is_open() {
            return Err(End::Settle(Settlement::Released));
        }
        Err(self.look_again(wanted, progress, open, &unable))
    }

    /// A look that showed nothing is tried again later, and given to a person when that has gone on for too long.
    pub(super) fn look_again(
        &self,
        wanted: &Wanted<'_>,
        progress: &Progress,
        open: &Intent,
        unable: &str,
    ) -> End {
        let now = self.clock.now();
        let failing_since = progress.run.failing_since.unwrap_or(now);
        let failing_for = self.line.usable(failing_since, now);
        let retry = wanted.retry();
        if failing_for >= retry.max_age && self.line.has_answered() {
            return park(progress.run.id, open, unable);
        }
        let pause = jitter(ceiling(retry.min, retry.max, failing_for), fastrand::f64());
        later(wanted, after(now, pause), Some(failing_since), unable)
    }

    /// Nothing of what was sent for this step has happened: it is sent as if for the first time.
    pub(super) async fn begin_anew(
        &self,
        progress: &mut Progress,
        open: &Intent,
        text: String,
    ) -> Result<(), End> {
        let number = open.number;
        let remark = Remark {
            number,
            at: self.clock.now(),
            text,
        };
        let entries = vec![
            JournalEntry::Remark(remark),
            JournalEntry::Withdrawn { number },
        ];
        self.append(progress, entries).await?;
        progress.open = None;
        Ok(())
    }

    /// Keeps a sentence about the present step for the trace.
    pub(super) async fn remark(&self, progress: &mut Progress, text: String) -> Result<(), End> {
        let remark = Remark {
            number: progress.next_step(),
            at: self.clock.now(),
            text,
        };
        self.append(progress, vec![JournalEntry::Remark(remark)])
            .await
    }
}

/// The call as it was sent.
pub(super) fn sent<'a>(wanted: &Wanted<'a>, open: &'a Intent) -> &'a Call {
    match &open.effect {
        Effect::Call(call) => call,
        _ => wanted.call,
    }
}

/// The answer that an idempotent write would have had.
fn done(call: &Call, found: Option<Value>, at: Timestamp) -> Answer {
    match call.method {
        Method::Delete => Answer {
            status: 204,
            body: Value::Null,
            at,
        },
        _ => Answer {
            status: 200,
            body: found.unwrap_or_default(),
            at,
        },
    }
}

/// Lets a run wait before it looks again.
pub(super) fn later(
    wanted: &Wanted<'_>,
    until: Timestamp,
    failing_since: Option<Timestamp>,
    why: &str,
) -> End {
    End::Settle(Settlement::Waiting {
        waits: Waits::LookUp,
        until,
        reason: format!(
            "whether {} happened is looked up then: {why}",
            words(wanted.call)
        ),
        failing_since,
    })
}
