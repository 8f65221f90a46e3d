//! Rules that break workers over `when` or `lane`, and the events that wait for them.

use cuegate::engine::When;
use cuegate::model::{DeadClass, Event, EventState, Failure, RuleId, RuleVersion};
use cuegate::quarantine::Strike;
use cuegate::router::Step;
use cuegate::store::{PauseScope, Reroute, WhichEvents};

use super::samples::rule;
use super::world::World;

fn asks(id: &str) -> cuegate::model::RuleHeader {
    let mut rule = rule(id);
    rule.has_when = true;
    rule
}

fn scope(rule: &str) -> PauseScope {
    PauseScope::Rule(RuleId::from(rule))
}

async fn accept(world: &World, count: usize) -> Vec<Event> {
    let mut events = Vec::new();
    for number in 0..count {
        events.push(world.accept(&format!("asset {number}")).await);
    }
    events
}

/// Routes what is new.
async fn route(world: &World) {
    let step = world.router().route_batch().await.unwrap();
    assert!(matches!(step, Step::Routed { .. }), "{step:?}");
}

/// Routes what is in line until nothing is; answers the number of runs.
async fn reroute(world: &World) -> usize {
    let mut made = 0;
    loop {
        match world.router().reroute_batch().await.unwrap() {
            Step::Idle => return made,
            Step::Routed { runs, .. } => made += runs,
            step => panic!("{step:?}"),
        }
    }
}

async fn state(world: &World, event: &Event) -> EventState {
    world.store.event(event.id).await.unwrap().unwrap().state
}

async fn rules_of(world: &World, event: &Event) -> Vec<String> {
    let runs = world.runs_of(event).await.into_iter();
    let mut rules: Vec<_> = runs.map(|run| run.rule.0).collect();
    rules.sort();
    rules
}

async fn is_stopped(world: &World, rule: &str) -> bool {
    let pauses = world.store.pauses().await.unwrap();
    pauses
        .iter()
        .any(|pause| pause.scope == scope(rule) && pause.quarantine)
}

fn break_it(world: &World, rule: &str) {
    world.rules.broken.lock().unwrap().insert(rule.to_owned());
}

fn mend_it(world: &World, rule: &str) {
    world.rules.broken.lock().unwrap().remove(rule);
}

#[tokio::test]
async fn a_rule_whose_when_breaks_worker_after_worker_is_stopped_and_its_events_are_held() {
    let world = World::under(vec![asks("bad"), rule("good")]).await;
    break_it(&world, "bad");
    let events = accept(&world, 10).await;
    route(&world).await;
    assert!(is_stopped(&world, "bad").await);
    // Two workers each: the third event is one too many, and nobody is asked about the others.
    for event in &events[..3] {
        assert_eq!(state(&world, event).await, EventState::WhenFailed);
    }
    for event in &events {
        assert_eq!(rules_of(&world, event).await, ["good"]);
    }
    let about = world.store.about_event(events[3].id).await.unwrap();
    assert_eq!(about.held_for, [RuleId::from("bad")]);

    mend_it(&world, "bad");
    let later = accept(&world, 1).await.remove(0);
    route(&world).await;
    assert_eq!(reroute(&world).await, 0, "nobody has released it");
    assert_eq!(rules_of(&world, &later).await, ["good"]);

    assert!(world.store.resume(scope("bad")).await.unwrap());
    assert_eq!(reroute(&world).await, 8);
    for event in events[3..].iter().chain([&later]) {
        assert_eq!(rules_of(&world, event).await, ["bad", "good"]);
    }
    assert_eq!(
        rules_of(&world, &events[0]).await,
        ["good"],
        "what failed waits for a person"
    );
    let newest = accept(&world, 1).await.remove(0);
    route(&world).await;
    assert_eq!(rules_of(&world, &newest).await, ["bad", "good"]);
}

#[tokio::test]
async fn an_event_that_only_a_stopped_rule_wants_is_held_until_its_release() {
    let world = World::under(vec![asks("bad")]).await;
    break_it(&world, "bad");
    let events = accept(&world, 4).await;
    route(&world).await;
    assert_eq!(state(&world, &events[3]).await, EventState::Held);
    mend_it(&world, "bad");
    world.rules.when("bad", When::No);
    world.store.resume(scope("bad")).await.unwrap();
    assert_eq!(reroute(&world).await, 0);
    assert_eq!(state(&world, &events[3]).await, EventState::Routed);
}

