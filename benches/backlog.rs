//! What a run costs when few others wait and when a million do: claiming, settling, starting, memory and bytes.
//!
//! Each backlog is filled and measured by a process of its own over a fresh store, so that memory and start are its own.
//! A claim reads the run's event and journal besides the queue; that part does not depend on the queue but on the size of
//! the file, so it is measured apart: by a connection that has none of these pages in its cache either.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

#[path = "measure/events.rs"]
mod events;
#[path = "measure/machine.rs"]
mod machine;
#[path = "measure/stored.rs"]
mod stored;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use cuegate::clock::{Clock as _, SystemClock};
use cuegate::model::{LaneKey, RuleId, RuleSet, RuleSetId, RuleVersion};
use cuegate::store::{
    Accepts as _, Claim, Claiming, Decision, NewRun, Routed, Routing, Settle, Settlement,
    SqliteOptions, SqliteStore, Store as _,
};
use rusqlite::{Connection, OpenFlags};
use serde::{Deserialize, Serialize};
use serde_json::json;

use self::machine::machine;

/// The argument that makes this program fill and measure one backlog.
const ROLE: &str = "measure-backlog";

const BODY_BYTES: usize = 2048;

/// How many lanes the runs are spread over, and how many rules.
const LANES: u64 = 10_000;
const RULES: u64 = 20;

/// How many runs are claimed and settled for a figure: so many that the log is copied into the file a dozen times
/// meanwhile, and a time more or less does not count.
const SAMPLE: usize = 32_768;
const SHORT_SAMPLE: usize = 2_048;

/// How many of them at once.
const AT_ONCE: usize = 64;

/// The number of the first event that is filled up with; the others stay below it.
const FILLED_UP: u64 = 1 << 40;

/// How many events are accepted and routed together while the backlog is filled.
const TOGETHER: u64 = 512;

/// What was measured over one backlog.
#[derive(Debug, Serialize, Deserialize)]
struct Figures {
    runs: u64,
    fill_per_second: f64,
    bytes_per_event: f64,
    open_ms: f64,
    first_claim_ms: f64,
    claim_us: f64,
    settle_us: f64,
    payload_us: f64,
    accepted_alone: f64,
    accepted_beside: f64,
    drained_beside: f64,
    idle_mb: f64,
    peak_mb: f64,
}

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some(ROLE) {
        let runs = arguments.next().context("how many runs?")?.parse()?;
        let figures = tokio::runtime::Runtime::new()?.block_on(measure(runs))?;
        println!("{}", serde_json::to_string(&figures)?);
        return Ok(());
    }
    let sizes: &[u64] = if short() {
        &[1_000, 10_000]
    } else {
        &[1_000, 100_000, 1_000_000]
    };
    println!("\nbacklog: what one run costs while so many wait, {BODY_BYTES} bytes an event");
    println!("  {}", machine());
    let figures: Vec<Figures> = sizes
        .iter()
        .map(|runs| child(*runs))
        .collect::<Result<_, _>>()?;
    report(&figures);
    Ok(())
}

/// Whether it only has to be shown that this works.
fn short() -> bool {
    std::env::var_os("CUEGATE_BENCH_SECONDS").is_some()
}

