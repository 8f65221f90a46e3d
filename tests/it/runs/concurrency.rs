//! Lanes, places, and stopping: the loop around the runs.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cuegate::engine::Outcome;
use cuegate::model::{Effect, Event, Lane, Run, RunId, RunState};
use cuegate::runner::{Observer, Options, Performed};
use cuegate::store::Settlement;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::samples::{abort_job, create_job, read, rule, throttled, trash};
use super::world::{World, until};

/// Writes down what it is told.
#[derive(Debug, Default)]
struct Diary(Mutex<Vec<String>>);

impl Observer for Diary {
    fn run_started(&self, run: &Run, event: &Event) {
        let object = event.text("object_id").unwrap_or("-");
        self.write(format!("{} started for {object}", run.id));
    }

    fn effect_performed(&self, run: &Run, performed: &Performed<'_>) {
        self.write(format!("{} got {}", run.id, performed.step.answer.status));
    }

    fn run_settled(&self, run: &Run, settlement: &Settlement) {
        self.write(format!("{} {settlement:?}", run.id));
    }
}

impl Diary {
    fn write(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }
}

/// The runner's loop over a world, until it is told to stop.
struct Loop {
    stop: oneshot::Sender<()>,
    /// Told when the loop has heard of the stop. The tests have one thread, so runs know of it by then as well.
    heard: oneshot::Receiver<()>,
    task: JoinHandle<()>,
}

impl Loop {
    fn start(world: &World, options: Options) -> Self {
        let runner = world.runner_with(options);
        let (stop, stopped) = oneshot::channel::<()>();
        let (hearing, heard) = oneshot::channel();
        let task = tokio::spawn(async move {
            let shutdown = async {
                stopped.await.unwrap();
                hearing.send(()).unwrap();
            };
            runner.run(shutdown).await;
        });
        Self { stop, heard, task }
    }

    async fn tell(self) -> JoinHandle<()> {
        self.stop.send(()).unwrap();
        self.heard.await.unwrap();
        self.task
    }

    async fn stop(self) {
        self.tell().await.await.unwrap();
    }
}

async fn state(world: &World, run: RunId) -> RunState {
    world.look(run).await.state
}

#[tokio::test]
async fn runs_of_a_lane_go_in_the_order_of_acceptance_and_never_overlap() {
    let world = World::under(vec![rule("a")]).await;
    world.rules.calls("a", vec![read(), trash()]);
    let mut runs = Vec::new();
    for _ in 0..5 {
        runs.push(world.run_for("A").await);
    }
    let diary = Arc::new(Diary::default());
    let options = Options {
        observer: diary.clone(),
        ..Options::default()
    };
    let runner = Loop::start(&world, options);
    let last = *runs.last().unwrap();
    until("the last run succeeds", || async {
        state(&world, last).await == RunState::Succeeded
    })
    .await;
    runner.stop().await;
    let expected: Vec<String> = runs
        .iter()
        .flat_map(|run| {
            ["started for A", "got 200", "got 200", "Succeeded"].map(|what| format!("{run} {what}"))
        })
        .collect();
    assert_eq!(*diary.0.lock().unwrap(), expected);
}

#[tokio::test]
async fn runs_of_different_lanes_are_under_way_together_up_to_the_number_of_places() {
    let world = World::under(vec![rule("a")]).await;
    world.rules.calls("a", vec![read()]);
    let mut runs = Vec::new();
    for object in ["A", "B", "C", "D", "E"] {
        runs.push(world.run_for(object).await);
    }
    let hold = world.iconik.gate.write().await;
    let options = Options {
        concurrency: 3,
        ..Options::default()
    };
    let runner = Loop::start(&world, options);
    until("three calls are sent", || async {
        world.iconik.sent().len() == 3
    })
    .await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.iconik.sent().len(), 3, "there are three places");
    drop(hold);
    until("all succeed", || async {
        let mut all = true;
        for run in &runs {
            all &= state(&world, *run).await == RunState::Succeeded;
        }
        all
    })
    .await;
    runner.stop().await;
}

#[tokio::test]
async fn a_waiting_run_holds_its_lane_and_no_place() {
    let world = World::under(vec![rule("a")]).await;
    world.rules.calls("a", vec![read()]);
    world.iconik.next(Err(throttled()));
    let waits = world.run_for("A").await;
    let behind = world.run_for("A").await;
    let beside = world.run_for("B").await;
    let runner = world.runner_with(Options {
        concurrency: 1,
        ..Options::default()
    });
    runner.step().await.unwrap();
    runner.step().await.unwrap();
    assert_eq!(state(&world, waits).await, RunState::Waiting);
    assert_eq!(state(&world, behind).await, RunState::Queued);
    assert_eq!(state(&world, beside).await, RunState::Succeeded);
    assert_eq!(runner.step().await.unwrap(), 0);
    world.pass(60);
    runner.step().await.unwrap();
    runner.step().await.unwrap();
    assert_eq!(state(&world, waits).await, RunState::Succeeded);
    assert_eq!(state(&world, behind).await, RunState::Succeeded);
}

