//! What is found after a stop in the middle, and runs that must not go on.

use std::sync::{Arc, Mutex};

use cuegate::clock::Clock;
use cuegate::engine::{BINDING_VERSION, Outcome};
use cuegate::model::{
    Call, DeadClass, Effect, EventState, Failure, LaneKey, RuleId, RuleVersion, RunId, RunState,
    WaitsFor,
};
use cuegate::store::{Append, Claiming, Decision, Fenced, Intent, JournalEntry, NewRun, Routing};

use super::samples::{abort_job, create_job, read, refused, relate, reply, rule, throttled, trash};
use super::world::{World, until};

/// A run whose gateway died after the intent of `call`, `seconds` ago.
async fn interrupted(call: Call, seconds: u64) -> (World, RunId) {
    let mut world = World::under(vec![rule("a")]).await;
    world.rules.calls("a", vec![call.clone()]);
    let run = world.run_for("A").await;
    let claims = world
        .store
        .claim(Claiming::up_to(1), world.clock.now())
        .await
        .unwrap();
    let effect = Effect::Call(call);
    let intent = Intent {
        number: 0,
        digest: effect.digest(),
        effect,
        at: world.clock.now(),
    };
    let append = Append {
        lease: claims[0].lease,
        entry: JournalEntry::Intent(intent),
        logs: Vec::new(),
    };
    assert_eq!(
        world.store.append(vec![append]).await.unwrap(),
        [Fenced::Written]
    );
    world.restart().await;
    world.pass(seconds);
    (world, run)
}

#[tokio::test]
async fn a_young_delete_found_open_is_sent_again_and_finding_nothing_is_success() {
    let (world, run) = interrupted(trash(), 59).await;
    world.iconik.next(Err(refused(404)));
    world.runner().step().await.unwrap();
    assert_eq!(world.look(run).await.state, RunState::Succeeded);
    assert_eq!(world.steps(run).await[0].answer.status, 204);
}

#[tokio::test]
async fn whatever_else_is_found_open_is_parked_without_sending_it() {
    for (call, seconds) in [(trash(), 60), (relate(), 1), (abort_job(), 1)] {
        let (world, run) = interrupted(call, seconds).await;
        world.runner().step().await.unwrap();
        let parked = world.look(run).await;
        assert_eq!(parked.state, RunState::Parked);
        let reason = parked.reason.unwrap();
        assert!(reason.contains("Look in Iconik"), "{reason}");
        let sent = world.iconik.sent();
        assert!(sent.iter().all(|call| call.starts_with("GET")), "{sent:?}");
    }
}

#[tokio::test]
async fn a_run_that_now_asks_for_something_else_has_diverged_and_shows_both() {
    let (world, run) = interrupted(trash(), 1).await;
    world.rules.calls("a", vec![create_job()]);
    world.runner().step().await.unwrap();
    let failure = world.look(run).await.failure.unwrap();
    assert_eq!(failure.class, DeadClass::Diverged);
    assert!(
        failure.message.contains("`DELETE assets/v1/assets/A/`"),
        "{failure}"
    );
    assert!(
        failure.message.contains("`POST jobs/v1/jobs/`"),
        "{failure}"
    );
    assert!(world.iconik.sent().is_empty());
}

#[tokio::test]
async fn a_run_that_now_ends_without_the_write_that_it_began_has_diverged() {
    let (world, run) = interrupted(trash(), 1).await;
    world.rules.calls("a", Vec::new());
    world.runner().step().await.unwrap();
    let failure = world.look(run).await.failure.unwrap();
    assert_eq!(failure.class, DeadClass::Diverged);
}

#[tokio::test]
async fn a_run_that_fails_over_an_open_write_says_that_it_may_have_happened() {
    let (world, run) = interrupted(trash(), 1).await;
    world.rules.script("a", |_, _| {
        Outcome::Failed(Failure::new(DeadClass::Limit, "too many operations"))
    });
    world.runner().step().await.unwrap();
    let failure = world.look(run).await.failure.unwrap();
    assert_eq!(failure.class, DeadClass::Limit);
    assert!(failure.message.contains("may have happened"), "{failure}");
}

#[tokio::test]
async fn a_run_goes_on_where_its_journal_ends() {
    let mut world = World::under(vec![rule("a")]).await;
    world
        .rules
        .calls("a", vec![read(), create_job(), abort_job()]);
    world.iconik.next(Ok(reply(200, serde_json::json!({}))));
    world.iconik.next(Ok(reply(201, serde_json::json!({}))));
    world.iconik.next(Err(throttled()));
    let run = world.run_for("A").await;
    world.runner().step().await.unwrap();
    assert_eq!(world.look(run).await.state, RunState::Waiting);
    world.restart().await;
    world.pass(60);
    world.runner().step().await.unwrap();
    assert_eq!(world.look(run).await.state, RunState::Succeeded);
    let sent = world.iconik.sent();
    let times = |what: &str| sent.iter().filter(|call| *call == what).count();
    assert_eq!(times("GET assets/v1/assets/A/"), 1);
    assert_eq!(times("POST jobs/v1/jobs/"), 1);
    assert_eq!(times("PUT jobs/v1/jobs/state/"), 2);
}

