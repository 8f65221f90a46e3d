//! Buttons pressed in a simulated Iconik, as it calls the gateway for them: who may press, what is answered, what rules see.

use cuegate::model::RunState;
use serde_json::{Value, json};

use super::webhooks::{GROUP, Person, VIEW, serving, types};
use crate::gateway::{GATEWAY_USER, Gateway};

/// A rule with this button that says what was filled in.
fn rule(button: &str) -> String {
    format!(
        "rule(#{{ button: #{{ title: \"Press\", contexts: [\"ASSET\"], form: \"Release\", {button} }} }});\n\
         fn run(event) {{ log::info(`until ${{event.form.ends.format(\"%d.%m.%Y\", \"UTC\")}}`); }}\n"
    )
}

/// Presses the button of the rule; what Iconik tells whoever did.
async fn press(person: &Person, rule: &str, day: &str) -> Value {
    let buttons = person.buttons().await;
    let ours = buttons
        .iter()
        .find(|it| it["headers"]["cuegate-rule"] == rule);
    let id = ours.expect("it was registered")["id"]
        .as_str()
        .expect("it has an id")
        .to_owned();
    let selection = json!({
        "asset_ids": ["3f2b4f81-7a8b-11ee-9d3f-0a580a3c0f55"], "metadata_view_id": VIEW,
        "metadata_values": { "ends": { "field_values": [{ "value": day }] } },
    });
    let path = format!("assets/v1/custom_actions/ASSET/{id}/callback/");
    person.asks("POST", &path, Some(selection)).await
}

async fn run_of(gateway: &Gateway, rule: &str) -> String {
    let filter = [
        "runs",
        "list",
        "--rule",
        rule,
        "--url",
        gateway.admin_url(),
        "--format",
        "json",
    ];
    let list = types(gateway, &filter).await.json();
    let id = list["runs"][0]["id"].to_string();
    types(
        gateway,
        &["runs", "show", &id, "--url", gateway.admin_url()],
    )
    .await
    .out
}

#[tokio::test]
async fn a_press_reaches_its_rule_with_the_form_by_type_and_is_answered_with_where_to_go_on() {
    let target = "https://status.example.com/releases?of=today";
    let going = rule(&format!("redirect: \"{target}\""));
    let (_simulator, gateway, person) =
        serving(&[("going.rhai", &going), ("staying.rhai", &rule(""))]).await;
    let told = press(&person, "going", "2026-05-01").await;
    assert_eq!(told["redirect_url"], target);
    let told = press(&person, "staying", "2026-05-02").await;
    assert_eq!(told["redirect_url"], Value::Null);
    gateway.until_runs(RunState::Succeeded, 2).await;
    assert!(run_of(&gateway, "going").await.contains("until 01.05.2026"));
    assert!(
        run_of(&gateway, "staying")
            .await
            .contains("until 02.05.2026")
    );
}

#[tokio::test]
async fn a_button_for_a_group_runs_for_its_members_and_for_nobody_else() {
    let mine = rule(&format!("groups: [\"Playout\", \"{GROUP}\"]"));
    let others = rule("groups: [\"1f2b4f81-7a8b-11ee-9d3f-0a580a3c0f44\"]");
    let (simulator, gateway, person) =
        serving(&[("mine.rhai", &mine), ("others.rhai", &others)]).await;
    press(&person, "mine", "2026-05-01").await;
    gateway.until_runs(RunState::Succeeded, 1).await;
    assert!(run_of(&gateway, "mine").await.contains("until 01.05.2026"));
    let asked = |path: &str| {
        simulator
            .requests()
            .iter()
            .filter(|it| it.path == path)
            .count()
    };
    assert_eq!(asked(&format!("users/v1/users/{GATEWAY_USER}/")), 1);

    press(&person, "others", "2026-05-01").await;
    gateway.until_quiet().await;
    let shown = run_of(&gateway, "others").await;
    assert!(!shown.contains("until 01.05.2026"), "{shown}");
    assert_eq!(
        gateway.metric("cuegate_runs{state=\"succeeded\"}").await,
        1.0
    );
}
