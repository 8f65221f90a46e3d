//! Claims runs, advances them, performs their effects, and settles them.
//!
//! `dispatch` is the loop, `drive` one run, `door` the way to the outside; `decision`, `permission` and `backoff`
//! are what they decide, without any I/O; `walking` goes over the objects of `each`, `jobs` looks after those of
//! Iconik. A run holds a task only while something happens; while it waits it is a row in the store.

mod as_user;
mod backoff;
mod before_image;
mod calls;
mod circuit;
mod decision;
mod dispatch;
mod door;
mod doubts;
mod drive;
mod egress;
mod jobs;
mod kept_jobs;
mod line;
mod lookups;
mod mark;
mod matching;
mod outages;
mod parking;
mod permission;
mod programs;
mod progress;
#[cfg(test)]
mod samples;
mod search;
mod seeking;
mod stops;
mod waiting;
mod walking;

use std::fmt::Debug;
use std::sync::atomic::{AtomicBool, AtomicI64};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::SharedClock;
use crate::egress::Egress;
use crate::engine::{Advance, Moment};
use crate::iconik::{CallError, IconikClient, Permit, Reply, Share};
use crate::model::{Call, Event, Failure, Program, Run, RunId, Secret, Step};
use crate::quarantine::Quarantine;
use crate::sandbox::Answers;
use crate::seal::Seal;
use crate::store::{Settlement, Store};
use crate::telemetry::Readiness;

pub use self::jobs::{JobPolling, Round};

use self::door::Door;
use self::drive::Driver;
use self::line::Line;
use self::lookups::Lookups;
use self::programs::Programs;
use self::stops::Stops;

/// What an advance came to.
#[derive(Debug)]
pub struct Advanced {
    /// The outcome, with what was logged.
    pub advance: Advance,
    /// How many workers the script has cost on the way.
    pub workers_lost: u32,
    /// How long a worker was busy with it; the wait for a free one is left out.
    pub busy: Duration,
}

impl From<Advance> for Advanced {
    fn from(advance: Advance) -> Self {
        Self {
            advance,
            workers_lost: 0,
            busy: Duration::ZERO,
        }
    }
}

/// Advances rules.
#[async_trait]
pub trait Scripts: Send + Sync + Debug {
    /// Runs a part of a rule from the top to its next effect or to its end. `journal` is that of the part. Says how
    /// long the script was busy, too.
    ///
    /// # Errors
    ///
    /// A sentence about the sandbox's own trouble: the run is advanced again later and not blamed. What the
    /// script does wrong is an outcome, not an error.
    async fn advance(
        &self,
        program: &Arc<Program>,
        run: RunId,
        moment: &Moment,
        event: &Event,
        journal: &[Step],
    ) -> Result<Advanced, String>;

    /// The order key that the rule's `lane` gives each of the events, in their order; nothing is asked any more once
    /// `workers_max` workers are lost.
    ///
    /// # Errors
    ///
    /// As [`Self::advance`]; that `lane` fails on an event is an answer about that event.
    async fn lane(
        &self,
        program: &Arc<Program>,
        events: &[Arc<Event>],
        workers_max: u32,
    ) -> Result<Answers<Result<String, Failure>>, String>;
}

/// Sends calls.
#[async_trait]
pub trait Outside: Send + Sync + Debug {
    /// Waits until one call may be sent on this account. Nothing is written down about the call before that.
    async fn admit(&self, share: &Share) -> Permit;

    /// Sends one call that was admitted, once.
    ///
    /// # Errors
    ///
    /// By what may be done next.
    async fn send(&self, permit: Permit, call: &Call) -> Result<Reply, CallError>;

    /// Sends one call that was admitted, once, as the person whose token this is.
    ///
    /// # Errors
    ///
    /// By what may be done next.
    async fn send_as(
        &self,
        permit: Permit,
        call: &Call,
        token: &Secret,
    ) -> Result<Reply, CallError>;
}

#[async_trait]
impl Outside for IconikClient {
    async fn admit(&self, share: &Share) -> Permit {
        Self::admit(self, share).await
    }

    async fn send(&self, permit: Permit, call: &Call) -> Result<Reply, CallError> {
        self.send_admitted(permit, call).await
    }

    async fn send_as(
        &self,
        permit: Permit,
        call: &Call,
        token: &Secret,
    ) -> Result<Reply, CallError> {
        self.send_admitted_as(permit, call, token).await
    }
}

