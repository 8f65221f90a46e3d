//! The children of a walk: how they are ordered, counted and told about.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cuegate::clock::Clock;
use cuegate::engine::{Outcome, Part};
use cuegate::model::{DeadClass, Effect, Failure, RunState, WaitsFor};
use cuegate::store::RunFilter;
use serde_json::json;

use super::super::samples::{read, reply, throttled};
use super::super::world::{World, until};
use super::{children, ids, settle, walker, walking};

#[tokio::test]
async fn a_run_whose_children_have_ended_succeeds_and_says_how_many_failed() {
    let (world, parent) = walking(walker("a"), ids(&["X", "Y", "Z"]), |event| {
        match event.asset_id() {
            Some("Y") => Outcome::Failed(Failure::new(DeadClass::Failed, "no")),
            _ => Outcome::Finished,
        }
    })
    .await;
    settle(&world.runner()).await;
    let parent = world.look(parent).await;
    assert_eq!(parent.state, RunState::Succeeded);
    assert_eq!(
        parent.reason.as_deref(),
        Some("3 of 3 objects done, 1 failed")
    );
    assert_eq!(parent.children.unwrap().count(RunState::Dead), 1);
}

#[tokio::test]
async fn while_children_are_under_way_lists_show_how_far_they_are() {
    let (world, parent) = walking(walker("a"), ids(&["X", "Y"]), |event| {
        match event.asset_id() {
            Some("X") => Outcome::Effect(Effect::Call(read())),
            _ => Outcome::Finished,
        }
    })
    .await;
    world.iconik.always(|_| Err(throttled()));
    settle(&world.runner()).await;
    let waiting = world.look(parent).await;
    assert_eq!(
        (waiting.state, waiting.waits_for),
        (RunState::Waiting, Some(WaitsFor::Children))
    );
    assert_eq!(waiting.children.unwrap().to_string(), "1 of 2 objects done");
    let listed = world.store.runs(RunFilter::default()).await.unwrap();
    let listed = listed.into_iter().find(|run| run.id == parent).unwrap();
    assert_eq!(listed.children.unwrap().count(RunState::Waiting), 1);
    assert!(waiting.reason.unwrap().contains("2 objects"));
}

#[tokio::test]
async fn children_never_wait_for_a_lane_that_a_parent_holds() {
    // Each run holds the lane of its own object and makes a child for that of the other.
    let mut header = walker("a");
    header.on[0].parts = vec!["*".to_owned(); 3];
    let world = World::under(vec![header]).await;
    world.rules.parts("a", |part, event, _| match part {
        Part::Each => Outcome::Found(ids(&["A", "B", event.asset_id().unwrap()])),
        _ => Outcome::Finished,
    });
    let (one, two) = (world.run_for("A").await, world.run_for("B").await);
    settle(&world.runner()).await;
    for run in [one, two] {
        assert_eq!(world.look(run).await.state, RunState::Succeeded);
    }
    assert_eq!(children(&world).await.len(), 4);
}

#[tokio::test]
async fn children_of_one_object_run_in_order_whichever_run_made_them() {
    let world = World::under(vec![walker("a")]).await;
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let noted = Arc::clone(&seen);
    world
        .rules
        .parts("a", move |part, event, journal| match (part, journal) {
            (Part::Each, _) => Outcome::Found(ids(&["X"])),
            (Part::Run, []) => {
                let mut seen = noted.lock().unwrap();
                seen.push(
                    event.body["parent"]["body"]["object_id"]
                        .as_str()
                        .unwrap()
                        .to_owned(),
                );
                Outcome::Effect(Effect::Call(read()))
            }
            _ => Outcome::Finished,
        });
    let (first, second) = (world.run_for("A").await, world.run_for("B").await);
    world.iconik.next(Err(throttled()));
    let runner = world.runner();
    settle(&runner).await;
    let lanes: BTreeSet<String> = children(&world)
        .await
        .into_iter()
        .map(|run| run.lane.as_str().to_owned())
        .collect();
    assert_eq!(lanes.len(), 1, "{lanes:?}");
    assert_eq!(
        seen.lock().unwrap().len(),
        1,
        "the second waits for the first"
    );
    world.pass(601);
    settle(&runner).await;
    for run in [first, second] {
        assert_eq!(world.look(run).await.state, RunState::Succeeded);
    }
    let order = seen.lock().unwrap().clone();
    assert_eq!(order.len(), 3);
    assert!(
        order[0] == order[1] && order[1] != order[2],
        "one is through before the other begins: {order:?}"
    );
}

