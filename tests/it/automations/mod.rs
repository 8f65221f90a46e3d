//! What people build with Iconik, as rules: each file of `examples/automations` makes its calls in the order in which those
//! who built it made them, and Iconik is afterwards as they wanted it.

mod assets;
mod collections;
mod systems;

use std::collections::BTreeMap;
use std::sync::Arc;

use cuegate::engine::Outcome;
use cuegate::iconik::IconikClient;
use cuegate::model::{
    Call, Effect, EgressCall, Event, EventKey, EventKind, Method, SourceName, Step,
};
use cuegate::simulator::{DEFAULT_USER, Simulator};
use serde_json::{Value, json};

use super::driven::{self, Outside, Told};

const ASSET: &str = "33333333-cccc-4ccc-8ccc-000000000001";
const OTHER_ASSET: &str = "33333333-cccc-4ccc-8ccc-000000000002";
const COLLECTION: &str = "44444444-dddd-4ddd-8ddd-000000000001";
const INNER: &str = "44444444-dddd-4ddd-8ddd-000000000002";
const USER: &str = "66666666-ffff-4fff-8fff-000000000001";

/// More steps than any automation takes.
const STEPS_MAX: usize = 40;

/// An Iconik, and somebody who is there before the rule.
struct World {
    iconik: Simulator,
    client: IconikClient,
}

impl World {
    async fn new() -> Self {
        let iconik = driven::iconik(seed()).await;
        let client = driven::client(&iconik);
        Self { iconik, client }
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let call = Call {
            method,
            path: path.to_owned(),
            query: BTreeMap::new(),
            body,
            cacheable: false,
            position: None,
        };
        self.client.send(&call).await.expect("Iconik takes it").body
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        self.send(Method::Post, path, Some(body)).await
    }

    async fn get(&self, path: &str) -> Value {
        self.send(Method::Get, path, None).await
    }

    /// What stands in the view of an object, field by field.
    async fn owner(&self, object_type: &str, id: &str) -> Value {
        let world = self.iconik.world();
        let metadata = world.metadata(object_type, id);
        metadata.get("owner").cloned().unwrap_or_default().into()
    }

    /// Runs an automation to its end; its journal and the end.
    async fn end_of(&self, name: &str, event: Event, told: Told) -> (Vec<Step>, Outcome) {
        let path = format!(
            "{}/examples/automations/{name}.rhai",
            env!("CARGO_MANIFEST_DIR")
        );
        let source = std::fs::read_to_string(&path).expect("the automation is there");
        let outside = Outside::new(&self.client, told, STEPS_MAX);
        outside.drive(&driven::rule(source), &Arc::new(event)).await
    }

    /// The same, which has to end well; what it asked for, without what may come from the gateway's cache.
    async fn run(&self, name: &str, event: Event, told: Told) -> Vec<String> {
        let (journal, outcome) = self.end_of(name, event, told).await;
        assert_eq!(outcome, Outcome::Finished, "{name}: {:#?}", lines(&journal));
        lines(&journal)
    }
}

/// Nobody else is asked.
fn nobody(call: &EgressCall) -> Value {
    panic!("{} was told {:?}", call.target, call.body)
}

/// Somebody who says nothing.
fn silent(_: &EgressCall) -> Value {
    Value::Null
}

/// `METHOD path` of each step, with `*` for each id.
fn lines(journal: &[Step]) -> Vec<String> {
    let lines = journal.iter().filter_map(|step| match &step.effect {
        Effect::Call(call) if call.cacheable => None,
        Effect::Call(call) => {
            let is_id = |part: &str| part.len() == 36 && part.matches('-').count() == 4;
            let parts = call
                .path
                .split('/')
                .map(|part| if is_id(part) { "*" } else { part });
            let path = parts.collect::<Vec<_>>().join("/");
            Some(format!("{} {path}", call.method))
        }
        Effect::Egress(call) => Some(format!("egress {}", call.target)),
        Effect::WaitForJob(_) => Some("wait for a job".to_owned()),
        other => Some(other.to_string()),
    });
    lines.collect()
}

fn event(kind: EventKind, source: &str, body: Value) -> Event {
    let source = SourceName::from(source);
    let key = EventKey::of_bytes(&source, body.to_string().as_bytes());
    Event {
        id: key.event_id(0),
        key,
        window: 0,
        source,
        kind,
        received_at: driven::began(),
        headers: BTreeMap::new(),
        body,
    }
}

/// A webhook as Iconik sends it.
fn webhook(subject: (&str, &str, &str), object: &str, data: Value) -> Event {
    let (event_type, realm, operation) = subject;
    let mut body = json!({
        "event_type": event_type, "realm": realm, "operation": operation, "object_id": object, "user_id": USER,
    });
    body["data"] = data;
    event(EventKind::Webhook, "iconik", body)
}

/// A button, pressed on these objects.
fn button(context: &str, assets: &[&str], collections: &[&str]) -> Event {
    let body = json!({
        "context": context, "action_id": "b", "asset_ids": assets, "collection_ids": collections, "saved_search_ids": [],
        "user_id": USER,
    });
    event(EventKind::Button, "iconik", body)
}

/// A message of another system, as ingress keeps it.
fn message(source: &str, data: Value) -> Event {
    let mut body = json!({ "type": data["type"], "object_id": null });
    body["data"] = data;
    event(EventKind::Other, source, body)
}

fn seed() -> Value {
    json!({
        "users": [
            { "id": USER, "first_name": "Mara", "email": "mara@studio.example" },
            { "id": DEFAULT_USER, "first_name": "Cuegate", "email": "gateway@studio.example" },
        ],
        "fields": [
            { "name": "owner", "label": "Owner", "field_type": "string" },
            { "name": "order", "label": "Order", "field_type": "string" },
            { "name": "keywords", "label": "Keywords", "field_type": "tag_cloud", "multi": true },
        ],
        "views": [{
            "id": "22222222-bbbb-4bbb-8bbb-000000000002", "name": "Rights",
            "view_fields": [{ "name": "owner" }, { "name": "order" }, { "name": "keywords" }],
        }],
        "collections": [
            {
                "id": COLLECTION, "title": "Server",
                "contents": [{ "object_type": "assets", "object_id": ASSET }, { "object_type": "collections", "object_id": INNER }],
            },
            {
                "id": INNER, "title": "Season 1", "parent_id": COLLECTION, "metadata": { "owner": "archive" },
                "contents": [{ "object_type": "assets", "object_id": OTHER_ASSET }],
            },
        ],
        "assets": [
            { "id": ASSET, "title": "Interview", "external_id": "n-1", "metadata": { "owner": "archive", "keywords": ["draft"] } },
            { "id": OTHER_ASSET, "title": "Cut" },
        ],
    })
}

/// The storage that the automations call the server.
async fn server(world: &World) -> Value {
    let server = json!({ "name": "Server", "method": "FILE", "purpose": "FILES", "settings": {} });
    world.post("files/v1/storages/", server).await
}

#[test]
fn every_automation_has_a_test_here() {
    let folder = format!("{}/examples/automations", env!("CARGO_MANIFEST_DIR"));
    let tests = [
        include_str!("assets.rs"),
        include_str!("collections.rs"),
        include_str!("systems.rs"),
    ]
    .concat();
    let mut count = 0;
    for file in std::fs::read_dir(folder).expect("the folder is there") {
        let name = file.expect("it was listed").file_name();
        let name = name.to_string_lossy();
        let name = name.trim_end_matches(".rhai");
        assert!(tests.contains(&format!("{name:?}")), "{name} has no test");
        count += 1;
    }
    assert!(count >= 12, "only {count} automations");
}
