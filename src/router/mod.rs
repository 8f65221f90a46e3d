//! Decides which rules want a stored event, and makes their runs.
//!
//! Ingress never waits for a rule, because deciding happens here, afterwards: `when` is evaluated in the
//! sandbox outside any transaction, then decisions and runs are committed together, on condition that nobody
//! else has decided meanwhile. What goes wrong before the commit costs a repetition and nothing else.

mod asking;
mod decide;
mod health;
mod line;
mod own;
mod pace;
#[cfg(test)]
mod samples;
mod scheduler;

use std::fmt::Debug;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::clock::SharedClock;
use crate::engine::When;
use crate::model::{Event, Failure, Program, RuleId, RuleSet};
use crate::quarantine::Quarantine;
use crate::sandbox::Answers;
use crate::store::{BatchToken, Breaker, Change, Decision, Routed, Routing, Store, StoreError};
use crate::telemetry::{Part, Readiness};

use self::asking::Programs;
use self::decide::Candidates;
use self::health::Health;
use self::own::Own;
use self::pace::Pace;

pub use self::scheduler::Scheduler;

/// How long the router sleeps when nothing tells it of an event. The store's hints come at once; this bounds
/// what a lost one costs.
const POLL: Duration = Duration::from_secs(1);

/// The pause after a failure of the store or the sandbox, and after losing a batch to somebody else.
const PAUSE: Duration = Duration::from_millis(500);

/// Evaluates `when` and `lane`.
#[async_trait]
pub trait Scripts: Send + Sync + Debug {
    /// One answer for each event, in their order; nothing is asked any more once `workers_max` workers are lost.
    ///
    /// # Errors
    ///
    /// A sentence about the sandbox's own trouble. An error of the script is an answer, not an error.
    async fn when(
        &self,
        program: &Arc<Program>,
        events: &[Arc<Event>],
        workers_max: u32,
    ) -> Result<Answers<When>, String>;

    /// The order key that the rule's `lane` gives each of the events, in their order; nothing is asked any more once
    /// `workers_max` workers are lost.
    ///
    /// # Errors
    ///
    /// As [`Self::when`]; that `lane` fails on an event is an answer about that event.
    async fn lane(
        &self,
        program: &Arc<Program>,
        events: &[Arc<Event>],
        workers_max: u32,
    ) -> Result<Answers<Result<String, Failure>>, String>;
}

/// Is told what the router does. Called in its task, so it must be quick.
pub trait Observer: Send + Sync + Debug {
    /// The decision about an event is durable. A repeated delivery is not reported.
    fn event_routed(&self, event: &Event, decision: &Decision) {
        let _ = (event, decision);
    }
}

impl Observer for () {}

/// Why a batch could not be decided about. Nothing was committed, so it will be decided about later.
#[derive(Debug, thiserror::Error)]
pub enum RouteError {
    /// The store failed.
    #[error("events cannot be routed: {0}")]
    Store(#[from] StoreError),
    /// The sandbox could not evaluate `when`.
    #[error("events cannot be routed: `when` of rule {rule} could not be evaluated: {trouble}")]
    Sandbox {
        /// The rule whose `when` was asked.
        rule: RuleId,
        /// What the sandbox says.
        trouble: String,
    },
}

/// How far one step of routing came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// There is nothing to decide about.
    Idle,
    /// No rule set is active: events are kept until there is one.
    NoRules,
    /// Events name an Iconik domain and ours is not known yet: they are kept until it is.
    NoDomain,
    /// Somebody else has decided, or another rule set is active: nothing was committed, ask again.
    Stale,
    /// Decisions and runs are durable.
    Routed {
        /// Events that were new.
        events: usize,
        /// Events that had been decided about before.
        duplicates: usize,
        /// The runs that were made.
        runs: usize,
    },
}

/// The router. One is enough; two of them lose batches to each other and do no harm.
#[derive(Debug)]
pub struct Router {
    store: Arc<dyn Store>,
    scripts: Arc<dyn Scripts>,
    rules: watch::Receiver<Option<Arc<RuleSet>>>,
    domain: watch::Receiver<Option<String>>,
    user: watch::Receiver<Option<String>>,
    breaker: Option<Breaker>,
    clock: SharedClock,
    quarantine: Arc<Quarantine>,
    observer: Arc<dyn Observer>,
    health: Health,
    pace: Pace,
    programs: Programs,
}

