//! What retention takes, and what it never takes: unfinished runs with their events and journals, the sources of their
//! rules, and the keys by which a repeated delivery is known.

use std::collections::BTreeSet;
use std::fs::File;

use cuegate::clock::{Clock as _, SystemClock};
use cuegate::model::*;
use cuegate::store::*;
use rusqlite::Connection;
use serde_json::json;

use super::contents::{changes, contents};
use super::filled::{Files, LATE, everything_ends, filled};
use super::types;
use crate::gateway::{Gateway, eventually, simulated, webhook};
use crate::store_contract::{
    append, at, claim_one, enqueue, event, event_in_window, events, new_run, open, read, routed,
    routing, settle,
};

/// Journals, events and keys before these seconds go.
fn cut(journals: i64, events: i64, keys: i64) -> Cut {
    Cut {
        journals_before: at(journals),
        events_before: at(events),
        keys_before: at(keys),
        now: at(LATE),
    }
}

/// Goes through the whole store.
async fn prune(store: &dyn Store, cut: &Cut) -> Pruned {
    let (mut all, mut mark) = (Pruned::default(), PruneMark::default());
    loop {
        all += store.prune(cut, mark).await.unwrap();
        match all.next {
            Some(next) => mark = next,
            None => return all,
        }
    }
}

#[tokio::test]
async fn the_longest_cut_takes_what_is_over_and_nothing_that_is_not() {
    let files = filled().await;
    let before = contents(&files.connect());
    let store = files.open().await;
    let forever = cut(LATE + 1, LATE + 1, LATE + 1);
    let pruned = prune(&*store, &forever).await;
    let gone = (pruned.events, pruned.journals, pruned.runs);
    assert_eq!((gone, pruned.lanes, pruned.rule_sets), ((5, 3, 3), 2, 1));
    assert!(prune(&*store, &forever).await.is_nothing());
    assert_eq!(store.check().await.unwrap(), []);
    store.close().await.unwrap();
    let changed = changes(&before, &contents(&files.connect()));
    // Everything of events 1, 4, 9, 11 and 12: a succeeded, a dead and a skipped run, and two without runs. Not of 13
    // and 14, which somebody has yet to look at, and not of those with unfinished, waiting and parked runs.
    let is_of_counts = |row: &&String| row.contains("_count ");
    let changed: BTreeSet<&str> = changed
        .iter()
        .filter(|row| !is_of_counts(row))
        .map(String::as_str)
        .collect();
    let keys: Vec<&str> = before
        .iter()
        .filter(|(row, values)| {
            let of = |number: &str| values.contains(&format!("(\"event\", \"{number}\")"));
            row.starts_with("event_key ") && ["1", "4", "9", "11", "12"].into_iter().any(of)
        })
        .map(|(row, _)| row.as_str())
        .collect();
    assert_eq!(keys.len(), 5);
    let keys: Vec<String> = keys.iter().map(|row| format!("-{row}")).collect();
    let alias = before.keys().find(|row| row.starts_with("alias ")).unwrap();
    let mut expected: BTreeSet<&str> = BTreeSet::from([
        "+pruned 1",
        "-event 1",
        "-event 11",
        "-event 12",
        "-event 4",
        "-event 9",
        "-event_body 1",
        "-event_body 11",
        "-event_body 12",
        "-event_body 4",
        "-event_body 9",
        "-intent 1",
        "-intent 3",
        "-lane 2",
        "-lane 7",
        "-log 1/1/0",
        "-log 4/1/0",
        "-log 9/1/0",
        "-made made-1",
        "-rule_set 1",
        "-run 1",
        "-run 4",
        "-run 9",
        "-step 1/0",
        "-step 1/1",
        "-step 4/0",
        "-step 9/0",
        "-when_failed tag/v1/0/12",
        "-withdrawn 1",
        "~lane 1",
    ]);
    let alias = format!("-{alias}");
    expected.insert(&alias);
    expected.extend(keys.iter().map(String::as_str));
    assert_eq!(changed, expected);
    everything_ends(&files).await;
}

#[tokio::test]
async fn a_cut_of_nothing_takes_nothing() {
    let files = filled().await;
    let before = contents(&files.connect());
    let store = files.open().await;
    assert!(prune(&*store, &cut(0, 0, 0)).await.is_nothing());
    store.close().await.unwrap();
    assert_eq!(contents(&files.connect()), before);
}

