//! A store with something of everything in it: runs in every state, whatever they wait for, an `each` with children,
//! events of every state, held and to be routed again, entries of rules, a pause, and an inbox that is not empty.

use std::path::PathBuf;
use std::sync::Arc;

use cuegate::clock::ManualClock;
use cuegate::model::*;
use cuegate::store::*;
use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;

use crate::store_contract::{
    Place, answer, append, at, claim_one, enqueue, event, event_in_window, events, intent, new_run,
    read, routed, routing, rule_set, settle,
};

/// The runs of the rules of [`filled`], in order.
pub(super) const LANES: &[(&str, &str)] = &[
    ("tag", "a"),
    ("tag", "a"),
    ("tag", "a"),
    ("fall", "b"),
    ("share", "c"),
    ("sleep", "d"),
    ("expect", "e"),
    ("job", "f"),
    ("count", "g"),
    ("walk", "h"),
];

/// Long after everything that the runs wait for.
pub(super) const LATE: i64 = 500_000;

/// The two files in a directory of their own.
#[derive(Debug)]
pub(super) struct Files(TempDir);

impl Files {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(super) fn options(&self) -> SqliteOptions {
        SqliteOptions {
            lock_wait: std::time::Duration::ZERO,
            ..SqliteOptions::at(self.path("cuegate.db"))
        }
    }

    /// The same files in another directory; nobody may have them open.
    pub(super) fn copy(&self) -> Self {
        let copy = Self::new();
        for name in ["cuegate.db", "inbox.db"] {
            std::fs::copy(self.path(name), copy.path(name)).unwrap();
        }
        copy
    }

    pub(super) async fn open(&self) -> Arc<dyn Store> {
        let clock = Arc::new(ManualClock::at(at(LATE)));
        Arc::new(SqliteStore::open(self.options(), clock).await.unwrap())
    }

    /// A connection beside the store's own ones, with both files.
    pub(super) fn connect(&self) -> Connection {
        let db = Connection::open(self.path("cuegate.db")).unwrap();
        let inbox = self.path("inbox.db");
        db.execute("ATTACH ?1 AS inbox", [inbox.to_str().unwrap()])
            .unwrap();
        db
    }

    pub(super) async fn check(&self) -> Vec<Finding> {
        SqliteStore::check_files(&self.options(), false, at(LATE))
            .await
            .unwrap()
    }

    pub(super) async fn repair(&self) -> Vec<Finding> {
        SqliteStore::check_files(&self.options(), true, at(LATE))
            .await
            .unwrap()
    }
}

#[async_trait::async_trait]
impl Place for Files {
    async fn open(&self) -> Arc<dyn Store> {
        Files::open(self).await
    }
}

/// Runs 1 to 12, of events 1 to 14; nothing is claimed, and the files are closed.
pub(super) async fn filled() -> Files {
    let files = Files::new();
    let store = files.open().await;
    store.activate_rule_set(rule_set("two")).await.unwrap();
    store.activate_rule_set(rule_set("one")).await.unwrap();
    let runs = enqueue(&*store, 1, LANES).await;
    assert_eq!(runs, (1..=10).map(RunId).collect::<Vec<_>>());
    let claims = store.claim(Claiming::up_to(100), at(10)).await.unwrap();
    assert_eq!(claims.len(), 8, "two stand behind another one");
    for claim in claims {
        begin(&*store, &claim).await;
    }
    more_events(&*store).await;
    store.accept(events([40, 41])).await.unwrap();
    assert_eq!(store.check().await.unwrap(), []);
    store.close().await.unwrap();
    files
}

