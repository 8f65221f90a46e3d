//! Store, sandbox, router and runner at work, without any listener.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;

use super::adapters::ScriptWorkers;
use super::keeping::Keeper;
use super::loops::Loops;
use super::routing::{Needs, start_routing, to_watch};
use super::rules::RuleLoader;
use super::secret_files;
use super::{Parts, RulesError, RulesLoaded, StartError};
use crate::admin::Access;
use crate::config::{self, Config};
use crate::egress::Egress;
use crate::iconik::IconikClient;
use crate::ingress::{Ingress, Sealing};
use crate::model::RuleSet;
use crate::quarantine::Quarantine;
use crate::sandbox::Sandbox;
use crate::seal::Seal;
use crate::store::{Change, SqliteOptions, SqliteStore, Store, StoreError, Tokens};
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
    client: Arc<IconikClient>,
    targets: Arc<Egress>,
    readiness: Readiness,
    rules: Arc<RuleLoader>,
    loaded: RulesLoaded,
    stopping: watch::Sender<bool>,
    loops: Loops,
    learning: JoinHandle<()>,
    seal: Option<Arc<Seal>>,
}

impl Gateway {
    /// Opens the store, starts the sandbox, loads the rules and begins to work.
    ///
    /// # Errors
    ///
    /// When a part cannot be had at all. Rules that do not load are no error: see [`Self::rules_loaded`].
    pub async fn start(config: &Config, parts: &Parts) -> Result<Self, StartError> {
        Self::start_saying(config, parts, Readiness::new()).await
    }

    /// The same, saying in `readiness` how far it is.
    pub(super) async fn start_saying(
        config: &Config,
        parts: &Parts,
        readiness: Readiness,
    ) -> Result<Self, StartError> {
        config.require_credentials()?;
        let (client, targets) = outside(config, parts)?;
        let store = open_store(config, parts, &readiness).await?;
        let sandbox = Sandbox::start(&config.sandbox, parts.program.clone()).await?;
        readiness.ready(Part::Sandbox);
        let rules = loader(config, parts, (&sandbox, &store), &readiness);
        // Before the files are read, so that a change meanwhile is seen.
        let watched = to_watch(&parts.rules);
        let loaded = rules.start().await?;
        let seal = seal(config)?;
        let stopping = watch::Sender::new(false);
        let clock = Arc::clone(&parts.clock);
        let quarantine = Arc::new(Quarantine::new(Arc::clone(&store), clock));
        let runner = runner::Runner::new(
            Arc::clone(&store),
            Arc::new(ScriptWorkers(Arc::clone(&sandbox))),
            Arc::clone(&client) as Arc<dyn runner::Outside>,
            Arc::clone(&parts.clock),
            Arc::clone(&quarantine),
            runner::Options {
                seal: seal.clone(),
                ..runner_options(config, parts, Arc::clone(&targets), readiness.clone())
            },
        );
        let mut loops = Loops::new(readiness.clone(), stopping.subscribe());
        let needs = Needs {
            config,
            parts,
            store: Arc::clone(&store),
            sandbox: Arc::clone(&sandbox),
            quarantine,
            client: Arc::clone(&client),
            rules: Arc::clone(&rules),
            watched,
            readiness: readiness.clone(),
            stopping: &stopping,
        };
        let learning = start_routing(needs, &mut loops);
        let (until, until_then) = (stopped(&stopping), stopped(&stopping));
        loops.run("the runner", async move {
            tokio::join!(runner.run(until), runner.watch_jobs(until_then));
        });
        let keeper = Keeper::new(
            Arc::clone(&store),
            Arc::clone(&parts.clock),
            readiness.clone(),
            config,
        );
        loops.run("retention", keeper.clone().prune(stopped(&stopping)));
        loops.run("the watch over the store", keeper.watch(stopped(&stopping)));
        Ok(Self {
            store,
            sandbox,
            client,
            targets,
            readiness,
            rules,
            loaded,
            stopping,
            loops,
            learning,
            seal,
        })
    }

    /// Looks at the files of secrets of the configuration as long as the gateway works.
    pub(super) fn watch_secrets(
        &mut self,
        config: &Config,
        ingress: &Arc<Ingress>,
        access: &Access,
    ) {
        let mut watched = secret_files::of_login(&config.iconik, &self.client);
        watched.extend(secret_files::of_sources(&config.sources, ingress));
        watched.extend(secret_files::of_targets(&config.egress, &self.targets));
        watched.extend(secret_files::of_admin(&config.server, access));
        if watched.is_empty() {
            return;
        }
        let until = stopped(&self.stopping);
        let watch = secret_files::watch(watched, until);
        self.loops.run("the watch over files of secrets", watch);
    }

