//! What it costs that rules run in other processes: advances through the sandbox, compared with the same
//! advances in this process on one thread.
//!
//! An advance with a journal of n steps is measured as it happens in the gateway: the same run has just been
//! advanced with one step less (not measured), so a worker knows its event and all steps but the last. Every
//! outcome is compared with what the engine says in this process.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

#[path = "measure/events.rs"]
mod events;
#[path = "measure/figures.rs"]
mod figures;
#[path = "measure/machine.rs"]
mod machine;
#[path = "measure/stored.rs"]
mod stored;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use cuegate::config::Config;
use cuegate::engine::{Advance, EngineLimits, Moment, Outcome, Rule};
use cuegate::model::{Answer, Event, Program, RuleFile, RuleId, RuleVersion, RunId, Step};
use cuegate::sandbox::Sandbox;
use serde_json::{Value, json};

use self::figures::{Rounds, Series};
use self::machine::machine;

const BODY_BYTES: usize = 1536;

/// Lengths of the journals.
const STEPS: [usize; 3] = [0, 5, 20];

/// In this process; one after another; as many at once as there are workers.
const WAYS: u32 = 3;

const RULE: &str = include_str!("measure/typical.rhai");

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let lengths = u32::try_from(STEPS.len())?;
    let rounds = Rounds::of(WAYS * lengths, Duration::from_secs(45))?;
    let config = Config::default().sandbox;
    println!(
        "\nadvance: advances a second of a rule of {} lines with an event of {BODY_BYTES} bytes",
        RULE.lines().count()
    );
    println!("  {}", machine());
    println!("  {rounds}");
    println!(
        "  an answer in the journal has {} bytes; {} workers",
        asset().to_string().len(),
        config.workers
    );
    let limits = EngineLimits {
        operations: config.operations,
        string_bytes: config.string_bytes,
        elements: config.elements,
        source_bytes: config.source_bytes,
        log_bytes: config.log_bytes,
    };
    let program = Arc::new(program());
    let rule = Rule::load(Arc::clone(&program), &limits)
        .map_err(|failure| anyhow::anyhow!("{failure}"))?;
    let sandbox = Sandbox::start(&config, PathBuf::from(env!("CARGO_BIN_EXE_cuegate"))).await?;
    let event = Arc::new(stored::event(0, BODY_BYTES));
    for steps in STEPS {
        let case = Arc::new(Case::new(&rule, &program, &event, steps)?);
        let (mut inside, mut single, mut crowd) =
            (Series::default(), Series::default(), Series::default());
        for _ in 0..rounds.count {
            inside.push(case.here(&rule, rounds.each)?);
            single.push(case.sandboxed(&sandbox, 1, rounds.each).await?);
            crowd.push(
                case.sandboxed(&sandbox, config.workers, rounds.each)
                    .await?,
            );
        }
        println!("\n  {steps} step(s) in the journal");
        println!("    here, one thread        /s  {}", inside.show(0));
        println!("    sandbox, one at a time  /s  {}", single.show(0));
        println!(
            "      as part of here           {}  (guide 0.5)",
            single.ratio_to(&inside).show(2)
        );
        println!(
            "    sandbox, {} at a time    /s  {}",
            config.workers,
            crowd.show(0)
        );
        println!(
            "      as part of here           {}  (guide 0.5)",
            crowd.ratio_to(&inside).show(2)
        );
    }
    sandbox.stop().await;
    Ok(())
}

/// Makes every measured run another one.
static RUNS: AtomicI64 = AtomicI64::new(1);

/// One advance, and what comes of it.
struct Case {
    program: Arc<Program>,
    event: Arc<Event>,
    journal: Vec<Step>,
    expected: Advance,
}

impl Case {
    /// The advance of a run after `steps` answers.
    fn new(
        rule: &Rule,
        program: &Arc<Program>,
        event: &Arc<Event>,
        steps: usize,
    ) -> anyhow::Result<Self> {
        let mut journal = Vec::new();
        loop {
            let expected = rule.advance(&moment(), event, journal.clone().into());
            let Outcome::Effect(effect) = &expected.outcome else {
                bail!(
                    "the rule ended after {} steps: {:?}",
                    journal.len(),
                    expected.outcome
                );
            };
            if journal.len() == steps {
                return Ok(Self {
                    program: Arc::clone(program),
                    event: Arc::clone(event),
                    journal,
                    expected,
                });
            }
            journal.push(Step {
                number: u32::try_from(journal.len())?,
                digest: effect.digest(),
                effect: effect.clone(),
                answer: Answer {
                    status: 200,
                    body: asset(),
                    at: moment().started_at,
                },
            });
        }
    }

