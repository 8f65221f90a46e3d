//! Asking a rule about many events.
//!
//! The questions go out together and the answers come back one by one, so when the worker dies, the first
//! event without an answer is the one that did it; the others neither wait for a search nor share its fate.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use super::death::{Budget, Death, Stage, Strikes};
use super::process::Worker;
use super::protocol::{Answer, Request};
use super::{Sandbox, SandboxError, too_large};
use crate::engine::When;
use crate::model::{Event, Program};

/// Processor time of `when` for one event. Routing waits for it.
pub(super) const CPU_MAX: Duration = Duration::from_millis(50);

/// What is sent at once: enough to make the round trip cheap, little enough to be written in one go.
const BATCH_EVENTS: usize = 64;
const BATCH_BYTES: usize = 256 << 10;

impl Sandbox {
    /// Whether the rule concerns each of the events, in their order. An event on which `when` fails, or kills
    /// its worker, is [`When::Failed`] and has no influence on the others.
    ///
    /// # Errors
    ///
    /// When the sandbox is stopping.
    pub async fn when(
        &self,
        program: &Arc<Program>,
        events: &[Arc<Event>],
    ) -> Result<Vec<When>, SandboxError> {
        let mut answers = Vec::with_capacity(events.len());
        if events.is_empty() {
            return Ok(answers);
        }
        let number = self.number_of(program);
        let budget = self.budget(Stage::When);
        let mut lease = self.pool.lease(|worker| worker.rules.holds(number)).await?;
        let mut strikes = Strikes::default();
        while answers.len() < events.len() {
            if let Err(failure) = self.load(&mut lease, program, number).await? {
                answers.resize(events.len(), When::Failed(failure));
                break;
            }
            let done = answers.len();
            let batch = batch(
                lease.worker(),
                number,
                &events[done..],
                budget,
                &mut answers,
            )
            .await;
            let died = batch.err();
            if answers.len() > done {
                strikes = Strikes::default();
            }
            let Some(death) = died else { continue };
            if strikes.are_out(death.cause) {
                answers.push(When::Failed(death.failure(&program.main.path)));
                strikes = Strikes::default();
            }
            if answers.len() < events.len() {
                lease.replace().await?;
            }
        }
        Ok(answers)
    }
}

/// Asks about the first few of `events`, at least one, and appends what was answered.
async fn batch(
    worker: &mut Worker,
    number: u64,
    events: &[Arc<Event>],
    budget: Budget,
    answers: &mut Vec<When>,
) -> Result<(), Death> {
    let mut bytes = 0;
    for (index, event) in events.iter().take(BATCH_EVENTS).enumerate() {
        let request = Request::When {
            rule: number,
            event: Cow::Borrowed(event),
        };
        match worker.stage(&request) {
            Ok(staged) => bytes += staged,
            Err(_) if index == 0 => {
                answers.push(When::Failed(too_large("the event")));
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
        .exchange_all(budget, |answer| match answer {
            Answer::When(when) if !misled => answers.push(when),
            _ => misled = true,
        })
        .await?;
    if misled {
        return Err(worker.misled(budget).await);
    }
    Ok(())
}
