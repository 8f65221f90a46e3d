//! Runs that wait for more than a time: events, jobs, children, the end of a pause.

use super::*;

fn wait_for(object: &str) -> WaitForEvent {
    WaitForEvent {
        pattern: Pattern {
            source: "iconik".to_owned(),
            parts: vec!["assets".to_owned(), "*".to_owned(), "*".to_owned()],
        },
        fields: [("object_id".to_owned(), json!(object))].into(),
        until: at(1_000),
        position: None,
    }
}

fn webhook(number: u32, object: &str) -> Event {
    let mut webhook = event(number);
    webhook.body = json!({ "event_type": "assets", "realm": "entity", "operation": "update",
        "object_id": object });
    webhook
}

async fn route(store: &dyn Store, event: Event) {
    store.accept(vec![event.clone()]).await.unwrap();
    let batch = store.unrouted(1).await.unwrap();
    let decision = Decision {
        subject: event.subject(),
        ..routed(Vec::new())
    };
    let routed = store.route(routing(batch.batch, vec![decision])).await;
    assert!(matches!(routed.unwrap(), Routed::Committed { .. }));
}

async fn waits(store: &dyn Store, claim: &Claim, waits: Waits) {
    let how = Settlement::Waiting {
        waits,
        until: at(1_000),
        reason: "waits".to_owned(),
        failing_since: None,
    };
    assert_eq!(settle(store, claim.lease, how).await, Fenced::Written);
}

async fn waits_for_event(store: &dyn Store, claim: &Claim, object: &str) {
    let wait = wait_for(object);
    let sighting = store
        .find_event(claim.run.id, &wait, EventMark::default())
        .await
        .unwrap();
    assert_eq!(sighting.event, None);
    let seen = sighting.seen;
    waits(
        store,
        claim,
        Waits::Event {
            wait: Box::new(wait),
            seen,
        },
    )
    .await;
}

async fn found(store: &dyn Store, run: RunId, object: &str) -> Option<Event> {
    store
        .find_event(run, &wait_for(object), EventMark::default())
        .await
        .unwrap()
        .event
}

pub(crate) async fn an_event_wakes_the_run_that_waits_for_it_and_no_other(place: &dyn Place) {
    let store = open(place).await;
    enqueue(&*store, 0, &[("tag", "a"), ("tag", "b")]).await;
    let claims = store.claim(Claiming::up_to(2), at(10)).await.unwrap();
    waits_for_event(&*store, &claims[0], "A").await;
    waits_for_event(&*store, &claims[1], "B").await;
    route(&*store, webhook(20, "C")).await;
    nothing_to_claim(&*store).await;
    route(&*store, webhook(21, "A")).await;
    route(&*store, webhook(22, "A")).await;
    let woken = claim_one(&*store).await;
    assert_eq!(woken.run.id, claims[0].run.id);
    assert_eq!(woken.run.attempt, 1, "what has come is progress");
    let first = found(&*store, woken.run.id, "A").await;
    assert_eq!(first, Some(webhook(21, "A")), "the first of them");
    let other = store.run(claims[1].run.id).await.unwrap().unwrap();
    assert_eq!(
        (other.state, other.waits_for),
        (RunState::Waiting, Some(WaitsFor::Event))
    );
}

pub(crate) async fn an_event_that_came_since_the_run_began_is_found(place: &dyn Place) {
    let store = open(place).await;
    enqueue(&*store, 0, &[("tag", "a")]).await;
    route(&*store, webhook(5, "A")).await;
    let claim = claim_one(&*store).await;
    assert_eq!(claim.run.started_at, Some(at(10)));
    assert_eq!(
        found(&*store, claim.run.id, "A").await,
        None,
        "one that was received before the run began is not meant"
    );
    route(&*store, webhook(12, "A")).await;
    assert_eq!(
        found(&*store, claim.run.id, "A").await,
        Some(webhook(12, "A"))
    );
}

pub(crate) async fn an_event_between_the_search_and_the_wait_is_not_missed(place: &dyn Place) {
    let store = open(place).await;
    enqueue(&*store, 0, &[("tag", "a")]).await;
    let claim = claim_one(&*store).await;
    let wait = wait_for("A");
    let sighting = store
        .find_event(claim.run.id, &wait, EventMark::default())
        .await
        .unwrap();
    route(&*store, webhook(20, "A")).await;
    let seen = sighting.seen;
    waits(
        &*store,
        &claim,
        Waits::Event {
            wait: Box::new(wait),
            seen,
        },
    )
    .await;
    assert_eq!(claim_one(&*store).await.run.id, claim.run.id);
    assert_eq!(
        found(&*store, claim.run.id, "A").await,
        Some(webhook(20, "A"))
    );
}

