//! Starts and stops of the real process: bad rules beside good ones, a stop in the middle of a run, and a second
//! process on the same data.

use std::time::Duration;

use cuegate::clock::SystemClock;
use cuegate::model::{EventState, Method, RunState};
use cuegate::simulator::{HoldPoint, Matching, Simulator};
use cuegate::store::{SqliteOptions, SqliteStore, Store as _, StoreError};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::gateway::{Gateway, eventually, simulated, webhook, within};

const ASSET: &str = "2c5bfe1a-f149-11eb-a843-0a580a3db916";

const RENAME: &str = r#"
rule(#{ on: ["assets/entity/create"], allow: ["assets:write"] });
fn run(event) {
    let asset = iconik::asset(event.asset_id);
    iconik::put(`assets/v1/assets/${event.asset_id}/`, #{ title: `${asset.title}!` });
}
"#;

/// `iconik::aset` on line 4, column 17.
const MISSPELT: &str = r#"
rule(#{ on: ["assets/entity/create"] });
fn run(event) {
    let asset = iconik::aset(event.asset_id);
}
"#;

fn seed() -> Value {
    json!({ "assets": [{ "id": ASSET, "title": "Interview" }] })
}

fn arrival() -> Value {
    webhook("entity", "create", ASSET, &json!({ "id": ASSET }))
}

fn title(simulator: &Simulator) -> Value {
    simulator.world().asset(ASSET).expect("it is there")["title"].clone()
}

fn count(simulator: &Simulator, method: &str) -> usize {
    let path = format!("assets/v1/assets/{ASSET}/");
    let requests = simulator.requests();
    requests
        .iter()
        .filter(|request| request.method == method && request.path == path)
        .count()
}

#[tokio::test]
async fn a_bad_rule_set_at_the_start_does_not_replace_the_good_one() {
    let simulator = simulated(seed()).await;
    let mut gateway = Gateway::started(&simulator, &[("rename.rhai", RENAME)]).await;
    gateway.stop().await;
    gateway.write("rules/rename.rhai", MISSPELT);

    gateway.start().await;
    eventually("the complaint names the place", async || {
        let complaints = gateway.complaints();
        (complaints.contains("rename.rhai:4:") && complaints.contains("asset")).then_some(())
    })
    .await;
    gateway.accepted(&arrival(), &[]).await;
    gateway.until_runs(RunState::Succeeded, 1).await;
    assert_eq!(title(&simulator), "Interview!");
    let ended = gateway.stop().await;
    assert!(ended.err.contains("Mend them"), "{ended:?}");
}

#[tokio::test]
async fn a_bad_rule_set_while_it_runs_does_not_replace_the_good_one() {
    let simulator = simulated(seed()).await;
    let mut gateway = Gateway::started(&simulator, &[("rename.rhai", RENAME)]).await;
    gateway.write("rules/rename.rhai", MISSPELT);
    gateway.signal(Signal::HUP);
    gateway
        .until_logged(&["the rules were not reloaded", "rename.rhai:4:"])
        .await;
    gateway.accepted(&arrival(), &[]).await;
    gateway.until_runs(RunState::Succeeded, 1).await;
    assert_eq!(title(&simulator), "Interview!");
    gateway.stop().await;
}

#[tokio::test]
async fn a_first_start_with_bad_rules_keeps_every_event_until_they_are_mended() {
    let simulator = simulated(seed()).await;
    let mut gateway = Gateway::new(&simulator, &[("rename.rhai", MISSPELT)]);
    gateway.start_unready().await;
    let (status, report) = gateway.readyz().await.expect("it answers");
    assert_eq!((status, &report["ready"]), (503, &json!(false)));
    let trouble = report["parts"]["rule_set"].as_str().expect("a reason");
    assert!(trouble.contains("no rule set"), "{report}");
    assert_eq!(report["parts"]["store"], "ready");

    let event = gateway.accepted(&arrival(), &[]).await;
    assert!(gateway.metric("cuegate_unrouted_events").await > 0.0);
    assert_eq!(count(&simulator, "GET"), 0);

    gateway.write("rules/rename.rhai", RENAME);
    gateway.signal(Signal::HUP);
    gateway.until_runs(RunState::Succeeded, 1).await;
    let (status, _) = gateway.readyz().await.expect("it answers");
    assert_eq!(status, 200);
    assert_eq!(title(&simulator), "Interview!");
    gateway.stop().await;
    let (stored, runs) = gateway.stored(event).await;
    assert_eq!(stored.state, EventState::Routed);
    assert_eq!(runs.len(), 1);
}

#[tokio::test]
async fn a_stop_lets_a_call_end_and_the_next_start_goes_on_behind_it() {
    let simulator = simulated(seed()).await;
    let mut gateway = Gateway::started(&simulator, &[("rename.rhai", RENAME)]).await;
    let path = format!("assets/v1/assets/{ASSET}/");
    let mut read = simulator.hold(Matching::path(Method::Get, &path), HoldPoint::After);
    let event = gateway.accepted(&arrival(), &[]).await;
    within("the rule reads its asset", read.held()).await;
    gateway.signal(Signal::TERM);
    gateway
        .until_logged(&["stopping: new events are refused"])
        .await;
    read.release();
    let ended = gateway.ended().await;
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert!(ended.out.contains("stopped"), "{ended:?}");
    assert_eq!(count(&simulator, "PUT"), 0, "no call begins after the stop");

    let (_, runs) = gateway.stored(event).await;
    assert_eq!(runs[0].state, RunState::Queued);
    let store = gateway.store().await;
    let (journal, open) = store.journal(runs[0].id).await.expect("it can be read");
    store.close().await.expect("nothing is left to write");
    assert_eq!((journal.len(), open), (1, None));

    gateway.start().await;
    gateway.until_runs(RunState::Succeeded, 1).await;
    assert_eq!(count(&simulator, "GET"), 1, "the answer was in the journal");
    assert_eq!(title(&simulator), "Interview!");
    gateway.stop().await;
}

#[tokio::test]
async fn a_stop_during_a_write_keeps_its_answer() {
    let simulator = simulated(seed()).await;
    let mut gateway = Gateway::started(&simulator, &[("rename.rhai", RENAME)]).await;
    let path = format!("assets/v1/assets/{ASSET}/");
    let mut write = simulator.hold(Matching::path(Method::Put, &path), HoldPoint::After);
    let event = gateway.accepted(&arrival(), &[]).await;
    within("the rule writes", write.held()).await;
    gateway.signal(Signal::TERM);
    gateway
        .until_logged(&["stopping: new events are refused"])
        .await;
    write.release();
    let ended = gateway.ended().await;
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");

    gateway.start().await;
    gateway.until_runs(RunState::Succeeded, 1).await;
    gateway.stop().await;
    assert_eq!(count(&simulator, "PUT"), 1);
    let (_, runs) = gateway.stored(event).await;
    assert_eq!(runs.len(), 1);
    assert_eq!(title(&simulator), "Interview!");
}

#[tokio::test]
async fn a_stop_waits_no_longer_than_the_drain_and_the_next_start_examines_the_write() {
    let simulator = simulated(seed()).await;
    let mut gateway = Gateway::new(&simulator, &[("rename.rhai", RENAME)]);
    gateway.replace("drain = \"20s\"", "drain = \"1s\"");
    gateway.start().await;
    let path = format!("assets/v1/assets/{ASSET}/");
    let mut write = simulator.hold(Matching::path(Method::Put, &path), HoldPoint::Before);
    let event = gateway.accepted(&arrival(), &[]).await;
    within("the rule writes", write.held()).await;
    gateway.stop().await;
    write.cut();
    let (_, runs) = gateway.stored(event).await;
    assert!(!runs[0].state.is_final(), "{runs:?}");
    assert_eq!(title(&simulator), "Interview");

    gateway.start().await;
    gateway.until_runs(RunState::Succeeded, 1).await;
    assert_eq!(title(&simulator), "Interview!");
    gateway.stop().await;
}

#[tokio::test]
async fn a_second_process_on_the_same_data_is_told_who_holds_it() {
    let simulator = simulated(seed()).await;
    let mut gateway = Gateway::started(&simulator, &[("rename.rhai", RENAME)]).await;
    let options = SqliteOptions {
        lock_wait: Duration::from_millis(100),
        ..SqliteOptions::at(gateway.path("data/cuegate.db"))
    };
    let second = SqliteStore::open(options, std::sync::Arc::new(SystemClock)).await;
    let holder = format!("process {}", gateway.process_id());
    assert!(
        matches!(&second, Err(StoreError::Locked(message)) if message.starts_with(&holder)),
        "{second:?}"
    );
    gateway.stop().await;
    gateway.store().await.close().await.expect("it is free now");
}
