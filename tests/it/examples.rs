//! Every function that rules can see is shown by an example, and every example is run here, against an Iconik
//! over HTTP, so that the documentation cannot say what is not so.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cuegate::clock::{Clock as _, SystemClock};
use cuegate::config;
use cuegate::engine::{self, EngineLimits, FunctionDoc, Moment, Outcome, Rule};
use cuegate::iconik::{CallError, IconikClient};
use cuegate::model::{
    Answer, Call, Effect, Event, EventKey, EventKind, RuleFile, RuleSet, RuleSetId, SourceName,
    Step,
};
use cuegate::operations;
use cuegate::simulator::{Seed, Simulator, SimulatorOptions};
use serde_json::{Value, json};

const ASSET: &str = "33333333-cccc-4ccc-8ccc-000000000001";
const OTHER_ASSET: &str = "33333333-cccc-4ccc-8ccc-000000000002";
const COLLECTION: &str = "44444444-dddd-4ddd-8ddd-000000000001";

/// More calls than any example makes.
const CALLS_MAX: usize = 20;

const LIMITS: EngineLimits = EngineLimits {
    operations: 100_000,
    string_bytes: 16 * 1024,
    elements: 2_000,
    source_bytes: 32 * 1024,
    log_bytes: 64 * 1024,
};

fn seed() -> Seed {
    let fields = [
        ("owner", "string", false),
        ("keywords", "tag_cloud", true),
        ("hold", "boolean", false),
        ("expires", "date", false),
        ("warned_for", "datetime", false),
    ];
    let names: Vec<Value> = fields
        .iter()
        .map(|(name, _, _)| json!({ "name": name }))
        .collect();
    let fields: Vec<Value> = fields
        .iter()
        .map(|(name, kind, multi)| json!({ "name": name, "label": name, "field_type": kind, "multi": multi }))
        .collect();
    let seed = json!({
        "fields": fields,
        "views": [{ "id": "22222222-bbbb-4bbb-8bbb-000000000002", "name": "Rights", "view_fields": names }],
        "collections": [{
            "id": COLLECTION, "title": "Finals", "contents": [{ "object_type": "assets", "object_id": OTHER_ASSET }],
            "metadata": { "owner": "archive" },
        }],
        "assets": [
            { "id": ASSET, "title": "Evening News", "metadata": { "owner": "archive", "keywords": ["draft"], "expires": "2027-01-31" } },
            { "id": OTHER_ASSET, "title": "Promo" },
        ],
        "segments": [{
            "id": "55555555-eeee-4eee-8eee-000000000001", "asset_id": ASSET, "segment_type": "MARKER",
            "time_start_milliseconds": 1_000, "time_end_milliseconds": 9_000,
        }],
    });
    serde_json::from_value(seed).expect("the seed is well formed")
}

fn event() -> Arc<Event> {
    let source = SourceName::from("iconik");
    let body = json!({
        "event_type": "assets", "realm": "metadata", "operation": "update", "object_id": ASSET,
        "data": { "asset_id": ASSET, "collection_id": COLLECTION, "title": "Evening News" },
    });
    let key = EventKey::of_iconik(&source, EventKind::Webhook, &body);
    Arc::new(Event {
        id: key.event_id(0),
        key,
        window: 0,
        source,
        kind: EventKind::Webhook,
        received_at: SystemClock.now(),
        headers: BTreeMap::new(),
        body,
    })
}

fn rule(example: &str, allow: &[&str]) -> Rule {
    let source = format!(
        "rule(#{{ on: [\"assets/*/*\"], allow: {} }});\nfn run(event) {{\n{example}\n}}\n",
        json!(allow)
    );
    let files = vec![RuleFile {
        path: "example.rhai".to_owned(),
        source,
    }];
    let compiled = engine::compile(&files, &json!({}), &LIMITS);
    let shown: Vec<String> = compiled
        .diagnostics
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(shown.is_empty(), "{}", shown.join("\n"));
    let set = RuleSet {
        id: RuleSetId::from("set"),
        files,
        rules: compiled.rules,
        site: "https://iconik.test".to_owned(),
        vars: json!({}),
    };
    let program = set
        .program(&set.rules[0].rule)
        .expect("the rule is in the set");
    Rule::load(Arc::new(program), &LIMITS).expect("it compiled before")
}

/// Advances a rule to its end, as the runner does; the journal and the end.
async fn drive(rule: &Rule, client: &IconikClient) -> (Vec<Step>, Outcome) {
    let event = event();
    let moment = Moment::of_run(SystemClock.now());
    let mut journal: Vec<Step> = Vec::new();
    while journal.len() <= CALLS_MAX {
        let outcome = rule
            .advance(&moment, &event, Arc::from(journal.clone()))
            .outcome;
        let Outcome::Effect(effect) = outcome else {
            return (journal, outcome);
        };
        let Effect::Call(call) = &effect else {
            panic!("an example here only calls Iconik, not {effect}");
        };
        journal.push(Step {
            number: u32::try_from(journal.len()).expect("an example is short"),
            digest: effect.digest(),
            answer: answer(client, call).await,
            effect,
        });
    }
    panic!("it makes more than {CALLS_MAX} calls");
}

async fn answer(client: &IconikClient, call: &Call) -> Answer {
    let (status, body) = match client.send(call).await {
        Ok(reply) => (reply.status, reply.body),
        Err(CallError::Refused { status, body, .. }) => (status, body),
        Err(error) => panic!("{} {}: {error}", call.method, call.path),
    };
    Answer {
        status,
        body,
        at: SystemClock.now(),
    }
}

