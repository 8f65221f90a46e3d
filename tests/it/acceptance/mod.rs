//! What arrives is kept and worked on, what must not be kept is nowhere: recorded bodies of real deployments and
//! those that follow from the documentation, posted to the real process.
//!
//! The recordings are no part of the project; where they are not at hand, their tests print that and pass.

mod doors;
mod logins;
mod replacing;
mod senders;

use std::fs;
use std::path::{Path, PathBuf};

use cuegate::model::{EventState, RULE_HEADER, RuleId, RunState};
use cuegate::simulator::{DEFAULT_DOMAIN, Simulator};
use serde_json::{Value, json};

use super::gateway::{Gateway, event_id, simulated, webhook};

const VIEW: &str = "22222222-bbbb-4bbb-8bbb-000000000001";
const ASSET: &str = "2c5bfe1a-f149-11eb-a843-0a580a3db916";

/// One rule for each family of events; each leaves its own word in the field "desk" of the asset.
const RULES: [(&str, &str); 5] = [
    (
        "collected.rhai",
        r#"rule(#{ on: ["collections/contents/create"], allow: ["metadata:write"] });
        fn run(event) {
            let folder = iconik::collection(event.collection_id);
            let asset = iconik::asset(event.data.object_id);
            asset.set_metadata("Operations", #{ desk: `in ${folder.title}` });
        }"#,
    ),
    (
        "shared.rhai",
        r#"rule(#{ on: ["assets/shares/create"], allow: ["metadata:write"] });
        fn run(event) {
            let asset = iconik::asset(event.asset_id);
            asset.set_metadata("Operations", #{ desk: `shared ${asset.title}` });
        }"#,
    ),
    (
        "changed.rhai",
        r#"rule(#{ on: ["assets/entity/*"], allow: ["metadata:write"] });
        fn run(event) {
            iconik::asset(event.asset_id).set_metadata("Operations", #{ desk: event.operation });
        }"#,
    ),
    (
        "described.rhai",
        r#"rule(#{ on: ["assets/metadata/update"], allow: ["metadata:write"] });
        fn run(event) {
            let said = event.data.metadata_values.Title.field_values[0].value;
            iconik::asset(event.asset_id).set_metadata("Operations", #{ desk: `described ${said}` });
        }"#,
    ),
    (
        "pressed.rhai",
        r#"rule(#{ button: #{ title: "Tag", contexts: ["ASSET", "BULK"] }, allow: ["metadata:write"] });
        fn run(event) {
            for id in event.asset_ids {
                iconik::asset(id).set_metadata("Operations", #{ desk: event.context });
            }
        }"#,
    ),
];

/// A recorded body, what should come of it, and what has to be there for that.
struct Recorded {
    name: String,
    body: Value,
    rule: &'static str,
    desk: String,
    asset: String,
}

impl Recorded {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).expect("it was listed");
        let body: Value = serde_json::from_str(&text).expect("a recording is JSON");
        let name = path.file_name().expect("it is a file");
        let name = name.to_string_lossy().into_owned();
        let family: Vec<&str> = name.split('.').take(4).collect();
        let (rule, desk, asset) = match family[..] {
            ["webhook", "collections", "contents", "create"] => {
                ("collected", "in Folder", &body["data"]["object_id"])
            }
            ["webhook", "assets", "shares", "create"] => {
                ("shared", "shared Asset", &body["data"]["object_id"])
            }
            ["webhook", "assets", "entity", operation] => {
                ("changed", operation, &body["object_id"])
            }
            ["webhook", "assets", "metadata", "update"] => {
                ("described", "described x", &body["object_id"])
            }
            ["custom_action", context, ..] => ("pressed", context, &body["asset_ids"][0]),
            _ => panic!("{name} is of a family without a rule here"),
        };
        Self {
            rule,
            desk: desk.to_owned(),
            asset: asset.as_str().expect("it is about an asset").to_owned(),
            name,
            body,
        }
    }

    fn is_button(&self) -> bool {
        self.body.get("action_id").is_some()
    }

    /// The headers that Iconik would send with it.
    fn headers(&self) -> Vec<(&'static str, &'static str)> {
        self.is_button()
            .then_some((RULE_HEADER, self.rule))
            .into_iter()
            .collect()
    }

    /// An Iconik of this domain in which everything exists that the body speaks of.
    async fn world(&self, domain: &str) -> Simulator {
        let collections = [&self.body["data"]["collection_id"]]
            .into_iter()
            .chain(self.body["collection_ids"].as_array().into_iter().flatten())
            .filter(|id| id.is_string())
            .map(|id| json!({ "id": id, "title": "Folder" }))
            .collect::<Vec<_>>();
        let mut seed = operations();
        seed["domain"] = json!(domain);
        seed["collections"] = json!(collections);
        seed["assets"] = json!([{ "id": self.asset, "title": "Asset" }]);
        simulated(seed).await
    }
}

fn operations() -> Value {
    json!({
        "fields": [{ "name": "desk", "label": "Desk", "field_type": "string" }],
        "views": [{ "id": VIEW, "name": "Operations", "view_fields": [{ "name": "desk" }] }],
        "assets": [{ "id": ASSET, "title": "Asset" }],
    })
}

/// Every recorded body of a webhook or a custom action, in the order of their names.
#[expect(
    clippy::print_stdout,
    reason = "whoever runs the tests should know what was left out"
)]
fn recordings() -> Vec<Recorded> {
    let given = std::env::var_os("ICONIK_RECORDINGS").map(PathBuf::from);
    let folder = given
        .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/iconik"))
        .join("payloads");
    let mut paths: Vec<PathBuf> = [folder.clone(), folder.join("inferred")]
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok())
        .flatten()
        .map(|entry| entry.expect("a listed folder can be read").path())
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("webhook.") || name.starts_with("custom_action.")
        })
        .collect();
    paths.sort();
    if paths.is_empty() {
        println!("no recordings at {}: nothing is tested", folder.display());
    }
    paths.iter().map(|path| Recorded::read(path)).collect()
}

