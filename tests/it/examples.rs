//! Every function that rules can see is shown by an example, and every example is run here, against an Iconik
//! over HTTP, so that the documentation cannot say what is not so.
//!
//! What is no call of Iconik is answered as the gateway would: a sleep with its end, an event that was waited for
//! with one, a job with what Iconik says of it, `state` from a map, another system with a canned answer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cuegate::clock::SystemClock;
use cuegate::config;
use cuegate::engine::{self, EngineLimits, FunctionDoc, Moment, Outcome, Rule};
use cuegate::iconik::{CallError, IconikClient};
use cuegate::model::{
    Answer, Call, Effect, Event, EventKey, EventKind, Method, RuleFile, RuleSet, RuleSetId,
    SourceName, StateAccess, Step,
};
use cuegate::operations;
use cuegate::simulator::{Seed, Simulator, SimulatorOptions};
use jiff::{SignedDuration, Timestamp};
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
        "user_id": "66666666-ffff-4fff-8fff-000000000001",
        "data": { "asset_id": ASSET, "collection_id": COLLECTION, "title": "Evening News" },
    });
    let key = EventKey::of_iconik(&source, EventKind::Webhook, &body);
    Arc::new(Event {
        id: key.event_id(0),
        key,
        window: 0,
        source,
        kind: EventKind::Webhook,
        received_at: began(),
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

/// When every example begins, and each of its answers comes a second later: the requests are then always the same.
fn began() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().expect("a time")
}

/// Advances a rule to its end, as the runner does; the journal and the end.
async fn drive(rule: &Rule, client: &IconikClient) -> (Vec<Step>, Outcome) {
    let event = event();
    let moment = Moment::of_run(began());
    let mut outside = Outside {
        client,
        state: BTreeMap::new(),
        now: began(),
    };
    let mut journal: Vec<Step> = Vec::new();
    while journal.len() <= CALLS_MAX {
        let outcome = rule
            .advance(&moment, &event, Arc::from(journal.clone()))
            .outcome;
        let Outcome::Effect(effect) = outcome else {
            return (journal, outcome);
        };
        outside.now += SignedDuration::from_secs(1);
        journal.push(Step {
            number: u32::try_from(journal.len()).expect("an example is short"),
            digest: effect.digest(),
            answer: outside.answer(&effect).await,
            effect,
        });
    }
    panic!("it makes more than {CALLS_MAX} calls");
}

/// Everything that an example can reach.
struct Outside<'a> {
    client: &'a IconikClient,
    state: BTreeMap<String, Value>,
    now: Timestamp,
}

impl Outside<'_> {
    async fn answer(&mut self, effect: &Effect) -> Answer {
        let (status, body) = match effect {
            Effect::Call(call) => self.call(call).await,
            Effect::Sleep(sleep) => {
                self.now = self.now.max(sleep.until);
                (200, Value::Null)
            }
            Effect::WaitForEvent(wait) => {
                let came = event();
                assert!(wait.is_met_by(&came), "{effect} is not met");
                (200, json!(&*came))
            }
            Effect::WaitForJob(wait) => {
                let (status, job) = self.call(&reading(&wait.job)).await;
                let ended = job["status"] != "STARTED";
                (status, if ended { job } else { Value::Null })
            }
            Effect::State(call) => (200, self.access(&call.key, &call.access)),
            Effect::Egress(call) => {
                assert_eq!(call.target, "desk");
                let headers = json!({ "content-type": "application/json" });
                (200, json!({ "headers": headers, "body": { "ok": true } }))
            }
        };
        Answer {
            status,
            body,
            at: self.now,
        }
    }

    async fn call(&self, call: &Call) -> (u16, Value) {
        match self.client.send(call).await {
            Ok(reply) => (reply.status, reply.body),
            Err(CallError::Refused { status, body, .. }) => (status, body),
            Err(error) => panic!("{} {}: {error}", call.method, call.path),
        }
    }

    fn access(&mut self, key: &str, access: &StateAccess) -> Value {
        let before = self.state.get(key).cloned().unwrap_or_default();
        let (after, answer) = match access {
            StateAccess::Get => return before,
            StateAccess::Delete => {
                return self.state.remove(key).is_some().into();
            }
            StateAccess::Set { value, .. } => (value.clone(), Value::Null),
            StateAccess::Add { amount, .. } => {
                let sum = Value::from(before.as_i64().unwrap_or_default() + amount);
                (sum.clone(), sum)
            }
            StateAccess::SetIf {
                expected, value, ..
            } => {
                if before != *expected {
                    return false.into();
                }
                (value.clone(), true.into())
            }
        };
        self.state.insert(key.to_owned(), after);
        answer
    }
}

fn reading(job: &str) -> Call {
    Call {
        method: Method::Get,
        path: format!("jobs/v1/jobs/{job}/"),
        query: BTreeMap::new(),
        body: None,
        cacheable: false,
        position: None,
    }
}

