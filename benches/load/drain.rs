//! Iconik is away while events arrive, and comes back: nothing is lost, memory stays flat, and everything drains at
//! the rate of the budget.
//!
//! The rule reads an asset and sets its title to the event's number, so what Iconik has seen tells order and count.
//! The same backlog is drained with a budget that both sides hold to and without one; the smaller of the budget and
//! of what this machine reaches without it is what can be had.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use cuegate::model::RuleFile;
use serde_json::json;

use super::events;
use super::gateway::{Gateway, SECRET_HEADER};
use super::iconik::Iconik;

const RULE: &str = r#"//! Reads an asset and numbers it.

rule(#{ on: ["assets/entity/update"], allow: ["assets:write"] });

fn run(event) {
    let asset = iconik::asset(event.asset_id);
    iconik::patch(`assets/v1/assets/${asset.id}/`, #{ title: event.data.number });
}
"#;

/// Senders at once, each with lanes of its own, so that the order of acceptance inside a lane is known.
const SENDERS: u64 = 64;
const LANES_EACH: u64 = 16;

/// Calls a second that both sides hold to.
const BUDGET: u32 = 2_000;

/// A budget that nobody reaches here.
const NO_BUDGET: u32 = 10_000;

/// How long a drain may take at all.
const PATIENCE: Duration = Duration::from_secs(1_800);

pub(super) async fn measure() -> anyhow::Result<()> {
    let short = std::env::var_os("CUEGATE_BENCH_SECONDS").is_some();
    let events = if short { 4_096 } else { 100_352 };
    println!("\ndrain: {events} events while Iconik is away, then a read and a write for each");
    let free = drain(events, NO_BUDGET).await?;
    free.report("without a budget");
    let bound = drain(events, BUDGET).await?;
    bound.report(&format!("budget {BUDGET} calls/s on both sides"));
    let reachable = free.calls_per_second.min(f64::from(BUDGET));
    println!(
        "\n  drained at {:.3} of the smaller of the budget and of what was reached without one (0.95 wanted)",
        bound.calls_per_second / reachable
    );
    Ok(())
}

/// What came out of one drain. That nothing is lost and lanes keep their order is checked and not shown.
struct Drained {
    accepted_per_second: f64,
    calls_per_second: f64,
    throttled: u64,
    memory_before: f64,
    memory_full: f64,
    memory_most: f64,
}

impl Drained {
    fn report(&self, how: &str) {
        println!("\n  {how}");
        println!(
            "    accepted {:>6.0}/s while Iconik was away; gateway takes {:.0} MB at the start, {:.0} MB with the backlog, \
             {:.0} MB at most while it drains",
            self.accepted_per_second, self.memory_before, self.memory_full, self.memory_most
        );
        println!(
            "    drained  {:>6.0} calls/s, {} of them answered 429; no event lost, no lane out of order, nothing dead",
            self.calls_per_second, self.throttled
        );
    }
}

async fn drain(events: u64, budget: u32) -> anyhow::Result<Drained> {
    let mut iconik = Iconik::away().await?;
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let rules = [RuleFile {
        path: "number.rhai".to_owned(),
        source: RULE.to_owned(),
    }];
    let gateway = Gateway::start(directory.path(), &rules, Some(&iconik.budgeted(budget)))?;
    let memory_before = memory(&gateway)?;
    let begun = Instant::now();
    send(&gateway, events).await?;
    let accepted_per_second = rate(events, begun.elapsed());
    while gateway.unrouted()? > 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let memory_full = memory(&gateway)?;
    let limit = if budget == NO_BUDGET {
        0
    } else {
        usize::try_from(budget)?
    };
    iconik.come(limit).await?;
    // From the first write on: how soon the gateway looks again for Iconik is another matter.
    until_written(&iconik, 1).await?;
    let begun = Instant::now();
    let mut memory_most = memory_full;
    while iconik.seen.writes.load(Ordering::Relaxed) < events {
        ensure!(begun.elapsed() < PATIENCE, "it does not drain");
        tokio::time::sleep(Duration::from_millis(200)).await;
        memory_most = memory_most.max(memory(&gateway)?);
    }
    let calls_per_second = rate(2 * events, begun.elapsed());
    in_order(&iconik, events)?;
    let dead = gateway.metric("cuegate_runs{state=\"dead\"}")?;
    ensure!(dead.unwrap_or(0) == 0, "{dead:?} runs are dead");
    gateway.stop()?;
    Ok(Drained {
        accepted_per_second,
        calls_per_second,
        throttled: iconik.seen.throttled.load(Ordering::Relaxed),
        memory_before,
        memory_full,
        memory_most,
    })
}

async fn until_written(iconik: &Iconik, count: u64) -> anyhow::Result<()> {
    let begun = Instant::now();
    while iconik.seen.writes.load(Ordering::Relaxed) < count {
        ensure!(
            begun.elapsed() < PATIENCE,
            "Iconik is back and nobody calls"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

async fn send(gateway: &Gateway, events: u64) -> anyhow::Result<()> {
    let (header, secret) = SECRET_HEADER.split_once(": ").context("a header")?;
    let url = format!("http://{}/hooks/iconik", gateway.hooks);
    let client = reqwest::Client::new();
    let tasks: Vec<_> = (0..SENDERS)
        .map(|sender| {
            let (client, url) = (client.clone(), url.clone());
            tokio::spawn(async move {
                for number in 0..events / SENDERS {
                    let answer = client
                        .post(&url)
                        .header(header, secret)
                        .json(&event(sender, number))
                        .send()
                        .await?;
                    ensure!(
                        answer.status() == 200,
                        "an event was answered {}",
                        answer.status()
                    );
                }
                Ok(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    Ok(())
}

fn lane(sender: u64, number: u64) -> String {
    format!("asset-{sender}-{}", number % LANES_EACH)
}

fn event(sender: u64, number: u64) -> serde_json::Value {
    let mut body = events::body(sender << 32 | number, 2_048);
    body["realm"] = json!("entity");
    body["object_id"] = json!(lane(sender, number));
    body["data"] = json!({ "number": (number + 1).to_string(), "note": body["data"]["note"] });
    body
}

/// Every number of every lane, once and in order.
fn in_order(iconik: &Iconik, events: u64) -> anyhow::Result<()> {
    let titles = iconik.seen.titles();
    for sender in 0..SENDERS {
        for first in 0..LANES_EACH {
            let expected: Vec<u64> = (0..events / SENDERS)
                .filter(|number| number % LANES_EACH == first)
                .map(|number| number + 1)
                .collect();
            let lane = lane(sender, first);
            let seen = titles.get(&lane).cloned().unwrap_or_default();
            ensure!(seen == expected, "lane {lane} was written as {seen:?}");
        }
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "nobody sends 2^52 events")]
fn rate(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

/// What the gateway itself takes (RSS), in megabytes.
fn memory(gateway: &Gateway) -> anyhow::Result<f64> {
    let pid = gateway.pid();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kilobytes: f64 = status
        .lines()
        .find_map(|line| {
            line.strip_prefix("VmRSS:")?
                .trim()
                .split(' ')
                .next()?
                .parse()
                .ok()
        })
        .context("the process tells its memory")?;
    Ok(kilobytes / 1024.0)
}