/// The scopes that a function says it needs.
fn needed(function: &FunctionDoc) -> Vec<&'static str> {
    let Some((_, after)) = function.about.split_once("Needs `") else {
        return Vec::new();
    };
    operations::scopes()
        .filter(|scope| {
            after.starts_with(&format!("{scope}`")) || after.contains(&format!("`{scope}`"))
        })
        .collect()
}

#[tokio::test]
async fn every_example_does_what_it_shows() {
    let scopes: Vec<&str> = operations::scopes().collect();
    let mut wrong = Vec::new();
    for function in engine::functions() {
        let options = SimulatorOptions {
            seed: Some(seed()),
            index_lag: Duration::ZERO,
            ..SimulatorOptions::default()
        };
        let simulator = Simulator::start(options, Arc::new(SystemClock))
            .await
            .expect("the seed can be planted");
        let client = client(&simulator);
        let needed = needed(function);
        let (journal, outcome) = drive(&rule(function.example, &scopes), &client).await;
        let ended_well = match &outcome {
            Outcome::Finished => true,
            Outcome::Skipped(_) => function.example.contains("skip("),
            Outcome::Effect(_) | Outcome::Found(_) | Outcome::Failed(_) => false,
        };
        let used: Vec<_> = journal
            .iter()
            .filter_map(|step| {
                let Effect::Call(call) = &step.effect else {
                    panic!("an example here only calls Iconik, not {}", step.effect);
                };
                operations::find(call.method, &call.path)?.scope
            })
            .collect();
        let honest = needed.iter().all(|scope| used.contains(scope));
        let accepted = journal
            .iter()
            .all(|step| (200..300).contains(&step.answer.status));
        if !ended_well || !honest || !accepted {
            wrong.push(format!(
                "{:?} {}: {outcome:?}, used {used:?} of {needed:?}\n{}",
                function.place, function.signature, function.example
            ));
        }
        simulator.stop().await;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[tokio::test]
async fn a_function_that_needs_a_scope_is_refused_without_it() {
    for function in engine::functions() {
        let needed = needed(function);
        if needed.is_empty() {
            continue;
        }
        let simulator = Simulator::start(
            SimulatorOptions {
                seed: Some(seed()),
                index_lag: Duration::ZERO,
                ..SimulatorOptions::default()
            },
            Arc::new(SystemClock),
        )
        .await
        .unwrap();
        let (journal, outcome) = drive(&rule(function.example, &[]), &client(&simulator)).await;
        let Outcome::Failed(failure) = outcome else {
            panic!("{} was allowed: {outcome:?}", function.signature);
        };
        assert_eq!(
            failure.class.as_str(),
            "permission",
            "{}",
            function.signature
        );
        let writes = journal.iter().filter(|step| {
            let Effect::Call(call) = &step.effect else {
                panic!("an example here only calls Iconik, not {}", step.effect);
            };
            operations::find(call.method, &call.path)
                .is_none_or(|operation| operation.scope.is_some())
        });
        assert_eq!(writes.count(), 0, "{}", function.signature);
        simulator.stop().await;
    }
}

fn client(simulator: &Simulator) -> IconikClient {
    let config = config::Iconik {
        base_url: simulator.base_url(),
        app_id: "demo".to_owned(),
        auth_token: cuegate::model::Secret::new("demo"),
        rate: config::Rate {
            per_second: 10_000,
            per_20s: 200_000,
        },
        ..config::Iconik::default()
    };
    IconikClient::new(&config, Arc::new(SystemClock)).expect("a client can be made")
}

/// Every request of every example, in order, as `METHOD path query body`.
async fn requests() -> String {
    let scopes: Vec<&str> = operations::scopes().collect();
    let made = regex::Regex::new("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
        .expect("the pattern is a literal");
    let mut text = format!("binding version {}\n", engine::BINDING_VERSION);
    for function in engine::functions() {
        let options = SimulatorOptions {
            seed: Some(seed()),
            index_lag: Duration::ZERO,
            ..SimulatorOptions::default()
        };
        let simulator = Simulator::start(options, Arc::new(SystemClock))
            .await
            .expect("the seed can be planted");
        let (journal, _) = drive(&rule(function.example, &scopes), &client(&simulator)).await;
        text.push_str(&format!("\n{:?} {}\n", function.place, function.signature));
        for step in journal {
            let Effect::Call(call) = &step.effect else {
                panic!("an example here only calls Iconik, not {}", step.effect);
            };
            let query = json!(call.query);
            let body = call
                .body
                .as_ref()
                .map_or_else(String::new, Value::to_string);
            let line = format!("  {} {} {query} {body}", call.method, call.path);
            // Ids that the simulator made are other ones every time; those of the seed are not.
            let line = made.replace_all(&line, |id: &regex::Captures<'_>| {
                let seeded = SEEDED.iter().any(|seeded| id[0].starts_with(seeded));
                if seeded {
                    id[0].to_owned()
                } else {
                    "<made>".to_owned()
                }
            });
            text.push_str(line.trim_end());
            text.push('\n');
        }
        simulator.stop().await;
    }
    text
}

/// How the ids of the seed begin.
const SEEDED: [&str; 4] = ["22222222", "33333333", "44444444", "55555555"];

#[tokio::test]
async fn bindings_make_the_requests_of_their_version() {
    let file =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/examples/requests.txt");
    let now = requests().await;
    if std::env::var_os("CUEGATE_BLESS").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, &now).unwrap();
    }
    let known = std::fs::read_to_string(&file).unwrap();
    assert_eq!(
        known, now,
        "a run begun before this change would diverge: raise engine::BINDING_VERSION, then write the file anew \
         with CUEGATE_BLESS=1"
    );
}
