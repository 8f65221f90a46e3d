//! Waits for jobs of a simulated Iconik, and the one loop that looks after them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cuegate::clock::{Clock, SystemClock};
use cuegate::config;
use cuegate::engine::Outcome;
use cuegate::iconik::{IconikClient, Share};
use cuegate::model::{Effect, Event, Method, RunId, RunState, WaitForJob, WaitsFor};
use cuegate::runner::{JobPolling, Options, Outside, Round, Runner};
use cuegate::simulator::{Credential, Matching, Seed, Simulator, SimulatorOptions, Trouble};
use serde_json::{Value, json};

use super::samples::{call, rule};
use super::world::{World, until};

const HOUR: Duration = Duration::from_secs(3_600);

fn id(number: usize) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

/// A simulated Iconik with so many jobs under way, and one run for each that waits for it.
struct Waiting {
    simulator: Simulator,
    outside: Arc<dyn Outside>,
    world: World,
    runs: Vec<RunId>,
}

impl Waiting {
    async fn for_jobs(jobs: usize) -> Self {
        let (simulator, outside) = iconik(jobs).await;
        let world = World::under(vec![rule("a")]).await;
        let timeout = world.clock.now() + HOUR;
        world
            .rules
            .script("a", move |event: &Event, journal| match journal {
                [] => Outcome::Effect(Effect::WaitForJob(WaitForJob {
                    job: event.asset_id().unwrap().to_owned(),
                    until: timeout,
                    position: None,
                })),
                [step] => Outcome::Skipped(format!(
                    "{} {}",
                    step.answer.status, step.answer.body["status"]
                )),
                _ => panic!("one wait"),
            });
        let mut runs = Vec::new();
        for job in 0..jobs {
            runs.push(world.run_for(&id(job)).await);
        }
        let waiting = Self {
            simulator,
            outside,
            world,
            runs,
        };
        while waiting.runner().step().await.unwrap() > 0 {}
        for run in &waiting.runs {
            let run = waiting.world.look(*run).await;
            assert_eq!(
                (run.state, run.waits_for),
                (RunState::Waiting, Some(WaitsFor::Job))
            );
        }
        waiting
    }

    fn runner(&self) -> Runner {
        self.world
            .runner_to(self.outside.clone(), Options::default())
    }

    /// Sends one call about a job as somebody else would.
    async fn change(&self, method: Method, job: usize, body: Value) {
        let mut change = call(method, &format!("jobs/v1/jobs/{}/", id(job)));
        change.body = Some(body).filter(|body| !body.is_null());
        let permit = self.outside.admit(&Share::gateway()).await;
        self.outside.send(permit, &change).await.unwrap();
    }

    async fn look(&self) -> Round {
        self.runner().look_at_jobs(0).await.unwrap()
    }

    /// What each run saw of its job, nothing if it still waits.
    async fn seen(&self) -> Vec<Option<String>> {
        while self.runner().step().await.unwrap() > 0 {}
        let mut seen = Vec::new();
        for run in &self.runs {
            let run = self.world.look(*run).await;
            seen.push(run.reason.filter(|_| run.state == RunState::Skipped));
        }
        seen
    }
}

async fn iconik(jobs: usize) -> (Simulator, Arc<dyn Outside>) {
    let job =
        |number| json!({"id": id(number), "title": "t", "type": "CUSTOM", "status": "STARTED"});
    let seed = json!({"jobs": (0..jobs).map(job).collect::<Vec<_>>()});
    let credential = Credential::demo();
    let options = SimulatorOptions {
        credentials: vec![credential.clone()],
        index_lag: Duration::ZERO,
        rate_limit: None,
        seed: Some(serde_json::from_value::<Seed>(seed).unwrap()),
        ..SimulatorOptions::default()
    };
    let simulator = Simulator::start(options, Arc::new(SystemClock))
        .await
        .unwrap();
    let config = config::Iconik {
        base_url: simulator.base_url(),
        app_id: credential.app_id,
        auth_token: credential.auth_token,
        rate: config::Rate {
            per_second: 10_000,
            per_20s: 200_000,
        },
        ..config::Iconik::default()
    };
    let client = IconikClient::new(&config, Arc::new(SystemClock)).unwrap();
    (simulator, Arc::new(client))
}

/// A round without trouble.
fn round(requests: u32, woken: usize) -> Round {
    Round {
        requests,
        woken,
        trouble: false,
    }
}

fn finished() -> Value {
    json!({"status": "FINISHED"})
}

