//! Plans on definitions made by hand, carried out on a list instead of on Iconik.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::config::Config;
use crate::model::{
    Button, Event, EventKind, Pattern, RuleHeader, RuleId, RuleVersion, SourceName,
};
use crate::subscriptions::{Impossible, Needs, Terms, View, needs};

fn terms(instance: &str, skip: Option<&str>) -> Terms {
    let text = format!(
        "[server]\npublic_url = \"https://hooks.example.com\"\n[iconik]\ninstance = \"{instance}\"\n\
         [sources.iconik]\nverify = {{ header = \"x-secret\", secrets = [\"newest\", \"older\"] }}"
    );
    let config = Config::parse(&text, "cuegate.toml".as_ref(), &BTreeMap::new()).unwrap();
    Terms::new(&config, skip.map(ToOwned::to_owned)).unwrap()
}

fn rule(name: &str, on: &[&str]) -> RuleHeader {
    let on = on.iter().map(|pattern| Pattern {
        source: "iconik".to_owned(),
        parts: pattern.split('/').map(ToOwned::to_owned).collect(),
    });
    RuleHeader {
        on: on.collect(),
        ..RuleHeader::new(
            RuleId::from(name),
            RuleVersion(String::new()),
            String::new(),
        )
    }
}

fn button(name: &str, contexts: &[&str], form: Option<&str>) -> RuleHeader {
    RuleHeader {
        button: Some(Button {
            title: format!("Press {name}"),
            contexts: contexts.iter().map(ToString::to_string).collect(),
            form: form.map(ToOwned::to_owned),
            ..Button::default()
        }),
        ..rule(name, &[])
    }
}

fn views() -> Vec<View> {
    let view = |id: &str, name: &str| View {
        id: id.to_owned(),
        name: name.to_owned(),
    };
    vec![
        view("v-1", "Release"),
        view("v-2", "Twice"),
        view("v-3", "Twice"),
    ]
}

fn needed(rules: &[RuleHeader]) -> Needs {
    needs(rules, &terms("main", None), &views())
}

/// Iconik's lists, as documents by id.
type World = BTreeMap<String, (Kind, Value)>;

fn found(world: &World) -> Vec<Found> {
    let documents = world.values().cloned();
    documents
        .filter_map(|(kind, document)| Found::of(kind, document))
        .collect()
}

/// Does to the lists what `registry` asks Iconik for.
fn carry_out(plan: &Plan, world: &mut World) {
    for change in &plan.changes {
        let id = change.found.as_ref().map(|found| found.id.clone());
        match change.step {
            Step::Create | Step::Update => {
                let id = id.unwrap_or_else(|| format!("new-{}", world.len()));
                let mut document = change.needed.as_ref().unwrap().body();
                document["id"] = json!(id);
                world.insert(id, (change.kind, document));
            }
            Step::Remove => {
                world.remove(&id.unwrap());
            }
            Step::HeldBack | Step::Keep => {}
        }
    }
}

fn planned(rules: &[RuleHeader], world: &World) -> Plan {
    plan(&needed(rules).needed, &found(world), "cuegate:main")
}

fn synced(rules: &[RuleHeader]) -> World {
    let mut world = World::new();
    carry_out(&planned(rules, &world), &mut world);
    world
}

fn steps(plan: &Plan) -> Vec<(Step, String)> {
    let changes = plan.changes.iter();
    changes
        .map(|change| (change.step, change.subject.clone()))
        .collect()
}

#[test]
fn a_second_plan_has_nothing_to_do() {
    let rules = [
        rule("a", &["assets/entity/create", "assets/*/delete"]),
        rule("b", &["assets/entity/delete"]),
        button("c", &["ASSET", "BULK"], Some("Release")),
    ];
    let world = synced(&rules);
    assert_eq!(planned(&rules, &world).to_do().count(), 0);
    let subjects: Vec<String> = found(&world).into_iter().map(|it| it.subject).collect();
    assert_eq!(subjects.len(), 4, "{subjects:?}");
    assert!(
        !subjects.contains(&"assets/entity/delete".to_owned()),
        "a wider one covers it"
    );
    let wide = needed(&rules).needed;
    let wide = wide
        .iter()
        .find(|it| it.subject == "assets/*/delete")
        .unwrap();
    assert_eq!(wide.rules, [RuleId::from("a"), RuleId::from("b")]);
    assert_eq!(wide.body()["realm"], Value::Null);
    assert_eq!(wide.body()["headers"], json!({ "x-secret": "newest" }));
}

