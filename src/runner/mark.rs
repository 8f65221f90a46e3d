//! The text of our own that a create carries, so that what it makes can be told from anything alike.
//!
//! It is the same whenever the step is sent, and no two steps have the same: the hash in it tells runs of the same
//! number apart that two gateways, or one before and after a backup was restored, have made.

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::model::{Call, Run};
use crate::operations::{self, Made, Proof};

/// The mark of a run's step.
pub(super) fn mark_of(run: &Run, step: u32) -> String {
    let told_apart = (run.id, run.created_at, run.event, &run.rule);
    let bytes = serde_json::to_vec(&told_apart).expect("they have a JSON form");
    let hash = Sha256::digest(&bytes);
    format!("cuegate:{}:{step}:{}", run.id, hex::encode(&hash[..4]))
}

/// The call as it is sent: with the mark, where the operation takes one and the rule has not used the place.
pub(super) fn marked(call: &Call, mark: &str) -> Call {
    let mut sent = call.clone();
    let look_up = operations::look_up_of(call.method, &call.path);
    if let (Some(Proof::Object(made)), Some(body)) =
        (look_up.map(|look_up| look_up.proof), &mut sent.body)
        && let Some(place) = made.mark
    {
        put(body, place, mark);
    }
    sent
}

/// The text in the place of the mark, in a body or in an object that was made.
pub(super) fn text_in<'a>(made: &Made, value: &'a Value) -> Option<&'a str> {
    let place = made.mark?;
    let found = place.iter().try_fold(value, |value, key| value.get(key));
    found?.as_str().filter(|text| !text.is_empty())
}

fn put(value: &mut Value, place: &[&str], mark: &str) {
    let Some((key, deeper)) = place.split_first() else {
        if value.is_null() || value == "" {
            *value = json!(mark);
        }
        return;
    };
    if value.is_null() {
        *value = Value::Object(Map::new());
    }
    if let Value::Object(keys) = value {
        put(keys.entry(*key).or_insert(Value::Null), deeper, mark);
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{call, run};
    use super::*;
    use crate::model::Method;

    fn sent(path: &str, body: Value) -> Value {
        let mut call = call(Method::Post, path);
        call.body = Some(body);
        marked(&call, "M").body.expect("it has one")
    }

    #[test]
    fn the_mark_goes_where_the_rule_has_left_the_place_free() {
        for (path, body, expected) in [
            (
                "assets/v1/assets/",
                json!({"title": "A"}),
                json!({"title": "A", "external_id": "M"}),
            ),
            (
                "assets/v1/assets/",
                json!({"external_id": null}),
                json!({"external_id": "M"}),
            ),
            (
                "assets/v1/assets/A/segments/",
                json!({"external_id": ""}),
                json!({"external_id": "M"}),
            ),
            (
                "jobs/v1/jobs/",
                json!({"title": "J"}),
                json!({"title": "J", "metadata": {"cuegate": "M"}}),
            ),
            (
                "jobs/v1/jobs/",
                json!({"metadata": {"order": 7}}),
                json!({"metadata": {"order": 7, "cuegate": "M"}}),
            ),
        ] {
            assert_eq!(sent(path, body.clone()), expected, "{path} {body}");
        }
    }

    #[test]
    fn what_the_rule_says_and_what_takes_no_mark_is_sent_as_it_is() {
        for (path, body) in [
            ("assets/v1/assets/", json!({"external_id": "own"})),
            ("assets/v1/assets/", json!(["odd"])),
            ("jobs/v1/jobs/", json!({"metadata": "odd"})),
            ("jobs/v1/jobs/", json!({"metadata": {"cuegate": "own"}})),
            ("files/v1/assets/A/formats/", json!({"name": "ORIGINAL"})),
            ("assets/v1/assets/A/shares/", json!({"emails": []})),
        ] {
            assert_eq!(sent(path, body.clone()), body, "{path}");
        }
    }

    #[test]
    fn a_mark_stays_the_same_and_no_other_step_or_run_has_it() {
        let one = run(7);
        assert_eq!(mark_of(&one, 2), mark_of(&one.clone(), 2));
        assert!(mark_of(&one, 2).starts_with("cuegate:7:2:"));
        let mut elsewhere = one.clone();
        elsewhere.created_at = "2026-03-01T12:00:00.000001Z".parse().expect("a time");
        let marks = [
            mark_of(&one, 2),
            mark_of(&one, 3),
            mark_of(&run(8), 2),
            mark_of(&elsewhere, 2),
        ];
        let distinct: std::collections::BTreeSet<_> = marks.iter().collect();
        assert_eq!(distinct.len(), marks.len(), "{marks:?}");
    }

    #[test]
    fn the_text_in_its_place_is_found_again() {
        let look_up = operations::look_up_of(Method::Post, "jobs/v1/jobs/").expect("known");
        let Proof::Object(made) = look_up.proof else {
            panic!("a job is an object");
        };
        let job = json!({"metadata": {"cuegate": "M"}});
        assert_eq!(text_in(&made, &job), Some("M"));
        for other in [
            json!({}),
            json!({"metadata": null}),
            json!({"metadata": {"cuegate": ""}}),
        ] {
            assert_eq!(text_in(&made, &other), None, "{other}");
        }
    }
}
