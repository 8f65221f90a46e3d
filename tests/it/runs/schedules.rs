//! Times of schedules: what fires, what does not, and what is never done twice.

use cuegate::engine::When;
use cuegate::model::{Missed, RuleHeader, RuleId, Run, RunState, Schedule};
use cuegate::router::{Router, Scheduler};
use cuegate::store::{Claiming, RunFilter, Settle, Settlement};
use cuegate::telemetry::Readiness;
use jiff::Timestamp;

use super::samples::rule;
use super::world::{World, until};

/// A rule that the clock wakes and nothing else.
fn fired(id: &str, cron: &str, missed: Missed) -> RuleHeader {
    RuleHeader {
        on: Vec::new(),
        schedule: Some(Schedule {
            cron: cron.to_owned(),
            timezone: "Europe/Berlin".to_owned(),
            missed,
        }),
        ..rule(id)
    }
}

fn scheduler(world: &World) -> Scheduler {
    Scheduler::new(
        world.store.clone(),
        world.set.subscribe(),
        world.clock.clone(),
        Readiness::new(),
    )
}

/// Puts the clock on a time of the day on which worlds begin, and lets scheduler and router do their work.
async fn at(world: &World, scheduler: &mut Scheduler, time: &str) -> Option<Timestamp> {
    world
        .clock
        .set(format!("2026-03-01T{time}Z").parse().unwrap());
    let next = scheduler.look().await.unwrap();
    route(&mut world.router()).await;
    next
}

async fn route(router: &mut Router) {
    router.route_batch().await.unwrap();
}

/// The runs of the rule, oldest first.
async fn runs(world: &World, rule: &str) -> Vec<Run> {
    let filter = RunFilter {
        rule: Some(RuleId::from(rule)),
        ..RunFilter::default()
    };
    let mut runs = world.store.runs(filter).await.unwrap();
    runs.reverse();
    runs
}

/// What the events of the runs say they were scheduled for.
async fn scheduled(world: &World, rule: &str) -> Vec<String> {
    let mut times = Vec::new();
    for run in runs(world, rule).await {
        let stored = world.store.event(run.event).await.unwrap().unwrap();
        times.push(stored.event.text("scheduled_for").unwrap().to_owned());
    }
    times
}

#[tokio::test]
async fn a_time_that_has_come_wakes_its_rule_once_and_no_other() {
    let mut webhooks_too = fired("b", "0 15 * * *", Missed::Skip);
    webhooks_too.on = rule("b").on;
    let world = World::under(vec![
        fired("a", "30 13 * * *", Missed::Skip),
        webhooks_too,
        rule("c"),
    ])
    .await;
    let mut scheduler = scheduler(&world);
    let next = at(&world, &mut scheduler, "12:00:00").await;
    assert_eq!(next, Some("2026-03-01T12:30:00Z".parse().unwrap()));
    at(&world, &mut scheduler, "12:29:59").await;
    assert!(runs(&world, "a").await.is_empty());

    at(&world, &mut scheduler, "12:30:00.25").await;
    let next = at(&world, &mut scheduler, "12:30:01").await;
    assert_eq!(next, Some("2026-03-01T14:00:00Z".parse().unwrap()));
    assert_eq!(scheduled(&world, "a").await, ["2026-03-01T12:30:00Z"]);
    let run = runs(&world, "a").await.remove(0);
    assert_eq!(run.lane.as_str(), "rule");
    let stored = world.store.event(run.event).await.unwrap().unwrap();
    let fired_at = stored.event.text("fired_at");
    assert_eq!(fired_at, Some("2026-03-01T12:30:00.25Z"));
    for other in ["b", "c"] {
        assert!(runs(&world, other).await.is_empty(), "{other}");
    }
}

#[tokio::test]
async fn a_fire_is_subject_to_when() {
    let [mut yes, mut no] = ["yes", "no"].map(|id| fired(id, "30 13 * * *", Missed::Skip));
    (yes.has_when, no.has_when) = (true, true);
    let world = World::under(vec![yes, no]).await;
    world.rules.when("no", When::No);
    let mut scheduler = scheduler(&world);
    at(&world, &mut scheduler, "12:00:00").await;
    at(&world, &mut scheduler, "12:30:00").await;
    route(&mut world.router()).await;
    assert_eq!(runs(&world, "yes").await.len(), 1);
    assert!(runs(&world, "no").await.is_empty());
    assert_eq!(world.store.counts().await.unwrap().unrouted, 0);
}

