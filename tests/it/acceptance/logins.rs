//! Iconik does not accept how we log in, and then it does: nothing that arrived meanwhile is lost.

use cuegate::model::RunState;
use serde_json::json;

use super::{ASSET, RULES, desk, operations};
use crate::gateway::{AUTH_TOKEN, Gateway, eventually, simulated, webhook};

/// Posts an update whose rule writes a word, and answers when it is accepted.
async fn update(gateway: &Gateway, number: u32) {
    let body = webhook("entity", "update", ASSET, &json!({ "number": number }));
    gateway.accepted(&body, &[]).await;
}

async fn until_circuit(gateway: &Gateway, state: f64) {
    eventually(&format!("the circuit is at {state}"), async || {
        (gateway.metric("cuegate_circuit_open").await == state).then_some(())
    })
    .await;
}

#[tokio::test]
async fn with_a_wrong_token_everything_waits_and_goes_on_when_its_file_is_corrected() {
    let simulator = simulated(operations()).await;
    let mut gateway = Gateway::new(&simulator, &RULES);
    gateway.replace(
        &format!("auth_token = \"{AUTH_TOKEN}\""),
        "auth_token_file = \"token\"",
    );
    gateway.write("token", "a-wrong-token\n");
    gateway.start().await;
    // The domain is not known yet: events are kept.
    for number in 0..3 {
        update(&gateway, number).await;
    }
    gateway
        .until_logged(&["Iconik does not tell who we are", "401"])
        .await;
    assert_eq!(
        gateway.metric("cuegate_runs{state=\"succeeded\"}").await,
        0.0
    );
    gateway.write("token", &format!("{AUTH_TOKEN}\n"));
    gateway.until_runs(RunState::Succeeded, 3).await;
    assert_eq!(desk(&simulator, ASSET), Some(json!("update")));

    // It ends in the middle of the day.
    gateway.write("token", "an-ended-token\n");
    gateway
        .until_logged(&["iconik.auth_token_file", "read anew"])
        .await;
    let mut number = 3;
    eventually("a call is refused", async || {
        update(&gateway, number).await;
        number += 1;
        (gateway.metric("cuegate_circuit_open").await == 1.0).then_some(())
    })
    .await;
    for _ in 0..5 {
        update(&gateway, number).await;
        number += 1;
    }
    gateway.write("token", AUTH_TOKEN);
    gateway.until_runs(RunState::Succeeded, number).await;
    until_circuit(&gateway, 0.0).await;
    for state in ["dead", "parked", "cancelled"] {
        let name = format!("cuegate_runs{{state=\"{state}\"}}");
        assert_eq!(gateway.metric(&name).await, 0.0, "{state}");
    }
    let said = gateway.everything_said();
    assert!(!said.contains("-token\""), "{said}");
    gateway.stop().await;
}

#[tokio::test]
async fn an_oauth_login_works_and_survives_the_end_of_its_tokens() {
    let simulator = simulated(operations()).await;
    let mut gateway = Gateway::new(&simulator, &RULES);
    gateway.replace("app_id = \"gateway-app\"", "");
    gateway.replace(
        &format!("auth_token = \"{AUTH_TOKEN}\""),
        "oauth = { client_id = \"gateway-app\", client_secret_file = \"secret\" }",
    );
    gateway.write("secret", AUTH_TOKEN);
    gateway.start().await;
    update(&gateway, 0).await;
    gateway.until_runs(RunState::Succeeded, 1).await;
    assert_eq!(desk(&simulator, ASSET), Some(json!("update")));
    let issued = "cuegate_iconik_tokens_total{outcome=\"issued\"}";
    assert_eq!(gateway.metric(issued).await, 1.0);

    simulator.end_tokens();
    update(&gateway, 1).await;
    gateway.until_runs(RunState::Succeeded, 2).await;
    assert_eq!(gateway.metric(issued).await, 2.0);
    assert_eq!(
        gateway.metric("cuegate_circuit_open").await,
        0.0,
        "it is no outage"
    );

    // A secret that is worth nothing is one, until it is corrected.
    gateway.write("secret", "a-wrong-secret");
    gateway
        .until_logged(&["iconik.oauth.client_secret_file", "read anew"])
        .await;
    simulator.end_tokens();
    update(&gateway, 2).await;
    until_circuit(&gateway, 1.0).await;
    gateway.write("secret", AUTH_TOKEN);
    gateway.until_runs(RunState::Succeeded, 3).await;
    until_circuit(&gateway, 0.0).await;
    let said = gateway.everything_said();
    assert!(
        !said.contains(AUTH_TOKEN) && !said.contains("a-wrong-secret"),
        "{said}"
    );
    gateway.stop().await;
}
