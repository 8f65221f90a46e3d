//! Iconik as a whole is away: nothing is claimed, sent or counted until it is back, and then everything goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cuegate::iconik::CallError;
use cuegate::model::{Call, RunId, RunState};
use cuegate::runner::Options;

use super::looping::Loop;
use super::samples::{create_job, read, reply, rule, trash, unauthorized, uncertain};
use super::world::{World, until};

fn unreachable() -> CallError {
    CallError::NotSent {
        what: "connection refused".to_owned(),
    }
}

/// Iconik answers like this until the switch is set.
fn away(world: &World, trouble: CallError) -> Arc<AtomicBool> {
    let back = Arc::new(AtomicBool::new(false));
    let is_back = Arc::clone(&back);
    world.iconik.always(move |_| {
        if is_back.load(Ordering::SeqCst) {
            Ok(reply(200, serde_json::json!({})))
        } else {
            Err(trouble.clone())
        }
    });
    back
}

async fn runs(world: &World, count: usize) -> Vec<RunId> {
    let mut runs = Vec::new();
    for number in 0..count {
        runs.push(world.run_for(&format!("object {number}")).await);
    }
    runs
}

fn probes(sent: &[String]) -> usize {
    let is_probe = |call: &&String| call.ends_with("users/v1/users/current/");
    sent.iter().filter(is_probe).count()
}

async fn all_are(world: &World, runs: &[RunId], state: RunState) -> bool {
    for run in runs {
        if world.look(*run).await.state != state {
            return false;
        }
    }
    true
}

#[tokio::test]
async fn while_iconik_is_away_runs_wait_untouched_and_then_all_go_on() {
    for trouble in [unreachable(), unauthorized()] {
        let world = World::under(vec![rule("a")]).await;
        world.rules.calls("a", vec![create_job()]);
        let back = away(&world, trouble.clone());
        let runs = runs(&world, 200).await;
        let options = Options {
            concurrency: 4,
            ..Options::default()
        };
        let runner = Loop::start(&world, options);
        until("a probe is sent", || async {
            probes(&world.iconik.sent()) > 0
        })
        .await;
        let sent = world.iconik.sent();
        let calls = sent.len() - probes(&sent);
        assert!(calls <= 8, "{trouble}: {calls} calls in two hundred runs");
        for run in &runs {
            let run = world.look(*run).await;
            assert!(
                matches!(run.state, RunState::Queued | RunState::Waiting),
                "{run:?}"
            );
            assert!(!world.has_open_intent(run.id).await);
        }
        back.store(true, Ordering::SeqCst);
        world.pass(3_600);
        until("all succeed", || {
            all_are(&world, &runs, RunState::Succeeded)
        })
        .await;
        runner.stop().await;
    }
}

#[tokio::test]
async fn a_run_that_an_outage_stops_is_given_back_uncounted() {
    let world = World::under(vec![rule("a")]).await;
    world.rules.calls("a", vec![read()]);
    world.iconik.always(|_| Err(unauthorized()));
    let run = world.run_for("A").await;
    let runner = world.runner();
    assert_eq!(runner.step().await.unwrap(), 1);
    let back = world.look(run).await;
    assert_eq!((back.state, back.attempt), (RunState::Queued, 0));
    assert_eq!(back.failing_since, None);
    assert_eq!(runner.step().await.unwrap(), 0, "nothing is claimed");
}

#[tokio::test]
async fn timers_fall_due_while_nothing_is_claimed() {
    let world = World::under(vec![rule("a")]).await;
    world.rules.calls("a", vec![read()]);
    world.iconik.next(Err(uncertain()));
    world.iconik.next(Err(unauthorized()));
    let waiting = world.run_for("A").await;
    let runner = world.runner();
    runner.step().await.unwrap();
    world.run_for("B").await;
    runner.step().await.unwrap();
    assert_eq!(world.look(waiting).await.state, RunState::Waiting);
    world.pass(60);
    assert_eq!(runner.step().await.unwrap(), 0);
    assert_eq!(
        world.look(waiting).await.state,
        RunState::Queued,
        "it is due"
    );
}

