//! `cuegate webhooks` against a simulated Iconik: what it says, what it changes there, and what it leaves alone.

use cuegate::simulator::Simulator;
use serde_json::{Value, json};

use super::Said;
use crate::gateway::{AUTH_TOKEN, GATEWAY_USER, Gateway, SECRET, SECRET_HEADER, simulated};

const TAG: &str =
    "rule(#{ on: [\"assets/metadata/update\", \"collections/*/*\"] });\nfn run(event) { }\n";
const PUBLISH: &str = "rule(#{ button: #{ title: \"Publish\", contexts: [\"ASSET\", \"BULK\"], form: \"Release\" } });\n\
                       fn run(event) { }\n";
/// Whom the gateway's user belongs to.
pub(super) const GROUP: &str = "9d2f4f81-7a8b-11ee-9d3f-0a580a3c0f77";
/// An application whose id has the form of Iconik's, and its token.
pub(super) const APP: &str = "5d2f4f81-7a8b-11ee-9d3f-0a580a3c0f66";
pub(super) const APP_TOKEN: &str = "application-token-51c8";
/// Somebody who works in Iconik.
pub(super) const EDITOR: &str = "22222222-aaaa-4aaa-8aaa-000000000002";
/// A form with one date.
pub(super) const VIEW: &str = "7f4b4c9e-7a8b-11ee-9d3f-0a580a3c0f99";

/// Iconik as somebody with another token sees it.
pub(super) struct Person {
    base_url: String,
    app_id: &'static str,
    auth_token: &'static str,
}

impl Person {
    pub(super) fn at(simulator: &Simulator) -> Self {
        Self {
            base_url: simulator.base_url(),
            app_id: "gateway-app",
            auth_token: AUTH_TOKEN,
        }
    }

    /// The same Iconik as the editor sees it.
    pub(super) fn editor(simulator: &Simulator) -> Self {
        Self {
            app_id: "editor",
            auth_token: "editor-token",
            ..Self::at(simulator)
        }
    }

