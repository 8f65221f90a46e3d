//! Retry, replay, cancel and pause over the API: one run, and many in batches.

use super::*;

#[tokio::test]
async fn a_dead_run_is_retried_once_and_both_know_each_other() {
    let desk = Desk::new().await;
    let run = desk.dead(0, 1, DeadClass::ApiError).await[0];
    let made = desk
        .post(&format!("/runs/{run}/retry"), &json!({ "by": "anna" }))
        .await;
    assert_eq!(made.status, StatusCode::CREATED);
    let made = made.well();
    assert_eq!(made["from"], run.0);
    let new = desk.get(&format!("/runs/{}", made["run"])).await.well();
    assert_eq!(new["run"]["retry_of"], run.0);
    assert_eq!(new["run"]["state"], "queued");
    let old = desk.get(&format!("/runs/{run}")).await.well();
    assert_eq!(old["run"]["followed_by"], made["run"]);
    assert_eq!(old["next"], format!("cuegate runs show {}", made["run"]));
    let journal = desk
        .get(&format!("/runs/{}/journal", made["run"]))
        .await
        .well();
    let remark = journal["remarks"][0]["text"].as_str().unwrap();
    assert!(remark.starts_with("anna let run"), "{remark}");
    desk.post(&format!("/runs/{run}/retry"), &json!({}))
        .await
        .refused(409, &["retried as run", "already, which is queued"]);
}

#[tokio::test]
async fn a_call_that_may_have_happened_is_decided_by_a_word() {
    let desk = Desk::new().await;
    let run = enqueue(&*desk.store, 0, &[("tag", "a")]).await[0];
    let claim = claim_one(&*desk.store).await;
    let entry = JournalEntry::Intent(crate::store_contract::intent(0));
    crate::store_contract::append(&*desk.store, claim.lease, entry).await;
    let parked = Settlement::Parked {
        class: ParkedClass::Uncertain,
        reason: "nobody knows".to_owned(),
    };
    settle(&*desk.store, claim.lease, parked).await;
    let shown = desk.get(&format!("/runs/{run}")).await.well();
    assert_eq!(shown["run"]["class"], "uncertain");
    let next = shown["next"].as_str().unwrap();
    assert!(next.ends_with("--as happened (or --as again)"), "{next}");
    let journal = desk.get(&format!("/runs/{run}/journal")).await.well();
    assert_eq!(journal["open"]["number"], 0);
    assert_eq!(journal["open"]["asks"], "`POST assets/v1/assets/0/`");
    let path = format!("/runs/{run}/retry");
    desk.post(&path, &json!({}))
        .await
        .refused(409, &["may have happened", "--as happened"]);
    desk.post(&path, &json!({ "as": "perhaps" }))
        .await
        .refused(400, &["perhaps", "again", "happened"]);
    let made = desk.post(&path, &json!({ "as": "happened" })).await.well();
    let journal = desk
        .get(&format!("/runs/{}/journal", made["run"]))
        .await
        .well();
    let step = &journal["steps"][0];
    assert_eq!(
        (step["status"].clone(), step["line"].clone()),
        (json!(204), json!(4))
    );
    assert_eq!(step["excerpt"], "iconik::asset(\"1\");");
    assert_eq!(step["request"]["json"]["title"], "Tor in der 90. Minute");
    assert_eq!(
        step["remarks"][0]["text"]
            .as_str()
            .unwrap()
            .split(" decided")
            .next(),
        Some("a person")
    );
}

