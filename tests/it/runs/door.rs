//! What happens at the door: permission, intent, call, answer, and every way in which that goes wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cuegate::engine::Outcome;
use cuegate::iconik::CallError;
use cuegate::model::{DeadClass, Effect, Failure, Method, RunState, Uncertain};
use serde_json::{Value, json};

use super::samples::{
    ASSET, abort_job, call, create_job, read, refused, relate, reply, rule, throttled, trash,
    unauthorized, uncertain,
};
use super::world::{World, until};

#[tokio::test]
async fn a_run_reads_writes_and_succeeds_with_its_answers_in_the_journal() {
    let world = World::under(vec![rule("a")]).await;
    world.rules.calls("a", vec![read(), trash()]);
    world.iconik.next(Ok(reply(200, json!({"title": "Final"}))));
    world.iconik.next(Ok(reply(204, Value::Null)));
    let run = world.run_for("A").await;
    assert_eq!(world.runner().step().await.unwrap(), 1);
    assert_eq!(world.look(run).await.state, RunState::Succeeded);
    let steps = world.steps(run).await;
    let answers: Vec<_> = steps
        .iter()
        .map(|step| (step.number, step.answer.status))
        .collect();
    assert_eq!(answers, [(0, 200), (1, 204)]);
    assert_eq!(steps[0].answer.body, json!({"title": "Final"}));
    let logs: Vec<_> = world
        .store
        .logs(run)
        .await
        .unwrap()
        .into_iter()
        .map(|l| l.text)
        .collect();
    assert_eq!(logs, ["after step 0", "after step 1", "after step 2"]);
    assert_eq!(
        world.runner().step().await.unwrap(),
        0,
        "nothing is claimed twice"
    );
}

#[tokio::test]
async fn the_intent_of_a_write_is_stored_before_it_is_sent_and_a_read_has_none() {
    for (call, intent_expected) in [(read(), false), (trash(), true), (create_job(), true)] {
        let world = World::under(vec![rule("a")]).await;
        world.rules.calls("a", vec![call]);
        let run = world.run_for("A").await;
        let hold = world.iconik.gate.write().await;
        let runner = world.runner();
        let look = async {
            until("the call is sent", || async {
                !world.iconik.sent().is_empty()
            })
            .await;
            let open = world.has_open_intent(run).await;
            drop(hold);
            open
        };
        let (stepped, open) = tokio::join!(runner.step(), look);
        stepped.unwrap();
        assert_eq!(open, intent_expected);
        assert!(!world.has_open_intent(run).await, "the answer closes it");
        assert_eq!(world.look(run).await.state, RunState::Succeeded);
    }
}

#[tokio::test]
async fn a_write_that_waits_for_the_budget_has_no_intent_yet() {
    let world = World::under(vec![rule("a")]).await;
    world.rules.calls("a", vec![create_job()]);
    let run = world.run_for("A").await;
    let hold = world.iconik.admission.write().await;
    let runner = world.runner();
    let look = async {
        until("the call asks to be admitted", || async {
            world.iconik.asked.load(Ordering::SeqCst) > 0
        })
        .await;
        let open = world.has_open_intent(run).await;
        drop(hold);
        open
    };
    let (stepped, open) = tokio::join!(runner.step(), look);
    stepped.unwrap();
    assert!(!open, "a stop now would park a call that was never sent");
    assert_eq!(world.look(run).await.state, RunState::Succeeded);
}