/// Lets a run come to where it stands in the fixture.
async fn begin(store: &dyn Store, claim: &Claim) {
    let lease = claim.lease;
    let add = async |entry| assert_eq!(append(store, lease, entry).await, Fenced::Written);
    if claim.run.rule.as_str() != "count" {
        add(JournalEntry::Answer(Box::new(read(0)))).await;
    }
    let how = match claim.run.rule.as_str() {
        "tag" => {
            add(JournalEntry::Intent(intent(1))).await;
            add(JournalEntry::Answer(Box::new(answer(1)))).await;
            let object = "made-1".to_owned();
            add(JournalEntry::Made { number: 1, object }).await;
            Settlement::Succeeded
        }
        "fall" => {
            add(JournalEntry::Intent(intent(1))).await;
            add(JournalEntry::Withdrawn { number: 1 }).await;
            Settlement::Dead(Failure::new(DeadClass::ScriptError, "a word is missing"))
        }
        "share" => {
            add(JournalEntry::Intent(intent(1))).await;
            let text = "it was sent, and nothing came back".to_owned();
            let remark = Remark {
                number: 1,
                at: at(9),
                text,
            };
            add(JournalEntry::Remark(remark)).await;
            Settlement::Parked {
                class: ParkedClass::Uncertain,
                reason: "look at it".to_owned(),
            }
        }
        "sleep" => waiting(Waits::Time),
        "expect" => waiting(expected(store, claim.run.id).await),
        "job" => waiting(Waits::Job("job-1".to_owned())),
        "count" => {
            access(store, lease).await;
            Settlement::Skipped {
                reason: "nothing to do".to_owned(),
            }
        }
        _ => {
            walk(store, claim, 2).await;
            waiting(Waits::Children)
        }
    };
    let settled = Settle {
        lease,
        settlement: how,
        spent: std::time::Duration::ZERO,
        logs: vec![LogLine {
            step: 1,
            index: 0,
            level: LogLevel::Info,
            text: "seen".to_owned(),
        }],
        at: at(20),
    };
    let fenced = store.settle(vec![settled]).await.unwrap();
    assert_eq!(fenced, [Fenced::Written]);
}

fn waiting(waits: Waits) -> Settlement {
    Settlement::Waiting {
        waits,
        until: at(1_000),
        reason: "it waits".to_owned(),
        failing_since: None,
    }
}

async fn expected(store: &dyn Store, run: RunId) -> Waits {
    let wait = WaitForEvent {
        pattern: Pattern {
            source: "iconik".to_owned(),
            parts: vec!["assets".to_owned(), "*".to_owned(), "*".to_owned()],
        },
        fields: [("object_id".to_owned(), json!("nobody"))].into(),
        until: at(1_000),
        position: None,
    };
    let mark = EventMark::default();
    let seen = store.find_event(run, &wait, mark).await.unwrap().seen;
    Waits::Event {
        wait: Box::new(wait),
        seen,
    }
}

async fn access(store: &dyn Store, lease: Lease) {
    let call = StateCall {
        key: "seen".to_owned(),
        access: StateAccess::Add {
            amount: 5,
            expires_at: None,
        },
        position: None,
    };
    let step = StateStep {
        lease,
        number: 0,
        call,
        logs: Vec::new(),
        at: at(12),
    };
    assert!(store.access_state(step).await.unwrap().is_some());
}

/// A walk that has found so many objects and is over.
pub(super) async fn walk(store: &dyn Store, claim: &Claim, objects: usize) {
    let object = |number: usize| {
        let object_id = format!("asset-{number}");
        let lane = LaneKey(object_id.clone());
        let object_type = "assets".to_owned();
        let object = Object {
            object_type,
            object_id,
        };
        (object, lane)
    };
    let page = WalkPage {
        lease: claim.lease,
        place: json!({ "page": 2 }),
        objects: (0..objects).map(object).collect(),
        last: true,
        priority: -1,
        at: at(15),
    };
    let found = store.extend_walk(page).await.unwrap();
    assert_eq!(found, u64::try_from(objects).ok());
}

