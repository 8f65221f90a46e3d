//! Routing events once more over the API.

use jiff::Timestamp;

use super::*;
use crate::store_contract::{event, events, new_run, routed, routing};

/// Routes all that is new, each event decided so.
async fn route(desk: &Desk, decision: &Decision) {
    let batch = desk.store.unrouted(100).await.unwrap();
    let decisions = vec![decision.clone(); batch.events.len()];
    let routed = desk.store.route(routing(batch.batch, decisions)).await;
    assert!(matches!(routed.unwrap(), Routed::Committed { .. }));
}

fn failed(rule: &str) -> Decision {
    let failure = Failure {
        position: Some(Position { line: 4, column: 2 }),
        ..Failure::new(DeadClass::ScriptError, "there is no key `titel`")
    };
    Decision {
        state: EventState::WhenFailed,
        failures: vec![(RuleId::from(rule), RuleVersion::from("v1"), failure)],
        ..Decision::default()
    }
}

async fn in_line(desk: &Desk) -> usize {
    desk.store.to_reroute(100).await.unwrap().events.len()
}

#[tokio::test]
async fn places_where_when_failed_are_counted_and_their_events_routed_again() {
    let desk = Desk::new().await;
    desk.store.accept(events(0..3)).await.unwrap();
    route(&desk, &failed("tag")).await;
    desk.store.accept(events(3..5)).await.unwrap();
    route(&desk, &routed(Vec::new())).await;

    let places = desk.get("/events/failures").await.well();
    assert_eq!(places["places"].as_array().unwrap().len(), 1);
    let place = &places["places"][0];
    assert_eq!(place["rule"], "tag");
    assert_eq!(place["events"], 3);
    assert_eq!(place["first"], event(0).id.to_string());
    assert_eq!(place["failure"]["line"], 4);

    let asked = json!({ "failed": "tag", "rule": "tag", "count_only": true });
    let counted = desk.post("/events/reroute", &asked).await.well();
    assert_eq!(
        (counted["events"].as_u64(), in_line(&desk).await),
        (Some(3), 0)
    );
    let asked = json!({ "failed": "tag", "rule": "tag", "by": "anna" });
    let done = desk.post("/events/reroute", &asked).await.well();
    assert_eq!(
        (done["events"].as_u64(), in_line(&desk).await),
        (Some(3), 3)
    );
    assert_eq!(done["next"], Value::Null);
}

#[tokio::test]
async fn events_are_named_by_ids_or_by_a_filter_and_never_all_by_accident() {
    let desk = Desk::new().await;
    desk.store.accept(events(0..3)).await.unwrap();
    route(&desk, &routed(Vec::new())).await;
    let unknown = "00112233445566778899aabbccddeeff";
    let asked = json!({ "events": [event(1).id, unknown] });
    let done = desk.post("/events/reroute", &asked).await.well();
    assert_eq!(
        (done["events"].as_u64(), in_line(&desk).await),
        (Some(1), 1)
    );
    assert_eq!(done["unknown"], json!([unknown]));
    let asked = json!({ "filter": { "state": "routed" } });
    let done = desk.post("/events/reroute", &asked).await.well();
    assert_eq!(
        (done["events"].as_u64(), in_line(&desk).await),
        (Some(3), 3)
    );

    for (asked, words) in [
        (json!({}), "would mean every event"),
        (json!({ "rule": "tag" }), "would mean every event"),
        (
            json!({ "events": [unknown], "failed": "tag" }),
            "by a filter",
        ),
        (
            json!({ "filter": { "stat": "routed" } }),
            "did you mean `state`",
        ),
        (
            json!({ "filter": { "since": "soon" } }),
            "`soon` is no time",
        ),
        (json!({ "failed": "tag", "page": "x" }), "page"),
        (json!({ "events": ["0011"] }), "32 hexadecimal digits"),
    ] {
        desk.post("/events/reroute", &asked)
            .await
            .refused(400, &[words]);
    }
    let asked = json!({ "failed": "tag", "rule": "news/clp" });
    desk.post("/events/reroute", &asked).await.refused(
        404,
        &["no active rule `news/clp`", "did you mean `news/clip`"],
    );
}