/// First the journal, then the payload, at last the key; each says that it was there.
#[tokio::test]
async fn a_journal_goes_before_its_event_and_the_key_goes_last() {
    let files = Files::new();
    let store = open(&files).await;
    enqueue(&*store, 1, &[("tag", "a")]).await;
    let lease = claim_one(&*store).await.lease;
    append(&*store, lease, JournalEntry::Answer(Box::new(read(0)))).await;
    settle(&*store, lease, Settlement::Succeeded).await;
    let (run, id) = (RunId(1), event(1).id);
    let outside = |error: StoreError| {
        let text = error.to_string();
        assert!(
            matches!(error, StoreError::Pruned(_)) && text.contains("outside retention"),
            "{text}"
        );
        text
    };

    assert_eq!(prune(&*store, &cut(100, 0, 0)).await.journals, 1);
    outside(store.journal(run).await.unwrap_err());
    outside(store.repeats(run).await.unwrap_err());
    assert_eq!(store.event(id).await.unwrap().unwrap().event, event(1));
    assert_eq!(
        store.run(run).await.unwrap().unwrap().state,
        RunState::Succeeded
    );

    let payload = prune(&*store, &cut(100, 100, 0)).await;
    assert_eq!((payload.events, payload.runs), (1, 0));
    let said = outside(store.event(id).await.unwrap_err());
    assert!(said.contains(&id.to_string()), "{said}");
    assert_eq!(store.forgotten_until().await.unwrap(), None);
    let listed = store.events(EventFilter::default()).await.unwrap();
    assert_eq!(listed.len(), 1, "the row goes on telling that it was there");
    // In its window, and over the edge of it.
    for again in [event(1), event_in_window(1, 8)] {
        store.accept(vec![again]).await.unwrap();
        let batch = store.unrouted(1).await.unwrap().batch;
        let decisions = vec![routed(vec![new_run("tag", "a")])];
        let again = store.route(routing(batch, decisions)).await.unwrap();
        assert!(
            matches!(again, Routed::Committed { events: 0, .. }),
            "{again:?}"
        );
    }

    let whole = prune(&*store, &cut(100, 100, 100)).await;
    assert_eq!((whole.events, whole.runs, whole.lanes), (0, 1, 1));
    let said = outside(store.run(run).await.unwrap_err());
    assert!(said.contains("run 1"), "{said}");
    assert_eq!(
        store.run(RunId(2)).await.unwrap(),
        None,
        "it was never there"
    );
    assert_eq!(store.event(id).await.unwrap(), None);
    assert_eq!(store.forgotten_until().await.unwrap(), Some(at(1)));
    assert_eq!(store.check().await.unwrap(), []);
}

/// The key alone is what a repeated delivery is known by, so a cut that takes it too early must be seen here.
#[tokio::test]
async fn without_its_key_a_repeated_delivery_would_be_a_new_event() {
    let files = Files::new();
    let store = open(&files).await;
    enqueue(&*store, 1, &[("tag", "a")]).await;
    let lease = claim_one(&*store).await.lease;
    settle(&*store, lease, Settlement::Succeeded).await;
    prune(&*store, &cut(100, 100, 100)).await;
    let made = enqueue(&*store, 1, &[("tag", "a")]).await;
    assert_eq!(made, [RunId(2)], "numbers of runs are never given twice");
    let lease = claim_one(&*store).await.lease;
    assert_eq!(
        settle(&*store, lease, Settlement::Succeeded).await,
        Fenced::Written
    );
}

#[tokio::test]
async fn many_events_go_in_slices_and_young_ones_among_them_stay() {
    let files = Files::new();
    let store = open(&files).await;
    // The clock was set back now and then, so ages do not follow numbers.
    let mut all = events(0..700);
    for (place, event) in all.iter_mut().enumerate() {
        event.received_at = at(if place % 7 == 3 { 9_000 } else { 5 });
    }
    store.accept(all).await.unwrap();
    loop {
        let batch = store.unrouted(300).await.unwrap();
        if batch.events.is_empty() {
            break;
        }
        let decisions = vec![routed(Vec::new()); batch.events.len()];
        store.route(routing(batch.batch, decisions)).await.unwrap();
    }
    let cut = cut(100, 100, 100);
    let (mut mark, mut gone, mut slices) = (PruneMark::default(), 0, 0);
    loop {
        let slice = store.prune(&cut, mark).await.unwrap();
        assert!(slice.events <= 200, "{slice:?}");
        (gone, slices) = (gone + slice.events, slices + 1);
        let Some(next) = slice.next else {
            break;
        };
        mark = next;
    }
    assert_eq!(gone, 600);
    assert!(slices >= 3);
    let young = EventFilter {
        limit: 1_000,
        ..EventFilter::default()
    };
    let left = store.events(young).await.unwrap();
    assert_eq!(left.len(), 100);
    assert!(left.iter().all(|event| event.received_at == at(9_000)));
}

