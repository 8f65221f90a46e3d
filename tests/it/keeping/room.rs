//! The disk below the store: how much room must be left, and which file systems are refused.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cuegate::clock::ManualClock;
use cuegate::model::*;
use cuegate::store::*;
use rustix::fs::{FallocateFlags, fallocate};
use serde_json::json;

use super::filled::Files;
use super::types;
use crate::gateway::{Gateway, eventually, simulated, webhook};
use crate::store_contract::{append, at, claim_one, enqueue, events, intent, rule_set, settle};

/// A disk that says what it is told to say.
#[derive(Debug)]
struct Told {
    free: AtomicU64,
    kind: (u64, &'static str),
}

impl Disk for Told {
    fn free_bytes(&self, _: &Path) -> io::Result<u64> {
        Ok(self.free.load(Ordering::Relaxed))
    }

    fn file_system(&self, _: &Path) -> io::Result<(u64, String)> {
        Ok((self.kind.0, self.kind.1.to_owned()))
    }
}

fn told(kind: (u64, &'static str)) -> Arc<Told> {
    let free = AtomicU64::new(10_000);
    Arc::new(Told { free, kind })
}

async fn open(
    files: &Files,
    disk: &Arc<Told>,
    allow_network_fs: bool,
) -> Result<SqliteStore, StoreError> {
    let options = SqliteOptions {
        min_free: 1_000,
        disk: Arc::clone(disk) as Arc<dyn Disk>,
        allow_network_fs,
        ..files.options()
    };
    SqliteStore::open(options, Arc::new(ManualClock::at(at(0)))).await
}

const EXT4: (u64, &str) = (0xef53, "ext4");

#[tokio::test]
async fn below_the_floor_nothing_new_is_taken_and_what_is_under_way_goes_on() {
    let (files, disk) = (Files::new(), told(EXT4));
    let store = open(&files, &disk, false).await.unwrap();
    store.activate_rule_set(rule_set("one")).await.unwrap();
    enqueue(&store, 1, &[("tag", "a")]).await;
    let lease = claim_one(&store).await.lease;
    disk.free.store(999, Ordering::Relaxed);
    // The measurement of a moment ago may still count.
    let refused = eventually("events are refused", async || {
        store.accept(events([50])).await.err()
    });
    let refused = refused.await;
    assert!(
        matches!(&refused, StoreError::NoRoom(why) if why.contains("999 bytes are free") && why.contains("min_free")),
        "{refused}"
    );
    let before = store.counts().await.unwrap().unrouted;
    for _ in 0..5 {
        let batch = store.accept(events(60..70)).await;
        assert!(matches!(batch, Err(StoreError::NoRoom(_))), "{batch:?}");
    }
    assert_eq!(
        store.counts().await.unwrap().unrouted,
        before,
        "nothing half stored"
    );
    assert!(store.health().await.unwrap().no_room.is_some());
    let written = append(&store, lease, JournalEntry::Intent(intent(0))).await;
    assert_eq!(written, Fenced::Written);
    assert_eq!(
        settle(&store, lease, Settlement::Succeeded).await,
        Fenced::Written
    );
    // With room again it goes on by itself, at once.
    disk.free.store(1_000, Ordering::Relaxed);
    store.accept(events([80])).await.unwrap();
    assert_eq!(store.health().await.unwrap().no_room, None);
    assert_eq!(store.check().await.unwrap(), []);
}

#[tokio::test]
async fn a_network_file_system_is_refused_unless_it_is_allowed() {
    for kind in [
        (0x6969, "nfs4"),
        (0xff53_4d42, "cifs"),
        (0x6573_5546, "fuse.sshfs"),
    ] {
        let (files, disk) = (Files::new(), told(kind));
        let refused = open(&files, &disk, false).await.unwrap_err();
        assert!(
            matches!(&refused, StoreError::Unsuitable(why) if why.contains("allow_network_fs")),
            "{refused}"
        );
        let made: Vec<_> = fs::read_dir(files.path("")).unwrap().collect();
        assert!(made.is_empty(), "{made:?}");
        open(&files, &disk, true)
            .await
            .unwrap()
            .close()
            .await
            .unwrap();
    }
    let files = Files::new();
    open(&files, &told(EXT4), false)
        .await
        .unwrap()
        .close()
        .await
        .unwrap();
}

const RULE: &str =
    "rule(#{ on: [\"assets/entity/create\"] });\nfn run(event) { log::info(\"seen\"); }\n";

/// The gateway on a disk in memory, whose room is taken by a large file and given back.
#[tokio::test]
async fn senders_are_told_503_while_there_is_no_room_and_200_afterwards() {
    let memory = Path::new("/dev/shm");
    let disk = tempfile::tempdir_in(memory).unwrap();
    let free = SystemDisk.free_bytes(disk.path()).unwrap();
    let (margin, large) = (8 << 20, 16 << 20);
    assert!(
        free > 2 * large,
        "{free} bytes are free in {}",
        memory.display()
    );
    let simulator = simulated(json!({})).await;
    let mut gateway = Gateway::new(&simulator, &[("rule.rhai", RULE)]);
    gateway.replace(
        "url = \"sqlite:data/cuegate.db\"",
        &format!(
            "url = \"sqlite:{}/cuegate.db\"\nretention = {{ min_free = \"{}B\" }}",
            disk.path().display(),
            free - margin
        ),
    );
    gateway.start().await;
    let arrival = || {
        let object = uuid::Uuid::new_v4().to_string();
        webhook("entity", "create", &object, &json!({ "id": object }))
    };
    gateway.accepted(&arrival(), &[]).await;
    gateway.until_runs(RunState::Succeeded, 1).await;

    let file = File::create(disk.path().join("large")).unwrap();
    fallocate(&file, FallocateFlags::empty(), 0, large).unwrap();
    let refused = eventually("events are refused", async || {
        let (status, answer) = gateway.post(&arrival(), &[]).await;
        (status == 503).then_some(answer)
    });
    let refused = refused.await;
    let unready = eventually("it is not ready", async || {
        gateway.readyz().await.filter(|(status, _)| *status == 503)
    });
    let (_, report) = unready.await;
    assert!(
        report["parts"]["store"]
            .as_str()
            .unwrap()
            .contains("min_free"),
        "{report}"
    );
    let accepted = gateway.metric("cuegate_runs{state=\"succeeded\"}").await;
    for _ in 0..20 {
        let (status, answer) = gateway.post(&arrival(), &[]).await;
        assert_eq!(status, 503, "{answer}");
        assert_eq!(answer, refused);
    }
    assert!(gateway.retry_after(&arrival()).await.is_some());

    fs::remove_file(disk.path().join("large")).unwrap();
    drop(file);
    let id = eventually("events are taken again", async || {
        let (status, answer) = gateway.post(&arrival(), &[]).await;
        (status == 200).then(|| crate::gateway::event_id(&answer))
    });
    id.await;
    gateway.until_ready().await;
    gateway.until_quiet().await;
    let now = gateway.metric("cuegate_runs{state=\"succeeded\"}").await;
    assert_eq!(now - accepted, 1.0, "those that were refused are not there");
    gateway.stop().await;
    types(&gateway, &["store", "check"])
        .await
        .ended(0, &["no findings"]);
}
