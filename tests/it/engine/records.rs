//! Objects that rules read: their documented keys, what is equal to what, and what changes them.

use std::sync::Arc;

use cuegate::engine::Outcome;
use cuegate::model::{Call, DeadClass, Effect, Method, Step};
use serde_json::{Value, json};

use super::{call_of, drive, event, moment, rule_with};

const SCOPES: &[&str] = &[
    "acls:write",
    "approvals:write",
    "assets:delete",
    "assets:write",
    "collections:write",
    "files:write",
    "jobs:write",
    "metadata:write",
    "notifications:write",
    "segments:delete",
    "segments:write",
    "shares:write",
];

/// An Iconik that knows one asset, one collection and one job, and answers everything else with nothing.
fn iconik(call: &Call) -> (u16, Value) {
    let body = match (call.method, call.path.as_str()) {
        (Method::Get, "assets/v1/assets/a1/") => json!({
            "id": "a1", "title": "News", "odd": 7,
            "versions": [
                { "id": "v2", "date_created": "2026-02-01T00:00:00+00:00" },
                { "id": "v1", "date_created": "2026-01-01T00:00:00+00:00" },
            ],
        }),
        (Method::Get, "assets/v1/collections/c1/") => json!({ "id": "c1", "title": "Finals" }),
        (Method::Get, "metadata/v1/views/") => {
            json!({ "objects": [{ "id": "w1", "name": "Rights" }] })
        }
        (Method::Get, "metadata/v1/views/w1/") => json!({ "name": "Rights", "view_fields": [
            { "name": "owner", "field_type": "string" },
            { "name": "keywords", "field_type": "tag_cloud", "multi": true },
        ] }),
        (Method::Get, "files/v1/storages/") => json!({ "objects": [
            { "id": "s1", "name": "Near" }, { "id": "s2", "name": "Far" }, { "id": "s3", "name": "Far" },
        ] }),
        (Method::Get, "users/v1/users/current/") => json!({ "id": "u1" }),
        (Method::Post, path) if path.ends_with("/bulk/") => json!({ "job_id": "j9" }),
        (Method::Post, "jobs/v1/jobs/") => {
            json!({ "id": "j1", "status": "STARTED", "title": "Check" })
        }
        (Method::Post, _) => {
            json!({ "id": "n1", "segment_type": "COMMENT", "time_start_milliseconds": 5 })
        }
        _ => json!({}),
    };
    (200, body)
}

/// The calls of Iconik in a journal.
pub(super) fn steps_of(journal: &[Step]) -> Vec<Call> {
    let calls = journal.iter().filter_map(|step| match &step.effect {
        Effect::Call(call) => Some(call.clone()),
        _ => None,
    });
    calls.collect()
}

fn written(script: &str) -> Vec<Call> {
    let rule = rule_with(SCOPES, script);
    let (journal, outcome) = drive(&rule, iconik);
    assert_eq!(outcome, Outcome::Finished, "{script}");
    steps_of(&journal)
        .into_iter()
        .filter(|call| call.method != Method::Get)
        .collect()
}

/// What a script says is wrong, after however many calls.
fn refused(script: &str) -> String {
    let (journal, outcome) = drive(&rule_with(SCOPES, script), iconik);
    let writes = steps_of(&journal)
        .into_iter()
        .filter(|call| call.method != Method::Get);
    assert_eq!(writes.count(), 0, "{script} wrote something");
    match outcome {
        Outcome::Failed(failed) => {
            assert_eq!(failed.class, DeadClass::ScriptError, "{script}: {failed}");
            failed.message
        }
        other => panic!("{script} ended as {other:?}"),
    }
}

