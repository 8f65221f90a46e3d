//! An event is decided about exactly once, and a repeated delivery makes no second run.

use super::*;

fn one_run(batch: &Unrouted) -> Routing {
    let decisions = batch
        .events
        .iter()
        .map(|_| routed(vec![new_run("tag", "a")]));
    routing(batch.batch.clone(), decisions.collect())
}

async fn run_count(store: &dyn Store) -> usize {
    store.runs(RunFilter::default()).await.unwrap().len()
}

pub(crate) async fn a_batch_is_routed_exactly_once(place: &dyn Place) {
    let store = open(place).await;
    store.accept(events([1, 2])).await.unwrap();
    let batch = store.unrouted(100).await.unwrap();
    let narrower = store.unrouted(1).await.unwrap();
    let first = store.route(one_run(&batch)).await.unwrap();
    assert!(
        matches!(first, Routed::Committed { events: 2, ref duplicates, ref runs, .. } if duplicates.is_empty() && runs.len() == 2)
    );
    assert_eq!(store.route(one_run(&batch)).await.unwrap(), Routed::Stale);
    assert_eq!(
        store.route(one_run(&narrower)).await.unwrap(),
        Routed::Stale
    );
    assert_eq!(run_count(&*store).await, 2);
    assert!(store.unrouted(100).await.unwrap().events.is_empty());
    assert_eq!(store.counts().await.unwrap().unrouted, 0);
}

pub(crate) async fn routing_goes_on_behind_the_cursor_after_a_crash(place: &dyn Place) {
    let store = open(place).await;
    store.accept(events([1, 2, 3])).await.unwrap();
    let batch = store.unrouted(2).await.unwrap();
    store.route(one_run(&batch)).await.unwrap();
    let rest = store.unrouted(100).await.unwrap();
    drop(store);
    let store = place.open().await;
    let again = store.unrouted(100).await.unwrap();
    assert_eq!(again.events, events([3]));
    assert_eq!(store.route(one_run(&batch)).await.unwrap(), Routed::Stale);
    assert!(matches!(
        store.route(one_run(&rest)).await.unwrap(),
        Routed::Committed { events: 1, .. }
    ));
    assert_eq!(store.route(one_run(&again)).await.unwrap(), Routed::Stale);
    assert_eq!(run_count(&*store).await, 3);
}

pub(crate) async fn a_batch_that_was_decided_under_another_rule_set_is_stale(place: &dyn Place) {
    let store = open(place).await;
    store.accept(events([1])).await.unwrap();
    let batch = store.unrouted(100).await.unwrap();
    store.activate_rule_set(rule_set("two")).await.unwrap();
    assert_eq!(store.route(one_run(&batch)).await.unwrap(), Routed::Stale);
    assert_eq!(run_count(&*store).await, 0);
    assert_eq!(store.unrouted(100).await.unwrap().events, events([1]));
}

pub(crate) async fn without_a_rule_set_nothing_is_routed(place: &dyn Place) {
    let store = place.open().await;
    assert_eq!(store.active_rule_set().await.unwrap(), None);
    store.accept(events([1])).await.unwrap();
    let batch = store.unrouted(100).await.unwrap();
    assert_eq!(store.route(one_run(&batch)).await.unwrap(), Routed::Stale);
}

pub(crate) async fn a_wrong_number_of_decisions_changes_nothing(place: &dyn Place) {
    let store = open(place).await;
    store.accept(events([1, 2])).await.unwrap();
    let batch = store.unrouted(100).await.unwrap();
    let wrong = routing(batch.batch.clone(), vec![routed(vec![new_run("tag", "a")])]);
    assert!(matches!(
        store.route(wrong).await,
        Err(StoreError::Failed(_))
    ));
    assert_eq!(run_count(&*store).await, 0);
    assert_eq!(store.unrouted(100).await.unwrap().events.len(), 2);
}

pub(crate) async fn a_duplicate_in_its_batch_makes_no_second_run(place: &dyn Place) {
    let store = open(place).await;
    store.accept(events([1, 2, 1])).await.unwrap();
    let batch = store.unrouted(100).await.unwrap();
    let Routed::Committed {
        events,
        duplicates,
        runs,
        ..
    } = store.route(one_run(&batch)).await.unwrap()
    else {
        panic!("nobody else routes");
    };
    assert_eq!(
        (events, runs.len()),
        (batch.events.len() - duplicates.len(), 2)
    );
    assert_eq!(run_count(&*store).await, 2);
}

