//! Store, sandbox, router and runner at work, without any listener.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::account::Own;
use super::adapters::ScriptWorkers;
use super::rules::RuleLoader;
use super::{Parts, RulesError, RulesLoaded, StartError};
use crate::config::Config;
use crate::egress::Egress;
use crate::iconik::IconikClient;
use crate::model::RuleSet;
use crate::sandbox::Sandbox;
use crate::store::{Breaker, Change, SqliteOptions, SqliteStore, Store, StoreError};
use crate::telemetry::{Part, Readiness};
use crate::{router, runner};

/// Is told what router and runner do.
pub trait Observer: router::Observer + runner::Observer {}

impl<T: router::Observer + runner::Observer> Observer for T {}

/// What works on events.
#[derive(Debug)]
pub struct Gateway {
    store: Arc<dyn Store>,
    sandbox: Arc<Sandbox>,
    readiness: Readiness,
    rules: RuleLoader,
    loaded: RulesLoaded,
    stopping: watch::Sender<bool>,
    router: JoinHandle<()>,
    scheduler: JoinHandle<()>,
    runner: JoinHandle<()>,
    learning: JoinHandle<()>,
    watching: JoinHandle<()>,
}

impl Gateway {
    /// Opens the store, starts the sandbox, loads the rules and begins to work.
    ///
    /// # Errors
    ///
    /// When a part cannot be had at all. Rules that do not load are no error: see [`Self::rules_loaded`].
    pub async fn start(config: &Config, parts: &Parts) -> Result<Self, StartError> {
        config.require_credentials()?;
        let readiness = Readiness::new();
        let client = Arc::new(IconikClient::new(&config.iconik, Arc::clone(&parts.clock))?);
        let targets = Egress::new(&config.egress, Arc::clone(&parts.clock))?;
        let options = SqliteOptions::at(config.store.path.clone());
        let store: Arc<dyn Store> =
            Arc::new(SqliteStore::open(options, Arc::clone(&parts.clock)).await?);
        readiness.ready(Part::Store);
        let sandbox = Sandbox::start(&config.sandbox, parts.program.clone()).await?;
        readiness.ready(Part::Sandbox);
        let rules = RuleLoader {
            at: parts.rules.clone(),
            vars: serde_json::Value::Object(config.vars.clone()),
            site: site(&config.iconik.base_url),
            targets: config.egress.keys().cloned().collect(),
            sandbox: Arc::clone(&sandbox),
            store: Arc::clone(&store),
            readiness: readiness.clone(),
            active: watch::Sender::new(None),
        };
        let loaded = rules.start().await?;
        let own = Own::new(config.iconik.domain.clone());
        let stopping = watch::Sender::new(false);
        let router = router::Router::new(
            Arc::clone(&store),
            Arc::new(ScriptWorkers(Arc::clone(&sandbox))),
            rules.active.subscribe(),
            own.domain.subscribe(),
            Arc::clone(&parts.clock),
        )
        .with_own_user(own.user.subscribe())
        .with_breaker(Breaker {
            runs: config.limits.circle.runs,
            within: config.limits.circle.within,
        })
        .with_readiness(readiness.clone())
        .with_observer(Arc::new(Observed(Arc::clone(&parts.observer))));
        let scheduler = router::Scheduler::new(
            Arc::clone(&store),
            rules.active.subscribe(),
            Arc::clone(&parts.clock),
            readiness.clone(),
        );
        let runner = runner::Runner::new(
            Arc::clone(&store),
            Arc::new(ScriptWorkers(Arc::clone(&sandbox))),
            Arc::clone(&client) as Arc<dyn runner::Outside>,
            Arc::clone(&parts.clock),
            runner::Options {
                workers: config.sandbox.workers,
                index_lag: config.iconik.index_lag,
                call_timeout: config.iconik.timeout,
                drain: config.server.drain,
                observer: Arc::new(Observed(Arc::clone(&parts.observer))),
                targets: Arc::new(targets),
                ..runner::Options::default()
            },
        );
        let router = tokio::spawn(router.run(stopped(&stopping)));
        let scheduler = tokio::spawn(scheduler.run(stopped(&stopping)));
        let until = stopped(&stopping);
        let runner = tokio::spawn(async move { runner.run(until).await });
        let learning = tokio::spawn(own.learn(client));
        let watching = tokio::spawn(watch_store(Arc::clone(&store), readiness.clone()));
        Ok(Self {
            store,
            sandbox,
            readiness,
            rules,
            loaded,
            stopping,
            router,
            scheduler,
            runner,
            learning,
            watching,
        })
    }

