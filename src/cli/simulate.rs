//! `cuegate simulate`: an Iconik to try things on.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::terminal::{Terminal, Tone};
use super::{Exit, stop_asked};
use crate::clock::{Clock, SharedClock, SystemClock};
use crate::model::parse_duration;
use crate::simulator::{
    Credential, DEFAULT_USER, DeliveryOptions, RandomTrouble, Seed, Simulator, SimulatorOptions,
    WrittenFault,
};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
    /// The `system_domain_id`
    #[arg(long)]
    domain: Option<String>,
    /// A JSON file with what is there from the start
    #[arg(long, value_name = "FILE")]
    seed: Option<PathBuf>,
    /// How far lists and searches are behind single reads; `0s` for not at all
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = parse_duration)]
    index_lag: Duration,
    /// How long a job takes that ends by itself
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = parse_duration)]
    work_takes: Duration,
    /// Write every request with its answer and every event into this folder
    #[arg(long, value_name = "FOLDER")]
    record: Option<PathBuf>,
    /// A fault, such as `POST assets/v1/assets/ answer=503 times=3`; may be given several times
    #[arg(long = "fault", value_name = "FAULT")]
    faults: Vec<WrittenFault>,
    /// The share of requests, from 0 to 1, that meet each kind of trouble at random
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    trouble: f64,
    /// The share of events, from 0 to 1, that are sent twice
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    duplicates: f64,
    /// How many waiting events may be sent in another order
    #[arg(long, value_name = "EVENTS", default_value_t = 0)]
    reorder: usize,
    /// Begin at this time instead of now, such as `2026-03-01T12:00:00Z`
    #[arg(long, value_name = "TIME")]
    now: Option<Timestamp>,
    /// The `App-ID` that may call
    #[arg(long, default_value = "demo")]
    app_id: String,
    /// The `Auth-Token` that goes with it
    #[arg(long, default_value = "demo")]
    auth_token: String,
}

/// A part of a whole.
fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "it is no number".to_owned())?;
    if (0.0..=1.0).contains(&share) {
        Ok(share)
    } else {
        Err("it is not from 0 to 1".to_owned())
    }
}

/// A clock that was set when it began, and goes on like the machine's.
#[derive(Debug)]
struct BegunClock {
    ahead: SignedDuration,
}

impl BegunClock {
    fn at(begin: Timestamp) -> Self {
        Self {
            ahead: begin.duration_since(SystemClock.now()),
        }
    }
}

impl Clock for BegunClock {
    fn now(&self) -> Timestamp {
        let now = SystemClock.now();
        now.checked_add(self.ahead).unwrap_or(now)
    }
}

pub(super) async fn run(arguments: Arguments, terminal: &mut Terminal) -> Exit {
    let seed = match arguments.seed.as_deref().map(Seed::read).transpose() {
        Ok(seed) => seed,
        Err(error) => {
            terminal.complain(&error.to_string());
            return Exit::Usage;
        }
    };
    let options = SimulatorOptions {
        listen: arguments.listen,
        domain: arguments.domain,
        credentials: vec![Credential::new(
            arguments.app_id,
            arguments.auth_token,
            DEFAULT_USER,
        )],
        index_lag: arguments.index_lag,
        work_takes: arguments.work_takes,
        record: arguments.record,
        delivery: DeliveryOptions {
            duplicates: arguments.duplicates,
            reorder: arguments.reorder,
            ..DeliveryOptions::default()
        },
        seed,
        ..SimulatorOptions::default()
    };
    let clock: SharedClock = match arguments.now {
        Some(begin) => Arc::new(BegunClock::at(begin)),
        None => Arc::new(SystemClock),
    };
    let simulator = match Simulator::start(options, clock).await {
        Ok(simulator) => simulator,
        Err(error) => {
            terminal.complain(&format!(
                "the simulator cannot start on {}: {error}",
                arguments.listen
            ));
            return Exit::Findings;
        }
    };
    for fault in arguments.faults {
        simulator.fault(fault.matching, fault.times, fault.trouble);
    }
    if arguments.trouble > 0.0 {
        simulator.trouble_at_random(RandomTrouble::each(0, arguments.trouble));
    }
    terminal.line(&format!(
        "a simulated Iconik answers at {}",
        Tone::Strong.paint(&simulator.base_url())
    ));
    stop_asked().await;
    simulator.stop().await;
    Exit::Fine
}