    /// Advances a second in this process, on one thread.
    fn here(&self, rule: &Rule, time: Duration) -> anyhow::Result<f64> {
        let journal = Arc::new(self.journal.clone());
        let mut clocked = Clocked::default();
        let until = Instant::now() + time;
        while Instant::now() < until {
            let begun = Instant::now();
            let advance = rule.advance(&moment(), &self.event, Arc::clone(&journal));
            clocked.add(begun.elapsed());
            ensure!(advance == self.expected, "another outcome: {advance:?}");
        }
        Ok(clocked.rate(1))
    }

    /// Advances a second through the sandbox with so many at once.
    async fn sandboxed(
        self: &Arc<Self>,
        sandbox: &Arc<Sandbox>,
        at_once: usize,
        time: Duration,
    ) -> anyhow::Result<f64> {
        let until = Instant::now() + time;
        let tasks: Vec<_> = (0..at_once)
            .map(|_| {
                let (case, sandbox) = (Arc::clone(self), Arc::clone(sandbox));
                tokio::spawn(async move { case.sandboxed_until(&sandbox, until).await })
            })
            .collect();
        let mut all = Clocked::default();
        for task in tasks {
            let one = task.await??;
            all.count += one.count;
            all.took += one.took;
        }
        Ok(all.rate(at_once))
    }

    async fn sandboxed_until(&self, sandbox: &Sandbox, until: Instant) -> anyhow::Result<Clocked> {
        let mut clocked = Clocked::default();
        while Instant::now() < until {
            let run = RunId(RUNS.fetch_add(1, Ordering::Relaxed));
            if let Some((_, before)) = self.journal.split_last() {
                sandbox
                    .advance(&self.program, run, &moment(), &self.event, before)
                    .await?;
            }
            let begun = Instant::now();
            let advance = sandbox
                .advance(&self.program, run, &moment(), &self.event, &self.journal)
                .await?
                .advance;
            clocked.add(begun.elapsed());
            ensure!(advance == self.expected, "another outcome: {advance:?}");
        }
        Ok(clocked)
    }
}

/// How long how many advances took.
#[derive(Default)]
struct Clocked {
    count: u32,
    took: Duration,
}

impl Clocked {
    fn add(&mut self, took: Duration) {
        self.count += 1;
        self.took += took;
    }

    /// A second, when so many went on at once all the time.
    #[expect(clippy::cast_precision_loss, reason = "workers are few")]
    fn rate(&self, at_once: usize) -> f64 {
        f64::from(self.count) / self.took.as_secs_f64() * at_once as f64
    }
}

fn program() -> Program {
    Program {
        rule: RuleId::from("typical"),
        version: RuleVersion::from("1"),
        allow: vec!["metadata:write".to_owned()],
        groups: Vec::new(),
        progress: None,
        calls_max: 200,
        main: RuleFile {
            path: "typical.rhai".to_owned(),
            source: RULE.to_owned(),
        },
        libraries: Vec::new(),
        site: "https://app.iconik.io".to_owned(),
        vars: json!({}),
    }
}

fn moment() -> Moment {
    Moment::of_run("2026-03-01T12:00:01Z".parse().expect("a time"))
}

/// What Iconik answers when an asset is read, about as long as it really is.
fn asset() -> Value {
    json!({
        "id": "2f1c7a52-8a0e-4a3c-9b6f-0a6f5b1d2c3e",
        "title": "SPORT_Evening game",
        "status": "ACTIVE",
        "archive_status": "NOT_ARCHIVED",
        "type": "ASSET",
        "category": null,
        "created_by_user": "7d9d6f0e-3c1b-4b58-9a45-61b0f0c8e9aa",
        "updated_by_user": "7d9d6f0e-3c1b-4b58-9a45-61b0f0c8e9aa",
        "date_created": "2026-02-27T09:12:44.120000",
        "date_modified": "2026-03-01T11:59:58.034000",
        "date_imported": "2026-02-27T09:12:44.120000",
        "external_id": "EVENING-2026-02-27",
        "external_link": null,
        "in_collections": ["6a4d0f1e-95f4-4a52-bd2f-3a1d1f5f8d11", "9c0c6fb1-2f36-4b7e-a1a4-4f2d6bb1b0aa"],
        "is_blocked": false,
        "is_online": true,
        "has_unconfirmed_persons": false,
        "last_archive_restore_date": null,
        "analyze_status": "N/A",
        "site_name": "app",
        "versions": [{
            "id": "ab1f1dd2-2c0e-45e8-8d3c-5a3d09a4c1de",
            "status": "ACTIVE",
            "analyze_status": "N/A",
            "archive_status": "NOT_ARCHIVED",
            "created_by_user": "7d9d6f0e-3c1b-4b58-9a45-61b0f0c8e9aa",
            "date_created": "2026-02-27T09:12:44.120000",
            "is_online": true,
            "transcribe_status": "N/A",
        }],
    })
}