#[tokio::test]
async fn the_loop_takes_up_runs_that_are_made_while_it_waits() {
    let mut whole = rule("a");
    whole.lane = Lane::Rule;
    let world = World::under(vec![whole]).await;
    let runner = Loop::start(&world, Options::default());
    for object in ["A", "B"] {
        let run = world.run_for(object).await;
        until("it succeeds", || async {
            state(&world, run).await == RunState::Succeeded
        })
        .await;
    }
    runner.stop().await;
}

#[tokio::test]
async fn trouble_of_the_sandbox_delays_a_run_and_is_not_held_against_it() {
    let world = World::under(vec![rule("a")]).await;
    let run = world.run_for("A").await;
    for _ in 0..9 {
        world
            .rules
            .troubles
            .lock()
            .unwrap()
            .push_back("no worker".to_owned());
        world.runner().step().await.unwrap();
        let waiting = world.look(run).await;
        assert_eq!(waiting.state, RunState::Waiting);
        assert!(waiting.reason.unwrap().contains("no worker"));
        world.pass(5);
    }
    world.runner().step().await.unwrap();
    assert_eq!(state(&world, run).await, RunState::Succeeded);
}

#[tokio::test]
async fn a_panic_around_one_run_stops_neither_the_loop_nor_the_run_for_good() {
    let world = World::under(vec![rule("a")]).await;
    let first = AtomicUsize::new(0);
    world.rules.script("a", move |event, _| {
        let panics =
            event.text("object_id") == Some("A") && first.fetch_add(1, Ordering::Relaxed) == 0;
        assert!(!panics, "on purpose");
        Outcome::Finished
    });
    let (unlucky, lucky) = (world.run_for("A").await, world.run_for("B").await);
    world.runner().step().await.unwrap();
    assert_eq!(state(&world, unlucky).await, RunState::Waiting);
    assert_eq!(state(&world, lucky).await, RunState::Succeeded);
    world.pass(60);
    world.runner().step().await.unwrap();
    assert_eq!(state(&world, unlucky).await, RunState::Succeeded);
}

#[tokio::test]
async fn a_stop_lets_the_call_in_flight_finish_and_leaves_the_run_at_its_next_step() {
    let world = World::under(vec![rule("a")]).await;
    world.rules.calls("a", vec![create_job(), trash()]);
    let run = world.run_for("A").await;
    let hold = world.iconik.gate.write().await;
    let runner = Loop::start(&world, Options::default());
    until("the call is sent", || async {
        !world.iconik.sent().is_empty()
    })
    .await;
    let stopping = runner.tell().await;
    drop(hold);
    stopping.await.unwrap();
    let released = world.look(run).await;
    assert_ne!(released.state, RunState::Running);
    assert_eq!(released.attempt, 0, "a release is no attempt");
    assert_eq!(world.steps(run).await.len(), 1);
    assert_eq!(world.iconik.sent().len(), 1);
    world.runner().step().await.unwrap();
    assert_eq!(state(&world, run).await, RunState::Succeeded);
    assert_eq!(world.iconik.sent().len(), 2);
}

#[tokio::test]
async fn a_write_that_outlasts_the_drain_is_found_open_and_parked_afterwards() {
    let world = World::under(vec![rule("a")]).await;
    world.rules.calls("a", vec![abort_job()]);
    let run = world.run_for("A").await;
    let hold = world.iconik.gate.write().await;
    let options = Options {
        drain: Duration::from_millis(1),
        ..Options::default()
    };
    let runner = Loop::start(&world, options);
    until("the call is sent", || async {
        !world.iconik.sent().is_empty()
    })
    .await;
    runner.stop().await;
    drop(hold);
    assert!(world.has_open_intent(run).await);
    assert_ne!(state(&world, run).await, RunState::Running);
    world.runner().step().await.unwrap();
    assert_eq!(state(&world, run).await, RunState::Parked);
    assert_eq!(world.iconik.sent().len(), 1);
}

#[tokio::test]
async fn a_run_sees_the_event_that_made_it() {
    let world = World::under(vec![rule("a")]).await;
    world.rules.script("a", |event, journal| match journal {
        [] if event.text("object_id") == Some("A") => Outcome::Effect(Effect::Call(read())),
        _ => Outcome::Finished,
    });
    let (a, b) = (world.run_for("A").await, world.run_for("B").await);
    world.runner().step().await.unwrap();
    assert_eq!(world.steps(a).await.len(), 1);
    assert_eq!(world.steps(b).await.len(), 0);
}