#[tokio::test]
async fn a_run_that_stops_the_gateway_again_and_again_is_given_up() {
    let mut world = World::under(vec![rule("a")]).await;
    let run = world.run_for("A").await;
    for _ in 0..8 {
        assert_eq!(
            world
                .store
                .claim(Claiming::up_to(1), world.clock.now())
                .await
                .unwrap()
                .len(),
            1
        );
        world.restart().await;
    }
    world.runner().step().await.unwrap();
    let run = world.look(run).await;
    assert_eq!(run.state, RunState::Dead);
    assert_eq!(run.failure.unwrap().class, DeadClass::Crash);
}

/// Everybody's call is under way when the gateway dies of one of them; who is under way without it gets on.
#[tokio::test]
async fn what_stops_the_gateway_is_told_from_what_was_under_way_beside_it() {
    let mut world = World::under(vec![rule("a")]).await;
    let advanced = Arc::<Mutex<Vec<String>>>::default();
    let seen = Arc::clone(&advanced);
    world.rules.script("a", move |event, journal| {
        let object = event.text("object_id").unwrap();
        seen.lock().unwrap().push(object.to_owned());
        match journal {
            [] => Outcome::Effect(Effect::Call(read())),
            _ => Outcome::Finished,
        }
    });
    let mut innocent = Vec::new();
    for object in ["A", "B", "C", "D"] {
        innocent.push(world.run_for(object).await);
    }
    let killer = world.run_for("Killer").await;
    let mut deaths = 0;
    while !world.look(killer).await.state.is_final() {
        advanced.lock().unwrap().clear();
        let closed = world.iconik.gate.write().await;
        let runner = world.runner();
        let mut step = Box::pin(runner.step());
        let begun = until(
            "somebody is under way and who it is can be told",
            || async {
                let is_running = world.look(killer).await.state == RunState::Running;
                let advanced = advanced.lock().unwrap();
                advanced.iter().any(|it| it == "Killer") || (!is_running && !advanced.is_empty())
            },
        );
        let over = tokio::select! {
            stepped = &mut step => stepped.map(|_| true).unwrap(),
            () = begun => false,
        };
        if over {
            continue;
        }
        if advanced.lock().unwrap().iter().any(|it| it == "Killer") {
            drop(step);
            drop(runner);
            drop(closed);
            world.restart().await;
            deaths += 1;
        } else {
            drop(closed);
            step.await.unwrap();
        }
    }
    assert_eq!(deaths, 8, "five beside others, three alone");
    let dead = world.look(killer).await;
    assert_eq!(dead.failure.unwrap().class, DeadClass::Crash);
    while world.runner().step().await.unwrap() > 0 {}
    for run in innocent {
        assert_eq!(world.look(run).await.state, RunState::Succeeded);
    }
}

#[tokio::test]
async fn a_run_older_than_its_rule_allows_is_given_up_unsent() {
    let world = World::under(vec![rule("a")]).await;
    world.rules.calls("a", vec![trash()]);
    let run = world.run_for("A").await;
    world.pass(30 * 86_400 + 1);
    world.runner().step().await.unwrap();
    let run = world.look(run).await;
    assert_eq!(run.failure.unwrap().class, DeadClass::Expired);
    assert!(world.iconik.sent().is_empty());
}

#[tokio::test]
async fn a_run_that_must_not_go_on_is_parked_if_it_may_have_set_something_off() {
    for call in [create_job(), abort_job()] {
        let (world, run) = interrupted(call.clone(), 30 * 86_400 + 1).await;
        world.runner().step().await.unwrap();
        let parked = world.look(run).await;
        assert_eq!(parked.state, RunState::Parked);
        let reason = parked.reason.unwrap();
        assert!(
            reason.contains("unfinished for longer than 30d"),
            "{reason}"
        );
        let (mut world, run) = interrupted(call, 1).await;
        for _ in 0..8 {
            let claiming = Claiming::up_to(1);
            let claims = world.store.claim(claiming, world.clock.now()).await;
            assert_eq!(claims.unwrap().len(), 1);
            world.restart().await;
        }
        world.runner().step().await.unwrap();
        assert_eq!(world.look(run).await.state, RunState::Parked);
        assert!(world.iconik.sent().is_empty());
    }
    let (world, run) = interrupted(trash(), 30 * 86_400 + 1).await;
    world.runner().step().await.unwrap();
    let failure = world.look(run).await.failure.unwrap();
    assert_eq!(failure.class, DeadClass::Expired);
    assert!(failure.message.contains("may have happened"), "{failure}");
}

