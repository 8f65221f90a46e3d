//! Rules as closures and an Iconik that answers what it is told to.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::{Debug, Formatter};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use cuegate::engine::{Advance, Moment, Outcome, Part, When};
use cuegate::iconik::{CallError, Permit, Reply, Share};
use cuegate::model::{
    Call, DeadClass, Effect, Event, Failure, LogLevel, LogLine, Program, RunId, Secret, Step,
};
use cuegate::router;
use cuegate::runner::{self, Advanced, Outside};
use cuegate::sandbox::Answers;
use serde_json::json;

use super::samples::reply;

type Parts = dyn Fn(&Part, &Event, &[Step]) -> Outcome + Send + Sync;
type Lanes = dyn Fn(&Event) -> Result<String, Box<Failure>> + Send + Sync;
type Respond = dyn Fn(&Call) -> Result<Reply, CallError> + Send + Sync;

/// Rules as closures, by id; a rule without one finishes at once.
#[derive(Default)]
pub(super) struct Rules {
    scripts: Mutex<BTreeMap<String, Arc<Parts>>>,
    lanes: Mutex<BTreeMap<String, Arc<Lanes>>>,
    whens: Mutex<BTreeMap<String, When>>,
    /// How long every advance says that it took.
    pub(super) busy: Mutex<Duration>,
    /// What the sandbox itself suffers from next.
    pub(super) troubles: Mutex<VecDeque<String>>,
    /// How many workers each advance costs.
    pub(super) workers_lost: AtomicU32,
    /// How many workers the next advance of a rule costs besides.
    strikes: Mutex<BTreeMap<String, u32>>,
    /// Rules whose `when` and `lane` break two workers on each event.
    pub(super) broken: Mutex<BTreeSet<String>>,
}

impl Debug for Rules {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rules")
    }
}

impl Rules {
    pub(super) fn script(
        &self,
        rule: &str,
        script: impl Fn(&Event, &[Step]) -> Outcome + Send + Sync + 'static,
    ) {
        self.parts(rule, move |_, event, journal| script(event, journal));
    }

    /// A rule that is told which part it is at.
    pub(super) fn parts(
        &self,
        rule: &str,
        script: impl Fn(&Part, &Event, &[Step]) -> Outcome + Send + Sync + 'static,
    ) {
        let mut scripts = self.scripts.lock().unwrap();
        scripts.insert(rule.to_owned(), Arc::new(script));
    }

    /// What the rule's `lane` says.
    pub(super) fn lane(
        &self,
        rule: &str,
        lane: impl Fn(&Event) -> Result<String, Box<Failure>> + Send + Sync + 'static,
    ) {
        let mut lanes = self.lanes.lock().unwrap();
        lanes.insert(rule.to_owned(), Arc::new(lane));
    }

    /// A rule that makes these calls one after the other.
    pub(super) fn calls(&self, rule: &str, calls: Vec<Call>) {
        self.script(rule, move |_, journal| match calls.get(journal.len()) {
            Some(call) => Outcome::Effect(Effect::Call(call.clone())),
            None => Outcome::Finished,
        });
    }

    /// The next advance of this rule costs so many workers.
    pub(super) fn strike(&self, rule: &str, workers: u32) {
        self.strikes
            .lock()
            .unwrap()
            .insert(rule.to_owned(), workers);
    }

    pub(super) fn when(&self, rule: &str, answer: When) {
        self.whens.lock().unwrap().insert(rule.to_owned(), answer);
    }

    /// Answers about events, one by one, until too many workers are lost.
    fn answers<T>(
        &self,
        program: &Program,
        events: &[Arc<Event>],
        workers_max: u32,
        answer: impl Fn(&Event) -> T,
        failed: fn(Failure) -> T,
    ) -> Answers<T> {
        let broken = self.broken.lock().unwrap();
        let broken = broken.contains(program.rule.as_str());
        let mut all = Answers {
            answers: Vec::new(),
            workers_lost: 0,
        };
        for event in events {
            if !broken {
                all.answers.push(answer(event));
                continue;
            }
            all.answers
                .push(failed(Failure::new(DeadClass::Crash, "it broke twice")));
            all.workers_lost += 2;
            if all.workers_lost >= workers_max {
                break;
            }
        }
        all
    }
}