#[test]
fn documented_keys_are_properties_and_a_misspelt_one_is_an_error() {
    let good = "let asset = iconik::asset(\"a1\");
        if asset.title != \"News\" || asset.external_id != () || asset.get(\"odd\") != 7 || asset.get(\"none\") != () { fail(\"keys\"); }
        if asset.to_map().odd != 7 { fail(\"map\"); }
        let folder = iconik::collection(\"c1\");
        if folder.parent_id != () { fail(\"parent\"); }";
    assert!(written(good).is_empty());
    for (script, wanted) in [
        (
            "iconik::asset(\"a1\").external_ids",
            "an Asset has no `external_ids`; did you mean `external_id`?",
        ),
        (
            "iconik::collection(\"c1\").parentid",
            "a Collection has no `parentid`; did you mean `parent_id`?",
        ),
    ] {
        let message = refused(&format!("{script};"));
        assert!(message.contains(wanted), "{message}");
    }
    let job = "let job = iconik::create_job(#{ type: \"CUSTOM\", title: \"x\", status: \"STARTED\" }); job.progres;";
    let (_, outcome) = drive(&rule_with(SCOPES, job), iconik);
    assert!(
        format!("{outcome:?}").contains("did you mean `progress`?"),
        "{outcome:?}"
    );
}

#[test]
fn the_same_object_is_equal_to_itself_and_never_to_one_of_another_kind() {
    assert!(
        written(
            "let a = iconik::asset(\"a1\"); let b = a.reload();
         if a != b || a == () { fail(\"equal\"); }"
        )
        .is_empty()
    );
    let message = refused("if iconik::asset(\"a1\") == iconik::collection(\"c1\") { }");
    assert!(
        message.contains("an Asset is never equal to a Collection"),
        "{message}"
    );
}

#[test]
fn objects_can_be_given_where_an_id_is_wanted() {
    let calls = written(
        "let asset = iconik::asset(\"a1\"); let folder = iconik::collection(\"c1\");
         folder.add(\"assets\", asset); folder.add(\"assets\", #{ id: \"a2\" }); folder.add(\"assets\", \"a3\");",
    );
    let ids: Vec<_> = calls
        .iter()
        .map(|call| call.body.as_ref().unwrap()["object_id"].clone())
        .collect();
    assert_eq!(ids, [json!("a1"), json!("a2"), json!("a3")]);
    for script in [
        "iconik::collection(\"c1\").add(\"assets\", \"a/../b\");",
        "iconik::asset(\"..\");",
    ] {
        assert!(refused(script).contains("cannot be the id"), "{script}");
    }
    assert!(
        refused("iconik::collection(\"c1\").add(\"asset\", \"a1\");")
            .contains("did you mean \"assets\"?")
    );
}

#[test]
fn more_than_500_ids_go_out_in_several_requests_and_none_in_none() {
    let calls = written(
        "let ids = []; for i in 0..1_001 { ids.push(`a${i}`); }
         let jobs = iconik::set_metadata_of(\"assets\", ids, \"Rights\", #{ owner: \"desk\" });
         iconik::trash(\"assets\", []);",
    );
    let sizes: Vec<_> = calls
        .iter()
        .map(|call| {
            call.body.as_ref().unwrap()["object_ids"]
                .as_array()
                .unwrap()
                .len()
        })
        .collect();
    assert_eq!(sizes, [500, 500, 1]);
    assert!(
        calls
            .iter()
            .all(|call| call.path == "metadata/v1/assets/views/w1/")
    );
    let calls = written(
        "let list = []; for i in 0..501 { list.push(#{ segment_type: \"TRANSCRIPTION\", segment_text: `${i}` }); }
         let jobs = iconik::asset(\"a1\").create_segments(list);
         if jobs.len() != 2 || jobs[0].id != \"j9\" { fail(\"jobs\"); }",
    );
    assert_eq!(calls.len(), 2);
}

#[test]
fn what_would_overwrite_or_delete_more_than_is_said_has_to_be_said() {
    for (script, wanted) in [
        (
            "iconik::asset(\"a1\").set_acl(#{ permissions: [\"read\"], user_ids: [\"u2\"] })",
            "say `mode: \"APPEND\"`",
        ),
        (
            "iconik::set_acl(\"assets\", [\"a1\"], #{ mode: \"append\", permissions: [\"read\"], user_ids: [\"u2\"] })",
            "is no mode",
        ),
        (
            "iconik::asset(\"a1\").set_acl(#{ mode: \"APPEND\", permissions: [\"reed\"], user_ids: [\"u2\"] })",
            "did you mean \"read\"?",
        ),
        (
            "iconik::asset(\"a1\").set_acl(#{ mode: \"APPEND\", permissions: [\"read\"] })",
            "nobody is named",
        ),
        (
            "iconik::trash_contents(\"collections\", [\"c1\"], #{})",
            "content_only",
        ),
        (
            "iconik::trash_contents(\"collections\", [\"c1\"], #{ content_only: true, recursive: true })",
            "nothing else",
        ),
        (
            "iconik::collection(\"c1\").set_contents_metadata(\"Rights\", #{ owner: \"x\" }, #{ include_assets: true })",
            "say `include_collections: true`",
        ),
        (
            "iconik::collection(\"c1\").set_contents_acl(#{ mode: \"APPEND\", permissions: [\"read\"], user_ids: [\"u2\"] })",
            "say `include_assets: true`",
        ),
        (
            "iconik::collection(\"c1\").set_contents_acl(#{ permissions: [\"read\"], user_ids: [\"u2\"] })",
            "say `mode:",
        ),
        (
            "iconik::set_metadata_of(\"assets\", [\"a1\"], \"Rights\", #{ owner: () })",
            "use `clear_metadata_of",
        ),
        (
            "iconik::append_metadata_of(\"assets\", [\"a1\"], \"Rights\", #{ owner: \"x\" })",
            "nothing can be appended",
        ),
        (
            "iconik::set_metadata_of(\"assets\", [\"a1\"], \"Rights\", #{ ownr: \"x\" })",
            "did you mean `owner`?",
        ),
    ] {
        let message = refused(&format!("{script};"));
        assert!(message.contains(wanted), "{script}: {message}");
    }
}

#[test]
fn a_mode_that_is_said_is_sent_with_everything_else() {
    let calls = written(
        "iconik::asset(\"a1\").set_acl(#{ mode: \"APPEND\", permissions: [\"read\"], group_ids: [\"g1\"] });
         iconik::asset(\"a1\").trash();",
    );
    assert_eq!(calls[0].path, "acls/v1/acl/assets/");
    assert_eq!(
        calls[0].body,
        Some(
            json!({ "mode": "APPEND", "permissions": ["read"], "group_ids": ["g1"], "object_keys": ["a1"] })
        )
    );
}

#[test]
fn nothing_is_allowed_in_a_share_that_the_rule_does_not_allow() {
    let calls = written("iconik::asset(\"a1\").share_url(#{ allow_comments: true });");
    assert_eq!(
        calls[0].body,
        Some(json!({
            "allow_approving_comments": false, "allow_comments": true, "allow_download": false,
            "allow_setting_approve_status": false,
        }))
    );
    assert!(refused("iconik::asset(\"a1\").share(#{});").contains("needs `emails`"));
}

#[test]
fn a_storage_is_named_by_one_name_that_only_one_has() {
    let calls = written(
        "iconik::storage(\"Near\").copy(\"assets\", [\"a1\"], #{ object_ids: [\"other\"] });",
    );
    assert_eq!(calls[0].path, "files/v1/storages/s1/bulk/");
    assert_eq!(calls[0].body.as_ref().unwrap()["object_ids"], json!(["a1"]));
    assert!(refused("iconik::storage(\"Far\");").contains("2 storages named `Far`"));
    assert!(refused("iconik::storage(\"Neer\");").contains("did you mean `Near`?"));
}

#[test]
fn a_reply_is_a_comment_at_the_same_time_and_only_comments_have_replies() {
    let calls = written(
        "let comment = iconik::asset(\"a1\").create_segment(#{ segment_type: \"COMMENT\" }); comment.reply(\"yes\");",
    );
    assert_eq!(calls[1].path, "assets/v1/assets/a1/segments/");
    assert_eq!(
        calls[1].body,
        Some(
            json!({ "segment_type": "COMMENT", "segment_text": "yes", "parent_id": "n1", "time_start_milliseconds": 5 })
        )
    );
    assert!(
        refused("iconik::asset(\"a1\").segments(\"MARKR\");").contains("did you mean \"MARKER\"?")
    );
    assert!(
        refused("iconik::asset(\"a1\").create_segments([#{}]);").contains("object 0 of the list")
    );
}

#[test]
fn the_current_version_is_the_youngest_whatever_the_order() {
    let calls = written("iconik::asset(\"a1\").delete_segments(\"TRANSCRIPTION\");");
    assert_eq!(calls[0].method, Method::Delete);
    assert_eq!(
        calls[0].body,
        Some(json!({ "segment_type": "TRANSCRIPTION", "version_id": "v2" }))
    );
}

#[test]
fn a_notification_says_who_sends_it_and_what_it_is_about() {
    let calls =
        written("iconik::notify(\"u2\", \"Sent\", \"It went out.\", iconik::asset(\"a1\"));");
    assert_eq!(
        calls[0].body,
        Some(json!({
            "event_type": "CUSTOM", "message_short": "Sent", "message_long": "It went out.", "object_type": "assets",
            "object_id": "a1", "recipient_id": "u2", "sender_id": "u1",
        }))
    );
    assert!(refused("iconik::notify(\"u2\", \"a\", \"b\", \"a1\");").contains("is about an Asset"));
}

#[test]
fn a_priority_and_an_action_that_no_job_has_are_refused() {
    for (script, wanted) in [
        ("iconik::set_job_priority([\"j1\"], 11)", "from 1 to 10"),
        (
            "iconik::set_job_state([\"j1\"], \"STOP\")",
            "is no action on jobs",
        ),
        (
            "iconik::asset(\"a1\", #{ collections: true })",
            "there is no option `collections`",
        ),
    ] {
        let message = refused(&format!("{script};"));
        assert!(message.contains(wanted), "{script}: {message}");
    }
}

#[test]
fn a_record_is_no_value_that_can_be_sent() {
    assert!(
        refused("let a = iconik::asset(\"a1\"); iconik::asset(\"a1\").update(#{ title: a });")
            .contains("an Asset cannot be sent")
    );
}

#[test]
fn what_an_event_is_about_is_read_again_where_it_is() {
    let share = event(json!({
        "event_type": "assets", "realm": "shares", "operation": "create", "object_id": "s1",
        "data": { "id": "s1", "object_id": "a1", "object_type": "assets" },
    }));
    let segment = event(json!({
        "event_type": "assets", "realm": "segments", "operation": "update", "object_id": "g1",
        "data": { "asset_id": "a1" },
    }));
    let job = event(
        json!({ "event_type": "jobs", "realm": "entity", "operation": "update", "object_id": "j1", "data": {} }),
    );
    for (about, kind, path) in [
        (&share, "share", "assets/v1/assets/a1/shares/s1/"),
        (&share, "asset", "assets/v1/assets/a1/"),
        (&segment, "segment", "assets/v1/assets/a1/segments/g1/"),
        (&job, "job", "jobs/v1/jobs/j1/"),
    ] {
        let rule = rule_with(&[], &format!("event.object(\"{kind}\");"));
        let outcome = rule.advance(&moment(), about, Arc::new(Vec::new())).outcome;
        assert_eq!(call_of(&outcome).path, path);
    }
    for (kind, wanted) in [
        ("shar", "did you mean \"share\"?"),
        ("asset", "the event names no asset"),
    ] {
        let rule = rule_with(&[], &format!("event.object(\"{kind}\");"));
        let outcome = rule.advance(&moment(), &job, Arc::new(Vec::new())).outcome;
        let Outcome::Failed(failed) = outcome else {
            panic!("{kind} ended as {outcome:?}")
        };
        assert!(failed.message.contains(wanted), "{failed}");
    }
}

#[test]
fn a_misspelt_key_among_values_is_refused_before_anything_is_sent() {
    for (script, wanted) in [
        (
            "iconik::create_asset(#{ title: \"a\", externl_id: \"b\" })",
            "did you mean `external_id`?",
        ),
        (
            "iconik::asset(\"a1\").update(#{ titel: \"a\" })",
            "did you mean `title`?",
        ),
        ("iconik::asset(\"a1\").create_format(#{})", "name"),
    ] {
        let (journal, outcome) = drive(&rule_with(SCOPES, &format!("{script};")), iconik);
        let writes = steps_of(&journal)
            .into_iter()
            .filter(|call| call.method != Method::Get);
        assert_eq!(writes.count(), 0, "{script}");
        let Outcome::Failed(failed) = outcome else {
            panic!("{script} ended as {outcome:?}")
        };
        assert_eq!(failed.class, DeadClass::ScriptError, "{script}");
        assert!(failed.to_string().contains(wanted), "{script}: {failed}");
    }
}