/// Every scope, that of the one target of the examples included.
fn every_scope() -> Vec<&'static str> {
    operations::scopes().chain(["egress:desk"]).collect()
}

/// The calls of Iconik in a journal.
fn calls(journal: &[Step]) -> impl Iterator<Item = &Call> {
    journal.iter().filter_map(|step| match &step.effect {
        Effect::Call(call) => Some(call),
        _ => None,
    })
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

/// A view that was never written for an object is answered 404, and is empty.
fn is_unwritten_view(step: &Step) -> bool {
    let Effect::Call(call) = &step.effect else {
        return false;
    };
    let is_view = call.path.starts_with("metadata/v1/") && call.path.contains("/views/");
    call.method == Method::Get && is_view && step.answer.status == 404
}

#[tokio::test]
async fn every_example_does_what_it_shows() {
    let scopes = every_scope();
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
        let used: Vec<_> = calls(&journal)
            .filter_map(|call| operations::find(call.method, &call.path)?.scope)
            .collect();
        let honest = needed.iter().all(|scope| used.contains(scope));
        let accepted = journal
            .iter()
            .all(|step| (200..300).contains(&step.answer.status) || is_unwritten_view(step));
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
        let writes = calls(&journal).filter(|call| {
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
    let scopes = every_scope();
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
            let line = line_of(&step.effect);
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

/// A request in a line.
fn line_of(effect: &Effect) -> String {
    let Effect::Call(call) = effect else {
        let mut bare = effect.clone();
        bare.set_position(None);
        return format!("  {}", json!(bare));
    };
    let query = json!(call.query);
    let body = call
        .body
        .as_ref()
        .map_or_else(String::new, Value::to_string);
    format!("  {} {} {query} {body}", call.method, call.path)
}

/// How the ids of the seed begin.
const SEEDED: [&str; 5] = ["22222222", "33333333", "44444444", "55555555", "66666666"];

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

/// Queries with the titles that they find in the seed, in Iconik's order.
const SEARCHES: &[(&str, &str)] = &[
    ("search::assets()", "Evening News, Promo"),
    (
        "search::assets().field(\"title\").equals(\"Promo\")",
        "Promo",
    ),
    (
        "search::assets().field(\"Rights.owner\").exists()",
        "Evening News",
    ),
    (
        "search::assets().field(\"Rights.owner\").missing()",
        "Promo",
    ),
    (
        "search::assets().field(\"Rights.owner\").is_not(\"archive\")",
        "Promo",
    ),
    (
        "search::assets().field(\"Rights.hold\").is_not(true)",
        "Evening News, Promo",
    ),
    (
        "search::assets().field(\"Rights.keywords\").one_of([\"draft\", \"x\"])",
        "Evening News",
    ),
    (
        "search::assets().field(\"Rights.expires\").before(time::parse(\"2027-02-01\"))",
        "Evening News",
    ),
    (
        "search::assets().field(\"Rights.expires\").before(time::parse(\"2027-01-30\"))",
        "",
    ),
    (
        "search::assets().field(\"Rights.expires\").after(time::parse(\"2027-01-30\"))",
        "Evening News",
    ),
    (
        "search::assets().field(\"Rights.expires\").between(time::parse(\"2027-01-01\"), time::parse(\"2027-12-31\"))",
        "Evening News",
    ),
    ("search::assets().text(\"evening\")", "Evening News"),
    ("search::assets().text(\"evening:\")", "Evening News"),
    (
        "search::collections().field(\"title\").equals(\"Finals\")",
        "Finals",
    ),
    (
        "search::assets().field(\"title\").equals(\"Promo\") + search::assets()",
        "Promo, Evening News",
    ),
    (
        "search::query(#{ doc_types: [\"assets\"], query: \"promo OR nothing\" })",
        "Promo",
    ),
    (
        "iconik::collection(event.collection_id).contents(#{ recursive: true })",
        "Promo",
    ),
];

#[tokio::test]
async fn a_search_finds_in_iconik_what_it_says() {
    let options = SimulatorOptions {
        seed: Some(seed()),
        ..SimulatorOptions::default()
    };
    let simulator = Simulator::start(options, Arc::new(SystemClock))
        .await
        .expect("the seed can be planted");
    let client = client(&simulator);
    for (search, wanted) in SEARCHES {
        let script = format!(
            "let titles = []; for found in {search} {{ titles.push(found.title); }} skip(text::join(titles, \", \"));"
        );
        let (journal, outcome) = drive(&rule(&script, &[]), &client).await;
        let steps: Vec<String> = journal.iter().map(|step| line_of(&step.effect)).collect();
        assert_eq!(
            outcome,
            Outcome::Skipped((*wanted).to_owned()),
            "{search}: {steps:#?}"
        );
    }
    simulator.stop().await;
}