pub(crate) async fn a_duplicate_in_a_later_batch_makes_no_second_run(place: &dyn Place) {
    let store = open(place).await;
    enqueue(&*store, 1, &[("tag", "a")]).await;
    drop(store);
    let store = place.open().await;
    store.accept(events([1])).await.unwrap();
    let batch = store.unrouted(100).await.unwrap();
    let routed = store.route(one_run(&batch)).await.unwrap();
    assert!(matches!(routed, Routed::Committed { events: 0, ref runs, .. } if runs.is_empty()));
    assert_eq!(run_count(&*store).await, 1);
    assert_eq!(
        store.counts().await.unwrap().events,
        [(EventState::Routed, 1)]
    );
}

pub(crate) async fn a_duplicate_over_the_edge_of_the_window_is_an_alias(place: &dyn Place) {
    let store = open(place).await;
    // The copy of the later window may be routed first, or the clock may be set back between the two.
    for (number, windows) in [(1, [7, 8]), (2, [8, 7])] {
        let [first, second] = windows.map(|window| event_in_window(number, window));
        assert_ne!(first.id, second.id);
        for delivery in [&first, &second, &second] {
            store.accept(vec![delivery.clone()]).await.unwrap();
            let batch = store.unrouted(100).await.unwrap();
            store.route(one_run(&batch)).await.unwrap();
        }
        let runs = u32::try_from(run_count(&*store).await);
        assert_eq!(runs, Ok(number), "one for each");
        expect_alias(&*store, &first, &second).await;
    }
}

async fn expect_alias(store: &dyn Store, first: &Event, late: &Event) {
    let found = store.event(late.id).await.unwrap().unwrap();
    assert_eq!(&found.event, first);
    let filter = RunFilter {
        event: Some(late.id),
        ..RunFilter::default()
    };
    assert_eq!(store.runs(filter).await.unwrap()[0].event, first.id);
}

pub(crate) async fn two_windows_later_it_is_a_new_event(place: &dyn Place) {
    let store = open(place).await;
    store
        .accept(vec![event_in_window(1, 7), event_in_window(1, 9)])
        .await
        .unwrap();
    let batch = store.unrouted(100).await.unwrap();
    store.route(one_run(&batch)).await.unwrap();
    assert_eq!(run_count(&*store).await, 2);
}

pub(crate) async fn what_was_decided_is_kept_with_the_event(place: &dyn Place) {
    let store = open(place).await;
    store.accept(events([1, 2])).await.unwrap();
    let batch = store.unrouted(100).await.unwrap();
    let failure = Failure::new(DeadClass::ScriptError, "`event.data.titel` is missing");
    let failed = Decision {
        state: EventState::WhenFailed,
        runs: vec![new_run("tag", "a"), new_run("clip", "b")],
        failures: vec![(RuleId::from("move"), RuleVersion::from("v9"), failure)],
        ..Decision::default()
    };
    let wrong_domain = Decision {
        state: EventState::WrongDomain,
        ..routed(Vec::new())
    };
    store
        .route(routing(batch.batch, vec![failed.clone(), wrong_domain]))
        .await
        .unwrap();
    let found = store.event(event(1).id).await.unwrap().unwrap();
    assert_eq!(found.event, event(1));
    assert_eq!(found.state, EventState::WhenFailed);
    assert_eq!(found.rule_set, Some(RuleSetId::from("one")));
    assert_eq!(found.failures, failed.failures);
    let runs = store.runs(RunFilter::default()).await.unwrap();
    let clip = &runs[0];
    assert_eq!((clip.rule.as_str(), clip.lane.as_str()), ("clip", "b"));
    assert_eq!(
        (clip.version.as_str(), clip.rule_set.as_str(), clip.binding),
        ("v1", "one", 3)
    );
    assert_eq!(
        (clip.state, clip.attempt, clip.created_at),
        (RunState::Queued, 0, at(0))
    );
    assert_eq!((clip.event, clip.started_at), (event(1).id, None));
    let mut counted = store.counts().await.unwrap().events;
    counted.sort_by_key(|(state, _)| format!("{state:?}"));
    assert_eq!(
        counted,
        [(EventState::WhenFailed, 1), (EventState::WrongDomain, 1)]
    );
}

