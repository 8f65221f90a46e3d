//! Asking a rule about many events: whether it concerns them, which lane they belong to.
//!
//! The questions go out together and the answers come back one by one, so when the worker dies, the first
//! event without an answer is the one that did it; the others neither wait for a search nor share its fate.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use super::death::{Budget, Death, Stage, Strikes};
use super::gates::Party;
use super::process::Worker;
use super::protocol::{Answer, Request};
use super::{Sandbox, SandboxError, too_large};
use crate::engine::When;
use crate::model::{Event, Failure, Program};

/// What a rule answered about events, and what that cost.
#[derive(Clone, Debug)]
pub struct Answers<T> {
    /// One answer for each of the first events, in their order; for all of them unless too many workers were lost.
    pub answers: Vec<T>,
    /// How many workers the script has cost, the kills of others left out unless they came too often to be chance.
    pub workers_lost: u32,
}

/// Processor time of `when` or `lane` for one event. Routing waits for it.
pub(super) const CPU_MAX: Duration = Duration::from_millis(50);

/// What is sent at once: enough to make the round trip cheap, little enough to be written in one go.
const BATCH_EVENTS: usize = 64;
const BATCH_BYTES: usize = 256 << 10;

/// A question that is asked about each event.
struct Question<T> {
    stage: Stage,
    request: fn(u64, &Event) -> Request<'_>,
    /// The answer; nothing if it is one to another question.
    answer: fn(Answer) -> Option<T>,
    failed: fn(Failure) -> T,
}

const WHEN: Question<When> = Question {
    stage: Stage::When,
    request: |rule, event| Request::When {
        rule,
        event: Cow::Borrowed(event),
    },
    answer: |answer| match answer {
        Answer::When(when) => Some(when),
        _ => None,
    },
    failed: When::Failed,
};

const LANE: Question<Result<String, Failure>> = Question {
    stage: Stage::Lane,
    request: |rule, event| Request::Lane {
        rule,
        event: Cow::Borrowed(event),
    },
    answer: |answer| match answer {
        Answer::Lane(key) => Some(key.map_err(|failure| *failure)),
        _ => None,
    },
    failed: Err,
};

impl Sandbox {
    /// Whether the rule concerns each of the events, in their order. An event on which `when` fails, or kills
    /// its worker, is [`When::Failed`] and has no influence on the others; but once `workers_max` workers are lost,
    /// the others are not asked about.
    ///
    /// # Errors
    ///
    /// When the sandbox is stopping.
    pub async fn when(
        &self,
        program: &Arc<Program>,
        events: &[Arc<Event>],
        workers_max: u32,
    ) -> Result<Answers<When>, SandboxError> {
        self.ask(&WHEN, program, events, workers_max).await
    }

    /// The order key that the rule's `lane` gives each of the events, in their order: a text of 1 to
    /// [`LANE_KEY_BYTES_MAX`](crate::engine::LANE_KEY_BYTES_MAX) bytes. An event on which `lane` fails, or kills its
    /// worker, has its failure and no influence on the others; but once `workers_max` workers are lost, the others are
    /// not asked about.
    ///
    /// # Errors
    ///
    /// When the sandbox is stopping.
    pub async fn lane(
        &self,
        program: &Arc<Program>,
        events: &[Arc<Event>],
        workers_max: u32,
    ) -> Result<Answers<Result<String, Failure>>, SandboxError> {
        self.ask(&LANE, program, events, workers_max).await
    }

    async fn ask<T: Clone>(
        &self,
        question: &Question<T>,
        program: &Arc<Program>,
        events: &[Arc<Event>],
        workers_max: u32,
    ) -> Result<Answers<T>, SandboxError> {
        let mut answers = Vec::with_capacity(events.len());
        let mut workers_lost = 0;
        if events.is_empty() {
            return Ok(Answers {
                answers,
                workers_lost,
            });
        }
        let number = self.number_of(program);
        let budget = self.budget(question.stage);
        let mut lease = self
            .pool
            .lease(Party::Questions(number), |worker| {
                worker.rules.holds(number)
            })
            .await?;
        let mut strikes = Strikes::default();
        while answers.len() < events.len() {
            if let Err(failure) = self.load(&mut lease, program, number).await? {
                answers.resize(events.len(), (question.failed)(failure));
                break;
            }
            let done = answers.len();
            let rest = &events[done..];
            let batch = question.batch(lease.worker(), number, rest, budget, &mut answers);
            let died = batch.await.err();
            if answers.len() > done {
                workers_lost += std::mem::take(&mut strikes).held_against();
            }
            let Some(death) = died else { continue };
            if strikes.are_out(death.cause) {
                answers.push((question.failed)(death.failure(&program.main.path)));
                workers_lost += std::mem::take(&mut strikes).held_against();
                if workers_lost >= workers_max {
                    break;
                }
            }
            if answers.len() < events.len() {
                lease.replace().await?;
            }
        }
        workers_lost += strikes.held_against();
        Ok(Answers {
            answers,
            workers_lost,
        })
    }
}

impl<T> Question<T> {
    /// Asks about the first few of `events`, at least one, and appends what was answered.
    async fn batch(
        &self,
        worker: &mut Worker,
        number: u64,
        events: &[Arc<Event>],
        budget: Budget,
        answers: &mut Vec<T>,
    ) -> Result<(), Death> {
        let mut bytes = 0;
        for (index, event) in events.iter().take(BATCH_EVENTS).enumerate() {
            match worker.stage(&(self.request)(number, event)) {
                Ok(staged) => bytes += staged,
                Err(_) if index == 0 => {
                    answers.push((self.failed)(too_large("the event")));
                    return Ok(());
                }
                Err(_) => break,
            }
            if bytes >= BATCH_BYTES {
                break;
            }
        }
        let mut misled = false;
        worker
            .exchange_all(budget, |answer| match (self.answer)(answer) {
                Some(answer) if !misled => answers.push(answer),
                _ => misled = true,
            })
            .await?;
        if misled {
            return Err(worker.misled(budget).await);
        }
        Ok(())
    }
}
