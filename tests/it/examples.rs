//! Every function that rules can see is shown by an example, and every example is run here, against an Iconik
//! over HTTP, so that the documentation cannot say what is not so.

use std::collections::BTreeMap;
use std::sync::Arc;

use cuegate::engine::{self, FunctionDoc, Outcome, Rule};
use cuegate::iconik::IconikClient;
use cuegate::model::{Effect, EgressCall, Event, EventKey, EventKind, Method, SourceName, Step};
use cuegate::operations;
use serde_json::{Value, json};

use super::driven::{self, Outside, began, calls, client};

const ASSET: &str = "33333333-cccc-4ccc-8ccc-000000000001";
const OTHER_ASSET: &str = "33333333-cccc-4ccc-8ccc-000000000002";
const COLLECTION: &str = "44444444-dddd-4ddd-8ddd-000000000001";

/// More calls than any example makes.
const CALLS_MAX: usize = 20;

fn seed() -> Value {
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
    json!({
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
    })
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
    driven::rule(format!(
        "rule(#{{ on: [\"assets/*/*\"], allow: {} }});\nfn run(event) {{\n{example}\n}}\n",
        json!(allow)
    ))
}

/// Advances a rule to its end, as the runner does; the journal and the end.
async fn drive(rule: &Rule, client: &IconikClient) -> (Vec<Step>, Outcome) {
    fn desk(call: &EgressCall) -> Value {
        assert_eq!(call.target, "desk");
        json!({ "ok": true })
    }
    Outside::new(client, desk, CALLS_MAX)
        .drive(rule, &event())
        .await
}

/// Every scope, that of the one target of the examples included.
fn every_scope() -> Vec<&'static str> {
    operations::scopes().chain(["egress:desk"]).collect()
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
        let simulator = driven::iconik(seed()).await;
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
        let simulator = driven::iconik(seed()).await;
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

/// Every request of every example, in order, as `METHOD path query body`.
async fn requests() -> String {
    let scopes = every_scope();
    let made = regex::Regex::new("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
        .expect("the pattern is a literal");
    let mut text = format!("binding version {}\n", engine::BINDING_VERSION);
    for function in engine::functions() {
        let simulator = driven::iconik(seed()).await;
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
    let simulator = driven::iconik(seed()).await;
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
