//! Advancing a run in a worker.
//!
//! A run is advanced once for each of its calls, and most of what an advance needs is what the last one had.
//! So the worker keeps event and journal of runs that go on, the pool prefers the worker that has them, and
//! only the new step crosses the pipe. Marks make that safe: a mark names the event and every step, so
//! another journal of the same run has another mark.

use std::borrow::Cow;
use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::death::{Budget, Death, Stage, Strikes};
use super::gates::Party;
use super::process::Worker;
use super::protocol::{Answer, Base, Request};
use super::{Sandbox, SandboxError, too_large};
use crate::engine::{Advance, Moment, Outcome, Part};
use crate::model::{Event, Failure, Program, RunId, Step};

/// What an advance came to, and what it cost.
#[derive(Debug)]
pub struct Advanced {
    /// The outcome, with what was logged.
    pub advance: Advance,
    /// How many workers the script has cost, the kills of others left out unless they came too often to be chance.
    pub workers_lost: u32,
    /// How long a worker was busy with it; the wait for a free one is left out.
    pub busy: Duration,
}

/// One advance, ready to be tried.
struct Job<'a> {
    rule: u64,
    moment: &'a Moment,
    event: &'a Event,
    journal: &'a [Step],
    marks: Marks,
}

/// The numbers under which a worker may remember a journal.
#[derive(Clone, Copy)]
struct Marks {
    /// Of the whole journal.
    whole: u64,
    /// Of the journal without its last step, if it has one.
    shorter: Option<u64>,
}

impl Sandbox {
    /// Runs the rule from the top, answering its calls from the journal, to its next call or to its end.
    /// `moment` must be the same in all advances of a part of a run.
    ///
    /// A script that kills its worker twice, or exceeds its processor time, is an outcome and not an error.
    ///
    /// # Errors
    ///
    /// When the sandbox is stopping.
    pub async fn advance(
        &self,
        program: &Arc<Program>,
        run: RunId,
        moment: &Moment,
        event: &Event,
        journal: &[Step],
    ) -> Result<Advanced, SandboxError> {
        let rule = self.number_of(program);
        let marks = self.marks(run, moment, event, journal);
        let job = Job {
            rule,
            moment,
            event,
            journal,
            marks,
        };
        let mut lease = self
            .pool
            .lease(Party::Runs(rule), |worker| marks.known_to(worker))
            .await?;
        let begun = Instant::now();
        let budget = self.budget(Stage::Advance);
        let mut strikes = Strikes::default();
        let advance = loop {
            if let Err(failure) = self.load(&mut lease, program, rule).await? {
                break failed(failure);
            }
            match job.attempt(lease.worker(), budget).await {
                Ok(advance) => break advance,
                Err(death) if strikes.are_out(death.cause) => {
                    break failed(death.failure(&program.main.path));
                }
                Err(death) => {
                    tracing::warn!(
                        %run,
                        rule = %program.rule,
                        reason = death.cause.as_str(),
                        "A run lost its sandbox worker and is advanced again: the script {death}."
                    );
                    lease.replace().await?;
                }
            }
        };
        let busy = begun.elapsed();
        metrics::histogram!("cuegate_sandbox_advance_seconds").record(busy);
        Ok(Advanced {
            advance,
            workers_lost: strikes.held_against(),
            busy,
        })
    }

    /// Event and steps are what is kept under a mark. The moment crosses the pipe with every advance; it is in the
    /// mark because every part of a run has a journal of its own.
    fn marks(&self, run: RunId, moment: &Moment, event: &Event, journal: &[Step]) -> Marks {
        let part = match &moment.part {
            Part::Run => 0_u8,
            Part::Each => 1,
            Part::Done(_) => 2,
        };
        let began = (moment.started_at, moment.steps_before, part);
        let start = self
            .numbers
            .hash_one((run, began, event.id, event.received_at));
        let first = Marks {
            whole: start,
            shorter: None,
        };
        journal.iter().fold(first, |marks, step| Marks {
            whole: self.numbers.hash_one((
                marks.whole,
                step.number,
                step.digest,
                step.answer.status,
                step.answer.at,
            )),
            shorter: Some(marks.whole),
        })
    }
}

impl Marks {
    fn known_to(self, worker: &Worker) -> bool {
        let Self { whole, shorter } = self;
        worker.journals.holds(whole) || shorter.is_some_and(|mark| worker.journals.holds(mark))
    }
}

impl Job<'_> {
    async fn attempt(&self, worker: &mut Worker, budget: Budget) -> Result<Advance, Death> {
        let Some(kept_bytes) = self.stage(worker) else {
            return Ok(failed(too_large("the event with the journal of the run")));
        };
        match worker.exchange(budget).await? {
            Answer::Advance(advance) => {
                if let (Some(bytes), Outcome::Effect(_)) = (kept_bytes, &advance.outcome) {
                    worker.journals.put(self.marks.whole, bytes);
                }
                Ok(advance)
            }
            _ => Err(worker.misled(budget).await),
        }
    }

    /// Prepares the request; `None` when it is too large. The answer is the size under which the worker
    /// will remember the journal, if it will.
    fn stage(&self, worker: &mut Worker) -> Option<Option<usize>> {
        let (base, steps, known_bytes) = self.base(worker);
        let staged = worker.stage(&Request::Advance {
            rule: self.rule,
            moment: Cow::Borrowed(self.moment),
            base,
            steps: Cow::Borrowed(steps),
        });
        let bytes = known_bytes + staged.ok()?;
        let Some(forget) = worker.journals.make_room(bytes) else {
            return Some(None);
        };
        let keep = Request::Keep {
            journal: self.marks.whole,
            forget,
        };
        Some(worker.stage(&keep).ok().map(|_| bytes))
    }

    /// Where the worker finds the journal's beginning, the steps that it lacks, and how large the beginning is.
    fn base(&self, worker: &mut Worker) -> (Base<'_>, &[Step], usize) {
        if let Some(bytes) = worker.journals.take(self.marks.whole) {
            return (Base::Kept(self.marks.whole), &[], bytes);
        }
        if let (Some(mark), Some((last, _))) = (self.marks.shorter, self.journal.split_last())
            && let Some(bytes) = worker.journals.take(mark)
        {
            return (Base::Kept(mark), std::slice::from_ref(last), bytes);
        }
        (Base::Event(Cow::Borrowed(self.event)), self.journal, 0)
    }
}

fn failed(failure: Failure) -> Advance {
    Advance {
        outcome: Outcome::Failed(failure),
        logs: Vec::new(),
    }
}
