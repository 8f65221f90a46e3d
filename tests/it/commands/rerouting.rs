//! A rule fails over events, is mended, and gets what it missed: the built binary against a running gateway.

use cuegate::model::{EventState, RunState};
use serde_json::{Value, json};

use super::Said;
use crate::gateway::{Gateway, eventually, simulated, webhook};

const ASSET: &str = "2c5bfe1a-f149-11eb-a843-0a580a3db916";

/// A rule that makes a job, with this `when`.
fn rule(when: &str) -> String {
    format!(
        r#"
rule(#{{ on: ["assets/entity/create"], allow: ["jobs:write"] }});
fn when(event) {{
    {when}
}}
fn run(event) {{
    iconik::create_job(#{{ "type": "CUSTOM", status: "STARTED", title: event.data.title, object_id: event.asset_id, object_type: "assets" }});
}}
"#
    )
}

fn arrival(number: u32) -> Value {
    let mut event = webhook(
        "entity",
        "create",
        ASSET,
        &json!({ "id": ASSET, "title": format!("clip {number}") }),
    );
    event["request_id"] = json!(format!("request {number}"));
    event
}

async fn types(gateway: &Gateway, arguments: &[&str]) -> Said {
    let mut command = gateway.command(arguments);
    command.env("CUEGATE_URL", gateway.admin_url());
    Said::from(command.output().await.expect("the binary can be started"))
}

/// Writes the rule anew and waits until it is the active one.
async fn mend(gateway: &Gateway, source: &str) {
    let active = async || {
        let rules = types(gateway, &["rules", "list", "--format", "json"]).await;
        rules.json()["rule_set"].clone()
    };
    let before = active().await;
    gateway.write("rules/tag.rhai", source);
    eventually("the mended rule is active", async || {
        (active().await != before).then_some(())
    })
    .await;
}

async fn until_events(gateway: &Gateway, state: EventState, number: usize) {
    let what = format!("{number} events are {}", state.as_str());
    eventually(&what, async || {
        let listed = types(
            gateway,
            &[
                "events",
                "list",
                "--state",
                state.as_str(),
                "--format",
                "json",
            ],
        )
        .await;
        let events = listed.json()["events"].as_array().map_or(0, Vec::len);
        (events == number).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_a_mistaken_when_missed_is_routed_after_the_fix() {
    let simulator = simulated(json!({ "assets": [{ "id": ASSET, "title": "x" }] })).await;
    let wrong = rule("event.data.titel.len() > 0");
    let mut gateway = Gateway::started(&simulator, &[("tag.rhai", &wrong)]).await;
    for number in 1..=3 {
        gateway.accepted(&arrival(number), &[]).await;
    }
    until_events(&gateway, EventState::WhenFailed, 3).await;
    let failures = types(&gateway, &["events", "failures"]).await;
    failures.ended(0, &["tag@", "titel", "4"]);
    let alarm = gateway.until_logged(&["gets no run of this event"]).await;
    assert_eq!(
        alarm.matches("gets no run of this event").count(),
        1,
        "one place is one alarm: {alarm}"
    );

    mend(&gateway, &rule("event.data.title.len() > 0")).await;
    let reroute = ["events", "reroute", "--failed", "tag", "--rule", "tag"];
    types(&gateway, &reroute)
        .await
        .ended(1, &["3 event(s) would be routed once more", "--yes"]);
    let yes = [&reroute[..], &["--yes"]].concat();
    types(&gateway, &yes).await.ended(0, &["3 event(s)"]);
    gateway.until_runs(RunState::Succeeded, 3).await;
    until_events(&gateway, EventState::WhenFailed, 0).await;
    types(&gateway, &reroute)
        .await
        .ended(0, &["no event is meant"]);
    types(&gateway, &["events", "failures"])
        .await
        .ended(0, &["have failed on no event"]);

    let listed = types(&gateway, &["events", "list", "--format", "json"]).await;
    let id = listed.json()["events"][0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let replay = ["events", "replay", &id, "--rule", "tag"];
    types(&gateway, &replay)
        .await
        .ended(1, &["would repeat 1 write(s)", "--yes"]);
    types(&gateway, &["events", "replay", &id])
        .await
        .ended(2, &["--rule", "--all-rules"]);
    let yes = [&replay[..], &["--yes"]].concat();
    types(&gateway, &yes).await.ended(0, &["1 event(s)"]);
    gateway.until_runs(RunState::Succeeded, 4).await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_rule_whose_when_exhausts_its_workers_is_released_by_a_person() {
    let simulator = simulated(json!({ "assets": [{ "id": ASSET, "title": "x" }] })).await;
    let endless = rule("let n = 0; while n < 100000000 { n += 1; } true");
    let mut gateway = Gateway::new(&simulator, &[("tag.rhai", &endless)]);
    gateway.replace("[sandbox]", "[sandbox]\noperations = 1_000_000_000");
    gateway.start().await;
    for number in 1..=7 {
        gateway.accepted(&arrival(number), &[]).await;
    }
    until_events(&gateway, EventState::Held, 2).await;
    types(&gateway, &["rules", "list"])
        .await
        .ended(0, &["tag", "quarantine"]);
    mend(&gateway, &rule("true")).await;
    types(&gateway, &["resume", "--rule", "tag"])
        .await
        .ended(0, &[]);
    gateway.until_runs(RunState::Succeeded, 2).await;
    let again = ["events", "reroute", "--failed", "tag", "--yes"];
    types(&gateway, &again).await.ended(0, &["5 event(s)"]);
    gateway.until_runs(RunState::Succeeded, 7).await;
    gateway.stop().await;
}
