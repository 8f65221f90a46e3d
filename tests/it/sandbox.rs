//! Worker processes of the real binary: what they answer, what they hold, and that no script outlives or
//! outgrows them.

#![expect(
    clippy::unwrap_used,
    reason = "the helpers of tests fail like the tests themselves"
)]

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cuegate::config;
use cuegate::engine::{Advance, Moment, Outcome, When};
use cuegate::model::{
    Answer, DeadClass, Event, EventKey, EventKind, Failure, Program, RuleFile, RuleId, RuleSet,
    RuleSetId, RuleVersion, RunId, SourceName, Step,
};
use cuegate::sandbox::{Sandbox, SandboxError};
use serde_json::{Value, json};

const MIB: u64 = 1 << 20;

/// Nothing here takes this long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// What happens in another process can only be looked at again and again.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// No operation limit that is reached, so that a loop lasts until somebody ends it.
const ENDLESS: u64 = u64::MAX;

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
        received_at: "2026-03-01T12:00:00Z".parse().unwrap(),
        headers: BTreeMap::new(),
        body,
    })
}

fn moment() -> Moment {
    Moment {
        started_at: "2026-03-01T12:00:01Z".parse().unwrap(),
    }
}

async fn advance(sandbox: &Sandbox, program: &Arc<Program>, journal: &[Step]) -> Advance {
    sandbox
        .advance(program, RunId(1), moment(), &event("News"), journal)
        .await
        .expect("the sandbox is not stopping")
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
            at: "2026-03-01T12:00:02Z".parse().unwrap(),
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
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

fn status_bytes(pid: u32, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kilobytes = line.and_then(|line| line.trim_start_matches(':').split_whitespace().next());
    kilobytes.map_or(0, |number| number.parse::<u64>().unwrap() << 10)
}

#[tokio::test]
async fn a_run_is_advanced_call_by_call_in_a_worker() {
    let sandbox = sandbox(settings()).await;
    let program = program(
        r#"log::info("begun");
           let first = iconik::get("assets/v1/assets/a1/");
           let second = iconik::get("assets/v1/assets/" + first.next + "/");
           skip("seen " + second.title);"#,
    );
    let first = advance(&sandbox, &program, &[]).await;
    assert_eq!(first.logs[0].text, "begun");
    let mut journal = vec![answered(0, &first.outcome, json!({ "next": "a2" }))];
    let second = advance(&sandbox, &program, &journal).await.outcome;
    journal.push(answered(1, &second, json!({ "title": "it" })));
    let third = advance(&sandbox, &program, &journal).await.outcome;
    assert_eq!(third, Outcome::Skipped("seen it".to_owned()));
    // Whatever the workers remember by now, the same question has the same answer.
    assert_eq!(
        advance(&sandbox, &program, &journal[..1]).await.outcome,
        second
    );
    assert_eq!(advance(&sandbox, &program, &[]).await, first);
    let mut other = journal.clone();
    other[0].answer.body = json!({ "next": "a3" });
    other[0].answer.at = "2026-03-01T12:00:03Z".parse().unwrap();
    let elsewhere = advance(&sandbox, &program, &other[..1]).await.outcome;
    assert_ne!(elsewhere, second);
}

#[tokio::test]
async fn a_set_is_compiled_and_its_program_runs() {
    let sandbox = sandbox(settings()).await;
    let files = vec![
        file(
            "r.rhai",
            format!(
                "import \"lib/x\" as x;\n{}",
                source("fn run(event) { skip(x::why()); }")
            ),
        ),
        file("lib/x.rhai", "fn why() { \"because\" }"),
    ];
    let compiled = sandbox.compile(files.clone(), json!({})).await.unwrap();
    assert_eq!(compiled.diagnostics, []);
    let set = RuleSet {
        id: RuleSetId::from("s"),
        files,
        rules: compiled.rules,
        site: "https://iconik.test".to_owned(),
        vars: json!({}),
    };
    let program = Arc::new(set.program(&set.rules[0].rule).unwrap());
    let advance = advance(&sandbox, &program, &[]).await;
    assert_eq!(advance.outcome, Outcome::Skipped("because".to_owned()));
}

#[tokio::test]
async fn a_rule_that_does_not_compile_fails_its_runs_and_no_worker() {
    let sandbox = sandbox(settings()).await;
    let pids = sandbox.pids();
    let failure = failure(&sandbox, "let = ;").await;
    assert_eq!(failure.class, DeadClass::ScriptError);
    assert_eq!(sandbox.pids(), pids);
}

#[tokio::test]
async fn when_decides_about_every_event_in_order() {
    let sandbox = sandbox(settings()).await;
    let program = program_of(
        r#"fn when(event) { if event.data.title == "bad" { throw "no"; } event.data.title == "yes" }
           fn run(event) { }"#,
    );
    let titles = ["yes", "no", "bad", "yes"];
    let events: Vec<_> = (0..300).map(|n| event(titles[n % 4])).collect();
    let answers = sandbox.when(&program, &events).await.unwrap();
    assert_eq!(answers.len(), events.len());
    for (n, answer) in answers.iter().enumerate() {
        match (titles[n % 4], answer) {
            ("yes", When::Yes) | ("no", When::No) | ("bad", When::Failed(_)) => {}
            (title, other) => panic!("{n} {title}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn only_the_event_on_which_when_uses_up_its_time_fails() {
    let sandbox = sandbox(config::Sandbox {
        workers: 1,
        operations: ENDLESS,
        ..settings()
    })
    .await;
    let program = program_of(
        r#"fn when(event) { if event.data.title == "bad" { loop { } } true }
           fn run(event) { }"#,
    );
    let events: Vec<_> = ["a", "b", "bad", "c", "bad"].map(event).into();
    let answers = sandbox.when(&program, &events).await.unwrap();
    let failed: Vec<bool> = answers
        .iter()
        .map(|a| matches!(a, When::Failed(_)))
        .collect();
    assert_eq!(failed, [false, false, true, false, true]);
    let When::Failed(failure) = &answers[2] else {
        unreachable!()
    };
    assert_eq!(failure.class, DeadClass::Limit);
    assert!(failure.message.contains("the limit is 50ms"), "{failure}");
}

#[tokio::test]
async fn an_endless_loop_is_ended_by_the_operation_limit_without_losing_a_worker() {
    let sandbox = sandbox(settings()).await;
    let pids = sandbox.pids();
    assert_eq!(failure(&sandbox, LOOP).await.class, DeadClass::Limit);
    assert_eq!(sandbox.pids(), pids);
}

#[tokio::test]
async fn a_script_that_uses_up_its_processor_time_ends_with_its_worker_and_says_the_limit() {
    let sandbox = sandbox(config::Sandbox {
        cpu: Duration::from_millis(300),
        operations: ENDLESS,
        ..settings()
    })
    .await;
    let begun = Instant::now();
    let failure = failure(&sandbox, LOOP).await;
    assert_eq!(failure.class, DeadClass::Limit);
    assert!(failure.message.contains("the limit is 300ms"), "{failure}");
    assert!(begun.elapsed() < PATIENCE);
    assert_eq!(outcome(&sandbox, "").await, Outcome::Finished);
    eventually("both workers are there again", || {
        sandbox.report().alive == 2
    })
    .await;
}

#[tokio::test]
async fn a_script_that_does_not_end_in_wall_time_ends_as_limit() {
    let sandbox = sandbox(config::Sandbox {
        workers: 1,
        cpu: Duration::from_secs(3600),
        wall: Duration::from_millis(200),
        operations: ENDLESS,
        ..settings()
    })
    .await;
    let failure = failure(&sandbox, LOOP).await;
    assert_eq!(failure.class, DeadClass::Limit);
    assert!(failure.message.contains("200ms of wall time"), "{failure}");
}

#[tokio::test]
async fn scripts_that_amplify_memory_end_below_the_cap_while_other_runs_go_on() {
    let sandbox = sandbox(config::Sandbox {
        string_bytes: 1 << 20,
        elements: 100_000,
        operations: 1_000_000,
        ..settings()
    })
    .await;
    let peak = {
        let sandbox = Arc::clone(&sandbox);
        let mut peak = 0;
        tokio::spawn(async move {
            loop {
                for pid in sandbox.pids() {
                    peak = status_bytes(pid, "VmHWM").max(peak);
                    assert!(peak < 300 * MIB, "a worker took {peak} bytes");
                }
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        })
    };
    let bombs = [
        r#"let s = "a"; s.pad(60000, "x"); let t = s; s.replace("x", t); s.replace("x", t);"#,
        r#"let s = "a"; s.pad(900000, "x"); let f = Fn("run"); let i = 0; loop { f = f.curry(s + i); i += 1; }"#,
        r#"let s = "a"; s.pad(900000, "x"); let a = []; a.pad(9000, 0); for i in 0..9000 { a[i] = s + i; }"#,
        r#"let s = "a"; s.pad(900000, "x"); let a = []; a.pad(9000, s); let b = `${a}`;"#,
    ];
    for bomb in bombs {
        let (failure, other) =
            tokio::join!(failure(&sandbox, bomb), outcome(&sandbox, "let x = 1;"));
        assert!(
            matches!(
                failure.class,
                DeadClass::Limit | DeadClass::Crash | DeadClass::ScriptError
            ),
            "{failure}"
        );
        assert_eq!(other, Outcome::Finished);
    }
    assert!(!peak.is_finished(), "{:?}", peak.await);
    peak.abort();
}

#[tokio::test]
async fn a_script_that_runs_out_of_memory_says_so() {
    let sandbox = sandbox(config::Sandbox {
        workers: 1,
        memory_bytes: 32 * MIB,
        string_bytes: 1 << 20,
        elements: 100_000,
        ..settings()
    })
    .await;
    let bomb = r#"let s = "a"; s.pad(900000, "x"); let a = []; a.pad(900, 0); for i in 0..900 { a[i] = s + i; }"#;
    let failure = failure(&sandbox, bomb).await;
    assert_eq!(failure.class, DeadClass::Limit, "{failure}");
    assert!(failure.message.contains("more memory"), "{failure}");
}

#[tokio::test]
async fn a_deep_chain_of_closures_harms_no_worker() {
    let sandbox = sandbox(config::Sandbox {
        operations: 1_000_000,
        ..settings()
    })
    .await;
    let pids = sandbox.pids();
    let chain = "let f = || 0; for i in 0..200000 { let g = f; f = || g; }";
    let ended = outcome(&sandbox, chain).await;
    let harmless = match &ended {
        Outcome::Finished => true,
        Outcome::Failed(failure) => failure.class == DeadClass::Limit,
        _ => false,
    };
    assert!(harmless, "{ended:?}");
    assert_eq!(sandbox.pids(), pids);
}

#[tokio::test]
async fn a_run_whose_worker_is_killed_from_outside_is_advanced_again() {
    let sandbox = sandbox(config::Sandbox {
        workers: 1,
        cpu: Duration::from_secs(60),
        operations: 5_000_000,
        ..settings()
    })
    .await;
    let pid = sandbox.pids()[0];
    let idle_ticks = cpu_ticks(pid);
    let body = "let x = 0; while x < 400000 { x += 1; } skip(`counted to ${x}`);";
    let run = {
        let sandbox = Arc::clone(&sandbox);
        let program = program(body);
        tokio::spawn(async move { advance(&sandbox, &program, &[]).await })
    };
    eventually("the script is busy", || cpu_ticks(pid) > idle_ticks + 2).await;
    kill(pid);
    let outcome = run.await.unwrap().outcome;
    assert_eq!(outcome, Outcome::Skipped("counted to 400000".to_owned()));
    assert_ne!(sandbox.pids(), [pid]);
}

#[tokio::test]
async fn a_worker_that_is_killed_while_idle_is_replaced_before_anything_is_asked_of_it() {
    let sandbox = sandbox(config::Sandbox {
        workers: 1,
        ..settings()
    })
    .await;
    let pid = sandbox.pids()[0];
    kill(pid);
    eventually("the report shows it", || sandbox.report().alive == 0).await;
    assert_eq!(outcome(&sandbox, "").await, Outcome::Finished);
    assert_eq!(sandbox.report().alive, 1);
}

#[tokio::test]
async fn a_request_that_is_given_up_takes_its_worker_along_and_the_next_one_finds_a_fresh_one() {
    let sandbox = sandbox(config::Sandbox {
        workers: 1,
        cpu: Duration::from_secs(60),
        operations: ENDLESS,
        ..settings()
    })
    .await;
    let pid = sandbox.pids()[0];
    let idle_ticks = cpu_ticks(pid);
    let run = {
        let sandbox = Arc::clone(&sandbox);
        tokio::spawn(async move { outcome(&sandbox, LOOP).await })
    };
    eventually("the script is busy", || cpu_ticks(pid) > idle_ticks + 2).await;
    run.abort();
    assert_eq!(
        outcome(&sandbox, "skip(\"next\");").await,
        Outcome::Skipped("next".to_owned())
    );
    eventually("the process is gone", || !exists(pid)).await;
}

#[tokio::test]
async fn a_worker_has_no_environment_no_files_and_a_limited_address_space() {
    let sandbox = sandbox(settings()).await;
    for pid in sandbox.pids() {
        assert_eq!(fs::read(format!("/proc/{pid}/environ")).unwrap(), b"");
        let descriptors: Vec<(String, String)> = fs::read_dir(format!("/proc/{pid}/fd"))
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| {
                let target = fs::read_link(entry.path()).unwrap();
                (
                    entry.file_name().into_string().unwrap(),
                    target.display().to_string(),
                )
            })
            .collect();
        assert_eq!(descriptors.len(), 3, "{descriptors:?}");
        assert!(
            descriptors
                .iter()
                .all(|(_, target)| target.starts_with("pipe:")),
            "{descriptors:?}"
        );
        let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
        let limit_of = |name: &str| {
            let line = limits
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .unwrap();
            line.split_whitespace().next().unwrap().to_owned()
        };
        let address_space: u64 = limit_of("Max address space").parse().unwrap();
        assert!(address_space < 128 * MIB + 512 * MIB, "{address_space}");
        assert_eq!(limit_of("Max open files"), "3");
        assert_eq!(limit_of("Max core file size"), "0");
        assert_eq!(
            fs::read_link(format!("/proc/{pid}/cwd")).unwrap(),
            PathBuf::from("/")
        );
    }
    let layers = sandbox.report().layers.unwrap();
    assert!(layers.descriptors && layers.address_space, "{layers:?}");
}

#[tokio::test]
async fn inherited_descriptors_are_closed_in_a_worker() {
    // The shell leaves descriptor 9 open for what it starts.
    let script = format!(
        "exec 9</dev/null; exec {} sandbox-worker",
        binary().display()
    );
    let mut worker = Worker::spawn(Command::new("sh").arg("-c").arg(script));
    worker.send(&setup());
    assert!(worker.receive().get("Ready").is_some());
    assert!(!PathBuf::from(format!("/proc/{}/fd/9", worker.0.id())).exists());
}

#[tokio::test]
async fn workers_end_with_the_sandbox() {
    let sandbox = sandbox(settings()).await;
    let pids = sandbox.pids();
    assert!(pids.iter().all(|pid| exists(*pid)));
    drop(sandbox);
    eventually("they are gone", || !pids.iter().any(|pid| exists(*pid))).await;
}

#[tokio::test]
async fn stopping_lets_a_request_end_refuses_the_next_and_leaves_no_process() {
    let sandbox = sandbox(config::Sandbox {
        workers: 1,
        operations: 5_000_000,
        cpu: Duration::from_secs(60),
        ..settings()
    })
    .await;
    let pid = sandbox.pids()[0];
    let idle_ticks = cpu_ticks(pid);
    let run = {
        let sandbox = Arc::clone(&sandbox);
        tokio::spawn(
            async move { outcome(&sandbox, "let x = 0; while x < 200000 { x += 1; }").await },
        )
    };
    eventually("the script is busy", || cpu_ticks(pid) > idle_ticks + 2).await;
    sandbox.stop().await;
    assert!(!exists(pid));
    assert_eq!(sandbox.report().alive, 0);
    assert_eq!(run.await.unwrap(), Outcome::Finished);
    let refused = sandbox
        .advance(&program(""), RunId(2), moment(), &event("x"), &[])
        .await;
    assert!(matches!(refused, Err(SandboxError::Stopping)));
}

#[tokio::test]
async fn a_program_that_is_no_worker_is_an_error_that_names_it() {
    for program in ["/nowhere/cuegate", "/bin/true"] {
        let error = Sandbox::start(&settings(), PathBuf::from(program))
            .await
            .expect_err("this is no worker");
        assert!(error.to_string().contains(program), "{error}");
    }
}

#[tokio::test]
async fn a_file_that_the_compiler_hangs_on_is_named_and_no_other() {
    let sandbox = sandbox(config::Sandbox {
        source_bytes: 4 << 20,
        compile: Duration::from_millis(700),
        ..settings()
    })
    .await;
    let parameters: Vec<String> = (0..100_000).map(|n| format!("p{n}")).collect();
    let bomb = format!("fn f({}) {{ 1 }}\n", parameters.join(","));
    let files = vec![
        file("good.rhai", source("fn run(event) { }")),
        file("bomb.rhai", source(&format!("{bomb} fn run(event) {{ }}"))),
        file("lib/fine.rhai", "fn one() { 1 }"),
    ];
    let compiled = sandbox.compile(files, json!({})).await.unwrap();
    let named: Vec<&str> = compiled
        .diagnostics
        .iter()
        .map(|d| d.file.as_str())
        .collect();
    assert_eq!(named, ["bomb.rhai"]);
    let message = &compiled.diagnostics[0].message;
    assert!(message.starts_with("compiling this file took"), "{message}");
    assert!(compiled.rules.is_empty());
    assert_eq!(outcome(&sandbox, "").await, Outcome::Finished);
}

/// A worker spoken to without the sandbox around it.
struct Worker(Child);

impl Worker {
    fn spawn(command: &mut Command) -> Self {
        let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        Self(
            pipes
                .stderr(Stdio::null())
                .spawn()
                .expect("the binary starts"),
        )
    }

    fn send(&mut self, request: &Value) {
        let json = serde_json::to_vec(request).unwrap();
        let mut frame = u32::try_from(json.len()).unwrap().to_le_bytes().to_vec();
        frame.extend(json);
        self.0.stdin.as_mut().unwrap().write_all(&frame).unwrap();
    }

    fn receive(&mut self) -> Value {
        let stdout = self.0.stdout.as_mut().unwrap();
        let mut length = [0; 4];
        stdout.read_exact(&mut length).unwrap();
        let mut json = vec![0; usize::try_from(u32::from_le_bytes(length)).unwrap()];
        stdout.read_exact(&mut json).unwrap();
        serde_json::from_slice(&json).unwrap()
    }

    async fn ends(&mut self) -> std::process::ExitStatus {
        let mut status = None;
        eventually("the worker has ended", || {
            status = self.0.try_wait().unwrap();
            status.is_some()
        })
        .await;
        status.unwrap()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ended_already = self.0.kill();
        let _gone = self.0.wait();
    }
}

fn setup() -> Value {
    json!({ "Setup": { "memory_bytes": 128 * MIB, "limits": {
        "operations": ENDLESS, "string_bytes": 16384, "elements": 2000,
        "source_bytes": 32768, "log_bytes": 65536,
    } } })
}

fn worker() -> Worker {
    let mut worker = Worker::spawn(Command::new(binary()).arg("sandbox-worker").env_clear());
    worker.send(&setup());
    assert!(worker.receive().get("Ready").is_some());
    worker
}

#[tokio::test]
async fn an_idle_worker_ends_when_its_pipe_is_closed() {
    let mut worker = worker();
    drop(worker.0.stdin.take());
    assert!(worker.ends().await.success());
}

#[tokio::test]
async fn a_busy_worker_ends_when_its_pipe_is_closed() {
    let mut worker = worker();
    let program = program(LOOP);
    worker.send(&json!({ "Load": { "rule": 1, "program": &*program, "forget": [] } }));
    assert_eq!(worker.receive(), "Loaded");
    let idle_ticks = cpu_ticks(worker.0.id());
    worker.send(&json!({ "Advance": {
        "rule": 1, "moment": moment(), "base": { "Event": &*event("x") }, "steps": [],
    } }));
    let pid = worker.0.id();
    eventually("the script is busy", || cpu_ticks(pid) > idle_ticks + 2).await;
    drop(worker.0.stdin.take());
    assert!(worker.ends().await.success());
}

#[tokio::test]
async fn a_worker_ends_rather_than_guess_what_a_broken_request_means() {
    for request in [json!({ "Advance": {} }), json!(7), setup()] {
        let mut worker = worker();
        worker.send(&request);
        assert!(!worker.ends().await.success(), "{request}");
    }
}