#[test]
fn what_was_changed_by_hand_is_a_difference_and_a_secret_is_not_shown() {
    let rules = [rule("a", &["assets/entity/create"])];
    for (key, value) in [
        ("url", json!("https://elsewhere.example.com")),
        ("query", json!("operation=\"update\"")),
        ("realm", json!("metadata")),
        ("object_id", json!("9f6d")),
        (
            "headers",
            json!({ "X-Secret": "older", "x-more": "hunter2" }),
        ),
        ("headers", json!({})),
    ] {
        let mut world = synced(&rules);
        let (_, document) = world.values_mut().next().unwrap();
        document[key] = value;
        let plan = planned(&rules, &world);
        assert_eq!(
            steps(&plan),
            [(Step::Update, "assets/entity/create".to_owned())],
            "{key}"
        );
        let said = plan.changes[0].differences.join("; ");
        assert!(
            said.contains(if key == "headers" { "x-secret" } else { key }),
            "{said}"
        );
        for secret in ["newest", "older", "hunter2"] {
            assert!(!said.contains(secret), "{said}");
            assert!(!format!("{:?}", plan.changes[0].needed).contains(secret));
        }
        carry_out(&plan, &mut world);
        assert_eq!(planned(&rules, &world).to_do().count(), 0, "{key}");
    }
}

#[test]
fn what_is_switched_off_is_not_changed_and_what_is_ours_and_not_needed_or_double_goes() {
    let rules = [rule("a", &["assets/entity/create"])];
    let mut world = synced(&rules);
    let (id, (_, document)) = world.iter_mut().next().unwrap();
    let id = id.clone();
    document["status"] = json!("FAILING");
    assert_eq!(
        planned(&rules, &world).to_do().count(),
        0,
        "the doctor's business"
    );
    let mut copy = world[&id].clone();
    copy.1["id"] = json!("copy");
    copy.1["status"] = json!("ENABLED");
    world.insert("copy".to_owned(), copy);
    let plan = planned(&rules, &world);
    let removed = plan.to_do().next().unwrap();
    assert_eq!(
        (removed.step, &removed.found.as_ref().unwrap().id),
        (Step::Remove, &id)
    );

    world.remove("copy");
    world.get_mut(&id).unwrap().1["url"] = json!("https://old.example.com");
    assert_eq!(steps(&planned(&rules, &world))[0].0, Step::HeldBack);
    assert_eq!(steps(&planned(&[], &world))[0].0, Step::Remove);
    world.get_mut(&id).unwrap().1["status"] = json!("DELETED");
    assert_eq!(steps(&planned(&rules, &world))[0].0, Step::Create);
}

#[test]
fn a_mark_is_a_whole_word() {
    let description = |text: &str| {
        let document = json!({ "id": "1", "event_type": "assets", "description": text });
        Found::of(Kind::Webhook, document).unwrap()
    };
    assert!(description("cuegate:main").carries("cuegate:main"));
    assert!(description("cuegate:main, of ours").carries("cuegate:main,"));
    assert!(description("cuegate:main made by hand").carries("cuegate:main"));
    for other in [
        "cuegate:main2",
        "see cuegate:main",
        "cuegate:mai",
        "",
        "Cuegate:main",
    ] {
        assert!(!description(other).carries("cuegate:main"), "{other}");
    }
}

#[test]
fn a_type_that_is_not_named_and_a_form_that_is_not_there_cannot_be_had() {
    let rules = [
        rule("a", &["*/entity/create", "assets/entity/create"]),
        button("b", &["ASSET"], Some("Releas")),
        button("c", &["ASSET"], Some("Twice")),
        button("d", &["ASSET"], Some("v-3")),
    ];
    let needs = needed(&rules);
    let why = |impossible: &Impossible| (impossible.blocks, impossible.why.clone());
    let [any, misspelt, twice] = needs.impossible.as_slice() else {
        panic!("{:?}", needs.impossible)
    };
    assert_eq!(any.subject, "*/entity/create");
    assert!(
        !any.blocks && any.why.contains("names one event_type"),
        "{any:?}"
    );
    assert!(
        misspelt.blocks && misspelt.why.contains("`Release`"),
        "{:?}",
        why(misspelt)
    );
    assert!(
        twice.blocks && twice.why.contains("v-2, v-3"),
        "{:?}",
        why(twice)
    );
    let subjects: Vec<&str> = needs.needed.iter().map(|it| it.subject.as_str()).collect();
    assert_eq!(subjects, ["assets/entity/create", "d in ASSET"]);
}

