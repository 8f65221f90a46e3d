//! Requests to other systems over real HTTP: permission, intent, sending, answer, and what becomes of doubt.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::http::{Method as HttpMethod, StatusCode, Uri};
use cuegate::clock::Clock as _;
use cuegate::config::{self, OnUncertain};
use cuegate::egress::Egress;
use cuegate::engine::Outcome;
use cuegate::model::{
    DeadClass, Effect, EgressCall, Failure, Method, ParkedClass, RunId, RunState, Secret, WaitsFor,
};
use cuegate::runner::{Options, Runner};
use cuegate::store::{Deciding, Pause, PauseScope, Retrying};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::samples::rule;
use super::world::{World, until};

/// Another system, on a real port: it answers with the statuses that it is told to, 200 when it is told nothing.
#[derive(Debug)]
struct Desk {
    url: String,
    seen: Arc<Mutex<Vec<String>>>,
    statuses: Arc<Mutex<VecDeque<u16>>>,
    /// While it is held for writing, requests hang before they are answered.
    gate: Arc<tokio::sync::RwLock<()>>,
}

impl Desk {
    async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let desk = Self {
            url: format!("http://{}/in", listener.local_addr().unwrap()),
            seen: Arc::default(),
            statuses: Arc::default(),
            gate: Arc::default(),
        };
        let (seen, statuses, gate) = (desk.seen.clone(), desk.statuses.clone(), desk.gate.clone());
        let router = Router::new().fallback(move |method: HttpMethod, uri: Uri| {
            seen.lock().unwrap().push(format!("{method} {uri}"));
            let status = statuses.lock().unwrap().pop_front().unwrap_or(200);
            let gate = gate.clone();
            async move {
                let _open = gate.read().await;
                let json = [("content-type", "application/json"), ("x-desk", "yes")];
                (
                    StatusCode::from_u16(status).unwrap(),
                    json,
                    r#"{"ok": true}"#,
                )
            }
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        desk
    }

    fn answers(&self, statuses: &[u16]) {
        self.statuses.lock().unwrap().extend(statuses);
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    fn config(&self, on_uncertain: OnUncertain) -> config::Egress {
        config::Egress {
            url: Secret::new(self.url.clone()),
            url_file: None,
            header_files: BTreeMap::new(),
            headers: BTreeMap::new(),
            uncertain: on_uncertain,
            timeout: Duration::from_secs(10),
            allow_private: true,
            max_answer: 1 << 20,
        }
    }
}

fn runner(world: &World, target: config::Egress) -> Runner {
    let targets = BTreeMap::from([("desk".to_owned(), target)]);
    let targets = Egress::new(&targets, world.clock.clone()).unwrap();
    world.runner_with(Options {
        targets: Arc::new(targets),
        ..Options::default()
    })
}

fn request(method: Method) -> EgressCall {
    EgressCall {
        target: "desk".to_owned(),
        method,
        path: "orders".to_owned(),
        query: BTreeMap::new(),
        headers: BTreeMap::new(),
        body: None,
        position: None,
    }
}

/// A world with one run of a rule that makes this request and notes what it sees as the reason of a skip.
async fn world_that_asks(call: EgressCall) -> (World, RunId) {
    let mut rule = rule("a");
    rule.allow.push("egress:desk".to_owned());
    let world = World::under(vec![rule]).await;
    world.rules.script("a", move |_, journal| match journal {
        [] => Outcome::Effect(Effect::Egress(call.clone())),
        [step, ..] => {
            let answer = &step.answer;
            Outcome::Skipped(format!("{} {}", answer.status, answer.body["dropped"]))
        }
    });
    let run = world.run_for("A").await;
    (world, run)
}

async fn skipped_with(world: &World, run: RunId) -> String {
    let run = world.look(run).await;
    assert_eq!(run.state, RunState::Skipped, "{run:?}");
    run.reason.unwrap()
}

async fn dead(world: &World, run: RunId, class: DeadClass) -> Failure {
    let run = world.look(run).await;
    assert_eq!(run.state, RunState::Dead, "{run:?}");
    let failure = run.failure.expect("a dead run says why");
    assert_eq!(failure.class, class, "{failure}");
    failure
}

#[tokio::test]
async fn the_rule_sees_status_headers_and_body_and_they_are_in_the_journal() {
    for status in [200, 403] {
        let (world, run) = world_that_asks(request(Method::Post)).await;
        let desk = Desk::open().await;
        desk.answers(&[status]);
        runner(&world, desk.config(OnUncertain::Park))
            .step()
            .await
            .unwrap();
        assert_eq!(skipped_with(&world, run).await, format!("{status} false"));
        let answer = &world.steps(run).await[0].answer;
        assert_eq!(answer.body["headers"]["x-desk"], "yes");
        assert_eq!(answer.body["body"], json!({"ok": true}));
        assert_eq!(desk.seen(), ["POST /in/orders"]);
    }
}

#[tokio::test]
async fn a_request_whose_answer_is_too_large_is_dead_and_not_sent_again_unasked() {
    let desk = Desk::open().await;
    let target = config::Egress {
        max_answer: 8,
        ..desk.config(OnUncertain::Park)
    };
    let (world, run) = world_that_asks(request(Method::Post)).await;
    runner(&world, target.clone()).step().await.unwrap();
    let failure = dead(&world, run, DeadClass::Limit).await;
    assert!(failure.message.contains("larger than"), "{failure}");
    assert!(world.has_open_intent(run).await, "it was carried out");
    let retrying = Retrying {
        how: None,
        deciding: Deciding {
            by: None,
            at: world.clock.now(),
        },
    };
    let refused = world.store.retry(run, retrying).await.unwrap_err();
    assert!(refused.to_string().contains("--as"), "{refused}");

    // What the target refused was not carried out, whatever the size of its reasons.
    desk.answers(&[400]);
    let (world, run) = world_that_asks(request(Method::Post)).await;
    runner(&world, target).step().await.unwrap();
    dead(&world, run, DeadClass::Limit).await;
    assert!(!world.has_open_intent(run).await);
}

#[tokio::test]
async fn without_permission_or_target_nothing_is_sent_and_the_failure_says_what_to_add() {
    let desk = Desk::open().await;
    let (world, run) = world_that_asks(EgressCall {
        target: "slack".to_owned(),
        ..request(Method::Get)
    })
    .await;
    runner(&world, desk.config(OnUncertain::Park))
        .step()
        .await
        .unwrap();
    let failure = dead(&world, run, DeadClass::Permission).await;
    assert!(failure.hint.unwrap().contains("\"egress:slack\"]"));

    let (world, run) = world_that_asks(request(Method::Get)).await;
    world.runner().step().await.unwrap();
    let failure = dead(&world, run, DeadClass::Permission).await;
    assert!(failure.hint.unwrap().contains("add `[egress.desk]`"));
    assert!(desk.seen().is_empty());
}

#[tokio::test]
async fn the_intent_of_a_request_is_stored_before_it_is_sent_and_a_get_has_none() {
    for (method, intent_expected) in [
        (Method::Get, false),
        (Method::Post, true),
        (Method::Put, true),
        (Method::Delete, true),
    ] {
        let (world, run) = world_that_asks(request(method)).await;
        let desk = Desk::open().await;
        let hold = desk.gate.write().await;
        let runner = runner(&world, desk.config(OnUncertain::Park));
        let look = async {
            until("the request is sent", || async { !desk.seen().is_empty() }).await;
            let open = world.has_open_intent(run).await;
            drop(hold);
            open
        };
        let (stepped, open) = tokio::join!(runner.step(), look);
        stepped.unwrap();
        assert_eq!(open, intent_expected, "{method}");
        assert!(!world.has_open_intent(run).await, "the answer closes it");
        assert_eq!(skipped_with(&world, run).await, "200 false");
    }
}

#[tokio::test]
async fn doubt_is_parked_repeated_or_dropped_as_the_target_says() {
    for status in [500, 408] {
        let desk = Desk::open().await;
        let (world, run) = world_that_asks(request(Method::Post)).await;
        desk.answers(&[status]);
        runner(&world, desk.config(OnUncertain::Park))
            .step()
            .await
            .unwrap();
        let parked = world.look(run).await;
        assert_eq!(parked.state, RunState::Parked);
        assert_eq!(parked.parked, Some(ParkedClass::Uncertain));
        let reason = parked.reason.unwrap();
        assert!(reason.contains("`POST desk orders`"), "{reason}");
        assert!(reason.contains(&status.to_string()), "{reason}");
        assert!(!reason.contains("127.0.0.1"), "{reason}");
        assert!(world.has_open_intent(run).await);

        let (world, run) = world_that_asks(request(Method::Post)).await;
        desk.answers(&[status]);
        runner(&world, desk.config(OnUncertain::Drop))
            .step()
            .await
            .unwrap();
        assert_eq!(skipped_with(&world, run).await, "0 true");
        assert!(!world.has_open_intent(run).await);

        let (world, run) = world_that_asks(request(Method::Post)).await;
        desk.answers(&[status]);
        let runner = runner(&world, desk.config(OnUncertain::Repeat));
        runner.step().await.unwrap();
        assert_eq!(world.look(run).await.waits_for, Some(WaitsFor::Retry));
        assert!(world.has_open_intent(run).await, "the doubt remains");
        world.pass(601);
        runner.step().await.unwrap();
        assert_eq!(skipped_with(&world, run).await, "200 false");
        assert_eq!(desk.seen().len(), 4, "one, one and two");
    }
}

#[tokio::test]
async fn a_read_is_repeated_until_it_is_answered_or_too_old() {
    let desk = Desk::open().await;
    let (world, run) = world_that_asks(request(Method::Get)).await;
    let runner = runner(&world, desk.config(OnUncertain::Park));
    desk.answers(&[500, 429, 503]);
    for _ in 0..3 {
        runner.step().await.unwrap();
        assert_eq!(world.look(run).await.state, RunState::Waiting);
        world.pass(601);
    }
    runner.step().await.unwrap();
    assert_eq!(skipped_with(&world, run).await, "200 false");

    let (world, run) = world_that_asks(request(Method::Get)).await;
    let runner = self::runner(&world, desk.config(OnUncertain::Park));
    desk.answers(&[500; 3]);
    runner.step().await.unwrap();
    world.pass(24 * 3600 - 1);
    runner.step().await.unwrap();
    assert_eq!(world.look(run).await.state, RunState::Waiting);
    world.pass(601);
    runner.step().await.unwrap();
    let failure = dead(&world, run, DeadClass::ApiError).await;
    assert!(failure.message.contains("it answered 500"), "{failure}");
}

#[tokio::test]
async fn what_certainly_was_not_done_is_done_later_and_never_parked() {
    let desk = Desk::open().await;
    let (world, run) = world_that_asks(request(Method::Post)).await;
    let runner = runner(&world, desk.config(OnUncertain::Park));
    desk.answers(&[429]);
    runner.step().await.unwrap();
    assert_eq!(world.look(run).await.state, RunState::Waiting);
    assert!(!world.has_open_intent(run).await);
    world.pass(601);
    runner.step().await.unwrap();
    assert_eq!(skipped_with(&world, run).await, "200 false");

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut nobody = desk.config(OnUncertain::Park);
    nobody.url = Secret::new(format!("http://{}", listener.local_addr().unwrap()));
    drop(listener);
    let (world, run) = world_that_asks(request(Method::Post)).await;
    self::runner(&world, nobody).step().await.unwrap();
    let waiting = world.look(run).await;
    assert_eq!(waiting.state, RunState::Waiting);
    let reason = waiting.reason.unwrap();
    assert!(reason.contains("cannot be reached"), "{reason}");
    assert!(!world.has_open_intent(run).await);
}

#[tokio::test]
async fn a_gateway_that_dies_over_a_request_leaves_it_to_the_target_what_follows() {
    for (on_uncertain, sent) in [
        (OnUncertain::Park, 1),
        (OnUncertain::Drop, 1),
        (OnUncertain::Repeat, 2),
    ] {
        let desk = Desk::open().await;
        let (mut world, run) = world_that_asks(request(Method::Post)).await;
        let hold = desk.gate.write().await;
        {
            let runner = runner(&world, desk.config(on_uncertain));
            tokio::select! {
                stepped = runner.step() => panic!("the request hangs: {stepped:?}"),
                () = until("the request is sent", || async { !desk.seen().is_empty() }) => {}
            }
        }
        world.restart().await;
        drop(hold);
        assert!(world.has_open_intent(run).await);
        runner(&world, desk.config(on_uncertain))
            .step()
            .await
            .unwrap();
        match on_uncertain {
            OnUncertain::Park => assert_eq!(world.look(run).await.state, RunState::Parked),
            OnUncertain::Drop => assert_eq!(skipped_with(&world, run).await, "0 true"),
            OnUncertain::Repeat => assert_eq!(skipped_with(&world, run).await, "200 false"),
        }
        assert_eq!(desk.seen().len(), sent, "{on_uncertain:?}");
    }
}

#[tokio::test]
async fn while_writes_are_paused_a_request_waits_before_its_intent_and_a_read_does_not() {
    for method in [Method::Get, Method::Post] {
        let desk = Desk::open().await;
        let (world, run) = world_that_asks(request(method)).await;
        world.store.pause(paused_writes(&world)).await.unwrap();
        let runner = runner(&world, desk.config(OnUncertain::Park));
        runner.step().await.unwrap();
        if method == Method::Post {
            let held = world.look(run).await;
            assert_eq!(held.state, RunState::Waiting);
            assert_eq!(held.waits_for, Some(WaitsFor::Writes));
            assert!(!world.has_open_intent(run).await);
            assert!(desk.seen().is_empty(), "{:?}", desk.seen());
            assert!(world.store.resume(PauseScope::Writes).await.unwrap());
            runner.step().await.unwrap();
        }
        assert_eq!(skipped_with(&world, run).await, "200 false");
        assert_eq!(desk.seen().len(), 1);
    }
}

#[tokio::test]
async fn a_pause_of_writes_holds_a_repetition_and_not_the_decision_to_send_nothing() {
    for on_uncertain in [OnUncertain::Repeat, OnUncertain::Drop, OnUncertain::Park] {
        let desk = Desk::open().await;
        let (mut world, run) = world_that_asks(request(Method::Post)).await;
        let hold = desk.gate.write().await;
        {
            let runner = runner(&world, desk.config(on_uncertain));
            tokio::select! {
                stepped = runner.step() => panic!("the request hangs: {stepped:?}"),
                () = until("the request is sent", || async { !desk.seen().is_empty() }) => {}
            }
        }
        world.restart().await;
        drop(hold);
        world.store.pause(paused_writes(&world)).await.unwrap();
        let runner = runner(&world, desk.config(on_uncertain));
        runner.step().await.unwrap();
        let state = world.look(run).await.state;
        let expected = match on_uncertain {
            OnUncertain::Repeat => RunState::Waiting,
            OnUncertain::Drop => RunState::Skipped,
            OnUncertain::Park => RunState::Parked,
        };
        assert_eq!(state, expected, "{on_uncertain:?}");
        assert_eq!(desk.seen().len(), 1, "{on_uncertain:?}");
    }
}

fn paused_writes(world: &World) -> Pause {
    Pause {
        scope: PauseScope::Writes,
        quarantine: false,
        reason: "a test".to_owned(),
        since: world.clock.now(),
    }
}

#[tokio::test]
async fn a_request_that_leads_elsewhere_or_into_a_private_network_ends_the_run_unsent() {
    let desk = Desk::open().await;
    let (world, run) = world_that_asks(EgressCall {
        path: "../admin".to_owned(),
        ..request(Method::Post)
    })
    .await;
    runner(&world, desk.config(OnUncertain::Repeat))
        .step()
        .await
        .unwrap();
    dead(&world, run, DeadClass::ScriptError).await;
    assert!(!world.has_open_intent(run).await, "it was not sent");

    let (world, run) = world_that_asks(request(Method::Post)).await;
    let mut private = desk.config(OnUncertain::Repeat);
    private.url = Secret::new(desk.url.replace("127.0.0.1", "localhost"));
    private.allow_private = false;
    runner(&world, private).step().await.unwrap();
    let failure = dead(&world, run, DeadClass::Permission).await;
    assert!(failure.message.contains("not public"), "{failure}");
    assert!(!world.has_open_intent(run).await, "it was not sent");
    assert!(desk.seen().is_empty());
}

#[tokio::test]
async fn requests_count_as_calls_and_writes_of_the_run() {
    let desk = Desk::open().await;
    let mut bounded = rule("a");
    bounded.allow.push("egress:desk".to_owned());
    bounded.limits.writes_per_run = 2;
    let world = World::under(vec![bounded]).await;
    world.rules.script("a", |_, _| {
        Outcome::Effect(Effect::Egress(request(Method::Post)))
    });
    let run = world.run_for("A").await;
    runner(&world, desk.config(OnUncertain::Park))
        .step()
        .await
        .unwrap();
    let failure = dead(&world, run, DeadClass::Limit).await;
    assert!(failure.hint.unwrap().contains("writes_per_run: 4"));
    assert_eq!(desk.seen().len(), 2);
    assert_eq!(
        world.steps(run).await.last().unwrap().answer.body["body"],
        json!({"ok": true})
    );
    assert_ne!(world.steps(run).await[0].answer.body, Value::Null);
}