#[tokio::test]
async fn entries_of_rules_go_when_they_have_expired() {
    let files = filled().await;
    let insert =
        "INSERT INTO state_entry SELECT rule, 'old', value, 5, changed_at FROM state_entry;
                  INSERT INTO state_entry SELECT rule, 'young', value, 9000000000000000, changed_at
                  FROM state_entry WHERE key = 'seen'";
    files.connect().execute_batch(insert).unwrap();
    let store = files.open().await;
    assert_eq!(prune(&*store, &cut(0, 0, 0)).await.state_entries, 1);
    store.close().await.unwrap();
    let left = contents(&files.connect());
    assert!(left.contains_key("state_entry count/seen"));
    assert!(left.contains_key("state_entry count/young"));
    assert!(!left.contains_key("state_entry count/old"));
}

#[tokio::test]
async fn nothing_is_removed_from_either_file_while_a_backup_is_made() {
    let files = filled().await;
    let store = files.open().await;
    store
        .activate_rule_set(crate::store_contract::rule_set("one"))
        .await
        .unwrap();
    let backup = File::options()
        .write(true)
        .open(files.path("backup.lock"))
        .unwrap();
    backup.lock().unwrap();
    let forever = cut(LATE + 1, LATE + 1, LATE + 1);
    let held = store.prune(&forever, PruneMark::default()).await.unwrap();
    assert!(held.held && held.is_nothing(), "{held:?}");
    assert_eq!(
        held.next,
        Some(PruneMark::default()),
        "it begins where it was"
    );
    let waiting = store.unrouted(9).await.unwrap();
    let decisions = vec![routed(Vec::new()); waiting.events.len()];
    store
        .route(routing(waiting.batch, decisions))
        .await
        .unwrap();
    let lanes = vec![("tag", "z"); 90];
    for round in 1..=30 {
        enqueue(&*store, round * 100, &lanes).await;
    }
    let rows = || -> i64 {
        files
            .connect()
            .query_row("SELECT count(*) FROM inbox.accepted", [], |row| row.get(0))
            .unwrap()
    };
    assert!(rows() >= 2_700, "{}", rows());
    backup.unlock().unwrap();
    assert!(!prune(&*store, &forever).await.is_nothing());
    for round in 31..=60 {
        enqueue(&*store, round * 100, &lanes).await;
    }
    assert!(rows() <= 1_000, "{}", rows());
}