    /// The store that everything meets in.
    pub fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }

    /// The active rules, as they change.
    pub(super) fn rules(&self) -> watch::Receiver<Option<Arc<RuleSet>>> {
        self.rules.active.subscribe()
    }

    /// What keeps the tokens of people who press buttons, if there is a key.
    pub(super) fn sealing(&self) -> Option<Sealing> {
        Some(Sealing {
            seal: Arc::clone(self.seal.as_ref()?),
            tokens: Arc::clone(&self.store) as Arc<dyn Tokens>,
        })
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

    /// Waits until every accepted event is routed and every run has ended or is a person's; false at the deadline.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn settled_within(&self, within: Duration) -> Result<bool, StoreError> {
        use crate::model::RunState::{Queued, Running, Waiting};
        let deadline = tokio::time::Instant::now() + within;
        loop {
            let changed = self
                .store
                .changed(Change::Claimable, Duration::from_millis(50));
            let counts = self.store.counts().await?;
            let busy = counts
                .runs
                .iter()
                .any(|(state, count)| matches!(state, Queued | Running | Waiting) && *count > 0);
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
        self.learning.abort();
        self.loops.stopped().await;
        self.sandbox.stop().await;
        if let Err(error) = self.store.close().await {
            tracing::error!(%error, "the store could not be closed in order; the next start repairs it");
        }
    }
}

fn loader(
    config: &Config,
    parts: &Parts,
    (sandbox, store): (&Arc<Sandbox>, &Arc<dyn Store>),
    readiness: &Readiness,
) -> Arc<RuleLoader> {
    Arc::new(RuleLoader {
        at: parts.rules.clone(),
        vars: serde_json::Value::Object(config.vars.clone()),
        site: site(&config.iconik.base_url),
        seals: config.server.seal_key.is_some(),
        targets: config.egress.keys().cloned().collect(),
        sandbox: Arc::clone(sandbox),
        store: Arc::clone(store),
        readiness: readiness.clone(),
        active: watch::Sender::new(None),
        turn: Mutex::default(),
    })
}

/// The seal of the configured key.
fn seal(config: &Config) -> Result<Option<Arc<Seal>>, StartError> {
    let key = config.server.seal_key.as_ref();
    let seal = key.map(Seal::new).transpose();
    Ok(seal.map_err(StartError::SealKey)?.map(Arc::new))
}

/// Completes when the sender says so, or is gone.
pub(super) fn stopped(stopping: &watch::Sender<bool>) -> impl Future<Output = ()> + Send + 'static {
    let mut stopping = stopping.subscribe();
    async move {
        // An error means that the gateway itself is gone, which is a stop too.
        let _ = stopping.wait_for(|stop| *stop).await;
    }
}

/// What reaches Iconik, and what reaches others.
fn outside(config: &Config, parts: &Parts) -> Result<(Arc<IconikClient>, Arc<Egress>), StartError> {
    let clock = || Arc::clone(&parts.clock);
    let client = IconikClient::through(&config.iconik, &config.http, clock())?;
    let targets = Egress::through(&config.egress, &config.http, clock())?;
    Ok((Arc::new(client), Arc::new(targets)))
}

/// Opens the store; who is in the way meanwhile can be read in `readiness`.
async fn open_store(
    config: &Config,
    parts: &Parts,
    readiness: &Readiness,
) -> Result<Arc<dyn Store>, StoreError> {
    let waits = |holder: String| readiness.not_ready(Part::Store, holder);
    let (options, clock) = (store_options(config), Arc::clone(&parts.clock));
    let store = SqliteStore::open_saying(options, clock, waits).await?;
    readiness.ready(Part::Store);
    Ok(Arc::new(store))
}

/// The store as the configuration wants it.
fn store_options(config: &Config) -> SqliteOptions {
    SqliteOptions {
        min_free: config.store.retention.min_free,
        allow_network_fs: config.store.allow_network_fs,
        ..SqliteOptions::at(config.store.path.clone())
    }
}

/// `https://app.iconik.io` of `https://app.iconik.io/API`.
fn site(base_url: &str) -> String {
    base_url
        .trim_end_matches('/')
        .trim_end_matches("/API")
        .to_owned()
}

fn runner_options(
    config: &Config,
    parts: &Parts,
    targets: Arc<Egress>,
    readiness: Readiness,
) -> runner::Options {
    runner::Options {
        workers: config.sandbox.workers,
        index_lag: config.iconik.index_lag,
        call_timeout: config.iconik.timeout,
        drain: config.server.drain,
        observer: Arc::new(Observed(Arc::clone(&parts.observer))),
        targets,
        job_polling: job_polling(&config.iconik),
        timers: parts.timers,
        readiness,
        public_url: config.server.public_url.clone(),
        ..runner::Options::default()
    }
}

/// A tenth of the budget is enough for looking at jobs.
fn job_polling(iconik: &config::Iconik) -> runner::JobPolling {
    let rate = iconik.rate;
    let per_second = f64::from(rate.per_second).min(f64::from(rate.per_20s) / 20.0);
    runner::JobPolling {
        pause: iconik.job_poll,
        requests_per_second: per_second / 10.0,
    }
}

/// One observer for both.
#[derive(Debug)]
pub(super) struct Observed(pub(super) Arc<dyn Observer>);

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
