//! Tells what happens, one happening at a time, without ever holding up who does it.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::model::{Effect, Event, EventState, RuleId, Run, RunId, RunState};
use crate::runner::Performed;
use crate::store::{Decision, Settlement};
use crate::{router, runner};

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Happening {
    /// An event was routed.
    Event {
        /// What it is about: `assets/metadata/update`.
        subject: String,
        /// Its object.
        object: String,
        /// What became of it.
        state: EventState,
        /// How many runs it made.
        runs: usize,
    },
    /// A run began, or went on after it had waited.
    Started {
        /// The run.
        run: RunId,
        /// Its rule.
        rule: RuleId,
    },
    /// A call was answered.
    Effect {
        /// The run.
        run: RunId,
        /// Method and path.
        call: String,
        /// Whether it may have changed something.
        write: bool,
        /// The status.
        status: u16,
        /// How long it took.
        took: Duration,
    },
    /// A run came to an end or to a pause.
    Settled {
        /// The run.
        run: RunId,
        /// Its rule.
        rule: RuleId,
        /// The state that it is in now.
        state: RunState,
        /// Why, if there is more to say.
        why: Option<String>,
    },
    /// The clock was put forward.
    Forward {
        /// To this time.
        to: Timestamp,
        /// The rule that is due then.
        rule: RuleId,
    },
}

/// The observer that sends happenings away.
#[derive(Debug)]
pub(super) struct Narrator {
    listener: mpsc::Sender<Happening>,
}

impl Narrator {
    pub(super) fn new(told_max: usize) -> (Self, mpsc::Receiver<Happening>) {
        let (listener, told) = mpsc::channel(told_max);
        (Self { listener }, told)
    }

    pub(super) fn tell(&self, happening: Happening) {
        // A listener that is slow or gone misses something; the work goes on.
        let _ = self.listener.try_send(happening);
    }
}

impl router::Observer for Narrator {
    fn event_routed(&self, event: &Event, decision: &Decision) {
        let object = event
            .asset_id()
            .or_else(|| event.collection_id())
            .or_else(|| event.text("object_id"));
        self.tell(Happening::Event {
            subject: event.subject(),
            object: object.unwrap_or("-").to_owned(),
            state: decision.state,
            runs: decision.runs.len(),
        });
    }
}

impl runner::Observer for Narrator {
    fn run_started(&self, run: &Run, _event: &Event) {
        self.tell(Happening::Started {
            run: run.id,
            rule: run.rule.clone(),
        });
    }

    fn effect_performed(&self, run: &Run, performed: &Performed<'_>) {
        let effect = &performed.step.effect;
        self.tell(Happening::Effect {
            run: run.id,
            call: match effect {
                Effect::Call(call) => format!("{} {}", call.method, call.path),
                other => other.to_string(),
            },
            write: effect.is_write(),
            status: performed.step.answer.status,
            took: performed.took,
        });
    }

    fn run_settled(&self, run: &Run, settlement: &Settlement) {
        let (state, why) = match settlement {
            Settlement::Succeeded => (RunState::Succeeded, None),
            Settlement::Skipped { reason } => (RunState::Skipped, Some(reason.clone())),
            Settlement::Dead(failure) => (RunState::Dead, Some(failure.to_string())),
            Settlement::Parked { reason, .. } => (RunState::Parked, Some(reason.clone())),
            Settlement::Waiting { reason, .. } => (RunState::Waiting, Some(reason.clone())),
            Settlement::Released => (RunState::Queued, None),
        };
        self.tell(Happening::Settled {
            run: run.id,
            rule: run.rule.clone(),
            state,
            why,
        });
    }
}
