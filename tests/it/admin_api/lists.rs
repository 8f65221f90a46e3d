//! Lists: what they leave out, how they are paged, and what one event and the whole gateway look like.

use super::*;
use crate::store_contract::{event, event_in_window, events, routed, routing};

fn ids(page: &Value) -> Vec<i64> {
    let runs = page["runs"].as_array().unwrap();
    runs.iter().map(|run| run["id"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn pages_of_runs_follow_each_other_while_new_ones_come() {
    let desk = Desk::new().await;
    let runs = desk.dead(0, 7, DeadClass::ApiError).await;
    let mut seen = Vec::new();
    let mut path = "/runs?limit=3&state=dead".to_owned();
    for length in [3, 3, 1] {
        let page = desk.get(&path).await.well();
        assert_eq!(ids(&page).len(), length);
        seen.extend(ids(&page));
        path = format!("/runs?limit=3&state=dead&before={}", page["before"]);
        assert_eq!(page["before"].is_null(), length == 1);
        let first = 100 * u32::try_from(seen.len()).unwrap();
        desk.dead(first, 1, DeadClass::ApiError).await;
    }
    let expected: Vec<i64> = runs.iter().rev().map(|run| run.0).collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn filters_hold_together() {
    let desk = Desk::new().await;
    let dead = desk.dead(0, 2, DeadClass::ApiError).await;
    let limit = desk.dead(10, 1, DeadClass::Limit).await[0];
    let clip = enqueue(&*desk.store, 20, &[("news/clip", "x")]).await[0];
    let of = async |query: &str| ids(&desk.get(&format!("/runs?{query}")).await.well());
    let event = desk.store.run(dead[1]).await.unwrap().unwrap().event;
    assert_eq!(of("rule=tag").await, [limit.0, dead[1].0, dead[0].0]);
    assert_eq!(of("rule=tag&class=limit").await, [limit.0]);
    assert_eq!(of("class=limit").await, [limit.0]);
    assert_eq!(of("state=queued,dead").await.len(), 4);
    assert_eq!(of("state=queued&rule=tag").await, Vec::<i64>::new());
    assert_eq!(of("state=queued").await, [clip.0]);
    assert_eq!(of(&format!("event={event}")).await, [dead[1].0]);
    assert_eq!(
        of(&format!("event={event}&state=queued")).await,
        Vec::<i64>::new()
    );
    assert_eq!(
        of("event=00112233445566778899aabbccddeeff").await,
        Vec::<i64>::new()
    );
    assert_eq!(of("object=nothing").await, Vec::<i64>::new());
    // It is at(600) and they were made at(0).
    assert_eq!(of("since=11m").await.len(), 4);
    assert_eq!(of("since=9m").await, Vec::<i64>::new());
    assert_eq!(of("until=9m").await.len(), 4);
    assert_eq!(of("until=11m").await, Vec::<i64>::new());
    assert_eq!(desk.get("/runs/count?rule=tag").await.well()["number"], 3);
}

#[tokio::test]
async fn times_hold_over_hours_even_if_the_clock_went_back() {
    let desk = Desk::new().await;
    // Made at these minutes, in this order.
    let minutes = [0, 90, 30, 200];
    let mut runs = Vec::new();
    for (number, minute) in (0..).zip(minutes) {
        desk.store.accept(events([number])).await.unwrap();
        let batch = desk.store.unrouted(1).await.unwrap();
        let decision = routed(vec![crate::store_contract::new_run("tag", "a")]);
        let routing = Routing {
            at: at(minute * 60),
            ..routing(batch.batch, vec![decision])
        };
        let Routed::Committed { runs: made, .. } = desk.store.route(routing).await.unwrap() else {
            panic!("nobody else routes");
        };
        runs.extend(made);
    }
    let between = async |since: i64, until: i64| -> Vec<RunId> {
        let filter = RunFilter {
            since: Some(at(since * 60)),
            until: Some(at(until * 60)),
            ..RunFilter::default()
        };
        let found = desk.store.runs(filter.clone()).await.unwrap();
        let found: Vec<RunId> = found.iter().map(|run| run.id).collect();
        let matching = desk.store.matching(filter).await.unwrap();
        assert_eq!(matching.number, found.len() as u64);
        assert_eq!(matching.newest, found.first().copied());
        found
    };
    assert_eq!(between(0, 31).await, [runs[2], runs[0]]);
    assert_eq!(between(30, 90).await, [runs[2]]);
    assert_eq!(between(30, 91).await, [runs[2], runs[1]]);
    assert_eq!(between(91, 1_000).await, [runs[3]]);
    assert_eq!(between(201, 1_000).await, []);
    assert_eq!(between(-1_000, 0).await, []);
}

#[tokio::test]
async fn dead_letters_are_counted_by_rule_and_class_and_told_in_a_line() {
    let desk = Desk::new().await;
    desk.dead(0, 2, DeadClass::ApiError).await;
    let limit = desk.dead(10, 1, DeadClass::Limit).await[0];
    let page = desk.get("/dead?limit=2").await.well();
    let groups = json!([
        { "rule": "tag", "class": "api_error", "number": 2 }, { "rule": "tag", "class": "limit", "number": 1 },
    ]);
    assert_eq!(page["groups"], groups);
    assert_eq!(page["runs"][0]["run"]["id"], limit.0);
    let line = page["runs"][0]["line"].as_str().unwrap();
    assert_eq!(
        line,
        format!(
            "dead (limit) · tag@v1 · Iconik said no · step 0 · next: cuegate runs replay {limit}"
        )
    );
    let rest = desk
        .get(&format!("/dead?limit=2&before={}", page["before"]))
        .await
        .well();
    assert_eq!(rest["runs"].as_array().unwrap().len(), 1);
    let some = desk.get("/dead?class=limit").await.well();
    assert_eq!(some["groups"].as_array().unwrap().len(), 1);
    // A replay settles it as well.
    desk.post(&format!("/runs/{limit}/replay"), &json!({}))
        .await
        .well();
    let some = desk.get("/dead?class=limit").await.well();
    assert_eq!((&some["groups"], &some["runs"]), (&json!([]), &json!([])));
}

#[tokio::test]
async fn events_are_listed_from_the_inbox_on() {
    let desk = Desk::new().await;
    let store = &desk.store;
    store.accept(events(0..5)).await.unwrap();
    let batch = store.unrouted(100).await.unwrap();
    let decisions = (0..5).map(|number| Decision {
        state: if number == 1 {
            EventState::WhenFailed
        } else {
            EventState::Routed
        },
        subject: event(number).subject(),
        object: event(number).object().map(str::to_owned),
        ..routed(vec![crate::store_contract::new_run("tag", "a")])
    });
    store
        .route(routing(batch.batch, decisions.collect()))
        .await
        .unwrap();
    // 4 comes once more: it is known.
    store.accept(events([5, 6, 4])).await.unwrap();

    let expected: Vec<String> = (0..7)
        .rev()
        .map(|number| event(number).id.to_string())
        .collect();
    let listed = |page: &Value| -> Vec<String> {
        let events = page["events"].as_array().unwrap();
        events
            .iter()
            .map(|event| event["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let all = desk.get("/events").await.well();
    assert_eq!(listed(&all), expected);
    assert_eq!(all["events"][0]["state"], "stored");
    assert_eq!(
        (&all["events"][2]["state"], &all["events"][2]["runs"]),
        (&json!("routed"), &json!(1))
    );
    assert_eq!(all["events"][2]["subject"], "assets/-/-");
    let mut seen = Vec::new();
    let mut path = "/events?limit=3".to_owned();
    for _ in 0..3 {
        let page = desk.get(&path).await.well();
        seen.extend(listed(&page));
        path = format!(
            "/events?limit=3&before={}",
            page["before"].as_str().unwrap_or_default()
        );
    }
    assert_eq!(seen, expected);

    let of = async |query: &str| listed(&desk.get(&format!("/events?{query}")).await.well());
    assert_eq!(of("state=stored").await, expected[..2]);
    assert_eq!(of("state=when_failed").await, [event(1).id.to_string()]);
    assert_eq!(of("object=3").await, [event(3).id.to_string()]);
    assert_eq!(of("subject=assets/-/-&state=routed").await.len(), 4);
    assert_eq!(of("source=iconik").await.len(), 7);
    assert_eq!(of("source=other").await, Vec::<String>::new());
    let beginning = &event(6).id.to_string()[..7];
    assert_eq!(
        of(&format!("id={beginning}")).await,
        [event(6).id.to_string()]
    );
    let beginning = &event(2).id.to_string()[..9];
    assert_eq!(
        of(&format!("id={beginning}")).await,
        [event(2).id.to_string()]
    );
    // Received at(number); it is at(600).
    assert_eq!(of("since=595s").await, expected[..2]);
    assert_eq!(of("until=598s").await, expected[5..]);
}

#[tokio::test]
async fn an_event_shows_its_runs_its_failures_and_its_aliases() {
    let desk = Desk::new().await;
    let store = &desk.store;
    store
        .accept(vec![event(1), event_in_window(1, 8)])
        .await
        .unwrap();
    let batch = store.unrouted(100).await.unwrap();
    let failure = Failure::new(DeadClass::ScriptError, "no `titel`");
    let decision = Decision {
        state: EventState::WhenFailed,
        echo: true,
        failures: vec![(RuleId::from("clip"), RuleVersion::from("v1"), failure)],
        ..routed(vec![crate::store_contract::new_run("tag", "a")])
    };
    let decisions = vec![decision, routed(Vec::new())];
    store.route(routing(batch.batch, decisions)).await.unwrap();
    let (first, alias) = (event(1).id, event_in_window(1, 8).id);
    for asked in [first, alias] {
        let shown = desk.get(&format!("/events/{asked}")).await.well();
        assert_eq!(shown["event"]["id"], first.to_string());
        assert_eq!(shown["aliases"], json!([alias.to_string()]));
        assert_eq!(shown["event"]["echo"], true);
        assert_eq!(shown["failures"][0]["failure"]["message"], "no `titel`");
        assert_eq!(shown["runs"][0]["rule"], "tag");
        assert_eq!(shown["body"], event(1).body);
        assert_eq!(shown["rule_set"], "one");
    }
}

#[tokio::test]
async fn long_bodies_are_cut_unless_they_are_asked_for() {
    let desk = Desk::new().await;
    enqueue(&*desk.store, 0, &[("tag", "a")]).await;
    let claim = claim_one(&*desk.store).await;
    let mut step = crate::store_contract::read(0);
    step.answer.body = json!({ "text": "ö".repeat(5_000) });
    let entry = JournalEntry::Answer(Box::new(step.clone()));
    crate::store_contract::append(&*desk.store, claim.lease, entry).await;
    let path = format!("/runs/{}/journal", claim.run.id);
    let short = desk.get(&path).await.well();
    let answer = &short["steps"][0]["answer"];
    assert_eq!(answer["bytes"], 10_011);
    assert!(answer["beginning"].as_str().unwrap().len() <= 2_000);
    assert_eq!(answer.get("json"), None);
    let full = desk.get(&format!("{path}?full=true")).await.well();
    assert_eq!(full["steps"][0]["answer"]["json"], step.answer.body);
    desk.get(&format!("{path}?full=yes"))
        .await
        .refused(400, &["`yes`"]);
}

#[tokio::test]
async fn the_status_tells_how_much_there_is_and_how_late_it_is() {
    let desk = Desk::new().await;
    desk.dead(0, 2, DeadClass::Limit).await;
    enqueue(&*desk.store, 10, &[("tag", "late")]).await;
    let status = desk.get("/status").await.well();
    assert_eq!(status["runs"], json!({ "dead": 2, "queued": 1 }));
    assert_eq!(status["rule_set"], "one");
    assert_eq!(status["readiness"]["ready"], false);
    assert_eq!(status["due_since"], at(0).to_string());
    let claim = claim_one(&*desk.store).await;
    let asleep = Settlement::Waiting {
        waits: Waits::Time,
        until: at(700),
        reason: "asleep".to_owned(),
        failing_since: None,
    };
    settle(&*desk.store, claim.lease, asleep).await;
    let status = desk.get("/status").await.well();
    assert_eq!(status["due_since"], Value::Null, "it is due later");
    desk.store.wake_due(at(710)).await.unwrap();
    let counts = desk.store.counts().await.unwrap();
    assert_eq!(counts.due_since, Some(at(710)), "it was woken then");
    assert_eq!(
        counts
            .classes
            .iter()
            .find(|count| count.state == RunState::Waiting),
        None
    );
}
