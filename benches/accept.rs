//! How many events a second are accepted durably, compared in one run with what nobody can beat.
//!
//! (a) is a bare axum handler that reads the body and answers: what HTTP costs. (b) is the same handler that
//! appends the body to a file and waits for a group fdatasync: what durability costs on this disk. Cuegate
//! does the same and verifies, parses, keys and stores the event, while its router moves events on and asks
//! rules. Each server is a process of its own with a fresh directory for every cell, all are measured in turn
//! in every round, and every event that was answered 200 must be in the store afterwards.

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
#[path = "measure/rival.rs"]
mod rival;
#[path = "measure/rules.rs"]
mod rules;
#[path = "measure/sender.rs"]
mod sender;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use cuegate::clock::SystemClock;
use cuegate::model::RuleFile;
use cuegate::store::{Counted as _, SqliteOptions, SqliteStore, Store as _};

use self::figures::{Rounds, Series};
use self::gateway::Gateway;
use self::machine::machine;
use self::rival::Rival;
use self::sender::{Sender, Sent};

const CONNECTIONS: [u32; 4] = [1, 16, 64, 256];

/// The two rivals, and Cuegate with and without rules that are asked.
const KINDS: u32 = 4;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some(sender::ROLE) => {
            println!("{}", sender::run(arguments)?);
            Ok(())
        }
        Some(rival::ROLE) => rival::run(arguments),
        _ => compare(),
    }
}

/// All series of one number of connections.
#[derive(Default)]
struct Cells {
    bare: Series,
    appending: Series,
    asking: Ours,
    unconcerned: Ours,
}

/// One way to run Cuegate.
#[derive(Default)]
struct Ours {
    rate: Series,
    /// Events that were not routed yet when the sender stopped.
    left: Series,
    /// Processor time of gateway and workers for one event, in microseconds, until then.
    cpu: Series,
}

fn compare() -> anyhow::Result<()> {
    let kinds = KINDS * u32::try_from(CONNECTIONS.len())?;
    let rounds = Rounds::of(kinds, Duration::from_secs(160))?;
    println!(
        "\naccept: events of {} bytes a second, each answered when it is durable",
        sender::BODY_BYTES
    );
    println!("  {}", machine());
    println!("  {rounds}");
    println!("  (a) bare axum; (b) the same over raw appends with group fdatasync");
    println!(
        "  asking: two of four rules have a `when` that is asked and declines; unconcerned: no rule matches"
    );
    let mut cells: [Cells; CONNECTIONS.len()] = Default::default();
    for _ in 0..rounds.count {
        for (cells, connections) in cells.iter_mut().zip(CONNECTIONS) {
            let load = Load {
                connections,
                time: rounds.each,
            };
            cells.bare.push(load.on_rival(rival::BARE)?.rate());
            cells
                .appending
                .push(load.on_rival(rival::APPENDING)?.rate());
            load.on_gateway(&rules::declining(), &mut cells.asking)?;
            load.on_gateway(&rules::unconcerned(), &mut cells.unconcerned)?;
        }
    }
    for (cells, connections) in cells.iter().zip(CONNECTIONS) {
        report(cells, connections);
    }
    Ok(())
}

fn report(cells: &Cells, connections: u32) {
    let guide = |value: &str| match connections {
        64 => format!("  (guide {value})"),
        _ => String::new(),
    };
    println!("\n  {connections} connection(s)");
    println!("    (a) bare        /s  {}", cells.bare.show(0));
    println!("    (b) appending   /s  {}", cells.appending.show(0));
    for (name, ours) in [
        ("asking", &cells.asking),
        ("unconcerned", &cells.unconcerned),
    ] {
        println!("    cuegate, {name}");
        println!("      events        /s  {}", ours.rate.show(0));
        println!(
            "      as part of (a)    {}{}",
            ours.rate.ratio_to(&cells.bare).show(2),
            guide("0.25")
        );
        println!(
            "      as part of (b)    {}{}",
            ours.rate.ratio_to(&cells.appending).show(2),
            guide("0.40")
        );
        println!("      inbox left        {}", ours.left.show(0));
        println!("      cpu µs an event   {}", ours.cpu.show(0));
    }
}

#[derive(Clone, Copy)]
struct Load {
    connections: u32,
    time: Duration,
}

impl Load {
    fn on_rival(self, kind: &str) -> anyhow::Result<Sent> {
        let directory = fresh_directory()?;
        let rival = Rival::start(kind, &directory.path().join("events"))?;
        Sender::start(rival.address, self.connections, self.time)?.finish()
    }

    fn on_gateway(self, rules: &[RuleFile], ours: &mut Ours) -> anyhow::Result<()> {
        let directory = fresh_directory()?;
        let gateway = Gateway::start(directory.path(), rules, None)?;
        let idle = processes::cpu(gateway.pid())?;
        let sent = Sender::start(gateway.hooks, self.connections, self.time)?.finish()?;
        let left = gateway.unrouted()?;
        let used = processes::cpu(gateway.pid())?.saturating_sub(idle);
        gateway.stop()?;
        let stored = stored(directory.path())?;
        ensure!(
            sent.answered == sent.events && sent.events == stored,
            "{} events were answered 200 under {} ids, and {stored} are in the store",
            sent.answered,
            sent.events
        );
        ours.rate.push(sent.rate());
        ours.left.push(exact(left));
        ours.cpu
            .push(used.as_secs_f64() * 1e6 / exact(sent.answered));
        Ok(())
    }
}

/// The events in the files that a gateway has left.
fn stored(directory: &Path) -> anyhow::Result<u64> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let options = SqliteOptions::at(directory.join("data/cuegate.db"));
        let store = SqliteStore::open(options, Arc::new(SystemClock)).await?;
        let counts = store.counts().await?;
        store.close().await?;
        let routed: u64 = counts.events.iter().map(|(_, count)| count).sum();
        Ok(routed + counts.unrouted)
    })
}

/// On the disk of the build directory: in memory, a sync would cost nothing.
fn fresh_directory() -> std::io::Result<tempfile::TempDir> {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))
}

#[expect(clippy::cast_precision_loss, reason = "nobody sends 2^52 events")]
fn exact(count: u64) -> f64 {
    count as f64
}