#[tokio::test]
async fn a_rule_that_is_seen_for_the_first_time_has_missed_nothing() {
    let world = World::under(vec![fired("a", "* * * * *", Missed::Once)]).await;
    let mut scheduler = scheduler(&world);
    at(&world, &mut scheduler, "12:00:30").await;
    assert!(runs(&world, "a").await.is_empty());
    at(&world, &mut scheduler, "12:01:00").await;
    assert_eq!(scheduled(&world, "a").await, ["2026-03-01T12:01:00Z"]);
}

#[tokio::test]
async fn of_the_times_that_were_missed_the_last_fires_once_or_none_does() {
    let once = fired("once", "0 * * * *", Missed::Once);
    let skip = fired("skip", "0 * * * *", Missed::Skip);
    let mut world = World::under(vec![once, skip]).await;
    at(&world, &mut scheduler(&world), "12:00:30").await;
    world.restart().await;

    let mut scheduler = scheduler(&world);
    at(&world, &mut scheduler, "16:30:00").await;
    assert_eq!(scheduled(&world, "once").await, ["2026-03-01T16:00:00Z"]);
    assert!(runs(&world, "skip").await.is_empty());

    at(&world, &mut scheduler, "17:00:10").await;
    let expected = ["2026-03-01T16:00:00Z", "2026-03-01T17:00:00Z"];
    assert_eq!(scheduled(&world, "once").await, expected);
    assert_eq!(scheduled(&world, "skip").await, expected[1..]);
}

#[tokio::test]
async fn a_clock_that_goes_back_an_hour_fires_nothing_twice_and_forgets_nothing() {
    let world = World::under(vec![fired("a", "*/20 * * * *", Missed::Once)]).await;
    let mut scheduler = scheduler(&world);
    for time in ["12:10:00", "12:20:00", "12:40:00", "13:00:00"] {
        at(&world, &mut scheduler, time).await;
    }
    let before = scheduled(&world, "a").await;
    assert_eq!(before.len(), 3);
    for time in ["12:05:00", "12:20:00", "12:40:00", "13:00:00"] {
        at(&world, &mut scheduler, time).await;
        assert_eq!(scheduled(&world, "a").await, before, "at {time}");
    }
    at(&world, &mut scheduler, "13:20:00").await;
    assert_eq!(scheduled(&world, "a").await.len(), 4);
}

#[tokio::test]
async fn a_clock_that_was_a_day_ahead_does_not_silence_a_schedule_for_a_day() {
    let world = World::under(vec![fired("a", "*/20 * * * *", Missed::Skip)]).await;
    let mut scheduler = scheduler(&world);
    at(&world, &mut scheduler, "12:10:00").await;
    world.pass(86_400);
    scheduler.look().await.unwrap();
    at(&world, &mut scheduler, "12:11:00").await;
    at(&world, &mut scheduler, "12:20:00").await;
    assert!(
        scheduled(&world, "a")
            .await
            .contains(&"2026-03-01T12:20:00Z".to_owned())
    );
}

#[tokio::test]
async fn a_clock_that_goes_forward_an_hour_follows_what_the_rule_says_of_missed_times() {
    let world = World::under(vec![
        fired("once", "30 * * * *", Missed::Once),
        fired("skip", "30 * * * *", Missed::Skip),
    ])
    .await;
    let mut scheduler = scheduler(&world);
    at(&world, &mut scheduler, "12:15:00").await;
    at(&world, &mut scheduler, "13:15:00").await;
    assert_eq!(scheduled(&world, "once").await, ["2026-03-01T12:30:00Z"]);
    assert!(runs(&world, "skip").await.is_empty());
    at(&world, &mut scheduler, "13:30:00").await;
    assert_eq!(scheduled(&world, "skip").await, ["2026-03-01T13:30:00Z"]);
}

#[tokio::test]
async fn a_fire_that_is_made_again_because_the_look_was_not_kept_makes_no_second_run() {
    let world = World::under(vec![fired("a", "0 13 * * *", Missed::Once)]).await;
    at(&world, &mut scheduler(&world), "11:50:00").await;
    let before = world.store.schedules().await.unwrap();
    at(&world, &mut scheduler(&world), "12:00:00").await;
    // As after a crash between the event and the note of it.
    world.store.keep_schedules(before).await.unwrap();
    at(&world, &mut scheduler(&world), "12:00:20").await;
    assert_eq!(runs(&world, "a").await.len(), 1);
    assert_eq!(world.store.counts().await.unwrap().unrouted, 0);
}

