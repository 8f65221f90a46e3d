//! Rules that want to hang, exhaust, crash or trick the gateway. Each ends as a table says and in time, and
//! while they run, the gateway answers, other rules work, and no worker outgrows its cap.

mod callbacks;
mod corpus;
mod stage;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cuegate::config;
use cuegate::model::{LogLine, Run, RunState};
use cuegate::sandbox::Sandbox;
use cuegate::simulator::Simulator;
use serde_json::json;
use tokio::task::JoinHandle;

use self::corpus::Case;
use self::stage::{Stage, Visitor, Workers, of_rule};

/// `/healthz` must never take longer than this, however busy the workers are.
const HEALTH_WITHIN: Duration = Duration::from_secs(2);

/// How often health is asked for, memory is looked at and other work is posted.
const EVERY: Duration = Duration::from_millis(50);

const MIB: u64 = 1 << 20;

/// What a worker may take: its program, its stack, and the cap of the configuration.
const STACK_BYTES: u64 = 64 * MIB;
const CAP_BYTES: u64 = 128 * MIB;

const SANDBOX: &str = "cpu = \"1s\"\nwall = \"3s\"";

const ORDINARY: &str = r#"
rule(#{ on: ["ordinary/run/*"], allow: ["assets:write"], lane: "none" });

fn run(event) {
    let asset = iconik::asset("ordinary");
    iconik::patch(`assets/v1/assets/${asset.id}/`, #{ title: `turn ${event.data.turn}` });
}
"#;

fn cases() -> Vec<Case> {
    let mut cases = corpus::own();
    cases.extend(corpus::generated());
    cases.extend(corpus::field());
    cases
}

#[tokio::test]
async fn a_script_that_cannot_be_a_rule_is_refused_with_a_finding_and_harms_no_worker() {
    let sandbox = config::Sandbox::default();
    let sandbox = Sandbox::start(&sandbox, stage::program())
        .await
        .expect("the built program is a worker");
    let pids = sandbox.pids();
    let mut wrong = Vec::new();
    for case in cases() {
        let begun = Instant::now();
        let compiled = sandbox.compile(vec![case.file()], json!({})).await.unwrap();
        let took = begun.elapsed();
        let outcome = match compiled.diagnostics.first() {
            Some(finding) => format!("finding: {}", finding.message),
            None => "compiles".to_owned(),
        };
        if outcome == "compiles" && case.compiles() && took < case.within {
            continue;
        }
        if case.compiles() || !case.is_met_by(&outcome) || took >= case.within {
            wrong.push(format!("{}: {outcome} after {took:?}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(sandbox.pids(), pids, "a worker was lost");
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_rules_end_as_the_table_says_while_everything_else_goes_on() {
    let cases: Vec<Case> = cases().into_iter().filter(Case::compiles).collect();
    let mut rules: Vec<(String, String)> = cases
        .iter()
        .map(|case| (case.file().path, case.file().source))
        .collect();
    rules.push(("ordinary.rhai".to_owned(), ORDINARY.to_owned()));
    let stage = Stage::open(
        &rules,
        SANDBOX,
        json!({ "assets": [
            { "id": "ordinary", "title": "Ordinary" }, { "id": "swallowed", "title": "Before" }, { "id": "never", "title": "Stays" },
        ] }),
    )
    .await;
    let bystander = Bystander::begin(stage.visitor(), stage.workers());
    let visitor = stage.visitor();
    let mut took = Vec::new();
    for case in &cases {
        let begun = Instant::now();
        visitor.post("hostile", &case.name, json!({})).await;
        stage.ended(&case.name, 1).await;
        took.push(begun.elapsed());
    }
    let seen = bystander.end().await;
    stage.ended("ordinary", seen.turns).await;
    let (runs, simulator) = stage.close().await;

    let mut wrong = Vec::new();
    for (case, took) in cases.iter().zip(took) {
        let found = of_rule(&runs, &case.name);
        assert_eq!(found.len(), 1, "{}", case.name);
        let outcome = outcome(&found[0].0);
        if !case.is_met_by(&outcome) || took > case.within {
            wrong.push(format!("{} after {took:?}: {outcome}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    everything_else_went_on(&seen, &runs);
    only_what_was_allowed_went_out(&simulator);
    simulator.stop().await;
}

fn everything_else_went_on(seen: &Seen, runs: &[(Run, Vec<LogLine>)]) {
    let (turns, slowest, peak) = (seen.turns, seen.slowest, seen.peak_bytes);
    let ordinary = of_rule(runs, "ordinary");
    assert!(turns > 10, "only {turns} other events were posted");
    assert_eq!(ordinary.len(), turns);
    for (run, _) in ordinary {
        assert_eq!(run.state, RunState::Succeeded, "{}", outcome(run));
    }
    assert!(slowest < HEALTH_WITHIN, "/healthz took {slowest:?}");
    let program = std::fs::metadata(stage::program()).expect("the program is a file");
    let most = program.len() + STACK_BYTES + CAP_BYTES;
    assert!(
        peak > 0 && peak < most,
        "a worker took {peak} of {most} bytes"
    );
}

fn only_what_was_allowed_went_out(simulator: &Simulator) {
    let mut titles = Vec::new();
    for request in simulator.requests() {
        assert_ne!(request.method, "DELETE", "nothing here may delete");
        assert_ne!(request.path, "assets/v1/assets/never/");
        if request.path == "assets/v1/assets/swallowed/" {
            titles.push(request.body["title"].clone());
        }
    }
    assert_eq!(titles, ["first", "second"]);
}

/// A run's end in words: its state, or the class of its death, and why.
fn outcome(run: &Run) -> String {
    match &run.failure {
        Some(failure) => format!("{}: {}", failure.class.as_str(), failure.message),
        None => format!(
            "{}: {}",
            run.state.as_str(),
            run.reason.as_deref().unwrap_or("")
        ),
    }
}

/// Somebody who uses the gateway meanwhile, and watches it.
struct Bystander {
    done: Arc<AtomicBool>,
    health: JoinHandle<Duration>,
    memory: JoinHandle<u64>,
    work: JoinHandle<usize>,
}

struct Seen {
    slowest: Duration,
    peak_bytes: u64,
    turns: usize,
}

impl Bystander {
    fn begin(visitor: Visitor, workers: Workers) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let ticks = || {
            let done = Arc::clone(&done);
            let mut interval = tokio::time::interval(EVERY);
            async move |()| {
                interval.tick().await;
                !done.load(Ordering::Relaxed)
            }
        };
        let (mut health_tick, mut memory_tick, mut work_tick) = (ticks(), ticks(), ticks());
        let asking = visitor.clone();
        let health = tokio::spawn(async move {
            let mut slowest = Duration::ZERO;
            while health_tick(()).await {
                let begun = Instant::now();
                assert_eq!(asking.health().await, 200);
                slowest = slowest.max(begun.elapsed());
            }
            slowest
        });
        let memory = tokio::spawn(async move {
            let mut peak = 0;
            while memory_tick(()).await {
                peak = workers.peak_bytes().max(peak);
            }
            peak
        });
        let work = tokio::spawn(async move {
            let mut turns = 0;
            while work_tick(()).await {
                visitor
                    .post("ordinary", "go", json!({ "turn": turns }))
                    .await;
                turns += 1;
            }
            turns
        });
        Self {
            done,
            health,
            memory,
            work,
        }
    }

    async fn end(self) -> Seen {
        self.done.store(true, Ordering::Relaxed);
        Seen {
            slowest: self
                .health
                .await
                .expect("the gateway answered all the while"),
            peak_bytes: self.memory.await.expect("memory can be looked at"),
            turns: self.work.await.expect("every event was taken"),
        }
    }
}
