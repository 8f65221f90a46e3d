//! A person stops the writes, and rules that break workers are stopped for everybody's sake.

use std::sync::atomic::Ordering;

use cuegate::clock::Clock as _;
use cuegate::model::{RunId, RunState, WaitsFor};
use cuegate::runner::Options;
use cuegate::store::{Pause, PauseScope};

use super::looping::Loop;
use super::samples::{abort_job, create_job, read, rule, trash, uncertain};
use super::world::{World, until};

async fn pause(world: &World, scope: PauseScope) {
    let pause = Pause {
        scope,
        quarantine: false,
        reason: "a test".to_owned(),
        since: world.clock.now(),
    };
    world.store.pause(pause).await.unwrap();
}

async fn resume_writes(world: &World) {
    assert!(world.store.resume(PauseScope::Writes).await.unwrap());
}

async fn state(world: &World, run: RunId) -> RunState {
    world.look(run).await.state
}

#[tokio::test]
async fn a_run_that_comes_to_a_write_waits_before_its_intent_until_writes_go_on() {
    let world = World::under(vec![rule("a")]).await;
    world.rules.calls("a", vec![read(), trash()]);
    pause(&world, PauseScope::Writes).await;
    let run = world.run_for("A").await;
    world.runner().step().await.unwrap();
    let held = world.look(run).await;
    assert_eq!(held.state, RunState::Waiting);
    assert_eq!(held.waits_for, Some(WaitsFor::Writes));
    assert!(held.reason.unwrap().contains("cuegate resume --writes"));
    assert!(!world.has_open_intent(run).await);
    assert_eq!(world.iconik.sent(), ["GET assets/v1/assets/A/"]);
    resume_writes(&world).await;
    world.runner().step().await.unwrap();
    assert_eq!(state(&world, run).await, RunState::Succeeded);
    assert_eq!(world.iconik.sent().len(), 2);
}

#[tokio::test]
async fn a_pause_that_is_older_than_the_process_holds_its_first_writes() {
    let world = World::under(vec![rule("a")]).await;
    world.rules.calls("a", vec![trash()]);
    pause(&world, PauseScope::Writes).await;
    let mut runs = Vec::new();
    for object in ["A", "B", "C", "D", "E"] {
        runs.push(world.run_for(object).await);
    }
    let runner = Loop::start(&world, Options::default());
    for run in runs {
        until("the run is held", || async {
            state(&world, run).await == RunState::Waiting
        })
        .await;
        assert!(!world.has_open_intent(run).await);
    }
    runner.stop().await;
    assert!(world.iconik.sent().is_empty());
}

#[tokio::test]
async fn a_repetition_is_a_write_too() {
    let world = World::under(vec![rule("a")]).await;
    world.rules.calls("a", vec![trash()]);
    world.iconik.next(Err(uncertain()));
    let run = world.run_for("A").await;
    world.runner().step().await.unwrap();
    let failing_since = world.look(run).await.failing_since;
    pause(&world, PauseScope::Writes).await;
    world.pass(10);
    world.runner().step().await.unwrap();
    let held = world.look(run).await;
    assert_eq!(held.waits_for, Some(WaitsFor::Writes));
    assert_eq!(held.failing_since, failing_since);
    assert_eq!(world.iconik.sent().len(), 1);
}

#[tokio::test]
async fn a_pause_is_noticed_by_runs_under_way_and_lets_calls_in_flight_finish() {
    let world = World::under(vec![rule("a")]).await;
    world
        .rules
        .calls("a", vec![create_job(), read(), abort_job()]);
    let run = world.run_for("A").await;
    let hold = world.iconik.gate.write().await;
    let runner = Loop::start(&world, Options::default());
    until("the first write is sent", || async {
        !world.iconik.sent().is_empty()
    })
    .await;
    pause(&world, PauseScope::Writes).await;
    // What is routed afterwards is held at its first write; by then the pause is known.
    let later = world.run_for("B").await;
    until("the pause is noticed", || async {
        world.look(later).await.waits_for == Some(WaitsFor::Writes)
    })
    .await;
    drop(hold);
    until("the run is held", || async {
        world.look(run).await.waits_for == Some(WaitsFor::Writes)
    })
    .await;
    assert_eq!(
        world.steps(run).await.len(),
        2,
        "write and read are answered"
    );
    resume_writes(&world).await;
    for run in [run, later] {
        until("it succeeds", || async {
            state(&world, run).await == RunState::Succeeded
        })
        .await;
    }
    runner.stop().await;
}

#[tokio::test]
async fn a_rule_that_breaks_five_workers_is_put_in_quarantine_and_says_how_to_release_it() {
    let world = World::under(vec![rule("a"), rule("b")]).await;
    world.rules.workers_lost.store(1, Ordering::Relaxed);
    for number in 0..4 {
        world.accept(&format!("object {number}")).await;
    }
    world.router().route_batch().await.unwrap();
    let runner = world.runner();
    while runner.step().await.unwrap() > 0 {}
    assert_eq!(world.store.pauses().await.unwrap(), [], "four strikes each");
    world.accept("object 5").await;
    world.router().route_batch().await.unwrap();
    while runner.step().await.unwrap() > 0 {}
    let pauses = world.store.pauses().await.unwrap();
    let scopes: Vec<_> = pauses.iter().map(|pause| pause.scope.to_string()).collect();
    assert_eq!(scopes, ["rule:a", "rule:b"]);
    for pause in pauses {
        assert!(pause.quarantine);
        let PauseScope::Rule(rule) = pause.scope else {
            panic!("a rule is stopped");
        };
        let command = format!("`cuegate resume --rule {rule}`");
        assert!(pause.reason.contains(&command), "{}", pause.reason);
        assert!(pause.reason.contains("version 1"), "{}", pause.reason);
    }
}

#[tokio::test]
async fn rules_with_a_recent_strike_together_leave_a_worker_to_others() {
    let world = World::under(vec![rule("a"), rule("b"), rule("c")]).await;
    for rule in ["a", "b", "c"] {
        world.rules.calls(rule, vec![read()]);
    }
    let runner = Options {
        workers: 2,
        ..Options::default()
    };
    let runner = world.runner_with(runner);
    world.rules.strike("a", 1);
    world.rules.strike("b", 1);
    world.accept("first").await;
    world.router().route_batch().await.unwrap();
    runner.step().await.unwrap();
    for number in 0..5 {
        world.accept(&format!("object {number}")).await;
    }
    world.router().route_batch().await.unwrap();
    assert_eq!(
        runner.step().await.unwrap(),
        6,
        "five of c, and one of a and b together"
    );
    let mut struck = 1;
    while runner.step().await.unwrap() == 1 {
        struck += 1;
    }
    assert_eq!(struck, 10, "one at a time they all have their turn");
}