#[test]
fn our_own_user_is_left_out_only_where_no_rule_wants_echoes() {
    let mut echoing = rule("b", &["collections/contents/create"]);
    echoing.echoes = true;
    let rules = [
        rule("a", &["assets/entity/create", "collections/*/*"]),
        echoing,
    ];
    let needs = needs(&rules, &terms("main", Some("u-1")), &[]);
    let queries: Vec<_> = needs
        .needed
        .iter()
        .map(|it| it.body()["query"].clone())
        .collect();
    assert_eq!(queries, [json!("user_id!=\"u-1\""), Value::Null]);
}

fn patterns() -> impl Strategy<Value = Vec<String>> {
    let part = |words: &'static [&'static str]| prop::sample::select(words);
    let pattern = (
        part(&["assets", "collections", "*"]),
        part(&["entity", "metadata", "*"]),
        part(&["create", "update", "*"]),
    );
    let pattern = pattern.prop_map(|(a, b, c)| format!("{a}/{b}/{c}"));
    prop::collection::vec(pattern, 0..6)
}

fn event(parts: [&str; 3]) -> Event {
    let source = SourceName::from("iconik");
    let mut event = Event::of_schedule(
        &RuleId::from("-"),
        jiff::Timestamp::UNIX_EPOCH,
        jiff::Timestamp::UNIX_EPOCH,
    );
    event.source = source;
    event.kind = EventKind::Webhook;
    event.body = json!({ "event_type": parts[0], "realm": parts[1], "operation": parts[2] });
    event
}

proptest! {
    #[test]
    fn every_event_that_a_rule_wants_is_sent_once_and_others_definitions_stay(
        before in patterns(), after in patterns(), theirs in patterns(),
    ) {
        let rules = |patterns: &[String]| {
            let on: Vec<&str> = patterns.iter().map(String::as_str).collect();
            [rule("a", &on), button("b", &["ASSET", "BULK"][..patterns.len() % 3], None)]
        };
        // Others have the very same definitions, in another name or without one.
        let mut world = World::new();
        for (instance, patterns) in [("other", &theirs), ("main2", &theirs)] {
            let needs = needs(&rules(patterns), &terms(instance, None), &[]);
            for (number, need) in needs.needed.iter().enumerate() {
                let mut document = need.body();
                let id = format!("{instance}-{number}");
                document["id"] = json!(id);
                world.insert(id, (need.kind, document));
            }
        }
        let others = world.clone();
        for patterns in [&before, &after] {
            let rules = rules(patterns);
            carry_out(&planned(&rules, &world), &mut world);
            let again = planned(&rules, &world);
            prop_assert_eq!(again.to_do().count(), 0);
            prop_assert_eq!(again.left_alone, others.len());
        }
        for (id, document) in &others {
            prop_assert_eq!(world.get(id), Some(document));
        }
        let ours: Vec<Found> = found(&world);
        let ours: Vec<&Found> = ours.iter().filter(|it| it.carries("cuegate:main")).collect();
        let subjects: BTreeSet<&str> = ours.iter().map(|it| it.subject.as_str()).collect();
        prop_assert_eq!(subjects.len(), ours.len(), "one is there twice");
        for event_type in ["assets", "collections"] {
            for realm in ["entity", "metadata", "contents"] {
                for operation in ["create", "update", "delete"] {
                    let parts = [event_type, realm, operation];
                    let event = event(parts);
                    let wanted = rules(&after)[0].on.iter().any(|it| it.parts[0] != "*" && it.matches(&event));
                    let sent = ours.iter().filter(|it| it.kind == Kind::Webhook).any(|it| {
                        let is = |key, part: &str| it.text(key).is_none_or(|text| text == part);
                        is("event_type", event_type) && is("realm", realm) && is("operation", operation)
                    });
                    prop_assert_eq!(wanted, sent, "{:?}", parts);
                }
            }
        }
    }
}