#[tokio::test]
async fn the_lane_of_a_child_is_what_the_rule_says_and_a_rule_that_cannot_say_ends_the_run() {
    let mut header = walker("a");
    header.has_lane = true;
    let (world, parent) = walking(header.clone(), ids(&["X", "Y"]), |_| Outcome::Finished).await;
    world.rules.lane("a", |event| {
        assert_eq!(event.body["object_type"], "assets");
        Ok("one for all".to_owned())
    });
    settle(&world.runner()).await;
    assert_eq!(world.look(parent).await.state, RunState::Succeeded);
    for child in children(&world).await {
        assert!(
            child.lane.as_str().ends_with("one for all"),
            "{:?}",
            child.lane
        );
    }

    let (world, parent) = walking(header, ids(&["X", "Y"]), |_| Outcome::Finished).await;
    world.rules.lane("a", |event| match event.asset_id() {
        Some("Y") => Err(Box::new(Failure::new(DeadClass::ScriptError, "no title"))),
        _ => Ok("x".to_owned()),
    });
    settle(&world.runner()).await;
    let failure = world.look(parent).await.failure.unwrap();
    assert!(
        failure
            .message
            .contains("`lane` failed for assets Y: no title"),
        "{failure}"
    );
    assert!(children(&world).await.is_empty());
}

#[tokio::test]
async fn steps_of_each_come_before_those_of_done_and_each_part_sees_its_own() {
    let mut header = walker("a");
    header.has_done = true;
    let world = World::under(vec![header]).await;
    world
        .rules
        .parts("a", |part, _, journal| match (part, journal) {
            (Part::Each, []) | (Part::Done(_), []) => Outcome::Effect(Effect::Call(read())),
            (Part::Each, [_]) => Outcome::Found(ids(&["X"])),
            (Part::Run | Part::Done(_), _) => Outcome::Finished,
            (Part::Each, _) => panic!("`each` sees the steps of `done`"),
        });
    let parent = world.run_for("A").await;
    settle(&world.runner()).await;
    let ended = world.look(parent).await;
    assert_eq!(ended.state, RunState::Succeeded, "{ended:?}");
    let steps = world.steps(parent).await;
    assert_eq!(
        steps.iter().map(|step| step.number).collect::<Vec<_>>(),
        [0, 1]
    );
    let logs = world.store.logs(parent).await.unwrap();
    let logs: Vec<_> = logs.iter().map(|line| line.step).collect();
    assert_eq!(logs, [0, 1, 2], "each line once");
    let child = &children(&world).await[0];
    assert_eq!(child.priority, -1);
}

#[tokio::test]
async fn a_run_that_is_given_up_makes_no_more_children() {
    let many: Vec<String> = (0..600).map(|n| format!("X{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let (world, parent) = walking(walker("a"), ids(&many), |_| {
        Outcome::Effect(Effect::Call(read()))
    })
    .await;
    world.iconik.always(|_| Err(throttled()));
    let runner = world.runner();
    until("the children wait", || async {
        runner.step().await.unwrap();
        children(&world)
            .await
            .iter()
            .filter(|run| run.state == RunState::Waiting)
            .count()
            == 500
    })
    .await;
    let tally = world.look(parent).await.children.unwrap();
    assert_eq!((tally.objects, tally.released), (600, 500));
    let expires = walker("a").expires;
    world.clock.advance(expires + Duration::from_secs(1));
    world.iconik.always(|_| Ok(reply(200, json!({}))));
    until("everything has ended", || async {
        runner.step().await.unwrap();
        world.look(parent).await.state.is_final()
            && children(&world)
                .await
                .iter()
                .all(|run| run.state.is_final())
    })
    .await;
    let given_up = world.look(parent).await;
    assert_eq!(given_up.failure.unwrap().class, DeadClass::Expired);
    assert!(given_up.ended_at.unwrap() <= world.clock.now());
    assert_eq!(children(&world).await.len(), 500);
}
