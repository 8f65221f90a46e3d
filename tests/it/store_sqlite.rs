//! The SQLite store keeps the contract, and what only it promises: the lock, the files, overload, damage.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something is not as expected"
)]

use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use async_trait::async_trait;
use cuegate::clock::ManualClock;
use cuegate::model::*;
use cuegate::store::*;
use rusqlite::Connection;
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::store_contract::*;

struct Directory(TempDir);

impl Directory {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn options(&self) -> SqliteOptions {
        SqliteOptions::at(self.0.path().join("cuegate.db"))
    }

    async fn try_open(&self) -> Result<SqliteStore, StoreError> {
        open_with(self.options()).await
    }

    /// A connection beside the store's own ones.
    fn connect(&self, file: &str) -> Connection {
        Connection::open(self.0.path().join(file)).unwrap()
    }
}

#[async_trait]
impl Place for Directory {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.try_open().await.unwrap())
    }
}

async fn open_with(options: SqliteOptions) -> Result<SqliteStore, StoreError> {
    SqliteStore::open(options, Arc::new(ManualClock::at(at(0)))).await
}

mod contract {
    use super::*;

    store_contract!(Directory::new());
}

#[tokio::test]
async fn a_second_store_is_kept_out_and_told_who_is_in() {
    let directory = Directory::new();
    let first = directory.open().await;
    let mut options = directory.options();
    options.lock_wait = Duration::ZERO;
    let error = open_with(options).await.unwrap_err();
    let holder = format!("process {}", std::process::id());
    assert!(
        matches!(&error, StoreError::Locked(text) if text.contains(&holder)),
        "{error}"
    );
    first.close().await.unwrap();
    directory.try_open().await.unwrap();
}

#[tokio::test]
async fn a_second_store_waits_for_the_first_to_let_go() {
    let directory = Directory::new();
    let first = directory.open().await;
    let second = directory.try_open();
    tokio::pin!(second);
    let once = second
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
    assert!(once.is_pending());
    drop(first);
    second.await.unwrap();
}

#[tokio::test]
async fn a_delivery_that_was_seen_not_long_ago_is_said_to_be_a_duplicate() {
    let directory = Directory::new();
    let store = directory.open().await;
    let answers = store.accept(events([1, 2, 1])).await.unwrap();
    let said: Vec<bool> = answers.iter().map(|answer| answer.duplicate).collect();
    assert_eq!(said, [false, false, true]);
    assert!(store.accept(events([2])).await.unwrap()[0].duplicate);
    assert!(!store.accept(events([3])).await.unwrap()[0].duplicate);
}

/// What a killed process leaves behind: the files as they are, with nothing flushed or tidied.
#[tokio::test]
async fn the_files_of_a_killed_process_hold_everything_that_was_answered() {
    let (before, after) = (Directory::new(), Directory::new());
    let store = open(&before).await;
    enqueue(&*store, 0, &[("tag", "a"), ("tag", "a")]).await;
    let lease = claim_one(&*store).await.lease;
    append(&*store, lease, JournalEntry::Intent(intent(0))).await;
    store.accept(events([7])).await.unwrap();
    for file in ["cuegate.db", "cuegate.db-wal", "inbox.db", "inbox.db-wal"] {
        std::fs::copy(before.0.path().join(file), after.0.path().join(file)).unwrap();
    }
    let store = after.open().await;
    assert_eq!(store.unrouted(10).await.unwrap().events, events([7]));
    let claim = claim_one(&*store).await;
    assert_eq!((claim.run.id, claim.run.attempt), (lease.run, 2));
    assert_eq!(claim.open_intent, Some(intent(0)));
    assert_eq!(
        settle(&*store, lease, Settlement::Succeeded).await,
        Fenced::Lost
    );
}

#[tokio::test]
async fn an_inbox_without_its_store_is_not_taken_for_a_beginning() {
    let directory = Directory::new();
    let store = directory.open().await;
    store.close().await.unwrap();
    let away = |file: &str| {
        for ending in ["", "-wal", "-shm"] {
            let path = directory.0.path().join(format!("{file}{ending}"));
            if path.exists() {
                std::fs::remove_file(path).unwrap();
            }
        }
    };
    away("cuegate.db");
    let store = directory.open().await;
    assert!(store.unrouted(10).await.unwrap().events.is_empty());
    store.accept(events([7])).await.unwrap();
    store.close().await.unwrap();

    away("cuegate.db");
    for _ in 0..2 {
        let refused = open_with(directory.options()).await.unwrap_err();
        assert!(matches!(refused, StoreError::Unsuitable(_)), "{refused:?}");
        let refused = refused.to_string();
        for said in [
            "cuegate.db is missing",
            "1 events",
            "store restore",
            "inbox.db away",
        ] {
            assert!(refused.contains(said), "{refused}");
        }
    }
    away("inbox.db");
    directory.open().await;
}