/// Events that made no runs, one that was delivered once more over the edge of its window, and a rule in quarantine.
async fn more_events(store: &dyn Store) {
    let quarantine = |rule: &str| Pause {
        scope: PauseScope::Rule(RuleId::from(rule)),
        quarantine: true,
        reason: "it broke its workers".to_owned(),
        since: at(5),
    };
    store.pause(quarantine("careful")).await.unwrap();
    store.pause(quarantine("released")).await.unwrap();
    let held = |rule: &str| Decision {
        state: EventState::Held,
        held: vec![RuleId::from(rule)],
        ..Decision::default()
    };
    let failure = Failure::new(DeadClass::ScriptError, "`when` failed");
    let decisions = vec![
        Decision {
            state: EventState::WrongDomain,
            ..Decision::default()
        },
        Decision {
            state: EventState::WhenFailed,
            failures: vec![(RuleId::from("tag"), RuleVersion::from("v1"), failure)],
            ..Decision::default()
        },
        held("careful"),
        held("released"),
    ];
    store.accept(events(20..24)).await.unwrap();
    let batch = store.unrouted(100).await.unwrap().batch;
    store.route(routing(batch, decisions)).await.unwrap();
    let released = PauseScope::Rule(RuleId::from("released"));
    assert!(store.resume(released).await.unwrap());
    store.accept(vec![event_in_window(1, 8)]).await.unwrap();
    let batch = store.unrouted(100).await.unwrap().batch;
    let again = vec![routed(vec![new_run("tag", "a")])];
    let again = store.route(routing(batch, again)).await.unwrap();
    assert!(
        matches!(again, Routed::Committed { events: 0, .. }),
        "{again:?}"
    );
}

/// Routes what is in the inbox and lets every run that is not parked come to its end, as a gateway does.
pub(super) async fn everything_ends(files: &Files) {
    let store = files.open().await;
    store.activate_rule_set(rule_set("one")).await.unwrap();
    store.resume(PauseScope::All).await.unwrap();
    loop {
        let batch = store.unrouted(100).await.unwrap();
        if batch.events.is_empty() {
            break;
        }
        let decisions = batch.events.iter();
        let decisions = decisions.map(|_| routed(vec![new_run("new", "n")]));
        let routing = routing(batch.batch.clone(), decisions.collect());
        let routed = store.route(routing).await.unwrap();
        assert!(matches!(routed, Routed::Committed { .. }), "{routed:?}");
    }
    loop {
        let (woken, _) = store.wake_due(at(LATE)).await.unwrap();
        let claims = store.claim(Claiming::up_to(100), at(LATE)).await.unwrap();
        if woken == 0 && claims.is_empty() {
            break;
        }
        for claim in claims {
            settle(&*store, claim.lease, Settlement::Succeeded).await;
        }
    }
    let unfinished = RunFilter {
        states: vec![RunState::Queued, RunState::Running, RunState::Waiting],
        limit: 1_000,
        ..RunFilter::default()
    };
    if let Some(run) = store.runs(unfinished).await.unwrap().first() {
        let standing = store.standing(run.id).await.unwrap();
        let head = standing.head.map(|head| head.id);
        panic!("run {} is {:?} behind {head:?}", run.id, run.state);
    }
    assert_eq!(store.check().await.unwrap(), []);
    store.close().await.unwrap();
}

/// The fixture itself: with nothing broken, there is no finding and everything ends.
#[tokio::test]
async fn a_store_in_order_has_no_findings_and_a_repair_changes_nothing() {
    let files = filled().await;
    let before = super::contents::contents(&files.connect());
    assert_eq!(files.check().await, []);
    assert_eq!(files.repair().await, []);
    assert_eq!(super::contents::contents(&files.connect()), before);
    everything_ends(&files).await;
    let store = files.open().await;
    assert_eq!(
        store
            .event(event(1).id)
            .await
            .unwrap()
            .map(|event| event.state),
        Some(EventState::Routed)
    );
    store.accept(events([90])).await.unwrap();
    let batch = store.unrouted(1).await.unwrap().batch;
    let decisions = vec![routed(vec![new_run("tag", "z")])];
    store.route(routing(batch, decisions)).await.unwrap();
    claim_one(&*store).await;
}
