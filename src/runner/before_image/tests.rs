//! What was written, what was seen before, what is seen now.

use serde_json::json;

use super::super::samples::call;
use super::*;
use crate::model::Answer;

const ASSET: &str = "assets/v1/assets/A/";
const VIEW: &str = "metadata/v1/assets/A/views/V/";

fn write(method: Method, path: &str, body: Value) -> Call {
    let mut write = call(method, path);
    write.body = Some(body);
    write
}

fn sight(body: &Value) -> Sight<'_> {
    Sight {
        status: 200,
        body,
        query: None,
    }
}

const GONE: Sight<'_> = Sight {
    status: 404,
    body: &Value::Null,
    query: None,
};

fn field(values: &[&str]) -> Value {
    let values: Vec<_> = values
        .iter()
        .map(|value| json!({"value": value, "label": value.to_uppercase()}))
        .collect();
    json!({"field_values": values, "date_created": null})
}

fn step(call: Call, status: u16, body: Value) -> Step {
    let effect = Effect::Call(call);
    Step {
        number: 0,
        digest: effect.digest(),
        effect,
        answer: Answer {
            status,
            body,
            at: jiff::Timestamp::UNIX_EPOCH,
        },
    }
}

#[test]
fn a_delete_is_done_when_its_target_is_gone_or_in_the_trash() {
    let trash = call(Method::Delete, ASSET);
    let purge = call(Method::Delete, "assets/v1/assets/A/purge/");
    let (active, trashed) = (json!({"status": "ACTIVE"}), json!({"status": "DELETED"}));
    assert!(is_done(&trash, GONE) && is_done(&purge, GONE));
    assert!(is_done(&trash, sight(&trashed)));
    assert!(!is_done(&trash, sight(&active)));
    assert!(
        !is_done(&purge, sight(&trashed)),
        "the trash is not yet gone"
    );
}

#[test]
fn a_change_is_done_when_its_target_shows_all_of_it() {
    let change = write(
        Method::Patch,
        ASSET,
        json!({"title": "B", "category": null}),
    );
    assert!(is_done(
        &change,
        sight(&json!({"title": "B", "type": "ASSET"}))
    ));
    assert!(!is_done(&change, sight(&json!({"title": "A"}))));
    assert!(!is_done(
        &change,
        sight(&json!({"title": "B", "category": "x"}))
    ));
    assert!(!is_done(&change, GONE));
    assert!(!is_done(&call(Method::Put, ASSET), sight(&json!({}))));
}

#[test]
fn metadata_are_done_when_the_fields_have_the_values_whatever_else_iconik_shows() {
    let body = json!({"metadata_values": {
        "tags": {"field_values": [{"value": "a"}, {"value": "b"}]},
        "old": {"field_values": [{"value": "x"}], "mode": "delete"},
    }});
    let change = write(Method::Put, VIEW, body);
    let shown = |tags: &[&str], old: &[&str]| json!({"metadata_values": {"tags": field(tags), "old": field(old), "other": field(&["y"])}});
    assert!(is_done(&change, sight(&shown(&["a", "b"], &["z"]))));
    assert!(is_done(&change, sight(&shown(&["a", "b"], &[]))));
    assert!(!is_done(&change, sight(&shown(&["b", "a"], &[]))));
    assert!(!is_done(&change, sight(&shown(&["a"], &[]))));
    assert!(!is_done(&change, sight(&shown(&["a", "b"], &["x"]))));
    assert!(!is_done(&change, sight(&json!({"metadata_values": {}}))));
}

#[test]
fn only_what_the_write_concerns_must_be_as_before() {
    let before = json!({"title": "A", "category": "x"});
    let elsewhere = json!({"title": "A", "category": "y"});
    let touched = json!({"title": "C", "category": "x"});
    let patch = write(Method::Patch, ASSET, json!({"title": "B"}));
    assert!(is_unchanged(&patch, sight(&before), sight(&elsewhere)));
    assert!(!is_unchanged(&patch, sight(&before), sight(&touched)));
    let put = write(Method::Put, ASSET, json!({"title": "B"}));
    assert!(is_unchanged(&put, sight(&before), sight(&before)));
    assert!(!is_unchanged(&put, sight(&before), sight(&elsewhere)));
    let delete = call(Method::Delete, ASSET);
    assert!(is_unchanged(&delete, sight(&before), sight(&before)));
    assert!(!is_unchanged(&delete, sight(&before), sight(&elsewhere)));
    assert!(!is_unchanged(&patch, sight(&before), GONE));
    let fields = json!({"metadata_values": {"tags": {"field_values": [{"value": "b"}]}}});
    let fields = write(Method::Put, VIEW, fields);
    let view = |tags: &[&str], other: &str| json!({"metadata_values": {"tags": field(tags), "other": field(&[other])}});
    assert!(is_unchanged(
        &fields,
        sight(&view(&["a"], "x")),
        sight(&view(&["a"], "y"))
    ));
    assert!(!is_unchanged(
        &fields,
        sight(&view(&["a"], "x")),
        sight(&view(&["c"], "x"))
    ));
    assert!(
        is_unchanged(&fields, GONE, GONE),
        "a view that was never written"
    );
}

#[test]
fn the_last_sight_of_the_same_target_counts() {
    let mut with_users = call(Method::Get, ASSET);
    with_users.query = BTreeMap::from([("include_users".to_owned(), "true".to_owned())]);
    let trash = call(Method::Delete, ASSET);
    let journal = [
        step(call(Method::Get, ASSET), 200, json!(1)),
        step(with_users.clone(), 200, json!(2)),
        step(call(Method::Get, "assets/v1/assets/B/"), 200, json!(3)),
    ];
    let seen = last_seen(&journal, &trash).expect("it was read");
    assert_eq!((seen.status, seen.body), (200, &json!(2)));
    let target = target_of(&trash, Some(seen)).expect("an asset can be read");
    assert_eq!(
        (target.method, target.query),
        (Method::Get, with_users.query)
    );
    assert_eq!(last_seen(&journal[2..], &trash), None);
}

#[test]
fn what_the_run_has_changed_itself_is_seen_in_the_answer_or_not_at_all() {
    let read = || step(call(Method::Get, ASSET), 200, json!({"title": "A"}));
    let patch = || write(Method::Patch, ASSET, json!({"title": "B"}));
    let answered = [read(), step(patch(), 200, json!({"title": "B"}))];
    let seen = last_seen(&answered, &patch()).expect("the answer shows it");
    assert_eq!(seen.body, &json!({"title": "B"}));
    let silent = [read(), step(patch(), 204, Value::Null)];
    assert_eq!(last_seen(&silent, &patch()), None);
    let deleted = [read(), step(call(Method::Delete, ASSET), 204, Value::Null)];
    assert_eq!(last_seen(&deleted, &patch()), None);
}

#[test]
fn a_target_that_cannot_be_read_is_none() {
    for (method, path) in [
        (Method::Delete, "assets/v1/collections/C/contents/assets/A/"),
        (Method::Put, "assets/v1/assets/A/restore/"),
        (Method::Post, "assets/v1/assets/A/reindex/"),
    ] {
        assert_eq!(target_of(&call(method, path), None), None, "{path}");
    }
    let purge = target_of(&call(Method::Delete, "assets/v1/assets/A/purge/"), None);
    assert_eq!(purge.expect("the asset can be read").path, ASSET);
}
