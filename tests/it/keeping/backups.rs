//! Copies that are made while a gateway works, and what comes of them when they take the place of the store.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cuegate::model::*;
use cuegate::simulator::{HoldPoint, Matching};
use cuegate::store::*;
use serde_json::{Value, json};

use super::contents::contents;
use super::filled::{Files, LATE, filled};
use super::types;
use crate::gateway::{Gateway, event_id, eventually, simulated, webhook, within};
use crate::store_contract::{at, claim_one, event, events, nothing_to_claim, rule_set};

const ASSET: &str = "2c5bfe1a-f149-11eb-a843-0a580a3db916";

const RENAME: &str = r#"
rule(#{ on: ["assets/entity/create"], lane: "object", allow: ["assets:write"] });
fn run(event) {
    let asset = iconik::asset("2c5bfe1a-f149-11eb-a843-0a580a3db916");
    iconik::put("assets/v1/assets/2c5bfe1a-f149-11eb-a843-0a580a3db916/", #{ title: `${asset.title}!` });
}
"#;

fn seed() -> Value {
    json!({ "assets": [{ "id": ASSET, "title": "Interview" }] })
}

fn arrival() -> Value {
    let object = uuid::Uuid::new_v4().to_string();
    webhook("entity", "create", &object, &json!({ "id": object }))
}

async fn back_up(files: &Files, to: &Path) -> Result<Manifest, StoreError> {
    SqliteStore::backup(&files.options(), to, at(50)).await
}

async fn restore(files: &Files, from: &Path) -> Result<Restored, StoreError> {
    SqliteStore::restore(&files.options(), from, at(60)).await
}

/// The names in a directory.
fn names(directory: &Path) -> BTreeSet<String> {
    fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[tokio::test]
async fn a_backup_beside_a_gateway_at_work_has_everything_that_was_acknowledged_before_it_began() {
    let simulator = simulated(seed()).await;
    let mut gateway = Gateway::started(&simulator, &[("rename.rhai", RENAME)]).await;
    let enough = Arc::new(AtomicBool::new(false));
    let mut before = Vec::new();
    for _ in 0..50 {
        before.push(gateway.accepted(&arrival(), &[]).await);
    }
    let sending = async {
        let mut during = 0;
        while !enough.load(Ordering::Relaxed) {
            let (status, answer) = gateway.post(&arrival(), &[]).await;
            assert_eq!(status, 200, "{answer}");
            event_id(&answer);
            during += 1;
        }
        during
    };
    let backing_up = async {
        let mut copies = Vec::new();
        for name in ["one", "two", "three"] {
            let said = types(&gateway, &["store", "backup", name]).await;
            said.ended(0, &["is whole", "cuegate.db", "inbox.db"]);
            copies.push(name);
        }
        enough.store(true, Ordering::Relaxed);
        copies
    };
    let (during, copies) = tokio::join!(sending, backing_up);
    assert!(during > 10, "only {during} events arrived meanwhile");
    gateway.stop().await;
    for name in copies {
        let copy = gateway.path(name);
        assert_eq!(
            names(&copy),
            ["cuegate.db", "inbox.db", "manifest.json"]
                .map(str::to_owned)
                .into()
        );
        let manifest: Manifest =
            serde_json::from_slice(&fs::read(copy.join("manifest.json")).unwrap()).unwrap();
        assert!(manifest.routed <= manifest.accepted, "{manifest:?}");
        assert!(manifest.accepted >= 50, "{manifest:?}");
        let options = SqliteOptions::at(copy.join("cuegate.db"));
        let findings = SqliteStore::check_files(&options, false, at(LATE)).await;
        assert_eq!(findings.unwrap(), [], "{name}");
        let clock = Arc::new(cuegate::clock::SystemClock);
        let store = SqliteStore::open(options, clock).await.unwrap();
        for id in &before {
            let event = store.event(*id).await.unwrap();
            assert!(event.is_some(), "{id} is not in {name}");
        }
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_backup_holds_what_is_in_both_files_and_describes_them() {
    let files = filled().await;
    let copy = files.path("copy");
    let manifest = back_up(&files, &copy).await.unwrap();
    assert_eq!(manifest.made_at, at(50));
    assert_eq!((manifest.routed, manifest.accepted), (15, 17));
    for (file, name) in manifest.files.iter().zip(["cuegate.db", "inbox.db"]) {
        assert_eq!(file.name, name);
        assert_eq!(file.bytes, fs::metadata(copy.join(name)).unwrap().len());
    }
    let before = contents(&files.connect());
    for name in ["cuegate.db", "inbox.db"] {
        fs::copy(copy.join(name), files.path(name)).unwrap();
    }
    let mut after = contents(&files.connect());
    // Rows of the inbox that are routed go when it is closed or later.
    after.retain(|row, _| before.contains_key(row) || !row.starts_with("accepted "));
    assert_eq!(after, before);
}

#[tokio::test]
async fn a_backup_is_mixed_with_nothing_and_leaves_nothing_half_done() {
    let files = filled().await;
    let taken = files.path("taken");
    fs::create_dir(&taken).unwrap();
    fs::write(taken.join("notes.txt"), "mine").unwrap();
    let refused = back_up(&files, &taken).await;
    assert!(
        matches!(&refused, Err(StoreError::Failed(why)) if why.contains("is not empty")),
        "{refused:?}"
    );
    assert_eq!(names(&taken), ["notes.txt".to_owned()].into());

    let other = File::create(files.path("backup.lock")).unwrap();
    other.lock().unwrap();
    files.configure();
    files
        .types(&["store", "backup", "second"])
        .ended(75, &["another backup of this store is being made"]);
    assert!(!files.path("second").exists());
    other.unlock().unwrap();

    let inbox = fs::read(files.path("inbox.db")).unwrap();
    let mut broken = inbox.clone();
    broken[8_192..].fill(0xa5);
    fs::write(files.path("inbox.db"), &broken).unwrap();
    let (new, empty) = (files.path("new"), files.path("empty"));
    fs::create_dir(&empty).unwrap();
    for to in [&new, &empty] {
        let failed = back_up(&files, to).await;
        assert!(matches!(&failed, Err(StoreError::Corrupt(_))), "{failed:?}");
    }
    assert!(!new.exists() && names(&empty).is_empty());
    fs::write(files.path("inbox.db"), &inbox).unwrap();
    back_up(&files, &empty).await.unwrap();
}

type Spoil = fn(&Path);

/// What can be wrong with a backup, and what is said about it.
const SPOILT: &[(&str, Spoil, &str)] = &[
    (
        "no manifest",
        |copy| fs::remove_file(copy.join("manifest.json")).unwrap(),
        "is no whole backup",
    ),
    (
        "half a manifest",
        |copy| fs::write(copy.join("manifest.json"), "{\"format\":").unwrap(),
        "manifest.json",
    ),
    (
        "another format",
        |copy| edit(copy, |manifest| manifest["format"] = json!(2)),
        "its format is 2",
    ),
    (
        "other files",
        |copy| {
            edit(copy, |manifest| {
                manifest["files"][0]["name"] = json!("../x");
            });
        },
        "names other files",
    ),
    (
        "a byte changed",
        |copy| flip(&copy.join("cuegate.db")),
        "is not what the backup's manifest says",
    ),
    (
        "an inbox changed",
        |copy| flip(&copy.join("inbox.db")),
        "is not what the backup's manifest says",
    ),
    (
        "a file missing",
        |copy| fs::remove_file(copy.join("inbox.db")).unwrap(),
        "cannot read",
    ),
    (
        "a file cut off",
        |copy| {
            let file = File::options()
                .write(true)
                .open(copy.join("cuegate.db"))
                .unwrap();
            file.set_len(8_192).unwrap();
        },
        "is not what the backup's manifest says",
    ),
];

fn edit(copy: &Path, change: impl Fn(&mut Value)) {
    let path = copy.join("manifest.json");
    let mut manifest: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut manifest);
    fs::write(path, manifest.to_string()).unwrap();
}

fn flip(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(file, bytes).unwrap();
}

#[tokio::test]
async fn a_backup_that_is_not_whole_is_refused_and_the_store_is_as_it_was() {
    let files = filled().await;
    // A first restore that is refused leaves what later ones leave: the lock.
    restore(&files, Path::new("nowhere")).await.unwrap_err();
    let there = |name: &str| fs::read(files.path(name)).unwrap();
    // What readers and other backups leave behind is no part of it.
    let left = |files: &Files| {
        let mut left = names(&files.path(""));
        left.retain(|name| {
            !name.ends_with("-wal") && !name.ends_with("-shm") && name != "backup.lock"
        });
        left
    };
    let before = (there("cuegate.db"), there("inbox.db"), left(&files));
    let elsewhere = tempfile::tempdir().unwrap();
    for (what, spoil, says) in SPOILT {
        let copy = elsewhere.path().join(what);
        back_up(&files, &copy).await.unwrap();
        spoil(&copy);
        let refused = restore(&files, &copy).await.unwrap_err().to_string();
        assert!(refused.contains(says), "{what}: {refused}");
        let now = (there("cuegate.db"), there("inbox.db"), left(&files));
        assert!(now == before, "{what}: {:?}", now.2);
    }
    // The inbox of an earlier backup: one that knows another past than the main file does.
    let (early, late) = (
        elsewhere.path().join("early"),
        elsewhere.path().join("late"),
    );
    back_up(&files, &early).await.unwrap();
    let store = files.open().await;
    store.accept(events([50])).await.unwrap();
    store.close().await.unwrap();
    drop(store);
    back_up(&files, &late).await.unwrap();
    fs::copy(early.join("inbox.db"), late.join("inbox.db")).unwrap();
    let refused = restore(&files, &late).await.unwrap_err().to_string();
    assert!(
        refused.contains("is not what the backup's manifest says"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_restored_store_writes_nothing_until_people_have_decided() {
    let files = filled().await;
    let copy = files.path("copy");
    back_up(&files, &copy).await.unwrap();
    let store = files.open().await;
    store.accept(events([60])).await.unwrap();
    store.close().await.unwrap();
    drop(store);
    let restored = restore(&files, &copy).await.unwrap();
    assert_eq!((restored.parked, restored.unrouted), (9, 2));
    let replaced = restored.replaced.unwrap();
    assert!(names(&replaced).is_superset(&["cuegate.db", "inbox.db"].map(str::to_owned).into()));

    let store = files.open().await;
    assert_eq!(store.check().await.unwrap(), []);
    let pauses = store.pauses().await.unwrap();
    let writes = pauses
        .iter()
        .find(|pause| pause.scope == PauseScope::Writes)
        .unwrap();
    assert!(
        writes.reason.contains("restored from a backup"),
        "{writes:?}"
    );
    assert_eq!(
        store.event(event(60).id).await.unwrap(),
        None,
        "it came after the backup"
    );
    for number in 1..=12 {
        let run = store.run(RunId(number)).await.unwrap().unwrap();
        let expected = match number {
            1 | 4 | 9 => None,
            // What it was parked for is not decided either.
            5 => Some(ParkedClass::Uncertain),
            _ => Some(ParkedClass::Restored),
        };
        assert_eq!(run.parked, expected, "{run:?}");
        assert_eq!(run.state.is_final(), expected.is_none(), "{run:?}");
        if expected.is_some() {
            let reason = run.reason.unwrap();
            assert!(
                reason.contains("what it did afterwards is not known"),
                "{reason}"
            );
        }
    }
    let (woken, next) = store.wake_due(at(LATE)).await.unwrap();
    assert_eq!((woken, next), (0, None), "nothing wakes by itself");
    nothing_to_claim(&*store).await;
    assert_eq!(store.awaited_jobs(10).await.unwrap(), Vec::<String>::new());

    people_decide(&*store).await;
    assert_eq!(store.check().await.unwrap(), []);
    store.close().await.unwrap();
}

/// A person lets one go on, and another one end.
async fn people_decide(store: &dyn Store) {
    store.activate_rule_set(rule_set("one")).await.unwrap();
    let deciding = Deciding {
        by: Some("anna".to_owned()),
        at: at(70),
    };
    let retrying = Retrying {
        how: None,
        deciding: deciding.clone(),
    };
    let fork = store.retry(RunId(6), retrying).await.unwrap();
    let claim = claim_one(store).await;
    assert_eq!(
        (claim.run.id, claim.journal.len()),
        (fork, 1),
        "it has what was answered"
    );
    assert_eq!(claim.run.released, Some(ParkedClass::Restored));
    let cancelling = Cancelling {
        reason: "not needed".to_owned(),
        deciding,
    };
    store.cancel(RunId(2), cancelling).await.unwrap();
}

#[tokio::test]
async fn nobody_restores_under_a_gateway() {
    let files = filled().await;
    let copy = files.path("copy");
    back_up(&files, &copy).await.unwrap();
    files.configure();
    let store = files.open().await;
    let holder = format!("process {} holds", std::process::id());
    files
        .types(&["store", "restore", "copy"])
        .ended(75, &[&holder]);
    assert!(store.event(event(1).id).await.unwrap().is_some());
    store.close().await.unwrap();
    drop(store);
    files.types(&["store", "restore", "copy"]).ended(
        0,
        &[
            "is the backup of",
            "9 runs were unfinished",
            "cuegate resume --writes",
        ],
    );
}

#[tokio::test]
async fn a_backup_is_restored_where_nothing_was() {
    let files = filled().await;
    let elsewhere = tempfile::tempdir().unwrap();
    let copy = elsewhere.path().join("copy");
    back_up(&files, &copy).await.unwrap();
    let new = Files::new();
    let restored = restore(&new, &copy).await.unwrap();
    assert_eq!(restored.replaced, None);
    let store = new.open().await;
    assert_eq!(store.check().await.unwrap(), []);
    assert!(store.event(event(1).id).await.unwrap().is_some());
    store.close().await.unwrap();
}

/// How far a restore was when the power went. Everything before the small file that decides it is undone, everything
/// after it is finished by whoever comes next.
#[tokio::test]
async fn a_restore_that_was_cut_off_is_finished_or_was_never_begun() {
    let files = filled().await;
    let elsewhere = tempfile::tempdir().unwrap();
    let copy = elsewhere.path().join("copy");
    back_up(&files, &copy).await.unwrap();
    let made = files.copy();
    restore(&made, &copy).await.unwrap();
    let into = |cut: &Files, name: &str| {
        fs::create_dir_all(cut.path("restoring")).unwrap();
        fs::copy(made.path(name), cut.path("restoring").join(name)).unwrap();
    };
    let decided = |cut: &Files| fs::write(cut.path("restore.pending"), "replaced-then").unwrap();
    let moved = |cut: &Files, name: &str| {
        fs::create_dir_all(cut.path("replaced-then")).unwrap();
        fs::rename(cut.path(name), cut.path("replaced-then").join(name)).unwrap();
    };
    let placed = |cut: &Files, name: &str| {
        fs::copy(made.path(name), cut.path(name)).unwrap();
    };
    for step in 0..7 {
        let cut = files.copy();
        if step < 3 {
            into(&cut, "cuegate.db");
        }
        if step > 0 && step < 6 {
            into(&cut, "inbox.db");
        }
        if step > 1 {
            decided(&cut);
        }
        if step > 2 {
            moved(&cut, "cuegate.db");
            if step == 3 {
                into(&cut, "cuegate.db");
            } else {
                placed(&cut, "cuegate.db");
            }
        }
        if step > 4 {
            moved(&cut, "inbox.db");
        }
        if step > 5 {
            placed(&cut, "inbox.db");
        }
        let store = cut.open().await;
        assert_eq!(store.check().await.unwrap(), [], "step {step}");
        let paused = store.pauses().await.unwrap();
        let restored = paused.iter().any(|pause| pause.scope == PauseScope::Writes);
        assert_eq!(restored, step > 1, "step {step}");
        store.close().await.unwrap();
        assert!(!cut.path("restore.pending").exists(), "step {step}");
        assert_eq!(
            cut.path("replaced-then").join("inbox.db").exists(),
            step > 1,
            "step {step}"
        );
        assert_eq!(
            cut.path("replaced-then").join("cuegate.db").exists(),
            step > 1,
            "step {step}"
        );
    }
}

/// The whole way, with the commands that `store restore` prints.
#[tokio::test]
async fn people_bring_a_gateway_back_from_a_backup() {
    let simulator = simulated(seed()).await;
    let mut gateway = Gateway::started(&simulator, &[("rename.rhai", RENAME)]).await;
    let path = format!("assets/v1/assets/{ASSET}/");
    let mut read = simulator.hold(Matching::path(Method::Get, &path), HoldPoint::Before);
    gateway.accepted(&arrival(), &[]).await;
    within("the rule reads", read.held()).await;
    types(&gateway, &["store", "backup", "copy"])
        .await
        .ended(0, &[]);
    read.release();
    gateway.until_runs(RunState::Succeeded, 1).await;
    let title = || simulator.world().asset(ASSET).unwrap()["title"].clone();
    assert_eq!(title(), "Interview!");
    gateway.stop().await;

    let said = types(&gateway, &["store", "restore", "copy"]).await;
    said.ended(0, &["1 runs were unfinished and are parked"]);
    gateway.start().await;
    let listed = types(&gateway, &["runs", "list", "--state", "parked"]).await;
    listed.ended(0, &["restored"]);
    // What is new comes to its write and waits there.
    gateway.accepted(&arrival(), &[]).await;
    gateway.until_runs(RunState::Waiting, 1).await;
    types(&gateway, &["runs", "retry", "1"]).await.ended(0, &[]);
    gateway.until_runs(RunState::Waiting, 2).await;
    assert_eq!(title(), "Interview!", "nothing is written yet");
    types(&gateway, &["resume", "--writes"]).await.ended(0, &[]);
    gateway.until_runs(RunState::Succeeded, 2).await;
    eventually("both have written", async || {
        (title() == "Interview!!!" || title() == "Interview!!").then_some(())
    })
    .await;
    gateway.stop().await;
    types(&gateway, &["store", "check"])
        .await
        .ended(0, &["no findings"]);
}
