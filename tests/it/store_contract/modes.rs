//! What a new run does about those that are in its lane already.

use std::time::Duration;

use super::*;

/// Accepts one event for each run and routes it at its time; answers the runs that were made.
async fn arrive(store: &dyn Store, first: u32, runs: Vec<(NewRun, i64)>) -> Vec<RunId> {
    let mut made = Vec::new();
    for (number, (run, seconds)) in (first..).zip(runs) {
        store.accept(vec![event(number)]).await.unwrap();
        let batch = store.unrouted(1).await.unwrap();
        let routing = Routing {
            at: at(seconds),
            ..routing(batch.batch, vec![routed(vec![run])])
        };
        match store.route(routing).await.unwrap() {
            Routed::Committed { runs, .. } => made.extend(runs),
            Routed::Stale => panic!("nobody else routes"),
        }
    }
    made
}

fn latest() -> NewRun {
    NewRun {
        concurrency: Concurrency::Latest,
        ..new_run("tag", "a")
    }
}

fn debounced() -> NewRun {
    let debounce = Debounce {
        quiet: Duration::from_secs(2),
        max: Duration::from_secs(5),
    };
    NewRun {
        debounce: Some(debounce),
        ..new_run("tag", "a")
    }
}

async fn state_of(store: &dyn Store, run: RunId) -> RunState {
    store.run(run).await.unwrap().unwrap().state
}

pub(crate) async fn the_latest_takes_the_place_of_those_that_have_not_begun(place: &dyn Place) {
    let store = open(place).await;
    let first = arrive(&*store, 0, vec![(latest(), 0)]).await[0];
    let begun = claim_one(&*store).await;
    assert_eq!(begun.run.id, first);
    let later = arrive(
        &*store,
        1,
        vec![(latest(), 1), (latest(), 2), (latest(), 3)],
    )
    .await;
    nothing_to_claim(&*store).await;
    settle(&*store, begun.lease, Settlement::Succeeded).await;
    let last = claim_one(&*store).await;
    assert_eq!(last.run.id, later[2], "the newest, and only it");
    for replaced in &later[..2] {
        let run = store.run(*replaced).await.unwrap().unwrap();
        assert_eq!(run.state, RunState::Superseded);
        assert!(run.reason.unwrap().contains("newer event"));
        assert!(run.ended_at.is_some());
    }
    settle(&*store, last.lease, Settlement::Succeeded).await;
    nothing_to_claim(&*store).await;
    assert_eq!(state_of(&*store, first).await, RunState::Succeeded);
}

pub(crate) async fn a_run_that_has_begun_is_never_superseded(place: &dyn Place) {
    let store = open(place).await;
    let first = arrive(&*store, 0, vec![(latest(), 0)]).await[0];
    let begun = claim_one(&*store).await;
    settle(&*store, begun.lease, Settlement::Released).await;
    assert_eq!(state_of(&*store, first).await, RunState::Queued);
    let second = arrive(&*store, 1, vec![(latest(), 1)]).await[0];
    let again = claim_one(&*store).await;
    assert_eq!(again.run.id, first, "it had begun, so it goes on");
    settle(&*store, again.lease, Settlement::Succeeded).await;
    assert_eq!(claim_one(&*store).await.run.id, second);
}

pub(crate) async fn a_single_run_drops_those_that_come_while_it_is_unfinished(place: &dyn Place) {
    let single = || NewRun {
        concurrency: Concurrency::Single,
        ..new_run("tag", "a")
    };
    let store = open(place).await;
    let first = arrive(&*store, 0, vec![(single(), 0)]).await[0];
    assert_eq!(arrive(&*store, 1, vec![(single(), 1)]).await, []);
    let begun = claim_one(&*store).await;
    assert_eq!(arrive(&*store, 2, vec![(single(), 2)]).await, []);
    let asleep = Settlement::Waiting {
        waits: Waits::Time,
        until: at(100),
        reason: "asleep".to_owned(),
        failing_since: None,
    };
    settle(&*store, begun.lease, asleep).await;
    assert_eq!(arrive(&*store, 3, vec![(single(), 3)]).await, []);
    let dropped = RunFilter {
        states: vec![RunState::Superseded],
        ..RunFilter::default()
    };
    let dropped = store.runs(dropped).await.unwrap();
    assert_eq!(dropped.len(), 3, "each is kept and says why nothing ran");
    let reason = dropped[0].reason.clone().unwrap();
    assert!(reason.contains(&format!("run {first}")), "{reason}");
    store.wake_due(at(100)).await.unwrap();
    let again = claim_one(&*store).await;
    settle(&*store, again.lease, Settlement::Succeeded).await;
    nothing_to_claim(&*store).await;
    let next = arrive(&*store, 4, vec![(single(), 4)]).await;
    assert_eq!(next.len(), 1, "the lane is free again");
    assert_eq!(claim_one(&*store).await.run.id, next[0]);
}

pub(crate) async fn a_debounced_run_begins_when_its_lane_has_been_quiet(place: &dyn Place) {
    let store = open(place).await;
    let first = arrive(&*store, 0, vec![(debounced(), 0)]).await[0];
    nothing_to_claim(&*store).await;
    let due = |run: Run| (run.state, run.due_at);
    let run = store.run(first).await.unwrap().unwrap();
    assert_eq!(due(run), (RunState::Queued, Some(at(2))));
    let second = arrive(&*store, 1, vec![(debounced(), 1)]).await[0];
    assert_eq!(state_of(&*store, first).await, RunState::Superseded);
    assert_eq!(store.wake_due(at(2)).await.unwrap(), (0, Some(at(3))));
    nothing_to_claim(&*store).await;
    assert_eq!(store.wake_due(at(3)).await.unwrap(), (1, None));
    assert_eq!(claim_one(&*store).await.run.id, second);
}