fn desk(simulator: &Simulator, asset: &str) -> Option<Value> {
    let metadata = simulator.world().metadata("assets", asset);
    metadata.get("desk")?.first().cloned()
}

#[tokio::test]
async fn every_recorded_body_is_accepted_and_its_rule_has_its_effect() {
    for recorded in recordings() {
        let name = &recorded.name;
        let domain = recorded.body["system_domain_id"]
            .as_str()
            .expect("a domain");
        let simulator = recorded.world(domain).await;
        let mut gateway = Gateway::started(&simulator, &RULES).await;
        let (status, answer) = gateway.post(&recorded.body, &recorded.headers()).await;
        assert_eq!(
            (status, &answer["duplicate"]),
            (200, &json!(false)),
            "{name}: {answer}"
        );
        gateway.until_quiet().await;
        assert_eq!(
            desk(&simulator, &recorded.asset),
            Some(json!(recorded.desk)),
            "{name}"
        );
        gateway.stop().await;
        let (event, runs) = gateway.stored(event_id(&answer)).await;
        assert_eq!(event.state, EventState::Routed, "{name}");
        let ends: Vec<_> = runs.iter().map(|run| (&run.rule, run.state)).collect();
        assert_eq!(
            ends,
            [(&RuleId::from(recorded.rule), RunState::Succeeded)],
            "{name}: {runs:?}"
        );
    }
}

#[tokio::test]
async fn every_recorded_body_of_another_domain_is_kept_and_makes_no_run() {
    let recorded = recordings();
    let simulator = simulated(operations()).await;
    let mut gateway = Gateway::started(&simulator, &RULES).await;
    let mut ids = Vec::new();
    for recorded in &recorded {
        assert_ne!(recorded.body["system_domain_id"], DEFAULT_DOMAIN);
        ids.push(gateway.accepted(&recorded.body, &recorded.headers()).await);
    }
    // One of the own domain behind them all: the router has passed them when it has passed this one.
    gateway
        .accepted(&webhook("entity", "update", ASSET, &json!({})), &[])
        .await;
    gateway.until_runs(RunState::Succeeded, 1).await;
    gateway.stop().await;
    for (id, recorded) in ids.into_iter().zip(&recorded) {
        let (event, runs) = gateway.stored(id).await;
        assert_eq!(event.state, EventState::WrongDomain, "{}", recorded.name);
        assert_eq!(runs, [], "{}", recorded.name);
        assert_eq!(
            event.event.body["system_domain_id"],
            recorded.body["system_domain_id"]
        );
    }
}
