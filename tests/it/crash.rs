//! What survives `kill -9`, a bad rule set, a stop in the middle: the promises of the journal, kept by the real
//! process.

use cuegate::model::{Method, RunState};
use cuegate::simulator::{HoldPoint, Matching};
use serde_json::{Value, json};

use super::gateway::{Gateway, simulated, webhook, within};

const ASSET: &str = "2c5bfe1a-f149-11eb-a843-0a580a3db916";

fn seed() -> Value {
    json!({ "assets": [{ "id": ASSET, "title": "Interview" }] })
}

fn arrival() -> Value {
    webhook("entity", "create", ASSET, &json!({ "id": ASSET }))
}

/// Renames its asset: an idempotent PUT.
const RENAME: (&str, &str) = (
    "rename.rhai",
    r#"
rule(#{ on: ["assets/entity/create"], allow: ["assets:write"] });
fn run(event) {
    let asset = iconik::asset(event.asset_id);
    iconik::put(`assets/v1/assets/${event.asset_id}/`, #{ title: `${asset.title}!` });
}
"#,
);

#[tokio::test]
async fn a_kill_between_the_answer_and_the_first_intent_loses_nothing_and_repeats_nothing() {
    let simulator = simulated(seed()).await;
    let mut gateway = Gateway::started(&simulator, &[RENAME]).await;
    let mut read = simulator.hold(
        Matching::prefix(Method::Get, "assets/v1/assets/"),
        HoldPoint::Before,
    );
    let event = gateway.accepted(&arrival(), &[]).await;
    within("the rule reads its asset", read.held()).await;
    gateway.sigkill().await;
    read.cut();

    gateway.start().await;
    gateway.until_runs(RunState::Succeeded, 1).await;
    gateway.stop().await;
    let (_, runs) = gateway.stored(event).await;
    assert_eq!(runs.len(), 1, "{runs:?}");
    let asset = simulator.world().asset(ASSET).expect("it is there");
    assert_eq!(asset["title"], "Interview!");
}
