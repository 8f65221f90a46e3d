//! What stops by itself and who lets it go on: a rule that goes round in a circle is a person's to release, an Iconik
//! that was away comes back without one.

use cuegate::model::{Method, RunState};
use cuegate::simulator::Simulator;
use serde_json::{Value, json};
use tokio::process::Command;

use super::Said;
use crate::gateway::{AUTH_TOKEN, Gateway, SECRET, SECRET_HEADER, eventually, simulated, webhook};

const ASSET: &str = "2c5bfe1a-f149-11eb-a843-0a580a3db916";

/// Sets a marker whenever the asset changes.
const PING: &str = r#"
rule(#{ on: ["assets/entity/update"], allow: ["segments:write"], echoes: true });
fn run(event) {
    iconik::asset(event.asset_id).create_segment(#{
        segment_type: "MARKER", time_start_milliseconds: 0, time_end_milliseconds: 1000,
    });
}
"#;

/// Changes the asset whenever a marker is set.
const PONG: &str = r#"
rule(#{ on: ["assets/segments/create"], allow: ["assets:write"], echoes: true });
fn run(event) {
    iconik::put(`assets/v1/assets/${event.asset_id}/`, #{ title: `marked at ${event.received_at}` });
}
"#;

fn seed() -> Value {
    json!({ "assets": [{ "id": ASSET, "title": "Interview" }] })
}

fn change() -> Value {
    webhook("entity", "update", ASSET, &json!({ "id": ASSET }))
}

async fn types(gateway: &Gateway, arguments: &[&str]) -> Said {
    let mut command: Command = gateway.command(arguments);
    command.env("CUEGATE_URL", gateway.admin_url());
    Said::from(command.output().await.expect("the binary can be started"))
}

/// Lets the simulator tell the gateway of whatever happens to assets.
async fn tell_of(simulator: &Simulator, gateway: &Gateway, realm: &str, operation: &str) {
    let hook = json!({
        "name": realm, "status": "ENABLED", "event_type": "assets", "realm": realm, "operation": operation,
        "url": format!("{}/hooks/iconik", gateway.hooks_url()), "headers": { SECRET_HEADER: SECRET },
    });
    let made = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a plain client can be built")
        .post(format!(
            "{}/notifications/v1/webhooks/",
            simulator.base_url()
        ))
        .header("app-id", "gateway-app")
        .header("auth-token", AUTH_TOKEN)
        .json(&hook)
        .send()
        .await
        .expect("the simulator answers");
    assert_eq!(made.status(), 201);
}

/// The runs that are parked as a loop.
async fn circles(gateway: &Gateway) -> Vec<Value> {
    let listed = types(
        gateway,
        &["runs", "list", "--state", "parked", "--format", "json"],
    )
    .await
    .json();
    listed["runs"].as_array().cloned().unwrap_or_default()
}

#[tokio::test]
async fn rules_that_wake_each_other_are_parked_as_a_loop_and_go_on_when_a_person_says_so() {
    let simulator = simulated(seed()).await;
    let mut gateway = Gateway::new(&simulator, &[("ping.rhai", PING), ("pong.rhai", PONG)]);
    gateway.configure("[limits]\nloop = { runs = 2, within = \"10m\" }");
    gateway.start().await;
    // Until it is known who we are, our own writes are not told from others.
    gateway.until_logged(&["this gateway serves"]).await;
    tell_of(&simulator, &gateway, "entity", "update").await;
    tell_of(&simulator, &gateway, "segments", "create").await;
    gateway.accepted(&change(), &[]).await;

    gateway.until_runs(RunState::Parked, 1).await;
    gateway.until_quiet().await;
    let parked = circles(&gateway).await;
    assert_eq!(parked.len(), 1, "{parked:?}");
    let run = parked[0]["id"].to_string();
    let shown = types(&gateway, &["runs", "show", &run]).await;
    shown.ended(0, &["parked (loop)", "looks like a loop"]);
    let way = shown.out.contains("ping → pong → ping") || shown.out.contains("pong → ping → pong");
    assert!(way, "{}", shown.out);

    let before = writes(&simulator);
    let released = types(&gateway, &["runs", "retry", &run, "--format", "json"]).await;
    assert_eq!(released.code, Some(0), "{}", released.everything());
    eventually("the released run makes its write", async || {
        (writes(&simulator) > before).then_some(())
    })
    .await;
    gateway.until_runs(RunState::Parked, 1).await;
    let gone = types(&gateway, &["runs", "show", &run]).await;
    gone.ended(0, &["cancelled", "retried as run"]);
    gateway.stop().await;
}

/// How many changes the gateway has made.
fn writes(simulator: &Simulator) -> usize {
    let requests = simulator.requests();
    let is_write = |method: &str| method != Method::Get.as_str();
    requests
        .iter()
        .filter(|request| is_write(&request.method) && request.path.contains(ASSET))
        .count()
}

#[tokio::test]
async fn while_iconik_is_away_the_gateway_is_ready_and_says_so_until_it_is_back() {
    let simulator = simulated(seed()).await;
    let mut gateway = Gateway::started(&simulator, &[("ping.rhai", PING)]).await;
    gateway.until_logged(&["this gateway serves"]).await;
    let iconik = async |gateway: &Gateway| {
        let (status, report) = gateway.readyz().await.expect("it answers");
        assert_eq!((status, &report["ready"]), (200, &json!(true)), "{report}");
        report["iconik"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(iconik(&gateway).await, "usable");
    simulator
        .refuse_connections()
        .await
        .expect("the port can be kept");
    for _ in 0..4 {
        gateway.accepted(&change(), &[]).await;
    }
    eventually("it says that nothing is sent", async || {
        let said = iconik(&gateway).await;
        said.contains("nothing is sent to it").then_some(())
    })
    .await;
    types(&gateway, &["health"])
        .await
        .ended(0, &["nothing is sent to it"]);
    simulator
        .accept_connections()
        .await
        .expect("the port was kept");
    eventually("it is usable again", async || {
        (iconik(&gateway).await == "usable").then_some(())
    })
    .await;
    gateway.until_runs(RunState::Succeeded, 4).await;
    gateway.stop().await;
}
