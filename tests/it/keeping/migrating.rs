//! Files of the first schema, with something in every table, are brought up to date: nothing is lost, runs go on, and an
//! interruption in between leaves the files as they were.

use std::path::Path;

use cuegate::clock::{Clock as _, SystemClock};
use cuegate::model::*;
use cuegate::store::*;
use rusqlite::fallible_iterator::FallibleIterator as _;
use rusqlite::{Batch, Connection, params};
use serde_json::json;

use super::contents::texts;
use super::filled::{Files, everything_ends};
use super::types;
use crate::gateway::{Gateway, simulated, webhook};
use crate::store_contract::{answer, at, event, events, intent, read};

const MAIN_1: &str = include_str!("../../../src/store/sqlite/main_1.sql");
const INBOX_1: &str = include_str!("../../../src/store/sqlite/inbox_1.sql");

/// What comes after the first schema: of which file, which version, and how.
const LATER: &[(&str, u32, &str)] = &[
    (
        "cuegate.db",
        2,
        include_str!("../../../src/store/sqlite/main_2.sql"),
    ),
    (
        "cuegate.db",
        3,
        include_str!("../../../src/store/sqlite/main_3.sql"),
    ),
    (
        "cuegate.db",
        4,
        include_str!("../../../src/store/sqlite/main_4.sql"),
    ),
    (
        "cuegate.db",
        5,
        include_str!("../../../src/store/sqlite/main_5.sql"),
    ),
    (
        "inbox.db",
        2,
        include_str!("../../../src/store/sqlite/inbox_2.sql"),
    ),
];

/// A rule set as the first version wrote it: its header knows nothing of what came later.
const RULE_SET: &str = r#"{"id":"one","files":[{"path":"rename.rhai","source":SOURCE}],"rules":[{"rule":"rename",
"version":"v1","file":"rename.rhai","imports":[],"on":[{"source":"iconik","parts":["assets","entity","create"]}],
"button":null,"allow":["assets:write"],"lane":"default","concurrency":"queued","retry":{"min":{"secs":1,"nanos":0},
"max":{"secs":600,"nanos":0},"max_age":{"secs":86400,"nanos":0},"statuses":[],"uncertain":"park"},
"limits":{"calls_per_run":200,"writes_per_run":200},"expires":{"secs":2592000,"nanos":0},"owner":null,
"has_when":false,"about":""}],"site":"http://127.0.0.1","vars":{}}"#;

const SOURCE: &str = r#"
rule(#{ on: ["assets/entity/create"], allow: ["assets:write"] });
fn run(event) {
    let asset = iconik::asset(event.asset_id);
    iconik::put(`assets/v1/assets/${event.asset_id}/`, #{ title: `${asset.title}!` });
}
"#;

/// The first schema, by its own texts.
fn first_schema(directory: &Path) -> (Connection, Connection) {
    let make = |name: &str, sql: &str, application: i32| {
        let db = Connection::open(directory.join(name)).unwrap();
        db.execute_batch("PRAGMA page_size = 8192; PRAGMA journal_mode = WAL")
            .unwrap();
        db.execute_batch(sql).unwrap();
        db.pragma_update(None, "application_id", application)
            .unwrap();
        db.pragma_update(None, "user_version", 1).unwrap();
        db
    };
    let main = make("cuegate.db", MAIN_1, 0x4355_4547);
    let inbox = make("inbox.db", INBOX_1, 0x4355_4549);
    let set = RULE_SET.replace("SOURCE", &json!(SOURCE).to_string());
    main.execute(
        "INSERT INTO rule_set (number, id, json, created_at) VALUES (1, 'one', ?1, 5)",
        [set],
    )
    .unwrap();
    main.execute_batch("INSERT INTO active_rule_set VALUES (1, 1)")
        .unwrap();
    (main, inbox)
}

fn plant_event(db: &Connection, number: i64, event: &Event) {
    db.execute(
        "INSERT INTO event (number, id, source, received_at, state, rule_set) VALUES (?1, ?2, 'iconik', ?3, 'routed', 1)",
        params![number, event.id.0, event.received_at.as_microsecond()],
    )
    .unwrap();
    db.execute(
        "INSERT INTO event_body VALUES (?1, ?2)",
        params![number, serde_json::to_string(event).unwrap()],
    )
    .unwrap();
    db.execute(
        "INSERT INTO event_key VALUES (?1, ?2, ?3)",
        params![event.key.0, event.window, number],
    )
    .unwrap();
}

fn plant_step(db: &Connection, run: i64, step: &Step) {
    db.execute(
        "INSERT INTO step VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            run,
            step.number,
            step.digest.0,
            serde_json::to_string(&step.effect).unwrap(),
            serde_json::to_string(&step.answer).unwrap()
        ],
    )
    .unwrap();
}

fn plant_intent(db: &Connection, run: i64, intent: &Intent) {
    db.execute(
        "INSERT INTO intent (run, number, digest, effect, at) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            run,
            intent.number,
            intent.digest.0,
            serde_json::to_string(&intent.effect).unwrap(),
            intent.at.as_microsecond()
        ],
    )
    .unwrap();
}

