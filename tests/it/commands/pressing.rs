//! Buttons pressed in a simulated Iconik, as it calls the gateway for them: who may press, what is answered, what rules see.

use cuegate::model::RunState;
use serde_json::{Value, json};

use super::webhooks::{APP, APP_TOKEN, EDITOR, GROUP, Person, VIEW, serving, serving_as, types};
use crate::gateway::{AUTH_TOKEN, GATEWAY_USER, Gateway};

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

const SEAL_KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// A rule whose button asks for a job, as whom it says.
fn asking(run_as: &str) -> String {
    format!(
        "rule(#{{ button: #{{ title: \"Ask {run_as}\", contexts: [\"ASSET\"] }}, run_as: \"{run_as}\", allow: [\"jobs:write\"] }});\n\
         fn run(event) {{ iconik::create_job(#{{ \"type\": \"CUSTOM\", status: \"STARTED\", title: \"as {run_as}\" }}); }}\n"
    )
}

/// A gateway of an application that Iconik gives tokens of people for.
fn of_application(gateway: &mut Gateway) {
    gateway.replace("gateway-app", APP);
    gateway.replace(AUTH_TOKEN, APP_TOKEN);
    gateway.log("info,cuegate=debug");
}

fn with_a_key(gateway: &mut Gateway) {
    of_application(gateway);
    gateway.write("seal.key", &format!("{SEAL_KEY}\n"));
    gateway.replace(
        "drain = \"20s\"",
        "drain = \"20s\"\nseal_key_file = \"seal.key\"",
    );
}

async fn makers(person: &Person) -> Vec<(String, String)> {
    let jobs = person.objects("jobs/v1/jobs/").await;
    let text = |job: &Value, key: &str| job[key].as_str().unwrap_or_default().to_owned();
    let mut makers: Vec<_> = jobs
        .iter()
        .map(|job| (text(job, "title"), text(job, "created_by")))
        .collect();
    makers.sort();
    makers
}

/// Every byte that the gateway has written, and everything that it has said.
fn left_behind(gateway: &Gateway) -> Vec<u8> {
    let mut bytes = gateway.everything_said().into_bytes();
    for file in std::fs::read_dir(gateway.path("data")).expect("it has kept something") {
        bytes
            .extend(std::fs::read(file.expect("it can be listed").path()).expect("it can be read"));
    }
    bytes
}

#[tokio::test]
async fn a_rule_that_runs_as_the_user_acts_as_whoever_pressed_and_another_does_not() {
    let rules = [
        ("own.rhai", asking("user")),
        ("ours.rhai", asking("service")),
    ];
    let rules = rules
        .each_ref()
        .map(|(name, source)| (*name, source.as_str()));
    let (simulator, gateway, person) = serving_as(&rules, with_a_key).await;
    let editor = Person::editor(&simulator);
    press(&editor, "own", "-").await;
    press(&editor, "ours", "-").await;
    gateway.until_runs(RunState::Succeeded, 2).await;
    let as_whom = |title: &str, user: &str| (title.to_owned(), user.to_owned());
    assert_eq!(
        makers(&person).await,
        [
            as_whom("as service", GATEWAY_USER),
            as_whom("as user", EDITOR)
        ]
    );
    gateway
        .until_logged(&["tokens of people who pressed buttons are forgotten"])
        .await;
}

#[tokio::test]
async fn a_token_that_is_refused_or_missing_ends_the_run_alone_and_is_written_nowhere() {
    const TOKEN: &str = "bogus-token-7f3a91c4";
    let rules = [
        ("own.rhai", asking("user")),
        ("ours.rhai", asking("service")),
    ];
    let rules = rules
        .each_ref()
        .map(|(name, source)| (*name, source.as_str()));
    let (_simulator, mut gateway, person) = serving_as(&rules, with_a_key).await;
    let pressed = |number: u32, token: Option<&str>| {
        json!({
            "context": "ASSET", "action_id": "b", "user_id": EDITOR, "asset_ids": [], "auth_token": token,
            "date_created": format!("2026-03-01T12:00:0{number}.000000"),
        })
    };
    gateway
        .accepted(&pressed(1, Some(TOKEN)), &[("cuegate-rule", "own")])
        .await;
    gateway.until_runs(RunState::Dead, 1).await;
    let shown = run_of(&gateway, "own").await;
    assert!(shown.contains("401") && !shown.contains(TOKEN), "{shown}");
    gateway
        .accepted(&pressed(2, None), &[("cuegate-rule", "own")])
        .await;
    gateway.until_runs(RunState::Dead, 2).await;
    let shown = run_of(&gateway, "own").await;
    assert!(shown.contains("there is no token of the person"), "{shown}");

    // Somebody's token says nothing about ours: everybody else goes on.
    assert_eq!(gateway.metric("cuegate_circuit_open").await, 0.0);
    gateway
        .accepted(&pressed(3, Some(TOKEN)), &[("cuegate-rule", "ours")])
        .await;
    gateway.until_runs(RunState::Succeeded, 1).await;
    assert_eq!(makers(&person).await.len(), 1);
    gateway.stop().await;
    let bytes = left_behind(&gateway);
    assert!(
        !bytes
            .windows(TOKEN.len())
            .any(|part| part == TOKEN.as_bytes())
    );
}

#[tokio::test]
async fn without_a_key_no_token_is_kept_and_the_run_says_what_is_missing() {
    let own = asking("user");
    let (simulator, gateway, person) = serving_as(&[("own.rhai", &own)], of_application).await;
    gateway
        .until_logged(&["runs as whoever presses its button", "seal_key_file"])
        .await;
    press(&Person::editor(&simulator), "own", "-").await;
    gateway.until_runs(RunState::Dead, 1).await;
    let shown = run_of(&gateway, "own").await;
    assert!(shown.contains("no `server.seal_key_file`"), "{shown}");
    assert!(
        makers(&person).await.is_empty(),
        "it never acts as somebody else"
    );
}