#[tokio::test]
async fn a_call_outside_the_permission_is_never_sent_and_the_failure_names_the_line_to_add() {
    let mut timid = rule("a");
    timid.allow = vec!["jobs:write".to_owned()];
    let world = World::under(vec![timid]).await;
    world.rules.calls("a", vec![trash()]);
    let run = world.run_for("A").await;
    world.runner().step().await.unwrap();
    let failure = dead(&world, run, DeadClass::Permission).await;
    let hint = failure.hint.unwrap();
    assert!(
        hint.contains(r#"allow: ["jobs:write", "assets:delete"]"#),
        "{hint}"
    );
    assert!(world.iconik.sent().is_empty());
    assert!(!world.has_open_intent(run).await);
}

#[tokio::test]
async fn an_unknown_operation_is_never_sent_and_the_failure_suggests_a_known_one() {
    let world = World::under(vec![rule("a")]).await;
    world
        .rules
        .calls("a", vec![call(Method::Get, "assets/v1/asset/A/")]);
    let run = world.run_for("A").await;
    world.runner().step().await.unwrap();
    let failure = dead(&world, run, DeadClass::ScriptError).await;
    assert!(failure.hint.unwrap().contains("assets/v1/assets/"));
    assert!(world.iconik.sent().is_empty());
}

#[tokio::test]
async fn a_permanent_refusal_is_an_answer_that_the_script_decides_about() {
    let world = World::under(vec![rule("a")]).await;
    world.rules.script("a", |_, journal| match journal {
        [] => Outcome::Effect(Effect::Call(trash())),
        [refused] => {
            assert_eq!(refused.answer.status, 403);
            assert_eq!(refused.answer.body, json!({"errors": ["no"]}));
            Outcome::Skipped("not ours".to_owned())
        }
        _ => panic!("one call"),
    });
    world.iconik.next(Err(refused(403)));
    let run = world.run_for("A").await;
    world.runner().step().await.unwrap();
    let run = world.look(run).await;
    assert_eq!(
        (run.state, run.reason.as_deref()),
        (RunState::Skipped, Some("not ours"))
    );
}

#[tokio::test]
async fn temporary_trouble_never_reaches_the_script_and_what_was_not_done_is_done_later() {
    for trouble in [throttled(), unauthorized(), not_sent(), refused(404)] {
        let mut patient = rule("a");
        patient.retry.statuses = vec![404];
        let world = World::under(vec![patient]).await;
        world.rules.calls("a", vec![abort_job()]);
        world.iconik.next(Err(trouble.clone()));
        let run = world.run_for("A").await;
        world.runner().step().await.unwrap();
        let waiting = world.look(run).await;
        match trouble {
            // Nobody can do anything then: it is as if the run had not been claimed.
            CallError::Unauthorized { .. } => {
                assert_eq!((waiting.state, waiting.attempt), (RunState::Queued, 0));
                assert_eq!(waiting.failing_since, None);
            }
            _ => {
                assert_eq!(waiting.state, RunState::Waiting, "{trouble}");
                let reason = waiting.reason.unwrap();
                assert!(reason.contains("jobs/v1/jobs/state/"), "{reason}");
            }
        }
        assert!(!world.has_open_intent(run).await, "{trouble}");
        world.pass(61);
        world.runner().step().await.unwrap();
        assert_eq!(
            world.look(run).await.state,
            RunState::Succeeded,
            "{trouble}"
        );
        assert_eq!(world.iconik.sent().len(), 2, "{trouble}");
        assert_eq!(world.look(run).await.failing_since, None, "{trouble}");
    }
}

#[tokio::test]
async fn no_number_of_waits_makes_a_run_look_like_one_that_crashes() {
    for trouble in [throttled(), unauthorized()] {
        let world = World::under(vec![rule("a")]).await;
        world.rules.calls("a", vec![read()]);
        let run = world.run_for("A").await;
        for _ in 0..9 {
            world.iconik.next(Err(trouble.clone()));
            world.runner().step().await.unwrap();
            let state = world.look(run).await.state;
            assert!(
                matches!(state, RunState::Waiting | RunState::Queued),
                "{trouble}"
            );
            world.pass(601);
        }
        world.runner().step().await.unwrap();
        assert_eq!(
            world.look(run).await.state,
            RunState::Succeeded,
            "{trouble}"
        );
    }
}

#[tokio::test]
async fn a_delete_of_unknown_outcome_is_repeated_and_finding_nothing_then_is_success() {
    let world = World::under(vec![rule("a")]).await;
    world.rules.calls("a", vec![trash()]);
    world.iconik.next(Err(uncertain()));
    world.iconik.next(Err(throttled()));
    world.iconik.next(Err(refused(404)));
    let run = world.run_for("A").await;
    for _ in 0..2 {
        world.runner().step().await.unwrap();
        assert_eq!(world.look(run).await.state, RunState::Waiting);
        assert!(world.has_open_intent(run).await, "the doubt remains");
        world.pass(10);
    }
    world.runner().step().await.unwrap();
    assert_eq!(world.look(run).await.state, RunState::Succeeded);
    assert_eq!(world.steps(run).await[0].answer.status, 204);
    assert_eq!(world.iconik.sent().len(), 3);
}

#[tokio::test]
async fn a_delete_of_unknown_outcome_that_grew_old_is_a_persons_to_decide() {
    let world = World::under(vec![rule("a")]).await;
    world.rules.calls("a", vec![trash()]);
    world.iconik.next(Err(uncertain()));
    let run = world.run_for("A").await;
    world.runner().step().await.unwrap();
    assert_eq!(world.look(run).await.state, RunState::Waiting);
    world.pass(60);
    world.runner().step().await.unwrap();
    let parked = world.look(run).await;
    assert_eq!(parked.state, RunState::Parked);
    assert!(parked.reason.unwrap().contains(ASSET));
    let sent = ["DELETE", "GET"].map(|method| format!("{method} {ASSET}"));
    assert_eq!(
        world.iconik.sent(),
        sent,
        "it has looked and not sent it again"
    );
}

#[tokio::test]
async fn what_may_have_been_created_or_set_off_is_parked_and_its_lane_stays_behind_it() {
    for call in [relate(), abort_job()] {
        let world = World::under(vec![rule("a")]).await;
        let path = call.path.clone();
        world.rules.calls("a", vec![call]);
        world.iconik.next(Err(uncertain()));
        let run = world.run_for("A").await;
        let behind = world.run_for("A").await;
        world.runner().step().await.unwrap();
        let parked = world.look(run).await;
        assert_eq!(parked.state, RunState::Parked);
        let reason = parked.reason.unwrap();
        assert!(reason.contains(&path) && reason.contains("502"), "{reason}");
        assert!(
            reason.contains(&format!("`cuegate runs retry {run} --happened`")),
            "{reason}"
        );
        assert!(world.has_open_intent(run).await);
        world.pass(100_000);
        assert_eq!(world.runner().step().await.unwrap(), 0);
        assert_eq!(world.iconik.sent().len(), 1);
        assert_eq!(world.look(behind).await.state, RunState::Queued);
    }
}

#[tokio::test]
async fn what_may_have_been_set_off_is_repeated_where_the_rule_says_so() {
    let mut bold = rule("a");
    bold.retry.uncertain = Uncertain::Repeat;
    let world = World::under(vec![bold]).await;
    world.rules.calls("a", vec![abort_job()]);
    world.iconik.next(Err(uncertain()));
    let run = world.run_for("A").await;
    world.runner().step().await.unwrap();
    assert_eq!(world.look(run).await.state, RunState::Waiting);
    world.pass(3_600);
    world.runner().step().await.unwrap();
    assert_eq!(world.look(run).await.state, RunState::Succeeded);
    assert_eq!(world.iconik.sent().len(), 2);
}

#[tokio::test]
async fn a_call_that_fails_for_longer_than_allowed_ends_the_run_with_the_last_error() {
    let mut hasty = rule("a");
    hasty.retry.max_age = Duration::from_secs(30);
    let world = World::under(vec![hasty]).await;
    world.rules.calls("a", vec![read()]);
    let runner = world.runner();
    world.run_for("B").await;
    runner.step().await.unwrap();
    world.iconik.always(|_| Err(uncertain()));
    let run = world.run_for("A").await;
    runner.step().await.unwrap();
    assert_eq!(world.look(run).await.state, RunState::Waiting);
    world.pass(29);
    runner.step().await.unwrap();
    assert_eq!(
        world.look(run).await.state,
        RunState::Waiting,
        "29 s are not 30 s"
    );
    world.pass(30);
    runner.step().await.unwrap();
    let failure = dead(&world, run, DeadClass::ApiError).await;
    assert!(failure.message.contains("it answered 502"), "{failure}");
}

#[tokio::test]
async fn an_answer_that_is_too_large_ends_the_run_with_advice() {
    let world = World::under(vec![rule("a")]).await;
    world.rules.calls("a", vec![read()]);
    world.iconik.next(Err(CallError::TooLarge {
        status: 200,
        limit_bytes: 1 << 20,
    }));
    let run = world.run_for("A").await;
    world.runner().step().await.unwrap();
    let failure = dead(&world, run, DeadClass::Limit).await;
    assert!(failure.hint.unwrap().contains("fields"));
}

#[tokio::test]
async fn a_run_makes_as_many_writes_and_calls_as_its_limits_allow_and_no_more() {
    for (writes_per_run, calls_per_run, name) in
        [(2, 200, "writes_per_run"), (200, 3, "calls_per_run")]
    {
        let mut bounded = rule("a");
        bounded.limits.writes_per_run = writes_per_run;
        bounded.limits.calls_per_run = calls_per_run;
        let world = World::under(vec![bounded]).await;
        world
            .rules
            .calls("a", vec![read(), trash(), trash(), trash()]);
        let run = world.run_for("A").await;
        world.runner().step().await.unwrap();
        let failure = dead(&world, run, DeadClass::Limit).await;
        assert!(failure.hint.unwrap().contains(name));
        assert_eq!(world.iconik.sent().len(), 3, "{name}");
    }
}

#[tokio::test]
async fn a_journal_that_outgrows_its_bound_ends_the_run_with_advice() {
    let world = World::under(vec![rule("a")]).await;
    world.rules.calls("a", vec![read(); 20]);
    let large = Value::String("x".repeat(1_000_000));
    world.iconik.always(move |_| Ok(reply(200, large.clone())));
    let run = world.run_for("A").await;
    world.runner().step().await.unwrap();
    let failure = dead(&world, run, DeadClass::Limit).await;
    assert!(failure.hint.unwrap().contains("fields"));
    assert_eq!(
        world.iconik.sent().len(),
        9,
        "8 MiB are full with the ninth"
    );
}

#[tokio::test]
async fn a_look_up_of_settings_is_sent_once_for_many_runs_and_journaled_in_each() {
    let world = World::under(vec![rule("a")]).await;
    let mut views = call(Method::Get, "metadata/v1/views/");
    views.cacheable = true;
    world.rules.calls("a", vec![views, read()]);
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sent);
    world.iconik.always(move |_| {
        let number = counted.fetch_add(1, Ordering::Relaxed);
        Ok(reply(200, json!(number)))
    });
    let (first, second) = (world.run_for("A").await, world.run_for("A").await);
    let runner = world.runner();
    runner.step().await.unwrap();
    runner.step().await.unwrap();
    let views_of = |steps: Vec<cuegate::model::Step>| steps[0].answer.body.clone();
    assert_eq!(views_of(world.steps(first).await), json!(0));
    assert_eq!(views_of(world.steps(second).await), json!(0));
    assert_eq!(sent.load(Ordering::Relaxed), 3, "the asset is read by each");
}

fn not_sent() -> CallError {
    CallError::NotSent {
        what: "connection refused".to_owned(),
    }
}

async fn dead(world: &World, run: cuegate::model::RunId, class: DeadClass) -> Failure {
    let run = world.look(run).await;
    assert_eq!(run.state, RunState::Dead, "{run:?}");
    let failure = run.failure.expect("a dead run says why");
    assert_eq!(failure.class, class, "{failure}");
    failure
}
