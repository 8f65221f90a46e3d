//! Stops of the real process at any moment: in the middle of a write, twice in a row, and before the start is over.

use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::time::Duration;

use cuegate::model::{Method, RunState};
use cuegate::simulator::{HoldPoint, Matching, Simulator};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::types;
use crate::gateway::{Gateway, eventually, simulated, webhook, within};

const ASSET: &str = "2c5bfe1a-f149-11eb-a843-0a580a3db916";

const RENAME: &str = r#"
rule(#{ on: ["assets/entity/create"], allow: ["assets:write"] });
fn run(event) {
    let asset = iconik::asset(event.asset_id);
    iconik::put(`assets/v1/assets/${event.asset_id}/`, #{ title: `${asset.title}!` });
}
"#;

fn seed() -> Value {
    json!({ "assets": [{ "id": ASSET, "title": "Interview" }] })
}

fn arrival() -> Value {
    webhook("entity", "create", ASSET, &json!({ "id": ASSET }))
}

fn writes(simulator: &Simulator) -> usize {
    let requests = simulator.requests();
    requests.iter().filter(|one| one.method == "PUT").count()
}

/// Asked twice in the middle of a write, it ends at once with the signal's code, and the next start loses nothing.
async fn twice(first: Signal, second: Signal, code: i32) {
    let simulator = simulated(seed()).await;
    let mut gateway = Gateway::started(&simulator, &[("rename.rhai", RENAME)]).await;
    let path = format!("assets/v1/assets/{ASSET}/");
    let mut write = simulator.hold(Matching::path(Method::Put, &path), HoldPoint::After);
    let mut accepted = vec![gateway.accepted(&arrival(), &[]).await];
    within("the rule writes", write.held()).await;
    // In the same lane: it has not begun.
    accepted.push(gateway.accepted(&arrival(), &[]).await);
    gateway.signal(first);
    gateway
        .until_logged(&["stopping: new events are refused"])
        .await;
    gateway.signal(second);
    let ended = gateway.ended().await;
    assert_eq!(ended.status.code(), Some(code), "{ended:?}");
    assert!(ended.out.contains("asked again to stop"), "{ended:?}");
    assert!(
        !ended.out.contains("\"stopped\""),
        "it did not wait: {ended:?}"
    );
    write.cut();

    gateway.start().await;
    gateway.until_runs(RunState::Succeeded, 2).await;
    gateway.stop().await;
    for id in accepted {
        let (_, runs) = gateway.stored(id).await;
        assert_eq!(runs.len(), 1);
        assert_eq!(runs[0].state, RunState::Succeeded, "{runs:?}");
    }
    // The first title is absolute, so the repeated write changed nothing.
    let title = simulator.world().asset(ASSET).unwrap()["title"].clone();
    assert_eq!((title, writes(&simulator)), (json!("Interview!!"), 3));
    types(&gateway, &["store", "check"])
        .await
        .ended(0, &["no findings"]);
}

#[tokio::test]
async fn a_second_sigterm_ends_it_at_once_and_the_next_start_goes_on() {
    twice(Signal::TERM, Signal::TERM, 143).await;
}

#[tokio::test]
async fn ctrl_c_twice_ends_it_at_once_and_the_next_start_goes_on() {
    twice(Signal::INT, Signal::INT, 130).await;
}

#[tokio::test]
async fn the_second_signal_may_be_another_one() {
    twice(Signal::TERM, Signal::INT, 130).await;
}

/// One more stop than starts were over: at some moments the program has not even begun to listen, and then the signal
/// ends it as it ends any process.
#[tokio::test]
async fn a_stop_at_any_moment_of_the_start_ends_it_and_harms_nothing() {
    let simulator = simulated(seed()).await;
    let mut gateway = Gateway::started(&simulator, &[("rename.rhai", RENAME)]).await;
    let event = gateway.accepted(&arrival(), &[]).await;
    gateway.until_runs(RunState::Succeeded, 1).await;
    gateway.stop().await;
    let logs = [
        "the address of Iconik",
        "rules are active",
        "ready to receive",
    ];
    let mut in_order = 0;
    for round in 0..12 {
        let wal: PathBuf = gateway.path("data/cuegate.db-wal");
        gateway.launch();
        match round % 6 {
            0 => {}
            1 => eventually("the files are open", async || wal.exists().then_some(())).await,
            2 => {
                let said = eventually("it says something", async || {
                    let said = gateway.everything_said();
                    (said.len() > 40 * round).then_some(())
                });
                said.await;
            }
            moment => {
                let text = logs[moment - 3];
                let over = eventually("it has come so far or further", async || {
                    let said = gateway.said_now();
                    (said.contains(text) || said.contains("ready to receive")).then_some(())
                });
                over.await;
            }
        }
        gateway.signal(if round % 2 == 0 {
            Signal::TERM
        } else {
            Signal::INT
        });
        let ended = gateway.ended().await;
        let by_signal = matches!(ended.status.signal(), Some(2 | 15));
        assert!(
            ended.status.code() == Some(0) || by_signal,
            "round {round}: {ended:?}"
        );
        assert!(
            !by_signal || !ended.out.contains("rules are active"),
            "round {round}: {ended:?}"
        );
        assert!(
            !ended.out.contains("panicked") && !ended.err.contains("panicked"),
            "{ended:?}"
        );
        in_order += u32::from(ended.status.success());
    }
    assert!(in_order >= 6, "only {in_order} of 12 ended in order");
    types(&gateway, &["store", "check"])
        .await
        .ended(0, &["no findings"]);
    let (_, runs) = gateway.stored(event).await;
    assert_eq!((runs.len(), runs[0].state), (1, RunState::Succeeded));
    assert_eq!(writes(&simulator), 1);
}

/// As the first process of a container, it hears a signal only if it listens to it.
#[tokio::test]
async fn a_stop_while_it_waits_for_the_data_directory_ends_it_at_once() {
    let simulator = simulated(seed()).await;
    let mut gateway = Gateway::started(&simulator, &[("rename.rhai", RENAME)]).await;
    gateway.stop().await;
    let holder = gateway.store().await;
    gateway.launch();
    gateway
        .until_logged(&[
            "the data directory is held",
            &std::process::id().to_string(),
        ])
        .await;
    gateway.signal(Signal::TERM);
    let ended = gateway.ended().await;
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert!(ended.out.contains("before the start was over"), "{ended:?}");
    cuegate::store::Store::close(&holder).await.unwrap();
}

/// Who asks early finds out who is in the way, and the start goes on when they let go.
#[tokio::test]
async fn while_another_process_holds_the_data_it_is_unready_and_says_who_it_is() {
    let simulator = simulated(seed()).await;
    let mut gateway = Gateway::new(&simulator, &[("rename.rhai", RENAME)]);
    let holder = gateway.store().await;
    gateway.launch();
    let waits = gateway.until_logged(&["the start takes a while"]).await;
    let waits: Value = serde_json::from_str(&waits).unwrap();
    let address = waits["hooks"].as_str().unwrap();
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(20))
        .build()
        .unwrap();
    let answered = eventually("it answers while it waits", async || {
        let answer = client
            .get(format!("http://{address}/readyz"))
            .send()
            .await
            .ok()?;
        Some((answer.status().as_u16(), answer.json::<Value>().await.ok()?))
    });
    let (status, report) = answered.await;
    let said = report["parts"]["store"].as_str().unwrap();
    assert_eq!(status, 503, "{report}");
    let us = format!("process {} holds the data directory", std::process::id());
    assert!(said.contains(&us), "{report}");
    let healthy = client
        .get(format!("http://{address}/healthz"))
        .send()
        .await
        .unwrap();
    assert_eq!(healthy.status(), 200, "it lives");
    let refused = client
        .post(format!("http://{address}/hooks/iconik"))
        .send()
        .await
        .unwrap();
    assert_eq!(refused.status(), 503);
    assert!(refused.headers().contains_key("retry-after"));
    cuegate::store::Store::close(&holder).await.unwrap();
    drop(holder);
    gateway.until_listening().await;
    gateway.until_ready().await;
    gateway.accepted(&arrival(), &[]).await;
    gateway.stop().await;
}

/// It takes the minute that it takes in production.
#[tokio::test]
async fn after_a_minute_of_waiting_for_the_data_it_gives_up_with_75_and_names_the_holder() {
    let simulator = simulated(seed()).await;
    let gateway = Gateway::new(&simulator, &[("rename.rhai", RENAME)]);
    let holder = gateway.store().await;
    let output = gateway.command(&["serve"]).output();
    let output = tokio::time::timeout(Duration::from_secs(150), output).await;
    let said: super::Said = output.expect("it gives up").unwrap().into();
    let us = format!("process {} holds the data directory", std::process::id());
    said.ended(75, &[&us, "did not let go of it in 60 s", "[store] url"]);
    cuegate::store::Store::close(&holder).await.unwrap();
}
