//! What a gateway takes when nothing happens and when much does, and how soon after its start it accepts.
//!
//! Memory is the proportional set size (PSS): a page that several processes share counts in parts, so gateway
//! and workers, which are one program, add up to what they really take.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

#[path = "measure/events.rs"]
mod events;
#[path = "measure/figures.rs"]
mod figures;
#[path = "measure/gateway.rs"]
mod gateway;
#[path = "measure/machine.rs"]
mod machine;
#[path = "measure/processes.rs"]
mod processes;
#[path = "measure/rules.rs"]
mod rules;
#[path = "measure/sender.rs"]
mod sender;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use self::figures::{Rounds, Series};
use self::gateway::Gateway;
use self::machine::machine;
use self::sender::Sender;

/// How many senders there are at once.
const CONNECTIONS: u32 = 64;

/// Idle, and under load.
const MEASUREMENTS: u32 = 2;

/// How often memory is looked at under load.
const LOOK_EVERY: Duration = Duration::from_millis(50);

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some(sender::ROLE) {
        println!("{}", sender::run(arguments)?);
        return Ok(());
    }
    tokio::runtime::Runtime::new()?.block_on(measure())
}

async fn measure() -> anyhow::Result<()> {
    let rounds = Rounds::of(MEASUREMENTS, Duration::from_secs(40))?;
    println!(
        "\nmemory: what gateway and workers take (PSS, MB), and how soon the first event is accepted"
    );
    println!("  {}", machine());
    println!("  {rounds}");
    println!(
        "  load: {} bytes over {CONNECTIONS} connections; two of four rules have a `when` that is asked and declines",
        sender::BODY_BYTES
    );
    let mut figures = Figures::default();
    for _ in 0..rounds.count {
        figures.measure(rounds.each).await?;
    }
    figures.report();
    Ok(())
}

#[derive(Default)]
struct Figures {
    first_accept: Series,
    idle: Memory,
    idle_cpu: Series,
    load: Series,
    loaded: Memory,
    left: Series,
    afterwards: Memory,
}

/// In megabytes.
#[derive(Default)]
struct Memory {
    gateway: Series,
    workers: Series,
    all: Series,
}

impl Figures {
    async fn measure(&mut self, time: Duration) -> anyhow::Result<()> {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let begun = Instant::now();
        let gateway = Gateway::start(directory.path(), &rules::declining(), None)?;
        accept_one(&gateway)?;
        self.first_accept.push(begun.elapsed().as_secs_f64() * 1e3);

        let before = processes::cpu(gateway.pid())?;
        tokio::time::sleep(time).await;
        let used = processes::cpu(gateway.pid())?.saturating_sub(before);
        self.idle_cpu
            .push(used.as_secs_f64() / time.as_secs_f64() * 100.0);
        self.idle.add(Usage::of(&gateway)?);

        let sender = Sender::start(gateway.hooks, CONNECTIONS, time)?;
        let until = Instant::now() + time;
        let mut most = Usage::of(&gateway)?;
        while Instant::now() < until {
            tokio::time::sleep(LOOK_EVERY).await;
            most = most.max(Usage::of(&gateway)?);
        }
        self.load.push(sender.finish()?.rate());
        self.loaded.add(most);
        let left = gateway.unrouted()?;
        self.left.push(f64::from(u32::try_from(left)?));
        self.afterwards.add(Usage::of(&gateway)?);
        gateway.stop()
    }

    fn report(&self) {
        println!(
            "\n  from start to first 200   ms  {}",
            self.first_accept.show(0)
        );
        for (name, memory, guide) in [
            ("idle", &self.idle, "  (guide 30)"),
            ("at most under load", &self.loaded, ""),
            ("right after the load", &self.afterwards, ""),
        ] {
            println!("  {name}");
            println!("    gateway                 MB  {}", memory.gateway.show(1));
            println!("    workers together        MB  {}", memory.workers.show(1));
            println!(
                "    all                     MB  {}{guide}",
                memory.all.show(1)
            );
        }
        println!(
            "  loaded, as part of idle       {}",
            self.loaded.all.ratio_to(&self.idle.all).show(2)
        );
        println!("  accepted meanwhile        /s  {}", self.load.show(0));
        println!("  inbox left after the load     {}", self.left.show(0));
        println!("  processor while idle       %  {}", self.idle_cpu.show(2));
    }
}

impl Memory {
    fn add(&mut self, usage: Usage) {
        self.gateway.push(usage.gateway);
        self.workers.push(usage.workers);
        self.all.push(usage.gateway + usage.workers);
    }
}

/// Memory at one moment, in megabytes.
#[derive(Clone, Copy, Debug)]
struct Usage {
    gateway: f64,
    workers: f64,
}

impl Usage {
    fn of(gateway: &Gateway) -> anyhow::Result<Self> {
        let processes = processes::processes(gateway.pid())?;
        let (own, workers) = processes.split_first().context("a gateway has a process")?;
        Ok(Self {
            gateway: pss(*own).context("the gateway has ended")?,
            // A worker may just be replaced.
            workers: workers.iter().filter_map(|pid| pss(*pid)).sum(),
        })
    }

    fn max(self, other: Self) -> Self {
        if self.gateway + self.workers < other.gateway + other.workers {
            other
        } else {
            self
        }
    }
}

fn pss(pid: u32) -> Option<f64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kib: u32 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(f64::from(kib) * 1024.0 / 1e6)
}

fn accept_one(gateway: &Gateway) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(gateway.hooks)?;
    stream.write_all(sender::request(gateway.hooks).as_bytes())?;
    let mut answer = [0; 1024];
    let read = stream.read(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer[..read]);
    ensure!(
        answer.starts_with("HTTP/1.1 200 "),
        "the first event was answered:\n{answer}"
    );
    Ok(())
}
