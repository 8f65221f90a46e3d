//! Worker processes of the real binary: what they answer, what they hold, and that no script outlives or
//! outgrows them.

mod contained;
mod deaths;
mod limits;
mod runs;
mod turns;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cuegate::config;
use cuegate::engine::{Advance, Moment, Outcome, When};
use cuegate::model::{
    Answer, DeadClass, Event, EventKey, EventKind, Failure, Program, QuerySource, RuleFile, RuleId,
    RuleSet, RuleSetId, RuleVersion, RunId, SourceName, Step,
};
use cuegate::sandbox::{Sandbox, SandboxError};
use jiff::Timestamp;
use serde_json::{Value, json};

const MIB: u64 = 1 << 20;

/// Nothing here takes this long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// What happens in another process can only be looked at again and again.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// No operation limit that is reached, so that a loop lasts until somebody ends it.
const ENDLESS: u64 = u64::MAX;

/// More processor time than a worker needs to start and to compile a rule, in ticks of ten milliseconds.
const BUSY_TICKS: u64 = 60;

const LOOP: &str = "let x = 0; loop { x += 1; }";

fn settings() -> config::Sandbox {
    config::Sandbox {
        workers: 2,
        memory_bytes: 128 * MIB,
        cpu: Duration::from_secs(2),
        wall: Duration::from_secs(60),
        operations: 100_000,
        string_bytes: 16 << 10,
        elements: 2_000,
        source_bytes: 32 << 10,
        compile: Duration::from_secs(2),
        log_bytes: 64 << 10,
    }
}

async fn sandbox(settings: config::Sandbox) -> Arc<Sandbox> {
    Sandbox::start(&settings, binary())
        .await
        .expect("the built binary is a worker")
}

fn binary() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_cuegate"))
}

fn file(path: &str, source: impl Into<String>) -> RuleFile {
    RuleFile {
        path: path.to_owned(),
        source: source.into(),
    }
}

fn source(functions: &str) -> String {
    format!("rule(#{{ on: [\"assets/*/*\"], allow: [\"assets:write\"] }});\n{functions}\n")
}

/// The program of a rule with these functions, not compiled before.
fn program_of(functions: &str) -> Arc<Program> {
    Arc::new(Program {
        rule: RuleId::from("r"),
        version: RuleVersion::from(functions),
        allow: vec!["assets:write".to_owned()],
        groups: Vec::new(),
        progress: None,
        calls_max: 200,
        main: file("r.rhai", source(functions)),
        libraries: Vec::new(),
        site: "https://iconik.test".to_owned(),
        vars: json!({}),
    })
}

fn program(body: &str) -> Arc<Program> {
    program_of(&format!("fn run(event) {{ {body} }}"))
}

fn time(text: &str) -> Timestamp {
    text.parse().expect("the test writes times as ISO-8601")
}

fn event(title: &str) -> Arc<Event> {
    let source = SourceName::from("iconik");
    let body = json!({
        "event_type": "assets", "realm": "entity", "operation": "create", "object_id": "a1",
        "data": { "title": title },
    });
    let key = EventKey::of_iconik(&source, EventKind::Webhook, &body);
    Arc::new(Event {
        id: key.event_id(0),
        key,
        window: 0,
        source,
        kind: EventKind::Webhook,
        received_at: time("2026-03-01T12:00:00Z"),
        headers: BTreeMap::new(),
        body,
    })
}

fn moment() -> Moment {
    Moment::of_run(time("2026-03-01T12:00:01Z"))
}

async fn advance(sandbox: &Sandbox, program: &Arc<Program>, journal: &[Step]) -> Advance {
    sandbox
        .advance(program, RunId(1), &moment(), &event("News"), journal)
        .await
        .expect("the sandbox is not stopping")
        .advance
}

async fn outcome(sandbox: &Sandbox, body: &str) -> Outcome {
    advance(sandbox, &program(body), &[]).await.outcome
}

async fn failure(sandbox: &Sandbox, body: &str) -> Failure {
    match outcome(sandbox, body).await {
        Outcome::Failed(failure) => failure,
        other => panic!("{body} ended as {other:?}"),
    }
}

fn answered(number: u32, outcome: &Outcome, body: Value) -> Step {
    let Outcome::Effect(effect) = outcome else {
        panic!("there is no effect to answer: {outcome:?}")
    };
    Step {
        number,
        digest: effect.digest(),
        effect: effect.clone(),
        answer: Answer {
            status: 200,
            body,
            at: time("2026-03-01T12:00:02Z"),
        },
    }
}

/// Waits, without holding up the runtime, until `condition` is true.
async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "in vain waited until {what}");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

fn exists(pid: u32) -> bool {
    // A zombie still has a directory, but no memory.
    fs::read_to_string(format!("/proc/{pid}/statm")).is_ok_and(|statm| !statm.starts_with("0 "))
}

fn cpu_ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.split(' ').collect();
    fields
        .get(13)
        .and_then(|user| user.parse().ok())
        .unwrap_or(0)
}

fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).expect("no process is number 0");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL)
        .expect("the process is there and ours");
}

fn status_bytes(pid: u32, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kilobytes = line.and_then(|line| line.trim_start_matches(':').split_whitespace().next());
    let kilobytes = kilobytes.and_then(|number| number.parse::<u64>().ok());
    kilobytes.unwrap_or(0) << 10
}