#[tokio::test]
async fn a_run_whose_rule_set_cannot_be_read_says_so_and_does_not_wait_for_ever() {
    let world = World::under(vec![rule("a")]).await;
    let run = world.run_for("A").await;
    let file = rusqlite::Connection::open(world.dir.path().join("cuegate.db")).unwrap();
    file.execute("UPDATE rule_set SET json = '{'", []).unwrap();
    let runner = world.runner();
    for _ in 0..2 {
        assert_eq!(runner.step().await.unwrap(), 1);
        let waiting = world.look(run).await;
        assert_eq!(waiting.waits_for, Some(WaitsFor::Gateway));
        let reason = waiting.reason.unwrap();
        assert!(reason.contains("rule `a`, cannot be read"), "{reason}");
        assert!(reason.contains("until the run is 30d old"), "{reason}");
        assert_eq!(runner.step().await.unwrap(), 0, "not at once");
        world.pass(60);
    }
    world.pass(30 * 86_400);
    runner.step().await.unwrap();
    let failure = world.look(run).await.failure.unwrap();
    assert_eq!(failure.class, DeadClass::Expired);
    assert!(failure.message.contains("cannot be read"), "{failure}");
}

#[tokio::test]
async fn a_run_keeps_its_version_when_the_rules_change_under_it() {
    let world = World::under(vec![rule("a")]).await;
    let run = world.run_for("A").await;
    let mut newer = rule("a");
    newer.version = RuleVersion::from("2");
    world.activate(vec![newer]).await;
    let younger = world.run_for("A").await;
    let runner = world.runner();
    runner.step().await.unwrap();
    runner.step().await.unwrap();
    let (run, younger) = (world.look(run).await, world.look(younger).await);
    assert_eq!(
        (run.state, run.version.as_str()),
        (RunState::Succeeded, "1")
    );
    assert_eq!(
        (younger.state, younger.version.as_str()),
        (RunState::Succeeded, "2")
    );
    assert_eq!(run.binding, BINDING_VERSION);
}

/// A run as another gateway would have made it: of this version, under these bindings.
async fn made_elsewhere(world: &World, version: &str, binding: u32) -> RunId {
    let event = world.accept("A").await;
    let unrouted = world.store.unrouted(1).await.unwrap();
    let rule_set = world.set.borrow().as_ref().unwrap().id.clone();
    let run = NewRun::new(
        RuleId::from("a"),
        RuleVersion::from(version),
        binding,
        LaneKey::from("A"),
    );
    let routing = Routing {
        batch: unrouted.batch,
        rule_set,
        decisions: vec![Decision {
            state: EventState::Routed,
            runs: vec![run],
            ..Decision::default()
        }],
        breaker: None,
        at: world.clock.now(),
    };
    world.store.route(routing).await.unwrap();
    world.runs_of(&event).await[0].id
}

#[tokio::test]
async fn a_run_whose_version_is_not_stored_ends_and_names_it() {
    let world = World::under(vec![rule("a")]).await;
    let run = made_elsewhere(&world, "9", BINDING_VERSION).await;
    world.runner().step().await.unwrap();
    let failure = world.look(run).await.failure.unwrap();
    assert_eq!(failure.class, DeadClass::ScriptError);
    assert!(
        failure.message.contains("version 9 of rule `a`"),
        "{failure}"
    );
}

#[tokio::test]
async fn a_run_that_diverges_under_other_bindings_is_told_from_one_that_does_so_by_itself() {
    for (binding, class) in [
        (BINDING_VERSION, DeadClass::Diverged),
        (BINDING_VERSION + 1, DeadClass::VersionSkew),
    ] {
        let world = World::under(vec![rule("a")]).await;
        let diverged = Failure::new(DeadClass::Diverged, "step 0 was another call");
        world
            .rules
            .script("a", move |_, _| Outcome::Failed(diverged.clone()));
        let run = made_elsewhere(&world, "1", binding).await;
        world.runner().step().await.unwrap();
        assert_eq!(world.look(run).await.failure.unwrap().class, class);
    }
}

#[tokio::test]
async fn an_end_by_the_script_is_the_end_of_the_run() {
    let failed = Failure::new(DeadClass::Failed, "no rights");
    for (outcome, state) in [
        (Outcome::Finished, RunState::Succeeded),
        (Outcome::Skipped("on hold".to_owned()), RunState::Skipped),
        (Outcome::Failed(failed.clone()), RunState::Dead),
    ] {
        let world = World::under(vec![rule("a")]).await;
        world.rules.script("a", move |_, _| outcome.clone());
        let run = world.run_for("A").await;
        world.runner().step().await.unwrap();
        let run = world.look(run).await;
        assert_eq!(run.state, state);
        let failure = (state == RunState::Dead).then(|| failed.clone());
        assert_eq!(run.failure, failure);
    }
}