impl Router {
    /// A router over the rule set and the own domain that stand in the two channels at the time.
    pub fn new(
        store: Arc<dyn Store>,
        scripts: Arc<dyn Scripts>,
        rules: watch::Receiver<Option<Arc<RuleSet>>>,
        domain: watch::Receiver<Option<String>>,
        clock: SharedClock,
        quarantine: Arc<Quarantine>,
    ) -> Self {
        Self {
            store,
            scripts,
            rules,
            domain,
            user: watch::Sender::new(None).subscribe(),
            breaker: None,
            clock,
            quarantine,
            observer: Arc::new(()),
            health: Health::of(Part::Router, Readiness::new()),
            pace: Pace::default(),
            programs: Programs::default(),
        }
    }

    /// The same router, telling echoes by our own user, who stands in the channel once it is known.
    #[must_use]
    pub fn with_own_user(mut self, user: watch::Receiver<Option<String>>) -> Self {
        self.user = user;
        self
    }

    /// The same router, breaking circles.
    #[must_use]
    pub fn with_breaker(mut self, breaker: Breaker) -> Self {
        self.breaker = Some(breaker);
        self
    }

    /// The same router, saying in `readiness` how it is.
    #[must_use]
    pub fn with_readiness(mut self, readiness: Readiness) -> Self {
        self.health = Health::of(Part::Router, readiness);
        self
    }