#[tokio::test]
async fn many_jobs_are_looked_at_in_one_request_and_only_the_runs_of_those_that_ended_wake() {
    let waiting = Waiting::for_jobs(30).await;
    let before = waiting.simulator.requests().len();
    assert_eq!(waiting.look().await, round(1, 0));
    waiting.change(Method::Patch, 3, finished()).await;
    waiting
        .change(Method::Patch, 4, json!({"status": "FAILED"}))
        .await;
    waiting
        .change(Method::Patch, 5, json!({"status": "PAUSED"}))
        .await;
    assert_eq!(waiting.look().await, round(1, 2));
    let asked = waiting.simulator.requests()[before].query["ids"].clone();
    assert_eq!(asked.split(',').count(), 30);
    let seen = waiting.seen().await;
    assert_eq!(seen[3].as_deref(), Some("200 \"FINISHED\""));
    assert_eq!(seen[4].as_deref(), Some("200 \"FAILED\""));
    assert_eq!(seen.iter().flatten().count(), 2);
    assert_eq!(waiting.look().await.woken, 0, "nobody is woken twice");
}

#[tokio::test]
async fn a_job_that_is_gone_wakes_its_run_too_whatever_the_list_says() {
    for jobs in [2, 5] {
        let waiting = Waiting::for_jobs(jobs).await;
        waiting.change(Method::Delete, 1, Value::Null).await;
        assert_eq!(waiting.look().await.woken, 1, "of {jobs}");
        let seen = waiting.seen().await;
        assert_eq!(seen[1].as_deref(), Some("404 null"));
        assert_eq!(seen.iter().flatten().count(), 1);
    }
}

#[tokio::test]
async fn a_refused_list_is_read_one_by_one_and_trouble_ends_the_round() {
    let waiting = Waiting::for_jobs(6).await;
    waiting.change(Method::Patch, 2, finished()).await;
    let lists = || Matching::path(Method::Get, "jobs/v1/jobs/");
    let answer = |status| Trouble::Answer {
        status,
        body: Value::Null,
        retry_after: None,
    };
    waiting.simulator.fault(lists(), 1, answer(503));
    assert_eq!(
        waiting.look().await,
        Round {
            requests: 1,
            woken: 0,
            trouble: true
        }
    );
    waiting.simulator.fault(lists(), 1, answer(400));
    assert_eq!(waiting.look().await, round(7, 1));
    let too_much = Trouble::Answer {
        status: 200,
        body: Value::String("x".repeat(2 << 20)),
        retry_after: None,
    };
    waiting.change(Method::Patch, 3, finished()).await;
    waiting.simulator.fault(lists(), 1, too_much);
    let look = waiting.look().await;
    assert_eq!(
        (look.requests, look.trouble),
        (6, false),
        "one waits no more"
    );
}

#[tokio::test]
async fn a_job_that_iconik_cannot_show_holds_up_no_other() {
    let waiting = Waiting::for_jobs(3).await;
    waiting.change(Method::Patch, 1, finished()).await;
    let one = Matching::path(Method::Get, &format!("jobs/v1/jobs/{}/", id(0)));
    let trouble = Trouble::Answer {
        status: 503,
        body: Value::Null,
        retry_after: None,
    };
    waiting.simulator.fault(one, 1, trouble);
    let look = waiting.look().await;
    assert_eq!((look.woken, look.trouble), (1, true));
}

#[tokio::test]
async fn the_loop_wakes_runs_while_the_runner_goes_on_and_ends_when_told() {
    let waiting = Waiting::for_jobs(4).await;
    let runner = waiting.world.runner_to(
        waiting.outside.clone(),
        Options {
            job_polling: JobPolling {
                pause: Duration::from_millis(5),
                requests_per_second: 1_000.0,
            },
            ..Options::default()
        },
    );
    let (stop, _) = tokio::sync::watch::channel(false);
    let stopped = || {
        let mut stopping = stop.subscribe();
        async move { drop(stopping.wait_for(|stop| *stop).await) }
    };
    let acting = async {
        waiting.change(Method::Patch, 0, finished()).await;
        until("its run goes on", || async {
            waiting.world.look(waiting.runs[0]).await.state == RunState::Skipped
        })
        .await;
        stop.send_replace(true);
    };
    tokio::join!(runner.run(stopped()), runner.watch_jobs(stopped()), acting);
    let others: BTreeMap<_, _> = waiting
        .seen()
        .await
        .into_iter()
        .enumerate()
        .skip(1)
        .collect();
    assert!(others.values().all(Option::is_none), "{others:?}");
}

#[tokio::test]
async fn a_wait_that_times_out_is_answered_with_nothing() {
    let waiting = Waiting::for_jobs(1).await;
    waiting.world.clock.advance(HOUR);
    assert_eq!(waiting.seen().await, [Some("200 null".to_owned())]);
}
