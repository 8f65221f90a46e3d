//! Metadata as rules read and write it: typed, and nothing sent that is there already.

use cuegate::engine::Outcome;
use cuegate::model::{Call, Effect, Method};
use serde_json::json;

use super::{drive, rule_of};

#[test]
fn appending_sends_each_new_value_once_and_only_to_fields_of_many() {
    let answers = |call: &Call| match (call.method, call.path.as_str()) {
        (Method::Get, "metadata/v1/views/") => {
            (200, json!({ "objects": [{ "id": "v-1", "name": "V" }] }))
        }
        (Method::Get, "metadata/v1/views/v-1/") => (
            200,
            json!({ "name": "V", "view_fields": [
            { "name": "tags", "field_type": "tag_cloud", "multi": true }, { "name": "owner", "field_type": "string" },
        ] }),
        ),
        (Method::Get, "assets/v1/assets/a1/") => (200, json!({ "id": "a1" })),
        (Method::Get, _) => (
            200,
            json!({ "metadata_values": { "tags": { "field_values": [{ "value": "a" }] } } }),
        ),
        _ => (200, json!({})),
    };
    let append = |values: &str| {
        rule_of(&format!(
            "fn run(event) {{ iconik::asset(\"a1\").append_metadata(\"V\", {values}); }}"
        ))
    };
    let (journal, outcome) = drive(&append("#{ tags: [\"b\", \"a\", \"b\"] }"), answers);
    assert_eq!(outcome, Outcome::Finished);
    let Some(Effect::Call(put)) = journal.last().map(|step| &step.effect) else {
        panic!("nothing was sent")
    };
    let values = put
        .body
        .as_ref()
        .map(|body| body["metadata_values"]["tags"]["field_values"].clone());
    assert_eq!(values, Some(json!([{ "value": "b" }])));
    let (journal, outcome) = drive(&append("#{ owner: \"desk\" }"), answers);
    assert!(
        matches!(outcome, Outcome::Failed(failure) if failure.message.contains("holds one value"))
    );
    assert!(journal.iter().all(|step| !step.effect.is_write()));
}

#[test]
fn metadata_is_typed_and_only_differences_are_written() {
    let rule = rule_of(
        "fn run(event) {
            let asset = iconik::asset(event.asset_id);
            let m = asset.metadata(\"Rights\");
            if m.expires > time::parse(\"2026-01-01\") && m.hold == true && m.tags == [\"a\"] && m.count == 7 && m.owner == () {
                let n = asset.set_metadata(\"Rights\", #{ hold: true, count: 8 });
                if n != 1 { fail(`${n}`); }
                asset.set_metadata(\"Rights\", #{ hold: true });
            }
        }",
    );
    let (journal, outcome) = drive(&rule, |call| match (call.method, call.path.as_str()) {
        (Method::Get, "assets/v1/assets/a1/") => (200, json!({ "id": "a1", "title": "X" })),
        (Method::Get, "metadata/v1/views/") => (
            200,
            json!({ "objects": [{ "id": "v-1", "name": "Rights" }] }),
        ),
        (Method::Get, "metadata/v1/views/v-1/") => (
            200,
            json!({ "name": "Rights", "view_fields": [
            { "name": "expires", "field_type": "date" }, { "name": "hold", "field_type": "boolean" },
            { "name": "tags", "field_type": "tag_cloud", "multi": true }, { "name": "count", "field_type": "integer" },
            { "name": "owner", "field_type": "string" },
        ] }),
        ),
        (Method::Get, _) => (
            200,
            json!({ "metadata_values": {
            "expires": { "field_values": [{ "value": "2026-05-01" }] }, "hold": { "field_values": [{ "value": true }] },
            "tags": { "field_values": [{ "value": "a" }] }, "count": { "field_values": [{ "value": "7" }] },
            "owner": { "date_created": null, "field_values": [] },
        } }),
        ),
        (Method::Put, _) => (200, json!({})),
        other => panic!("unexpected {other:?}"),
    });
    assert_eq!(outcome, Outcome::Finished);
    let writes: Vec<&Effect> = journal
        .iter()
        .map(|step| &step.effect)
        .filter(|effect| effect.is_write())
        .collect();
    assert_eq!(writes.len(), 1, "{writes:?}");
    let Effect::Call(put) = writes[0] else {
        panic!("a write of metadata is a call, not {}", writes[0]);
    };
    assert_eq!(
        put.body,
        Some(json!({ "metadata_values": { "count": { "field_values": [{ "value": 8 }] } } }))
    );
}