    /// The same router, telling `observer` what it does.
    #[must_use]
    pub fn with_observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = observer;
        self
    }

    /// Routes until `shutdown` completes. A batch under way is dropped then: it was not committed, so it is
    /// routed after the next start.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) {
        tokio::pin!(shutdown);
        loop {
            tokio::select! {
                biased;
                () = &mut shutdown => return,
                () = self.route_and_wait() => {}
            }
        }
    }

    async fn route_and_wait(&mut self) {
        let store = Arc::clone(&self.store);
        // Before looking for events, so that one that arrives meanwhile is not missed.
        let changed = store.changed(Change::Routable, POLL);
        let step = match AssertUnwindSafe(self.route_both()).catch_unwind().await {
            Ok(step) => step,
            Err(panic) => {
                self.programs = Programs::default();
                self.health.panicked(&*panic);
                return tokio::time::sleep(PAUSE).await;
            }
        };
        if step.is_ok() {
            self.health.well();
        }
        match step {
            Ok(Step::Routed { .. }) => {}
            Ok(Step::Stale) => tokio::time::sleep(PAUSE).await,
            Ok(Step::Idle) => changed.await,
            Ok(Step::NoRules | Step::NoDomain) => self.wait_for_what_is_missing().await,
            Err(error @ RouteError::Store(StoreError::Overloaded)) => {
                tracing::debug!(%error, "routing pauses");
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => {
                tracing::error!(%error, "routing failed; nothing is lost, it is tried again");
                self.health.failed(&error);
                metrics::counter!("cuegate_route_failures_total").increment(1);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// Sleeps until another rule set or domain stands there, at most for a poll: a channel whose sender is
    /// gone says so at once, every time.
    async fn wait_for_what_is_missing(&mut self) {
        let either = async {
            tokio::select! {
                Ok(()) = self.rules.changed() => {}
                Ok(()) = self.domain.changed() => {}
                else => std::future::pending().await,
            }
        };
        // Running out of time is the ordinary case.
        let _ = tokio::time::timeout(POLL, either).await;
    }

    /// One batch of what is new and one of what is to be routed again, so that neither has to wait for the other.
    async fn route_both(&mut self) -> Result<Step, RouteError> {
        let new = self.route_batch().await?;
        match (self.reroute_batch().await?, new) {
            (Step::Idle, step) | (step, Step::Idle) => Ok(step),
            (again, _) => Ok(again),
        }
    }

    /// Decides about one batch of new events.
    ///
    /// # Errors
    ///
    /// When the store or the sandbox failed; nothing was committed then.
    pub async fn route_batch(&mut self) -> Result<Step, RouteError> {
        let Some(rules) = self.rules.borrow_and_update().clone() else {
            return Ok(Step::NoRules);
        };
        let own = self.own();
        let began = Instant::now();
        let unrouted = self.store.unrouted(self.pace.events()).await?;
        if unrouted.events.is_empty() {
            return Ok(Step::Idle);
        }
        let events: Vec<Arc<Event>> = unrouted.events.into_iter().map(Arc::new).collect();
        if own.cannot_place(&events) {
            return Ok(Step::NoDomain);
        }
        let candidates = Candidates::of(&rules, &events, &own, &unrouted.held);
        let decisions = self.decide(&rules, &candidates).await?;
        let routing = self.routing(&rules, unrouted.batch, &decisions);
        let routed = self.store.route(routing).await?;
        if matches!(routed, Routed::Committed { .. }) {
            metrics::histogram!("cuegate_route_batch_seconds").record(began.elapsed());
            warn_of_strays(&candidates);
        }
        Ok(self.committed(routed, &events, &decisions))
    }

    /// Who we are, as far as it is known by now.
    fn own(&mut self) -> Own {
        Own {
            domain: self.domain.borrow_and_update().clone(),
            user: self.user.borrow().clone(),
        }
    }

    fn routing(&self, rules: &RuleSet, batch: BatchToken, decisions: &[Decision]) -> Routing {
        Routing {
            batch,
            rule_set: rules.id.clone(),
            decisions: decisions.to_vec(),
            breaker: self.breaker,
            at: self.clock.now(),
        }
    }

    /// Tells of a routing that is durable.
    fn committed(&self, routed: Routed, events: &[Arc<Event>], decisions: &[Decision]) -> Step {
        let Routed::Committed {
            events: new,
            duplicates,
            runs,
            firsts,
        } = routed
        else {
            return Step::Stale;
        };
        let news = (0..).zip(events.iter().zip(decisions));
        for (_, (event, decision)) in news.filter(|(place, _)| !duplicates.contains(place)) {
            self.report(event, decision);
        }
        for (place, failure) in firsts {
            warn_of_failure(&events[place], &decisions[place], failure);
        }
        Step::Routed {
            events: new,
            duplicates: duplicates.len(),
            runs: runs.len(),
        }
    }

    fn report(&self, event: &Event, decision: &Decision) {
        let state = state_label(decision);
        metrics::counter!("cuegate_events_routed_total", "state" => state).increment(1);
        for run in &decision.runs {
            let rule = run.rule.to_string();
            metrics::counter!("cuegate_runs_made_total", "rule" => rule).increment(1);
        }
        for (rule, version, failure) in &decision.failures {
            metrics::counter!("cuegate_when_failures_total", "rule" => rule.to_string())
                .increment(1);
            tracing::debug!(event = %event.id, %rule, %version, %failure, "`when` or `lane` failed; the rule gets no run of this event");
        }
        self.observer.event_routed(event, decision);
    }
}

/// Said once for each place of a rule's version, however many events fail there.
fn warn_of_failure(event: &Event, decision: &Decision, place: usize) {
    let Some((rule, version, failure)) = decision.failures.get(place) else {
        return;
    };
    tracing::error!(
        event = %event.id,
        %rule,
        %version,
        %failure,
        "`when` or `lane` failed; the rule gets no run of this event, nor of others that fail there: \
         `cuegate events failures` counts them, and `cuegate events reroute --failed RULE` routes them again after the fix"
    );
}

fn warn_of_strays(candidates: &Candidates<'_>) {
    for (domain, count) in candidates.foreign_domains() {
        metrics::counter!("cuegate_events_wrong_domain_total").increment(count as u64);
        tracing::warn!(
            domain,
            count,
            "events of another Iconik domain were kept and given to no rule; look which webhook of that domain points here"
        );
    }
    for event in candidates.orphaned_buttons() {
        tracing::warn!(
            event = %event.id,
            rule = event.pressed_rule().unwrap_or("-"),
            "a button was pressed that belongs to no enabled rule"
        );
    }
}

fn state_label(decision: &Decision) -> &'static str {
    use crate::model::EventState::{Held, Routed, Stored, WhenFailed, WrongDomain};
    match decision.state {
        Stored => "stored",
        Routed => "routed",
        WhenFailed => "when_failed",
        WrongDomain => "wrong_domain",
        Held => "held",
    }
}