#[tokio::test]
async fn another_schedule_begins_anew_and_one_that_is_gone_is_forgotten() {
    let world = World::under(vec![fired("a", "0 13 * * *", Missed::Once)]).await;
    let mut scheduler = scheduler(&world);
    at(&world, &mut scheduler, "12:30:00").await;
    let mut earlier = fired("a", "15 13 * * *", Missed::Once);
    earlier.version = "2".into();
    world.activate(vec![earlier.clone()]).await;
    at(&world, &mut scheduler, "12:45:00").await;
    assert!(runs(&world, "a").await.is_empty(), "12:15 was never set");

    world.activate(vec![rule("b")]).await;
    at(&world, &mut scheduler, "12:50:00").await;
    assert!(world.store.schedules().await.unwrap().is_empty());
    world.activate(vec![earlier]).await;
    world.pass(86_400);
    scheduler.look().await.unwrap();
    route(&mut world.router()).await;
    assert!(runs(&world, "a").await.is_empty(), "it begins now");
}

#[tokio::test]
async fn the_same_schedule_in_another_version_of_the_rule_goes_on() {
    let world = World::under(vec![fired("a", "0 13 * * *", Missed::Once)]).await;
    let mut scheduler = scheduler(&world);
    at(&world, &mut scheduler, "11:30:00").await;
    let mut newer = fired("a", "0 13 * * *", Missed::Once);
    newer.version = "2".into();
    world.activate(vec![newer]).await;
    at(&world, &mut scheduler, "12:30:00").await;
    assert_eq!(scheduled(&world, "a").await, ["2026-03-01T12:00:00Z"]);
    assert_eq!(runs(&world, "a").await[0].version.as_str(), "2");
}

#[tokio::test]
async fn a_fire_while_the_walk_of_the_one_before_is_unfinished_is_dropped_and_says_so() {
    let mut sweeps = fired("a", "*/20 * * * *", Missed::Skip);
    sweeps.has_each = true;
    let world = World::under(vec![sweeps, fired("b", "*/20 * * * *", Missed::Skip)]).await;
    let mut scheduler = scheduler(&world);
    for time in ["12:10:00", "12:20:00", "12:40:00"] {
        at(&world, &mut scheduler, time).await;
    }
    let fires = runs(&world, "a").await;
    assert_eq!(fires[0].state, RunState::Queued);
    assert_eq!(fires[1].state, RunState::Superseded);
    let reason = fires[1].reason.as_deref().unwrap_or_default();
    assert!(reason.contains(&format!("run {}", fires[0].id)), "{reason}");
    let others = runs(&world, "b").await;
    assert!(others.iter().all(|run| run.state == RunState::Queued));

    let claims = world
        .store
        .claim(Claiming::up_to(9), fires[0].created_at)
        .await
        .unwrap();
    let first = claims.iter().find(|claim| claim.run.id == fires[0].id);
    let settled = Settle {
        lease: first.unwrap().lease,
        settlement: Settlement::Succeeded,
        logs: Vec::new(),
        at: fires[0].created_at,
    };
    world.store.settle(vec![settled]).await.unwrap();
    at(&world, &mut scheduler, "13:00:00").await;
    assert_eq!(runs(&world, "a").await[2].state, RunState::Queued);
}

#[tokio::test]
async fn without_an_active_rule_set_no_clock_is_looked_at() {
    let world = World::under(vec![fired("a", "* * * * *", Missed::Once)]).await;
    let mut scheduler = scheduler(&world);
    at(&world, &mut scheduler, "12:00:00").await;
    let rules = world.set.send_replace(None);
    assert_eq!(at(&world, &mut scheduler, "12:03:00").await, None);
    world.set.send_replace(rules);
    at(&world, &mut scheduler, "12:03:30").await;
    assert_eq!(scheduled(&world, "a").await, ["2026-03-01T12:03:00Z"]);
}

#[tokio::test]
async fn the_loop_fires_by_itself_says_that_it_works_and_ends_when_told() {
    let world = World::under(vec![fired("a", "0 * * * *", Missed::Skip)]).await;
    let readiness = Readiness::new();
    let scheduler = Scheduler::new(
        world.store.clone(),
        world.set.subscribe(),
        world.clock.clone(),
        readiness.clone(),
    );
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(scheduler.run(async {
        let _ = stopped.await;
    }));
    until("the loop has looked", || async {
        readiness.report()["parts"]["scheduler"] == "ready"
    })
    .await;
    world.pass(3_600);
    until("the event is accepted", || async {
        world.store.counts().await.unwrap().unrouted == 1
    })
    .await;
    stop.send(()).unwrap();
    running.await.unwrap();
    route(&mut world.router()).await;
    assert_eq!(scheduled(&world, "a").await, ["2026-03-01T13:00:00Z"]);
}