#[tokio::test]
async fn what_is_held_is_routed_before_newer_events_of_the_rule() {
    let world = World::under(vec![asks("bad")]).await;
    break_it(&world, "bad");
    let events = accept(&world, 5).await;
    route(&world).await;
    mend_it(&world, "bad");
    world.store.resume(scope("bad")).await.unwrap();
    let newer = accept(&world, 1).await.remove(0);
    route(&world).await;
    assert!(
        world.runs_of(&newer).await.is_empty(),
        "it waits behind older ones"
    );
    reroute(&world).await;
    let mut numbers = Vec::new();
    for event in [&events[3], &events[4], &newer] {
        numbers.push(world.runs_of(event).await.remove(0).id);
    }
    assert!(numbers.is_sorted(), "{numbers:?}");
}

#[tokio::test]
async fn a_rule_whose_lane_breaks_workers_is_stopped_as_well() {
    let mut orders = rule("orders");
    orders.has_lane = true;
    let world = World::under(vec![orders]).await;
    world.rules.lane("orders", |_| Ok("one".to_owned()));
    break_it(&world, "orders");
    let events = accept(&world, 5).await;
    route(&world).await;
    assert!(is_stopped(&world, "orders").await);
    assert_eq!(state(&world, &events[0]).await, EventState::WhenFailed);
    assert_eq!(state(&world, &events[4]).await, EventState::Held);
    mend_it(&world, "orders");
    world.store.resume(scope("orders")).await.unwrap();
    assert_eq!(reroute(&world).await, 2);
}

#[tokio::test]
async fn strikes_of_when_and_of_runs_are_one_count() {
    let world = World::under(vec![asks("bad")]).await;
    let rule = RuleId::from("bad");
    let strike = Strike {
        rule: &rule,
        version: &RuleVersion::from("1"),
        workers: 3,
        place: "in run 1",
        what: "it crashed",
    };
    assert!(!world.quarantine.struck(strike).await.unwrap());
    break_it(&world, "bad");
    let event = accept(&world, 1).await.remove(0);
    route(&world).await;
    assert!(is_stopped(&world, "bad").await);
    let reason = &world.store.pauses().await.unwrap()[0].reason;
    assert!(reason.contains(&event.id.to_string()), "{reason}");
}

#[tokio::test]
async fn a_when_that_throws_is_no_strike() {
    let world = World::under(vec![asks("throws")]).await;
    let failure = Failure::new(DeadClass::ScriptError, "no such key");
    world.rules.when("throws", When::Failed(failure));
    accept(&world, 20).await;
    route(&world).await;
    assert!(!is_stopped(&world, "throws").await);
}

#[tokio::test]
async fn events_are_routed_again_to_a_rule_that_was_mended_and_to_no_other() {
    let world = World::under(vec![asks("mended"), rule("other")]).await;
    let failure = Failure::new(DeadClass::ScriptError, "no such key");
    world.rules.when("mended", When::Failed(failure));
    let events = accept(&world, 3).await;
    route(&world).await;
    let asked = |again| Reroute {
        which: WhichEvents::Ids(events.iter().map(|event| event.id).collect()),
        to: Some(RuleId::from("mended")),
        again,
        count_only: false,
    };
    world.store.ask_reroute(asked(false)).await.unwrap();
    assert_eq!(reroute(&world).await, 0, "it still fails");
    assert_eq!(state(&world, &events[0]).await, EventState::WhenFailed);

    world.rules.when("mended", When::Yes);
    world.store.ask_reroute(asked(false)).await.unwrap();
    assert_eq!(reroute(&world).await, 3);
    for event in &events {
        assert_eq!(rules_of(&world, event).await, ["mended", "other"]);
        assert_eq!(state(&world, event).await, EventState::Routed);
    }
    world.store.ask_reroute(asked(false)).await.unwrap();
    assert_eq!(reroute(&world).await, 0, "it has runs of them");
    world.store.ask_reroute(asked(true)).await.unwrap();
    assert_eq!(reroute(&world).await, 3, "a person asked for it");
    assert_eq!(
        rules_of(&world, &events[0]).await,
        ["mended", "mended", "other"]
    );
}

#[tokio::test]
async fn what_is_asked_for_a_stopped_rule_waits_for_its_release() {
    let world = World::under(vec![asks("bad"), rule("good")]).await;
    world.rules.when("bad", When::No);
    let event = accept(&world, 1).await.remove(0);
    route(&world).await;
    world.rules.when("bad", When::Yes);
    break_it(&world, "bad");
    accept(&world, 3).await;
    route(&world).await;
    mend_it(&world, "bad");
    let asked = Reroute {
        which: WhichEvents::Ids(vec![event.id]),
        to: Some(RuleId::from("bad")),
        again: false,
        count_only: false,
    };
    world.store.ask_reroute(asked).await.unwrap();
    assert_eq!(reroute(&world).await, 0);
    world.store.resume(scope("bad")).await.unwrap();
    assert_eq!(reroute(&world).await, 1);
    assert_eq!(rules_of(&world, &event).await, ["bad", "good"]);
}