fn child(runs: u64) -> anyhow::Result<Figures> {
    let output = Command::new(std::env::current_exe()?)
        .args([ROLE, &runs.to_string()])
        .stderr(std::process::Stdio::inherit())
        .output()?;
    ensure!(
        output.status.success(),
        "the measurement ended with {}",
        output.status
    );
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn report(figures: &[Figures]) {
    let Some(first) = figures.first() else {
        return;
    };
    println!(
        "\n  {:>9}  {:>14}  {:>14}  {:>12}  {:>9}  {:>11}  {:>17}  {:>9}",
        "waiting",
        "claim µs",
        "settle µs",
        "payload µs",
        "start ms",
        "MB (peak)",
        "accept/s beside",
        "bytes/ev"
    );
    for figure in figures {
        println!(
            "  {:>9}  {:>7.1} ({:.2}x)  {:>7.1} ({:.2}x)  {:>12.1}  {:>9.0}  {:>4.0} ({:>4.0})  {:>9.0} ({:.2}x)  {:>9.0}",
            figure.runs,
            figure.claim_us,
            figure.claim_us / first.claim_us,
            figure.settle_us,
            figure.settle_us / first.settle_us,
            figure.payload_us,
            figure.open_ms,
            figure.idle_mb,
            figure.peak_mb,
            figure.accepted_beside,
            figure.accepted_beside / figure.accepted_alone,
            figure.bytes_per_event,
        );
    }
    println!(
        "\n  claim and settle: per run, {AT_ONCE} at once, without the reading of event and journal, which is `payload`; \
         (x): against the smallest backlog, at most 2 wanted"
    );
    println!(
        "  accept/s beside: while the backlog is drained, and as a part of what is accepted when nothing is drained"
    );
    for figure in figures {
        println!(
            "  {:>9}: filled at {:.0}/s, drained at {:.0}/s beside accepting; first claim after the start {:.1} ms",
            figure.runs, figure.fill_per_second, figure.drained_beside, figure.first_claim_ms
        );
    }
}

async fn measure(runs: u64) -> anyhow::Result<Figures> {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let store = open(directory.path()).await?;
    let begun = Instant::now();
    fill(&store, 0..runs).await?;
    let fill_per_second = rate(runs, begun.elapsed());
    store.close().await?;
    let bytes = std::fs::metadata(directory.path().join("cuegate.db"))?.len();
    drop(store);
    let begun = Instant::now();
    let store = open(directory.path()).await?;
    let open_ms = millis(begun.elapsed());
    let idle_mb = memory("VmRSS:")?;
    let begun = Instant::now();
    drain(&store, 1).await?;
    let first_claim_ms = millis(begun.elapsed());
    let payloads = Payloads::open(directory.path())?;
    let costs = costs(&store, &payloads, runs).await?;
    let store = Arc::new(store);
    let accepted_alone = accept_for(&store, runs, Duration::from_secs(2)).await?;
    let (accepted_beside, drained_beside) = beside(&store, runs).await?;
    Ok(Figures {
        runs,
        fill_per_second,
        bytes_per_event: bytes as f64 / runs as f64,
        open_ms,
        first_claim_ms,
        claim_us: costs.claim,
        settle_us: costs.settle,
        payload_us: costs.payload,
        accepted_alone,
        accepted_beside,
        drained_beside,
        idle_mb,
        peak_mb: memory("VmHWM:")?,
    })
}

async fn open(directory: &Path) -> anyhow::Result<SqliteStore> {
    let options = SqliteOptions::at(directory.join("cuegate.db"));
    let store = SqliteStore::open(options, Arc::new(SystemClock)).await?;
    let set = RuleSet {
        id: RuleSetId::from("bench"),
        files: Vec::new(),
        rules: Vec::new(),
        site: String::new(),
        vars: json!({}),
    };
    store.activate_rule_set(set).await?;
    Ok(store)
}

/// Accepts events and routes each to one run.
async fn fill(store: &SqliteStore, numbers: std::ops::Range<u64>) -> anyhow::Result<()> {
    let mut next = numbers.start;
    while next < numbers.end {
        let until = (next + TOGETHER).min(numbers.end);
        let events = (next..until).map(|number| stored::event(number, BODY_BYTES));
        store.accept(events.collect()).await?;
        let unrouted = store.unrouted(usize::try_from(TOGETHER)?).await?;
        let decisions = (next..until).map(|number| {
            let run = NewRun::new(
                RuleId(format!("rule-{:02}", number % RULES)),
                RuleVersion::from("1"),
                1,
                LaneKey(format!("asset-{}", number % LANES)),
            );
            Decision {
                runs: vec![run],
                ..Decision::default()
            }
        });
        let routing = Routing {
            batch: unrouted.batch,
            rule_set: RuleSetId::from("bench"),
            decisions: decisions.collect(),
            breaker: None,
            at: SystemClock.now(),
        };
        if store.route(routing).await? == Routed::Stale {
            bail!("somebody else routes");
        }
        next = until;
    }
    Ok(())
}

/// In microseconds per run.
struct Costs {
    claim: f64,
    settle: f64,
    payload: f64,
}

/// Of the same number of runs over every backlog: a small one is filled up again meanwhile, which is not measured, so that
/// each has its share of what comes only now and then, such as copying the log into the file.
async fn costs(store: &SqliteStore, payloads: &Payloads, runs: u64) -> anyhow::Result<Costs> {
    let (mut claim, mut settle, mut payload) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    let (mut done, mut waiting, mut next) = (0, runs, FILLED_UP);
    let sample = if short() { SHORT_SAMPLE } else { SAMPLE };
    while done < sample {
        if waiting < runs / 2 {
            fill(store, next..next + runs - waiting).await?;
            (next, waiting) = (next + runs - waiting, runs);
        }
        let begun = Instant::now();
        let claims = store
            .claim(Claiming::up_to(AT_ONCE), SystemClock.now())
            .await?;
        claim += begun.elapsed();
        ensure!(!claims.is_empty(), "the backlog ended too early");
        let begun = Instant::now();
        payloads.read(&claims)?;
        payload += begun.elapsed();
        let settlements = claims.iter().map(|one| Settle {
            lease: one.lease,
            settlement: Settlement::Succeeded,
            spent: Duration::ZERO,
            logs: Vec::new(),
            at: SystemClock.now(),
        });
        let begun = Instant::now();
        store.settle(settlements.collect()).await?;
        settle += begun.elapsed();
        done += claims.len();
        waiting -= claims.len() as u64;
    }
    let each = |total: Duration| total.as_secs_f64() * 1e6 / done as f64;
    let payload = each(payload);
    Ok(Costs {
        claim: (each(claim) - payload).max(0.0),
        settle: each(settle),
        payload,
    })
}

/// Reads what a claim reads of a run besides the queue, as a claim does: many in one transaction.
struct Payloads(Connection);

impl Payloads {
    fn open(directory: &Path) -> anyhow::Result<Self> {
        let path = directory.join("cuegate.db");
        let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        Ok(Self(db))
    }

    fn read(&self, claims: &[Claim]) -> anyhow::Result<()> {
        let snapshot = self.0.unchecked_transaction()?;
        let mut body = snapshot.prepare_cached(
            "SELECT body.json FROM run JOIN event_body AS body ON body.event = run.event WHERE run.id = ?1",
        )?;
        let mut steps = snapshot.prepare_cached("SELECT answer FROM step WHERE run = ?1")?;
        for claim in claims {
            let json: String = body.query_row([claim.run.id.0], |row| row.get(0))?;
            ensure!(json.len() >= BODY_BYTES, "a body is not what was accepted");
            let mut rows = steps.query([claim.run.id.0])?;
            while rows.next()?.is_some() {}
        }
        Ok(())
    }
}

/// Claims and settles so many runs, or all that there are.
async fn drain(store: &SqliteStore, runs: usize) -> anyhow::Result<usize> {
    let claims = store
        .claim(Claiming::up_to(runs.min(AT_ONCE)), SystemClock.now())
        .await?;
    let settlements = claims.iter().map(|one| Settle {
        lease: one.lease,
        settlement: Settlement::Succeeded,
        spent: Duration::ZERO,
        logs: Vec::new(),
        at: SystemClock.now(),
    });
    store.settle(settlements.collect()).await?;
    Ok(claims.len())
}

/// How many events a second are accepted, each batch waiting for the one before.
async fn accept_for(store: &SqliteStore, from: u64, time: Duration) -> anyhow::Result<f64> {
    let begun = Instant::now();
    let mut number = from;
    while begun.elapsed() < time {
        let events = (number..number + 64).map(|number| stored::event(number, BODY_BYTES));
        store.accept(events.collect()).await?;
        number += 64;
    }
    Ok(rate(number - from, begun.elapsed()))
}

/// Accepting and draining at once: how many of each in a second.
async fn beside(store: &Arc<SqliteStore>, runs: u64) -> anyhow::Result<(f64, f64)> {
    let stop = Arc::new(AtomicBool::new(false));
    let draining = {
        let (store, stop) = (Arc::clone(store), Arc::clone(&stop));
        tokio::spawn(async move {
            let begun = Instant::now();
            let mut drained = 0;
            while !stop.load(Ordering::Relaxed) {
                match drain(&store, AT_ONCE).await? {
                    0 => break,
                    some => drained += some,
                }
            }
            Ok::<f64, anyhow::Error>(rate(drained as u64, begun.elapsed()))
        })
    };
    let accepted = accept_for(store, runs * 2, Duration::from_secs(2)).await?;
    stop.store(true, Ordering::Relaxed);
    Ok((accepted, draining.await??))
}

fn rate(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// A line of `/proc/self/status`, in megabytes.
fn memory(line: &str) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let kilobytes: f64 = status
        .lines()
        .find_map(|text| {
            text.strip_prefix(line)?
                .trim()
                .split(' ')
                .next()?
                .parse()
                .ok()
        })
        .with_context(|| format!("/proc/self/status has no {line}"))?;
    Ok(kilobytes / 1024.0)
}
