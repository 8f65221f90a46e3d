//! How many stored events a second are decided about, and what of that is asking the rules.
//!
//! A backlog is accepted, then the router takes it on as in the gateway: `when` in the sandbox's worker
//! processes, then decisions, events and cursor in one transaction. Beside it, the same questions are put to
//! the sandbox alone and, on one thread, to the engine in this process.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

#[path = "measure/events.rs"]
mod events;
#[path = "measure/figures.rs"]
mod figures;
#[path = "measure/machine.rs"]
mod machine;
#[path = "measure/rules.rs"]
mod rules;
#[path = "measure/stored.rs"]
mod stored;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use cuegate::app::ScriptWorkers;
use cuegate::authoring;
use cuegate::clock::SystemClock;
use cuegate::config::Config;
use cuegate::engine::{EngineLimits, Rule, When};
use cuegate::model::{Event, Program, RuleSet};
use cuegate::quarantine::Quarantine;
use cuegate::router::{Router, Step};
use cuegate::sandbox::Sandbox;
use cuegate::store::{SqliteOptions, SqliteStore, Store};
use serde_json::json;
use tokio::sync::watch;

use self::figures::{Rounds, Series};
use self::machine::machine;

const BODY_BYTES: usize = 2048;

/// How many events wait when the router begins.
const BACKLOG: u64 = 2048;

/// How many of them are accepted together.
const ACCEPTED_TOGETHER: u64 = 256;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let rounds = Rounds::of(1, Duration::from_secs(20))?;
    println!(
        "\nroute: events of {BODY_BYTES} bytes a second, from a backlog of {BACKLOG} in the inbox"
    );
    println!("  {}", machine());
    println!("  {rounds}");
    println!("  two of four rules have a `when` that is asked about every event and declines");
    let config = Config::default().sandbox;
    let sandbox = Sandbox::start(&config, PathBuf::from(env!("CARGO_BIN_EXE_cuegate"))).await?;
    let set = rule_set(&sandbox).await?;
    let asked = asked(&set);
    let limits = EngineLimits {
        operations: config.operations,
        string_bytes: config.string_bytes,
        elements: config.elements,
        source_bytes: config.source_bytes,
        log_bytes: config.log_bytes,
    };
    let loaded = asked
        .iter()
        .map(|program| Rule::load(Arc::clone(program), &limits))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|failure| anyhow::anyhow!("{failure}"))?;

    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let options = SqliteOptions::at(directory.path().join("cuegate.db"));
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(options, Arc::new(SystemClock)).await?);
    store.activate_rule_set(set.clone()).await?;
    let (rules, own) = (
        watch::Sender::new(Some(Arc::new(set))),
        watch::Sender::new(Some(events::DOMAIN.to_owned())),
    );
    let mut bench = Bench {
        router: Router::new(
            Arc::clone(&store),
            Arc::new(ScriptWorkers(Arc::clone(&sandbox))),
            rules.subscribe(),
            own.subscribe(),
            Arc::new(SystemClock),
            Arc::new(Quarantine::new(Arc::clone(&store), Arc::new(SystemClock))),
        ),
        store,
        sandbox: Arc::clone(&sandbox),
        asked,
        loaded,
        routed: 0,
    };
    bench.measure(rounds).await?;
    bench.store.close().await?;
    sandbox.stop().await;
    Ok(())
}

struct Bench {
    router: Router,
    store: Arc<dyn Store>,
    sandbox: Arc<Sandbox>,
    /// The rules that have something to say about every event.
    asked: Vec<Arc<Program>>,
    loaded: Vec<Rule>,
    routed: u64,
}

impl Bench {
    async fn measure(&mut self, rounds: Rounds) -> anyhow::Result<()> {
        let (mut routed, mut sandboxed, mut inside) =
            (Series::default(), Series::default(), Series::default());
        for _ in 0..rounds.count {
            let until = Instant::now() + rounds.each;
            while Instant::now() < until {
                let events = self.accept_backlog().await?;
                routed.push(rate(self.route().await?));
                sandboxed.push(rate(self.ask_sandbox(&events).await?));
                inside.push(rate(self.ask_here(&events)?));
            }
        }
        println!("\n  routed                        /s  {}", routed.show(0));
        println!("  the same questions, sandbox   /s  {}", sandboxed.show(0));
        println!(
            "  the same questions, one thread here /s  {}",
            inside.show(0)
        );
        println!(
            "  routed, as part of that           {}",
            routed.ratio_to(&inside).show(2)
        );
        println!(
            "  sandbox, as part of that          {}",
            sandboxed.ratio_to(&inside).show(2)
        );
        Ok(())
    }

    async fn accept_backlog(&self) -> anyhow::Result<Vec<Arc<Event>>> {
        let numbers = self.routed..self.routed + BACKLOG;
        let events: Vec<Event> = numbers
            .map(|number| stored::event(number, BODY_BYTES))
            .collect();
        for batch in events.chunks(usize::try_from(ACCEPTED_TOGETHER)?) {
            self.store.accept(batch.to_vec()).await?;
        }
        Ok(events.into_iter().map(Arc::new).collect())
    }

    async fn route(&mut self) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        loop {
            match self.router.route_batch().await? {
                Step::Routed { .. } => {}
                Step::Idle => break,
                stuck => bail!("the router stands still: {stuck:?}"),
            }
        }
        let took = begun.elapsed();
        self.routed += BACKLOG;
        let counts = self.store.counts().await?;
        let kept: u64 = counts.events.iter().map(|(_, count)| count).sum();
        ensure!(
            counts.unrouted == 0 && kept == self.routed && counts.runs.is_empty(),
            "{} events were accepted, and the store has {counts:?}",
            self.routed
        );
        Ok(took)
    }

    /// In batches and side by side, as the router asks.
    async fn ask_sandbox(&self, events: &[Arc<Event>]) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        for batch in events.chunks(usize::try_from(ACCEPTED_TOGETHER)?) {
            let questions = self
                .asked
                .iter()
                .map(|program| self.sandbox.when(program, batch, u32::MAX));
            for answers in futures_util::future::try_join_all(questions).await? {
                ensure!(
                    answers.answers.iter().all(|answer| *answer == When::No),
                    "a rule did not decline"
                );
            }
        }
        Ok(begun.elapsed())
    }

    fn ask_here(&self, events: &[Arc<Event>]) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        for event in events {
            for rule in &self.loaded {
                ensure!(rule.when(event) == When::No, "a rule did not decline");
            }
        }
        Ok(begun.elapsed())
    }
}

async fn rule_set(sandbox: &Sandbox) -> anyhow::Result<RuleSet> {
    let files = rules::declining();
    let compiled = sandbox.compile(files.clone(), json!({})).await?;
    ensure!(
        compiled.diagnostics.is_empty(),
        "{:?}",
        compiled.diagnostics
    );
    let site = "https://app.iconik.io".to_owned();
    Ok(authoring::rule_set(files, compiled.rules, json!({}), site))
}

/// The programs that are asked about the measured event.
fn asked(set: &RuleSet) -> Vec<Arc<Program>> {
    let event = stored::event(0, BODY_BYTES);
    set.rules
        .iter()
        .filter(|rule| rule.has_when && rule.on.iter().any(|pattern| pattern.matches(&event)))
        .filter_map(|rule| set.program(&rule.rule).map(Arc::new))
        .collect()
}

fn rate(took: Duration) -> f64 {
    let backlog = u32::try_from(BACKLOG).expect("a backlog is small");
    f64::from(backlog) / took.as_secs_f64()
}
