//! A gateway without listeners: a real store, the router and the runner, with scripted rules and a scripted
//! Iconik in place of the sandbox and the network.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cuegate::clock::{Clock, ManualClock};
use cuegate::model::{
    Event, EventKey, EventKind, RuleHeader, RuleSet, Run, RunId, SourceName, Step,
};
use cuegate::quarantine::Quarantine;
use cuegate::router::Router;
use cuegate::runner::{Options, Outside, Runner};
use cuegate::store::{RunFilter, SqliteOptions, SqliteStore, Store};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::fakes::{Iconik, Rules};
use super::samples::{rule_set, webhook};

/// Everything, in a temporary directory.
#[derive(Debug)]
pub(super) struct World {
    pub(super) dir: tempfile::TempDir,
    pub(super) store: Arc<dyn Store>,
    pub(super) rules: Arc<Rules>,
    pub(super) iconik: Arc<Iconik>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) set: watch::Sender<Option<Arc<RuleSet>>>,
    pub(super) domain: watch::Sender<Option<String>>,
    /// What router and runner share.
    pub(super) quarantine: Arc<Quarantine>,
    accepted: AtomicU32,
}

impl World {
    /// A world under these rules.
    pub(super) async fn under(rules: Vec<RuleHeader>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at("2026-03-01T12:00:00Z".parse().unwrap()));
        let store = open(dir.path(), &clock).await;
        let world = Self {
            dir,
            quarantine: quarantine(&store, &clock),
            store,
            rules: Arc::default(),
            iconik: Arc::default(),
            clock,
            set: watch::Sender::new(None),
            domain: watch::Sender::new(Some("D".to_owned())),
            accepted: 0.into(),
        };
        world.activate(rules).await;
        world
    }

    pub(super) async fn activate(&self, rules: Vec<RuleHeader>) {
        let set = rule_set(rules);
        self.store.activate_rule_set(set.clone()).await.unwrap();
        self.set.send_replace(Some(Arc::new(set)));
    }

    /// Ends this process's hold of the store as a crash would leave it, and opens it again.
    pub(super) async fn restart(&mut self) {
        self.store.close().await.unwrap();
        self.store = open(self.dir.path(), &self.clock).await;
        self.quarantine = quarantine(&self.store, &self.clock);
    }

    pub(super) fn router(&self) -> Router {
        Router::new(
            self.store.clone(),
            self.rules.clone(),
            self.set.subscribe(),
            self.domain.subscribe(),
            self.clock.clone(),
            self.quarantine.clone(),
        )
    }

    pub(super) fn runner(&self) -> Runner {
        self.runner_with(Options::default())
    }

    pub(super) fn runner_with(&self, options: Options) -> Runner {
        self.runner_to(self.iconik.clone(), options)
    }

    /// A runner whose calls go there.
    pub(super) fn runner_to(&self, outside: Arc<dyn Outside>, options: Options) -> Runner {
        Runner::new(
            self.store.clone(),
            self.rules.clone(),
            outside,
            self.clock.clone(),
            self.quarantine.clone(),
            options,
        )
    }

    /// Stores an event of a webhook about this object.
    pub(super) async fn accept(&self, object: &str) -> Event {
        self.accept_body(EventKind::Webhook, webhook(object)).await
    }

    /// Stores an event whose body is made unique.
    pub(super) async fn accept_body(&self, kind: EventKind, mut body: Value) -> Event {
        let number = self.accepted.fetch_add(1, Ordering::Relaxed);
        body["request_id"] = json!(format!("request {number}"));
        let event = self.event(kind, body);
        self.store.accept(vec![event.clone()]).await.unwrap();
        event
    }

    pub(super) fn event(&self, kind: EventKind, body: Value) -> Event {
        let source = SourceName::from("iconik");
        let key = EventKey::of_bytes(&source, body.to_string().as_bytes());
        Event {
            id: key.event_id(0),
            key,
            window: 0,
            source,
            kind,
            received_at: self.clock.now(),
            headers: BTreeMap::new(),
            body,
        }
    }

    /// Stores and routes one event about this object; it must make exactly one run.
    pub(super) async fn run_for(&self, object: &str) -> RunId {
        let event = self.accept(object).await;
        self.router().route_batch().await.unwrap();
        let runs = self.runs_of(&event).await;
        assert_eq!(runs.len(), 1, "one run for {object}");
        runs[0].id
    }

    pub(super) async fn runs_of(&self, event: &Event) -> Vec<Run> {
        let filter = RunFilter {
            event: Some(event.id),
            ..RunFilter::default()
        };
        self.store.runs(filter).await.unwrap()
    }

    pub(super) async fn look(&self, run: RunId) -> Run {
        self.store
            .run(run)
            .await
            .unwrap()
            .expect("the run is there")
    }

    pub(super) async fn steps(&self, run: RunId) -> Vec<Step> {
        self.store.journal(run).await.unwrap().0
    }

    pub(super) async fn has_open_intent(&self, run: RunId) -> bool {
        self.store.journal(run).await.unwrap().1.is_some()
    }

    pub(super) fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

fn quarantine(store: &Arc<dyn Store>, clock: &Arc<ManualClock>) -> Arc<Quarantine> {
    Arc::new(Quarantine::new(store.clone(), clock.clone()))
}

async fn open(dir: &Path, clock: &Arc<ManualClock>) -> Arc<dyn Store> {
    let options = SqliteOptions::at(dir.join("cuegate.db"));
    Arc::new(SqliteStore::open(options, clock.clone()).await.unwrap())
}

/// Waits until the condition holds, at most ten seconds.
pub(super) async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while !holds().await {
        assert!(tokio::time::Instant::now() < deadline, "in vain: {what}");
        tokio::task::yield_now().await;
    }
}
