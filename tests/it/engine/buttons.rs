//! Pressed buttons as rules see them.

use std::sync::Arc;

use cuegate::engine::{Moment, Outcome, Rule, When};
use cuegate::model::{Call, Effect, Event, Object, Step};
use serde_json::{Value, json};

use super::{LIMITS, answered, event, file, moment, program};

const VIEW: &str = "7f4b4c9e-7a8b-11ee-9d3f-0a580a3c0f99";

fn press(view: Value, values: Value) -> Arc<Event> {
    let mut body =
        json!({ "context": "ASSET", "action_id": "b", "user_id": "u-1", "asset_ids": ["a1"] });
    body["metadata_view_id"] = view;
    body["metadata_values"] = values;
    event(body)
}

fn filled() -> Arc<Event> {
    let one = |value: Value| json!({ "field_values": [{ "value": value }] });
    press(
        json!(VIEW),
        json!({
            "ends": one(json!("2026-05-01")), "loud": one(json!("true")), "tags": one(json!("a")),
            "note": one(json!("")), "owner": { "field_values": [] }, "count": one(json!("7")),
            "gone": one(json!("left the view")),
        }),
    )
}

fn view(call: &Call) -> (u16, Value) {
    assert_eq!(call.path, format!("metadata/v1/views/{VIEW}/"));
    let field = |name: &str, kind: &str, multi: bool| json!({ "name": name, "field_type": kind, "multi": multi });
    (
        200,
        json!({ "name": "Release", "view_fields": [
            field("ends", "date", false), field("loud", "boolean", false), field("tags", "tag_cloud", true),
            field("note", "string", false), field("owner", "string", false), field("count", "integer", false),
        ] }),
    )
}

fn rule_of_button(body: &str) -> Rule {
    let source = format!(
        "rule(#{{ button: #{{ title: \"Release\", contexts: [\"ASSET\"], form: \"Release\" }} }});\n{body}\n"
    );
    Rule::load(program(vec![file("r.rhai", &source)], json!({})), &LIMITS)
        .expect("the rule was compiled before")
}

/// Goes on until the run ends.
fn pressed(rule: &Rule, event: &Arc<Event>, at: &Moment) -> (Vec<Step>, Outcome) {
    let mut journal = Vec::new();
    loop {
        let outcome = rule.advance(at, event, Arc::new(journal.clone())).outcome;
        let Outcome::Effect(Effect::Call(call)) = &outcome else {
            return (journal, outcome);
        };
        let (status, body) = view(call);
        let number = u32::try_from(journal.len()).expect("a journal is short");
        journal.push(answered(number, &outcome, status, body));
    }
}