/// Is told what the runner does. Called in its tasks, so it must be quick.
pub trait Observer: Send + Sync + Debug {
    /// A run was claimed: for the first time, or again after it had waited.
    fn run_started(&self, run: &Run, event: &Event) {
        let _ = (run, event);
    }

    /// The answer of an effect is in the journal.
    fn effect_performed(&self, run: &Run, performed: &Performed<'_>) {
        let _ = (run, performed);
    }

    /// The end of a claim is in the store. `run` is what it was when it was claimed.
    fn run_settled(&self, run: &Run, settlement: &Settlement) {
        let _ = (run, settlement);
    }
}

impl Observer for () {}

/// An effect with its answer.
#[derive(Clone, Copy, Debug)]
pub struct Performed<'a> {
    /// What was asked and answered.
    pub step: &'a Step,
    /// How long the outside took; zero if the answer was at hand.
    pub took: Duration,
}

/// How the runner works.
#[derive(Clone, Debug)]
pub struct Options {
    /// The most runs that are claimed at a time.
    pub concurrency: usize,
    /// The most of them that are of one rule, so that a slow rule leaves room for others.
    pub per_rule: usize,
    /// How many workers rules are advanced in.
    pub workers: usize,
    /// How long Iconik's index may not know of a change.
    pub index_lag: Duration,
    /// The longest that one call may take.
    pub call_timeout: Duration,
    /// How long a stop waits for runs to come to their next step.
    pub drain: Duration,
    /// Who is told.
    pub observer: Arc<dyn Observer>,
    /// The other systems that rules may speak to.
    pub targets: Arc<Egress>,
    /// How often the jobs that runs wait for are looked at.
    pub job_polling: JobPolling,
    /// What becomes of `sleep` and `wait_for`.
    pub timers: Timers,
    /// Where it is said that Iconik cannot be used.
    pub readiness: Readiness,
    /// What tokens of people are sealed with, for rules that run as they.
    pub seal: Option<Arc<Seal>>,
    /// Where Iconik reaches this gateway, if it is known: the jobs of runs are told to call there when they are aborted.
    pub public_url: Option<String>,
}

/// What becomes of a run that waits for the time or for an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Timers {
    /// It waits.
    #[default]
    Real,
    /// It goes on at once, as if the time had passed and no event had come: for somebody who tries a rule. What the
    /// script takes for the time goes on by as much; the clock of everything else does not.
    Immediate,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            concurrency: 64,
            per_rule: 48,
            workers: 2,
            index_lag: Duration::from_secs(90),
            call_timeout: Duration::from_secs(30),
            drain: Duration::from_secs(50),
            observer: Arc::new(()),
            targets: Arc::new(Egress::none()),
            job_polling: JobPolling::default(),
            timers: Timers::default(),
            readiness: Readiness::new(),
            seal: None,
            public_url: None,
        }
    }
}

/// The runner.
#[derive(Debug)]
pub struct Runner {
    store: Arc<dyn Store>,
    clock: SharedClock,
    line: Arc<Line>,
    stops: Arc<Stops>,
    driver: Arc<Driver>,
    quarantine: Arc<Quarantine>,
    options: Options,
}

impl Runner {
    /// A runner that has not claimed anything yet. It can be stopped once.
    pub fn new(
        store: Arc<dyn Store>,
        scripts: Arc<dyn Scripts>,
        outside: Arc<dyn Outside>,
        clock: SharedClock,
        quarantine: Arc<Quarantine>,
        options: Options,
    ) -> Self {
        let stops = Arc::new(Stops::new(Arc::clone(&store)));
        let line = Arc::new(Line::new(
            outside,
            Arc::clone(&clock),
            options.readiness.clone(),
        ));
        let door = Door {
            store: Arc::clone(&store),
            line: Arc::clone(&line),
            targets: Arc::clone(&options.targets),
            clock: Arc::clone(&clock),
            observer: Arc::clone(&options.observer),
            lookups: Lookups::default(),
            stops: Arc::clone(&stops),
            own_user: OnceLock::new(),
            began_us: AtomicI64::new(clock.now().as_microsecond()),
            index_lag: options.index_lag,
            call_timeout: options.call_timeout,
            timers: options.timers,
            seal: options.seal.clone(),
        };
        let driver = Driver {
            door,
            scripts,
            programs: Programs::new(Arc::clone(&store), options.timers),
            clock: Arc::clone(&clock),
            observer: Arc::clone(&options.observer),
            quarantine: Arc::clone(&quarantine),
            stopping: AtomicBool::new(false),
        };
        Self {
            store,
            clock,
            line,
            stops,
            driver: Arc::new(driver),
            quarantine,
            options,
        }
    }
}