#[tokio::test]
async fn more_events_than_the_queue_takes_are_refused_and_the_others_kept() {
    let directory = Directory::new();
    let mut options = directory.options();
    options.queue_max = 2;
    let store = Arc::new(open_with(options).await.unwrap());
    let disk = directory.connect("inbox.db");
    disk.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut senders = JoinSet::new();
    for number in 0..10 {
        let store = Arc::clone(&store);
        senders.spawn(async move { store.accept(events([number])).await });
    }
    // The writer cannot commit, so the first answers are refusals: all but the queue, and the one command that the
    // writer may or may not have taken before the queue was full.
    for _ in 0..7 {
        let refused = senders.join_next().await.unwrap().unwrap();
        assert!(
            matches!(refused, Err(StoreError::Overloaded)),
            "{refused:?}"
        );
    }
    disk.execute_batch("ROLLBACK").unwrap();
    let kept = senders
        .join_all()
        .await
        .into_iter()
        .filter(Result::is_ok)
        .count();
    assert!((2..=3).contains(&kept), "{kept}");
    assert_eq!(store.unrouted(100).await.unwrap().events.len(), kept);
}

#[tokio::test]
async fn more_bytes_than_the_queue_takes_are_refused() {
    let directory = Directory::new();
    let mut options = directory.options();
    options.queue_bytes_max = 4 << 10;
    let store = Arc::new(open_with(options).await.unwrap());
    let disk = directory.connect("inbox.db");
    disk.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut senders = JoinSet::new();
    for number in 0..10 {
        let store = Arc::clone(&store);
        senders.spawn(async move { store.accept(events([number])).await });
    }
    let refused = senders.join_next().await.unwrap().unwrap();
    assert!(
        matches!(refused, Err(StoreError::Overloaded)),
        "{refused:?}"
    );
    disk.execute_batch("ROLLBACK").unwrap();
    let kept = senders
        .join_all()
        .await
        .into_iter()
        .filter(Result::is_ok)
        .count();
    assert!(kept > 0);
    // An event that is larger than the queue still passes, alone.
    let mut large = event(99);
    large.body = serde_json::Value::String("x".repeat(10 << 10));
    store.accept(vec![large]).await.unwrap();
}

#[tokio::test]
async fn files_of_a_newer_version_are_refused() {
    let directory = Directory::new();
    directory.open().await.close().await.unwrap();
    for file in ["cuegate.db", "inbox.db"] {
        let db = directory.connect(file);
        let ours: u32 = db
            .query_row("PRAGMA user_version", [], |row| row.get(0))
            .unwrap();
        db.pragma_update(None, "user_version", 99).unwrap();
        let error = directory.try_open().await.unwrap_err();
        assert!(
            matches!(&error, StoreError::Schema(text) if text.contains("newer") && text.contains(file)),
            "{error}"
        );
        db.pragma_update(None, "user_version", ours).unwrap();
    }
    directory.try_open().await.unwrap();
}

