//! What the running gateway does when its rules change, and which events it takes for its own.

use cuegate::model::{EventState, RunState};
use serde_json::{Value, json};

use super::gateway::{GATEWAY_USER, Gateway, eventually, simulated, webhook};

const ASSET: &str = "2c5bfe1a-f149-11eb-a843-0a580a3db916";

/// A rule that gives its asset this title.
fn entitles(title: &str) -> String {
    format!(
        r#"
rule(#{{ on: ["assets/entity/create"], allow: ["assets:write"] }});
fn run(event) {{
    iconik::put(`assets/v1/assets/${{event.asset_id}}/`, #{{ title: "{title}" }});
}}
"#
    )
}

fn arrival(number: u32) -> Value {
    let mut event = webhook("entity", "create", ASSET, &json!({ "id": ASSET }));
    event["request_id"] = json!(format!("request {number}"));
    event
}

fn seed() -> Value {
    json!({ "assets": [{ "id": ASSET, "title": "Interview" }] })
}

#[tokio::test]
async fn changed_rules_are_taken_without_being_told_and_broken_ones_are_not() {
    let simulator = simulated(seed()).await;
    let mut gateway = Gateway::started(&simulator, &[("a.rhai", &entitles("old"))]).await;
    gateway.write("rules/a.rhai", "rule(#{");
    gateway
        .until_logged(&["the rules were not reloaded", "a.rhai"])
        .await;
    gateway.accepted(&arrival(1), &[]).await;
    gateway.until_runs(RunState::Succeeded, 1).await;
    let title = || simulator.world().asset(ASSET).expect("it is there")["title"].clone();
    assert_eq!(title(), "old");

    gateway.write("rules/a.rhai", &entitles("new"));
    gateway.write("rules/b.rhai", &entitles("new"));
    gateway
        .until_logged(&["rules are active", "\"rules\":2"])
        .await;
    gateway.accepted(&arrival(2), &[]).await;
    gateway.until_runs(RunState::Succeeded, 3).await;
    assert_eq!(title(), "new");
    gateway.stop().await;
}

#[tokio::test]
async fn a_mounted_volume_that_is_swapped_under_its_links_is_taken() {
    let simulator = simulated(seed()).await;
    let mut gateway = Gateway::new(&simulator, &[]);
    let rules = gateway.path("rules");
    for (volume, title) in [("..1", "old"), ("..2", "new")] {
        std::fs::create_dir(rules.join(volume)).expect("can be made");
        gateway.write(&format!("rules/{volume}/a.rhai"), &entitles(title));
    }
    let link = |to: &str, name: &str| {
        std::os::unix::fs::symlink(to, rules.join(name)).expect("a link can be made");
    };
    link("..1", "..data");
    link("..data/a.rhai", "a.rhai");
    gateway.start().await;
    link("..2", "..data_tmp");
    std::fs::rename(rules.join("..data_tmp"), rules.join("..data")).expect("can be replaced");
    let mut number = 0;
    eventually("an event is handled by the new rule", async || {
        number += 1;
        gateway.accepted(&arrival(number), &[]).await;
        gateway.until_runs(RunState::Succeeded, number).await;
        let asset = simulator.world().asset(ASSET).expect("it is there");
        (asset["title"] == "new").then_some(())
    })
    .await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_set_that_loses_a_rule_says_which() {
    let simulator = simulated(seed()).await;
    let two = [("keep.rhai", entitles("a")), ("lose.rhai", entitles("b"))];
    let two = two
        .each_ref()
        .map(|(name, source)| (*name, source.as_str()));
    let mut gateway = Gateway::started(&simulator, &two).await;
    std::fs::remove_file(gateway.path("rules/lose.rhai")).expect("it is there");
    let warning = gateway
        .until_logged(&["rules are not active any more", "WARN"])
        .await;
    assert!(warning.contains("lose"), "{warning}");
    assert!(!warning.contains("keep"), "{warning}");
    assert!(warning.contains("put them back"), "{warning}");

    gateway.stop().await;
    gateway.write("rules/lose.rhai", &entitles("b"));
    std::fs::remove_file(gateway.path("rules/keep.rhai")).expect("it is there");
    gateway.start().await;
    let warning = gateway
        .until_logged(&["rules are not active any more"])
        .await;
    assert!(
        warning.contains("keep"),
        "a restart is no excuse: {warning}"
    );
    gateway.stop().await;
}

#[tokio::test]
async fn what_our_own_user_caused_wakes_no_rule_that_does_not_ask_for_it() {
    let simulator = simulated(seed()).await;
    let mut gateway = Gateway::started(&simulator, &[("a.rhai", &entitles("x"))]).await;
    gateway.until_logged(&["as this user", GATEWAY_USER]).await;
    let by = |user: &str, number: u32| {
        let mut event = arrival(number);
        event["user_id"] = json!(user);
        event
    };
    let ours = gateway.accepted(&by(GATEWAY_USER, 1), &[]).await;
    let theirs = by("22222222-aaaa-4aaa-8aaa-000000000002", 2);
    let theirs = gateway.accepted(&theirs, &[]).await;
    gateway.until_runs(RunState::Succeeded, 1).await;
    gateway.until_quiet().await;
    gateway.stop().await;
    let (event, runs) = gateway.stored(ours).await;
    assert_eq!((event.state, runs.len()), (EventState::Routed, 0));
    let (_, runs) = gateway.stored(theirs).await;
    assert_eq!(runs.len(), 1);
}