#[tokio::test]
async fn a_replay_that_repeats_writes_needs_a_yes() {
    let desk = Desk::new().await;
    let run = enqueue(&*desk.store, 0, &[("tag", "a")]).await[0];
    let claim = claim_one(&*desk.store).await;
    let entries = [
        JournalEntry::Intent(crate::store_contract::intent(0)),
        JournalEntry::Answer(Box::new(crate::store_contract::answer(0))),
    ];
    for entry in entries {
        crate::store_contract::append(&*desk.store, claim.lease, entry).await;
    }
    settle(&*desk.store, claim.lease, Settlement::Succeeded).await;
    desk.store
        .activate_rule_set(rules("two", "v2"))
        .await
        .unwrap();
    let path = format!("/runs/{run}/replay");
    desk.post(&path, &json!({}))
        .await
        .refused(409, &["would repeat 1 write(s)", "--yes"]);
    let repeats = desk.get(&format!("/runs/{run}/repeats")).await.well();
    assert_eq!(repeats["first"][0]["asks"], "`POST assets/v1/assets/0/`");
    let then = desk
        .post(&path, &json!({ "yes": true, "on": "then" }))
        .await
        .well();
    let then = desk.get(&format!("/runs/{}", then["run"])).await.well();
    assert_eq!(then["run"]["version"], "v1");
    let now = desk.post(&path, &json!({ "yes": true })).await.well();
    let now = desk.get(&format!("/runs/{}", now["run"])).await.well();
    assert_eq!(now["run"]["version"], "v2");
    // The lane is that of the rule as it is now: the asset's.
    assert_eq!(now["run"]["lane"], "0");
    assert_eq!(now["run"]["replay_of"], run.0);

    let mut other = rules("three", "v3");
    other.rules.retain(|header| header.rule.as_str() != "tag");
    desk.store.activate_rule_set(other).await.unwrap();
    desk.post(&path, &json!({ "yes": true })).await.refused(
        409,
        &[
            "`tag` is not among the active ones (news/clip)",
            "version of then",
        ],
    );
}

