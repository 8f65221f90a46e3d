//! Which events make which runs, and when nothing is decided.

use std::time::Duration;

use cuegate::engine::When;
use cuegate::model::{DeadClass, Event, EventKind, EventState, Failure, RULE_HEADER, RunState};
use cuegate::router::{RouteError, Step};
use cuegate::store::Breaker;
use serde_json::json;
use tokio::sync::watch;

use super::samples::{button, rule, webhook};
use super::world::{World, until};

#[tokio::test]
async fn an_event_makes_one_run_of_each_rule_that_wants_it_and_is_routed_once() {
    let mut deaf = rule("deaf");
    deaf.on.clear();
    let world = World::under(vec![rule("a"), deaf, rule("b")]).await;
    let event = world.accept("A").await;
    let routed = Step::Routed {
        events: 1,
        duplicates: 0,
        runs: 2,
    };
    assert_eq!(world.router().route_batch().await.unwrap(), routed);
    assert_eq!(world.router().route_batch().await.unwrap(), Step::Idle);
    let mut rules: Vec<_> = world
        .runs_of(&event)
        .await
        .into_iter()
        .map(|run| run.rule.0)
        .collect();
    rules.sort();
    assert_eq!(rules, ["a", "b"]);
}

#[tokio::test]
async fn without_an_active_rule_set_nothing_is_decided_and_nothing_is_lost() {
    let world = World::under(vec![rule("a")]).await;
    let rules = world.set.send_replace(None);
    let event = world.accept("A").await;
    assert_eq!(world.router().route_batch().await.unwrap(), Step::NoRules);
    world.set.send_replace(rules);
    world.router().route_batch().await.unwrap();
    assert_eq!(world.runs_of(&event).await.len(), 1);
}

#[tokio::test]
async fn while_the_own_domain_is_unknown_only_events_that_name_none_are_decided() {
    let world = World::under(vec![rule("a")]).await;
    world.domain.send_replace(None);
    let event = world.accept("A").await;
    assert_eq!(world.router().route_batch().await.unwrap(), Step::NoDomain);
    assert!(world.runs_of(&event).await.is_empty());
    world.domain.send_replace(Some("D".to_owned()));
    world.router().route_batch().await.unwrap();
    assert_eq!(world.runs_of(&event).await.len(), 1);

    world.domain.send_replace(None);
    let nameless = world
        .accept_body(EventKind::Webhook, json!({"event_type": "x"}))
        .await;
    world.router().route_batch().await.unwrap();
    assert_eq!(world.runs_of(&nameless).await.len(), 1);
}

#[tokio::test]
async fn an_event_of_another_domain_is_kept_and_makes_no_run() {
    let world = World::under(vec![rule("a")]).await;
    let mut foreign = webhook("A");
    foreign["system_domain_id"] = json!("E");
    let foreign = world.accept_body(EventKind::Webhook, foreign).await;
    let ours = world.accept("A").await;
    world.router().route_batch().await.unwrap();
    let stored = world.store.event(foreign.id).await.unwrap().unwrap();
    assert_eq!(stored.state, EventState::WrongDomain);
    assert!(world.runs_of(&foreign).await.is_empty());
    assert_eq!(world.runs_of(&ours).await.len(), 1);
}

#[tokio::test]
async fn an_echo_wakes_only_rules_that_ask_for_echoes_and_is_marked() {
    let mut listens = rule("listens");
    listens.echoes = true;
    let world = World::under(vec![rule("deaf"), listens]).await;
    let user = watch::Sender::new(None::<String>);
    let mut router = world.router().with_own_user(user.subscribe());
    let by = |user: &str| {
        let mut body = webhook("A");
        body["user_id"] = json!(user);
        body
    };
    let early = world.accept_body(EventKind::Webhook, by("U")).await;
    router.route_batch().await.unwrap();
    let woken = async |event: &Event| {
        let runs = world.runs_of(event).await.into_iter();
        let mut rules: Vec<_> = runs.map(|run| run.rule.0).collect();
        rules.sort();
        rules
    };
    let both = ["deaf", "listens"];
    assert_eq!(woken(&early).await, both, "nobody knows yet who we are");

    user.send_replace(Some("U".to_owned()));
    let ours = world.accept_body(EventKind::Webhook, by("U")).await;
    let theirs = world.accept_body(EventKind::Webhook, by("V")).await;
    router.route_batch().await.unwrap();
    assert_eq!(woken(&ours).await, ["listens"]);
    assert_eq!(woken(&theirs).await, both);
}

#[tokio::test]
async fn a_rule_that_wakes_itself_over_one_object_is_stopped_and_says_how_it_went_round() {
    let mut listens = rule("listens");
    listens.echoes = true;
    let world = World::under(vec![listens]).await;
    let mut router = world
        .router()
        .with_own_user(watch::Sender::new(Some("U".to_owned())).subscribe())
        .with_breaker(Breaker {
            runs: 2,
            within: Duration::from_secs(60),
        });
    let mut states = Vec::new();
    for _ in 0..3 {
        let mut body = webhook("A");
        body["user_id"] = json!("U");
        let echo = world.accept_body(EventKind::Webhook, body).await;
        router.route_batch().await.unwrap();
        let run = world.runs_of(&echo).await.remove(0);
        states.push((run.state, run.reason.unwrap_or_default()));
    }
    assert_eq!(states[1].0, RunState::Queued);
    assert_eq!(states[2].0, RunState::Parked);
    assert!(states[2].1.contains("listens → listens"), "{}", states[2].1);
}

