//! `cuegate simulate`: an Iconik to try things on.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::terminal::{Terminal, Tone};
use super::{Exit, stop_asked};
use crate::clock::SystemClock;
use crate::model::parse_duration;
use crate::simulator::{Credential, DEFAULT_USER, Seed, Simulator, SimulatorOptions};

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
    /// The `App-ID` that may call
    #[arg(long, default_value = "demo")]
    app_id: String,
    /// The `Auth-Token` that goes with it
    #[arg(long, default_value = "demo")]
    auth_token: String,
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
        seed,
        ..SimulatorOptions::default()
    };
    let simulator = match Simulator::start(options, Arc::new(SystemClock)).await {
        Ok(simulator) => simulator,
        Err(error) => {
            terminal.complain(&format!(
                "the simulator cannot start on {}: {error}",
                arguments.listen
            ));
            return Exit::Findings;
        }
    };
    terminal.line(&format!(
        "a simulated Iconik answers at {}",
        Tone::Strong.paint(&simulator.base_url())
    ));
    stop_asked().await;
    simulator.stop().await;
    Exit::Fine
}