#[test]
fn a_form_has_the_types_of_its_view_and_only_what_was_filled_in() {
    let rule = rule_of_button(
        "fn run(event) {
            let form = event.form;
            if form.ends != time::parse(\"2026-05-01\") || form.loud != true || event.form.count != 7 { fail(\"types\"); }
            if form.tags != [\"a\"] { fail(\"a field of many is a list\"); }
            let filled = form.keys();
            filled.sort();
            if filled != [\"count\", \"ends\", \"loud\", \"tags\"] { fail(`${filled}`); }
        }",
    );
    let (journal, outcome) = pressed(&rule, &filled(), &moment());
    assert_eq!(outcome, Outcome::Finished);
    assert_eq!(
        journal.len(),
        1,
        "the view is read once, however often the form is"
    );
}

#[test]
fn a_button_without_a_form_has_an_empty_one_and_asks_for_nothing() {
    let rule = rule_of_button("fn run(event) { if !event.form.is_empty() { fail(\"\"); } }");
    for values in [Value::Null, json!({})] {
        let (journal, outcome) = pressed(&rule, &press(Value::Null, values), &moment());
        assert_eq!((journal.len(), outcome), (0, Outcome::Finished));
    }
}

#[test]
fn an_object_of_each_has_the_form_of_the_button_and_none_where_there_was_no_button() {
    let rule = rule_of_button(
        "fn each(event) { event.asset_ids }
         fn run(event) { if event.form.count != 7 { fail(`${event.form}`); } }",
    );
    let object = |parent: &Event| {
        let object = Object {
            object_type: "assets".to_owned(),
            object_id: "a1".to_owned(),
        };
        Arc::new(Event::of_object(parent, &object))
    };
    let (journal, outcome) = pressed(&rule, &object(&filled()), &moment());
    assert_eq!((journal.len(), outcome), (1, Outcome::Finished));
    let none = super::metadata_event();
    let (journal, outcome) = pressed(&rule, &object(&none), &moment());
    assert!(journal.is_empty());
    assert!(matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
}

#[test]
fn when_cannot_ask_for_the_types_of_a_form() {
    let rule = rule_of_button("fn when(event) { event.form.count == 7 }\nfn run(event) { }");
    let When::Failed(failure) = rule.when(&filled()) else {
        panic!("it asked for something outside");
    };
    assert!(
        failure.message.contains("`when` must not ask"),
        "{failure:?}"
    );
    let raw = rule_of_button(
        "fn when(event) { event.raw.metadata_values.count.field_values[0].value == \"7\" }\nfn run(event) { }",
    );
    assert_eq!(raw.when(&filled()), When::Yes);
}

fn rule_for_groups(functions: &str) -> Rule {
    let source = format!(
        "rule(#{{ button: #{{ title: \"Release\", contexts: [\"ASSET\"], groups: [\"Playout\", \"g-9\"] }} }});\n{functions}\n"
    );
    Rule::load(program(vec![file("r.rhai", &source)], json!({})), &LIMITS)
        .expect("the rule was compiled before")
}

/// Goes on until the run ends; the user is in these groups, and `g-1` is `News`, `g-2` is `Playout`.
fn pressed_by_member_of(groups: &[&str], rule: &Rule, at: &Moment) -> (Vec<String>, Outcome) {
    let event = press(Value::Null, Value::Null);
    let mut journal = Vec::new();
    let mut asked = Vec::new();
    loop {
        let outcome = rule.advance(at, &event, Arc::new(journal.clone())).outcome;
        let Outcome::Effect(Effect::Call(call)) = &outcome else {
            return (asked, outcome);
        };
        let answer = match call.path.as_str() {
            "users/v1/users/u-1/" => (200, json!({ "id": "u-1", "groups": groups })),
            "users/v1/groups/g-1/" => (200, json!({ "id": "g-1", "name": "News" })),
            "users/v1/groups/g-2/" => (200, json!({ "id": "g-2", "name": "Playout" })),
            _ => (404, json!({ "errors": ["not there"] })),
        };
        asked.push(call.path.clone());
        let number = u32::try_from(journal.len()).expect("a journal is short");
        journal.push(answered(number, &outcome, answer.0, answer.1));
    }
}

#[test]
fn a_button_for_groups_is_for_their_members_by_name_or_id_and_the_answer_is_in_the_journal() {
    let rule = rule_for_groups("fn run(event) { }");
    let run = |groups: &[&str]| pressed_by_member_of(groups, &rule, &moment());
    let (asked, outcome) = run(&["g-1", "g-2"]);
    assert_eq!(outcome, Outcome::Finished);
    assert_eq!(
        asked,
        [
            "users/v1/users/u-1/",
            "users/v1/groups/g-1/",
            "users/v1/groups/g-2/"
        ]
    );
    let (asked, outcome) = run(&["g-1", "g-9"]);
    assert_eq!(
        (asked.len(), outcome),
        (1, Outcome::Finished),
        "an id needs no name"
    );
    for (groups, is_in) in [(&["g-1"][..], "is in `News`"), (&[], "is in no group")] {
        let (_, outcome) = run(groups);
        let Outcome::Skipped(reason) = outcome else {
            panic!("{outcome:?}")
        };
        assert!(
            reason.contains("for members of `Playout`, `g-9`") && reason.contains(is_in),
            "{reason}"
        );
    }
    let (_, outcome) = run(&["g-7"]);
    assert!(
        matches!(outcome, Outcome::Failed(_)),
        "who cannot be told is not let in: {outcome:?}"
    );
}

#[test]
fn each_asks_for_the_groups_before_it_says_which_objects_are_meant_and_an_event_of_on_does_not() {
    let rule = rule_for_groups("fn each(event) { event.asset_ids }\nfn run(event) { }");
    let each = Moment::of_each(moment().started_at);
    let (_, outcome) = pressed_by_member_of(&["g-2"], &rule, &each);
    assert!(matches!(outcome, Outcome::Found(_)), "{outcome:?}");
    let (_, outcome) = pressed_by_member_of(&["g-1"], &rule, &each);
    assert!(matches!(outcome, Outcome::Skipped(_)), "{outcome:?}");
    let none = rule
        .advance(&moment(), &super::metadata_event(), Arc::default())
        .outcome;
    assert_eq!(none, Outcome::Finished, "nobody has pressed anything");
}