#[async_trait]
impl runner::Scripts for Rules {
    async fn advance(
        &self,
        program: &Arc<Program>,
        _run: RunId,
        moment: &Moment,
        event: &Event,
        journal: &[Step],
    ) -> Result<Advanced, String> {
        if let Some(trouble) = self.troubles.lock().unwrap().pop_front() {
            return Err(trouble);
        }
        let script = self
            .scripts
            .lock()
            .unwrap()
            .get(program.rule.as_str())
            .cloned();
        let outcome = script.map_or(Outcome::Finished, |script| {
            script(&moment.part, event, journal)
        });
        let step = moment.steps_before + u32::try_from(journal.len()).unwrap();
        let line = LogLine {
            step,
            index: 0,
            level: LogLevel::Info,
            text: format!("after step {step}"),
        };
        let strike = self.strikes.lock().unwrap().remove(program.rule.as_str());
        let workers_lost = self.workers_lost.load(Ordering::Relaxed) + strike.unwrap_or(0);
        let advance = Advance {
            outcome,
            logs: vec![line],
        };
        Ok(Advanced {
            advance,
            workers_lost,
            busy: *self.busy.lock().unwrap(),
        })
    }

    async fn lane(
        &self,
        program: &Arc<Program>,
        events: &[Arc<Event>],
        workers_max: u32,
    ) -> Result<Answers<Result<String, Failure>>, String> {
        let lanes = self.lanes.lock().unwrap();
        let lane = lanes.get(program.rule.as_str()).cloned();
        let lane = lane.expect("a rule that is asked for lanes has them");
        let fail = |failure| Err(Box::new(failure));
        let boxed = self.answers(program, events, workers_max, |event| lane(event), fail);
        let mut answers = Vec::new();
        for answer in boxed.answers {
            answers.push(match answer {
                Ok(key) => Ok(key),
                Err(failure) => Err(*failure),
            });
        }
        Ok(Answers {
            answers,
            workers_lost: boxed.workers_lost,
        })
    }
}

#[async_trait]
impl router::Scripts for Rules {
    async fn when(
        &self,
        program: &Arc<Program>,
        events: &[Arc<Event>],
        workers_max: u32,
    ) -> Result<Answers<When>, String> {
        if let Some(trouble) = self.troubles.lock().unwrap().pop_front() {
            return Err(trouble);
        }
        let whens = self.whens.lock().unwrap();
        let when = whens
            .get(program.rule.as_str())
            .cloned()
            .unwrap_or(When::Yes);
        Ok(self.answers(program, events, workers_max, |_| when.clone(), When::Failed))
    }

    async fn lane(
        &self,
        program: &Arc<Program>,
        events: &[Arc<Event>],
        workers_max: u32,
    ) -> Result<Answers<Result<String, Failure>>, String> {
        runner::Scripts::lane(self, program, events, workers_max).await
    }
}

/// An Iconik that answers what it is told to, 200 when it is told nothing, and remembers what it was sent.
#[derive(Default)]
pub(super) struct Iconik {
    pub(super) sent: Mutex<Vec<Call>>,
    outcomes: Mutex<VecDeque<Result<Reply, CallError>>>,
    respond: Mutex<Option<Arc<Respond>>>,
    /// While this holds a lock, calls hang before they are answered.
    pub(super) gate: tokio::sync::RwLock<()>,
    /// While it is held for writing, no call is admitted.
    pub(super) admission: tokio::sync::RwLock<()>,
    /// How many calls have asked to be admitted.
    pub(super) asked: std::sync::atomic::AtomicUsize,
}

impl Debug for Iconik {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str("Iconik")
    }
}

impl Iconik {
    pub(super) fn next(&self, outcome: Result<Reply, CallError>) {
        self.outcomes.lock().unwrap().push_back(outcome);
    }

    pub(super) fn always(
        &self,
        respond: impl Fn(&Call) -> Result<Reply, CallError> + Send + Sync + 'static,
    ) {
        *self.respond.lock().unwrap() = Some(Arc::new(respond));
    }

    pub(super) fn sent(&self) -> Vec<String> {
        let sent = self.sent.lock().unwrap();
        sent.iter()
            .map(|call| format!("{} {}", call.method, call.path))
            .collect()
    }
}

#[async_trait]
impl Outside for Iconik {
    async fn admit(&self, _share: &Share) -> Permit {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let _admitted = self.admission.read().await;
        Permit::default()
    }

    async fn send(&self, _permit: Permit, call: &Call) -> Result<Reply, CallError> {
        self.sent.lock().unwrap().push(call.clone());
        let _open = self.gate.read().await;
        if let Some(outcome) = self.outcomes.lock().unwrap().pop_front() {
            return outcome;
        }
        let respond = self.respond.lock().unwrap().clone();
        respond.map_or_else(|| Ok(reply(200, json!({}))), |respond| respond(call))
    }

    async fn send_as(
        &self,
        permit: Permit,
        call: &Call,
        _token: &Secret,
    ) -> Result<Reply, CallError> {
        self.send(permit, call).await
    }
}