#[tokio::test]
async fn a_replay_of_an_event_names_its_rules_and_says_what_it_repeats() {
    let desk = Desk::new().await;
    desk.store.accept(events(0..1)).await.unwrap();
    route(&desk, &routed(vec![new_run("tag", "a")])).await;
    let claim = claim_one(&*desk.store).await;
    let intent = JournalEntry::Intent(crate::store_contract::intent(0));
    crate::store_contract::append(&*desk.store, claim.lease, intent).await;
    let answer = JournalEntry::Answer(Box::new(crate::store_contract::answer(0)));
    crate::store_contract::append(&*desk.store, claim.lease, answer).await;
    settle(&*desk.store, claim.lease, Settlement::Succeeded).await;

    let path = format!("/events/{}/replay", event(0).id);
    for asked in [json!({}), json!({ "rule": "tag", "all_rules": true })] {
        desk.post(&path, &asked)
            .await
            .refused(400, &["--all-rules"]);
    }
    let asked = json!({ "rule": "tag" });
    desk.post(&path, &asked)
        .await
        .refused(409, &["would repeat 1 write(s)", "--yes"]);
    assert_eq!(in_line(&desk).await, 0);
    let asked = json!({ "rule": "tag", "yes": true });
    desk.post(&path, &asked).await.well();
    let line = desk.store.to_reroute(9).await.unwrap();
    assert!(line.events[0].again);
    assert_eq!(line.events[0].to, Some(RuleId::from("tag")));
    let unknown = "/events/00112233445566778899aabbccddeeff/replay";
    desk.post(unknown, &json!({ "all_rules": true }))
        .await
        .refused(404, &["no routed event"]);
}

#[tokio::test]
async fn what_no_event_has_told_of_becomes_one_event_however_often_it_is_told() {
    let desk = Desk::new().await;
    let told = |operation: &str, at: Timestamp| {
        json!({ "changes": [{
            "event_type": "assets", "operation": operation, "object_id": "a-1", "at": at.to_string(), "data": { "title": "X" },
        }] })
    };
    let missed = told("update", at(300));
    let mut counted = missed.clone();
    counted["count_only"] = json!(true);
    let done = desk.post("/events/reconcile", &counted).await.well();
    assert_eq!((&done["missed"], &done["events"]), (&json!(1), &json!([])));
    let done = desk.post("/events/reconcile", &missed).await.well();
    let id = done["events"][0].as_str().unwrap().to_owned();
    let again = desk.post("/events/reconcile", &missed).await.well();
    assert_eq!((&again["missed"], &again["known"]), (&json!(0), &json!(1)));

    let decision = Decision {
        subject: "assets/entity/update".to_owned(),
        object: Some("a-1".to_owned()),
        ..routed(Vec::new())
    };
    route(&desk, &decision).await;
    let shown = desk.get(&format!("/events/{id}")).await.well();
    assert_eq!(shown["event"]["subject"], "assets/entity/update");
    let told_at = at(300).to_string();
    assert_eq!(shown["headers"]["cuegate-reconciled"], told_at);
    // An event that came when it had happened, or later, has told of it; one of another kind has not.
    for (operation, at, known) in [
        ("update", at(360), 1),
        ("update", at(1200), 0),
        ("create", at(300), 0),
    ] {
        let mut asked = told(operation, at);
        asked["count_only"] = json!(true);
        let said = desk.post("/events/reconcile", &asked).await.well();
        assert_eq!(said["known"], json!(known), "{operation} {at}");
    }
    for (key, value) in [
        ("event_type", "jobs"),
        ("operation", "purge"),
        ("object_id", "../x"),
    ] {
        let mut wrong = missed.clone();
        wrong["changes"][0][key] = json!(value);
        desk.post("/events/reconcile", &wrong)
            .await
            .refused(400, &[value]);
    }
    let many = json!({ "changes": vec![missed["changes"][0].clone(); 101] });
    desk.post("/events/reconcile", &many)
        .await
        .refused(400, &["more than 100"]);
}
