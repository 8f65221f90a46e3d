//! A flood of one source and one rule beside a single event a second of another: what the other notices.
//!
//! The quiet sender posts an event, its rule makes a job with the event's number; the time from the post to the job in
//! Iconik is what somebody waits. It is measured while nothing else happens, then beside the flood until the flood has
//! drained.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use cuegate::model::RuleFile;
use serde_json::{Value, json};

use super::events;
use super::gateway::{Gateway, SECRET_HEADER};
use super::iconik::Iconik;

const FLOOD: &str = r#"//! The flood: reads its asset and numbers it.

rule(#{ on: ["assets/entity/update"], allow: ["assets:write"] });

fn run(event) {
    let asset = iconik::asset(event.asset_id);
    iconik::patch(`assets/v1/assets/${asset.id}/`, #{ title: event.data.number });
}
"#;

const QUIET: &str = r#"//! The other: makes a job for its event.

rule(#{ on: ["other:ping"], allow: ["jobs:write"] });

fn run(event) {
    iconik::create_job(#{ type: "CUSTOM", title: event.data.number, status: "STARTED" });
}
"#;

const SENDERS: u64 = 64;

/// Calls a second of the gateway's budget: the flood wants more than that.
const BUDGET: u32 = 2_000;

/// How long somebody may wait at all.
const PATIENCE: Duration = Duration::from_secs(300);

pub(super) async fn measure() -> anyhow::Result<()> {
    let short = std::env::var_os("CUEGATE_BENCH_SECONDS").is_some();
    let (flood, pings, every) = if short {
        (4_096, 10, Duration::from_millis(200))
    } else {
        (100_352, 60, Duration::from_secs(1))
    };
    println!("\nfairness: one event every {every:?} beside {flood} of another source and rule");
    let mut iconik = Iconik::away().await?;
    iconik.come(0).await?;
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let rules = [file("flood.rhai", FLOOD), file("quiet.rhai", QUIET)];
    let gateway = Gateway::start(directory.path(), &rules, Some(&iconik.budgeted(BUDGET)))?;
    let quiet = Quiet::new(&gateway, &iconik)?;
    // The first event of all finds cold workers.
    quiet.wait(0).await?;
    let mut idle = Vec::new();
    for number in 1..=pings {
        idle.push(quiet.wait(number).await?);
        tokio::time::sleep(every).await;
    }
    let done = Arc::new(AtomicBool::new(false));
    let flooding = tokio::spawn(send(url(&gateway, "iconik"), flood, Arc::clone(&done)));
    let mut beside = Vec::new();
    let mut number = pings;
    while !done.load(Ordering::Relaxed) || iconik.seen.writes.load(Ordering::Relaxed) < flood {
        number += 1;
        beside.push(quiet.wait(number).await?);
        tokio::time::sleep(every).await;
    }
    flooding.await??;
    gateway.stop()?;
    report(&mut idle, &mut beside);
    Ok(())
}

fn report(idle: &mut [Duration], beside: &mut [Duration]) {
    println!(
        "\n  {:>16}  {:>8}  {:>8}  {:>8}",
        "", "events", "p50 ms", "p99 ms"
    );
    for (how, waits) in [("idle", &mut *idle), ("beside the flood", &mut *beside)] {
        println!(
            "  {how:>16}  {:>8}  {:>8.1}  {:>8.1}",
            waits.len(),
            millis(quantile(waits, 0.5)),
            millis(quantile(waits, 0.99))
        );
    }
    println!(
        "\n  p99 beside the flood is {:.1} times that of the idle system",
        quantile(beside, 0.99).as_secs_f64() / quantile(idle, 0.99).as_secs_f64()
    );
}

struct Quiet<'a> {
    client: reqwest::Client,
    url: String,
    iconik: &'a Iconik,
}

impl<'a> Quiet<'a> {
    fn new(gateway: &Gateway, iconik: &'a Iconik) -> anyhow::Result<Self> {
        Ok(Self {
            client: reqwest::Client::builder().build()?,
            url: url(gateway, "other"),
            iconik,
        })
    }

    /// Posts an event and waits for its job; how long that took.
    async fn wait(&self, number: u64) -> anyhow::Result<Duration> {
        let title = format!("ping-{number}");
        let begun = Instant::now();
        post(
            &self.client,
            &self.url,
            &json!({ "type": "ping", "number": title }),
        )
        .await?;
        loop {
            if let Some(made) = self.iconik.seen.job(&title) {
                return Ok(made - begun);
            }
            ensure!(begun.elapsed() < PATIENCE, "event {number} made no job");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

async fn send(url: String, events: u64, done: Arc<AtomicBool>) -> anyhow::Result<()> {
    let client = reqwest::Client::new();
    let tasks: Vec<_> = (0..SENDERS)
        .map(|sender| {
            let (client, url) = (client.clone(), url.clone());
            tokio::spawn(async move {
                for number in 0..events / SENDERS {
                    let mut body = events::body(sender << 32 | number, 2_048);
                    body["realm"] = json!("entity");
                    body["object_id"] = json!(format!("asset-{sender}-{}", number % 16));
                    body["data"] =
                        json!({ "number": number.to_string(), "note": body["data"]["note"] });
                    post(&client, &url, &body).await?;
                }
                Ok::<(), anyhow::Error>(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    done.store(true, Ordering::Relaxed);
    Ok(())
}

async fn post(client: &reqwest::Client, url: &str, body: &Value) -> anyhow::Result<()> {
    let (header, secret) = SECRET_HEADER.split_once(": ").context("a header")?;
    let answer = client
        .post(url)
        .header(header, secret)
        .json(body)
        .send()
        .await?;
    ensure!(
        answer.status() == 200,
        "an event was answered {}",
        answer.status()
    );
    Ok(())
}

fn url(gateway: &Gateway, source: &str) -> String {
    format!("http://{}/hooks/{source}", gateway.hooks)
}

fn file(path: &str, source: &str) -> RuleFile {
    RuleFile {
        path: path.to_owned(),
        source: source.to_owned(),
    }
}

/// The smallest wait that so large a part is not longer than.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a place in a short list"
)]
fn quantile(waits: &mut [Duration], part: f64) -> Duration {
    waits.sort_unstable();
    let place = (waits.len() as f64 * part).ceil() as usize;
    waits[place.clamp(1, waits.len()) - 1]
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