/// Lanes and runs of every state that the first version knew, and two events that are yet to be routed.
fn plant(main: &Connection, inbox: &Connection) {
    for number in 1..=8 {
        plant_event(main, i64::from(number), &event(number));
    }
    let (due, late) = (at(1_000).as_microsecond(), at(30).as_microsecond());
    main.execute_batch(&format!(
        r#"
INSERT INTO lane (id, rule, key, state, head_seq, next_seq, head_run, token) VALUES
    (1, 'tag', 'a', 'waiting', 1, 3, 2, 4), (2, 'fall', 'b', 'idle', 1, 1, NULL, 1), (3, 'share', 'c', 'parked', 0, 1, 5, 1),
    (4, 'count', 'd', 'leased', 0, 1, 6, 7), (5, 'skip', 'e', 'idle', 1, 1, NULL, 1), (6, 'stop', 'f', 'idle', 1, 1, NULL, 0);
INSERT INTO run (id, lane, seq, event, rule, version, rule_set, binding, state, attempt, steps, created_at, started_at,
                 failing_since, due_at, ended_at, reason, failure) VALUES
    (1, 1, 0, 1, 'tag', 'v1', 1, 1, 'succeeded', 0, 2, {late}, {late}, NULL, NULL, {late}, NULL, NULL),
    (2, 1, 1, 2, 'tag', 'v1', 1, 1, 'waiting', 3, 1, {late}, {late}, {late}, {due}, NULL, 'tried again', NULL),
    (3, 1, 2, 3, 'tag', 'v1', 1, 1, 'queued', 0, 0, {late}, NULL, NULL, NULL, NULL, NULL, NULL),
    (4, 2, 0, 4, 'fall', 'v1', 1, 1, 'dead', 0, 0, {late}, {late}, NULL, NULL, {late}, NULL,
     '{{"class":"script_error","message":"a word is missing"}}'),
    (5, 3, 0, 5, 'share', 'v1', 1, 1, 'parked', 1, 1, {late}, {late}, NULL, NULL, NULL, 'look at it', NULL),
    (6, 4, 0, 6, 'count', 'v1', 1, 1, 'running', 1, 0, {late}, {late}, NULL, NULL, NULL, NULL, NULL),
    (7, 5, 0, 7, 'skip', 'v1', 1, 1, 'skipped', 0, 0, {late}, {late}, NULL, NULL, {late}, 'nothing to do', NULL),
    (8, 6, 0, 8, 'stop', 'v1', 1, 1, 'cancelled', 0, 0, {late}, NULL, NULL, NULL, {late}, 'stopped', NULL);
UPDATE event SET state = 'when_failed', failures = '[["other","v1",{{"class":"script_error","message":"no such word"}}]]' WHERE number = 7;
INSERT INTO timer VALUES (2, {due});
INSERT INTO log VALUES (1, 0, 0, 'warn', 'seen');
INSERT INTO alias VALUES (x'00112233445566778899aabbccddeeff', 1);
INSERT INTO unreadable VALUES (zeroblob(16), 3, x'7b', 5);
"#
    ))
    .unwrap();
    for step in [read(0), answer(1)] {
        plant_step(main, 1, &step);
    }
    plant_intent(main, 1, &intent(1));
    for run in [2, 5] {
        plant_step(main, run, &read(0));
        plant_intent(main, run, &intent(1));
    }
    main.execute_batch("INSERT INTO withdrawn SELECT id FROM intent WHERE run = 2")
        .unwrap();
    for event in events([40, 41]) {
        inbox
            .execute(
                "INSERT INTO accepted (id, key, dedup_window, source, received_at, json) VALUES (?1, ?2, 7, 'iconik', ?3, ?4)",
                params![
                    event.id.0,
                    event.key.0,
                    event.received_at.as_microsecond(),
                    serde_json::to_string(&event).unwrap()
                ],
            )
            .unwrap();
    }
}