#[tokio::test]
async fn damaged_files_are_named() {
    for file in ["cuegate.db", "inbox.db"] {
        let directory = Directory::new();
        std::fs::write(
            directory.0.path().join(file),
            "this is no database ".repeat(1_000),
        )
        .unwrap();
        let error = directory.try_open().await.unwrap_err();
        assert!(
            matches!(&error, StoreError::Corrupt(text) if text.contains(file) && text.contains("backup")),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_data_directory_that_cannot_be_made_is_named() {
    let directory = Directory::new();
    std::fs::write(directory.0.path().join("file"), "").unwrap();
    let path = directory.0.path().join("file/data/cuegate.db");
    let error = open_with(SqliteOptions::at(path)).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Failed(text) if text.contains("file/data")),
        "{error}"
    );
}

/// Breaks what is stored of the run in lane `a`, and expects it to end while lanes `a` and `b` go on.
async fn a_broken_run_ends(break_it: &str) {
    let directory = Directory::new();
    let store = open(&directory).await;
    let runs = enqueue(&*store, 0, &[("tag", "a"), ("tag", "a"), ("tag", "b")]).await;
    let first = store
        .claim(Claiming::up_to(1), at(0))
        .await
        .unwrap()
        .remove(0);
    append(
        &*store,
        first.lease,
        JournalEntry::Answer(Box::new(read(0))),
    )
    .await;
    settle(&*store, first.lease, Settlement::Released).await;
    directory
        .connect("cuegate.db")
        .execute_batch(break_it)
        .unwrap();
    let claims = store.claim(Claiming::up_to(1), at(0)).await.unwrap();
    assert_eq!(claims[0].run.id, runs[1], "{break_it}");
    let claims = store.claim(Claiming::up_to(100), at(0)).await.unwrap();
    assert_eq!(claims[0].run.id, runs[2], "{break_it}");
    let dead = RunFilter {
        states: vec![RunState::Dead],
        ..RunFilter::default()
    };
    let counted = store.counts().await.unwrap().runs;
    assert!(
        counted.contains(&(RunState::Dead, 1)),
        "{break_it}: {counted:?}"
    );
    for run in store.runs(dead).await.unwrap() {
        assert_eq!(run.id, runs[0]);
        let failure = run.failure.unwrap();
        assert!(failure.message.contains("cannot be read"), "{failure}");
        assert!(failure.hint.is_some());
    }
}

#[tokio::test]
async fn a_run_that_cannot_be_read_back_ends_and_lets_its_lane_go_on() {
    for break_it in [
        "UPDATE event_body SET json = '{\"id\":' WHERE event = 1",
        "UPDATE step SET answer = 'x' WHERE run = 1",
        "DELETE FROM step WHERE run = 1",
        "UPDATE run SET created_at = 9223372036854775807 WHERE id = 1",
        "DELETE FROM event WHERE number = 1",
    ] {
        a_broken_run_ends(break_it).await;
    }
}

#[tokio::test]
async fn an_accepted_row_that_cannot_be_read_back_is_kept_apart_and_the_others_go_on() {
    let directory = Directory::new();
    let store = open(&directory).await;
    store.accept(events([1, 2, 3])).await.unwrap();
    let broken = "UPDATE accepted SET json = 'half an eve' WHERE number IN (1, 3)";
    directory.connect("inbox.db").execute_batch(broken).unwrap();
    let batch = store.unrouted(100).await.unwrap();
    assert_eq!(batch.events, events([2]));
    let decisions = vec![routed(vec![new_run("tag", "a")])];
    store.route(routing(batch.batch, decisions)).await.unwrap();
    assert!(store.unrouted(100).await.unwrap().events.is_empty());
    assert_eq!(store.counts().await.unwrap().unrouted, 0);
    claim_one(&*store).await;
    let kept: (i64, Vec<u8>) = directory
        .connect("cuegate.db")
        .query_row("SELECT count(*), min(bytes) FROM unreadable", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    assert_eq!(kept, (2, b"half an eve".to_vec()));
}

#[tokio::test]
async fn routed_events_leave_the_inbox() {
    let directory = Directory::new();
    let store = open(&directory).await;
    let lanes = vec![("tag", "a"); 90];
    for round in 0..30 {
        enqueue(&*store, round * 100, &lanes).await;
    }
    store.accept(events([9_999])).await.unwrap();
    let rows = |directory: &Directory| -> i64 {
        let db = directory.connect("inbox.db");
        db.query_row("SELECT count(*) FROM accepted", [], |row| row.get(0))
            .unwrap()
    };
    assert!(rows(&directory) <= 1_000, "{}", rows(&directory));
    assert_eq!(store.counts().await.unwrap().unrouted, 1);
    store.close().await.unwrap();
    assert_eq!(rows(&directory), 1, "only what is not routed is left");
    assert_eq!(
        directory.open().await.unrouted(10).await.unwrap().events,
        events([9_999])
    );
}

async fn lose_the_inbox(directory: &Directory) {
    for file in ["inbox.db", "inbox.db-wal", "inbox.db-shm"] {
        let path = directory.0.path().join(file);
        if path.exists() {
            std::fs::remove_file(path).unwrap();
        }
    }
}

#[tokio::test]
async fn a_new_inbox_starts_at_its_beginning() {
    let directory = Directory::new();
    let store = open(&directory).await;
    enqueue(&*store, 0, &[("tag", "a"), ("tag", "a")]).await;
    store.close().await.unwrap();
    lose_the_inbox(&directory).await;
    let store = directory.open().await;
    store.accept(events([5])).await.unwrap();
    assert_eq!(store.unrouted(10).await.unwrap().events, events([5]));
}

#[tokio::test]
async fn an_older_copy_of_the_inbox_loses_no_new_event() {
    let directory = Directory::new();
    let store = open(&directory).await;
    store.close().await.unwrap();
    let inbox = directory.0.path().join("inbox.db");
    let copy = std::fs::read(&inbox).unwrap();
    let store = directory.open().await;
    enqueue(&*store, 0, &[("tag", "a"), ("tag", "a")]).await;
    store.close().await.unwrap();
    lose_the_inbox(&directory).await;
    std::fs::write(&inbox, copy).unwrap();
    // The numbers 1 and 2 count as routed; they are given again now.
    let store = directory.open().await;
    store.accept(events([5])).await.unwrap();
    assert_eq!(store.unrouted(10).await.unwrap().events, events([5]));
}

#[tokio::test]
async fn an_older_copy_of_the_inbox_loses_no_event_of_a_sender_that_was_further() {
    let directory = Directory::new();
    let store = open(&directory).await;
    let flood = |numbers: std::ops::Range<u32>| numbers.map(|number| turns::of("flood", number));
    store.accept(flood(0..10).collect()).await.unwrap();
    store.close().await.unwrap();
    let inbox = directory.0.path().join("inbox.db");
    let copy = std::fs::read(&inbox).unwrap();
    let store = directory.open().await;
    store.accept(flood(10..20).collect()).await.unwrap();
    store.accept(vec![turns::of("quiet", 1)]).await.unwrap();
    let routed = turns::route_one_batch(&*store, 4).await;
    assert!(routed.contains(&"quiet 1".to_owned()), "{routed:?}");
    store.close().await.unwrap();
    lose_the_inbox(&directory).await;
    std::fs::write(&inbox, copy).unwrap();
    // The copy goes further than the cursor, but not as far as the quiet sender was routed.
    let store = directory.open().await;
    store.accept(vec![turns::of("quiet", 2)]).await.unwrap();
    let routed = turns::route_one_batch(&*store, 100).await;
    assert!(routed.contains(&"quiet 2".to_owned()), "{routed:?}");
}

#[tokio::test]
async fn claiming_waking_and_listing_use_an_index() {
    let directory = Directory::new();
    directory.open().await.close().await.unwrap();
    let db = directory.connect("cuegate.db");
    for sql in [
        "SELECT rule FROM lane WHERE state = 'ready' AND rule > ?1 ORDER BY rule LIMIT 1",
        "SELECT id FROM lane WHERE state = 'ready' AND rule = ?1 ORDER BY rank, head_run LIMIT 1",
        "SELECT count(*) FROM lane WHERE state = 'leased' AND rule = ?1",
        "SELECT id FROM run WHERE lane = ?1 AND ended_at IS NULL ORDER BY seq LIMIT 1",
        "SELECT run FROM timer WHERE due_at <= ?1 ORDER BY due_at LIMIT 10",
        "SELECT id FROM run WHERE run.state = ?1 ORDER BY run.id DESC LIMIT 10",
        "SELECT event FROM event_key WHERE key = ?1 AND dedup_window IN (6, 7) ORDER BY dedup_window LIMIT 1",
    ] {
        let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let mut rows = statement.query(["x"]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let plan: String = row.get(3).unwrap();
            assert!(
                !plan.contains("SCAN") && !plan.contains("TEMP B-TREE"),
                "{sql}: {plan}"
            );
        }
    }
}

#[tokio::test]
async fn the_files_can_be_anywhere() {
    let directory = Directory::new();
    let odd = directory.0.path().join("a b%20'ö/data");
    let store = open_with(SqliteOptions::at(odd.join("cuegate.db")))
        .await
        .unwrap();
    store.accept(events([1])).await.unwrap();
    assert_eq!(store.unrouted(1).await.unwrap().events, events([1]));
    assert!(Path::new(&odd).join("inbox.db").exists());
}