pub(crate) async fn a_lane_that_is_never_quiet_begins_at_the_longest_wait(place: &dyn Place) {
    let store = open(place).await;
    let noise = (0..8).map(|second| (debounced(), second)).collect();
    let made = arrive(&*store, 0, noise).await;
    let last = store.run(made[7]).await.unwrap().unwrap();
    assert_eq!(
        last.due_at,
        Some(at(7)),
        "five seconds after the first are over, so it begins at once"
    );
    let sixth = store.run(made[4]).await.unwrap().unwrap();
    assert_eq!(sixth.state, RunState::Superseded);
    store.wake_due(at(7)).await.unwrap();
    assert_eq!(claim_one(&*store).await.run.id, made[7]);
}

pub(crate) async fn a_debounced_run_waits_behind_one_that_has_begun(place: &dyn Place) {
    let store = open(place).await;
    arrive(&*store, 0, vec![(debounced(), 0)]).await;
    store.wake_due(at(2)).await.unwrap();
    let begun = claim_one(&*store).await;
    let next = arrive(&*store, 1, vec![(debounced(), 3)]).await[0];
    store.wake_due(at(5)).await.unwrap();
    nothing_to_claim(&*store).await;
    settle(&*store, begun.lease, Settlement::Succeeded).await;
    assert_eq!(claim_one(&*store).await.run.id, next);
}

pub(crate) async fn a_debounced_run_survives_a_crash(place: &dyn Place) {
    let store = open(place).await;
    let run = arrive(&*store, 0, vec![(debounced(), 0)]).await[0];
    drop(store);
    let store = place.open().await;
    nothing_to_claim(&*store).await;
    store.wake_due(at(2)).await.unwrap();
    assert_eq!(claim_one(&*store).await.run.id, run);
}

pub(crate) async fn the_more_urgent_run_of_a_rule_goes_first(place: &dyn Place) {
    let store = open(place).await;
    let run = |lane: &str, priority| NewRun {
        priority,
        ..new_run("tag", lane)
    };
    let runs = vec![
        (run("child", -1), 0),
        (run("live", 0), 1),
        (run("urgent", 5), 2),
    ];
    arrive(&*store, 0, runs).await;
    let mut order = Vec::new();
    for _ in 0..3 {
        let claims = store.claim(Claiming::up_to(1), at(10)).await.unwrap();
        order.push(claims[0].run.lane.0.clone());
    }
    assert_eq!(order, ["urgent", "live", "child"]);
}

pub(crate) async fn a_rule_never_has_more_claims_than_its_bound(place: &dyn Place) {
    let store = open(place).await;
    let flood: Vec<(&str, String)> = (0..20).map(|lane| ("flood", lane.to_string())).collect();
    let mut runs: Vec<(&str, &str)> = flood.iter().map(|(r, l)| (*r, l.as_str())).collect();
    runs.push(("other", "a"));
    enqueue(&*store, 0, &runs).await;
    let claiming = |narrowed: Vec<(RuleId, usize)>| Claiming {
        limit: 10,
        per_rule: 3,
        narrowed,
    };
    let claims = store.claim(claiming(Vec::new()), at(10)).await.unwrap();
    let of = |rule: &str| {
        claims
            .iter()
            .filter(|c| c.run.rule.as_str() == rule)
            .count()
    };
    assert_eq!((of("flood"), of("other")), (3, 1));
    let more = store.claim(claiming(Vec::new()), at(10)).await.unwrap();
    assert_eq!(more.len(), 0, "those that are claimed count");
    let wider = vec![(RuleId::from("flood"), 5)];
    assert_eq!(
        store.claim(claiming(wider), at(10)).await.unwrap().len(),
        2,
        "another number holds for a rule that is named"
    );
}

pub(crate) async fn our_own_writes_that_wake_a_rule_too_often_park_it(place: &dyn Place) {
    let store = open(place).await;
    let breaker = Breaker {
        runs: 3,
        within: Duration::from_secs(60),
    };
    let mut states = Vec::new();
    for number in 0..8_u32 {
        store.accept(vec![event(number)]).await.unwrap();
        let batch = store.unrouted(1).await.unwrap();
        let decision = Decision {
            echo: number != 0,
            object: Some(if number == 7 { "B" } else { "A" }.to_owned()),
            ..routed(vec![new_run("tag", &number.to_string())])
        };
        let routing = Routing {
            breaker: Some(breaker),
            at: at(i64::from(number)),
            ..routing(batch.batch, vec![decision])
        };
        let Routed::Committed { runs, .. } = store.route(routing).await.unwrap() else {
            panic!("nobody else routes");
        };
        states.push(store.run(runs[0]).await.unwrap().unwrap());
    }
    let parked: Vec<usize> = (0..8)
        .filter(|at| states[*at].state == RunState::Parked)
        .collect();
    assert_eq!(
        parked,
        [4, 5, 6],
        "three echoes are let through; an event of somebody else and another object are not counted"
    );
    let looped = &states[4];
    assert_eq!(looped.parked, Some(ParkedClass::Loop));
    let reason = looped.reason.clone().unwrap();
    assert!(reason.contains("tag → tag"), "{reason}");
    let claims = store.claim(Claiming::up_to(100), at(10)).await.unwrap();
    assert_eq!(claims.len(), 5, "the others are not touched");
}
