//! `cuegate store check` as people use it, and what a gateway does with what was edited by hand.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use cuegate::model::*;
use cuegate::simulator::Simulator;
use cuegate::store::*;
use rusqlite::Connection;
use serde_json::{Value, json};

use super::filled::{Files, LATE, everything_ends, filled, walk};
use super::{Said, types};
use crate::gateway::{Gateway, simulated, webhook};
use crate::store_contract::{
    append, at, claim_one, enqueue, nothing_to_claim, open, read, rule_set, settle,
};

const ASSET: &str = "2c5bfe1a-f149-11eb-a843-0a580a3db916";

/// Reads, sleeps, writes.
const SLEEPER: &str = r#"
rule(#{ on: ["assets/entity/create"], allow: ["assets:write"] });
fn run(event) {
    let asset = iconik::asset(event.asset_id);
    sleep("2s");
    iconik::put(`assets/v1/assets/${event.asset_id}/`, #{ title: `${asset.title}!` });
}
"#;

/// The same for another event.
const OTHER: &str = r#"
rule(#{ on: ["assets/entity/update"], allow: ["assets:write"] });
fn run(event) {
    let asset = iconik::asset(event.asset_id);
    sleep("2s");
    iconik::put(`assets/v1/assets/${event.asset_id}/`, #{ title: `${asset.title}?` });
}
"#;

fn seed() -> Value {
    json!({ "assets": [{ "id": ASSET, "title": "Interview" }] })
}

/// A gateway that was stopped while a run of each rule sleeps; the first run is the one of [`SLEEPER`].
async fn asleep(simulator: &Simulator) -> Gateway {
    let rules = [("sleeper.rhai", SLEEPER), ("other.rhai", OTHER)];
    let mut gateway = Gateway::started(simulator, &rules).await;
    for (operation, runs) in [("create", 1), ("update", 2)] {
        let body = webhook("entity", operation, ASSET, &json!({ "id": ASSET }));
        gateway.accepted(&body, &[]).await;
        gateway.until_runs(RunState::Waiting, runs).await;
    }
    gateway.stop().await;
    gateway
}

fn database(gateway: &Gateway) -> Connection {
    Connection::open(gateway.path("data/cuegate.db")).unwrap()
}

/// Goes on: the run of [`SLEEPER`] is dead for this reason, the other one has succeeded.
async fn only_the_sleeper_dies(
    gateway: &mut Gateway,
    simulator: &Simulator,
    code: i32,
    says: &[&str],
) {
    gateway.start().await;
    gateway.until_runs(RunState::Dead, 1).await;
    gateway.until_runs(RunState::Succeeded, 1).await;
    let shown = types(gateway, &["runs", "show", "1"]).await;
    shown.ended(code, says);
    gateway.stop().await;
    let title = simulator.world().asset(ASSET).unwrap()["title"].clone();
    assert_eq!(title, "Interview?");
}

async fn is_in_order(gateway: &Gateway) {
    types(gateway, &["store", "check"])
        .await
        .ended(0, &["no findings"]);
}

#[tokio::test]
async fn a_journal_that_was_edited_by_hand_ends_its_run_and_no_other() {
    let simulator = simulated(seed()).await;
    let mut gateway = asleep(&simulator).await;
    // Another asset was asked for than the rule asks for.
    database(&gateway)
        .execute_batch("UPDATE step SET digest = zeroblob(16) WHERE run = 1 AND number = 0")
        .unwrap();
    let says = ["dead (diverged)", "assets/v1/assets/"];
    only_the_sleeper_dies(&mut gateway, &simulator, 0, &says).await;
    is_in_order(&gateway).await;

    let simulator = simulated(seed()).await;
    let mut gateway = asleep(&simulator).await;
    database(&gateway)
        .execute_batch("UPDATE step SET answer = '{\"status\": 200' WHERE run = 1 AND number = 0")
        .unwrap();
    let says = [
        "dead (diverged)",
        "what is stored of this run cannot be read",
        "compare with a backup",
    ];
    only_the_sleeper_dies(&mut gateway, &simulator, 1, &says).await;
    let check = ["store", "check"];
    let found = types(&gateway, &check).await;
    found.ended(1, &["journal_unreadable: run 1", "1 finding(s)"]);
    let repair = ["store", "check", "--repair"];
    types(&gateway, &repair).await.ended(0, &["all repaired"]);
    is_in_order(&gateway).await;
}

#[tokio::test]
async fn a_run_whose_version_does_not_compile_any_more_ends_with_the_place_and_no_other() {
    let simulator = simulated(seed()).await;
    let mut gateway = asleep(&simulator).await;
    // What an upgrade of the rule language may do: the kept source means nothing any more.
    let changed = database(&gateway)
        .execute(
            "UPDATE rule_set SET json = replace(json, 'let asset = iconik::asset(event.asset_id);\\n    sleep(\\\"2s\\\");\\n    iconik::put(`assets/v1/assets/${event.asset_id}/`, #{ title: `${asset.title}!`', 'let asset = = ;')",
            [],
        )
        .unwrap();
    assert_eq!(changed, 1);
    assert!(
        database(&gateway)
            .query_row(
                "SELECT json LIKE '%let asset = = ;%' FROM rule_set",
                [],
                |row| row.get::<_, bool>(0)
            )
            .unwrap()
    );
    // The rules of now are another set.
    gateway.write("rules/sleeper.rhai", &format!("// changed\n{SLEEPER}"));
    let says = ["dead (script_error)", "sleeper.rhai:4:"];
    only_the_sleeper_dies(&mut gateway, &simulator, 0, &says).await;
    is_in_order(&gateway).await;
}

#[tokio::test]
async fn files_of_a_newer_version_are_left_alone_by_every_command() {
    let simulator = simulated(seed()).await;
    let mut gateway = asleep(&simulator).await;
    for name in ["cuegate.db", "inbox.db"] {
        let file = gateway.path("data").join(name);
        let db = Connection::open(&file).unwrap();
        let ours: u32 = db
            .query_row("PRAGMA user_version", [], |row| row.get(0))
            .unwrap();
        db.pragma_update(None, "user_version", 99).unwrap();
        db.close().unwrap();
        let before = fs::read(&file).unwrap();
        for command in [
            &["serve"][..],
            &["store", "check"],
            &["store", "check", "--repair"],
            &["store", "stats"],
            &["store", "prune"],
            &["store", "backup", "copy"],
        ] {
            let said = types(&gateway, command).await;
            said.ended(1, &[name, "newer Cuegate (schema 99"]);
        }
        assert!(!gateway.path("copy").exists(), "nothing was begun");
        assert!(fs::read(&file).unwrap() == before, "{name} was changed");
        let db = Connection::open(&file).unwrap();
        db.pragma_update(None, "user_version", ours).unwrap();
    }
    gateway.start().await;
    gateway.until_runs(RunState::Succeeded, 2).await;
    gateway.stop().await;
}

#[tokio::test]
async fn findings_are_told_in_words_repaired_on_request_and_counted_for_scripts() {
    let files = filled().await;
    let breaks = "DELETE FROM step WHERE run = 6; UPDATE lane SET state = 'idle', head_run = NULL WHERE key = 'a'";
    files.connect().execute_batch(breaks).unwrap();
    files.configure();
    let found = files.types(&["store", "check"]);
    found.ended(
        1,
        &[
            "journal_gap: run 6: it has 1 answered steps, and 0 of them are kept",
            "→: steps after the gap are set aside",
            "lane_head: lane 1 (tag, a): it is idle at no run",
            "2 finding(s); `cuegate store check --repair` does what the arrows say",
        ],
    );
    let report = files.types(&["store", "check", "--format", "json"]);
    assert_eq!(report.code, Some(1));
    assert_eq!(report.json()["left"], 2);
    assert_eq!(report.json()["findings"][0]["kind"], "journal_gap");
    let repaired = files.types(&["store", "check", "--repair"]);
    repaired.ended(0, &["repaired: steps after the gap", "all repaired"]);
    files.types(&["store", "check"]).ended(0, &["no findings"]);
    everything_ends(&files).await;
}

#[tokio::test]
async fn a_check_waits_for_nobody_and_makes_no_files() {
    let files = filled().await;
    files.configure();
    let store = files.open().await;
    let holder = format!("process {} holds", std::process::id());
    for command in [
        &["store", "check"][..],
        &["store", "check", "--repair"],
        &["store", "prune"],
    ] {
        let said = files.types(command);
        said.ended(75, &[&holder]);
    }
    store.close().await.unwrap();
    let empty = Files::new();
    empty.configure();
    for command in [
        &["store", "check"][..],
        &["store", "stats"],
        &["store", "prune"],
        &["store", "backup", "copy"],
    ] {
        let said = empty.types(command);
        said.ended(1, &["there is no", "cuegate.db"]);
    }
    let made: Vec<_> = fs::read_dir(empty.path("")).unwrap().collect();
    assert_eq!(made.len(), 1, "only the configuration is there: {made:?}");
}

/// A run whose journal was cut short may have made more writes than are left in it.
#[tokio::test]
async fn what_a_repair_has_cut_short_is_not_retried_and_its_writes_count_as_repeated() {
    for (breaks, uncertain) in [
        ("DELETE FROM step WHERE run = 4 AND number = 0", 1),
        ("UPDATE intent SET effect = 'x' WHERE run = 4", 1),
        (
            "UPDATE step SET answer = 'x' WHERE run = 4 AND number = 1",
            1,
        ),
    ] {
        let files = wrote_and_died().await;
        files.connect().execute_batch(breaks).unwrap();
        let repaired = files.repair().await;
        assert!(repaired.iter().all(|one| one.repaired), "{repaired:?}");
        let store = files.open().await;
        let deciding = Deciding {
            by: None,
            at: at(LATE),
        };
        let retrying = Retrying {
            how: None,
            deciding,
        };
        let refused = store.retry(RunId(4), retrying).await;
        assert!(
            matches!(&refused, Err(StoreError::Refused(why)) if why.contains("runs replay 4")
                || why.contains("--as happened")),
            "{breaks}: {refused:?}"
        );
        let repeats = store.repeats(RunId(4)).await.unwrap();
        assert_eq!(
            repeats.made + repeats.uncertain,
            uncertain,
            "{breaks}: {repeats:?}"
        );
    }
}

/// Run 4 has made a write and failed afterwards.
async fn wrote_and_died() -> Files {
    let files = Files::new();
    let store = files.open().await;
    store.activate_rule_set(rule_set("one")).await.unwrap();
    enqueue(
        &*store,
        1,
        &[("a", "1"), ("a", "1"), ("a", "1"), ("fall", "b")],
    )
    .await;
    let claims = store.claim(Claiming::up_to(9), at(10)).await.unwrap();
    let lease = claims
        .iter()
        .find(|one| one.run.id == RunId(4))
        .unwrap()
        .lease;
    append(&*store, lease, JournalEntry::Answer(Box::new(read(0)))).await;
    append(
        &*store,
        lease,
        JournalEntry::Intent(crate::store_contract::intent(1)),
    )
    .await;
    append(
        &*store,
        lease,
        JournalEntry::Answer(Box::new(crate::store_contract::answer(1))),
    )
    .await;
    let failure = Failure::new(DeadClass::ScriptError, "a word is missing");
    settle(&*store, lease, Settlement::Dead(failure)).await;
    store.close().await.unwrap();
    files
}

/// Objects for which no run has been made yet are numbered; a hole in the numbers must not stop the rest.
#[tokio::test]
async fn an_each_that_has_lost_an_object_goes_on_with_the_others() {
    let files = Files::new();
    let place: &dyn crate::store_contract::Place = &files;
    let store = open(place).await;
    enqueue(&*store, 1, &[("walk", "a")]).await;
    let claim = claim_one(&*store).await;
    walk(&*store, &claim, 503).await;
    let how = Settlement::Waiting {
        waits: Waits::Children,
        until: at(2 * LATE),
        reason: "it waits for its children".to_owned(),
        failing_since: None,
    };
    settle(&*store, claim.lease, how).await;
    store.close().await.unwrap();
    drop(store);
    files
        .connect()
        .execute_batch("DELETE FROM walk_object WHERE number = 501")
        .unwrap();
    let found = files.check().await;
    assert_eq!(
        found.iter().map(|one| one.kind).collect::<Vec<_>>(),
        ["walk_objects"]
    );
    let repaired = files.repair().await;
    assert!(repaired.iter().all(|one| one.repaired), "{repaired:?}");
    everything_ends(&files).await;
    let store: Arc<dyn Store> = files.open().await;
    let parent = store.run(RunId(1)).await.unwrap().unwrap();
    assert_eq!(parent.state, RunState::Succeeded);
    let children = RunFilter {
        parent: Some(RunId(1)),
        limit: 1_000,
        ..RunFilter::default()
    };
    assert_eq!(store.runs(children).await.unwrap().len(), 502);
}

/// A leaf of a table in the middle of the file, filled with what was never written.
fn damage(files: &Files, table: &str) {
    let db = files.connect();
    let (page, size): (u32, u32) = db
        .query_row(
            "SELECT pageno, pgsize FROM dbstat WHERE name = ?1 AND pagetype = 'leaf' ORDER BY path LIMIT 1 OFFSET 1",
            [table],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .unwrap();
    db.close().unwrap();
    let file = File::options()
        .write(true)
        .open(files.path("cuegate.db"))
        .unwrap();
    let garbage = vec![0xa5; size as usize];
    file.write_all_at(&garbage, u64::from(page - 1) * u64::from(size))
        .unwrap();
}

/// 300 runs of events in lanes of their own.
async fn many() -> Files {
    let files = Files::new();
    let store = open(&files).await;
    let lanes: Vec<String> = (0..300).map(|number| number.to_string()).collect();
    let runs: Vec<(&str, &str)> = lanes.iter().map(|lane| ("tag", lane.as_str())).collect();
    enqueue(&*store, 1, &runs).await;
    store.close().await.unwrap();
    files
}

#[tokio::test]
async fn a_damaged_page_is_told_and_no_repair_throws_away_what_can_still_be_read() {
    for table in ["event_body", "run", "event"] {
        let files = many().await;
        damage(&files, table);
        let found = files.check().await;
        assert!(
            found
                .iter()
                .any(|one| one.kind == "file_damaged" && one.place == "cuegate.db"),
            "{table}: {found:#?}"
        );
        let before = fs::read(files.path("cuegate.db")).unwrap();
        files.configure();
        let said: Said = files.types(&["store", "check", "--repair"]);
        said.ended(1, &["file_damaged", "restore a backup"]);
        let after = fs::read(files.path("cuegate.db")).unwrap();
        assert!(
            before == after,
            "{table}: files that a backup must replace were changed"
        );
    }
}

/// Nobody knows what an unreadable pause was about, so nothing goes on until a person has looked.
#[tokio::test]
async fn a_pause_that_cannot_be_read_stops_everything_before_and_after_a_repair() {
    let files = filled().await;
    let garbage = "UPDATE pause SET scope = 'wri' || 'tten' WHERE scope = 'rule:careful'";
    files.connect().execute_batch(garbage).unwrap();
    let store = files.open().await;
    let refused = store.claim(Claiming::up_to(9), at(LATE)).await;
    assert!(
        matches!(&refused, Err(StoreError::Corrupt(why)) if why.contains("cuegate store check")),
        "{refused:?}"
    );
    store.close().await.unwrap();
    drop(store);
    files.repair().await;
    let store = files.open().await;
    let pauses = store.pauses().await.unwrap();
    assert_eq!(pauses.len(), 1);
    assert_eq!(pauses[0].scope, PauseScope::All);
    assert!(pauses[0].reason.contains("set aside"), "{pauses:?}");
    nothing_to_claim(&*store).await;
    assert!(store.resume(PauseScope::All).await.unwrap());
    let claims = store.claim(Claiming::up_to(9), at(LATE)).await.unwrap();
    assert!(!claims.is_empty());
    store.close().await.unwrap();
}

#[tokio::test]
async fn what_a_repair_has_set_aside_is_not_said_to_be_outside_retention() {
    let files = filled().await;
    let garbage = "UPDATE event_body SET json = '{' WHERE event IN (6, 11);
                   UPDATE run SET event = 900 WHERE id = 7";
    files.connect().execute_batch(garbage).unwrap();
    let repaired = files.repair().await;
    assert!(repaired.iter().all(|one| one.repaired), "{repaired:?}");
    let store = files.open().await;
    let event = crate::store_contract::event(6).id;
    let run = store.run(RunId(6)).await.unwrap().unwrap();
    assert_eq!((run.event, run.state), (event, RunState::Dead));
    for refused in [
        store.event(event).await.map(|_| ()),
        store.run(RunId(7)).await.map(|_| ()),
    ] {
        assert!(
            matches!(&refused, Err(StoreError::Corrupt(why)) if why.contains("set_aside")),
            "{refused:?}"
        );
    }
    store.close().await.unwrap();
}