/// Everything that the first schema keeps, in its own columns, but what an opened store says about leases.
fn kept(db: &Connection) -> Vec<String> {
    let mut rows = Vec::new();
    for (table, columns) in [
        ("rule_set", "number, id, json, created_at"),
        ("active_rule_set", "rule_set"),
        ("unreadable", "hex(generation), number, hex(bytes)"),
        ("event", "number, hex(id), source, received_at, state, rule_set, failures"),
        ("event_body", "event, json"),
        ("event_key", "hex(key), dedup_window, event"),
        ("alias", "hex(id), event"),
        ("lane", "id, rule, key, head_seq, next_seq, head_run"),
        (
            "run",
            "id, lane, seq, event, rule, version, rule_set, binding, replace(state, 'running', 'queued'), attempt, steps,
             created_at, started_at, failing_since, due_at, ended_at, reason, failure",
        ),
        ("timer", "run, due_at"),
        ("intent", "id, run, number, hex(digest), effect, at"),
        ("withdrawn", "intent"),
        ("step", "run, number, hex(digest), effect, answer"),
        ("log", "run, step, line, level, text"),
        ("event_count", "state, number"),
    ] {
        let listed = texts(
            db,
            &format!("SELECT '{table} ' || json_array({columns}) FROM {table} ORDER BY 1"),
        );
        assert!(!listed.is_empty(), "{table} is empty");
        rows.extend(listed);
    }
    rows
}

async fn goes_on(files: &Files, before: &[String], when: &str) {
    let store = files.open().await;
    assert_eq!(store.check().await.unwrap(), [], "{when}");
    assert_eq!(kept(&files.connect()), before, "{when}");
    let all = RunFilter::default();
    assert_eq!(store.runs(all).await.unwrap().len(), 8, "{when}");
    let set = store.active_rule_set().await.unwrap().unwrap();
    let header = set.header(&RuleId::from("rename")).unwrap();
    assert_eq!((header.echoes, header.limits.objects), (false, 5_000));
    let dead = store.run(RunId(4)).await.unwrap().unwrap();
    assert_eq!(dead.failure.unwrap().class, DeadClass::ScriptError);
    let parked = store.run(RunId(5)).await.unwrap().unwrap();
    assert_eq!(parked.parked, Some(ParkedClass::Uncertain));
    let waiting = store.run(RunId(2)).await.unwrap().unwrap();
    assert_eq!(waiting.waits_for, Some(WaitsFor::Retry));
    store.close().await.unwrap();
    drop(store);
    // The fixture's rule set stays the active one: it must be good enough to route under.
    everything_ends(files).await;
    let store = files.open().await;
    for (run, state) in [
        (2, RunState::Succeeded),
        (3, RunState::Succeeded),
        (5, RunState::Parked),
        (6, RunState::Succeeded),
    ] {
        let run = store.run(RunId(run)).await.unwrap().unwrap();
        assert_eq!(run.state, state, "{when}: {run:?}");
    }
    let counts = store.counts().await.unwrap();
    assert_eq!(counts.unrouted, 0);
    store.close().await.unwrap();
}

#[tokio::test]
async fn files_of_the_first_schema_are_brought_up_to_date_and_their_runs_go_on() {
    let files = Files::new();
    let (main, inbox) = first_schema(files.path("").as_path());
    plant(&main, &inbox);
    let before = kept(&main);
    drop((main, inbox));
    for command in [
        &["store", "check"][..],
        &["store", "stats"],
        &["store", "backup", "copy"],
    ] {
        files.configure();
        files.types(command).ended(
            1,
            &[
                "of an earlier version (schema 1",
                "start this Cuegate on it once",
            ],
        );
    }
    assert_eq!(kept(&files.connect()), before, "looking changes nothing");
    goes_on(&files, &before, "without an interruption").await;
}