    pub(super) async fn asks(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("it is one");
        let http = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("a plain client");
        let mut request = http
            .request(method, format!("{}/{path}", self.base_url))
            .header("App-ID", self.app_id)
            .header("Auth-Token", self.auth_token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.expect("the simulator answers");
        let (status, text) = (answer.status(), answer.text().await.expect("it is text"));
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    pub(super) async fn webhooks(&self) -> Vec<Value> {
        self.objects("notifications/v1/webhooks/").await
    }

    pub(super) async fn buttons(&self) -> Vec<Value> {
        self.objects("assets/v1/custom_actions/").await
    }

    pub(super) async fn objects(&self, path: &str) -> Vec<Value> {
        let list = self.asks("GET", path, None).await;
        list["objects"].as_array().expect("a list").clone()
    }

    /// A webhook of somebody else.
    async fn registers(&self, description: &str) -> String {
        let webhook = json!({
            "event_type": "assets", "realm": "metadata", "operation": "update", "status": "ENABLED",
            "url": "https://elsewhere.example.com/", "description": description,
        });
        let made = self
            .asks("POST", "notifications/v1/webhooks/", Some(webhook))
            .await;
        made["id"].as_str().expect("it has an id").to_owned()
    }
}

pub(super) async fn types(gateway: &Gateway, arguments: &[&str]) -> Said {
    let output = gateway.command(arguments).output().await;
    Said::from(output.expect("the binary can be started"))
}

/// A simulated Iconik with a form, and a gateway with a name for Iconik.
async fn site(rules: &[(&str, &str)]) -> (Simulator, Gateway, Person) {
    let field = json!({ "name": "ends", "label": "Ends", "field_type": "date" });
    let view = json!({ "id": VIEW, "name": "Release", "view_fields": [{ "name": "ends" }] });
    let user = json!({ "id": GATEWAY_USER, "groups": [GROUP] });
    let credential = |app: &str, token: &str, user: &str| json!({ "app_id": app, "auth_token": token, "user_id": user });
    let credentials = [
        credential(APP, APP_TOKEN, GATEWAY_USER),
        credential("editor", "editor-token", EDITOR),
    ];
    let seed =
        json!({ "fields": [field], "views": [view], "users": [user], "credentials": credentials });
    let simulator = simulated(seed).await;
    let gateway = Gateway::new(&simulator, rules);
    gateway.replace(
        "drain = \"20s\"",
        "drain = \"20s\"\npublic_url = \"https://hooks.example.com:8443\"",
    );
    let person = Person::at(&simulator);
    (simulator, gateway, person)
}

#[tokio::test]
async fn sync_makes_what_the_rules_need_and_a_second_one_does_nothing() {
    let (_simulator, gateway, person) = site(&[("tag.rhai", TAG), ("publish.rhai", PUBLISH)]).await;
    let plan = types(&gateway, &["webhooks", "plan"]).await;
    plan.ended(
        1,
        &[
            "create",
            "assets/metadata/update",
            "publish in BULK",
            "4 to do",
        ],
    );
    let asked = types(&gateway, &["webhooks", "sync"]).await;
    asked.ended(1, &["4 definition(s) in Iconik would be changed", "--yes"]);
    assert!(person.webhooks().await.is_empty(), "nobody said yes");

    types(&gateway, &["webhooks", "sync", "--yes"])
        .await
        .ended(0, &["4 carried out for cuegate:hooks.example.com:8443"]);
    let webhooks = person.webhooks().await;
    let collections = webhooks.iter().find(|it| it["event_type"] == "collections");
    let collections = collections.expect("there is a webhook for collections");
    assert_eq!(collections["realm"], Value::Null);
    assert_eq!(
        collections["url"],
        "https://hooks.example.com:8443/hooks/iconik"
    );
    assert_eq!(collections["headers"], json!({ SECRET_HEADER: SECRET }));
    assert_eq!(collections["query"], Value::Null);
    let buttons = person.buttons().await;
    assert_eq!(buttons.len(), 2);
    for button in &buttons {
        assert_eq!(button["headers"]["cuegate-rule"], "publish");
        assert_eq!(button["headers"][SECRET_HEADER], SECRET);
        assert_eq!(button["metadata_view"], VIEW);
    }

    let again = types(&gateway, &["webhooks", "sync", "--yes", "--format", "json"]).await;
    again.ended(0, &[]);
    assert_eq!(
        (&again.json()["to_do"], &again.json()["done"]),
        (&json!(0), &json!(0))
    );
    assert_eq!(
        person.webhooks().await,
        webhooks,
        "a second sync touches nothing"
    );
    types(&gateway, &["webhooks", "plan"])
        .await
        .ended(0, &["nothing to do"]);
    assert!(!again.everything().contains(SECRET));
}

#[tokio::test]
async fn what_was_changed_by_hand_is_shown_and_mended_and_others_are_left_alone() {
    let (_simulator, gateway, person) = site(&[("tag.rhai", TAG)]).await;
    let theirs = person.registers("the archive's").await;
    let twin = person
        .registers("cuegate:hooks.example.com another gateway")
        .await;
    types(&gateway, &["webhooks", "sync", "--yes"])
        .await
        .ended(0, &["2 of others left alone"]);
    let webhooks = person.webhooks().await;
    let ours = webhooks.iter().find(|it| it["event_type"] == "collections");
    let mut changed = ours.expect("it was made").clone();
    let id = changed["id"].as_str().expect("it has an id").to_owned();
    let document = changed.as_object_mut().expect("it is an object");
    for key in [
        "id",
        "date_created",
        "date_modified",
        "deleted_at",
        "first_failed_at",
        "last_error",
        "last_payload",
        "query",
    ] {
        document.remove(key);
    }
    changed["url"] = json!("https://elsewhere.example.com");
    changed["headers"] = json!({ SECRET_HEADER: "guessed" });
    person
        .asks(
            "PUT",
            &format!("notifications/v1/webhooks/{id}/"),
            Some(changed),
        )
        .await;

    let plan = types(&gateway, &["webhooks", "plan", "--format", "json"]).await;
    plan.ended(
        1,
        &["\"update\"", "elsewhere.example.com", "has another value"],
    );
    assert!(!plan.everything().contains("guessed") && !plan.everything().contains(SECRET));
    gateway.write(
        "rules/tag.rhai",
        "rule(#{ on: [\"collections/*/*\"] });\nfn run(event) { }\n",
    );
    let sync = types(&gateway, &["webhooks", "sync", "--yes"]).await;
    sync.ended(0, &["update", "remove", "2 carried out"]);
    let left = person.webhooks().await;
    let ids: Vec<_> = left
        .iter()
        .map(|it| it["id"].as_str().unwrap_or_default())
        .collect();
    assert!(
        ids.contains(&theirs.as_str()) && ids.contains(&twin.as_str()),
        "{ids:?}"
    );
    assert_eq!(ids.len(), 3);
    let mended = left
        .iter()
        .find(|it| it["id"] == id.as_str())
        .expect("it stayed");
    assert_eq!(mended["headers"], json!({ SECRET_HEADER: SECRET }));
}

#[tokio::test]
async fn rules_that_do_not_compile_and_forms_that_are_not_there_change_nothing() {
    let (_simulator, gateway, person) = site(&[("tag.rhai", TAG), ("publish.rhai", PUBLISH)]).await;
    types(&gateway, &["webhooks", "sync", "--yes"])
        .await
        .ended(0, &[]);
    gateway.write(
        "rules/tag.rhai",
        "rule(#{ on: [\"assets/metadata\"] });\nfn run(event) { }\n",
    );
    let broken = types(&gateway, &["webhooks", "sync", "--yes"]).await;
    broken.ended(1, &["is no pattern of events"]);
    gateway.write(
        "rules/tag.rhai",
        "rule(#{ on: [\"*/entity/create\"] });\nfn run(event) { }\n",
    );
    gateway.write("rules/publish.rhai", &PUBLISH.replace("Release", "Releas"));
    let blocked = types(&gateway, &["webhooks", "sync", "--yes"]).await;
    blocked.ended(
        1,
        &[
            "nothing was done",
            "no metadata view `Releas`; there are `Release`",
        ],
    );
    blocked.ended(
        1,
        &[
            "cannot be had: */entity/create (tag)",
            "names one event_type",
        ],
    );
    assert_eq!(
        (person.webhooks().await.len(), person.buttons().await.len()),
        (2, 2)
    );
}

#[tokio::test]
async fn a_configuration_that_leaves_open_where_and_how_iconik_sends_is_refused() {
    let (_simulator, gateway, _person) = site(&[("tag.rhai", TAG)]).await;
    gateway.replace("public_url = \"https://hooks.example.com:8443\"", "");
    let said = types(&gateway, &["webhooks", "plan"]).await;
    said.ended(78, &["`server.public_url` is missing"]);
    gateway.replace(
        "drain = \"20s\"",
        "drain = \"20s\"\npublic_url = \"https://h.example.com\"",
    );
    gateway.replace(
        &format!("verify = {{ header = \"{SECRET_HEADER}\", secrets = [\"{SECRET}\"] }}"),
        "verify = { hmac = { header = \"x-sig\", secrets = [\"k\"] } }",
    );
    let said = types(&gateway, &["webhooks", "plan"]).await;
    said.ended(78, &["it signs nothing"]);
}

#[tokio::test]
async fn credentials_that_iconik_does_not_know_are_named() {
    let (_simulator, gateway, _person) = site(&[("tag.rhai", TAG)]).await;
    gateway.replace(AUTH_TOKEN, "wrong");
    let said = types(&gateway, &["webhooks", "plan"]).await;
    said.ended(1, &["Iconik's webhooks cannot be read", "under [iconik]"]);
}

const ARRIVED: &str = "rule(#{ on: [\"assets/entity/create\"], echoes: true });\n\
                       fn run(event) { log::info(`${event.reconciled}`); }\n";

/// A running gateway that Iconik reaches, with its webhooks set up.
pub(super) async fn serving(rules: &[(&str, &str)]) -> (Simulator, Gateway, Person) {
    serving_as(rules, |_| {}).await
}

/// The same with a configuration that is changed before the start.
pub(super) async fn serving_as(
    rules: &[(&str, &str)],
    change: impl FnOnce(&mut Gateway),
) -> (Simulator, Gateway, Person) {
    let (simulator, mut gateway, person) = site(rules).await;
    change(&mut gateway);
    let port = {
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
        free.local_addr().expect("it is bound").port()
    };
    gateway.replace(
        "https://hooks.example.com:8443",
        &format!("http://127.0.0.1:{port}"),
    );
    gateway.replace(
        "listen = \"127.0.0.1:0\"\nadmin",
        &format!("listen = \"127.0.0.1:{port}\"\nadmin"),
    );
    gateway.replace(
        "index_lag = \"1s\"",
        "index_lag = \"1s\"\nwebhook_check = \"1s\"\ninstance = \"main\"",
    );
    gateway.start().await;
    types(&gateway, &["webhooks", "sync", "--yes"])
        .await
        .ended(0, &["for cuegate:main"]);
    (simulator, gateway, person)
}

async fn doctor(gateway: &Gateway, more: &[&str]) -> Said {
    let mut arguments = vec!["webhooks", "doctor", "--url", gateway.admin_url()];
    arguments.extend_from_slice(more);
    types(gateway, &arguments).await
}

async fn switch(person: &Person, status: &str) {
    let webhook = person.webhooks().await.remove(0);
    let keys = [
        "event_type",
        "realm",
        "operation",
        "url",
        "name",
        "description",
        "headers",
    ];
    let mut body: Value = keys
        .iter()
        .map(|key| ((*key).to_owned(), webhook[*key].clone()))
        .collect();
    body["status"] = json!(status);
    let id = webhook["id"].as_str().expect("it has an id");
    person
        .asks(
            "PUT",
            &format!("notifications/v1/webhooks/{id}/"),
            Some(body),
        )
        .await;
}

async fn makes(person: &Person, title: &str) {
    person
        .asks("POST", "assets/v1/assets/", Some(json!({ "title": title })))
        .await;
}

#[tokio::test]
async fn the_doctor_switches_a_webhook_on_and_makes_up_for_what_was_missed_once() {
    let (_simulator, gateway, person) = serving(&[("arrived.rhai", ARRIVED)]).await;
    doctor(&gateway, &[]).await.ended(0, &["1 work, 0 did not"]);
    makes(&person, "before").await;
    gateway
        .until_runs(cuegate::model::RunState::Succeeded, 1)
        .await;
    switch(&person, "DISABLED").await;
    makes(&person, "missed").await;
    makes(&person, "missed as well").await;

    let said = doctor(&gateway, &[]).await;
    said.ended(
        1,
        &[
            "assets/entity/create: DISABLED since",
            "2 change(s) since",
            "--repair",
        ],
    );
    assert_eq!(
        person.webhooks().await[0]["status"],
        "DISABLED",
        "nobody asked for a repair"
    );
    types(&gateway, &["webhooks", "plan"])
        .await
        .ended(0, &["`cuegate webhooks doctor`"]);

    let said = doctor(&gateway, &["--repair"]).await;
    said.ended(
        0,
        &["switched on again", "2 change(s)", "marked as reconciled"],
    );
    assert_eq!(person.webhooks().await[0]["status"], "ENABLED");
    gateway
        .until_runs(cuegate::model::RunState::Succeeded, 3)
        .await;
    makes(&person, "after").await;
    gateway
        .until_runs(cuegate::model::RunState::Succeeded, 4)
        .await;

    // Everything has arrived by one way or the other, and nothing comes twice.
    let again = doctor(&gateway, &["--repair", "--since", "1h"]).await;
    again.ended(0, &["0 change(s)", "4 had arrived"]);
    gateway.until_quiet().await;
    assert_eq!(
        gateway.metric("cuegate_runs{state=\"succeeded\"}").await,
        4.0
    );
    assert_eq!(gateway.metric("cuegate_events_reconciled_total").await, 2.0);
    let list = types(
        &gateway,
        &[
            "runs",
            "list",
            "--url",
            gateway.admin_url(),
            "--format",
            "json",
        ],
    )
    .await;
    let mut marked = 0;
    for run in list.json()["runs"].as_array().expect("a list") {
        let id = run["id"].to_string();
        let shown = types(
            &gateway,
            &["runs", "show", &id, "--url", gateway.admin_url()],
        )
        .await;
        marked += usize::from(shown.out.contains("true"));
    }
    assert_eq!(marked, 2, "rules can tell what was made up for");
}

#[tokio::test]
async fn a_repair_without_a_gateway_that_answers_switches_nothing_on() {
    let (_simulator, gateway, person) = site(&[("arrived.rhai", ARRIVED)]).await;
    types(&gateway, &["webhooks", "sync", "--yes"])
        .await
        .ended(0, &[]);
    switch(&person, "FAILING").await;
    let nobody = [
        "webhooks",
        "doctor",
        "--url",
        "http://127.0.0.1:9",
        "--repair",
    ];
    types(&gateway, &nobody)
        .await
        .ended(1, &["no gateway answers"]);
    assert_eq!(person.webhooks().await[0]["status"], "FAILING");
    makes(&person, "missed").await;
    let said = types(&gateway, &nobody[..4]).await;
    said.ended(1, &["FAILING since", "is not told: no gateway answers"]);
    gateway.write(
        "rules/arrived.rhai",
        "rule(#{ on: [\"segments/entity/create\"] });\nfn run(event) { }\n",
    );
    types(&gateway, &nobody[..4])
        .await
        .ended(1, &["no rule needs it"]);
    types(&gateway, &["webhooks", "doctor", "--since", "soon"])
        .await
        .ended(2, &["`soon` is no time"]);
}

#[tokio::test]
async fn a_running_gateway_says_that_a_webhook_does_not_work_and_changes_nothing() {
    let (simulator, gateway, person) =
        serving(&[("arrived.rhai", ARRIVED), ("publish.rhai", PUBLISH)]).await;
    let enabled = "cuegate_webhooks{kind=\"webhook\",status=\"enabled\"}";
    crate::gateway::eventually("the webhook is seen", async || {
        (gateway.metric(enabled).await == 1.0).then_some(())
    })
    .await;
    assert_eq!(
        gateway
            .metric("cuegate_webhooks{kind=\"button\",status=\"enabled\"}")
            .await,
        2.0
    );
    switch(&person, "FAILING").await;
    gateway
        .until_logged(&[
            "Iconik does not send what the rules need",
            "assets/entity/create",
            "FAILING",
        ])
        .await;
    let failing = "cuegate_webhooks{kind=\"webhook\",status=\"failing\"}";
    assert_eq!(gateway.metric(failing).await, 1.0);
    assert_eq!(gateway.metric(enabled).await, 0.0);
    let writes = writes_in(&simulator);
    doctor(&gateway, &["--repair"])
        .await
        .ended(0, &["switched on again"]);
    gateway.until_logged(&["Iconik sends this again"]).await;
    let made = writes_in(&simulator).split_off(writes.len());
    assert_eq!(made.len(), 1, "only the repair has written: {made:?}");
}

/// What was changed in Iconik, by whomever.
fn writes_in(simulator: &Simulator) -> Vec<String> {
    let requests = simulator.requests().into_iter();
    let writes = requests.filter(|it| it.method != "GET" && !it.path.starts_with("search/"));
    writes
        .map(|it| format!("{} {}", it.method, it.path))
        .collect()
}

#[tokio::test]
async fn webhooks_leave_out_what_our_own_user_does_where_the_configuration_asks_for_it() {
    let rule = "rule(#{ on: [\"assets/entity/create\"] });\nfn run(event) { }\n";
    let (simulator, gateway, person) = serving_as(&[("arrived.rhai", rule)], |gateway| {
        gateway.replace("index_lag = \"1s\"", "index_lag = \"1s\"\nskip_own = true");
    })
    .await;
    let query = person.webhooks().await[0]["query"].clone();
    assert_eq!(query, format!("user_id!=\"{GATEWAY_USER}\""));
    makes(&person, "ours").await;
    makes(&Person::editor(&simulator), "theirs").await;
    gateway
        .until_runs(cuegate::model::RunState::Succeeded, 1)
        .await;
    let sent: Vec<Value> = simulator
        .deliveries()
        .into_iter()
        .map(|delivery| delivery.envelope["user_id"].clone())
        .collect();
    assert_eq!(sent, [EDITOR], "ours came first and was not sent");
}