const RENAME: &str = r#"
rule(#{ on: ["assets/entity/create"], allow: ["assets:write"] });
fn run(event) {
    iconik::put(`assets/v1/assets/${event.asset_id}/`, #{ title: "Interview!" });
}
"#;

const ASSET: &str = "2c5bfe1a-f149-11eb-a843-0a580a3db916";

/// Makes everything older, as if so many seconds had gone by.
fn age(gateway: &Gateway, seconds: i64) {
    let db = Connection::open(gateway.path("data/cuegate.db")).unwrap();
    db.execute_batch(&format!(
        "UPDATE event SET received_at = received_at - {0}; UPDATE run SET ended_at = ended_at - {0}",
        seconds * 1_000_000
    ))
    .unwrap();
}

#[tokio::test]
async fn the_commands_say_outside_retention_and_never_received_apart() {
    let simulator = simulated(json!({ "assets": [{ "id": ASSET, "title": "Interview" }] })).await;
    let mut gateway = Gateway::new(&simulator, &[("rename.rhai", RENAME)]);
    gateway.replace(
        "url = \"sqlite:data/cuegate.db\"",
        "url = \"sqlite:data/cuegate.db\"\nretention = { events = \"10m\", journals = \"5m\" }",
    );
    gateway.start().await;
    let never = "00000000000000000000000000000000";
    let unknown = types(&gateway, &["events", "show", never]).await;
    unknown.ended(1, &["never received"]);
    assert!(!unknown.err.contains("outside retention"), "{unknown:?}");
    let body = webhook("entity", "create", ASSET, &json!({ "id": ASSET }));
    let id = gateway.accepted(&body, &[]).await.to_string();
    gateway.until_runs(RunState::Succeeded, 1).await;
    gateway.stop().await;
    types(&gateway, &["store", "prune"])
        .await
        .ended(0, &["nothing is outside retention"]);

    age(&gateway, 6 * 60);
    types(&gateway, &["store", "prune"])
        .await
        .ended(0, &["removed: 0 events, 1 journals, 0 runs"]);
    age(&gateway, 6 * 60);
    // The gateway does it by itself; its key stays for twice the window of its source.
    gateway.start().await;
    eventually("the payload has gone", async || {
        let name = "cuegate_store_pruned_total{kind=\"event\"}";
        (gateway.metric(name).await >= 1.0).then_some(())
    })
    .await;
    types(&gateway, &["events", "show", &id])
        .await
        .ended(1, &["outside retention"]);
    types(&gateway, &["runs", "show", "1"])
        .await
        .ended(1, &["outside retention"]);
    let again = gateway.accepted(&body, &[]).await.to_string();
    assert_eq!(again, id, "it is the same event still");
    gateway.until_quiet().await;
    gateway.stop().await;

    age(&gateway, 49 * 3600);
    types(&gateway, &["store", "prune"])
        .await
        .ended(0, &["1 runs, 1 idle lanes"]);
    gateway.start().await;
    for id in [id.as_str(), never] {
        let said = types(&gateway, &["events", "show", id]).await;
        said.ended(1, &["never received, or it is outside retention"]);
    }
    types(&gateway, &["runs", "show", "1"])
        .await
        .ended(1, &["outside retention"]);
    let none = types(&gateway, &["runs", "show", "2"]).await;
    assert!(
        none.code == Some(1) && !none.err.contains("retention"),
        "{none:?}"
    );
    assert_eq!(
        simulator
            .requests()
            .iter()
            .filter(|one| one.method == "PUT")
            .count(),
        1
    );
    gateway.stop().await;
}

/// Beyond the largest size, the oldest of what is over go early, and only as many as it takes.
#[tokio::test]
async fn beyond_the_largest_size_the_oldest_go_and_the_youngest_stay() {
    let files = Files::new();
    files.configure();
    let text = std::fs::read_to_string(files.path("cuegate.toml")).unwrap();
    let most =
        "url = \"sqlite:cuegate.db\"\nretention = { max_size = \"64MiB\", min_free = \"0B\" }";
    let text = text.replace("url = \"sqlite:cuegate.db\"", most);
    std::fs::write(files.path("cuegate.toml"), text).unwrap();
    let store = open(&files).await;
    let now = SystemClock.now();
    let long = "x".repeat(100 << 10);
    for round in 0..9 {
        let mut all = events(round * 100..round * 100 + 100);
        for event in &mut all {
            event.received_at = now;
            event.body = json!({ "event_type": "assets", "text": long });
        }
        store.accept(all).await.unwrap();
        let batch = store.unrouted(100).await.unwrap();
        let mut batch = batch;
        while !batch.events.is_empty() {
            let decisions = vec![routed(Vec::new()); batch.events.len()];
            store.route(routing(batch.batch, decisions)).await.unwrap();
            batch = store.unrouted(100).await.unwrap();
        }
    }
    store.close().await.unwrap();
    drop(store);
    let said = files.types(&["store", "prune", "--format", "json"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let gone = said.json()["events"].as_u64().unwrap();
    assert!((200..800).contains(&gone), "{gone} of 900 events went");
    let store = files.open().await;
    assert!(store.health().await.unwrap().used_bytes <= 64 << 20);
    let payloads = async |number: u32| store.event(event(number).id).await;
    assert!(matches!(payloads(0).await, Err(StoreError::Pruned(_))));
    assert!(payloads(899).await.unwrap().is_some());
    store.close().await.unwrap();
    files
        .types(&["store", "prune"])
        .ended(0, &["nothing is outside retention"]);
}