pub(crate) async fn the_active_rule_set_survives_and_earlier_ones_are_kept(place: &dyn Place) {
    let store = open(place).await;
    store.activate_rule_set(rule_set("two")).await.unwrap();
    drop(store);
    let store = place.open().await;
    assert_eq!(
        store.active_rule_set().await.unwrap(),
        Some(rule_set("two"))
    );
    let one = RuleSetId::from("one");
    assert_eq!(store.rule_set(&one).await.unwrap(), Some(rule_set("one")));
    assert_eq!(
        store.rule_set(&RuleSetId::from("three")).await.unwrap(),
        None
    );
    store.activate_rule_set(rule_set("one")).await.unwrap();
    assert_eq!(
        store.active_rule_set().await.unwrap(),
        Some(rule_set("one"))
    );
}

/// The decision about an event that our own write on the object `X` has caused.
fn echo(rule: &str) -> Decision {
    Decision {
        echo: true,
        object: Some("X".to_owned()),
        ..routed(vec![new_run(rule, "X")])
    }
}

/// Accepts an event and routes it so, at this time; answers its run.
async fn decide(store: &dyn Store, number: u32, decision: Decision, seconds: i64) -> Run {
    store.accept(events([number])).await.unwrap();
    let batch = store.unrouted(1).await.unwrap();
    let breaker = Breaker {
        runs: 3,
        within: Duration::from_secs(60),
    };
    let routing = Routing {
        breaker: Some(breaker),
        at: at(seconds),
        ..routing(batch.batch, vec![decision])
    };
    let Routed::Committed { runs, .. } = store.route(routing).await.unwrap() else {
        panic!("nobody else routes");
    };
    store.run(runs[0]).await.unwrap().unwrap()
}

pub(crate) async fn a_run_that_closes_a_circle_is_parked_and_names_the_way(place: &dyn Place) {
    let store = open(place).await;
    for number in [1, 3, 5] {
        let second = i64::from(number);
        let run = decide(&*store, number, echo("a"), second).await;
        assert_eq!(run.state, RunState::Queued);
        let other = decide(&*store, number + 1, echo("b"), second).await;
        assert_eq!(other.state, RunState::Queued);
    }
    let parked = decide(&*store, 7, echo("a"), 7).await;
    assert_eq!(parked.state, RunState::Parked);
    assert_eq!(parked.parked, Some(ParkedClass::Loop));
    let reason = parked.reason.unwrap();
    assert!(reason.contains("a → b → a"), "{reason}");
    assert!(reason.contains("3 times in 1m for X"), "{reason}");
}

pub(crate) async fn only_recent_echoes_of_the_same_rule_and_object_make_a_circle(
    place: &dyn Place,
) {
    let store = open(place).await;
    for number in 1..=3 {
        decide(&*store, number, echo("a"), i64::from(number)).await;
    }
    let by_a_person = Decision {
        echo: false,
        ..echo("a")
    };
    let mut other_object = echo("a");
    other_object.object = Some("Y".to_owned());
    other_object.runs[0].lane = LaneKey::from("Y");
    for (number, second, decision) in [
        (4, 4, by_a_person),
        (5, 5, other_object),
        (6, 6, echo("b")),
        (7, 100, echo("a")),
    ] {
        let run = decide(&*store, number, decision.clone(), second).await;
        assert_eq!(run.state, RunState::Queued, "{decision:?}");
    }
}

pub(crate) async fn behind_a_circle_runs_wait_and_are_not_parked_one_by_one(place: &dyn Place) {
    let store = open(place).await;
    for number in 1..=3 {
        decide(&*store, number, echo("a"), i64::from(number)).await;
        let claim = claim_one(&*store).await;
        settle(&*store, claim.lease, Settlement::Succeeded).await;
    }
    let parked = decide(&*store, 4, echo("a"), 4).await;
    assert_eq!(parked.state, RunState::Parked);
    let behind = decide(&*store, 5, echo("a"), 5).await;
    assert_eq!(behind.state, RunState::Queued);
    nothing_to_claim(&*store).await;
}