#[tokio::test]
async fn many_runs_begin_anew_in_the_order_in_which_they_were_made() {
    let desk = Desk::new().await;
    desk.dead(0, 70, DeadClass::Failed).await;
    let part = json!({ "filter": { "rule": "tag" }, "up_to": 999 });
    let batch = desk
        .post("/runs/replay", &json!({ "part": part, "yes": true }))
        .await
        .well();
    assert_eq!(batch["done"].as_array().unwrap().len(), 70, "{batch}");
    let replays = desk.get("/runs?state=queued&limit=500").await.well();
    let mut origins: Vec<i64> = replays["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["replay_of"].as_i64().unwrap())
        .collect();
    assert_eq!(origins.len(), 70);
    // Newest first.
    origins.reverse();
    assert!(origins.is_sorted(), "{origins:?}");
}

#[tokio::test]
async fn a_run_is_cancelled_with_a_reason() {
    let desk = Desk::new().await;
    let runs = enqueue(&*desk.store, 0, &[("tag", "a"), ("tag", "a")]).await;
    let waiting = desk.get(&format!("/runs/{}", runs[1])).await.well();
    let behind = format!("behind run {}, which is claimed next", runs[0]);
    assert_eq!(waiting["standing"], behind);
    let path = format!("/runs/{}/cancel", runs[0]);
    let told = json!({ "reason": "the wrong folder", "by": "anna" });
    assert_eq!(
        desk.post(&path, &told).await.well(),
        json!({ "cancelled": 1 })
    );
    let gone = desk.get(&format!("/runs/{}", runs[0])).await.well();
    assert_eq!(gone["run"]["reason"], "the wrong folder (anna)");
    desk.post(&path, &told)
        .await
        .refused(409, &["has ended already: it is cancelled"]);
    let control = json!({ "by": "an\u{7}na" });
    desk.post(&path, &control)
        .await
        .refused(400, &["control character"]);
    let next = desk.get(&format!("/runs/{}", runs[1])).await.well();
    assert_eq!(next["standing"], "is claimed next in its lane");
}

#[tokio::test]
async fn many_dead_letters_are_retried_in_batches_and_none_twice() {
    let desk = Desk::new().await;
    let dead = desk.dead(0, 230, DeadClass::ApiError).await;
    let other = desk.dead(1_000, 1, DeadClass::ScriptError).await[0];
    let first = desk
        .post(&format!("/runs/{}/retry", dead[7]), &json!({}))
        .await;
    first.well();
    let count = desk
        .get("/runs/count?state=dead&class=api_error")
        .await
        .well();
    assert_eq!(count["number"], 230, "history only grows");
    let part = |after: &Value| {
        json!({ "part": {
            "filter": { "class": "api_error", "rule": "tag", "since": "7d", "dead_letters": "true" },
            "after": after, "up_to": count["newest"],
        } })
    };
    let batch = desk.post("/runs/retry", &part(&json!(0))).await.well();
    assert_eq!(batch["done"].as_array().unwrap().len(), 200);
    assert_eq!(batch["refused"], json!([]));
    let batch = desk
        .post("/runs/retry", &part(&batch["after"]))
        .await
        .well();
    assert_eq!(batch["done"].as_array().unwrap().len(), 29);
    assert_eq!(batch["after"], Value::Null);
    let dead = desk.get("/dead").await.well();
    let groups = json!([{ "rule": "tag", "class": "script_error", "number": 1 }]);
    assert_eq!(dead["groups"], groups);
    assert_eq!(dead["runs"][0]["run"]["id"], other.0);
    assert_eq!(
        desk.get("/runs/count?state=queued").await.well()["number"],
        230
    );
    // Their order is that of the runs that they go on for.
    let queued = desk.get("/runs?state=queued&limit=3").await.well();
    let lanes: Vec<&str> = queued["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["lane"].as_str().unwrap())
        .collect();
    assert_eq!(lanes, ["229", "228", "227"]);
}

#[tokio::test]
async fn what_a_batch_cannot_do_is_told_and_left_as_it_is() {
    let desk = Desk::new().await;
    desk.dead(0, 2, DeadClass::ApiError).await;
    let queued = enqueue(&*desk.store, 10, &[("tag", "x")]).await[0];
    let part = |filter: Value| json!({ "part": { "filter": filter, "up_to": 99 } });
    let batch = desk
        .post("/runs/retry", &part(json!({ "rule": "tag" })))
        .await
        .well();
    assert_eq!(batch["done"].as_array().unwrap().len(), 2);
    assert_eq!(batch["refused"][0]["run"], queued.0);
    let why = batch["refused"][0]["error"].as_str().unwrap();
    assert!(why.contains("is queued"), "{why}");
    desk.post("/runs/retry", &part(json!({})))
        .await
        .refused(400, &["every run"]);
    desk.post("/runs/retry", &part(json!({ "ruel": "tag" })))
        .await
        .refused(400, &["did you mean `rule`?"]);
    desk.post(
        "/runs/replay",
        &json!({ "part": { "filter": { "rule": "tag" } } }),
    )
    .await
    .refused(400, &["up_to"]);
    let ended = desk
        .post("/runs/cancel", &part(json!({ "rule": "tag" })))
        .await
        .well();
    assert_eq!(
        ended["done"].as_array().unwrap().len(),
        3,
        "the dead are no longer open"
    );
    assert_eq!(ended["refused"], json!([]));
}

#[tokio::test]
async fn the_stop_handle_stops_and_lets_go() {
    let desk = Desk::new().await;
    let put = async |body: Value| desk.asks(Verb::PUT, "/api/v1/pauses", Some(&body)).await;
    let list = put(json!({ "scope": "all", "reason": "lunch", "by": "anna" }))
        .await
        .well();
    assert_eq!(list["pauses"][0]["reason"], "lunch (anna)");
    put(json!({ "scope": "rule:news/clip" })).await.well();
    put(json!({ "scope": "rule:news/clib" }))
        .await
        .refused(404, &["no rule `news/clib`", "did you mean `news/clip`?"]);
    put(json!({ "scope": "everything" }))
        .await
        .refused(400, &["`everything` is nothing that can be stopped"]);
    put(json!({ "scope": "rule:" }))
        .await
        .refused(400, &["nothing that can be stopped"]);
    let rules = desk.get("/rules").await.well();
    assert_eq!(rules["rules"][1]["stopped"]["scope"], "rule:news/clip");
    assert_eq!(rules["rules"][0].get("stopped"), None);
    let run = enqueue(&*desk.store, 0, &[("tag", "a")]).await[0];
    assert!(
        desk.store
            .claim(Claiming::up_to(9), at(10))
            .await
            .unwrap()
            .is_empty()
    );
    let shown = desk.get(&format!("/runs/{run}")).await.well();
    let standing = shown["standing"].as_str().unwrap();
    assert!(
        standing.contains("every run is paused (lunch (anna))"),
        "{standing}"
    );
    let resume = async |scope: &str| {
        let path = format!("/api/v1/pauses?scope={scope}");
        desk.asks(Verb::DELETE, &path, None).await
    };
    assert_eq!(resume("all").await.well(), json!({ "resumed": true }));
    assert_eq!(resume("all").await.well(), json!({ "resumed": false }));
    resume("al").await.refused(400, &["`al`"]);
    claim_one(&*desk.store).await;
}