/// Killed after any statement, with as much of it on disk as there can be: the next start begins anew.
#[tokio::test]
async fn a_migration_that_is_cut_off_after_any_statement_is_made_again() {
    let files = Files::new();
    let (main, inbox) = first_schema(files.path("").as_path());
    plant(&main, &inbox);
    let before = kept(&main);
    let (mut cuts, mut spilt) = (0, 0);
    for (file, version, sql) in LATER {
        let db = if *file == "inbox.db" { &inbox } else { &main };
        db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA cache_size = 1; BEGIN IMMEDIATE")
            .unwrap();
        let mut rest = Batch::new(db, sql);
        loop {
            let done = match rest.next().unwrap() {
                Some(mut statement) => statement.execute([]).map(|_| false).unwrap(),
                None => {
                    db.pragma_update(None, "user_version", version).unwrap();
                    db.execute_batch("COMMIT").unwrap();
                    true
                }
            };
            cuts += 1;
            let cut = Files::new();
            for name in ["cuegate.db", "cuegate.db-wal", "inbox.db", "inbox.db-wal"] {
                std::fs::copy(files.path(name), cut.path(name)).unwrap();
            }
            let log = std::fs::metadata(cut.path(&format!("{file}-wal"))).unwrap();
            spilt += u64::from(!done && log.len() > 0);
            goes_on(
                &cut,
                &before,
                &format!("{file} {version}, after statement {cuts}"),
            )
            .await;
            if done {
                break;
            }
        }
    }
    assert!(
        cuts > 40 && spilt > 10,
        "{cuts} cuts, {spilt} with something of it on disk"
    );
}

const ASSETS: [&str; 3] = [
    "2c5bfe1a-f149-11eb-a843-0a580a3db916",
    "3c5bfe1a-f149-11eb-a843-0a580a3db916",
    "4c5bfe1a-f149-11eb-a843-0a580a3db916",
];

/// The gateway itself, on a store whose runs were begun by the first version and whose rules are others by now.
#[tokio::test]
async fn a_gateway_goes_on_with_the_runs_of_the_first_version_on_the_rules_that_they_began_with() {
    let assets: Vec<_> = ASSETS
        .iter()
        .map(|id| json!({ "id": id, "title": "Interview" }))
        .collect();
    let simulator = simulated(json!({ "assets": assets })).await;
    let now_means_something_else = SOURCE.replace("!`", "?`");
    let mut gateway = Gateway::new(&simulator, &[("rename.rhai", &now_means_something_else)]);
    let data = gateway.path("data");
    std::fs::create_dir(&data).unwrap();
    let (main, inbox) = first_schema(&data);
    let source = SourceName::from("iconik");
    for (number, asset) in (1..).zip(ASSETS) {
        let body = webhook("entity", "create", asset, &json!({ "id": asset }));
        let key = EventKey::of_message(&source, asset);
        let event = Event {
            id: key.event_id(7),
            key,
            window: 7,
            source: source.clone(),
            kind: EventKind::Webhook,
            received_at: SystemClock.now(),
            headers: [].into(),
            body,
        };
        plant_event(&main, number, &event);
    }
    let now = SystemClock.now().as_microsecond();
    main.execute_batch(&format!(
        "INSERT INTO lane (id, rule, key, state, head_seq, next_seq, head_run, token) VALUES
             (1, 'rename', '{}', 'waiting', 0, 1, 1, 1), (2, 'rename', '{}', 'ready', 0, 1, 2, 0), (3, 'rename', '{}', 'leased', 0, 1, 3, 1);
         INSERT INTO run (id, lane, seq, event, rule, version, rule_set, binding, state, attempt, steps, created_at, due_at) VALUES
             (1, 1, 0, 1, 'rename', 'v1', 1, 1, 'waiting', 1, 0, {now}, {now}),
             (2, 2, 0, 2, 'rename', 'v1', 1, 1, 'queued', 0, 0, {now}, NULL),
             (3, 3, 0, 3, 'rename', 'v1', 1, 1, 'running', 1, 0, {now}, NULL);
         INSERT INTO timer VALUES (1, {now})",
        ASSETS[0], ASSETS[1], ASSETS[2]
    ))
    .unwrap();
    drop((main, inbox));
    gateway.start().await;
    gateway.until_runs(RunState::Succeeded, 3).await;
    let body = webhook("entity", "create", ASSETS[0], &json!({ "id": ASSETS[0] }));
    gateway.accepted(&body, &[]).await;
    gateway.until_runs(RunState::Succeeded, 4).await;
    gateway.stop().await;
    let title = |asset| simulator.world().asset(asset).unwrap()["title"].clone();
    assert_eq!(
        title(ASSETS[0]),
        "Interview!?",
        "the rules of then, and those of now"
    );
    assert_eq!(
        [title(ASSETS[1]), title(ASSETS[2])],
        ["Interview!", "Interview!"]
    );
    types(&gateway, &["store", "check"])
        .await
        .ended(0, &["no findings"]);
}
