//! What brings events to their rules: the router, the clock of schedules, the watcher of the rules' directory, and
//! whoever finds out who we are.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::account::Own;
use super::adapters::ScriptWorkers;
use super::gateway::{Observed, stopped};
use super::loops::Loops;
use super::rules::{RuleLoader, RulesAt};
use super::{Parts, watching};
use crate::authoring::Fingerprint;
use crate::config::Config;
use crate::iconik::IconikClient;
use crate::quarantine::Quarantine;
use crate::router;
use crate::sandbox::Sandbox;
use crate::store::{Breaker, Store};
use crate::subscriptions::Watch;
use crate::telemetry::Readiness;

/// What these tasks work with.
pub(super) struct Needs<'a> {
    pub(super) config: &'a Config,
    pub(super) parts: &'a Parts,
    pub(super) store: Arc<dyn Store>,
    pub(super) sandbox: Arc<Sandbox>,
    pub(super) quarantine: Arc<Quarantine>,
    pub(super) client: Arc<IconikClient>,
    pub(super) rules: Arc<RuleLoader>,
    /// The rules' directory and what it was like before it was loaded.
    pub(super) watched: Option<(PathBuf, Fingerprint)>,
    pub(super) readiness: Readiness,
    pub(super) stopping: &'a watch::Sender<bool>,
}

/// Begins all of them; the task that finds out who we are ends by itself.
pub(super) fn start_routing(needs: Needs<'_>, loops: &mut Loops) -> JoinHandle<()> {
    let own = Own::new(needs.config.iconik.domain.clone());
    let router = router(&needs, &own);
    let scheduler = router::Scheduler::new(
        needs.store,
        needs.rules.active.subscribe(),
        Arc::clone(&needs.parts.clock),
        needs.readiness,
    );
    let until = || stopped(needs.stopping);
    loops.run("the router", router.run(until()));
    loops.run("the scheduler", scheduler.run(until()));
    if let Some((directory, print)) = needs.watched {
        let watcher = watching::watch(directory, needs.rules, print, until());
        loops.run("the watch over the rules", watcher);
    }
    let clock = Arc::clone(&needs.parts.clock);
    if let Some(watch) = Watch::new(needs.config, Arc::clone(&needs.client), clock) {
        loops.run("the watch over the webhooks", watch.run(until()));
    }
    tokio::spawn(own.learn(needs.client))
}

/// The directory to watch, and what it is like now.
pub(super) fn to_watch(rules: &RulesAt) -> Option<(PathBuf, Fingerprint)> {
    match rules {
        RulesAt::Directory(directory) => Some((directory.clone(), Fingerprint::of(directory))),
        RulesAt::Files(_) => None,
    }
}

fn router(needs: &Needs<'_>, own: &Own) -> router::Router {
    let circle = needs.config.limits.circle;
    router::Router::new(
        Arc::clone(&needs.store),
        Arc::new(ScriptWorkers(Arc::clone(&needs.sandbox))),
        needs.rules.active.subscribe(),
        own.domain.subscribe(),
        Arc::clone(&needs.parts.clock),
        Arc::clone(&needs.quarantine),
    )
    .with_own_user(own.user.subscribe())
    .with_breaker(Breaker {
        runs: circle.runs,
        within: circle.within,
    })
    .with_readiness(needs.readiness.clone())
    .with_observer(Arc::new(Observed(Arc::clone(&needs.parts.observer))))
}