pub(crate) async fn a_wait_for_an_event_survives_a_crash(place: &dyn Place) {
    let store = open(place).await;
    enqueue(&*store, 0, &[("tag", "a")]).await;
    let claim = claim_one(&*store).await;
    waits_for_event(&*store, &claim, "A").await;
    drop(store);
    let store = place.open().await;
    nothing_to_claim(&*store).await;
    route(&*store, webhook(20, "A")).await;
    drop(store);
    let store = place.open().await;
    let woken = claim_one(&*store).await;
    assert_eq!(
        found(&*store, woken.run.id, "A").await,
        Some(webhook(20, "A"))
    );
    let step = JournalEntry::Answer(Box::new(read(0)));
    append(&*store, woken.lease, step).await;
    route(&*store, webhook(21, "B")).await;
    assert_eq!(
        found(&*store, woken.run.id, "B").await,
        Some(webhook(21, "B")),
        "the next wait of the run has nothing to do with this one"
    );
}

pub(crate) async fn a_wait_for_an_event_ends_at_its_time(place: &dyn Place) {
    let store = open(place).await;
    enqueue(&*store, 0, &[("tag", "a")]).await;
    let claim = claim_one(&*store).await;
    waits_for_event(&*store, &claim, "A").await;
    store.wake_due(at(1_000)).await.unwrap();
    let woken = claim_one(&*store).await;
    assert_eq!(found(&*store, woken.run.id, "A").await, None);
}

pub(crate) async fn a_job_wakes_all_runs_that_wait_for_it_once(place: &dyn Place) {
    let store = open(place).await;
    enqueue(&*store, 0, &[("tag", "a"), ("tag", "b"), ("tag", "c")]).await;
    let claims = store.claim(Claiming::up_to(3), at(10)).await.unwrap();
    for (claim, job) in claims.iter().zip(["one", "one", "two"]) {
        waits(&*store, claim, Waits::Job(job.to_owned())).await;
    }
    let awaited = || store.awaited_jobs(10);
    assert_eq!(awaited().await.unwrap(), ["one", "two"]);
    assert_eq!(store.wake_for_job("one").await.unwrap(), 2);
    assert_eq!(store.wake_for_job("one").await.unwrap(), 0);
    assert_eq!(awaited().await.unwrap(), ["two"]);
    let woken = store.claim(Claiming::up_to(3), at(10)).await.unwrap();
    assert_eq!(woken.len(), 2);
    store.wake_due(at(1_000)).await.unwrap();
    assert_eq!(awaited().await.unwrap().len(), 0, "its time is over");
}

pub(crate) async fn what_is_paused_is_not_claimed_until_it_is_resumed(place: &dyn Place) {
    let store = open(place).await;
    enqueue(&*store, 0, &[("tag", "a"), ("clip", "a")]).await;
    let pause = |scope: PauseScope| Pause {
        scope,
        quarantine: false,
        reason: "a look at what happened".to_owned(),
        since: at(1),
    };
    let tag = PauseScope::Rule(RuleId::from("tag"));
    store.pause(pause(tag.clone())).await.unwrap();
    assert_eq!(claim_one(&*store).await.run.rule.as_str(), "clip");
    store.pause(pause(PauseScope::All)).await.unwrap();
    assert!(store.resume(tag.clone()).await.unwrap());
    nothing_to_claim(&*store).await;
    drop(store);
    let store = place.open().await;
    assert_eq!(
        store.pauses().await.unwrap(),
        [pause(PauseScope::All)],
        "a pause outlives the process"
    );
    nothing_to_claim(&*store).await;
    assert!(store.resume(PauseScope::All).await.unwrap());
    assert!(!store.resume(PauseScope::All).await.unwrap());
    let claims = store.claim(Claiming::up_to(9), at(10)).await.unwrap();
    assert_eq!(claims.len(), 2);
}

pub(crate) async fn runs_held_at_a_write_go_on_when_writes_do(place: &dyn Place) {
    let store = open(place).await;
    enqueue(&*store, 0, &[("tag", "a"), ("tag", "b")]).await;
    let claims = store.claim(Claiming::up_to(2), at(10)).await.unwrap();
    waits(&*store, &claims[0], Waits::Writes).await;
    waits(&*store, &claims[1], Waits::Time).await;
    store.resume(PauseScope::Writes).await.unwrap();
    assert_eq!(
        claim_one(&*store).await.run.id,
        claims[0].run.id,
        "a sleeper sleeps on"
    );
}
