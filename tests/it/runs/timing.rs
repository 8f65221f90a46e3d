//! Time in runs: sleeping, waiting, what counts against `timeout`, and the age at which a run is given up.

use std::collections::BTreeMap;
use std::time::Duration;

use cuegate::clock::Clock;
use cuegate::engine::Outcome;
use cuegate::model::{
    DeadClass, Effect, Failure, Pattern, RuleHeader, RunId, RunState, Sleep, WaitForEvent,
    WaitForJob, WaitsFor,
};
use jiff::Timestamp;
use serde_json::json;

use super::samples::{read, reply, rule};
use super::world::World;

const HOUR: Duration = Duration::from_secs(3_600);

/// A world with a run of a rule that asks for these effects one after the other. `from` is when the run was made.
async fn asking(header: RuleHeader, effects: impl Fn(Timestamp) -> Vec<Effect>) -> (World, RunId) {
    let world = World::under(vec![header]).await;
    let effects = effects(world.clock.now());
    world
        .rules
        .script("a", move |_, journal| match effects.get(journal.len()) {
            Some(effect) => Outcome::Effect(effect.clone()),
            None => Outcome::Finished,
        });
    let run = world.run_for("A").await;
    (world, run)
}

fn sleep_until(until: Timestamp) -> Effect {
    Effect::Sleep(Sleep {
        until,
        position: None,
    })
}

fn reading() -> Effect {
    Effect::Call(read())
}

async fn dead(world: &World, run: RunId, class: DeadClass) -> Failure {
    let run = world.look(run).await;
    assert_eq!(run.state, RunState::Dead, "{run:?}");
    let failure = run.failure.expect("a dead run says why");
    assert_eq!(failure.class, class, "{failure}");
    failure
}

#[tokio::test]
async fn a_sleep_holds_no_place_and_ends_when_it_is_due_and_not_before() {
    let (mut world, run) = asking(rule("a"), |now| {
        vec![sleep_until(now + 2 * HOUR), reading()]
    })
    .await;
    world.runner().step().await.unwrap();
    let asleep = world.look(run).await;
    assert_eq!(
        (asleep.state, asleep.waits_for),
        (RunState::Waiting, Some(WaitsFor::Time))
    );
    world.pass(2 * 3_600 - 1);
    assert_eq!(world.runner().step().await.unwrap(), 0);
    world.restart().await;
    assert_eq!(
        world.runner().step().await.unwrap(),
        0,
        "a restart wakes nobody"
    );
    world.pass(1);
    assert_eq!(world.runner().step().await.unwrap(), 1);
    assert_eq!(world.look(run).await.state, RunState::Succeeded);
    let answered = world.steps(run).await[0].answer.at;
    assert_eq!(
        answered,
        world.clock.now(),
        "the script sees that time has passed"
    );
}

#[tokio::test]
async fn a_sleep_beyond_the_age_at_which_runs_are_given_up_is_an_error_at_once() {
    for (longer, dies) in [(Duration::ZERO, false), (Duration::from_secs(1), true)] {
        let mut header = rule("a");
        header.expires = HOUR;
        let (world, run) = asking(header, |now| vec![sleep_until(now + HOUR + longer)]).await;
        world.runner().step().await.unwrap();
        if dies {
            let failure = dead(&world, run, DeadClass::Limit).await;
            assert!(
                failure.message.contains("gives a run up 1h after"),
                "{failure}"
            );
            assert!(failure.hint.unwrap().contains("longer `expires`"));
        } else {
            assert_eq!(world.look(run).await.state, RunState::Waiting);
        }
    }
}

#[tokio::test]
async fn whatever_a_run_waits_for_it_is_given_up_at_its_age() {
    let event = |until| {
        Effect::WaitForEvent(WaitForEvent {
            pattern: Pattern {
                source: "iconik".to_owned(),
                parts: ["assets", "entity", "never"].map(str::to_owned).to_vec(),
            },
            fields: BTreeMap::new(),
            until,
            position: None,
        })
    };
    let job = |until| {
        Effect::WaitForJob(WaitForJob {
            job: "J".to_owned(),
            until,
            position: None,
        })
    };
    for wait in [event(Timestamp::MAX), job(Timestamp::MAX)] {
        let mut header = rule("a");
        header.expires = HOUR;
        let (world, run) = asking(header, |_| vec![wait.clone()]).await;
        world
            .iconik
            .always(|_| Ok(reply(200, json!({"id": "J", "status": "STARTED"}))));
        world.runner().step().await.unwrap();
        let waiting = world.look(run).await;
        assert_eq!(waiting.state, RunState::Waiting);
        assert_eq!(waiting.due_at, Some(waiting.created_at + HOUR));
        world.clock.advance(HOUR);
        world.runner().step().await.unwrap();
        let failure = dead(&world, run, DeadClass::Expired).await;
        assert!(failure.message.contains("1h"), "{failure}");
    }
}

#[tokio::test]
async fn script_and_calls_count_against_the_timeout_and_waiting_does_not() {
    let mut header = rule("a");
    header.timeout = Duration::from_secs(50);
    let three_naps = |now: Timestamp| {
        vec![
            sleep_until(now + HOUR),
            sleep_until(now + 2 * HOUR),
            sleep_until(now + 3 * HOUR),
        ]
    };
    // Four claims with seven advances, the last of which ends the run.
    for (seconds, dies) in [(8, false), (9, true)] {
        let (mut world, run) = asking(header.clone(), three_naps).await;
        *world.rules.busy.lock().unwrap() = Duration::from_secs(seconds);
        for _ in 0..4 {
            world.runner().step().await.unwrap();
            world.restart().await;
            world.clock.advance(HOUR);
        }
        if dies {
            let failure = dead(&world, run, DeadClass::Limit).await;
            assert!(failure.message.contains("`timeout` of 50s"), "{failure}");
            assert!(failure.message.contains("taken 54s together"), "{failure}");
        } else {
            assert_eq!(world.look(run).await.state, RunState::Succeeded);
        }
    }
}

#[tokio::test]
async fn no_call_is_sent_after_the_timeout_and_a_script_that_ends_has_ended_in_time() {
    let mut header = rule("a");
    header.timeout = Duration::from_secs(10);
    let (world, run) = asking(header.clone(), |_| vec![reading(), reading()]).await;
    *world.rules.busy.lock().unwrap() = Duration::from_secs(6);
    world.runner().step().await.unwrap();
    dead(&world, run, DeadClass::Limit).await;
    assert_eq!(world.iconik.sent().len(), 1);

    let (world, run) = asking(header, |_| vec![reading()]).await;
    *world.rules.busy.lock().unwrap() = Duration::from_secs(6);
    world.runner().step().await.unwrap();
    assert_eq!(world.look(run).await.state, RunState::Succeeded);
}

#[tokio::test]
async fn the_time_of_a_call_in_flight_counts() {
    let mut header = rule("a");
    header.timeout = Duration::from_nanos(1);
    let (world, run) = asking(header, |_| vec![reading(), reading()]).await;
    world.runner().step().await.unwrap();
    dead(&world, run, DeadClass::Limit).await;
    assert_eq!(world.iconik.sent().len(), 1);
}