#[tokio::test]
async fn the_time_of_an_outage_does_not_count_against_a_call() {
    let mut hasty = rule("a");
    hasty.retry.max_age = Duration::from_secs(60);
    let world = World::under(vec![hasty]).await;
    world.rules.calls("a", vec![read()]);
    world.iconik.next(Err(uncertain()));
    let run = world.run_for("A").await;
    let back = Arc::new(AtomicBool::new(false));
    let is_back = Arc::clone(&back);
    // The credentials are unknown, then the asset is trouble once more, then all is well.
    let once_more = AtomicBool::new(true);
    world.iconik.always(move |call: &Call| {
        if !is_back.load(Ordering::SeqCst) {
            Err(unauthorized())
        } else if call.path.contains("assets") && once_more.swap(false, Ordering::SeqCst) {
            Err(uncertain())
        } else {
            Ok(reply(200, serde_json::json!({})))
        }
    });
    let runner = Loop::start(&world, Options::default());
    until("it fails", || async {
        world.look(run).await.failing_since.is_some()
    })
    .await;
    world.pass(10);
    until("a probe is sent", || async {
        probes(&world.iconik.sent()) > 0
    })
    .await;
    world.pass(100_000);
    back.store(true, Ordering::SeqCst);
    until("it has failed once more", || async {
        let asked = world.iconik.sent();
        asked.iter().filter(|call| call.contains("assets")).count() == 3
            && world.look(run).await.state == RunState::Waiting
    })
    .await;
    world.pass(30);
    until("it succeeds", || async {
        world.look(run).await.state == RunState::Succeeded
    })
    .await;
    runner.stop().await;
}

#[tokio::test]
async fn one_broken_place_stops_nobody_else() {
    let world = World::under(vec![rule("a"), rule("b")]).await;
    world.rules.calls("a", vec![read()]);
    world.rules.calls("b", vec![create_job()]);
    world.iconik.always(|call| {
        if call.path.contains("assets") {
            Err(uncertain())
        } else {
            Ok(reply(200, serde_json::json!({})))
        }
    });
    let mut fine = Vec::new();
    for number in 0..40 {
        let event = world.accept(&format!("object {number}")).await;
        world.router().route_batch().await.unwrap();
        let made = world.runs_of(&event).await;
        fine.extend(
            made.into_iter()
                .filter(|run| run.rule.as_str() == "b")
                .map(|run| run.id),
        );
    }
    let runner = Loop::start(&world, Options::default());
    until("the others succeed", || {
        all_are(&world, &fine, RunState::Succeeded)
    })
    .await;
    runner.stop().await;
}

#[tokio::test]
async fn what_has_never_been_answered_is_never_given_up() {
    let mut hasty = rule("a");
    hasty.retry.max_age = Duration::from_secs(60);
    let world = World::under(vec![hasty]).await;
    world.rules.calls("a", vec![read()]);
    let run = world.run_for("A").await;
    for _ in 0..4 {
        // Each time as after a restart in the middle of an outage.
        world.iconik.next(Err(unreachable()));
        world.runner().step().await.unwrap();
        assert_eq!(world.look(run).await.state, RunState::Waiting);
        world.pass(100_000);
    }
    world.runner().step().await.unwrap();
    assert_eq!(world.look(run).await.state, RunState::Succeeded);
}

#[tokio::test]
async fn trouble_of_our_own_does_not_make_a_failing_call_young_again() {
    let mut hasty = rule("a");
    hasty.retry.max_age = Duration::from_secs(60);
    let world = World::under(vec![hasty]).await;
    world.rules.calls("a", vec![read()]);
    let runner = world.runner();
    world.run_for("B").await;
    runner.step().await.unwrap();
    let run = world.run_for("A").await;
    world.iconik.next(Err(uncertain()));
    runner.step().await.unwrap();
    let failing_since = world.look(run).await.failing_since;
    assert!(failing_since.is_some());
    world.pass(30);
    let no_worker = "no worker".to_owned();
    world.rules.troubles.lock().unwrap().push_back(no_worker);
    runner.step().await.unwrap();
    assert_eq!(world.look(run).await.failing_since, failing_since);
    world.pass(30);
    world.iconik.next(Err(uncertain()));
    runner.step().await.unwrap();
    assert_eq!(
        world.look(run).await.state,
        RunState::Dead,
        "a minute is over"
    );
}

#[tokio::test]
async fn a_write_that_an_outage_leaves_in_doubt_stays_in_doubt() {
    let world = World::under(vec![rule("a")]).await;
    world.rules.calls("a", vec![trash()]);
    world.iconik.next(Err(uncertain()));
    world.iconik.next(Err(unauthorized()));
    let run = world.run_for("A").await;
    world.runner().step().await.unwrap();
    world.pass(10);
    world.runner().step().await.unwrap();
    let back = world.look(run).await;
    assert_eq!(back.state, RunState::Queued);
    assert!(world.has_open_intent(run).await);
    assert!(back.failing_since.is_some());
}