#[tokio::test]
async fn a_pressed_button_makes_a_run_of_the_rule_that_it_names() {
    let mut pressed = rule("pressed");
    pressed.button = Some(button());
    let mut other = rule("other");
    other.button = Some(button());
    let world = World::under(vec![pressed, other]).await;
    let body = json!({"context": "ASSET", "asset_ids": ["A"], "system_domain_id": "D"});
    let mut event = world.event(EventKind::Button, body);
    event
        .headers
        .insert(RULE_HEADER.to_owned(), "pressed".to_owned());
    world.store.accept(vec![event.clone()]).await.unwrap();
    world.router().route_batch().await.unwrap();
    let runs = world.runs_of(&event).await;
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0].rule.as_str(), "pressed");
    assert_eq!(runs[0].lane.as_str(), event.id.to_string());
}

#[tokio::test]
async fn a_when_that_says_no_makes_no_run_and_one_that_fails_is_kept_with_the_event() {
    let asking = ["no", "fails", "yes"].map(|id| {
        let mut rule = rule(id);
        rule.has_when = true;
        rule
    });
    let world = World::under(asking.to_vec()).await;
    world.rules.when("no", When::No);
    let failure = Failure::new(DeadClass::ScriptError, "`event.data.titel` is missing");
    world.rules.when("fails", When::Failed(failure.clone()));
    let event = world.accept("A").await;
    world.router().route_batch().await.unwrap();
    let runs = world.runs_of(&event).await;
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0].rule.as_str(), "yes");
    let stored = world.store.event(event.id).await.unwrap().unwrap();
    assert_eq!(stored.state, EventState::WhenFailed);
    assert_eq!(stored.failures.len(), 1);
    assert_eq!(stored.failures[0].0.as_str(), "fails");
    assert_eq!(stored.failures[0].2, failure);
}

#[tokio::test]
async fn trouble_of_the_sandbox_commits_nothing_and_the_events_are_decided_later() {
    let mut asks = rule("asks");
    asks.has_when = true;
    let world = World::under(vec![asks]).await;
    let event = world.accept("A").await;
    world
        .rules
        .troubles
        .lock()
        .unwrap()
        .push_back("no worker".to_owned());
    let error = world.router().route_batch().await.unwrap_err();
    assert!(
        matches!(&error, RouteError::Sandbox { rule, .. } if rule.as_str() == "asks"),
        "{error}"
    );
    assert!(world.runs_of(&event).await.is_empty());
    world.router().route_batch().await.unwrap();
    assert_eq!(world.runs_of(&event).await.len(), 1);
}

#[tokio::test]
async fn a_rule_set_that_is_not_the_active_one_decides_nothing() {
    let world = World::under(vec![rule("old")]).await;
    let old = world.set.borrow().clone();
    world.activate(vec![rule("new")]).await;
    let new = world.set.send_replace(old);
    let event = world.accept("A").await;
    assert_eq!(world.router().route_batch().await.unwrap(), Step::Stale);
    assert!(world.runs_of(&event).await.is_empty());
    world.set.send_replace(new);
    world.router().route_batch().await.unwrap();
    assert_eq!(world.runs_of(&event).await[0].rule.as_str(), "new");
}

#[tokio::test]
async fn the_loop_routes_what_is_accepted_while_it_waits_and_ends_when_told() {
    let world = World::under(vec![rule("a")]).await;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let router = tokio::spawn(world.router().run(async {
        let _ = stopped.await;
    }));
    let event = world.accept("A").await;
    until("the event is routed", || async {
        !world.runs_of(&event).await.is_empty()
    })
    .await;
    stop.send(()).unwrap();
    router.await.unwrap();
}

#[tokio::test]
async fn a_rule_with_a_lane_orders_its_runs_by_the_key_that_it_gives() {
    let mut desks = rule("desks");
    desks.has_lane = true;
    let world = World::under(vec![desks, rule("plain")]).await;
    world
        .rules
        .lane("desks", |event| match event.text("object_id") {
            Some("lost") => Err(Box::new(Failure::new(DeadClass::ScriptError, "no desk"))),
            _ => Ok("one desk for all".to_owned()),
        });
    let (first, second, lost) = (
        world.accept("A").await,
        world.accept("B").await,
        world.accept("lost").await,
    );
    world.router().route_batch().await.unwrap();
    for event in [&first, &second] {
        let runs = world.runs_of(event).await;
        let lane = |rule: &str| {
            let run = runs.iter().find(|run| run.rule.as_str() == rule).unwrap();
            run.lane.as_str().to_owned()
        };
        assert_eq!(lane("desks"), "one desk for all");
        assert_ne!(
            lane("plain"),
            "one desk for all",
            "a rule without one keeps its own"
        );
    }
    let rules: Vec<String> = world
        .runs_of(&lost)
        .await
        .into_iter()
        .map(|run| run.rule.0)
        .collect();
    assert_eq!(
        rules,
        ["plain"],
        "a rule that cannot say its lane gets no run"
    );
    let stored = world.store.event(lost.id).await.unwrap().unwrap();
    assert_eq!(stored.state, EventState::WhenFailed);
    assert_eq!(stored.failures[0].2.message, "no desk");
}