    /// The store that everything meets in.
    pub fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }

    /// Whether the gateway is ready.
    pub fn readiness(&self) -> Readiness {
        self.readiness.clone()
    }

    /// The worker processes.
    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// How the first load of the rules went.
    pub fn rules_loaded(&self) -> &RulesLoaded {
        &self.loaded
    }

    /// Loads the rules again; a set that does not compile changes nothing.
    ///
    /// # Errors
    ///
    /// What is wrong with them.
    pub async fn reload_rules(&self) -> Result<Arc<RuleSet>, RulesError> {
        self.rules.load().await
    }

    /// Waits until every accepted event is routed and no run is queued or running; false at the deadline.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn settled_within(&self, within: Duration) -> Result<bool, StoreError> {
        use crate::model::RunState::{Queued, Running};
        let deadline = tokio::time::Instant::now() + within;
        loop {
            let changed = self
                .store
                .changed(Change::Claimable, Duration::from_millis(50));
            let counts = self.store.counts().await?;
            let busy = counts
                .runs
                .iter()
                .any(|(state, count)| matches!(state, Queued | Running) && *count > 0);
            if counts.unrouted == 0 && !busy {
                return Ok(true);
            }
            if tokio::time::Instant::now() >= deadline {
                return Ok(false);
            }
            changed.await;
        }
    }

    /// Takes no new work from now on; what is under way goes on to its next step.
    pub fn begin_stop(&self) {
        self.readiness.drain();
        self.stopping.send_replace(true);
    }

    /// Stops in order: no new work, runs to their next step, the store written out, the workers ended.
    pub async fn stop(self) {
        self.begin_stop();
        self.watching.abort();
        self.learning.abort();
        for (part, task) in [
            ("router", self.router),
            ("scheduler", self.scheduler),
            ("runner", self.runner),
        ] {
            if let Err(error) = task.await {
                tracing::error!(%error, part, "a part of the gateway did not stop by itself");
            }
        }
        self.sandbox.stop().await;
        if let Err(error) = self.store.close().await {
            tracing::error!(%error, "the store could not be closed in order; the next start repairs it");
        }
    }
}

/// A store that has stopped writing does not begin again by itself.
async fn watch_store(store: Arc<dyn Store>, readiness: Readiness) {
    let why = store.failed().await;
    readiness.not_ready(Part::Store, why.to_string());
}

/// Completes when the sender says so, or is gone.
pub(super) fn stopped(stopping: &watch::Sender<bool>) -> impl Future<Output = ()> + Send + 'static {
    let mut stopping = stopping.subscribe();
    async move {
        // An error means that the gateway itself is gone, which is a stop too.
        let _ = stopping.wait_for(|stop| *stop).await;
    }
}

/// `https://app.iconik.io` of `https://app.iconik.io/API`.
fn site(base_url: &str) -> String {
    base_url
        .trim_end_matches('/')
        .trim_end_matches("/API")
        .to_owned()
}

/// One observer for both.
#[derive(Debug)]
struct Observed(Arc<dyn Observer>);

impl router::Observer for Observed {
    fn event_routed(&self, event: &crate::model::Event, decision: &crate::store::Decision) {
        self.0.event_routed(event, decision);
    }
}

impl runner::Observer for Observed {
    fn run_started(&self, run: &crate::model::Run, event: &crate::model::Event) {
        self.0.run_started(run, event);
    }

    fn effect_performed(&self, run: &crate::model::Run, performed: &runner::Performed<'_>) {
        self.0.effect_performed(run, performed);
    }

    fn run_settled(&self, run: &crate::model::Run, settlement: &crate::store::Settlement) {
        self.0.run_settled(run, settlement);
    }
}
